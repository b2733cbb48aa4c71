#ifndef TAPEDECK_TESTS_SUPPORT_KAFKA_SERVICE_H_
#define TAPEDECK_TESTS_SUPPORT_KAFKA_SERVICE_H_

// KafkaService, KafkaAdmin: a real Apache Kafka for tests, and an independent client that shares no
// code with ours.
//
//   TEST(Recording, SurvivesABrokerOutage) {
//     TD_START_KAFKA(kafka, {});                          // skips, or fails in CI, where none can
//     run KafkaAdmin& admin = kafka->admin(); admin.CreateTopic("prices", 12);
//     admin.Produce({{.topic = "prices", .partition = 3, .value = "{}"}});
//     kafka->Kill();  kafka->Restart();                   // same port, same data
//     for (const ClientMessage& m : admin.Dump("prices")) ...
//   }
//
// A broker of one's own costs about 3 s. Tests that neither disturb the broker nor count all its
// topics take the program's shared one: TD_SHARED_KAFKA(kafka). It is the broker that
// TAPEDECK_KAFKA=host:port names, if that is set; then there is nothing to kill.
//
// Brokers are started by tests/services/kafka, which also removes them when the test program is
// gone, however it ended. Errors: std::runtime_error with the script's or the client's words (a
// failure of the test); only a service that cannot be started at all is a skip, and where
// TAPEDECK_REQUIRE_SERVICES or CI is set a failure. Owned by one thread.

#include <gtest/gtest.h>

#include <cstdint>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace tapedeck::testing {

/// A message as the independent client sends or sees it. Absent and empty differ.
struct ClientMessage {
  std::string topic;
  std::optional<int32_t> partition;  // sending: absent lets the client choose
  int64_t offset = -1;               // seen only
  std::optional<int64_t> timestamp;  // ms; sending: absent means now
  std::string ts_type = "create";    // seen only: create, append, none
  std::optional<std::string> key;
  std::optional<std::string> value;
  std::vector<std::pair<std::string, std::optional<std::string>>> headers;

  bool operator==(const ClientMessage&) const = default;
};

struct ClientOffset {
  int32_t partition = -1;
  int64_t offset = -1;
  bool operator==(const ClientOffset&) const = default;
};

/// One JVM that answers commands. Starts at the first command; ends with this object.
class KafkaAdmin {
 public:
  explicit KafkaAdmin(std::string bootstrap_servers);
  ~KafkaAdmin();
  KafkaAdmin(const KafkaAdmin&) = delete;
  KafkaAdmin& operator=(const KafkaAdmin&) = delete;

  /// Any command of tests/services/java/Admin.java, its "ok" checked.
  nlohmann::json Call(const nlohmann::json& command);

  /// Returns when every partition has a leader.
  void CreateTopic(const std::string& topic, int partitions,
                   const std::map<std::string, std::string>& config = {});
  /// Returns when the broker no longer knows it.
  void DeleteTopic(const std::string& topic);
  void AddPartitions(const std::string& topic, int total);
  /// Deletes offsets [0, before).
  void DeleteRecords(const std::string& topic, int32_t partition, int64_t before);
  void AlterConfig(const std::string& topic, const std::map<std::string, std::string>& config);
  /// [begin, end) of each partition.
  std::vector<std::pair<int64_t, int64_t>> Offsets(const std::string& topic);

  /// Sends and waits for the acknowledgements; offsets in the order given. With a transaction name
  /// the messages go into that transaction, which Begin has started and which Commit or Abort ends.
  std::vector<ClientOffset> Produce(const std::vector<ClientMessage>& messages,
                                    const std::string& transaction = "");
  void Begin(const std::string& transaction);
  void Commit(const std::string& transaction);
  /// What was produced gets offsets that no read_committed consumer is shown.
  void Abort(const std::string& transaction);

  /// All messages up to the end offsets of this moment (committed ones), by partition, then offset.
  std::vector<ClientMessage> Dump(const std::string& topic);

 private:
  void Spawn();
  std::string ReadLine();

  const std::string bootstrap_servers_;
  int pid_ = -1;
  int socket_ = -1;
  std::string read_ahead_;
};

class KafkaService {
 public:
  struct Options {
    int brokers = 1;
    std::string version;                  // empty: KAFKA_VERSION of tests/services/versions.env
    std::vector<std::string> properties;  // "key=value" of the broker's configuration
    bool is_secure = false;               // TLS and SASL listeners beside the plain one
  };

  /// A broker of one's own; null and `why` where none can be started.
  static std::unique_ptr<KafkaService> Start(const Options& options, std::string* why);
  /// The program's shared broker; null and `why` where none can be started. Lives as long as the
  /// program.
  static KafkaService* Shared(std::string* why);
  /// Whether a missing service is a failure here rather than a reason to skip.
  static bool IsRequired();

  ~KafkaService();
  KafkaService(const KafkaService&) = delete;
  KafkaService& operator=(const KafkaService&) = delete;

  /// host:port[,host:port...] without encryption.
  std::string bootstrap_servers() const { return info_.at("bootstrap"); }
  /// What the script printed: pid, dir, libs, brokers, and with is_secure also
  /// secure.{sasl_ssl,ssl,sasl_plaintext,ca,certificate,key,username,password}.
  const nlohmann::json& info() const { return info_; }
  KafkaAdmin& admin() { return *admin_; }

  /// `broker`: 1..N, or 0 for all.
  void Kill(int broker = 0);  // SIGKILL
  void Stop(int broker = 0);  // SIGTERM: an orderly outage
  void Restart(
      int broker = 0);  // stops where it still runs; returns when it answers. Same ports, same data
  void Pause(int broker = 0);  // SIGSTOP: connections stay open, nothing answers
  void Resume(int broker = 0);
  /// Copies the data away and back, while all brokers are down: a log that has lost its tail.
  void SaveData(const std::string& name);
  void RestoreData(const std::string& name);

 private:
  explicit KafkaService(nlohmann::json info);
  void Control(const std::string& command, int broker);

  nlohmann::json info_;
  std::unique_ptr<KafkaAdmin> admin_;
};

}  // namespace tapedeck::testing

#define TD_KAFKA_OR_SKIP_(name, why)                                              \
  if (name == nullptr && ::tapedeck::testing::KafkaService::IsRequired()) {       \
    FAIL() << "this test needs a Kafka, and services are required here: " << why; \
  }                                                                               \
  if (name == nullptr) GTEST_SKIP() << "no Kafka for this test: " << why

/// Defines `name`, a std::unique_ptr<KafkaService> of the test's own. The options stand in braces.
#define TD_START_KAFKA(name, ...)                                           \
  std::string name##_why;                                                   \
  auto name = ::tapedeck::testing::KafkaService::Start(                     \
      ::tapedeck::testing::KafkaService::Options __VA_ARGS__, &name##_why); \
  TD_KAFKA_OR_SKIP_(name, name##_why)

/// Defines `name`, a KafkaService* that the program's tests share.
#define TD_SHARED_KAFKA(name)                                          \
  std::string name##_why;                                              \
  auto* name = ::tapedeck::testing::KafkaService::Shared(&name##_why); \
  TD_KAFKA_OR_SKIP_(name, name##_why)

#endif  // TAPEDECK_TESTS_SUPPORT_KAFKA_SERVICE_H_
