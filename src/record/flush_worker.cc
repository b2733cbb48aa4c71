#include "record/flush_worker.h"

namespace tapedeck {

FlushWorker::FlushWorker(const SeriesDirectory* directory, const Store* store)
    : builder_(directory, store), thread_([this](FlushJob job) { return Build(std::move(job)); }) {}

std::unique_ptr<BuiltFlush> FlushWorker::Build(FlushJob job) {
  auto built = std::make_unique<BuiltFlush>();
  built->through_commit = job.book.commit;
  for (const auto& [tp, tape] : job.book.tapes())
    built->marks.emplace_back(tp, job.book.checkpoint(tp).next);
  builder_.SetHealed(job.healed);
  built->status =
      builder_.Build(job.chunks, job.book, job.close, job.now, &built->batch, &built->result)
          .WithContext("building a flush");
  return built;
}

}  // namespace tapedeck
