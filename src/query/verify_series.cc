// Verifying series: blocks, days, catalog.

#include <algorithm>
#include <set>
#include <tuple>

#include "base/check.h"
#include "base/text.h"
#include "codec/series_block.h"
#include "model/keys.h"
#include "model/last_record.h"
#include "query/verify_parts.h"

namespace tapedeck {

void Verifier::CheckSeries() {
  const std::string prefix(1, static_cast<char>(keys::Prefix::kSeries));
  auto cursor = view_->Scan(prefix, keys::After(prefix), ScanKind::kLong);
  for (cursor->SeekToFirst(); cursor->Valid(); cursor->Next()) {
    CheckSeriesBlock(cursor->key(), cursor->value());
  }
  if (cursor->status().ok()) return;
  Find("series", std::string(cursor->status().message()));
  series_whole_ = false;
}

void Verifier::CheckSeriesBlock(std::string_view key_bytes, std::string_view block) {
  ++report_->series_blocks;
  Result<keys::SeriesKey> key = keys::ParseSeries(key_bytes);
  if (!key.ok()) {
    Find("series", std::string(key.status().message()));
    series_whole_ = false;
    return;
  }
  const Table* table = state_.tables.Find(key->table);
  const std::string where = "series " + (table == nullptr ? "?" : table->name) + " " +
                            Quoted(key->symbol) + " " + key->day.ToString() + " generation " +
                            std::to_string(key->generation) + " from " +
                            FormatRfc3339(key->first_ts);
  Status good =
      table == nullptr ? Status::Corruption("its table is not in the store") : Status::Ok();
  if (good.ok()) good = DecodeSeriesBlock(key_bytes, block, table->columns, &buffers_, &rows_);
  if (!good.ok() || !CheckRows(where, *table, *key)) {
    if (!good.ok()) Find(where, std::string(good.message()));
    series_whole_ = false;
    return;
  }
  report_->rows += rows_.size();
  Tally below;
  const keys::DayKey day{key->table, key->day, key->generation};
  tally_.Add(*table, key->symbol, rows_, cuts_, &of_series_[day], &below);
  if (set_aside_.contains(day)) return;  // not part of any answer
  if (below.rows > 0) below_cuts_[{key->table, key->day}] += below;
  CountSeries(*table, &catalog_[tally_.directory().Intern(key->table, key->symbol)]);
}

// Adds the rows in hand to the catalog entry that their series should have.
void Verifier::CountSeries(const Table& table, CatalogEntry* entry) {
  const RecordOrder order(&table, &ranks_);
  LastRecord newest;
  for (size_t row = rows_.size(); row-- > 0 && rows_.ts[row] == rows_.ts.back();) {
    LastRecord other;
    for (const RowsColumn& column : rows_.columns) other.values.push_back(column.At(row));
    other.record.ts = Timestamp(rows_.ts[row]);
    other.record.ts_kafka = Timestamp(rows_.ts_kafka[row]);
    other.record.origin = rows_.OriginAt(row);
    other.record.values = other.values;
    if (row + 1 == rows_.size() || order.Before(newest.record, other.record)) {
      newest = std::move(other);
      newest.record.values = newest.values;
    }
  }
  const Status widened =
      WidenCatalog(order, Timestamp(rows_.ts.front()), rows_.size(), newest.record, entry);
  TD_CHECK(widened.ok(), "the entry was encoded here");
}

// Whether the rows can be counted; differences that do not hinder that are found on the way.
bool Verifier::CheckRows(const std::string& where, const Table& table, const keys::SeriesKey& key) {
  if (rows_.size() == 0) {
    Find(where, "the block has no rows");
    return false;
  }
  if (rows_.ts.front() != key.first_ts.ns())
    Find(where, "its first row is not at the time in its key");
  auto key_of = [&](size_t row) {
    return std::make_tuple(rows_.ts[row], ranks_[TpId{rows_.tp[row]}], rows_.offset[row],
                           rows_.index[row]);
  };
  bool sorted = true;
  for (size_t row = 0; row < rows_.size(); ++row) {
    const TpId tp{rows_.tp[row]};
    auto watermark = watermarks_.find(tp);
    if (tally_.FindTape(tp) == nullptr || watermark == watermarks_.end()) {
      Find(where,
           "a row names tape " + std::to_string(rows_.tp[row]) + ", which is not in the store");
      return false;
    }
    if (rows_.offset[row] >= watermark->second) {
      Find(where,
           "a row of " + tally_.FindTape(tp)->ToString() + "@" + std::to_string(rows_.offset[row]) +
               " lies at or above the series watermark " + std::to_string(watermark->second));
    }
    if (row > 0 && !(key_of(row - 1) < key_of(row))) sorted = false;
    Progress();
  }
  if (!sorted) Find(where, "its rows are not in order, or one is there twice");
  const auto [least, greatest] = std::minmax_element(rows_.ts.begin(), rows_.ts.end());
  if (table.DayOf(Timestamp(*least)) != key.day || table.DayOf(Timestamp(*greatest)) != key.day) {
    Find(where, "it holds rows of another day");
  }
  return true;
}

// The `d` entries against what the blocks hold.
void Verifier::CheckDays() {
  auto where = [&](const keys::DayKey& key) {
    const Table* table = state_.tables.Find(key.table);
    return "day " + (table == nullptr ? "?" : table->name) + " " + key.day.ToString() +
           " generation " + std::to_string(key.generation);
  };
  for (const auto& [key, entry] : state_.days) {
    const Tally said{entry.rows, entry.digest};
    auto found = of_series_.find(key);
    const Tally is = found == of_series_.end() ? Tally{} : found->second;
    if (!series_whole_ || said == is || entry.phase == DayPhase::kPruned) continue;
    if (entry.building || entry.gone) continue;  // its blocks come, or leave, in several batches
    Find(where(key), "its entry says " + said.ToString() + "; its blocks hold " + is.ToString());
  }
  for (const auto& [key, tally] : of_series_) {
    auto same = [&key = key](const auto& day) { return day.first == key; };
    if (std::any_of(state_.days.begin(), state_.days.end(), same)) continue;
    Find(where(key), "its blocks hold " + tally.ToString() + " and it has no entry");
  }
}

// The `y` entries against what the blocks hold.
void Verifier::CheckCatalog() {
  const std::string prefix(1, static_cast<char>(keys::Prefix::kCatalog));
  std::map<SeriesId, bool> listed;
  auto text = [](const CatalogEntry& e) {
    return std::to_string(e.rows) + " rows from " + FormatRfc3339(e.first_ts) + " to " +
           FormatRfc3339(e.last_ts);
  };
  auto where = [&](TableId id, std::string_view symbol) {
    const Table* table = state_.tables.Find(id);
    return "catalog " + (table == nullptr ? "?" : table->name) + " " + Quoted(symbol);
  };
  // The catalog counts rows that have left for an archive, too.
  std::set<TableId> archived;
  for (const auto& [key, entry] : state_.days) {
    if (entry.phase == DayPhase::kPruned && entry.counts()) archived.insert(key.table);
  }
  auto in_archive = [&](TableId table) { return archived.contains(table); };
  auto cursor = view_->Scan(prefix, keys::After(prefix), ScanKind::kLong);
  for (cursor->SeekToFirst(); cursor->Valid(); cursor->Next()) {
    Result<keys::CatalogKey> key = keys::ParseCatalog(cursor->key());
    Result<CatalogEntry> entry = DecodeCatalog(cursor->value());
    if (!key.ok() || !entry.ok()) {
      Find("catalog", std::string((key.ok() ? entry.status() : key.status()).message()));
      continue;
    }
    const SeriesId series = tally_.directory().Intern(key->table, key->symbol);
    listed[series] = true;
    auto found = catalog_.find(series);
    const CatalogEntry is = found == catalog_.end() ? CatalogEntry{} : found->second;
    if (!series_whole_ || in_archive(key->table)) continue;
    const std::string place = where(key->table, key->symbol);
    if (text(*entry) != text(is)) {
      Find(place, "its entry says " + text(*entry) + "; its blocks hold " + text(is));
    } else if (!entry->last.empty() && entry->last != is.last) {
      Find(place, "the last record that its entry holds is not that of its blocks");
    }
  }
  if (!cursor->status().ok()) Find("catalog", std::string(cursor->status().message()));
  for (const auto& [series, entry] : catalog_) {
    if (listed.contains(series)) continue;
    const SeriesName& name = tally_.directory().At(series);
    Find(where(name.table, name.symbol), "its blocks hold " + text(entry) + " and it has no entry");
  }
}

}  // namespace tapedeck
