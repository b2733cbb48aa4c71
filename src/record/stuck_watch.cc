#include "record/stuck_watch.h"

#include <algorithm>

namespace tapedeck {
namespace {

// Questions to the broker in the time after which a partition counts as stuck.
constexpr int kAskedPerAfter = 3;

}  // namespace

void StuckWatch::Turn(MonotonicTime now) {
  if (last_turn_) time_ += std::min(now - *last_turn_, 2 * round_);
  last_turn_ = now;
  std::erase_if(places_, [&](const auto& entry) { return entry.second.round != rounds_; });
  stuck_ = static_cast<size_t>(std::count_if(places_.begin(), places_.end(),
                                             [](const auto& entry) { return entry.second.stuck; }));
  ++rounds_;
}

bool StuckWatch::WantsEnd(const TopicPartition& tp, int64_t next) {
  Place& place = places_[tp];
  if (place.next != next) place = {.next = next, .asked = time_};
  place.round = rounds_;
  if (time_ - place.asked < after_ / kAskedPerAfter) return false;
  place.asked = time_;
  return true;
}

void StuckWatch::TakeEnd(const TopicPartition& tp, int64_t next, int64_t end) {
  auto found = places_.find(tp);
  if (found == places_.end() || found->second.next != next) return;
  Place& place = found->second;
  place.end = end;
  if (end <= next) {
    place.behind_since.reset();
    place.stuck = false;
  } else if (!place.behind_since) {
    place.behind_since = time_;
  }
}

std::vector<TopicPartition> StuckWatch::NewlyStuck() {
  std::vector<TopicPartition> stuck;
  for (auto& [tp, place] : places_) {
    if (place.stuck || !place.behind_since || time_ - *place.behind_since < after_) continue;
    place.stuck = true;
    ++stuck_;
    stuck.push_back(tp);
  }
  return stuck;
}

std::string StuckWatch::Reason(const TopicPartition& tp, int64_t next) const {
  if (stuck_ == 0) return "";
  auto found = places_.find(tp);
  if (found == places_.end() || !found->second.stuck || found->second.next != next) return "";
  return "nothing comes from offset " + std::to_string(next) + " on although the log goes on to " +
         std::to_string(found->second.end) +
         ", and Kafka's client gives no reason (a batch that does not decompress is one); if it "
         "stays so: tapedeck skip --topic " +
         tp.topic + " --partition " + std::to_string(tp.partition);
}

}  // namespace tapedeck
