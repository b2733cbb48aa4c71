// Small keep-alive answers of our server against nginx with one worker that returns a constant, and
// one long stream against a file that nginx sends. Both servers have one core, wrk the other.
//
//   http_bench                 skips (exit 0) where nginx or wrk are not installed
//   http_bench serve           the side that is measured: prints its address and stays

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <memory>

#include "bench/bench_util.h"
#include "http/server.h"

extern char** environ;

namespace tapedeck {
namespace {

namespace fs = std::filesystem;

constexpr const char* kBody = R"({"status":"ok"})";
constexpr size_t kStreamBytes = size_t{64} << 20;
constexpr size_t kPieceBytes = size_t{512} << 10;

class Pieces final : public ResponseBody {
 public:
  Result<Step> Next(std::string* out) override {
    out->resize(out->size() + kPieceBytes, 'x');
    done_ += kPieceBytes;
    return done_ == kStreamBytes ? Step::kEnd : Step::kMore;
  }

 private:
  size_t done_ = 0;
};

class Constant final : public HttpHandler {
 public:
  bool IsQuick(const HttpRequest& request) const override { return request.path != "/stream"; }
  HttpResponse Handle(const HttpRequest& request) override {
    if (request.path != "/stream") return HttpResponse::Text(200, "application/json", kBody);
    HttpResponse response;
    response.Set("Content-Type", "application/octet-stream");
    response.stream = std::make_unique<Pieces>();
    return response;
  }
  HttpResponse Problem(int status, const std::string& detail,
                       const HttpRequest&) noexcept override {
    return HttpResponse::Text(status, "text/plain", detail);
  }
};

int Serve() {
  Constant handler;
  HttpServerOptions options;
  options.listen = "127.0.0.1:0";
  auto server = HttpServer::Start(options, &handler);
  if (!server.ok()) {
    std::fprintf(stderr, "%s\n", server.status().ToString().c_str());
    return 2;
  }
  std::printf("%s\n", (*server)->address().c_str());
  std::fflush(stdout);
  while (true) pause();
}

std::string FirstLineOf(const std::string& command) {
  std::string line(256, '\0');
  FILE* pipe = popen(command.c_str(), "r");
  if (pipe == nullptr) return "";
  bool has_line = std::fgets(line.data(), static_cast<int>(line.size()), pipe) != nullptr;
  pclose(pipe);
  line.resize(has_line ? std::strcspn(line.c_str(), "\n") : 0);
  return line;
}

[[noreturn]] void Fail(const std::string& why) {
  std::fprintf(stderr, "http_bench: %s\n", why.c_str());
  std::exit(2);
}

/// A program on the first core; it ends with this one, however that ends.
class Side {
 public:
  explicit Side(const std::vector<std::string>& command) {
    std::vector<std::string> words = {"setpriv", "--pdeathsig", "TERM", "taskset", "-c", "0"};
    words.insert(words.end(), command.begin(), command.end());
    std::vector<char*> arguments;
    for (std::string& word : words) arguments.push_back(word.data());
    arguments.push_back(nullptr);
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) Fail("no pipe");
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    int error = posix_spawnp(&process_, "setpriv", &actions, nullptr, arguments.data(), environ);
    posix_spawn_file_actions_destroy(&actions);
    close(ends[1]);
    output_ = fdopen(ends[0], "r");
    if (error != 0) Fail(command[0] + " does not start");
  }
  ~Side() {
    kill(process_, SIGTERM);
    waitpid(process_, nullptr, 0);
    std::fclose(output_);
  }
  Side(const Side&) = delete;

  std::string FirstLine() {
    char line[128] = "";
    if (std::fgets(line, sizeof(line), output_) == nullptr) Fail("a side printed nothing");
    return {line, std::strcspn(line, "\n")};
  }

 private:
  pid_t process_ = -1;
  FILE* output_ = nullptr;
};

// nginx says nothing when it is ready, and on a busy machine that takes a while.
void WaitForListener(const std::string& address) {
  const size_t colon = address.rfind(':');
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(static_cast<uint16_t>(std::stoi(address.substr(colon + 1))));
  inet_pton(AF_INET, address.substr(0, colon).c_str(), &to.sin_addr);
  for (int tries = 0; tries < 1'000; ++tries) {
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) Fail("no socket");
    const bool listens = connect(fd, reinterpret_cast<const sockaddr*>(&to), sizeof(to)) == 0;
    close(fd);
    if (listens) return;
    usleep(10'000);
  }
  Fail("nobody listens on " + address + " after ten seconds");
}

/// What nginx needs, in a folder of its own.
class NginxFolder {
 public:
  NginxFolder() {
    std::string name = fs::temp_directory_path() / "http_bench.XXXXXX";
    if (mkdtemp(name.data()) == nullptr) Fail("no temporary folder");
    folder_ = name;
    fs::permissions(folder_, fs::perms(0755));
    std::ofstream(folder_ / "stream") << std::string(kStreamBytes, 'x');
    // A port that was free a moment ago.
    Constant handler;
    HttpServerOptions options;
    options.listen = "127.0.0.1:0";
    auto probe = HttpServer::Start(options, &handler);
    if (!probe.ok()) Fail("no free port");
    address_ = (*probe)->address();
    probe->reset();
    std::ofstream(folder_ / "nginx.conf")
        << "worker_processes 1; daemon off; pid nginx.pid; error_log stderr crit;\n"
        << "events { worker_connections 1024; multi_accept on; }\n"
        << "http { access_log off; keepalive_requests 1000000000; keepalive_timeout 600;\n"
        << "sendfile on; default_type application/json;\n"
        << "client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi;\n"
        << "uwsgi_temp_path uwsgi; scgi_temp_path scgi;\n"
        << "server { listen " << address_ << "; root " << folder_.string() << ";\n"
        << "location = /livez { return 200 '" << kBody << "'; } } }\n";
  }
  ~NginxFolder() { fs::remove_all(folder_); }
  NginxFolder(const NginxFolder&) = delete;
  const std::string& address() const { return address_; }
  std::vector<std::string> Command(const std::string& program) const {
    return {program, "-p", folder_.string(), "-c", (folder_ / "nginx.conf").string()};
  }

