#include "query/verify.h"

#include <algorithm>

#include "base/text.h"
#include "query/verify_parts.h"

namespace tapedeck {
namespace {

constexpr uint64_t kStepsPerReport = 4096;

std::string Hex(std::string_view bytes) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string out = "0x";
  for (char c : bytes.substr(0, 64)) {
    out += kDigits[static_cast<uint8_t>(c) >> 4];
    out += kDigits[static_cast<uint8_t>(c) & 15];
  }
  return out;
}

}  // namespace

void VerifyReport::Add(std::string where, std::string what, size_t findings_max) {
  if (findings.size() < findings_max) {
    findings.push_back({std::move(where), std::move(what)});
  } else {
    ++findings_left_off;
  }
}

Hash128 RecordTally::HashOf(SeriesId series, const RecordView& record, const TapeId& tape) {
  const Table& table = *state_->tables.Find(record.table);
  return HasherOf(table).Hash(SeriesHashOf(series, table), TapeHashOf(tape), record);
}

void RecordTally::Add(const Table& table, std::string_view symbol, const Rows& rows,
                      const std::map<TpId, int64_t>& cuts, Tally* tally, Tally* below) {
  const Hash128 series = SeriesHashOf(directory_.Intern(table.id, symbol), table);
  RecordHasher& hasher = HasherOf(table);
  for (size_t row = 0; row < rows.size(); ++row) {
    const TpId tp{rows.tp[row]};
    const Tally one{1, hasher.Hash(series, TapeHashOf(*FindTape(tp)), rows, row)};
    tally->digest += one.digest;
    const auto cut = cuts.find(tp);
    if (cut != cuts.end() && rows.offset[row] < cut->second) *below += one;
  }
  tally->rows += rows.size();
}

const TapeId* RecordTally::FindTape(TpId tp) const {
  auto found = std::lower_bound(state_->tapes.begin(), state_->tapes.end(), tp,
                                [](const auto& entry, TpId id) { return entry.first < id; });
  return found == state_->tapes.end() || found->first != tp ? nullptr : &found->second;
}

RecordHasher& RecordTally::HasherOf(const Table& table) {
  return hashers_.try_emplace(table.id, table).first->second;
}

const Hash128& RecordTally::SeriesHashOf(SeriesId series, const Table& table) {
  if (series >= series_.size()) series_.resize(series + 1);
  if (!series_[series]) series_[series] = SeriesHash(table.name, directory_.At(series).symbol);
  return *series_[series];
}

const Hash128& RecordTally::TapeHashOf(const TapeId& tape) {
  auto [found, made] = tapes_.try_emplace(tape);
  if (made) found->second = TapeHash(tape);
  return found->second;
}

void Verifier::Find(const std::string& where, const std::string& what) {
  report_->Add(where, what, options_->findings_max);
}

void Verifier::Progress() {
  if (++steps_ % kStepsPerReport != 0 || !options_->progress) return;
  options_->progress(
      {report_->messages, report_->rows, report_->findings.size() + report_->findings_left_off});
}

Status Verifier::Run() {
  TD_ASSIGN_OR_RETURN(state_, view_->LoadState());
  std::sort(state_.tapes.begin(), state_.tapes.end());
  ranks_ = TapeRanks(state_.tapes);
  report_->tapes = state_.tapes.size();
  report_->days = state_.days.size();
  CheckEntries();
  for (const auto& [tp, checkpoint] : state_.checkpoints) watermarks_[tp] = checkpoint.watermark;
  for (const auto& [key, entry] : state_.days) {
    if (!entry.counts()) set_aside_.insert(key);
  }
  FindCuts();
  for (const auto& [tp, tape] : state_.tapes) CheckTape(tp, tape);
  CheckSeries();
  CheckDays();
  CheckCatalog();
  CompareTapeWithSeries();
  report_->symbols = catalog_.size();
  return Status::Ok();
}

// Every entry of the store: a key of ours whose value parses and whose tape is known. Blocks are
// looked at elsewhere.
void Verifier::CheckEntries() {
  auto cursor = view_->Scan("", "", ScanKind::kLong);
  for (cursor->SeekToFirst(); cursor->Valid(); cursor->Next()) {
    CheckEntry(cursor->key(), cursor->value());
    Progress();
  }
  if (!cursor->status().ok()) Find("store", cursor->status().ToString());
}

void Verifier::CheckEntry(std::string_view key, std::string_view value) {
  using keys::Prefix;
  const std::string where = "entry " + Hex(key);
  auto check = [&](const Status& status) {
    if (!status.ok()) Find(where, std::string(status.message()));
  };
  auto known = [&](TpId tp) {
    if (tally_.FindTape(tp) == nullptr) {
      Find(where, "names tape " + std::to_string(Raw(tp)) + ", which is not in the store");
    }
  };
  switch (static_cast<Prefix>(key.empty() ? '\0' : key[0])) {
    case Prefix::kMeta:
    case Prefix::kTable:     // LoadState read it
    case Prefix::kTape:      // the same
    case Prefix::kDay:       // the same
    case Prefix::kTapeShip:  // the same
    case Prefix::kSeries:    // CheckSeries
    case Prefix::kCatalog:   // CheckCatalog
    case Prefix::kObject:
    case Prefix::kJob:
      return;
    case Prefix::kMapping: {
      Result<MappingSpec> spec = MappingSpec::FromCanonical(value);
      check(spec.status());
      if (spec.ok() && keys::Mapping(spec->hash()) != key) {
        Find(where, "holds mapping '" + spec->name() + "' under the hash of another one");
      }
      return;
    }
    case Prefix::kCheckpoint: {
      Result<TpId> tp = keys::ParseTp(key);
      check(tp.status());
      if (tp.ok()) known(*tp);
      return;
    }
    case Prefix::kGap:
    case Prefix::kTapeBlock:
    case Prefix::kTapeIndex:
    case Prefix::kRefusal: {
      Result<keys::TpOffsetKey> at = keys::ParseTpOffset(key);
      check(at.status());
      if (at.ok()) known(at->tp);
      if (at.ok() && key[0] == 'g') check(DecodeGap(at->offset, value).status());
      return;
    }
  }
  Find(where, "is no entry of a store of this format");
}

