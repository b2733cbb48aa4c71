#include "codec/token_finder.h"

#include <array>
#include <cstring>

#include "base/hash.h"
#include "codec/open_shapes.h"

namespace tapedeck {
namespace {

constexpr auto kInWord = [] {
  std::array<bool, 256> table{};
  for (int c = 0; c < 256; ++c) {
    const bool digit = c >= '0' && c <= '9', letter = (c | 0x20) >= 'a' && (c | 0x20) <= 'z';
    table[static_cast<size_t>(c)] = digit || letter || c == '-' || c == '+' || c == '.';
  }
  return table;
}();

bool InWord(char c) { return kInWord[static_cast<uint8_t>(c)]; }

// The quote that ends the string whose first byte `at` is, or null. A quote after an odd number of
// backslashes is part of it.
const char* StringEnd(const char* at, const char* end) {
  for (const char* from = at;;) {
    const auto* quote =
        static_cast<const char*>(std::memchr(from, '"', static_cast<size_t>(end - from)));
    if (quote == nullptr) return nullptr;
    const char* slash = quote;
    while (slash > at && slash[-1] == '\\') --slash;
    if ((quote - slash) % 2 == 0) return quote;
    from = quote + 1;
  }
}

bool IsName(const char* after, const char* end) {
  while (after < end && (*after == ' ' || *after == '\t' || *after == '\n' || *after == '\r'))
    ++after;
  return after < end && *after == ':';
}

}  // namespace

const MessageShape* TokenFinder::Find(std::string_view value) {
  slots_.clear();
  if (value.size() > kTapeShapedBytesMax) return nullptr;
  const char *start = value.data(), *end = start + value.size(), *fixed = start;
  uint64_t id = 0;
  auto slot = [&](const char* from, const char* to) {
    id = HashBytes64({fixed, static_cast<size_t>(from - fixed)}, id);
    slots_.push_back({static_cast<uint32_t>(from - start), static_cast<uint32_t>(to - from)});
    fixed = to;
    return slots_.size() <= kTapeSlotsMax;
  };
  for (const char* at = start; at < end;) {
    if (*at == '"') {
      const char* close = StringEnd(at + 1, end);
      if (close == nullptr) return nullptr;
      if (!IsName(close + 1, end) && !slot(at + 1, close)) return nullptr;
      at = close + 1;
    } else if (InWord(*at)) {
      const char* word = at;
      while (at < end && InWord(*at)) ++at;
      if (!slot(word, at)) return nullptr;
    } else {
      ++at;
    }
  }
  id = HashBytes64({fixed, static_cast<size_t>(end - fixed)}, id);
  shape_ = {id, slots_};
  return &shape_;
}

}  // namespace tapedeck
