#include "model/record.h"

#include <algorithm>
#include <cstring>
#include <numeric>

#include "base/bytes.h"
#include "base/check.h"

namespace tapedeck {
namespace {

void PutSized(std::string* out, std::string_view bytes) {
  PutLittle32(out, static_cast<uint32_t>(bytes.size()));
  out->append(bytes);
}

// Bytes of a canonical form before its fields, and the most of a field that is no text.
constexpr size_t kHeadBytes = 2 * sizeof(Hash128) + 3 * sizeof(int64_t) + sizeof(uint32_t);
constexpr size_t kFieldBytes = 2 * sizeof(uint64_t) + 2;

// Rows are written this many bytes at a time before they are hashed: a load that follows the
// stores of its bytes at once would wait for them.
constexpr size_t kTileBytes = 8192;

template <typename T>
char* PutFixed(char* at, T value) {
  std::memcpy(at, &value, sizeof value);
  return at + sizeof value;
}

char* PutHead(char* at, const Hash128& series, const Hash128& tape, int64_t ts, int64_t ts_kafka,
              int64_t offset, uint32_t index) {
  at = PutFixed(PutFixed(at, series.low), series.high);
  at = PutFixed(PutFixed(at, tape.low), tape.high);
  at = PutFixed(PutFixed(PutFixed(at, ts), ts_kafka), offset);
  return PutFixed(at, index);
}

char KindByte(Value::Kind kind) {
  switch (kind) {
    case Value::Kind::kNull:
      return 0;
    case Value::Kind::kDecimal:
      return 1;
    case Value::Kind::kDecimalText:
      return 2;
    case Value::Kind::kInteger:
      return 3;
    case Value::Kind::kText:
      return 4;
    case Value::Kind::kFlag:
      return 5;
    case Value::Kind::kTimestamp:
      return 6;
  }
  return 0;
}

// Of a column's numbers.
Value::Kind KindOf(ColumnType type) {
  switch (type) {
    case ColumnType::kDecimal:
      return Value::Kind::kDecimal;
    case ColumnType::kInteger:
      return Value::Kind::kInteger;
    case ColumnType::kFlag:
      return Value::Kind::kFlag;
    case ColumnType::kTimestamp:
      return Value::Kind::kTimestamp;
    case ColumnType::kText:
      return Value::Kind::kText;
  }
  return Value::Kind::kNull;
}

Value FromNumber(ColumnType type, int64_t number) {
  switch (type) {
    case ColumnType::kInteger:
      return Value::OfInteger(number);
    case ColumnType::kFlag:
      return Value::OfFlag(number != 0);
    case ColumnType::kTimestamp:
      return Value::OfTimestamp(Timestamp(number));
    default:
      return {};
  }
}

}  // namespace

void RowsColumn::Clear() {
  numbers.clear();
  scales.clear();
  present.clear();
  text_ends.clear();
  text.clear();
}

void RowsColumn::Append(const Value& value) {
  switch (type) {
    case ColumnType::kDecimal:
      numbers.push_back(value.kind() == Value::Kind::kDecimal ? value.number() : 0);
      if (value.kind() == Value::Kind::kDecimal) {
        scales.push_back(value.scale());
      } else {
        TD_CHECK(value.is_null() || value.kind() == Value::Kind::kDecimalText, "a decimal column");
        scales.push_back(value.is_null() ? kNullScale : kTextScale);
        if (!value.is_null())
          text_ends.resize(scales.size() - 1, static_cast<uint32_t>(text.size()));
        text.append(value.text());
      }
      if (!text.empty()) text_ends.push_back(static_cast<uint32_t>(text.size()));
      return;
    case ColumnType::kText:
      TD_CHECK(value.is_null() || value.kind() == Value::Kind::kText, "a text column");
      present.push_back(value.is_null() ? 0 : 1);
      text.append(value.text());
      text_ends.push_back(static_cast<uint32_t>(text.size()));
      return;
    default:
      present.push_back(value.is_null() ? 0 : 1);
      numbers.push_back(value.number());
      return;
  }
}

Value RowsColumn::At(size_t row) const {
  auto text_at = [&] {
    size_t begin = row == 0 ? 0 : text_ends[row - 1];
    return std::string_view(text).substr(begin, text_ends[row] - begin);
  };
  if (type == ColumnType::kDecimal) {
    if (scales[row] == kNullScale) return {};
    if (scales[row] == kTextScale) return Value::OfDecimalText(text_at());
    return Value::OfDecimal({numbers[row], scales[row]});
  }
  if (present[row] == 0) return {};
  if (type == ColumnType::kText) return Value::OfText(text_at());
  return FromNumber(type, numbers[row]);
}

void Rows::Clear() {
  ts.clear();
  ts_kafka.clear();
  tp.clear();
  offset.clear();
  index.clear();
  for (RowsColumn& column : columns) column.Clear();
}

Hash128 SeriesHash(std::string_view table, std::string_view symbol) {
  std::string bytes;
  PutSized(&bytes, table);
  PutSized(&bytes, symbol);
  return HashBytes(bytes);
}

Hash128 TapeHash(const TapeId& tape) {
  std::string bytes;
  PutSized(&bytes, tape.topic);
  PutLittle32(&bytes, static_cast<uint32_t>(tape.partition));
  PutLittle32(&bytes, tape.lineage);
  return HashBytes(bytes);
}

RecordHasher::RecordHasher(const Table& table)
    : row_bytes_(kHeadBytes + kFieldBytes * table.columns.size()),
      buffer_(row_bytes_),
      order_(table.columns.size()) {
  std::iota(order_.begin(), order_.end(), 0u);
  std::sort(order_.begin(), order_.end(),
            [&](uint32_t a, uint32_t b) { return table.columns[a].name < table.columns[b].name; });
  for (const Column& column : table.columns) tags_.push_back(HashBytes64(column.name));
}

char* RecordHasher::Room(char* at, size_t bytes) {
  const auto used = static_cast<size_t>(at - buffer_.data());
  if (buffer_.size() - used < bytes) buffer_.resize(2 * buffer_.size() + bytes);
  return buffer_.data() + used;
}

// Leaves room for as much again as a row without texts.
char* RecordHasher::AddText(char* at, std::string_view text) {
  at = Room(at, sizeof(uint32_t) + text.size() + row_bytes_);
  at = PutFixed(at, static_cast<uint32_t>(text.size()));
  return std::copy(text.begin(), text.end(), at);
}

char* RecordHasher::Add(char* at, uint64_t tag, const Value& value) {
  if (value.is_null()) return at;
  at = PutFixed(at, tag);
  *at++ = KindByte(value.kind());
  if (value.has_text()) return AddText(at, value.text());
  at = PutFixed(at, value.number());
  if (value.kind() == Value::Kind::kDecimal) *at++ = static_cast<char>(value.scale());
  return at;
}

Hash128 RecordHasher::Hash(const Hash128& series, const Hash128& tape, const RecordView& record) {
  char* at = PutHead(buffer_.data(), series, tape, record.ts.ns(), record.ts_kafka.ns(),
                     record.origin.offset, record.origin.index);
  for (uint32_t column : order_) {
    if (column < record.values.size()) at = Add(at, tags_[column], record.values[column]);
  }
  return HashBytes({buffer_.data(), at});
}

Hash128 RecordHasher::Hash(const Hash128& series, const Hash128& tape, const Rows& rows,
                           size_t row) {
  char* at = PutHead(buffer_.data(), series, tape, rows.ts[row], rows.ts_kafka[row],
                     rows.offset[row], rows.index[row]);
  for (uint32_t column : order_) {
    if (column < rows.columns.size()) at = Add(at, tags_[column], rows.columns[column].At(row));
  }
  return HashBytes({buffer_.data(), at});
}

void RecordHasher::FindSources(const Rows& rows) {
  sources_.clear();
  for (uint32_t number : order_) {
    if (number >= rows.columns.size()) continue;
    const RowsColumn& column = rows.columns[number];
    const bool null =
        column.type == ColumnType::kDecimal
            ? std::ranges::all_of(column.scales,
                                  [](uint8_t s) { return s == RowsColumn::kNullScale; })
            : std::ranges::all_of(column.present, [](uint8_t p) { return p == 0; });
    if (!null) sources_.push_back({&column, tags_[number], KindByte(KindOf(column.type))});
  }
}

char* RecordHasher::AddRow(char* at, size_t row) {
  for (const Source& source : sources_) {
    const RowsColumn& column = *source.column;
    if (column.type == ColumnType::kDecimal) {
      const uint8_t scale = column.scales[row];
      if (scale <= kDecimalScaleMax) {
        at = PutFixed(PutFixed(at, source.tag), source.kind);
        at = PutFixed(PutFixed(at, column.numbers[row]), scale);
        continue;
      }
    } else if (column.type != ColumnType::kText) {
      if (column.present[row] == 0) continue;
      at = PutFixed(PutFixed(at, source.tag), source.kind);
      at = PutFixed(at, column.numbers[row]);
      continue;
    }
    at = Add(at, source.tag, column.At(row));
  }
  return at;
}

Digest RecordHasher::DigestOf(const Hash128& series, std::span<const Hash128> tapes,
                              const Rows& rows) {
  Digest sum;
  FindSources(rows);
  for (size_t row = 0; row < rows.size();) {
    ends_.clear();
    char* at = buffer_.data();
    do {
      TD_CHECK(rows.tp[row] < tapes.size(), "every tape has its hash");
      at = PutHead(Room(at, row_bytes_), series, tapes[rows.tp[row]], rows.ts[row],
                   rows.ts_kafka[row], rows.offset[row], rows.index[row]);
      at = AddRow(at, row);
      ends_.push_back(static_cast<size_t>(at - buffer_.data()));
    } while (++row < rows.size() && ends_.back() < kTileBytes);
    size_t from = 0;
    for (size_t end : ends_) {
      sum += HashBytes({buffer_.data() + from, end - from});
      from = end;
    }
  }
  return sum;
}

}  // namespace tapedeck
