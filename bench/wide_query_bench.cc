// A query for everything: every symbol, whatever the range. What counts is the memory that it takes
// and that the rate does not fall apart.
//
// One day of 100,000 symbols, in blocks as flushes make them before any merging. The memory is the
// greatest resident size of a child process that runs only the query, above that of one which opens
// the store and reads one row.
//
//   wide_query_bench [rows [symbols [folder]]]      the folder is made and removed

#include <sys/wait.h>
#include <unistd.h>

#include "bench/bench_util.h"
#include "bench/store_by_flushes.h"
#include "query/series_cursor.h"
#include "query/text_encoder.h"

namespace tapedeck::bench {
namespace {

constexpr size_t kMegabyte = size_t{1} << 20;

struct Outcome {
  double seconds = 0;
  double megabytes = 0;
  unsigned long long rows = 0;
};

// Reads up to `limit` rows of all symbols.
unsigned long long Read(const std::filesystem::path& dir, uint64_t limit, size_t memory_bytes,
                        ReadOrder order) {
  auto store = Store::Open(
      {.dir = dir, .create = false, .memory_bytes = 16 * kMegabyte, .ballast_bytes = 0});
  Check(store.status());
  SeriesDirectory directory;
  auto point = ReadPoint::Take(OpenRows(), &directory, **store);
  Check(point.status());
  RecordQuery query;
  query.table = "quotes";
  query.limit = limit;
  query.memory_bytes = memory_bytes;
  query.order = order;
  auto fields = RowFields::Choose(**(*point)->FindTable("quotes"), {}, Origins::kLeftOut);
  Check(fields.status());
  query.columns = fields->columns();
  auto cursor = RecordCursor::Open(*point, query);
  Check(cursor.status());
  auto encoder = MakeTextEncoder(TextFormat::kNdjson, *fields, **cursor, {});
  std::string out;
  for (RowRun run;;) {
    Check((*cursor)->Next(&run));
    if (run.count == 0) return (*cursor)->rows();
    Check(encoder->Append(run, &out));
    if (out.size() > kMegabyte / 4) out.clear();
  }
}

Outcome InChild(const std::filesystem::path& dir, uint64_t limit, size_t memory_bytes,
                ReadOrder order) {
  int ends[2];
  if (pipe(ends) != 0) Check(Status::Internal("no pipe"));
  const pid_t pid = fork();
  if (pid == 0) {
    Outcome outcome;
    const Cost cost = Measure([&] { outcome.rows = Read(dir, limit, memory_bytes, order); });
    outcome.seconds = cost.wall_s;
    rusage use{};
    getrusage(RUSAGE_SELF, &use);
    outcome.megabytes = double(use.ru_maxrss) / 1024;
    const bool sent = write(ends[1], &outcome, sizeof outcome) == sizeof outcome;
    _exit(sent ? 0 : 2);
  }
  close(ends[1]);
  Outcome outcome;
  const bool got = read(ends[0], &outcome, sizeof outcome) == sizeof outcome;
  close(ends[0]);
  waitpid(pid, nullptr, 0);
  if (!got) Check(Status::Internal("the child failed"));
  return outcome;
}

int Main(int argc, char** argv) {
  bench::Begin("query: everything");
  const size_t rows = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 10'000'000;
  const size_t symbols = argc > 2 ? std::strtoull(argv[2], nullptr, 10) : 100'000;
  const std::filesystem::path dir = argc > 3
                                        ? std::filesystem::path(argv[3])
                                        : std::filesystem::temp_directory_path() /
                                              ("tapedeck-wide-query-" + std::to_string(getpid()));
  const pid_t filler = fork();  // its memory does not count
  if (filler == 0) {
    StoreByFlushes filled(dir, {.symbols = symbols});
    filled.Fill(rows);
    std::printf("%zu rows of %zu symbols in %llu blocks\n", rows, symbols,
                static_cast<unsigned long long>(filled.blocks()));
    std::fflush(stdout);
    Check(filled.store().FlushMemtables());
    Check(filled.store().Close());
    _exit(0);
  }
  waitpid(filler, nullptr, 0);
  for (ReadOrder order : {ReadOrder::kAscending, ReadOrder::kDescending}) {
    std::printf(order == ReadOrder::kAscending ? "oldest first\n" : "newest first\n");
    const Outcome idle = InChild(dir, 0, 64 * kMegabyte, order);
    for (size_t budget : {size_t{16}, size_t{64}}) {
      const Outcome one = InChild(dir, 1, budget * kMegabyte, order);
      const Outcome all = InChild(dir, UINT64_MAX, budget * kMegabyte, order);
      std::printf(
          "  memory_bytes %zu MB: first row %.0f ms; %llu rows, %.2f M rows/s, %.0f MB more\n",
          budget, one.seconds * 1e3, all.rows, double(all.rows) / all.seconds / 1e6,
          all.megabytes - idle.megabytes);
      bench::Print("memory over what the query may hold",
                   (all.megabytes - idle.megabytes) / double(budget));
    }
  }
  std::filesystem::remove_all(dir);
  return bench::End();
}

}  // namespace
}  // namespace tapedeck::bench

int main(int argc, char** argv) { return tapedeck::bench::Main(argc, argv); }
