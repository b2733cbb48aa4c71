#include "record/tape_merge.h"

#include "base/limits.h"
#include "codec/tape_block.h"
#include "model/block_summary.h"

namespace tapedeck {
namespace {

bool Small(const TapeIndexEntry& entry) { return entry.raw_bytes < limits::kTapeMergeBytes / 2; }

}  // namespace

Result<TapeMerge::Run> TapeMerge::FindRun(const StoreView& view, TpId tp) {
  int64_t& done = done_.try_emplace(tp, INT64_MIN).first->second;
  std::unique_ptr<StoreCursor> cursor =
      view.Scan(keys::TapeIndex(tp, done), keys::TapeIndex(tp, INT64_MAX), ScanKind::kPoint);
  Run run;
  for (cursor->SeekToFirst(); cursor->Valid(); cursor->Next()) {
    TD_ASSIGN_OR_RETURN(keys::TpOffsetKey key, keys::ParseTpOffset(cursor->key()));
    TD_ASSIGN_OR_RETURN(TapeIndexEntry entry, DecodeTapeIndex(cursor->value()));
    const bool fits = Small(entry) && (run.bases.empty() || entry.mapping == run.joined.mapping);
    if (!fits) {
      if (run.bases.size() > 1) return run;
      run = {};
      done = Small(entry) ? key.offset : key.offset + 1;
      if (!Small(entry)) continue;
    }
    run.joined = run.bases.empty() ? entry : JoinTapeIndex(run.joined, entry);
    run.bases.push_back(key.offset);
    if (run.joined.raw_bytes >= limits::kTapeMergeBytes || run.bases.size() >= kRunBlocksMax)
      return run;
  }
  TD_RETURN_IF_ERROR(cursor->status());
  return Run{};  // what is left is still growing
}

Result<TapeMerge::Joined> TapeMerge::Prepare(const StoreView& view, TpId tp, StoreBatch* batch) {
  TD_ASSIGN_OR_RETURN(Run run, FindRun(view, tp));
  if (run.bases.size() < 2) return Joined{};
  std::vector<std::string> bytes;
  bytes.reserve(run.bases.size());
  std::vector<StoredTapeBlock> blocks;
  for (int64_t base : run.bases) {
    TD_ASSIGN_OR_RETURN(std::string block, view.Get(keys::TapeBlock(tp, base)));
    bytes.push_back(std::move(block));
    blocks.push_back({base, bytes.back()});
    batch->DeleteTapeBlock(tp, base);
  }
  std::string joined;
  TD_RETURN_IF_ERROR(MergeTapeBlocks(tp, blocks, Effort::kMerge, &buffers_, &joined));
  batch->PutTapeBlock(tp, run.bases.front(), joined);
  batch->PutTapeIndex(tp, run.bases.front(), run.joined);
  done_[tp] = Small(run.joined) ? run.bases.front() : run.bases.front() + 1;
  return Joined{run.bases.size(), run.bases.front()};
}

}  // namespace tapedeck
