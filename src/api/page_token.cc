#include "api/page_token.h"

#include "api/checked_token.h"
#include "base/bytes.h"

namespace tapedeck {
namespace {

constexpr uint8_t kVersion = 1;
constexpr uint8_t kWithFlush = 2;

}  // namespace

std::string EncodePageToken(const PageToken& token) {
  const bool flush = token.flush != UINT64_MAX;
  std::string bytes(1, static_cast<char>(flush ? kWithFlush : kVersion));
  PutLittle64(&bytes, token.query);
  PutVarint(&bytes, ZigZag(token.start.ns()));
  PutVarint(&bytes, ZigZag(token.end.ns()));
  if (flush) PutVarint(&bytes, token.flush);
  bytes += token.position;
  return EncodeCheckedToken(std::move(bytes));
}

Result<PageToken> DecodePageToken(std::string_view text) {
  const Status bad = Status::InvalidArgument(
      "it is no page token of this node: pass on the one "
      "that the page before gave, unchanged");
  const std::optional<std::string> content = DecodeCheckedToken(text);
  if (!content) return bad;
  ByteReader reader(*content);
  const uint8_t version = reader.Byte();
  if (version != kVersion && version != kWithFlush) return bad;
  PageToken token;
  token.query = reader.Little64();
  token.start = Timestamp(UnZigZag(reader.Varint()));
  token.end = Timestamp(UnZigZag(reader.Varint()));
  if (version == kWithFlush) token.flush = reader.Varint();
  if (!reader.ok()) return bad;
  token.position = reader.rest();
  return token;
}

}  // namespace tapedeck
