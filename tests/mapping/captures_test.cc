// The two long Binance captures decode completely, and give the quotes and trades that were derived
// from them by others.

#include <gtest/gtest.h>
#include <zstd.h>

#include <algorithm>
#include <map>

#include "mapping_support.h"

namespace tapedeck::testing {
namespace {

struct Row {
  int64_t ts = 0;
  std::string symbol;
  std::string rest;  // the other fields, joined by commas
  bool operator==(const Row&) const = default;
};

/// The frames of the data files do not declare their size, which base/zstd.h refuses by intent.
std::string Unzip(const std::string& path) {
  std::string packed = ReadFile(SharedDir() + path), out;
  EXPECT_FALSE(packed.empty()) << path;
  std::unique_ptr<ZSTD_DStream, size_t (*)(ZSTD_DStream*)> stream(ZSTD_createDStream(),
                                                                  ZSTD_freeDStream);
  ZSTD_inBuffer in{packed.data(), packed.size(), 0};
  std::string piece(1 << 20, '\0');
  while (in.pos < in.size) {
    ZSTD_outBuffer to{piece.data(), piece.size(), 0};
    size_t result = ZSTD_decompressStream(stream.get(), &to, &in);
    EXPECT_FALSE(ZSTD_isError(result)) << path;
    if (ZSTD_isError(result)) break;
    out.append(piece.data(), to.pos);
  }
  return out;
}

std::vector<std::string_view> SplitLines(std::string_view text) {
  std::vector<std::string_view> out;
  while (!text.empty()) {
    size_t end = std::min(text.find('\n'), text.size());
    out.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return out;
}

std::vector<Row> ReadCsv(const std::string& path) {
  std::vector<Row> out;
  std::string text = Unzip(path);
  for (std::string_view line : SplitLines(text)) {
    if (line.starts_with("ts_event_ns")) continue;
    size_t first = line.find(','), second = line.find(',', first + 1);
    out.push_back({std::stoll(std::string(line.substr(0, first))),
                   std::string(line.substr(first + 1, second - first - 1)),
                   std::string(line.substr(second + 1))});
  }
  return out;
}

std::string Joined(std::span<const Value> values, size_t count) {
  std::string out;
  for (size_t i = 0; i < count; ++i) {
    if (i > 0) out.push_back(',');
    if (i < values.size()) values[i].AppendCanonical(&out);
  }
  return out;
}

struct Capture {
  std::map<std::string, std::vector<Row>> rows;  // by table
  std::map<std::string, size_t> marks;           // by reason
  size_t messages = 0;
};

Capture DecodeCapture(const std::string& name) {
  Capture capture;
  TestDecoder decoder = TestDecoder::Make("binance", PresetLibrary()).value();
  std::string text = Unzip("/data/raw/" + name + ".ndjson.zst");
  std::string received = Unzip("/data/raw/" + name + ".recv_ns.txt.zst");
  std::vector<std::string_view> lines = SplitLines(text), times = SplitLines(received);
  EXPECT_EQ(lines.size(), times.size());
  TopicPartition tp{"binance", 0};
  Decoded decoded;
  for (size_t i = 0; i < lines.size(); ++i) {
    MessageView message;
    message.timestamp_ms = std::stoll(std::string(times[i])) / 1'000'000;
    message.timestamp_type = TimestampType::kCreate;
    message.value = lines[i];
    decoder.decoder().Decode(tp, message, kReceived, &decoded);
    ++capture.messages;
    for (const DecodedMark& mark : decoded.marks) ++capture.marks[std::string(mark.reason)];
    for (const DecodedRecord& record : decoded.records) {
      const Table* table = decoder.tables().Find(record.table);
      capture.rows[table->name].push_back(
          {record.ts.ns(), std::string(record.symbol), Joined(record.values, 4)});
    }
  }
  return capture;
}

void SortByTimeAndSymbol(std::vector<Row>* rows) {
  std::stable_sort(rows->begin(), rows->end(), [](const Row& a, const Row& b) {
    return std::tie(a.ts, a.symbol) < std::tie(b.ts, b.symbol);
  });
}

void ExpectSameRows(std::vector<Row> actual, std::vector<Row> expected) {
  SortByTimeAndSymbol(&actual);
  SortByTimeAndSymbol(&expected);
  ASSERT_EQ(actual.size(), expected.size());
  for (size_t i = 0; i < actual.size(); ++i) {
    ASSERT_EQ(actual[i], expected[i])
        << "row " << i << ": " << actual[i].ts << " " << actual[i].symbol << " " << actual[i].rest
        << " instead of " << expected[i].rest;
  }
}

TEST(BinanceCaptures, FuturesQuotesAndTradesAreReproducedDigitForDigit) {
  TD_NEEDS_SHARED_DATA();
  const std::string name = "binance_usdm_btcusdt_ethusdt_20240808";
  Capture capture = DecodeCapture(name);
  EXPECT_EQ(capture.messages, 168'609u);
  ExpectSameRows(capture.rows["quotes"], ReadCsv("/data/quotes/" + name + "_quotes.csv.zst"));
  ExpectSameRows(capture.rows["trades"], ReadCsv("/data/trades/" + name + "_trades.csv.zst"));
  EXPECT_EQ(capture.rows.size(), 2u);
  for (const auto& [reason, count] : capture.marks) {
    EXPECT_TRUE(reason == "e == \"depthUpdate\"" || reason == "exists(lastUpdateId)")
        << reason << " x" << count;
  }
}

TEST(BinanceCaptures, SpotQuotesTakeTheKafkaTimeAndKeepArrivalOrder) {
  TD_NEEDS_SHARED_DATA();
  const std::string name = "binance_spot_btcusdt_ethusdt_20240809";
  Capture capture = DecodeCapture(name);
  EXPECT_EQ(capture.messages, 104'451u);
  std::vector<Row> expected = ReadCsv("/data/quotes/" + name + "_quotes.csv.zst");
  for (Row& row : expected) row.ts = row.ts / 1'000'000 * 1'000'000;  // Kafka has milliseconds
  ASSERT_EQ(capture.rows["quotes"].size(), expected.size());
  EXPECT_TRUE(capture.rows["quotes"] == expected);
  ExpectSameRows(capture.rows["trades"], ReadCsv("/data/trades/" + name + "_trades.csv.zst"));
  for (const auto& [reason, count] : capture.marks) {
    EXPECT_TRUE(reason == "e == \"depthUpdate\"" || reason == "exists(lastUpdateId)")
        << reason << " x" << count;
  }
}

}  // namespace
}  // namespace tapedeck::testing
