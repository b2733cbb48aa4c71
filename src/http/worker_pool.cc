#include "http/worker_pool.h"

#include <signal.h>

namespace tapedeck {

void LeaveSignalsToMainThread() {
  sigset_t all;
  sigfillset(&all);
  for (int fault : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP}) sigdelset(&all, fault);
  pthread_sigmask(SIG_BLOCK, &all, nullptr);
}

WorkerPool::WorkerPool(int threads) {
  for (int i = 0; i < threads; ++i) threads_.emplace_back([this] { Serve(); });
}

void WorkerPool::Stop() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  for (std::thread& thread : threads_) {
    if (thread.joinable()) thread.join();
  }
}

void WorkerPool::Push(Work* work, Line line) noexcept {
  {
    std::lock_guard lock(mutex_);
    Queue& queue = queues_[static_cast<int>(line)];
    work->next_ = nullptr;
    (queue.last != nullptr ? queue.last->next_ : queue.first) = work;
    queue.last = work;
  }
  wake_.notify_one();
}

Work* WorkerPool::Take(Queue* queue) {
  Work* work = queue->first;
  if (work == nullptr) return nullptr;
  queue->first = work->next_;
  if (queue->first == nullptr) queue->last = nullptr;
  return work;
}

Work* WorkerPool::TakeNext() {
  if (Work* work = Take(&queues_[0])) return work;
  stream_next_ = !stream_next_;
  if (Work* work = Take(&queues_[stream_next_ ? 2 : 1])) return work;
  return Take(&queues_[stream_next_ ? 1 : 2]);
}

void WorkerPool::Serve() {
  LeaveSignalsToMainThread();
  std::unique_lock lock(mutex_);
  while (true) {
    if (Work* work = TakeNext()) {
      lock.unlock();
      work->Run();
      lock.lock();
    } else if (stopping_) {
      return;
    } else {
      wake_.wait(lock);
    }
  }
}

}  // namespace tapedeck
