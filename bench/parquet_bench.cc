// Record objects in Parquet: rows per second on one thread and bytes per row, against pyarrow (its
// defaults, and our encodings) and DuckDB's COPY, all with the same rows and columns and a sync at
// the end. Their rows lie in their own memory, in their own columns; ours in decoded series blocks.
//
// Our time has the SHA-256 of the file in it, the order of rows checked, and page checksums; the
// others' default has no checksums. The bars are for CPU seconds. Memory must not grow with the
// rows.
//
//   parquet_bench              everything
//   parquet_bench ours ROUNDS  only our side, as often: for a profile, or two builds side by side

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "archive/record_object_writer.h"
#include "base/random.h"
#include "bench/bench_util.h"
#include "bench/check.h"
#include "bench/line_side.h"
#include "bench/quote_files.h"
#include "bench/quotes_table.h"

namespace tapedeck::bench {
namespace {

constexpr int kPairs = 7;

/// The quotes of the shared data, one symbol for each of their days. Kafka time is event time and
/// up to 60 ms, the topic has four partitions.
std::vector<Rows> ReadRows() {
  std::vector<Rows> all;
  Random random(7);
  std::vector<std::filesystem::path> paths;
  for (const auto& entry :
       std::filesystem::directory_iterator(bench::NeedSharedDir() / "data" / "quotes")) {
    if (entry.path().string().ends_with("_quotes.csv.zst") ||
        entry.path().filename().string().find("quotes_20") != std::string::npos) {
      paths.push_back(entry.path());
    }
  }
  std::sort(paths.begin(), paths.end());
  for (const std::filesystem::path& path : paths) {
    bench::QuoteFile file = bench::ReadQuotes(path);
    for (bench::QuoteSeries& series : file.series) {
      Rows& rows = series.rows;
      int64_t offset = static_cast<int64_t>(random.Uniform(100'000));
      for (size_t i = 0; i < rows.size(); ++i) {
        const int64_t ms = rows.ts[i] / 1'000'000 + static_cast<int64_t>(random.Uniform(60));
        rows.ts_kafka[i] = ms * 1'000'000;
        rows.tp[i] = static_cast<uint32_t>(all.size() % 4);
        rows.offset[i] = offset += 1 + static_cast<int64_t>(random.Uniform(20));
        rows.index[i] = 0;
      }
      all.push_back(std::move(rows));
    }
  }
  return all;
}

/// The rows `times` times, under other symbols.
WrittenObject Write(const std::vector<Rows>& rows, size_t times, const std::string& folder) {
  RecordObjectPlan plan{.table = QuotesTable(),
                        .day = Day(19'906),
                        .tapes = {},
                        .folder = folder,
                        .file_prefix = "tapedeck-parquet-bench",
                        .writer = "tapedeck bench",
                        .file_bytes = uint64_t{8} << 30};
  for (uint32_t tp = 0; tp < 4; ++tp) {
    plan.tapes.push_back({TpId{tp}, {"c", "quotes", 0, static_cast<int32_t>(tp)}});
  }
  auto writer = RecordObjectWriter::Make(std::move(plan));
  Check(writer.status());
  for (size_t t = 0; t < times; ++t) {
    for (size_t s = 0; s < rows.size(); ++s) {
      const std::string symbol = "EX:SYM" + std::to_string(100'000 + t * rows.size() + s);
      // As blocks of the store have them.
      const auto size = static_cast<uint32_t>(rows[s].size());
      for (uint32_t at = 0; at < size; at += 4096) {
        const uint32_t count = std::min<uint32_t>(4096, size - at);
        Check((*writer)->Append({symbol, &rows[s], at, count, 1}));
      }
    }
  }
  auto objects = (*writer)->Finish();
  Check(objects.status());
  if (objects->size() != 1) Check(Status::Internal("one object was expected"));
  return std::move((*objects)[0]);
}

/// What the kernel calls VmHWM; StartPeak begins it anew.
void StartPeak() { std::ofstream("/proc/self/clear_refs") << "5"; }
double PeakMegabytes() {
  return std::strtod(bench::FirstLineWith("/proc/self/status", "VmHWM").c_str(), nullptr) / 1024;
}
double HeldMegabytes() {
  return std::strtod(bench::FirstLineWith("/proc/self/status", "VmRSS").c_str(), nullptr) / 1024;
}

void PrintSide(const char* name, uint64_t rows, double wall_s, double cpu_s, uint64_t bytes) {
  const auto count = static_cast<double>(rows);
  std::printf("  %-20s %6.2f M rows/s, %6.2f by CPU, %6.2f bytes per row\n", name,
              count / wall_s / 1e6, count / cpu_s / 1e6, static_cast<double>(bytes) / count);
}

struct Other {
  const char* command;
  const char* name;
  bench::Bar speed, size;
};
const Other kOthers[] = {
    {"default", "pyarrow's defaults", bench::Bar::AtLeast(1.5), bench::Bar::AtMost(0.85)},
    {"encoded", "pyarrow, our encodings", bench::Bar::AtLeast(0.9), bench::Bar::None()},
    {"duckdb", "DuckDB COPY", bench::Bar::AtLeast(1.2), bench::Bar::None()},
};

void Compare(const std::vector<Rows>& rows, const std::string& folder, bench::LineSide* side) {
  const WrittenObject first = Write(rows, 1, folder);
  if (side->Ask("load " + first.path) != std::to_string(first.object.rows)) {
    Check(Status::Internal("the other side has other rows"));
  }
  const std::string path = folder + "/tapedeck-parquet-bench-other.parquet";
  for (const Other& other : kOthers) {
    unsigned long long bytes = 0;
    auto theirs = [&] {
      bench::Cost cost;
      const std::string answer = side->Ask(std::string(other.command) + " " + path);
      if (std::sscanf(answer.c_str(), "%llu %lf %lf", &bytes, &cost.wall_s, &cost.cpu_s) != 3) {
        Check(Status::Internal(answer));
      }
      return cost;
    };
    bench::Ratio ratio;
    theirs();
    for (int pair = 0; pair < kPairs; ++pair) {
      auto ours = [&] { ratio.ours.push_back(bench::Measure([&] { Write(rows, 1, folder); })); };
      if (pair % 2 == 0) ours();
      ratio.theirs.push_back(theirs());
      if (pair % 2 == 1) ours();
    }
    std::printf(" %s\n", other.name);
    PrintSide("tapedeck", first.object.rows, ratio.OurWall(), ratio.OurCpu(), first.object.bytes);
    PrintSide(other.command, first.object.rows, ratio.TheirWall(), ratio.TheirCpu(), bytes);
    // One thread each: by CPU seconds, which other work on the machine disturbs less.
    bench::Print("speed by CPU, ours over theirs", ratio.CpuSpeed(), other.speed);
    bench::Print("by wall time", ratio.Speed());
    bench::Print("bytes, ours over theirs", double(first.object.bytes) / double(bytes), other.size);
  }
  std::filesystem::remove(first.path);
}

int Ours(const std::vector<Rows>& rows, const std::string& folder, int rounds) {
  std::vector<double> ns;
  std::string sha256;
  for (int i = 0; i < rounds; ++i) {
    WrittenObject object;
    const bench::Cost cost = bench::Measure([&] { object = Write(rows, 1, folder); });
    ns.push_back(cost.cpu_s * 1e9 / static_cast<double>(object.object.rows));
    sha256 = object.object.sha256;
    std::filesystem::remove(object.path);
  }
  std::sort(ns.begin(), ns.end());
  std::printf("  %.1f ns of CPU a row, the quickest %.1f; file %s\n", ns[ns.size() / 2], ns[0],
              sha256.c_str());
  return bench::End();
}

int Main(int argc, char** argv) {
  bench::Begin("Parquet: record objects");
  const std::string folder = std::filesystem::temp_directory_path().string();
  const std::vector<Rows> rows = ReadRows();
  if (argc == 3 && std::string_view(argv[1]) == "ours") {
    return Ours(rows, folder, std::max(1, std::atoi(argv[2])));
  }
  const WrittenObject day = Write(rows, 1, folder);
  std::printf("%llu quotes of %zu symbols\n", static_cast<unsigned long long>(day.object.rows),
              rows.size());
  std::filesystem::remove(day.path);
  // Beyond what is held anyway: the rows, and what allocators keep of the first time.
  double peaks[2] = {};
  for (size_t i = 0; i < 2; ++i) {
    const double held = HeldMegabytes();
    StartPeak();
    std::filesystem::remove(Write(rows, i == 0 ? 1 : 10, folder).path);
    peaks[i] = PeakMegabytes() - held;
    std::printf("  writing %2d times the rows takes %4.0f MB more than the %.0f MB there are\n",
                i == 0 ? 1 : 10, peaks[i], held);
  }
  bench::Print("MB above twice what one time takes, or 64 (0: bounded)",
               std::max(0.0, peaks[1] - std::max(64.0, 2 * peaks[0])), bench::Bar::AtMost(0));
  std::optional<bench::LineSide> side = bench::LineSide::Start("readers", "parquet_side.py");
  if (!side) {
    std::printf("  no pyarrow and DuckDB here: nothing to compare with\n");
    return bench::End();
  }
  Compare(rows, folder, &*side);
  return bench::End();
}

}  // namespace
}  // namespace tapedeck::bench

int main(int argc, char** argv) { return tapedeck::bench::Main(argc, argv); }
