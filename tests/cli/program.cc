#include "program.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>

extern char** environ;

namespace tapedeck::testing {
namespace {

using std::chrono::steady_clock;

std::string TemporaryFile(const std::string& content) {
  std::string name = (std::filesystem::temp_directory_path() / "tapedeck-cli-XXXXXX").string();
  int file = ::mkstemp(name.data());
  if (file < 0 ||
      ::write(file, content.data(), content.size()) != static_cast<ssize_t>(content.size())) {
    std::perror(name.c_str());
    std::abort();
  }
  ::close(file);
  return name;
}

// Nodes of tests take any free port, unless the test names one.
std::vector<std::string> ChildEnvironment(const Arguments& arguments, const Variables& variables) {
  std::vector<std::string> environment;
  if (!arguments.empty() && arguments[0] == "serve") {
    environment.emplace_back("TAPEDECK_HTTP__LISTEN=127.0.0.1:0");
  }
  for (char** entry = environ; *entry != nullptr; ++entry) {
    if (std::strncmp(*entry, "TAPEDECK_", 9) != 0) environment.emplace_back(*entry);
  }
  for (const auto& [name, value] : variables) {
    std::erase_if(environment, [&](const auto& entry) { return entry.starts_with(name + "="); });
    environment.push_back(name + "=" + value);
  }
  return environment;
}

std::vector<char*> Pointers(std::vector<std::string>* texts) {
  std::vector<char*> pointers;
  for (std::string& text : *texts) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  return pointers;
}

std::string ReadWhole(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

}  // namespace

Program::Program(const Arguments& arguments, const Variables& variables, const std::string& input)
    : began_(steady_clock::now()) {
  err_file_ = TemporaryFile("");
  std::string in_file = TemporaryFile(input);
  std::vector<std::string> words = {TD_TAPEDECK};
  words.insert(words.end(), arguments.begin(), arguments.end());
  std::vector<std::string> environment = ChildEnvironment(arguments, variables);
  std::vector<char*> argv = Pointers(&words);
  std::vector<char*> envp = Pointers(&environment);
  int in = ::open(in_file.c_str(), O_RDONLY | O_CLOEXEC);
  int err = ::open(err_file_.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC);
  int pipe_ends[2] = {-1, -1};
  if (in < 0 || err < 0 || ::pipe2(pipe_ends, O_CLOEXEC) != 0) {
    std::perror("pipes for a child");
    std::abort();
  }
  ::unlink(in_file.c_str());
  pid_ = ::fork();
  if (pid_ == 0) {
    ::dup2(in, STDIN_FILENO);
    ::dup2(pipe_ends[1], STDOUT_FILENO);
    ::dup2(err, STDERR_FILENO);
    ::execve(TD_TAPEDECK, argv.data(), envp.data());
    ::_exit(127);
  }
  ::close(in);
  ::close(err);
  ::close(pipe_ends[1]);
  out_ = pipe_ends[0];
}

Program::~Program() {
  if (pid_ > 0) {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  ::close(out_);
  ::unlink(err_file_.c_str());
}

bool Program::Read(steady_clock::time_point deadline) {
  auto left =
      std::chrono::duration_cast<std::chrono::milliseconds>(deadline - steady_clock::now()).count();
  pollfd wanted{out_, POLLIN, 0};
  if (left <= 0 || ::poll(&wanted, 1, static_cast<int>(left)) <= 0) return false;
  char buffer[65536];
  ssize_t got = ::read(out_, buffer, sizeof buffer);
  if (got <= 0) return false;
  out_text_.append(buffer, static_cast<size_t>(got));
  return true;
}

std::optional<nlohmann::json> Program::WaitForEvent(const std::string& event,
                                                    std::chrono::seconds timeout) {
  const auto deadline = steady_clock::now() + timeout;
  do {
    for (size_t end = out_text_.find('\n', looked_at_); end != std::string::npos;
         end = out_text_.find('\n', looked_at_)) {
      nlohmann::json line =
          nlohmann::json::parse(out_text_.substr(looked_at_, end - looked_at_), nullptr, false);
      looked_at_ = end + 1;
      if (line.is_object() && line.value("event", "") == event) return line;
    }
  } while (Read(deadline));
  return std::nullopt;
}

void Program::Signal(int signal) const { ::kill(pid_, signal); }

std::string Program::Errors() { return ReadWhole(err_file_); }

Outcome Program::Wait(std::chrono::seconds timeout) {
  Outcome outcome;
  const auto deadline = steady_clock::now() + timeout;
  while (Read(deadline)) {
  }
  int status = 0;
  pid_t ended = 0;
  while ((ended = ::waitpid(pid_, &status, WNOHANG)) == 0 && steady_clock::now() < deadline)
    ::usleep(1'000);
  if (ended == 0) {
    outcome.timed_out = true;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, &status, 0);
  }
  pid_ = -1;
  if (WIFEXITED(status)) outcome.exit_code = WEXITSTATUS(status);
  if (WIFSIGNALED(status)) outcome.signal = WTERMSIG(status);
  outcome.out = out_text_;
  outcome.err = Errors();
  outcome.took =
      std::chrono::duration_cast<std::chrono::milliseconds>(steady_clock::now() - began_);
  return outcome;
}

Outcome RunTapedeck(const Arguments& arguments, const Variables& variables,
                    const std::string& input) {
  return Program(arguments, variables, input).Wait();
}

}  // namespace tapedeck::testing
