#include "api/page_token.h"

#include <algorithm>

#include "base/bytes.h"
#include "base/encoding.h"
#include "base/hash.h"

namespace tapedeck {
namespace {

constexpr uint8_t kVersion = 1;
constexpr size_t kCheckBytes = 4;

uint32_t CheckOf(std::string_view bytes) { return static_cast<uint32_t>(HashBytes64(bytes)); }

// base64 <-> base64url without padding (RFC 4648, section 5).
std::string ToUrl(std::string text) {
  text.erase(std::find(text.begin(), text.end(), '='), text.end());
  for (char& c : text) c = c == '+' ? '-' : c == '/' ? '_' : c;
  return text;
}
std::string FromUrl(std::string_view url) {
  std::string text(url);
  for (char& c : text) c = c == '-' ? '+' : c == '_' ? '/' : c == '+' || c == '/' ? '!' : c;
  text.append((4 - text.size() % 4) % 4, '=');
  return text;
}

}  // namespace

std::string EncodePageToken(const PageToken& token) {
  std::string bytes(1, static_cast<char>(kVersion));
  PutLittle64(&bytes, token.query);
  PutVarint(&bytes, ZigZag(token.start.ns()));
  PutVarint(&bytes, ZigZag(token.end.ns()));
  bytes += token.position;
  PutLittle32(&bytes, CheckOf(bytes));
  return ToUrl(ToBase64(bytes));
}

Result<PageToken> DecodePageToken(std::string_view text) {
  const Status bad = Status::InvalidArgument(
      "it is no page token of this node: pass on the one "
      "that the page before gave, unchanged");
  Result<std::string> bytes = FromBase64(FromUrl(text));
  if (!bytes.ok() || bytes->size() < kCheckBytes) return bad;
  const std::string_view content = std::string_view(*bytes).substr(0, bytes->size() - kCheckBytes);
  if (ByteReader(std::string_view(*bytes).substr(content.size())).Little32() != CheckOf(content)) {
    return bad;
  }
  ByteReader reader(content);
  if (reader.Byte() != kVersion) return bad;
  PageToken token;
  token.query = reader.Little64();
  token.start = Timestamp(UnZigZag(reader.Varint()));
  token.end = Timestamp(UnZigZag(reader.Varint()));
  if (!reader.ok()) return bad;
  token.position = reader.rest();
  return token;
}

}  // namespace tapedeck
