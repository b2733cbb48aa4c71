#include "base/bytes.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <string>
#include <vector>

#include "base/random.h"
#include "support/seed.h"

namespace tapedeck {
namespace {

using testing::RepeatWith;
using testing::TestSeed;

std::string Encode(void (*put)(std::string*, uint64_t), uint64_t value) {
  std::string bytes;
  put(&bytes, value);
  return bytes;
}

TEST(Bytes, FixedWidthLayoutsAreExact) {
  std::string bytes;
  PutBig32(&bytes, 0x01020304);
  PutBig64(&bytes, 0x0102030405060708);
  PutLittle32(&bytes, 0x01020304);
  PutLittle64(&bytes, 0x0102030405060708);
  PutSortable32(&bytes, -1);
  PutSortable64(&bytes, 1);
  EXPECT_EQ(bytes, std::string("\1\2\3\4\1\2\3\4\5\6\7\10\4\3\2\1\10\7\6\5\4\3\2\1", 24) +
                       std::string("\x7f\xff\xff\xff\x80\0\0\0\0\0\0\1", 12));
  ByteReader reader(bytes);
  EXPECT_EQ(reader.Big32(), 0x01020304u);
  EXPECT_EQ(reader.Big64(), 0x0102030405060708u);
  EXPECT_EQ(reader.Little32(), 0x01020304u);
  EXPECT_EQ(reader.Little64(), 0x0102030405060708u);
  EXPECT_EQ(reader.Sortable32(), -1);
  EXPECT_EQ(reader.Sortable64(), 1);
  EXPECT_TRUE(reader.done());
}

TEST(Bytes, VarintLayoutsAreExactAtEveryWidth) {
  EXPECT_EQ(Encode(PutVarint, 0), std::string(1, '\0'));
  EXPECT_EQ(Encode(PutVarint, 127), "\x7f");
  EXPECT_EQ(Encode(PutVarint, 128), "\x80\x01");
  EXPECT_EQ(Encode(PutVarint, 300), "\xac\x02");
  EXPECT_EQ(Encode(PutVarint, std::numeric_limits<uint64_t>::max()),
            std::string(9, '\xff') + '\x01');
  for (int bits = 0; bits < 64; ++bits) {
    for (uint64_t value : {uint64_t{1} << bits, (uint64_t{1} << bits) - 1}) {
      std::string bytes = Encode(PutVarint, value);
      ByteReader reader(bytes);
      EXPECT_EQ(reader.Varint(), value);
      EXPECT_TRUE(reader.done());
    }
  }
}

TEST(Bytes, SortableIntegersSortAsNumbers) {
  uint64_t seed = TestSeed();
  SCOPED_TRACE(RepeatWith(seed));
  Random random(seed);
  std::vector<int64_t> numbers = {std::numeric_limits<int64_t>::min(), -1, 0, 1,
                                  std::numeric_limits<int64_t>::max()};
  for (int i = 0; i < 1000; ++i)
    numbers.push_back(static_cast<int64_t>(random.Next()) >> random.Uniform(64));
  std::ranges::sort(numbers);
  std::string before;
  std::string before32;
  for (int64_t number : numbers) {
    std::string bytes;
    PutSortable64(&bytes, number);
    EXPECT_LE(before, bytes);
    EXPECT_EQ(ByteReader(bytes).Sortable64(), number);
    before = bytes;
    int32_t half = static_cast<int32_t>(number >> 32);
    std::string bytes32;
    PutSortable32(&bytes32, half);
    EXPECT_LE(before32, bytes32);
    EXPECT_EQ(ByteReader(bytes32).Sortable32(), half);
    before32 = bytes32;
  }
}

TEST(Bytes, ZigZagKeepsSmallNumbersSmall) {
  EXPECT_EQ(ZigZag(0), 0u);
  EXPECT_EQ(ZigZag(-1), 1u);
  EXPECT_EQ(ZigZag(1), 2u);
  for (int64_t v :
       {std::numeric_limits<int64_t>::min(), std::numeric_limits<int64_t>::max(), int64_t{-77}}) {
    EXPECT_EQ(UnZigZag(ZigZag(v)), v);
  }
}

TEST(ByteReader, EveryReadPastTheEndFailsForGood) {
  using Read = uint64_t (*)(ByteReader&);
  const Read reads[] = {
      [](ByteReader& r) -> uint64_t { return r.Byte(); },
      [](ByteReader& r) -> uint64_t { return r.Big32(); },
      [](ByteReader& r) { return r.Big64(); },
      [](ByteReader& r) { return static_cast<uint64_t>(r.Sortable64()); },
      [](ByteReader& r) { return static_cast<uint64_t>(r.Sortable32()); },
      [](ByteReader& r) -> uint64_t { return r.Little32(); },
      [](ByteReader& r) { return r.Little64(); },
      [](ByteReader& r) { return r.Varint(); },
      [](ByteReader& r) -> uint64_t { return r.Blob().size(); },
      [](ByteReader& r) -> uint64_t { return r.Bytes(9).size(); },
  };
  const size_t sizes[] = {1, 4, 8, 8, 4, 4, 8, 1, 1, 9};
  for (size_t i = 0; i < std::size(reads); ++i) {
    std::string bytes(sizes[i] - 1, '\xff');
    ByteReader reader(bytes);
    EXPECT_EQ(reads[i](reader), 0u) << i;
    EXPECT_FALSE(reader.ok()) << i;
    for (Read again : reads) EXPECT_EQ(again(reader), 0u) << i;
    EXPECT_FALSE(reader.done()) << i;
    EXPECT_TRUE(reader.rest().empty());
  }
}

TEST(ByteReader, AVarintThatIsTooLongOrTooGreatFails) {
  for (const std::string& bytes : {std::string(10, '\xff'), std::string(9, '\xff') + '\x02',
                                   std::string(10, '\x80') + '\x01', std::string(3, '\x80')}) {
    ByteReader reader(bytes);
    EXPECT_EQ(reader.Varint(), 0u);
    EXPECT_FALSE(reader.ok());
  }
}

TEST(ByteReader, ABlobThatClaimsMoreThanThereIsFails) {
  std::string bytes;
  PutBlob(&bytes, "hello");
  PutBlob(&bytes, "");
  ByteReader reader(bytes);
  EXPECT_EQ(reader.Blob(), "hello");
  EXPECT_EQ(reader.Blob(), "");
  EXPECT_TRUE(reader.done());
  for (size_t cut = 0; cut < 6; ++cut) {
    ByteReader shorter(std::string_view(bytes).substr(0, cut));
    EXPECT_EQ(shorter.Blob(), "");
    EXPECT_FALSE(shorter.ok());
  }
  std::string huge = Encode(PutVarint, std::numeric_limits<uint64_t>::max()) + "x";
  ByteReader greedy(huge);
  EXPECT_EQ(greedy.Blob(), "");
  EXPECT_FALSE(greedy.ok());
}

TEST(ByteReader, RandomBytesNeverReadOutside) {
  uint64_t seed = TestSeed();
  SCOPED_TRACE(RepeatWith(seed));
  Random random(seed);
  for (int round = 0; round < 20'000; ++round) {
    std::string bytes = random.Bytes(random.Uniform(40));
    ByteReader reader(bytes);
    size_t read = 0;
    while (reader.ok() && !reader.rest().empty()) {
      size_t before = reader.rest().size();
      if (random.OneIn(2)) {
        (void)reader.Varint();
      } else {
        (void)reader.Blob();
      }
      read += before - reader.rest().size();
      ASSERT_LE(reader.rest().size(), before);
    }
    ASSERT_LE(read, bytes.size());
  }
}

}  // namespace
}  // namespace tapedeck
