#ifndef TAPEDECK_MODEL_BLOCK_SUMMARY_H_
#define TAPEDECK_MODEL_BLOCK_SUMMARY_H_

// BlockSummary: collects the index entry of a tape block while its messages are appended, or read again.
//
//   summary.Start(mapping_hash, running_max_ms_before);
//   summary.AddMessage(message);  summary.AddRecord(series, ts);  …
//   TapeIndexEntry entry = summary.Finish(directory);
//
// The same messages and records give the same entry, whoever collects them. Owned by one thread.

#include <vector>

#include "model/message.h"
#include "model/series_directory.h"
#include "model/stored.h"

namespace tapedeck {

class BlockSummary {
 public:
  /// `kafka_running_max_ms`: greatest Kafka timestamp of the tape before this block, -1 at its start.
  void Start(const Hash128& mapping, int64_t kafka_running_max_ms);
  void AddMessage(const MessageView& message);
  void AddRecord(SeriesId series, Timestamp ts);
  /// The entry; its symbols are those of the series, sorted, each once, or `many_symbols` above limits::kTapeSummarySymbolsMax series.
  TapeIndexEntry Finish(const SeriesDirectory& directory) const;

 private:
  TapeIndexEntry entry_;
  std::vector<SeriesId> series_;  // each once, at most limits::kTapeSummarySymbolsMax + 1
  SeriesId last_series_ = kNoSeries;
};

}  // namespace tapedeck

#endif  // TAPEDECK_MODEL_BLOCK_SUMMARY_H_
