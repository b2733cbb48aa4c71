#ifndef TAPEDECK_KAFKA_BATCH_READER_H_
#define TAPEDECK_KAFKA_BATCH_READER_H_

// Inside this module only. BatchReader: turns what librdkafka's queue gives into a SourceBatch
// without copying payload.
//
// It knows the assigned partitions: where each should go on, and which of them deliver nothing more
// until they are assigned again because a batch of theirs was damaged. A message below the expected
// offset is dropped.
//
// A message names its partition by (topic object, number). The topic object of an assigned
// partition lives at least as long as the assignment, so a small table from that pair to the slot
// serves without looking at names.
//
// Owned by one thread.

#include <cstddef>
#include <cstdint>
#include <map>
#include <vector>

#include "kafka/message_source.h"
#include "kafka/rdkafka_client.h"

namespace tapedeck {

class BatchReader {
 public:
  explicit BatchReader(size_t messages_max);
  ~BatchReader();
  BatchReader(const BatchReader&) = delete;
  BatchReader& operator=(const BatchReader&) = delete;

  /// Slot i is partitions[i] and begins at starts[i].
  void Assign(const std::vector<TopicPartition>& partitions,
              const std::vector<StartOffset>& starts);
  void Unassign();
  /// Messages and ends come another way, until the next Assign: those that librdkafka has fetched
  /// meanwhile are thrown away.
  void OnlyErrors() { only_errors_ = true; }

  /// Gives the last batch back to librdkafka and empties `batch()`.
  void Release();
  /// Takes what waits in the queue, without waiting. Returns how many things there were. Callbacks
  /// run in here.
  size_t Drain(rd_kafka_queue_s* queue);
  /// Turns what Drain took into `batch()`.
  void Translate();
  /// Throws away what Drain took.
  void Discard();

  SourceBatch& batch() { return batch_; }
  /// Where each slot goes on behind the batch.
  std::vector<StartOffset> positions() const;
  bool any_damaged() const;
  /// Since the beginning.
  uint64_t messages() const { return messages_; }
  uint64_t payload_bytes() const { return payload_bytes_; }
  uint64_t below_position() const { return below_position_; }
  uint64_t discarded() const { return discarded_; }

 private:
  static constexpr PartitionSlot kNoSlot = UINT32_MAX;
  struct Position {
    int64_t expected = 0;
    bool damaged = false;
  };
  struct TableEntry {
    const rd_kafka_topic_s* topic = nullptr;
    int32_t partition = -1;
    PartitionSlot slot = kNoSlot;
  };
  struct HeaderRange {
    size_t message;
    size_t first;
    size_t count;
  };

  PartitionSlot SlotOf(const rd_kafka_message_s& message);
  PartitionSlot SlotByName(const rd_kafka_message_s& message);
  void AddMessage(size_t index);
  void AddHeaders(const rd_kafka_message_s& message);
  void AddError(const rd_kafka_message_s& message);

  std::vector<rd_kafka_message_s*> raw_;
  size_t raw_count_ = 0;
  SourceBatch batch_;
  std::vector<HeaderView> headers_;
  std::vector<HeaderRange> header_ranges_;

  std::map<TopicPartition, PartitionSlot> slots_;
  std::vector<Position> positions_;
  std::vector<TableEntry> table_;  // open addressing; its size is a power of two
  TableEntry last_;
  bool only_errors_ = false;

  uint64_t messages_ = 0;
  uint64_t payload_bytes_ = 0;
  uint64_t below_position_ = 0;
  uint64_t discarded_ = 0;
};

}  // namespace tapedeck

#endif  // TAPEDECK_KAFKA_BATCH_READER_H_
