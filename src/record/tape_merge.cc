#include "record/tape_merge.h"

#include <algorithm>

#include "base/limits.h"
#include "base/log.h"
#include "codec/tape_block.h"
#include "model/block_summary.h"

namespace tapedeck {
namespace {

bool Small(const TapeIndexEntry& entry) { return entry.raw_bytes < limits::kTapeMergeBytes / 2; }

}  // namespace

Result<TapeMerge::Run> TapeMerge::FindRun(const StoreView& view, TpId tp, int64_t pruned) {
  int64_t& done = done_.try_emplace(tp, pruned).first->second;
  done = std::max(done, pruned);
  std::unique_ptr<StoreCursor> cursor =
      view.Scan(keys::TapeIndex(tp, done), keys::TapeIndex(tp, INT64_MAX), ScanKind::kPoint);
  Run run;
  for (cursor->SeekToFirst(); cursor->Valid(); cursor->Next()) {
    TD_ASSIGN_OR_RETURN(keys::TpOffsetKey key, keys::ParseTpOffset(cursor->key()));
    TD_ASSIGN_OR_RETURN(TapeIndexEntry entry, DecodeTapeIndex(cursor->value()));
    const bool fits =
        Small(entry) &&
        (run.bases.empty() || (entry.mapping == run.joined.mapping &&
                               run.joined.count + entry.count <= limits::kTapeBlockMessagesMax));
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

Result<TapeMerge::Joined> TapeMerge::Prepare(const StoreView& view, TpId tp, int64_t pruned,
                                             StoreBatch* batch) {
  for (;;) {
    TD_ASSIGN_OR_RETURN(const Run run, FindRun(view, tp, pruned));
    if (run.bases.size() < 2) return Joined{};
    std::string joined;
    const Status read = Join(view, tp, run, &joined);
    if (!read.ok() && read.code() != StatusCode::kUnavailable) {
      // Reads of damage say so where it matters; here it must not stand in the way of what lies
      // behind it.
      TD_LOG(kError, "record", "merge-failed", read.ToString());
      done_[tp] = run.bases.back() + 1;
      continue;
    }
    TD_RETURN_IF_ERROR(read);  // the store cannot be read now
    for (int64_t base : run.bases) batch->DeleteTapeBlock(tp, base);
    batch->PutTapeBlock(tp, run.bases.front(), joined);
    batch->PutTapeIndex(tp, run.bases.front(), run.joined);
    done_[tp] = Small(run.joined) ? run.bases.front() : run.bases.front() + 1;
    return Joined{run.bases.size(), run.bases.front()};
  }
}

Status TapeMerge::Join(const StoreView& view, TpId tp, const Run& run, std::string* joined) {
  std::vector<std::string> bytes;
  bytes.reserve(run.bases.size());
  std::vector<StoredTapeBlock> blocks;
  for (int64_t base : run.bases) {
    Result<std::string> block = view.Get(keys::TapeBlock(tp, base));
    if (block.status().code() == StatusCode::kNotFound)
      return Status::Corruption("a tape block that its index entry names is missing");
    TD_RETURN_IF_ERROR(block.status());
    bytes.push_back(std::move(block).value());
    blocks.push_back({base, bytes.back()});
  }
  return MergeTapeBlocks(tp, blocks, Effort::kMerge, &buffers_, joined);
}

}  // namespace tapedeck
