#include "ship/retainer.h"

#include <algorithm>

#include "base/failpoint.h"
#include "base/log.h"
#include "codec/tape_block.h"

namespace tapedeck {
namespace {

using std::chrono::milliseconds;

constexpr std::chrono::nanoseconds kRoundEvery = std::chrono::minutes(1);
constexpr milliseconds kLookEvery(50);  // for stop
// A Kafka time further ahead of our clock says nothing about a message's age.
constexpr int64_t kAheadMax = int64_t{86'400} * 1'000'000'000;
constexpr int64_t kNanosPerMs = 1'000'000;

std::string PrefixOf(std::string key) { return key.substr(0, key.size() - sizeof(int64_t)); }

Timestamp KafkaTime(int64_t ms) { return ms < 0 ? Timestamp::Min() : Timestamp(ms * kNanosPerMs); }

Result<Timestamp> NewestReceipt(const StoreView& view, TpId tp, int64_t base) {
  TD_ASSIGN_OR_RETURN(const std::string bytes, view.Get(keys::TapeBlock(tp, base)));
  CodecBuffers buffers;
  TapeBlock block;
  TD_RETURN_IF_ERROR(block.Load(tp, base, bytes, &buffers));
  Timestamp newest = Timestamp::Min();
  for (size_t i = 0; i < block.size(); ++i) newest = std::max(newest, block.ReceivedAt(i));
  return newest;
}

// The bounds of `gap` are widened to those of what it swallows; -1 and the extremes: not known.
void Swallow(const TapeIndexEntry& block, Gap* gap) {
  gap->kafka_before_ms = std::min(gap->kafka_before_ms, block.kafka_min_ms);
  gap->kafka_after_ms = std::max(gap->kafka_after_ms, block.kafka_max_ms);
  if (block.records == 0) return;
  gap->event_before_ns = std::min(gap->event_before_ns, block.event_min_ns);
  gap->event_after_ns = std::max(gap->event_after_ns, block.event_max_ns);
}

}  // namespace

Retainer::Retainer(std::chrono::nanoseconds retain, RetainParts parts, size_t batch_keys)
    : retain_(retain),
      parts_(parts),
      batch_keys_(batch_keys),
      time_(parts.clock),
      started_(parts.clock->Monotonic()) {}

Status Retainer::Run(const std::atomic<bool>& stop) {
  stop_ = &stop;
  live_.running = true;
  const std::chrono::nanoseconds every = std::clamp<std::chrono::nanoseconds>(
      retain_ / 10, std::chrono::nanoseconds(std::chrono::seconds(1)), kRoundEvery);
  while (!stop.load(std::memory_order_relaxed)) {
    const Status round = Round();
    if (!round.ok() && round.code() != StatusCode::kCancelled)
      TD_LOG(kError, "retain", "failed", round.ToString());
    const MonotonicTime next = parts_.clock->Monotonic() + every;
    while (!stop.load(std::memory_order_relaxed) && parts_.clock->Monotonic() < next)
      parts_.clock->SleepFor(kLookEvery);
  }
  std::lock_guard lock(mutex_);
  state_.running = false;
  return Status::Ok();
}

RetainState Retainer::State() const {
  std::lock_guard lock(mutex_);
  return state_;
}

Status Retainer::CheckStop() const {
  if (stop_ == nullptr || !stop_->load(std::memory_order_relaxed)) return Status::Ok();
  return Status::Cancelled("the node stops");
}

// What the store itself says about the time: when its newest messages came.
Status Retainer::Anchor(const StoreView& view, const StoreState& state) {
  Timestamp newest = Timestamp::Min();
  for (const auto& [tp, checkpoint] : state.checkpoints) {
    newest = std::max(newest, KafkaTime(checkpoint.kafka_max_ms));
    const std::string prefix = PrefixOf(keys::TapeIndex(tp, 0));
    auto cursor = view.Scan(prefix, keys::After(prefix), ScanKind::kPoint);
    cursor->SeekToLast();
    if (!cursor->Valid()) {
      TD_RETURN_IF_ERROR(cursor->status());
      continue;
    }
    TD_ASSIGN_OR_RETURN(const keys::TpOffsetKey last, keys::ParseTpOffset(cursor->key()));
    TD_ASSIGN_OR_RETURN(const Timestamp received, NewestReceipt(view, tp, last.offset));
    newest = std::max(newest, received);
  }
  anchor_ = newest;
  return Status::Ok();
}

Timestamp Retainer::Oldest(const StoreState& state) const {
  const std::chrono::nanoseconds up = parts_.clock->Monotonic() - started_;
  Timestamp believed = *anchor_;
  for (const auto& [tp, checkpoint] : state.checkpoints)
    believed = std::max(believed, KafkaTime(checkpoint.kafka_max_ms));
  const Timestamp now = std::min(time_.Now(), believed.SaturatingAdd(up.count()));
  return now.SaturatingAdd(-retain_.count());
}

Status Retainer::Round() {
  Status first;
  auto note = [&](Status status) {
    if (first.ok()) first = std::move(status);
  };
  live_.held.clear();
  std::unique_ptr<StoreView> view = parts_.store->View();
  const Result<StoreState> state = view->LoadState();
  note(state.status());
  if (state.ok() && !anchor_) note(Anchor(*view, *state));
  view.reset();  // who waits for the writer holds none
  if (state.ok() && anchor_) {
    live_.older_than = oldest_ = Oldest(*state);
    for (const auto& [tp, checkpoint] : state->checkpoints) {
      if (state->ShipOf(tp).shipped > checkpoint.start) {
        live_.held = "tapes that were shipped to an archive are kept";
        continue;
      }
      note(DropTape(tp, checkpoint));
    }
    for (const Table& table : state->tables.tables()) note(DropDays(table));
  }
  live_.last_error = first.ok() ? "" : first.ToString();
  Publish();
  return first;
}

void Retainer::Publish() {
  std::lock_guard lock(mutex_);
  if (live_.held != state_.held && !live_.held.empty()) TD_LOG(kWarn, "retain", "held", live_.held);
  if (live_.messages != state_.messages || live_.rows != state_.rows) {
    TD_LOG(kInfo, "retain", "dropped", "what is older than store.retain",
           {{"messages", std::to_string(live_.messages - state_.messages)},
            {"rows", std::to_string(live_.rows - state_.rows)},
            {"older_than", FormatRfc3339(live_.older_than)}});
  }
  state_ = live_;
}

/// Blocks from the beginning of a tape that one batch takes out.
struct Retainer::TapePart {
  std::vector<TapeIndexEntry> blocks;  // empty: nothing is old enough
  std::vector<int64_t> refusals;
  int64_t cut = 0;           // where the gap ends
  bool empties_tape = true;  // nothing is left below the watermark
};

Status Retainer::DropTape(TpId tp, const Checkpoint& checkpoint) {
  for (;;) {
    TD_RETURN_IF_ERROR(CheckStop());
    TD_ASSIGN_OR_RETURN(const TapePart part, NextTapePart(*parts_.store->View(), tp, checkpoint));
    if (part.blocks.empty()) return Status::Ok();
    TD_RETURN_IF_ERROR(parts_.queue->WriteQuiet(
        [&](StoreBatch* batch) { return AddTapePart(tp, checkpoint, part, batch); }));
    for (const TapeIndexEntry& block : part.blocks) {
      live_.messages += block.count;
      live_.message_bytes += block.raw_bytes;
    }
    TD_RETURN_IF_ERROR(FailpointHit("retain.tape_batch"));
  }
}

Result<bool> Retainer::IsOld(const StoreView& view, TpId tp, const TapeIndexEntry& entry) {
  const Timestamp kafka = KafkaTime(entry.kafka_max_ms);
  if (kafka >= oldest_ && kafka <= time_.Now().SaturatingAdd(kAheadMax)) return false;
  auto [known, made] = waiting_.try_emplace(tp, std::pair(entry.first_offset, Timestamp::Min()));
  if (!made && known->second.first == entry.first_offset && known->second.second >= oldest_)
    return false;
  TD_ASSIGN_OR_RETURN(const Timestamp received, NewestReceipt(view, tp, entry.first_offset));
  known->second = {entry.first_offset, received};
  return received < oldest_;
}

Result<Retainer::TapePart> Retainer::NextTapePart(const StoreView& view, TpId tp,
                                                  const Checkpoint& checkpoint) {
  TapePart part;
  const std::string prefix = PrefixOf(keys::TapeIndex(tp, 0));
  auto cursor = view.Scan(prefix, keys::After(prefix), ScanKind::kPoint);
  const std::string marks = PrefixOf(keys::Refusal(tp, 0));
  auto refusals = view.Scan(marks, keys::After(marks), ScanKind::kPoint);
  refusals->SeekToFirst();
  part.cut = checkpoint.watermark;  // where nothing is left below it
  for (cursor->SeekToFirst(); cursor->Valid(); cursor->Next()) {
    TD_ASSIGN_OR_RETURN(TapeIndexEntry entry, DecodeTapeIndex(cursor->value()));
    bool goes = entry.last_offset < checkpoint.watermark &&
                part.blocks.size() + part.refusals.size() < batch_keys_;
    if (goes) {
      TD_ASSIGN_OR_RETURN(goes, IsOld(view, tp, entry));
    }
    if (!goes) {
      part.empties_tape = entry.first_offset >= checkpoint.watermark;
      part.cut = std::min(part.cut, entry.first_offset);
      break;
    }
    for (; refusals->Valid(); refusals->Next()) {
      TD_ASSIGN_OR_RETURN(const keys::TpOffsetKey at, keys::ParseTpOffset(refusals->key()));
      if (at.offset > entry.last_offset) break;
      part.refusals.push_back(at.offset);
    }
    TD_RETURN_IF_ERROR(refusals->status());
    part.blocks.push_back(std::move(entry));
  }
  TD_RETURN_IF_ERROR(cursor->status());
  return part;
}

// The gap as it will be: from the start of coverage, over everything that goes. A gap of another
// reason goes into it; one that ends where the rest of the tape begins stays until that goes, too:
// what is left tells its bounds.
Gap Retainer::GrownGap(const Checkpoint& checkpoint, const TapePart& part,
                       const std::vector<Gap>& gaps) const {
  Gap grown{.from = checkpoint.start,
            .to = part.cut,
            .reason = GapReason::kRetain,
            .kafka_before_ms = INT64_MAX,
            .kafka_after_ms = -1,
            .event_before_ns = INT64_MAX,
            .event_after_ns = INT64_MIN,
            .noticed_at = time_.Now(),
            .detail = ""};
  for (const Gap& gap : gaps) {
    if (gap.reason == GapReason::kRetain || gap.from >= part.cut) continue;
    if (gap.to > part.cut || (gap.to == part.cut && !part.empties_tape))
      grown.to = std::min(grown.to, gap.from);
  }
  for (const TapeIndexEntry& block : part.blocks) Swallow(block, &grown);
  for (const Gap& gap : gaps) {
    if (gap.to > grown.to) continue;
    const bool retain = gap.reason == GapReason::kRetain;
    if (retain || gap.from == grown.from) {
      grown.kafka_before_ms = std::min(grown.kafka_before_ms, retain ? gap.kafka_before_ms : -1);
      grown.event_before_ns =
          std::min(grown.event_before_ns, retain ? gap.event_before_ns : INT64_MIN);
    }
    if (!retain) continue;  // between blocks that went before or go now
    grown.kafka_after_ms = std::max(grown.kafka_after_ms, gap.kafka_after_ms);
    grown.event_after_ns = std::max(grown.event_after_ns, gap.event_after_ns);
  }
  if (!gaps.empty() && gaps.back().reason != GapReason::kRetain && gaps.back().to == grown.to) {
    grown.kafka_after_ms = -1;  // nothing behind it says where it ended
    grown.event_after_ns = INT64_MIN;
  }
  if (grown.event_before_ns == INT64_MAX) grown.event_before_ns = INT64_MIN;
  return grown;
}

// By the store's writer: the blocks may have been merged since, and gaps may have come.
Status Retainer::AddTapePart(TpId tp, const Checkpoint& checkpoint, const TapePart& part,
                             StoreBatch* batch) const {
  const std::unique_ptr<StoreView> view = parts_.store->View();
  TD_ASSIGN_OR_RETURN(const std::vector<Gap> gaps, view->Gaps(tp));
  const Gap grown = GrownGap(checkpoint, part, gaps);
  auto index =
      view->Scan(keys::TapeIndex(tp, INT64_MIN), keys::TapeIndex(tp, grown.to), ScanKind::kPoint);
  size_t same = 0;
  for (index->SeekToFirst(); index->Valid() && same < part.blocks.size(); index->Next(), ++same) {
    TD_ASSIGN_OR_RETURN(const TapeIndexEntry now, DecodeTapeIndex(index->value()));
    if (now.first_offset != part.blocks[same].first_offset ||
        now.last_offset != part.blocks[same].last_offset) {
      break;
    }
  }
  TD_RETURN_IF_ERROR(index->status());
  if (index->Valid() || same != part.blocks.size())
    return Status::Unavailable("blocks of the tape were merged meanwhile");
  for (const TapeIndexEntry& block : part.blocks) batch->DeleteTapeBlock(tp, block.first_offset);
  for (int64_t offset : part.refusals) batch->DeleteRefusal(tp, offset);
  for (const Gap& gap : gaps) {
    if (gap.to <= grown.to) batch->DeleteGap(tp, gap.from);
  }
  batch->PutGap(tp, grown);
  return Status::Ok();
}

}  // namespace tapedeck
