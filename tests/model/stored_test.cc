// The small values of the store: exact bytes, round trips, and damaged bytes.

#include "model/stored.h"

#include <gtest/gtest.h>

#include <functional>

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

const Hash128 kHash{0x0102030405060708, 0x090a0b0c0d0e0f10};
const std::string kHashHex = "0102030405060708090a0b0c0d0e0f10";
const std::string kZeroHash(32, '0');

TEST(StoredBytes, Checkpoint) {
  Checkpoint c;
  c.start = 1;
  c.next = 300;
  c.last = {299, kHash};
  c.digest = kHash;
  c.watermark = 64;
  c.messages = 299;
  c.records = 5;
  c.refused = 1;
  c.skipped = 2;
  c.run_start = 1;
  c.kafka_max_ms = 1000;
  EXPECT_EQ(Hex(EncodeCheckpoint(c)),
            "01"
            "02"
            "d804"
            "d604" +
                kHashHex + "01" + kZeroHash + kHashHex + kZeroHash +
                "8001"
                "ab02"
                "05"
                "01"
                "02"
                "02"
                "d00f");
  EXPECT_EQ(DecodeCheckpoint(EncodeCheckpoint(c)).value(), c);
}

TEST(StoredBytes, Gap) {
  Gap gap{.from = 5,
          .to = 9,
          .reason = GapReason::kHeld,
          .kafka_before_ms = 1,
          .kafka_after_ms = 2,
          .event_before_ns = 3,
          .event_after_ns = 4,
          .noticed_at = Timestamp(5),
          .detail = "ab"};
  EXPECT_EQ(Hex(EncodeGap(gap)),
            "01"
            "12"
            "04"
            "02"
            "04"
            "06"
            "08"
            "0a"
            "026162");
  EXPECT_EQ(DecodeGap(5, EncodeGap(gap)).value(), gap);
}

TEST(StoredBytes, TapeIndex) {
  TapeIndexEntry x;
  x.count = 2;
  x.raw_bytes = 300;
  x.first_offset = 10;
  x.last_offset = 12;
  x.kafka_min_ms = 1;
  x.kafka_max_ms = 2;
  x.kafka_running_max_ms = 3;
  x.event_min_ns = 4;
  x.event_max_ns = 5;
  x.mapping = kHash;
  x.records = 6;
  x.symbols = {"", "AB"};
  EXPECT_EQ(Hex(EncodeTapeIndex(x)),
            "01"
            "02"
            "ac02"
            "14"
            "18"
            "02"
            "04"
            "06"
            "08"
            "0a" +
                kHashHex +
                "06"
                "00"
                "02"
                "00"
                "024142");
  EXPECT_EQ(DecodeTapeIndex(EncodeTapeIndex(x)).value(), x);
}

TEST(StoredBytes, RefusalCatalogDayAndTape) {
  RefusalEntry refusal{
      .reason = "no", .refused = 1, .kept = 2, .received = Timestamp(3), .kafka_ms = -1};
  EXPECT_EQ(Hex(EncodeRefusal(refusal)),
            "01"
            "026e6f"
            "01"
            "02"
            "06"
            "01");
  EXPECT_EQ(DecodeRefusal(EncodeRefusal(refusal)).value(), refusal);
  CatalogEntry catalog{.first_ts = Timestamp(-1), .last_ts = Timestamp(1), .rows = 2};
  EXPECT_EQ(Hex(EncodeCatalog(catalog)),
            "01"
            "01"
            "02"
            "02");
  EXPECT_EQ(DecodeCatalog(EncodeCatalog(catalog)).value(), catalog);
  DayEntry day{.phase = DayPhase::kShipped,
               .rows = 7,
               .digest = kHash,
               .vector = {{TpId{1}, 0, 5}, {TpId{300}, -1, 1}},
               .manifest = "m"};
  EXPECT_EQ(Hex(EncodeDay(day)),
            "01"
            "05"
            "07" +
                kHashHex +
                "02"
                "01000a"
                "ac020102"
                "016d");
  EXPECT_EQ(DecodeDay(EncodeDay(day)).value(), day);
  TapeId tape{.cluster = "c", .topic = "t", .lineage = 2, .partition = 3};
  EXPECT_EQ(Hex(EncodeTapeId(tape)),
            "01"
            "0163"
            "0174"
            "02"
            "06");
  EXPECT_EQ(DecodeTapeId(EncodeTapeId(tape)).value(), tape);
}

