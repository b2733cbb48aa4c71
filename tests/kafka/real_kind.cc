#include <unistd.h>

#include <array>
#include <cstdio>
#include <filesystem>
#include <fstream>

#include "kafka/clusters.h"
#include "kafka/topic_admin.h"

namespace tapedeck {
namespace {

/// Runs tests/services/kafka and gives the line that it printed.
Result<std::string> RunScript(const std::string& arguments) {
  std::string command = std::string(TD_SOURCE_DIR) + "/tests/services/kafka " + arguments + " 2>&1";
  FILE* pipe = popen(command.c_str(), "r");
  if (pipe == nullptr) return Status::Unavailable("cannot run tests/services/kafka");
  std::string output;
  std::array<char, 4096> buffer{};
  while (size_t count = fread(buffer.data(), 1, buffer.size(), pipe))
    output.append(buffer.data(), count);
  if (pclose(pipe) != 0)
    return Status::Unavailable("tests/services/kafka " + arguments + ": " + output);
  return output;
}

/// The text of a member of the script's one-line JSON object.
std::string Member(const std::string& json, const std::string& name) {
  std::string start = "\"" + name + "\": \"";
  size_t at = json.find(start);
  if (at == std::string::npos) return "";
  at += start.size();
  return json.substr(at, json.find('"', at) - at);
}

class RealForTests final : public Cluster {
 public:
  static constexpr uint32_t kCapabilities = kOffsetsByTime | kTransactions | kStaticMembership |
                                            kRecreate | kDeleteRecords | kAddPartitions | kOutage |
                                            kLogFiles | kCommitMetadata;

  RealForTests(std::string json, std::unique_ptr<TopicAdmin> admin)
      : json_(std::move(json)), admin_(std::move(admin)) {}
  ~RealForTests() override { (void)RunScript("stop " + directory()); }
  uint32_t capabilities() const override { return kCapabilities; }
  std::string bootstrap_servers() const override { return Member(json_, "bootstrap"); }
  std::string directory() const { return Member(json_, "dir"); }

  Status CreateTopic(const std::string& topic, int partitions) override {
    return admin_->CreateTopic(topic, partitions);
  }
  Status DeleteTopic(const std::string& topic) override { return admin_->DeleteTopic(topic); }
  Status AddPartitions(const std::string& topic, int partitions) override {
    return admin_->AddPartitions(topic, partitions);
  }
  Status DeleteMessagesBefore(const TopicPartition& tp, int64_t offset) override {
    return admin_->DeleteMessagesBefore(tp, offset);
  }
  Status TakeDown() override { return RunScript("kill " + directory()).status(); }
  Status TakeUp() override { return RunScript("restart " + directory()).status(); }
  Status DamageLog(const TopicPartition& tp, std::string_view marker) override {
    std::string folder = tp.topic + "-" + std::to_string(tp.partition);
    for (const auto& entry : std::filesystem::recursive_directory_iterator(directory())) {
      if (entry.path().extension() != ".log" || entry.path().parent_path().filename() != folder)
        continue;
      return FlipIn(entry.path(), marker);
    }
    return Status::NotFound("no log of " + tp.ToString());
  }

 private:
  static Status FlipIn(const std::filesystem::path& path, std::string_view marker) {
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    std::string bytes((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
    size_t at = bytes.find(marker);
    if (at == std::string::npos) return Status::NotFound("the log does not hold the marker");
    file.clear();
    file.seekp(static_cast<std::streamoff>(at));
    file.put(static_cast<char>(bytes[at] ^ 0x01));
    file.flush();
    return file.good() ? Status::Ok() : Status::Unavailable("cannot write to the log");
  }

  std::string json_;
  std::unique_ptr<TopicAdmin> admin_;
};

Result<Cluster*> SharedReal() {
  static const Result<std::unique_ptr<RealForTests>> shared =
      []() -> Result<std::unique_ptr<RealForTests>> {
    TD_ASSIGN_OR_RETURN(std::string json, RunScript("start --owner " + std::to_string(getpid())));
    TD_ASSIGN_OR_RETURN(auto admin,
                        TopicAdmin::Open({.bootstrap_servers = Member(json, "bootstrap")}));
    return std::make_unique<RealForTests>(std::move(json), std::move(admin));
  }();
  if (!shared.ok()) return shared.status();
  return shared->get();
}

}  // namespace

ClusterKind RealKind() { return {"kafka", RealForTests::kCapabilities, SharedReal}; }

}  // namespace tapedeck
