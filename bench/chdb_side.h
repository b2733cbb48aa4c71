#ifndef TAPEDECK_BENCH_CHDB_SIDE_H_
#define TAPEDECK_BENCH_CHDB_SIDE_H_

// ChdbSide: ClickHouse as a library (chdb, from PyPI) in a child process, for encoder benchmarks.
//
//   std::optional<bench::ChdbSide> chdb = bench::ChdbSide::Start();   // none where there is none
//   chdb->Load("quotes.parquet");                      // into a table in its memory
//   bench::Ratio ratio = chdb->Compare([&] { EncodeOurs(); }, "JSONEachRow");
//
// The child answers with the time of its query alone. A failure there ends the program with 2.
// Owned by one thread.

#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string>

#include "bench/bench_util.h"
#include "bench/line_side.h"

namespace tapedeck::bench {

class ChdbSide {
 public:
  struct Run {
    Cost cost;
    unsigned long long bytes = 0;
  };

  /// Makes the Python with chdb where it is missing (tests/services/python clickhouse).
  static std::optional<ChdbSide> Start() {
    std::optional<LineSide> side = LineSide::Start("clickhouse", "chdb_side.py");
    if (!side) return std::nullopt;
    return ChdbSide(std::move(*side));
  }

  unsigned long long Load(const std::string& parquet) {
    return std::strtoull(Ask("load " + parquet).c_str(), nullptr, 10);
  }
  /// `format`: ClickHouse's name of it and settings, such as "ArrowStream x=1".
  Run Select(const std::string& format) {
    Run run;
    const std::string answer = Ask("run " + format);
    if (std::sscanf(answer.c_str(), "%llu %lf %lf", &run.bytes, &run.cost.wall_s,
                    &run.cost.cpu_s) != 3) {
      std::fprintf(stderr, "bench: chdb: %s\n", answer.c_str());
      std::exit(2);
    }
    return run;
  }
  void Save(const std::string& path, const std::string& format) {
    Ask("save " + path + " " + format);
  }

  /// In turns, as Interleave.
  Ratio Compare(const std::function<void()>& ours, const std::string& format, int pairs = kPairs) {
    ours();
    Select(format);
    Ratio ratio;
    for (int i = 0; i < pairs; ++i) {
      if (i % 2 == 0) ratio.ours.push_back(Measure(ours));
      ratio.theirs.push_back(Select(format).cost);
      if (i % 2 == 1) ratio.ours.push_back(Measure(ours));
    }
    return ratio;
  }

 private:
  explicit ChdbSide(LineSide side) : side_(std::move(side)) {}

  std::string Ask(const std::string& command) { return side_.Ask(command); }

  LineSide side_;
};

}  // namespace tapedeck::bench

#endif  // TAPEDECK_BENCH_CHDB_SIDE_H_
