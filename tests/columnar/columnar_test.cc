#include <arrow/io/memory.h>
#include <arrow/memory_pool.h>
#include <arrow/scalar.h>
#include <arrow/type.h>
#include <gtest/gtest.h>
#include <parquet/file_reader.h>
#include <parquet/metadata.h>
#include <parquet/page_index.h>
#include <parquet/schema.h>

#include <algorithm>

#include "columnar/batch.h"
#include "columnar/writer.h"
#include "tests/columnar/read_back.h"
#include "tests/columnar/sample_rows.h"
#include "tests/support/seed.h"

namespace tapedeck {
namespace {

using testing::Cells;
using testing::CellsOf;
using testing::EveryField;
using testing::EveryType;
using testing::Expected;
using testing::Number;
using testing::RandomSeries;
using testing::ReadArrow;
using testing::ReadParquet;
using testing::RepeatWith;
using testing::Series;
using testing::TestSeed;
using testing::Written;
using Source = ColumnarField::Source;

// Both formats, in all that they can be asked for, give back the cells that went in.
void ExpectRoundTrip(const ColumnarLayout& layout, const std::vector<Series>& series,
                     Random* random) {
  const Cells expected = Expected(layout, series);
  for (ArrowCompression compression :
       {ArrowCompression::kNone, ArrowCompression::kLz4, ArrowCompression::kZstd}) {
    auto table =
        ReadArrow(Written(MakeArrowWriter(layout, {.compression = compression}), series, random));
    ASSERT_NE(table, nullptr);
    EXPECT_EQ(CellsOf(*table, layout), expected) << "Arrow";
  }
  auto table = ReadParquet(Written(MakeParquetWriter(layout, {}), series, random));
  ASSERT_NE(table, nullptr);
  EXPECT_EQ(CellsOf(*table, layout), expected) << "Parquet";
}

TEST(ColumnarTest, EveryTypeComesBackAsItWentIn) {
  const uint64_t seed = TestSeed();
  SCOPED_TRACE(RepeatWith(seed));
  Random random(seed);
  const DecimalType types[] = {{18, 8}, {38, 18}, {9, 2}, {18, 0}, {38, 38}, {38, 0}, {1, 1}};
  for (int round = 0; round < 15; ++round) {
    const DecimalType type = types[random.Uniform(std::size(types))];
    SCOPED_TRACE("DECIMAL(" + std::to_string(type.precision) + ", " + std::to_string(type.scale) +
                 ")");
    std::vector<Series> series;
    for (size_t n = random.Uniform(4); n > 0; --n) {
      series.push_back(RandomSeries(&random, "S" + std::to_string(n), random.Uniform(3000)));
    }
    ExpectRoundTrip(EveryField(type, random.Uniform(2) == 0), series, &random);
  }
}

TEST(ColumnarTest, AnswerWithoutRowsHasItsColumns) {
  const ColumnarLayout layout = EveryField({18, 8}, true);
  ExpectRoundTrip(layout, {}, nullptr);
  auto table = ReadArrow(Written(MakeArrowWriter(layout, {}), {}, nullptr));
  ASSERT_NE(table, nullptr);
  EXPECT_EQ(table->schema()->ToString(),
            "ts: timestamp[ns, tz=UTC] not null\n"
            "symbol: string not null\n"
            "price: decimal128(18, 8)\n"
            "price_scale: int8\n"
            "price_text: string\n"
            "size: decimal128(18, 8)\n"
            "size_scale: int8\n"
            "size_text: string\n"
            "count: int64\n"
            "note: string\n"
            "flag: bool\n"
            "seen: timestamp[ns, tz=UTC]\n"
            "ts_kafka: timestamp[ns, tz=UTC]\n"
            "topic: string not null\n"
            "partition: int32 not null\n"
            "lineage: int64 not null\n"
            "offset: int64 not null\n"
            "index: int64 not null");
}

TEST(ColumnarTest, SchemaAndBytesDoNotDependOnHowRowsAreCut) {
  const uint64_t seed = TestSeed();
  SCOPED_TRACE(RepeatWith(seed));
  Random random(seed);
  std::vector<Series> series;
  for (int i = 0; i < 3; ++i) series.push_back(RandomSeries(&random, std::string(3, 'X'), 50'000));
  const ColumnarLayout layout = EveryField({18, 8}, true);
  const ParquetOptions small_groups{.row_group_rows = 100'000};
  const std::string arrow = Written(MakeArrowWriter(layout, {}), series, nullptr);
  const std::string parquet = Written(MakeParquetWriter(layout, small_groups), series, nullptr);
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(arrow == Written(MakeArrowWriter(layout, {}), series, &random));
    EXPECT_TRUE(parquet == Written(MakeParquetWriter(layout, small_groups), series, &random));
  }
}

TEST(ColumnarTest, RowsReadBackwards) {
  const uint64_t seed = TestSeed();
  SCOPED_TRACE(RepeatWith(seed));
  Random random(seed);
  const Series series = RandomSeries(&random, "S", 70'000);
  const ColumnarLayout layout = EveryField({18, 8}, true);
  Cells expected = Expected(layout, {series});
  std::reverse(expected.begin(), expected.end());
  for (auto make : {+[](ColumnarLayout l) { return MakeArrowWriter(l, {}); },
                    +[](ColumnarLayout l) { return MakeParquetWriter(l, {}); }}) {
    auto writer = make(layout);
    ASSERT_TRUE(writer.ok());
    std::string bytes;
    ASSERT_TRUE((*writer)->Begin(&bytes).ok());
    ASSERT_TRUE((*writer)->Append({"S", &series.rows, 69'999, 70'000, -1}, &bytes).ok());
    ASSERT_TRUE((*writer)->Finish(&bytes).ok());
    auto table = bytes.starts_with("PAR1") ? ReadParquet(bytes) : ReadArrow(bytes);
    ASSERT_NE(table, nullptr);
    EXPECT_TRUE(CellsOf(*table, layout) == expected);
  }
}

// The fields of a row of `price`, by DECIMAL(18, 8): value, scale, text.
struct Split {
  std::string value, scale, text;
  bool operator==(const Split&) const = default;
};
std::ostream& operator<<(std::ostream& out, const Split& s) {
  return out << "{" << s.value << " | " << s.scale << " | " << s.text << "}";
}

Split SplitOf(std::string_view number, DecimalType type) {
  Series series("S", {ColumnType::kDecimal});
  series.Add(0, {number.empty() ? Value() : Number(number)});
  ColumnarLayout layout;
  layout.fields = {{Source::kColumn, 0, ColumnType::kDecimal, "price", type}};
  auto table = ReadArrow(Written(MakeArrowWriter(layout, {}), {series}, nullptr));
  auto text = [&](int column) {
    return table->column(column)->GetScalar(0).ValueOrDie()->ToString();
  };
  return {text(0), text(1), text(2)};
}

TEST(ColumnarTest, NumbersThatFitAndNumbersThatDoNot) {
  const DecimalType quotes = DefaultDecimalType("quotes");
  EXPECT_EQ(SplitOf("0.99980", quotes), (Split{"0.99980000", "5", "null"}));
  EXPECT_EQ(SplitOf("63229", quotes), (Split{"63229.00000000", "0", "null"}));
  EXPECT_EQ(SplitOf("-1.10", quotes), (Split{"-1.10000000", "2", "null"}));
  EXPECT_EQ(SplitOf("0", quotes), (Split{"0E-8", "0", "null"}));
  EXPECT_EQ(SplitOf("0.000000000000", quotes), (Split{"0E-8", "12", "null"}));
  EXPECT_EQ(SplitOf("1.500000000", quotes), (Split{"1.50000000", "9", "null"}));
  EXPECT_EQ(SplitOf("9999999999.99999999", quotes), (Split{"9999999999.99999999", "8", "null"}));
  EXPECT_EQ(SplitOf("10000000000", quotes), (Split{"null", "null", "10000000000"}));
  EXPECT_EQ(SplitOf("-10000000000.0", quotes), (Split{"null", "null", "-10000000000.0"}));
  EXPECT_EQ(SplitOf("0.123456789", quotes), (Split{"null", "null", "0.123456789"}));
  EXPECT_EQ(SplitOf("-0.000000001", quotes), (Split{"null", "null", "-0.000000001"}));
  EXPECT_EQ(SplitOf("-0.0", quotes), (Split{"null", "null", "-0.0"}));
  EXPECT_EQ(SplitOf("", quotes), (Split{"null", "null", "null"}));
  EXPECT_EQ(SplitOf("-9223372036854775808", {18, 0}),
            (Split{"null", "null", "-9223372036854775808"}));

  const DecimalType bars = DefaultDecimalType("bars");
  EXPECT_EQ(SplitOf("-9223372036854775808", bars),
            (Split{"-9223372036854775808.000000000000000000", "0", "null"}));
  // Too long for an int64 mantissa, short enough for 38 digits.
  EXPECT_EQ(SplitOf("1234567890123456789.50", bars),
            (Split{"1234567890123456789.500000000000000000", "2", "null"}));
  EXPECT_EQ(SplitOf("123456789012345678901.0", bars),
            (Split{"null", "null", "123456789012345678901.0"}));
  EXPECT_EQ(SplitOf("0.1234567890123456780000", bars),
            (Split{"0.123456789012345678", "22", "null"}));
  EXPECT_EQ(SplitOf("0.1234567890123456789", bars),
            (Split{"null", "null", "0.1234567890123456789"}));
}

TEST(ColumnarTest, NumbersAsTextKeepTheirDigitsInOneColumn) {
  Series series("S", {ColumnType::kDecimal});
  for (const char* number : {"1.50", "-0.0", "123456789012345678901234567890.5"}) {
    series.Add(0, {Number(number)});
  }
  series.Add(0, {Value()});
  ColumnarLayout layout;
  layout.fields = {{Source::kColumn, 0, ColumnType::kDecimal, "price", {18, 8}}};
  layout.numbers = NumberForm::kText;
  ExpectRoundTrip(layout, {series}, nullptr);
  auto table = ReadArrow(Written(MakeArrowWriter(layout, {}), {series}, nullptr));
  EXPECT_EQ(table->schema()->ToString(), "price: string");
}

TEST(ColumnarTest, TimesInCoarserUnitsAreRoundedToThePast) {
  Series series("S", EveryType());
  const int64_t times[] = {INT64_MAX, INT64_MIN + 1, -1, 0, 1'719'878'400'123'456'789};
  for (int64_t ts : times) {
    series.Add(ts, {{}, {}, {}, {}, {}, Value::OfTimestamp(Timestamp(ts))}, 1, 0, 0, ts);
  }
  ColumnarLayout layout = EveryField({18, 8}, true);
  for (ColumnarTime time :
       {ColumnarTime::kNanoseconds, ColumnarTime::kMicroseconds, ColumnarTime::kMilliseconds}) {
    layout.time = time;
    ExpectRoundTrip(layout, {series}, nullptr);
  }
  layout.time = ColumnarTime::kSeconds;
  auto arrow = ReadArrow(Written(MakeArrowWriter(layout, {}), {series}, nullptr));
  EXPECT_EQ(CellsOf(*arrow, layout), Expected(layout, {series}));
  // Parquet knows no seconds.
  auto parquet = ReadParquet(Written(MakeParquetWriter(layout, {}), {series}, nullptr));
  EXPECT_EQ(parquet->field(0)->type()->ToString(), "timestamp[ms, tz=UTC]");
  EXPECT_EQ(CellsOf(*parquet, layout)[4][0], "1719878400000");
}

TEST(ColumnarTest, BytesThatAreNoUtf8AreMended) {
  Series series("S\xFF", {ColumnType::kText});
  // Each half is ill-formed, both together are a character.
  for (const char* note : {"caf\xC3\xA9", "\xC3", "\xA9", "", "plain"}) {
    series.Add(0, {Value::OfText(note)});
  }
  ColumnarLayout layout;
  layout.fields = {{Source::kSymbol, 0, {}, "symbol", {}},
                   {Source::kColumn, 0, ColumnType::kText, "note", {}}};
  const std::string mark = "\xEF\xBF\xBD";
  const Cells expected = {{"S" + mark, "caf\xC3\xA9"},
                          {"S" + mark, mark},
                          {"S" + mark, mark},
                          {"S" + mark, ""},
                          {"S" + mark, "plain"}};
  auto arrow = ReadArrow(Written(MakeArrowWriter(layout, {}), {series}, nullptr));
  EXPECT_EQ(CellsOf(*arrow, layout), expected);
  auto parquet = ReadParquet(Written(MakeParquetWriter(layout, {}), {series}, nullptr));
  EXPECT_EQ(CellsOf(*parquet, layout), expected);
}

TEST(ColumnarTest, LongTextsEndABatchEarly) {
  const uint64_t seed = TestSeed();
  SCOPED_TRACE(RepeatWith(seed));
  Random random(seed);
  Series series("S", {ColumnType::kText, ColumnType::kDecimal});
  const std::string long_text(size_t{1} << 20, 'x');
  const std::string long_number(200, '7');
  for (int i = 0; i < 80; ++i) {
    series.Add(i, {Value::OfText(long_text), Value::OfDecimalText(long_number)});
    for (int j = 0; j < 20; ++j) series.Add(i, {Value::OfText("y"), Value()});
  }
  ColumnarLayout layout;
  layout.fields = {{Source::kTs, 0, {}, "ts", {}},
                   {Source::kColumn, 0, ColumnType::kText, "note", {}},
                   {Source::kColumn, 1, ColumnType::kDecimal, "price", {18, 8}}};
  const std::string bytes = Written(MakeArrowWriter(layout, {}), {series}, nullptr);
  auto table = ReadArrow(bytes);
  ASSERT_NE(table, nullptr);
  EXPECT_EQ(table->column(0)->num_chunks(), 3);
  EXPECT_TRUE(CellsOf(*table, layout) == Expected(layout, {series}));
  EXPECT_TRUE(bytes == Written(MakeArrowWriter(layout, {}), {series}, &random));
}

TEST(ColumnarTest, NamesThatMeetGetAnUnderscore) {
  ColumnarLayout layout;
  layout.fields = {{Source::kColumn, 0, ColumnType::kDecimal, "price", {18, 8}},
                   {Source::kColumn, 1, ColumnType::kInteger, "price_scale", {}},
                   {Source::kColumn, 2, ColumnType::kText, "price_scale_", {}}};
  auto columns = LayOut(layout, ShortDecimals::kDecimal128);
  ASSERT_TRUE(columns.ok());
  std::vector<std::string> names;
  for (const ColumnarColumn& column : *columns) names.push_back(column.name);
  EXPECT_EQ(names, (std::vector<std::string>{"price", "price_scale__", "price_text", "price_scale",
                                             "price_scale_"}));
}

TEST(ColumnarTest, LayoutsThatCannotBe) {
  auto status = [](ColumnarLayout layout) { return MakeArrowWriter(layout, {}).status(); };
  EXPECT_EQ(status({}).code(), StatusCode::kInvalidArgument);
  ColumnarLayout twice;
  twice.fields = {{Source::kTs, 0, {}, "x", {}}, {Source::kSymbol, 0, {}, "x", {}}};
  EXPECT_EQ(status(twice).code(), StatusCode::kInvalidArgument);
  for (DecimalType type : {DecimalType{0, 0}, DecimalType{39, 2}, DecimalType{8, 9}}) {
    ColumnarLayout layout;
    layout.fields = {{Source::kColumn, 0, ColumnType::kDecimal, "price", type}};
    EXPECT_EQ(status(layout).code(), StatusCode::kInvalidArgument);
  }
  const ColumnarLayout layout = EveryField({18, 8}, false);
  EXPECT_EQ(MakeArrowWriter(layout, {.zstd_level = 23}).status().code(),
            StatusCode::kInvalidArgument);
  EXPECT_EQ(MakeParquetWriter(layout, {.row_group_rows = 0}).status().code(),
            StatusCode::kInvalidArgument);
  EXPECT_EQ(MakeParquetWriter(layout, {.sorted_by = {{"nothing"}}}).status().code(),
            StatusCode::kInvalidArgument);
}

TEST(ColumnarTest, ColumnsAddedAfterTheRowsAreNull) {
  const uint64_t seed = TestSeed();
  SCOPED_TRACE(RepeatWith(seed));
  Random random(seed);
  const ColumnarLayout layout = EveryField({18, 8}, false);
  std::vector<Series> series = {RandomSeries(&random, "NEW", 300), RandomSeries(&random, "OLD", 3),
                                RandomSeries(&random, "OLD", 300), RandomSeries(&random, "NEW", 3)};
  std::vector<Series> cut = series;
  for (size_t columns = 7; columns-- > 0;) {
    for (size_t i : {1, 2}) {
      cut[i].rows.columns = series[i].rows.columns;
      for (size_t c = columns; c < 6; ++c) {
        RowsColumn& whole = series[i].rows.columns[c];
        const size_t rows = series[i].rows.size();
        whole.Clear();
        for (size_t row = 0; row < rows; ++row) whole.Append(Value());
      }
      cut[i].rows.columns.resize(columns);
    }
    const Cells expected = Expected(layout, series);
    auto arrow = ReadArrow(Written(MakeArrowWriter(layout, {}), cut, nullptr));
    ASSERT_NE(arrow, nullptr);
    EXPECT_TRUE(CellsOf(*arrow, layout) == expected) << columns;
    auto parquet = ReadParquet(Written(MakeParquetWriter(layout, {}), cut, nullptr));
    ASSERT_NE(parquet, nullptr);
    EXPECT_TRUE(CellsOf(*parquet, layout) == expected) << columns;
  }
}

TEST(ColumnarTest, RowOfAnUnknownTapeIsAnErrorAndTheEnd) {
  Series series("S", EveryType());
  series.Add(0, {{}, {}, {}, {}, {}, {}}, /*tp=*/7);
  for (auto make : {+[](ColumnarLayout l) { return MakeArrowWriter(l, {}); },
                    +[](ColumnarLayout l) { return MakeParquetWriter(l, {}); }}) {
    auto writer = make(EveryField({18, 8}, true));
    ASSERT_TRUE(writer.ok());
    std::string out;
    ASSERT_TRUE((*writer)->Begin(&out).ok());
    const size_t bytes = out.size();
    // A short run may wait, and its error with it.
    static_cast<void>((*writer)->Append({"S", &series.rows, 0, 1, 1}, &out));
    EXPECT_EQ((*writer)->Finish(&out).code(), StatusCode::kInternal);
    EXPECT_EQ(out.size(), bytes) << "no end that would look whole";
  }
}

TEST(ColumnarTest, WriterDroppedInTheMiddleGivesNothingMore) {
  const uint64_t seed = TestSeed();
  Random random(seed);
  const Series series = RandomSeries(&random, "S", 70'000);
  std::string out;
  {
    auto writer = MakeParquetWriter(EveryField({18, 8}, true), {});
    ASSERT_TRUE(writer.ok());
    ASSERT_TRUE((*writer)->Begin(&out).ok());
    ASSERT_TRUE((*writer)->Append({"S", &series.rows, 0, 70'000, 1}, &out).ok());
  }
  EXPECT_EQ(out, "PAR1");
}

std::unique_ptr<parquet::ParquetFileReader> Opened(const std::string& bytes) {
  return parquet::ParquetFileReader::Open(
      std::make_shared<arrow::io::BufferReader>(arrow::Buffer::FromString(bytes)));
}

TEST(ParquetFileTest, FooterTellsEnginesHowToSkip) {
  const uint64_t seed = TestSeed();
  SCOPED_TRACE(RepeatWith(seed));
  Random random(seed);
  Series series("S", {ColumnType::kDecimal, ColumnType::kDecimal});
  for (int i = 0; i < 250'000; ++i) {
    series.Add(i, {Value::OfDecimal({static_cast<int64_t>(random.Uniform(500'000)), 2}),
                   Value::OfDecimal({static_cast<int64_t>(random.Uniform(5000)), 2})});
  }
  ColumnarLayout layout;
  layout.fields = {{Source::kTs, 0, {}, "ts", {}},
                   {Source::kSymbol, 0, {}, "symbol", {}},
                   {Source::kColumn, 0, ColumnType::kDecimal, "price", {18, 8}},
                   {Source::kColumn, 1, ColumnType::kDecimal, "size", {18, 8}}};
  const ParquetOptions options{.row_group_rows = 100'000, .sorted_by = {{"ts"}, {"symbol"}}};
  const auto reader = Opened(Written(MakeParquetWriter(layout, options), {series}, nullptr));
  const auto metadata = reader->metadata();
  EXPECT_EQ(metadata->created_by(), "tapedeck");
  ASSERT_EQ(metadata->num_row_groups(), 3);
  EXPECT_EQ(metadata->RowGroup(0)->num_rows(), 100'000);
  EXPECT_EQ(metadata->RowGroup(1)->num_rows(), 100'000);
  EXPECT_EQ(metadata->RowGroup(2)->num_rows(), 50'000);
  const auto group = metadata->RowGroup(1);
  ASSERT_EQ(group->sorting_columns().size(), 2u);
  EXPECT_EQ(group->sorting_columns()[0].column_idx, 0);
  EXPECT_FALSE(group->sorting_columns()[0].descending);
  auto uses = [&](int column, parquet::Encoding::type encoding) {
    const auto chunk = group->ColumnChunk(column);
    const auto& all = chunk->encodings();
    return std::find(all.begin(), all.end(), encoding) != all.end();
  };
  const int ts = 0, symbol = 1, price = 2, size = 5;
  EXPECT_TRUE(uses(ts, parquet::Encoding::DELTA_BINARY_PACKED));
  EXPECT_TRUE(uses(symbol, parquet::Encoding::RLE_DICTIONARY));
  EXPECT_TRUE(uses(price, parquet::Encoding::DELTA_BINARY_PACKED));
  EXPECT_TRUE(uses(size, parquet::Encoding::RLE_DICTIONARY));
  for (int column : {price, size}) {
    EXPECT_EQ(metadata->schema()->Column(column)->physical_type(), parquet::Type::INT64);
    EXPECT_EQ(metadata->schema()->Column(column)->logical_type()->ToString(),
              "Decimal(precision=18, scale=8)");
  }
  for (int column = 0; column < metadata->num_columns(); ++column) {
    const auto chunk = group->ColumnChunk(column);
    EXPECT_EQ(chunk->compression(), parquet::Compression::ZSTD);
    EXPECT_TRUE(chunk->is_stats_set()) << column;
    EXPECT_TRUE(chunk->GetColumnIndexLocation() && chunk->GetOffsetIndexLocation()) << column;
  }
  const auto pages = reader->GetPageIndexReader()->RowGroup(1)->GetOffsetIndex(ts);
  EXPECT_EQ(pages->page_locations().size(), 5u) << "pages of 20,000 rows";
}

TEST(ParquetFileTest, MemoryDoesNotGrowWithTheRows) {
  Random random(1);
  const Series series = RandomSeries(&random, "S", 50'000);
  auto write = [&](int times) {
    auto writer = MakeParquetWriter(EveryField({18, 8}, true), {.row_group_rows = 200'000});
    ASSERT_TRUE(writer.ok());
    std::string out;
    ASSERT_TRUE((*writer)->Begin(&out).ok());
    for (int i = 0; i < times; ++i) {
      ASSERT_TRUE((*writer)->Append({"S", &series.rows, 0, 50'000, 1}, &out).ok());
      out.clear();
    }
    ASSERT_TRUE((*writer)->Finish(&out).ok());
  };
  write(8);
  const int64_t once = arrow::default_memory_pool()->max_memory();
  write(32);
  EXPECT_LT(arrow::default_memory_pool()->max_memory(), once + once / 10);
}

}  // namespace
}  // namespace tapedeck
