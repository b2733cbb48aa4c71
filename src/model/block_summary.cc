#include "model/block_summary.h"

#include <algorithm>

#include "base/limits.h"

namespace tapedeck {

void BlockSummary::Start(const Hash128& mapping, int64_t kafka_running_max_ms) {
  entry_ = {};
  entry_.mapping = mapping;
  entry_.kafka_running_max_ms = kafka_running_max_ms;
  series_.clear();
  last_series_ = kNoSeries;
}

void BlockSummary::AddMessage(const MessageView& message) {
  if (entry_.count++ == 0) {
    entry_.first_offset = message.offset;
    entry_.kafka_min_ms = message.timestamp_ms;
    entry_.kafka_max_ms = message.timestamp_ms;
  }
  entry_.last_offset = message.offset;
  entry_.raw_bytes += message.PayloadBytes();
  entry_.kafka_min_ms = std::min(entry_.kafka_min_ms, message.timestamp_ms);
  entry_.kafka_max_ms = std::max(entry_.kafka_max_ms, message.timestamp_ms);
  entry_.kafka_running_max_ms = std::max(entry_.kafka_running_max_ms, message.timestamp_ms);
}

void BlockSummary::AddRecord(SeriesId series, Timestamp ts) {
  ++entry_.records;
  entry_.event_min_ns = std::min(entry_.event_min_ns, ts.ns());
  entry_.event_max_ns = std::max(entry_.event_max_ns, ts.ns());
  if (series == last_series_ || series_.size() > limits::kTapeSummarySymbolsMax) return;
  last_series_ = series;
  if (std::find(series_.begin(), series_.end(), series) == series_.end()) series_.push_back(series);
}

TapeIndexEntry BlockSummary::Finish(const SeriesDirectory& directory) const {
  TapeIndexEntry entry = entry_;
  if (series_.size() > limits::kTapeSummarySymbolsMax) {
    entry.many_symbols = true;
    return entry;
  }
  for (SeriesId series : series_) entry.symbols.push_back(directory.At(series).symbol);
  std::sort(entry.symbols.begin(), entry.symbols.end());
  entry.symbols.erase(std::unique(entry.symbols.begin(), entry.symbols.end()), entry.symbols.end());
  return entry;
}

}  // namespace tapedeck
