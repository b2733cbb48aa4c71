// Some rows of record objects: by symbol and time, by pages, and what that costs.

#include <gtest/gtest.h>

#include <algorithm>

#include "support/seed.h"
#include "support/temp_dir.h"
#include "tests/archive/memory_object.h"
#include "tests/archive/record_rows.h"

namespace tapedeck::testing {
namespace {

struct Opened {
  std::unique_ptr<MemoryObject> object;
  std::shared_ptr<const RecordObjectFooter> footer;
  std::unique_ptr<RecordObjectReader> reader;
};

Opened OpenOne(const Table& table, const std::vector<SymbolRows>& rows,
               const std::vector<Column>& columns) {
  TempDir dir;
  const auto objects = WriteRows({.table = table,
                                  .day = Day(19'906),
                                  .generation = 1,
                                  .tapes = SomeTapes(),
                                  .folder = dir.path().string(),
                                  .writer = "tapedeck test"},
                                 rows);
  EXPECT_EQ(objects.size(), 1u);
  Opened opened;
  opened.object = std::make_unique<MemoryObject>(MemoryObject::BytesOf(objects[0].path));
  auto footer = RecordObjectFooter::Read(*opened.object);
  EXPECT_TRUE(footer.ok()) << footer.status().ToString();
  opened.footer = *footer;
  opened.reader = std::make_unique<RecordObjectReader>(opened.object.get(), opened.footer, columns,
                                                       ResolveTape);
  return opened;
}

// Row by row, the slow and obvious way.
std::vector<std::string> Wanted(const std::vector<SymbolRows>& all, const std::string& symbol,
                                int64_t start, int64_t end, const std::vector<size_t>& columns) {
  std::vector<std::string> wanted;
  for (const SymbolRows& one : all) {
    if (one.symbol != symbol) continue;
    Rows rows = one.rows;
    rows.columns.clear();
    for (size_t c : columns) rows.columns.push_back(one.rows.columns[c]);
    for (size_t row = 0; row < rows.size(); ++row) {
      const int64_t ts = rows.ts[row];
      if (ts >= start && (ts < end || end == INT64_MAX)) {
        wanted.push_back(RowText(symbol, rows, row));
      }
    }
  }
  return wanted;
}

TEST(RecordSelect, AnySymbolAndAnyTimeGiveTheRowsThatAScanWouldGive) {
  const uint64_t seed = TestSeed();
  SCOPED_TRACE(RepeatWith(seed));
  Random random(seed);
  const Table table = EveryTable("trades");
  // Symbols of a few rows, and one over many pages.
  std::vector<SymbolRows> rows = RandomRows(&random, 40, 60);
  std::vector<SymbolRows> large = RandomRows(&random, 1, 90'000);
  large[0].symbol = rows[20].symbol;
  rows[20] = large[0];
  const std::vector<size_t> places = {5, 0, 4, 8};
  std::vector<Column> columns;
  for (size_t place : places) columns.push_back(table.columns[place]);
  Opened opened = OpenOne(table, rows, columns);
  EXPECT_EQ(opened.footer->table(), "trades");
  EXPECT_EQ(opened.footer->generation(), 1u);
  EXPECT_EQ(opened.footer->writer(), "tapedeck test");
  Rows read;
  for (int query = 0; query < 300; ++query) {
    const SymbolRows& one = rows[random.Uniform(2) == 0 ? 20 : random.Uniform(rows.size())];
    auto time = [&] {
      if (random.Uniform(8) == 0) return random.Uniform(2) == 0 ? INT64_MIN : INT64_MAX;
      const Timestamp near(one.rows.ts[random.Uniform(one.rows.size())]);
      return near.SaturatingAdd(static_cast<int64_t>(random.Uniform(3)) - 1).ns();
    };
    int64_t start = time();
    // Short ranges for the most part: the comparison is slow.
    int64_t end =
        random.Uniform(4) == 0 ? time() : Timestamp(start).SaturatingAdd(1'000'000'000).ns();
    if (end < start) std::swap(start, end);
    const std::vector<std::string> symbols = {one.symbol};
    auto series = opened.reader->FindSeries(symbols);
    ASSERT_TRUE(series.ok()) << series.status().ToString();
    ASSERT_EQ(series->size(), 1u);
    ASSERT_EQ((*series)[0].symbol, one.symbol);
    ASSERT_EQ((*series)[0].rows.size(), one.rows.size());
    auto range = opened.reader->FindTimes((*series)[0].rows, start, end);
    ASSERT_TRUE(range.ok()) << range.status().ToString();
    std::vector<std::string> got;
    // In pieces, forwards or backwards.
    const uint64_t piece = 1 + random.Uniform(30'000);
    for (uint64_t at = range->from; at < range->to; at += piece) {
      const Status status =
          opened.reader->Read({at, std::min<uint64_t>(at + piece, range->to)}, &read);
      ASSERT_TRUE(status.ok()) << status.ToString();
      for (size_t row = 0; row < read.size(); ++row) {
        got.push_back(RowText(one.symbol, read, row));
      }
    }
    ASSERT_EQ(got, Wanted(rows, one.symbol, start, end, places))
        << "query " << query << " from " << start << " to " << end;
  }
}

TEST(RecordSelect, SymbolsAreListedWithTheirRows) {
  Random random(4);
  const Table table = EveryTable("mixed");
  const std::vector<SymbolRows> rows = RandomRows(&random, 200, 200);
  Opened opened = OpenOne(table, rows, {});
  auto all = opened.reader->FindSeries({});
  ASSERT_TRUE(all.ok()) << all.status().ToString();
  ASSERT_EQ(all->size(), rows.size());
  uint64_t at = 0;
  for (size_t i = 0; i < rows.size(); ++i) {
    EXPECT_EQ((*all)[i].symbol, rows[i].symbol);
    EXPECT_EQ((*all)[i].rows, (RowRange{at, at + rows[i].rows.size()}));
    at += rows[i].rows.size();
  }
  const std::vector<std::string> wanted = {"A", rows[7].symbol, rows[7].symbol + "x",
                                           rows[100].symbol, "Z"};
  auto some = opened.reader->FindSeries(wanted);
  ASSERT_TRUE(some.ok());
  ASSERT_EQ(some->size(), 2u);
  EXPECT_EQ((*some)[0].rows, (*all)[7].rows);
  EXPECT_EQ((*some)[1].rows, (*all)[100].rows);
}

// The bar: one symbol and one minute take under 2 % of the bytes of a day of 1 GB. This day has a
// hundredth of the bytes: the pages are the same, so its share is a hundred times greater.
TEST(RecordSelect, OneSymbolAndOneMinuteTakeFewPages) {
  Random random(6);
  const Table table = QuoteTable();
  const std::vector<SymbolRows> rows = QuoteRows(&random, 40, 30'000);
  Opened opened = OpenOne(table, rows, table.columns);
  const uint64_t day = opened.object->bytes();
  const uint64_t footer = opened.object->read_bytes;
  const std::vector<std::string> symbols = {rows[17].symbol};
  auto series = opened.reader->FindSeries(symbols);
  ASSERT_TRUE(series.ok());
  ASSERT_EQ(series->size(), 1u);
  const int64_t start = rows[17].rows.ts[15'000];
  auto range = opened.reader->FindTimes((*series)[0].rows, start, start + 60'000'000'000);
  ASSERT_TRUE(range.ok());
  Rows read;
  ASSERT_TRUE(opened.reader->Read(*range, &read).ok());
  EXPECT_EQ(read.size(), 21u);
  const uint64_t bytes = opened.object->read_bytes;
  std::printf(
      "[ note ] a day of %llu bytes (%.1f a row): footer %llu, in all %llu bytes in %llu "
      "reads\n",
      static_cast<unsigned long long>(day), double(day) / 1'200'000,
      static_cast<unsigned long long>(footer), static_cast<unsigned long long>(bytes),
      static_cast<unsigned long long>(opened.object->reads));
  EXPECT_LT(bytes, 20'000'000 / 10);
}

TEST(RecordSelect, RowsThatAreNotThereAreRefused) {
  Random random(8);
  const Table table = QuoteTable();
  Opened opened = OpenOne(table, QuoteRows(&random, 2, 10), table.columns);
  Rows rows;
  EXPECT_EQ(opened.reader->Read({10, 21}, &rows).code(), StatusCode::kInvalidArgument);
  EXPECT_TRUE(opened.reader->Read({20, 20}, &rows).ok());
  EXPECT_EQ(rows.size(), 0u);
}

}  // namespace
}  // namespace tapedeck::testing
