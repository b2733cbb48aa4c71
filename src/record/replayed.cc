// Messages that a replay has sent: what is left out of the tape, and the gaps that say so.

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "model/replay_headers.h"
#include "record/recorder_impl.h"

namespace tapedeck {

// G12: what our own replays send is on the tape already; what others replay is recorded and
// counted, unless the topic is not to have it.
bool RecorderImpl::DropsReplayed(Lane* lane, const MessageView& message) {
  if (!HasReplayHeader(message)) return false;
  const bool own = parts_.is_own_replay && parts_.is_own_replay(cluster_id_, lane->tp, message);
  if (!own && lane->topic->accept_replayed) {
    lane->meter->Replayed();
    return false;
  }
  GrowGap(lane, own ? GapReason::kOwnReplay : GapReason::kSkipped, message);
  lane->meter->Skipped(own ? "own-replay" : "replayed");
  lane->now.next = message.offset + 1;
  lane->dirty = true;
  return true;
}

// The times of a gap are those of what it leaves out: they are known.
void RecorderImpl::GrowGap(Lane* lane, GapReason reason, const MessageView& message) {
  std::optional<Gap>& gap = lane->growing;
  if (gap && gap->reason != reason) {
    if (lane->grew) lane->gaps.push_back(*gap);
    gap.reset();
  }
  const int64_t time = message.timestamp_ms;
  if (!gap) {
    gap = Gap{.from = message.offset,
              .reason = reason,
              .kafka_before_ms = time,
              .kafka_after_ms = time,
              .noticed_at = parts_.clock->Now(),
              .detail = reason == GapReason::kSkipped ? "accept_replayed = false" : ""};
    metrics_->Gap(lane->tp.topic, reason);
    if (!std::exchange(lane->told_left_out, true)) {
      std::string text = lane->tp.ToString() + " from offset " + std::to_string(message.offset) +
                         (reason == GapReason::kOwnReplay
                              ? ": messages of a replay of this node are not recorded again"
                              : ": messages of a replay are left out (accept_replayed)");
      TD_LOG(kWarn, "record", "replayed", text);
      Notice(std::move(text));
    }
  }
  gap->to = message.offset + 1;
  if (time < 0 || gap->kafka_before_ms < 0) {
    gap->kafka_before_ms = gap->kafka_after_ms = -1;
  } else {
    gap->kafka_before_ms = std::min(gap->kafka_before_ms, time);
    gap->kafka_after_ms = std::max(gap->kafka_after_ms, time);
  }
  lane->grew = true;
}

// For a commit. The last one goes on growing; what retention has dropped of it stays dropped.
std::vector<Gap> RecorderImpl::TakeGaps(Lane* lane) {
  std::vector<Gap> gaps = std::exchange(lane->gaps, {});
  if (lane->growing && std::exchange(lane->grew, false)) gaps.push_back(*lane->growing);
  if (const auto dropped = dropped_to_.find(lane->tape); dropped != dropped_to_.end()) {
    for (Gap& gap : gaps) gap.from = std::max(gap.from, dropped->second);
    std::erase_if(gaps, [](const Gap& gap) { return gap.from >= gap.to; });
  }
  return gaps;
}

}  // namespace tapedeck
