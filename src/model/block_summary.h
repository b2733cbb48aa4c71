#ifndef TAPEDECK_MODEL_BLOCK_SUMMARY_H_
#define TAPEDECK_MODEL_BLOCK_SUMMARY_H_

// BlockSummary: collects the index entry of a tape block while its messages are appended, or read
// again.
//
//   summary.Start(mapping_hash, running_max_ms_before);
//   summary.AddMessage(message);  summary.AddRecord(series, symbol, ts);  …
//   TapeIndexEntry entry = summary.Finish();
//
// The same messages and records give the same entry, whoever collects them, and joining the entries
// of neighbours (JoinTapeIndex) gives the entry of their union. Owned by one thread.

#include <string_view>
#include <vector>

#include "model/message.h"
#include "model/series_directory.h"
#include "model/stored.h"

namespace tapedeck {

class BlockSummary {
 public:
  /// `kafka_running_max_ms`: greatest Kafka timestamp of the tape before this block, -1 at its
  /// start.
  void Start(const Hash128& mapping, int64_t kafka_running_max_ms);
  void AddMessage(const MessageView& message);
  /// `series` is only a quick way to know a symbol again: any numbering of (table, symbol) will do.
  void AddRecord(SeriesId series, std::string_view symbol, Timestamp ts);
  /// The entry: symbols sorted, each once, or none and `many_symbols` where there are more than
  /// limits::kTapeSummarySymbolsMax.
  TapeIndexEntry Finish() const;

 private:
  TapeIndexEntry entry_;
  std::vector<SeriesId>
      series_;  // those that were looked at; empty once there are too many symbols
  SeriesId last_series_ = kNoSeries;
};

/// The entry of two neighbouring blocks of one mapping joined, `second` after `first`.
TapeIndexEntry JoinTapeIndex(const TapeIndexEntry& first, const TapeIndexEntry& second);

}  // namespace tapedeck

#endif  // TAPEDECK_MODEL_BLOCK_SUMMARY_H_
