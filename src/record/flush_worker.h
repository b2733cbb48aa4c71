#ifndef TAPEDECK_RECORD_FLUSH_WORKER_H_
#define TAPEDECK_RECORD_FLUSH_WORKER_H_

// FlushWorker: builds the batch of one flush on a thread of its own, while the record thread goes
// on recording.
//
// Sorting and encoding rows costs about as much as recording them did. The chunks are immutable and
// the job has its own copy of the book, so nothing is shared; the record thread applies the
// finished batch, as it does every other: one writer.
//
//   worker.Start({open_rows->Take(), *book, marks});
//   …
//   if (std::unique_ptr<BuiltFlush> built = worker.TakeBuilt()) Apply(*built);
//
// Thread safety: one caller; the work is done by one thread inside.

#include <condition_variable>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "base/status.h"
#include "record/flush_builder.h"

namespace tapedeck {

struct FlushJob {
  OpenRows::List chunks;
  TapeBook book;  // as of the last commit whose rows are in `chunks`
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
  /// Drops what is being built: it was not written, so nothing is lost.
  ~FlushWorker();
  FlushWorker(const FlushWorker&) = delete;
  FlushWorker& operator=(const FlushWorker&) = delete;

  /// Not while busy().
  void Start(FlushJob job);
  /// From Start until TakeBuilt gave the result out.
  bool busy() const;
  /// Null while it is not finished.
  std::unique_ptr<BuiltFlush> TakeBuilt();
  /// Waits for it. Busy.
  std::unique_ptr<BuiltFlush> WaitBuilt();
  /// The taken batch is written: the builder may believe in what it counted. Not while busy().
  void Accept() { builder_.Accept(); }

 private:
  void Loop();
  std::unique_ptr<BuiltFlush> Build(const FlushJob& job);

  FlushBuilder builder_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  // Protected by mutex_:
  std::unique_ptr<FlushJob> job_;
  std::unique_ptr<BuiltFlush> built_;
  bool busy_ = false;
  bool stop_ = false;
  std::thread thread_;
};

}  // namespace tapedeck

#endif  // TAPEDECK_RECORD_FLUSH_WORKER_H_
