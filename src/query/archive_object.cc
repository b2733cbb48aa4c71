#include "query/archive_object.h"

#include <algorithm>
#include <functional>
#include <tuple>

namespace tapedeck {

bool MayHold(const ShippedObject& object, const RowSelection& selection) {
  if (object.rows == 0 || object.last_ts.ns() < selection.start ||
      !selection.BeforeEnd(object.first_ts.ns())) {
    return false;
  }
  if (selection.symbols.empty()) return true;
  auto at =
      std::lower_bound(selection.symbols.begin(), selection.symbols.end(), object.first_symbol);
  return at != selection.symbols.end() && *at <= object.last_symbol;
}

TapeResolver ResolverOf(const ReadPoint& point, const ManifestRows& part) {
  // Topic, partition and lineage of each tape, with its number.
  using Name = std::tuple<std::string, int32_t, uint32_t>;
  std::map<Name, TpId> tapes;
  auto add = [&](const std::vector<TapeRange>& ranges) {
    for (const TapeRange& range : ranges) {
      const TapeId& tape = range.tape;
      if (const auto tp = point.FindTape(tape)) {
        tapes.try_emplace(Name(tape.topic, tape.partition, tape.lineage), *tp);
      }
    }
  };
  add(part.manifest().vector);
  for (const ShippedObject& object : part.manifest().objects) add(object.offsets);
  return [tapes = std::move(tapes), name = part.listing->name](const TapeId& tape) -> Result<TpId> {
    auto found = tapes.find(Name(tape.topic, tape.partition, tape.lineage));
    if (found != tapes.end()) return found->second;
    return Status::Corruption("a row is of " + tape.ToString() + ", which the manifest " + name +
                              " does not name");
  };
}

std::unique_ptr<RecordObjectReader> ArchiveObject::NewReader(const RowSelection& selection,
                                                             const TapeResolver& resolver) const {
  return std::make_unique<RecordObjectReader>(opened.source.get(), opened.footer, selection.columns,
                                              resolver);
}

Status ArchiveObject::Read(RecordObjectReader* from, RowRange range, Rows* rows) const {
  TD_RETURN_IF_ERROR(from->Read(range, rows).WithContext(object->name));
  if (rows->size() != range.size()) {
    return Status::Corruption(object->name + " gives another number of rows than it says");
  }
  int64_t before = object->first_ts.ns();
  for (const int64_t ts : rows->ts) {
    if (ts < before || ts > object->last_ts.ns()) {
      return Status::Corruption(object->name +
                                " has a row that is out of order or out of its manifest's bounds");
    }
    before = ts;
  }
  return Status::Ok();
}

Result<RowRange> ArchiveObject::InTimes(RecordObjectReader* from, RowRange series, int64_t start,
                                        int64_t end) const {
  const bool all =
      object->first_ts.ns() >= start && (object->last_ts.ns() < end || end == INT64_MAX);
  if (all || series.size() == 0) return series;
  Result<RowRange> range = from->FindTimes(series, start, end);
  if (!range.ok()) return range.status().WithContext(object->name);
  if (range->from < series.from || range->to > series.to || range->from > range->to) {
    return Status::Corruption(object->name + " has times out of order");
  }
  return *range;
}

Result<ArchiveObjects> OpenObjects(const ReadPoint& point, const RowSelection& selection,
                                   const ManifestRows& part) {
  ArchiveObjects opened;
  opened.resolver = ResolverOf(point, part);
  for (const ShippedObject* object : part.objects) {
    if (!MayHold(*object, selection)) continue;
    TD_RETURN_IF_ERROR(selection.CheckStop());
    if (object->format != ObjectFormatName(ObjectFormat::kParquet)) {
      TD_RETURN_IF_ERROR(ParseObjectFormat(object->format).status().WithContext(object->name));
      opened.others.push_back(object);
      continue;
    }
    ArchiveObject one;
    one.object = object;
    TD_ASSIGN_OR_RETURN(one.opened, point.archive().objects->OpenRecords(*object, selection.stop));
    one.reader = one.NewReader(selection, opened.resolver);
    Result<std::vector<ObjectSeries>> series = one.reader->FindSeries(selection.symbols);
    if (!series.ok()) return series.status().WithContext(object->name);
    for (ObjectSeries& s : *series) {
      opened.series.push_back(
          {std::move(s.symbol), static_cast<uint32_t>(opened.parquet.size()), s.rows});
    }
    opened.parquet.push_back(std::move(one));
  }
  return opened;
}

Status ScanObject(const ReadPoint& point, const RowSelection& selection,
                  const ShippedObject& object, const TapeResolver& resolver,
                  const std::function<Status(const RowSlice&)>& sink) {
  TD_ASSIGN_OR_RETURN(const ObjectFormat format, ParseObjectFormat(object.format));
  TD_ASSIGN_OR_RETURN(OpenedRecords opened,
                      point.archive().objects->OpenRecords(object, selection.stop));
  TD_ASSIGN_OR_RETURN(std::unique_ptr<RecordScan> scan,
                      OpenRecordScan(opened.source.get(), format, *selection.table, resolver));
  uint64_t rows = 0;
  for (;;) {
    TD_RETURN_IF_ERROR(selection.CheckStop());
    TD_RETURN_IF_ERROR(scan->Next().WithContext(object.name));
    const RowSlice& slice = scan->rows();
    if (slice.count == 0) break;
    rows += slice.count;
    TD_RETURN_IF_ERROR(sink(slice));
  }
  if (rows == object.rows) return Status::Ok();
  return Status::Corruption(object.name + " has " + std::to_string(rows) +
                            " rows; its manifest says " + std::to_string(object.rows));
}

}  // namespace tapedeck
