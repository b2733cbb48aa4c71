#include "tape/selection_cursor.h"

#include <algorithm>
#include <utility>

#include "tape/selection_lane.h"

namespace tapedeck {
namespace {

// How often the clock is looked at, in messages.
constexpr uint64_t kLookEvery = 256;
// A lane keeps at least this much: less would be decoded too often.
constexpr size_t kLaneBytesMin = size_t{64} << 10;

}  // namespace

/// Everything that a read point holds, gone with it.
struct SelectionCursor::View {
  SelectionLane::Setting setting;
  MonotonicTime until{0};
  size_t opened = 0;                                 // ranges whose lanes have their first message
  std::unique_ptr<SelectionLane> opening;            // the next one's
  std::vector<std::unique_ptr<SelectionLane>> heap;  // the next message's at the front
  std::unique_ptr<SelectionLane> current;            // whose message was given last
};

SelectionCursor::SelectionCursor(SelectionParts parts, Selection selection,
                                 std::optional<MessagePosition> after)
    : parts_(std::move(parts)), selection_(std::move(selection)), position_(std::move(after)) {}

SelectionCursor::~SelectionCursor() = default;

Result<std::unique_ptr<SelectionCursor>> SelectionCursor::Open(
    SelectionParts parts, Selection selection, std::optional<MessagePosition> after) {
  TD_CHECK(parts.clock != nullptr && parts.open_point != nullptr, "a cursor needs its parts");
  if (!std::is_sorted(selection.symbols.begin(), selection.symbols.end()) ||
      !std::is_sorted(selection.tables.begin(), selection.tables.end())) {
    return Status::InvalidArgument("the selection's symbols and tables are not sorted");
  }
  return std::unique_ptr<SelectionCursor>(
      new SelectionCursor(std::move(parts), std::move(selection), std::move(after)));
}

bool SelectionCursor::Later(const SelectionLane& a, const SelectionLane& b) {
  if (a.message().greatest_time != b.message().greatest_time) {
    return a.message().greatest_time > b.message().greatest_time;
  }
  return a.rank() > b.rank();
}

// A search that is longer than a view's life goes on where it was.
void SelectionCursor::Release() {
  if (view_ != nullptr) {
    auto note = [this](const SelectionLane& lane) { looked_to_[lane.rank()] = lane.looked_to(); };
    for (const auto& lane : view_->heap) note(*lane);
    if (view_->opening != nullptr) note(*view_->opening);
    if (view_->current != nullptr) note(*view_->current);
  }
  view_ = nullptr;
  broken_.store(false, std::memory_order_release);
}

void SelectionCursor::PutBack(std::optional<MessagePosition> before) {
  Release();
  position_ = std::move(before);
  extra_records_ -= std::exchange(last_extra_, 0);
}

void SelectionCursor::Break() {
  std::lock_guard lock(mutex_);
  broken_.store(true, std::memory_order_release);
  if (stop_ != nullptr) stop_->Break();
}

Status SelectionCursor::OpenView() {
  auto stop = std::make_shared<ReadStop>(parts_.clock, parts_.gone);
  {
    std::lock_guard lock(mutex_);
    stop_ = stop;
    broken_.store(false, std::memory_order_release);
  }
  auto view = std::make_unique<View>();
  TD_ASSIGN_OR_RETURN(view->setting.point, parts_.open_point());
  view->setting.selection = &selection_;
  view->setting.missing = parts_.missing ? &*parts_.missing : nullptr;
  view->setting.stop = std::move(stop);
  view->setting.memory_bytes =
      std::max(kLaneBytesMin, parts_.memory_bytes / std::max<size_t>(1, selection_.ranges.size()));
  view->setting.decodes =
      parts_.wants_records || selection_.narrowed() || selection_.order == SelectionOrder::kEvent;
  view->until = parts_.clock->Monotonic() + parts_.view_life;
  if (looked_to_.empty()) looked_to_.resize(selection_.ranges.size(), INT64_MIN);
  view_ = std::move(view);
  return Status::Ok();
}

// Each lane's first message must be known before one is given.
Status SelectionCursor::OpenLanes() {
  while (view_->opened < selection_.ranges.size()) {
    auto& lane = view_->opening;
    if (lane == nullptr) {
      const size_t rank = view_->opened;
      lane = std::make_unique<SelectionLane>(&view_->setting, &selection_.ranges[rank], rank,
                                             position_);
      lane->GoOnAt(looked_to_[rank]);
    }
    TD_RETURN_IF_ERROR(lane->Next());
    searching_ = lane->searching();
    if (searching_) return Status::Ok();
    if (lane->Valid()) {
      view_->heap.push_back(std::move(lane));
    } else {
      looked_to_[lane->rank()] = lane->looked_to();
    }
    lane = nullptr;
    if (++view_->opened < selection_.ranges.size()) continue;
    auto later = [](const auto& a, const auto& b) { return Later(*a, *b); };
    std::make_heap(view_->heap.begin(), view_->heap.end(), later);
  }
  return Status::Ok();
}

// Makes the lane of the next message the current one; null at the end.
Status SelectionCursor::Advance() {
  auto later = [](const auto& a, const auto& b) { return Later(*a, *b); };
  auto& heap = view_->heap;
  auto& current = view_->current;
  searching_ = false;
  TD_RETURN_IF_ERROR(OpenLanes());
  if (searching_) return Status::Ok();
  if (current != nullptr) {
    TD_RETURN_IF_ERROR(current->Next());
    searching_ = current->searching();
    if (searching_) return Status::Ok();
    if (current->Valid()) {
      if (heap.empty() || !Later(*current, *heap.front())) return Status::Ok();
      heap.push_back(std::move(current));
      std::push_heap(heap.begin(), heap.end(), later);
    } else {
      looked_to_[current->rank()] = current->looked_to();
    }
    current = nullptr;
  }
  if (heap.empty()) return Status::Ok();
  std::pop_heap(heap.begin(), heap.end(), later);
  current = std::move(heap.back());
  heap.pop_back();
  return Status::Ok();
}

Result<const SelectedMessage*> SelectionCursor::Next() { return NextBy(MonotonicTime::max()); }

Result<const SelectedMessage*> SelectionCursor::NextBy(MonotonicTime until) {
  if (broken()) Release();
  if (view_ != nullptr && (searching_ || given_ % kLookEvery == 0) &&
      parts_.clock->Monotonic() >= view_->until) {
    Release();
  }
  if (view_ == nullptr) TD_RETURN_IF_ERROR(OpenView());
  stop_->BeginTurn(until);
  Status advanced = Advance();
  if (!advanced.ok()) {
    const bool again = broken();
    Release();
    if (!again) return advanced;
    return NextBy(until);  // waits for the store in open_point
  }
  if (searching_ || view_->current == nullptr) return static_cast<const SelectedMessage*>(nullptr);
  const SelectedMessage& message = view_->current->message();
  position_ = view_->current->position();
  ++given_;
  last_extra_ =
      message.decoded == nullptr ? 0 : message.decoded->records.size() - message.matching.size();
  extra_records_ += last_extra_;
  return &message;
}

}  // namespace tapedeck
