// Rows as a flush takes them, many at a time: the same columns and the same digest as one by one.

#include <gtest/gtest.h>

#include <random>

#include "model/record.h"

namespace tapedeck::testing {
namespace {

constexpr size_t kTapes = 5;

// Owns the texts of its values.
struct Sample {
  Table table;
  std::vector<std::string> texts;
  std::vector<std::vector<Value>> values;  // of each row; short rows are null at the end
};

// How often a column is null, and how often a decimal is text, in a thousand.
struct Mix {
  unsigned null = 0, text = 0;
};

Value Draw(ColumnType type, const Mix& mix, std::mt19937_64* random, Sample* sample) {
  auto chance = [&](unsigned of_thousand) { return (*random)() % 1000 < of_thousand; };
  auto text = [&](std::string made) -> std::string_view {
    sample->texts.push_back(std::move(made));
    return sample->texts.back();
  };
  if (chance(mix.null)) return {};
  const auto number = static_cast<int64_t>((*random)());
  switch (type) {
    case ColumnType::kDecimal:
      if (chance(mix.text)) return Value::OfDecimalText(text("1e" + std::to_string(number % 500)));
      return Value::OfDecimal({number, static_cast<uint8_t>((*random)() % 19)});
    case ColumnType::kInteger:
      return Value::OfInteger(number);
    case ColumnType::kFlag:
      return Value::OfFlag(number % 2 == 0);
    case ColumnType::kTimestamp:
      return Value::OfTimestamp(Timestamp(number));
    case ColumnType::kText:
      // Now and then longer than any buffer was before.
      return Value::OfText(text(std::string((*random)() % (chance(5) ? 30'000 : 20), 'x')));
  }
  return {};
}

Sample Make(uint64_t seed, size_t rows, const Mix& mix) {
  Sample sample;
  sample.table.name = "odd";
  sample.texts.reserve(rows * 12);  // views stay valid
  constexpr ColumnType kTypes[] = {ColumnType::kDecimal,   ColumnType::kText,
                                   ColumnType::kInteger,   ColumnType::kFlag,
                                   ColumnType::kTimestamp, ColumnType::kDecimal};
  for (size_t c = 0; c < std::size(kTypes); ++c)
    sample.table.columns.push_back({std::string(1, static_cast<char>('f' - c)), kTypes[c]});
  std::mt19937_64 random(seed);
  for (size_t row = 0; row < rows; ++row) {
    sample.values.emplace_back();
    const size_t count = random() % 8 == 0 ? random() % 6 : 6;
    for (size_t c = 0; c < count; ++c)
      sample.values.back().push_back(Draw(kTypes[c], mix, &random, &sample));
  }
  return sample;
}

Rows Empty(const Sample& sample, uint64_t seed) {
  std::mt19937_64 random(seed);
  Rows rows;
  for (const Column& column : sample.table.columns) {
    rows.columns.emplace_back();
    rows.columns.back().type = column.type;
  }
  for (size_t row = 0; row < sample.values.size(); ++row) {
    rows.ts.push_back(static_cast<int64_t>(random()));
    rows.ts_kafka.push_back(static_cast<int64_t>(random()));
    rows.tp.push_back(static_cast<uint32_t>(random() % kTapes));
    rows.offset.push_back(static_cast<int64_t>(random()));
    rows.index.push_back(static_cast<uint32_t>(random()));
  }
  return rows;
}

void ExpectEqual(const RowsColumn& a, const RowsColumn& b) {
  EXPECT_EQ(a.numbers, b.numbers);
  EXPECT_EQ(a.scales, b.scales);
  EXPECT_EQ(a.present, b.present);
  EXPECT_EQ(a.text_ends, b.text_ends);
  EXPECT_EQ(a.text, b.text);
}

class RowsBatch : public ::testing::TestWithParam<Mix> {};

TEST_P(RowsBatch, ManyAtATimeAreWhatOneByOneIs) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937_64 random(seed);
    const Sample sample = Make(seed, 1 + random() % 700, GetParam());
    Rows one_by_one = Empty(sample, seed), many = Empty(sample, seed);
    auto value = [&](size_t row, size_t c) -> const Value* {
      return c < sample.values[row].size() ? &sample.values[row][c] : nullptr;
    };
    for (size_t row = 0; row < sample.values.size(); ++row) {
      for (size_t c = 0; c < 6; ++c) {
        const Value* v = value(row, c);
        one_by_one.columns[c].Append(v == nullptr ? Value() : *v);
      }
    }
    for (size_t from = 0; from < sample.values.size();) {
      const size_t count = std::min<size_t>(random() % 200, sample.values.size() - from);
      for (size_t c = 0; c < 6; ++c)
        many.columns[c].AppendAll(count, [&](size_t i) { return value(from + i, c); });
      from += count;
    }
    for (size_t c = 0; c < 6; ++c) ExpectEqual(many.columns[c], one_by_one.columns[c]);

    std::vector<Hash128> tapes;
    for (uint32_t tp = 0; tp < kTapes; ++tp)
      tapes.push_back(TapeHash({.topic = "t", .partition = static_cast<int32_t>(tp)}));
    const Hash128 series = SeriesHash("odd", "S");
    RecordHasher hasher(sample.table);
    Digest sum, of_views;
    for (size_t row = 0; row < many.size(); ++row) {
      sum += hasher.Hash(series, tapes[many.tp[row]], many, row);
      RecordView view{.ts = Timestamp(many.ts[row]),
                      .ts_kafka = Timestamp(many.ts_kafka[row]),
                      .origin = many.OriginAt(row),
                      .values = sample.values[row]};
      of_views += hasher.Hash(series, tapes[many.tp[row]], view);
    }
    EXPECT_EQ(hasher.DigestOf(series, tapes, many), sum);
    EXPECT_EQ(sum, of_views);
    EXPECT_EQ(RecordHasher(sample.table).DigestOf(series, tapes, many), sum);
  }
}

INSTANTIATE_TEST_SUITE_P(Nulls, RowsBatch,
                         ::testing::Values(Mix{}, Mix{.null = 300}, Mix{.null = 1000},
                                           Mix{.null = 100, .text = 10}, Mix{.text = 1000}),
                         [](const auto& mix) {
                           return "null" + std::to_string(mix.param.null) + "text" +
                                  std::to_string(mix.param.text);
                         });

TEST(RowsBatchOfNone, HasTheDigestOfNothing) {
  const Sample sample = Make(1, 0, {});
  EXPECT_EQ(RecordHasher(sample.table).DigestOf({}, {}, Empty(sample, 1)), Digest());
}

}  // namespace
}  // namespace tapedeck::testing
