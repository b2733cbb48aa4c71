#ifndef TAPEDECK_RECORD_RECORD_METRICS_H_
#define TAPEDECK_RECORD_RECORD_METRICS_H_

// RecordMetrics: what the record journey counts for /metrics since the process started.
//
// What a message brings is counted with the open batch, and shows only once that batch is durable;
// a batch that is dropped (its partitions were lost) counts nothing.
//
//   RecordMetrics metrics(parts.metrics, &tables);
//   RecordMetrics::Topic* topic = metrics.ForTopic("Finhub1");
//   topic->Message(message.PayloadBytes());
//   topic->Record(table);
//   metrics.Cut();                            // the batch that is open now
//   metrics.Committed({received, cut, now});  // it is durable
//
// Owned by the record thread; the Metrics are read by any.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/metrics.h"
#include "model/stored.h"
#include "model/table.h"

namespace tapedeck {

/// What came of a hole of several offsets: the broker was asked once more, or was not.
enum class HoleCheck : uint8_t {
  kEmpty,      // nothing is there: aborted messages, or compaction
  kFound,      // the client had left messages out
  kFailed,     // the broker did not answer
  kUnchecked,  // checks had taken their share of the time
};

/// When the steps of one commit were.
struct CommitTimes {
  MonotonicTime received{0};  // its first message
  MonotonicTime cut{0};       // nothing more was added
  MonotonicTime durable{0};
};

class RecordMetrics {
 public:
  class Topic {
   public:
    void Message(size_t bytes) {
      ++open_.messages;
      open_.bytes += bytes;
    }
    void Record(TableId table) {
      const auto index = static_cast<size_t>(table);
      if (index >= open_.records.size()) open_.records.resize(index + 1);
      ++open_.records[index];
    }
    void Refused(std::string_view reason) { Add(&open_.refused, reason); }
    void Skipped(std::string_view reason) { Add(&open_.skipped, reason); }
    /// On the tape, although its header says that some replay has sent it.
    void Replayed() { ++open_.replayed; }

   private:
    friend class RecordMetrics;
    using Reasons = std::map<std::string, uint64_t, std::less<>>;
    struct Counts {
      uint64_t messages = 0, bytes = 0, replayed = 0;
      std::vector<uint64_t> records;  // by table
      Reasons refused, skipped;       // a mapping has few reasons
    };
    static void Add(Reasons* reasons, std::string_view reason);

    std::string name_;
    Counts open_;
    std::optional<Counts> cut_;
    std::optional<Counter> messages_, bytes_;
    std::vector<std::optional<Counter>> records_;
  };

  /// `metrics` null: counts for nobody. Both outlive it.
  RecordMetrics(Metrics* metrics, const TableRegistry* tables);

  /// Stays where it is.
  Topic* ForTopic(const std::string& name);
  void Cut();
  void Committed(const CommitTimes& times);
  /// What is open, and what was cut and is not durable, comes to nothing.
  void Discard();

  void Flushed(std::chrono::nanoseconds took) { flush_seconds_->Observe(Seconds(took)); }
  void Stalled(std::chrono::nanoseconds waited) { stall_seconds_->IncrementBy(Seconds(waited)); }
  void Gap(const std::string& topic, GapReason reason);
  void KafkaError(const std::string& code);
  /// `found`: messages that were read again and recorded.
  void Hole(HoleCheck outcome, std::chrono::nanoseconds took = {}, uint64_t found = 0);

 private:
  static double Seconds(std::chrono::nanoseconds time) {
    return std::chrono::duration<double>(time).count();
  }
  void AddHoleCounters();
  void Count(Topic* topic);

  Metrics own_;
  Metrics* const metrics_;
  const TableRegistry* const tables_;
  std::map<std::string, std::unique_ptr<Topic>, std::less<>> topics_;
  std::optional<Histogram> commit_seconds_, to_durable_seconds_, flush_seconds_;
  std::optional<Counter> stall_seconds_, hole_seconds_, hole_messages_;
  std::map<HoleCheck, Counter> holes_;
};

}  // namespace tapedeck

#endif  // TAPEDECK_RECORD_RECORD_METRICS_H_
