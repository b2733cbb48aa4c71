#ifndef TAPEDECK_RECORD_STUCK_WATCH_H_
#define TAPEDECK_RECORD_STUCK_WATCH_H_

// StuckWatch: which partitions stand still although their log goes on.
//
// librdkafka may deliver nothing of a partition and say nothing about it: a batch that does not
// decompress, a fetcher that lost its way. An idle partition looks the same from inside, so the
// log's end is asked for where a position does not move. Behind it for `after`, and still at the
// same offset: stuck.
//
//   watch.Turn(now);                                   // each round
//   if (watch.WantsEnd(tp, next)) ask the broker;      // each partition
//   watch.TakeEnd(tp, question_next, end);             // when it has answered
//   for (const auto& stuck : watch.NewlyStuck()) …     // each told once
//   health = watch.Reason(tp, next);                   // "" as soon as the position has moved
//
// Time counts only while rounds are made: a process that hung, or waited for its disk, has pulled
// nothing and proves nothing. Told within after * 4/3 and four rounds.
//
// Owned by one thread.

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "model/message.h"

namespace tapedeck {

class StuckWatch {
 public:
  /// `round` is the usual time between two rounds; twice as much is the most that one counts for.
  StuckWatch(std::chrono::nanoseconds after, std::chrono::nanoseconds round)
      : after_(after), round_(round) {}

  /// Begins a round. Partitions that were left out of the last one are forgotten.
  void Turn(MonotonicTime now);
  /// Whether the log's end is to be asked for. To be called for each partition in each round.
  bool WantsEnd(const TopicPartition& tp, int64_t next);
  /// The log ended at `end` when the partition stood at `next`.
  void TakeEnd(const TopicPartition& tp, int64_t next, int64_t end);
  /// Partitions that have become stuck; each is given once for each place at which it is stuck.
  std::vector<TopicPartition> NewlyStuck();
  /// Why nothing comes, and what to do; "" for a partition that is not stuck at `next`.
  std::string Reason(const TopicPartition& tp, int64_t next) const;

 private:
  struct Place {
    int64_t next = -1;
    int64_t end = -1;
    std::chrono::nanoseconds asked{0};
    std::optional<std::chrono::nanoseconds> behind_since;
    uint64_t round = 0;
    bool stuck = false;
  };

  const std::chrono::nanoseconds after_;
  const std::chrono::nanoseconds round_;
  std::optional<MonotonicTime> last_turn_;
  std::chrono::nanoseconds time_{0};  // that counts
  uint64_t rounds_ = 0;
  size_t stuck_ = 0;
  std::map<TopicPartition, Place> places_;
};

}  // namespace tapedeck

#endif  // TAPEDECK_RECORD_STUCK_WATCH_H_
