#ifndef TAPEDECK_CODEC_TAPE_BLOCK_H_
#define TAPEDECK_CODEC_TAPE_BLOCK_H_

// Tape blocks: consecutive messages of one topic-partition, byte for byte, with the time at which
// each was received.
//
//   TapeBlockBuilder open;                                        // one for each open partition
//   TD_RETURN_IF_ERROR(open.Append(message));
//   if (open.Full() || commit) {
//     TD_RETURN_IF_ERROR(open.Seal(tp, clock.Now(), Effort::kLive, &buffers, &bytes));   // empty
//     again
//   }
//
//   TapeBlock block;
//   TD_RETURN_IF_ERROR(block.Load(tp, base_offset, bytes, &buffers));
//   for (size_t i = block.LowerBound(offset); i < block.size(); ++i) Use(block.At(i),
//   block.ReceivedAt(i));
//
// Layout, little-endian; docs/formats.md, "Tape block":
//   block    := header stored
//   header   := magic:u32="TDTB" version:u8 codec:u8 reserved:u16=0 base:i64 count:u32
//               content_bytes:u32 raw_bytes:u32 stored_bytes:u32 hash:u64
//   hash     := XXH3-64(stored, seed XXH3-64(header before hash, seed XXH3-64(identity)))
//   identity := tp:u32 base:i64, what the key says, not stored in the block
//   stored   := content by codec (1 as it is, 2 one zstd frame)
//   content  := schemas/tape_block.fbs
//   version: 1, or 2 where messages have shapes (docs/formats.md, "Shapes")
//
// Shapes: messages with the same fixed bytes are stored column by column, at a third to nine tenths
// of the bytes. Who appends says where the slots are (Decoder::Shape() of the mapping knows);
// merging finds them by itself (codec/token_finder.h).
//
// Errors: kCorruption for bytes that no Seal wrote under that key. Memory of Load: the content (at
// most kTapeContentBytesMax), 56 bytes for each message (limits::kTapeBlockMessagesMax) and 40 for
// each header (kTapeBlockHeadersMax). With shapes also the values, at most
// limits::kTapeBlockRawBytesMax, and 41 bytes in the buffers for each token (kTapeTokensMax).

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/limits.h"
#include "base/status.h"
#include "base/time.h"
#include "codec/codec_buffers.h"
#include "codec/effort.h"
#include "codec/open_shapes.h"
#include "model/message.h"
#include "model/message_shape.h"
#include "model/origin.h"

namespace tapedeck {

/// Headers of one message: Append refuses more. Kafka's default limit of 1 MiB holds half as many
/// headers of nothing.
inline constexpr size_t kMessageHeadersMax = size_t{1} << 20;
/// Headers of all messages of a block: bounds what Load allocates for them (40 bytes each).
inline constexpr size_t kTapeBlockHeadersMax = 2 * kMessageHeadersMax;
/// Content of a block: raw bytes, and at most 48 bytes of columns for each message.
inline constexpr size_t kTapeContentBytesMax =
    limits::kTapeBlockRawBytesMax + 48 * limits::kTapeBlockMessagesMax;
/// Bytes of the header.
inline constexpr size_t kTapeHeaderBytes = 40;

/// What can be read without decompressing. Not verified: Load does that.
struct TapeBlockHeader {
  uint8_t version = 0;
  uint8_t codec = 0;
  int64_t base_offset = 0;
  uint32_t count = 0;
  uint32_t content_bytes = 0;
  uint32_t raw_bytes = 0;
  uint32_t stored_bytes = 0;
  uint64_t hash = 0;
};
/// kCorruption where `block` is no tape block of a known version, is cut, or exceeds a limit.
Result<TapeBlockHeader> ParseTapeHeader(std::string_view block);

/// The open block of one partition. Owned by one thread; movable.
class TapeBlockBuilder {
 public:
  /// Copies the message. Errors, with nothing appended: kInvalidArgument = the offset is not above
  /// the last one, or the message exceeds limits::kMessageBytesMax or kMessageHeadersMax;
  /// kResourceExhausted = Full() was not heeded.
  /// `shape`, where somebody knows it: messages of a shape are stored column by column, which is
  /// smaller and cheaper. A wrong one costs time and never changes what is stored.
  Status Append(const MessageView& message, const MessageShape* shape = nullptr);
  /// Messages since the last mark were received then. Seal marks what is left.
  void MarkReceived(Timestamp received);

  bool empty() const { return rows_.empty(); }
  size_t count() const { return rows_.size(); }
  /// Keys, values and encoded headers.
  size_t raw_bytes() const { return keys_.size() + value_bytes_ + headers_.size(); }
  /// Bytes of memory held, for budgets.
  size_t memory_bytes() const;
  /// Of a block that is not empty.
  int64_t base_offset() const { return rows_.front().offset; }
  int64_t last_offset() const { return rows_.back().offset; }
  /// Seal before appending: limits::kTapeBlockSealBytes or kTapeBlockMessagesMax are reached.
  bool Full() const {
    return raw_bytes() >= limits::kTapeBlockSealBytes || count() >= limits::kTapeBlockMessagesMax ||
           header_count_ >= kMessageHeadersMax;
  }

