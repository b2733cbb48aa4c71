#ifndef TAPEDECK_RECORD_SERIES_MERGE_H_
#define TAPEDECK_RECORD_SERIES_MERGE_H_

// Finds small series blocks of one (table, day, generation, symbol) and joins them, sorted. Used by
// the Merger's thread.
//
// Blocks fall into size classes by rows (below 8, 64, 512, 4,096); kClassBlocks of one class are
// joined into blocks of the next. New blocks are told by the record thread; those of earlier runs
// are found by one look at the open generations. A union has a name that no block in the view has.
//
// Owned by one thread.

#include <array>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "base/status.h"
#include "codec/codec_buffers.h"
#include "model/record.h"
#include "model/stored.h"
#include "record/merger.h"
#include "store/store.h"

namespace tapedeck {

class SeriesMerge {
 public:
  static constexpr size_t kClasses = 4;
  static constexpr size_t kClassBlocks = 8;
  /// A join of more than kClassBlocks, as after a start, ends with the block that reaches this.
  static constexpr size_t kJoinRows = kClassBlocks * 4096;

  /// Takes in what was flushed; the first call also looks at every block of the open generations
  /// that the view has.
  Status Learn(const StoreView& view, const StoreState& state, std::vector<FlushedBlock> flushed);
  /// Adds merges to `merge` until there are none or its batch is large.
  Status Prepare(const StoreView& view, const StoreState& state, PreparedMerge* merge);

 private:
  /// Blocks of one series that may still grow, by class.
  using Classes = std::array<std::vector<FlushedBlock>, kClasses>;

  void Note(FlushedBlock block);
  /// Decodes those of `blocks` that are there, each once, by age; the others leave `blocks`.
  Status Read(const StoreView& view, const Table& table, std::vector<FlushedBlock>* blocks,
              std::vector<Rows>* decoded);
  Status Join(const StoreView& view, const StoreState& state, std::vector<FlushedBlock> blocks,
              PreparedMerge* merge);

  bool looked_ = false;
  std::map<std::string, Classes> series_;  // by key prefix of (table, day, generation, symbol)
  std::set<std::string> ready_;            // those with a full class
  CodecBuffers buffers_;
};

}  // namespace tapedeck

#endif  // TAPEDECK_RECORD_SERIES_MERGE_H_
