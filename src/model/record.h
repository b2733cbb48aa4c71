#ifndef TAPEDECK_MODEL_RECORD_H_
#define TAPEDECK_MODEL_RECORD_H_

// RecordView: one row decoded from a message, and Rows: many rows of one series as plain columns.
//
// The order of records is total: (ts, symbol, topic, partition, lineage, offset, index).
//
// record hash = XXH3-128 of its canonical form; digest of a (table, day, generation) = sum of them.
//   record := series:hash tape:hash ts:i64 ts_kafka:i64 offset:i64 index:u32 { field }
//   series := XXH3-128 of (table:blob symbol:blob)
//   tape   := XXH3-128 of (topic:blob partition:i32 lineage:u32)
//   field  := tag:u64 kind:u8 body    for each column that is not null, in order of names
//   tag    := XXH3-64 of the column's name
//   body   := decimal: mantissa:i64 scale:u8
//             text, also of a number that does not fit: blob        else: i64
// All little-endian; a hash is low half, high half; blob = length:u32 bytes. kind: 1 decimal, 2
// number as text, 3 integer, 4 text, 5 flag, 6 timestamp. (mantissa, scale) stands for the
// canonical text: each has exactly one form, and it hashes three times faster. Names make the hash
// independent of the order in which columns were declared. docs/formats.md, "Hashes".
//
// Thread-compatible.

#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/hash.h"
#include "base/time.h"
#include "model/origin.h"
#include "model/table.h"
#include "model/value.h"

namespace tapedeck {

/// Kafka timestamp of a record whose message has none (old formats).
inline constexpr int64_t kNoKafkaTime = std::numeric_limits<int64_t>::min();

struct RecordView {
  TableId table{};
  std::string_view symbol;
  Timestamp ts;
  Timestamp ts_kafka;  // Timestamp(kNoKafkaTime) where the message has none
  Origin origin;
  /// One for each column of the table, in its order; may be shorter: the rest is null.
  std::span<const Value> values;
};

/// A column of Rows. Exactly one of the vectors in use by type:
///   decimal: numbers = mantissas, scales; a row that only text can hold has scale kTextScale and
///     its text
///   integer, flag, timestamp: numbers      text: texts
struct RowsColumn {
  static constexpr uint8_t kTextScale = 255;
  static constexpr uint8_t kNullScale = 254;  // decimal column: this row is null

  ColumnType type = ColumnType::kDecimal;
  std::vector<int64_t> numbers;  // 0 where null
  std::vector<uint8_t> scales;   // decimal only
  std::vector<uint8_t> present;  // other types: 1 or 0 per row
  /// Text: end of each row's text in `text`; decimal: the same, empty while no row is kTextScale.
  std::vector<uint32_t> text_ends;
  std::string text;

  void Clear();
  void Append(const Value& value);  // the value's kind fits the type
  /// Views into this column.
  Value At(size_t row) const;
};

/// Rows of one series (table, symbol), any number, in any order the owner likes. All vectors have
/// size() elements.
struct Rows {
  std::vector<int64_t> ts;
  std::vector<int64_t> ts_kafka;
  std::vector<uint32_t> tp;
  std::vector<int64_t> offset;
  std::vector<uint32_t> index;
  /// As the table's columns at the time; later columns may be absent at the end.
  std::vector<RowsColumn> columns;

  size_t size() const { return ts.size(); }
  void Clear();  // keeps columns and their memory
  Origin OriginAt(size_t row) const { return {TpId{tp[row]}, offset[row], index[row]}; }
};

/// Hash of a series for RecordHasher: its table's name and its symbol.
Hash128 SeriesHash(std::string_view table, std::string_view symbol);
/// Hash of a tape for RecordHasher: topic, partition and lineage (not the cluster, which only names
/// where it was read).
Hash128 TapeHash(const TapeId& tape);

/// Computes record hashes of one table; keeps buffers. Owned by one thread.
class RecordHasher {
 public:
  /// `table` outlives the hasher; when columns were added to it, make a new hasher.
  explicit RecordHasher(const Table& table);
  Hash128 Hash(const Hash128& series, const Hash128& tape, const RecordView& record);
  /// Of one row of `rows`, whose columns are the table's first ones.
  Hash128 Hash(const Hash128& series, const Hash128& tape, const Rows& rows, size_t row);

 private:
  void Start(const Hash128& series, const Hash128& tape, int64_t ts, int64_t ts_kafka,
             int64_t offset, uint32_t index);
  void Add(uint64_t tag, const Value& value);

  std::string buffer_;
  std::vector<uint32_t> order_;  // columns by name
  std::vector<uint64_t> tags_;   // by column
};

}  // namespace tapedeck

#endif  // TAPEDECK_MODEL_RECORD_H_