  /// Replaces `out` by the block and clears this, keeping its memory. The block is not empty.
  Status Seal(TpId tp, Timestamp received, Effort effort, CodecBuffers* buffers, std::string* out);
  /// Forgets the messages, keeps the memory.
  void Clear();

 private:
  struct Row {
    int64_t offset;
    int64_t timestamp_ms;
    uint32_t key_size;    // 0 null, else bytes + 1
    uint32_t value_size;  // the same
    uint32_t headers;
    TimestampType timestamp_type;
    uint8_t shape;  // 0 none
  };
  struct Run {
    size_t end;  // row after its last
    Timestamp received;
  };
  Status CheckFits(const MessageView& message) const;
  void AppendHeaders(std::span<const HeaderView> headers);
  /// The shapes that pay get numbers from 1 on, the others 0; element 0 is for no shape.
  using ShapeNumbers = std::array<uint8_t, kTapeShapesMax + 1>;
  ShapeNumbers NumberShapes(Effort effort) const;
  void EncodeShapes(const ShapeNumbers& numbers, Effort effort, CodecBuffers::State* state) const;
  void CollectUnshaped(const ShapeNumbers& numbers, std::string* out) const;
  void EncodeContent(const ShapeNumbers& numbers, Effort effort, CodecBuffers::State* state) const;
  Status CompressContent(Effort effort, CodecBuffers::State* state, TapeBlockHeader* header,
                         std::string* out) const;

  std::vector<Row> rows_;
  std::vector<Run> runs_;
  size_t header_count_ = 0;
  size_t value_bytes_ = 0;
  std::string keys_;
  std::string values_;  // of messages without a shape
  std::string headers_;
  OpenShapes shapes_;
};

/// A decoded block, verified. Thread-compatible; not copied, because its views point into it.
class TapeBlock {
 public:
  TapeBlock() = default;
  TapeBlock(TapeBlock&&) noexcept = default;
  TapeBlock& operator=(TapeBlock&&) noexcept = default;
  TapeBlock(const TapeBlock&) = delete;
  TapeBlock& operator=(const TapeBlock&) = delete;

  /// Replaces what is here by the block stored under (tp, base_offset). After an error this is
  /// empty.
  Status Load(TpId tp, int64_t base_offset, std::string_view block, CodecBuffers* buffers);

  size_t size() const { return rows_.size(); }
  bool empty() const { return rows_.empty(); }
  int64_t offset(size_t i) const { return rows_[i].offset; }
  /// Views until the next Load or the end of this block.
  MessageView At(size_t i) const;
  /// When the commit that recorded the message took it in.
  Timestamp ReceivedAt(size_t i) const { return rows_[i].received; }
  /// The first message at or after `offset`; size() where there is none.
  size_t LowerBound(int64_t offset) const;

 private:
  struct Row {
    int64_t offset;
    int64_t timestamp_ms;
    Timestamp received;
    uint32_t key_begin, key_size;  // sizes: 0 null, else bytes + 1
    uint32_t value_begin, value_size;
    uint32_t headers_begin, headers;
    TimestampType timestamp_type;
  };
  Status LoadColumns(const TapeBlockHeader& header, CodecBuffers::State* state);
  struct ValueColumns {
    std::string_view values, sizes, shape_numbers, shapes;
  };
  Status LoadPlainValues(const ValueColumns& columns, size_t bytes, CodecBuffers::State* state);
  Status LoadShapedValues(const ValueColumns& columns, size_t bytes, CodecBuffers::State* state);
  Status LoadHeaders(std::string_view headers);
  Status LoadReceived(size_t runs, std::string_view sizes, std::string_view times,
                      CodecBuffers::State* state);
  OptionalBytes Piece(std::string_view of, uint32_t begin, uint32_t size) const {
    if (size == 0) return std::nullopt;
    return of.substr(begin, size - 1);
  }

  std::string content_;
  std::string rebuilt_;      // values of a block with shapes
  std::string_view keys_;    // in content_
  std::string_view values_;  // in content_ or rebuilt_
  std::vector<Row> rows_;
  std::vector<HeaderView> headers_;  // in content_
};

/// One stored block: base offset (of its key) and bytes.
struct StoredTapeBlock {
  int64_t base_offset = 0;
  std::string_view bytes;
};

/// Joins adjacent blocks of one partition, in order of offsets, into one; each message keeps its
/// time of receipt. Which blocks may be joined (same mapping, not too large together) is the
/// caller's business. kInvalidArgument: none, out of order, or over a limit.
Status MergeTapeBlocks(TpId tp, std::span<const StoredTapeBlock> blocks, Effort effort,
                       CodecBuffers* buffers, std::string* out);

}  // namespace tapedeck

#endif  // TAPEDECK_CODEC_TAPE_BLOCK_H_
