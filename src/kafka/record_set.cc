#include "kafka/record_set.h"

#include "base/bytes.h"
#include "base/crc32c.h"

namespace tapedeck {
namespace {

constexpr size_t kHeadBytes = 61;
constexpr size_t kCrcFrom = 21;  // where the bytes under the checksum begin
constexpr uint8_t kMagic = 2;

constexpr uint8_t kCompressed = 0x07;
constexpr uint8_t kLogAppendTime = 0x08;
constexpr uint8_t kTransactional = 0x10;
constexpr uint8_t kControl = 0x20;

Status Damaged(std::string_view what) {
  return Status::Corruption("a record batch " + std::string(what));
}

// Kafka's varints hold what zigzag makes of a signed number.
int64_t Number(ByteReader* reader) { return UnZigZag(reader->Varint()); }

/// Null for -1; anything else below zero is damage.
OptionalBytes Nullable(ByteReader* reader) {
  const int64_t size = Number(reader);
  if (size == -1) return std::nullopt;
  if (size < 0) reader->Fail();
  return reader->Bytes(static_cast<size_t>(size));
}

void ReadHeaders(ByteReader* reader, std::vector<HeaderView>* headers) {
  const int64_t count = Number(reader);
  if (count < 0) reader->Fail();
  for (int64_t i = 0; i < count && reader->ok(); ++i) {
    const OptionalBytes name = Nullable(reader);
    if (!name) reader->Fail();
    // librdkafka cuts a name at a NUL byte. A message is the same whichever way it came.
    const std::string_view whole = name.value_or("");
    headers->push_back({whole.substr(0, whole.find('\0')), Nullable(reader)});
  }
}

}  // namespace

Result<size_t> RecordBatchSize(std::string_view prefix) {
  ByteReader reader(prefix);
  reader.Big64();
  const uint32_t length = reader.Big32();
  if (!reader.ok() || length < kHeadBytes - kBatchPrefix || length > INT32_MAX)
    return Damaged("has an impossible length");
  return kBatchPrefix + length;
}

Result<RecordBatch> RecordBatch::Open(std::string_view bytes) {
  if (bytes.size() < kHeadBytes) return Damaged("is cut off");
  ByteReader reader(bytes);
  RecordBatch batch;
  batch.base_offset_ = static_cast<int64_t>(reader.Big64());
  reader.Big64();  // length, epoch
  if (reader.Byte() != kMagic) return Status::FailedPrecondition("a record batch of an old format");
  const uint32_t crc = reader.Big32();
  reader.Byte();  // of the attributes, all are in the lower byte
  const uint8_t attributes = reader.Byte();
  const uint32_t last_delta = reader.Big32();
  batch.base_ms_ = static_cast<int64_t>(reader.Big64());
  batch.max_ms_ = static_cast<int64_t>(reader.Big64());
  reader.Big64();  // producer
  reader.Bytes(2);
  reader.Big32();
  const uint32_t count = reader.Big32();
  if (crc != Crc32c(bytes.substr(kCrcFrom))) return Damaged("fails its checksum");
  if ((attributes & kCompressed) != 0)
    return Status::FailedPrecondition("a compressed record batch");
  if ((attributes & (kTransactional | kControl)) != 0)
    return Status::FailedPrecondition("a record batch of a transaction");
  if (batch.base_offset_ < 0 || last_delta > INT32_MAX || count > INT32_MAX ||
      batch.base_offset_ > INT64_MAX - last_delta - 1)
    return Damaged("has impossible offsets");
  batch.next_offset_ = batch.base_offset_ + last_delta + 1;
  batch.log_append_ = (attributes & kLogAppendTime) != 0;
  batch.left_ = count;
  batch.rest_ = reader.rest();
  return batch;
}

Status RecordBatch::Next(MessageView* view, std::vector<HeaderView>* headers) {
  ByteReader all(rest_);
  const int64_t length = Number(&all);
  ByteReader record(length < 0 ? std::string_view() : all.Bytes(static_cast<size_t>(length)));
  if (!all.ok() || length <= 0) return Damaged("holds a record that is cut off");
  const bool log_append = (record.Byte() & kLogAppendTime) != 0 || log_append_;
  const int64_t time_delta = Number(&record);
  const int64_t offset_delta = Number(&record);
  view->key = Nullable(&record);
  view->value = Nullable(&record);
  ReadHeaders(&record, headers);
  if (!record.ok() || offset_delta < delta_min_ || offset_delta >= next_offset_ - base_offset_)
    return Damaged("holds a record that does not parse");
  delta_min_ = offset_delta + 1;
  view->offset = base_offset_ + offset_delta;
  view->timestamp_type = log_append ? TimestampType::kLogAppend : TimestampType::kCreate;
  view->timestamp_ms = log_append ? max_ms_
                                  : static_cast<int64_t>(static_cast<uint64_t>(base_ms_) +
                                                         static_cast<uint64_t>(time_delta));
  rest_ = all.rest();
  --left_;
  return Status::Ok();
}

}  // namespace tapedeck