 private:
  fs::path folder_;
  std::string address_;
};

struct Load {
  double requests_per_s = 0;
  double bytes_per_s = 0;
  double p99_ms = 0;
};

double Scaled(const std::string& text) {
  double value = std::strtod(text.c_str(), nullptr);
  if (text.find("GB") != std::string::npos) return value * (1 << 30);
  if (text.find("MB") != std::string::npos) return value * (1 << 20);
  if (text.find("us") != std::string::npos) return value / 1000;
  if (text.ends_with("s") && !text.ends_with("ms")) return value * 1000;
  return value;
}

Load Wrk(const std::string& address, const std::string& path, int connections) {
  std::string command = "taskset -c 1 wrk --latency -t1 -d1 -c" + std::to_string(connections) +
                        " http://" + address + path + " 2>&1";
  FILE* pipe = popen(command.c_str(), "r");
  if (pipe == nullptr) Fail("wrk does not start");
  char line[512];
  std::string all;
  Load load;
  while (std::fgets(line, sizeof(line), pipe) != nullptr) {
    std::string text = line;
    text.erase(text.find_last_not_of(" \n") + 1);
    all += text + "\n";
    size_t colon = text.find(':');
    if (text.starts_with("Requests/sec:")) load.requests_per_s = Scaled(text.substr(colon + 1));
    if (text.starts_with("Transfer/sec:")) load.bytes_per_s = Scaled(text.substr(colon + 1));
    size_t p99 = text.find("99%");
    if (p99 != std::string::npos) load.p99_ms = Scaled(text.substr(p99 + 3));
    if (text.find("Non-2xx") != std::string::npos) Fail("an answer was no 200: " + text);
  }
  if (pclose(pipe) != 0 || load.requests_per_s <= 0) Fail("wrk failed:\n" + all);
  return load;
}

int Compare(const std::string& self) {
  bench::Begin("http: small keep-alive answers and one stream, against nginx with one worker");
  std::string nginx_program = FirstLineOf("PATH=$PATH:/usr/sbin command -v nginx");
  if (nginx_program.empty() || FirstLineOf("command -v wrk").empty()) {
    std::printf("skipped: needs nginx (nginx-light) and wrk\n");
    return 0;
  }
  NginxFolder folder;
  const std::string theirs = folder.address();
  Side nginx(folder.Command(nginx_program));
  Side own({self, "serve"});
  const std::string ours = own.FirstLine();
  WaitForListener(theirs);
  struct Kind {
    const char* name;
    const char* path;
    int connections;
    bool by_bytes;
    bench::Bar bar;
  };
  for (const Kind& kind :
       {Kind{"requests per second, 64 connections", "/livez", 64, false, bench::Bar::AtLeast(0.8)},
        Kind{"requests per second, 1 connection", "/livez", 1, false, bench::Bar::None()},
        Kind{"bytes per second, one reader of 64 MiB", "/stream", 1, true, bench::Bar::None()}}) {
    std::vector<double> ratios, our_rate, p99;
    Wrk(theirs, kind.path, kind.connections);
    for (int pair = 0; pair < bench::kPairs; ++pair) {
      Load first = Wrk(pair % 2 == 0 ? ours : theirs, kind.path, kind.connections);
      Load second = Wrk(pair % 2 == 0 ? theirs : ours, kind.path, kind.connections);
      if (pair % 2 != 0) std::swap(first, second);
      double rate = kind.by_bytes ? first.bytes_per_s : first.requests_per_s;
      ratios.push_back(rate / (kind.by_bytes ? second.bytes_per_s : second.requests_per_s));
      our_rate.push_back(rate);
      p99.push_back(first.p99_ms / std::max(second.p99_ms, 1e-6));
    }
    std::printf("%s: %.0f\n", kind.name, bench::Median(our_rate));
    std::fflush(stdout);
    bench::Print("ours over nginx", bench::SpreadOf(ratios), kind.bar);
    if (!kind.by_bytes) bench::Print("p99 of the latency, ours over nginx", bench::SpreadOf(p99));
  }
  return bench::End();
}

}  // namespace
}  // namespace tapedeck

int main(int argc, char** argv) {
  if (argc > 1 && std::strcmp(argv[1], "serve") == 0) return tapedeck::Serve();
  return tapedeck::Compare(std::filesystem::read_symlink("/proc/self/exe"));
}
