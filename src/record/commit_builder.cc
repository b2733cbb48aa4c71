#include "record/commit_builder.h"

namespace tapedeck {

Status CommitBuilder::PutLane(LanePart* lane, Timestamp received, BuiltCommit* built) {
  for (OpenBlock& open : lane->blocks) {
    if (!open.messages.empty()) {
      const int64_t base = open.messages.base_offset();
      const TapeIndexEntry index = open.summary.Finish();
      TD_RETURN_IF_ERROR(
          open.messages.Seal(lane->tape, received, Effort::kLive, &buffers_, &block_));
      built->raw_bytes += index.raw_bytes;
      built->tape_bytes += block_.size();
      built->batch.PutTapeBlock(lane->tape, base, block_);
      built->batch.PutTapeIndex(lane->tape, base, index);
    }
    built->emptied.push_back(std::move(open));
  }
  for (const auto& [offset, refusal] : lane->refusals)
    built->batch.PutRefusal(lane->tape, offset, refusal);
  for (const Gap& gap : lane->gaps) built->batch.PutGap(lane->tape, gap);
  built->batch.PutCheckpoint(lane->tape, lane->checkpoint);
  built->checkpoints.emplace_back(lane->tape, std::move(lane->checkpoint));
  return Status::Ok();
}

std::unique_ptr<BuiltCommit> CommitBuilder::Build(CommitJob job) {
  auto built = std::make_unique<BuiltCommit>();
  for (LanePart& lane : job.lanes) {
    built->status = PutLane(&lane, job.received, built.get());
    if (!built->status.ok()) return built;
  }
  built->batch.PutCommitNumber(job.number);
  built->rows = std::move(job.rows).Finish(job.number, job.ranks);
  return built;
}

}  // namespace tapedeck
