#include "model/value.h"

namespace tapedeck {

std::string_view ColumnTypeName(ColumnType type) {
  switch (type) {
    case ColumnType::kTimestamp:
      return "timestamp";
    case ColumnType::kDecimal:
      return "decimal";
    case ColumnType::kInteger:
      return "integer";
    case ColumnType::kText:
      return "text";
    case ColumnType::kFlag:
      return "flag";
  }
  return "unknown";
}

bool Value::operator==(const Value& other) const {
  if (kind_ != other.kind_) return false;
  if (has_text()) return text() == other.text();
  return number() == other.number() && scale_ == other.scale_;
}

void Value::AppendCanonical(std::string* out) const {
  switch (kind_) {
    case Kind::kNull:
      return;
    case Kind::kDecimal:
      AppendDecimal(decimal(), out);
      return;
    case Kind::kDecimalText:
    case Kind::kText:
      out->append(text());
      return;
    case Kind::kFlag:
      out->append(flag() ? "true" : "false");
      return;
    case Kind::kInteger:
    case Kind::kTimestamp:
      out->append(std::to_string(number()));
      return;
  }
}

}  // namespace tapedeck
