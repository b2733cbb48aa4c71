#ifndef TAPEDECK_TESTS_QUERY_RANDOM_WORLD_H_
#define TAPEDECK_TESTS_QUERY_RANDOM_WORLD_H_

// RandomWorld: a recording of several topics with everything that is awkward: symbols with NUL and
// 0x01, times before 1970, equal times, late rows, several lineages, messages without times,
// generations, blocks and chunks of all sizes.
//
// Owned by one thread.

#include <string>
#include <vector>

#include "base/random.h"
#include "query/store_filler.h"

namespace tapedeck::testing {

class RandomWorld {
 public:
  RandomWorld(StoreFiller* filler, Random* random) : filler_(filler), random_(random) {
    tapes_.push_back(filler->AddTape({"c1", "spot", 0, 0}));
    tapes_.push_back(filler->AddTape({"c1", "spot", 0, 1}, 100));
    tapes_.push_back(filler->AddTape({"c1", "spot", 1, 0}));
    tapes_.push_back(filler->AddTape({"c1", "futures", 0, 0}));
    tapes_.push_back(filler->AddTape({"c1", "audit", 0, 7}));
  }

  static const std::vector<std::string>& Symbols() {
    using namespace std::string_literals;
    static const std::vector<std::string> kSymbols = {"BTC"s, "ETH"s, "BTC\0X"s, "BTC\x01"s,
                                                      "BT"s,  "\0"s,  "Ω/€"s,    "a,b\"c"s};
    return kSymbols;
  }

  int64_t Time() {
    switch (random_->Uniform(4)) {
      case 0:
        return static_cast<int64_t>(random_->Uniform(20)) * 1'000'000'000;
      case 1:
        return -int64_t{86'400} * 1'000'000'000 * static_cast<int64_t>(random_->Uniform(3)) -
               static_cast<int64_t>(random_->Uniform(5));
      case 2:
        return int64_t{1'719'900'000} * 1'000'000'000 +
               static_cast<int64_t>(random_->Uniform(1000));
      default:
        return int64_t{1'719'800'000} * 1'000'000'000 +
               static_cast<int64_t>(random_->Uniform(int64_t{200'000} * 1'000'000'000));
    }
  }

  std::string Decimal() {
    static const char* kOdd[] = {"1.0", "1.00", "0", "-0.5", "99999999999999999999.5", "12e-3"};
    if (random_->OneIn(8)) return kOdd[random_->Uniform(6)];
    return std::to_string(random_->Between(-50, 5000)) + "." +
           std::to_string(random_->Uniform(100));
  }

  std::string Unit() {
    static const char* kKinds[] = {"q", "t", "b", "x", "q", "t", "bad", "ping"};
    const std::string kind = kKinds[random_->Uniform(8)];
    std::string unit = "{\"k\":\"" + kind + "\",\"s\":\"" +
                       Escaped(Symbols()[random_->Uniform(Symbols().size())]) +
                       "\",\"t\":" + std::to_string(Time());
    auto maybe = [&](const char* name, const std::string& value) {
      if (!random_->OneIn(5)) unit += std::string(",\"") + name + "\":" + value;
    };
    maybe("b", Decimal());
    maybe("p", Decimal());
    maybe("v", Decimal());
    maybe("c", Decimal());
    maybe("d", random_->OneIn(2) ? "\"buy\"" : "\"sell\"");
    maybe("i", std::to_string(random_->Uniform(1000)));
    maybe("w", random_->OneIn(2) ? "\"1m\"" : "\"1h\"");
    maybe("g", random_->OneIn(2) ? "true" : "false");
    maybe("m", std::to_string(1'719'800'000'000 + random_->Between(0, 9)));
    maybe("n", random_->OneIn(3) ? "\"line\\r\\n\\\"two\\\"\"" : "\"x\"");
    return unit + "}";
  }

  FillMessage Message() {
    FillMessage m;
    std::string value = "[";
    const uint64_t units = random_->Uniform(6);
    for (uint64_t i = 0; i < units; ++i) value += (i > 0 ? "," : "") + Unit();
    if (!random_->OneIn(12)) m.value = random_->OneIn(12) ? random_->Bytes(9) : value + "]";
    if (random_->OneIn(3)) m.key = random_->OneIn(2) ? std::string() : random_->Bytes(5);
    kafka_ms_ += random_->Between(-300, 500);
    m.timestamp_ms = kafka_ms_;
    if (random_->OneIn(15)) {
      m.timestamp_ms = -1;
      m.type = TimestampType::kNone;
    }
    if (random_->OneIn(4)) m.headers.emplace_back("h", std::nullopt);
    if (random_->OneIn(4)) m.headers.emplace_back("h", random_->Bytes(3));
    if (random_->OneIn(10)) m.skip = 2;
    return m;
  }

  /// Records for a while: appends, commits, flushes, closes days and merges in random order. The
  /// last rows stay open.
  void Run(size_t messages) {
    for (size_t i = 0; i < messages; ++i) {
      filler_->Append(tapes_[random_->Uniform(tapes_.size())], Message());
      now_ns_ += 1'000'000 * random_->Between(1, 500);
      if (random_->OneIn(9)) {
        filler_->Commit();
        filler_->SetNow(Timestamp(now_ns_));
      }
      if (random_->OneIn(60)) filler_->Flush();
      if (random_->OneIn(150)) filler_->CloseDays();
      if (random_->OneIn(200)) filler_->MergeSeries();
      if (random_->OneIn(300)) {
        filler_->Commit();
        filler_->MergeTape();
      }
      if (random_->OneIn(200))
        filler_->AddGap(tapes_[1], NextOffset(1) + 10, GapReason::kRetention);
    }
    filler_->Commit();
  }

  const std::vector<TpId>& tapes() const { return tapes_; }

 private:
  static std::string Escaped(const std::string& text) {
    std::string out;
    for (char c : text) {
      if (static_cast<unsigned char>(c) < 0x20) {
        char buffer[8];
        std::snprintf(buffer, sizeof(buffer), "\\u%04x", static_cast<unsigned>(c));
        out += buffer;
      } else {
        if (c == '"') out += '\\';
        out += c;
      }
    }
    return out;
  }
  int64_t NextOffset(size_t tape) { return filler_->NextOffset(tapes_[tape]); }

  StoreFiller* filler_;
  Random* random_;
  std::vector<TpId> tapes_;
  int64_t kafka_ms_ = 1'719'900'000'000;
  int64_t now_ns_ = int64_t{1'719'900'000} * 1'000'000'000;
};

}  // namespace tapedeck::testing

#endif  // TAPEDECK_TESTS_QUERY_RANDOM_WORLD_H_
