#ifndef TAPEDECK_RECORD_MERGER_H_
#define TAPEDECK_RECORD_MERGER_H_

// Merger: joins the small blocks that quiet hours leave, in the background.
//
// A feed of 200 messages a second over 12 partitions makes sixty tape blocks of three messages each
// second, and each flush one short series block per symbol. Both cost far more than their content,
// so a thread of its own reads runs of small neighbours and prepares one batch that deletes them
// and puts their union: tape blocks of one partition and mapping towards limits::kTapeMergeBytes of
// content, series blocks of one (table, day, generation, symbol) towards limits::kSeriesBlockRows
// rows. The record thread applies a batch as it is: one writer, one atomic step. Nothing of it
// changes an answer. Series are merged in size classes (each eight times the last), so a row is
// rewritten at most four times. Only generations whose state is open are merged.
//
// Thread safety: thread-safe; the batches are the record thread's.

#include <condition_variable>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "base/status.h"
#include "model/keys.h"
#include "store/store.h"

namespace tapedeck {

/// A series block that is in the store, and how long it is.
struct FlushedBlock {
  keys::SeriesKey key;
  uint64_t rows = 0;
};

struct PreparedMerge {
  /// A batch is closed once it holds this much: it stands in the way of one commit.
  static constexpr size_t kBatchBytes = size_t{4} << 20;

  StoreBatch batch;
  std::vector<keys::DayKey> days;        // whose series blocks it joins
  std::vector<keys::TpOffsetKey> tapes;  // first offsets of the tape blocks that it joins
  uint64_t blocks_before = 0;
  uint64_t blocks_after = 0;
};

class Merger {
 public:
  /// `store` outlives the merger. The thread starts at once.
  explicit Merger(Store* store);
  ~Merger();
  Merger(const Merger&) = delete;
  Merger& operator=(const Merger&) = delete;

  /// Something was committed or flushed (`blocks`): there may be work. Cheap.
  void Poke(std::vector<FlushedBlock> blocks = {});
  /// The next batch, or null. Until Applied() the merger prepares no other one, so it never works
  /// on blocks that a batch in hand deletes.
  std::unique_ptr<PreparedMerge> TakePrepared();
  void Applied();
  /// What the merger has read may no longer be so, or what it prepared was not stored: nothing of
  /// it is handed out any more, and its next look starts from the store alone.
  void Forget();
  /// Looks that have ended since the start. One that ends without a prepared batch found nothing to
  /// do.
  uint64_t looks() const;

 private:
  struct State;
  void Loop();

  std::unique_ptr<State> state_;
};

}  // namespace tapedeck

#endif  // TAPEDECK_RECORD_MERGER_H_
