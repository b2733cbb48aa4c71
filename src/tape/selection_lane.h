#ifndef TAPEDECK_TAPE_SELECTION_LANE_H_
#define TAPEDECK_TAPE_SELECTION_LANE_H_

// SelectionLane: the selected messages of one tape. A part of SelectionCursor; see there for what
// is selected and in which order.
//
// It goes through the tape in runs of blocks that may hold something, each read by a MessageCursor
// of its own. Owned by one thread.

#include <memory>
#include <optional>
#include <vector>

#include "base/read_stop.h"
#include "base/status.h"
#include "tape/selection.h"
#include "tape/selection_cursor.h"
#include "tape/tail.h"
#include "tape/tape_blocks.h"
#include "tape/tape_cursor.h"

namespace tapedeck {

class SelectionLane {
 public:
  struct Setting {
    std::shared_ptr<const ReadPoint> point;
    const Selection* selection = nullptr;
    const std::vector<TapeGap>* missing = nullptr;  // of SelectionParts
    std::shared_ptr<const ReadStop> stop;
    size_t memory_bytes = 0;
    bool decodes = false;
  };
  /// Goes on behind `after`, which may be of another tape. `range` is one of the selection's and
  /// outlives this, as the selection does.
  SelectionLane(const Setting* setting, const TapeRange* range, size_t rank,
                const std::optional<MessagePosition>& after);

  /// To the first, or next, selected message. Where the stop's turn is over it comes back without
  /// one, `searching`; the next call goes on.
  Status Next();
  bool searching() const { return searching_; }
  /// Below it no message remains to be given but the one in hand.
  int64_t looked_to() const { return looked_to_; }
  /// A lane of an earlier view came so far.
  void GoOnAt(int64_t offset);
  bool Valid() const { return message_.stored != nullptr; }
  const SelectedMessage& message() const { return message_; }
  /// Of the tape among the selection's.
  size_t rank() const { return rank_; }
  MessagePosition position() const;

 private:
  void BeginBehind(const MessagePosition& after);
  bool Excluded(const TapeIndexEntry& index) const;
  bool HasGap(int64_t from, int64_t to) const;
  bool TurnOver() const { return setting_->stop != nullptr && setting_->stop->turn_over(); }
  Status CheckRetained();
  bool WasGiven(const Gap& gap) const;
  Result<bool> OpenRun();
  Result<int64_t> EndOfRun();
  Result<bool> Select(const StoredMessage& stored);
  Result<Timestamp> DecodeRecords(const StoredMessage& stored);
  bool Matches(const DecodedRecord& record) const;

  const Setting* setting_;
  const TapeRange* range_;
  const size_t rank_;
  std::optional<TpId> tp_;  // where the store knows the tape
  int64_t from_;            // what no run was opened for yet
  int64_t looked_to_;
  bool searching_ = false;
  Timestamp begin_at_ = Timestamp::Min();
  bool begun_ = true;  // a selected message at or past begin_at_ was met
  std::optional<MessagePosition> skip_to_;

  bool retained_ = false;               // nothing of it was dropped, as of this point
  bool by_index_ = false;               // blocks are chosen by their index entries
  std::unique_ptr<TapeBlocks> blocks_;  // stands at the first block that was not looked at
  std::vector<Gap> gaps_;               // of ours, which others may fill
  std::unique_ptr<MessageCursor> run_;
  std::unique_ptr<StoredDecoders> decoders_;
  Decoded decoded_;
  std::vector<uint32_t> matching_;
  std::vector<bool> table_wanted_;  // by table id; empty: all
  SelectedMessage message_;
};

}  // namespace tapedeck

#endif  // TAPEDECK_TAPE_SELECTION_LANE_H_
