#ifndef TAPEDECK_TAPE_SELECTION_CURSOR_H_
#define TAPEDECK_TAPE_SELECTION_CURSOR_H_

// SelectionCursor: the messages of a Selection in their order of replay, for hours or days, without
// holding anything of the store back for longer than seconds.
//
//   TD_ASSIGN_OR_RETURN(auto cursor, SelectionCursor::Open(
//       {.open_point = [&] { return node->Point(); }, .clock = clock}, selection, after));
//   for (;;) {
//     TD_ASSIGN_OR_RETURN(const SelectedMessage* m, cursor->Next());
//     if (m == nullptr) break;
//     Send(m->stored->message, m->greatest_time);
//   }
//   MessagePosition place = cursor->position();   // small; another cursor goes on right behind it
//
// Order: each message has a time: its Kafka timestamp (or time of receipt), or, by event, the least
// event time of its records. Its key is (greatest time of the selected messages of its tape so far,
// topic, partition, lineage, offset). That order is total, keeps each tape's own order, does not
// depend on blocks or tiers, and the key of the last message given is the whole resume position. By
// event, a message without records takes the place of the one before it.
//
// Records are decoded only where the selection or the caller needs them, by the mapping that was
// recorded for the message. Blocks whose index entry shows that they hold none of the symbols, or
// no event time of the range, are not read; the entry counts because it was made by that mapping.
//
// The read point is given back and taken again every `view_life` (the sequence stays the same), at
// Release, and when another thread calls Break because the store must be opened again.
//
// Errors: as MessageCursor's (kCorruption names topic[partition]@offset); kUnavailable while no
// point can be taken. After an error Next may be called again: it goes on where it was.
//
// Owned by one thread, but Break and broken by any.

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <vector>

#include "base/clock.h"
#include "base/read_stop.h"
#include "base/status.h"
#include "mapping/mapping.h"
#include "tape/read_point.h"
#include "tape/selection.h"
#include "tape/tape_cursor.h"

namespace tapedeck {

struct SelectedMessage {
  const StoredMessage* stored = nullptr;
  /// By the selection's order; Min() where it has none.
  Timestamp time;
  Timestamp greatest_time;
  /// Null unless the selection is narrowed, ordered by event, or records were asked for.
  const Decoded* decoded = nullptr;
  /// Which of decoded->records are selected.
  std::span<const uint32_t> matching;
  /// The tables that the records' ids are of; with `decoded`.
  const TableRegistry* tables = nullptr;
};

struct SelectionParts {
  std::function<Result<std::shared_ptr<const ReadPoint>>()> open_point;
  Clock* clock = nullptr;
  size_t memory_bytes = size_t{64} << 20;
  std::chrono::nanoseconds view_life = std::chrono::seconds(10);
  bool wants_records = false;
  /// What was missing when the selection was frozen. With it, what `retain` has dropped of the
  /// selection since then, and was not given yet, is kNotFound with its place; without it, such
  /// messages are passed over.
  std::optional<std::vector<TapeGap>> missing = std::nullopt;
  /// Set once nobody wants the messages any more: Next ends soon, with kCancelled. May be null.
  std::shared_ptr<const std::atomic<bool>> gone = nullptr;
};

class SelectionLane;

class SelectionCursor {
 public:
  /// `after`: goes on behind this message. Takes no read point yet.
  static Result<std::unique_ptr<SelectionCursor>> Open(SelectionParts parts, Selection selection,
                                                       std::optional<MessagePosition> after);
  ~SelectionCursor();
  SelectionCursor(const SelectionCursor&) = delete;
  SelectionCursor& operator=(const SelectionCursor&) = delete;

  /// The next message, valid until the next call but const ones; null at the end.
  Result<const SelectedMessage*> Next();
  /// As Next; but where it still searches at `until`, or a little later, it gives null and is
  /// `searching`: call again, it goes on from there. One object of the archive is opened whole.
  Result<const SelectedMessage*> NextBy(MonotonicTime until);
  bool searching() const { return searching_; }
  /// Right behind the last message given, or where it began; nullopt: before the first.
  const std::optional<MessagePosition>& position() const { return position_; }
  /// Records of the messages given that were not selected (`extra_records` of a job).
  uint64_t extra_records() const { return extra_records_; }

  /// The last message given is given again by the next Next; `before` is the position before it.
  /// Releases, too.
  void PutBack(std::optional<MessagePosition> before);
  /// Gives the read point back; the next Next takes another. What Next gave is gone.
  void Release();
  /// Any thread: whatever is read ends soon, and the point is given back at the next Next or
  /// Release.
  void Break();
  bool broken() const { return broken_.load(std::memory_order_acquire); }

 private:
  struct View;
  SelectionCursor(SelectionParts parts, Selection selection, std::optional<MessagePosition> after);
  Status OpenView();
  Status OpenLanes();
  Status Advance();
  static bool Later(const SelectionLane& a, const SelectionLane& b);

  const SelectionParts parts_;
  const Selection selection_;
  std::optional<MessagePosition> position_;
  std::unique_ptr<View> view_;
  std::vector<int64_t> looked_to_;  // by range: what earlier views have gone past
  bool searching_ = false;
  uint64_t given_ = 0;
  uint64_t extra_records_ = 0;
  uint64_t last_extra_ = 0;  // of the last message given
  std::atomic<bool> broken_{false};
  std::mutex mutex_;                // of stop_
  std::shared_ptr<ReadStop> stop_;  // of the view
};

}  // namespace tapedeck

#endif  // TAPEDECK_TAPE_SELECTION_CURSOR_H_
