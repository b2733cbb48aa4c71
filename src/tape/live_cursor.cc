#include "tape/live_cursor.h"

#include <algorithm>
#include <tuple>

#include "tape/selection_lane.h"

namespace tapedeck {
namespace {

auto NameOf(const TapeId& tape) { return std::tie(tape.topic, tape.partition, tape.lineage); }

}  // namespace

// What is durable and was not given, as of one read point.
struct LiveCursor::Batch {
  struct Lane {
    std::unique_ptr<SelectionLane> lane;
    size_t place = 0;                       // in places_
    Timestamp received = Timestamp::Min();  // greatest so far
  };

  Selection selection;
  std::vector<size_t> place_of_range;
  SelectionLane::Setting setting;
  std::vector<Lane> lanes;
  std::vector<size_t> heap;  // of lanes that have a message; the next one's at the front
  std::optional<size_t> given;
  MonotonicTime ends{0};

  // Lanes are in the order of their tapes.
  bool Later(size_t a, size_t b) const {
    return std::tie(lanes[a].received, a) > std::tie(lanes[b].received, b);
  }
};

LiveCursor::LiveCursor(SelectionParts parts, LiveSelection selection, std::vector<TapePlace> places)
    : parts_(std::move(parts)), selection_(std::move(selection)), places_(std::move(places)) {}

LiveCursor::~LiveCursor() = default;

void LiveCursor::JoinNewTapes(const ReadPoint& point) {
  for (const auto& [tp, tape] : point.state().tapes) {
    if (!std::binary_search(selection_.topics.begin(), selection_.topics.end(), tape.topic)) {
      continue;
    }
    const auto at = std::lower_bound(
        places_.begin(), places_.end(), tape,
        [](const TapePlace& place, const TapeId& id) { return NameOf(place.tape) < NameOf(id); });
    if (at != places_.end() && NameOf(at->tape) == NameOf(tape)) continue;
    if (TapeOf(point, {"", tape.topic, tape.lineage, tape.partition}) != tp) continue;
    places_.insert(at, {tape, INT64_MIN});
  }
}

Status LiveCursor::OpenBatch() {
  auto batch = std::make_unique<Batch>();
  auto stop = std::make_shared<ReadStop>(parts_.clock, parts_.gone);
  {
    std::lock_guard lock(mutex_);
    stop_ = stop;
  }
  TD_ASSIGN_OR_RETURN(batch->setting.point, parts_.open_point());
  const ReadPoint& point = *batch->setting.point;
  JoinNewTapes(point);
  Selection& selection = batch->selection;
  selection.start = selection_.start;
  selection.clock = selection_.clock;
  selection.symbols = selection_.symbols;
  selection.tables = selection_.tables;
  for (size_t i = 0; i < places_.size(); ++i) {
    const std::optional<TpId> tp = TapeOf(point, places_[i].tape);
    const auto checkpoint =
        std::find_if(point.state().checkpoints.begin(), point.state().checkpoints.end(),
                     [&](const auto& entry) { return entry.first == tp; });
    if (!tp || checkpoint == point.state().checkpoints.end()) continue;
    const int64_t from = std::max(places_[i].next, checkpoint->second.start);
    if (from >= checkpoint->second.next) continue;
    selection.ranges.push_back({*point.FindTape(*tp), from, checkpoint->second.next});
    batch->place_of_range.push_back(i);
  }
  batch->setting.selection = &selection;
  batch->setting.memory_bytes = parts_.memory_bytes / std::max<size_t>(selection.ranges.size(), 1);
  batch->setting.decodes = parts_.wants_records || selection.narrowed();
  batch->setting.stop = stop;
  batch->ends = parts_.clock->Monotonic() + parts_.view_life;
  batch_ = std::move(batch);
  for (size_t i = 0; i < selection.ranges.size(); ++i) {
    batch_->lanes.push_back(
        {std::make_unique<SelectionLane>(&batch_->setting, &selection.ranges[i], i, std::nullopt),
         batch_->place_of_range[i], Timestamp::Min()});
    TD_RETURN_IF_ERROR(Push(i));
  }
  return Status::Ok();
}

Status LiveCursor::Push(size_t lane) {
  Batch::Lane& entry = batch_->lanes[lane];
  TD_RETURN_IF_ERROR(entry.lane->Next());
  if (!entry.lane->Valid()) return Status::Ok();
  entry.received = std::max(entry.received, entry.lane->message().stored->received);
  batch_->heap.push_back(lane);
  std::push_heap(batch_->heap.begin(), batch_->heap.end(),
                 [&](size_t a, size_t b) { return batch_->Later(a, b); });
  return Status::Ok();
}

// Everything of it was given: what is not selected is passed by, too.
void LiveCursor::EndBatch() {
  for (size_t i = 0; i < batch_->selection.ranges.size(); ++i) {
    places_[batch_->place_of_range[i]].next = batch_->selection.ranges[i].to;
  }
  batch_.reset();
}

Result<const SelectedMessage*> LiveCursor::Next() {
  if (batch_ != nullptr && parts_.clock->Monotonic() >= batch_->ends) Release();
  Status status;
  if (batch_ == nullptr) {
    status = OpenBatch();
  } else if (batch_->given) {
    status = Push(*std::exchange(batch_->given, std::nullopt));
  }
  if (!status.ok()) {
    batch_.reset();  // the next call begins again behind the last message given
    return status;
  }
  if (batch_->heap.empty()) {
    EndBatch();
    return nullptr;
  }
  std::pop_heap(batch_->heap.begin(), batch_->heap.end(),
                [&](size_t a, size_t b) { return batch_->Later(a, b); });
  const size_t lane = batch_->heap.back();
  batch_->heap.pop_back();
  batch_->given = lane;
  const SelectedMessage& message = batch_->lanes[lane].lane->message();
  places_[batch_->lanes[lane].place].next = message.stored->message.offset + 1;
  return &message;
}

void LiveCursor::Release() { batch_.reset(); }

void LiveCursor::Break() {
  std::lock_guard lock(mutex_);
  if (stop_ != nullptr) stop_->Break();
}

}  // namespace tapedeck
