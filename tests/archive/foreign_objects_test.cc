// What pyarrow and DuckDB see in our objects (foreign_objects.py): every row, sums, order, bounds.

#include <gtest/gtest.h>

#include <fstream>

#include "archive/tape_object.h"
#include "base/encoding.h"
#include "base/text.h"
#include "support/kafka_service.h"
#include "support/seed.h"
#include "support/source_dir.h"
#include "support/temp_dir.h"
#include "tests/archive/record_rows.h"
#include "tests/columnar/shell.h"

namespace tapedeck::testing {
namespace {

constexpr const char* kNone = "no pyarrow and DuckDB here: tests/services/python readers says why";

// "" where there are none.
std::string Python() {
  const auto [code, python] = Shell(SourceDir() + "/tests/services/python readers 2> /dev/null");
  return code == 0 ? python.substr(0, python.find('\n')) : "";
}

std::string Hex(const OptionalBytes& bytes) { return bytes ? "\"" + ToHex(*bytes) + "\"" : "null"; }

std::string CellOf(const Value& value) {
  std::string text;
  switch (value.kind()) {
    case Value::Kind::kNull:
      return "null";
    case Value::Kind::kText:
      return Hex(value.text());
    case Value::Kind::kDecimal:
    case Value::Kind::kDecimalText:
      value.AppendCanonical(&text);
      return "\"" + text + "\"";
    default:
      value.AppendCanonical(&text);
      return text;
  }
}

std::string Expected(const Table& table, const std::vector<SymbolRows>& all) {
  std::string json = "{\"columns\":[";
  for (const Column& column : table.columns) {
    json += json.ends_with('[') ? "[" : ",[";
    json += "\"" + column.name + "\",\"" + std::string(ColumnTypeName(column.type)) + "\"]";
  }
  json += "],\"rows\":[";
  const auto tapes = SomeTapes();
  for (const SymbolRows& one : all) {
    for (size_t row = 0; row < one.rows.size(); ++row) {
      json += json.ends_with('[') ? "[" : ",\n[";
      json += std::to_string(one.rows.ts[row]) + "," + Hex(one.symbol);
      for (const RowsColumn& column : one.rows.columns) json += "," + CellOf(column.At(row));
      const int64_t kafka = one.rows.ts_kafka[row];
      json += "," + (kafka == kNoKafkaTime ? "null" : std::to_string(kafka / 1'000'000));
      for (const auto& [tp, tape] : tapes) {
        if (Raw(tp) != one.rows.tp[row]) continue;
        json += "," + Hex(tape.topic) + "," + std::to_string(tape.partition) + "," +
                std::to_string(tape.lineage);
      }
      json += "," + std::to_string(one.rows.offset[row]) + "," +
              std::to_string(one.rows.index[row]) + "]";
    }
  }
  return json + "]}";
}

void ExpectEqualForOthers(const std::string& python, const std::string& kind,
                          const std::string& object, const std::string& expected) {
  std::ofstream(object + ".json", std::ios::binary) << expected;
  const auto [exit, output] =
      Shell(python + " -B " + SourceDir() + "/tests/archive/foreign_objects.py " + kind + " " +
            object + " " + object + ".json");
  EXPECT_EQ(exit, 0) << output;
}

class ForeignObjects : public ::testing::Test {
 protected:
  void SetUp() override {
    python_ = Python();
    if (!python_.empty()) return;
    ASSERT_FALSE(KafkaService::IsRequired()) << kNone << ", and services are required";
    GTEST_SKIP() << kNone;
  }
  void ExpectRecords(const Table& table, const std::vector<SymbolRows>& rows,
                     const std::string& name) {
    const auto objects = WriteRows({.table = table,
                                    .day = Day(19'906),
                                    .generation = 2,
                                    .tapes = SomeTapes(),
                                    .folder = dir_.path().string(),
                                    .file_prefix = name,
                                    .writer = "tapedeck test"},
                                   rows);
    ASSERT_EQ(objects.size(), 1u);
    ExpectEqualForOthers(python_, "records", objects[0].path, Expected(table, rows));
  }

  std::string python_;
  TempDir dir_;
};

TEST_F(ForeignObjects, RecordsAreTheSameForPyarrowAndDuckDb) {
  const uint64_t seed = TestSeed();
  SCOPED_TRACE(RepeatWith(seed));
  Random random(seed);
  ExpectRecords(EveryTable("trades"), RandomRows(&random, 30, 200), "short");
  ExpectRecords(EveryTable("mixed"), RandomRows(&random, 30, 200), "wide");
  ExpectRecords(QuoteTable(), QuoteRows(&random, 50, 1000), "quotes");
}

TEST_F(ForeignObjects, MessagesAreTheSameForPyarrowAndDuckDb) {
  const std::string path = dir_.File("tape.parquet");
  auto writer = TapeObjectWriter::Make({.tape = {"c", "Finhub1", 0, 3}, .path = path});
  ASSERT_TRUE(writer.ok());
  const std::vector<HeaderView> headers = {
      {"source", "ws"}, {"source", std::nullopt}, {"", ""}, {"\xff", "\x00\x01"}};
  std::string json = "{\"messages\":[";
  for (int64_t offset = 10; offset < 3010; ++offset) {
    const std::string value =
        offset % 6 == 0 ? "" : "{\"price\":" + std::to_string(offset * 7919) + "}";
    MessageView message;
    message.offset = offset;
    message.timestamp_type = static_cast<TimestampType>(offset % 3);
    message.timestamp_ms = offset % 3 == 0 ? -1 : 1'719'893'836'000 + offset;
    message.key = offset % 4 == 0 ? std::nullopt : OptionalBytes(offset % 7 == 0 ? "" : "BTC\xfe");
    message.value = offset % 5 == 0 ? std::nullopt : OptionalBytes(value);
    message.headers = std::span<const HeaderView>(headers).first(static_cast<size_t>(offset % 5));
    const int64_t received = 1'719'893'836'500'000'001 + offset;
    ASSERT_TRUE((*writer)->Append(message, Timestamp(received)).ok());
    const char* types[] = {"\"none\"", "\"create\"", "\"append\""};
    json += json.ends_with('[') ? "[" : ",\n[";
    json += std::to_string(offset) + "," +
            (offset % 3 == 0 ? "null" : std::to_string(message.timestamp_ms)) + "," +
            types[offset % 3] + "," + std::to_string(received) + "," + Hex(message.key) + "," +
            Hex(message.value) + ",[";
    for (const HeaderView& header : message.headers) {
      json += json.ends_with('[') ? "[" : ",[";
      json += Hex(header.name) + "," + Hex(header.value) + "]";
    }
    json += "]]";
  }
  ASSERT_TRUE((*writer)->Finish().ok());
  ExpectEqualForOthers(python_, "tape", path, json + "]}");
}

}  // namespace
}  // namespace tapedeck::testing
