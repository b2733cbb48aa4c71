#include "archive/record_bounds.h"

#include <algorithm>
#include <tuple>

#include "base/text.h"
#include "model/record.h"

namespace tapedeck {
namespace {

constexpr int64_t kNanosPerMilli = 1'000'000;

}  // namespace

RecordBounds::RecordBounds(std::vector<std::pair<TpId, TapeId>> tapes) {
  for (auto& [tp, tape] : tapes) {
    if (Raw(tp) >= tapes_.size()) tapes_.resize(Raw(tp) + 1);
    tapes_[Raw(tp)] = Tape{std::move(tape)};
    order_.push_back(Raw(tp));
  }
  std::sort(order_.begin(), order_.end(), [&](uint32_t a, uint32_t b) {
    const TapeId& x = tapes_[a]->tape;
    const TapeId& y = tapes_[b]->tape;
    return std::tie(x.topic, x.partition, x.lineage) < std::tie(y.topic, y.partition, y.lineage);
  });
}

Status RecordBounds::AddOrigins(const RowSlice& rows) {
  const Rows& from = *rows.rows;
  for (uint32_t i = rows.first; i < rows.first + rows.count;) {
    const uint32_t tp = from.tp[i];
    if (tp >= tapes_.size() || !tapes_[tp].has_value()) {
      return Status::InvalidArgument("a row names tape " + std::to_string(tp) +
                                     ", which the plan does not");
    }
    Tape& tape = *tapes_[tp];
    for (; i < rows.first + rows.count && from.tp[i] == tp; ++i) {
      tape.first = std::min(tape.first, from.offset[i]);
      tape.last = std::max(tape.last, from.offset[i]);
    }
  }
  return Status::Ok();
}

Status RecordBounds::Add(const RowSlice& rows) {
  const Rows& from = *rows.rows;
  if (!symbol_.has_value() || *symbol_ != rows.symbol) {
    if (symbol_.has_value() && rows.symbol < *symbol_) {
      return Status::InvalidArgument("symbol " + Quoted(rows.symbol) + " comes after " +
                                     Quoted(*symbol_));
    }
    symbol_ = rows.symbol;
    ts_ = INT64_MIN;
  }
  int64_t least = INT64_MAX;
  int64_t greatest = INT64_MIN;
  bool ascends = true;
  bool is_whole = true;
  for (uint32_t i = rows.first; i < rows.first + rows.count; ++i) {
    ascends &= from.ts[i] >= ts_;
    ts_ = from.ts[i];
    least = std::min(least, ts_);
    greatest = std::max(greatest, ts_);
    is_whole &= from.ts_kafka[i] % kNanosPerMilli == 0 || from.ts_kafka[i] == kNoKafkaTime;
  }
  if (!ascends) {
    return Status::InvalidArgument("rows of symbol " + Quoted(rows.symbol) +
                                   " do not come in the order of time");
  }
  if (!is_whole) {
    return Status::InvalidArgument("a Kafka time of symbol " + Quoted(rows.symbol) +
                                   " is not whole milliseconds");
  }
  if (is_empty_) {
    object_.first_symbol = rows.symbol;
    object_.first_ts = Timestamp(least);
    object_.last_ts = Timestamp(greatest);
  }
  is_empty_ = false;
  object_.last_symbol = rows.symbol;
  object_.first_ts = std::min(object_.first_ts, Timestamp(least));
  object_.last_ts = std::max(object_.last_ts, Timestamp(greatest));
  return AddOrigins(rows);
}

ShippedObject RecordBounds::Take() {
  ShippedObject taken = std::move(object_);
  object_ = {};
  is_empty_ = true;
  for (uint32_t tp : order_) {
    Tape& tape = *tapes_[tp];
    if (tape.first <= tape.last) taken.offsets.push_back({tape.tape, tape.first, tape.last + 1});
    tape.first = INT64_MAX;
    tape.last = INT64_MIN;
  }
  return taken;
}

}  // namespace tapedeck
