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

uint8_t KindByte(Value::Kind kind) {
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

RecordHasher::RecordHasher(const Table& table) : order_(table.columns.size()) {
  std::iota(order_.begin(), order_.end(), 0u);
  std::sort(order_.begin(), order_.end(),
            [&](uint32_t a, uint32_t b) { return table.columns[a].name < table.columns[b].name; });
  for (const Column& column : table.columns) tags_.push_back(HashBytes64(column.name));
}

void RecordHasher::Start(const Hash128& series, const Hash128& tape, int64_t ts, int64_t ts_kafka,
                         int64_t offset, uint32_t index) {
  buffer_.clear();
  PutLittle64(&buffer_, series.low);
  PutLittle64(&buffer_, series.high);
  PutLittle64(&buffer_, tape.low);
  PutLittle64(&buffer_, tape.high);
  PutLittle64(&buffer_, static_cast<uint64_t>(ts));
  PutLittle64(&buffer_, static_cast<uint64_t>(ts_kafka));
  PutLittle64(&buffer_, static_cast<uint64_t>(offset));
  PutLittle32(&buffer_, index);
}

void RecordHasher::Add(uint64_t tag, const Value& value) {
  if (value.is_null()) return;
  PutLittle64(&buffer_, tag);
  buffer_.push_back(static_cast<char>(KindByte(value.kind())));
  if (value.has_text()) {
    PutSized(&buffer_, value.text());
    return;
  }
  PutLittle64(&buffer_, static_cast<uint64_t>(value.number()));
  if (value.kind() == Value::Kind::kDecimal) buffer_.push_back(static_cast<char>(value.scale()));
}

Hash128 RecordHasher::Hash(const Hash128& series, const Hash128& tape, const RecordView& record) {
  Start(series, tape, record.ts.ns(), record.ts_kafka.ns(), record.origin.offset,
        record.origin.index);
  for (uint32_t column : order_) {
    if (column < record.values.size()) Add(tags_[column], record.values[column]);
  }
  return HashBytes(buffer_);
}

Hash128 RecordHasher::Hash(const Hash128& series, const Hash128& tape, const Rows& rows,
                           size_t row) {
  Start(series, tape, rows.ts[row], rows.ts_kafka[row], rows.offset[row], rows.index[row]);
  for (uint32_t column : order_) {
    if (column < rows.columns.size()) Add(tags_[column], rows.columns[column].At(row));
  }
  return HashBytes(buffer_);
}

}  // namespace tapedeck
