#include "columnar/layout.h"

#include <algorithm>

#include "base/text.h"

namespace tapedeck {
namespace {

using Source = ColumnarField::Source;

constexpr uint8_t kPrecisionMax = 38;
constexpr uint8_t kShortPrecisionMax = 18;

bool IsTime(const ColumnarField& field) {
  return field.source == Source::kTs || field.source == Source::kTsKafka ||
         (field.source == Source::kColumn && field.type == ColumnType::kTimestamp);
}

ColumnarTime TimeOf(const ColumnarLayout& layout, const ColumnarField& field) {
  switch (field.time_form) {
    case TimeForm::kAsLayout:
      return layout.time;
    case TimeForm::kMicroseconds:
      return ColumnarTime::kMicroseconds;
    case TimeForm::kMilliseconds:
      return ColumnarTime::kMilliseconds;
    case TimeForm::kInteger:
      break;
  }
  return ColumnarTime::kNanoseconds;
}

bool MayBeBytes(const ColumnarField& field) {
  return field.source == Source::kSymbol ||
         (field.source == Source::kColumn && field.type == ColumnType::kText);
}

Storage StorageOf(const ColumnarField& field) {
  if (IsTime(field)) {
    return field.time_form == TimeForm::kInteger ? Storage::kInt64 : Storage::kTimestamp;
  }
  switch (field.source) {
    case Source::kSymbol:
    case Source::kTopic:
      return Storage::kText;
    case Source::kPartition:
      return Storage::kInt32;
    case Source::kLineage:
    case Source::kOffset:
    case Source::kIndex:
      return Storage::kInt64;
    default:
      break;
  }
  switch (field.type) {
    case ColumnType::kInteger:
      return Storage::kInt64;
    case ColumnType::kFlag:
      return Storage::kFlag;
    default:
      break;
  }
  return Storage::kText;
}

bool IsNullable(const ColumnarField& field) {
  return field.source == Source::kColumn || field.source == Source::kTsKafka;
}

}  // namespace

DecimalType DefaultDecimalType(std::string_view table) {
  if (table == "trades" || table == "quotes") return {18, 8};
  return {38, 18};
}

Result<std::vector<ColumnarColumn>> LayOut(const ColumnarLayout& layout, ShortDecimals decimals) {
  if (layout.fields.empty()) return Status::InvalidArgument("an answer needs at least one field");
  std::vector<std::string> names;
  for (const ColumnarField& field : layout.fields) {
    if (std::find(names.begin(), names.end(), field.name) != names.end()) {
      return Status::InvalidArgument("two fields are named " + Quoted(field.name));
    }
    names.push_back(field.name);
  }
  auto free_name = [&](std::string name) {
    while (std::find(names.begin(), names.end(), name) != names.end()) name += '_';
    names.push_back(name);
    return name;
  };
  std::vector<ColumnarColumn> columns;
  for (size_t i = 0; i < layout.fields.size(); ++i) {
    const ColumnarField& field = layout.fields[i];
    const bool is_decimal = field.source == Source::kColumn && field.type == ColumnType::kDecimal;
    if (!is_decimal || layout.numbers == NumberForm::kText) {
      columns.push_back({field.name,
                         StorageOf(field),
                         IsNullable(field),
                         {},
                         i,
                         Part::kValue,
                         TimeOf(layout, field)});
      if (layout.text == TextForm::kExact && MayBeBytes(field)) {
        columns.push_back(
            {free_name(field.name + "_bytes"), Storage::kBytes, true, {}, i, Part::kBytes});
      }
      continue;
    }
    const DecimalType form = field.decimal;
    if (form.precision < 1 || form.precision > kPrecisionMax || form.scale > form.precision) {
      return Status::InvalidArgument("field " + Quoted(field.name) + ": DECIMAL(" +
                                     std::to_string(form.precision) + ", " +
                                     std::to_string(form.scale) + ") is out of bounds");
    }
    const bool is_short =
        decimals == ShortDecimals::kDecimal64 && form.precision <= kShortPrecisionMax;
    const Storage storage = is_short ? Storage::kDecimal64 : Storage::kDecimal128;
    columns.push_back({field.name, storage, true, form, i, Part::kValue});
    columns.push_back(
        {free_name(field.name + "_scale"), Storage::kInt8, true, {}, i, Part::kScale});
    columns.push_back({free_name(field.name + "_text"), Storage::kText, true, {}, i, Part::kText});
  }
  return columns;
}

}  // namespace tapedeck
