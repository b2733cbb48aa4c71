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
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "base/random.h"
#include "bench/bench_util.h"
#include "bench/first_run.h"
#include "bench/store_by_flushes.h"
#include "query/series_cursor.h"
#include "query/text_encoder.h"

namespace tapedeck::bench {
namespace {

constexpr FillShape kShape{
    .symbols = 1000, .flush_rows = 1'000'000, .open_rows = 600'000, .chunk_rows = 2'000};
constexpr size_t kQueries = 400;
constexpr int64_t kMinute = int64_t{60} * 1'000'000'000;

struct Times {
  std::vector<double> take, open, first, all;  // milliseconds
  size_t rows = 0;
};

double Milliseconds(std::chrono::steady_clock::time_point from) {
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - from).count();
}

void Ask(const StoreByFlushes& filler, const RecordQuery& query, Times* times) {
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
  RowRun run;
  const std::string out = FirstRun(cursor->get(), encoder.get(), &run);
  times->first.push_back(Milliseconds(reading));
  times->all.push_back(Milliseconds(start));
  times->rows += run.count;
}

double At(std::vector<double> values, double part) {
  std::sort(values.begin(), values.end());
  return values[static_cast<size_t>(part * static_cast<double>(values.size() - 1))];
}

void Run(const char* what, const StoreByFlushes& filler, ReadOrder order, int64_t from,
         int64_t to) {
  Random random(7);
  Times times;
  for (size_t i = 0; i < kQueries; ++i) {
    RecordQuery query;
    query.table = "quotes";
    query.symbols = {StoreByFlushes::SymbolName(random.Uniform(kShape.symbols))};
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
    StoreByFlushes filler(dir, kShape);
    const Cost cost = Measure([&] { filler.Fill(rows); });
    std::printf("%zu rows of %zu symbols in %llu blocks and %zu open rows: %.0f s, %.0f s CPU\n",
                rows, kShape.symbols, static_cast<unsigned long long>(filler.blocks()),
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
