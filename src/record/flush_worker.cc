#include "record/flush_worker.h"

#include "base/check.h"

namespace tapedeck {

FlushWorker::FlushWorker(const SeriesDirectory* directory, const Store* store)
    : builder_(directory, store), thread_([this] { Loop(); }) {}

FlushWorker::~FlushWorker() {
  {
    std::lock_guard lock(mutex_);
    stop_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void FlushWorker::Start(FlushJob job) {
  {
    std::lock_guard lock(mutex_);
    TD_CHECK(!busy_, "one flush at a time");
    job_ = std::make_unique<FlushJob>(std::move(job));
    busy_ = true;
  }
  changed_.notify_all();
}

bool FlushWorker::busy() const {
  std::lock_guard lock(mutex_);
  return busy_;
}

std::unique_ptr<BuiltFlush> FlushWorker::TakeBuilt() {
  std::lock_guard lock(mutex_);
  if (built_ != nullptr) busy_ = false;
  return std::move(built_);
}

std::unique_ptr<BuiltFlush> FlushWorker::WaitBuilt() {
  std::unique_lock lock(mutex_);
  TD_CHECK(busy_, "there is a flush to wait for");
  changed_.wait(lock, [&] { return built_ != nullptr; });
  busy_ = false;
  return std::move(built_);
}

std::unique_ptr<BuiltFlush> FlushWorker::Build(const FlushJob& job) {
  auto built = std::make_unique<BuiltFlush>();
  built->through_commit = job.book.commit;
  for (const auto& [tp, tape] : job.book.tapes())
    built->marks.emplace_back(tp, job.book.checkpoint(tp).next);
  built->status = builder_.Build(job.chunks, job.book, &built->batch, &built->result)
                      .WithContext("building a flush");
  return built;
}

void FlushWorker::Loop() {
  for (;;) {
    std::unique_ptr<FlushJob> job;
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [&] { return stop_ || job_ != nullptr; });
      if (stop_) return;
      job = std::move(job_);
    }
    std::unique_ptr<BuiltFlush> built = Build(*job);
    job.reset();  // the chunks may go
    {
      std::lock_guard lock(mutex_);
      built_ = std::move(built);
    }
    changed_.notify_all();
  }
}

}  // namespace tapedeck
