#include "api/stream_place.h"

#include "api/checked_token.h"
#include "base/bytes.h"

namespace tapedeck {
namespace {

constexpr uint8_t kVersion = 1;
// A token comes from a client: what it may claim to hold. URIs are shorter than this anyway.
constexpr uint64_t kTapesMax = 4096;

bool ReadTapes(ByteReader* reader, std::vector<TapeRange>* ranges) {
  for (uint64_t topics = reader->Varint(); topics > 0 && reader->ok(); --topics) {
    TapeRange range;
    range.tape.topic = reader->Blob();
    for (uint64_t tapes = reader->Varint(); tapes > 0 && reader->ok(); --tapes) {
      range.tape.partition = static_cast<int32_t>(UnZigZag(reader->Varint()));
      range.tape.lineage = static_cast<uint32_t>(reader->Varint());
      range.from = UnZigZag(reader->Varint());
      const uint64_t size = reader->Varint();
      if (size > uint64_t{INT64_MAX} || ranges->size() >= kTapesMax ||
          __builtin_add_overflow(range.from, static_cast<int64_t>(size), &range.to)) {
        return false;
      }
      ranges->push_back(range);
    }
  }
  return reader->ok();
}

}  // namespace

std::string EncodeStreamPlace(const StreamPlace& place) {
  std::string bytes(1, static_cast<char>(kVersion));
  PutLittle64(&bytes, place.query);
  bytes.push_back(place.live ? 1 : 0);
  PutVarint(&bytes, ZigZag(place.start.ns()));
  PutVarint(&bytes, ZigZag(place.end.ns()));
  PutVarint(&bytes, place.sent);
  const std::vector<TapeRange>& ranges = place.ranges;
  uint64_t topics = 0;
  for (size_t i = 0; i < ranges.size(); ++i) {
    topics += i == 0 || ranges[i].tape.topic != ranges[i - 1].tape.topic;
  }
  PutVarint(&bytes, topics);
  for (size_t i = 0; i < ranges.size();) {
    size_t end = i;
    while (end < ranges.size() && ranges[end].tape.topic == ranges[i].tape.topic) ++end;
    PutBlob(&bytes, ranges[i].tape.topic);
    PutVarint(&bytes, end - i);
    for (; i < end; ++i) {
      PutVarint(&bytes, ZigZag(ranges[i].tape.partition));
      PutVarint(&bytes, ranges[i].tape.lineage);
      PutVarint(&bytes, ZigZag(ranges[i].from));
      PutVarint(&bytes, static_cast<uint64_t>(ranges[i].to - ranges[i].from));
    }
  }
  if (place.after) bytes += place.after->Encode();
  return EncodeCheckedToken(std::move(bytes));
}

Result<StreamPlace> DecodeStreamPlace(std::string_view text) {
  const Status bad = Status::InvalidArgument(
      "it is no cursor of this node: pass on the one of the last line that arrived whole, "
      "unchanged");
  const std::optional<std::string> content = DecodeCheckedToken(text);
  if (!content) return bad;
  ByteReader reader(*content);
  if (reader.Byte() != kVersion) return bad;
  StreamPlace place;
  place.query = reader.Little64();
  const uint8_t live = reader.Byte();
  place.live = live == 1;
  place.start = Timestamp(UnZigZag(reader.Varint()));
  place.end = Timestamp(UnZigZag(reader.Varint()));
  place.sent = reader.Varint();
  if (live > 1 || !ReadTapes(&reader, &place.ranges)) return bad;
  if (!reader.rest().empty()) {
    Result<MessagePosition> after = MessagePosition::Decode(reader.rest());
    if (!after.ok() || place.live) return bad;
    place.after = std::move(after).value();
  }
  return place;
}

}  // namespace tapedeck
