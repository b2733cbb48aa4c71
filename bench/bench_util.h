#ifndef TAPEDECK_BENCH_BENCH_UTIL_H_
#define TAPEDECK_BENCH_BENCH_UTIL_H_

// What every benchmark here needs: the environment line, a refusal to measure unoptimised builds,
// interleaved ratios.
//
// Absolute times of a shared machine mean little, so a claim is a ratio of two sides measured in
// turn, at least kPairs times; its median and its range are printed, with CPU seconds beside wall
// time.
//
//   int main() {
//     bench::Begin("series: decode");                   // environment, or exit 2 in a debug or
//     sanitizer build bench::Ratio r = bench::Interleave([&] { ReadOurs(); }, [&] { ReadTheirs();
//     }); bench::Print("decode speed, ours over theirs", r.Speed(), bench::Bar::AtLeast(3.0));
//     return bench::End();                              // 1 when a bar was missed
//   }
//
// Owned by one thread.

#include <sys/resource.h>
#include <sys/utsname.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#ifndef TD_SOURCE_DIR
#define TD_SOURCE_DIR "."
#endif

namespace tapedeck::bench {

/// Pairs of one comparison, at the least.
inline constexpr int kPairs = 7;

/// Seconds of one run.
struct Cost {
  double wall_s = 0;
  double cpu_s = 0;  // of the whole process, user and system
};

inline double CpuSeconds() {
  rusage use{};
  getrusage(RUSAGE_SELF, &use);
  auto seconds = [](const timeval& t) { return double(t.tv_sec) + 1e-6 * double(t.tv_usec); };
  return seconds(use.ru_utime) + seconds(use.ru_stime);
}

inline Cost Measure(const std::function<void()>& run) {
  double cpu = CpuSeconds();
  auto start = std::chrono::steady_clock::now();
  run();
  std::chrono::duration<double> wall = std::chrono::steady_clock::now() - start;
  return {wall.count(), CpuSeconds() - cpu};
}

inline double Median(std::vector<double> values) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  size_t half = values.size() / 2;
  return values.size() % 2 == 1 ? values[half] : (values[half - 1] + values[half]) / 2;
}

/// Median and range of a ratio.
struct Spread {
  double median = 0, least = 0, greatest = 0;
};

inline Spread SpreadOf(const std::vector<double>& values) {
  if (values.empty()) return {};
  auto [least, greatest] = std::minmax_element(values.begin(), values.end());
  return {Median(values), *least, *greatest};
}

/// Two sides measured in turn; element i of both is one pair.
struct Ratio {
  std::vector<Cost> ours;
  std::vector<Cost> theirs;

  /// Speed of ours over theirs by wall time: 2 is twice as fast.
  Spread Speed() const {
    return Of([](const Cost& a, const Cost& b) { return b.wall_s / a.wall_s; });
  }
  /// The same by CPU seconds, for sides that run on one thread: other work on the machine disturbs
  /// it less.
  Spread CpuSpeed() const {
    return Of([](const Cost& a, const Cost& b) { return a.cpu_s > 0 ? b.cpu_s / a.cpu_s : 0.0; });
  }
  /// CPU seconds of ours over theirs: 0.5 is half the work.
  Spread Cpu() const {
    return Of([](const Cost& a, const Cost& b) { return b.cpu_s > 0 ? a.cpu_s / b.cpu_s : 0.0; });
  }
  double OurWall() const { return MedianOf(ours, &Cost::wall_s); }
  double TheirWall() const { return MedianOf(theirs, &Cost::wall_s); }
  double OurCpu() const { return MedianOf(ours, &Cost::cpu_s); }
  double TheirCpu() const { return MedianOf(theirs, &Cost::cpu_s); }

 private:
  static double MedianOf(const std::vector<Cost>& costs, double Cost::*field) {
    std::vector<double> values;
    for (const Cost& cost : costs) values.push_back(cost.*field);
    return Median(std::move(values));
  }
  template <typename F>
  Spread Of(F ratio) const {
    std::vector<double> values;
    for (size_t i = 0; i < std::min(ours.size(), theirs.size()); ++i) {
      values.push_back(ratio(ours[i], theirs[i]));
    }
    return SpreadOf(values);
  }
};

/// One warm-up of both, then `pairs` pairs; which side goes first changes from pair to pair.
inline Ratio Interleave(const std::function<void()>& ours, const std::function<void()>& theirs,
                        int pairs = kPairs) {
  ours();
  theirs();
  Ratio ratio;
  for (int i = 0; i < pairs; ++i) {
    if (i % 2 == 0) ratio.ours.push_back(Measure(ours));
    ratio.theirs.push_back(Measure(theirs));
    if (i % 2 == 1) ratio.ours.push_back(Measure(ours));
  }
  return ratio;
}

