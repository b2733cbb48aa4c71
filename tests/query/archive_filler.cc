#include "query/archive_filler.h"

#include <algorithm>
#include <filesystem>

#include "archive/names.h"
#include "archive/tape_object.h"
#include "query/generation_cursor.h"
#include "tape/tape_blocks.h"

namespace tapedeck::testing {
namespace {

constexpr const char* kVersion = "0.1.0";

#define TD_FILL(expression)                                        \
  do {                                                             \
    Status td_fill_status = (expression);                          \
    ASSERT_TRUE(td_fill_status.ok()) << td_fill_status.ToString(); \
  } while (false)

}  // namespace

ManifestWriter ArchiveFiller::Writer() const {
  const StoreMeta& meta = filler_->store().meta();
  return {meta.node_id, meta.store_id, kVersion, Timestamp(1)};
}

void ArchiveFiller::Put(const std::string& name, const BlobContent& content) {
  TD_FILL(blobs_->Put(name, content, PutMode::kCreate).status());
}

void ArchiveFiller::PutManifest(const ManifestFile& file, const Manifest& manifest) {
  Put(file.name, BlobContent::Bytes(file.json));
  manifest_names_.push_back(file.name);
  if (options_.manifests != nullptr) options_.manifests->Add(file, manifest);
}

void ArchiveFiller::ShipDays(const Pick& wanted) {
  const StoreState state = *filler_->store().View()->LoadState();
  for (const auto& [key, entry] : state.days) {
    if (entry.phase == DayPhase::kClosing && (wanted == nullptr || wanted(key))) {
      ShipDay(state, key, entry);
    }
  }
}

Result<std::vector<ShippedObject>> ArchiveFiller::WriteRecords(const StoreState& state,
                                                               const keys::DayKey& key) {
  const Table& table = *state.tables.Find(key.table);
  const TapeRanks ranks(state.tapes);
  const auto view = filler_->store().View();
  const ManifestWriter writer = Writer();
  std::vector<ShippedObject> shipped;
  for (const ObjectFormat format : options_.formats) {
    TD_ASSIGN_OR_RETURN(auto objects,
                        RecordObjectWriter::Make({.table = table,
                                                  .day = key.day,
                                                  .generation = key.generation,
                                                  .tapes = state.tapes,
                                                  .format = format,
                                                  .folder = work_.path(),
                                                  .writer = std::string("tapedeck ") + kVersion,
                                                  .file_rows = options_.file_rows}));
    GenerationCursor rows(view.get(), &table, key.day, key.generation, &ranks);
    for (RowRun run;;) {
      TD_RETURN_IF_ERROR(rows.Next(&run));
      if (run.count == 0) break;
      TD_RETURN_IF_ERROR(objects->Append({run.symbol, run.rows, run.first, run.count}));
    }
    TD_ASSIGN_OR_RETURN(std::vector<WrittenObject> written, objects->Finish());
    uint32_t number = 0;
    for (WrittenObject& one : written) {
      one.object.name =
          RecordObjectName({writer.node, writer.store}, table.name, key.day, key.generation,
                           number++, {one.object.format, NameHash(one.object.sha256, kVersion)});
      Put(one.object.name, BlobContent::File(one.path));
      std::filesystem::remove(one.path);
      objects_.push_back(one.object.name);
      shipped.push_back(std::move(one.object));
    }
  }
  return shipped;
}

void ArchiveFiller::ShipDay(const StoreState& state, const keys::DayKey& key, DayEntry entry) {
  const Table& table = *state.tables.Find(key.table);
  Result<std::vector<ShippedObject>> objects = WriteRecords(state, key);
  TD_FILL(objects.status());
  RecordManifest manifest;
  manifest.writer = Writer();
  manifest.table = table.name;
  manifest.columns = table.columns;
  manifest.identity = table.identity;
  manifest.day_size = table.day_size;
  manifest.day = key.day;
  manifest.generation = key.generation;
  manifest.rows = entry.rows;
  manifest.digest = entry.digest;
  manifest.objects = std::move(*objects);
  manifest.mappings = {{filler_->mapping().hash().ToString(), filler_->mapping().canonical()}};
  const auto view = filler_->store().View();
  for (const DayEntry::Range& range : entry.vector) {
    const auto tape = std::find_if(state.tapes.begin(), state.tapes.end(),
                                   [&](const auto& t) { return t.first == range.tp; });
    manifest.vector.push_back({tape->second, range.from, range.to});
    const Result<std::vector<Gap>> gaps = view->Gaps(range.tp);
    TD_FILL(gaps.status());
    for (const Gap& gap : *gaps) {
      if (gap.from < range.to && gap.to > range.from) manifest.gaps.push_back({tape->second, gap});
    }
  }
  const ManifestFile file = MakeManifestFile(manifest);
  PutManifest(file, manifest);
  entry.phase = DayPhase::kShipped;
  entry.manifest = file.name;
  StoreBatch batch;
  batch.PutDay(key, entry);
  TD_FILL(filler_->store().Write(batch));
}

void ArchiveFiller::PruneDays(const Pick& wanted) {
  const auto view = filler_->store().View();
  const StoreState state = *view->LoadState();
  for (const auto& [key, entry] : state.days) {
    if (entry.phase != DayPhase::kShipped || (wanted != nullptr && !wanted(key))) continue;
    StoreBatch batch;
    DayEntry next = entry;
    next.phase = DayPhase::kPruned;
    batch.PutDay(key, next);
    const std::string prefix = keys::SeriesPrefix(key.table, key.day, key.generation);
    auto blocks = view->Scan(prefix, keys::After(prefix), ScanKind::kLong);
    for (blocks->SeekToFirst(); blocks->Valid(); blocks->Next()) {
      batch.DeleteSeriesBlock(*keys::ParseSeries(blocks->key()));
    }
    TD_FILL(filler_->store().Write(batch));
  }
}

void ArchiveFiller::ShipTapes(uint64_t messages) {
  const StoreState state = *filler_->store().View()->LoadState();
  for (const auto& [tp, checkpoint] : state.checkpoints) ShipTape(state, tp, checkpoint, messages);
}

void ArchiveFiller::ShipTape(const StoreState& state, TpId tp, const Checkpoint& checkpoint,
                             uint64_t messages) {
  const auto named = std::find_if(state.tapes.begin(), state.tapes.end(),
                                  [&](const auto& t) { return t.first == tp; });
  const auto known = std::find_if(state.ships.begin(), state.ships.end(),
                                  [&](const auto& s) { return s.first == tp; });
  TapeShip ship;
  ship.shipped = ship.pruned = checkpoint.start;
  if (known != state.ships.end()) ship = known->second;
  while (ship.shipped < checkpoint.watermark) {
    const int64_t to =
        std::min<int64_t>(checkpoint.watermark, ship.shipped + static_cast<int64_t>(messages));
    Result<TapeManifest> manifest = WriteTape(tp, named->second, ship.shipped, to);
    TD_FILL(manifest.status());
    PutManifest(MakeManifestFile(*manifest, Day(19906)), *manifest);
    ship.shipped = to;
  }
  StoreBatch batch;
  batch.PutTapeShip(tp, ship);
  TD_FILL(filler_->store().Write(batch));
}

Result<TapeManifest> ArchiveFiller::WriteTape(TpId tp, const TapeId& tape, int64_t from,
                                              int64_t to) {
  TapeManifest manifest;
  manifest.writer = Writer();
  manifest.range = {tape, from, to};
  const auto view = filler_->store().View();
  TD_ASSIGN_OR_RETURN(std::vector<Gap> gaps, view->Gaps(tp));
  for (const Gap& gap : gaps) {
    if (gap.from < to && gap.to > from) manifest.gaps.push_back(gap);
  }
  const std::string path = work_.File("tape");
  TD_ASSIGN_OR_RETURN(auto writer, TapeObjectWriter::Make(
                                       {.tape = tape, .path = path, .writer = "tapedeck 0.1.0"}));
  TapeBlocks blocks(view.get(), tp, tape.ToString(), ScanKind::kLong);
  TapeBlock block;
  CodecBuffers buffers;
  MessageHasher hasher;
  bool timeless = false;
  for (Status at = blocks.Seek(from);; at = blocks.Next()) {
    TD_RETURN_IF_ERROR(at);
    if (!blocks.Valid() || blocks.base() >= to) break;
    TD_RETURN_IF_ERROR(blocks.Load(&block, &buffers));
    for (size_t i = 0; i < block.size(); ++i) {
      if (block.offset(i) < from || block.offset(i) >= to) continue;
      const MessageView message = block.At(i);
      TD_RETURN_IF_ERROR(writer->Append(message, block.ReceivedAt(i)));
      ++manifest.messages;
      manifest.last = {message.offset, hasher.Message(message, {tape.topic, tape.partition})};
      manifest.digest += manifest.last.hash;
      timeless = timeless || message.timestamp_ms < 0;
      manifest.kafka_max_ms = std::max(manifest.kafka_max_ms, message.timestamp_ms);
      const int64_t least = manifest.kafka_min_ms;
      if (least < 0 || message.timestamp_ms < least) manifest.kafka_min_ms = message.timestamp_ms;
    }
  }
  if (timeless) manifest.kafka_min_ms = -1;
  for (const OracleRecord& record : filler_->records()) {
    if (record.tape != tape || record.offset < from || record.offset >= to) continue;
    manifest.event_min_ns = std::min(manifest.event_min_ns, record.ts);
    manifest.event_max_ns = std::max(manifest.event_max_ns, record.ts);
  }
  auto marks = view->Scan(keys::Refusal(tp, from), keys::Refusal(tp, to), ScanKind::kPoint);
  for (marks->SeekToFirst(); marks->Valid(); marks->Next()) {
    TD_ASSIGN_OR_RETURN(RefusalEntry entry, DecodeRefusal(marks->value()));
    manifest.refusals.push_back({keys::ParseTpOffset(marks->key())->offset, std::move(entry)});
  }
  manifest.mapping_from = {{from, filler_->mapping().hash()}};
  manifest.mappings = {{filler_->mapping().hash().ToString(), filler_->mapping().canonical()}};
  if (manifest.messages == 0) return manifest;
  TD_ASSIGN_OR_RETURN(WrittenObject written, writer->Finish());
  written.object.name =
      TapeObjectName({manifest.writer.node, manifest.writer.store},
                     {tape.topic, tape.lineage, tape.partition, from, to}, Day(19906),
                     {written.object.format, NameHash(written.object.sha256, kVersion)});
  Put(written.object.name, BlobContent::File(written.path));
  objects_.push_back(written.object.name);
  manifest.objects = {std::move(written.object)};
  return manifest;
}

void ArchiveFiller::PruneTapes() {
  const auto view = filler_->store().View();
  const StoreState state = *view->LoadState();
  for (const auto& [tp, known] : state.ships) {
    TapeShip ship = known;
    TapeBlocks blocks(view.get(), tp, "tape", ScanKind::kLong);
    StoreBatch batch;
    int64_t pruned = ship.shipped;
    for (Status at = blocks.Seek(0);; at = blocks.Next()) {
      TD_FILL(at);
      if (!blocks.Valid()) break;
      if (blocks.index().last_offset >= ship.shipped) {
        pruned = std::min(pruned, blocks.base());
        break;
      }
      batch.DeleteTapeBlock(tp, blocks.base());
    }
    ship.pruned = std::max(ship.pruned, pruned);
    batch.PutTapeShip(tp, ship);
    TD_FILL(filler_->store().Write(batch));
  }
}

}  // namespace tapedeck::testing
