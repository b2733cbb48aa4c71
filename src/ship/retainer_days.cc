// Retention: days of tables.

#include <algorithm>

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

// The first row of the symbol in the days behind `day`; nullopt where it has none.
Result<std::optional<Timestamp>> FirstBehind(const StoreView& view, const DayEntries& entries,
                                             Day day, const std::string& symbol) {
  std::optional<Timestamp> first;
  for (size_t i = 0; i < entries.size(); ++i) {
    const keys::DayKey& key = entries[i].first;
    if (key.day <= day) continue;
    if (first && key.day != entries[i - 1].first.day) break;  // generations of one day overlap
    const std::string prefix = keys::SeriesPrefix(key.table, key.day, key.generation, symbol);
    auto cursor = view.Scan(prefix, keys::After(prefix), ScanKind::kPoint);
    cursor->SeekToFirst();
    if (!cursor->Valid()) {
      TD_RETURN_IF_ERROR(cursor->status());
      continue;
    }
    TD_ASSIGN_OR_RETURN(const keys::SeriesKey block, keys::ParseSeries(cursor->key()));
    first = first ? std::min(*first, block.first_ts) : block.first_ts;
  }
  return first;
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
    uint64_t rows = 0;                 // that go
    std::optional<Timestamp> next_ts;  // its first row behind this day
  };
  uint64_t flush = 0;  // of the view
  std::vector<Symbol> symbols;
  std::vector<keys::SeriesKey> blocks;  // in order of symbols, then of keys
  DayEntries days;                      // as they will be
};

Status Retainer::DropDays(const Table& table) {
  for (;;) {
    TD_RETURN_IF_ERROR(CheckStop());
    const std::unique_ptr<StoreView> view = parts_.store->View();
    TD_ASSIGN_OR_RETURN(const StoreState state, view->LoadState());
    const DayEntries entries = EntriesOf(state, table.id, nullptr);
    if (entries.empty()) return Status::Ok();
    const Day oldest = entries.front().first.day;
    TD_ASSIGN_OR_RETURN(const bool may, MayDrop(*view, state, table, oldest));
    if (!may) return Status::Ok();
    TD_RETURN_IF_ERROR(DropDay(table, oldest));
  }
}

Result<bool> Retainer::MayDrop(const StoreView& view, const StoreState& state, const Table& table,
                               Day day) {
  if (EndOfDay(table.day_size, day) >= oldest_) return false;
  for (const auto& [key, entry] : EntriesOf(state, table.id, &day)) {
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
    const std::unique_ptr<StoreView> view = parts_.store->View();
    TD_ASSIGN_OR_RETURN(const StoreState state, view->LoadState());
    TD_ASSIGN_OR_RETURN(const bool may, MayDrop(*view, state, table, day));
    if (!may || EntriesOf(state, table.id, &day).empty()) return Status::Ok();
    TD_ASSIGN_OR_RETURN(const DayPart part, NextDayPart(*view, state, table, day));
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
  const DayEntries all = EntriesOf(state, table.id, nullptr);
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
        one.rows += rows.size();
        part.blocks.push_back(std::move(key));
      }
      TD_RETURN_IF_ERROR(cursor.status());
    }
    TD_ASSIGN_OR_RETURN(one.next_ts, FirstBehind(view, all, day, *symbol));
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
    if (entry.rows <= symbol.rows || !symbol.next_ts) {
      batch->DeleteCatalog(table.id, symbol.name);
      continue;
    }
    entry.rows -= symbol.rows;
    entry.first_ts = *symbol.next_ts;
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
