#ifndef TAPEDECK_QUERY_WINNERS_H_
#define TAPEDECK_QUERY_WINNERS_H_

// Which record of an upsert table stands for its identity: the one with the greatest
// (ts_kafka, origin), whatever order they come in. One rule for what is answered and for what is
// shipped.
//
//   Winners winners(&ranks, identity_columns, selection.EmptyRows());
//   winners.Clear();                                  // for each (symbol, ts)
//   for (…) winners.Fold(rows, row);                  // of all sources, in any order
//   for (const auto& [identity, winner] : winners.all()) Take(winners.rows(), winner.row);
//
// Memory: twice the rows of the identities, and a thousand rows; a bar that was sent a million
// times takes that of one.
//
// Owned by one thread.

#include <compare>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "model/chunk.h"
#include "model/record.h"

namespace tapedeck {

/// One part of an identity as bytes that sort: null before every text.
void AppendIdentityField(const std::optional<std::string>& text, std::string* out);

class Winners {
 public:
  struct Winner {
    int64_t ts_kafka;
    uint32_t rank;  // of its tape
    int64_t offset;
    uint32_t index;
    uint32_t row;  // of rows()
    auto operator<=>(const Winner&) const = default;
  };

  /// `identity`: places in `empty`'s columns of the identity's columns but symbol and ts. `empty`
  /// has the columns of the rows that come. `ranks` outlives this.
  Winners(const TapeRanks* ranks, std::vector<size_t> identity, Rows empty);

  /// Of the next (symbol, ts).
  void Clear();
  void Fold(const Rows& rows, uint32_t row);

  /// By identity, in the bytes of AppendIdentityField. Valid until Fold or Clear, like rows().
  const std::map<std::string, Winner>& all() const { return winners_; }
  const Rows& rows() const { return rows_; }

 private:
  std::string IdentityOf(const Rows& rows, size_t row) const;
  void Compact();

  const TapeRanks* ranks_;
  std::vector<size_t> identity_;
  const Rows empty_;
  Rows rows_;
  std::map<std::string, Winner> winners_;
};

}  // namespace tapedeck

#endif  // TAPEDECK_QUERY_WINNERS_H_
