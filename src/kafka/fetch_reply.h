#ifndef TAPEDECK_KAFKA_FETCH_REPLY_H_
#define TAPEDECK_KAFKA_FETCH_REPLY_H_

// Inside this module only. Kafka's Fetch request, version 4, and its answer, read piece by piece
// while it still arrives.
//
//   request := size:i32 apiKey:i16=1 version:i16=4 correlation:i32 client:string replica:i32=-1
//              maxWait:i32 minBytes:i32 maxBytes:i32 isolation:i8=1 topics:i32 { name:string
//              partitions:i32 { partition:i32 offset:i64 maxBytes:i32 } }
//   answer  := size:i32 correlation:i32 throttle:i32 topics:i32 { name:string partitions:i32 {
//              partition:i32 error:i16 highWatermark:i64 lastStable:i64 aborted:i32 { i64 i64 }
//              size:i32 recordSet } }
//
// (kafka.apache.org/protocol, "Fetch". All numbers are big-endian; a string is length:i16 bytes.)
// Version 4 is the first with record batches of format 2 and without a session, and the oldest that
// brokers of today still speak. A record set is whole batches and, at its end, perhaps the
// beginning of one more, which is asked for again.
//
//   FetchReply reply;
//   reply.Begin(correlation);
//   for (;;) {
//     FetchReply::Piece piece = reply.Next(unread);   // all that has arrived and was not consumed
//     …                                               // consume piece.bytes
//   }
//
// Owned by one thread.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "model/message.h"

namespace tapedeck {

struct FetchPart {
  TopicPartition tp;
  int64_t offset = 0;
};

struct FetchLimits {
  int32_t wait_ms = 250;
  int32_t bytes = 32 << 20;      // of one answer
  int32_t part_bytes = 4 << 20;  // of each partition in it
};

/// `parts` in the order that the broker fills them in, those of one topic side by side.
std::string EncodeFetch(int32_t correlation, std::string_view client,
                        const std::vector<FetchPart>& parts, const FetchLimits& limits);

class FetchReply {
 public:
  enum class Kind : uint8_t {
    kMore,       // nothing yet: `bytes` have to be there
    kSkip,       // consume `bytes` and ask again
    kPartition,  // the head of a partition's record set: consume it
    kBatch,      // a whole record batch: consume it
    kEnd,        // the answer is over
  };
  struct Piece {
    Kind kind = Kind::kMore;
    size_t bytes = 0;
  };

  void Begin(int32_t correlation);
  /// kCorruption: that is no answer to the request. kUnavailable: the broker says no, or asks to
  /// wait. kFailedPrecondition: transactions, or a batch of more than `batch_max` bytes.
  Result<Piece> Next(std::string_view unread, size_t batch_max);

  /// Of the last kPartition.
  std::string_view topic() const { return topic_; }
  int32_t partition() const { return partition_; }
  /// Where readers of committed messages end.
  int64_t end() const { return end_; }
  /// Whether nothing of the answer comes behind the next `bytes`.
  bool EndsAfter(size_t bytes) const { return left_ == bytes; }
  /// Whether the partition's record set is over.
  bool PartitionIsOver() const { return set_left_ == 0; }

 private:
  Result<Piece> Head(std::string_view unread);
  Result<Piece> Topic(std::string_view unread);
  Result<Piece> Partition(std::string_view unread);
  Result<Piece> Batch(std::string_view unread, size_t batch_max);
  Result<Piece> Take(Kind kind, size_t bytes);

  int32_t correlation_ = 0;
  bool begun_ = false;
  size_t left_ = 0;      // of the whole answer
  size_t set_left_ = 0;  // of the partition's record set
  bool cut_ = false;     // what is left of it is the beginning of a batch
  uint32_t topics_ = 0;  // still to come
  uint32_t partitions_ = 0;
  std::string topic_;
  int32_t partition_ = 0;
  int64_t end_ = 0;
};

}  // namespace tapedeck

#endif  // TAPEDECK_KAFKA_FETCH_REPLY_H_
