#include "support/kafka_service.h"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <stdexcept>
#include <string_view>

#include "support/source_dir.h"

extern char** environ;

namespace tapedeck::testing {
namespace {

using nlohmann::json;

// Above the patience of the client itself (produce: 120 s), so that its own words arrive.
constexpr int kAnswerTimeoutMs = 150'000;

std::string ServicePath(const std::string& name) { return SourceDir() + "/tests/services/" + name; }

struct Output {
  int exit_code = -1;
  std::string out;
  std::string err;
};

std::string ReadAll(int fd) {
  std::string text;
  std::array<char, 1 << 14> buffer{};
  ::lseek(fd, 0, SEEK_SET);
  for (ssize_t got = 0; (got = ::read(fd, buffer.data(), buffer.size())) > 0;)
    text.append(buffer.data(), got);
  return text;
}

std::vector<char*> Pointers(std::vector<std::string>& words) {
  std::vector<char*> pointers;
  for (std::string& word : words) pointers.push_back(word.data());
  pointers.push_back(nullptr);
  return pointers;
}

/// Runs a program to its end. Its output goes through memory, so that no pipe can fill up.
Output Run(std::vector<std::string> words) {
  Output output;
  const int out = ::memfd_create("out", MFD_CLOEXEC);
  const int err = ::memfd_create("err", MFD_CLOEXEC);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, out, 1);
  posix_spawn_file_actions_adddup2(&actions, err, 2);
  pid_t pid = -1;
  const int error =
      ::posix_spawn(&pid, words[0].c_str(), &actions, nullptr, Pointers(words).data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (error != 0) {
    output.err = words[0] + ": " + std::strerror(error);
  } else {
    int status = 0;
    while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    output.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    output.out = ReadAll(out);
    output.err = ReadAll(err);
  }
  ::close(out);
  ::close(err);
  return output;
}

constexpr std::string_view kBase64 =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

std::string ToBase64(std::string_view bytes) {
  std::string text;
  text.reserve((bytes.size() + 2) / 3 * 4);
  for (size_t i = 0; i < bytes.size(); i += 3) {
    const size_t count = std::min<size_t>(3, bytes.size() - i);
    uint32_t group = 0;
    for (size_t j = 0; j < 3; ++j)
      group = group << 8 | (j < count ? static_cast<uint8_t>(bytes[i + j]) : 0);
    for (size_t j = 0; j < 4; ++j) text += j <= count ? kBase64[group >> (18 - 6 * j) & 63] : '=';
  }
  return text;
}

std::string FromBase64(std::string_view text) {
  static const std::array<int8_t, 256> kValues = [] {
    std::array<int8_t, 256> values{};
    values.fill(-1);
    for (size_t i = 0; i < kBase64.size(); ++i)
      values[static_cast<uint8_t>(kBase64[i])] = static_cast<int8_t>(i);
    return values;
  }();
  std::string bytes;
  bytes.reserve(text.size() / 4 * 3);
  uint32_t group = 0;
  int bits = 0;
  for (const char c : text) {
    if (c == '=') break;
    const int value = kValues[static_cast<uint8_t>(c)];
    if (value < 0) throw std::runtime_error("not base64: " + std::string(text));
    group = group << 6 | static_cast<uint32_t>(value);
    bits += 6;
    if (bits >= 8) bytes += static_cast<char>(group >> (bits -= 8) & 0xff);
  }
  return bytes;
}

json Encoded(const std::optional<std::string>& bytes) {
  return bytes ? json(ToBase64(*bytes)) : json(nullptr);
}

std::optional<std::string> Decoded(const json& text) {
  if (text.is_null()) return std::nullopt;
  return FromBase64(text.get_ref<const std::string&>());
}

json ToLine(const ClientMessage& message, const std::string& transaction) {
  json line = {{"topic", message.topic},
               {"key_b64", Encoded(message.key)},
               {"value_b64", Encoded(message.value)}};
  if (message.partition) line["partition"] = *message.partition;
  if (message.timestamp) line["timestamp"] = *message.timestamp;
  if (!transaction.empty()) line["txn"] = transaction;
  for (const auto& [name, value] : message.headers)
    line["headers"].push_back(json::array({name, Encoded(value)}));
  return line;
}

ClientMessage FromLine(const std::string& topic, const json& line) {
  ClientMessage message{.topic = topic,
                        .partition = line.at("partition"),
                        .offset = line.at("offset"),
                        .timestamp = line.at("timestamp").get<int64_t>(),
                        .ts_type = line.at("ts_type"),
                        .key = Decoded(line.at("key_b64")),
                        .value = Decoded(line.at("value_b64")),
                        .headers = {}};
  for (const json& header : line.at("headers"))
    message.headers.emplace_back(header.at(0), Decoded(header.at(1)));
  return message;
}

}  // namespace

// --- KafkaAdmin

KafkaAdmin::KafkaAdmin(std::string bootstrap_servers)
    : bootstrap_servers_(std::move(bootstrap_servers)) {}

KafkaAdmin::~KafkaAdmin() {
  if (pid_ < 0) return;
  ::close(socket_);  // The tool ends when its input does.
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
}

void KafkaAdmin::Spawn() {
  std::array<int, 2> ends{};
  // A socket, not two pipes: writing to one whose other end has died is an error and no signal.
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0) {
    throw std::runtime_error(std::string("socketpair: ") + std::strerror(errno));
  }
  std::vector<std::string> words = {ServicePath("kafka-admin"), "--bootstrap", bootstrap_servers_,
                                    "serve"};
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, ends[1], 0);
  posix_spawn_file_actions_adddup2(&actions, ends[1], 1);
  const int error =
      ::posix_spawn(&pid_, words[0].c_str(), &actions, nullptr, Pointers(words).data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  ::close(ends[1]);
  socket_ = ends[0];
  if (error == 0) return;
  pid_ = -1;
  ::close(socket_);
  throw std::runtime_error(words[0] + ": " + std::strerror(error));
}

