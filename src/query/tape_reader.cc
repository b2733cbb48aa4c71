#include "query/tape_reader.h"

#include "query/tail.h"

namespace tapedeck {
namespace {

// What a message costs in memory beside its bytes.
constexpr size_t kMessageOverhead = 128;

size_t CostOf(const MessageView& message) {
  return message.PayloadBytes() + kMessageOverhead + message.headers.size() * sizeof(HeaderView);
}

bool Within(Timestamp time, Timestamp start, Timestamp end) {
  return time >= start && (time < end || end == Timestamp::Max());
}

}  // namespace

void MessageSlice::Clear() {
  bytes_ = {};
  headers_ = {};
  messages_ = {};
  received_ = {};
}

size_t MessageSlice::Take(const TapeBlock& block, size_t from, size_t bytes) {
  size_t to = from;
  size_t payload = 0;
  size_t headers = 0;
  for (size_t cost = 0; to < block.size(); ++to) {
    const MessageView message = block.At(to);
    cost += CostOf(message);
    if (to > from && cost > bytes) break;
    payload += message.PayloadBytes();
    headers += message.headers.size();
  }
  Clear();
  // Reserved in full, so that the views stay where they point.
  bytes_.reserve(payload);
  headers_.reserve(headers);
  auto copy = [&](std::string_view text) {
    const size_t at = bytes_.size();
    bytes_.append(text);
    return std::string_view(bytes_).substr(at);
  };
  for (size_t i = from; i < to; ++i) {
    MessageView message = block.At(i);
    if (message.key) message.key = copy(*message.key);
    if (message.value) message.value = copy(*message.value);
    const size_t first = headers_.size();
    for (const HeaderView& header : message.headers) {
      const std::string_view name = copy(header.name);
      headers_.push_back({name, header.value ? OptionalBytes(copy(*header.value)) : std::nullopt});
    }
    message.headers = std::span<const HeaderView>(headers_).subspan(first);
    messages_.push_back(message);
    received_.push_back(block.ReceivedAt(i));
  }
  return to;
}

TapeReader::TapeReader(const StoreView* view, TpId tp, const TapeId* tape, const Range& range,
                       size_t memory_bytes, TapeBlock* scratch, CodecBuffers* buffers)
    : tp_(tp),
      tape_(tape),
      range_(range),
      begun_(range.begin_at == Timestamp::Min()),
      memory_bytes_(memory_bytes),
      scratch_(scratch),
      buffers_(buffers),
      blocks_(view, tp, tape->ToString(), ScanKind::kLong) {
  message_.greatest_time = range.greatest;
}

// By the index entry; -1 stands for messages without a time, whose time of receipt the entry does
// not have.
bool TapeReader::MayHold(const TapeIndexEntry& index) const {
  if (index.last_offset < range_.from_offset) return false;
  if (index.kafka_min_ms < 0) return true;
  constexpr int64_t kNs = 1'000'000;
  int64_t least = 0;
  int64_t greatest = 0;
  if (__builtin_mul_overflow(index.kafka_min_ms, kNs, &least) ||
      __builtin_mul_overflow(index.kafka_max_ms, kNs, &greatest)) {
    return true;
  }
  if (greatest < range_.start.ns() || (!begun_ && greatest < range_.begin_at.ns())) return false;
  return least < range_.end.ns() || range_.end == Timestamp::Max();
}

// Keeps the scratch block whole where it is small enough, and else a slice of it.
void TapeReader::Keep(size_t from) {
  size_t cost = 0;
  for (size_t i = 0; i < scratch_->size() && cost <= memory_bytes_; ++i) {
    cost += CostOf(scratch_->At(i));
  }
  whole_ = cost <= memory_bytes_;
  if (whole_) {
    slice_.Clear();
    std::swap(block_, *scratch_);
    at_ = from;
    size_ = block_.size();
    rest_ = 0;
    return;
  }
  block_ = TapeBlock();
  rest_ = slice_.Take(*scratch_, from, memory_bytes_);
  if (rest_ == scratch_->size()) rest_ = 0;
  at_ = 0;
  size_ = slice_.size();
}

Status TapeReader::LoadNextBlock() {
  at_ = size_ = 0;
  if (range_.stop != nullptr) TD_RETURN_IF_ERROR(range_.stop->Check());
  if (rest_ > 0) {  // the same block again, for its next slice
    TD_RETURN_IF_ERROR(blocks_.Load(scratch_, buffers_));
    Keep(rest_);
    return Status::Ok();
  }
  if (!started_) {
    started_ = true;
    TD_RETURN_IF_ERROR(blocks_.Seek(range_.from_offset));
  } else {
    TD_RETURN_IF_ERROR(blocks_.Next());
  }
  while (blocks_.Valid() && !MayHold(blocks_.index())) {
    if (range_.stop != nullptr) TD_RETURN_IF_ERROR(range_.stop->Check());
    TD_RETURN_IF_ERROR(blocks_.Next());
  }
  if (!blocks_.Valid() || blocks_.base() >= range_.to_offset) return Status::Ok();
  TD_RETURN_IF_ERROR(blocks_.Load(scratch_, buffers_));
  message_.mapping = blocks_.index().mapping;
  Keep(0);
  return Status::Ok();
}

bool TapeReader::Select(const MessageView& message, Timestamp received) {
  if (message.offset < range_.from_offset || message.offset >= range_.to_offset) return false;
  const int64_t kafka = KafkaNanosOf(message);
  const Timestamp time = kafka == kNoKafkaTime ? received : Timestamp(kafka);
  if (!Within(time, range_.start, range_.end)) return false;
  if (!begun_ && time < range_.begin_at) return false;
  begun_ = true;
  message_.tp = tp_;
  message_.tape = tape_;
  message_.message = message;
  message_.received = received;
  message_.time = time;
  message_.greatest_time = std::max(message_.greatest_time, time);
  return true;
}

Status TapeReader::Next() {
  valid_ = false;
  for (;;) {
    while (at_ < size_) {
      const size_t i = at_++;
      valid_ = whole_ ? Select(block_.At(i), block_.ReceivedAt(i))
                      : Select(slice_.At(i), slice_.ReceivedAt(i));
      if (valid_) return Status::Ok();
    }
    TD_RETURN_IF_ERROR(LoadNextBlock());
    if (size_ == 0) return Status::Ok();
  }
}

}  // namespace tapedeck
