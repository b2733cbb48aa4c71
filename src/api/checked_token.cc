#include "api/checked_token.h"

#include <algorithm>
#include <cstdint>

#include "base/bytes.h"
#include "base/encoding.h"
#include "base/hash.h"

namespace tapedeck {
namespace {

constexpr size_t kCheckBytes = 4;

uint32_t CheckOf(std::string_view bytes) { return static_cast<uint32_t>(HashBytes64(bytes)); }

}  // namespace

std::string EncodeCheckedToken(std::string bytes) {
  PutLittle32(&bytes, CheckOf(bytes));
  std::string text = ToBase64(bytes);
  text.erase(std::find(text.begin(), text.end(), '='), text.end());
  for (char& c : text) c = c == '+' ? '-' : c == '/' ? '_' : c;
  return text;
}

std::optional<std::string> DecodeCheckedToken(std::string_view url) {
  std::string text(url);
  for (char& c : text) c = c == '-' ? '+' : c == '_' ? '/' : c == '+' || c == '/' ? '!' : c;
  text.append((4 - text.size() % 4) % 4, '=');
  auto bytes = FromBase64(text);
  if (!bytes.ok() || bytes->size() < kCheckBytes) return std::nullopt;
  const std::string_view content = std::string_view(*bytes).substr(0, bytes->size() - kCheckBytes);
  if (ByteReader(std::string_view(*bytes).substr(content.size())).Little32() != CheckOf(content)) {
    return std::nullopt;
  }
  return std::string(content);
}

}  // namespace tapedeck
