#include "query/archive_source.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "query/archive_object.h"
#include "query/archive_windows.h"

namespace tapedeck {
namespace {

// What a series that is merged with others should have for its pages and rows; of more than fit,
// rows are gathered in windows.
constexpr size_t kSeriesBytes = size_t{4} << 20;
constexpr uint64_t kSliceRows = 4096;
constexpr size_t kSliceBytes = size_t{1} << 20;

// One series of one object: its rows in the range, slice by slice.
class SeriesSource final : public RowSource {
 public:
  SeriesSource(const RowSelection* selection, const ArchiveObject* object,
               const ArchiveSeries* series, std::unique_ptr<RecordObjectReader> reader,
               size_t slice_bytes)
      : selection_(selection),
        object_(object),
        series_(series),
        reader_(std::move(reader)),
        slice_bytes_(slice_bytes) {}

  Status Fill() override {
    if (head_.count > 0) return Status::Ok();
    head_ = RowRun{};
    TD_RETURN_IF_ERROR(selection_->CheckStop());
    if (!rest_) {
      TD_ASSIGN_OR_RETURN(rest_, object_->InTimes(reader_.get(), series_->rows, selection_->start,
                                                  selection_->end));
    }
    const bool up = selection_->ascending();
    const uint64_t count = std::min(rest_->size(), slice_rows_);
    if (count == 0) return Status::Ok();
    const uint64_t from = up ? rest_->from : rest_->to - count;
    TD_RETURN_IF_ERROR(object_->Read(reader_.get(), {from, from + count}, &rows_));
    (up ? rest_->from : rest_->to) = up ? from + count : from;
    const size_t row_bytes = BytesOf(rows_) / rows_.size() + 1;
    slice_rows_ = std::clamp<uint64_t>(slice_bytes_ / row_bytes, 1, kSliceRows);
    head_ = {series_->symbol, &rows_, up ? 0u : static_cast<uint32_t>(count - 1),
             static_cast<uint32_t>(count), up ? 1 : -1};
    return Status::Ok();
  }

 private:
  void OnAdvance(uint32_t) override {}

  const RowSelection* selection_;
  const ArchiveObject* object_;
  const ArchiveSeries* series_;
  std::unique_ptr<RecordObjectReader> reader_;
  const size_t slice_bytes_;
  uint64_t slice_rows_ = 256;     // the first slice is small: it says how large rows are
  std::optional<RowRange> rest_;  // not read yet
  Rows rows_;
};

class ArchiveSource final : public RowSource {
 public:
  ArchiveSource(const ReadPoint* point, const RowSelection* selection, const ManifestRows& part,
                size_t memory_bytes)
      : point_(point),
        selection_(selection),
        part_(part),
        memory_bytes_(memory_bytes),
        heap_(&point->ranks(), selection->order) {}

  Status Fill() override {
    if (head_.count > 0) return Status::Ok();
    if (!opened_) TD_RETURN_IF_ERROR(Open().WithContext("manifest " + part_.listing->name));
    const Status filled = windows_ ? windows_->Next(&head_) : NextMerged();
    return filled.WithContext("manifest " + part_.listing->name);
  }

 private:
  void OnAdvance(uint32_t rows) override { taken_ += rows; }

  Status Open() {
    opened_ = true;
    TD_ASSIGN_OR_RETURN(objects_, OpenObjects(*point_, *selection_, part_));
    const size_t count = objects_.series.size();
    const size_t merged = std::max<size_t>(1, memory_bytes_ / kSeriesBytes);
    if (count > merged || !objects_.others.empty()) {
      windows_.emplace(point_, selection_, &objects_, memory_bytes_);
      return Status::Ok();
    }
    for (const ArchiveSeries& series : objects_.series) {
      const ArchiveObject& object = objects_.parquet[series.object];
      TD_RETURN_IF_ERROR(heap_.Add(std::make_unique<SeriesSource>(
          selection_, &object, &series, object.NewReader(*selection_, objects_.resolver),
          std::min(kSliceBytes, memory_bytes_ / count))));
    }
    return Status::Ok();
  }

  Status NextMerged() {
    if (taken_ > 0 && !heap_.empty()) TD_RETURN_IF_ERROR(heap_.AdvanceTop(taken_));
    taken_ = 0;
    head_ = RowRun{};
    if (heap_.empty()) return Status::Ok();
    const int64_t end = selection_->ascending() ? INT64_MAX : INT64_MIN;
    const uint32_t count = std::max(1u, heap_.TopRun(end));
    head_ = heap_.top();
    head_.count = count;
    return Status::Ok();
  }

