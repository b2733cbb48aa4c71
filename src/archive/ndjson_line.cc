#include "archive/ndjson_line.h"

#include <charconv>
#include <exception>
#include <nlohmann/json.hpp>

#include "archive/written_decimal.h"
#include "base/encoding.h"
#include "base/text.h"
#include "base/time.h"

namespace tapedeck {

/// What nlohmann calls for the pieces of a line.
class NdjsonLineReader {
 public:
  using Json = nlohmann::json;
  using Kind = NdjsonLine::Kind;
  explicit NdjsonLineReader(NdjsonLine* line) : line_(line) {}

  const std::string& wrong() const { return wrong_; }

  bool null() { return Set(Kind::kNull, ""); }
  bool boolean(bool flag) {
    if (!Set(Kind::kFlag, "")) return false;
    if (field_ != nullptr) field_->flag = flag;
    return true;
  }
  // Called for what begins with '-' only; of "-0" the sign is lost on the way.
  bool number_integer(int64_t value) {
    return Set(Kind::kNumber, value == 0 ? "-0" : std::to_string(value));
  }
  bool number_unsigned(uint64_t value) { return Set(Kind::kNumber, std::to_string(value)); }
  bool number_float(double, const std::string& written) { return Set(Kind::kNumber, written); }
  bool string(std::string& text) {
    if (depth_ < 2) return Set(Kind::kText, text);
    const Result<std::string> bytes = FromBase64(text);
    return bytes.ok() ? Set(Kind::kText, *bytes) : Refuse("what should be base64 is none");
  }
  bool binary(Json::binary_t&) { return Refuse("bytes"); }
  bool start_object(size_t) {
    if (++depth_ > 2) return Refuse("too deep");
    return depth_ == 1 || has_key_ || Refuse("an object without a key");
  }
  bool key(std::string& name) {
    if (depth_ == 2) return name == "base64" || Refuse("an object where there should be none");
    const auto found = line_->places_.find(name);
    field_ = found == line_->places_.end() ? nullptr : &line_->fields_[found->second];
    has_key_ = true;
    return field_ == nullptr || field_->kind == Kind::kAbsent || Refuse("a key comes twice");
  }
  bool end_object() {
    --depth_;
    return true;
  }
  bool start_array(size_t) { return Refuse("an array"); }
  bool end_array() { return true; }
  bool parse_error(size_t, const std::string&, const nlohmann::detail::exception& e) {
    return Refuse(e.what());
  }

 private:
  bool Set(Kind kind, const std::string& text) {
    if (depth_ == 0) return Refuse("no object");
    if (field_ == nullptr) return true;
    if (field_->kind != Kind::kAbsent) return Refuse("a value comes twice");
    field_->kind = kind;
    field_->text = text;
    return true;
  }
  bool Refuse(std::string what) {
    wrong_ = std::move(what);
    return false;
  }

  NdjsonLine* line_;
  NdjsonLine::Field* field_ = nullptr;
  bool has_key_ = false;
  int depth_ = 0;
  std::string wrong_;
};

NdjsonLine::NdjsonLine(const Table& table) : columns_(table.columns) {
  constexpr const char* kNames[kPlaces] = {"ts",        "symbol",  "ts_kafka", "topic",
                                           "partition", "lineage", "offset",   "index"};
  for (size_t i = 0; i < kPlaces; ++i) places_.emplace(kNames[i], i);
  for (size_t i = 0; i < columns_.size(); ++i) places_.emplace(columns_[i].name, kPlaces + i);
  fields_.resize(kPlaces + columns_.size());
}

Status NdjsonLine::Parse(std::string_view line) {
  for (Field& field : fields_) field.kind = Kind::kAbsent;
  NdjsonLineReader reader(this);
  bool ok = false;
  try {
    ok = nlohmann::json::sax_parse(line.begin(), line.end(), &reader);
  } catch (const std::exception& e) {
    return Status::Corruption(e.what());
  }
  if (!ok) return Status::Corruption(reader.wrong());
  for (size_t place : {kSymbol, kTopic}) {
    if (fields_[place].kind != Kind::kText) return Status::Corruption("no symbol or topic");
  }
  TD_ASSIGN_OR_RETURN(const int64_t partition, Integer(kPartition, INT32_MIN, INT32_MAX));
  TD_ASSIGN_OR_RETURN(const int64_t lineage, Integer(kLineage, 0, UINT32_MAX));
  tape_ = {.cluster = "",
           .topic = fields_[kTopic].text,
           .lineage = static_cast<uint32_t>(lineage),
           .partition = static_cast<int32_t>(partition)};
  return Status::Ok();
}

Result<int64_t> NdjsonLine::Integer(size_t place, int64_t least, int64_t greatest) const {
  const Field& field = fields_[place];
  int64_t value = 0;
  const char* end = field.text.data() + field.text.size();
  const auto [stop, error] = std::from_chars(field.text.data(), end, value);
  if (field.kind != Kind::kNumber || error != std::errc() || stop != end || value < least ||
      value > greatest) {
    return Status::Corruption("no integer: " + Quoted(field.text));
  }
  return value;
}

Result<int64_t> NdjsonLine::Time(size_t place) const {
  const Field& field = fields_[place];
  const Result<Timestamp> time = ParseRfc3339(field.text);
  if (field.kind != Kind::kText || !time.ok()) {
    return Status::Corruption("no time: " + Quoted(field.text));
  }
  return time->ns();
}

Result<Value> NdjsonLine::ValueOf(size_t place, ColumnType type) {
  const Field& field = fields_[place];
  if (field.kind == Kind::kNull || field.kind == Kind::kAbsent) return Value();
  switch (type) {
    case ColumnType::kTimestamp: {
      TD_ASSIGN_OR_RETURN(const int64_t ns, Time(place));
      return Value::OfTimestamp(Timestamp(ns));
    }
    case ColumnType::kDecimal:
      if (field.kind != Kind::kNumber) break;
      return WrittenDecimal(field.text, &number_);
    case ColumnType::kInteger: {
      TD_ASSIGN_OR_RETURN(const int64_t number, Integer(place, INT64_MIN, INT64_MAX));
      return Value::OfInteger(number);
    }
    case ColumnType::kText:
      if (field.kind != Kind::kText) break;
      return Value::OfText(field.text);
    case ColumnType::kFlag:
      if (field.kind != Kind::kFlag) break;
      return Value::OfFlag(field.flag);
  }
  return Status::Corruption("a value of another type");
}

Status NdjsonLine::AppendTo(TpId tp, Rows* rows) {
  TD_ASSIGN_OR_RETURN(const int64_t ts, Time(kTs));
  int64_t kafka = kNoKafkaTime;
  if (fields_[kTsKafka].kind != Kind::kNull) {
    TD_ASSIGN_OR_RETURN(kafka, Time(kTsKafka));
  }
  TD_ASSIGN_OR_RETURN(const int64_t offset, Integer(kOffset, INT64_MIN, INT64_MAX));
  TD_ASSIGN_OR_RETURN(const int64_t index, Integer(kIndex, 0, UINT32_MAX));
  for (size_t i = 0; i < columns_.size(); ++i) {
    Result<Value> value = ValueOf(kPlaces + i, columns_[i].type);
    if (!value.ok()) return value.status().WithContext("column " + columns_[i].name);
    rows->columns[i].Append(*value);
  }
  rows->ts.push_back(ts);
  rows->ts_kafka.push_back(kafka);
  rows->tp.push_back(Raw(tp));
  rows->offset.push_back(offset);
  rows->index.push_back(static_cast<uint32_t>(index));
  return Status::Ok();
}

}  // namespace tapedeck
