// Messages that a replay has sent: what is left out of the tape, and the gaps that say so.

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "model/replay_headers.h"
#include "record/recorder_impl.h"

namespace tapedeck {

// G12: what our own replays send is on the tape already; what others replay is recorded and
// counted, unless the topic is not to have it.
std::optional<GapReason> RecorderImpl::WhyLeftOut(Lane* lane, const MessageView& message) {
  if (!HasReplayHeader(message)) return std::nullopt;
  const bool own = parts_.is_own_replay && parts_.is_own_replay(cluster_id_, lane->tp, message);
  if (!own && lane->topic->accept_replayed) {
    lane->meter->Replayed();
    return std::nullopt;
  }
  lane->meter->Skipped(own ? "own-replay" : "replayed");
  return own ? GapReason::kOwnReplay : GapReason::kSkipped;
}

bool RecorderImpl::DropsReplayed(Lane* lane, const MessageView& message) {
  const std::optional<GapReason> reason = WhyLeftOut(lane, message);
  if (!reason) return false;
  GrowGap(lane, *reason, message);
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

// Of a block that was read again, what stays; the rest is left to gaps, whose times are known.
// Nothing is sealed anew where all of it stays, which is how it mostly is.
Status RecorderImpl::LeaveOutHealed(Lane* lane, TpId tp, const TapeBlock& block, int64_t* base,
                                    std::string* bytes) {
  Healing& healing = *healing_;
  TapeBlockBuilder left;
  bool all = true;
  for (size_t i = 0; i < block.size(); ++i) {
    const MessageView message = block.At(i);
    const std::optional<GapReason> reason = WhyLeftOut(lane, message);
    const bool goes_on = healing.leaves_out && reason && healing.left_out.back().reason == *reason;
    healing.leaves_out = reason.has_value();
    if (!reason) {
      TD_RETURN_IF_ERROR(left.Append(message));
      continue;
    }
    all = false;
    if (!goes_on) {
      healing.left_out.push_back(
          {.from = message.offset,
           .reason = *reason,
           .kafka_before_ms = message.timestamp_ms,
           .kafka_after_ms = message.timestamp_ms,
           .noticed_at = healing.read.received,
           .detail = *reason == GapReason::kSkipped ? "accept_replayed = false" : ""});
    }
    Gap& gap = healing.left_out.back();
    gap.to = message.offset + 1;
    const bool timed = message.timestamp_ms >= 0 && gap.kafka_before_ms >= 0;
    gap.kafka_before_ms = timed ? std::min(gap.kafka_before_ms, message.timestamp_ms) : -1;
    gap.kafka_after_ms = timed ? std::max(gap.kafka_after_ms, message.timestamp_ms) : -1;
  }
  if (all) return Status::Ok();
  bytes->clear();
  if (left.empty()) return Status::Ok();
  *base = left.base_offset();
  CodecBuffers buffers;
  return left.Seal(tp, healing.read.received, Effort::kMerge, &buffers, bytes);
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
