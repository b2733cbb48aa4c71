#include "ship/verify_archive.h"

#include <algorithm>
#include <fstream>
#include <map>
#include <set>
#include <tuple>

#include "archive/object_source.h"
#include "base/clock.h"
#include "base/encoding.h"
#include "base/file.h"
#include "base/secure_hash.h"
#include "ship/generation_rows.h"
#include "ship/journey.h"
#include "ship/row_tally.h"
#include "ship/verify_objects.h"
#include "tape/archive_plan.h"
#include "tape/tape_offsets.h"

namespace tapedeck {
namespace {

// Offsets of one tape.
class Ranges {
 public:
  void Add(int64_t from, int64_t to) { offsets_.Add(kTape, from, to); }
  /// What a gap leaves.
  void Remove(int64_t from, int64_t to) { offsets_.Remove(kTape, from, to); }
  void Add(const Ranges& more) { offsets_.Add(more.offsets_); }
  bool Holds(int64_t from, int64_t to) const { return offsets_.HasAll(kTape, from, to); }
  bool Touches(const Ranges& other) const { return offsets_.Meets(other.offsets_); }

 private:
  static constexpr TpId kTape{0};
  TapeOffsets offsets_;
};

std::string Text(const TapeRange& range) {
  return range.tape.ToString() + " [" + std::to_string(range.from) + ", " +
         std::to_string(range.to) + ")";
}

class ArchiveVerifier {
 public:
  ArchiveVerifier(const ManifestSet* manifests, BlobStore* blobs,
                  const ArchiveVerifyOptions* options, ArchiveReport* report)
      : manifests_(manifests), blobs_(blobs), options_(options), report_(report) {}

  Status Run() {
    std::error_code error;
    std::filesystem::create_directories(options_->work_dir, error);
    if (error) return StatusFromErrno(error.value(), "making " + options_->work_dir.string());
    for (const BrokenManifest& broken : manifests_->broken()) {
      Find(broken.name, std::string(broken.error.message()));
    }
    CountObjects();
    if (!options_->day) TD_RETURN_IF_ERROR(CheckTapes());
    TD_RETURN_IF_ERROR(CheckRecords());
    if (!options_->day) TD_RETURN_IF_ERROR(NoteUnlisted());
    return options_->store == nullptr ? Status::Ok() : CompareWithStore();
  }

 private:
  void Find(const std::string& where, const std::string& what) {
    if (report_->findings.size() < options_->findings_max) {
      report_->findings.push_back({where, what});
    } else {
      ++report_->findings_left_off;
    }
  }
  bool Wanted(const RecordManifest& manifest) const {
    return !options_->day || manifest.day == *options_->day;
  }
  void CountObjects();
  Result<bool> Fetch(const ShippedObject& object, const std::string& manifest);
  Status CheckTapes();
  Status CheckTape(const TapeListing& listing);
  Status CheckRecords();
  Status CheckGeneration(const RecordListing& listing);
  void CheckPlace(const RecordListing& listing, bool replaced);
  Status NoteUnlisted();
  Status CompareWithStore();
  Status CompareDay(const StoreView& view, const StoreState& state, const keys::DayKey& key,
                    const DayEntry& entry);
  Result<RowSum> CountStored(const StoreView& view, const StoreState& state, const Table& table,
                             const keys::DayKey& key, const DayEntry& entry);
  /// Damage is a finding; what ends the whole is returned.
  Status Judge(const Status& status, const std::string& where);

  std::filesystem::path File() const { return options_->work_dir / "object"; }

