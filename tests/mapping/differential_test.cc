// Whatever a message looks like, the learned layouts and the tree give the same records and the
// same marks, and nothing crashes.
//
// A failure prints the seed and the message. Again: TAPEDECK_FUZZ_SEED=<seed> mapping_test
// --gtest_filter=Differential*. More: TAPEDECK_FUZZ_ITERATIONS=<mutations for each preset>.

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "mapping_support.h"

namespace tapedeck::testing {
namespace {

uint64_t FromEnvironment(const char* name, uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text != nullptr ? std::strtoull(text, nullptr, 10) : otherwise;
}

struct Feed {
  std::string preset;
  nlohmann::json over;
  std::vector<std::string> messages;
};

std::vector<Feed> Feeds() {
  return {
      {"binance",
       {},
       {R"({"e":"bookTicker","u":400900217,"s":"BNBUSDT","b":"25.35190000","B":"31.21000000","a":"25.36520000","A":"40.66000000","T":1723161256310,"E":1723161256311})",
        R"({"stream":"btcusdt@bookTicker","data":{"u":50093421613,"s":"BTCUSDT","b":"61685.99000000","B":"1.25869000","a":"61686.00000000","A":"2.44816000"}})",
        R"({"e":"trade","E":1672515782136,"s":"BNBBTC","t":12345,"p":"0.001","q":"100","T":1672515782136,"m":true,"M":true})",
        R"({"e":"kline","E":1672515782136,"s":"BNBBTC","k":{"t":1672515780000,"T":1672515839999,"s":"BNBBTC","i":"1m","f":100,"L":200,"o":"0.0010","c":"0.0020","h":"0.0025","l":"0.0015","v":"1000","n":100,"x":false,"q":"1.0000","V":"500","Q":"0.500","B":"123456"}})",
        R"([{"e":"24hrTicker","E":1672515782136,"s":"BNBBTC","c":"0.0025","b":"0.0024","B":"10","a":"0.0026","A":"100","o":"0.0010","h":"0.0025","l":"0.0010","v":"10000","q":"18"}])",
        R"({"e":"depthUpdate","E":1723161256299,"s":"BTCUSDT","U":5,"u":6,"b":[["58710.20","0.014"]],"a":[]})",
        R"({"result":null,"id":1})"}},
      {"finnhub",
       {},
       {R"({"data":[{"c":null,"p":63229.69,"s":"BINANCE:BTCUSDT","t":1719893836373,"v":0.00139},{"c":null,"p":63229.7,"s":"BINANCE:BTCUSDT","t":1719893836373,"v":0.00184}],"type":"trade"})",
        R"({"data": [{"p": 1.0850, "s": "OANDA:EUR_USD", "t": 1719893836373, "v": 0}], "type": "trade"})",
        R"({"data": [{"p": 1.0850, "s": "A", "t": 1719893836373, "v": 1}, {"p": 2, "s": "B", "t": 1719893836374, "v": 3}], "type": "trade"})",
        R"({"type":"ping"})", R"({"data":[],"type":"trade"})"}},
      {"generic-json",
       {{"accept_nan", true}, {"unmatched", "skip"}},
       {R"({"symbol":"AAPL","bid":"164.06","bid_size":5,"ask":"164.07","ask_size":7,"ts":1680286537580,"exchange":"V","last":164.065})",
        R"({"symbol":"AAPL","price":164.06,"size":"5","side":"BUY","time":"2023-03-31T18:15:37.58Z","id":91})",
        R"([{"symbol":"A","price":1},{"symbol":"B","price":2},{"symbol":"C","price":3}])",
        R"({"symbol":"A","price":NaN,"time":1719914400.25})"}},
      {"cryptofeed",
       {},
       {R"({"exchange":"COINBASE","symbol":"BTC-USD","side":"buy","amount":1.2,"price":64342.12,"id":"23454323","type":"limit","timestamp":1634865952.143,"receipt_timestamp":1634865952.218})",
        R"({"exchange":"COINBASE","symbol":"BTC-USD","bid":64342.11,"ask":64342.12,"timestamp":1634865952.143,"receipt_timestamp":1634865952.218})",
        R"({"exchange":"X","symbol":"B","delta":{"bid":[[64342.11,0.5],[64342.10,0]],"ask":[]},"timestamp":1634865952.143,"receipt_timestamp":1})"}},
      {"coinbase",
       {},
       {R"({"type":"ticker","sequence":37475248783,"product_id":"ETH-USD","price":"1285.22","open_24h":"1310.79","volume_24h":"245532.79","low_24h":"1280.52","high_24h":"1313.8","volume_30d":"9788783.6","best_bid":"1285.04","best_bid_size":"0.46688654","best_ask":"1285.27","best_ask_size":"1.56637040","side":"buy","time":"2022-10-19T23:28:22.061769Z","trade_id":370843401,"last_size":"11.4396987"})",
        R"({"type":"heartbeat","sequence":90})"}},
      {"tiingo",
       {},
       {R"({"service":"crypto_data","messageType":"A","data":["Q","btcusd","2019-01-30T18:03:40.195515+00:00","bitfinex",38.11162867,787.82,787.83,42.4153887,787.84]})",
        R"({"service":"crypto_data","messageType":"A","data":["T","lunabusd","2022-02-26T12:48:55.326000+00:00","binance",20.0,74.99]})"}},
      {"kraken",
       {},
       {R"({"channel":"ticker","type":"update","data":[{"symbol":"USDT/USD","bid":0.99980,"bid_qty":44620.68691883,"ask":0.99981,"ask_qty":1087605.70466858,"last":0.99981,"volume":270638277.5,"vwap":0.99983,"low":0.99959,"high":1.00000,"change":0.00005,"change_pct":0.01,"trades":38144,"timestamp":"2026-09-24T03:54:18.054886Z"}]})",
        R"({"channel":"heartbeat"})", R"({"success":false,"error":"x"})"}},
      {"massive",
       {},
       {R"([{"ev":"XQ","pair":"CHZ-USD","lp":0,"ls":0,"bp":0.0771,"bs":41650.4,"ap":0.0773,"as":142883.4,"t":1690409119847,"x":1,"r":1690409119856},{"ev":"XQ","pair":"CHZ-USD","lp":0,"ls":0,"bp":0.0772,"bs":41650.4,"ap":0.0773,"as":142883.4,"t":1690409119847,"x":1,"r":1690409119856}])",
        R"([{"ev":"XT","pair":"BTC-USD","p":26789.01,"t":1697170879990,"s":0.00388066,"c":[1],"i":568114041,"x":1,"r":1697170879996}])"}},
  };
}

class Mutator {
 public:
  explicit Mutator(uint64_t seed) : random_(seed) {}
  size_t Below(size_t n) { return n == 0 ? 0 : random_() % n; }