  const ReadPoint* point_;
  const RowSelection* selection_;
  const ManifestRows part_;
  const size_t memory_bytes_;
  bool opened_ = false;
  ArchiveObjects objects_;
  std::optional<ArchiveWindows> windows_;
  RunHeap heap_;  // ends before objects_
  uint32_t taken_ = 0;
};

// Leaves out rows that others keep.
class DroppingSource final : public RowSource {
 public:
  DroppingSource(const RowSelection* selection,
                 std::map<Day, std::shared_ptr<const TapeOffsets>> dropped,
                 std::unique_ptr<RowSource> source)
      : selection_(selection), dropped_(std::move(dropped)), source_(std::move(source)) {}

  Status Fill() override {
    if (head_.count > 0) return Status::Ok();
    for (;;) {
      TD_RETURN_IF_ERROR(source_->Fill());
      const RowRun& all = source_->head();
      head_ = RowRun{};
      if (all.count == 0) return Status::Ok();
      uint32_t dropped = 0;
      while (dropped < all.count && IsDropped(all, dropped)) ++dropped;
      if (dropped > 0) {
        source_->Advance(dropped);
        continue;
      }
      uint32_t kept = 1;
      while (kept < all.count && !IsDropped(all, kept)) ++kept;
      head_ = all;
      head_.count = kept;
      return Status::Ok();
    }
  }

 private:
  void OnAdvance(uint32_t rows) override { source_->Advance(rows); }

  bool IsDropped(const RowRun& run, uint32_t n) {
    const uint32_t row = run.RowAt(n);
    const int64_t ts = run.rows->ts[row];
    const Day day = Day::Of(Timestamp(ts));
    if (!known_ || day != day_) {
      day_ = day;
      known_ = true;
      auto found = dropped_.find(selection_->table->DayOf(Timestamp(ts)));
      of_day_ = found == dropped_.end() ? nullptr : found->second.get();
    }
    return of_day_ != nullptr && of_day_->Has(TpId{run.rows->tp[row]}, run.rows->offset[row]);
  }

  const RowSelection* selection_;
  const std::map<Day, std::shared_ptr<const TapeOffsets>> dropped_;
  std::unique_ptr<RowSource> source_;
  bool known_ = false;
  Day day_;                              // of the row looked at last
  const TapeOffsets* of_day_ = nullptr;  // of its day of the table
};

}  // namespace

std::unique_ptr<RowSource> MakeArchiveSource(const ReadPoint* point, const RowSelection* selection,
                                             const ManifestRows& part, size_t memory_bytes,
                                             int64_t* bound) {
  bool any = false;
  const bool up = selection->ascending();
  for (const ShippedObject* object : part.objects) {
    if (!MayHold(*object, *selection)) continue;
    const int64_t edge = up ? object->first_ts.ns() : object->last_ts.ns();
    *bound = !any ? edge : up ? std::min(*bound, edge) : std::max(*bound, edge);
    any = true;
  }
  if (!any) return nullptr;
  auto source = std::make_unique<ArchiveSource>(point, selection, part, memory_bytes);
  if (part.dropped == nullptr) return source;
  return MakeDroppingSource(selection, {{part.manifest().day, part.dropped}}, std::move(source));
}

std::unique_ptr<RowSource> MakeDroppingSource(
    const RowSelection* selection, std::map<Day, std::shared_ptr<const TapeOffsets>> dropped,
    std::unique_ptr<RowSource> source) {
  return std::make_unique<DroppingSource>(selection, std::move(dropped), std::move(source));
}

Result<uint64_t> CountArchived(const ReadPoint& point, const RowSelection& selection,
                               const ManifestRows& part) {
  TD_ASSIGN_OR_RETURN(ArchiveObjects objects, OpenObjects(point, selection, part));
  uint64_t count = 0;
  for (const ArchiveSeries& series : objects.series) {
    TD_RETURN_IF_ERROR(selection.CheckStop());
    const ArchiveObject& object = objects.parquet[series.object];
    TD_ASSIGN_OR_RETURN(const RowRange rows, object.InTimes(object.reader.get(), series.rows,
                                                            selection.start, selection.end));
    count += rows.size();
  }
  auto wanted = [&](std::string_view symbol) {
    return selection.symbols.empty() ||
           std::binary_search(selection.symbols.begin(), selection.symbols.end(), symbol,
                              std::less<>());
  };
  for (const ShippedObject* object : objects.others) {
    auto add = [&](const RowSlice& slice) {
      for (uint32_t n = 0; n < slice.count && wanted(slice.symbol); ++n) {
        const int64_t ts = slice.rows->ts[slice.RowAt(n)];
        count += ts >= selection.start && selection.BeforeEnd(ts) ? 1 : 0;
      }
      return Status::Ok();
    };
    TD_RETURN_IF_ERROR(ScanObject(point, selection, *object, objects.resolver, add));
  }
  return count;
}

}  // namespace tapedeck
