#include "query/listing.h"

#include <algorithm>
#include <map>
#include <optional>
#include <tuple>

#include "base/text.h"
#include "mapping/mapping.h"
#include "model/keys.h"
#include "query/archive_symbols.h"
#include "query/tail.h"
#include "query/tape_blocks.h"
#include "query/tape_spans.h"

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
  explicit SymbolCollector(const SymbolQuery* query) : query_(query) {}

  void Add(const Table& table, std::string_view symbol, const CatalogEntry& part) {
    if (part.rows == 0 || !Matches(symbol, *query_)) return;
    auto found = entries_.find(symbol);
    if (found == entries_.end()) {
      if (entries_.size() >= query_->limit && symbol > entries_.rbegin()->first) return;
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
  const SymbolQuery* query_;
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

// "bad-number: size (v)" in parts.
void SplitReason(std::string_view text, RefusedMessage* out) {
  const size_t colon = text.find(": ");
  out->reason = text.substr(0, colon);
  if (colon == std::string_view::npos) return;
  std::string_view rest = text.substr(colon + 2);
  const size_t open = rest.find(" (");
  out->field = rest.substr(0, open);
  if (open != std::string_view::npos && rest.ends_with(')')) {
    out->path = rest.substr(open + 2, rest.size() - open - 3);
  }
}

using TapeEntry = std::pair<TpId, TapeId>;

// The tapes of the topics, in the order of answers.
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

// Messages of one tape, asked for in order of offsets: each block is decoded once.
class MessagesByOffset {
 public:
  MessagesByOffset(const StoreView* view, const TapeEntry* tape)
      : tape_(tape), blocks_(view, tape->first, tape->second.ToString(), ScanKind::kLong) {}

  /// Valid until the next call; null where the tape does not have it.
  Result<const StoredMessage*> At(int64_t offset) {
    if (block_.empty() || offset > block_.offset(block_.size() - 1)) {
      block_ = TapeBlock();
      TD_RETURN_IF_ERROR(blocks_.Seek(offset));
      if (!blocks_.Valid() || blocks_.base() > offset) return nullptr;
      TD_RETURN_IF_ERROR(blocks_.Load(&block_, &buffers_));
    }
    const size_t i = block_.LowerBound(offset);
    if (i == block_.size() || block_.offset(i) != offset) return nullptr;
    message_.tp = tape_->first;
    message_.tape = &tape_->second;
    message_.message = block_.At(i);
    message_.received = block_.ReceivedAt(i);
    const int64_t kafka = KafkaNanosOf(message_.message);
    message_.time = kafka == kNoKafkaTime ? message_.received : Timestamp(kafka);
    message_.greatest_time = message_.time;
    return &message_;
  }

 private:
  const TapeEntry* tape_;
  TapeBlocks blocks_;
  TapeBlock block_;
  CodecBuffers buffers_;
  StoredMessage message_;
};

Result<bool> IsWanted(const RefusedMessage& refused, const RefusedQuery& query) {
  if (!query.reason.empty() && query.reason != refused.reason &&
      query.reason != refused.entry.reason) {
    return false;
  }
  Timestamp time = refused.entry.received;
  if (refused.entry.kafka_ms >= 0) {
    TD_ASSIGN_OR_RETURN(time, TimestampFromUnits(refused.entry.kafka_ms, TimeUnit::kMilliseconds));
  }
  return time >= query.start && (time < query.end || query.end == Timestamp::Max());
}

// Those at `from` and behind it.
Status VisitRefusedOf(const ReadPoint& point, const TapeEntry& tape, int64_t from,
                      const RefusedQuery& query,
                      const std::function<Status(const RefusedMessage&)>& sink, uint64_t* left) {
  std::string prefix = keys::Refusal(tape.first, 0);
  prefix.resize(prefix.size() - sizeof(int64_t));
  auto cursor = point.view().Scan(prefix, keys::After(prefix), ScanKind::kLong);
  std::optional<MessagesByOffset> messages;
  for (cursor->Seek(keys::Refusal(tape.first, from)); cursor->Valid() && *left > 0;
       cursor->Next()) {
    if (query.stop != nullptr) TD_RETURN_IF_ERROR(query.stop->Check());
    TD_ASSIGN_OR_RETURN(keys::TpOffsetKey key, keys::ParseTpOffset(cursor->key()));
    RefusedMessage refused{tape.first, &tape.second, key.offset, {}, "", "", "", nullptr};
    TD_ASSIGN_OR_RETURN(refused.entry, DecodeRefusal(cursor->value()));
    SplitReason(refused.entry.reason, &refused);
    TD_ASSIGN_OR_RETURN(const bool wanted, IsWanted(refused, query));
    if (!wanted) continue;
    if (!messages) messages.emplace(&point.view(), &tape);
    TD_ASSIGN_OR_RETURN(refused.message, messages->At(key.offset));
    TD_RETURN_IF_ERROR(sink(refused));
    --*left;
  }
  return cursor->Valid() ? Status::Ok() : cursor->status();
}

// A tape that only others recorded, by their manifests. What nobody listed of it is a gap.
Status DescribeArchived(const ReadPoint& point, PartitionEntry* entry) {
  TD_ASSIGN_OR_RETURN(const TapeOffsets known, KnownOffsets(point, entry->tp, entry->tape));
  const std::span<const OffsetSpan> spans = known.Of(entry->tp);
  Checkpoint& checkpoint = entry->checkpoint;
  if (spans.empty()) return Status::Ok();
  checkpoint.start = spans.front().from;
  checkpoint.next = checkpoint.watermark = spans.back().to;
  for (size_t i = 1; i < spans.size(); ++i) {
    Gap gap;
    gap.from = spans[i - 1].to;
    gap.to = spans[i].from;
    gap.reason = GapReason::kElsewhereMaybe;
    entry->gaps.push_back(std::move(gap));
  }
  for (const auto& listing : point.manifests()->TapesOf(entry->tape)) {
    const TapeManifest& manifest = listing->manifest;
    checkpoint.messages += manifest.messages;
    checkpoint.digest += manifest.digest;
    checkpoint.refused += listing->refusals;
    if (!manifest.mapping_from.empty()) checkpoint.mapping = manifest.mapping_from.back().second;
  }
  return Status::Ok();
}

}  // namespace

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
    TD_RETURN_IF_ERROR(VisitArchivedSeries(point, table, wanted, nullptr, add));
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

Status VisitRefused(const ReadPoint& point, const RefusedQuery& query,
                    const std::function<Status(const RefusedMessage&)>& sink) {
  std::vector<std::string> topics;
  if (!query.topic.empty()) topics.push_back(query.topic);
  TD_ASSIGN_OR_RETURN(std::vector<const TapeEntry*> tapes, TapesOf(point, topics));
  auto place = [](const auto& of) { return std::tie(of.topic, of.partition, of.lineage); };
  uint64_t left = query.limit;
  for (const TapeEntry* tape : tapes) {
    int64_t from = 0;
    if (query.after && place(tape->second) <= place(*query.after)) {
      const bool is_whole = place(tape->second) < place(*query.after);
      if (is_whole || query.after->offset == INT64_MAX) continue;
      from = std::max<int64_t>(0, query.after->offset + 1);
    }
    TD_RETURN_IF_ERROR(VisitRefusedOf(point, *tape, from, query, sink, &left));
  }
  return Status::Ok();
}

}  // namespace tapedeck
