#include "tests/archive/record_rows.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "base/check.h"
#include "base/decimal.h"
#include "base/encoding.h"

namespace tapedeck::testing {
namespace {

Value NumberOf(const std::string& text) {
  Decimal decimal;
  std::string canonical;
  const DecimalForm form = ParseDecimal(text, &decimal, &canonical);
  TD_CHECK(form != DecimalForm::kBad, "a number");
  if (form == DecimalForm::kDecimal) return Value::OfDecimal(decimal);
  TD_CHECK(canonical == text, "canonical text");
  return Value::OfDecimalText(text);
}

std::string RandomNumber(Random* random) {
  static const char* const kEdges[] = {"0",
                                       "-0",
                                       "-0.0",
                                       "0.99980",
                                       "1.500000000",
                                       "9999999999.99999999",
                                       "10000000000",
                                       "0.123456789",
                                       "123456789012345678901234567890.5",
                                       "9223372036854775807",
                                       "-9223372036854775808",
                                       "9223372036854775808",
                                       "0.0000000000000000000000001",
                                       "1.0000000000000000000000000"};
  if (random->Uniform(8) == 0) return kEdges[random->Uniform(std::size(kEdges))];
  std::string digits = random->Uniform(4) == 0 ? "-" : "";
  digits += static_cast<char>('1' + random->Uniform(9));
  for (size_t i = random->Uniform(random->Uniform(20) == 0 ? 30 : 8); i > 0; --i) {
    digits += static_cast<char>('0' + random->Uniform(10));
  }
  const size_t after = random->Uniform(random->Uniform(20) == 0 ? 30 : 9);
  if (after > 0) digits += '.';
  for (size_t i = 0; i < after; ++i) digits += static_cast<char>('0' + random->Uniform(10));
  return digits;
}

std::string RandomText(Random* random) {
  static const char* const kTexts[] = {
      "", "buy", "a \"quoted\"\n\\ text", "Ω€😀", "\xff\xfe", "ok\xc3", "\x01\x7f"};
  if (random->Uniform(3) != 0) return kTexts[random->Uniform(std::size(kTexts))];
  return std::string(random->Uniform(40), static_cast<char>('a' + random->Uniform(26)));
}

int64_t RandomTime(Random* random) {
  if (random->Uniform(50) == 0) return INT64_MAX;
  if (random->Uniform(50) == 0) return INT64_MIN;
  if (random->Uniform(10) == 0) return -static_cast<int64_t>(random->Uniform(1u << 30));
  return 1'719'878'400'000'000'000 + static_cast<int64_t>(random->Uniform(86'400'000'000'000));
}

void AddOrigin(Random* random, int64_t offset, Rows* rows) {
  static constexpr uint32_t kTps[] = {1, 2, 7};
  rows->tp.push_back(kTps[random->Uniform(3)]);
  rows->offset.push_back(offset);
  rows->index.push_back(static_cast<uint32_t>(random->Uniform(3)));
}

Rows EmptyRows(const Table& table) {
  Rows rows;
  for (const Column& column : table.columns) {
    rows.columns.emplace_back();
    rows.columns.back().type = column.type;
  }
  return rows;
}

}  // namespace

Table EveryTable(const std::string& name) {
  return {.id = TableId{9},
          .name = name,
          .columns = {{"price", ColumnType::kDecimal},
                      {"price_scale", ColumnType::kText},
                      {"size", ColumnType::kDecimal},
                      {"count", ColumnType::kInteger},
                      {"note", ColumnType::kText},
                      {"flag", ColumnType::kFlag},
                      {"seen", ColumnType::kTimestamp},
                      {"seen_ns", ColumnType::kInteger},
                      {"ts_ns", ColumnType::kTimestamp}},
          .identity = {},
          .day_size = DaySize::kDay};
}

std::vector<std::pair<TpId, TapeId>> SomeTapes() {
  return {{TpId{1}, {"c", "prices", 0, 3}},
          {TpId{2}, {"c", "prices-eu", 4'000'000'000u, 0}},
          {TpId{7}, {"c", "prices", 1, 3}}};
}

Result<TpId> ResolveTape(const TapeId& tape) {
  for (const auto& [tp, known] : SomeTapes()) {
    if (known.topic == tape.topic && known.partition == tape.partition &&
        known.lineage == tape.lineage) {
      return tp;
    }
  }
  return Status::NotFound("no such tape: " + tape.ToString());
}

std::vector<SymbolRows> RandomRows(Random* random, size_t symbols, size_t rows_a_symbol) {
  const Table table = EveryTable("mixed");
  std::vector<SymbolRows> all;
  for (size_t s = 0; s < symbols; ++s) {
    std::string symbol = "S" + std::to_string(1000 + s);
    if (random->Uniform(10) == 0) symbol += "\xff";
    if (random->Uniform(10) == 0) symbol += std::string("\0x", 2) + "€";
    SymbolRows one{std::move(symbol), EmptyRows(table)};
    const size_t count = 1 + random->Uniform(rows_a_symbol);
    std::vector<int64_t> times(count);
    for (int64_t& time : times) time = RandomTime(random);
    std::sort(times.begin(), times.end());
    for (size_t i = 0; i < count; ++i) {
      one.rows.ts.push_back(times[i]);
      one.rows.ts_kafka.push_back(
          random->Uniform(4) == 0 ? kNoKafkaTime : RandomTime(random) / 1'000'000 * 1'000'000);
      AddOrigin(random, static_cast<int64_t>(random->Uniform(1'000'000)), &one.rows);
      for (RowsColumn& column : one.rows.columns) {
        if (random->Uniform(6) == 0) {
          column.Append(Value());
          continue;
        }
        const std::string text =
            column.type == ColumnType::kDecimal ? RandomNumber(random) : RandomText(random);
        switch (column.type) {
          case ColumnType::kDecimal:
            column.Append(NumberOf(text));
            break;
          case ColumnType::kInteger:
            column.Append(Value::OfInteger(static_cast<int64_t>(random->Next())));
            break;
          case ColumnType::kText:
            column.Append(Value::OfText(text));
            break;
          case ColumnType::kFlag:
            column.Append(Value::OfFlag(random->Uniform(2) == 0));
            break;
          case ColumnType::kTimestamp:
            column.Append(Value::OfTimestamp(Timestamp(RandomTime(random))));
            break;
        }
      }
    }
    all.push_back(std::move(one));
  }
  std::sort(all.begin(), all.end(),
            [](const SymbolRows& a, const SymbolRows& b) { return a.symbol < b.symbol; });
  return all;
}

Table QuoteTable() {
  return {.id = TableId{2},
          .name = "quotes",
          .columns = {CoreColumns("quotes").begin(), CoreColumns("quotes").end()},
          .identity = {},
          .day_size = DaySize::kDay};
}

std::vector<SymbolRows> QuoteRows(Random* random, size_t symbols, size_t rows_a_symbol) {
  const Table table = QuoteTable();
  std::vector<SymbolRows> all;
  for (size_t s = 0; s < symbols; ++s) {
    SymbolRows one{"SYM" + std::to_string(10'000 + s), EmptyRows(table)};
    int64_t price = 10'000 + static_cast<int64_t>(random->Uniform(1'000'000));
    const int64_t day = 1'719'878'400'000;
    for (size_t i = 0; i < rows_a_symbol; ++i) {
      const int64_t ms = day + static_cast<int64_t>(i * 86'400'000 / rows_a_symbol);
      price += static_cast<int64_t>(random->Uniform(7)) - 3;
      one.rows.ts.push_back(ms * 1'000'000);
      one.rows.ts_kafka.push_back((ms + static_cast<int64_t>(random->Uniform(50))) * 1'000'000);
      one.rows.tp.push_back(1);
      one.rows.offset.push_back(static_cast<int64_t>(i * symbols + s));
      one.rows.index.push_back(0);
      auto size = [&] { return 100 * (1 + static_cast<int64_t>(random->Uniform(20))); };
      one.rows.columns[0].Append(Value::OfDecimal({price, 2}));
      one.rows.columns[1].Append(Value::OfDecimal({size(), 0}));
      one.rows.columns[2].Append(Value::OfDecimal({price + 1, 2}));
      one.rows.columns[3].Append(Value::OfDecimal({size(), 0}));
      for (size_t c = 4; c < one.rows.columns.size(); ++c) one.rows.columns[c].Append(Value());
    }
    all.push_back(std::move(one));
  }
  return all;
}

std::vector<WrittenObject> WriteRows(RecordObjectPlan plan, const std::vector<SymbolRows>& rows,
                                     Random* random) {
  auto writer = RecordObjectWriter::Make(std::move(plan));
  EXPECT_TRUE(writer.ok()) << writer.status().ToString();
  if (!writer.ok()) return {};
  for (const SymbolRows& one : rows) {
    const auto size = static_cast<uint32_t>(one.rows.size());
    for (uint32_t at = 0; at < size;) {
      uint32_t count = size - at;
      if (random != nullptr) {
        const size_t most = random->Uniform(2) == 0 ? 5 : 9000;
        count = std::min(count, static_cast<uint32_t>(1 + random->Uniform(most)));
      }
      const Status appended = (*writer)->Append({one.symbol, &one.rows, at, count, 1});
      EXPECT_TRUE(appended.ok()) << appended.ToString();
      if (!appended.ok()) return {};
      at += count;
    }
  }
  auto objects = (*writer)->Finish();
  EXPECT_TRUE(objects.ok()) << objects.status().ToString();
  return objects.ok() ? *objects : std::vector<WrittenObject>();
}

std::vector<SymbolRows> ScanRows(const std::vector<WrittenObject>& objects, const Table& table) {
  std::vector<SymbolRows> all;
  for (const WrittenObject& object : objects) {
    auto source = OpenLocalObject(object.path, object.path);
    EXPECT_TRUE(source.ok()) << source.status().ToString();
    if (!source.ok()) return all;
    const auto format = ParseObjectFormat(object.object.format);
    auto scan = OpenRecordScan(source->get(), *format, table, ResolveTape);
    EXPECT_TRUE(scan.ok()) << scan.status().ToString();
    if (!scan.ok()) return all;
    for (;;) {
      const Status next = (*scan)->Next();
      EXPECT_TRUE(next.ok()) << next.ToString();
      const RowSlice& slice = (*scan)->rows();
      if (!next.ok() || slice.count == 0) break;
      if (all.empty() || all.back().symbol != slice.symbol) {
        all.push_back({std::string(slice.symbol), EmptyRows(table)});
      }
      Rows& to = all.back().rows;
      for (uint32_t n = 0; n < slice.count; ++n) {
        const uint32_t row = slice.RowAt(n);
        to.ts.push_back(slice.rows->ts[row]);
        to.ts_kafka.push_back(slice.rows->ts_kafka[row]);
        to.tp.push_back(slice.rows->tp[row]);
        to.offset.push_back(slice.rows->offset[row]);
        to.index.push_back(slice.rows->index[row]);
        for (size_t c = 0; c < to.columns.size(); ++c) {
          to.columns[c].Append(slice.rows->columns[c].At(row));
        }
      }
    }
  }
  return all;
}

std::string RowText(const std::string& symbol, const Rows& rows, size_t row) {
  std::string text = ToHex(symbol) + " " + std::to_string(rows.ts[row]) + " " +
                     std::to_string(rows.ts_kafka[row]) + " " + std::to_string(rows.tp[row]) + "@" +
                     std::to_string(rows.offset[row]) + "/" + std::to_string(rows.index[row]);
  for (const RowsColumn& column : rows.columns) {
    const Value value = column.At(row);
    text += "|" + std::to_string(static_cast<int>(value.kind())) + ":";
    std::string canonical;
    value.AppendCanonical(&canonical);
    text += value.kind() == Value::Kind::kText ? ToHex(canonical) : canonical;
  }
  return text;
}

void ExpectSameRows(const std::vector<SymbolRows>& got, const std::vector<SymbolRows>& wanted) {
  ASSERT_EQ(got.size(), wanted.size());
  for (size_t s = 0; s < wanted.size(); ++s) {
    ASSERT_EQ(ToHex(got[s].symbol), ToHex(wanted[s].symbol));
    ASSERT_EQ(got[s].rows.size(), wanted[s].rows.size()) << wanted[s].symbol;
    for (size_t row = 0; row < wanted[s].rows.size(); ++row) {
      ASSERT_EQ(RowText(got[s].symbol, got[s].rows, row),
                RowText(wanted[s].symbol, wanted[s].rows, row))
          << "row " << row << " of symbol " << s;
    }
  }
}

}  // namespace tapedeck::testing
