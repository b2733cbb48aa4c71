// What is written into objects beside rows: exact lines and metadata.

#include <gtest/gtest.h>

#include "archive/tape_object.h"
#include "base/zstd.h"
#include "columnar/parquet_reader.h"
#include "support/temp_dir.h"
#include "tests/archive/memory_object.h"
#include "tests/archive/record_rows.h"

namespace tapedeck::testing {
namespace {

SymbolRows OneRow(const Table& table) {
  SymbolRows one{"A\xff", {}};
  for (const Column& column : table.columns) {
    one.rows.columns.emplace_back();
    one.rows.columns.back().type = column.type;
  }
  Rows& rows = one.rows;
  rows.ts = {1'719'893'836'373'000'001};
  rows.ts_kafka = {kNoKafkaTime};
  rows.tp = {2};
  rows.offset = {184};
  rows.index = {7};
  rows.columns[0].Append(Value::OfDecimal({99980, 5}));
  rows.columns[1].Append(Value::OfText("a \"b\""));
  rows.columns[2].Append(Value::OfDecimalText("-0.0"));
  rows.columns[3].Append(Value::OfInteger(INT64_MIN));
  rows.columns[4].Append(Value());
  rows.columns[5].Append(Value::OfFlag(true));
  rows.columns[6].Append(Value::OfTimestamp(Timestamp(-1)));
  rows.columns[7].Append(Value::OfInteger(0));
  rows.columns[8].Append(Value());
  return one;
}

TEST(ObjectLabels, NdjsonLineIsAsDocumented) {
  TempDir dir;
  const Table table = EveryTable("mixed");
  const auto objects = WriteRows({.table = table,
                                  .tapes = SomeTapes(),
                                  .format = ObjectFormat::kNdjsonZstd,
                                  .folder = dir.path().string()},
                                 {OneRow(table)});
  ASSERT_EQ(objects.size(), 1u);
  Decompressor decompressor;
  std::string text;
  ASSERT_TRUE(
      decompressor.DecompressFile(MemoryObject::BytesOf(objects[0].path), 1 << 20, &text).ok());
  EXPECT_EQ(text,
            "{\"ts\":\"2024-07-02T04:17:16.373000001Z\",\"symbol\":{\"base64\":\"Qf8=\"},"
            "\"price\":0.99980,\"price_scale\":\"a \\\"b\\\"\",\"size\":-0.0,"
            "\"count\":-9223372036854775808,\"note\":null,\"flag\":true,"
            "\"seen\":\"1969-12-31T23:59:59.999999999Z\",\"seen_ns\":0,\"ts_ns\":null,"
            "\"ts_kafka\":null,\"topic\":\"prices-eu\",\"partition\":0,\"lineage\":4000000000,"
            "\"offset\":184,\"index\":7}\n");
}

TEST(ObjectLabels, RecordObjectSaysWhatItHolds) {
  TempDir dir;
  Table table = EveryTable("mixed");
  table.identity = {"symbol", "ts", "note"};
  const auto objects = WriteRows({.table = table,
                                  .day = Day(19'906),
                                  .generation = 12,
                                  .tapes = SomeTapes(),
                                  .folder = dir.path().string(),
                                  .writer = "tapedeck 0.1.0"},
                                 {OneRow(table)});
  ASSERT_EQ(objects.size(), 1u);
  const MemoryObject object(MemoryObject::BytesOf(objects[0].path));
  const auto footer = ParquetFooter::Read(object);
  ASSERT_TRUE(footer.ok()) << footer.status().ToString();
  const std::pair<const char*, const char*> wanted[] = {
      {"tapedeck.records", "1"},
      {"tapedeck.writer", "tapedeck 0.1.0"},
      {"tapedeck.table", "mixed"},
      {"tapedeck.day", "2024-07-02"},
      {"tapedeck.generation", "12"},
      {"tapedeck.identity", "symbol,ts,note"},
      {"tapedeck.columns",
       "price:decimal,price_scale:text,size:decimal,count:integer,note:text,flag:flag,"
       "seen:timestamp,seen_ns:integer,ts_ns:timestamp"}};
  for (const auto& [key, value] : wanted) EXPECT_EQ((*footer)->FindValue(key), value) << key;
  std::string names;
  for (const ParquetColumn& column : (*footer)->columns()) names += column.path + " ";
  EXPECT_EQ(names,
            "ts ts_ns_ symbol symbol_bytes price price_scale_ price_text price_scale "
            "price_scale_bytes size size_scale size_text count note note_bytes flag seen seen_ns_ "
            "seen_ns ts_ns ts_ns_ns ts_kafka topic partition lineage offset index ");
}

TEST(ObjectLabels, TapeObjectSaysWhatItHolds) {
  TempDir dir;
  auto writer = TapeObjectWriter::Make(
      {.tape = {"c", "Finhub1", 2, 3}, .path = dir.File("tape"), .writer = "tapedeck 0.1.0"});
  ASSERT_TRUE(writer.ok());
  MessageView message;
  message.offset = 5;
  ASSERT_TRUE((*writer)->Append(message, Timestamp(1)).ok());
  ASSERT_TRUE((*writer)->Finish().ok());
  const MemoryObject object(MemoryObject::BytesOf(dir.File("tape")));
  const auto footer = ParquetFooter::Read(object);
  ASSERT_TRUE(footer.ok()) << footer.status().ToString();
  EXPECT_EQ((*footer)->FindValue("tapedeck.tape"), "1");
  EXPECT_EQ((*footer)->FindValue("tapedeck.writer"), "tapedeck 0.1.0");
  EXPECT_EQ((*footer)->FindValue("tapedeck.topic"), "Finhub1");
  EXPECT_EQ((*footer)->FindValue("tapedeck.partition"), "3");
  EXPECT_EQ((*footer)->FindValue("tapedeck.lineage"), "2");
}

}  // namespace
}  // namespace tapedeck::testing
