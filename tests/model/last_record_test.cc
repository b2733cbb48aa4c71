// The newest record of a series: exact bytes, order, damage.

#include "model/last_record.h"

#include <gtest/gtest.h>

#include "base/random.h"
#include "support/seed.h"

namespace tapedeck::testing {
namespace {

std::string Hex(std::string_view bytes) {
  std::string out;
  for (char c : bytes) {
    char text[3];
    std::snprintf(text, sizeof(text), "%02x", static_cast<unsigned>(static_cast<unsigned char>(c)));
    out += text;
  }
  return out;
}

const std::vector<std::pair<TpId, TapeId>> kTapes = {{TpId{1}, {"c", "b", 0, 0}},
                                                     {TpId{2}, {"c", "a", 0, 0}}};

class LastRecordTest : public ::testing::Test {
 protected:
  TableRegistry registry_;
  const Table& trades_ = *registry_.Find("trades");
  const Table& bars_ = *registry_.Find("bars");
  TapeRanks ranks_{kTapes};
};

TEST_F(LastRecordTest, BytesAreAsDocumented) {
  const std::vector<Value> values = {Value::OfDecimal({-125, 2}),
                                     Value::OfDecimalText("9e"),
                                     Value::OfInteger(-1),
                                     Value(),
                                     Value::OfText("ab"),
                                     Value::OfFlag(true),
                                     Value::OfTimestamp(Timestamp(2)),
                                     Value()};
  const RecordView record{
      .ts = Timestamp(9), .ts_kafka = Timestamp(-3), .origin = {TpId{7}, 300, 2}, .values = values};
  const std::string bytes = EncodeLastRecord(record);
  EXPECT_EQ(Hex(bytes),
            "07"
            "d804"
            "02"
            "05"
            "07"
            "01f90102"
            "02023965"
            "0301"
            "00"
            "04026162"
            "0501"
            "0604");
  LastRecord read;
  ASSERT_TRUE(DecodeLastRecord(Timestamp(9), bytes, &read).ok());
  EXPECT_EQ(read.record.ts, record.ts);
  EXPECT_EQ(read.record.ts_kafka, record.ts_kafka);
  EXPECT_EQ(read.record.origin, record.origin);
  ASSERT_EQ(read.values.size(), 7u);
  for (size_t i = 0; i < 7; ++i) EXPECT_EQ(read.values[i], values[i]) << i;
  CatalogEntry entry{Timestamp(-1), Timestamp(1), 2, "xy"};
  EXPECT_EQ(Hex(EncodeCatalog(entry)),
            "02"
            "01"
            "02"
            "02"
            "027879");
  EXPECT_EQ(DecodeCatalog(EncodeCatalog(entry)).value(), entry);
}

TEST_F(LastRecordTest, ARecordThatIsTooLongIsUnknown) {
  const std::string text(kLastRecordBytesMax, 'x');
  const std::vector<Value> values = {Value::OfText(text)};
  EXPECT_EQ(EncodeLastRecord({.values = values}), "");
}

TEST_F(LastRecordTest, AppendTablesAreOrderedByTimeAndOrigin) {
  const RecordOrder order(&trades_, &ranks_);
  auto at = [](int64_t ts, uint32_t tp, int64_t offset, uint32_t index, int64_t kafka = 0) {
    return RecordView{
        .ts = Timestamp(ts), .ts_kafka = Timestamp(kafka), .origin = {TpId{tp}, offset, index}};
  };
  EXPECT_TRUE(order.Before(at(1, 1, 9, 9), at(2, 2, 0, 0)));
  EXPECT_TRUE(order.Before(at(1, 2, 9, 9), at(1, 1, 0, 0))) << "topic a comes before topic b";
  EXPECT_TRUE(order.Before(at(1, 1, 1, 9), at(1, 1, 2, 0)));
  EXPECT_TRUE(order.Before(at(1, 1, 1, 1, 5), at(1, 1, 1, 2, 4)));
  EXPECT_FALSE(order.Before(at(1, 1, 1, 1), at(1, 1, 1, 1)));
}

TEST_F(LastRecordTest, UpsertTablesAreOrderedByIdentityAndThenByKafkaTime) {
  const RecordOrder order(&bars_, &ranks_);
  const std::vector<Value> null, hour = {Value::OfText("1h")}, minute = {Value::OfText("1m")};
  auto at = [](const std::vector<Value>& values, int64_t kafka, int64_t offset) {
    return RecordView{
        .ts_kafka = Timestamp(kafka), .origin = {TpId{1}, offset, 0}, .values = values};
  };
  EXPECT_TRUE(order.Before(at(null, 9, 9), at(hour, 0, 0)));
  EXPECT_TRUE(order.Before(at(hour, 9, 9), at(minute, 0, 0)));
  EXPECT_TRUE(order.Before(at(hour, 1, 9), at(hour, 2, 0)));
  EXPECT_TRUE(order.Before(at(hour, 1, 1), at(hour, 1, 2)));
}

TEST_F(LastRecordTest, WhatIsUnknownStaysSoUntilANewerRecordComes) {
  const RecordOrder order(&trades_, &ranks_);
  const std::string text(kLastRecordBytesMax, 'x');
  const std::vector<Value> long_values = {Value::OfText(text)};
  auto at = [](int64_t ts, int64_t offset) {
    return RecordView{.ts = Timestamp(ts), .origin = {TpId{1}, offset, 0}};
  };
  RecordView too_long = at(5, 1);
  too_long.values = long_values;
  CatalogEntry entry;
  ASSERT_TRUE(WidenCatalog(order, Timestamp(3), 2, at(4, 0), &entry).ok());
  EXPECT_EQ(entry.last, EncodeLastRecord(at(4, 0)));
  ASSERT_TRUE(WidenCatalog(order, Timestamp(5), 1, too_long, &entry).ok());
  EXPECT_EQ(entry.last, "");
  ASSERT_TRUE(WidenCatalog(order, Timestamp(5), 1, at(5, 9), &entry).ok());
  EXPECT_EQ(entry.last, "");
  ASSERT_TRUE(WidenCatalog(order, Timestamp(-7), 1, at(6, 0), &entry).ok());
  EXPECT_EQ(entry.last, EncodeLastRecord(at(6, 0)));
  ASSERT_TRUE(WidenCatalog(order, Timestamp(2), 3, at(2, 0), &entry).ok());
  EXPECT_EQ(entry.last, EncodeLastRecord(at(6, 0)));
  EXPECT_EQ(entry.first_ts, Timestamp(-7));
  EXPECT_EQ(entry.last_ts, Timestamp(6));
  EXPECT_EQ(entry.rows, 8u);
  entry.last = "damaged";
  EXPECT_EQ(WidenCatalog(order, Timestamp(6), 1, at(6, 1), &entry).code(), StatusCode::kCorruption);
}

TEST_F(LastRecordTest, DamagedBytesAreCorruptionOrAnotherRecord) {
  const uint64_t seed = TestSeed();
  SCOPED_TRACE(RepeatWith(seed));
  Random random(seed);
  const std::vector<Value> values = {Value::OfDecimal({5, 18}), Value::OfText("abc")};
  const std::string good = EncodeLastRecord({.origin = {TpId{1}, 2, 3}, .values = values});
  for (int i = 0; i < 20'000; ++i) {
    std::string bytes = good;
    for (uint64_t n = random.Uniform(3); n > 0; --n) {
      bytes[random.Uniform(bytes.size())] = static_cast<char>(random.Next());
    }
    if (random.OneIn(4)) bytes.resize(random.Uniform(bytes.size() + 1));
    LastRecord read;
    const Status status = DecodeLastRecord(Timestamp(0), bytes, &read);
    if (status.ok()) {
      EXPECT_LE(EncodeLastRecord(read.record).size(), bytes.size() + 1);
    } else {
      EXPECT_EQ(status.code(), StatusCode::kCorruption);
    }
  }
}

}  // namespace
}  // namespace tapedeck::testing
