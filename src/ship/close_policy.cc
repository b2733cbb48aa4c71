#include "ship/close_policy.h"

#include <algorithm>

namespace tapedeck {

Timestamp EndOfDay(DaySize size, Day day) {
  switch (size) {
    case DaySize::kDay:
      break;
    case DaySize::kMonth:  // the first of some day well within the next month
      return Day(day.MonthStart().days() + 40).MonthStart().start();
    case DaySize::kYear:
      return Day(day.YearStart().days() + 400).YearStart().start();
  }
  return Day(day.days() + 1).start();
}

void ClosePolicy::Observe(const std::vector<Seen>& partitions, MonotonicTime now) {
  std::map<std::pair<TopicPartition, uint32_t>, Partition> seen;
  for (const Seen& one : partitions) {
    const PartitionProgress& progress = one.progress;
    const std::pair key(progress.tp, progress.lineage);
    const auto before = partitions_.find(key);
    Partition partition{.next = progress.next,
                        .at_end = progress.log_end >= 0 && progress.next >= progress.log_end,
                        .standing_since = now,
                        .believed = one.believed,
                        .tables = progress.tables};
    if (before != partitions_.end()) {
      const Partition& old = before->second;
      partition.believed = std::max(partition.believed, old.believed);
      if (partition.at_end && old.at_end && old.next == partition.next)
        partition.standing_since = old.standing_since;
    }
    seen[key] = std::move(partition);
  }
  partitions_ = std::move(seen);
}

bool ClosePolicy::Feeds(const Partition& partition, const std::string& table) const {
  return std::ranges::find(partition.tables, table) != partition.tables.end();
}

bool ClosePolicy::Due(const OpenGeneration& generation, Timestamp steady_now, MonotonicTime now) {
  if (generation.generation > 0) {
    // Rows that came before this was kept: they are old enough once somebody has watched for long.
    const Timestamp quiet = generation.last_at.SaturatingAdd(close_after_.count());
    const Timestamp latest =
        generation.first_at.SaturatingAdd(std::chrono::nanoseconds(kLateGenerationMax).count());
    return steady_now >= std::min(quiet, latest);
  }
  const Timestamp wanted =
      EndOfDay(generation.day_size, generation.day).SaturatingAdd(close_after_.count());
  bool fed = false;
  for (const auto& [key, partition] : partitions_) {
    if (!Feeds(partition, generation.table)) continue;
    fed = true;
    const bool moved_on = partition.believed >= wanted;
    const bool silent = partition.at_end && now - partition.standing_since >= close_after_;
    if (!moved_on && !silent) return false;
  }
  if (fed) {
    unfed_since_.erase(generation.table);
    return true;
  }
  const auto since = unfed_since_.try_emplace(generation.table, now).first;
  return now - since->second >= close_after_;
}

}  // namespace tapedeck
