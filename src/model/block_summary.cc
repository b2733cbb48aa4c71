#include "model/block_summary.h"

#include <algorithm>
#include <iterator>

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

void BlockSummary::AddRecord(SeriesId series, std::string_view symbol, Timestamp ts) {
  ++entry_.records;
  entry_.event_min_ns = std::min(entry_.event_min_ns, ts.ns());
  entry_.event_max_ns = std::max(entry_.event_max_ns, ts.ns());
  if (series == last_series_ || entry_.many_symbols) return;
  last_series_ = series;
  if (std::find(series_.begin(), series_.end(), series) != series_.end()) return;
  series_.push_back(series);
  std::vector<std::string>& symbols = entry_.symbols;
  if (std::find(symbols.begin(), symbols.end(), symbol) != symbols.end()) return;
  if (symbols.size() < limits::kTapeSummarySymbolsMax) {
    symbols.emplace_back(symbol);
    return;
  }
  symbols.clear();
  entry_.many_symbols = true;
}

TapeIndexEntry BlockSummary::Finish() const {
  TapeIndexEntry entry = entry_;
  std::sort(entry.symbols.begin(), entry.symbols.end());
  return entry;
}

TapeIndexEntry JoinTapeIndex(const TapeIndexEntry& first, const TapeIndexEntry& second) {
  TapeIndexEntry joined = first;
  joined.count += second.count;
  joined.raw_bytes += second.raw_bytes;
  joined.last_offset = second.last_offset;
  joined.kafka_min_ms = std::min(first.kafka_min_ms, second.kafka_min_ms);
  joined.kafka_max_ms = std::max(first.kafka_max_ms, second.kafka_max_ms);
  joined.kafka_running_max_ms = second.kafka_running_max_ms;
  joined.event_min_ns = std::min(first.event_min_ns, second.event_min_ns);
  joined.event_max_ns = std::max(first.event_max_ns, second.event_max_ns);
  joined.records += second.records;
  joined.many_symbols = first.many_symbols || second.many_symbols;
  joined.symbols.clear();
  if (!joined.many_symbols) {
    std::set_union(first.symbols.begin(), first.symbols.end(), second.symbols.begin(),
                   second.symbols.end(), std::back_inserter(joined.symbols));
    joined.many_symbols = joined.symbols.size() > limits::kTapeSummarySymbolsMax;
    if (joined.many_symbols) joined.symbols.clear();
  }
  return joined;
}

}  // namespace tapedeck
