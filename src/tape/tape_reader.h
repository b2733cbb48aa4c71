#ifndef TAPEDECK_TAPE_TAPE_READER_H_
#define TAPEDECK_TAPE_TAPE_READER_H_

// TapeReader: the selected messages of one tape, in order of offsets, from the store's blocks and
// from objects of the archive (tape_spans.h). A part of MessageCursor.
//
// Owned by one thread.

#include <memory>
#include <string>
#include <vector>

#include "archive/object_cache.h"
#include "archive/tape_object.h"
#include "codec/tape_block.h"
#include "tape/tape_blocks.h"
#include "tape/tape_cursor.h"
#include "tape/tape_spans.h"

namespace tapedeck {

/// Copies of messages: a part of a block that is too large to keep.
class MessageSlice {
 public:
  /// Messages from `from` on, at least one, as long as they take less than `bytes`. Returns the
  /// first that is not in it. `Block`: a TapeBlock, or a TapeObjectReader.
  template <typename Block>
  size_t Take(const Block& block, size_t from, size_t bytes);
  void Clear();
  size_t size() const { return messages_.size(); }
  const MessageView& At(size_t i) const { return messages_[i]; }
  Timestamp ReceivedAt(size_t i) const { return received_[i]; }

 private:
  std::string bytes_;
  std::vector<HeaderView> headers_;
  std::vector<MessageView> messages_;  // views into the above
  std::vector<Timestamp> received_;
};

class TapeReader {
 public:
  /// `begin_at`: nothing is selected before the first message whose time is at or past it.
  /// `greatest`: of the messages selected before.
  struct Range {
    int64_t from_offset = INT64_MIN;
    int64_t to_offset = INT64_MAX;
    Timestamp start = Timestamp::Min();
    Timestamp end = Timestamp::Max();
    Timestamp begin_at = Timestamp::Min();
    Timestamp greatest = Timestamp::Min();
    const ReadStop* stop = nullptr;
  };
  /// `scratch` and `buffers` are shared by the readers of one thread, and outlive them, as `tape`
  /// does.
  TapeReader(const ReadPoint* point, TpId tp, const TapeId* tape, const Range& range,
             size_t memory_bytes, TapeBlock* scratch, CodecBuffers* buffers);

  /// To the first, or next, selected message.
  Status Next();
  bool Valid() const { return valid_; }
  const StoredMessage& message() const { return message_; }

 private:
  // Where the messages in hand are.
  enum class Holding : uint8_t { kBlock, kSlice, kObject };

  Status FindSpans();
  Status LoadNext();
  Status LoadNextBlock();
  Status LoadNextMessages();
  Status OpenObject();
  void CloseObject();
  bool MayHold(int64_t last_offset, int64_t kafka_min_ms, int64_t kafka_max_ms) const;
  void Keep(size_t from);
  bool Select(const MessageView& message, Timestamp received);
  const TapeSpan& span() const { return spans_[span_]; }

  const ReadPoint* point_;
  const TpId tp_;
  const TapeId* tape_;
  Range range_;
  bool begun_;  // a message at or past begin_at was met
  const size_t memory_bytes_;
  TapeBlock* scratch_;
  CodecBuffers* buffers_;

  bool started_ = false;
  std::vector<TapeSpan> spans_;
  size_t span_ = 0;  // in hand
  bool span_begun_ = false;

  TapeBlocks blocks_;
  size_t rest_ = 0;  // first message of the block in hand that the slice lacks; 0: none

  size_t next_object_ = 0;  // of the span's manifest
  OpenedTape opened_;
  std::unique_ptr<TapeObjectReader> object_;
  int64_t object_from_ = 0;  // the first offset that it has not given

  TapeBlock block_;
  MessageSlice slice_;
  Holding holding_ = Holding::kBlock;
  size_t at_ = 0;    // next message of what is in hand
  size_t size_ = 0;  // of it

  bool valid_ = false;
  StoredMessage message_;
};

}  // namespace tapedeck

#endif  // TAPEDECK_TAPE_TAPE_READER_H_