// What `retain` has dropped is told by the gap at the beginning of coverage; what has left for an
// archive, by the tape's way there.
void Verifier::FindCuts() {
  for (const auto& [tp, checkpoint] : state_.checkpoints) {
    int64_t cut = state_.ShipOf(tp).pruned;
    Result<std::vector<Gap>> gaps = view_->Gaps(tp);  // CheckEntries found what cannot be read
    if (gaps.ok() && !gaps->empty() && gaps->front().from == checkpoint.start &&
        gaps->front().reason == GapReason::kRetain) {
      cut = std::max(cut, gaps->front().to);
    }
    if (cut > checkpoint.start) cuts_[tp] = cut;
  }
}

// The rows below the watermarks, decoded again, against the series. Rows whose messages have left
// the store have nothing to be compared with, nor have messages whose day has left for an archive.
void Verifier::CompareTapeWithSeries() {
  if (!tapes_whole_ || !series_whole_) {
    report_->notes.push_back("series and tape were not compared: a part of them could not be read");
    return;
  }
  std::map<TableDay, Tally> of_series;
  for (const auto& [key, tally] : of_series_) {
    if (!set_aside_.contains(key)) of_series[{key.table, key.day}] += tally;
  }
  for (const auto& [table_day, tally] : of_tape_) of_series.try_emplace(table_day);
  for (const auto& [key, entry] : state_.days) {
    if (entry.phase == DayPhase::kPruned && entry.counts()) of_series.erase({key.table, key.day});
    // Of a day that a reindex took apart from its neighbours, blocks of the tape that reach into
    // both are still summarised by the mapping before.
    if (entry.mixed && entry.counts()) of_series.erase({key.table, key.day});
  }
  for (const auto& [table_day, tally] : of_series) {
    auto found = of_tape_.find(table_day);
    const Tally tape = found == of_tape_.end() ? Tally{} : found->second;
    const auto below = below_cuts_.find(table_day);
    Tally all = tape;
    if (below != below_cuts_.end()) all += below->second;
    if (all == tally) continue;
    const Table* table = state_.tables.Find(table_day.first);
    Find("series " + (table == nullptr ? "?" : table->name) + " " + table_day.second.ToString(),
         "the tape decodes to " + tape.ToString() + "; the series hold " + tally.ToString() +
             (below == below_cuts_.end() || below->second.rows == 0
                  ? std::string()
                  : ", of which " + below->second.ToString() + " are older than the tape"));
  }
}

Result<VerifyReport> VerifyView(const StoreView& view, const VerifyOptions& options) {
  VerifyReport report;
  Verifier verifier(&view, &options, &report);
  Status run = verifier.Run();
  if (run.code() == StatusCode::kCorruption) {
    report.Add("store", std::string(run.message()), options.findings_max);
    return report;
  }
  TD_RETURN_IF_ERROR(run);
  return report;
}

Result<VerifyReport> VerifyStore(Store* store, const VerifyOptions& options) {
  Status files = store->VerifyFiles();
  if (!files.ok() && files.code() != StatusCode::kCorruption) return files;
  TD_ASSIGN_OR_RETURN(VerifyReport report, VerifyView(*store->View(), options));
  if (!files.ok()) {
    report.findings.insert(report.findings.begin(), {"files", std::string(files.message())});
  }
  return report;
}

Result<VerifyReport> VerifyDataDir(const std::filesystem::path& dir, const VerifyOptions& options) {
  StoreOptions open;
  open.dir = dir;
  open.create = false;
  open.ballast_bytes = 0;
  Result<std::unique_ptr<Store>> store = Store::Open(open);
  std::string note;
  if (store.status().code() == StatusCode::kFailedPrecondition) {
    // Perhaps a node holds it. Opening beside it also tells what else is wrong.
    note = "a node is running, or this user may only read (" +
           std::string(store.status().message()) +
           "): what had been written when this began was read";
    open.mode = StoreMode::kSecondary;
    store = Store::Open(open);
  }
  if (store.status().code() == StatusCode::kCorruption) {
    VerifyReport report;
    report.Add("files", std::string(store.status().message()), options.findings_max);
    if (!note.empty()) report.notes.push_back(note);
    return report;
  }
  if (!store.ok()) return store.status();
  TD_ASSIGN_OR_RETURN(VerifyReport report, VerifyStore(store->get(), options));
  if (!note.empty()) report.notes.insert(report.notes.begin(), note);
  return report;
}

}  // namespace tapedeck
