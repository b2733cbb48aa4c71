#ifndef TAPEDECK_RECORD_FLUSH_WORKER_H_
#define TAPEDECK_RECORD_FLUSH_WORKER_H_

// FlushWorker: builds the batch of one flush on a thread of its own, while the record thread goes
// on recording.
//
// Sorting and encoding rows costs about as much as recording them did. The chunks are immutable and
// the job has its own copy of the book, so nothing is shared; the record thread applies the
// finished batch, as it does every other: one writer.
//
//   FlushWorker flusher(directory, store);
//   flusher->Start({open_rows->Take(), *book});
//   …
//   if (std::unique_ptr<BuiltFlush> built = flusher->TakeBuilt()) Apply(*built);
//
// Thread safety: one caller; see record/background.h.

#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "base/status.h"
#include "record/background.h"
#include "record/flush_builder.h"

namespace tapedeck {

struct FlushJob {
  OpenRows::List chunks;
  TapeBook book;  // as of the last commit whose rows are in `chunks`
  CloseOrder close;
  Timestamp now;                        // by which days know when their rows came
  std::optional<HealedOffsets> healed;  // of rows that come out of turn
};

struct BuiltFlush {
  Status status;
  StoreBatch batch;  // series blocks, catalog, days
  FlushBuilder::Result result;
  uint64_t through_commit = 0;
  std::vector<std::pair<TpId, int64_t>>
      marks;  // next offsets of the job's book: the watermarks to be
};

class FlushWorker {
 public:
  /// Both outlive the worker.
  FlushWorker(const SeriesDirectory* directory, const Store* store);

  Background<FlushJob, BuiltFlush>* operator->() { return &thread_; }
  const Background<FlushJob, BuiltFlush>* operator->() const { return &thread_; }
  /// The taken batch is written: the builder may believe in what it counted. Not while busy().
  void Accept() { builder_.Accept(); }
  /// Others have changed catalog entries. Not while busy().
  void Forget() { builder_.Forget(); }

 private:
  std::unique_ptr<BuiltFlush> Build(FlushJob job);

  FlushBuilder builder_;
  Background<FlushJob, BuiltFlush> thread_;
};

}  // namespace tapedeck

#endif  // TAPEDECK_RECORD_FLUSH_WORKER_H_
