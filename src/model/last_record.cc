#include "model/last_record.h"

#include <algorithm>
#include <tuple>

#include "base/bytes.h"
#include "base/check.h"
#include "base/limits.h"

namespace tapedeck {
namespace {

/// Persisted.
enum class Tag : uint8_t {
  kNull = 0,
  kDecimal = 1,
  kDecimalText = 2,
  kInteger = 3,
  kText = 4,
  kFlag = 5,
  kTimestamp = 6,
};

void PutTag(Tag tag, std::string* out) { out->push_back(static_cast<char>(tag)); }

void PutValue(const Value& value, std::string* out) {
  switch (value.kind()) {
    case Value::Kind::kNull:
      return PutTag(Tag::kNull, out);
    case Value::Kind::kDecimal:
      PutTag(Tag::kDecimal, out);
      PutVarint(out, ZigZag(value.number()));
      return out->push_back(static_cast<char>(value.scale()));
    case Value::Kind::kDecimalText:
      PutTag(Tag::kDecimalText, out);
      return PutBlob(out, value.text());
    case Value::Kind::kInteger:
      PutTag(Tag::kInteger, out);
      return PutVarint(out, ZigZag(value.number()));
    case Value::Kind::kText:
      PutTag(Tag::kText, out);
      return PutBlob(out, value.text());
    case Value::Kind::kFlag:
      PutTag(Tag::kFlag, out);
      return out->push_back(value.flag() ? 1 : 0);
    case Value::Kind::kTimestamp:
      PutTag(Tag::kTimestamp, out);
      return PutVarint(out, ZigZag(value.number()));
  }
}

Value ReadValue(ByteReader* reader) {
  switch (static_cast<Tag>(reader->Byte())) {
    case Tag::kNull:
      return {};
    case Tag::kDecimal: {
      const int64_t mantissa = UnZigZag(reader->Varint());
      const uint8_t scale = reader->Byte();
      if (scale > kDecimalScaleMax) break;
      return Value::OfDecimal({mantissa, scale});
    }
    case Tag::kDecimalText:
      return Value::OfDecimalText(reader->Blob());
    case Tag::kInteger:
      return Value::OfInteger(UnZigZag(reader->Varint()));
    case Tag::kText:
      return Value::OfText(reader->Blob());
    case Tag::kFlag:
      return Value::OfFlag(reader->Byte() != 0);
    case Tag::kTimestamp:
      return Value::OfTimestamp(Timestamp(UnZigZag(reader->Varint())));
  }
  reader->Fail();
  return {};
}

}  // namespace

RecordOrder::RecordOrder(const Table* table, const TapeRanks* ranks)
    : table_(table), ranks_(ranks) {
  for (const std::string& name : table->identity) {
    if (name == "ts" || name == "symbol") continue;
    const int column = table->FindColumn(name);
    TD_CHECK(column >= 0, "an identity names columns of its table");
    identity_.push_back(static_cast<size_t>(column));
  }
}

int RecordOrder::CompareIdentity(const RecordView& a, const RecordView& b) const {
  std::string x, y;
  for (size_t column : identity_) {
    const Value u = column < a.values.size() ? a.values[column] : Value();
    const Value v = column < b.values.size() ? b.values[column] : Value();
    if (u.is_null() != v.is_null()) return u.is_null() ? -1 : 1;
    x.clear();
    y.clear();
    u.AppendCanonical(&x);
    v.AppendCanonical(&y);
    if (const int order = x.compare(y); order != 0) return order;
  }
  return 0;
}

bool RecordOrder::Before(const RecordView& a, const RecordView& b) const {
  if (a.ts != b.ts) return a.ts < b.ts;
  if (table_->upsert()) {
    if (const int order = CompareIdentity(a, b); order != 0) return order < 0;
    if (a.ts_kafka != b.ts_kafka) return a.ts_kafka < b.ts_kafka;
  }
  const uint32_t rank_a = (*ranks_)[a.origin.tp];
  const uint32_t rank_b = (*ranks_)[b.origin.tp];
  return std::tie(rank_a, a.origin.offset, a.origin.index) <
         std::tie(rank_b, b.origin.offset, b.origin.index);
}

std::string EncodeLastRecord(const RecordView& record) {
  size_t count = record.values.size();
  while (count > 0 && record.values[count - 1].is_null()) --count;
  std::string out;
  PutVarint(&out, Raw(record.origin.tp));
  PutVarint(&out, ZigZag(record.origin.offset));
  PutVarint(&out, record.origin.index);
  PutVarint(&out, ZigZag(record.ts_kafka.ns()));
  PutVarint(&out, count);
  for (const Value& value : record.values.first(count)) {
    PutValue(value, &out);
    if (out.size() > kLastRecordBytesMax) return "";
  }
  return out;
}

Status DecodeLastRecord(Timestamp ts, std::string_view bytes, LastRecord* out) {
  ByteReader reader(bytes);
  out->record = RecordView{};
  out->record.ts = ts;
  out->record.origin.tp = TpId{static_cast<uint32_t>(reader.Varint())};
  out->record.origin.offset = UnZigZag(reader.Varint());
  out->record.origin.index = static_cast<uint32_t>(reader.Varint());
  out->record.ts_kafka = Timestamp(UnZigZag(reader.Varint()));
  const uint64_t count = reader.Varint();
  if (count > limits::kTableColumnsMax) reader.Fail();
  out->values.clear();
  for (uint64_t i = 0; reader.ok() && i < count; ++i) out->values.push_back(ReadValue(&reader));
  if (!reader.done()) return Status::Corruption("stored last record is damaged");
  out->record.values = out->values;
  return Status::Ok();
}

Status WidenCatalog(const RecordOrder& order, Timestamp first, uint64_t rows,
                    const RecordView& newest, CatalogEntry* entry) {
  bool wins = entry->rows == 0 || newest.ts > entry->last_ts;
  if (!wins && newest.ts == entry->last_ts && !entry->last.empty()) {
    LastRecord held;
    TD_RETURN_IF_ERROR(DecodeLastRecord(entry->last_ts, entry->last, &held));
    wins = order.Before(held.record, newest);
  }
  if (wins) entry->last = EncodeLastRecord(newest);
  entry->first_ts = entry->rows == 0 ? first : std::min(entry->first_ts, first);
  entry->last_ts = entry->rows == 0 ? newest.ts : std::max(entry->last_ts, newest.ts);
  entry->rows += rows;
  return Status::Ok();
}

}  // namespace tapedeck