  std::string Mutate(std::string m) {
    static const std::vector<std::string> kTokens = {"\"",
                                                     "\\",
                                                     "\\u0041",
                                                     "\\ud83d\\ude00",
                                                     "\\ud83d",
                                                     "\\x",
                                                     "{",
                                                     "}",
                                                     "[",
                                                     "]",
                                                     ",",
                                                     ":",
                                                     " ",
                                                     "\n",
                                                     "\t",
                                                     "null",
                                                     "true",
                                                     "false",
                                                     "NaN",
                                                     "-Infinity",
                                                     "0",
                                                     "-0",
                                                     "-0.0",
                                                     "00",
                                                     "007",
                                                     "1e5",
                                                     "1E-7",
                                                     "1e61",
                                                     "1e999",
                                                     ".5",
                                                     "5.",
                                                     "+1",
                                                     "-",
                                                     "e",
                                                     "--",
                                                     "123456789012345678",
                                                     "1234567890123456789",
                                                     "99999999999999999999.5",
                                                     "0.000000000000000000001",
                                                     "1.10",
                                                     "\"\"",
                                                     "\"x\"",
                                                     "\xc3\xa9",
                                                     "\xff",
                                                     "\xc0\x80",
                                                     "\xed\xa0\x80",
                                                     std::string(1, '\0'),
                                                     "\x01",
                                                     "\x7f",
                                                     "{\"s\":1}",
                                                     "[1]",
                                                     "\"s\":\"dup\",",
                                                     "\"e\":\"trade\",",
                                                     "4102444800000",
                                                     "-1",
                                                     "trade",
                                                     "99999999",
                                                     "100000000",
                                                     "\x20\x20\x20\x20\x20\x20\x20\x20\x20"};
    for (size_t edits = 1 + Below(3); edits > 0; --edits) Edit(kTokens, &m);
    return m;
  }

 private:
  void Edit(const std::vector<std::string>& tokens, std::string* m) {
    const size_t at = Below(m->size() + 1);
    switch (Below(10)) {
      case 0:
        if (at < m->size()) (*m)[at] = static_cast<char>(random_());
        break;
      case 1:
        m->insert(at, tokens[Below(tokens.size())]);
        break;
      case 2:
        m->erase(at, 1 + Below(4));
        break;
      case 3:
        m->resize(at);
        break;
      case 4:
        m->insert(at, m->substr(Below(m->size()), 1 + Below(40)));
        break;
      case 5:
        ReplaceDigit(m);
        break;
      case 6:
      case 7:
      case 8:
        ReplaceScalar(tokens, m);
        break;
      default:
        RepeatElement(m);
        break;
    }
  }
  void ReplaceDigit(std::string* m) {
    for (size_t tries = 0; tries < 20 && !m->empty(); ++tries) {
      char& c = (*m)[Below(m->size())];
      if (c >= '0' && c <= '9') {
        c = static_cast<char>('0' + Below(10));
        return;
      }
    }
  }
  /// What stands between punctuation, with or without its quotes, becomes another token.
  void ReplaceScalar(const std::vector<std::string>& tokens, std::string* m) {
    size_t from = m->find_first_of(":,[", Below(m->size()));
    if (from == std::string::npos) return;
    size_t to = m->find_first_of(",}]", from + 1);
    if (to == std::string::npos) return;
    bool quoted = (*m)[from + 1] == '"' && to > from + 2 && Below(3) > 0;
    from += quoted ? 2 : 1;
    to -= quoted ? 1 : 0;
    m->replace(from, to - from, tokens[Below(tokens.size())]);
  }
  void RepeatElement(std::string* m) {
    size_t from = m->find('{', Below(m->size()));
    if (from == std::string::npos) return;
    size_t to = m->find('}', from);
    if (to == std::string::npos) return;
    m->insert(to + 1, "," + m->substr(from, to + 1 - from));
  }

