#ifndef TAPEDECK_REPAIR_WRECK_H_
#define TAPEDECK_REPAIR_WRECK_H_

// Wreck: what is left of a damaged store, as a repair needs it: its tapes with those of their
// blocks that are whole, what is known of the others, gaps, checkpoints, mappings and tables.
//
//   TD_ASSIGN_OR_RETURN(const Wreck wreck, Wreck::Collect(salvage.get()));
//   for (const auto& [tp, tape] : wreck.tapes) …
//
// Each tape block is loaded once, so those that are listed are what was stored. Entries that do not
// parse count as damage. Blocks that were merged, cut or dropped may be listed beside what stands
// for them, also several under one key: their messages are the tape's, but between two of them
// others may lie that came later. So of a tape the messages of all its blocks count
// (repair/wreck_reader.h), and what no block has is judged by the plan (repair/repair_plan.h).
//
// Errors: those of the salvage. Memory: about 100 bytes for each block. One thread's.

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/hash.h"
#include "base/status.h"
#include "model/keys.h"
#include "model/stored.h"
#include "model/table.h"
#include "store/salvage.h"

namespace tapedeck {

struct WreckBlock {
  int64_t base = 0;  // in its key
  int64_t first = 0;
  int64_t last = 0;
  uint64_t count = 0;
  uint64_t file = 0;  // for Salvage::Get
};

/// Of an index entry: its block may be lost.
struct WreckNote {
  int64_t base = 0;  // in its key
  int64_t first = 0;
  int64_t last = 0;
  uint64_t count = 0;
  int64_t kafka_min_ms = -1;
  int64_t kafka_max_ms = -1;
  int64_t event_min_ns = INT64_MAX;  // MAX/MIN: it has no records
  int64_t event_max_ns = INT64_MIN;
  Hash128 mapping;
};

struct WreckTape {
  std::optional<TapeId> tape;  // nullopt: its name is lost
  std::optional<Checkpoint> checkpoint;
  std::optional<TapeShip> ship;
  std::vector<Gap> gaps;
  std::vector<WreckBlock> blocks;  // by first offset, the longest first
  std::vector<WreckNote> notes;    // by first offset, of equal ones the newest first
  // In keys of those that are not what was stored:
  std::vector<int64_t> broken_blocks;
  std::vector<int64_t> broken_notes;
  std::vector<int64_t> broken_gaps;
  bool broken_ship = false;
};

struct Wreck {
  std::string node;     // "": lost
  std::string cluster;  // "": lost, or never known
  std::map<TpId, WreckTape> tapes;
  std::map<Hash128, std::string> mappings;  // canonical texts
  std::map<TableId, Table> tables;
  std::map<std::string, std::string> jobs;  // `j` entries that are not of reindexing, unchecked
  /// Days that a reindex made and that count, not shipped as far as is known.
  std::map<keys::DayKey, DayEntry> rebuilt;
  std::vector<std::string> damage;  // beside the files': of entries and blocks

  static Result<Wreck> Collect(Salvage* salvage);
};

}  // namespace tapedeck

#endif  // TAPEDECK_REPAIR_WRECK_H_
