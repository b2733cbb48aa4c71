#include <filesystem>
#include <fstream>

#include "kafka/clusters.h"
#include "kafka/topic_admin.h"
#include "support/kafka_service.h"

namespace tapedeck {
namespace {

class RealForTests final : public Cluster {
 public:
  static constexpr uint32_t kCapabilities = kOffsetsByTime | kTransactions | kStaticMembership |
                                            kRecreate | kDeleteRecords | kAddPartitions | kOutage |
                                            kLogFiles | kCommitMetadata | kIndependentClient;

  RealForTests(std::unique_ptr<testing::KafkaService> service, std::unique_ptr<TopicAdmin> admin)
      : service_(std::move(service)), admin_(std::move(admin)) {}
  uint32_t capabilities() const override { return kCapabilities; }
  std::string bootstrap_servers() const override { return service_->bootstrap_servers(); }
  testing::KafkaAdmin* independent_client() override { return &service_->admin(); }

  Status CreateTopic(const std::string& topic, int partitions) override {
    Status made = admin_->CreateTopic(topic, partitions);
    // On a busy machine a broker needs longer than one question waits, and may have heard it.
    for (int asked = 1; asked < 8 && made.code() == StatusCode::kUnavailable; ++asked) {
      made = admin_->CreateTopic(topic, partitions);
      if (made.code() == StatusCode::kAlreadyExists) return Status::Ok();
    }
    return made;
  }
  Status DeleteTopic(const std::string& topic) override { return admin_->DeleteTopic(topic); }
  Status AddPartitions(const std::string& topic, int partitions) override {
    return admin_->AddPartitions(topic, partitions);
  }
  Status DeleteMessagesBefore(const TopicPartition& tp, int64_t offset) override {
    return admin_->DeleteMessagesBefore(tp, offset);
  }
  Status TakeDown() override {
    service_->Kill();
    return Status::Ok();
  }
  Status TakeUp() override {
    service_->Restart();
    return Status::Ok();
  }
  Status DamageLog(const TopicPartition& tp, std::string_view marker) override {
    std::string folder = tp.topic + "-" + std::to_string(tp.partition);
    for (const auto& entry :
         std::filesystem::recursive_directory_iterator(std::string(service_->info().at("dir")))) {
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

  std::unique_ptr<testing::KafkaService> service_;
  std::unique_ptr<TopicAdmin> admin_;
};

Result<Cluster*> SharedReal() {
  // Cases kill it and damage its log: not the broker that other programs share.
  static const Result<std::unique_ptr<RealForTests>> shared =
      []() -> Result<std::unique_ptr<RealForTests>> {
    std::string why;
    auto service = testing::KafkaService::Start({}, &why);
    if (service == nullptr) return Status::Unavailable("no Kafka for this test: " + why);
    TopicAdminOptions options;
    options.bootstrap_servers = service->bootstrap_servers();
    TD_ASSIGN_OR_RETURN(auto admin, TopicAdmin::Open(options));
    return std::make_unique<RealForTests>(std::move(service), std::move(admin));
  }();
  if (!shared.ok()) return shared.status();
  return shared->get();
}

}  // namespace

ClusterKind RealKind() { return {"kafka", RealForTests::kCapabilities, SharedReal}; }

}  // namespace tapedeck
