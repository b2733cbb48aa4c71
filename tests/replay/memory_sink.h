#ifndef TAPEDECK_TESTS_REPLAY_MEMORY_SINK_H_
#define TAPEDECK_TESTS_REPLAY_MEMORY_SINK_H_

// MemoryTarget: a Kafka cluster's side of replays, in memory, with the faults that brokers have:
// one log for each partition, transactions of one transactional id, the progress in them.
//
//   MemoryTarget target(seed, {.fault_every = 40});
//   parts.open_sink = [&](const ReplayJob&) { return target.OpenSink(delivery, hook); };
//   parts.open_trail = [&](const ReplayJob& job) { return target.OpenTrail(job); };
//   …
//   target.Committed()         // what a read_committed reader finds, in the order of arrival
//
// Faults, at random from the seed: a start that times out before or after it has fenced; progress
// that cannot be read yet; a queue that stays full; a message that fails; a commit whose answer is
// lost, done or not; a commit that times out and is decided only when the next sink starts; a
// transaction that the broker has given up; a client with a fatal error; an abort that fails. After
// each but a time-out of a commit the sink is of no use, as message_sink.h says. At least once:
// what was sent arrives a little later; of what a dead sink had under way some arrives and the rest
// does not.
//
// Kill: the process is gone in the middle of whatever it did; each later call of its sinks fails
// and does nothing.
//
// Thread-safe; a sink is owned by one thread.

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/random.h"
#include "kafka/message_sink.h"
#include "replay/worker.h"

namespace tapedeck::testing {

/// A message as the log keeps it.
struct KeptMessage {
  TopicPartition tp;
  uint64_t seq = 0;
  int64_t timestamp_ms = 0;
  std::optional<std::string> key;
  std::optional<std::string> value;
  std::vector<std::pair<std::string, std::optional<std::string>>> headers;
  /// "" without the header.
  std::string Header(std::string_view name) const;
};

struct MemoryFaults {
  uint64_t fault_every = 0;  // about so many calls; 0: none
};

class MemoryTarget {
 public:
  /// Called before each call of a sink, on the worker's thread: where tests ask for things.
  using Hook = std::function<void()>;

  /// `clock` may be null: sent_at then has nothing.
  MemoryTarget(uint64_t seed, MemoryFaults faults, Clock* clock)
      : clock_(clock), random_(seed), faults_(faults) {}

  std::unique_ptr<MessageSink> OpenSink(SinkDelivery delivery, Hook hook);
  std::unique_ptr<ReplayTrail> OpenTrail(const ReplayJob& job);
  /// No more faults, and whatever was not decided is.
  void Calm();
  /// All sinks made so far belong to a process that is gone.
  void Kill();

  std::vector<KeptMessage> Committed() const;
  /// Of the partitions that hold something.
  std::map<TopicPartition, int64_t> Ends() const;
  uint64_t handed_over() const;  // the greatest sequence number that any sink was given
  uint64_t faults() const;
  /// When each message was handed over, by any sink, whatever became of it.
  std::vector<MonotonicTime> sent_at() const;

 private:
  friend class MemorySink;
  friend class MemoryTrail;
  enum class Fate : uint8_t { kOpen, kCommitted, kAborted };
  struct Entry {
    KeptMessage message;
    uint64_t transaction = 0;  // 0: none
  };
  bool Fault();
  void Decide();
  void End(Fate fate);
  bool IsShown(const Entry& entry) const;

  Clock* const clock_;
  mutable std::mutex mutex_;  // of what follows
  Random random_;
  MemoryFaults faults_;
  uint64_t faults_hit_ = 0;
  uint64_t epoch_ = 0;         // of the sink that is not fenced
  uint64_t generation_ = 0;    // of the process: sinks of older ones are dead
  uint64_t transactions_ = 0;  // begun
  bool undecided_ = false;     // the last one: it has been asked to commit, and the outcome is open
  std::vector<Fate> fates_{Fate::kCommitted};  // by transaction
  std::optional<SinkProgress> progress_;
  std::optional<SinkProgress> pending_progress_;  // of the open transaction
  std::vector<Entry> log_;                        // of all partitions, in order of arrival
  uint64_t handed_over_ = 0;
  std::vector<MonotonicTime> sent_at_;
};

}  // namespace tapedeck::testing

#endif  // TAPEDECK_TESTS_REPLAY_MEMORY_SINK_H_
