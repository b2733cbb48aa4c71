#include "codec/record_buffer.h"

#include <flatbuffers/flatbuffers.h>

#include <vector>

#include "codec/record_generated.h"

namespace tapedeck {
namespace {

feed::FieldKind KindOf(const Value& value) {
  switch (value.kind()) {
    case Value::Kind::kNull:
      return feed::FieldKind::Null;
    case Value::Kind::kDecimal:
      return feed::FieldKind::Decimal;
    case Value::Kind::kDecimalText:
      return feed::FieldKind::DecimalText;
    case Value::Kind::kInteger:
      return feed::FieldKind::Integer;
    case Value::Kind::kText:
      return feed::FieldKind::Text;
    case Value::Kind::kFlag:
      return feed::FieldKind::Flag;
    case Value::Kind::kTimestamp:
      return feed::FieldKind::Timestamp;
  }
  return feed::FieldKind::Null;
}

}  // namespace

struct RecordBuffer::State {
  flatbuffers::FlatBufferBuilder builder;
  std::vector<flatbuffers::Offset<feed::Field>> fields;

  flatbuffers::Offset<flatbuffers::String> Text(std::string_view text) {
    return builder.CreateString(text.data(), text.size());
  }
};

RecordBuffer::RecordBuffer() : state_(std::make_unique<State>()) {}
RecordBuffer::~RecordBuffer() = default;
RecordBuffer::RecordBuffer(RecordBuffer&&) noexcept = default;
RecordBuffer& RecordBuffer::operator=(RecordBuffer&&) noexcept = default;

std::string_view RecordBuffer::Encode(const Table& table, std::string_view symbol, Timestamp ts,
                                      Timestamp ts_kafka, const TapeId& tape, int64_t offset,
                                      uint32_t index, std::span<const Value> values) {
  flatbuffers::FlatBufferBuilder& builder = state_->builder;
  builder.Clear();
  state_->fields.clear();
  for (size_t i = 0; i < table.columns.size(); ++i) {
    const Value value = i < values.size() ? values[i] : Value();
    const auto name = state_->Text(table.columns[i].name);
    flatbuffers::Offset<flatbuffers::String> text;
    if (value.has_text()) text = state_->Text(value.text());
    const uint8_t scale = value.kind() == Value::Kind::kDecimal ? value.scale() : uint8_t{0};
    state_->fields.push_back(
        feed::CreateField(builder, name, KindOf(value), value.number(), scale, text));
  }
  const auto fields = builder.CreateVector(state_->fields);
  const auto table_name = state_->Text(table.name);
  const auto symbol_text = state_->Text(symbol);
  const auto topic = state_->Text(tape.topic);
  feed::FinishRecordBuffer(
      builder, feed::CreateRecord(builder, table_name, symbol_text, ts.ns(), ts_kafka.ns(), fields,
                                  topic, tape.partition, tape.lineage, offset, index));
  return {reinterpret_cast<const char*>(builder.GetBufferPointer()), builder.GetSize()};
}

}  // namespace tapedeck
