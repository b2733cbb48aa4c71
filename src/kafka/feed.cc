#include "kafka/feed.h"

#include <algorithm>
#include <charconv>
#include <cstring>

#include "base/check.h"

namespace tapedeck {
namespace {

/// Quantiles of the exponential distribution with mean 1,024: gaps without floating point.
constexpr std::array<uint32_t, 32> kGapQuantiles = {
    4259, 3134, 2611, 2266, 2009, 1803, 1632, 1486, 1357, 1244, 1141, 1048, 963, 884, 811, 742,
    678,  618,  561,  507,  456,  407,  361,  316,  273,  233,  193,  155,  119, 83,  49,  16};
constexpr int64_t kBurstMin = 20;
constexpr int64_t kBurstMax = 400;
constexpr int64_t kBurstSpeed = 20;
constexpr int64_t kLateMinNs = 1'000'000'000;
constexpr int64_t kLateMaxNs = 30'000'000'000;

struct KnownSymbol {
  std::string_view name;
  int64_t price;  // in ticks of 10^-price_scale
  uint8_t price_scale;
  uint8_t size_scale;
};
constexpr std::array kKnownSymbols = {
    KnownSymbol{"BTC-USD", 6'322'969, 2, 5}, KnownSymbol{"ETH-USD", 344'215, 2, 4},
    KnownSymbol{"AAPL", 21'675, 2, 0},       KnownSymbol{"EUR/USD", 107'412, 5, 0},
    KnownSymbol{"MSFT", 45'928, 2, 0},       KnownSymbol{"SOL-USD", 14'731, 2, 3},
    KnownSymbol{"ESU4", 554'175, 2, 0},      KnownSymbol{"DOGE-USD", 12'408, 5, 1},
};

char* Put(char* out, std::string_view text) {
  std::memcpy(out, text.data(), text.size());
  return out + text.size();
}

char* PutNumber(char* out, int64_t value) { return std::to_chars(out, out + 24, value).ptr; }

/// value / 10^scale with all its decimals; value >= 0.
char* PutFixed(char* out, int64_t value, uint8_t scale) {
  constexpr std::array<int64_t, 7> kPowers = {1, 10, 100, 1'000, 10'000, 100'000, 1'000'000};
  int64_t power = kPowers[scale];
  out = PutNumber(out, value / power);
  if (scale == 0) return out;
  *out++ = '.';
  int64_t fraction = value % power;
  for (int digit = scale - 1; digit >= 0; --digit) {
    out[digit] = static_cast<char>('0' + fraction % 10);
    fraction /= 10;
  }
  return out + scale;
}

}  // namespace

Feed::Feed(const FeedOptions& options)
    : options_(options), random_(options.seed), now_ns_(options.start.ns()) {
  TD_CHECK(options.symbols > 0 && options.symbols <= 1'000'000,
           "a feed has symbols, at most a million");
  TD_CHECK(options.mean_gap.count() >= 0, "time goes forward in a feed");
  MakeSymbols();
}

void Feed::MakeSymbols() {
  symbols_.resize(options_.symbols);
  for (size_t i = 0; i < symbols_.size(); ++i) {
    Symbol& symbol = symbols_[i];
    if (i < kKnownSymbols.size()) {
      const KnownSymbol& known = kKnownSymbols[i];
      symbol = {std::string(known.name), known.price, known.price_scale, known.size_scale, 0};
      continue;
    }
    std::string digits = std::to_string(i);
    symbol.name = "SYM" + std::string(digits.size() < 4 ? 4 - digits.size() : 0, '0') + digits;
    symbol.price_scale = i % 3 == 0 ? 4 : 2;
    symbol.size_scale = i % 5 == 0 ? 3 : 0;
    symbol.bid = random_.Between(1'000, 501'000);
  }
}

Feed::Symbol& Feed::PickSymbol() {
  if (burst_left_ > 0) {
    --burst_left_;
    return symbols_[burst_symbol_];
  }
  size_t count = symbols_.size();
  // The lesser of two: the first symbols are the busy ones.
  size_t index = std::min(random_.Uniform(count), random_.Uniform(count));
  if (Happens(options_.burst_ppm)) {
    burst_symbol_ = index;
    burst_left_ = static_cast<uint32_t>(random_.Between(kBurstMin, kBurstMax));
  }
  return symbols_[index];
}

void Feed::StepTime() {
  int64_t gap = options_.mean_gap.count() * kGapQuantiles[random_.Next() >> 59] / 1'024;
  now_ns_ += burst_left_ > 0 ? gap / kBurstSpeed : gap;
  event_ns_ = now_ns_;
  if (Happens(options_.late_ppm)) {
    event_ns_ -= random_.Between(kLateMinNs, kLateMaxNs);
    ++counts_.late;
  }
  event_ns_ -= event_ns_ % NanosPer(options_.ts_unit);
}

const FeedMessage& Feed::Next() {
  Symbol& symbol = PickSymbol();
  StepTime();
  ++sequence_;
  ++counts_.messages;
  message_.symbol = symbol.name;
  message_.sent_at = Timestamp(now_ns_);
  message_.event_time = Timestamp(event_ns_);
  message_.malformed = Happens(options_.malformed_ppm);
  symbol.bid = std::max<int64_t>(symbol.bid + random_.Between(-3, 3), 100);
  if (message_.malformed) {
    ++counts_.malformed;
    FormatMalformed(symbol);
  } else if (options_.kind == FeedKind::kTrades ||
             (options_.kind == FeedKind::kMixed && random_.Uniform(5) == 0)) {
    ++counts_.trades;
    FormatTrade(symbol);
  } else {
    ++counts_.quotes;
    FormatQuote(symbol);
  }
  message_.value = std::string_view(buffer_.data(), static_cast<size_t>(end_ - buffer_.data()));
  return message_;
}

void Feed::FormatQuote(Symbol& symbol) {
  uint64_t bits = random_.Next();
  bool wide = options_.width == FeedWidth::k250;
  char* out = Put(buffer_.data(), R"({"symbol":")");
  out = Put(out, symbol.name);
  if (wide) {
    out = Put(out, R"(","type":"quote","exchange":"XNAS","sequence":)");
    out = PutNumber(out, static_cast<int64_t>(sequence_));
    out = Put(out, R"(,"ts":)");
  } else {
    out = Put(out, R"(","ts":)");
  }
  out = PutNumber(out, event_ns_ / NanosPer(options_.ts_unit));
  out = Put(out, R"(,"bid":)");
  out = PutFixed(out, symbol.bid, symbol.price_scale);
  out = Put(out, R"(,"bid_size":)");
  out = PutFixed(out, 1 + static_cast<int64_t>(bits & 1023), symbol.size_scale);
  out = Put(out, R"(,"ask":)");
  out = PutFixed(out, symbol.bid + 1 + static_cast<int64_t>((bits >> 10) & 3), symbol.price_scale);
  out = Put(out, R"(,"ask_size":)");
  out = PutFixed(out, 1 + static_cast<int64_t>((bits >> 12) & 1023), symbol.size_scale);
  if (wide) {
    out = Put(
        out,
        R"(,"bid_exchange":"XNAS","ask_exchange":"ARCX","conditions":["R","regular"],"tape":"C","source":"sip-)");
    out = PutNumber(out, static_cast<int64_t>((bits >> 22) & 3));
    *out++ = '"';
  }
  end_ = Put(out, "}");
}

void Feed::FormatTrade(Symbol& symbol) {
  uint64_t bits = random_.Next();
  char* out = Put(buffer_.data(), R"({"symbol":")");
  out = Put(out, symbol.name);
  out = Put(out, R"(","ts":)");
  out = PutNumber(out, event_ns_ / NanosPer(options_.ts_unit));
  out = Put(out, R"(,"price":)");
  bool buy = (bits & 1) != 0;
  out = PutFixed(out, symbol.bid + (buy ? 1 : 0), symbol.price_scale);
  out = Put(out, R"(,"size":)");
  out = PutFixed(out, 1 + static_cast<int64_t>((bits >> 1) & 511), symbol.size_scale);
  out = Put(out, buy ? R"(,"side":"buy","trade_id":")" : R"(,"side":"sell","trade_id":")");
  out = PutNumber(out, static_cast<int64_t>(++symbol.trades));
  if (options_.width == FeedWidth::k250) {
    out = Put(out, R"(","type":"trade","exchange":"XNAS","sequence":)");
    out = PutNumber(out, static_cast<int64_t>(sequence_));
    out = Put(out, R"(,"conditions":["@","F","T"],"tape":"C","currency":"USD","source":"sip-)");
    out = PutNumber(out, static_cast<int64_t>((bits >> 10) & 3));
    out = Put(out, R"(","venue_name":"Nasdaq Stock Market)");
  }
  end_ = Put(out, R"("})");
}

void Feed::FormatMalformed(Symbol& symbol) {
  switch (random_.Uniform(4)) {
    case 0:  // cut off in the middle
      FormatQuote(symbol);
      end_ = buffer_.data() + 20 + random_.Uniform(20);
      return;
    case 1:  // what some clients send when the API behind them failed
      end_ = Put(buffer_.data(), R"("error")");
      return;
    case 2: {  // not JSON: a bare NaN
      char* out = Put(buffer_.data(), R"({"symbol":")");
      out = Put(out, symbol.name);
      out = Put(out, R"(","ts":)");
      out = PutNumber(out, event_ns_ / NanosPer(options_.ts_unit));
      end_ = Put(out, R"(,"bid":NaN,"ask":NaN})");
      return;
    }
    default: {  // no symbol
      char* out = Put(buffer_.data(), R"({"ts":)");
      out = PutNumber(out, event_ns_ / NanosPer(options_.ts_unit));
      end_ = Put(out, R"(,"bid":1.00,"bid_size":1,"ask":1.01,"ask_size":1})");
      return;
    }
  }
}

}  // namespace tapedeck
