#ifndef TAPEDECK_HTTP_WORKER_POOL_H_
#define TAPEDECK_HTTP_WORKER_POOL_H_

// WorkerPool: threads for what may take a while: handlers that read from disk, and the next bytes
// of streams.
//
// Work waits in three lines. What only frees something goes first; whole requests and steps of
// streams take turns, so that neither starves the other. Queueing allocates nothing, and a piece of
// work is in a line at most once, so the lines are as bounded as the connections.
//
// Private to http. Thread-safe.

#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <thread>
#include <vector>

namespace tapedeck {

/// Something to be done by a worker; kept alive by its owner until Run has begun its last step.
class Work {
 public:
  virtual ~Work() = default;
  /// Must not throw. The pool does not touch the object afterwards.
  virtual void Run() = 0;

 private:
  friend class WorkerPool;
  Work* next_ = nullptr;
};

class WorkerPool {
 public:
  enum class Line : uint8_t { kRelease = 0, kRequest = 1, kStream = 2 };

  explicit WorkerPool(int threads);
  ~WorkerPool() { Stop(); }
  WorkerPool(const WorkerPool&) = delete;
  WorkerPool& operator=(const WorkerPool&) = delete;

  void Push(Work* work, Line line) noexcept;
  /// Waits until all work is done and the threads have ended. Nothing may be pushed afterwards.
  void Stop();

 private:
  struct Queue {
    Work* first = nullptr;
    Work* last = nullptr;
  };
  Work* Take(Queue* queue);
  Work* TakeNext();
  void Serve();

  std::mutex mutex_;
  std::condition_variable wake_;
  Queue queues_[3];
  bool stream_next_ = false;
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

/// SIGPIPE for writes of the calling thread becomes an error of the write; OpenSSL writes without
/// MSG_NOSIGNAL. Other signals are left to the main thread.
void LeaveSignalsToMainThread();

}  // namespace tapedeck

#endif  // TAPEDECK_HTTP_WORKER_POOL_H_