TEST(StoredBytes, DayOnItsWayIntoTheArchive) {
  DayEntry day{.phase = DayPhase::kWritten,
               .rows = 7,
               .digest = kHash,
               .vector = {{TpId{1}, 0, 5}},
               .manifest = "",
               .first_at = Timestamp(1),
               .last_at = Timestamp(2),
               .since = Timestamp(-1),
               .draft = "{}"};
  EXPECT_EQ(Hex(EncodeDay(day)),
            "02"
            "02"
            "07" +
                kHashHex +
                "01"
                "01000a"
                "00"
                "02"
                "04"
                "01"
                "027b7d");
  EXPECT_EQ(DecodeDay(EncodeDay(day)).value(), day);
}

TEST(StoredBytes, TapeShipAndObject) {
  TapeShip ship{.shipped = 300,
                .pruned = 5,
                .messages = -1,
                .phase = DayPhase::kUploaded,
                .last_at = Timestamp(2),
                .marks = {{300, Timestamp(3)}},
                .draft = "x"};
  EXPECT_EQ(Hex(EncodeTapeShip(ship)),
            "01"
            "d804"
            "0a"
            "01"
            "03"
            "04"
            "01"
            "d80406"
            "0178");
  EXPECT_EQ(DecodeTapeShip(EncodeTapeShip(ship)).value(), ship);
  ObjectEntry object{ObjectPurpose::kRetired, Timestamp(64)};
  EXPECT_EQ(Hex(EncodeObject(object)), "01028001");
  EXPECT_EQ(DecodeObject(EncodeObject(object)).value(), object);
}

TEST(StoredBytes, NamesOfReasonsAndPhases) {
  EXPECT_EQ(GapReasonName(GapReason::kElsewhereMaybe), "elsewhere?");
  EXPECT_EQ(GapReasonName(GapReason::kOwnReplay), "own-replay");
  EXPECT_EQ(GapReasonName(GapReason::kDamaged), "damaged");
  EXPECT_EQ(DayPhaseName(DayPhase::kPruned), "pruned");
}

TEST(Stored, ContradictionsAreDamage) {
  Checkpoint c;
  c.next = 5;
  c.last.offset = 5;  // not below next
  EXPECT_EQ(DecodeCheckpoint(EncodeCheckpoint(c)).status().code(), StatusCode::kCorruption);
  c.last.offset = 4;
  c.watermark = 6;
  EXPECT_EQ(DecodeCheckpoint(EncodeCheckpoint(c)).status().code(), StatusCode::kCorruption);
  Gap gap{.from = 9, .to = 9};
  EXPECT_EQ(DecodeGap(9, EncodeGap(gap)).status().code(), StatusCode::kCorruption);
  EXPECT_EQ(DecodeTapeIndex(EncodeTapeIndex({})).status().code(),
            StatusCode::kCorruption);  // a block holds a message
  TapeShip ship{.shipped = 4, .pruned = 5};
  EXPECT_EQ(DecodeTapeShip(EncodeTapeShip(ship)).status().code(), StatusCode::kCorruption);
  ship = {.phase = DayPhase::kWritten};  // of nothing
  EXPECT_EQ(DecodeTapeShip(EncodeTapeShip(ship)).status().code(), StatusCode::kCorruption);
  for (auto decode :
       {std::function<Status(std::string_view)>(
            [](auto b) { return DecodeCheckpoint(b).status(); }),
        std::function<Status(std::string_view)>([](auto b) { return DecodeDay(b).status(); }),
        std::function<Status(std::string_view)>([](auto b) { return DecodeTapeId(b).status(); })}) {
    EXPECT_EQ(decode("").code(), StatusCode::kCorruption);
    EXPECT_EQ(decode("\x02").code(), StatusCode::kCorruption);  // another version
  }
}