  const ManifestSet* const manifests_;
  BlobStore* const blobs_;
  const ArchiveVerifyOptions* const options_;
  ArchiveReport* const report_;
  ArchiveProgress progress_;
  std::set<std::string> listed_;  // names of objects
  std::map<TapeId, Ranges> on_tape_;
  std::map<std::tuple<std::string, std::string, TapeId>, Ranges> tape_of_store_;
  /// By (table, day, node, store, tape), of manifests that nothing replaces.
  std::map<std::tuple<std::string, Day, std::string, std::string, TapeId>, Ranges> of_store_;
  std::map<std::tuple<std::string, Day, TapeId>, Ranges> of_all_;
  std::map<TapeId, Ranges> had_by_all_;
  uint64_t overlaps_ = 0;
  uint64_t tape_overlaps_ = 0;
};

void ArchiveVerifier::CountObjects() {
  auto count = [&](const std::vector<ShippedObject>& objects) {
    for (const ShippedObject& object : objects) listed_.insert(object.name);
    progress_.objects_total += objects.size();
  };
  for (const ListedRecords& records : manifests_->records()) {
    if (Wanted(records.manifest())) count(records.manifest().objects);
  }
  if (options_->day) return;
  for (const auto& listing : manifests_->tapes()) count(listing->manifest.objects);
}

Status ArchiveVerifier::Judge(const Status& status, const std::string& where) {
  if (status.ok()) return status;
  if (status.code() != StatusCode::kCorruption && status.code() != StatusCode::kNotFound) {
    return status.WithContext(where);
  }
  Find(where, std::string(status.message()));
  return Status::Ok();
}

// Into File(). False: it is not there, or is another; that is a finding already.
Result<bool> ArchiveVerifier::Fetch(const ShippedObject& object, const std::string& manifest) {
  ++progress_.objects;
  ++report_->objects;
  if (options_->stop != nullptr) TD_RETURN_IF_ERROR(options_->stop->Check());
  Result<std::unique_ptr<Blob>> blob = blobs_->Open(object.name);
  if (blob.status().code() == StatusCode::kNotFound) {
    Find(object.name, "it is missing; " + manifest + " lists it");
    return false;
  }
  TD_RETURN_IF_ERROR(blob.status());
  std::ofstream out(File(), std::ios::binary | std::ios::trunc);
  SecureHash hash(SecureHash::Kind::kSha256);
  const Status fetched = (*blob)->StreamAll([&](std::string_view bytes) {
    if (options_->stop != nullptr) TD_RETURN_IF_ERROR(options_->stop->Check());
    hash.Update(bytes);
    out.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    progress_.bytes += bytes.size();
    return out ? Status::Ok() : StatusFromErrno(errno, "writing " + File().string());
  });
  TD_RETURN_IF_ERROR(fetched.WithContext(object.name));
  out.close();
  if (!out) return StatusFromErrno(errno, "writing " + File().string());
  report_->bytes += (*blob)->stat().bytes;
  progress_.findings = report_->findings.size() + report_->findings_left_off;
  if (options_->progress) options_->progress(progress_);
  if ((*blob)->stat().bytes != object.bytes) {
    Find(object.name, "it has " + std::to_string((*blob)->stat().bytes) + " bytes, " + manifest +
                          " says " + std::to_string(object.bytes));
    return false;
  }
  if (ToHex(hash.Finish()) == object.sha256) return true;
  Find(object.name, "its sha256 is not the one that " + manifest + " gives: it was altered");
  return false;
}

Status ArchiveVerifier::CheckTapes() {
  for (const auto& listing : manifests_->tapes()) {
    const TapeManifest& manifest = listing->manifest;
    const TapeRange& range = manifest.range;
    Ranges& own = tape_of_store_[{manifest.writer.node, manifest.writer.store, range.tape}];
    // Of what it lists as a gap a later one may have what was healed.
    Ranges had;
    had.Add(range.from, range.to);
    for (const Gap& gap : manifest.gaps) had.Remove(gap.from, gap.to);
    if (own.Touches(had)) {
      Find(listing->name, "another manifest of its store has offsets of " + Text(range));
    }
    own.Add(had);
    Ranges& others = had_by_all_[range.tape];
    if (others.Touches(had)) ++tape_overlaps_;
    others.Add(had);
    on_tape_[range.tape].Add(range.from, range.to);
    ++report_->manifests;
    TD_RETURN_IF_ERROR(CheckTape(*listing));
  }
  if (tape_overlaps_ > 0) {
    report_->notes.push_back(std::to_string(tape_overlaps_) +
                             " ranges of tapes are held by several stores; their messages are "
                             "read once");
  }
  return Status::Ok();
}

Status ArchiveVerifier::CheckTape(const TapeListing& listing) {
  TapeCheck check(&listing.manifest);
  for (const ShippedObject& object : listing.manifest.objects) {
    TD_ASSIGN_OR_RETURN(const bool same, Fetch(object, listing.name));
    if (!same) return Status::Ok();
    TD_ASSIGN_OR_RETURN(const auto source, OpenLocalObject(File().string(), object.name));
    const Status read = check.Add(*source, options_->stop);
    if (!read.ok()) return Judge(read, object.name);
  }
  report_->messages += check.messages();
  return Judge(check.Finish(), listing.name);
}

Status ArchiveVerifier::CheckRecords() {
  for (const ListedRecords& records : manifests_->records()) {
    if (!Wanted(records.manifest())) continue;
    ++report_->manifests;
    CheckPlace(*records.listing, records.replaced_by != nullptr);
    // The objects of what was replaced leave after a time of grace.
    if (records.replaced_by != nullptr) continue;
    TD_RETURN_IF_ERROR(CheckGeneration(*records.listing));
  }
  if (overlaps_ > 0) {
    report_->notes.push_back(std::to_string(overlaps_) +
                             " ranges are covered by several stores; their records are read once");
  }
  return Status::Ok();
}

void ArchiveVerifier::CheckPlace(const RecordListing& listing, bool replaced) {
  const RecordManifest& manifest = listing.manifest;
  for (const TapeRange& range : manifest.vector) {
    if (!options_->day && !on_tape_[range.tape].Holds(range.from, range.to)) {
      Find(listing.name, "it covers " + Text(range) + ", which tape manifests do not");
    }
    if (replaced) continue;
    const std::string& node = manifest.writer.node;
    const std::string& store = manifest.writer.store;
    Ranges& own = of_store_[{manifest.table, manifest.day, node, store, range.tape}];
    Ranges& all = of_all_[{manifest.table, manifest.day, range.tape}];
    Ranges had;
    had.Add(range.from, range.to);
    for (const TapeGap& hole : manifest.gaps) {
      if (hole.tape == range.tape) had.Remove(hole.gap.from, hole.gap.to);
    }
    if (own.Touches(had)) {
      Find(listing.name, "another generation of its store covers " + Text(range) + ", too");
    } else if (all.Touches(had)) {
      ++overlaps_;
    }
    own.Add(had);
    all.Add(had);
  }
}

Status ArchiveVerifier::CheckGeneration(const RecordListing& listing) {
  GenerationCheck check(&listing.manifest);
  for (const ShippedObject& object : listing.manifest.objects) {
    TD_ASSIGN_OR_RETURN(const bool same, Fetch(object, listing.name));
    if (!same) return Status::Ok();
    TD_ASSIGN_OR_RETURN(const auto source, OpenLocalObject(File().string(), object.name));
    const Status read = check.Add(*source, object, options_->stop);
    if (!read.ok()) return Judge(read, object.name);
  }
  report_->rows += check.rows();
  return Judge(check.Finish(), listing.name);
}

// Put and not listed yet, replaced, or left by a store that is gone: no harm, but they cost.
Status ArchiveVerifier::NoteUnlisted() {
  std::set<std::string> prefixes;
  for (const Table& table : manifests_->tables()) prefixes.insert(RecordObjectsPrefix(table.name));
  for (const TapeId& tape : manifests_->tape_ids()) prefixes.insert(TapeObjectsPrefix(tape.topic));
  uint64_t unlisted = 0;
  uint64_t bytes = 0;
  std::string example;
  for (const std::string& prefix : prefixes) {
    std::string next;
    do {
      TD_ASSIGN_OR_RETURN(BlobPage page, blobs_->List(prefix, next));
      for (const BlobStat& blob : page.blobs) {
        if (listed_.contains(blob.name) || !ParseArchiveName(blob.name).ok()) continue;
        if (unlisted++ == 0) example = blob.name;
        bytes += blob.bytes;
      }
      next = page.next;
    } while (!next.empty());
  }
  if (unlisted > 0) {
    report_->notes.push_back(std::to_string(unlisted) + " objects of " + std::to_string(bytes) +
                             " bytes are in no manifest, the first is " + example);
  }
  return Status::Ok();
}

Status ArchiveVerifier::CompareWithStore() {
  const std::unique_ptr<StoreView> view = options_->store->View();
  TD_ASSIGN_OR_RETURN(const StoreState state, view->LoadState());
  for (const auto& [key, entry] : state.days) {
    if (entry.phase < DayPhase::kShipped || entry.gone) continue;
    if (options_->day && key.day != *options_->day) continue;
    TD_RETURN_IF_ERROR(CompareDay(*view, state, key, entry));
  }
  if (options_->day) return Status::Ok();
  std::map<TpId, TapeId> tapes(state.tapes.begin(), state.tapes.end());
  std::map<TpId, Checkpoint> checkpoints(state.checkpoints.begin(), state.checkpoints.end());
  for (const auto& [tp, ship] : state.ships) {
    const TapeRange said{tapes[tp], checkpoints[tp].start, ship.shipped};
    // By manifests of any store: this one may have had another id.
    if (!on_tape_[said.tape].Holds(said.from, said.to)) {
      Find("tape " + Text(said),
           "the store says that it is shipped, and manifests lack some of it");
    }
  }
  return Status::Ok();
}

// What the objects of a generation must hold. Those of an upsert table hold the winners of all
// generations up to it: they are found again while the store has the blocks.
Result<RowSum> ArchiveVerifier::CountStored(const StoreView& view, const StoreState& state,
                                            const Table& table, const keys::DayKey& key,
                                            const DayEntry& entry) {
  if (!table.upsert()) return RowSum{entry.rows, entry.digest};
  ShipOptions ship;
  ship.work_folder = options_->work_dir.string();
  ShipParts parts;
  parts.store = options_->store;
  parts.blobs = blobs_;
  parts.clock = &SystemClock();
  const Journey journey(&ship, &parts);
  TD_ASSIGN_OR_RETURN(const auto rows, GenerationRows::Open(journey, view, state, key, "rows"));
  RowTally tally(table, state);
  for (RowRun run;;) {
    if (options_->stop != nullptr) TD_RETURN_IF_ERROR(options_->stop->Check());
    TD_RETURN_IF_ERROR(rows->Next(&run));
    if (run.count == 0) return tally.sum();
    tally.Add(run.symbol, *run.rows, run.first, run.count);
  }
}

Status ArchiveVerifier::CompareDay(const StoreView& view, const StoreState& state,
                                   const keys::DayKey& key, const DayEntry& entry) {
  const Table* table = state.tables.Find(key.table);
  const std::string where = "day " + key.day.ToString() + " generation " +
                            std::to_string(key.generation) + " of " +
                            (table == nullptr ? "an unknown table" : table->name);
  const RecordListing* listing = FindStanding(*manifests_, entry.manifest);
  if (listing == nullptr) {
    Find(where, "its manifest " + entry.manifest + " is not in the archive");
    return Status::Ok();
  }
  const RecordManifest& manifest = listing->manifest;
  const bool upsert = table != nullptr && table->upsert();
  // What stands for several generations has the rows of all of them.
  if (table == nullptr || (!upsert && !manifest.replaces.empty())) return Status::Ok();
  if (upsert && (key.generation != manifest.generation || entry.phase == DayPhase::kPruned)) {
    return Status::Ok();  // compared in the turn of the newest, or no more here
  }
  Result<RowSum> stored = CountStored(view, state, *table, key, entry);
  if (!stored.ok()) return Judge(stored.status(), where);
  if (*stored != RowSum{manifest.rows, manifest.digest}) {
    Find(where, "the store counts " + std::to_string(stored->rows) + " rows, " + listing->name +
                    " " + std::to_string(manifest.rows) + ", or their digests differ");
  }
  return Status::Ok();
}

}  // namespace

Result<ArchiveReport> VerifyArchive(const ManifestSet& manifests, BlobStore* blobs,
                                    const ArchiveVerifyOptions& options) {
  ArchiveReport report;
  ArchiveVerifier verifier(&manifests, blobs, &options, &report);
  const Status status = verifier.Run();
  std::error_code ignored;
  std::filesystem::remove(options.work_dir / "object", ignored);
  TD_RETURN_IF_ERROR(status);
  return report;
}

}  // namespace tapedeck
