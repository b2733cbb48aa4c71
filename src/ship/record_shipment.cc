#include "ship/record_shipment.h"

#include <algorithm>
#include <set>

#include "archive/record_object_reader.h"
#include "base/check.h"
#include "base/failpoint.h"
#include "base/log.h"
#include "ship/generation_rows.h"
#include "ship/object_put.h"
#include "store/healed.h"
#include "tape/tape_blocks.h"
#include "tape/tape_offsets.h"

namespace tapedeck {

RecordShipment::RecordShipment(const Journey* journey, const StoreState* state, keys::DayKey key,
                               DayEntry entry)
    : journey_(journey),
      state_(state),
      key_(key),
      table_(state->tables.Find(key.table)),
      entry_(std::move(entry)) {
  TD_CHECK(table_ != nullptr, "a day has a table of the registry");
}

std::string RecordShipment::Where() const {
  return table_->name + " " + key_.day.ToString() + " generation " +
         std::to_string(key_.generation);
}

std::string RecordShipment::FilePrefix(std::string_view format) const {
  return table_->name + "-" + key_.day.ToString() + "-g" + std::to_string(key_.generation) + "-" +
         std::string(format) + "-";
}

std::filesystem::path RecordShipment::PathOf(const ShippedObject& object) const {
  return journey_->Work() / (FilePrefix(object.format) + object.sha256);
}

void RecordShipment::RemoveFiles() const {
  const std::string prefix =
      table_->name + "-" + key_.day.ToString() + "-g" + std::to_string(key_.generation) + "-";
  std::error_code ignored;
  for (const auto& file : std::filesystem::directory_iterator(journey_->Work(), ignored)) {
    if (file.path().filename().string().starts_with(prefix))
      std::filesystem::remove(file.path(), ignored);
  }
}

Result<RecordManifest> RecordShipment::Draft() const {
  Result<Manifest> manifest = ParseManifest(entry_.draft);
  if (!manifest.ok()) return manifest.status().WithContext("draft of " + Where());
  if (!std::holds_alternative<RecordManifest>(*manifest))
    return Status::Corruption("the draft of " + Where() + " is one of a tape");
  return std::get<RecordManifest>(std::move(*manifest));
}

Status RecordShipment::Ship(const std::map<TpId, TapeShip>& ships) {
  if (!ReplacedAreShipped()) return Status::Ok();
  if (entry_.phase == DayPhase::kClosing) TD_RETURN_IF_ERROR(Write().WithContext(Where()));
  if (entry_.phase == DayPhase::kWritten) TD_RETURN_IF_ERROR(Upload().WithContext(Where()));
  if (entry_.phase == DayPhase::kUploaded) TD_RETURN_IF_ERROR(Verify().WithContext(Where()));
  if (entry_.phase == DayPhase::kVerified && Covered(ships))
    TD_RETURN_IF_ERROR(List().WithContext(Where()));
  return Status::Ok();
}

// A generation of an upsert table stands for all before it, so they are in the archive first.
bool RecordShipment::ReplacedAreShipped() const {
  if (!table_->upsert()) return true;
  return std::ranges::all_of(state_->days, [&](const auto& day) {
    // One that a reindex builds will hold other rows than those below it.
    if (Below(day.first) && day.second.building) return false;
    return !StandsFor(day.first, day.second) || day.second.phase >= DayPhase::kShipped;
  });
}

bool RecordShipment::Below(const keys::DayKey& other) const {
  return other.table == key_.table && other.day == key_.day && other.generation < key_.generation;
}

// Of an upsert table: its winners are among this one's.
bool RecordShipment::StandsFor(const keys::DayKey& other, const DayEntry& entry) const {
  return table_->upsert() && Below(other) && entry.counts() && !journey_->Inherited(entry);
}

// Rows of the generation into files of every format; what they come to must be what the flushes
// counted.
Result<std::vector<WrittenObject>> RecordShipment::WriteFiles(RowSum* tally) {
  const std::unique_ptr<StoreView> view = journey_->parts->store->View();
  TD_ASSIGN_OR_RETURN(const auto rows,
                      GenerationRows::Open(*journey_, *view, *state_, key_, FilePrefix("rows")));
  RowTally counter(*table_, *state_);
  std::vector<std::unique_ptr<RecordObjectWriter>> writers;
  for (const std::string& name : journey_->options->formats) {
    TD_ASSIGN_OR_RETURN(const ObjectFormat format, ParseObjectFormat(name));
    TD_ASSIGN_OR_RETURN(auto writer,
                        RecordObjectWriter::Make({.table = *table_,
                                                  .day = key_.day,
                                                  .generation = key_.generation,
                                                  .tapes = state_->tapes,
                                                  .format = format,
                                                  .folder = journey_->Work().string(),
                                                  .file_prefix = FilePrefix(name),
                                                  .writer = journey_->WriterName(),
                                                  .file_rows = journey_->options->file_rows,
                                                  .file_bytes = journey_->options->file_bytes}));
    writers.push_back(std::move(writer));
  }
  for (RowRun run;;) {
    TD_RETURN_IF_ERROR(journey_->CheckStop());
    TD_RETURN_IF_ERROR(rows->Next(&run));
    if (run.count == 0) break;
    counter.Add(run.symbol, *run.rows, run.first, run.count);
    for (auto& writer : writers)
      TD_RETURN_IF_ERROR(writer->Append({run.symbol, run.rows, run.first, run.count}));
  }
  std::vector<WrittenObject> written;
  for (auto& writer : writers) {
    TD_ASSIGN_OR_RETURN(std::vector<WrittenObject> files, writer->Finish());
    std::ranges::move(files, std::back_inserter(written));
  }
  *tally = counter.sum();
  if (rows->own() == RowSum{entry_.rows, entry_.digest}) return written;
  return Status::Corruption("the store's blocks hold " + std::to_string(rows->own().rows) +
                            " rows that are not the " + std::to_string(entry_.rows) +
                            " which were flushed");
}

Status RecordShipment::Write() {
  RowSum tally;
  TD_ASSIGN_OR_RETURN(std::vector<WrittenObject> written, WriteFiles(&tally));
  RecordManifest manifest;
  TD_RETURN_IF_ERROR(Describe(std::move(written), tally, &manifest));
  TD_RETURN_IF_ERROR(FailpointHit("ship.files"));
  DayEntry next = entry_;
  next.phase = DayPhase::kWritten;
  next.since = journey_->time.Now();
  next.draft = ToJson(manifest);
  next.manifest = RecordManifestName(journey_->Owner(), table_->name, key_.day, key_.generation,
                                     journey_->ManifestHash(next.draft));
  const ObjectEntry to_put{ObjectPurpose::kPut, next.since};
  const Status stored = journey_->Write([&](StoreBatch* batch) -> Status {
    TD_RETURN_IF_ERROR(journey_->PutDay(key_, entry_, next, batch));
    for (const ShippedObject& object : manifest.objects) batch->PutObject(object.name, to_put);
    batch->PutObject(next.manifest, to_put);
    return Status::Ok();
  });
  TD_RETURN_IF_ERROR(stored);
  entry_ = std::move(next);
  return FailpointHit("ship.written");
}

Status RecordShipment::Describe(std::vector<WrittenObject> written, const RowSum& tally,
                                RecordManifest* manifest) {
  manifest->writer = journey_->Writer();
  manifest->table = table_->name;
  manifest->columns = table_->columns;
  manifest->identity = table_->identity;
  manifest->day_size = table_->day_size;
  manifest->day = key_.day;
  manifest->generation = key_.generation;
  for (const auto& [other, entry] : state_->days) {
    if (Below(other) && (table_->upsert() || entry_.rebuilt))
      manifest->replaces.push_back(other.generation);
  }
  manifest->rows = tally.rows;
  manifest->digest = tally.digest;
  std::map<std::string, uint32_t> numbers;  // by format
  for (WrittenObject& file : written) {
    ShippedObject& object = file.object;
    object.name = RecordObjectName(journey_->Owner(), table_->name, key_.day, key_.generation,
                                   numbers[object.format]++,
                                   {object.format, journey_->HashOf(object.sha256)});
    // Where its bytes are until they are put.
    TD_RETURN_IF_ERROR(MoveFile(file.path, PathOf(object)));
    manifest->objects.push_back(std::move(object));
  }
  return DescribeRanges(*journey_->parts->store->View(), manifest);
}

// What the objects cover: with what they stand for, since the ranges of a day's generations follow
// each other.
std::vector<DayEntry::Range> RecordShipment::Vector() const {
  TapeOffsets covered;
  for (const DayEntry::Range& range : entry_.vector) covered.Add(range.tp, range.from, range.to);
  for (const auto& [other, entry] : state_->days) {
    if (!StandsFor(other, entry)) continue;
    for (const DayEntry::Range& range : entry.vector) covered.Add(range.tp, range.from, range.to);
  }
  std::vector<DayEntry::Range> vector;
  for (const auto& [tp, spans] : covered.spans()) {
    for (const OffsetSpan& span : spans) vector.push_back({tp, span.from, span.to});
  }
  return vector;
}

// The vector by names of tapes, its gaps, and the mappings that made its records. What was a gap
// lies in a later generation once it is healed: both are told by one view.
Status RecordShipment::DescribeRanges(const StoreView& view, RecordManifest* manifest) {
  TD_ASSIGN_OR_RETURN(const StoreState now, view.LoadState());
  std::map<TpId, TapeId> tapes(state_->tapes.begin(), state_->tapes.end());
  for (const DayEntry::Range& range : Vector()) {
    const TapeId& tape = tapes[range.tp];
    manifest->vector.push_back({tape, range.from, range.to});
    TD_ASSIGN_OR_RETURN(const std::vector<Gap> gaps, view.Gaps(range.tp));
    for (Gap gap : gaps) {
      gap.from = std::max(gap.from, range.from);
      gap.to = std::min(gap.to, range.to);
      if (gap.from < gap.to) manifest->gaps.push_back({tape, std::move(gap)});
    }
    for (const auto& [other, entry] : now.days) {  // healed since this one was closed
      if (other.table != key_.table || other.day != key_.day || other.generation <= key_.generation)
        continue;
      if (entry.building || entry.rebuilt) continue;
      for (const DayEntry::Range& later : entry.vector) {
        Gap gap{.from = std::max(later.from, range.from), .to = std::min(later.to, range.to)};
        gap.reason = GapReason::kElsewhereMaybe;
        gap.detail = "generation " + std::to_string(other.generation);
        if (later.tp == range.tp && gap.from < gap.to) manifest->gaps.push_back({tape, gap});
      }
    }
    std::set<Hash128> mappings;
    if (entry_.rebuilt) {  // also of messages that have left the store
      TD_ASSIGN_OR_RETURN(const Checkpoint checkpoint, view.GetCheckpoint(range.tp));
      mappings.insert(checkpoint.mapping);
    }
    TapeBlocks blocks(&view, range.tp, tape.ToString(), ScanKind::kLong);
    TD_RETURN_IF_ERROR(blocks.Seek(range.from));
    while (blocks.Valid() && blocks.base() < range.to) {
      mappings.insert(blocks.index().mapping);
      TD_RETURN_IF_ERROR(blocks.Next());
    }
    for (const Hash128& mapping : mappings) {
      TD_ASSIGN_OR_RETURN(manifest->mappings[mapping.ToString()], view.GetMapping(mapping));
    }
  }
  return Status::Ok();
}

// The files of a draft: those that were just written, or, after a crash, the same again.
Status RecordShipment::EnsureFiles(const RecordManifest& manifest) {
  auto missing = [&](const ShippedObject& object) {
    std::error_code none;
    return std::filesystem::file_size(PathOf(object), none) != object.bytes;
  };
  if (std::ranges::any_of(manifest.objects, missing)) {
    RowSum tally;
    TD_ASSIGN_OR_RETURN(const std::vector<WrittenObject> written, WriteFiles(&tally));
    for (const WrittenObject& file : written)
      TD_RETURN_IF_ERROR(MoveFile(file.path, PathOf(file.object)));
    if (std::ranges::any_of(manifest.objects, missing))
      return StartAgain("another version of tapedeck writes it otherwise");
  }
  std::map<std::string, RowSum> found;
  for (const ShippedObject& object : manifest.objects)
    TD_RETURN_IF_ERROR(CompareFile(PathOf(object).string(), object, &found[object.format]));
  return CheckTallies(manifest, found);
}

// Decodes a file by the reader of objects, which shares nothing with the writer but the schema.
Status RecordShipment::CompareFile(const std::string& path, const ShippedObject& object,
                                   RowSum* tally) {
  TD_ASSIGN_OR_RETURN(const auto source, OpenLocalObject(path, object.name));
  TD_ASSIGN_OR_RETURN(const ObjectFormat format, ParseObjectFormat(object.format));
  std::map<std::tuple<std::string, int32_t, uint32_t>, TpId> tapes;
  for (const auto& [tp, tape] : state_->tapes)
    tapes[{tape.topic, tape.partition, tape.lineage}] = tp;
  auto resolve = [&](const TapeId& tape) -> Result<TpId> {
    auto found = tapes.find({tape.topic, tape.partition, tape.lineage});
    if (found != tapes.end()) return found->second;
    return Status::Corruption(object.name + " names " + tape.ToString() +
                              ", which the store has "
                              "not");
  };
  TD_ASSIGN_OR_RETURN(const auto scan, OpenRecordScan(source.get(), format, *table_, resolve));
  RowTally counter(*table_, *state_);
  for (;;) {
    TD_RETURN_IF_ERROR(journey_->CheckStop());
    TD_RETURN_IF_ERROR(scan->Next());
    const RowSlice& rows = scan->rows();
    if (rows.count == 0) break;
    counter.Add(rows.symbol, *rows.rows, rows.first, rows.count);
  }
  if (counter.sum().rows != object.rows) {
    return Status::Corruption(object.name + " holds " + std::to_string(counter.sum().rows) +
                              " rows of " + std::to_string(object.rows));
  }
  *tally += counter.sum();
  return Status::Ok();
}

Status RecordShipment::CheckTallies(const RecordManifest& manifest,
                                    const std::map<std::string, RowSum>& found) {
  for (const auto& [format, tally] : found) {
    if (tally == RowSum{manifest.rows, manifest.digest}) continue;
    return Status::Corruption("its " + format + " objects hold " + std::to_string(tally.rows) +
                              " rows that are not the store's " + std::to_string(manifest.rows));
  }
  return Status::Ok();
}

Status RecordShipment::Upload() {
  TD_ASSIGN_OR_RETURN(const RecordManifest manifest, Draft());
  TD_RETURN_IF_ERROR(EnsureFiles(manifest));
  for (const ShippedObject& object : manifest.objects) {
    TD_RETURN_IF_ERROR(PutOnce(*journey_, object.name, BlobContent::File(PathOf(object).string()),
                               entry_.manifest));
    TD_RETURN_IF_ERROR(FailpointHit("ship.object_put"));
  }
  return Enter(DayPhase::kUploaded);
}

Status RecordShipment::Verify() {
  TD_ASSIGN_OR_RETURN(const RecordManifest manifest, Draft());
  std::map<std::string, RowSum> found;
  for (size_t n = 0; n < manifest.objects.size(); ++n)
    TD_RETURN_IF_ERROR(FetchAndCompare(manifest, n, &found[manifest.objects[n].format]));
  TD_RETURN_IF_ERROR(CheckTallies(manifest, found));
  return Enter(DayPhase::kVerified);
}

// Fetches object number `n`. One that was cut or altered on its way is put again, once.
Status RecordShipment::FetchAndCompare(const RecordManifest& manifest, size_t n, RowSum* tally) {
  const ShippedObject& object = manifest.objects[n];
  const std::string back = (journey_->Work() / (FilePrefix(object.format) + "back")).string();
  TD_ASSIGN_OR_RETURN(bool same, ReadBack(*journey_, object, back));
  if (!same) {
    TD_LOG(kError, "ship", "read-back-differs", "an object is not what was put",
           {{"name", object.name}});
    TD_RETURN_IF_ERROR(EnsureFiles(manifest));
    TD_RETURN_IF_ERROR(PutAgain(*journey_, object.name, BlobContent::File(PathOf(object).string()),
                                entry_.manifest));
    TD_ASSIGN_OR_RETURN(same, ReadBack(*journey_, object, back));
  }
  if (!same) return Status::Corruption(object.name + " does not come back as it was put");
  TD_RETURN_IF_ERROR(CompareFile(back, object, tally));
  RemoveFile(back);
  return Status::Ok();
}

// The tape first: whatever a record manifest covers can be decoded again from the archive alone.
bool RecordShipment::Covered(const std::map<TpId, TapeShip>& ships) const {
  const std::unique_ptr<StoreView> view = journey_->parts->store->View();
  return std::ranges::all_of(entry_.vector, [&](const DayEntry::Range& range) {
    auto ship = ships.find(range.tp);
    if (ship == ships.end() || ship->second.shipped < range.to) return false;
    const auto healed = HealedOf(*view, range.tp);  // not listed yet
    return healed.ok() && std::ranges::none_of(*healed, [&](const HealedRange& one) {
             return one.Meets(range.from, range.to);
           });
  });
}

Status RecordShipment::List() {
  TD_ASSIGN_OR_RETURN(RecordManifest manifest, Draft());
  TD_RETURN_IF_ERROR(FailpointHit("ship.before_manifest"));
  TD_RETURN_IF_ERROR(PutManifest(*journey_, entry_.manifest, entry_.draft));
  TD_RETURN_IF_ERROR(FailpointHit("ship.manifest_put"));
  if (journey_->parts->manifest_added) journey_->parts->manifest_added(entry_.manifest, manifest);

  TD_ASSIGN_OR_RETURN(const std::set<std::string> retired, RetiredNames());
  DayEntry next = entry_;
  next.phase = DayPhase::kShipped;
  next.since = journey_->time.Now();
  next.draft.clear();
  const Status written = journey_->Write([&](StoreBatch* batch) -> Status {
    TD_RETURN_IF_ERROR(journey_->PutDay(key_, entry_, next, batch));
    for (const std::string& name : retired)
      batch->PutObject(name, {ObjectPurpose::kRetired, next.since});
    for (const auto& [other, known] : state_->days) {
      if (!StandsFor(other, known)) continue;
      TD_ASSIGN_OR_RETURN(DayEntry entry, journey_->StoredDay(other));
      entry.manifest = next.manifest;  // where its rows are now
      batch->PutDay(other, entry);
    }
    for (const ShippedObject& object : manifest.objects) batch->DeleteObject(object.name);
    batch->DeleteObject(next.manifest);
    return Status::Ok();
  });
  TD_RETURN_IF_ERROR(written);
  entry_ = std::move(next);
  RemoveFiles();
  return FailpointHit("ship.shipped");
}

// What readers no longer look at once this generation is listed.
Result<std::set<std::string>> RecordShipment::RetiredNames() const {
  std::set<std::string> names;
  if (!table_->upsert()) return names;
  for (const std::string& name : ManifestsBelow(*journey_, *state_, key_, DayPhase::kShipped)) {
    TD_ASSIGN_OR_RETURN(const RecordManifest manifest, FetchRecordManifest(*journey_, name));
    for (const ShippedObject& object : manifest.objects) names.insert(object.name);
    names.insert(name);
  }
  // The same rows again, as where a later generation changed nothing, have names of their own: the
  // generation is part of them.
  return names;
}

Status RecordShipment::Put(const DayEntry& next) {
  TD_RETURN_IF_ERROR(journey_->Write(
      [&](StoreBatch* batch) { return journey_->PutDay(key_, entry_, next, batch); }));
  entry_ = next;
  return Status::Ok();
}

Status RecordShipment::Enter(DayPhase phase) {
  DayEntry next = entry_;
  next.phase = phase;
  next.since = journey_->time.Now();
  TD_RETURN_IF_ERROR(Put(next));
  return FailpointHit(phase == DayPhase::kUploaded ? "ship.uploaded" : "ship.verified");
}

// Nothing was listed: it is written anew, and the collector finds what was put of it.
Status RecordShipment::StartAgain(const std::string& why) {
  DayEntry next = entry_;
  next.phase = DayPhase::kClosing;
  next.draft.clear();
  next.manifest.clear();
  TD_RETURN_IF_ERROR(Put(next));
  RemoveFiles();
  return Status::Unavailable("it is written again: " + why);
}

}  // namespace tapedeck
