#ifndef TAPEDECK_KAFKA_RECORD_SET_H_
#define TAPEDECK_KAFKA_RECORD_SET_H_

// Inside this module only. Record batches of Kafka's log format 2, as a broker sends them.
//
//   batch  := baseOffset:i64 length:i32 leaderEpoch:i32 magic:i8 crc:u32 attributes:i16
//             lastOffsetDelta:i32 baseTimestamp:i64 maxTimestamp:i64 producerId:i64
//             producerEpoch:i16 baseSequence:i32 count:i32 record*      big-endian; length counts
//             from leaderEpoch on, crc (CRC-32C) from attributes on
//   record := length attributes:i8 timeDelta offsetDelta keyLength key valueLength value
//             headerCount { nameLength name valueLength value }         numbers are zigzag varints,
//             a length of -1 is null
//
// (kafka.apache.org/documentation, "Record Batch".) Only the plain kind is read here: format 2, not
// compressed, no transaction, no control records, an intact checksum. Everything else is said to be
// kFailedPrecondition or kCorruption, and left to librdkafka.
//
//   TD_ASSIGN_OR_RETURN(RecordBatch batch, RecordBatch::Open(bytes));
//   while (batch.left() > 0) TD_RETURN_IF_ERROR(batch.Next(&view, &headers));
//
// Views point into the bytes. Owned by one thread.

#include <cstdint>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "model/message.h"

namespace tapedeck {

/// Bytes that say how long a batch is.
inline constexpr size_t kBatchPrefix = 12;
/// The whole batch's size from its first kBatchPrefix bytes; kCorruption where none is so short.
Result<size_t> RecordBatchSize(std::string_view prefix);

class RecordBatch {
 public:
  RecordBatch() = default;
  /// Checks everything but the records.
  static Result<RecordBatch> Open(std::string_view bytes);

  uint32_t left() const { return left_; }
  /// Where the batch begins, whatever compaction left of it. Not under its checksum.
  int64_t base_offset() const { return base_offset_; }
  /// The offset behind the batch, whatever compaction left of it.
  int64_t next_offset() const { return next_offset_; }
  /// Fills all but view->headers; the record's headers are appended to `headers`. Only where
  /// left() > 0.
  Status Next(MessageView* view, std::vector<HeaderView>* headers);

 private:
  std::string_view rest_;
  uint32_t left_ = 0;
  int64_t base_offset_ = 0;
  int64_t next_offset_ = 0;
  int64_t delta_min_ = 0;  // of the next record: offsets rise
  int64_t base_ms_ = 0;
  int64_t max_ms_ = 0;
  bool log_append_ = false;
};

}  // namespace tapedeck

#endif  // TAPEDECK_KAFKA_RECORD_SET_H_
