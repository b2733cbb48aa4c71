#include "ship/tape_shipment.h"

#include <algorithm>
#include <optional>
#include <set>

#include "archive/manifest_set.h"
#include "archive/tape_object.h"
#include "base/failpoint.h"
#include "base/limits.h"
#include "base/log.h"
#include "codec/codec_buffers.h"
#include "model/message.h"
#include "ship/object_put.h"
#include "store/healed.h"
#include "tape/tape_blocks.h"

namespace tapedeck {
namespace {

constexpr char kFormat[] = "parquet";
/// Marks of one tape: how finely the time until pruning is kept.
constexpr int64_t kMarksPerKeep = 64;

ArchiveTape ArchiveTapeOf(const TapeRange& range) {
  return {range.tape.topic, range.tape.lineage, range.tape.partition, range.from, range.to};
}

/// Kafka's time, or that of receipt where there is none that a timestamp can hold.
Timestamp TimeOf(const MessageView& message, Timestamp received) {
  int64_t ns = 0;
  if (message.timestamp_type == TimestampType::kNone ||
      __builtin_mul_overflow(message.timestamp_ms, int64_t{1'000'000}, &ns)) {
    return received;
  }
  return Timestamp(ns);
}

/// In place, without a hole, and as few as the time that they are kept for needs.
void PushMark(int64_t to, Timestamp at, std::chrono::nanoseconds keep,
              std::vector<TapeShip::Mark>* marks) {
  const size_t size = marks->size();
  // The last one may move on as long as the one before it is near.
  if (size >= 2 && at.ns() - (*marks)[size - 2].at.ns() < keep.count() / kMarksPerKeep) {
    marks->back() = {to, at};
    return;
  }
  marks->push_back({to, at});
}

}  // namespace

Result<std::string> TapeManifestNameOf(const Journey& journey, const TapeManifest& manifest,
                                       std::string_view json) {
  Day day = Day::Of(manifest.writer.at);
  if (!manifest.objects.empty()) {
    TD_ASSIGN_OR_RETURN(ArchiveName name, ParseArchiveName(manifest.objects.front().name));
    day = name.day;
  }
  return TapeManifestName(journey.Owner(), ArchiveTapeOf(manifest.range), day,
                          NameHash(HashBytes(json).ToString(), manifest.writer.version));
}

TapeShipment::TapeShipment(const Journey* journey, TpId tp, TapeId tape, Checkpoint checkpoint,
                           TapeShip ship, BeforeHealed before)
    : journey_(journey),
      tp_(tp),
      tape_(std::move(tape)),
      checkpoint_(checkpoint),
      ship_(std::move(ship)),
      before_(std::move(before)) {}

std::string TapeShipment::FilePath(std::string_view what) const {
  return (journey_->Work() / ("tape-" + std::to_string(Raw(tp_)) + "-" + std::string(what)))
      .string();
}

Result<TapeManifest> TapeShipment::Draft() const {
  Result<Manifest> manifest = ParseManifest(ship_.draft);
  if (!manifest.ok()) return manifest.status().WithContext("draft of tape " + tape_.ToString());
  if (!std::holds_alternative<TapeManifest>(*manifest))
    return Status::Corruption("the draft of tape " + tape_.ToString() + " is one of records");
  return std::get<TapeManifest>(std::move(*manifest));
}

Status TapeShipment::Ship() {
  if (ship_.phase == DayPhase::kOpen) TD_RETURN_IF_ERROR(Write());
  if (ship_.phase == DayPhase::kWritten) TD_RETURN_IF_ERROR(Upload());
  if (ship_.phase == DayPhase::kUploaded) TD_RETURN_IF_ERROR(Verify());
  if (ship_.phase == DayPhase::kVerified) TD_RETURN_IF_ERROR(List());
  return Status::Ok();
}

// What was healed below `shipped` goes first.
Result<TapeRange> TapeShipment::ChooseRange(const StoreView& view) {
  TD_ASSIGN_OR_RETURN(const std::vector<HealedRange> healed, HealedOf(view, tp_));
  if (!healed.empty() && healed.front().from < ship_.shipped) {
    const int64_t from = healed.front().from;
    TD_ASSIGN_OR_RETURN(const int64_t to,
                        ChooseEnd(view, from, std::min(healed.front().to, ship_.shipped)));
    raw_bytes_ = 0;  // nothing of it was waiting
    return TapeRange{tape_, from, to};
  }
  TD_ASSIGN_OR_RETURN(const int64_t to, ChooseEnd(view, ship_.shipped, checkpoint_.next));
  return TapeRange{tape_, ship_.shipped, to};
}

// Where the range that begins at `from` ends, at most at `limit`: blocks are taken whole, until
// they hold enough, or have enough refusals. Its object is made on the store's disk: a disk that is
// nearly full must have room for it, because what is shipped is what makes room.
Result<int64_t> TapeShipment::ChooseEnd(const StoreView& view, int64_t from, int64_t limit) {
  uint64_t most = journey_->options->tape_ship_bytes;
  if (const Result<DiskUse> disk = journey_->parts->store->Disk(); disk.ok())
    most = std::min(most, disk->free_bytes / 4);
  TapeBlocks blocks(&view, tp_, tape_.ToString(), ScanKind::kPoint);
  auto refusals = view.Scan(keys::Refusal(tp_, from), keys::Refusal(tp_, limit), ScanKind::kPoint);
  refusals->SeekToFirst();
  uint64_t refused = 0;
  TD_RETURN_IF_ERROR(blocks.Seek(from));
  raw_bytes_ = 0;
  while (blocks.Valid() && blocks.base() < limit) {
    raw_bytes_ += blocks.index().raw_bytes;
    const int64_t end = blocks.index().last_offset + 1;
    for (; refusals->Valid(); refusals->Next(), ++refused) {
      TD_ASSIGN_OR_RETURN(const keys::TpOffsetKey key, keys::ParseTpOffset(refusals->key()));
      if (key.offset >= end) break;
    }
    TD_RETURN_IF_ERROR(refusals->status());
    TD_RETURN_IF_ERROR(blocks.Next());
    const bool enough = raw_bytes_ >= most || refused >= journey_->options->tape_refusals_max;
    if (enough && blocks.Valid() && end < limit) return end;
  }
  return limit;
}

Status TapeShipment::Write() {
  const std::unique_ptr<StoreView> view = journey_->parts->store->View();
  TapeManifest manifest;
  manifest.writer = journey_->Writer();
  TD_ASSIGN_OR_RETURN(manifest.range, ChooseRange(*view));
  TD_ASSIGN_OR_RETURN(const std::vector<HealedRange> seen, HealedOf(*view, tp_));
  TD_RETURN_IF_ERROR(before_(seen));
  TD_RETURN_IF_ERROR(WriteFile(*view, &manifest));
  TD_RETURN_IF_ERROR(Describe(*view, &manifest));
  TapeShip next = ship_;
  next.phase = DayPhase::kWritten;
  next.draft = ToJson(manifest);
  if (next.draft.size() > kManifestBytesMax) {
    return Status::InvalidArgument("the manifest of tape " + tape_.ToString() + " from offset " +
                                   std::to_string(manifest.range.from) + " on would have " +
                                   std::to_string(next.draft.size()) +
                                   " bytes, more than can be read back");
  }
  TD_ASSIGN_OR_RETURN(const std::string name, TapeManifestNameOf(*journey_, manifest, next.draft));
  TD_RETURN_IF_ERROR(FailpointHit("ship.tape_file"));
  const ObjectEntry to_put{ObjectPurpose::kPut, journey_->time.Now()};
  TD_RETURN_IF_ERROR(journey_->Write([&](StoreBatch* batch) {
    batch->PutTapeShip(tp_, next);
    for (const ShippedObject& object : manifest.objects) batch->PutObject(object.name, to_put);
    batch->PutObject(name, to_put);
    // What was healed before the range was read is in it; what came since goes by itself.
    if (manifest.range.from >= ship_.shipped)
      return TakeHealed(seen, {manifest.range.from, manifest.range.to}, batch);
    return Status::Ok();
  }));
  ship_ = std::move(next);
  return FailpointHit("ship.tape_written");
}

// Takes those of `seen` that lie in the range out of the list.
Status TapeShipment::TakeHealed(const std::vector<HealedRange>& seen, HealedRange range,
                                StoreBatch* batch) {
  TD_ASSIGN_OR_RETURN(const std::vector<HealedRange> now,
                      HealedOf(*journey_->parts->store->View(), tp_));
  std::vector<HealedRange> left = now;
  for (const HealedRange& one : seen) {
    left = RemoveHealed(left, {std::max(one.from, range.from), std::min(one.to, range.to)});
  }
  if (left != now) PutHealed(tp_, left, batch);
  return Status::Ok();
}

// The messages of the manifest's range, and what follows from them alone.
Status TapeShipment::WriteFile(const StoreView& view, TapeManifest* manifest) {
  TapeBlocks blocks(&view, tp_, tape_.ToString(), ScanKind::kLong);
  TD_ASSIGN_OR_RETURN(auto writer, TapeObjectWriter::Make({.tape = tape_,
                                                           .path = FilePath("file"),
                                                           .writer = journey_->WriterName()}));
  MessageHasher hasher;
  TapeBlock block;
  CodecBuffers buffers;
  const TopicPartition tp{tape_.topic, tape_.partition};
  const TapeRange& range = manifest->range;
  std::optional<Timestamp> first;
  TD_RETURN_IF_ERROR(blocks.Seek(range.from));
  while (blocks.Valid() && blocks.base() < range.to) {
    TD_RETURN_IF_ERROR(journey_->CheckStop());
    TD_RETURN_IF_ERROR(blocks.Load(&block, &buffers));
    for (size_t i = block.LowerBound(range.from); i < block.size(); ++i) {
      const MessageView message = block.At(i);
      if (message.offset >= range.to) break;
      TD_RETURN_IF_ERROR(writer->Append(message, block.ReceivedAt(i)));
      const Hash128 hash = hasher.Message(message, tp);
      manifest->digest += hash;
      manifest->last = {message.offset, hash};
      ++manifest->messages;
      if (!first) first = TimeOf(message, block.ReceivedAt(i));
      // Over all of them: one without a time makes it -1, and the range is read for any time.
      const bool one = manifest->messages == 1;
      manifest->kafka_max_ms = std::max(manifest->kafka_max_ms, message.timestamp_ms);
      manifest->kafka_min_ms =
          one ? message.timestamp_ms : std::min(manifest->kafka_min_ms, message.timestamp_ms);
    }
    TD_RETURN_IF_ERROR(blocks.Next());
  }
  if (manifest->messages == 0) return Status::Ok();
  TD_ASSIGN_OR_RETURN(WrittenObject written, writer->Finish());
  written.object.format = kFormat;
  written.object.name = TapeObjectName(journey_->Owner(), ArchiveTapeOf(range), Day::Of(*first),
                                       {kFormat, journey_->HashOf(written.object.sha256)});
  manifest->objects = {std::move(written.object)};
  return Status::Ok();
}

// Gaps and refusals of the range, and what its index entries say.
Status TapeShipment::Describe(const StoreView& view, TapeManifest* manifest) {
  TD_RETURN_IF_ERROR(DescribeBlocks(view, manifest));
  const TapeRange& range = manifest->range;
  TD_ASSIGN_OR_RETURN(const std::vector<Gap> gaps, view.Gaps(tp_));
  for (Gap gap : gaps) {
    gap.from = std::max(gap.from, range.from);
    gap.to = std::min(gap.to, range.to);
    if (gap.from < gap.to) manifest->gaps.push_back(std::move(gap));
  }
  auto cursor =
      view.Scan(keys::Refusal(tp_, range.from), keys::Refusal(tp_, range.to), ScanKind::kLong);
  for (cursor->SeekToFirst(); cursor->Valid(); cursor->Next()) {
    TD_ASSIGN_OR_RETURN(const keys::TpOffsetKey key, keys::ParseTpOffset(cursor->key()));
    TD_ASSIGN_OR_RETURN(RefusalEntry entry, DecodeRefusal(cursor->value()));
    manifest->refusals.push_back({key.offset, std::move(entry)});
  }
  return cursor->status();
}

Status TapeShipment::DescribeBlocks(const StoreView& view, TapeManifest* manifest) {
  TapeBlocks blocks(&view, tp_, tape_.ToString(), ScanKind::kPoint);
  std::set<std::string> symbols;
  TD_RETURN_IF_ERROR(blocks.Seek(manifest->range.from));
  while (blocks.Valid() && blocks.base() < manifest->range.to) {
    const TapeIndexEntry& index = blocks.index();
    manifest->kafka_running_max_ms =
        std::max(manifest->kafka_running_max_ms, index.kafka_running_max_ms);
    manifest->event_min_ns = std::min(manifest->event_min_ns, index.event_min_ns);
    manifest->event_max_ns = std::max(manifest->event_max_ns, index.event_max_ns);
    manifest->many_symbols |= index.many_symbols;
    symbols.insert(index.symbols.begin(), index.symbols.end());
    if (manifest->mapping_from.empty() || manifest->mapping_from.back().second != index.mapping) {
      const int64_t from = std::max(index.first_offset, manifest->range.from);
      manifest->mapping_from.emplace_back(from, index.mapping);
      TD_ASSIGN_OR_RETURN(manifest->mappings[index.mapping.ToString()],
                          view.GetMapping(index.mapping));
    }
    TD_RETURN_IF_ERROR(blocks.Next());
  }
  manifest->many_symbols |= symbols.size() > limits::kTapeSummarySymbolsMax;
  if (!manifest->many_symbols) manifest->symbols.assign(symbols.begin(), symbols.end());
  return Status::Ok();
}

// The file of a draft: the one that was just written, or, after a crash, the same again.
Status TapeShipment::EnsureFile(const TapeManifest& manifest) {
  std::error_code ignored;
  const ShippedObject& wanted = manifest.objects.front();
  if (std::filesystem::file_size(FilePath("file"), ignored) == wanted.bytes)
    return Compare(FilePath("file"), manifest);
  TapeManifest again;
  again.range = manifest.range;
  TD_RETURN_IF_ERROR(WriteFile(*journey_->parts->store->View(), &again));
  if (again.objects.empty() || again.objects.front().sha256 != wanted.sha256)
    return StartAgain("another version of tapedeck writes it otherwise");
  return Compare(FilePath("file"), manifest);
}

// Nothing was listed: the range is drafted anew, and the collector finds what was put of it.
Status TapeShipment::StartAgain(const std::string& why) {
  TapeShip next = ship_;
  next.phase = DayPhase::kOpen;
  next.draft.clear();
  TD_RETURN_IF_ERROR(journey_->Write([&](StoreBatch* batch) {
    batch->PutTapeShip(tp_, next);
    return Status::Ok();
  }));
  ship_ = std::move(next);
  return Status::Unavailable("tape " + tape_.ToString() + " is written again: " + why);
}

Status TapeShipment::Upload() {
  TD_ASSIGN_OR_RETURN(const TapeManifest manifest, Draft());
  if (!manifest.objects.empty()) {
    TD_RETURN_IF_ERROR(EnsureFile(manifest));
    TD_ASSIGN_OR_RETURN(const std::string listed_by,
                        TapeManifestNameOf(*journey_, manifest, ship_.draft));
    TD_RETURN_IF_ERROR(PutOnce(*journey_, manifest.objects.front().name,
                               BlobContent::File(FilePath("file")), listed_by));
  }
  TD_RETURN_IF_ERROR(FailpointHit("ship.tape_put"));
  return Enter(DayPhase::kUploaded);
}

Status TapeShipment::Verify() {
  TD_ASSIGN_OR_RETURN(const TapeManifest manifest, Draft());
  if (!manifest.objects.empty()) {
    const ShippedObject& object = manifest.objects.front();
    TD_ASSIGN_OR_RETURN(bool same, ReadBack(*journey_, object, FilePath("back")));
    if (!same) {  // cut or altered on its way: it goes, and is put again
      TD_LOG(kError, "ship", "read-back-differs", "an object is not what was put",
             {{"name", object.name}});
      TD_RETURN_IF_ERROR(EnsureFile(manifest));
      TD_ASSIGN_OR_RETURN(const std::string listed_by,
                          TapeManifestNameOf(*journey_, manifest, ship_.draft));
      TD_RETURN_IF_ERROR(
          PutAgain(*journey_, object.name, BlobContent::File(FilePath("file")), listed_by));
      TD_ASSIGN_OR_RETURN(same, ReadBack(*journey_, object, FilePath("back")));
    }
    if (!same) return Status::Corruption(object.name + " does not come back as it was put");
    TD_RETURN_IF_ERROR(Compare(FilePath("back"), manifest));
    RemoveFile(FilePath("back"));
  }
  return Enter(DayPhase::kVerified);
}

// Decodes a file by the reader of objects, which shares nothing with the writer.
Status TapeShipment::Compare(const std::string& path, const TapeManifest& manifest) {
  const std::string& name = manifest.objects.front().name;
  TD_ASSIGN_OR_RETURN(const auto object, OpenLocalObject(path, name));
  TD_ASSIGN_OR_RETURN(auto footer, TapeObjectFooter::Read(*object));
  TD_ASSIGN_OR_RETURN(auto reader, TapeObjectReader::Open(object.get(), footer, tape_));
  MessageHasher hasher;
  const TopicPartition tp{tape_.topic, tape_.partition};
  Digest digest;
  uint64_t messages = 0;
  for (;;) {
    TD_RETURN_IF_ERROR(journey_->CheckStop());
    TD_RETURN_IF_ERROR(reader->Next());
    if (reader->empty()) break;
    for (size_t i = 0; i < reader->size(); ++i) digest += hasher.Message(reader->At(i), tp);
    messages += reader->size();
  }
  if (messages == manifest.messages && digest == manifest.digest) return Status::Ok();
  return Status::Corruption(name + " holds " + std::to_string(messages) +
                            " messages that are not the store's " +
                            std::to_string(manifest.messages));
}

Status TapeShipment::List() {
  TD_ASSIGN_OR_RETURN(TapeManifest manifest, Draft());
  TD_ASSIGN_OR_RETURN(const std::string name, TapeManifestNameOf(*journey_, manifest, ship_.draft));
  TD_RETURN_IF_ERROR(FailpointHit("ship.tape_before_manifest"));
  TD_RETURN_IF_ERROR(PutManifest(*journey_, name, ship_.draft));
  TD_RETURN_IF_ERROR(FailpointHit("ship.tape_manifest_put"));
  if (journey_->parts->manifest_added) journey_->parts->manifest_added(name, manifest);

  TapeShip next = ship_;
  const bool healed = manifest.range.to <= ship_.shipped;
  next.shipped = std::max(ship_.shipped, manifest.range.to);
  next.phase = DayPhase::kOpen;
  next.draft.clear();
  next.last_at = journey_->time.Now();
  if (!healed) PushMark(next.shipped, next.last_at, journey_->options->keep_local, &next.marks);
  TD_RETURN_IF_ERROR(journey_->Write([&](StoreBatch* batch) {
    batch->PutTapeShip(tp_, next);
    for (const ShippedObject& object : manifest.objects) batch->DeleteObject(object.name);
    batch->DeleteObject(name);
    const HealedRange range{manifest.range.from, manifest.range.to};
    return healed ? TakeHealed({range}, range, batch) : Status::Ok();
  }));
  ship_ = std::move(next);
  messages_ = manifest.messages;
  RemoveFile(FilePath("file"));
  return FailpointHit("ship.tape_shipped");
}

Status TapeShipment::Enter(DayPhase phase) {
  TapeShip next = ship_;
  next.phase = phase;
  TD_RETURN_IF_ERROR(journey_->Write([&](StoreBatch* batch) {
    batch->PutTapeShip(tp_, next);
    return Status::Ok();
  }));
  ship_ = std::move(next);
  return FailpointHit(phase == DayPhase::kUploaded ? "ship.tape_uploaded" : "ship.tape_verified");
}

}  // namespace tapedeck
