#include "record/restore.h"

#include <algorithm>
#include <utility>

#include "model/series_directory.h"
#include "query/tail.h"
#include "record/commit_builder.h"
#include "record/flush_builder.h"
#include "record/restore_plan.h"
#include "record/tape_book.h"

namespace tapedeck {
namespace {

// A commit of the restored store.
constexpr size_t kCommitBytes = size_t{8} << 20;
constexpr uint64_t kMessagesPerReport = 4096;

class Restorer {
 public:
  Restorer(Store* store, const ManifestSet* manifests, BlobStore* blobs,
           const RestoreOptions* options, StoreState state)
      : store_(store),
        manifests_(manifests),
        blobs_(blobs),
        options_(options),
        book_(std::move(state)),
        decoders_(manifests, &book_.tables),
        rows_(&directory_),
        flusher_(&directory_, store) {}

  Result<RestoreReport> Run(const std::string& node) {
    TD_RETURN_IF_ERROR(DeclareTables());
    TD_ASSIGN_OR_RETURN(const std::vector<RestoreTape> plan,
                        PlanRestore(*manifests_, node, blobs_, &decoders_, options_->stop));
    if (plan.empty()) return NothingShipped(node);
    progress_.tapes_total = plan.size();
    for (const RestoreTape& tape : plan) TD_RETURN_IF_ERROR(LearnMappings(tape));
    TD_RETURN_IF_ERROR(PutMappings());
    for (const RestoreTape& tape : plan) {
      TD_RETURN_IF_ERROR(Restore(tape).WithContext("restoring " + tape.tape.ToString()));
      report_.tapes.push_back({tape.tape, tape.from, tape.to});
      ++progress_.tapes;
    }
    TD_RETURN_IF_ERROR(Flush());
    report_.messages = progress_.messages;
    report_.records = progress_.records;
    return std::move(report_);
  }

 private:
  /// The tape in hand.
  struct Lane {
    TpId tp{};
    TopicPartition partition;
    Checkpoint now;
    std::vector<OpenBlock> blocks;
    std::vector<std::pair<int64_t, RefusalEntry>> refusals;
    Timestamp received;
    size_t bytes = 0;  // open
  };

  Status NothingShipped(const std::string& node) const;
  Status DeclareTables();
  Status LearnMappings(const RestoreTape& tape);
  Status PutMappings();
  Status Restore(const RestoreTape& tape);
  Status Begin(const RestoreTape& tape);
  Status Take(const TapeListing& listing, const ArchivedMessage& archived);
  void Record(const ArchivedMessage& archived);
  Status PutGaps(const RestoreTape& tape, StoreBatch* batch);
  Status Commit();
  Status Flush();

