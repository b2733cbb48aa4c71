#ifndef TAPEDECK_API_OPEN_STREAMS_H_
#define TAPEDECK_API_OPEN_STREAMS_H_

// OpenStreams: the streams that hold a view of the store, so that they can be made to let go.
//
// A store that must be opened again (a disk that was full) waits for its views, and recording waits
// for the store. A client that reads slowly, or not at all, must not hold up recording: its answer
// is broken off, visibly, and it asks again.
//
// Thread-safe. A stream enters itself and leaves before it is destroyed.

#include <algorithm>
#include <mutex>
#include <vector>

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
  void BreakAll() {
    std::lock_guard lock(mutex_);  // none can leave, and be destroyed, meanwhile
    for (BreakableStream* stream : streams_) stream->Break();
  }

 private:
  std::mutex mutex_;
  std::vector<BreakableStream*> streams_;
};

}  // namespace tapedeck

#endif  // TAPEDECK_API_OPEN_STREAMS_H_