std::string KafkaAdmin::ReadLine() {
  std::array<char, 1 << 16> buffer{};
  for (size_t searched = 0;;) {
    const size_t end = read_ahead_.find('\n', searched);
    if (end != std::string::npos) {
      std::string line = read_ahead_.substr(0, end);
      read_ahead_.erase(0, end + 1);
      return line;
    }
    searched = read_ahead_.size();
    pollfd ready{.fd = socket_, .events = POLLIN, .revents = 0};
    if (::poll(&ready, 1, kAnswerTimeoutMs) == 0)
      throw std::runtime_error("kafka-admin does not answer");
    const ssize_t got = ::recv(socket_, buffer.data(), buffer.size(), 0);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0)
      throw std::runtime_error("kafka-admin has ended; its words are on standard error");
    read_ahead_.append(buffer.data(), static_cast<size_t>(got));
  }
}

json KafkaAdmin::Call(const json& command) {
  if (pid_ < 0) Spawn();
  const std::string line = command.dump() + "\n";
  for (size_t sent = 0; sent < line.size();) {
    const ssize_t count = ::send(socket_, line.data() + sent, line.size() - sent, MSG_NOSIGNAL);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) throw std::runtime_error(std::string("kafka-admin: ") + std::strerror(errno));
    sent += static_cast<size_t>(count);
  }
  json answer = json::parse(ReadLine());
  if (!answer.at("ok").get<bool>()) {
    throw std::runtime_error(command.at("cmd").get<std::string>() + ": " +
                             answer.at("error").get<std::string>());
  }
  return answer;
}

void KafkaAdmin::CreateTopic(const std::string& topic, int partitions,
                             const std::map<std::string, std::string>& config) {
  Call({{"cmd", "create-topic"}, {"topic", topic}, {"partitions", partitions}, {"config", config}});
}

void KafkaAdmin::DeleteTopic(const std::string& topic) {
  Call({{"cmd", "delete-topic"}, {"topic", topic}});
}

void KafkaAdmin::AddPartitions(const std::string& topic, int total) {
  Call({{"cmd", "add-partitions"}, {"topic", topic}, {"partitions", total}});
}

void KafkaAdmin::DeleteRecords(const std::string& topic, int32_t partition, int64_t before) {
  Call({{"cmd", "delete-records"}, {"topic", topic}, {"partition", partition}, {"before", before}});
}

void KafkaAdmin::AlterConfig(const std::string& topic,
                             const std::map<std::string, std::string>& config) {
  Call({{"cmd", "alter-config"}, {"topic", topic}, {"config", config}});
}

std::vector<std::pair<int64_t, int64_t>> KafkaAdmin::Offsets(const std::string& topic) {
  std::vector<std::pair<int64_t, int64_t>> offsets;
  const json answer = Call({{"cmd", "describe"}, {"topic", topic}});
  for (const json& row : answer.at("partitions"))
    offsets.emplace_back(row.at("begin"), row.at("end"));
  return offsets;
}

std::vector<ClientOffset> KafkaAdmin::Produce(const std::vector<ClientMessage>& messages,
                                              const std::string& transaction) {
  // Some MB to the line: the tool holds a line in memory as text and as a tree.
  constexpr size_t kLineBytesMax = 8'000'000;
  std::vector<ClientOffset> offsets;
  for (size_t next = 0; next < messages.size();) {
    json lines = json::array();
    for (size_t bytes = 0; next < messages.size() && bytes < kLineBytesMax; ++next) {
      bytes += 200 + messages[next].value.value_or("").size();
      lines.push_back(ToLine(messages[next], transaction));
    }
    const json answer = Call({{"cmd", "produce"}, {"lines", std::move(lines)}, {"offsets", true}});
    for (const json& where : answer.at("offsets")) offsets.push_back({where.at(0), where.at(1)});
  }
  return offsets;
}

void KafkaAdmin::Begin(const std::string& transaction) {
  Call({{"cmd", "produce"}, {"lines", {{{"txn", transaction}, {"begin", true}}}}});
}

