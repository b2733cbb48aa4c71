// What one round of the shipper does.

#include <algorithm>

#include "base/failpoint.h"
#include "base/log.h"
#include "blob/blob_name.h"
#include "ship/collector.h"
#include "ship/known_manifests.h"
#include "ship/message_objects.h"
#include "ship/new_store_id.h"
#include "ship/record_shipment.h"
#include "ship/shipper_impl.h"
#include "ship/tape_shipment.h"
#include "store/healed.h"
#include "store/store_id.h"

namespace tapedeck {
namespace {

using std::chrono::seconds;

constexpr seconds kPruneEvery(10);
constexpr uint64_t kMessagesPerRound = 1000;
constexpr std::chrono::hours kUnfinishedAge(48);

std::string NameOf(const Table& table, const keys::DayKey& key) {
  return "day " + table.name + " " + key.day.ToString() + " " + std::to_string(key.generation);
}

// On its way into the archive. What a reindex builds is not yet, what it has replaced no more.
bool InHand(const DayEntry& entry) {
  return entry.counts() && entry.phase > DayPhase::kOpen && entry.phase < DayPhase::kShipped;
}

bool OfTheArchive(const Status& status) {
  return status.code() == StatusCode::kUnavailable ||
         status.code() == StatusCode::kResourceExhausted ||
         status.code() == StatusCode::kFailedPrecondition;
}

}  // namespace

bool ShipperImpl::MayTry(const std::string& what) const {
  const MonotonicTime now = parts_.clock->Monotonic();
  if (!archive_.MayTry(now)) return false;
  auto trouble = troubles_.find(what);
  return trouble == troubles_.end() || trouble->second.backoff.MayTry(now);
}

bool ShipperImpl::Note(const std::string& what, const std::string& table, const Status& outcome) {
  const MonotonicTime now = parts_.clock->Monotonic();
  if (outcome.code() == StatusCode::kCancelled) return false;  // the node stops
  if (!table.empty()) ++live_.runs[{table, outcome.ok() ? "ok" : "error"}];
  if (outcome.ok()) {
    troubles_.erase(what);
    archive_.Worked();
    return true;
  }
  Trouble& trouble = troubles_[what];
  trouble.text = outcome.ToString();
  trouble.backoff.Failed(now, &random_);
  if (OfTheArchive(outcome)) archive_.Failed(now, &random_);
  TD_LOG(kError, "ship", "failed", trouble.text, {{"what", what}});
  return false;
}

Status ShipperImpl::Round() {
  flushes_done_ = parts_.flushes_done();  // before the view, which has what they did
  std::unique_ptr<StoreView> view = parts_.store->View();
  Result<StoreState> loaded = view->LoadState();
  if (!loaded.ok()) {
    Note("store", "", loaded.status());
    return Status::Ok();
  }
  StoreState state = std::move(loaded).value();
  troubles_.erase("store");
  ships_.clear();
  for (const auto& [tp, checkpoint] : state.checkpoints) ships_[tp] = state.ShipOf(tp);
  TakeRequests();
  const Status looked = LookAtTapes(state, *view);
  view.reset();  // what follows takes minutes, and waits for the writer
  if (looked.ok()) {
    troubles_.erase("tapes");
    CloseDue(state);
  } else {
    Note("tapes", "", looked);
  }
  if (const auto stranger = FindStranger(state)) {
    Note("archive", "", TakeNewId(*stranger));
    return Status::Ok();  // the next round sees the store as it is then
  }
  if (archive_checked_ && !left_overs_removed_ && MayTry("left-overs")) {
    const Status removed = RemoveLeftOvers();
    left_overs_removed_ = removed.code() != StatusCode::kUnavailable;
    if (left_overs_removed_ && !removed.ok()) {  // no right to: it costs, and does no harm
      TD_LOG(kWarn, "ship", "left-overs-stay", removed.ToString());
    } else {
      Note("left-overs", "", removed);
    }
  }
  if (archive_checked_) {
    ShipTapes(state);
    PutMessages(state);
    ShipDays(state);
    // What was shipped just now has changed days and objects.
    Result<StoreState> again = parts_.store->View()->LoadState();
    if (!again.ok()) return Status::Ok();
    state = std::move(again).value();
    Prune(state);
    Collect(state);
    EndRequests();
  }
  PublishState(state);
  return Status::Ok();
}

// Every manifest that this store ever wrote it knows, unless it is an older copy of itself, or has
// one: then it would ship days and offsets a second time under names that are taken. Asked of the
// archive at the start, and of the manifests that readers know while the node runs.
std::optional<std::string> ShipperImpl::FindStranger(const StoreState& state) {
  if (!archive_checked_) {
    if (!MayTry("archive")) return std::nullopt;
    Result<std::optional<std::string>> found = FindListedStranger(state);
    if (!Note("archive", "", found.status())) return std::nullopt;
    archive_checked_ = true;
    return std::move(found).value();
  }
  const std::shared_ptr<const ManifestSet> set = parts_.manifests ? parts_.manifests() : nullptr;
  if (set == nullptr || set == manifests_seen_) return std::nullopt;
  const StoreMeta& meta = parts_.store->meta();
  const KnownManifests known(state, options_.node_id, meta.store_id, parts_.store->View());
  for (const auto& listing : set->tapes()) {
    if (listing->manifest.writer.store == meta.store_id && !known.Has(listing->name))
      return listing->name;
  }
  for (const ListedRecords& records : set->records()) {
    // What was replaced has been forgotten, and stays in the set.
    if (records.manifest().writer.store != meta.store_id || records.replaced_by != nullptr)
      continue;
    if (!known.Has(records.listing->name)) return records.listing->name;
  }
  manifests_seen_ = set;
  return std::nullopt;
}

Result<std::optional<std::string>> ShipperImpl::FindListedStranger(const StoreState& state) {
  const KnownManifests known(state, options_.node_id, parts_.store->meta().store_id,
                             parts_.store->View());
  std::string after;
  do {
    TD_RETURN_IF_ERROR(journey_.CheckStop());
    TD_ASSIGN_OR_RETURN(const BlobPage page,
                        parts_.blobs->List(std::string(kManifestsPrefix), after));
    for (const BlobStat& blob : page.blobs) {
      if (!known.Has(blob.name)) return std::optional(blob.name);
    }
    after = page.next;
  } while (!after.empty());
  return std::optional<std::string>();
}

Status ShipperImpl::TakeNewId(const std::string& stranger) {
  const std::string before = parts_.store->meta().store_id;
  const std::string id = MakeStoreId();
  TD_RETURN_IF_ERROR(FailpointHit("ship.before_new_id"));
  TD_RETURN_IF_ERROR(journey_.Write(
      [&](StoreBatch* batch) { return PutNewStoreId(*parts_.store->View(), id, batch); }));
  archive_checked_ = false;
  TD_LOG(kWarn, "ship", "new-store-id",
         "the archive has a manifest of this store that the store does not know: its directory is "
         "an older copy, or has one. It goes on under a new id",
         {{"manifest", stranger}, {"before", before}, {"id", id}});
  return FailpointHit("ship.new_id");
}

// Parts of uploads, or temporary files, of Puts that a crash cut off. Of names that this store
// wrote down whatever their age: nobody else puts them. Of others once their writer is surely gone.
Status ShipperImpl::RemoveLeftOvers() {
  TD_ASSIGN_OR_RETURN(const auto objects, parts_.store->View()->Objects());
  uint64_t removed = 0;
  for (const auto& [name, entry] : objects) {
    TD_RETURN_IF_ERROR(journey_.CheckStop());
    if (entry.purpose != ObjectPurpose::kPut) continue;
    TD_ASSIGN_OR_RETURN(const uint64_t of_it, parts_.blobs->RemoveUnfinished(name, seconds(0)));
    removed += of_it;
  }
  TD_ASSIGN_OR_RETURN(const uint64_t old, parts_.blobs->RemoveUnfinished("", kUnfinishedAge));
  removed += old;
  if (removed > 0)
    TD_LOG(kInfo, "ship", "left-overs-removed", "unfinished uploads of an earlier process",
           {{"number", std::to_string(removed)}});
  return Status::Ok();
}

Status ShipperImpl::LookAtTapes(const StoreState& state, const StoreView& view) {
  const Timestamp now = journey_.time.Now();
  TD_RETURN_IF_ERROR(watch_.Look(view, state, now));
  std::vector<ClosePolicy::Seen> seen;
  for (PartitionProgress& progress : parts_.progress()) {
    ClosePolicy::Seen one;
    for (const auto& [tp, tape] : state.tapes) {
      if (tape.topic == progress.tp.topic && tape.partition == progress.tp.partition &&
          tape.lineage == progress.lineage) {
        one.believed = watch_.At(tp).believed;
      }
    }
    one.progress = std::move(progress);
    seen.push_back(std::move(one));
  }
  policy_.Observe(seen, parts_.clock->Monotonic());
  return Status::Ok();
}

void ShipperImpl::CloseDue(const StoreState& state) {
  std::vector<ShipDay> due;
  std::erase_if(closing_, [&](const auto& asked) { return flushes_done_ >= asked.second; });
  for (const auto& [key, entry] : state.days) {
    const Table* table = state.tables.Find(key.table);
    if (table == nullptr || entry.phase != DayPhase::kOpen || entry.rows == 0) continue;
    if (closing_.contains({table->name, key.day})) continue;
    const bool is_due = policy_.Due({.table = table->name,
                                     .day_size = table->day_size,
                                     .day = key.day,
                                     .generation = key.generation,
                                     .first_at = entry.first_at,
                                     .last_at = entry.last_at},
                                    journey_.time.Now(), parts_.clock->Monotonic());
    if (is_due) due.push_back({table->name, key.day});
  }
  if (due.empty()) return;
  for (const ShipDay& day : due)
    TD_LOG(kInfo, "ship", "closing", "a day is closed",
           {{"table", day.table}, {"day", day.day.ToString()}});
  const uint64_t flush = parts_.request_flush(due);
  for (const ShipDay& day : due) closing_[{day.table, day.day}] = flush;
}

void ShipperImpl::TakeRequests() {
  std::vector<ShipDay> wanted;
  uint64_t all = 0;
  {
    std::lock_guard lock(mutex_);
    wanted.swap(to_close_);
    all = all_requests_;
  }
  if (!wanted.empty()) {
    const uint64_t flush = parts_.request_flush(wanted);
    for (const ShipDay& day : wanted) closing_[{day.table, day.day}] = flush;
  }
  const uint64_t taken = all_.empty() ? live_.requests_done : all_.back().number;
  if (all > taken) all_.push_back({.number = all, .flush = parts_.request_flush({})});
  for (AllRequest& request : all_) request.flushed |= flushes_done_ >= request.flush;
}

// How far each tape must come for the days in hand, and for whoever asked for all.
std::map<TpId, int64_t> ShipperImpl::WantedOfTapes(const StoreState& state) const {
  std::map<TpId, int64_t> wanted;
  for (const auto& [key, entry] : state.days) {
    if (!InHand(entry)) continue;
    for (const DayEntry::Range& range : entry.vector)
      wanted[range.tp] = std::max(wanted[range.tp], range.to);
  }
  const bool all = std::ranges::any_of(all_, [](const AllRequest& r) { return r.flushed; });
  for (const auto& [tp, checkpoint] : state.checkpoints) {
    if (all) wanted[tp] = checkpoint.next;
  }
  return wanted;
}

void ShipperImpl::ShipTapes(const StoreState& state) {
  const std::map<TpId, int64_t> wanted = WantedOfTapes(state);
  for (const auto& [tp, tape] : state.tapes) {
    auto until = wanted.find(tp);
    ShipTape(state, tp, tape, until == wanted.end() ? INT64_MIN : until->second);
  }
}

void ShipperImpl::ShipTape(const StoreState& state, TpId tp, const TapeId& tape, int64_t wanted) {
  auto checkpoint = std::ranges::find(state.checkpoints, tp, [](const auto& c) { return c.first; });
  if (checkpoint == state.checkpoints.end()) return;
  const std::string what = "tape " + tape.ToString();
  const MonotonicTime now = parts_.clock->Monotonic();
  const MonotonicTime seen = tape_seen_.try_emplace(tp, now).first->second;
  TapeShip& ship = ships_[tp];
  Result<std::vector<HealedRange>> healed = HealedOf(*parts_.store->View(), tp);
  if (!healed.ok()) {
    Note(what, "tape", healed.status());
    return;
  }
  if (!MayTry(what)) return;
  // Before a view is held; of what is healed meanwhile there is little.
  const auto put = [&](const auto& ranges) { return PutHealedMessages(tp, tape, ship, ranges); };
  if (const Status before = put(*healed); !before.ok()) {
    Note(what, "tape", before);
    return;
  }
  const bool time = ship.last_at == Timestamp()
                        ? now - seen >= options_.tape_ship
                        : journey_.OldEnough(ship.last_at, options_.tape_ship);
  if (time) wanted = checkpoint->second.next;
  for (;;) {
    const bool more = checkpoint->second.next > ship.shipped;
    const bool below = !healed->empty() && healed->front().from < ship.shipped;
    const bool due =
        ship.phase != DayPhase::kOpen || below ||
        (more && (ship.shipped < wanted || watch_.At(tp).bytes >= options_.tape_ship_bytes));
    if (!due || !journey_.CheckStop().ok() || !MayTry(what)) return;
    TapeShipment shipment(&journey_, tp, tape, checkpoint->second, ship, put);
    const Status outcome = shipment.Ship();
    ship = shipment.ship();
    if (!Note(what, "tape", outcome)) return;
    live_.messages += shipment.messages();
    if (below) pruner_.SweepAgain(tp);
    healed = HealedOf(*parts_.store->View(), tp);
    if (!healed.ok()) return;
    watch_.Shipped(tp, shipment.raw_bytes());
  }
}

// What was healed where messages have their objects already gets its own before a manifest lists
// it.
Status ShipperImpl::PutHealedMessages(TpId tp, const TapeId& tape, const TapeShip& ship,
                                      const std::vector<HealedRange>& healed) {
  if (!PerMessage(tape.topic)) return Status::Ok();
  std::vector<HealedRange>& done = healed_put_[tp];
  std::vector<HealedRange> left = healed;
  for (const HealedRange& one : done) left = RemoveHealed(left, one);
  for (HealedRange range : left) {
    range.to = std::min(range.to, ship.messages);
    if (range.from >= range.to) continue;
    while (range.from < range.to) {
      TD_ASSIGN_OR_RETURN(const int64_t next,
                          PutMessageObjectsOf(journey_, tp, tape, range, kMessagesPerRound));
      done = AddHealed(std::move(done), {range.from, next});
      range.from = next;
    }
  }
  return Status::Ok();
}

bool ShipperImpl::PerMessage(const std::string& topic) const {
  return std::ranges::find(options_.per_message, topic) != options_.per_message.end();
}

void ShipperImpl::PutMessages(const StoreState& state) {
  for (const auto& [tp, tape] : state.tapes) {
    const std::string what = "messages of " + tape.ToString();
    if (!PerMessage(tape.topic) || !MayTry(what)) continue;
    for (const auto& [id, checkpoint] : state.checkpoints) {
      if (id != tp || ships_[tp].messages >= checkpoint.next) continue;
      Note(what, "",
           PutMessageObjects(journey_, tp, tape, checkpoint, kMessagesPerRound, &ships_[tp])
               .status());
    }
  }
}

void ShipperImpl::ShipDays(const StoreState& state) {
  for (const auto& [key, entry] : state.days) {
    if (!InHand(entry)) continue;
    const Table* table = state.tables.Find(key.table);
    if (table == nullptr) continue;
    const std::string what = NameOf(*table, key);
    if (!journey_.CheckStop().ok() || !MayTry(what)) continue;
    RecordShipment shipment(&journey_, &state, key, entry);
    const Status outcome = shipment.Ship(ships_);
    const bool shipped = shipment.entry().phase == DayPhase::kShipped;
    if (outcome.ok() && !shipped) continue;  // the tape goes first
    if (!Note(what, table->name, outcome)) continue;
    live_.rows += entry.rows;
    TD_LOG(kInfo, "ship", "shipped", "a day is in the archive",
           {{"table", table->name},
            {"day", key.day.ToString()},
            {"generation", std::to_string(key.generation)},
            {"rows", std::to_string(entry.rows)}});
  }
}

void ShipperImpl::Prune(const StoreState& state) {
  const MonotonicTime now = parts_.clock->Monotonic();
  if (now - last_prune_ < kPruneEvery && now > kPruneEvery) return;
  last_prune_ = now;
  for (const auto& [key, stored] : state.days) {
    const Table* table = state.tables.Find(key.table);
    if (table == nullptr || stored.phase < DayPhase::kShipped || !stored.counts()) continue;
    const bool due = stored.phase == DayPhase::kPruned
                         ? pruner_.NeedsSweep(key)
                         : journey_.OldEnough(stored.since, options_.keep_local);
    const std::string what = "pruning " + NameOf(*table, key);
    if (!due || !journey_.CheckStop().ok() || !MayTry(what)) continue;
    DayEntry entry = stored;
    Note(what, "", pruner_.PruneDay(key, &entry));
  }
  for (const auto& [tp, tape] : state.tapes) {
    const std::string what = "pruning tape " + tape.ToString();
    if (!journey_.CheckStop().ok() || !MayTry(what)) continue;
    for (const auto& [id, checkpoint] : state.checkpoints) {
      if (id != tp) continue;
      Note(what, "", pruner_.PruneTape(tp, tape, checkpoint, PerMessage(tape.topic), &ships_[tp]));
    }
  }
}

void ShipperImpl::Collect(const StoreState& state) {
  if (!journey_.CheckStop().ok() || !MayTry("collecting")) return;
  Note("replaced days", "", RetireReplaced(journey_, state));
  Note("collecting", "", CollectObjects(journey_, state).status());
}

// A request is done once nothing is in hand and each tape has come as far as it had when the flush
// was done.
void ShipperImpl::EndRequests() {
  if (all_.empty()) return;
  Result<StoreState> now = parts_.store->View()->LoadState();
  if (!now.ok()) return;
  const bool in_hand =
      std::ranges::any_of(now->days, [](const auto& day) { return InHand(day.second); });
  for (AllRequest& request : all_) {
    if (!request.flushed || !request.targets.empty()) continue;
    for (const auto& [tp, checkpoint] : now->checkpoints) request.targets[tp] = checkpoint.next;
  }
  std::erase_if(all_, [&](const AllRequest& request) {
    const bool there = request.flushed && !in_hand &&
                       std::ranges::all_of(request.targets, [&](const auto& target) {
                         return now->ShipOf(target.first).shipped >= target.second;
                       });
    if (there) live_.requests_done = std::max(live_.requests_done, request.number);
    return there;
  });
}

}  // namespace tapedeck
