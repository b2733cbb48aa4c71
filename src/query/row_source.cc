#include "query/row_source.h"

#include <algorithm>
#include <limits>

namespace tapedeck {

Rows RowSelection::EmptyRows() const {
  Rows rows;
  rows.columns.resize(columns.size());
  for (size_t c = 0; c < columns.size(); ++c) rows.columns[c].type = columns[c].type;
  return rows;
}

size_t BytesOf(const Rows& rows) {
  size_t bytes = rows.size() * (3 * sizeof(int64_t) + 2 * sizeof(uint32_t));
  for (const RowsColumn& column : rows.columns) {
    bytes += column.numbers.size() * sizeof(int64_t) + column.scales.size() +
             column.present.size() + column.text_ends.size() * sizeof(uint32_t) +
             column.text.size();
  }
  return bytes;
}

void AppendRow(const Rows& from, size_t row, Rows* to) {
  to->ts.push_back(from.ts[row]);
  to->ts_kafka.push_back(from.ts_kafka[row]);
  to->tp.push_back(from.tp[row]);
  to->offset.push_back(from.offset[row]);
  to->index.push_back(from.index[row]);
  for (size_t c = 0; c < to->columns.size(); ++c) {
    to->columns[c].Append(from.columns[c].At(row));
  }
}

bool RunHeap::Before(const Entry& a, const Entry& b) const {
  if (a.ts != b.ts) return (a.ts < b.ts) == (order_ == ReadOrder::kAscending);
  const RowKey x = KeyOf(a.source->head(), 0, *ranks_);
  const RowKey y = KeyOf(b.source->head(), 0, *ranks_);
  return order_ == ReadOrder::kAscending ? x < y : y < x;
}

void RunHeap::SiftUp(size_t at) {
  while (at > 0) {
    const size_t parent = (at - 1) / 2;
    if (!Before(heap_[at], heap_[parent])) return;
    std::swap(heap_[at], heap_[parent]);
    at = parent;
  }
}

void RunHeap::SiftDown(size_t at) {
  for (;;) {
    size_t least = at;
    for (size_t child = 2 * at + 1; child <= 2 * at + 2 && child < heap_.size(); ++child) {
      if (Before(heap_[child], heap_[least])) least = child;
    }
    if (least == at) return;
    std::swap(heap_[at], heap_[least]);
    at = least;
  }
}

Status RunHeap::Add(std::unique_ptr<RowSource> source) {
  TD_RETURN_IF_ERROR(source->Fill());
  const RowRun& head = source->head();
  if (head.count == 0) return Status::Ok();
  const int64_t ts = head.rows->ts[head.first];
  heap_.push_back({ts, std::move(source)});
  SiftUp(heap_.size() - 1);
  return Status::Ok();
}

uint32_t RunHeap::TopRun(int64_t ts_bound) const {
  const RowRun& run = top();
  const bool up = order_ == ReadOrder::kAscending;
  const Entry* second = nullptr;
  for (size_t child = 1; child <= 2 && child < heap_.size(); ++child) {
    if (second == nullptr || Before(heap_[child], *second)) second = &heap_[child];
  }
  RowKey other;
  if (second != nullptr) other = KeyOf(second->source->head(), 0, *ranks_);
  auto comes_first = [&](uint32_t n) {
    const int64_t ts = run.rows->ts[run.RowAt(n)];
    if (up ? ts >= ts_bound : ts <= ts_bound) return false;
    if (second == nullptr || (up ? ts < other.ts : ts > other.ts)) return true;
    if (ts != other.ts) return false;
    const RowKey key = KeyOf(run, n, *ranks_);
    return up ? key < other : other < key;
  };
  // Doubling steps, then halving: a run that is wholly first costs a few looks.
  uint32_t good = 0;
  uint32_t step = 1;
  while (good < run.count) {
    const uint32_t probe = std::min(good + step, run.count) - 1;
    if (!comes_first(probe)) break;
    good = probe + 1;
    step *= 2;
  }
  uint32_t low = good;
  uint32_t high = std::min(good + step, run.count);
  while (low < high) {
    const uint32_t middle = low + (high - low) / 2;
    if (comes_first(middle)) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

Status RunHeap::AdvanceTop(uint32_t rows) {
  RowSource* source = heap_.front().source.get();
  source->Advance(rows);
  if (source->head().count == 0) TD_RETURN_IF_ERROR(source->Fill());
  const RowRun& head = source->head();
  if (head.count == 0) {
    heap_.front() = std::move(heap_.back());
    heap_.pop_back();
  } else {
    heap_.front().ts = head.rows->ts[head.first];
  }
  if (!heap_.empty()) SiftDown(0);
  return Status::Ok();
}

void MergedSource::AddLater(int64_t bound, std::unique_ptr<RowSource> source) {
  waiting_.push_back({bound, std::move(source)});
  std::push_heap(waiting_.begin(), waiting_.end(), Later());
}

// Whether a source that waits may hold a row that comes before the heap's, or ties with it.
bool MergedSource::MustOpen() const {
  if (waiting_.empty() || heap_.empty()) return !waiting_.empty();
  const int64_t ts = heap_.top().rows->ts[heap_.top().first];
  const int64_t bound = waiting_.front().bound;
  return order_ == ReadOrder::kAscending ? bound <= ts : bound >= ts;
}

Status MergedSource::Fill() {
  if (taken_ > 0) {
    const uint32_t taken = taken_;
    taken_ = 0;
    TD_RETURN_IF_ERROR(heap_.AdvanceTop(taken));
  }
  head_ = RowRun{};
  while (MustOpen()) {
    std::pop_heap(waiting_.begin(), waiting_.end(), Later());
    std::unique_ptr<RowSource> source = std::move(waiting_.back().source);
    waiting_.pop_back();
    TD_RETURN_IF_ERROR(heap_.Add(std::move(source)));
  }
  if (heap_.empty()) return Status::Ok();
  const bool up = order_ == ReadOrder::kAscending;
  // Where nobody waits, no bound but the ends of time; a row at the very end of time still belongs
  // to the run.
  const int64_t end =
      up ? std::numeric_limits<int64_t>::max() : std::numeric_limits<int64_t>::min();
  const uint32_t count =
      std::max(1u, heap_.TopRun(waiting_.empty() ? end : waiting_.front().bound));
  head_ = heap_.top();
  head_.count = count;
  return Status::Ok();
}

}  // namespace tapedeck
