#include "record/restore.h"

#include <algorithm>
#include <utility>

#include "record/rerecord.h"
#include "record/restore_plan.h"

namespace tapedeck {
namespace {

class Restorer {
 public:
  Restorer(Store* store, const ManifestSet* manifests, BlobStore* blobs,
           const RestoreOptions* options, StoreState state)
      : store_(store),
        manifests_(manifests),
        blobs_(blobs),
        options_(options),
        again_(store,
               {.clock = options->clock,
                .flush_bytes = options->flush_bytes,
                .progress = [this](uint64_t messages,
                                   uint64_t records) { Report(messages, records); }},
               std::move(state)),
        decoders_(manifests, &again_.book().tables) {}

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
    TD_RETURN_IF_ERROR(again_.Flush());
    report_.messages = again_.messages();
    report_.records = again_.records();
    return std::move(report_);
  }

 private:
  Status NothingShipped(const std::string& node) const;
  Status DeclareTables();
  Status LearnMappings(const RestoreTape& tape);
  Status PutMappings();
  Status Restore(const RestoreTape& tape);
  std::vector<Gap> GapsOf(const RestoreTape& tape);
  void Report(uint64_t messages, uint64_t records);

  Store* const store_;
  const ManifestSet* const manifests_;
  BlobStore* const blobs_;
  const RestoreOptions* const options_;
  Rerecorder again_;
  ArchivedDecoders decoders_;
  RestoreProgress progress_;
  RestoreReport report_;
};

void Restorer::Report(uint64_t messages, uint64_t records) {
  progress_.messages = messages;
  progress_.records = records;
  if (options_->progress) options_->progress(progress_);
}

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
    TD_RETURN_IF_ERROR(again_.book().tables.Declare(table.name, table.columns).status());
    TD_RETURN_IF_ERROR(again_.book().tables.Configure(table.name, table.day_size, table.identity,
                                                      /*fixed=*/false));
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
  for (const Table& table : again_.book().tables.tables()) batch.PutTable(table);
  for (const TapeId& tape : manifests_->tape_ids()) {
    if (!tape.cluster.empty()) batch.PutClusterId(tape.cluster);
  }
  return store_->Write(batch);
}

std::vector<Gap> Restorer::GapsOf(const RestoreTape& tape) {
  std::vector<Gap> gaps;
  for (Gap gap : tape.gaps) {
    gap.from = std::max(gap.from, tape.from);
    if (gap.from < gap.to) gaps.push_back(std::move(gap));
  }
  for (const TapeRange& hole : tape.holes) {
    Gap gap;
    gap.from = std::max(hole.from, tape.from);
    gap.to = hole.to;
    gap.reason = GapReason::kElsewhereMaybe;
    gap.noticed_at = options_->clock->Now();
    gap.detail = "no manifest of the archive has it";
    gaps.push_back(gap);
    report_.notes.push_back(tape.tape.ToString() + ": offsets " + std::to_string(gap.from) +
                            " to " + std::to_string(gap.to) + " are in no manifest");
  }
  return gaps;
}

// Begins with a checkpoint at the first offset: nothing is recorded yet.
Status Restorer::Restore(const RestoreTape& tape) {
  const TapeManifest& last = tape.last->manifest;
  Checkpoint now;
  now.start = now.next = now.watermark = now.run_start = tape.from;
  if (!last.mapping_from.empty()) now.mapping = last.mapping_from.back().second;
  if (tape.parts.empty()) now.last = now.anchor = last.last;  // Kafka is compared with it
  TD_RETURN_IF_ERROR(again_.Begin(tape.tape, now, GapsOf(tape)));
  for (const RestorePart& part : tape.parts) {
    TD_RETURN_IF_ERROR(ReadPart(
        blobs_, tape.tape, part, options_->stop, [&](const ArchivedMessage& archived) -> Status {
          TD_ASSIGN_OR_RETURN(const Hash128 mapping,
                              MappingAt(*part.listing, archived.message.offset));
          TD_ASSIGN_OR_RETURN(ArchivedDecoders::Entry * entry, decoders_.For(mapping));
          return again_.Take(archived.message, archived.received, mapping, entry->decoder.get());
        }));
  }
  return again_.End(tape.to, again_.now().mapping);
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
