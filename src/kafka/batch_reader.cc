#include "kafka/batch_reader.h"

#include <librdkafka/rdkafka.h>

#include <algorithm>
#include <bit>

#include "kafka/message_bytes.h"

namespace tapedeck {
namespace {

/// Notices of one batch: a broker that flaps must not fill memory.
constexpr size_t kNoticesMax = 64;

/// Messages ahead of the one being translated. They come from another core; waiting for each costs
/// more than translating it.
constexpr size_t kPrefetch = 8;
constexpr size_t kPrefetchPayload = 4;
/// Of one payload: the processor goes on by itself where it is longer.
constexpr size_t kPrefetchBytesMax = 512;

/// The parts of librdkafka's message that hold its timestamp and headers, two and three lines
/// behind what callers see.
void PrefetchMessage(const rd_kafka_message_t* message) {
  const char* at = reinterpret_cast<const char*>(message);
  __builtin_prefetch(at);
  __builtin_prefetch(at + 64);
  __builtin_prefetch(at + 128);
  __builtin_prefetch(at + 192);
}

/// Who takes the batch reads all of it.
void PrefetchPayload(const rd_kafka_message_t* message) {
  const char* at = static_cast<const char*>(message->payload);
  const size_t bytes = std::min(message->len, kPrefetchBytesMax);
  for (size_t line = 0; line < bytes; line += 64) __builtin_prefetch(at + line);
}

size_t TableHash(const rd_kafka_topic_t* topic, int32_t partition) {
  auto key = reinterpret_cast<uintptr_t>(topic) + static_cast<uint32_t>(partition) * uintptr_t{64};
  return static_cast<size_t>((key * 0x9e3779b97f4a7c15ULL) >> 32);  // 2^64 / golden ratio
}

SourceTrouble TroubleOf(rd_kafka_resp_err_t code) {
  switch (code) {
    case RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET:
    case RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE:
      return SourceTrouble::kOutOfRange;
    case RD_KAFKA_RESP_ERR__BAD_MSG:
    case RD_KAFKA_RESP_ERR__BAD_COMPRESSION:
    case RD_KAFKA_RESP_ERR_INVALID_MSG:
      return SourceTrouble::kBadBatch;
    case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
    case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
    case RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION:
      return SourceTrouble::kUnknownTopic;
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
      return SourceTrouble::kNotAuthorized;
    default:
      return SourceTrouble::kOther;
  }
}

}  // namespace

BatchReader::BatchReader(size_t messages_max) : raw_(messages_max) {
  batch_.messages.reserve(messages_max);
}

BatchReader::~BatchReader() { Release(); }

void BatchReader::Assign(const std::vector<TopicPartition>& partitions,
                         const std::vector<StartOffset>& starts) {
  Unassign();
  positions_.resize(partitions.size());
  for (size_t i = 0; i < partitions.size(); ++i) {
    slots_[partitions[i]] = static_cast<PartitionSlot>(i);
    positions_[i].expected = starts[i].offset;
  }
  table_.resize(std::bit_ceil(partitions.size() * 2 + 1));
}

void BatchReader::Unassign() {
  slots_.clear();
  positions_.clear();
  table_.clear();
  last_ = TableEntry();
  only_errors_ = false;
}

std::vector<StartOffset> BatchReader::positions() const {
  std::vector<StartOffset> places;
  for (const Position& position : positions_) places.push_back({position.expected});
  return places;
}

bool BatchReader::any_damaged() const {
  return std::ranges::any_of(positions_, &Position::damaged);
}

void BatchReader::Release() {
  for (size_t i = 0; i < raw_count_; ++i) rd_kafka_message_destroy(raw_[i]);
  raw_count_ = 0;
  batch_.messages.clear();
  batch_.ends.clear();
  batch_.errors.clear();
  batch_.notices.clear();
  batch_.reassigned = false;
  headers_.clear();
  header_ranges_.clear();
}

size_t BatchReader::Drain(rd_kafka_queue_s* queue) {
  ssize_t count = rd_kafka_consume_batch_queue(queue, 0, raw_.data(), raw_.size());
  raw_count_ = count > 0 ? static_cast<size_t>(count) : 0;
  return raw_count_;
}

void BatchReader::Discard() {
  discarded_ += raw_count_;
  for (size_t i = 0; i < raw_count_; ++i) rd_kafka_message_destroy(raw_[i]);
  raw_count_ = 0;
}

void BatchReader::Translate() {
  for (size_t i = 0; i < raw_count_; ++i) {
    if (i + kPrefetch < raw_count_) PrefetchMessage(raw_[i + kPrefetch]);
    if (i + kPrefetchPayload < raw_count_) PrefetchPayload(raw_[i + kPrefetchPayload]);
    const rd_kafka_message_t& message = *raw_[i];
    if (message.err == RD_KAFKA_RESP_ERR_NO_ERROR) [[likely]] {
      AddMessage(i);
    } else {
      AddError(message);
    }
  }
  messages_ += batch_.messages.size();
  for (const HeaderRange& range : header_ranges_) {
    batch_.messages[range.message].message.headers =
        std::span<const HeaderView>(headers_).subspan(range.first, range.count);
  }
}

PartitionSlot BatchReader::SlotOf(const rd_kafka_message_s& message) {
  if (message.rkt == last_.topic && message.partition == last_.partition) [[likely]]
    return last_.slot;
  if (table_.empty() || message.rkt == nullptr) return kNoSlot;
  size_t mask = table_.size() - 1;
  for (size_t at = TableHash(message.rkt, message.partition) & mask;; at = (at + 1) & mask) {
    TableEntry& entry = table_[at];
    if (entry.slot == kNoSlot) {
      PartitionSlot slot = SlotByName(message);
      if (slot == kNoSlot) return slot;
      entry = {message.rkt, message.partition, slot};
    } else if (entry.topic != message.rkt || entry.partition != message.partition) {
      continue;
    }
    last_ = entry;
    return entry.slot;
  }
}

PartitionSlot BatchReader::SlotByName(const rd_kafka_message_s& message) {
  auto it = slots_.find({rd_kafka_topic_name(message.rkt), message.partition});
  return it == slots_.end() ? kNoSlot : it->second;
}

void BatchReader::AddMessage(size_t index) {
  const rd_kafka_message_t& message = *raw_[index];
  PartitionSlot slot = SlotOf(message);
  if (slot == kNoSlot) [[unlikely]] {
    ++discarded_;
    return;
  }
  if (only_errors_) [[unlikely]]
    return;
  Position& position = positions_[slot];
  if (message.offset < position.expected || position.damaged) [[unlikely]] {
    position.damaged ? ++discarded_ : ++below_position_;
    return;
  }
  position.expected = message.offset + 1;
  payload_bytes_ += message.len + message.key_len;
  SourceMessage& out = batch_.messages.emplace_back();
  out.slot = slot;
  FillView(message, &out.message);
  if (index + 1 < raw_count_ && SurelyHasNoHeaders(message, *raw_[index + 1])) return;
  AddHeaders(message);
}

void BatchReader::AddHeaders(const rd_kafka_message_s& message) {
  size_t first = headers_.size();
  if (AppendHeaders(message, &headers_)) [[likely]] {
    if (headers_.size() > first) {
      header_ranges_.push_back({batch_.messages.size() - 1, first, headers_.size() - first});
    }
    return;
  }
  PartitionSlot slot = batch_.messages.back().slot;
  batch_.messages.pop_back();
  positions_[slot].damaged = true;
  batch_.errors.push_back(
      {slot, SourceTrouble::kBadBatch,
       "the headers of the message at offset " + std::to_string(message.offset) + " do not parse"});
}

void BatchReader::AddError(const rd_kafka_message_s& message) {
  PartitionSlot slot = SlotOf(message);
  if (message.err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
    if (slot == kNoSlot || only_errors_) return;
    Position& position = positions_[slot];
    if (position.damaged || message.offset < position.expected) return;
    position.expected = message.offset;
    batch_.ends.push_back({slot, message.offset});
    return;
  }
  const char* text = rd_kafka_message_errstr(&message);
  std::string detail = text != nullptr ? text : "";
  if (slot == kNoSlot) {
    if (batch_.notices.size() < kNoticesMax) {
      if (message.rkt != nullptr)
        detail = std::string(rd_kafka_topic_name(message.rkt)) + ": " + detail;
      batch_.notices.push_back({RdkErrorName(message.err), std::move(detail)});
    }
    return;
  }
  Position& position = positions_[slot];
  SourceTrouble trouble = TroubleOf(message.err);
  if (position.damaged) return;
  if (trouble == SourceTrouble::kBadBatch) position.damaged = true;
  batch_.errors.push_back({slot, trouble, RdkErrorName(message.err) + ": " + detail});
}

}  // namespace tapedeck
