#include "query/range_facts.h"

#include <algorithm>
#include <map>
#include <set>

#include "base/bytes.h"
#include "base/hash.h"
#include "model/keys.h"
#include "query/archive_symbols.h"
#include "tape/archive_plan.h"
#include "tape/fillers.h"
#include "tape/tape_offsets.h"
#include "tape/tape_spans.h"

namespace tapedeck {
namespace {

// A gap with the index entries of the blocks on both sides.
struct Side {
  bool known = false;
  TapeIndexEntry block;  // nothing is known: its times say so too
};
struct Neighbours {
  Side before;
  Side after;
};

Result<Neighbours> NeighboursOf(const ReadPoint& point, TpId tp, const TapeId& tape,
                                const Gap& gap) {
  std::string prefix = keys::TapeIndex(tp, 0);
  prefix.resize(prefix.size() - sizeof(int64_t));
  auto entries = point.view().Scan(prefix, keys::After(prefix), ScanKind::kPoint);
  Neighbours sides;
  auto read = [&](Side* side) -> Status {
    if (!entries->Valid()) return entries->status();
    Result<TapeIndexEntry> entry = DecodeTapeIndex(entries->value());
    if (entry.ok()) *side = {true, std::move(*entry)};
    return entry.status();
  };
  const std::string where = "index of " + tape.ToString();
  entries->SeekForPrev(keys::TapeIndex(tp, gap.from));
  TD_RETURN_IF_ERROR(read(&sides.before).WithContext(where));
  if (sides.before.known && sides.before.block.last_offset >= gap.to) {
    sides.after = sides.before;  // one block holds both sides
    return sides;
  }
  entries->Seek(keys::TapeIndex(tp, gap.to));
  TD_RETURN_IF_ERROR(read(&sides.after).WithContext(where));
  return sides;
}

struct Bounds {
  int64_t from = INT64_MIN;  // [from, to]
  int64_t to = INT64_MAX;
  bool Touches(Timestamp start, Timestamp end) const {
    return to >= start.ns() && (end == Timestamp::Max() || from < end.ns());
  }
};

// Event times between which the records of a gap are believed to lie.
Bounds EventBounds(const Gap& gap, const Neighbours& sides) {
  Bounds bounds;
  if (gap.event_before_ns != INT64_MIN) {
    bounds.from = gap.event_before_ns;
  } else if (sides.before.known && sides.before.block.records > 0) {
    bounds.from = sides.before.block.event_min_ns;
  }
  if (gap.event_after_ns != INT64_MIN) {
    bounds.to = gap.event_after_ns;
  } else if (sides.after.known && sides.after.block.records > 0) {
    bounds.to = sides.after.block.event_max_ns;
  }
  return bounds;
}

int64_t NanosOf(int64_t ms, int64_t unknown) {
  int64_t ns = 0;
  if (ms < 0 || __builtin_mul_overflow(ms, int64_t{1'000'000}, &ns)) return unknown;
  return ns;
}

// The same of messages, by Kafka time.
Bounds KafkaBounds(const Gap& gap, const Neighbours& sides) {
  Bounds bounds;
  const int64_t before =
      gap.kafka_before_ms >= 0 ? gap.kafka_before_ms : sides.before.block.kafka_min_ms;
  const int64_t after =
      gap.kafka_after_ms >= 0 ? gap.kafka_after_ms : sides.after.block.kafka_max_ms;
  bounds.from = NanosOf(before, INT64_MIN);
  bounds.to = NanosOf(after, INT64_MAX);
  return bounds;
}

// Its messages are not missing: they are on another tape of ours, or were never the market's.
bool IsNoLoss(const Gap& gap) {
  return gap.reason == GapReason::kHeld || gap.reason == GapReason::kOwnReplay;
}

bool Has(const std::vector<std::string>& list, const std::string& name) {
  return list.empty() || std::find(list.begin(), list.end(), name) != list.end();
}

// Days of a gap that are looked at one by one.
constexpr int32_t kGapDaysMax = 366;

// Event times between which the messages of a gap lie, as the tape manifests that have all of them
// say; as given where some are in none. Nothing in between: they have no records.
Bounds ArchivedBounds(const ReadPoint& point, TpId tp, const TapeId& tape, const Gap& gap,
                      const Bounds& bounds) {
  TapeOffsets left;
  left.Add(tp, gap.from, gap.to);
  Bounds found{INT64_MAX, INT64_MIN};
  for (const auto& listing : point.manifests()->TapesOf(tape)) {
    const TapeManifest& manifest = listing->manifest;
    TapeOffsets had;
    had.Add(tp, manifest.range.from, manifest.range.to);
    for (const Gap& hole : manifest.gaps) had.Remove(tp, hole.from, hole.to);
    if (!left.Meets(had)) continue;
    left.Remove(had);
    found.from = std::min(found.from, manifest.event_min_ns);
    found.to = std::max(found.to, manifest.event_max_ns);
  }
  if (!left.empty()) return bounds;
  return {std::max(found.from, bounds.from), std::min(found.to, bounds.to)};
}

// Whether other stores have shipped the records of a gap: on every day that it may touch, their
// manifests cover its offsets.
Result<bool> IsFilled(const ReadPoint& point, const Table& table, TpId tp, const TapeId& tape,
                      const Gap& gap, const Bounds& believed, const RecordQuery& query) {
  if (point.manifests() == nullptr) return false;
  const Bounds bounds = ArchivedBounds(point, tp, tape, gap, believed);
  if (bounds.from > bounds.to || !bounds.Touches(query.start, query.end)) return true;
  const int64_t from = std::max(bounds.from, query.start.ns());
  const int64_t to = std::min(bounds.to, query.end.ns());
  const Day first = table.DayOf(Timestamp(from));
  const Day last = table.DayOf(Timestamp(to));
  if (last.days() - first.days() > kGapDaysMax) return false;
  TD_ASSIGN_OR_RETURN(auto listed,
                      point.manifests()->RecordsOf(table.name, first, last, point.archive().store));
  std::map<Day, TapeOffsets> covered;
  for (const ListedRecords& one : listed) {
    TapeOffsets had;  // another may have what this one lacks
    for (const TapeRange& range : one.manifest().vector) {
      if (point.FindTape(range.tape) == tp) had.Add(tp, range.from, range.to);
    }
    for (const TapeGap& hole : one.manifest().gaps) {
      if (point.FindTape(hole.tape) == tp) had.Remove(tp, hole.gap.from, hole.gap.to);
    }
    covered[one.manifest().day].Add(had);
  }
  for (int32_t day = first.days(); day <= last.days(); ++day) {
    const Day start = table.DayOf(Day(day).start());
    auto found = covered.find(start);
    if (found == covered.end() || !found->second.HasAll(tp, gap.from, gap.to)) return false;
  }
  return true;
}

// A part of a hole that only manifests know: the store neither recorded it nor has a gap there.
struct ArchivedHole {
  OffsetSpan left;
  const TapeHole* hole = nullptr;
};

Result<std::vector<ArchivedHole>> ArchivedHoles(const ReadPoint& point, TpId tp,
                                                const TapeId& tape) {
  std::vector<ArchivedHole> found;
  if (point.manifests() == nullptr) return found;
  const std::span<const TapeHole> holes = point.manifests()->HolesOf(tape);
  if (holes.empty()) return found;
  TD_ASSIGN_OR_RETURN(TapeOffsets ours, RecordedOffsets(point, tp));
  if (point.IsStored(tp)) {
    TD_ASSIGN_OR_RETURN(const std::vector<Gap> gaps, point.view().Gaps(tp));
    for (const Gap& gap : gaps) ours.Add(tp, gap.from, gap.to);
  }
  for (const TapeHole& hole : holes) {
    TapeOffsets left;
    left.Add(tp, hole.gap.from, hole.gap.to);
    left.Remove(ours);
    for (const OffsetSpan& span : left.Of(tp)) found.push_back({span, &hole});
  }
  return found;
}

// Whether records that were lost to a hole between manifests may belong to the answer.
Result<bool> HolesTouch(const ReadPoint& point, const Table& table, TpId tp, const TapeId& tape,
                        const RecordQuery& query, Fillers* fillers) {
  TD_ASSIGN_OR_RETURN(const std::vector<ArchivedHole> holes, ArchivedHoles(point, tp, tape));
  for (const ArchivedHole& one : holes) {
    const Bounds bounds = EventBounds(one.hole->gap, {});
    if (!bounds.Touches(query.start, query.end)) continue;
    bool fills = one.hole->mappings.empty();
    for (const Hash128& mapping : one.hole->mappings) {
      if (fills) break;
      TD_ASSIGN_OR_RETURN(fills, fillers->Fills(mapping));
    }
    if (!fills) continue;
    Gap left = one.hole->gap;
    left.from = one.left.from;
    left.to = one.left.to;
    TD_ASSIGN_OR_RETURN(const bool filled, IsFilled(point, table, tp, tape, left, bounds, query));
    if (!filled) return true;
  }
  return false;
}

// Whether an open row of the query's symbols lies in its range.
bool HasOpenRows(const ReadPoint& point, const Table& table, const RecordQuery& query) {
  auto within = [&](const Chunk& chunk, SeriesId series) {
    const std::span<const uint32_t> rows = chunk.RowsOf(series);
    auto before = [&](uint32_t row, int64_t ts) { return chunk.row(row).ts < ts; };
    auto first = std::lower_bound(rows.begin(), rows.end(), query.start.ns(), before);
    return first != rows.end() &&
           (query.end == Timestamp::Max() || chunk.row(*first).ts < query.end.ns());
  };
  for (const auto& chunk : point.chunks()) {
    for (const std::string& symbol : query.symbols) {
      const SeriesId series = point.directory()->Find(table.id, symbol);
      if (series != kNoSeries && within(*chunk, series)) return true;
    }
    if (!query.symbols.empty()) continue;
    for (SeriesId series : chunk->series()) {
      if (point.directory()->At(series).table == table.id && within(*chunk, series)) return true;
    }
  }
  return false;
}

// Symbols that no object has been seen to hold.
class StillUnknown {
 public:
  explicit StillUnknown(const std::vector<std::string>& symbols)
      : left_(symbols.begin(), symbols.end()) {}
  std::vector<std::string> Sorted() const { return {left_.begin(), left_.end()}; }
  bool Has(const std::string& symbol) const { return left_.contains(symbol); }
  bool MayWant(const std::string& first, const std::string& last) const {
    const auto at = left_.lower_bound(first);
    return at != left_.end() && *at <= last;
  }
  void Take(const std::string& symbol) { left_.erase(symbol); }

