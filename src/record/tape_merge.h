#ifndef TAPEDECK_RECORD_TAPE_MERGE_H_
#define TAPEDECK_RECORD_TAPE_MERGE_H_

// Finds runs of small tape blocks and joins them. Used by the Merger's thread.
//
// Goes once through the index entries of each tape, remembers how far it came, and looks again only
// at what was added. A run is closed when it holds limits::kTapeMergeBytes of content or
// kRunBlocksMax blocks, or when the next block has another mapping or is large itself.
//
// Owned by one thread.

#include <cstdint>
#include <map>
#include <vector>

#include "base/status.h"
#include "codec/codec_buffers.h"
#include "model/stored.h"
#include "store/store.h"

namespace tapedeck {

class TapeMerge {
 public:
  /// Blocks of one run: bounds what one merge reads.
  static constexpr size_t kRunBlocksMax = 512;

  struct Joined {
    uint64_t blocks = 0;
    int64_t first_offset = 0;  // of the first of them
  };
  /// Adds one merge of `tp` to `batch`, if there is one; else it joins no blocks. A run with a
  /// damaged block stays as it is, and is not looked at again; nor are blocks below `pruned`, which
  /// were healed late and leave soon.
  Result<Joined> Prepare(const StoreView& view, TpId tp, int64_t pruned, StoreBatch* batch);

 private:
  struct Run {
    std::vector<int64_t> bases;
    TapeIndexEntry joined;
  };
  Result<Run> FindRun(const StoreView& view, TpId tp, int64_t pruned);
  Status Join(const StoreView& view, TpId tp, const Run& run, std::string* joined);

  std::map<TpId, int64_t> done_;  // index entries below are as they should be
  CodecBuffers buffers_;
};

}  // namespace tapedeck

#endif  // TAPEDECK_RECORD_TAPE_MERGE_H_
