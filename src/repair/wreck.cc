#include "repair/wreck.h"

#include <algorithm>

#include "codec/tape_block.h"
#include "mapping/mapping.h"
#include "model/keys.h"
#include "model/reindex_job.h"

namespace tapedeck {
namespace {

class Collector {
 public:
  explicit Collector(Wreck* wreck) : wreck_(wreck) {}

  Status Take(const Salvage::Entry& entry) {
    const Status taken = TakeEntry(entry);
    if (taken.code() == StatusCode::kCorruption) wreck_->damage.emplace_back(taken.message());
    return taken.code() == StatusCode::kCorruption ? Status::Ok() : taken;
  }

 private:
  Status TakeEntry(const Salvage::Entry& entry);
  Status TakeTable(std::string_view key, std::string_view value);
  Status TakeMapping(std::string_view key, std::string_view value);
  Status TakeJob(std::string_view key, std::string_view value);
  Status TakeDay(std::string_view key, std::string_view value);
  Status TakeOfTape(const Salvage::Entry& entry);
  Status TakeCheckpoint(std::string_view value, WreckTape* tape);
  Status TakeShip(std::string_view value, WreckTape* tape);
  Status TakeIndex(int64_t base, std::string_view value, WreckTape* tape);
  Status TakeBlock(const Salvage::Entry& entry, TpId tp, int64_t base, WreckTape* tape);