 private:
  std::set<std::string> left_;
};

}  // namespace

Result<std::vector<std::string>> UnknownSymbols(const ReadPoint& point, const RecordQuery& query,
                                                size_t limit) {
  TD_ASSIGN_OR_RETURN(const Table* table, point.FindTable(query.table));
  std::vector<std::string> unknown;  // to this store
  for (const std::string& symbol : query.symbols) {
    Result<std::string> stored = point.view().Get(keys::Catalog(table->id, symbol));
    if (stored.ok()) continue;
    if (stored.status().code() != StatusCode::kNotFound) return stored.status();
    const SeriesId series = point.directory()->Find(table->id, symbol);
    auto holds = [&](const auto& chunk) { return !chunk->RowsOf(series).empty(); };
    const bool open =
        series != kNoSeries && std::any_of(point.chunks().begin(), point.chunks().end(), holds);
    if (!open) unknown.push_back(symbol);
  }
  StillUnknown left(unknown);
  if (!unknown.empty()) {
    auto take = [&](const std::string& symbol, const CatalogEntry&) {
      left.Take(symbol);
      return Status::Ok();
    };
    auto may_want = [&](const std::string& first, const std::string& last) {
      return left.MayWant(first, last);
    };
    TD_RETURN_IF_ERROR(VisitArchivedSeries(point, *table, left.Sorted(), query.stop.get(), take,
                                           SeriesFacts::kNames, may_want));
  }
  std::erase_if(unknown, [&](const std::string& symbol) { return !left.Has(symbol); });
  if (unknown.size() > limit) unknown.resize(limit);
  return unknown;
}

std::string_view CoverageName(Coverage coverage) {
  return coverage == Coverage::kWhole ? "whole" : "gaps";
}

Result<Coverage> CoverageOf(const ReadPoint& point, const RecordQuery& query) {
  TD_ASSIGN_OR_RETURN(const Table* table, point.FindTable(query.table));
  if (IsUnlisted(point)) return Coverage::kGaps;
  Fillers fillers(&point, table->name);
  for (const auto& [tp, tape] : point.state().tapes) {
    if (!Has(query.topics, tape.topic)) continue;
    TD_ASSIGN_OR_RETURN(const bool holes, HolesTouch(point, *table, tp, tape, query, &fillers));
    if (holes) return Coverage::kGaps;
    if (!point.IsStored(tp)) continue;
    TD_ASSIGN_OR_RETURN(std::vector<Gap> gaps, point.view().Gaps(tp));
    std::erase_if(gaps, IsNoLoss);
    if (gaps.empty()) continue;
    TD_ASSIGN_OR_RETURN(Checkpoint checkpoint, point.view().GetCheckpoint(tp));
    TD_ASSIGN_OR_RETURN(const bool fills_now, fillers.Fills(checkpoint.mapping));
    for (const Gap& gap : gaps) {
      TD_ASSIGN_OR_RETURN(Neighbours sides, NeighboursOf(point, tp, tape, gap));
      if (!EventBounds(gap, sides).Touches(query.start, query.end)) continue;
      bool fills = fills_now;
      for (const Side* side : {&sides.before, &sides.after}) {
        if (fills || !side->known) continue;
        TD_ASSIGN_OR_RETURN(fills, fillers.Fills(side->block.mapping));
      }
      if (!fills) continue;
      TD_ASSIGN_OR_RETURN(const bool filled,
                          IsFilled(point, *table, tp, tape, gap, EventBounds(gap, sides), query));
      if (!filled) return Coverage::kGaps;
    }
  }
  return Coverage::kWhole;
}

Result<Coverage> CoverageOf(const ReadPoint& point, const MessageQuery& query) {
  if (IsUnlisted(point)) return Coverage::kGaps;
  for (const auto& [tp, tape] : point.state().tapes) {
    if (!Has(query.topics, tape.topic)) continue;
    if (query.partition && *query.partition != tape.partition) continue;
    if (query.lineage && *query.lineage != tape.lineage) continue;
    TD_ASSIGN_OR_RETURN(std::vector<ArchivedHole> holes, ArchivedHoles(point, tp, tape));
    for (const ArchivedHole& hole : holes) {
      if (hole.left.to <= query.from_offset || hole.left.from >= query.to_offset) continue;
      if (KafkaBounds(hole.hole->gap, {}).Touches(query.start, query.end)) return Coverage::kGaps;
    }
    if (!point.IsStored(tp)) continue;
    TD_ASSIGN_OR_RETURN(std::vector<Gap> gaps, point.view().Gaps(tp));
    TapeOffsets known;
    if (point.manifests() != nullptr && !gaps.empty()) {
      TD_ASSIGN_OR_RETURN(known, KnownOffsets(point, tp, tape));
    }
    for (const Gap& gap : gaps) {
      if (known.HasAll(tp, gap.from, gap.to)) continue;  // others have it
      if (IsNoLoss(gap) || gap.to <= query.from_offset || gap.from >= query.to_offset) continue;
      TD_ASSIGN_OR_RETURN(Neighbours sides, NeighboursOf(point, tp, tape, gap));
      if (KafkaBounds(gap, sides).Touches(query.start, query.end)) return Coverage::kGaps;
    }
  }
  return Coverage::kWhole;
}

Result<std::optional<std::string>> StateName(const ReadPoint& point, const RecordQuery& query) {
  TD_ASSIGN_OR_RETURN(const Table* table, point.FindTable(query.table));
  if (HasOpenRows(point, *table, query) || IsUnlisted(point)) return std::optional<std::string>();
  const Day first = table->DayOf(query.start);
  const Day last = table->DayOf(query.end);
  std::string state = EncodeTable(*table);
  uint64_t newest = 0;  // by its number `as_of` finds the state again
  TD_ASSIGN_OR_RETURN(const DayRange days, point.Days(*table, first, last));
  for (const auto& [key, entry] : days) {
    if (entry.phase == DayPhase::kOpen) return std::optional<std::string>();
    PutVarint(&state, ZigZag(key.day.days()));
    PutVarint(&state, key.generation);
    PutVarint(&state, entry.rows);
    PutBlob(&state, entry.digest.ToString());
    newest = std::max(newest, entry.closed);
  }
  if (point.manifests() != nullptr) {
    const std::string& ours = point.archive().store;
    TD_ASSIGN_OR_RETURN(auto listed, point.manifests()->RecordsOf(table->name, first, last, ours));
    for (const ListedRecords& one : listed) {
      if (one.manifest().writer.store != ours && one.replaced_by == nullptr) {
        PutBlob(&state, one.listing->name);
      }
    }
  }
  std::string name = HashBytes(state).ToString();
  if (newest > 0) name += "-" + std::to_string(newest);
  return std::optional(std::move(name));
}

std::optional<StatePin> PinOf(std::string_view state_name) {
  constexpr size_t kHashSize = 32;
  StatePin pin{.flush = 0, .exact = true};
  if (state_name.size() == kHashSize) return pin;
  const std::string_view digits = state_name.substr(std::min(kHashSize + 1, state_name.size()));
  const bool good = !digits.empty() && digits.size() < 20 && state_name[kHashSize] == '-' &&
                    digits.find_first_not_of("0123456789") == std::string_view::npos;
  if (!good) return std::nullopt;
  for (const char digit : digits) pin.flush = pin.flush * 10 + static_cast<uint64_t>(digit - '0');
  return pin;
}

}  // namespace tapedeck
