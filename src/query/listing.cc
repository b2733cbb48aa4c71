#include "query/listing.h"

#include <algorithm>
#include <map>
#include <tuple>

#include "base/text.h"
#include "mapping/mapping.h"
#include "model/keys.h"
#include "query/archive_symbols.h"
#include "tape/tail.h"
#include "tape/tape_spans.h"

namespace tapedeck {
namespace {

bool Matches(std::string_view symbol, const SymbolQuery& query) {
  if (!query.symbol.empty() && symbol != query.symbol) return false;
  if (query.has_after && symbol <= query.after) return false;
  return symbol.starts_with(query.prefix);
}

// Collects the parts of symbols' entries; beyond `limit` symbols the greatest are thrown away.
class SymbolCollector {
 public:
  explicit SymbolCollector(const SymbolQuery* query)
      : query_(query), prefix_end_(keys::After(query->prefix)) {}

  /// Whether a symbol of [first, last] may still be taken.
  bool MayWant(const std::string& first, const std::string& last) const {
    if (first == last) return Matches(first, *query_) && !IsBehindAll(first);
    const bool before = last < query_->prefix || (query_->has_after && last <= query_->after);
    const bool behind = !prefix_end_.empty() && first >= prefix_end_;
    const bool other = !query_->symbol.empty() && (query_->symbol < first || query_->symbol > last);
    return !before && !behind && !other && !IsBehindAll(first);
  }

  void Add(const Table& table, std::string_view symbol, const CatalogEntry& part) {
    if (part.rows == 0 || !Matches(symbol, *query_)) return;
    auto found = entries_.find(symbol);
    if (found == entries_.end()) {
      if (IsBehindAll(symbol)) return;
      SymbolEntry entry{std::string(symbol), {}, part.first_ts, part.last_ts, 0};
      found = entries_.emplace(symbol, std::move(entry)).first;
    }
    SymbolEntry& entry = found->second;
    if (std::find(entry.tables.begin(), entry.tables.end(), table.name) == entry.tables.end()) {
      entry.tables.push_back(table.name);
    }
    entry.first_ts = std::min(entry.first_ts, part.first_ts);
    entry.last_ts = std::max(entry.last_ts, part.last_ts);
    entry.rows += part.rows;
    if (entries_.size() > query_->limit) entries_.erase(std::prev(entries_.end()));
  }

  std::vector<SymbolEntry> Finish() {
    std::vector<SymbolEntry> list;
    for (auto& [symbol, entry] : entries_) {
      std::sort(entry.tables.begin(), entry.tables.end());
      list.push_back(std::move(entry));
    }
    return list;
  }

 private:
  // There are enough symbols before it.
  bool IsBehindAll(std::string_view symbol) const {
    return entries_.size() >= query_->limit &&
           (entries_.empty() || symbol > entries_.rbegin()->first);
  }