  Wreck* const wreck_;
  CodecBuffers buffers_;
  TapeBlock block_;
};

Status Collector::TakeEntry(const Salvage::Entry& entry) {
  using keys::Prefix;
  switch (static_cast<Prefix>(entry.key[0])) {
    case Prefix::kMeta:
      if (entry.key == keys::Meta("node")) wreck_->node = entry.value;
      if (entry.key == keys::Meta("cluster")) wreck_->cluster = entry.value;
      return Status::Ok();
    case Prefix::kTable:
      return TakeTable(entry.key, entry.value);
    case Prefix::kMapping:
      return TakeMapping(entry.key, entry.value);
    case Prefix::kJob:
      return TakeJob(entry.key, entry.value);
    case Prefix::kDay:
      return TakeDay(entry.key, entry.value);
    default:
      return TakeOfTape(entry);
  }
}

Status Collector::TakeTable(std::string_view key, std::string_view value) {
  if (key.size() != 3) return Status::Corruption("a key of the store is not a table key");
  const TableId id{
      static_cast<uint16_t>(static_cast<uint8_t>(key[1]) << 8 | static_cast<uint8_t>(key[2]))};
  TD_ASSIGN_OR_RETURN(wreck_->tables[id], DecodeTable(id, value));
  return Status::Ok();
}

Status Collector::TakeMapping(std::string_view key, std::string_view value) {
  TD_ASSIGN_OR_RETURN(const MappingSpec spec, MappingSpec::FromCanonical(value));
  if (keys::Mapping(spec.hash()) != key)
    return Status::Corruption("mapping '" + spec.name() + "' lies under another one's hash");
  wreck_->mappings[spec.hash()] = value;
  return Status::Ok();
}

Status Collector::TakeJob(std::string_view key, std::string_view value) {
  TD_ASSIGN_OR_RETURN(const std::string id, keys::ParseJob(key));
  if (!DecodeReindexJob(id, value).ok()) wreck_->jobs[id] = value;
  return Status::Ok();
}

// Of several the last is the newest.
Status Collector::TakeDay(std::string_view key, std::string_view value) {
  TD_ASSIGN_OR_RETURN(const keys::DayKey day, keys::ParseDayState(key));
  TD_ASSIGN_OR_RETURN(DayEntry entry, DecodeDay(value));
  wreck_->rebuilt.erase(day);
  if (entry.rebuilt && entry.counts() && entry.phase < DayPhase::kShipped)
    wreck_->rebuilt.emplace(day, std::move(entry));
  return Status::Ok();
}

Status Collector::TakeOfTape(const Salvage::Entry& entry) {
  using keys::Prefix;
  const auto prefix = static_cast<Prefix>(entry.key[0]);
  if (prefix == Prefix::kTape || prefix == Prefix::kCheckpoint || prefix == Prefix::kTapeShip) {
    TD_ASSIGN_OR_RETURN(const TpId tp, keys::ParseTp(entry.key));
    WreckTape* const tape = &wreck_->tapes[tp];
    if (prefix == Prefix::kCheckpoint) return TakeCheckpoint(entry.value, tape);
    if (prefix == Prefix::kTapeShip) return TakeShip(entry.value, tape);
    TD_ASSIGN_OR_RETURN(tape->tape, DecodeTapeId(entry.value));
    return Status::Ok();
  }
  TD_ASSIGN_OR_RETURN(const keys::TpOffsetKey key, keys::ParseTpOffset(entry.key));
  WreckTape* const tape = &wreck_->tapes[key.tp];
  if (prefix == Prefix::kTapeIndex) {
    const Status taken = TakeIndex(key.offset, entry.value, tape);
    if (!taken.ok()) tape->broken_notes.push_back(key.offset);
    return taken;
  }
  if (prefix == Prefix::kTapeBlock) {
    const Status taken = TakeBlock(entry, key.tp, key.offset, tape);
    if (!taken.ok()) tape->broken_blocks.push_back(key.offset);
    return taken;
  }
  Result<Gap> gap = DecodeGap(key.offset, entry.value);
  if (!gap.ok()) {
    tape->broken_gaps.push_back(key.offset);
    return gap.status();
  }
  tape->gaps.push_back(std::move(gap).value());
  return Status::Ok();
}

// The same of what has left.
Status Collector::TakeShip(std::string_view value, WreckTape* tape) {
  Result<TapeShip> found = DecodeTapeShip(value);
  tape->broken_ship = tape->broken_ship || !found.ok();
  TD_RETURN_IF_ERROR(found.status());
  if (!tape->ship || found->pruned >= tape->ship->pruned) tape->ship = std::move(found).value();
  return Status::Ok();
}

// Of several the farthest one is the newest: positions never go back.
Status Collector::TakeCheckpoint(std::string_view value, WreckTape* tape) {
  TD_ASSIGN_OR_RETURN(const Checkpoint found, DecodeCheckpoint(value));
  if (!tape->checkpoint || found.next >= tape->checkpoint->next) tape->checkpoint = found;
  return Status::Ok();
}

Status Collector::TakeIndex(int64_t base, std::string_view value, WreckTape* tape) {
  TD_ASSIGN_OR_RETURN(const TapeIndexEntry index, DecodeTapeIndex(value));
  tape->notes.push_back({.base = base,
                         .first = index.first_offset,
                         .last = index.last_offset,
                         .count = index.count,
                         .kafka_min_ms = index.kafka_min_ms,
                         .kafka_max_ms = index.kafka_max_ms,
                         .event_min_ns = index.event_min_ns,
                         .event_max_ns = index.event_max_ns,
                         .mapping = index.mapping});
  return Status::Ok();
}

Status Collector::TakeBlock(const Salvage::Entry& entry, TpId tp, int64_t base, WreckTape* tape) {
  TD_RETURN_IF_ERROR(block_.Load(tp, base, entry.value, &buffers_));
  if (block_.empty()) return Status::Ok();
  tape->blocks.push_back(
      {base, block_.offset(0), block_.offset(block_.size() - 1), block_.size(), entry.file});
  return Status::Ok();
}

}  // namespace

Result<Wreck> Wreck::Collect(Salvage* salvage) {
  Wreck wreck;
  Collector collector(&wreck);
  TD_RETURN_IF_ERROR(
      salvage->Read([&](const Salvage::Entry& entry) { return collector.Take(entry); }));
  for (auto& [tp, tape] : wreck.tapes) {
    std::ranges::stable_sort(tape.blocks, [](const WreckBlock& a, const WreckBlock& b) {
      return a.first != b.first ? a.first < b.first : a.last > b.last;
    });
    // Of equal ones the newest comes first, too.
    std::ranges::reverse(tape.notes);
    std::ranges::stable_sort(tape.notes, {}, &WreckNote::first);
    std::ranges::reverse(tape.gaps);
  }
  return wreck;
}

}  // namespace tapedeck
