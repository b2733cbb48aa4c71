#include "record/rerecord.h"

#include <algorithm>

#include "tape/tail.h"

namespace tapedeck {
namespace {

constexpr size_t kCommitBytes = size_t{8} << 20;
constexpr uint64_t kMessagesPerReport = 4096;

}  // namespace

Rerecorder::Rerecorder(Store* store, RerecordOptions options, StoreState state)
    : store_(store),
      options_(std::move(options)),
      book_(std::move(state)),
      rows_(&directory_),
      flusher_(&directory_, store) {}

Status Rerecorder::Begin(const TapeId& tape, const Checkpoint& checkpoint,
                         const std::vector<Gap>& gaps) {
  lane_ = Lane{};
  lane_.partition = {tape.topic, tape.partition};
  lane_.now = checkpoint;
  StoreBatch batch;
  lane_.tp = book_.Add(tape, lane_.now, &batch);
  for (const Gap& gap : gaps) batch.PutGap(lane_.tp, gap);
  return store_->Write(batch);
}

Status Rerecorder::PutGap(const Gap& gap) {
  StoreBatch batch;
  batch.PutGap(lane_.tp, gap);
  return store_->Write(batch);
}

Status Rerecorder::Take(const MessageView& message, Timestamp received, const Hash128& mapping,
                        Decoder* decoder) {
  if (lane_.bytes >= kCommitBytes) TD_RETURN_IF_ERROR(Commit());
  const bool other_mapping = lane_.now.mapping != mapping;
  lane_.now.mapping = mapping;
  if (lane_.blocks.empty() || other_mapping || lane_.blocks.back().messages.Full()) {
    if (!lane_.blocks.empty()) lane_.blocks.back().messages.MarkReceived(lane_.received);
    lane_.blocks.emplace_back();
    lane_.blocks.back().summary.Start(mapping, lane_.now.kafka_max_ms);
  }
  TapeBlockBuilder& block = lane_.blocks.back().messages;
  if (!block.empty() && lane_.received != received) block.MarkReceived(lane_.received);
  lane_.received = received;
  decoder->Decode(lane_.partition, message, received, &decoded_);
  TD_RETURN_IF_ERROR(block.Append(message, decoder->Shape()));
  Record(message, received);
  lane_.bytes += message.PayloadBytes();
  if (++messages_ % kMessagesPerReport == 0 && options_.progress)
    options_.progress(messages_, records_);
  return Status::Ok();
}

// As the record thread does it (record/commit.cc).
void Rerecorder::Record(const MessageView& message, Timestamp received) {
  Checkpoint& now = lane_.now;
  const Hash128 hash = hasher_.Message(message, lane_.partition);
  now.last = {message.offset, hash};
  if (now.anchor.offset < 0) now.anchor = now.last;
  now.digest += hash;
  now.next = message.offset + 1;
  now.messages += 1;
  now.records += decoded_.records.size();
  now.kafka_max_ms = std::max(now.kafka_max_ms, message.timestamp_ms);
  BlockSummary& summary = lane_.blocks.back().summary;
  summary.AddMessage(message);
  DecodedMessage rows{lane_.tp, nullptr, &message, received, &decoded_};
  for (size_t n = 0; n < decoded_.records.size(); ++n) {
    const RecordView record = rows.Row(n);
    summary.AddRecord(rows_.Append(record), record.symbol, record.ts);
  }
  records_ += decoded_.records.size();
  if (decoded_.refused > 0) {
    now.refused += 1;
    lane_.refusals.emplace_back(message.offset,
                                RefusalEntry{.reason = std::string(decoded_.first_refusal()),
                                             .refused = decoded_.refused,
                                             .kept = static_cast<uint32_t>(decoded_.records.size()),
                                             .received = received,
                                             .kafka_ms = message.timestamp_ms});
  }
  if (decoded_.marks.size() > decoded_.refused) now.skipped += 1;
}

Status Rerecorder::End(int64_t next, const Hash128& mapping) {
  TD_RETURN_IF_ERROR(Commit());
  lane_.now.next = next;  // past holes of the log
  lane_.now.mapping = mapping;
  return Commit();
}

Status Rerecorder::Commit() {
  CommitJob job{.number = book_.commit + 1, .received = lane_.received, .ranks = book_.ranks()};
  job.lanes.push_back(
      {lane_.tp, lane_.now, std::exchange(lane_.blocks, {}), std::exchange(lane_.refusals, {})});
  job.rows = rows_.Cut();
  lane_.bytes = 0;
  const std::unique_ptr<BuiltCommit> built = committer_.Build(std::move(job));
  TD_RETURN_IF_ERROR(built->status);
  TD_RETURN_IF_ERROR(store_->Write(built->batch));
  ++book_.commit;
  for (const auto& [tp, checkpoint] : built->checkpoints) book_.SetCheckpoint(tp, checkpoint);
  if (built->rows != nullptr) {
    chunk_bytes_ += built->rows->bytes();
    chunks_.push_back(built->rows);
  }
  return chunk_bytes_ >= options_.flush_bytes ? Flush() : Status::Ok();
}

Status Rerecorder::Flush() {
  StoreBatch batch;
  FlushBuilder::Result result;
  TD_RETURN_IF_ERROR(flusher_.Build(chunks_, book_, {}, options_.clock->Now(), &batch, &result));
  std::vector<std::pair<TpId, Checkpoint>> moved;
  for (const auto& [tp, tape] : book_.tapes()) {
    Checkpoint checkpoint = book_.checkpoint(tp);
    checkpoint.watermark = checkpoint.next;
    batch.PutCheckpoint(tp, checkpoint);
    moved.emplace_back(tp, checkpoint);
  }
  batch.PutFlushNumber(book_.flush + 1, book_.commit);
  TD_RETURN_IF_ERROR(store_->Write(batch));
  ++book_.flush;
  flusher_.Accept();
  for (const auto& [key, entry] : result.days) book_.SetDay(key, entry);
  for (const auto& [tp, checkpoint] : moved) {
    book_.SetCheckpoint(tp, checkpoint);
    if (tp == lane_.tp) lane_.now.watermark = checkpoint.watermark;
  }
  chunks_.clear();
  chunk_bytes_ = 0;
  return Status::Ok();
}

}  // namespace tapedeck
