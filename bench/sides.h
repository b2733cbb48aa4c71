#ifndef TAPEDECK_BENCH_SIDES_H_
#define TAPEDECK_BENCH_SIDES_H_

// Sides of a comparison that are processes of their own: each reads the same topic and prints
//
//   messages bytes checksum wall_s cpu_s
//
// Counts and checksums of all runs must agree, else the comparison ends with exit code 2.
//
//   bench::Sides sides(folder_of_this_program);
//   bench::Ratio ratio = sides.Compare("record_side " + args, "consume_side_system poll " + args);
//
// Owned by one thread.

#include <string>

#include "bench/bench_util.h"

namespace tapedeck::bench {

struct SideRun {
  Cost cost;
  unsigned long long messages = 0;
  unsigned long long bytes = 0;
  unsigned long long checksum = 0;
};

class Sides {
 public:
  explicit Sides(std::string folder) : folder_(folder.empty() ? "." : std::move(folder)) {}

  /// `command`: a program of the folder with its arguments.
  Cost Measure(const std::string& command) {
    FILE* pipe = popen((folder_ + "/" + command).c_str(), "r");
    SideRun run;
    int fields = pipe == nullptr
                     ? 0
                     : std::fscanf(pipe, "%llu %llu %llu %lf %lf", &run.messages, &run.bytes,
                                   &run.checksum, &run.cost.wall_s, &run.cost.cpu_s);
    if (pipe == nullptr || pclose(pipe) != 0 || fields != 5) Stop("'" + command + "' failed");
    if (first_.messages == 0) first_ = run;
    if (run.messages != first_.messages || run.checksum != first_.checksum)
      Stop("the sides did not read the same messages");
    return run.cost;
  }
  /// In turns, after one run that warms the page cache.
  Ratio Compare(const std::string& ours, const std::string& theirs) {
    Ratio ratio;
    Measure(ours);
    for (int pair = 0; pair < kPairs; ++pair) {
      if (pair % 2 == 0) ratio.ours.push_back(Measure(ours));
      ratio.theirs.push_back(Measure(theirs));
      if (pair % 2 == 1) ratio.ours.push_back(Measure(ours));
    }
    return ratio;
  }
  /// The first run: what the topic holds.
  const SideRun& first() const { return first_; }

  void PrintTopic() const {
    std::printf("%llu messages of %.0f bytes\n", first_.messages,
                static_cast<double>(first_.bytes) / static_cast<double>(first_.messages));
  }
  void PrintSide(const char* name, double wall_s, double cpu_s) const {
    const auto messages = static_cast<double>(first_.messages);
    std::printf("  %-34s %6.2f M msg/s, %5.0f ns CPU per message\n", name, messages / wall_s / 1e6,
                cpu_s / messages * 1e9);
  }

 private:
  [[noreturn]] static void Stop(const std::string& why) {
    std::fprintf(stderr, "bench: %s\n", why.c_str());
    std::exit(2);
  }

  std::string folder_;
  SideRun first_;
};

}  // namespace tapedeck::bench

#endif  // TAPEDECK_BENCH_SIDES_H_
