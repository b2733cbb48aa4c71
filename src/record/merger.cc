#include "record/merger.h"

#include <algorithm>

#include "base/log.h"
#include "record/series_merge.h"
#include "record/tape_merge.h"

namespace tapedeck {

struct Merger::State {
  explicit State(Store* s) : store(s) {}

  Store* const store;
  std::mutex mutex;
  std::condition_variable wake;
  // Protected by mutex:
  bool poked = false;
  std::vector<FlushedBlock> flushed;  // since the thread last looked
  bool stop = false;
  std::unique_ptr<PreparedMerge> prepared;
  bool in_hand = false;  // taken by the record thread, not applied yet
  bool forget = false;   // since the thread last looked
  uint64_t looks = 0;
  // The thread's own:
  TapeMerge tapes;
  SeriesMerge series;
  std::thread thread;
};

Merger::Merger(Store* store) : state_(std::make_unique<State>(store)) {
  state_->thread = std::thread([this] { Loop(); });
}

Merger::~Merger() {
  {
    std::lock_guard lock(state_->mutex);
    state_->stop = true;
  }
  state_->wake.notify_all();
  state_->thread.join();
}

void Merger::Poke(std::vector<FlushedBlock> blocks) {
  {
    std::lock_guard lock(state_->mutex);
    state_->flushed.insert(state_->flushed.end(), std::make_move_iterator(blocks.begin()),
                           std::make_move_iterator(blocks.end()));
    state_->poked = true;
  }
  state_->wake.notify_all();
}

std::unique_ptr<PreparedMerge> Merger::TakePrepared() {
  std::lock_guard lock(state_->mutex);
  if (state_->prepared == nullptr) return nullptr;
  state_->in_hand = true;
  return std::move(state_->prepared);
}

void Merger::Applied() {
  {
    std::lock_guard lock(state_->mutex);
    state_->in_hand = false;
    state_->poked = true;  // there may be more where that came from
  }
  state_->wake.notify_all();
}

void Merger::Forget() {
  std::lock_guard lock(state_->mutex);
  state_->forget = true;
  state_->prepared.reset();
}

uint64_t Merger::looks() const {
  std::lock_guard lock(state_->mutex);
  return state_->looks;
}

namespace {

Result<std::unique_ptr<PreparedMerge>> PrepareOne(const Store& store, TapeMerge* tapes,
                                                  SeriesMerge* series,
                                                  std::vector<FlushedBlock> flushed) {
  auto merge = std::make_unique<PreparedMerge>();
  std::unique_ptr<StoreView> view = store.View();
  TD_ASSIGN_OR_RETURN(StoreState state, view->LoadState());
  TD_RETURN_IF_ERROR(series->Learn(*view, state, std::move(flushed)));
  for (const auto& [tp, tape] : state.tapes) {
    const auto ship =
        std::ranges::lower_bound(state.ships, tp, {}, &std::pair<TpId, TapeShip>::first);
    const bool ships = ship != state.ships.end() && ship->first == tp;
    const int64_t pruned = ships ? ship->second.pruned : INT64_MIN;
    TD_ASSIGN_OR_RETURN(TapeMerge::Joined joined, tapes->Prepare(*view, tp, pruned, &merge->batch));
    merge->blocks_before += joined.blocks;
    if (joined.blocks > 0) {
      merge->blocks_after += 1;
      merge->tapes.push_back({tp, joined.first_offset});
    }
    if (merge->batch.bytes() >= PreparedMerge::kBatchBytes) return merge;
  }
  TD_RETURN_IF_ERROR(series->Prepare(*view, state, merge.get()));
  if (merge->blocks_before == 0) merge.reset();
  return merge;
}

}  // namespace

void Merger::Loop() {
  for (;;) {
    std::vector<FlushedBlock> flushed;
    {
      std::unique_lock lock(state_->mutex);
      state_->wake.wait(lock, [&] {
        return state_->stop || (state_->poked && state_->prepared == nullptr && !state_->in_hand);
      });
      if (state_->stop) return;
      state_->poked = false;
      flushed = std::exchange(state_->flushed, {});
      if (std::exchange(state_->forget, false)) {
        state_->tapes = TapeMerge();
        state_->series = SeriesMerge();
      }
    }
    Result<std::unique_ptr<PreparedMerge>> merge =
        PrepareOne(*state_->store, &state_->tapes, &state_->series, std::move(flushed));
    std::unique_lock lock(state_->mutex);
    ++state_->looks;
    if (!merge.ok()) {
      lock.unlock();
      // Reads of the damaged block say so where it matters; merging leaves it as it is.
      TD_LOG(kError, "record", "merge-failed", merge.status().ToString());
      continue;
    }
    if (!state_->forget) state_->prepared = std::move(merge).value();
  }
}

}  // namespace tapedeck
