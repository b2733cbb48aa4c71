#ifndef TAPEDECK_RECORD_COMMIT_BUILDER_H_
#define TAPEDECK_RECORD_COMMIT_BUILDER_H_

// CommitBuilder: makes the batch of one commit out of what is open: tape blocks sealed, refusals,
// checkpoints, the commit's number, and the chunk of rows that is published once the batch is
// durable.
//
// Sealing compresses every byte, so a large commit is built on a thread of its own while the record
// thread fills the next one; a small one is built by the record thread itself, at once.
//
//   CommitBuilder builder;
//   std::unique_ptr<BuiltCommit> built = builder.Build(std::move(job));
//   TD_RETURN_IF_ERROR(built->status);
//   store->Write(built->batch); …
//
// A job owns all it needs; nothing is shared with the record thread. Owned by one thread at a time.

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "base/status.h"
#include "codec/tape_block.h"
#include "model/block_summary.h"
#include "model/chunk.h"
#include "model/stored.h"
#include "store/store.h"

namespace tapedeck {

/// A tape block being filled, with what its index entry will say.
struct OpenBlock {
  TapeBlockBuilder messages;
  BlockSummary summary;
};

/// What one partition gives to a commit.
struct LanePart {
  TpId tape{};
  Checkpoint checkpoint;
  std::vector<OpenBlock> blocks;  // in order of offsets; none is empty but perhaps the last
  std::vector<std::pair<int64_t, RefusalEntry>> refusals;
  std::vector<Gap> gaps;  // some may be there already, smaller
};

struct CommitJob {
  uint64_t number = 0;
  Timestamp received;  // of all messages of the commit
  TapeRanks ranks;
  std::vector<LanePart> lanes;
  OpenChunk rows;
};

struct BuiltCommit {
  Status status;
  StoreBatch batch;
  std::shared_ptr<const Chunk> rows;  // null: there are none
  std::vector<std::pair<TpId, Checkpoint>> checkpoints;
  std::vector<OpenBlock> emptied;  // blocks to be filled again: they keep their memory
  uint64_t raw_bytes = 0;          // of messages, and of the blocks made of them
  uint64_t tape_bytes = 0;
};

class CommitBuilder {
 public:
  std::unique_ptr<BuiltCommit> Build(CommitJob job);

 private:
  Status PutLane(LanePart* lane, Timestamp received, BuiltCommit* built);

  CodecBuffers buffers_;
  std::string block_;
};

}  // namespace tapedeck

#endif  // TAPEDECK_RECORD_COMMIT_BUILDER_H_