/// What a ratio must reach.
struct Bar {
  enum class Kind { kNone, kAtLeast, kAtMost } kind = Kind::kNone;
  double value = 0;
  static Bar None() { return {}; }
  static Bar AtLeast(double v) { return {Kind::kAtLeast, v}; }
  static Bar AtMost(double v) { return {Kind::kAtMost, v}; }
  bool MetBy(double v) const {
    return kind == Kind::kNone || (kind == Kind::kAtLeast ? v >= value : v <= value);
  }
};

inline int& MissedBars() {
  static int missed = 0;
  return missed;
}

/// "  name   median (least .. greatest)   bar >= 3: met". A missed bar counts for End().
inline void Print(std::string_view name, const Spread& ratio, Bar bar = Bar::None()) {
  std::printf("  %-58.*s %8.3f  (%.3f .. %.3f)", int(name.size()), name.data(), ratio.median,
              ratio.least, ratio.greatest);
  if (bar.kind != Bar::Kind::kNone) {
    bool met = bar.MetBy(ratio.median);
    if (!met) ++MissedBars();
    std::printf("  bar %s %g: %s", bar.kind == Bar::Kind::kAtLeast ? ">=" : "<=", bar.value,
                met ? "met" : "MISSED");
  }
  std::printf("\n");
}

/// A ratio that does not vary, such as one of sizes.
inline void Print(std::string_view name, double ratio, Bar bar = Bar::None()) {
  Print(name, Spread{ratio, ratio, ratio}, bar);
}

inline std::string FirstLineWith(const char* path, std::string_view start) {
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with(start)) {
      size_t colon = line.find(':');
      size_t from = colon == std::string::npos ? 0 : line.find_first_not_of(" \t", colon + 1);
      return from == std::string::npos ? "" : line.substr(from);
    }
  }
  return "unknown";
}

inline const char* AllocatorName() {
#ifdef TAPEDECK_ALLOCATOR_NAME
  return TAPEDECK_ALLOCATOR_NAME;
#else
  return "unknown";
#endif
}

/// CPU, cores, memory, kernel, compiler, allocator, load: what a reader needs to judge the numbers.
inline std::string Environment() {
  utsname os{};
  uname(&os);
  double load[3] = {0, 0, 0};
  if (getloadavg(load, 3) < 1) load[0] = -1;
  char text[512];
  std::snprintf(
      text, sizeof(text), "%s, %u cores, memory %s, %s %s, GCC %s, allocator %s, load %.2f",
      FirstLineWith("/proc/cpuinfo", "model name").c_str(), std::thread::hardware_concurrency(),
      FirstLineWith("/proc/meminfo", "MemTotal").c_str(), os.sysname, os.release, __VERSION__,
      AllocatorName(), load[0]);
  return text;
}

/// Prints title and environment. Ends the program with 2 in a build that must not be measured.
inline void Begin(std::string_view title) {
#if !defined(__OPTIMIZE__) || defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  std::fprintf(stderr,
               "%.*s: this build is not optimised or has sanitizers; use the release preset\n",
               int(title.size()), title.data());
  std::exit(2);
#endif
  std::printf("# %.*s\n# %s\n", int(title.size()), title.data(), Environment().c_str());
  std::fflush(stdout);
}

/// The exit code: 1 when a bar was missed.
inline int End() {
  if (MissedBars() > 0) std::printf("# %d bar(s) missed\n", MissedBars());
  return MissedBars() > 0 ? 1 : 0;
}

/// The folder of shared test data, or "" where it is absent: TAPEDECK_SHARED_DIR, else `shared`
/// beside the source tree.
inline std::filesystem::path SharedDir() {
  const char* given = std::getenv("TAPEDECK_SHARED_DIR");
  std::filesystem::path dir = given != nullptr
                                  ? std::filesystem::path(given)
                                  : std::filesystem::path(TD_SOURCE_DIR) / ".." / "shared";
  std::error_code error;
  return std::filesystem::is_directory(dir, error) ? dir : std::filesystem::path();
}

/// SharedDir(), or the end of the program with 2 and a sentence.
inline std::filesystem::path NeedSharedDir() {
  std::filesystem::path dir = SharedDir();
  if (dir.empty()) {
    std::fprintf(stderr, "no shared data: set TAPEDECK_SHARED_DIR\n");
    std::exit(2);
  }
  return dir;
}

/// The whole file, or the end of the program with 2.
inline std::string ReadFile(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    std::fprintf(stderr, "cannot read %s\n", path.c_str());
    std::exit(2);
  }
  return std::string(std::istreambuf_iterator<char>(file), {});
}

}  // namespace tapedeck::bench

#endif  // TAPEDECK_BENCH_BENCH_UTIL_H_
