#ifndef TAPEDECK_MODEL_OPEN_ROWS_H_
#define TAPEDECK_MODEL_OPEN_ROWS_H_

// OpenRows: the published chunks that no flush has written yet. Part of the closed list of shared
// mutable state.
//
// The record thread adds the chunk of each commit and drops those up to a commit once their flush
// is durable. A query takes the list first and the store's snapshot after it, and ignores chunks
// that the snapshot says are flushed (commit <= its flushed commit): no row is missed and none is
// seen twice.
//
// Thread-safe.

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "model/chunk.h"

namespace tapedeck {

class OpenRows {
 public:
  using List = std::vector<std::shared_ptr<const Chunk>>;

  void Publish(std::shared_ptr<const Chunk> chunk) {
    if (chunk == nullptr) return;
    std::lock_guard lock(mutex_);
    bytes_ += chunk->bytes();
    rows_ += chunk->size();
    chunks_.push_back(std::move(chunk));
    changes_.fetch_add(1);
  }
  /// Says that the rows of all commits up to `commit` have been published: some commits have none.
  void MarkPublished(uint64_t commit) {
    {
      std::lock_guard lock(mutex_);
      published_ = commit;
    }
    marked_.notify_all();
  }
  /// The last commit that was marked; UINT64_MAX where nobody marks any. Read before Take: the rows
  /// of all commits up to it are in what Take gives, or flushed.
  uint64_t published() const {
    std::lock_guard lock(mutex_);
    return published_;
  }
  /// Waits until `commit` is marked, at most as long as said. False: it still is not.
  bool AwaitPublished(uint64_t commit, std::chrono::milliseconds at_most) const {
    std::unique_lock lock(mutex_);
    return marked_.wait_for(lock, at_most, [&] { return published_ >= commit; });
  }
  /// In order of commits.
  List Take() const {
    std::lock_guard lock(mutex_);
    return chunks_;
  }
  /// Drops the chunks of commits up to `commit`.
  void DropThrough(uint64_t commit) {
    List dropped;  // freed outside the lock
    std::lock_guard lock(mutex_);
    auto keep = chunks_.begin();
    for (; keep != chunks_.end() && (*keep)->commit() <= commit; ++keep) {
      bytes_ -= (*keep)->bytes();
      rows_ -= (*keep)->size();
      dropped.push_back(std::move(*keep));
    }
    chunks_.erase(chunks_.begin(), keep);
    changes_.fetch_add(1);
  }
  /// Grows with each change of the list. Read before Take it is never ahead of what Take gives.
  uint64_t changes() const { return changes_.load(); }
  size_t bytes() const {
    std::lock_guard lock(mutex_);
    return bytes_;
  }
  size_t rows() const {
    std::lock_guard lock(mutex_);
    return rows_;
  }

 private:
  mutable std::mutex mutex_;
  mutable std::condition_variable marked_;
  uint64_t published_ = UINT64_MAX;
  std::atomic<uint64_t> changes_{0};
  List chunks_;
  size_t bytes_ = 0;
  size_t rows_ = 0;
};

}  // namespace tapedeck

#endif  // TAPEDECK_MODEL_OPEN_ROWS_H_
