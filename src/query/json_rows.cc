#include "query/json_rows.h"

#include <algorithm>
#include <charconv>

#include "base/text.h"

namespace tapedeck {
namespace {

using Source = RowFields::Source;

constexpr std::pair<std::string_view, Source> kFixedFields[] = {
    {"ts", Source::kTs},         {"symbol", Source::kSymbol},       {"ts_kafka", Source::kTsKafka},
    {"topic", Source::kTopic},   {"partition", Source::kPartition}, {"lineage", Source::kLineage},
    {"offset", Source::kOffset}, {"index", Source::kIndex},
};
// ts and symbol; the others are shown on request.
constexpr size_t kPlainFields = 2;

void AppendInteger(int64_t value, std::string* out) {
  char buffer[24];
  auto [end, error] = std::to_chars(buffer, buffer + sizeof(buffer), value);
  out->append(buffer, end);
}

int64_t FloorDivide(int64_t value, int64_t by) {
  const int64_t quotient = value / by;
  return value % by < 0 ? quotient - 1 : quotient;
}

}  // namespace

Status RowFields::Add(Field field) {
  auto same = [&](const Field& f) { return f.name == field.name; };
  if (std::any_of(fields_.begin(), fields_.end(), same)) {
    return Status::InvalidArgument("field '" + field.name + "' is named twice");
  }
  fields_.push_back(std::move(field));
  return Status::Ok();
}

Result<RowFields> RowFields::Choose(const Table& table, std::span<const std::string> wanted,
                                    Origins origins) {
  RowFields fields;
  for (const std::string& text : wanted) {
    const size_t colon = text.find(':');
    const std::string from = text.substr(0, colon);
    const std::string to = colon == std::string::npos ? from : text.substr(colon + 1);
    if (from.empty() || to.empty()) return Status::InvalidArgument("fields: a name is empty");
    Field field{Source::kColumn, from, to};
    for (const auto& [name, source] : kFixedFields) {
      if (name == from) field = {source, "", to};
    }
    if (field.source == Source::kColumn && table.FindColumn(from) < 0) {
      std::string known = "ts, symbol";
      for (const Column& column : table.columns) known += ", " + column.name;
      return Status::InvalidArgument("table '" + table.name + "' has no field " + Quoted(from) +
                                     "; it has: " + known +
                                     ", ts_kafka, topic, partition, lineage, offset, index");
    }
    TD_RETURN_IF_ERROR(fields.Add(std::move(field)));
  }
  if (wanted.empty()) {
    TD_RETURN_IF_ERROR(fields.Add({Source::kTs, "", "ts"}));
    TD_RETURN_IF_ERROR(fields.Add({Source::kSymbol, "", "symbol"}));
    for (const Column& column : table.columns) {
      TD_RETURN_IF_ERROR(fields.Add({Source::kColumn, column.name, column.name}));
    }
  }
  if (origins == Origins::kShown) {
    for (size_t i = kPlainFields; i < std::size(kFixedFields); ++i) {
      const auto& [name, source] = kFixedFields[i];
      auto there = [&, wanted_source = source](const Field& f) {
        return f.source == wanted_source;
      };
      if (std::any_of(fields.fields_.begin(), fields.fields_.end(), there)) continue;
      TD_RETURN_IF_ERROR(fields.Add({source, "", std::string(name)}));
    }
  }
  return fields;
}

std::vector<std::string> RowFields::columns() const {
  std::vector<std::string> names;
  for (const Field& field : fields_) {
    if (field.source == Source::kColumn) names.push_back(field.column);
  }
  return names;
}

RecordWriter::RecordWriter(const RowFields& fields, const RowCursor& cursor, RowStyle style)
    : cursor_(&cursor), style_(style) {
  for (const RowFields::Field& field : fields.fields()) {
    Slot slot{field.source, 0, slots_.empty() ? "{" : ",", field.name};
    AppendJsonString(field.name, &slot.json_key);
    slot.json_key += ':';
    const std::span<const Column> columns = cursor.columns();
    while (field.source == Source::kColumn && slot.column < columns.size() &&
           columns[slot.column].name != field.column) {
      ++slot.column;
    }
    slots_.push_back(std::move(slot));
  }
}

void AppendTimeText(Timestamp time, TimeStyle style, std::string* out) {
  switch (style) {
    case TimeStyle::kIso: {
      const size_t at = out->size();
      out->resize(at + kRfc3339Size);
      FormatRfc3339To(time, out->data() + at);
      return;
    }
    case TimeStyle::kNanoseconds:
      return AppendInteger(time.ns(), out);
    case TimeStyle::kMicroseconds:
      return AppendInteger(FloorDivide(time.ns(), 1'000), out);
    case TimeStyle::kMilliseconds:
      return AppendInteger(FloorDivide(time.ns(), 1'000'000), out);
    case TimeStyle::kSeconds:
      return AppendInteger(FloorDivide(time.ns(), 1'000'000'000), out);
  }
}

void RecordWriter::AppendTime(Timestamp time, Form form, std::string* out) const {
  const bool quoted = form == Form::kJson &&
                      (style_.time == TimeStyle::kIso || style_.time == TimeStyle::kNanoseconds);
  if (quoted) out->push_back('"');
  AppendTimeText(time, style_.time, out);
  if (quoted) out->push_back('"');
}

void RecordWriter::AppendNumber(std::string_view number, Form form, std::string* out) const {
  const bool quoted = form == Form::kJson && style_.numbers == NumberStyle::kString;
  if (quoted) out->push_back('"');
  out->append(number);
  if (quoted) out->push_back('"');
}

void RecordWriter::AppendText(std::string_view text, Form form, std::string* out) const {
  if (form == Form::kJson) {
    AppendJsonString(text, out);
  } else {
    out->append(text);
  }
}

bool RecordWriter::AppendValue(const Value& value, Form form, std::string* out) const {
  switch (value.kind()) {
    case Value::Kind::kNull:
      return false;
    case Value::Kind::kDecimal: {
      char buffer[kDecimalCharsMax];
      char* end = FormatDecimalTo(value.decimal(), buffer);
      AppendNumber({buffer, static_cast<size_t>(end - buffer)}, form, out);
      return true;
    }
    case Value::Kind::kDecimalText:
      AppendNumber(value.text(), form, out);
      return true;
    case Value::Kind::kInteger:
      AppendNumber(std::to_string(value.integer()), form, out);
      return true;
    case Value::Kind::kText:
      AppendText(value.text(), form, out);
      return true;
    case Value::Kind::kFlag:
      out->append(value.flag() ? "true" : "false");
      return true;
    case Value::Kind::kTimestamp:
      AppendTime(value.timestamp(), form, out);
      return true;
  }
  return false;
}

bool RecordWriter::AppendField(const Slot& slot, const RowRun& run, uint32_t row, Form form,
                               std::string* out) const {
  const Rows& rows = *run.rows;
  switch (slot.source) {
    case Source::kTs:
      AppendTime(Timestamp(rows.ts[row]), form, out);
      return true;
    case Source::kSymbol:
      AppendText(run.symbol, form, out);
      return true;
    case Source::kColumn:
      return AppendValue(rows.columns[slot.column].At(row), form, out);
    case Source::kTsKafka:
      if (rows.ts_kafka[row] == kNoKafkaTime) return false;
      AppendTime(Timestamp(rows.ts_kafka[row]), form, out);
      return true;
    case Source::kOffset:
      AppendInteger(rows.offset[row], out);
      return true;
    case Source::kIndex:
      AppendInteger(rows.index[row], out);
      return true;
    default:
      break;
  }
  const TapeId* tape = cursor_->point().FindTape(TpId{rows.tp[row]});
  if (tape == nullptr) return false;
  if (slot.source == Source::kTopic) AppendText(tape->topic, form, out);
  if (slot.source == Source::kPartition) AppendInteger(tape->partition, out);
  if (slot.source == Source::kLineage) AppendInteger(tape->lineage, out);
  return true;
}

void RecordWriter::AppendJson(const RowRun& run, uint32_t n, std::string* out) const {
  const uint32_t row = run.RowAt(n);
  for (const Slot& slot : slots_) {
    out->append(slot.json_key);
    if (!AppendField(slot, run, row, Form::kJson, out)) out->append("null");
  }
  out->push_back('}');
}

void RecordWriter::AppendCsvHeader(std::string* out) const {
  for (const Slot& slot : slots_) {
    if (&slot != &slots_.front()) out->push_back(',');
    AppendCsvField(slot.name, out);
  }
  out->append("\r\n");
}

void RecordWriter::AppendCsv(const RowRun& run, uint32_t n, std::string* out) const {
  const uint32_t row = run.RowAt(n);
  std::string text;
  for (const Slot& slot : slots_) {
    if (&slot != &slots_.front()) out->push_back(',');
    text.clear();
    if (AppendField(slot, run, row, Form::kPlain, &text)) AppendCsvField(text, out);
  }
  out->append("\r\n");
}

void RecordWriter::Cells(const RowRun& run, uint32_t n, std::vector<std::string>* cells) const {
  const uint32_t row = run.RowAt(n);
  cells->assign(slots_.size(), std::string());
  for (size_t i = 0; i < slots_.size(); ++i) {
    AppendField(slots_[i], run, row, Form::kPlain, &(*cells)[i]);
  }
}

std::vector<std::string> RecordWriter::names() const {
  std::vector<std::string> names;
  for (const Slot& slot : slots_) names.push_back(slot.name);
  return names;
}

}  // namespace tapedeck
