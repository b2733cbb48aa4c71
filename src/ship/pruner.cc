#include "ship/pruner.h"

#include <algorithm>

#include "archive/manifest_set.h"
#include "base/failpoint.h"
#include "base/log.h"
#include "store/healed.h"
#include "tape/archive_plan.h"
#include "tape/tape_offsets.h"

namespace tapedeck {
namespace {

std::string TapePrefix(TpId tp) {
  const std::string key = keys::TapeIndex(tp, 0);
  return key.substr(0, key.size() - sizeof(int64_t));
}

/// The first offset of the first block that is not wholly below `bound`; `bound` where there is
/// none.
Result<int64_t> FirstKept(const StoreView& view, TpId tp, int64_t bound) {
  const std::string prefix = TapePrefix(tp);
  auto cursor = view.Scan(prefix, keys::After(prefix), ScanKind::kPoint);
  // Blocks do not overlap: only the one that holds `bound`, if any, begins below it and stays.
  cursor->SeekForPrev(keys::TapeIndex(tp, bound));
  if (!cursor->Valid()) {
    TD_RETURN_IF_ERROR(cursor->status());
    return bound;
  }
  TD_ASSIGN_OR_RETURN(const TapeIndexEntry entry, DecodeTapeIndex(cursor->value()));
  return entry.last_offset < bound ? bound : std::min(bound, entry.first_offset);
}

constexpr TpId kTape{0};  // where offsets are of one tape

TapeOffsets Without(int64_t from, int64_t to, const std::vector<Gap>& gaps) {
  TapeOffsets offsets;
  offsets.Add(kTape, from, to);
  for (const Gap& gap : gaps) offsets.Remove(kTape, gap.from, gap.to);
  return offsets;
}

TapeOffsets OffsetsOf(const TapeManifest& manifest) {
  return Without(manifest.range.from, manifest.range.to, manifest.gaps);
}

// There may be thousands of manifests, and few of a range.
bool Meets(const TapeManifest& manifest, int64_t from, int64_t to) {
  return manifest.range.from < to && from < manifest.range.to;
}

struct Deleted {
  uint64_t bytes = 0;
  bool all = true;  // but for what reaches above the bound
};

/// Those of `bases` that still are blocks, wholly below `below`, and have nothing that `stays`.
Status DeleteBlocks(const StoreView& view, TpId tp, const std::vector<int64_t>& bases,
                    int64_t below, const TapeOffsets& stays, StoreBatch* batch, Deleted* deleted) {
  TD_ASSIGN_OR_RETURN(const std::vector<HealedRange> healed, HealedOf(view, tp));
  for (int64_t base : bases) {
    Result<std::string> index = view.Get(keys::TapeIndex(tp, base));
    if (index.status().code() == StatusCode::kNotFound) continue;  // joined to the one before
    TD_RETURN_IF_ERROR(index.status());
    TD_ASSIGN_OR_RETURN(const TapeIndexEntry entry, DecodeTapeIndex(*index));
    if (entry.last_offset >= below) continue;
    TapeOffsets block;
    block.Add(kTape, entry.first_offset, entry.last_offset + 1);
    // Recorded after what lies behind it, and in no manifest yet, or not for long.
    const bool keep = stays.Meets(block) || std::ranges::any_of(healed, [&](const auto& range) {
                        return range.Meets(entry.first_offset, entry.last_offset + 1);
                      });
    if (keep) {
      deleted->all = false;
      continue;
    }
    deleted->bytes += entry.raw_bytes;
    batch->DeleteTapeBlock(tp, base);
  }
  return Status::Ok();
}

}  // namespace

// A manifest that another store made, as this one did under an earlier id, it may have replaced.
std::string Pruner::ManifestOf(const DayEntry& entry) const {
  const auto& manifests = journey_->parts->manifests;
  if (!manifests || !journey_->Inherited(entry)) return entry.manifest;
  const std::shared_ptr<const ManifestSet> set = manifests();
  const RecordListing* standing = FindStanding(*set, entry.manifest);
  return standing == nullptr ? entry.manifest : standing->name;
}

Status Pruner::CheckObjects(const DayEntry& entry) {
  TD_ASSIGN_OR_RETURN(const std::unique_ptr<Blob> blob,
                      journey_->parts->blobs->Open(ManifestOf(entry)));
  std::string json;
  TD_RETURN_IF_ERROR(blob->StreamAll([&](std::string_view piece) {
    json.append(piece);
    return Status::Ok();
  }));
  TD_ASSIGN_OR_RETURN(const Manifest manifest, ParseManifest(json));
  const auto* records = std::get_if<RecordManifest>(&manifest);
  if (records == nullptr) return Status::Corruption(entry.manifest + " is none of records");
  for (const ShippedObject& object : records->objects)
    TD_RETURN_IF_ERROR(Find(object, "its rows stay here"));
  return Status::Ok();
}

Status Pruner::Find(const ShippedObject& object, const char* what) {
  Result<BlobStat> stat = journey_->parts->blobs->Stat(object.name);
  if (stat.status().code() == StatusCode::kNotFound || (stat.ok() && stat->bytes != object.bytes))
    return Status::Corruption(object.name + " is no more what was shipped: " + what);
  return stat.status();
}

// Whoever shipped a range, its manifest counts. Those that follow each other list all but their
// gaps; what was healed in one, another lists, and it stays until that was there for keep_local.
Result<TapeOffsets> Pruner::CheckTape(const TapeId& tape, int64_t from, int64_t to,
                                      const std::vector<Gap>& gaps) {
  if (!journey_->parts->manifests) return TapeOffsets();
  const std::shared_ptr<const ManifestSet> set = journey_->parts->manifests();
  constexpr char kStay[] = "its messages stay here";
  TapeOffsets left = Without(from, to, gaps);
  const int64_t begin = from;
  for (const auto& listing : set->TapesOf(tape)) {
    const TapeManifest& manifest = listing->manifest;
    if (!Meets(manifest, begin, to)) continue;
    const bool follows = manifest.range.from <= from && from < manifest.range.to && from < to;
    const TapeOffsets listed = OffsetsOf(manifest);
    const bool old = journey_->OldEnough(manifest.writer.at, journey_->options->keep_local);
    if (!follows && !(old && left.Meets(listed))) continue;
    const Status there = journey_->parts->blobs->Stat(listing->name).status();
    if (there.code() == StatusCode::kNotFound)
      return Status::Corruption(listing->name + " is gone from the archive: " + kStay);
    TD_RETURN_IF_ERROR(there);
    for (const ShippedObject& object : manifest.objects) TD_RETURN_IF_ERROR(Find(object, kStay));
    if (old) left.Remove(listed);
    if (follows) from = manifest.range.to;
  }
  if (from >= to) return left;
  const std::string text =
      "no manifest lists offset " + std::to_string(from) + " of " + tape.ToString() + ": " + kStay;
  return set->loaded() ? Status::Corruption(text) : Status::Unavailable(text);
}

Status Pruner::PruneDay(const keys::DayKey& key, DayEntry* entry) {
  if (entry->phase == DayPhase::kPruned) {
    TD_RETURN_IF_ERROR(DeleteSeries(key, nullptr));
    swept_days_.insert(key);
    return Status::Ok();
  }
  Status sound = CheckObjects(*entry);
  if (sound.code() == StatusCode::kNotFound)
    sound = Status::Corruption(entry->manifest + " is gone from the archive: its rows stay here");
  TD_RETURN_IF_ERROR(sound);
  DayEntry next = *entry;
  next.phase = DayPhase::kPruned;
  next.since = journey_->time.Now();
  TD_RETURN_IF_ERROR(FailpointHit("ship.before_prune"));
  TD_RETURN_IF_ERROR(DeleteSeries(
      key, [&](StoreBatch* batch) { return journey_->PutDay(key, *entry, next, batch); }));
  *entry = std::move(next);
  swept_days_.insert(key);
  return FailpointHit("ship.pruned");
}

// Trouble with it is none of pruning: the blocks are gone, and RocksDB comes by some day.
Status Pruner::Compact(const std::string& from, const std::string& to, uint64_t* deleted) {
  if (*deleted < kCompactBytes) return Status::Ok();
  *deleted = 0;
  const Status compacted = journey_->parts->store->CompactRange(from, to);
  if (!compacted.ok()) TD_LOG(kWarn, "ship", "room-not-returned", compacted.ToString());
  return journey_->CheckStop();
}

// Small generations give their room back together with those that were pruned before them.
void Pruner::SeriesRoom::Add(const std::string& prefix, uint64_t deleted) {
  const std::string after = keys::After(prefix);
  if (bytes == 0 || prefix < from) from = prefix;
  if (bytes == 0 || after > to) to = after;
  bytes += deleted;
}

// `first`, if there is one, goes with the first batch, which is written even if there is nothing to
// delete.
Status Pruner::DeleteSeries(const keys::DayKey& key, const Put& first) {
  std::unique_ptr<StoreView> view = journey_->parts->store->View();
  const std::string prefix = keys::SeriesPrefix(key.table, key.day, key.generation);
  auto cursor = view->Scan(prefix, keys::After(prefix), ScanKind::kLong);
  cursor->SeekToFirst();
  bool begun = first == nullptr;
  SeriesRoom& room = series_room_[key.table];
  while (!begun || cursor->Valid()) {
    TD_RETURN_IF_ERROR(journey_->CheckStop());
    std::vector<keys::SeriesKey> blocks;
    uint64_t bytes = 0;
    for (; cursor->Valid() && blocks.size() < kBatchKeys; cursor->Next()) {
      TD_ASSIGN_OR_RETURN(keys::SeriesKey block, keys::ParseSeries(cursor->key()));
      bytes += cursor->value().size();
      blocks.push_back(std::move(block));
    }
    TD_RETURN_IF_ERROR(cursor->status());
    const Status written = journey_->Write([&](StoreBatch* batch) -> Status {
      if (!begun) TD_RETURN_IF_ERROR(first(batch));
      for (const keys::SeriesKey& block : blocks) batch->DeleteSeriesBlock(block);
      return Status::Ok();
    });
    TD_RETURN_IF_ERROR(written);
    begun = true;
    bytes_ += bytes;
    if (bytes > 0) room.Add(prefix, bytes);
    TD_RETURN_IF_ERROR(FailpointHit("ship.prune_batch"));
  }
  TD_RETURN_IF_ERROR(cursor->status());
  cursor.reset();  // a pinned view keeps what it sees
  view.reset();
  TD_RETURN_IF_ERROR(Compact(room.from, room.to, &room.bytes));
  if (room.bytes == 0) room = {};
  return Status::Ok();
}

Status Pruner::PruneTape(TpId tp, const TapeId& tape, const Checkpoint& checkpoint,
                         bool per_message, TapeShip* ship) {
  if (!swept_tapes_.contains(tp)) {
    TD_RETURN_IF_ERROR(SweepTape(tp, tape, ship->pruned));
  }
  int64_t bound = ship->pruned;
  for (const TapeShip::Mark& mark : ship->marks) {
    if (!journey_->OldEnough(mark.at, journey_->options->keep_local)) break;
    bound = mark.to;
  }
  bound = std::min({bound, ship->shipped, checkpoint.watermark});
  if (checkpoint.last.offset >= 0) bound = std::min(bound, checkpoint.last.offset);
  if (per_message) bound = std::min(bound, ship->messages);
  TD_ASSIGN_OR_RETURN(bound, FirstKept(*journey_->parts->store->View(), tp, bound));
  if (bound <= ship->pruned) return Status::Ok();
  TD_ASSIGN_OR_RETURN(const std::vector<Gap> gaps, journey_->parts->store->View()->Gaps(tp));
  TD_ASSIGN_OR_RETURN(const TapeOffsets stays,
                      CheckTape(tape, std::max(ship->pruned, checkpoint.start), bound, gaps));
  TapeShip next = *ship;
  TD_RETURN_IF_ERROR(FailpointHit("ship.tape_before_prune"));
  TD_RETURN_IF_ERROR(DeleteTape(tp, bound, stays, &next));
  *ship = std::move(next);
  return FailpointHit("ship.tape_pruned");
}

// What is left below `below`: of a crash between two batches, or healed and shipped since. The
// latter stays as long as anything does that was shipped. It is looked for again until nothing is
// left.
Status Pruner::SweepTape(TpId tp, const TapeId& tape, int64_t below) {
  std::vector<int64_t> bases;
  bool all = true;
  {
    const std::unique_ptr<StoreView> view = journey_->parts->store->View();
    TD_ASSIGN_OR_RETURN(const std::vector<Gap> gaps, view->Gaps(tp));
    const auto cursor = view->Scan(TapePrefix(tp), keys::TapeIndex(tp, below), ScanKind::kPoint);
    for (cursor->SeekToFirst(); cursor->Valid(); cursor->Next()) {
      TD_RETURN_IF_ERROR(journey_->CheckStop());
      TD_ASSIGN_OR_RETURN(const keys::TpOffsetKey key, keys::ParseTpOffset(cursor->key()));
      TD_ASSIGN_OR_RETURN(const TapeIndexEntry entry, DecodeTapeIndex(cursor->value()));
      TD_ASSIGN_OR_RETURN(const bool may, MayBeSwept(tape, entry, gaps));
      if (may) bases.push_back(key.offset);
      all = all && may && entry.last_offset < below;  // what was joined with more comes later
    }
    TD_RETURN_IF_ERROR(cursor->status());
  }
  for (size_t from = 0; from < bases.size(); from += kBatchKeys) {
    const auto first = bases.begin() + static_cast<ptrdiff_t>(from);
    const auto end = first + static_cast<ptrdiff_t>(std::min(kBatchKeys, bases.size() - from));
    Deleted deleted;
    TD_RETURN_IF_ERROR(journey_->Write([&](StoreBatch* batch) {
      return DeleteBlocks(*journey_->parts->store->View(), tp, {first, end}, below, {}, batch,
                          &deleted);
    }));
    bytes_ += deleted.bytes;
    tape_bytes_[tp] += deleted.bytes;
    TD_RETURN_IF_ERROR(FailpointHit("ship.prune_batch"));
  }
  if (all) swept_tapes_.insert(tp);
  return Compact(keys::TapeBlock(tp, INT64_MIN), keys::TapeBlock(tp, below), &tape_bytes_[tp]);
}

// Manifests list all of it, for keep_local now, and their objects are there.
Result<bool> Pruner::MayBeSwept(const TapeId& tape, const TapeIndexEntry& entry,
                                const std::vector<Gap>& gaps) {
  if (!journey_->parts->manifests) return true;
  TapeOffsets left = Without(entry.first_offset, entry.last_offset + 1, gaps);
  const std::shared_ptr<const ManifestSet> set = journey_->parts->manifests();
  std::vector<const TapeManifest*> found;
  for (const auto& listing : set->TapesOf(tape)) {
    const TapeManifest& manifest = listing->manifest;
    if (!Meets(manifest, entry.first_offset, entry.last_offset + 1)) continue;
    const TapeOffsets listed = OffsetsOf(manifest);
    if (!left.Meets(listed)) continue;
    if (!journey_->OldEnough(manifest.writer.at, journey_->options->keep_local)) continue;
    found.push_back(&manifest);
    left.Remove(listed);
  }
  if (!left.empty()) return false;
  for (const TapeManifest* manifest : found) {
    for (const ShippedObject& object : manifest->objects)
      TD_RETURN_IF_ERROR(Find(object, "its messages stay here"));
  }
  return true;
}

// `pruned` moves up to `below` in the batch of the first deletions. The writer may merge blocks
// until it comes to a batch, and what was joined may reach above `below`: so each batch is made of
// what the store has at that moment. What begins below `pruned` was healed later, and has a
// keep_local and objects of its own: it is the sweep's, and so is what `stays`.
Status Pruner::DeleteTape(TpId tp, int64_t below, const TapeOffsets& stays, TapeShip* ship) {
  Store* store = journey_->parts->store;
  std::unique_ptr<StoreView> view = store->View();
  auto cursor =
      view->Scan(keys::TapeIndex(tp, ship->pruned), keys::TapeIndex(tp, below), ScanKind::kPoint);
  cursor->SeekToFirst();
  bool begun = false;
  while (!begun || cursor->Valid()) {
    TD_RETURN_IF_ERROR(journey_->CheckStop());
    std::vector<int64_t> bases;
    for (; cursor->Valid() && bases.size() < kBatchKeys; cursor->Next()) {
      TD_ASSIGN_OR_RETURN(const keys::TpOffsetKey key, keys::ParseTpOffset(cursor->key()));
      bases.push_back(key.offset);
    }
    TD_RETURN_IF_ERROR(cursor->status());
    Deleted deleted;
    TD_RETURN_IF_ERROR(journey_->Write([&](StoreBatch* batch) -> Status {
      const std::unique_ptr<StoreView> now = store->View();
      if (!begun) {
        TD_ASSIGN_OR_RETURN(below, FirstKept(*now, tp, below));
        if (below <= ship->pruned) return Status::Ok();
        ship->pruned = below;
        std::erase_if(ship->marks, [&](const TapeShip::Mark& mark) { return mark.to <= below; });
        batch->PutTapeShip(tp, *ship);
      }
      return DeleteBlocks(*now, tp, bases, below, stays, batch, &deleted);
    }));
    begun = true;
    bytes_ += deleted.bytes;
    tape_bytes_[tp] += deleted.bytes;
    if (!deleted.all) SweepAgain(tp);
    TD_RETURN_IF_ERROR(FailpointHit("ship.prune_batch"));
  }
  cursor.reset();
  view.reset();
  return Compact(keys::TapeBlock(tp, INT64_MIN), keys::TapeBlock(tp, below), &tape_bytes_[tp]);
}

}  // namespace tapedeck
