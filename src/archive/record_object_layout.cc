#include "archive/record_object_layout.h"

#include <algorithm>

namespace tapedeck {
namespace {

using Source = ColumnarField::Source;

std::string FreeName(std::string name, const std::vector<Column>& columns) {
  auto is_taken = [&](const Column& column) { return column.name == name; };
  while (std::any_of(columns.begin(), columns.end(), is_taken)) name += '_';
  return name;
}

}  // namespace

ColumnarLayout RecordObjectLayout(std::string_view table, const std::vector<Column>& columns,
                                  std::vector<std::pair<TpId, TapeId>> tapes) {
  ColumnarLayout layout;
  layout.text = TextForm::kExact;
  layout.tapes = std::move(tapes);
  auto add = [&](Source source, std::string name, TimeForm form = TimeForm::kAsLayout) {
    layout.fields.push_back({.source = source, .name = std::move(name), .time_form = form});
  };
  add(Source::kTs, "ts", TimeForm::kMicroseconds);
  add(Source::kTs, FreeName("ts_ns", columns), TimeForm::kInteger);
  add(Source::kSymbol, "symbol");
  for (size_t i = 0; i < columns.size(); ++i) {
    ColumnarField field{.source = Source::kColumn,
                        .column = i,
                        .type = columns[i].type,
                        .name = columns[i].name,
                        .decimal = DefaultDecimalType(table),
                        .time_form = TimeForm::kMicroseconds};
    layout.fields.push_back(field);
    if (field.type != ColumnType::kTimestamp) continue;
    field.name = FreeName(field.name + "_ns", columns);
    field.time_form = TimeForm::kInteger;
    layout.fields.push_back(std::move(field));
  }
  add(Source::kTsKafka, "ts_kafka", TimeForm::kMilliseconds);
  add(Source::kTopic, "topic");
  add(Source::kPartition, "partition");
  add(Source::kLineage, "lineage");
  add(Source::kOffset, "offset");
  add(Source::kIndex, "index");
  return layout;
}

}  // namespace tapedeck
