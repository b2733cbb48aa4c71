#include "query/archive_symbols.h"

#include <algorithm>
#include <map>

#include "query/archive_object.h"
#include "tape/archive_plan.h"

namespace tapedeck {
namespace {

bool Wants(const SymbolFilter& filter, const std::string& first, const std::string& last) {
  return filter == nullptr || filter(first, last);
}

Status VisitParquet(const ArchiveObjects& objects, const RowSelection& selection,
                    const ArchivedSeriesSink& sink, SeriesFacts facts = SeriesFacts::kAll,
                    const SymbolFilter& filter = nullptr) {
  Rows row;
  for (const ArchiveSeries& series : objects.series) {
    TD_RETURN_IF_ERROR(selection.CheckStop());
    if (series.rows.size() == 0 || !Wants(filter, series.symbol, series.symbol)) continue;
    const ArchiveObject& object = objects.parquet[series.object];
    CatalogEntry part;
    part.rows = series.rows.size();
    if (facts == SeriesFacts::kNames) {
      TD_RETURN_IF_ERROR(sink(series.symbol, part));
      continue;
    }
    const uint64_t first = series.rows.from;
    TD_RETURN_IF_ERROR(object.Read(object.reader.get(), {first, first + 1}, &row));
    part.first_ts = Timestamp(row.ts[0]);
    const uint64_t last = series.rows.to - 1;
    TD_RETURN_IF_ERROR(object.Read(object.reader.get(), {last, last + 1}, &row));
    part.last_ts = Timestamp(row.ts[0]);
    TD_RETURN_IF_ERROR(sink(series.symbol, part));
  }
  return Status::Ok();
}

Status VisitOthers(const ReadPoint& point, const ArchiveObjects& objects,
                   const RowSelection& selection, const ArchivedSeriesSink& sink,
                   const SymbolFilter& filter = nullptr) {
  std::map<std::string, CatalogEntry, std::less<>> found;
  auto take = [&](const RowSlice& slice) {
    const auto& wanted = selection.symbols;
    if (!wanted.empty() &&
        !std::binary_search(wanted.begin(), wanted.end(), slice.symbol, std::less<>())) {
      return Status::Ok();
    }
    const Timestamp first(slice.rows->ts[slice.RowAt(0)]);
    const Timestamp last(slice.rows->ts[slice.RowAt(slice.count - 1)]);
    auto [entry, made] = found.try_emplace(std::string(slice.symbol));
    entry->second.first_ts = made ? first : std::min(entry->second.first_ts, first);
    entry->second.last_ts = made ? last : std::max(entry->second.last_ts, last);
    entry->second.rows += slice.count;
    return Status::Ok();
  };
  for (const ShippedObject* object : objects.others) {
    TD_RETURN_IF_ERROR(ScanObject(point, selection, *object, objects.resolver, take));
  }
  for (const auto& [symbol, part] : found) {
    if (Wants(filter, symbol, symbol)) TD_RETURN_IF_ERROR(sink(symbol, part));
  }
  return Status::Ok();
}

// Whether a manifest of another store names rows of the table at all.
Result<bool> IsNamedByOthers(const ReadPoint& point, const Table& table) {
  const std::string& ours = point.archive().store;
  TD_ASSIGN_OR_RETURN(const auto listed,
                      point.manifests()->RecordsOf(table.name, table.DayOf(Timestamp::Min()),
                                                   table.DayOf(Timestamp::Max()), ours));
  return std::any_of(listed.begin(), listed.end(), [&](const ListedRecords& one) {
    return one.manifest().writer.store != ours && one.manifest().rows > 0;
  });
}

}  // namespace

Result<bool> HasOthersRecords(const ReadPoint& point, const Table& table) {
  if (point.manifests() == nullptr) return false;
  TD_ASSIGN_OR_RETURN(const bool named, IsNamedByOthers(point, table));
  if (!named) return false;
  TD_ASSIGN_OR_RETURN(const ArchivePlan plan, PlanArchive(point, table, INT64_MIN, INT64_MAX));
  return plan.HasOthers();
}

Status VisitManifestSeries(const ReadPoint& point, const Table& table, const std::string& manifest,
                           Day day, const ReadStop* stop, const ArchivedSeriesSink& sink) {
  TD_ASSIGN_OR_RETURN(const ArchivePlan plan,
                      PlanArchive(point, table, day.start().ns(), day.start().ns() + 1));
  RowSelection selection;
  selection.table = &table;
  selection.stop = stop;
  for (const ManifestRows& part : plan.parts) {
    if (!part.own || part.listing->name != manifest) continue;
    TD_ASSIGN_OR_RETURN(ArchiveObjects objects, OpenObjects(point, selection, part));
    TD_RETURN_IF_ERROR(VisitParquet(objects, selection, sink));
    TD_RETURN_IF_ERROR(VisitOthers(point, objects, selection, sink));
  }
  return Status::Ok();
}

Status VisitArchivedSeries(const ReadPoint& point, const Table& table,
                           const std::vector<std::string>& symbols, const ReadStop* stop,
                           const ArchivedSeriesSink& sink, SeriesFacts facts,
                           const SymbolFilter& filter) {
  if (point.manifests() == nullptr) return Status::Ok();
  TD_ASSIGN_OR_RETURN(const bool named, IsNamedByOthers(point, table));
  if (!named) return Status::Ok();
  TD_ASSIGN_OR_RETURN(const ArchivePlan plan, PlanArchive(point, table, INT64_MIN, INT64_MAX));
  RowSelection selection;
  selection.table = &table;
  selection.symbols = symbols;
  selection.stop = stop;
  for (ManifestRows part : plan.parts) {
    if (part.own) continue;
    TD_RETURN_IF_ERROR(selection.CheckStop());
    std::erase_if(part.objects, [&](const ShippedObject* object) {
      return !Wants(filter, object->first_symbol, object->last_symbol);
    });
    if (part.objects.empty()) continue;
    TD_ASSIGN_OR_RETURN(ArchiveObjects objects, OpenObjects(point, selection, part));
    TD_RETURN_IF_ERROR(VisitParquet(objects, selection, sink, facts, filter));
    TD_RETURN_IF_ERROR(VisitOthers(point, objects, selection, sink, filter));
  }
  return Status::Ok();
}

}  // namespace tapedeck
