// F3: ten years of all symbols in one query. Whatever the range, a cursor takes its share of memory
// and no more, in either order, also where its reader stops in the middle.
//
// The store is as ten years leave it: on a day of each year a small block of each symbol, written
// by the codec's own writers. 4,000 symbols; with TAPEDECK_WIDE=all the 100,000 of the contract.

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>

#include "codec/series_block.h"
#include "model/keys.h"
#include "query/range_facts.h"
#include "query/series_cursor.h"
#include "query/store_filler.h"
#include "query/text_encoder.h"
#include "support/temp_dir.h"

namespace tapedeck::testing {
namespace {

constexpr int kYears = 10;
constexpr int64_t kDayNs = int64_t{86'400} * 1'000'000'000;
constexpr int32_t kFirstDay = 16'071;  // 2014-01-01
constexpr uint32_t kRowsOfADay = 3;
constexpr size_t kMemoryBytes = size_t{32} << 20;
// What the store and the allocator take beside the share of the cursor.
constexpr uint64_t kBeside = uint64_t{64} << 20;
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kMemoryIsOurs = false;  // the sanitizer takes several times as much
#else
constexpr bool kMemoryIsOurs = true;
#endif

class WideRange : public ::testing::Test {
 protected:
  WideRange() {
    const char* all = std::getenv("TAPEDECK_WIDE");
    symbols_ = all != nullptr && std::string_view(all) == "all" ? 100'000 : 4'000;
    tape_ = filler_.AddTape({"c1", "ticks", 0, 0});
    filler_.Commit();
    table_ = filler_.tables().Find("trades");
    for (int year = 0; year < kYears; ++year) FillDay(Day(kFirstDay + year * 365));
    FillCatalog();
    EXPECT_TRUE(filler_.store().FlushMemtables().ok());
  }

  static std::string SymbolOf(size_t i) {
    std::string digits = std::to_string(i);
    return "SYM" + std::string(6 - digits.size(), '0') + digits;
  }

  // Rows of all symbols at the same three times, so that a day cannot be read symbol by symbol.
  void FillDay(Day day) {
    Rows rows;
    rows.columns.resize(table_->columns.size());
    for (size_t c = 0; c < rows.columns.size(); ++c) rows.columns[c].type = table_->columns[c].type;
    const auto price = static_cast<size_t>(table_->FindColumn("price"));
    for (uint32_t i = 0; i < kRowsOfADay; ++i) {
      rows.ts.push_back(day.start().ns() + int64_t{i} * (kDayNs / kRowsOfADay));
      rows.ts_kafka.push_back(rows.ts.back());
      rows.tp.push_back(Raw(tape_));
      rows.offset.push_back(day.days() * 10 + static_cast<int64_t>(i));
      rows.index.push_back(0);
      for (size_t c = 0; c < rows.columns.size(); ++c) {
        rows.columns[c].Append(c == price ? Value::OfDecimal({100 + i, 2}) : Value());
      }
    }
    StoreBatch batch;
    std::string block;
    for (size_t i = 0; i < symbols_; ++i) {
      const keys::SeriesKey key{table_->id, day, 0, SymbolOf(i), Timestamp(rows.ts[0]), 1, 0};
      const Status encoded = EncodeSeriesBlock(keys::Series(key), rows, table_->columns, 0,
                                               rows.size(), Effort::kLive, &buffers_, &block);
      ASSERT_TRUE(encoded.ok()) << encoded.ToString();
      batch.PutSeriesBlock(key, block);
      if (batch.bytes() > (4u << 20)) Write(&batch);
    }
    batch.PutDay({table_->id, day, 0}, {.rows = symbols_ * kRowsOfADay});
    Write(&batch);
  }

  void FillCatalog() {
    StoreBatch batch;
    CatalogEntry entry;
    entry.first_ts = Day(kFirstDay).start();
    entry.last_ts = Day(kFirstDay + (kYears - 1) * 365 + 1).start();
    entry.rows = uint64_t{kYears} * kRowsOfADay;
    for (size_t i = 0; i < symbols_; ++i) {
      batch.PutCatalog(table_->id, SymbolOf(i), entry);
      if (batch.bytes() > (4u << 20)) Write(&batch);
    }
    Write(&batch);
  }

  void Write(StoreBatch* batch) {
    const Status written = filler_.store().Write(*batch);
    ASSERT_TRUE(written.ok()) << written.ToString();
    batch->Clear();
  }

  struct Read {
    uint64_t lines = 0;
    uint64_t most = 0;  // resident
    bool ordered = true;
  };
  // Reads about so many rows as lines of text, as a client that keeps nothing.
  Read Drained(ReadOrder order, uint64_t rows_max) {
    Read read;
    RecordQuery query;
    query.table = "trades";
    query.order = order;
    query.start = Day(kFirstDay - 1000).start();
    query.memory_bytes = kMemoryBytes;
    auto point = filler_.Point();
    const std::vector<std::string> names = {"ts", "symbol", "price"};
    auto fields = RowFields::Choose(*table_, names, Origins::kLeftOut);
    EXPECT_TRUE(fields.ok()) << fields.status().ToString();
    query.columns = fields->columns();
    auto cursor = RecordCursor::Open(point, std::move(query));
    EXPECT_TRUE(cursor.ok()) << cursor.status().ToString();
    if (!cursor.ok()) return read;
    auto encoder = MakeTextEncoder(TextFormat::kNdjson, *fields, **cursor, {});
    std::string body;
    std::string before;  // the line: all are of one length, so it compares by ts and symbol
    uint64_t runs = 0;
    for (RowRun run; read.lines < rows_max;) {
      const Status next = (*cursor)->Next(&run);
      EXPECT_TRUE(next.ok()) << next.ToString();
      if (!next.ok() || run.count == 0) break;
      EXPECT_TRUE(encoder->Append(run, &body).ok());
      size_t from = 0;
      for (size_t end = body.find('\n'); end != std::string::npos; end = body.find('\n', from)) {
        std::string line = body.substr(from, end - from);
        const bool goes_on = order == ReadOrder::kAscending ? before < line : line < before;
        read.ordered = read.ordered && (before.empty() || goes_on);
        before = std::move(line);
        ++read.lines;
        from = end + 1;
      }
      body.erase(0, from);
      if (++runs % 1024 == 0) read.most = std::max(read.most, Resident());
    }
    read.most = std::max(read.most, Resident());
    return read;
  }
  static uint64_t Resident() {
    std::ifstream file("/proc/self/statm");
    uint64_t pages = 0;
    file >> pages >> pages;
    return pages * static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
  }

  TempDir dir_;
  StoreFiller filler_{dir_.File("store")};
  CodecBuffers buffers_;
  size_t symbols_ = 0;
  TpId tape_{};
  const Table* table_ = nullptr;
};

TEST_F(WideRange, F3_TenYearsOfAllSymbolsInEitherOrderWithAReaderThatStops) {
  const uint64_t rows = uint64_t{kYears} * kRowsOfADay * symbols_;
  Drained(ReadOrder::kAscending, 1);  // whatever is made once
  const uint64_t before = Resident();
  for (const ReadOrder order : {ReadOrder::kAscending, ReadOrder::kDescending}) {
    const Read stopped = Drained(order, rows / 3);
    EXPECT_GE(stopped.lines, rows / 3);
    EXPECT_LT(stopped.lines, rows);
    const Read whole = Drained(order, UINT64_MAX);
    EXPECT_EQ(whole.lines, rows);
    EXPECT_TRUE(stopped.ordered && whole.ordered);
    if (kMemoryIsOurs) {
      EXPECT_LT(std::max(stopped.most, whole.most), before + kMemoryBytes + kBeside);
    }
  }
  RecordQuery all;
  all.table = "trades";
  EXPECT_EQ(*CountRecords(filler_.Point(), all), rows);
}

}  // namespace
}  // namespace tapedeck::testing
