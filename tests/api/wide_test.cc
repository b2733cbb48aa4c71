// F3: ten years of all symbols in one request. Whatever the range, a stream takes its share of
// memory and no more, in either order, also where its reader stops in the middle.
//
// The store is as ten years leave it: on a day of each year a small block of each symbol, written
// by the codec's own writers. 4,000 symbols; with TAPEDECK_WIDE=all the 100,000 of the contract.

#include <gtest/gtest.h>

#include <cstdlib>

#include "api/node_metrics.h"
#include "api_rig.h"
#include "codec/series_block.h"
#include "model/keys.h"

namespace tapedeck::testing {
namespace {

constexpr int kYears = 10;
constexpr int64_t kDayNs = int64_t{86'400} * 1'000'000'000;
constexpr int32_t kFirstDay = 16'071;  // 2014-01-01
constexpr uint32_t kRowsOfADay = 3;
constexpr size_t kReadBytes = size_t{64} << 20;
// What the store, the allocator and a page of the answer take beside the share of the stream.
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
    tape_ = rig_.filler.AddTape({"c1", "ticks", 0, 0});
    rig_.filler.Commit();
    table_ = rig_.filler.tables().Find("trades");
    for (int year = 0; year < kYears; ++year) FillDay(Day(kFirstDay + year * 365));
    FillCatalog();
    EXPECT_TRUE(rig_.filler.store().FlushMemtables().ok());
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
    const Status written = rig_.filler.store().Write(*batch);
    ASSERT_TRUE(written.ok()) << written.ToString();
    batch->Clear();
  }

  struct Read {
    uint64_t lines = 0;
    uint64_t most = 0;  // resident
    bool complete = false;
    bool ordered = true;
  };
  // Reads up to `lines_max` lines, as a client that keeps nothing.
  Read Drained(const std::string& target, uint64_t lines_max) {
    Read read;
    HttpResponse response = rig_.api->Handle(ApiRig::RequestOf(target));
    EXPECT_EQ(response.status, 200) << target << response.body;
    const bool down = target.find("order=desc") != std::string::npos;
    std::string body;
    std::string before;  // the line: of one length, so it compares by ts and symbol
    while (response.stream != nullptr && read.lines < lines_max) {
      Result<ResponseBody::Step> step = response.stream->Next(&body);
      EXPECT_TRUE(step.ok()) << step.status().ToString();
      if (!step.ok()) break;
      size_t from = 0;
      for (size_t end = body.find('\n'); end != std::string::npos; end = body.find('\n', from)) {
        std::string line = body.substr(from, end - from);
        read.ordered = read.ordered && (before.empty() || (down ? line < before : before < line));
        before = std::move(line);
        ++read.lines;
        from = end + 1;
      }
      body.erase(0, from);
      if (read.lines % 16 == 0) read.most = std::max(read.most, Resident());
      if (*step != ResponseBody::Step::kEnd) continue;
      for (const HttpField& field : response.stream->Trailers()) {
        if (field.name == "Tapedeck-Status") read.complete = field.value == "complete";
      }
      break;
    }
    read.most = std::max(read.most, Resident());
    return read;
  }
  static uint64_t Resident() { return ProcessUse::Now().resident_bytes; }

  ApiRig rig_{nullptr, kReadBytes};
  CodecBuffers buffers_;
  size_t symbols_ = 0;
  TpId tape_{};
  const Table* table_ = nullptr;
};

TEST_F(WideRange, F3_TenYearsOfAllSymbolsInEitherOrderWithAReaderThatStops) {
  const std::string all =
      "/v1/trades?symbols=*&start=2010-01-01&end=2030-01-01&format=ndjson&fields=ts,symbol,price";
  const uint64_t rows = uint64_t{kYears} * kRowsOfADay * symbols_;
  Drained("/v1/trades?symbols=SYM000000&format=ndjson", UINT64_MAX);  // whatever is made once
  const uint64_t before = Resident();
  for (const char* order : {"&order=asc", "&order=desc"}) {
    const Read stopped = Drained(all + order, rows / 3);
    EXPECT_GE(stopped.lines, rows / 3);
    EXPECT_FALSE(stopped.complete);
    EXPECT_EQ(rig_.api->reads_open(), 0u) << "the reader has left";
    const Read whole = Drained(all + order, UINT64_MAX);
    EXPECT_EQ(whole.lines, rows);
    EXPECT_TRUE(whole.complete);
    EXPECT_TRUE(stopped.ordered && whole.ordered) << order;
    if (kMemoryIsOurs) {
      EXPECT_LT(std::max(stopped.most, whole.most), before + kReadBytes + kBeside) << order;
    }
  }
  EXPECT_EQ(rig_.Get("/v1/trades/count?symbols=*").json()["count"], rows);
}

}  // namespace
}  // namespace tapedeck::testing
