#include "codec/series_block.h"

#include <deque>

#include "series_support.h"
#include "support/seed.h"

namespace tapedeck {
namespace {

using testing::RepeatWith;
using testing::TestSeed;

using codec_test::PlainRow;
using codec_test::QuoteColumns;
using codec_test::Quotes;
using codec_test::SameRows;
using codec_test::ToRows;

// Encodes everything in blocks of `block` rows, decodes them and compares value by value.
void ExpectRoundTrip(const std::vector<PlainRow>& plain, const std::vector<Column>& columns,
                     size_t block, Effort effort) {
  CodecBuffers buffers;
  Rows rows = ToRows(plain, columns);
  Rows back;
  for (size_t from = 0; from < plain.size(); from += block) {
    size_t count = std::min(block, plain.size() - from);
    std::string key = "key" + std::to_string(from), bytes;
    Status status = EncodeSeriesBlock(key, rows, columns, from, count, effort, &buffers, &bytes);
    ASSERT_TRUE(status.ok()) << status.ToString();
    auto header = ParseSeriesHeader(bytes);
    ASSERT_TRUE(header.ok()) << header.status().ToString();
    EXPECT_EQ(header->rows, count);
    EXPECT_EQ(header->first_ts.ns(), plain[from].ts);
    EXPECT_EQ(header->last_ts.ns(), plain[from + count - 1].ts);
    status = DecodeSeriesBlock(key, bytes, columns, &buffers, &back);
    ASSERT_TRUE(status.ok()) << status.ToString();
    ASSERT_TRUE(SameRows(back, plain, from, count)) << "block at " << from;
  }
}

TEST(SeriesBlock, QuotesComeBackAsTheyWereHoweverTheyWereCut) {
  uint64_t seed = TestSeed();
  Random random(seed);
  std::vector<PlainRow> quotes = Quotes(3000, &random);
  for (size_t block : {1, 2, 127, 128, 129, 130, 1000, 3000}) {
    ExpectRoundTrip(quotes, QuoteColumns(), block, Effort::kLive);
    ExpectRoundTrip(quotes, QuoteColumns(), block, Effort::kMerge);
  }
}

// A number generator for one column, as odd as they come.
int64_t OddNumber(Random* random, int style) {
  switch (style) {
    case 0:
      return 42;
    case 1:
      return static_cast<int64_t>(random->Next());
    case 2:
      return random->OneIn(2) ? INT64_MAX : INT64_MIN;
    case 3:
      return random->Between(-5, 5);
    case 4:
      return random->Between(0, 3) * 1'000'000'000;
    case 5:
      return random->OneIn(50) ? random->Between(-1'000'000'000'000, 1'000'000'000'000) : 7;
    default:
      return random->Between(-1000, 1000) * 1000;
  }
}

std::string OddText(Random* random, int style) {
  switch (style) {
    case 0:
      return "buy";
    case 1:
      return random->OneIn(2) ? "buy" : "sell";
    case 2:
      return random->Bytes(random->Uniform(40));
    case 3:
      return std::to_string(random->Between(-1000, 1'000'000));
    case 4:
      return random->OneIn(3) ? "" : std::string(1, '\0');
    case 5:
      return random->OneIn(2) ? "007" : "-0";
    default:
      return std::to_string(random->Next());
  }
}

Value OddValue(Random* random, ColumnType type, int style, std::deque<std::string>* texts) {
  auto keep = [&](std::string text) -> std::string_view {
    return texts->emplace_back(std::move(text));
  };
  switch (type) {
    case ColumnType::kDecimal: {
      int64_t mantissa = OddNumber(random, style);
      uint8_t scale = style == 0 ? 4 : static_cast<uint8_t>(random->Uniform(style < 4 ? 19 : 4));
      if (style == 6) return Value::OfDecimal({mantissa, 2});
      if (style == 5 && random->OneIn(20))
        return Value::OfDecimalText(keep("99999999999999999999.5"));
      while (style == 4 && scale > 1 && mantissa % 10 == 0) mantissa /= 10, --scale;
      return Value::OfDecimal({mantissa, scale});
    }
    case ColumnType::kInteger:
      return Value::OfInteger(OddNumber(random, style));
    case ColumnType::kTimestamp:
      return Value::OfTimestamp(Timestamp(OddNumber(random, style)));
    case ColumnType::kFlag:
      return Value::OfFlag(style != 0 && random->OneIn(3));
    case ColumnType::kText:
      return Value::OfText(keep(OddText(random, style)));
  }
  return {};
}

TEST(SeriesBlock, AnyValuesOfAnyTypeComeBackExactly) {
  uint64_t seed = TestSeed();
  for (int round = 0; round < 60; ++round) {
    Random random(seed + static_cast<uint64_t>(round));
    SCOPED_TRACE(RepeatWith(seed) + " round " + std::to_string(round));
    std::deque<std::string> texts;
    std::vector<Column> columns;
    std::vector<int> styles;
    std::vector<uint64_t> nulls;  // one in so many; 0 none, 1 all
    for (size_t c = 0; c < 1 + random.Uniform(9); ++c) {
      columns.push_back({"c" + std::to_string(c), static_cast<ColumnType>(random.Uniform(5))});
      styles.push_back(static_cast<int>(random.Uniform(7)));
      nulls.push_back(random.Uniform(4));
    }
    std::vector<PlainRow> plain(1 + random.Uniform(random.OneIn(3) ? 900 : 150));
    int time_style = static_cast<int>(random.Uniform(7));
    for (PlainRow& row : plain) {
      row.ts = OddNumber(&random, time_style);
      row.ts_kafka = random.OneIn(5) ? kNoKafkaTime : OddNumber(&random, time_style);
      row.origin = {TpId{static_cast<uint32_t>(random.OneIn(2) ? 3 : random.Next())},
                    random.OneIn(10) ? INT64_MAX : random.Between(0, 100),
                    static_cast<uint32_t>(random.Uniform(3))};
      for (size_t c = 0; c < columns.size(); ++c) {
        bool null = nulls[c] != 0 && random.OneIn(nulls[c]);
        row.values.push_back(null ? Value()
                                  : OddValue(&random, columns[c].type, styles[c], &texts));
      }
    }
    std::ranges::stable_sort(plain, {}, &PlainRow::ts);
    ExpectRoundTrip(plain, columns, 1 + random.Uniform(plain.size()),
                    random.OneIn(2) ? Effort::kLive : Effort::kMerge);
    if (HasFatalFailure()) return;
  }
}

TEST(SeriesBlock, OnlyTheWantedColumnsAreUnpackedInTheOrderTheyAreAskedFor) {
  Random random(TestSeed());
  std::vector<PlainRow> quotes = Quotes(300, &random);
  std::vector<Column> columns = QuoteColumns();
  Rows rows = ToRows(quotes, columns), back;
  CodecBuffers buffers;
  std::string bytes;
  ASSERT_TRUE(EncodeSeriesBlock("k", rows, columns, 0, 300, Effort::kLive, &buffers, &bytes).ok());
  std::vector<Column> wanted = {{"ask_price", ColumnType::kDecimal},
                                {"bid_size", ColumnType::kDecimal},
                                {"not_there", ColumnType::kText},
                                {"last", ColumnType::kDecimal}};
  ASSERT_TRUE(DecodeSeriesBlock("k", bytes, wanted, &buffers, &back).ok());
  ASSERT_EQ(back.columns.size(), 4u);
  for (size_t i = 0; i < 300; ++i) {
    EXPECT_EQ(back.columns[0].At(i), quotes[i].values[2]);
    EXPECT_EQ(back.columns[1].At(i), quotes[i].values[1]);
    EXPECT_TRUE(back.columns[2].At(i).is_null());
    EXPECT_TRUE(back.columns[3].At(i).is_null());
  }
  ASSERT_TRUE(DecodeSeriesBlock("k", bytes, {}, &buffers, &back).ok());
  EXPECT_EQ(back.size(), 300u);
  EXPECT_EQ(back.OriginAt(299), quotes[299].origin);
}

TEST(SeriesBlock, AColumnWantedAsAnotherTypeIsRefusedByName) {
  Random random(TestSeed());
  std::vector<Column> columns = QuoteColumns();
  Rows rows = ToRows(Quotes(10, &random), columns), back;
  CodecBuffers buffers;
  std::string bytes;
  ASSERT_TRUE(EncodeSeriesBlock("k", rows, columns, 0, 10, Effort::kLive, &buffers, &bytes).ok());
  std::vector<Column> wanted = {{"ask_price", ColumnType::kText}};
  Status status = DecodeSeriesBlock("k", bytes, wanted, &buffers, &back);
  EXPECT_EQ(status.code(), StatusCode::kCorruption);
  EXPECT_NE(status.message().find("ask_price"), std::string_view::npos) << status.ToString();
  EXPECT_EQ(back.size(), 0u);
}

TEST(SeriesBlock, ABlockStoredUnderAnotherKeyIsRefused) {
  Random random(TestSeed());
  std::vector<Column> columns = QuoteColumns();
  Rows rows = ToRows(Quotes(10, &random), columns), back;
  CodecBuffers buffers;
  std::string bytes;
  ASSERT_TRUE(
      EncodeSeriesBlock("key 1", rows, columns, 0, 10, Effort::kLive, &buffers, &bytes).ok());
  EXPECT_TRUE(DecodeSeriesBlock("key 1", bytes, columns, &buffers, &back).ok());
  EXPECT_EQ(DecodeSeriesBlock("key 2", bytes, columns, &buffers, &back).code(),
            StatusCode::kCorruption);
}

TEST(SeriesBlock, EveryFlippedByteIsNoticed) {
  Random random(TestSeed());
  std::vector<Column> columns = QuoteColumns();
  Rows rows = ToRows(Quotes(40, &random), columns), back;
  CodecBuffers buffers;
  std::string bytes;
  ASSERT_TRUE(EncodeSeriesBlock("k", rows, columns, 0, 40, Effort::kLive, &buffers, &bytes).ok());
  for (size_t i = 0; i < bytes.size(); ++i) {
    for (int flip = 1; flip < 256; flip <<= 1) {
      std::string damaged = bytes;
      damaged[i] = static_cast<char>(damaged[i] ^ flip);
      ASSERT_FALSE(DecodeSeriesBlock("k", damaged, columns, &buffers, &back).ok()) << "byte " << i;
    }
    ASSERT_FALSE(
        DecodeSeriesBlock("k", std::string_view(bytes).substr(0, i), columns, &buffers, &back)
            .ok());
  }
  EXPECT_FALSE(DecodeSeriesBlock("k", bytes + '\0', columns, &buffers, &back).ok());
}

TEST(SeriesBlock, RowsWithLongTextsTakeMoreBlocks) {
  std::deque<std::string> texts;
  std::vector<Column> columns = {{"note", ColumnType::kText}};
  std::vector<PlainRow> plain(80);
  for (size_t i = 0; i < plain.size(); ++i) {
    texts.push_back(std::string(size_t{1} << 20, static_cast<char>('a' + i % 3)));
    plain[i] = {static_cast<int64_t>(i),
                0,
                {TpId{1}, static_cast<int64_t>(i), 0},
                {Value::OfText(texts.back())}};
  }
  Rows rows = ToRows(plain, columns), back;
  CodecBuffers buffers;
  std::string bytes;
  size_t fit = SeriesRowsThatFit(rows, 0, 4096);
  EXPECT_GT(fit, 1u);
  EXPECT_LT(fit, plain.size());
  ASSERT_TRUE(EncodeSeriesBlock("k", rows, columns, 0, fit, Effort::kLive, &buffers, &bytes).ok());
  ASSERT_TRUE(DecodeSeriesBlock("k", bytes, columns, &buffers, &back).ok());
  EXPECT_TRUE(SameRows(back, plain, 0, fit));
  EXPECT_EQ(EncodeSeriesBlock("k", rows, columns, 0, 80, Effort::kLive, &buffers, &bytes).code(),
            StatusCode::kResourceExhausted);
}

}  // namespace
}  // namespace tapedeck
