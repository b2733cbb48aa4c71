#include "replay/given_numbers.h"

#include <algorithm>
#include <map>
#include <set>

#include "model/replay_headers.h"

namespace tapedeck {
namespace {

using Offsets = std::map<TopicPartition, int64_t>;

constexpr std::chrono::milliseconds kPoll{20};
constexpr std::chrono::milliseconds kSilenceMax{10'000};
// Messages of a partition that are read first, and how much further each time.
constexpr int64_t kFirstLook = 1024;
constexpr int64_t kFurther = 8;

struct Numbers {
  uint64_t least = UINT64_MAX;
  uint64_t greatest = 0;
};

/// Reads from `starts` to the end: what each partition has of the job.
Status ReadNumbers(const WorkerParts& parts, ReplayJob job, const Offsets& starts,
                   const std::function<bool()>& give_up, std::map<TopicPartition, Numbers>* found) {
  job.target_starts = starts;
  TD_ASSIGN_OR_RETURN(const auto trail, parts.open_trail(job));
  MonotonicTime deadline = parts.clock->Monotonic() + kSilenceMax;
  do {
    if (give_up()) return Status::Unavailable("the job is stopped");
    if (parts.clock->Monotonic() > deadline) {
      return Status::Unavailable("the end of the target cannot be read");
    }
    TD_RETURN_IF_ERROR(trail->Poll(kPoll, [&](const TopicPartition& tp, const MessageView& m) {
      deadline = parts.clock->Monotonic() + kSilenceMax;
      const std::optional<ReplayHeaders> headers = ReplayHeadersOf(m);
      if (!headers || headers->name != parts.name) return;
      Numbers& numbers = (*found)[tp];
      numbers.least = std::min(numbers.least, headers->seq);
      numbers.greatest = std::max(numbers.greatest, headers->seq);
    }));
  } while (!trail->at_end());
  return Status::Ok();
}

}  // namespace

Result<uint64_t> NextNumberIn(const WorkerParts& parts, const ReplayJob& job,
                              const std::function<bool()>& give_up) {
  if (!job.spec.target.provenance) return uint64_t{1};
  TD_ASSIGN_OR_RETURN(const Offsets ends, parts.ends_of_target(job));
  std::map<TopicPartition, Numbers> found;
  Offsets open = job.target_starts;  // not read far enough yet
  for (int64_t reach = kFirstLook; !open.empty(); reach *= kFurther) {
    Offsets starts;
    std::set<TopicPartition> whole;  // there is nothing further back
    for (const auto& [tp, first] : open) {
      const auto end = ends.find(tp);
      const bool all = end == ends.end() || end->second - reach <= first;
      starts[tp] = all ? first : end->second - reach;
      if (all) whole.insert(tp);
    }
    TD_RETURN_IF_ERROR(ReadNumbers(parts, job, starts, give_up, &found));
    std::erase_if(open, [&](const auto& partition) {
      if (whole.contains(partition.first)) return true;
      const auto numbers = found.find(partition.first);
      if (numbers == found.end()) return false;
      return numbers->second.least < job.note.next_seq &&
             job.note.next_seq - numbers->second.least >= kUnkeptMax;
    });
  }
  uint64_t greatest = 0;
  for (const auto& [tp, numbers] : found) greatest = std::max(greatest, numbers.greatest);
  return greatest + 1;
}

}  // namespace tapedeck
