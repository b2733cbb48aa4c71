// The record thread's part of healing: which gaps there are, and a batch of what was read again.

#include <algorithm>

#include "base/failpoint.h"
#include "base/log.h"
#include "codec/tape_block.h"
#include "model/block_summary.h"
#include "record/recorder_impl.h"
#include "store/healed.h"
#include "tape/tail.h"
#include "tape/tape_blocks.h"

namespace tapedeck {
namespace {

constexpr std::chrono::seconds kHealLookMax(60);

/// The greatest Kafka time of the tape before a block that is about to be put, as its neighbours
/// tell it.
Result<int64_t> RunningMaxBefore(const StoreView& view, TpId tp, int64_t base) {
  std::string prefix = keys::TapeIndex(tp, 0);
  prefix.resize(prefix.size() - sizeof(int64_t));
  auto entries = view.Scan(prefix, keys::After(prefix), ScanKind::kPoint);
  entries->SeekForPrev(keys::TapeIndex(tp, base));
  if (entries->Valid()) {
    TD_ASSIGN_OR_RETURN(const TapeIndexEntry before, DecodeTapeIndex(entries->value()));
    return before.kafka_running_max_ms;
  }
  TD_RETURN_IF_ERROR(entries->status());
  // What lay before has left the store: the next block knows, where it is not the greatest itself.
  entries->Seek(keys::TapeIndex(tp, base));
  if (!entries->Valid()) {
    TD_RETURN_IF_ERROR(entries->status());
    return int64_t{-1};
  }
  TD_ASSIGN_OR_RETURN(const TapeIndexEntry after, DecodeTapeIndex(entries->value()));
  return after.kafka_running_max_ms > after.kafka_max_ms ? after.kafka_running_max_ms : -1;
}

}  // namespace

// Now and then: what is to be read again of the partitions that are ours.
Status RecorderImpl::AskHealer(MonotonicTime now) {
  if (healer_ == nullptr || healing_ != nullptr || (*healer_)->busy()) return Status::Ok();
  if (now < heal_at_) return Status::Ok();
  heal_at_ = now + std::clamp<std::chrono::nanoseconds>(options_.heal_after / 8,
                                                        std::chrono::seconds(1), kHealLookMax);
  HealJob job{{}, parts_.clock->Now()};
  const std::unique_ptr<StoreView> view = parts_.store->View();
  for (const auto& lane : lanes_) {
    if (!lane->has_tape() || !lane->health.empty()) continue;
    TD_ASSIGN_OR_RETURN(const std::vector<Gap> gaps, view->Gaps(lane->tape));
    for (const Gap& gap : gaps) {
      if (MayBeHealed(gap))
        job.gaps.push_back({lane->tape, book_->tape(lane->tape), gap, lane->log_first_ms});
    }
  }
  if (job.gaps.empty()) {
    StartMerger();
  } else {
    (*healer_)->Start(std::move(job));
  }
  return Status::Ok();
}

// What was read again becomes part of a flush: its records are in series from the start, and the
// watermark passes it in the same batch.
Status RecorderImpl::TakeHealed() {
  if (healer_ == nullptr || flusher_->busy()) return Status::Ok();
  const std::unique_ptr<ReadAgain> read = (*healer_)->TakeBuilt();
  if (read == nullptr) return Status::Ok();
  if (!read->of) {
    StartMerger();
    return Status::Ok();
  }
  const HealGap of = *read->of;
  auto lane = std::ranges::find_if(lanes_, [&](const auto& l) { return l->tape == of.tp; });
  // It is another's now, or its log may be another one by now.
  if (lane == lanes_.end() || !(*lane)->health.empty()) return Status::Ok();
  heal_at_ = MonotonicTime(0);  // there may be more
  TD_RETURN_IF_ERROR(Commit());
  // It joins blocks of before, and does not know of this one. To end it may take a look at all that
  // is open, so it stays away until nothing more is to be healed.
  merger_.reset();
  const std::unique_ptr<StoreView> view = parts_.store->View();
  const Result<std::string> stored = view->Get(keys::Gap(of.tp, of.gap.from));
  const bool same = stored.ok() && *stored == EncodeGap(of.gap);
  if (same) {
    healing_ = std::make_unique<Healing>();
    healing_->read = std::move(*read);
    const Status decoded = DecodeHealed(lane->get(), *view);
    if (decoded.ok()) return StartFlush(TakeCloses());
    // Nothing of it is kept: the gap stays one and is tried again later, recording goes on.
    healing_.reset();
    StartMerger();
    heal_at_ = parts_.clock->Monotonic() + kHealLookMax;
    TD_LOG(kError, "record", "heal-failed", decoded.ToString(),
           {{"partition", of.tape.ToString()}});
    if (decoded.code() == StatusCode::kInternal) return decoded;
  }
  return Status::Ok();
}

void RecorderImpl::StartMerger() {
  if (options_.merge && merger_ == nullptr) merger_ = std::make_unique<Merger>(parts_.store);
}

// Index entries, refusals and rows of what was read, and of a block that lies on both sides of it.
Status RecorderImpl::DecodeHealed(Lane* lane, const StoreView& view) {
  Healing& healing = *healing_;
  const TpId tp = healing.read.of->tp;
  ChunkBuilder rows(parts_.directory);
  TD_RETURN_IF_ERROR(SplitBlock(tp, view));
  int64_t running = 0;
  if (healing.lower) {
    running = healing.lower->index.kafka_running_max_ms;
  } else {
    TD_ASSIGN_OR_RETURN(running, RunningMaxBefore(view, tp, healing.read.from));
  }
  CodecBuffers buffers;
  TapeBlock block;
  for (auto& [base, bytes] : healing.read.blocks) {
    TD_RETURN_IF_ERROR(block.Load(tp, base, bytes, &buffers));
    TD_RETURN_IF_ERROR(LeaveOutHealed(lane, tp, block, &base, &bytes));
    if (bytes.empty()) continue;
    TD_RETURN_IF_ERROR(block.Load(tp, base, bytes, &buffers));
    BlockSummary summary;
    summary.Start(lane->topic->mapping.hash(), running);
    for (size_t i = 0; i < block.size(); ++i) {
      const MessageView message = block.At(i);
      lane->decoder->Decode(lane->tp, message, healing.read.received, &decoded_);
      summary.AddMessage(message);
      const DecodedMessage whole{tp, nullptr, &message, healing.read.received, &decoded_};
      for (size_t n = 0; n < decoded_.records.size(); ++n) {
        const RecordView row = whole.Row(n);
        summary.AddRecord(rows.Append(row), row.symbol, row.ts);
      }
      CountHealed(lane, message);
    }
    healing.blocks.push_back({base, std::move(bytes), summary.Finish()});
    running = healing.blocks.back().index.kafka_running_max_ms;
  }
  healing.running = running;
  if (healing.upper) {
    TapeIndexEntry& index = healing.upper->index;
    index.kafka_running_max_ms = std::max(index.kafka_running_max_ms, running);
  }
  healing.rows = rows.Finish(book_->commit, book_->ranks());
  return Status::Ok();
}

void RecorderImpl::CountHealed(Lane* lane, const MessageView& message) {
  Checkpoint& more = healing_->more;
  more.digest += hasher_.Message(message, lane->tp);
  more.messages += 1;
  more.records += decoded_.records.size();
  more.kafka_max_ms = std::max(more.kafka_max_ms, message.timestamp_ms);
  if (decoded_.marks.size() > decoded_.refused) more.skipped += 1;
  if (decoded_.refused == 0) return;
  more.refused += 1;
  healing_->refusals.emplace_back(
      message.offset, RefusalEntry{.reason = std::string(decoded_.first_refusal()),
                                   .refused = decoded_.refused,
                                   .kept = static_cast<uint32_t>(decoded_.records.size()),
                                   .received = healing_->read.received,
                                   .kafka_ms = message.timestamp_ms});
}

// Neighbours on both sides of a gap may have been joined: then the block is cut in two.
Status RecorderImpl::SplitBlock(TpId tp, const StoreView& view) {
  Healing& healing = *healing_;
  TapeBlocks blocks(&view, tp, book_->tape(tp).ToString(), ScanKind::kPoint);
  TD_RETURN_IF_ERROR(blocks.Seek(healing.read.from));
  if (!blocks.Valid() || blocks.base() >= healing.read.from) return Status::Ok();
  if (blocks.index().last_offset < healing.read.from) return Status::Ok();
  CodecBuffers buffers, other;
  TapeBlock whole;
  TD_RETURN_IF_ERROR(blocks.Load(&whole, &buffers));
  StoredDecoders decoders(&view);
  TD_ASSIGN_OR_RETURN(Decoder * decoder, decoders.For(blocks.index().mapping));
  const TopicPartition partition{book_->tape(tp).topic, book_->tape(tp).partition};
  TD_ASSIGN_OR_RETURN(int64_t running, RunningMaxBefore(view, tp, blocks.base() - 1));
  const size_t cut = whole.LowerBound(healing.read.from);
  auto part = [&](size_t from, size_t to) -> Result<HealedBlock> {
    HealedBlock half;
    TapeBlockBuilder messages;
    BlockSummary summary;
    SeriesDirectory directory;  // any numbering of series will do
    summary.Start(blocks.index().mapping, running);
    for (size_t i = from; i < to; ++i) {
      const MessageView message = whole.At(i);
      if (i > from && whole.ReceivedAt(i) != whole.ReceivedAt(i - 1))
        messages.MarkReceived(whole.ReceivedAt(i - 1));
      TD_RETURN_IF_ERROR(messages.Append(message));
      summary.AddMessage(message);
      decoder->Decode(partition, message, whole.ReceivedAt(i), &decoded_);
      const DecodedMessage decoded{tp, nullptr, &message, whole.ReceivedAt(i), &decoded_};
      for (size_t n = 0; n < decoded_.records.size(); ++n) {
        const RecordView row = decoded.Row(n);
        summary.AddRecord(directory.Intern(row.table, row.symbol), row.symbol, row.ts);
      }
    }
    half.base = whole.offset(from);
    half.index = summary.Finish();
    running = half.index.kafka_running_max_ms;
    TD_RETURN_IF_ERROR(
        messages.Seal(tp, whole.ReceivedAt(to - 1), Effort::kMerge, &other, &half.bytes));
    return half;
  };
  TD_ASSIGN_OR_RETURN(healing.lower, part(0, cut));
  TD_ASSIGN_OR_RETURN(healing.upper, part(cut, whole.size()));
  return Status::Ok();
}

void RecorderImpl::AddHealing(FlushJob* job) const {
  if (healing_->rows != nullptr) job->chunks.push_back(healing_->rows);
  job->healed = HealedOffsets{healing_->read.of->tp, healing_->read.from, healing_->read.to};
}

// Into the batch of the flush that has its rows.
Status RecorderImpl::PutHealing(StoreBatch* batch) {
  TD_RETURN_IF_ERROR(FailpointHit("record.before_heal"));
  const Healing& healing = *healing_;
  const TpId tp = healing.read.of->tp;
  const std::unique_ptr<StoreView> view = parts_.store->View();
  auto put = [&](const HealedBlock& block) {
    batch->PutTapeBlock(tp, block.base, block.bytes);
    batch->PutTapeIndex(tp, block.base, block.index);
  };
  if (healing.lower) put(*healing.lower);
  for (const HealedBlock& block : healing.blocks) put(block);
  if (healing.upper) put(*healing.upper);
  // Blocks behind it know the greatest time so far.
  TapeBlocks later(view.get(), tp, book_->tape(tp).ToString(), ScanKind::kPoint);
  const int64_t behind = healing.upper ? healing.upper->index.last_offset + 1 : healing.read.to;
  TD_RETURN_IF_ERROR(later.Seek(behind));
  while (later.Valid()) {
    TapeIndexEntry index = later.index();
    if (index.kafka_running_max_ms >= healing.running) break;
    index.kafka_running_max_ms = healing.running;
    batch->PutTapeIndex(tp, later.base(), index);
    TD_RETURN_IF_ERROR(later.Next());
  }
  for (const auto& [offset, refusal] : healing.refusals) batch->PutRefusal(tp, offset, refusal);
  Gap gap = healing.read.of->gap;
  batch->DeleteGap(tp, gap.from);
  const int64_t end = gap.to;
  gap.to = healing.read.from;
  if (gap.from < gap.to) batch->PutGap(tp, gap);
  gap.from = healing.read.to;
  gap.to = end;
  if (gap.from < gap.to) batch->PutGap(tp, gap);
  for (const Gap& left_out : healing.left_out) batch->PutGap(tp, left_out);
  TD_ASSIGN_OR_RETURN(const std::vector<HealedRange> before, HealedOf(*view, tp));
  PutHealed(tp, AddHealed(before, {healing.read.from, healing.read.to}), batch);
  return Status::Ok();
}

void RecorderImpl::AddHealedCounts(Checkpoint* checkpoint) const {
  const Checkpoint& more = healing_->more;
  checkpoint->digest += more.digest;
  checkpoint->messages += more.messages;
  checkpoint->records += more.records;
  checkpoint->refused += more.refused;
  checkpoint->skipped += more.skipped;
  checkpoint->kafka_max_ms = std::max(checkpoint->kafka_max_ms, more.kafka_max_ms);
}

void RecorderImpl::EndHealing() {
  const std::unique_ptr<Healing> done = std::move(healing_);
  const HealGap& of = *done->read.of;
  live_.healed += done->more.messages;
  TD_LOG(kInfo, "record", "healed", "offsets of a gap were read again from Kafka",
         {{"partition", of.tape.ToString()},
          {"from", std::to_string(done->read.from)},
          {"to", std::to_string(done->read.to)},
          {"messages", std::to_string(done->more.messages)},
          {"reason", std::string(GapReasonName(of.gap.reason))}});
}

}  // namespace tapedeck
