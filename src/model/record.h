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
  /// Appends value(i) for each i below `count`: a `const Value*`, or null for a null value. Several
  /// times as fast as Append. A few hundred rows at a time keep values that lie by rows in the
  /// cache from column to column.
  ///   column.AppendAll(256, [&](size_t i) { return c < counts[i] ? &values[i][c] : nullptr; });
  template <typename F>
  void AppendAll(size_t count, F value);
  /// Views into this column.
  Value At(size_t row) const;

 private:
  template <typename F>
  size_t AppendDecimals(size_t count, F value);
  template <typename F>
  void AppendNumbers(size_t count, F value);
  template <typename F>
  void AppendTexts(size_t count, F value);
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
  /// The sum of the hashes of all of `rows`, in half the time. tapes[tp] is the tape hash of each
  /// tp that occurs.
  Digest DigestOf(const Hash128& series, std::span<const Hash128> tapes, const Rows& rows);

 private:
  /// A column that is not null throughout.
  struct Source {
    const RowsColumn* column;
    uint64_t tag;
    char kind;  // of its numbers
  };
  void FindSources(const Rows& rows);
  char* Room(char* at, size_t bytes);
  char* AddText(char* at, std::string_view text);
  char* Add(char* at, uint64_t tag, const Value& value);
  char* AddRow(char* at, size_t row);

  size_t row_bytes_;             // of a canonical form without texts, at the most
  std::vector<char> buffer_;     // canonical forms, one after another
  std::vector<size_t> ends_;     // of each
  std::vector<uint32_t> order_;  // columns by name
  std::vector<uint64_t> tags_;   // by column
  std::vector<Source> sources_;  // by name
};

template <typename F>
void RowsColumn::AppendAll(size_t count, F value) {
  size_t done = 0;
  if (type == ColumnType::kDecimal) {
    done = AppendDecimals(count, value);
  } else {
    type == ColumnType::kText ? AppendTexts(count, value) : AppendNumbers(count, value);
    done = count;
  }
  for (; done < count; ++done) {
    const Value* one = value(done);
    Append(one == nullptr ? Value() : *one);
  }
}

// Stops at the first one that is text, and says how many it appended.
template <typename F>
size_t RowsColumn::AppendDecimals(size_t count, F value) {
  if (!text.empty()) return 0;
  const size_t from = scales.size();
  numbers.resize(from + count);
  scales.resize(from + count);
  int64_t* to = numbers.data() + from;
  uint8_t* scale = scales.data() + from;
  size_t done = 0;
  for (; done < count; ++done) {
    const Value* one = value(done);
    if (one != nullptr && one->kind() == Value::Kind::kDecimal) {
      to[done] = one->decimal().mantissa;
      scale[done] = one->scale();
    } else if (one == nullptr || one->is_null()) {
      to[done] = 0;
      scale[done] = kNullScale;
    } else {
      break;
    }
  }
  numbers.resize(from + done);
  scales.resize(from + done);
  return done;
}

template <typename F>
void RowsColumn::AppendNumbers(size_t count, F value) {
  const size_t from = present.size();
  numbers.resize(from + count);
  present.resize(from + count);
  int64_t* to = numbers.data() + from;
  uint8_t* is_present = present.data() + from;
  for (size_t i = 0; i < count; ++i) {
    const Value* one = value(i);
    const bool has = one != nullptr && !one->is_null();
    to[i] = has ? one->number() : 0;
    is_present[i] = has ? 1 : 0;
  }
}

template <typename F>
void RowsColumn::AppendTexts(size_t count, F value) {
  const size_t from = present.size();
  present.resize(from + count);
  text_ends.resize(from + count);
  for (size_t i = 0; i < count; ++i) {
    const Value* one = value(i);
    const bool has = one != nullptr && !one->is_null();
    if (has) text.append(one->text());
    present[from + i] = has ? 1 : 0;
    text_ends[from + i] = static_cast<uint32_t>(text.size());
  }
}

}  // namespace tapedeck

#endif  // TAPEDECK_MODEL_RECORD_H_
