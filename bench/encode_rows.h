#ifndef TAPEDECK_BENCH_ENCODE_ROWS_H_
#define TAPEDECK_BENCH_ENCODE_ROWS_H_

// Made-up quotes as a cursor gives them, for the benchmarks of encoders: ts, symbol, bid_price,
// bid_size, ask_price, ask_size.
//
//   bench::EncodeRows rows = bench::EncodeRows::OneSymbol(2'000'000);
//   for (const bench::EncodeRun& run : rows.runs) encoder.Append(…);
//
// Prices have two digits after the point, sizes as many as they need, none to five: as feeds write
// them. Owned by one thread.

#include <algorithm>
#include <cstdint>
#include <deque>
#include <string>
#include <vector>

#include "base/random.h"
#include "model/record.h"

namespace tapedeck::bench {

/// `count` rows from `first` on.
struct EncodeRun {
  std::string symbol;
  const Rows* rows;
  uint32_t first;
  uint32_t count;
};

struct EncodeRows {
  std::deque<Rows> blocks;  // of 4,096 rows at the most
  std::vector<EncodeRun> runs;
  size_t count = 0;

  /// A range of one symbol: a run is a block.
  static EncodeRows OneSymbol(size_t count) { return Make(count, 1, 4096); }
  /// Many symbols by time: runs of one to three rows.
  static EncodeRows ManySymbols(size_t count) { return Make(count, 100, 2); }

 private:
  struct Walk {
    std::string symbol;
    Random random;
    Rows* block = nullptr;
    int64_t bid = 0;
  };

  static EncodeRows Make(size_t count, size_t symbols, uint32_t run_rows) {
    EncodeRows made;
    Random random(42);
    std::vector<Walk> walks;
    for (size_t i = 0; i < symbols; ++i) {
      walks.push_back({"BINANCE:SYM" + std::to_string(100 + i) + "USDT", Random(i), nullptr,
                       6'322'969 + static_cast<int64_t>(i) * 1000});
    }
    int64_t ts = int64_t{1'719'893'836} * 1'000'000'000;
    while (made.count < count) {
      Walk& walk = walks[random.Uniform(symbols)];
      const uint32_t rows = run_rows == 4096 ? 4096 : 1 + static_cast<uint32_t>(random.Uniform(3));
      if (walk.block == nullptr || walk.block->size() + rows > 4096) {
        walk.block = &made.blocks.emplace_back();
        walk.block->columns.resize(4);
      }
      const auto first = static_cast<uint32_t>(walk.block->size());
      for (uint32_t i = 0; i < rows; ++i) {
        ts += 1'000'000 + static_cast<int64_t>(random.Uniform(9'000'000));
        Add(&walk, ts);
      }
      made.runs.push_back({walk.symbol, walk.block, first, rows});
      made.count += rows;
    }
    return made;
  }

  static Decimal Size(Random* random) {
    Decimal size{static_cast<int64_t>(1 + random->Uniform(500'000)), 5};
    if (random->Uniform(3) == 0) size.mantissa = size.mantissa / 1000 * 1000 + 1000;
    while (size.scale > 0 && size.mantissa % 10 == 0) size = {size.mantissa / 10, --size.scale};
    return size;
  }

  static void Add(Walk* walk, int64_t ts) {
    Random& random = walk->random;
    Rows* rows = walk->block;
    walk->bid += static_cast<int64_t>(random.Uniform(21)) - 10;
    const int64_t ask = walk->bid + 1 + static_cast<int64_t>(random.Uniform(5));
    rows->ts.push_back(ts);
    rows->ts_kafka.push_back(ts);
    rows->tp.push_back(1);
    rows->offset.push_back(static_cast<int64_t>(rows->offset.size()));
    rows->index.push_back(0);
    rows->columns[0].Append(Value::OfDecimal({walk->bid, 2}));
    rows->columns[1].Append(Value::OfDecimal(Size(&random)));
    rows->columns[2].Append(Value::OfDecimal({ask, 2}));
    rows->columns[3].Append(Value::OfDecimal(Size(&random)));
  }
};

}  // namespace tapedeck::bench

#endif  // TAPEDECK_BENCH_ENCODE_ROWS_H_
