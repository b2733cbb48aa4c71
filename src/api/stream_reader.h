#ifndef TAPEDECK_API_STREAM_READER_H_
#define TAPEDECK_API_STREAM_READER_H_

// StreamReader: a selection's history and, if wanted, everything that is recorded after it, as one
// sequence of messages without a seam, with a place behind each.
//
//   StreamReader reader(parts, query, place);
//   TD_ASSIGN_OR_RETURN(StreamReader::Step step, reader.Next());
//   if (step == StreamReader::Step::kMessage) Send(reader.message(), reader.place());
//
// History is what was frozen in the place, in the order of replay; live is what was recorded from
// there on, in the order of commits (tape/selection_cursor.h, tape/live_cursor.h).
//
// Errors: those of the cursors. kUnavailable passes: Next may be called again. Owned by one thread,
// but Break by any.

#include <memory>
#include <mutex>

#include "api/stream_place.h"
#include "base/status.h"
#include "tape/live_cursor.h"
#include "tape/selection_cursor.h"

namespace tapedeck {

struct StreamQuery {
  LiveSelection what;
  SelectionOrder order = SelectionOrder::kArrival;
  bool follow = false;
  bool records = false;  // they are decoded, and place_before() is kept
};

class StreamReader {
 public:
  enum class Step : uint8_t {
    kMessage,
    kCaughtUp,  // history has ended, what follows is live; once
    kNothing,   // nothing new yet
    kEnd,
  };
  StreamReader(SelectionParts parts, StreamQuery query, StreamPlace place);

  Result<Step> Next();
  /// Of the last kMessage, until the next call.
  const SelectedMessage& message() const { return *message_; }
  /// Live, what follows is due at once.
  bool live() const { return place_.live; }
  /// Right behind what Next gave last.
  StreamPlace place() const;
  /// Right before the message that Next gave last; where records are asked for.
  const StreamPlace& place_before() const { return before_; }
  /// Gives what is held of the store back; the message is gone.
  void Release();
  void Break();

 private:
  Result<Step> NextOfHistory();

  const SelectionParts parts_;
  const StreamQuery query_;
  StreamPlace place_;  // but for its positions, which the cursors have
  StreamPlace before_;
  const SelectedMessage* message_ = nullptr;
  std::mutex mutex_;  // of which cursor there is
  std::unique_ptr<SelectionCursor> history_;
  std::unique_ptr<LiveCursor> live_;
};

}  // namespace tapedeck

#endif  // TAPEDECK_API_STREAM_READER_H_
