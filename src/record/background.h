#ifndef TAPEDECK_RECORD_BACKGROUND_H_
#define TAPEDECK_RECORD_BACKGROUND_H_

// Background: one job at a time on a thread of its own.
//
// The record thread is the only writer of the store; what it writes can be built beside it. A job
// carries everything that its building needs, so nothing is shared; the record thread takes what is
// built and applies it.
//
//   Background<Job, Built> worker([&](Job job) { return Build(std::move(job)); });
//   worker.Start(std::move(job));
//   …
//   if (std::unique_ptr<Built> built = worker.TakeBuilt()) Apply(*built);
//
// Thread safety: one caller; the work is done by one thread inside, or by the caller in BuildHere,
// never by both at once.

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>

#include "base/check.h"

namespace tapedeck {

template <typename Job, typename Built>
class Background {
 public:
  using Build = std::function<std::unique_ptr<Built>(Job)>;

  explicit Background(Build build) : build_(std::move(build)), thread_([this] { Loop(); }) {}
  /// Waits for the job in hand and drops it: it was not written, so nothing is lost.
  ~Background() {
    {
      std::lock_guard lock(mutex_);
      stop_ = true;
    }
    changed_.notify_all();
    thread_.join();
  }
  Background(const Background&) = delete;
  Background& operator=(const Background&) = delete;

  /// Not while busy().
  void Start(Job job) {
    {
      std::lock_guard lock(mutex_);
      TD_CHECK(!busy_, "one job at a time");
      job_ = std::make_unique<Job>(std::move(job));
      busy_ = true;
    }
    changed_.notify_all();
  }
  /// From Start until TakeBuilt or WaitBuilt gave the result out.
  bool busy() const {
    std::lock_guard lock(mutex_);
    return busy_;
  }
  /// Null while it is not finished, and where there is none.
  std::unique_ptr<Built> TakeBuilt() {
    std::lock_guard lock(mutex_);
    if (built_ != nullptr) busy_ = false;
    return std::move(built_);
  }
  /// Waits for it. Busy.
  std::unique_ptr<Built> WaitBuilt() {
    std::unique_lock lock(mutex_);
    TD_CHECK(busy_, "there is a job to wait for");
    changed_.wait(lock, [&] { return built_ != nullptr; });
    busy_ = false;
    return std::move(built_);
  }
  /// By the caller itself, for what is too small to hand over. Not while busy().
  std::unique_ptr<Built> BuildHere(Job job) {
    TD_CHECK(!busy(), "one job at a time");
    return build_(std::move(job));
  }

 private:
  void Loop() {
    for (;;) {
      std::unique_ptr<Job> job;
      {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [&] { return stop_ || job_ != nullptr; });
        if (stop_) return;
        job = std::move(job_);
      }
      std::unique_ptr<Built> built = build_(std::move(*job));
      job.reset();
      {
        std::lock_guard lock(mutex_);
        built_ = std::move(built);
      }
      changed_.notify_all();
    }
  }

  const Build build_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  // Protected by mutex_:
  std::unique_ptr<Job> job_;
  std::unique_ptr<Built> built_;
  bool busy_ = false;
  bool stop_ = false;
  std::thread thread_;
};

}  // namespace tapedeck

#endif  // TAPEDECK_RECORD_BACKGROUND_H_