  std::mt19937_64 random_;
};

std::string Dump(const Decoded& decoded) {
  std::string out;
  for (const DecodedRecord& r : decoded.records) {
    out += std::to_string(Raw(r.table)) + " " + std::string(r.symbol) + " " +
           std::to_string(r.ts.ns()) + " " + std::string(r.ts_source);
    for (const Value& value : r.values) {
      out += "|" + std::to_string(static_cast<int>(value.kind())) + ":";
      value.AppendCanonical(&out);
    }
    out += "\n";
  }
  for (const DecodedMark& mark : decoded.marks) {
    out += std::to_string(static_cast<int>(mark.kind)) + "@" + std::to_string(mark.position) + " " +
           std::string(mark.reason) + "\n";
  }
  return out + std::to_string(decoded.refused);
}

class Differential : public ::testing::TestWithParam<size_t> {};

TEST_P(Differential, LayoutsAndTreeAgreeOnMutatedMessages) {
  const Feed feed = Feeds()[GetParam()];
  const uint64_t seed = FromEnvironment("TAPEDECK_FUZZ_SEED", std::random_device{}());
  const uint64_t iterations = FromEnvironment("TAPEDECK_FUZZ_ITERATIONS", 4000);
  TopicSettings settings;
  settings.symbol_prefix = GetParam() % 2 == 0 ? "" : "spot:";
  TestDecoder fast = TestDecoder::Make(feed.preset, PresetLibrary(), feed.over, settings).value();
  TestDecoder tree =
      TestDecoder::Make(feed.preset, PresetLibrary(), feed.over, settings, {.learn_layouts = false})
          .value();
  Mutator mutator(seed + GetParam());
  uint64_t untouched = 0;
  for (uint64_t i = 0; i < iterations; ++i) {
    std::string message = feed.messages[mutator.Below(feed.messages.size())];
    if (mutator.Below(4) != 0) {
      message = mutator.Mutate(message);
    } else {
      ++untouched;
    }
    KafkaSide kafka;
    if (mutator.Below(16) != 0)
      kafka.timestamp_ms = 1'700'000'000'000 + static_cast<int64_t>(mutator.Below(1000));
    Timestamp received(mutator.Below(32) == 0 ? 0 : kReceived.ns());
    std::string expected = Dump(tree.Run(message, kafka, received));
    ASSERT_EQ(Dump(fast.Run(message, kafka, received)), expected)
        << "seed " << seed << ", preset " << feed.preset << ", message " << i << ": " << message;
  }
  EXPECT_EQ(tree.decoder().stats().fast, 0u);
  // Otherwise this test compares the tree with itself.
  EXPECT_GT(fast.decoder().stats().fast, untouched / 4) << feed.preset;
}

INSTANTIATE_TEST_SUITE_P(Presets, Differential, ::testing::Range(size_t{0}, Feeds().size()),
                         [](const auto& one) {
                           std::string name = Feeds()[one.param].preset;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

TEST(MappingFuzz, AnyBytesAreRefusedOrDecodedButNeverCrash) {
  const uint64_t seed = FromEnvironment("TAPEDECK_FUZZ_SEED", std::random_device{}());
  const uint64_t iterations = FromEnvironment("TAPEDECK_FUZZ_ITERATIONS", 4000);
  SCOPED_TRACE("seed " + std::to_string(seed));
  Mutator mutator(seed);
  std::vector<TestDecoder> decoders;
  for (const char* format : {"json", "csv", "auto", "confluent", "avro"}) {
    decoders.push_back(
        TestDecoder::Make("generic-json", PresetLibrary(), {{"format", format}}).value());
  }
  static constexpr std::string_view kLetters =
      "{}[]\",:\\ \n\t0123456789.eE+-truefalsnNaI\xc3\xa9\xff";
  for (uint64_t i = 0; i < iterations; ++i) {
    std::string bytes(mutator.Below(80), '\0');
    const bool any = mutator.Below(3) == 0;
    for (char& c : bytes)
      c = any ? static_cast<char>(mutator.Below(256)) : kLetters[mutator.Below(kLetters.size())];
    for (TestDecoder& decoder : decoders) {
      const Decoded& decoded = decoder.Run(bytes);
      ASSERT_LE(decoded.refused, decoded.marks.size()) << bytes;
    }
  }
}

}  // namespace
}  // namespace tapedeck::testing
