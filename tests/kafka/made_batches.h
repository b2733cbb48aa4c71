#ifndef TAPEDECK_TESTS_KAFKA_MADE_BATCHES_H_
#define TAPEDECK_TESTS_KAFKA_MADE_BATCHES_H_

// Record batches of Kafka's format 2 as bytes, and a broker of our own that answers fetches from
// them: for the ways of an answer that a real broker takes only by chance.

#include <atomic>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace tapedeck::testing {

struct MadeRecord {
  int64_t offset = 0;
  int64_t time_ms = 0;
  std::optional<std::string> key;
  std::optional<std::string> value;
  std::vector<std::pair<std::string, std::optional<std::string>>> headers;
};

struct MadeBatch {
  int64_t base = 0;
  int64_t next = 0;  // behind the last offset, which compaction may have taken away
  uint16_t attributes = 0;
  int64_t base_ms = 0;
  int64_t max_ms = 0;
  std::vector<MadeRecord> records;
};

/// The whole batch with its checksum.
std::string BatchBytes(const MadeBatch& batch);
/// Puts the right checksum into a batch whose bytes were changed.
void Reseal(std::string* batch);

/// Answers Fetch 4 on a port of its own. Thread-safe.
class FakeBroker {
 public:
  FakeBroker();
  ~FakeBroker();
  FakeBroker(const FakeBroker&) = delete;
  FakeBroker& operator=(const FakeBroker&) = delete;

  int port() const { return port_; }
  void Add(int32_t partition, const MadeBatch& batch);
  /// Record sets are cut off after so many bytes, in the middle of a batch, unless it is the first.
  void CutSetsAt(size_t bytes) { cut_ = bytes; }
  /// Ends are told as they were so many offsets ago, as brokers do that look them up before the
  /// messages.
  void TellEndsLate(int64_t by) { late_ = by; }
  /// Answers leave in parts of so many bytes.
  void SendInPartsOf(size_t bytes) { part_ = bytes; }
  /// The next answers hold this error for each partition.
  void Fail(int16_t error) { error_ = error; }
  /// Connections are closed instead of an answer.
  void HangUp() { hang_up_ = true; }
  int fetches() const { return fetches_; }

 private:
  struct Stored {
    int64_t next;
    std::string bytes;
  };
  void Serve(int fd);
  std::string Answer(const std::string& request);

  int listen_ = -1;
  int port_ = 0;
  std::atomic<size_t> cut_{SIZE_MAX}, part_{SIZE_MAX};
  std::atomic<int64_t> late_{0};
  std::atomic<int16_t> error_{0};
  std::atomic<bool> hang_up_{false}, stop_{false};
  std::atomic<int> fetches_{0};
  std::mutex mutex_;
  std::map<int32_t, std::vector<Stored>> logs_;  // guarded by mutex_
  std::vector<int> connections_;                 // guarded by mutex_
  std::vector<std::thread> threads_;
  std::thread accepting_;
};

}  // namespace tapedeck::testing

#endif  // TAPEDECK_TESTS_KAFKA_MADE_BATCHES_H_
