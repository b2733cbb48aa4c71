#include "tape/tape_cursor.h"

#include <algorithm>
#include <tuple>

#include "base/bytes.h"
#include "base/text.h"
#include "tape/tape_reader.h"

namespace tapedeck {
namespace {

constexpr uint8_t kVersion = 1;
// A tape keeps at least this much of a block, however many there are: less would be decoded too
// often.
constexpr size_t kTapeBytesMin = size_t{64} << 10;

}  // namespace

std::string MessagePosition::Encode() const {
  std::string out(1, static_cast<char>(kVersion));
  PutVarint(&out, ZigZag(time.ns()));
  PutBlob(&out, topic);
  PutVarint(&out, ZigZag(partition));
  PutVarint(&out, lineage);
  PutVarint(&out, ZigZag(offset));
  return out;
}

Result<MessagePosition> MessagePosition::Decode(std::string_view bytes) {
  ByteReader reader(bytes);
  MessagePosition position;
  if (reader.Byte() != kVersion) reader.Fail();
  position.time = Timestamp(UnZigZag(reader.Varint()));
  position.topic = reader.Blob();
  position.partition = static_cast<int32_t>(UnZigZag(reader.Varint()));
  position.lineage = static_cast<uint32_t>(reader.Varint());
  position.offset = UnZigZag(reader.Varint());
  if (!reader.done()) return Status::InvalidArgument("this is not a position in an answer");
  return position;
}

/// What the tapes' readers share.
struct MessageCursor::Shared {
  TapeBlock scratch;
  CodecBuffers buffers;
};

MessageCursor::MessageCursor(std::shared_ptr<const ReadPoint> point, MessageQuery query)
    : point_(std::move(point)), query_(std::move(query)), shared_(std::make_unique<Shared>()) {}

MessageCursor::~MessageCursor() = default;

Result<std::unique_ptr<MessageCursor>> MessageCursor::Open(std::shared_ptr<const ReadPoint> point,
                                                           MessageQuery query) {
  std::unique_ptr<MessageCursor> cursor(new MessageCursor(std::move(point), std::move(query)));
  TD_RETURN_IF_ERROR(cursor->Prepare());
  return cursor;
}

Status MessageCursor::Prepare() {
  std::vector<const std::pair<TpId, TapeId>*> chosen;
  std::vector<bool> known(query_.topics.size(), false);
  bool partition_known = false;
  for (const auto& entry : point_->state().tapes) {
    const TapeId& tape = entry.second;
    auto named = std::find(query_.topics.begin(), query_.topics.end(), tape.topic);
    if (named == query_.topics.end() && !query_.topics.empty()) continue;
    if (named != query_.topics.end())
      known[static_cast<size_t>(named - query_.topics.begin())] = true;
    if (query_.partition && tape.partition != *query_.partition) continue;
    partition_known = true;
    if (query_.lineage && tape.lineage != *query_.lineage) continue;
    if (query_.cluster && tape.cluster != *query_.cluster) continue;
    chosen.push_back(&entry);
  }
  for (size_t i = 0; i < known.size(); ++i) {
    if (known[i]) continue;
    return Status::InvalidArgument("no topic " + Quoted(query_.topics[i]) + " was recorded here");
  }
  if (query_.partition && !partition_known) {
    return Status::InvalidArgument("no partition " + std::to_string(*query_.partition) +
                                   " of these topics was recorded here");
  }
  if (query_.limit == 0) return Status::Ok();
  const size_t each =
      std::max(kTapeBytesMin, query_.memory_bytes / std::max<size_t>(1, chosen.size()));
  for (const auto* entry : chosen) TD_RETURN_IF_ERROR(AddTape(entry->first, entry->second, each));
  return Status::Ok();
}

// Behind a position, the position's own tape goes on with the next offset; a tape that sorts before
// it has given all messages up to and with the position's time; one that sorts after it, all before
// that time.
Status MessageCursor::AddTape(TpId tp, const TapeId& tape, size_t memory_bytes) {
  TapeReader::Range range{.from_offset = query_.from_offset,
                          .to_offset = query_.to_offset,
                          .start = query_.start,
                          .end = query_.end,
                          .stop = query_.stop.get()};
  if (query_.after) {
    const MessagePosition& after = *query_.after;
    auto name = [](const auto& t) { return std::tie(t.topic, t.partition, t.lineage); };
    if (name(tape) == name(after)) {
      if (after.offset == INT64_MAX) return Status::Ok();
      range.from_offset = std::max(range.from_offset, after.offset + 1);
      range.greatest = after.time;
    } else if (name(tape) < name(after)) {
      if (after.time == Timestamp::Max()) return Status::Ok();
      range.begin_at = after.time.SaturatingAdd(1);
    } else {
      range.begin_at = after.time;
    }
  }
  auto reader = std::make_unique<TapeReader>(point_.get(), tp, &tape, range, memory_bytes,
                                             &shared_->scratch, &shared_->buffers);
  TD_RETURN_IF_ERROR(reader->Next());
  if (reader->Valid()) Push(std::move(reader));
  return Status::Ok();
}

bool MessageCursor::Later(const TapeReader& a, const TapeReader& b) const {
  const StoredMessage& x = a.message();
  const StoredMessage& y = b.message();
  if (x.greatest_time != y.greatest_time) return x.greatest_time > y.greatest_time;
  return point_->ranks()[x.tp] > point_->ranks()[y.tp];
}

void MessageCursor::Push(std::unique_ptr<TapeReader> reader) {
  heap_.push_back(std::move(reader));
  std::push_heap(heap_.begin(), heap_.end(),
                 [this](const auto& a, const auto& b) { return Later(*a, *b); });
}

Result<const StoredMessage*> MessageCursor::Next() {
  if (current_ != nullptr && given_ < query_.limit) {
    TD_RETURN_IF_ERROR(current_->Next());
    // One tape alone, or ahead of all others, needs no heap.
    if (current_->Valid()) {
      if (heap_.empty() || !Later(*current_, *heap_.front())) {
        ++given_;
        return &current_->message();
      }
      Push(std::move(current_));
    }
    current_ = nullptr;
  }
  if (heap_.empty() || given_ >= query_.limit) return static_cast<const StoredMessage*>(nullptr);
  std::pop_heap(heap_.begin(), heap_.end(),
                [this](const auto& a, const auto& b) { return Later(*a, *b); });
  current_ = std::move(heap_.back());
  heap_.pop_back();
  ++given_;
  return &current_->message();
}

MessagePosition MessageCursor::position() const {
  const StoredMessage& m = current_->message();
  return {m.greatest_time, m.tape->topic, m.tape->partition, m.tape->lineage, m.message.offset};
}

}  // namespace tapedeck
