#ifndef TAPEDECK_SHIP_CLOSE_POLICY_H_
#define TAPEDECK_SHIP_CLOSE_POLICY_H_

// ClosePolicy: which open generations are due to be closed.
//
// The first generation of a day, when each partition that feeds its table has either
//   - moved on: a record's time, believed only up to an hour past its message's Kafka time, lies
//     `close_after` or more behind the end of the day; or
//   - fallen silent: it has stood at the end of its log for `close_after` of monotonic time.
// A later generation `close_after` after its last row came, at latest a day after its first. A
// table that no partition feeds any more is silent from when that was first seen.
//
// Wall time decides nothing: a clock that jumps closes nothing early. `now` is SteadyTime's.
//
//   ClosePolicy policy(options.close_after);
//   policy.Observe(partitions, clock->Monotonic());          // every second or so
//   if (policy.Due(generation, now)) Close(generation);
//
// Owned by one thread.

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/time.h"
#include "model/message.h"
#include "model/table.h"

namespace tapedeck {

/// How far a partition that is recorded now has come.
struct PartitionProgress {
  TopicPartition tp;
  uint32_t lineage = 0;
  int64_t next = 0;                 // stored up to here
  int64_t log_end = -1;             // -1 unknown
  std::vector<std::string> tables;  // that it feeds
};

/// An event time is believed up to so long past the Kafka time of its message.
inline constexpr std::chrono::hours kBelieveAhead(1);
/// A later generation waits no longer than this for its rows.
inline constexpr std::chrono::hours kLateGenerationMax(24);

/// The first moment after the table's day (month, year) that begins on `day`.
Timestamp EndOfDay(DaySize size, Day day);

struct OpenGeneration {
  std::string table;
  DaySize day_size = DaySize::kDay;
  Day day;
  uint32_t generation = 0;
  Timestamp first_at;  // when its first and last rows came
  Timestamp last_at;
};

class ClosePolicy {
 public:
  explicit ClosePolicy(std::chrono::nanoseconds close_after) : close_after_(close_after) {}

  /// What a partition has come to. `believed`: the greatest believed time of its records, Min():
  /// none is known.
  struct Seen {
    PartitionProgress progress;
    Timestamp believed = Timestamp::Min();
  };
  /// Partitions that are not named any more are forgotten.
  void Observe(const std::vector<Seen>& partitions, MonotonicTime now);
  bool Due(const OpenGeneration& generation, Timestamp steady_now, MonotonicTime now);

 private:
  struct Partition {
    int64_t next = -1;
    bool at_end = false;
    MonotonicTime standing_since{0};  // where it is at its end
    Timestamp believed = Timestamp::Min();
    std::vector<std::string> tables;
  };
  bool Feeds(const Partition& partition, const std::string& table) const;

  const std::chrono::nanoseconds close_after_;
  std::map<std::pair<TopicPartition, uint32_t>, Partition> partitions_;
  std::map<std::string, MonotonicTime> unfed_since_;  // by table
};

}  // namespace tapedeck

#endif  // TAPEDECK_SHIP_CLOSE_POLICY_H_