void KafkaAdmin::Commit(const std::string& transaction) {
  Call({{"cmd", "produce"}, {"lines", {{{"txn", transaction}, {"commit", true}}}}});
}

void KafkaAdmin::Abort(const std::string& transaction) {
  Call({{"cmd", "produce"}, {"lines", {{{"txn", transaction}, {"abort", true}}}}});
}

std::vector<ClientMessage> KafkaAdmin::Dump(const std::string& topic) {
  const char* folder = std::getenv("TMPDIR");
  std::string path = std::string(folder != nullptr ? folder : "/tmp") + "/tapedeck-dump-XXXXXX";
  const int fd = ::mkstemp(path.data());
  if (fd < 0) throw std::runtime_error(path + ": " + std::strerror(errno));
  ::close(fd);
  std::vector<ClientMessage> messages;
  try {
    Call({{"cmd", "dump"}, {"topic", topic}, {"file", path}});
    std::ifstream file(path);
    for (std::string line; std::getline(file, line);)
      messages.push_back(FromLine(topic, json::parse(line)));
  } catch (...) {
    ::unlink(path.c_str());
    throw;
  }
  ::unlink(path.c_str());
  std::stable_sort(messages.begin(), messages.end(),
                   [](const ClientMessage& a, const ClientMessage& b) {
                     return std::pair(a.partition, a.offset) < std::pair(b.partition, b.offset);
                   });
  return messages;
}

// --- KafkaService

KafkaService::KafkaService(json info)
    : info_(std::move(info)),
      admin_(std::make_unique<KafkaAdmin>(info_.at("bootstrap").get<std::string>())) {}

KafkaService::~KafkaService() {
  admin_.reset();
  if (info_.at("dir").is_null()) return;  // named by TAPEDECK_KAFKA: not ours to stop
  const Output output = Run({ServicePath("kafka"), "stop", info_.at("dir")});
  if (output.exit_code != 0) std::fprintf(stderr, "%s", output.err.c_str());
}

std::unique_ptr<KafkaService> KafkaService::Start(const Options& options, std::string* why) {
  std::vector<std::string> words = {ServicePath("kafka"), "start", "--quick", "--owner",
                                    std::to_string(::getpid())};
  words.insert(words.end(), {"--brokers", std::to_string(options.brokers)});
  if (!options.version.empty()) words.insert(words.end(), {"--version", options.version});
  for (const std::string& property : options.properties)
    words.insert(words.end(), {"--property", property});
  if (options.is_secure) words.push_back("--secure");
  const Output output = Run(std::move(words));
  if (output.exit_code == 0)
    return std::unique_ptr<KafkaService>(new KafkaService(json::parse(output.out)));
  *why = output.err;
  return nullptr;
}

KafkaService* KafkaService::Shared(std::string* why) {
  static std::string why_not;
  static const std::unique_ptr<KafkaService> service = [] {
    if (std::getenv("TAPEDECK_KAFKA") == nullptr) return Start({}, &why_not);
    const Output output = Run({ServicePath("kafka"), "start", "--shared"});
    why_not = output.err;
    return std::unique_ptr<KafkaService>(
        output.exit_code == 0 ? new KafkaService(json::parse(output.out)) : nullptr);
  }();
  *why = why_not;
  return service.get();
}

bool KafkaService::IsRequired() {
  for (const char* name : {"TAPEDECK_REQUIRE_SERVICES", "CI"}) {
    const char* value = std::getenv(name);
    if (value != nullptr && *value != '\0' && std::string_view(value) != "0" &&
        std::string_view(value) != "false") {
      return true;
    }
  }
  return false;
}

void KafkaService::Control(const std::string& command, int broker) {
  if (info_.at("dir").is_null())
    throw std::runtime_error("kafka " + command + ": TAPEDECK_KAFKA is not ours");
  std::vector<std::string> words = {ServicePath("kafka"), command, info_.at("dir")};
  if (command == "stop") words.push_back("--keep");
  if (broker > 0) words.insert(words.end(), {"--broker", std::to_string(broker)});
  const Output output = Run(std::move(words));
  if (output.exit_code != 0) throw std::runtime_error(output.err);
  if (command == "restart") info_.update(json::parse(output.out));
}

void KafkaService::Kill(int broker) { Control("kill", broker); }
void KafkaService::Stop(int broker) { Control("stop", broker); }
void KafkaService::Restart(int broker) { Control("restart", broker); }
void KafkaService::Pause(int broker) { Control("pause", broker); }
void KafkaService::Resume(int broker) { Control("resume", broker); }

void KafkaService::SaveData(const std::string& name) {
  const Output output = Run({ServicePath("kafka"), "save", info_.at("dir"), name});
  if (output.exit_code != 0) throw std::runtime_error(output.err);
}

void KafkaService::RestoreData(const std::string& name) {
  const Output output = Run({ServicePath("kafka"), "restore", info_.at("dir"), name});
  if (output.exit_code != 0) throw std::runtime_error(output.err);
}

}  // namespace tapedeck::testing
