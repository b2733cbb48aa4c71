#ifndef TAPEDECK_TESTS_STORE_STORE_FIXTURE_H_
#define TAPEDECK_TESTS_STORE_STORE_FIXTURE_H_

// A small recording for store tests. Commit n of one writer puts, in one batch, one tape block for
// each of two tapes, its index entry, a checkpoint for each and the commit number. What is there
// after a fault is judged by CheckPrefix: commits 1..n for one n, each whole.
//
// Thread-safe: pure functions on a store.

#include <gtest/gtest.h>

#include <cstdio>
#include <string>
#include <vector>

#include "base/random.h"
#include "store/store.h"

namespace tapedeck::testing {

inline constexpr int64_t kMessagesPerBlock = 10;
inline constexpr TpId kTapes[] = {TpId{1}, TpId{2}};

inline StoreOptions SmallStore(const std::filesystem::path& dir) {
  StoreOptions options;
  options.dir = dir;
  options.node_id = "node-1";
  options.memory_bytes = size_t{8} << 20;
  options.ballast_bytes = 0;
  return options;
}

/// The block of (tape, commit): bytes that tell both, and do not compress. Small ones are a piece
/// of 256 KiB that are drawn once: to draw each anew is most of a test's time under a sanitizer.
inline std::string BlockOf(TpId tp, uint64_t commit, size_t bytes) {
  static const std::string drawn = Random(1).Bytes(size_t{256} << 10);
  Random random(commit * 16 + Raw(tp));
  std::string block = "block " + std::to_string(Raw(tp)) + " " + std::to_string(commit) + " ";
  if (bytes > drawn.size() / 2) return block + random.Bytes(bytes);
  return block.append(drawn, random.Uniform(drawn.size() - bytes), bytes);
}

inline int64_t BaseOf(uint64_t commit) {
  return static_cast<int64_t>(commit - 1) * kMessagesPerBlock;
}

inline Checkpoint CheckpointOf(TpId tp, uint64_t commit) {
  Checkpoint c;
  c.next = static_cast<int64_t>(commit) * kMessagesPerBlock;
  c.last = {c.next - 1, {commit, Raw(tp)}};
  c.digest = {commit * 3, commit * 5};
  c.messages = commit * static_cast<uint64_t>(kMessagesPerBlock);
  return c;
}

inline void FillBatch(StoreBatch* batch, uint64_t commit, size_t block_bytes) {
  for (TpId tp : kTapes) {
    batch->PutTapeBlock(tp, BaseOf(commit), BlockOf(tp, commit, block_bytes));
    TapeIndexEntry index;
    index.count = static_cast<uint64_t>(kMessagesPerBlock);
    index.first_offset = BaseOf(commit);
    index.last_offset = BaseOf(commit) + kMessagesPerBlock - 1;
    index.symbols = {"BTCUSDT"};
    batch->PutTapeIndex(tp, BaseOf(commit), index);
    batch->PutCheckpoint(tp, CheckpointOf(tp, commit));
  }
  batch->PutCommitNumber(commit);
}

inline Status WriteCommit(Store* store, uint64_t commit, size_t block_bytes) {
  StoreBatch batch;
  FillBatch(&batch, commit, block_bytes);
  return store->Write(batch);
}

/// Compares everything in the view with commits 1..n, where n is the commit number stored. The
/// number, or what is wrong: kCorruption where the store itself says so, kInternal where an answer
/// is wrong.
inline Result<uint64_t> ReadPrefix(const StoreView& view, size_t block_bytes) {
  TD_ASSIGN_OR_RETURN(StoreState state, view.LoadState());
  auto wrong = [](const std::string& what) { return Status::Internal("WRONG ANSWER: " + what); };
  for (TpId tp : kTapes) {
    if (state.commit == 0) break;
    TD_ASSIGN_OR_RETURN(Checkpoint checkpoint, view.GetCheckpoint(tp));
    if (checkpoint != CheckpointOf(tp, state.commit)) return wrong("checkpoint of another commit");
  }
  for (TpId tp : kTapes) {
    for (bool blocks : {true, false}) {
      const std::string from =
          blocks ? keys::TapeBlock(tp, INT64_MIN) : keys::TapeIndex(tp, INT64_MIN);
      std::unique_ptr<StoreCursor> cursor =
          view.Scan(from, keys::After(from.substr(0, 5)), ScanKind::kLong);
      uint64_t commit = 0;
      for (cursor->SeekToFirst(); cursor->Valid(); cursor->Next()) {
        ++commit;
        TD_ASSIGN_OR_RETURN(keys::TpOffsetKey key, keys::ParseTpOffset(cursor->key()));
        if (key.tp != tp || key.offset != BaseOf(commit))
          return wrong("key of commit " + std::to_string(commit));
        if (blocks && cursor->value() != BlockOf(tp, commit, block_bytes))
          return wrong("block of commit " + std::to_string(commit));
        if (!blocks) TD_RETURN_IF_ERROR(DecodeTapeIndex(cursor->value()).status());
      }
      TD_RETURN_IF_ERROR(cursor->status());
      if (commit != state.commit) {
        return wrong("commit number " + std::to_string(state.commit) + " and " +
                     std::to_string(commit) + (blocks ? " blocks" : " index entries"));
      }
    }
  }
  return state.commit;
}

inline Result<uint64_t> ReadPrefix(const Store& store, size_t block_bytes) {
  return ReadPrefix(*store.View(), block_bytes);
}

}  // namespace tapedeck::testing

#endif  // TAPEDECK_TESTS_STORE_STORE_FIXTURE_H_
