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

#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <memory>
#include <optional>
#include <string>

#include "bench/bench_util.h"

namespace tapedeck::bench {

class ChdbSide {
 public:
  struct Run {
    Cost cost;
    unsigned long long bytes = 0;
  };

  /// Makes the Python with chdb where it is missing (tests/services/python clickhouse).
  static std::optional<ChdbSide> Start() {
    const std::string root = TD_SOURCE_DIR;
    std::string python = LineOf(root + "/tests/services/python clickhouse");
    if (python.empty()) return std::nullopt;
    int to[2], from[2];
    if (pipe(to) != 0 || pipe(from) != 0) Stop("no pipe");
    const pid_t pid = fork();
    if (pid < 0) Stop("no process");
    if (pid == 0) {
      dup2(to[0], 0);
      dup2(from[1], 1);
      for (int fd : {to[0], to[1], from[0], from[1]}) close(fd);
      const std::string script = root + "/bench/chdb_side.py";
      execl(python.c_str(), python.c_str(), "-B", script.c_str(), nullptr);
      _exit(127);
    }
    close(to[0]);
    close(from[1]);
    return ChdbSide(pid, fdopen(to[1], "w"), fdopen(from[0], "r"));
  }

  ChdbSide(ChdbSide&& other) noexcept : pid_(other.pid_), to_(other.to_), from_(other.from_) {
    other.pid_ = -1;
  }
  ~ChdbSide() {
    if (pid_ < 0) return;
    fclose(to_);
    fclose(from_);
    waitpid(pid_, nullptr, 0);
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
      Stop(answer);
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
  ChdbSide(pid_t pid, FILE* to, FILE* from) : pid_(pid), to_(to), from_(from) {}

  [[noreturn]] static void Stop(const std::string& why) {
    std::fprintf(stderr, "bench: chdb: %s\n", why.c_str());
    std::exit(2);
  }
  // The first line of a command's output, without its end; "" where it failed.
  static std::string LineOf(const std::string& command) {
    FILE* pipe = popen(command.c_str(), "r");
    if (pipe == nullptr) return "";
    char line[4096] = "";
    const bool has = std::fgets(line, sizeof(line), pipe) != nullptr;
    if (pclose(pipe) != 0 || !has) return "";
    const std::string text = line;
    return text.substr(0, text.find('\n'));
  }
  std::string Ask(const std::string& command) {
    std::fprintf(to_, "%s\n", command.c_str());
    std::fflush(to_);
    char line[4096] = "";
    if (std::fgets(line, sizeof(line), from_) == nullptr) Stop("it ended");
    const std::string answer = line;
    if (!answer.starts_with("ok ")) Stop(answer);
    return answer.substr(3, answer.find('\n') - 3);
  }

  pid_t pid_;
  FILE* to_;
  FILE* from_;
};

}  // namespace tapedeck::bench

#endif  // TAPEDECK_BENCH_CHDB_SIDE_H_
