#include "kafka/fetch_reply.h"

#include <algorithm>

#include "base/bytes.h"
#include "kafka/record_set.h"

namespace tapedeck {
namespace {

constexpr uint16_t kFetchApi = 1;
constexpr uint16_t kVersion = 4;
constexpr char kReadCommitted = 1;
constexpr size_t kSizeField = 4;
constexpr size_t kHead = 16;           // size, correlation, throttle, topics
constexpr size_t kPartitionHead = 30;  // up to the list of aborted transactions, and the set's size
constexpr size_t kNameMax = 249;       // Kafka's own bound

void PutBig16(std::string* out, uint16_t value) {
  out->push_back(static_cast<char>(value >> 8));
  out->push_back(static_cast<char>(value));
}

void PutString(std::string* out, std::string_view text) {
  PutBig16(out, static_cast<uint16_t>(text.size()));
  out->append(text);
}

int16_t Big16(ByteReader* reader) {
  const uint32_t high = reader->Byte();
  return static_cast<int16_t>(high << 8 | reader->Byte());
}

Status NoAnswer(std::string_view what) {
  return Status::Corruption("an answer to a fetch " + std::string(what));
}

void PutParts(std::string* out, const std::vector<FetchPart>& parts, int32_t bytes) {
  const size_t topics_at = out->size();
  uint32_t topics = 0;
  PutBig32(out, 0);
  for (size_t from = 0; from < parts.size(); ++topics) {
    size_t to = from;
    while (to < parts.size() && parts[to].tp.topic == parts[from].tp.topic) ++to;
    PutString(out, parts[from].tp.topic);
    PutBig32(out, static_cast<uint32_t>(to - from));
    for (; from < to; ++from) {
      PutBig32(out, static_cast<uint32_t>(parts[from].tp.partition));
      PutBig64(out, static_cast<uint64_t>(parts[from].offset));
      PutBig32(out, static_cast<uint32_t>(bytes));
    }
  }
  std::string count;
  PutBig32(&count, topics);
  out->replace(topics_at, count.size(), count);
}

}  // namespace

std::string EncodeFetch(int32_t correlation, std::string_view client,
                        const std::vector<FetchPart>& parts, const FetchLimits& limits) {
  std::string body;
  PutBig16(&body, kFetchApi);
  PutBig16(&body, kVersion);
  PutBig32(&body, static_cast<uint32_t>(correlation));
  PutString(&body, client.substr(0, INT16_MAX));
  PutBig32(&body, UINT32_MAX);  // no replica
  PutBig32(&body, static_cast<uint32_t>(limits.wait_ms));
  PutBig32(&body, 1);  // answer as soon as there is anything
  PutBig32(&body, static_cast<uint32_t>(limits.bytes));
  body.push_back(kReadCommitted);
  PutParts(&body, parts, limits.part_bytes);
  std::string request;
  PutBig32(&request, static_cast<uint32_t>(body.size()));
  return request + body;
}

void FetchReply::Begin(int32_t correlation) {
  *this = FetchReply();
  correlation_ = correlation;
}

Result<FetchReply::Piece> FetchReply::Take(Kind kind, size_t bytes) {
  if (bytes > left_) return NoAnswer("is longer than it says");
  left_ -= bytes;
  return Piece{kind, bytes};
}

Result<FetchReply::Piece> FetchReply::Next(std::string_view unread, size_t batch_max) {
  if (!begun_) return Head(unread);
  if (set_left_ > 0) return Batch(unread, batch_max);
  if (partitions_ > 0) return Partition(unread);
  if (topics_ > 0) return Topic(unread);
  if (left_ > 0) return NoAnswer("has bytes behind its end");
  return Piece{Kind::kEnd, 0};
}

Result<FetchReply::Piece> FetchReply::Head(std::string_view unread) {
  if (unread.size() < kHead) return Piece{Kind::kMore, kHead};
  ByteReader reader(unread);
  const uint32_t size = reader.Big32();
  if (size < kHead - kSizeField || size > INT32_MAX) return NoAnswer("has an impossible size");
  if (reader.Big32() != static_cast<uint32_t>(correlation_))
    return NoAnswer("belongs to another request");
  if (reader.Big32() != 0) return Status::Unavailable("the broker slows its clients down");
  topics_ = reader.Big32();
  left_ = size + kSizeField;
  begun_ = true;
  return Take(Kind::kSkip, kHead);
}

Result<FetchReply::Piece> FetchReply::Topic(std::string_view unread) {
  ByteReader reader(unread);
  const int16_t size = Big16(&reader);
  if (!reader.ok()) return Piece{Kind::kMore, sizeof size};
  if (size < 0 || static_cast<size_t>(size) > kNameMax) return NoAnswer("has an impossible name");
  const std::string_view name = reader.Bytes(static_cast<size_t>(size));
  partitions_ = reader.Big32();
  const size_t bytes = sizeof size + static_cast<size_t>(size) + sizeof partitions_;
  if (!reader.ok()) {
    partitions_ = 0;
    return Piece{Kind::kMore, bytes};
  }
  topic_ = name;
  --topics_;
  return Take(Kind::kSkip, bytes);
}

Result<FetchReply::Piece> FetchReply::Partition(std::string_view unread) {
  if (unread.size() < kPartitionHead) return Piece{Kind::kMore, kPartitionHead};
  ByteReader reader(unread);
  partition_ = static_cast<int32_t>(reader.Big32());
  const int16_t error = Big16(&reader);
  const auto watermark = static_cast<int64_t>(reader.Big64());
  const auto stable = static_cast<int64_t>(reader.Big64());
  end_ = stable < 0 ? watermark : stable;
  const auto aborted = static_cast<int32_t>(reader.Big32());
  const auto size = static_cast<int32_t>(reader.Big32());
  if (error != 0)
    return Status::Unavailable("the broker answers a fetch with error " + std::to_string(error));
  if (aborted > 0) return Status::FailedPrecondition("there are aborted transactions");
  if (size < -1) return NoAnswer("has an impossible record set");
  --partitions_;
  cut_ = false;
  set_left_ = static_cast<size_t>(std::max(size, 0));
  return Take(Kind::kPartition, kPartitionHead);
}

Result<FetchReply::Piece> FetchReply::Batch(std::string_view unread, size_t batch_max) {
  if (cut_) {
    if (unread.empty()) return Piece{Kind::kMore, 1};
    const size_t bytes = std::min(set_left_, unread.size());
    set_left_ -= bytes;
    return Take(Kind::kSkip, bytes);
  }
  const size_t head = std::min(set_left_, kBatchPrefix);
  if (unread.size() < head) return Piece{Kind::kMore, head};
  size_t size = set_left_ + 1;
  if (head == kBatchPrefix) {
    TD_ASSIGN_OR_RETURN(size, RecordBatchSize(unread.substr(0, kBatchPrefix)));
  }
  cut_ = size > set_left_;
  if (cut_) return Batch(unread, batch_max);
  if (size > batch_max)
    return Status::FailedPrecondition("a record batch of " + std::to_string(size) + " bytes");
  if (unread.size() < size) return Piece{Kind::kMore, size};
  set_left_ -= size;
  return Take(Kind::kBatch, size);
}

}  // namespace tapedeck
