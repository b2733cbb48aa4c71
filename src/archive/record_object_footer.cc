#include <algorithm>
#include <charconv>

#include "archive/record_object_layout.h"
#include "archive/record_object_reader.h"
#include "base/text.h"
#include "columnar/parquet_reader.h"

namespace tapedeck {
namespace {

Result<ColumnType> ParseColumnType(std::string_view name) {
  for (ColumnType type : {ColumnType::kTimestamp, ColumnType::kDecimal, ColumnType::kInteger,
                          ColumnType::kText, ColumnType::kFlag}) {
    if (name == ColumnTypeName(type)) return type;
  }
  return Status::Corruption("no type of columns is called " + Quoted(name));
}

Result<std::vector<Column>> ParseColumns(std::string_view text) {
  std::vector<Column> columns;
  while (!text.empty()) {
    const std::string_view one = text.substr(0, text.find(','));
    text.remove_prefix(std::min(text.size(), one.size() + 1));
    const size_t colon = one.find(':');
    if (colon == std::string_view::npos || colon == 0) {
      return Status::Corruption("columns that nobody can read: " + Quoted(one));
    }
    TD_ASSIGN_OR_RETURN(const ColumnType type, ParseColumnType(one.substr(colon + 1)));
    columns.push_back({std::string(one.substr(0, colon)), type});
  }
  return columns;
}

ParquetKind KindOf(Storage storage) {
  switch (storage) {
    case Storage::kTimestamp:
    case Storage::kInt64:
    case Storage::kDecimal64:
      return ParquetKind::kInt64;
    case Storage::kInt32:
    case Storage::kInt8:
      return ParquetKind::kInt32;
    case Storage::kFlag:
      return ParquetKind::kFlag;
    case Storage::kText:
    case Storage::kBytes:
      return ParquetKind::kBytes;
    case Storage::kDecimal128:
      break;
  }
  return ParquetKind::kInt128;
}

}  // namespace

RecordObjectFooter::~RecordObjectFooter() = default;

std::pair<uint64_t, uint64_t> RecordObjectFooter::Extent(size_t group) const {
  return parquet_->Extent(group);
}

Result<std::shared_ptr<const RecordObjectFooter>> RecordObjectFooter::Read(
    const ObjectSource& object) {
  std::shared_ptr<RecordObjectFooter> footer(new RecordObjectFooter());
  auto read = [&]() -> Status {
    TD_ASSIGN_OR_RETURN(footer->parquet_, ParquetFooter::Read(object));
    TD_RETURN_IF_ERROR(footer->TakeLabel());
    TD_RETURN_IF_ERROR(footer->TakeLeaves());
    return footer->TakeGroups();
  };
  const Status status = read();
  if (!status.ok()) return status.WithContext(object.name());
  return std::shared_ptr<const RecordObjectFooter>(std::move(footer));
}

Status RecordObjectFooter::TakeLabel() {
  const auto version = parquet_->FindValue(kRecordsKey);
  const auto table = parquet_->FindValue(kTableKey);
  const auto day = parquet_->FindValue(kDayKey);
  const auto generation = parquet_->FindValue(kGenerationKey);
  const auto columns = parquet_->FindValue(kColumnsKey);
  if (!version || !table || !day || !generation || !columns) {
    return Status::Corruption("a Parquet file that is no record object");
  }
  if (*version != kRecordsVersion) {
    return Status::Corruption("a record object of version " + Quoted(*version) +
                              ", which this program does not know");
  }
  table_ = *table;
  writer_ = parquet_->FindValue(kWriterKey).value_or("");
  const Result<Day> parsed = ParseDay(*day);
  if (!parsed.ok()) return Status::Corruption("no day: " + Quoted(*day));
  day_ = *parsed;
  const char* end = generation->data() + generation->size();
  const auto [stop, error] = std::from_chars(generation->data(), end, generation_);
  if (error != std::errc() || stop != end) {
    return Status::Corruption("no generation: " + Quoted(*generation));
  }
  TD_ASSIGN_OR_RETURN(columns_, ParseColumns(*columns));
  return Status::Ok();
}

Status RecordObjectFooter::TakeLeaves() {
  const ColumnarLayout layout = RecordObjectLayout(table_, columns_, {});
  const Result<std::vector<ColumnarColumn>> wanted = LayOut(layout, ShortDecimals::kDecimal64);
  if (!wanted.ok()) return Status::Corruption(std::string(wanted.status().message()));
  const std::span<const ParquetColumn> found = parquet_->columns();
  if (wanted->size() != found.size()) {
    return Status::Corruption("a record object with " + std::to_string(found.size()) +
                              " columns instead of " + std::to_string(wanted->size()));
  }
  std::vector<size_t> first(layout.fields.size());
  for (size_t i = found.size(); i-- > 0;) {
    const ColumnarColumn& column = (*wanted)[i];
    if (found[i].path != column.name || found[i].kind != KindOf(column.storage) ||
        found[i].repetition_max != 0 || found[i].definition_max != (column.nullable ? 1 : 0)) {
      return Status::Corruption("column " + Quoted(found[i].path) + " is not " +
                                Quoted(column.name) + " as record objects have it");
    }
    const bool is_decimal =
        column.storage == Storage::kDecimal64 || column.storage == Storage::kDecimal128;
    if (found[i].decimal.has_value() != is_decimal ||
        (is_decimal && *found[i].decimal != column.decimal)) {
      return Status::Corruption("column " + Quoted(column.name) + " is another DECIMAL");
    }
    first[column.field] = i;
  }
  leaves_.ts = first[0];
  leaves_.ts_ns = first[1];
  leaves_.symbol = first[2];
  leaves_.symbol_bytes = first[2] + 1;
  size_t field = 3;
  for (const Column& column : columns_) {
    leaves_.columns.push_back(first[field]);
    field += column.type == ColumnType::kTimestamp ? 2 : 1;
  }
  for (size_t* leaf : {&leaves_.ts_kafka, &leaves_.topic, &leaves_.partition, &leaves_.lineage,
                       &leaves_.offset, &leaves_.index}) {
    *leaf = first[field++];
  }
  return Status::Ok();
}

Status RecordObjectFooter::TakeGroups() {
  memory_bytes_ = sizeof(*this) + parquet_->memory_bytes();
  for (const Column& column : columns_) memory_bytes_ += sizeof(column) + column.name.capacity();
  for (size_t g = 0; g < parquet_->row_groups(); ++g) {
    Group group;
    group.rows = {rows_, rows_ + parquet_->rows(g)};
    rows_ = group.rows.to;
    TD_ASSIGN_OR_RETURN(const uint64_t plain, parquet_->Nulls(g, leaves_.symbol_bytes));
    ParquetBounds symbols = parquet_->Bounds(g, leaves_.symbol);
    group.symbols_known = symbols.known && plain == group.rows.size();
    group.first_symbol = std::move(symbols.min_bytes);
    group.last_symbol = std::move(symbols.max_bytes);
    const ParquetBounds times = parquet_->Bounds(g, leaves_.ts_ns);
    group.first_ts = times.known ? times.min : INT64_MIN;
    group.last_ts = times.known ? times.max : INT64_MAX;
    memory_bytes_ += sizeof(group) + group.first_symbol.capacity() + group.last_symbol.capacity();
    groups_.push_back(std::move(group));
  }
  return Status::Ok();
}

}  // namespace tapedeck
