#include "tape/tape_reader.h"

#include <algorithm>
#include <utility>

#include "tape/tail.h"

namespace tapedeck {
namespace {

// What a message costs in memory beside its bytes.
constexpr size_t kMessageOverhead = 128;

size_t CostOf(const MessageView& message) {
  return message.PayloadBytes() + kMessageOverhead + message.headers.size() * sizeof(HeaderView);
}

constexpr int64_t kNanosPerMilli = 1'000'000;
// What a reader of tape objects holds while it stays open; where a tape has less, it is closed
// after each slice.
constexpr size_t kObjectBytes = size_t{16} << 20;

// The mapping that was in force when the message was recorded.
Hash128 MappingAt(const TapeManifest& manifest, int64_t offset) {
  const auto& from = manifest.mapping_from;
  auto behind = std::upper_bound(from.begin(), from.end(), offset,
                                 [](int64_t o, const auto& entry) { return o < entry.first; });
  return behind == from.begin() ? Hash128() : std::prev(behind)->second;
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

template <typename Block>
size_t MessageSlice::Take(const Block& block, size_t from, size_t bytes) {
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

TapeReader::TapeReader(const ReadPoint* point, TpId tp, const TapeId* tape, const Range& range,
                       size_t memory_bytes, TapeBlock* scratch, CodecBuffers* buffers)
    : point_(point),
      tp_(tp),
      tape_(tape),
      range_(range),
      begun_(range.begin_at == Timestamp::Min()),
      memory_bytes_(memory_bytes),
      scratch_(scratch),
      buffers_(buffers),
      blocks_(&point->view(), tp, tape->ToString(), ScanKind::kLong) {
  message_.greatest_time = range.greatest;
}

Status TapeReader::FindSpans() {
  started_ = true;
  const int64_t pruned = point_->IsStored(tp_) ? point_->state().ShipOf(tp_).pruned : 0;
  if (point_->manifests() != nullptr) {
    TD_ASSIGN_OR_RETURN(spans_,
                        SpansOf(*point_, tp_, *tape_, range_.from_offset, range_.to_offset));
    return Status::Ok();
  }
  spans_ = {{range_.from_offset, range_.to_offset, nullptr}};
  if (pruned <= range_.from_offset) return Status::Ok();
  // What was pruned is needed, unless all of it is older than what is asked for.
  TD_RETURN_IF_ERROR(blocks_.Seek(pruned));
  const bool later = blocks_.Valid() && blocks_.index().kafka_running_max_ms >= 0 &&
                     blocks_.index().kafka_running_max_ms < range_.start.ns() / kNanosPerMilli;
  if (later) return Status::Ok();
  return SpansOf(*point_, tp_, *tape_, range_.from_offset, range_.to_offset).status();
}

// By what an index entry or a manifest says; -1 stands for messages without a time, whose time of
// receipt neither has.
bool TapeReader::MayHold(int64_t last_offset, int64_t kafka_min_ms, int64_t kafka_max_ms) const {
  if (last_offset < range_.from_offset) return false;
  if (kafka_min_ms < 0) return true;
  int64_t least = 0;
  int64_t greatest = 0;
  if (__builtin_mul_overflow(kafka_min_ms, kNanosPerMilli, &least) ||
      __builtin_mul_overflow(kafka_max_ms, kNanosPerMilli, &greatest)) {
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
  if (cost <= memory_bytes_) {
    slice_.Clear();
    std::swap(block_, *scratch_);
    holding_ = Holding::kBlock;
    at_ = from;
    size_ = block_.size();
    rest_ = 0;
    return;
  }
  block_ = TapeBlock();
  holding_ = Holding::kSlice;
  rest_ = slice_.Take(*scratch_, from, memory_bytes_);
  if (rest_ == scratch_->size()) rest_ = 0;
  at_ = 0;
  size_ = slice_.size();
}

// Of the span in hand, which is the store's. Nothing: it has ended.
Status TapeReader::LoadNextBlock() {
  if (rest_ > 0) {  // the same block again, for its next slice
    TD_RETURN_IF_ERROR(blocks_.Load(scratch_, buffers_));
    Keep(rest_);
    return Status::Ok();
  }
  if (!std::exchange(span_begun_, true)) {
    TD_RETURN_IF_ERROR(blocks_.Seek(std::max(range_.from_offset, span().from)));
  } else {
    TD_RETURN_IF_ERROR(blocks_.Next());
  }
  auto may_hold = [&] {
    const TapeIndexEntry& index = blocks_.index();
    return MayHold(index.last_offset, index.kafka_min_ms, index.kafka_max_ms);
  };
  while (blocks_.Valid() && blocks_.base() < span().to && !may_hold()) {
    if (range_.stop != nullptr) TD_RETURN_IF_ERROR(range_.stop->Check());
    TD_RETURN_IF_ERROR(blocks_.Next());
  }
  if (!blocks_.Valid() || blocks_.base() >= span().to) return Status::Ok();
  TD_RETURN_IF_ERROR(blocks_.Load(scratch_, buffers_));
  message_.mapping = blocks_.index().mapping;
  Keep(0);
  return Status::Ok();
}

Status TapeReader::OpenObject() {
  const TapeListing& listing = *span().archived;
  const ShippedObject& object = listing.manifest.objects[next_object_];
  TD_ASSIGN_OR_RETURN(opened_, point_->archive().objects->OpenTape(object, range_.stop));
  TD_ASSIGN_OR_RETURN(object_,
                      TapeObjectReader::Open(opened_.source.get(), opened_.footer, *tape_));
  return object_->Seek(object_from_);
}

void TapeReader::CloseObject() {
  object_ = nullptr;
  opened_ = OpenedTape();
}

// Of the span in hand, which is a manifest's. Nothing: it has ended.
Status TapeReader::LoadNextMessages() {
  const TapeManifest& manifest = span().archived->manifest;
  if (!std::exchange(span_begun_, true)) {
    next_object_ = 0;
    object_from_ = std::max(range_.from_offset, span().from);
    const bool may_hold =
        MayHold(manifest.range.to - 1, manifest.kafka_min_ms, manifest.kafka_max_ms);
    if (!may_hold) return Status::Ok();
  }
  while (next_object_ < manifest.objects.size() && object_from_ < span().to) {
    if (object_ == nullptr) TD_RETURN_IF_ERROR(OpenObject());
    TD_RETURN_IF_ERROR(object_->Next());
    if (object_->empty()) {
      CloseObject();
      ++next_object_;
      continue;
    }
    at_ = 0;
    if (memory_bytes_ >= kObjectBytes) {
      holding_ = Holding::kObject;
      size_ = object_->size();
      object_from_ = object_->offset(size_ - 1) + 1;
      return Status::Ok();
    }
    holding_ = Holding::kSlice;
    slice_.Take(*object_, 0, memory_bytes_);
    size_ = slice_.size();
    object_from_ = slice_.At(size_ - 1).offset + 1;
    CloseObject();
    return Status::Ok();
  }
  CloseObject();
  return Status::Ok();
}

// Nothing in hand afterwards: the end.
Status TapeReader::LoadNext() {
  at_ = size_ = 0;
  if (!started_) TD_RETURN_IF_ERROR(FindSpans());
  while (span_ < spans_.size()) {
    if (range_.stop != nullptr) TD_RETURN_IF_ERROR(range_.stop->Check());
    const bool archived = span().archived != nullptr;
    if (archived) {
      TD_RETURN_IF_ERROR(LoadNextMessages().WithContext(span().archived->name));
    } else {
      TD_RETURN_IF_ERROR(LoadNextBlock());
    }
    if (size_ > 0) return Status::Ok();
    ++span_;
    span_begun_ = false;
  }
  return Status::Ok();
}

bool TapeReader::Select(const MessageView& message, Timestamp received) {
  if (message.offset < span().from || message.offset >= span().to) return false;
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
  if (span().archived != nullptr) {
    message_.mapping = MappingAt(span().archived->manifest, message.offset);
  }
  return true;
}

Status TapeReader::Next() {
  valid_ = false;
  for (;;) {
    while (at_ < size_) {
      const size_t i = at_++;
      switch (holding_) {
        case Holding::kBlock:
          valid_ = Select(block_.At(i), block_.ReceivedAt(i));
          break;
        case Holding::kSlice:
          valid_ = Select(slice_.At(i), slice_.ReceivedAt(i));
          break;
        case Holding::kObject:
          valid_ = Select(object_->At(i), object_->ReceivedAt(i));
          break;
      }
      if (valid_) return Status::Ok();
    }
    TD_RETURN_IF_ERROR(LoadNext());
    if (size_ == 0) return Status::Ok();
  }
}

}  // namespace tapedeck
