#include "api/stream_reader.h"

#include <utility>

namespace tapedeck {
namespace {

Selection HistoryOf(const StreamQuery& query, const StreamPlace& place) {
  Selection selection;
  for (const TapeRange& range : place.ranges) {
    if (range.from < range.to) selection.ranges.push_back(range);
  }
  selection.start = place.start;
  selection.end = place.end;
  selection.clock = query.what.clock;
  selection.order = query.order;
  selection.symbols = query.what.symbols;
  selection.tables = query.what.tables;
  return selection;
}

std::vector<TapePlace> PlacesOf(const StreamPlace& place) {
  std::vector<TapePlace> places;
  for (const TapeRange& range : place.ranges) places.push_back({range.tape, range.to});
  return places;
}

}  // namespace

StreamReader::StreamReader(SelectionParts parts, StreamQuery query, StreamPlace place)
    : parts_(std::move(parts)), query_(std::move(query)), place_(std::move(place)) {
  place_.sent = 0;  // of the first message only, which is the caller's to mind
  before_ = place_;
}

Result<StreamReader::Step> StreamReader::NextOfHistory() {
  if (history_ == nullptr) {
    TD_ASSIGN_OR_RETURN(auto opened,
                        SelectionCursor::Open(parts_, HistoryOf(query_, place_), place_.after));
    std::lock_guard lock(mutex_);
    history_ = std::move(opened);
  }
  TD_ASSIGN_OR_RETURN(message_, history_->Next());
  place_.after = history_->position();
  if (message_ != nullptr) return Step::kMessage;
  if (!query_.follow) return Step::kEnd;
  std::lock_guard lock(mutex_);
  history_.reset();
  place_.live = true;
  place_.after.reset();
  for (TapeRange& range : place_.ranges) range.from = range.to;
  return Step::kCaughtUp;
}

Result<StreamReader::Step> StreamReader::Next() {
  if (query_.records) before_ = place();
  if (!place_.live) return NextOfHistory();
  if (live_ == nullptr) {
    LiveSelection what = query_.what;
    what.start = place_.start;
    auto opened = std::make_unique<LiveCursor>(parts_, std::move(what), PlacesOf(place_));
    std::lock_guard lock(mutex_);
    live_ = std::move(opened);
  }
  TD_ASSIGN_OR_RETURN(message_, live_->Next());
  return message_ == nullptr ? Step::kNothing : Step::kMessage;
}

StreamPlace StreamReader::place() const {
  StreamPlace place = place_;
  if (live_ == nullptr) return place;
  place.ranges.clear();
  for (const TapePlace& tape : live_->places()) {
    place.ranges.push_back({tape.tape, tape.next, tape.next});
  }
  return place;
}

void StreamReader::Release() {
  message_ = nullptr;
  if (history_ != nullptr) history_->Release();
  if (live_ != nullptr) live_->Release();
}

void StreamReader::Break() {
  std::lock_guard lock(mutex_);
  if (history_ != nullptr) history_->Break();
  if (live_ != nullptr) live_->Break();
}

}  // namespace tapedeck
