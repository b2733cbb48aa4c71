// Columns that hardly change are written as runs (columnar/run_column.h) and come back like any
// other: with Arrow's reader and with ours, in whatever way the runs lie in pages and row groups.

#include <arrow/table.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <span>

#include "columnar/parquet_reader.h"
#include "columnar/random_access.h"
#include "columnar/writer.h"
#include "tests/columnar/read_back.h"
#include "tests/columnar/sample_rows.h"
#include "tests/support/seed.h"

namespace tapedeck {
namespace {

using testing::CellsOf;
using testing::EveryField;
using testing::EveryType;
using testing::Expected;
using testing::Number;
using testing::ReadParquet;
using testing::RepeatWith;
using testing::Series;
using testing::TestSeed;
using testing::Written;

class Bytes final : public RandomAccess {
 public:
  explicit Bytes(std::string content) : content_(std::move(content)) {}
  uint64_t bytes() const override { return content_.size(); }
  Status Read(uint64_t offset, std::span<char> to) const override {
    if (offset > content_.size() || to.size() > content_.size() - offset) {
      return Status::InvalidArgument("behind the end");
    }
    std::copy_n(content_.data() + offset, to.size(), to.data());
    return Status::Ok();
  }

 private:
  const std::string content_;
};

// Texts, numbers and nulls in runs of up to `longest` rows.
Series Runs(Random* random, const std::string& symbol, size_t rows, uint64_t longest) {
  Series series(symbol, EveryType());
  static const char* const kNotes[] = {"", "a", "b", "a longer note"};
  static const char* const kNumbers[] = {"1", "1.0", "2.50", "-3", "12345678901234567890.5", "-0"};
  std::vector<Value> values(EveryType().size());
  std::vector<uint64_t> left(values.size());
  for (size_t row = 0; row < rows; ++row) {
    for (size_t i = 0; i < values.size(); ++i) {
      if (left[i]-- > 0) continue;
      left[i] = random->Uniform(longest);
      const bool is_null = random->Uniform(4) == 0;
      switch (EveryType()[i]) {
        case ColumnType::kText:
          values[i] = Value::OfText(kNotes[random->Uniform(std::size(kNotes))]);
          break;
        case ColumnType::kDecimal:
          values[i] = Number(kNumbers[random->Uniform(std::size(kNumbers))]);
          break;
        case ColumnType::kFlag:
          values[i] = Value::OfFlag(random->Uniform(2) == 0);
          break;
        case ColumnType::kTimestamp:
          values[i] = Value::OfTimestamp(Timestamp(static_cast<int64_t>(random->Uniform(3))));
          break;
        case ColumnType::kInteger:
          values[i] = Value::OfInteger(static_cast<int64_t>(random->Uniform(3)) - 1);
          break;
      }
      if (is_null) values[i] = Value();
    }
    series.Add(static_cast<int64_t>(row), values, 1, static_cast<int64_t>(row));
  }
  return series;
}

// Written in pieces and whole the bytes are the same, and both readers see what went in.
std::string ExpectComesBack(const ColumnarLayout& layout, const std::vector<Series>& series,
                            ParquetOptions options, Random* random) {
  options.sums = true;
  const std::string bytes = Written(MakeParquetWriter(layout, options), series, nullptr);
  EXPECT_TRUE(bytes == Written(MakeParquetWriter(layout, options), series, random))
      << "the bytes depend on how rows are cut";
  const auto table = ReadParquet(bytes);
  if (table == nullptr) return bytes;
  EXPECT_EQ(CellsOf(*table, layout), Expected(layout, series));
  const Bytes file(bytes);
  const auto footer = ParquetFooter::Read(file);
  EXPECT_TRUE(footer.ok()) << footer.status().ToString();
  if (!footer.ok()) return bytes;
  ParquetReader reader(&file, *footer);
  int64_t first_row = 0;
  for (size_t group = 0; group < (*footer)->row_groups(); ++group) {
    const auto rows = (*footer)->rows(group);
    for (size_t column = 0; column < (*footer)->columns().size(); ++column) {
      SCOPED_TRACE((*footer)->columns()[column].path + " of row group " + std::to_string(group));
      const auto chunk =
          table->column(static_cast<int>(column))->Slice(first_row, static_cast<int64_t>(rows));
      EXPECT_EQ((*footer)->Nulls(group, column).value(), uint64_t(chunk->null_count()));
      ParquetValues values;
      // From the middle of a page to the middle of another one.
      const uint64_t from = random->Uniform(rows);
      const uint64_t to = from + 1 + random->Uniform(rows - from);
      const Status read = reader.Read(group, column, from, to, &values);
      EXPECT_TRUE(read.ok()) << read.ToString();
      if (!read.ok()) return bytes;
      EXPECT_LE(values.first_row, from);
      EXPECT_GE(values.first_row + values.rows, to);
      uint64_t absent = 0;
      for (uint64_t i = 0; i < values.rows; ++i) absent += values.PresentAt(i) ? 0 : 1;
      EXPECT_EQ(absent, uint64_t(chunk
                                     ->Slice(static_cast<int64_t>(values.first_row),
                                             static_cast<int64_t>(values.rows))
                                     ->null_count()));
    }
    first_row += static_cast<int64_t>(rows);
  }
  return bytes;
}

TEST(ParquetRunsTest, RunsOfAnyLengthComeBack) {
  const uint64_t seed = TestSeed();
  SCOPED_TRACE(RepeatWith(seed));
  Random random(seed);
  for (const uint64_t longest : {1u, 100u, 3'000u, 100'000u}) {
    for (const uint32_t group : {1'000u, 1u << 19}) {
      SCOPED_TRACE("runs of " + std::to_string(longest) + ", groups of " + std::to_string(group));
      std::vector<Series> series;
      series.push_back(Runs(&random, "SYM1", 1 + random.Uniform(6'000), longest));
      series.push_back(Runs(&random, "SYM2", 1 + random.Uniform(8'000), longest));
      ExpectComesBack(EveryField({18, 8}, true), series, {.row_group_rows = group}, &random);
    }
  }
}

TEST(ParquetRunsTest, ColumnThatBeginsToChangeInTheMiddleOfARowGroup) {
  const uint64_t seed = TestSeed();
  SCOPED_TRACE(RepeatWith(seed));
  Random random(seed);
  // More than a batch of one kind before the first row of the other.
  std::vector<Series> series;
  series.push_back(Runs(&random, "CALM", 66'000, 1'000'000));
  series.push_back(Runs(&random, "WILD", 3'000, 1));
  ExpectComesBack(EveryField({18, 8}, true), series, {}, &random);
}

TEST(ParquetRunsTest, ManySymbolsOfAFewRowsAndOfMany) {
  const uint64_t seed = TestSeed();
  SCOPED_TRACE(RepeatWith(seed));
  Random random(seed);
  std::vector<Series> series;
  for (int i = 0; i < 700; ++i) {
    const size_t rows = i < 300 ? 1 + random.Uniform(3) : 1 + random.Uniform(200);
    std::string symbol = "S" + std::to_string(1'000 + i);
    if (i % 3 == 0) symbol += "-LONG";
    series.push_back(Runs(&random, symbol, rows, 1'000));
  }
  ExpectComesBack(EveryField({18, 8}, true), series, {}, &random);
}

TEST(ParquetRunsTest, LongTextsDoNotGatherWithoutBound) {
  const uint64_t seed = TestSeed();
  SCOPED_TRACE(RepeatWith(seed));
  Random random(seed);
  // 3 MiB of different texts: more than a dictionary may hold.
  std::vector<Series> series;
  series.emplace_back("TEXTS", EveryType());
  std::vector<Value> values(EveryType().size());
  std::vector<std::string> texts;
  for (int i = 0; i < 48; ++i) texts.push_back(std::string(64 << 10, static_cast<char>('0' + i)));
  for (int64_t row = 0; row < 48 * 100; ++row) {
    for (size_t i = 0; i < values.size(); ++i) {
      if (EveryType()[i] == ColumnType::kText) {
        values[i] = row % 100 < 2 ? Value::OfText(texts[static_cast<size_t>(row / 100)]) : Value();
      }
    }
    series.back().Add(row, values, 1, row);
  }
  ExpectComesBack(EveryField({18, 8}, true), series, {}, &random);
}

TEST(ParquetRunsTest, PagesSayTheirLeastAndGreatest) {
  // 50,000 rows of each symbol: pages of 20,000 rows, one of them with both.
  std::vector<Series> series;
  for (const char* symbol : {"AAA", "BBB"}) {
    series.emplace_back(symbol, EveryType());
    const std::vector<Value> nothing(EveryType().size());
    for (int64_t row = 0; row < 50'000; ++row) series.back().Add(row, nothing, 1, row);
  }
  Random random(1);
  const ColumnarLayout layout = EveryField({18, 8}, true);
  const Bytes file(ExpectComesBack(layout, series, {}, &random));
  const auto footer = ParquetFooter::Read(file);
  ASSERT_TRUE(footer.ok()) << footer.status().ToString();
  const auto columns = (*footer)->columns();
  const auto symbol = static_cast<size_t>(
      std::find_if(columns.begin(), columns.end(),
                   [](const ParquetColumn& column) { return column.path == "symbol"; }) -
      columns.begin());
  ASSERT_LT(symbol, columns.size());
  ParquetReader reader(&file, *footer);
  const auto pages = reader.Pages(0, symbol);
  ASSERT_TRUE(pages.ok()) << pages.status().ToString();
  std::vector<uint64_t> first_rows;
  for (const ParquetPage& page : *pages) first_rows.push_back(page.first_row);
  EXPECT_EQ(first_rows, (std::vector<uint64_t>{0, 20'000, 40'000, 60'000, 80'000}));
  const auto bounds = reader.PageBounds(0, symbol);
  ASSERT_TRUE(bounds.ok()) << bounds.status().ToString();
  std::vector<std::string> said;
  for (const ParquetBounds& page : *bounds) said.push_back(page.min_bytes + ".." + page.max_bytes);
  EXPECT_EQ(said,
            (std::vector<std::string>{"AAA..AAA", "AAA..AAA", "AAA..BBB", "BBB..BBB", "BBB..BBB"}));
  EXPECT_EQ((*footer)->Bounds(0, symbol).min_bytes, "AAA");
  EXPECT_EQ((*footer)->Bounds(0, symbol).max_bytes, "BBB");
}

}  // namespace
}  // namespace tapedeck
