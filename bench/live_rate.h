#ifndef TAPEDECK_BENCH_LIVE_RATE_H_
#define TAPEDECK_BENCH_LIVE_RATE_H_

// A quiet feed as rows: 200 quotes a second of 500 symbols over 12 partitions, for some hours.
//
// Gaps are exponential, as of independent senders; each quote moves its price by a few ticks or
// none. Each symbol is on the partition of its number, so the offsets of a series have gaps.
// Kafka's time is a few milliseconds after the event's. Everything follows from the seed.
//
// Owned by one thread.

#include <cmath>

#include "base/random.h"
#include "bench/quote_files.h"

namespace tapedeck::bench {

inline constexpr size_t kLiveSymbols = 500;
inline constexpr uint32_t kLivePartitions = 12;
inline constexpr double kLivePerSecond = 200;
/// Rows of a symbol in one flush, a minute.
inline constexpr size_t kLiveFlushRows = 24;

inline QuoteFile MakeLiveFeed(uint64_t seed, size_t quotes) {
  Random random(seed);
  QuoteFile file;
  file.name = "200 quotes/s of 500 symbols over 12 partitions, seed " + std::to_string(seed);
  file.series.resize(kLiveSymbols);
  file.rows = quotes;
  std::vector<int64_t> bids(kLiveSymbols), offsets(kLivePartitions);
  for (int64_t& bid : bids) bid = 1000 + static_cast<int64_t>(random.Uniform(300'000));
  for (QuoteSeries& series : file.series) series.rows.columns.assign(5, RowsColumn{});
  double now_ms = 1'719'878'400'000.0;
  for (size_t i = 0; i < quotes; ++i) {
    const double uniform = (static_cast<double>(random.Uniform(1u << 30)) + 1) / double(1u << 30);
    now_ms -= std::log(uniform) * 1000 / kLivePerSecond;
    const auto symbol = static_cast<size_t>(random.Uniform(kLiveSymbols));
    const auto partition = static_cast<uint32_t>(symbol % kLivePartitions);
    QuoteSeries& series = file.series[symbol];
    if (random.Uniform(2) == 0) bids[symbol] += static_cast<int64_t>(random.Uniform(5)) - 2;
    const int64_t ms = std::llround(now_ms), ns = ms * 1'000'000;
    const int64_t numbers[4] = {bids[symbol], 100 * (1 + static_cast<int64_t>(random.Uniform(20))),
                                bids[symbol] + 1 + static_cast<int64_t>(random.Uniform(3)),
                                100 * (1 + static_cast<int64_t>(random.Uniform(20)))};
    series.rows.ts.push_back(ns);
    series.rows.ts_kafka.push_back(ns + 1'000'000 * static_cast<int64_t>(1 + random.Uniform(4)));
    series.rows.tp.push_back(partition);
    series.rows.offset.push_back(offsets[partition]++);
    series.rows.index.push_back(0);
    for (size_t c = 0; c < 4; ++c)
      series.rows.columns[c].Append(
          Value::OfDecimal({numbers[c], static_cast<uint8_t>(c % 2 == 0 ? 2 : 0)}));
    series.rows.columns[4].Append(Value());
    series.structs.push_back({ns, numbers[0], numbers[1], numbers[2], numbers[3]});
  }
  return file;
}

}  // namespace tapedeck::bench

#endif  // TAPEDECK_BENCH_LIVE_RATE_H_
