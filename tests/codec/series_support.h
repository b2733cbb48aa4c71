#ifndef TAPEDECK_TESTS_CODEC_SERIES_SUPPORT_H_
#define TAPEDECK_TESTS_CODEC_SERIES_SUPPORT_H_

// Rows for the codec's tests, and their comparison value by value.

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "base/random.h"
#include "codec/series_block.h"
#include "model/record.h"

namespace tapedeck::codec_test {

/// A series as the plainest thing there is: the oracle.
struct PlainRow {
  int64_t ts = 0;
  int64_t ts_kafka = 0;
  Origin origin;
  std::vector<Value> values;
};

inline Rows ToRows(const std::vector<PlainRow>& plain, const std::vector<Column>& columns) {
  Rows rows;
  for (const Column& column : columns) rows.columns.push_back({.type = column.type});
  for (const PlainRow& row : plain) {
    rows.ts.push_back(row.ts);
    rows.ts_kafka.push_back(row.ts_kafka);
    rows.tp.push_back(Raw(row.origin.tp));
    rows.offset.push_back(row.origin.offset);
    rows.index.push_back(row.origin.index);
    for (size_t c = 0; c < columns.size(); ++c) rows.columns[c].Append(row.values[c]);
  }
  return rows;
}

/// Kind by kind: "1" and "1.0" differ, null and "" differ, a number that fits differs from its
/// text.
inline ::testing::AssertionResult SameRows(const Rows& rows, const std::vector<PlainRow>& plain,
                                           size_t from, size_t count) {
  auto fail = [](size_t row) { return ::testing::AssertionFailure() << "row " << row << ": "; };
  if (rows.size() != count)
    return ::testing::AssertionFailure() << rows.size() << " rows, not " << count;
  for (size_t i = 0; i < count; ++i) {
    const PlainRow& expected = plain[from + i];
    if (rows.ts[i] != expected.ts) return fail(i) << "ts " << rows.ts[i] << ", not " << expected.ts;
    if (rows.ts_kafka[i] != expected.ts_kafka) return fail(i) << "ts_kafka";
    if (rows.OriginAt(i) != expected.origin) return fail(i) << "origin";
    for (size_t c = 0; c < rows.columns.size(); ++c) {
      Value value = rows.columns[c].At(i);
      if (value.kind() == expected.values[c].kind() && value == expected.values[c]) continue;
      std::string was, should;
      value.AppendCanonical(&was);
      expected.values[c].AppendCanonical(&should);
      return fail(i) << "column " << c << ": " << was << ", not " << should;
    }
  }
  return ::testing::AssertionSuccess();
}

inline std::vector<Column> QuoteColumns() {
  auto core = CoreColumns("quotes");
  return {core.begin(), core.end()};
}

/// A walk of a bid with its ask, as an exchange might send it.
inline std::vector<PlainRow> Quotes(size_t count, Random* random) {
  std::vector<PlainRow> rows(count);
  int64_t ts = 1'720'000'000'000'000'000, offset = random->Between(0, 1'000'000'000),
          bid = 5'123'450;
  for (PlainRow& row : rows) {
    ts += random->Between(0, 20) * 1'000'000;
    bid += random->Between(-3, 3);
    row = {ts, ts + random->Between(0, 3) * 1'000'000, {TpId{7}, offset++, 0}, {}};
    row.values = {Value::OfDecimal({bid, 2}), Value::OfDecimal({random->Between(1, 5000), 3}),
                  Value::OfDecimal({bid + random->Between(1, 3), 2}),
                  Value::OfDecimal({random->Between(1, 5000), 3}), Value()};
  }
  return rows;
}

}  // namespace tapedeck::codec_test

#endif  // TAPEDECK_TESTS_CODEC_SERIES_SUPPORT_H_
