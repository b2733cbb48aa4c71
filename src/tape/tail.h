#ifndef TAPEDECK_TAPE_TAIL_H_
#define TAPEDECK_TAPE_TAIL_H_

// Decoding stored messages again: by the mapping that each tape block's index entry names, as it
// was when they were recorded.
//
// The tail of a tape is its messages in [watermark, next): on the tape, not yet in the series.
// Recovery, readers beside a node and verify decode it; the result is exactly the rows that the
// recorder had published.
//
//   TailDecoder tail(view.get(), &directory);
//   for (const auto& [tp, checkpoint] : state.checkpoints) {
//     TD_ASSIGN_OR_RETURN(TailCounts counts, tail.Decode(tp, checkpoint, &builder));
//   }
//
// Errors: kCorruption names topic[partition]@offset: a damaged or missing block or index entry, a
// mapping that is not stored. Owned by one thread; the view and the directory outlive it.

#include <functional>
#include <map>
#include <memory>

#include "base/status.h"
#include "codec/codec_buffers.h"
#include "codec/tape_block.h"
#include "mapping/mapping.h"
#include "model/chunk.h"
#include "model/stored.h"
#include "store/store.h"
#include "tape/tape_blocks.h"

namespace tapedeck {

/// Kafka timestamp of the message's records: nanoseconds, or kNoKafkaTime where it has none (or one
/// that no int64 holds).
int64_t KafkaNanosOf(const MessageView& message);

/// What one decoded message came to.
struct DecodedMessage {
  TpId tp{};
  const TapeId* tape = nullptr;
  const MessageView* message = nullptr;
  Timestamp received;
  const Decoded* decoded = nullptr;
  /// The n-th record of it as a row.
  RecordView Row(size_t n) const;
};
/// Valid during the call; an error ends the decoding and is returned.
using DecodedSink = std::function<Status(const DecodedMessage&)>;

class ManifestSet;
class ReadPoint;

/// Decoders of the mappings that a store knows, made when they are first needed.
class StoredDecoders {
 public:
  explicit StoredDecoders(const StoreView* view) : view_(view) {}
  /// Also of those that only manifests have, for messages that others recorded. The point outlives
  /// it.
  explicit StoredDecoders(const ReadPoint& point);
  /// kCorruption where the store has no such mapping, or one that no table of it fits.
  Result<Decoder*> For(const Hash128& mapping);

 private:
  Result<std::string> TextOf(const Hash128& mapping) const;

  const StoreView* view_;
  const ManifestSet* manifests_ = nullptr;
  bool loaded_ = false;
  TableRegistry tables_;
  std::map<Hash128, std::unique_ptr<Decoder>> decoders_;
};

struct TailCounts {
  uint64_t blocks = 0;
  uint64_t messages = 0;
  uint64_t records = 0;
  uint64_t refused = 0;  // messages with a refusal
  uint64_t skipped = 0;  // messages of which something was skipped
};

class TailDecoder {
 public:
  /// `directory` is that of the chunks that are built.
  TailDecoder(const StoreView* view, SeriesDirectory* directory)
      : view_(view), directory_(directory), decoders_(view) {}

  /// Appends the records of the tape's messages in [checkpoint.watermark, checkpoint.next).
  Result<TailCounts> Decode(TpId tp, const Checkpoint& checkpoint, ChunkBuilder* rows);
  /// Hands the messages of [from, to) to `sink`, in order of offsets.
  Result<TailCounts> Decode(TpId tp, int64_t from, int64_t to, const DecodedSink& sink);

  SeriesDirectory* directory() const { return directory_; }

 private:
  const StoreView* view_;
  SeriesDirectory* directory_;
  StoredDecoders decoders_;
  CodecBuffers buffers_;
  TapeBlock block_;
  Decoded decoded_;
};

}  // namespace tapedeck

#endif  // TAPEDECK_TAPE_TAIL_H_