  const SymbolQuery* query_;
  const std::string prefix_end_;  // "": none
  std::map<std::string, SymbolEntry, std::less<>> entries_;
};

Status AddStored(const ReadPoint& point, const Table& table, const SymbolQuery& query,
                 SymbolCollector* symbols) {
  // The end of an escaped symbol is cut off: what follows a prefix may be anything.
  std::string from = keys::Catalog(table.id, query.symbol.empty() ? query.prefix : query.symbol);
  from.pop_back();
  auto cursor = point.view().Scan(from, keys::After(from), ScanKind::kPoint);
  if (query.has_after)
    cursor->Seek(std::max(from, keys::Catalog(table.id, query.after)));
  else
    cursor->SeekToFirst();
  uint64_t taken = 0;
  for (; cursor->Valid() && taken < query.limit; cursor->Next()) {
    TD_ASSIGN_OR_RETURN(keys::CatalogKey key, keys::ParseCatalog(cursor->key()));
    TD_ASSIGN_OR_RETURN(CatalogEntry entry, DecodeCatalog(cursor->value()));
    if (Matches(key.symbol, query)) ++taken;
    symbols->Add(table, key.symbol, entry);
  }
  return cursor->Valid() ? Status::Ok() : cursor->status();
}

void AddOpen(const ReadPoint& point, const Table* only, SymbolCollector* symbols) {
  // A series is in most chunks of a busy node: its parts are joined before its name is looked at.
  std::vector<CatalogEntry> parts(point.directory()->size());
  std::vector<SeriesId> seen;
  for (const auto& chunk : point.chunks()) {
    for (SeriesId series : chunk->series()) {
      const std::span<const uint32_t> rows = chunk->RowsOf(series);
      const Timestamp first(chunk->row(rows.front()).ts);
      const Timestamp last(chunk->row(rows.back()).ts);
      CatalogEntry& part = parts[series];
      if (part.rows == 0) seen.push_back(series);
      part.first_ts = part.rows == 0 ? first : std::min(part.first_ts, first);
      part.last_ts = part.rows == 0 ? last : std::max(part.last_ts, last);
      part.rows += rows.size();
    }
  }
  for (SeriesId series : seen) {
    const SeriesName& name = point.directory()->At(series);
    const Table* table = point.state().tables.Find(name.table);
    if (table == nullptr || (only != nullptr && table != only)) continue;
    symbols->Add(*table, name.symbol, parts[series]);
  }
}

// What manifests say of a tape: all of it where only others recorded it, else what lies outside of
// the store's own range [start, next), as after a restore.
Status DescribeArchived(const ReadPoint& point, PartitionEntry* entry) {
  const OffsetSpan extent = ExtentOf(point, entry->tp, entry->tape);
  if (extent.from >= extent.to) return Status::Ok();
  Checkpoint& checkpoint = entry->checkpoint;
  const bool stored = point.IsStored(entry->tp);
  const OffsetSpan own{checkpoint.start, checkpoint.next};
  if (!stored) {
    TD_ASSIGN_OR_RETURN(entry->gaps, GapsOf(point, entry->tp, entry->tape, extent));
    checkpoint.start = extent.from;
    checkpoint.next = checkpoint.watermark = extent.to;
  } else if (extent.from < own.from) {
    TD_ASSIGN_OR_RETURN(std::vector<Gap> before,
                        GapsOf(point, entry->tp, entry->tape, {extent.from, own.from}));
    entry->gaps.insert(entry->gaps.begin(), before.begin(), before.end());
    checkpoint.start = extent.from;
  }
  TapeOffsets counted;
  if (stored) counted.Add(entry->tp, own.from, own.to);
  for (const auto& listing : point.manifests()->TapesOf(entry->tape)) {
    const TapeManifest& manifest = listing->manifest;
    const bool ours = stored && manifest.writer.store == point.archive().store;
    if (stored && (ours || manifest.range.from >= own.to)) continue;
    TapeOffsets more;
    more.Add(entry->tp, manifest.range.from, manifest.range.to);
    TapeOffsets left = more;
    left.Remove(counted);
    if (left.empty()) continue;  // another one tells of them
    if (!left.HasAll(more)) entry->exact = false;
    counted.Add(more);
    checkpoint.messages += manifest.messages;
    checkpoint.digest += manifest.digest;
    checkpoint.refused += listing->refusals;
    if (!stored && !manifest.mapping_from.empty()) {
      checkpoint.mapping = manifest.mapping_from.back().second;
    }
  }
  return Status::Ok();
}

}  // namespace

Result<std::vector<const TapeEntry*>> TapesOf(const ReadPoint& point,
                                              const std::vector<std::string>& topics) {
  std::vector<const TapeEntry*> tapes;
  for (const TapeEntry& entry : point.state().tapes) {
    if (topics.empty() ||
        std::find(topics.begin(), topics.end(), entry.second.topic) != topics.end()) {
      tapes.push_back(&entry);
    }
  }
  for (const std::string& topic : topics) {
    auto of = [&](const TapeEntry* entry) { return entry->second.topic == topic; };
    if (std::any_of(tapes.begin(), tapes.end(), of)) continue;
    return Status::InvalidArgument("no topic " + Quoted(topic) + " was recorded here");
  }
  std::sort(tapes.begin(), tapes.end(), [&](const TapeEntry* a, const TapeEntry* b) {
    return point.ranks()[a->first] < point.ranks()[b->first];
  });
  return tapes;
}

Result<std::vector<SymbolEntry>> ListSymbols(const ReadPoint& point, const SymbolQuery& query) {
  const Table* only = nullptr;
  if (!query.table.empty()) {
    TD_ASSIGN_OR_RETURN(only, point.FindTable(query.table));
  }
  SymbolCollector symbols(&query);
  for (const Table& table : point.state().tables.tables()) {
    if (only == nullptr || &table == only)
      TD_RETURN_IF_ERROR(AddStored(point, table, query, &symbols));
  }
  AddOpen(point, only, &symbols);
  std::vector<std::string> wanted;
  if (!query.symbol.empty()) wanted.push_back(query.symbol);
  for (const Table& table : point.state().tables.tables()) {
    if (only != nullptr && &table != only) continue;
    auto add = [&](const std::string& symbol, const CatalogEntry& part) {
      symbols.Add(table, symbol, part);
      return Status::Ok();
    };
    auto may_want = [&](const std::string& first, const std::string& last) {
      return symbols.MayWant(first, last);
    };
    TD_RETURN_IF_ERROR(VisitArchivedSeries(point, table, wanted, query.stop.get(), add,
                                           SeriesFacts::kAll, may_want));
  }
  return symbols.Finish();
}

Result<SymbolPage> ListSymbolPage(const ReadPoint& point, SymbolQuery query) {
  const uint64_t limit = query.limit;
  if (query.limit < UINT64_MAX) ++query.limit;
  SymbolPage page;
  TD_ASSIGN_OR_RETURN(page.entries, ListSymbols(point, query));
  page.more = page.entries.size() > limit;
  if (page.more) page.entries.pop_back();
  return page;
}

Result<std::vector<TableEntry>> ListTables(const ReadPoint& point) {
  std::vector<TableEntry> list;
  for (const Table& table : point.state().tables.tables()) list.push_back({&table, {}});
  std::sort(list.begin(), list.end(),
            [](const TableEntry& a, const TableEntry& b) { return a.table->name < b.table->name; });
  for (const auto& [tp, checkpoint] : point.state().checkpoints) {
    const TapeId* tape = point.FindTape(tp);
    Result<std::string> text = point.view().GetMapping(checkpoint.mapping);
    if (text.status().code() == StatusCode::kNotFound || tape == nullptr) continue;
    TD_RETURN_IF_ERROR(text.status());
    TD_ASSIGN_OR_RETURN(MappingSpec spec, MappingSpec::FromCanonical(*text));
    for (TableEntry& entry : list) {
      const auto& fills = spec.tables();
      if (std::find(fills.begin(), fills.end(), entry.table->name) == fills.end()) continue;
      auto& topics = entry.topics;
      auto place = std::lower_bound(topics.begin(), topics.end(), tape->topic);
      if (place == topics.end() || *place != tape->topic) topics.insert(place, tape->topic);
    }
  }
  return list;
}

Result<std::vector<PartitionEntry>> ListPartitions(const ReadPoint& point,
                                                   const std::vector<std::string>& topics) {
  TD_ASSIGN_OR_RETURN(std::vector<const TapeEntry*> tapes, TapesOf(point, topics));
  std::map<Hash128, std::string> names;
  std::vector<PartitionEntry> list;
  for (const TapeEntry* tape : tapes) {
    PartitionEntry entry{.tp = tape->first, .tape = tape->second};
    if (point.IsStored(tape->first)) {
      TD_ASSIGN_OR_RETURN(entry.checkpoint, point.view().GetCheckpoint(tape->first));
      TD_ASSIGN_OR_RETURN(entry.gaps, point.view().Gaps(tape->first));
      entry.shipped = point.state().ShipOf(tape->first).shipped;
      if (point.manifests() != nullptr) TD_RETURN_IF_ERROR(DescribeArchived(point, &entry));
    } else {
      TD_RETURN_IF_ERROR(DescribeArchived(point, &entry));
      entry.shipped = entry.gaps.empty() ? entry.checkpoint.next : entry.gaps.front().from;
    }
    const Hash128& hash = entry.checkpoint.mapping;
    auto [name, made] = names.try_emplace(hash);
    if (made) {
      Result<std::string> text = point.view().GetMapping(hash);
      if (text.ok()) {
        TD_ASSIGN_OR_RETURN(MappingSpec spec, MappingSpec::FromCanonical(*text));
        name->second = spec.name();
      } else if (text.status().code() != StatusCode::kNotFound) {
        return text.status();
      }
    }
    entry.mapping = name->second;
    list.push_back(std::move(entry));
  }
  return list;
}

}  // namespace tapedeck