TEST(Stored, ADayThatWasReindexedHasItsNumbers) {
  DayEntry day{.phase = DayPhase::kClosing, .rows = 2, .since = Timestamp(3)};
  day.rebuilt = true;
  day.mixed = true;
  day.closed = 300;
  day.replaced = 5;
  day.replaced_at = Timestamp(-1);
  EXPECT_EQ(Hex(EncodeDay(day)),
            "03"                                // version
            "01"                                // closing
            "02"                                // rows
            "00000000000000000000000000000000"  // digest
            "00"                                // vector
            "00"                                // manifest
            "00"                                // first_at
            "00"                                // last_at
            "06"                                // since
            "00"                                // draft
            "06"                                // rebuilt, mixed
            "ac02"                              // closed
            "05"                                // replaced
            "01");                              // replaced_at
  EXPECT_EQ(DecodeDay(EncodeDay(day)).value(), day);
  EXPECT_FALSE(day.counts());
  std::string odd = EncodeDay(day);
  odd[odd.size() - 5] = 0x16;  // a flag that there is not
  EXPECT_EQ(DecodeDay(odd).status().code(), StatusCode::kCorruption);
  EXPECT_EQ(EncodeDay({.manifest = ""})[0], 1) << "without numbers it is as it was";
}

TEST(Stored, ACountThatIsTooLargeDoesNotAllocate) {
  std::string day = EncodeDay({.manifest = ""});
  day.resize(19);  // up to the length of the vector
  day += "\xff\xff\xff\xff\xff\xff\xff\xff\x7f";
  EXPECT_EQ(DecodeDay(day).status().code(), StatusCode::kCorruption);
}

// Whatever is stored: a value that encodes to something that decodes to itself, or kCorruption.
TEST(Stored, DamagedBytesGiveAStatus) {
  const uint64_t seed = TestSeed();
  SCOPED_TRACE(RepeatWith(seed));
  Random random(seed);
  TapeIndexEntry index;
  index.count = 3;
  index.symbols = {"A", "B"};
  Gap gap{.from = 1, .to = 2, .detail = "x"};
  DayEntry day{.vector = {{TpId{1}, 0, 5}}, .manifest = "m"};
  const std::vector<std::string> good = {
      EncodeCheckpoint({}),
      EncodeGap(gap),
      EncodeTapeIndex(index),
      EncodeRefusal({.reason = "r"}),
      EncodeCatalog({}),
      EncodeDay(day),
      EncodeTapeId({"c", "t", 1, 2}),
      EncodeTapeShip({.shipped = 9, .marks = {{9, Timestamp(1)}}}),
      EncodeObject({})};
  auto check = [](const auto& result, const auto& encode) {
    if (!result.ok()) {
      EXPECT_EQ(result.status().code(), StatusCode::kCorruption);
      return;
    }
    std::string again = encode(*result);
    EXPECT_LE(again.size(), 400u);
  };
  for (int i = 0; i < 50'000; ++i) {
    std::string bytes = good[random.Uniform(good.size())];
    for (uint64_t n = random.Uniform(3); n > 0 && !bytes.empty(); --n)
      bytes[random.Uniform(bytes.size())] = static_cast<char>(random.Next());
    if (random.OneIn(4)) bytes.resize(random.Uniform(bytes.size() + 1));
    if (random.OneIn(4)) bytes += random.Bytes(random.Uniform(8));
    check(DecodeCheckpoint(bytes), EncodeCheckpoint);
    check(DecodeGap(0, bytes), EncodeGap);
    check(DecodeTapeIndex(bytes), EncodeTapeIndex);
    check(DecodeRefusal(bytes), EncodeRefusal);
    check(DecodeCatalog(bytes), EncodeCatalog);
    check(DecodeDay(bytes), EncodeDay);
    check(DecodeTapeId(bytes), EncodeTapeId);
    check(DecodeTapeShip(bytes), EncodeTapeShip);
    check(DecodeObject(bytes), EncodeObject);
  }
}

}  // namespace
}  // namespace tapedeck::testing
