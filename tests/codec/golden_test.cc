// The formats, byte by byte: what an encoder writes today, and what a decoder must still read in
// ten years. A change here is a new format
// version or a new encoding number. Content is compared after decompression: zstd's own bytes may
// differ between its versions.

#include <gtest/gtest.h>

#include <charconv>

#include "base/zstd.h"
#include "codec/integers.h"
#include "codec/series_block.h"
#include "codec/tape_block.h"
#include "golden_bytes.h"
#include "series_support.h"

namespace tapedeck {
namespace {

std::string Hex(std::string_view bytes) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string out;
  for (char c : bytes) {
    out.push_back(kDigits[static_cast<uint8_t>(c) >> 4]);
    out.push_back(kDigits[static_cast<uint8_t>(c) & 15]);
  }
  return out;
}

std::string FromHex(std::string_view hex) {
  std::string out;
  for (size_t i = 0; i + 1 < hex.size(); i += 2) {
    unsigned byte = 0;
    std::from_chars(hex.data() + i, hex.data() + i + 2, byte, 16);
    out.push_back(static_cast<char>(byte));
  }
  return out;
}

std::string ContentOf(std::string_view block, size_t header_bytes) {
  std::string_view stored = block.substr(header_bytes);
  if (block[5] == 1) return std::string(stored);
  std::string content;
  EXPECT_TRUE(Decompressor().Decompress(stored, 1 << 20, &content).ok());
  return content;
}

std::string Stream(const std::vector<int64_t>& values) {
  std::string out;
  IntegerEncoder().Encode(values, Effort::kLive, &out);
  return Hex(out);
}

// Golden streams hold 2 to 5 integers: first constants, then each form and layout.
TEST(Golden, IntegerStreams) {
  EXPECT_EQ(Stream({7, 7, 7}), "010e");
  EXPECT_EQ(Stream({100, 101, 102, 103}), kConsecutive);
  EXPECT_EQ(Stream({5, 900, 3, 77}), kOffsets);
  EXPECT_EQ(Stream({1'000'000, 1'000'300, 1'000'500, 1'001'500}), kDeltas);
  EXPECT_EQ(Stream({5'000'000, 4'999'990, 5'000'000, 4'999'970}), kZigzags);
}

// Hand-written after the grammar, so that a decoder of all forms and layouts is held to it.
TEST(Golden, EveryFormAndLayoutIsRead) {
  auto read = [](std::string_view hex, size_t count) {
    std::vector<int64_t> out(count);
    Status status = IntegerDecoder().Decode(FromHex(hex), out);
    EXPECT_TRUE(status.ok()) << hex << ": " << status.ToString();
    return out;
  };
  using Numbers = std::vector<int64_t>;
  EXPECT_EQ(read("0113", 2), (Numbers{-10, -10}));
  EXPECT_EQ(read("02140301", 3), (Numbers{10, 10, 10}));  // offsets, divisor 3, zeros
  EXPECT_EQ(read("02140102"
                 "03"
                 "01"
                 "8800",
                 3),
            (Numbers{10, 11, 12}));  // packed, width 3: 0 1 2
  EXPECT_EQ(read("02140503"
                 "01"
                 "01"
                 "000102",
                 3),
            (Numbers{10, 15, 20}));  // bytes of one
  EXPECT_EQ(read("02000103"
                 "02"
                 "01"
                 "e8030100",
                 2),
            (Numbers{1000, 1}));  // bytes of two
  EXPECT_EQ(read("02000104"
                 "01"
                 "070a"
                 "01"
                 "01",
                 2),
            (Numbers{7, 13}));                              // classes: 7; 12 + low bit 1
  EXPECT_EQ(read("03140a0101", 3), (Numbers{10, 15, 20}));  // deltas, all 5
  EXPECT_EQ(read("04140203"
                 "01"
                 "01"
                 "0102",
                 3),
            (Numbers{10, 8, 10}));  // zigzags times 2: -2, +2
  EXPECT_EQ(read("05140101"
                 "01"
                 "02"
                 "03"
                 "01"
                 "01"
                 "04",
                 4),
            (Numbers{10, 10, 12, 12}));  // steps: one change of +2
  EXPECT_EQ(read("06140101"
                 "01"
                 "02"
                 "03"
                 "01"
                 "01"
                 "0507",
                 4),
            (Numbers{15, 15, 17, 17}));  // levels 15, 17
}

TEST(Golden, TapeBlock) {
  TapeBlockBuilder builder;
  std::vector<HeaderView> headers = {{"h", "x"}, {"h", std::nullopt}};
  MessageView first, second, third;
  first.offset = 1042;
  first.timestamp_ms = 1'720'000'000'000;
  first.timestamp_type = TimestampType::kCreate;
  first.key = "BTC";
  first.value = "{\"p\":1}";
  second = first;
  second.offset = 1043;
  second.timestamp_ms += 7;
  second.key = std::nullopt;
  second.value = "";
  second.headers = headers;
  third = first;
  third.offset = 1050;
  third.value = std::nullopt;
  ASSERT_TRUE(builder.Append(first).ok() && builder.Append(second).ok());
  builder.MarkReceived(Timestamp(1'720'000'000'200'000'000));
  ASSERT_TRUE(builder.Append(third).ok());
  CodecBuffers buffers;
  std::string block;
  ASSERT_TRUE(
      builder.Seal(TpId{3}, Timestamp(1'720'000'000'400'000'000), Effort::kLive, &buffers, &block)
          .ok());
  EXPECT_EQ(Hex(block.substr(0, 4)), "54445442");  // "TDTB"
  EXPECT_EQ(Hex(ContentOf(block, kTapeHeaderBytes)), kTapeContent);

  TapeBlock back;
  Status status = back.Load(TpId{3}, 1042, FromHex(kTapeBlock), &buffers);
  ASSERT_TRUE(status.ok()) << status.ToString();
  ASSERT_EQ(back.size(), 3u);
  EXPECT_EQ(back.At(0).value, first.value);
  EXPECT_EQ(back.At(1).key, std::nullopt);
  EXPECT_EQ(back.At(1).value, OptionalBytes(""));
  ASSERT_EQ(back.At(1).headers.size(), 2u);
  EXPECT_EQ(back.At(1).headers[1].value, std::nullopt);
  EXPECT_EQ(back.At(2).offset, 1050);
  EXPECT_EQ(back.ReceivedAt(1), Timestamp(1'720'000'000'200'000'000));
  EXPECT_EQ(back.ReceivedAt(2), Timestamp(1'720'000'000'400'000'000));
}

// Four quotes of two symbols seven times over, and a message of no shape.
TEST(Golden, TapeBlockWithShapes) {
  TapeBlockBuilder builder;
  std::vector<std::string> values;
  for (int i = 0; i < 28; ++i) {
    const std::string tokens[] = {i % 2 == 0 ? "BTC" : "ETH", std::to_string(1'000 + i),
                                  (i % 2 == 0 ? "64342." : "3442.") + std::to_string(10 + i % 5),
                                  i % 4 == 0 ? "1.50" : "2.5", std::string(size_t(i % 3), 'x')};
    const std::string_view fixed[] = {"{\"s\":\"", "\",\"t\":", ",\"b\":", ",\"q\":", ",\"n\":\""};
    std::string value;
    std::vector<SlotRange> slots;
    for (size_t slot = 0; slot < 5; ++slot) {
      value += fixed[slot];
      slots.push_back(
          {static_cast<uint32_t>(value.size()), static_cast<uint32_t>(tokens[slot].size())});
      value += tokens[slot];
    }
    values.push_back(value + "\"}");
    MessageView message;
    message.offset = 1042 + i;
    message.timestamp_ms = 1'720'000'000'000 + i;
    message.timestamp_type = TimestampType::kCreate;
    message.value = i == 5 ? std::string_view("odd") : std::string_view(values.back());
    if (i == 5) values.back() = "odd";
    const MessageShape shape = {1, slots};
    ASSERT_TRUE(builder.Append(message, i == 5 ? nullptr : &shape).ok());
  }
  CodecBuffers buffers;
  std::string block;
  ASSERT_TRUE(
      builder.Seal(TpId{3}, Timestamp(1'720'000'000'400'000'000), Effort::kLive, &buffers, &block)
          .ok());
  EXPECT_EQ(Hex(block.substr(0, 5)), "5444544202");  // "TDTB", version 2
  EXPECT_EQ(Hex(ContentOf(block, kTapeHeaderBytes)), kShapedContent);
  TapeBlock back;
  Status status = back.Load(TpId{3}, 1042, FromHex(kShapedBlock), &buffers);
  ASSERT_TRUE(status.ok()) << status.ToString();
  ASSERT_EQ(back.size(), values.size());
  for (size_t i = 0; i < values.size(); ++i) EXPECT_EQ(back.At(i).value, OptionalBytes(values[i]));
}

std::vector<Column> GoldenColumns() {
  return {{"price", ColumnType::kDecimal}, {"size", ColumnType::kDecimal},
          {"side", ColumnType::kText},     {"trade_id", ColumnType::kText},
          {"maker", ColumnType::kFlag},    {"none", ColumnType::kInteger}};
}

std::vector<codec_test::PlainRow> GoldenRows() {
  return {{-5,
           1'000'000,
           {TpId{3}, 1042, 0},
           {Value::OfDecimal({99980, 5}), Value::OfDecimal({1, 0}), Value::OfText("buy"),
            Value::OfText("17"), Value::OfFlag(true), Value()}},
          {1'720'000'000'000'000'000,
           kNoKafkaTime,
           {TpId{3}, 1042, 1},
           {Value::OfDecimalText("99999999999999999999.5"), Value::OfDecimal({15, 1}), Value(),
            Value::OfText("18"), Value::OfFlag(false), Value()}},
          {1'720'000'000'000'000'001,
           3,
           {TpId{4}, 1043, 0},
           {Value(), Value::OfDecimal({20, 1}), Value::OfText("buy"), Value::OfText("-4"),
            Value::OfFlag(true), Value()}}};
}

TEST(Golden, SeriesBlock) {
  std::vector<codec_test::PlainRow> plain = GoldenRows();
  std::vector<Column> columns = GoldenColumns();
  CodecBuffers buffers;
  std::string block;
  ASSERT_TRUE(EncodeSeriesBlock("key", codec_test::ToRows(plain, columns), columns, 0, 3,
                                Effort::kLive, &buffers, &block)
                  .ok());
  EXPECT_EQ(Hex(block.substr(0, 4)), "54445342");  // "TDSB"
  EXPECT_EQ(Hex(ContentOf(block, kSeriesHeaderBytes)), kSeriesContent);

  Rows back;
  Status status = DecodeSeriesBlock("key", FromHex(kSeriesBlock), columns, &buffers, &back);
  ASSERT_TRUE(status.ok()) << status.ToString();
  EXPECT_TRUE(codec_test::SameRows(back, plain, 0, 3));
}

}  // namespace
}  // namespace tapedeck
