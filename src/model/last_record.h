#ifndef TAPEDECK_MODEL_LAST_RECORD_H_
#define TAPEDECK_MODEL_LAST_RECORD_H_

// The newest record of a series, as its catalog entry keeps it, and the order that says which one
// that is.
//
// Of an append table: the greatest by (ts, topic, partition, lineage, offset, index). Of an upsert
// table: by (ts, the rest of the identity as canonical text, null first), and of the copies of that
// identity by (ts_kafka, topic, partition, lineage, offset, index).
//
//   RecordOrder order(&table, &ranks);
//   if (order.Before(held, record)) held = record;
//   entry.last = EncodeLastRecord(held);
//
// Layout, after which the catalog entry ends:
//   last  := tp:varint offset:zigzag index:varint ts_kafka:zigzag values:varint { value }
//   value := 0                              null
//          | 1 mantissa:zigzag scale:u8     decimal
//          | 2 blob                         number as text
//          | 3 zigzag                       integer
//          | 4 blob                         text
//          | 5 u8                           flag
//          | 6 zigzag                       timestamp, nanoseconds
// Nulls at the end are left out. A record that would take more than kLastRecordBytesMax is "":
// unknown.
//
// Thread-safe: pure functions; a RecordOrder is immutable.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "model/chunk.h"
#include "model/record.h"
#include "model/stored.h"
#include "model/table.h"

namespace tapedeck {

/// A catalog entry is read with every `latest`: what is longer is found in its block.
inline constexpr size_t kLastRecordBytesMax = 4096;

class RecordOrder {
 public:
  /// Both outlive it.
  RecordOrder(const Table* table, const TapeRanks* ranks);
  /// Of two records of one series: whether `a` comes before `b`.
  bool Before(const RecordView& a, const RecordView& b) const;

 private:
  int CompareIdentity(const RecordView& a, const RecordView& b) const;

  const Table* table_;
  const TapeRanks* ranks_;
  std::vector<size_t> identity_;  // upsert: columns of the identity but symbol and ts
};

/// "" where it is too long.
std::string EncodeLastRecord(const RecordView& record);

struct LastRecord {
  RecordView record;  // without table and symbol; texts are views into the bytes
  std::vector<Value> values;
};
/// `ts`: the entry's last_ts. kCorruption for bytes that EncodeLastRecord does not write. `out`
/// keeps its memory; out->record.values is out->values.
Status DecodeLastRecord(Timestamp ts, std::string_view bytes, LastRecord* out);

/// Widens the entry by `rows` more records that begin at `first` and whose newest is `newest`.
/// kCorruption: the entry's own last record cannot be read.
Status WidenCatalog(const RecordOrder& order, Timestamp first, uint64_t rows,
                    const RecordView& newest, CatalogEntry* entry);

}  // namespace tapedeck

#endif  // TAPEDECK_MODEL_LAST_RECORD_H_
