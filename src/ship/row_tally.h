#ifndef TAPEDECK_SHIP_ROW_TALLY_H_
#define TAPEDECK_SHIP_ROW_TALLY_H_

// RowTally: how many rows of a table passed, and the sum of their record hashes: what a flush
// counted, what was written and what was decoded again must agree in both.
//
// Owned by one thread.

#include <string>
#include <string_view>
#include <vector>

#include "model/record.h"
#include "store/store.h"

namespace tapedeck {

struct RowSum {
  uint64_t rows = 0;
  Digest digest;
  RowSum& operator+=(const RowSum& other) {
    rows += other.rows;
    digest += other.digest;
    return *this;
  }
  bool operator==(const RowSum&) const = default;
};

class RowTally {
 public:
  /// The tapes of `state` are those that rows may name.
  RowTally(const Table& table, const StoreState& state) : table_(table.name), hasher_(table) {
    for (const auto& [tp, tape] : state.tapes) {
      if (Raw(tp) >= tapes_.size()) tapes_.resize(Raw(tp) + 1);
      tapes_[Raw(tp)] = TapeHash(tape);
    }
  }

  /// Rows [first, first + count) of one symbol.
  void Add(std::string_view symbol, const Rows& rows, uint32_t first, uint32_t count) {
    if (sum_.rows == 0 || symbol != symbol_) {
      symbol_ = symbol;
      series_ = SeriesHash(table_, symbol);
    }
    sum_.rows += count;
    if (first == 0 && count == rows.size()) {
      sum_.digest += hasher_.DigestOf(series_, tapes_, rows);
      return;
    }
    for (uint32_t row = first; row < first + count; ++row)
      sum_.digest += hasher_.Hash(series_, tapes_[rows.tp[row]], rows, row);
  }
  const RowSum& sum() const { return sum_; }

 private:
  const std::string table_;
  RecordHasher hasher_;
  std::vector<Hash128> tapes_;  // by Raw(tp)
  std::string symbol_;
  Hash128 series_;
  RowSum sum_;
};

}  // namespace tapedeck

#endif  // TAPEDECK_SHIP_ROW_TALLY_H_
