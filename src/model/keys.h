#ifndef TAPEDECK_MODEL_KEYS_H_
#define TAPEDECK_MODEL_KEYS_H_

// Keys of the store: one letter, then fixed-width big-endian integers (signed ones with the sign
// bit flipped) and escaped byte strings, so that bytewise order is the order of the fields.
//
//   key :=
//     'a' tp:u32                                              what the archive has of a tape
//     'm' name                                                meta: format version, node id, …
//     'v' hash:16                                             mapping
//     'k' table:u16                                           table
//     'p' tp:u32                                              tape id of a tp id
//     'c' tp:u32                                              checkpoint
//     'g' tp:u32 from:i64                                     gap
//     't' tp:u32 base:i64                                     tape block
//     'x' tp:u32 base:i64                                     tape index entry
//     's' table:u16 day:i32 generation:u32 symbol:escaped first_ts:i64 flush:u64 block:u32
//       series block
//     'y' table:u16 symbol:escaped                            catalog entry
//     'd' table:u16 day:i32 generation:u32                    state of a day
//     'e' tp:u32 offset:i64                                   refusal
//     'o' name                                                object to be put
//     'j' job                                                 job
//   escaped := each byte; 0x00 as 0x01 0x01, 0x01 as 0x01 0x02; ended by 0x00
//
// An escaped string sorts as its bytes do, and no escaped string is a prefix of another.
// docs/formats.md, "Keys".
//
// Thread-safe: pure functions.

#include <cstdint>
#include <string>
#include <string_view>

#include "base/hash.h"
#include "base/status.h"
#include "base/time.h"
#include "model/origin.h"
#include "model/table.h"

namespace tapedeck::keys {

/// Persisted.
enum class Prefix : char {
  kTapeShip = 'a',
  kMeta = 'm',
  kMapping = 'v',
  kTable = 'k',
  kTape = 'p',
  kCheckpoint = 'c',
  kGap = 'g',
  kTapeBlock = 't',
  kTapeIndex = 'x',
  kSeries = 's',
  kCatalog = 'y',
  kDay = 'd',
  kRefusal = 'e',
  kObject = 'o',
  kJob = 'j',
};

std::string Meta(std::string_view name);
std::string Mapping(const Hash128& hash);
std::string Table(TableId table);
std::string Tape(TpId tp);
std::string Checkpoint(TpId tp);
std::string TapeShip(TpId tp);
std::string Gap(TpId tp, int64_t from);
std::string TapeBlock(TpId tp, int64_t base_offset);
std::string TapeIndex(TpId tp, int64_t base_offset);
std::string Catalog(TableId table, std::string_view symbol);
std::string DayState(TableId table, Day day, uint32_t generation);
std::string Refusal(TpId tp, int64_t offset);
std::string Object(std::string_view name);
std::string Job(std::string_view id);
/// The name.
Result<std::string> ParseObject(std::string_view key);
/// Of a job key.
Result<std::string> ParseJob(std::string_view key);

struct SeriesKey {
  TableId table{};
  Day day;
  uint32_t generation = 0;
  std::string symbol;
  Timestamp first_ts;
  uint64_t flush = 0;
  uint32_t block = 0;
  bool operator==(const SeriesKey&) const = default;
};
std::string Series(const SeriesKey& key);
/// All blocks of (table, day, generation, symbol), of (table, day, generation), of (table, day): a
/// scan starts here.
std::string SeriesPrefix(TableId table, Day day, uint32_t generation, std::string_view symbol);
std::string SeriesPrefix(TableId table, Day day, uint32_t generation);
std::string SeriesPrefix(TableId table, Day day);
std::string SeriesPrefix(TableId table);
Result<SeriesKey> ParseSeries(std::string_view key);

struct CatalogKey {
  TableId table{};
  std::string symbol;
};
Result<CatalogKey> ParseCatalog(std::string_view key);

struct TpOffsetKey {
  TpId tp{};
  int64_t offset = 0;
};
/// Of a gap, tape block, tape index or refusal key.
Result<TpOffsetKey> ParseTpOffset(std::string_view key);
/// Of a tape, checkpoint or `a` key.
Result<TpId> ParseTp(std::string_view key);

struct DayKey {
  TableId table{};
  Day day;
  uint32_t generation = 0;
  auto operator<=>(const DayKey&) const = default;
};
Result<DayKey> ParseDayState(std::string_view key);

/// The first key after every key that starts with `prefix`: an exclusive upper bound of a scan. ""
/// when there is none.
std::string After(std::string_view prefix);

void AppendEscaped(std::string* out, std::string_view bytes);

}  // namespace tapedeck::keys

#endif  // TAPEDECK_MODEL_KEYS_H_
