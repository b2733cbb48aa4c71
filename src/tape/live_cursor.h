#ifndef TAPEDECK_TAPE_LIVE_CURSOR_H_
#define TAPEDECK_TAPE_LIVE_CURSOR_H_

// LiveCursor: the messages of some topics as they are recorded, from given offsets on.
//
//   LiveCursor cursor({.open_point = …, .clock = clock}, {.topics = {"Finhub1"}}, places);
//   for (;;) {
//     TD_ASSIGN_OR_RETURN(const SelectedMessage* m, cursor.Next());
//     if (m == nullptr) { … nothing new is durable: wait for a commit … }
//     Send(m->stored->message);
//     Remember(cursor.places());           // another cursor goes on right behind it
//   }
//
// It continues a SelectionCursor without a seam: the places of a frozen selection are where its
// ranges end. Order: that of commits, by (greatest time of receipt so far in the tape, topic,
// partition, lineage) and each tape by offset; a message is given once it is durable. Tapes of the
// topics that appear later (a new partition or lineage) join at their first message. Narrowed by
// symbols or tables as a Selection is.
//
// A place is all that a tape needs, so nothing is kept between two messages that a client would
// miss: a cursor made anew from places() gives the same messages, each tape in its order.
//
// The read point is given back where nothing is left, at Release, and after `view_life`. Errors as
// SelectionCursor's. Owned by one thread, but Break by any.

#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/status.h"
#include "tape/selection.h"
#include "tape/selection_cursor.h"

namespace tapedeck {

/// Where a tape goes on.
struct TapePlace {
  TapeId tape;
  int64_t next = 0;  // offset
  bool operator==(const TapePlace&) const = default;
};

struct LiveSelection {
  std::vector<std::string> topics;   // sorted
  std::vector<std::string> symbols;  // sorted, each once; empty: all
  std::vector<std::string> tables;   // sorted, each once; empty: all
  Timestamp start = Timestamp::Min();
  SelectionClock clock = SelectionClock::kKafka;
};

class LiveCursor {
 public:
  LiveCursor(SelectionParts parts, LiveSelection selection, std::vector<TapePlace> places);
  ~LiveCursor();
  LiveCursor(const LiveCursor&) = delete;
  LiveCursor& operator=(const LiveCursor&) = delete;

  /// The next message, valid until the next call but const ones; null: everything durable was
  /// given, ask again later.
  Result<const SelectedMessage*> Next();
  /// By (topic, partition, lineage); right behind the last message given.
  const std::vector<TapePlace>& places() const { return places_; }
  /// Gives the read point back; what Next gave is gone.
  void Release();
  /// Any thread: what is being read ends soon with kUnavailable.
  void Break();

 private:
  struct Batch;
  Status OpenBatch();
  void JoinNewTapes(const ReadPoint& point);
  Status Push(size_t lane);
  void EndBatch();

  const SelectionParts parts_;
  const LiveSelection selection_;
  std::vector<TapePlace> places_;
  std::unique_ptr<Batch> batch_;
  std::mutex mutex_;                // of stop_
  std::shared_ptr<ReadStop> stop_;  // of the batch
};

}  // namespace tapedeck

#endif  // TAPEDECK_TAPE_LIVE_CURSOR_H_
