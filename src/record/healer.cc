#include "record/healer.h"

#include <algorithm>

#include "archive/manifest_set.h"
#include "base/log.h"
#include "codec/tape_block.h"
#include "record/passing.h"

namespace tapedeck {
namespace {

// Each tape is looked at alone, whatever its number is.
constexpr TpId kTape{0};
constexpr int64_t kMillisecond = 1'000'000;

}  // namespace

bool MayBeHealed(const Gap& gap) {
  return gap.reason == GapReason::kElsewhere || gap.reason == GapReason::kElsewhereMaybe ||
         gap.reason == GapReason::kDamaged;
}

std::optional<std::vector<OffsetSpan>> UnlistedOf(const ManifestSet& set, const TapeId& tape,
                                                  int64_t from, int64_t to) {
  if (!set.loaded()) return std::nullopt;
  for (const BrokenTape& broken : set.BrokenOf(tape)) {
    if (broken.from < to && from < broken.to) return std::nullopt;
  }
  TapeOffsets left;
  left.Add(kTape, from, to);
  for (const auto& listing : set.TapesOf(tape)) {
    const TapeManifest& manifest = listing->manifest;
    TapeOffsets listed;
    listed.Add(kTape, manifest.range.from, manifest.range.to);
    for (const Gap& gap : manifest.gaps) listed.Remove(kTape, gap.from, gap.to);
    left.Remove(listed);
  }
  const std::span<const OffsetSpan> spans = left.Of(kTape);
  return std::vector<OffsetSpan>(spans.begin(), spans.end());
}

Healer::Healer(OpenProbe open_probe, Clock* clock, HealerOptions options)
    : open_probe_(std::move(open_probe)),
      clock_(clock),
      options_(std::move(options)),
      thread_([this](HealJob job) { return Build(job); }) {}

Status Healer::NeedProbe() {
  if (probe_ != nullptr) return Status::Ok();
  TD_ASSIGN_OR_RETURN(probe_, open_probe_());
  return Status::Ok();
}

// The first gap of which something can be had. Trouble with one keeps no other from its turn.
std::unique_ptr<ReadAgain> Healer::Build(const HealJob& job) {
  auto read = std::make_unique<ReadAgain>();
  for (const HealGap& gap : job.gaps) {
    if (options_.stop != nullptr && options_.stop->load()) return read;
    Result<bool> done = IsDue(gap, job.now);
    if (done.ok() && *done) done = Read(gap, read.get());
    if (done.ok() && *done) return read;
    *read = ReadAgain();
    if (!done.ok()) {
      TD_LOG(kWarn, "record", "heal-failed", done.status().ToString(),
             {{"partition", gap.tape.ToString()}, {"from", std::to_string(gap.gap.from)}});
    }
  }
  return read;
}

// At half of the time that is left until retention reaches it, it is read whatever heal_after says.
Result<bool> Healer::IsDue(const HealGap& gap, Timestamp now) {
  if (gap.gap.reason == GapReason::kDamaged) return true;  // nobody else will bring it
  const bool asked_for = gap.gap.reason == GapReason::kElsewhereMaybe || options_.unlisted;
  if (!asked_for) return false;
  const int64_t age = now.ns() - gap.gap.noticed_at.ns();
  if (age >= options_.heal_after.count()) return true;
  if (gap.log_first_ms < 0) return false;
  TD_RETURN_IF_ERROR(NeedProbe());
  const TopicPartition tp{gap.tape.topic, gap.tape.partition};
  int64_t first_ms = -1;
  const Status read = Passing(probe_->ReadRange(tp, gap.gap.from, gap.gap.to,
                                                options_.broker_timeout, [&](const MessageView& m) {
                                                  first_ms = m.timestamp_ms;
                                                  return false;
                                                }));
  if (read.code() == StatusCode::kNotFound) return true;  // retention is there already
  TD_RETURN_IF_ERROR(read);
  if (first_ms < gap.log_first_ms) return false;  // no times to compare
  return age >= (first_ms - gap.log_first_ms) * kMillisecond / 2;
}

Result<bool> Healer::Read(const HealGap& gap, ReadAgain* read) {
  std::vector<OffsetSpan> spans = {{gap.gap.from, gap.gap.to}};
  // What a repair found damaged in the archive, too, manifests list all the same.
  const bool listed_in_vain =
      gap.gap.reason == GapReason::kDamaged && gap.gap.detail.starts_with(kArchiveDamaged);
  if (options_.unlisted && !listed_in_vain) {
    auto unlisted = options_.unlisted(gap.tape, gap.gap.from, gap.gap.to);
    if (!unlisted) return false;
    spans = std::move(*unlisted);
  }
  if (spans.empty()) return false;  // others have it all: the broker need not be asked
  TD_RETURN_IF_ERROR(NeedProbe());
  const TopicPartition tp{gap.tape.topic, gap.tape.partition};
  TD_ASSIGN_OR_RETURN(const LogBounds bounds, Passing(probe_->Bounds(tp, options_.broker_timeout)));
  for (OffsetSpan span : spans) {
    span.from = std::max(span.from, bounds.start);
    span.to = std::min(span.to, bounds.end);
    if (span.from >= span.to) continue;  // Kafka has none of it any more
    const int64_t now = clock_->Now().ns();
    read->received = Timestamp(now - now % kMillisecond);
    TD_RETURN_IF_ERROR(ReadSpan(gap, span, read));
    read->of = gap;
    return true;
  }
  return false;
}

Status Healer::ReadSpan(const HealGap& gap, OffsetSpan span, ReadAgain* read) {
  TapeBlockBuilder block;
  CodecBuffers buffers;
  Status appended;
  size_t bytes = 0;
  size_t messages = 0;
  read->from = span.from;
  read->to = span.to;
  auto seal = [&] {
    const int64_t base = block.base_offset();
    read->blocks.emplace_back(base, std::string());
    return block.Seal(gap.tp, read->received, Effort::kMerge, &buffers,
                      &read->blocks.back().second);
  };
  auto take = [&](const MessageView& m) {
    if (options_.stop != nullptr && options_.stop->load()) {
      appended = Status::Cancelled("the node stops");
      return false;
    }
    if (m.offset < span.from || m.offset >= span.to) return true;
    if (bytes >= kBytes || messages >= kMessages) {
      read->to = m.offset;
      return false;
    }
    if (block.Full()) appended = seal();
    if (appended.ok()) appended = block.Append(m);
    bytes += m.PayloadBytes();
    ++messages;
    return appended.ok();
  };
  const Status probed = probe_->ReadRange({gap.tape.topic, gap.tape.partition}, span.from, span.to,
                                          options_.broker_timeout, take);
  TD_RETURN_IF_ERROR(appended);
  TD_RETURN_IF_ERROR(Passing(probed));
  return block.empty() ? Status::Ok() : seal();
}

}  // namespace tapedeck
