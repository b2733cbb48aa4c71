#include "tests/columnar/read_back.h"

#include <arrow/api.h>
#include <arrow/io/memory.h>
#include <arrow/ipc/reader.h>
#include <arrow/util/decimal.h>
#include <gtest/gtest.h>
#include <parquet/arrow/reader.h>

namespace tapedeck::testing {
namespace {

std::shared_ptr<arrow::io::BufferReader> Reader(const std::string& bytes) {
  return std::make_shared<arrow::io::BufferReader>(arrow::Buffer::FromString(bytes));
}

// One column in one piece.
std::shared_ptr<arrow::Array> Column(const arrow::Table& table, const std::string& name) {
  const std::shared_ptr<arrow::ChunkedArray> chunked = table.GetColumnByName(name);
  if (chunked == nullptr) return nullptr;
  if (chunked->num_chunks() == 0) return arrow::MakeArrayOfNull(chunked->type(), 0).ValueOrDie();
  return arrow::Concatenate(chunked->chunks()).ValueOrDie();
}

// "-12.30" of the unscaled number, with `digits` after the point of the `scale` there are.
std::string DecimalText(std::string unscaled, int scale, int digits) {
  std::string sign;
  if (unscaled.starts_with('-')) {
    sign = "-";
    unscaled.erase(0, 1);
  }
  while (static_cast<int>(unscaled.size()) <= scale) unscaled.insert(0, "0");
  std::string whole = unscaled.substr(0, unscaled.size() - static_cast<size_t>(scale));
  std::string part = unscaled.substr(whole.size());
  while (static_cast<int>(part.size()) < digits) part += '0';
  EXPECT_EQ(part.find_first_not_of('0', static_cast<size_t>(digits)), std::string::npos)
      << "digits beyond the scale of " << unscaled;
  part.resize(static_cast<size_t>(digits));
  return sign + whole + (digits > 0 ? "." + part : "");
}

std::string Unscaled(const arrow::Array& array, int64_t row) {
  if (array.type_id() == arrow::Type::DECIMAL128) {
    const auto& decimals = static_cast<const arrow::Decimal128Array&>(array);
    return arrow::Decimal128(decimals.GetValue(row)).ToIntegerString();
  }
  const auto& decimals = static_cast<const arrow::Decimal64Array&>(array);
  return std::to_string(arrow::Decimal64(decimals.GetValue(row)).value());
}

Cell PlainCell(const arrow::Array& array, int64_t row) {
  if (array.IsNull(row)) return std::nullopt;
  switch (array.type_id()) {
    case arrow::Type::TIMESTAMP:
      return std::to_string(static_cast<const arrow::TimestampArray&>(array).Value(row));
    case arrow::Type::INT64:
      return std::to_string(static_cast<const arrow::Int64Array&>(array).Value(row));
    case arrow::Type::INT32:
      return std::to_string(static_cast<const arrow::Int32Array&>(array).Value(row));
    case arrow::Type::BOOL:
      return static_cast<const arrow::BooleanArray&>(array).Value(row) ? "true" : "false";
    case arrow::Type::STRING:
      return static_cast<const arrow::StringArray&>(array).GetString(row);
    default:
      ADD_FAILURE() << "nobody expected " << array.type()->ToString();
      return std::nullopt;
  }
}

void AddCells(const arrow::Table& table, const std::string& name, Cells* cells) {
  const std::shared_ptr<arrow::Array> values = Column(table, name);
  ASSERT_NE(values, nullptr) << "no column " << name;
  const bool is_decimal = arrow::is_decimal(values->type_id());
  const std::shared_ptr<arrow::Array> scales =
      is_decimal ? Column(table, name + "_scale") : nullptr;
  const std::shared_ptr<arrow::Array> texts = is_decimal ? Column(table, name + "_text") : nullptr;
  for (int64_t row = 0; row < values->length(); ++row) {
    std::vector<Cell>& line = (*cells)[static_cast<size_t>(row)];
    if (!is_decimal) {
      line.push_back(PlainCell(*values, row));
      continue;
    }
    EXPECT_EQ(values->IsNull(row), scales->IsNull(row)) << name << " in row " << row;
    EXPECT_TRUE(values->IsNull(row) || texts->IsNull(row)) << name << " in row " << row;
    if (values->IsNull(row)) {
      line.push_back(PlainCell(*texts, row));
      continue;
    }
    const int scale = static_cast<const arrow::DecimalType&>(*values->type()).scale();
    const int digits = static_cast<const arrow::Int8Array&>(*scales).Value(row);
    line.push_back(DecimalText(Unscaled(*values, row), scale, digits));
  }
}

}  // namespace

std::shared_ptr<arrow::Table> ReadArrow(const std::string& bytes) {
  auto reader = arrow::ipc::RecordBatchStreamReader::Open(Reader(bytes));
  EXPECT_TRUE(reader.ok()) << reader.status().ToString();
  if (!reader.ok()) return nullptr;
  auto table = (*reader)->ToTable();
  EXPECT_TRUE(table.ok()) << table.status().ToString();
  if (!table.ok()) return nullptr;
  const arrow::Status valid = (*table)->ValidateFull();
  EXPECT_TRUE(valid.ok()) << valid.ToString();
  return *table;
}

std::shared_ptr<arrow::Table> ReadParquet(const std::string& bytes) {
  auto reader = parquet::arrow::OpenFile(Reader(bytes), arrow::default_memory_pool());
  EXPECT_TRUE(reader.ok()) << reader.status().ToString();
  if (!reader.ok()) return nullptr;
  auto table = (*reader)->ReadTable();
  EXPECT_TRUE(table.ok()) << table.status().ToString();
  if (!table.ok()) return nullptr;
  const arrow::Status valid = (*table)->ValidateFull();
  EXPECT_TRUE(valid.ok()) << valid.ToString();
  return *table;
}

Cells CellsOf(const arrow::Table& table, const ColumnarLayout& layout) {
  Cells cells(static_cast<size_t>(table.num_rows()));
  for (const ColumnarField& field : layout.fields) AddCells(table, field.name, &cells);
  return cells;
}

}  // namespace tapedeck::testing
