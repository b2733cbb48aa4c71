#ifndef TAPEDECK_TAPE_TAPE_CURSOR_H_
#define TAPEDECK_TAPE_TAPE_CURSOR_H_

// MessageCursor: messages as they were recorded, of one tape or of many merged by time.
//
//   MessageQuery query;
//   query.topics = {"Finhub1"};
//   query.start = …; query.end = …;
//   TD_ASSIGN_OR_RETURN(auto cursor, MessageCursor::Open(point, query));
//   for (;;) {
//     TD_ASSIGN_OR_RETURN(const StoredMessage* m, cursor->Next());
//     if (m == nullptr) break;
//     Use(m->tape->topic, m->message);
//   }
//   query.after = cursor->position();                  // goes on behind the last message given
//
// The time of a message is its Kafka timestamp, or its time of receipt where it has none. Tapes are
// merged by (greatest time of the selected messages of the tape so far, topic, partition, lineage,
// offset): total, each tape in its own order, and independent of how messages lie in blocks. That
// key is the whole position: a tape goes on with its first message whose time is past it.
//
// Index entries say which blocks hold no message of the range; they are not read. A damaged or
// missing block is kCorruption and names topic[partition]@offset. Memory: every tape holds one
// block, or, where they exceed memory_bytes together, a slice of it. Owned by one thread; it keeps
// its read point.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/hash.h"
#include "base/read_stop.h"
#include "base/status.h"
#include "base/time.h"
#include "model/message.h"
#include "model/origin.h"
#include "tape/read_point.h"

namespace tapedeck {

/// position := version:u8=1 time:zigzag topic:blob partition:zigzag lineage:varint offset:zigzag
struct MessagePosition {
  Timestamp time;  // the merge's: greatest so far
  std::string topic;
  int32_t partition = 0;
  uint32_t lineage = 0;
  int64_t offset = -1;
  bool operator==(const MessagePosition&) const = default;

  std::string Encode() const;
  static Result<MessagePosition> Decode(std::string_view bytes);
};

struct MessageQuery {
  std::vector<std::string> topics;  // empty: all
  std::optional<int32_t> partition;
  std::optional<uint32_t> lineage;     // unset: all lineages
  std::optional<std::string> cluster;  // unset: of whatever cluster the topics are
  int64_t from_offset = INT64_MIN;     // [from, to)
  int64_t to_offset = INT64_MAX;
  Timestamp start = Timestamp::Min();  // [start, end) by the message's time; Max() is open
  Timestamp end = Timestamp::Max();
  uint64_t limit = UINT64_MAX;
  std::optional<MessagePosition> after;
  size_t memory_bytes = size_t{64} << 20;
  /// Asked for each block; its status ends the read. Null: never.
  std::shared_ptr<const ReadStop> stop;
};

struct StoredMessage {
  TpId tp{};
  const TapeId* tape = nullptr;
  MessageView message;
  Timestamp received;
  /// Kafka timestamp, or time of receipt.
  Timestamp time;
  /// Of the selected messages of this tape so far, this one included.
  Timestamp greatest_time;
  /// That made its records when it was recorded: the one its block's index entry names.
  Hash128 mapping;
};

class TapeReader;

class MessageCursor {
 public:
  /// kInvalidArgument: a topic or partition that was never recorded.
  static Result<std::unique_ptr<MessageCursor>> Open(std::shared_ptr<const ReadPoint> point,
                                                     MessageQuery query);
  ~MessageCursor();

  /// The next message, valid until the next call; null at the end.
  Result<const StoredMessage*> Next();
  /// Right behind the last message given. Some message was given.
  MessagePosition position() const;
  uint64_t messages() const { return given_; }

 private:
  struct Shared;
  MessageCursor(std::shared_ptr<const ReadPoint> point, MessageQuery query);
  Status Prepare();
  Status AddTape(TpId tp, const TapeId& tape, size_t memory_bytes);
  bool Later(const TapeReader& a, const TapeReader& b) const;
  void Push(std::unique_ptr<TapeReader> reader);

  const std::shared_ptr<const ReadPoint> point_;
  const MessageQuery query_;
  std::unique_ptr<Shared> shared_;                 // outlives the readers
  std::vector<std::unique_ptr<TapeReader>> heap_;  // the next message's at the front
  std::unique_ptr<TapeReader> current_;            // whose message was given last
  uint64_t given_ = 0;
};

}  // namespace tapedeck

#endif  // TAPEDECK_TAPE_TAPE_CURSOR_H_
