// Keys sort as their fields do, come back as they were, and have the bytes that docs/formats.md
// promises.

#include "model/keys.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <tuple>

#include "base/random.h"
#include "support/seed.h"

namespace tapedeck::testing {
namespace {

std::string Hex(std::string_view bytes) {
  std::string out;
  for (char c : bytes) {
    char two[3];
    std::snprintf(two, sizeof(two), "%02x", static_cast<unsigned>(static_cast<uint8_t>(c)));
    out += two;
  }
  return out;
}

// Bytes in which what must be escaped is frequent.
std::string OddBytes(Random* random) {
  std::string bytes;
  for (uint64_t n = random->Uniform(6); n > 0; --n) {
    constexpr char kOften[] = {0, 1, 2, 'A', 'B', '\xff'};
    bytes.push_back(kOften[random->Uniform(sizeof(kOften))]);
  }
  return bytes;
}

int64_t OddNumber(Random* random) {
  constexpr int64_t kOften[] = {INT64_MIN, -1, 0, 1, INT64_MAX, -1'000'000'007, 255, 256};
  return random->OneIn(2) ? kOften[random->Uniform(8)] : static_cast<int64_t>(random->Next());
}

keys::SeriesKey RandomSeriesKey(Random* random) {
  keys::SeriesKey key;
  key.table = TableId{static_cast<uint16_t>(1 + random->Uniform(3))};
  key.day =
      Day(static_cast<int32_t>(random->Between(-3, 3)) * (random->OneIn(4) ? 100'000'000 : 1));
  key.generation = static_cast<uint32_t>(random->Uniform(2));
  key.symbol = OddBytes(random);
  key.first_ts = Timestamp(OddNumber(random));
  key.flush = random->Next() >> random->Uniform(64);
  key.block = static_cast<uint32_t>(random->Next());
  return key;
}

auto Fields(const keys::SeriesKey& k) {
  return std::make_tuple(Raw(k.table), k.day.days(), k.generation, k.symbol, k.first_ts.ns(),
                         k.flush, k.block);
}

TEST(Keys, BytesAreAsWritten) {
  EXPECT_EQ(Hex(keys::Meta("format")), "6d666f726d6174");
  EXPECT_EQ(Hex(keys::Mapping({0x0102030405060708, 0x090a0b0c0d0e0f10})),
            "760102030405060708090a0b0c0d0e0f10");
  EXPECT_EQ(Hex(keys::Table(TableId{0x0102})), "6b0102");
  EXPECT_EQ(Hex(keys::Tape(TpId{0x01020304})), "7001020304");
  EXPECT_EQ(Hex(keys::Checkpoint(TpId{7})), "6300000007");
  EXPECT_EQ(Hex(keys::TapeShip(TpId{7})), "6100000007");
  EXPECT_EQ(Hex(keys::Object("a/b")), "6f612f62");
  EXPECT_EQ(Hex(keys::Job("01J")), "6a30314a");
  EXPECT_EQ(keys::ParseJob(keys::Job("01J")).value_or(""), "01J");
  EXPECT_FALSE(keys::ParseJob(keys::Object("01J")).ok());
  EXPECT_EQ(Hex(keys::Gap(TpId{7}, 5)), "67000000078000000000000005");
  EXPECT_EQ(Hex(keys::TapeBlock(TpId{7}, 0)), "74000000078000000000000000");
  EXPECT_EQ(Hex(keys::TapeIndex(TpId{7}, -1)), "78000000077fffffffffffffff");
  EXPECT_EQ(Hex(keys::Refusal(TpId{7}, INT64_MIN)), "65000000070000000000000000");
  EXPECT_EQ(Hex(keys::Catalog(TableId{2}, std::string_view("A\0\x01"
                                                           "B",
                                                           4))),
            "790002"
            "41010101024200");
  EXPECT_EQ(Hex(keys::DayState(TableId{2}, Day(-1), 3)), "6400027fffffff00000003");
  EXPECT_EQ(Hex(keys::Series({.table = TableId{2},
                              .day = Day(19906),
                              .generation = 1,
                              .symbol = "BTC",
                              .first_ts = Timestamp(1),
                              .flush = 9,
                              .block = 2})),
            "730002"
            "80004dc2"
            "00000001"
            "42544300"
            "8000000000000001"
            "0000000000000009"
            "00000002");
}

TEST(Keys, SeriesKeysSortAsTheirFieldsAndComeBack) {
  const uint64_t seed = TestSeed();
  SCOPED_TRACE(RepeatWith(seed));
  Random random(seed);
  std::vector<keys::SeriesKey> all;
  for (int i = 0; i < 2000; ++i) all.push_back(RandomSeriesKey(&random));
  for (const keys::SeriesKey& key : all) {
    Result<keys::SeriesKey> back = keys::ParseSeries(keys::Series(key));
    ASSERT_TRUE(back.ok());
    ASSERT_EQ(*back, key);
  }
  for (size_t i = 1; i < all.size(); ++i) {
    const keys::SeriesKey &a = all[i - 1], &b = all[i];
    EXPECT_EQ(keys::Series(a) < keys::Series(b), Fields(a) < Fields(b));
    const std::string prefix = keys::SeriesPrefix(a.table, a.day, a.generation, a.symbol);
    const bool same = std::make_tuple(a.table, a.day, a.generation, a.symbol) ==
                      std::make_tuple(b.table, b.day, b.generation, b.symbol);
    EXPECT_EQ(keys::Series(b).starts_with(prefix), same)
        << "a symbol's range holds that symbol alone";
    EXPECT_TRUE(keys::Series(a).starts_with(prefix));
    EXPECT_LT(keys::Series(a), keys::After(prefix));
  }
}

TEST(Keys, OffsetsAndDaysSortAndComeBack) {
  const uint64_t seed = TestSeed();
  SCOPED_TRACE(RepeatWith(seed));
  Random random(seed);
  for (int i = 0; i < 2000; ++i) {
    const TpId tp{static_cast<uint32_t>(random.Next())};
    const int64_t a = OddNumber(&random), b = OddNumber(&random);
    EXPECT_EQ(keys::TapeBlock(tp, a) < keys::TapeBlock(tp, b), a < b);
    for (const std::string& key :
         {keys::TapeBlock(tp, a), keys::TapeIndex(tp, a), keys::Gap(tp, a), keys::Refusal(tp, a)}) {
      Result<keys::TpOffsetKey> back = keys::ParseTpOffset(key);
      ASSERT_TRUE(back.ok());
      EXPECT_EQ(back->tp, tp);
      EXPECT_EQ(back->offset, a);
    }
    EXPECT_EQ(keys::ParseTp(keys::Tape(tp)).value(), tp);
    EXPECT_EQ(keys::ParseTp(keys::Checkpoint(tp)).value(), tp);
    EXPECT_EQ(keys::ParseTp(keys::TapeShip(tp)).value(), tp);
    const keys::DayKey day{.table = TableId{static_cast<uint16_t>(random.Next())},
                           .day = Day(static_cast<int32_t>(random.Next())),
                           .generation = static_cast<uint32_t>(random.Next())};
    EXPECT_EQ(keys::ParseDayState(keys::DayState(day.table, day.day, day.generation)).value(), day);
    const std::string symbol = OddBytes(&random);
    Result<keys::CatalogKey> catalog = keys::ParseCatalog(keys::Catalog(day.table, symbol));
    ASSERT_TRUE(catalog.ok());
    EXPECT_EQ(catalog->symbol, symbol);
  }
}

TEST(Keys, AfterIsTheLeastKeyBeyondAPrefix) {
  EXPECT_EQ(keys::After("t"), "u");
  EXPECT_EQ(keys::After("a\xff\xff"), "b");
  EXPECT_EQ(keys::After("\xff\xff"), "");
  EXPECT_EQ(keys::After(""), "");
  EXPECT_EQ(keys::After(std::string_view("a\0", 2)), "a\x01");
}

TEST(Keys, AnyOtherBytesAreRefused) {
  const uint64_t seed = TestSeed();
  SCOPED_TRACE(RepeatWith(seed));
  Random random(seed);
  for (int i = 0; i < 20'000; ++i) {
    std::string bytes =
        random.OneIn(2) ? keys::Series(RandomSeriesKey(&random)) : random.Bytes(random.Uniform(40));
    if (!bytes.empty() && random.OneIn(2))
      bytes[random.Uniform(bytes.size())] = static_cast<char>(random.Next());
    if (random.OneIn(3)) bytes.resize(random.Uniform(bytes.size() + 1));
    Result<keys::SeriesKey> series = keys::ParseSeries(bytes);
    if (series.ok()) {
      EXPECT_EQ(keys::Series(*series), bytes) << "one key has one form";
    }
    Result<keys::CatalogKey> catalog = keys::ParseCatalog(bytes);
    if (catalog.ok()) {
      EXPECT_EQ(keys::Catalog(catalog->table, catalog->symbol), bytes);
    }
    Result<keys::TpOffsetKey> offset = keys::ParseTpOffset(bytes);
    if (offset.ok()) {
      EXPECT_EQ(bytes.size(), 13u);
    }
    Result<TpId> tp = keys::ParseTp(bytes);
    if (tp.ok()) {
      EXPECT_EQ(bytes.size(), 5u);
    }
    Result<keys::DayKey> day = keys::ParseDayState(bytes);
    if (day.ok()) {
      EXPECT_EQ(keys::DayState(day->table, day->day, day->generation), bytes);
    }
  }
  EXPECT_EQ(keys::ParseSeries(keys::Catalog(TableId{1}, "A")).status().code(),
            StatusCode::kCorruption);
}

}  // namespace
}  // namespace tapedeck::testing
