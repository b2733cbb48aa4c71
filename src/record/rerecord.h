#ifndef TAPEDECK_RECORD_RERECORD_H_
#define TAPEDECK_RECORD_RERECORD_H_

// Rerecorder: records messages that were recorded before into a new store, with their times of
// receipt and by the mappings that they were decoded with then: what a restore takes from the
// archive, and a repair from what is left of a damaged store.
//
//   Rerecorder again(store, {}, std::move(state));
//   TD_RETURN_IF_ERROR(again.Begin(tape, {.start = 0, …}));
//   TD_RETURN_IF_ERROR(again.Take(message, received, mapping, decoder));   // in order of offsets
//   TD_RETURN_IF_ERROR(again.End(next));                                   // its checkpoint
//   TD_RETURN_IF_ERROR(again.Flush());                                     // after the last tape
//
// Messages go into commits of 8 MiB, rows into series whenever `flush_bytes` are held. Mappings and
// tables that it meets must be in the store and in book().tables by then.
//
// Errors: those of the store and the codec. Owned by one thread; the store outlives it.

#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/status.h"
#include "mapping/mapping.h"
#include "model/series_directory.h"
#include "record/commit_builder.h"
#include "record/flush_builder.h"
#include "record/tape_book.h"
#include "store/store.h"

namespace tapedeck {

struct RerecordOptions {
  Clock* clock = &SystemClock();
  /// Rows that are held until they become series.
  size_t flush_bytes = size_t{128} << 20;
  /// Called every few thousand messages with all messages and records so far; may be empty.
  std::function<void(uint64_t messages, uint64_t records)> progress;
};

class Rerecorder {
 public:
  Rerecorder(Store* store, RerecordOptions options, StoreState state);

  TapeBook& book() { return book_; }
  /// A tape that the store does not have, at the checkpoint's start; with its gaps.
  Status Begin(const TapeId& tape, const Checkpoint& checkpoint, const std::vector<Gap>& gaps);
  Status Take(const MessageView& message, Timestamp received, const Hash128& mapping,
              Decoder* decoder);
  /// Of the tape in hand; at once.
  Status PutGap(const Gap& gap);
  /// The tape in hand as it is so far.
  const Checkpoint& now() const { return lane_.now; }
  /// Where the tape goes on; `mapping` is in force from there.
  Status End(int64_t next, const Hash128& mapping);
  /// All that is committed becomes series, and the watermarks say so.
  Status Flush();
  uint64_t messages() const { return messages_; }
  uint64_t records() const { return records_; }

 private:
  /// The tape in hand.
  struct Lane {
    TpId tp{};
    TopicPartition partition;
    Checkpoint now;
    std::vector<OpenBlock> blocks;
    std::vector<std::pair<int64_t, RefusalEntry>> refusals;
    Timestamp received;
    size_t bytes = 0;  // open
  };

  void Record(const MessageView& message, Timestamp received);
  Status Commit();

  Store* const store_;
  const RerecordOptions options_;
  SeriesDirectory directory_;
  TapeBook book_;
  ChunkBuilder rows_;
  FlushBuilder flusher_;
  CommitBuilder committer_;
  MessageHasher hasher_;
  Decoded decoded_;
  Lane lane_;
  OpenRows::List chunks_;
  size_t chunk_bytes_ = 0;
  uint64_t messages_ = 0;
  uint64_t records_ = 0;
};

}  // namespace tapedeck

#endif  // TAPEDECK_RECORD_RERECORD_H_
