#ifndef TAPEDECK_API_OPEN_STREAMS_H_
#define TAPEDECK_API_OPEN_STREAMS_H_

// OpenStreams: the streams and reads that hold a view of the store, so that they can be made to let
// go.
//
// A store that must be opened again (a disk that was full) waits for its views, and recording waits
// for the store. A client that reads slowly, or not at all, must not hold up recording: its answer
// is broken off, visibly, and it asks again.
//
// Reads whose answer is not there yet (pages, counts, lists) are asked to end, streams are waited
// for.
//
// Thread-safe. A stream enters itself and leaves before it is destroyed.

#include <algorithm>
#include <mutex>
#include <vector>

#include "base/read_stop.h"

namespace tapedeck {

class BreakableStream {
 public:
  /// Lets go of everything that was read from the store; the answer ends broken. Waits for the
  /// piece in hand. Called by any thread.
  virtual void Break() = 0;

 protected:
  ~BreakableStream() = default;
};

class OpenStreams {
 public:
  void Enter(BreakableStream* stream) {
    std::lock_guard lock(mutex_);
    streams_.push_back(stream);
  }
  void Leave(BreakableStream* stream) {
    std::lock_guard lock(mutex_);
    streams_.erase(std::remove(streams_.begin(), streams_.end(), stream), streams_.end());
  }
  void Enter(ReadStop* read) {
    std::lock_guard lock(mutex_);
    reads_.push_back(read);
  }
  void Leave(ReadStop* read) {
    std::lock_guard lock(mutex_);
    reads_.erase(std::find(reads_.begin(), reads_.end(), read));
  }
  void BreakAll() {
    std::lock_guard lock(mutex_);  // none can leave, and be destroyed, meanwhile
    for (ReadStop* read : reads_) read->Break();
    for (BreakableStream* stream : streams_) stream->Break();
  }

 private:
  std::mutex mutex_;
  std::vector<BreakableStream*> streams_;
  std::vector<ReadStop*> reads_;
};

/// A read that is under way, as long as this lives.
class ReadInHand {
 public:
  ReadInHand(OpenStreams* reads, ReadStop* stop) : reads_(reads), stop_(stop) {
    reads_->Enter(stop_);
  }
  ~ReadInHand() { reads_->Leave(stop_); }
  ReadInHand(const ReadInHand&) = delete;
  ReadInHand& operator=(const ReadInHand&) = delete;

 private:
  OpenStreams* const reads_;
  ReadStop* const stop_;
};

}  // namespace tapedeck

#endif  // TAPEDECK_API_OPEN_STREAMS_H_
