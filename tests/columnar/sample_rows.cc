#include "tests/columnar/sample_rows.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "base/check.h"
#include "base/decimal.h"

namespace tapedeck::testing {
namespace {

using Source = ColumnarField::Source;

int64_t Rounded(int64_t ns, ColumnarTime time) {
  int64_t unit = 1;
  if (time == ColumnarTime::kMicroseconds) unit = 1'000;
  if (time == ColumnarTime::kMilliseconds) unit = 1'000'000;
  if (time == ColumnarTime::kSeconds) unit = 1'000'000'000;
  return ns / unit - (ns % unit < 0 ? 1 : 0);
}

Cell CellOf(const ColumnarLayout& layout, const ColumnarField& field, const Series& series,
            size_t row) {
  const Rows& rows = series.rows;
  const TapeId* tape = nullptr;
  for (const auto& [tp, id] : layout.tapes) {
    if (Raw(tp) == rows.tp[row]) tape = &id;
  }
  switch (field.source) {
    case Source::kTs:
      return std::to_string(Rounded(rows.ts[row], layout.time));
    case Source::kSymbol:
      return series.symbol;
    case Source::kColumn:
      break;
    case Source::kTsKafka:
      if (rows.ts_kafka[row] == kNoKafkaTime) return std::nullopt;
      return std::to_string(Rounded(rows.ts_kafka[row], layout.time));
    case Source::kTopic:
      return tape->topic;
    case Source::kPartition:
      return std::to_string(tape->partition);
    case Source::kLineage:
      return std::to_string(tape->lineage);
    case Source::kOffset:
      return std::to_string(rows.offset[row]);
    case Source::kIndex:
      return std::to_string(rows.index[row]);
  }
  const Value value = rows.columns[field.column].At(row);
  if (value.is_null()) return std::nullopt;
  if (value.kind() == Value::Kind::kTimestamp) {
    return std::to_string(Rounded(value.timestamp().ns(), layout.time));
  }
  std::string text;
  value.AppendCanonical(&text);
  return text;
}

std::string RandomNumber(Random* random) {
  std::string digits;
  const bool is_negative = random->Uniform(4) == 0;
  const size_t before = 1 + random->Uniform(random->Uniform(20) == 0 ? 30 : 9);
  const size_t after = random->Uniform(random->Uniform(20) == 0 ? 30 : 9);
  digits += static_cast<char>('1' + random->Uniform(9));
  while (digits.size() < before) digits += static_cast<char>('0' + random->Uniform(10));
  if (random->Uniform(5) == 0) digits = "0";
  if (after > 0) digits += '.';
  const bool zeros = random->Uniform(3) == 0;
  for (size_t i = 0; i < after; ++i) {
    digits += zeros && i > 2 ? '0' : static_cast<char>('0' + random->Uniform(10));
  }
  return is_negative ? "-" + digits : digits;
}

int64_t RandomTime(Random* random) {
  // The very first and last are infinities to DuckDB.
  if (random->Uniform(50) == 0) return INT64_MAX - 1;
  if (random->Uniform(50) == 0) return INT64_MIN + 2;
  if (random->Uniform(10) == 0) return -static_cast<int64_t>(random->Uniform(1u << 30));
  return 1'719'878'400'000'000'000 + static_cast<int64_t>(random->Uniform(86'400'000'000'000));
}

}  // namespace

Series::Series(std::string symbol_, const std::vector<ColumnType>& types)
    : symbol(std::move(symbol_)) {
  for (ColumnType type : types) {
    rows.columns.emplace_back();
    rows.columns.back().type = type;
  }
}

void Series::Add(int64_t ts, const std::vector<Value>& values, uint32_t tp, int64_t offset,
                 uint32_t index, int64_t ts_kafka) {
  TD_CHECK(values.size() == rows.columns.size(), "one value for each column");
  rows.ts.push_back(ts);
  rows.ts_kafka.push_back(ts_kafka);
  rows.tp.push_back(tp);
  rows.offset.push_back(offset);
  rows.index.push_back(index);
  for (size_t i = 0; i < values.size(); ++i) rows.columns[i].Append(values[i]);
}

Value Number(std::string_view text) {
  Decimal decimal;
  std::string canonical;
  const DecimalForm form = ParseDecimal(text, &decimal, &canonical);
  TD_CHECK(form != DecimalForm::kBad, "a number");
  if (form == DecimalForm::kDecimal) return Value::OfDecimal(decimal);
  TD_CHECK(canonical == text, "canonical text");
  return Value::OfDecimalText(text);
}

std::vector<ColumnType> EveryType() {
  return {ColumnType::kDecimal, ColumnType::kDecimal, ColumnType::kInteger,
          ColumnType::kText,    ColumnType::kFlag,    ColumnType::kTimestamp};
}

Series RandomSeries(Random* random, const std::string& symbol, size_t rows) {
  Series series(symbol, EveryType());
  const bool one_scale = random->Uniform(3) == 0;
  for (size_t i = 0; i < rows; ++i) {
    const std::string price = RandomNumber(random);
    const std::string note(random->Uniform(12), static_cast<char>('a' + random->Uniform(26)));
    auto or_null = [&](Value value) { return random->Uniform(6) == 0 ? Value() : value; };
    const auto size = static_cast<int64_t>(random->Uniform(1'000'000));
    series.Add(RandomTime(random),
               {or_null(one_scale ? Value::OfDecimal({size, 5}) : Number(price)),
                one_scale ? Value::OfDecimal({size, 2}) : or_null(Number(RandomNumber(random))),
                or_null(Value::OfInteger(static_cast<int64_t>(random->Next()))),
                or_null(Value::OfText(note)), or_null(Value::OfFlag(random->Uniform(2) == 0)),
                or_null(Value::OfTimestamp(Timestamp(RandomTime(random))))},
               1 + static_cast<uint32_t>(random->Uniform(2)), static_cast<int64_t>(i),
               static_cast<uint32_t>(random->Uniform(3)),
               random->Uniform(4) == 0 ? kNoKafkaTime : RandomTime(random));
  }
  return series;
}

ColumnarLayout EveryField(DecimalType decimal, bool origin) {
  const char* names[] = {"price", "size", "count", "note", "flag", "seen"};
  ColumnarLayout layout;
  auto add = [&](Source source, const char* name) {
    layout.fields.push_back({source, 0, ColumnType::kDecimal, name, {}});
  };
  add(Source::kTs, "ts");
  add(Source::kSymbol, "symbol");
  const std::vector<ColumnType> types = EveryType();
  for (size_t i = 0; i < types.size(); ++i) {
    layout.fields.push_back({Source::kColumn, i, types[i], names[i], decimal});
  }
  if (origin) {
    add(Source::kTsKafka, "ts_kafka");
    add(Source::kTopic, "topic");
    add(Source::kPartition, "partition");
    add(Source::kLineage, "lineage");
    add(Source::kOffset, "offset");
    add(Source::kIndex, "index");
    layout.tapes = {{TpId{1}, {"cluster", "prices", 0, 3}},
                    {TpId{2}, {"cluster", "prices-eu", 4'000'000'000u, 0}}};
  }
  return layout;
}

Cells Expected(const ColumnarLayout& layout, const std::vector<Series>& series) {
  Cells cells;
  for (const Series& one : series) {
    for (size_t row = 0; row < one.rows.size(); ++row) {
      std::vector<Cell> line;
      for (const ColumnarField& field : layout.fields) {
        line.push_back(CellOf(layout, field, one, row));
      }
      cells.push_back(std::move(line));
    }
  }
  return cells;
}

std::string Written(Result<std::unique_ptr<ColumnarWriter>> writer,
                    const std::vector<Series>& series, Random* random) {
  EXPECT_TRUE(writer.ok()) << writer.status().ToString();
  if (!writer.ok()) return "";
  std::string bytes;
  std::string out;
  auto take = [&](Status status) {
    EXPECT_TRUE(status.ok()) << status.ToString();
    bytes += out;
    out.clear();
  };
  take((*writer)->Begin(&out));
  for (const Series& one : series) {
    const auto rows = static_cast<uint32_t>(one.rows.size());
    for (uint32_t at = 0; at < rows;) {
      uint32_t count = rows - at;
      if (random != nullptr) {
        count = std::min(count, static_cast<uint32_t>(1 + random->Uniform(5000)));
        if (random->Uniform(2) == 0) count = std::min(count, 2u);
      }
      take((*writer)->Append({one.symbol, &one.rows, at, count, 1}, &out));
      at += count;
    }
  }
  take((*writer)->Finish(&out));
  return bytes;
}

}  // namespace tapedeck::testing