  Store* const store_;
  const ManifestSet* const manifests_;
  BlobStore* const blobs_;
  const RestoreOptions* const options_;
  SeriesDirectory directory_;
  TapeBook book_;
  ArchivedDecoders decoders_;
  ChunkBuilder rows_;
  FlushBuilder flusher_;
  CommitBuilder committer_;
  MessageHasher hasher_;
  Decoded decoded_;
  Lane lane_;
  OpenRows::List chunks_;
  size_t chunk_bytes_ = 0;
  RestoreProgress progress_;
  RestoreReport report_;
};

Status Restorer::NothingShipped(const std::string& node) const {
  std::string nodes;
  for (const auto& listing : manifests_->tapes()) {
    const std::string& other = listing->manifest.writer.node;
    if (nodes.find("'" + other + "'") != std::string::npos) continue;
    nodes += (nodes.empty() ? "" : ", ") + ("'" + other + "'");
  }
  return Status::NotFound("no store of node '" + node + "' has shipped a tape to " +
                          blobs_->Describe() +
                          (nodes.empty() ? "" : "; there are manifests of " + nodes));
}

Status Restorer::DeclareTables() {
  for (const Table& table : manifests_->tables()) {
    TD_RETURN_IF_ERROR(book_.tables.Declare(table.name, table.columns).status());
    TD_RETURN_IF_ERROR(
        book_.tables.Configure(table.name, table.day_size, table.identity, /*fixed=*/false));
  }
  return Status::Ok();
}

Status Restorer::LearnMappings(const RestoreTape& tape) {
  for (const RestorePart& part : tape.parts) {
    for (const auto& [offset, mapping] : part.listing->manifest.mapping_from) {
      TD_RETURN_IF_ERROR(decoders_.For(mapping).status());
    }
  }
  if (tape.last->manifest.mapping_from.empty()) return Status::Ok();
  return decoders_.For(tape.last->manifest.mapping_from.back().second).status();
}

Status Restorer::PutMappings() {
  StoreBatch batch;
  for (const auto& [hash, entry] : decoders_.all()) {
    batch.PutMapping(hash, entry.spec.canonical());
  }
  for (const Table& table : book_.tables.tables()) batch.PutTable(table);
  for (const TapeId& tape : manifests_->tape_ids()) {
    if (!tape.cluster.empty()) batch.PutClusterId(tape.cluster);
  }
  return store_->Write(batch);
}

// A checkpoint at the first offset: nothing is recorded yet.
Status Restorer::Begin(const RestoreTape& tape) {
  const TapeManifest& last = tape.last->manifest;
  lane_ = Lane{};
  lane_.partition = {tape.tape.topic, tape.tape.partition};
  Checkpoint& now = lane_.now;
  now.start = now.next = now.watermark = now.run_start = tape.from;
  if (!last.mapping_from.empty()) now.mapping = last.mapping_from.back().second;
  if (tape.parts.empty()) now.last = now.anchor = last.last;  // Kafka is compared with it
  StoreBatch batch;
  lane_.tp = book_.Add(tape.tape, now, &batch);
  TD_RETURN_IF_ERROR(PutGaps(tape, &batch));
  return store_->Write(batch);
}

Status Restorer::PutGaps(const RestoreTape& tape, StoreBatch* batch) {
  for (Gap gap : tape.gaps) {
    gap.from = std::max(gap.from, tape.from);
    if (gap.from < gap.to) batch->PutGap(lane_.tp, gap);
  }
  for (const TapeRange& hole : tape.holes) {
    Gap gap;
    gap.from = std::max(hole.from, tape.from);
    gap.to = hole.to;
    gap.reason = GapReason::kElsewhereMaybe;
    gap.noticed_at = options_->clock->Now();
    gap.detail = "no manifest of the archive has it";
    batch->PutGap(lane_.tp, gap);
    report_.notes.push_back(tape.tape.ToString() + ": offsets " + std::to_string(gap.from) +
                            " to " + std::to_string(gap.to) + " are in no manifest");
  }
  return Status::Ok();
}

Status Restorer::Restore(const RestoreTape& tape) {
  TD_RETURN_IF_ERROR(Begin(tape));
  for (const RestorePart& part : tape.parts) {
    TD_RETURN_IF_ERROR(
        ReadPart(blobs_, tape.tape, part, options_->stop,
                 [&](const ArchivedMessage& message) { return Take(*part.listing, message); }));
    lane_.now.next = part.to;  // past holes of the log
  }
  lane_.now.next = tape.to;
  return Commit();
}

Status Restorer::Take(const TapeListing& listing, const ArchivedMessage& archived) {
  const MessageView& message = archived.message;
  TD_ASSIGN_OR_RETURN(const Hash128 mapping, MappingAt(listing, message.offset));
  TD_ASSIGN_OR_RETURN(ArchivedDecoders::Entry * entry, decoders_.For(mapping));
  if (lane_.bytes >= kCommitBytes) TD_RETURN_IF_ERROR(Commit());
  const bool other_mapping = lane_.now.mapping != mapping;
  lane_.now.mapping = mapping;
  if (lane_.blocks.empty() || other_mapping || lane_.blocks.back().messages.Full()) {
    if (!lane_.blocks.empty()) lane_.blocks.back().messages.MarkReceived(lane_.received);
    lane_.blocks.emplace_back();
    lane_.blocks.back().summary.Start(mapping, lane_.now.kafka_max_ms);
  }
  TapeBlockBuilder& block = lane_.blocks.back().messages;
  if (!block.empty() && lane_.received != archived.received) block.MarkReceived(lane_.received);
  lane_.received = archived.received;
  entry->decoder->Decode(lane_.partition, message, archived.received, &decoded_);
  TD_RETURN_IF_ERROR(block.Append(message, entry->decoder->Shape()));
  Record(archived);
  lane_.bytes += message.PayloadBytes();
  if (++progress_.messages % kMessagesPerReport == 0 && options_->progress) {
    options_->progress(progress_);
  }
  return Status::Ok();
}

// As the record thread does it (record/commit.cc).
void Restorer::Record(const ArchivedMessage& archived) {
  const MessageView& message = archived.message;
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
  DecodedMessage rows{lane_.tp, nullptr, &message, archived.received, &decoded_};
  for (size_t n = 0; n < decoded_.records.size(); ++n) {
    const RecordView record = rows.Row(n);
    summary.AddRecord(rows_.Append(record), record.symbol, record.ts);
  }
  progress_.records += decoded_.records.size();
  if (decoded_.refused > 0) {
    now.refused += 1;
    lane_.refusals.emplace_back(message.offset,
                                RefusalEntry{.reason = std::string(decoded_.first_refusal()),
                                             .refused = decoded_.refused,
                                             .kept = static_cast<uint32_t>(decoded_.records.size()),
                                             .received = archived.received,
                                             .kafka_ms = message.timestamp_ms});
  }
  if (decoded_.marks.size() > decoded_.refused) now.skipped += 1;
}

Status Restorer::Commit() {
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
  return chunk_bytes_ >= options_->flush_bytes ? Flush() : Status::Ok();
}

// All that is committed becomes series, and the watermarks say so.
Status Restorer::Flush() {
  StoreBatch batch;
  FlushBuilder::Result result;
  TD_RETURN_IF_ERROR(flusher_.Build(chunks_, book_, {}, options_->clock->Now(), &batch, &result));
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

}  // namespace

Result<RestoreReport> RestoreStore(Store* store, const ManifestSet& manifests, BlobStore* blobs,
                                   const RestoreOptions& options) {
  TD_ASSIGN_OR_RETURN(StoreState state, store->View()->LoadState());
  if (!state.tapes.empty()) {
    return Status::FailedPrecondition(
        "the store has recorded already: restore into an empty directory");
  }
  const std::string node = store->meta().node_id;
  Restorer restorer(store, &manifests, blobs, &options, std::move(state));
  return restorer.Run(node);
}

}  // namespace tapedeck
