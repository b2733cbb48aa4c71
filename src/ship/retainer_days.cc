// Retention: days of tables.

#include <algorithm>
#include <set>

#include "base/failpoint.h"
#include "codec/series_block.h"
#include "model/record.h"
#include "ship/close_policy.h"
#include "ship/retainer.h"

namespace tapedeck {
namespace {

using DayEntries = std::vector<std::pair<keys::DayKey, DayEntry>>;

// All generations of a day of a table; of any day where `day` is null. In order.
DayEntries EntriesOf(const StoreState& state, TableId table, const Day* day) {
  DayEntries entries;
  for (const auto& one : state.days) {
    if (one.first.table == table && (day == nullptr || one.first.day == *day))
      entries.push_back(one);
  }
  std::ranges::sort(entries, {}, [](const auto& one) { return one.first; });
  return entries;
}

// What a symbol has in the days but one.
struct Elsewhere {
  std::optional<Timestamp> first;  // nullopt: nothing
  Timestamp last;                  // of the days before, where there are none behind
  bool behind = false;             // in a later day, too: its newest row stays
};

// Generations of one day overlap, and so do blocks of one generation in their ends; days do not.
Result<Elsewhere> RowsElsewhere(const StoreView& view, const DayEntries& entries, Day day,
                                const std::string& symbol) {
  Elsewhere found;
  Day first_day = day;
  Day last_day = day;
  for (const auto& [key, entry] : entries) {
    if (key.day == day) continue;
    if (found.behind && key.day > day && key.day != last_day) break;
    const std::string prefix = keys::SeriesPrefix(key.table, key.day, key.generation, symbol);
    auto cursor = view.Scan(prefix, keys::After(prefix), ScanKind::kPoint);
    for (cursor->SeekToFirst(); cursor->Valid(); cursor->Next()) {
      TD_ASSIGN_OR_RETURN(const keys::SeriesKey block, keys::ParseSeries(cursor->key()));
      if (!found.first) first_day = key.day;
      if (key.day == first_day)
        found.first = found.first ? std::min(*found.first, block.first_ts) : block.first_ts;
      found.behind = key.day > day;
      if (found.behind) {
        last_day = key.day;
        break;  // the first of a generation is all that is asked for
      }
      TD_ASSIGN_OR_RETURN(const SeriesBlockHeader header, ParseSeriesHeader(cursor->value()));
      found.last = last_day == key.day ? std::max(found.last, header.last_ts) : header.last_ts;
      last_day = key.day;
    }
    TD_RETURN_IF_ERROR(cursor->status());
  }
  return found;
}

std::vector<Hash128> TapeHashes(const StoreState& state) {
  std::vector<Hash128> hashes;
  for (const auto& [tp, tape] : state.tapes) {
    if (Raw(tp) >= hashes.size()) hashes.resize(Raw(tp) + 1);
    hashes[Raw(tp)] = TapeHash(tape);
  }
  return hashes;
}

}  // namespace

/// Series of a day that one batch takes out, with all their blocks.
struct Retainer::DayPart {
  struct Symbol {
    std::string name;
    uint64_t rows = 0;    // that go
    Elsewhere elsewhere;  // what stays
  };
  uint64_t flush = 0;  // of the view
  std::vector<Symbol> symbols;
  std::vector<keys::SeriesKey> blocks;  // in order of symbols, then of keys
  DayEntries days;                      // as they will be
};

Status Retainer::DropDays(const Table& table) {
  TD_ASSIGN_OR_RETURN(const StoreState state, parts_.store->View()->LoadState());
  std::set<Day> days;
  for (const auto& [key, entry] : EntriesOf(state, table.id, nullptr)) days.insert(key.day);
  for (const Day day : days) TD_RETURN_IF_ERROR(DropDay(table, day));
  return Status::Ok();
}

Result<bool> Retainer::MayDrop(const StoreView& view, const StoreState& state, const Table& table,
                               Day day) {
  if (EndOfDay(table.day_size, day) >= oldest_) return false;
  for (const auto& [key, entry] : EntriesOf(state, table.id, &day)) {
    // Blocks that the catalog does not count: they come, or leave, in their own time.
    if (!entry.counts() && !entry.gone) return false;
    if (entry.phase > DayPhase::kClosing) {
      live_.held = "days that are in an archive, or on their way there, are kept";
      return false;
    }
    if (entry.rows > 0 && entry.vector.empty()) return false;
    for (const DayEntry::Range& range : entry.vector) {
      TD_ASSIGN_OR_RETURN(const Checkpoint checkpoint, view.GetCheckpoint(range.tp));
      Result<std::string> bytes = view.Get(keys::Gap(range.tp, checkpoint.start));
      if (bytes.status().code() == StatusCode::kNotFound) return false;
      TD_RETURN_IF_ERROR(bytes.status());
      TD_ASSIGN_OR_RETURN(const Gap gap, DecodeGap(checkpoint.start, *bytes));
      if (gap.reason != GapReason::kRetain || gap.to < range.to) return false;
    }
  }
  return true;
}

Status Retainer::DropDay(const Table& table, Day day) {
  for (;;) {
    TD_RETURN_IF_ERROR(CheckStop());
    std::unique_ptr<StoreView> view = parts_.store->View();
    TD_ASSIGN_OR_RETURN(const StoreState state, view->LoadState());
    TD_ASSIGN_OR_RETURN(const bool may, MayDrop(*view, state, table, day));
    if (!may || EntriesOf(state, table.id, &day).empty()) return Status::Ok();
    TD_ASSIGN_OR_RETURN(const DayPart part, NextDayPart(*view, state, table, day));
    view.reset();  // who waits for the writer holds none
    TD_RETURN_IF_ERROR(parts_.queue->WriteQuiet(
        [&](StoreBatch* batch) { return AddDayPart(table, part, batch); }));
    for (const DayPart::Symbol& symbol : part.symbols) live_.rows += symbol.rows;
    TD_RETURN_IF_ERROR(FailpointHit("retain.day_batch"));
  }
}

Result<Retainer::DayPart> Retainer::NextDayPart(const StoreView& view, const StoreState& state,
                                                const Table& table, Day day) const {
  DayPart part;
  part.flush = state.flush;
  part.days = EntriesOf(state, table.id, &day);
  DayEntries all = EntriesOf(state, table.id, nullptr);
  std::erase_if(all, [](const auto& one) { return !one.second.counts(); });
  const std::vector<Hash128> tapes = TapeHashes(state);
  RecordHasher hasher(table);
  CodecBuffers buffers;
  Rows rows;
  std::vector<std::unique_ptr<StoreCursor>> cursors;  // beside part.days
  for (const auto& [key, entry] : part.days) {
    const std::string prefix = keys::SeriesPrefix(table.id, day, key.generation);
    cursors.push_back(view.Scan(prefix, keys::After(prefix), ScanKind::kLong));
    cursors.back()->SeekToFirst();
  }
  while (part.blocks.size() < batch_keys_) {
    std::optional<std::string> symbol;
    for (const auto& cursor : cursors) {
      if (!cursor->Valid()) continue;
      TD_ASSIGN_OR_RETURN(keys::SeriesKey key, keys::ParseSeries(cursor->key()));
      if (!symbol || key.symbol < *symbol) symbol = std::move(key.symbol);
    }
    if (!symbol) break;
    DayPart::Symbol& one = part.symbols.emplace_back(*symbol);
    const Hash128 series = SeriesHash(table.name, *symbol);
    for (size_t i = 0; i < cursors.size(); ++i) {
      StoreCursor& cursor = *cursors[i];
      for (; cursor.Valid(); cursor.Next()) {
        TD_ASSIGN_OR_RETURN(keys::SeriesKey key, keys::ParseSeries(cursor.key()));
        if (key.symbol != *symbol) break;
        TD_RETURN_IF_ERROR(
            DecodeSeriesBlock(cursor.key(), cursor.value(), table.columns, &buffers, &rows)
                .WithContext("dropping a day of " + table.name));
        for (uint32_t tp : rows.tp) {
          if (tp >= tapes.size()) return Status::Corruption("a row of a tape that is not here");
        }
        part.days[i].second.rows -= rows.size();
        part.days[i].second.digest -= hasher.DigestOf(series, tapes, rows);
        // The catalog has not counted the others since they were replaced.
        if (part.days[i].second.counts()) one.rows += rows.size();
        part.blocks.push_back(std::move(key));
      }
      TD_RETURN_IF_ERROR(cursor.status());
    }
    TD_ASSIGN_OR_RETURN(one.elsewhere, RowsElsewhere(view, all, day, *symbol));
  }
  // Entries without blocks go.
  for (size_t i = 0; i < cursors.size(); ++i) {
    TD_RETURN_IF_ERROR(cursors[i]->status());
    if (!cursors[i]->Valid()) part.days[i].second = DayEntry{};
  }
  return part;
}

// By the store's writer: a flush may have brought rows since, and blocks may have been merged.
Status Retainer::AddDayPart(const Table& table, const DayPart& part, StoreBatch* batch) const {
  const std::unique_ptr<StoreView> view = parts_.store->View();
  TD_ASSIGN_OR_RETURN(const StoreState now, view->LoadState());
  if (now.flush != part.flush) return Status::Unavailable("a flush came between");
  for (const keys::SeriesKey& block : part.blocks) {
    const std::string key = keys::Series(block);
    auto cursor = view->Scan(key, keys::After(key), ScanKind::kPoint);
    cursor->SeekToFirst();
    TD_RETURN_IF_ERROR(cursor->status());
    if (!cursor->Valid()) return Status::Unavailable("blocks of the day were merged meanwhile");
    batch->DeleteSeriesBlock(block);
  }
  for (const DayPart::Symbol& symbol : part.symbols) {
    TD_ASSIGN_OR_RETURN(const std::string bytes, view->Get(keys::Catalog(table.id, symbol.name)));
    TD_ASSIGN_OR_RETURN(CatalogEntry entry, DecodeCatalog(bytes));
    if (entry.rows <= symbol.rows || !symbol.elsewhere.first) {
      batch->DeleteCatalog(table.id, symbol.name);
      continue;
    }
    entry.rows -= symbol.rows;
    entry.first_ts = *symbol.elsewhere.first;
    if (!symbol.elsewhere.behind) {  // the newest goes: readers find the one that is now
      entry.last_ts = symbol.elsewhere.last;
      entry.last.clear();
    }
    batch->PutCatalog(table.id, symbol.name, entry);
  }
  for (const auto& [key, entry] : part.days) {
    if (entry == DayEntry{}) {
      batch->DeleteDay(key);
    } else {
      batch->PutDay(key, entry);
    }
  }
  return Status::Ok();
}

}  // namespace tapedeck
