// The first byte of a query for one symbol and one minute, over a store of 100 million rows.
//
// The store is filled through the flush of a running node: chunks as commits publish them, a flush
// of many of them at a time, no merging, a last part that is still open. Each query then does what
// a request does: takes a read point, opens the cursor, encodes the first run. Its minute is
// anywhere in the day, so most are read from the store.
//
//   first_byte_bench [rows [folder]]      the folder is made and removed

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "base/limits.h"
#include "base/random.h"
#include "bench/bench_util.h"
#include "query/series_cursor.h"
#include "query/text_encoder.h"
#include "record/flush_builder.h"

namespace tapedeck::bench {
namespace {

constexpr size_t kSymbols = 1000;
constexpr size_t kPartitions = 12;
constexpr size_t kFlushRows = 1'000'000;
constexpr size_t kOpenRows = 600'000;  // in 300 chunks: a minute of commits
constexpr size_t kChunkRows = 2'000;
constexpr int64_t kDayStart = int64_t{1'719'878'400} * 1'000'000'000;
constexpr int64_t kMinute = int64_t{60} * 1'000'000'000;
constexpr int64_t kDay = 1440 * kMinute;
constexpr size_t kQueries = 400;

void Check(const Status& status) {
  if (status.ok()) return;
  std::fprintf(stderr, "%s\n", status.ToString().c_str());
  std::exit(2);
}

std::string SymbolName(size_t symbol) { return "BINANCE:SYM" + std::to_string(symbol) + "USDT"; }

class Filler {
 public:
  explicit Filler(const std::filesystem::path& dir) {
    auto store = Store::Open({.dir = dir, .node_id = "bench", .ballast_bytes = 0});
    Check(store.status());
    store_ = std::move(*store);
    auto state = store_->View()->LoadState();
    Check(state.status());
    book_.emplace(std::move(*state));
    StoreBatch batch;
    for (size_t p = 0; p < kPartitions; ++p) {
      TapeId tape{"cluster", "quotes", 0, static_cast<int32_t>(p)};
      tapes_.push_back(book_->Add(tape, {}, &batch));
    }
    Check(store_->Write(batch));
    builder_.emplace(&directory_);
    flush_.emplace(&directory_, store_.get());
    bids_.resize(kSymbols, 6'300'000);
  }

  void Fill(size_t rows) {
    const size_t stored = rows - std::min(rows, kOpenRows);
    const int64_t step = kDay / static_cast<int64_t>(rows);
    for (size_t i = 0; i < rows; ++i) {
      Append(kDayStart + static_cast<int64_t>(i) * step);
      if (builder_->size() == kChunkRows || i + 1 == rows || i + 1 == stored) Publish();
      const bool full = (i + 1) % kFlushRows == 0 && i < stored;
      if (full || i + 1 == stored) Flush();
    }
  }

  Result<std::shared_ptr<const ReadPoint>> Point() const {
    return ReadPoint::Take(open_rows_, &directory_, *store_);
  }
  const OpenRows& open_rows() const { return open_rows_; }
  uint64_t blocks() const { return blocks_; }
  Store& store() { return *store_; }

 private:
  void Append(int64_t ts) {
    const size_t symbol = random_.Uniform(kSymbols);
    int64_t& bid = bids_[symbol];
    bid += static_cast<int64_t>(random_.Uniform(21)) - 10;
    values_[0] = Value::OfDecimal({bid, 2});
    values_[1] = Value::OfDecimal({1 + static_cast<int64_t>(random_.Uniform(500'000)), 5});
    values_[2] = Value::OfDecimal({bid + 1, 2});
    values_[3] = Value::OfDecimal({1 + static_cast<int64_t>(random_.Uniform(500'000)), 5});
    const size_t p = symbol % kPartitions;
    const int64_t at = ts + static_cast<int64_t>(random_.Uniform(1'000'000));
    builder_->Append({.table = table().id,
                      .symbol = names_[symbol],
                      .ts = Timestamp(at),
                      .ts_kafka = Timestamp(at + 1'000'000),
                      .origin = {tapes_[p], offsets_[p]++, 0},
                      .values = values_});
  }
  const Table& table() const { return *book_->tables.Find("quotes"); }

  void Publish() { open_rows_.Publish(builder_->Finish(++book_->commit, book_->ranks())); }

  void Flush() {
    StoreBatch batch;
    FlushBuilder::Result result;
    Check(flush_->Build(open_rows_.Take(), *book_, {}, &batch, &result));
    for (size_t p = 0; p < kPartitions; ++p) {
      Checkpoint checkpoint = book_->checkpoint(tapes_[p]);
      checkpoint.next = checkpoint.watermark = offsets_[p];
      batch.PutCheckpoint(tapes_[p], checkpoint);
      book_->SetCheckpoint(tapes_[p], checkpoint);
    }
    batch.PutCommitNumber(book_->commit);
    batch.PutFlushNumber(++book_->flush, book_->commit);
    Check(store_->Write(batch));
    flush_->Accept();
    for (const auto& [key, entry] : result.days) book_->SetDay(key, entry);
    blocks_ += result.blocks.size();
    open_rows_.DropThrough(book_->commit);
  }

  SeriesDirectory directory_;
  OpenRows open_rows_;
  std::unique_ptr<Store> store_;
  std::optional<TapeBook> book_;
  std::vector<TpId> tapes_;
  std::optional<ChunkBuilder> builder_;
  std::optional<FlushBuilder> flush_;
  std::array<int64_t, kPartitions> offsets_{};
  std::array<Value, 4> values_;
  std::vector<int64_t> bids_;
  std::vector<std::string> names_ = [] {
    std::vector<std::string> names;
    for (size_t i = 0; i < kSymbols; ++i) names.push_back(SymbolName(i));
    return names;
  }();
  Random random_{42};
  uint64_t blocks_ = 0;
};

struct Times {
  std::vector<double> take, open, first, all;  // milliseconds
  size_t rows = 0;
};

double Milliseconds(std::chrono::steady_clock::time_point from) {
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - from).count();
}

void Ask(const Filler& filler, const RecordQuery& query, Times* times) {
  const auto start = std::chrono::steady_clock::now();
  auto point = filler.Point();
  Check(point.status());
  times->take.push_back(Milliseconds(start));
  const auto opening = std::chrono::steady_clock::now();
  auto fields = RowFields::Choose(**(*point)->FindTable("quotes"), {}, Origins::kLeftOut);
  Check(fields.status());
  auto cursor = RecordCursor::Open(*point, query);
  Check(cursor.status());
  times->open.push_back(Milliseconds(opening));
  const auto reading = std::chrono::steady_clock::now();
  auto encoder = MakeTextEncoder(TextFormat::kNdjson, *fields, **cursor, {});
  std::string out;
  Check(encoder->Begin(&out));
  RowRun run;
  Check((*cursor)->Next(&run));
  Check(encoder->Append(run, &out));
  times->first.push_back(Milliseconds(reading));
  times->all.push_back(Milliseconds(start));
  times->rows += run.count;
}

double At(std::vector<double> values, double part) {
  std::sort(values.begin(), values.end());
  return values[static_cast<size_t>(part * static_cast<double>(values.size() - 1))];
}

void Run(const char* what, const Filler& filler, ReadOrder order, int64_t from, int64_t to) {
  Random random(7);
  Times times;
  for (size_t i = 0; i < kQueries; ++i) {
    RecordQuery query;
    query.table = "quotes";
    query.symbols = {SymbolName(random.Uniform(kSymbols))};
    const int64_t start =
        from + static_cast<int64_t>(random.Uniform(static_cast<uint64_t>(to - from - kMinute)));
    query.start = Timestamp(start);
    query.end = Timestamp(start + kMinute);
    query.order = order;
    Ask(filler, query, &times);
  }
  std::printf("%s: %zu queries, %zu rows in their first runs\n", what, kQueries, times.rows);
  std::printf("  %-28s %8s %8s %8s\n", "milliseconds", "median", "p99", "max");
  auto line = [](const char* name, const std::vector<double>& values) {
    std::printf("  %-28s %8.3f %8.3f %8.3f\n", name, At(values, 0.5), At(values, 0.99),
                At(values, 1));
  };
  line("read point", times.take);
  line("cursor", times.open);
  line("first run, encoded", times.first);
  line("first byte", times.all);
  const double median = At(times.all, 0.5);
  bench::Print("first byte, median ms", {median, At(times.all, 0), At(times.all, 1)},
               bench::Bar::AtMost(5.0));
}

int Main(int argc, char** argv) {
  bench::Begin("query: first byte");
  const size_t rows = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 100'000'000;
  const std::filesystem::path dir = argc > 2
                                        ? std::filesystem::path(argv[2])
                                        : std::filesystem::temp_directory_path() /
                                              ("tapedeck-first-byte-" + std::to_string(getpid()));
  {
    Filler filler(dir);
    const Cost cost = Measure([&] { filler.Fill(rows); });
    std::printf("%zu rows of %zu symbols in %llu blocks and %zu open rows: %.0f s, %.0f s CPU\n",
                rows, kSymbols, static_cast<unsigned long long>(filler.blocks()),
                filler.open_rows().rows(), cost.wall_s, cost.cpu_s);
    Run("anywhere in the day", filler, ReadOrder::kAscending, kDayStart, kDayStart + kDay);
    Run("the last hour", filler, ReadOrder::kAscending, kDayStart + kDay - 60 * kMinute,
        kDayStart + kDay);
    Run("anywhere, newest first", filler, ReadOrder::kDescending, kDayStart, kDayStart + kDay);
  }
  std::filesystem::remove_all(dir);
  return bench::End();
}

}  // namespace
}  // namespace tapedeck::bench

int main(int argc, char** argv) { return tapedeck::bench::Main(argc, argv); }
