#include "query/archive_windows.h"

#include <algorithm>
#include <tuple>

namespace tapedeck {
namespace {

// Rows decoded at a time.
constexpr uint64_t kSliceRows = 4096;
// What a row is believed to take before one was seen.
constexpr uint64_t kRowBytes = 128;
// Fewer rows in a window would cost more than they save: a page is decoded for each of them.
constexpr size_t kMemoryMin = size_t{4} << 10;

}  // namespace

ArchiveWindows::ArchiveWindows(const ReadPoint* point, const RowSelection* selection,
                               ArchiveObjects* objects, size_t memory_bytes)
    : point_(point),
      selection_(selection),
      objects_(objects),
      memory_bytes_(std::max(memory_bytes, kMemoryMin)) {
  int64_t least = INT64_MAX;
  int64_t greatest = INT64_MIN;
  uint64_t rows = 0;
  auto widen = [&](const ShippedObject& object) {
    least = std::min(least, object.first_ts.ns());
    greatest = std::max(greatest, object.last_ts.ns());
  };
  for (const ArchiveObject& object : objects->parquet) widen(*object.object);
  for (const ShippedObject* object : objects->others) {
    widen(*object);
    rows += object->rows;
  }
  for (const ArchiveSeries& series : objects->series) rows += series.rows.size();
  least = std::max(least, selection->start);
  if (selection->end != INT64_MAX) greatest = std::min(greatest, selection->end - 1);
  done_ = least > greatest;
  if (done_) return;
  from_ = up() ? least : KeyOf(greatest);
  end_ = up() ? greatest : KeyOf(least);
  const uint64_t whole = static_cast<uint64_t>(end_) - static_cast<uint64_t>(from_);
  const uint64_t windows = 2 * rows * kRowBytes / memory_bytes_ + 1;
  span_ = windows == 1 ? whole : whole / windows;
  bounds_.assign(objects->series.size(), from_);
  narrowed_.assign(objects->series.size(), false);
}

Status ArchiveWindows::Next(RowRun* run) {
  *run = RowRun{};
  while (next_ == places_.size()) {
    places_.clear();
    pool_ = Rows();
    next_ = 0;
    if (done_) return Status::Ok();
    TD_RETURN_IF_ERROR(Gather());
  }
  const Place& first = places_[next_];
  uint32_t count = 1;
  while (next_ + count < places_.size() && places_[next_ + count].symbol == first.symbol &&
         places_[next_ + count].row == first.row + count) {
    ++count;
  }
  *run = {symbols_[first.symbol], &pool_, first.row, count, 1};
  next_ += count;
  return Status::Ok();
}

Status ArchiveWindows::Gather() {
  const uint64_t room = static_cast<uint64_t>(end_) - static_cast<uint64_t>(from_);
  last_ = span_ < room ? static_cast<int64_t>(static_cast<uint64_t>(from_) + span_) : end_;
  bytes_ = 0;
  shrunk_ = false;
  ++windows_;
  pool_ = selection_->EmptyRows();
  symbols_.clear();
  visits_.clear();
  for (uint32_t s = 0; s < objects_->series.size(); ++s) TD_RETURN_IF_ERROR(GatherSeries(s));
  TD_RETURN_IF_ERROR(GatherOthers());
  Sort();
  if (!shrunk_ && bytes_ < memory_bytes_ / 4)
    span_ = span_ > UINT64_MAX / 2 ? span_ : 2 * span_ + 1;
  return Leave();
}

// Goes to where the next window begins: at the first row that is left.
Status ArchiveWindows::Leave() {
  done_ = last_ == end_;
  if (done_) return Status::Ok();
  for (const Visit& visit : visits_) {
    bounds_[visit.series] = last_ + 1;
    if (visit.last != last_) continue;  // rows of it may have been dropped
    const ArchiveSeries& series = objects_->series[visit.series];
    RowRange& rest = objects_->series[visit.series].rows;
    (up() ? rest.from : rest.to) = up() ? visit.rows.to : visit.rows.from;
    if (rest.size() == 0) continue;
    const uint64_t next = up() ? rest.from : rest.to - 1;
    const ArchiveObject& object = objects_->parquet[series.object];
    TD_RETURN_IF_ERROR(object.Read(object.reader.get(), {next, next + 1}, &scratch_));
    bounds_[visit.series] = std::max(last_ + 1, KeyOf(scratch_.ts[0]));
  }
  from_ = objects_->others.empty() ? end_ : std::max(last_ + 1, scanned_bound_);
  bool any = !objects_->others.empty() && scanned_bound_ <= end_;
  for (size_t s = 0; s < bounds_.size(); ++s) {
    if (objects_->series[s].rows.size() == 0 || bounds_[s] > end_) continue;
    from_ = any ? std::min(from_, bounds_[s]) : bounds_[s];
    any = true;
  }
  done_ = !any;
  return Status::Ok();
}

uint32_t ArchiveWindows::SymbolOf(std::string_view symbol) {
  // Series come by symbol, and those of several objects are few.
  if (symbols_.empty() || symbols_.back() != symbol) symbols_.emplace_back(symbol);
  return static_cast<uint32_t>(symbols_.size() - 1);
}

Status ArchiveWindows::GatherSeries(uint32_t s) {
  ArchiveSeries& series = objects_->series[s];
  if (series.rows.size() == 0 || bounds_[s] > last_) return Status::Ok();
  const ArchiveObject& object = objects_->parquet[series.object];
  if (!narrowed_[s]) {
    narrowed_[s] = true;
    TD_ASSIGN_OR_RETURN(series.rows, object.InTimes(object.reader.get(), series.rows,
                                                    selection_->start, selection_->end));
  }
  const int64_t least = up() ? from_ : KeyOf(last_);
  const int64_t greatest = up() ? last_ : KeyOf(from_);
  const int64_t end = greatest == INT64_MAX ? INT64_MAX : greatest + 1;
  const int64_t asked = last_;
  TD_ASSIGN_OR_RETURN(const RowRange all,
                      object.InTimes(object.reader.get(), series.rows, least, end));
  if (all.size() == 0) {  // all that is left of it lies behind the window
    const uint64_t edge = up() ? series.rows.from : series.rows.to;
    visits_.push_back({s, {edge, edge}, asked});
    return Status::Ok();
  }
  const uint32_t symbol = SymbolOf(series.symbol);
  for (uint64_t from = all.from; from < all.to;) {
    TD_RETURN_IF_ERROR(selection_->CheckStop());
    const uint64_t to = std::min(all.to, from + kSliceRows);
    TD_RETURN_IF_ERROR(object.Read(object.reader.get(), {from, to}, &scratch_));
    for (uint32_t row = 0; row < scratch_.size(); ++row) Take(scratch_, row, false, symbol);
    bytes_ += BytesOf(scratch_) + scratch_.size() * sizeof(Place);
    while (bytes_ > memory_bytes_ / 2 && last_ > from_) {
      const int64_t before = last_;
      Shrink();
      if (last_ == before) break;  // all of one instant
    }
    from = to;
  }
  visits_.push_back({s, all, asked});
  return Status::Ok();
}

Status ArchiveWindows::GatherOthers() {
  const auto& symbols = selection_->symbols;
  scanned_bound_ = INT64_MAX;
  for (const ShippedObject* object : objects_->others) {
    auto take = [&](const RowSlice& slice) {
      const bool wanted = symbols.empty() || std::binary_search(symbols.begin(), symbols.end(),
                                                                slice.symbol, std::less<>());
      if (!wanted) return Status::Ok();
      const uint32_t symbol = SymbolOf(slice.symbol);
      const size_t before = places_.size();
      for (uint32_t n = 0; n < slice.count; ++n) Take(*slice.rows, slice.RowAt(n), true, symbol);
      const size_t taken = places_.size() - before;
      bytes_ += taken * (BytesOf(*slice.rows) / slice.rows->size() + sizeof(Place) + 1);
      while (bytes_ > memory_bytes_ / 2 && last_ > from_) {
        const int64_t last = last_;
        Shrink();
        if (last_ == last) break;
      }
      return Status::Ok();
    };
    TD_RETURN_IF_ERROR(ScanObject(*point_, *selection_, *object, objects_->resolver, take));
  }
  return Status::Ok();
}

// Adds a row that lies in the window. `whole_table`: `rows` has the table's columns, not only those
// that are read.
void ArchiveWindows::Take(const Rows& rows, uint32_t row, bool whole_table, uint32_t symbol) {
  const int64_t ts = rows.ts[row];
  const int64_t key = KeyOf(ts);
  if (key < from_) return;
  if (key > last_) {
    scanned_bound_ = std::min(scanned_bound_, key);
    return;
  }
  places_.push_back({key, symbol, static_cast<uint32_t>(places_.size())});
  if (!whole_table) return AppendRow(rows, row, &pool_);
  pool_.ts.push_back(ts);
  pool_.ts_kafka.push_back(rows.ts_kafka[row]);
  pool_.tp.push_back(rows.tp[row]);
  pool_.offset.push_back(rows.offset[row]);
  pool_.index.push_back(rows.index[row]);
  for (size_t c = 0; c < pool_.columns.size(); ++c) {
    const uint32_t place = selection_->places[c];
    pool_.columns[c].Append(place < rows.columns.size() ? rows.columns[place].At(row) : Value());
  }
}

// Ends the window earlier, so that about half of the rows stay.
void ArchiveWindows::Shrink() {
  std::vector<int64_t> keys;
  keys.reserve(places_.size());
  for (const Place& place : places_) keys.push_back(place.key);
  if (keys.empty()) return;
  std::sort(keys.begin(), keys.end());
  const int64_t middle = keys[keys.size() / 2];
  if (keys.front() == keys.back()) {
    last_ = keys.front();  // rows to come may lie further on, but these stay together
  } else if (middle < keys.back()) {
    last_ = middle;
  } else {
    last_ = *std::prev(std::lower_bound(keys.begin(), keys.end(), middle));
  }
  span_ = static_cast<uint64_t>(last_) - static_cast<uint64_t>(from_);
  shrunk_ = true;
  Rows kept = selection_->EmptyRows();
  std::vector<Place> places;
  for (const Place& place : places_) {
    if (place.key > last_) {
      scanned_bound_ = std::min(scanned_bound_, place.key);
      continue;
    }
    places.push_back({place.key, place.symbol, static_cast<uint32_t>(places.size())});
    AppendRow(pool_, place.row, &kept);
  }
  pool_ = std::move(kept);
  places_ = std::move(places);
  bytes_ = BytesOf(pool_) + places_.size() * sizeof(Place);
}

void ArchiveWindows::Sort() {
  const TapeRanks& ranks = point_->ranks();
  auto rest = [&](const Place& place) {
    return std::make_tuple(std::string_view(symbols_[place.symbol]),
                           ranks[TpId{pool_.tp[place.row]}], pool_.offset[place.row],
                           pool_.index[place.row]);
  };
  std::sort(places_.begin(), places_.end(), [&](const Place& a, const Place& b) {
    if (a.key != b.key) return a.key < b.key;
    return up() ? rest(a) < rest(b) : rest(b) < rest(a);
  });
}

}  // namespace tapedeck
