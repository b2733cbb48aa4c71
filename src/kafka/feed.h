#ifndef TAPEDECK_KAFKA_FEED_H_
#define TAPEDECK_KAFKA_FEED_H_

// Feed: market data made up from a seed. The load tool, the demo, tests and benches share it.
//
// JSON quotes and trades of several symbols that the preset `generic-json` decodes: prices walk at
// random in whole ticks, messages come in bursts of one symbol, and, as far as asked, some are late
// and some malformed. The same options give the same messages on every machine.
//
//   Feed feed({.seed = 7, .symbols = 5, .kind = FeedKind::kMixed, .late_ppm = 2'000, .malformed_ppm
//   = 500}); for (int i = 0; i < 1'000; ++i) {
//     const FeedMessage& m = feed.Next();   //
//     {"symbol":"BTC-USD","ts":1719878400000,"bid":61005.10,…} Send(m.symbol, m.value);
//   }
//   feed.counts().quotes   // what a recorder must find
//
// Owned by one thread.

#include <array>
#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/random.h"
#include "base/time.h"

namespace tapedeck {

enum class FeedKind : uint8_t { kQuotes, kTrades, kMixed };
/// About this many bytes per message.
enum class FeedWidth : uint8_t { k100, k250 };

struct FeedOptions {
  uint64_t seed = 1;
  uint32_t symbols = 8;
  FeedKind kind = FeedKind::kQuotes;
  FeedWidth width = FeedWidth::k100;
  /// Event time of the first message.
  Timestamp start = Timestamp(1'719'878'400'000'000'000);  // 2024-07-02T00:00:00Z
  /// Mean time between two messages of the feed; a twentieth of it within bursts.
  std::chrono::nanoseconds mean_gap = std::chrono::milliseconds(5);
  /// Unit of `ts` in the messages: milliseconds or nanoseconds.
  TimeUnit ts_unit = TimeUnit::kMilliseconds;
  /// Of a million messages: how many begin a burst, have an event time up to 30 s in the past, are
  /// malformed.
  uint32_t burst_ppm = 5'000;
  uint32_t late_ppm = 0;
  uint32_t malformed_ppm = 0;
};

struct FeedMessage {
  std::string_view symbol;  // lives as long as the feed
  std::string_view value;   // until the next call of Next
  Timestamp sent_at;        // time goes up from message to message
  Timestamp event_time;     // what the message says; earlier than sent_at where it is late
  bool malformed = false;
};

class Feed {
 public:
  explicit Feed(const FeedOptions& options);
  const FeedMessage& Next();

  struct Counts {
    uint64_t messages = 0;
    uint64_t quotes = 0;
    uint64_t trades = 0;
    uint64_t late = 0;
    uint64_t malformed = 0;
  };
  const Counts& counts() const { return counts_; }

 private:
  struct Symbol {
    std::string name;
    int64_t bid = 0;  // in ticks of 10^-scale
    uint8_t price_scale = 2;
    uint8_t size_scale = 0;
    uint64_t trades = 0;
  };

  bool Happens(uint32_t ppm) { return ppm > 0 && random_.Uniform(1'000'000) < ppm; }
  void MakeSymbols();
  Symbol& PickSymbol();
  void StepTime();
  void FormatQuote(Symbol& symbol);
  void FormatTrade(Symbol& symbol);
  void FormatMalformed(Symbol& symbol);

  FeedOptions options_;
  Random random_;
  std::vector<Symbol> symbols_;
  size_t burst_symbol_ = 0;
  uint32_t burst_left_ = 0;
  int64_t now_ns_ = 0;
  int64_t event_ns_ = 0;
  uint64_t sequence_ = 0;
  std::array<char, 512> buffer_;
  char* end_ = nullptr;
  FeedMessage message_;
  Counts counts_;
};

}  // namespace tapedeck

#endif  // TAPEDECK_KAFKA_FEED_H_
