#ifndef TAPEDECK_BENCH_LINE_SIDE_H_
#define TAPEDECK_BENCH_LINE_SIDE_H_

// LineSide: the other side of a benchmark as a Python script in a child process that takes commands
// and answers each with one line, "ok …" or "error …".
//
//   std::optional<bench::LineSide> side = bench::LineSide::Start("readers", "parquet_side.py");
//   std::string answer = side->Ask("load quotes.parquet");         // what stands behind "ok "
//
// An error there ends the program with 2. Owned by one thread.

#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string>

#ifndef TD_SOURCE_DIR
#define TD_SOURCE_DIR "."
#endif

namespace tapedeck::bench {

class LineSide {
 public:
  /// `set`: of packages, made where it is missing (tests/services/python); none where it cannot be.
  static std::optional<LineSide> Start(const std::string& set, const std::string& script) {
    const std::string root = TD_SOURCE_DIR;
    const std::string python = LineOf(root + "/tests/services/python " + set);
    if (python.empty()) return std::nullopt;
    int to[2], from[2];
    if (pipe(to) != 0 || pipe(from) != 0) Stop(script, "no pipe");
    const pid_t pid = fork();
    if (pid < 0) Stop(script, "no process");
    if (pid == 0) {
      dup2(to[0], 0);
      dup2(from[1], 1);
      for (int fd : {to[0], to[1], from[0], from[1]}) close(fd);
      const std::string path = root + "/bench/" + script;
      execl(python.c_str(), python.c_str(), "-B", path.c_str(), nullptr);
      _exit(127);
    }
    close(to[0]);
    close(from[1]);
    return LineSide(script, pid, fdopen(to[1], "w"), fdopen(from[0], "r"));
  }

  LineSide(LineSide&& other) noexcept
      : script_(other.script_), pid_(other.pid_), to_(other.to_), from_(other.from_) {
    other.pid_ = -1;
  }
  ~LineSide() {
    if (pid_ < 0) return;
    fclose(to_);
    fclose(from_);
    waitpid(pid_, nullptr, 0);
  }

  std::string Ask(const std::string& command) {
    std::fprintf(to_, "%s\n", command.c_str());
    std::fflush(to_);
    char line[4096] = "";
    if (std::fgets(line, sizeof(line), from_) == nullptr) Stop(script_, "it ended");
    const std::string answer = line;
    if (!answer.starts_with("ok ")) Stop(script_, answer);
    return answer.substr(3, answer.find('\n') - 3);
  }

 private:
  LineSide(std::string script, pid_t pid, FILE* to, FILE* from)
      : script_(std::move(script)), pid_(pid), to_(to), from_(from) {}

  [[noreturn]] static void Stop(const std::string& script, const std::string& why) {
    std::fprintf(stderr, "bench: %s: %s\n", script.c_str(), why.c_str());
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

  std::string script_;
  pid_t pid_;
  FILE* to_;
  FILE* from_;
};

}  // namespace tapedeck::bench

#endif  // TAPEDECK_BENCH_LINE_SIDE_H_
