#include "node/skip.h"

#include <optional>
#include <string>

#include "store/store.h"

namespace tapedeck {
namespace {

struct Found {
  TpId tp{};
  TapeId tape;
};

/// The tape that is being written: of the greatest lineage.
std::optional<Found> FindTape(const StoreState& state, const TopicPartition& tp) {
  std::optional<Found> found;
  for (const auto& [id, tape] : state.tapes) {
    if (tape.topic != tp.topic || tape.partition != tp.partition) continue;
    if (!found.has_value() || tape.lineage > found->tape.lineage) found = Found{id, tape};
  }
  return found;
}

}  // namespace

Result<SkipReport> SkipTo(const SkipRequest& request, Clock& clock) {
  StoreOptions options;
  options.dir = request.data_dir;
  options.create = false;
  TD_ASSIGN_OR_RETURN(std::unique_ptr<Store> store, Store::Open(options));
  TD_ASSIGN_OR_RETURN(StoreState state, store->View()->LoadState());
  std::optional<Found> found = FindTape(state, request.tp);
  if (!found.has_value()) {
    return Status::NotFound("nothing was ever recorded of " + request.tp.ToString() + " in " +
                            request.data_dir.string());
  }
  TD_ASSIGN_OR_RETURN(Checkpoint checkpoint, store->View()->GetCheckpoint(found->tp));
  SkipReport report{found->tape.lineage, checkpoint.next, request.to};
  if (request.to <= checkpoint.next) {
    return Status::InvalidArgument(request.tp.ToString() + " stands at offset " +
                                   std::to_string(checkpoint.next) + ": --to " +
                                   std::to_string(request.to) + " is not ahead of it");
  }
  if (request.mode == SkipMode::kTell) return report;
  Gap gap;
  gap.from = checkpoint.next;
  gap.to = request.to;
  gap.reason = GapReason::kSkipped;
  gap.noticed_at = clock.Now();
  checkpoint.next = request.to;
  StoreBatch batch;
  batch.PutGap(found->tp, gap);
  batch.PutCheckpoint(found->tp, checkpoint);
  TD_RETURN_IF_ERROR(store->Write(batch));
  TD_RETURN_IF_ERROR(store->Close());
  return report;
}

}  // namespace tapedeck
