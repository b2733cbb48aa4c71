#include "base/text.h"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <vector>

namespace tapedeck {
namespace {

constexpr size_t kNameBytesMax = 64;
constexpr std::string_view kReplacement = "\xEF\xBF\xBD";  // U+FFFD
constexpr uint64_t kHighBits = 0x8080808080808080u;

bool IsContinuation(unsigned char c) { return (c & 0xC0) == 0x80; }

uint64_t Load64(const void* p) {
  uint64_t word = 0;
  std::memcpy(&word, p, sizeof word);
  return word;
}

/// What stands at the start of a text: one character, or bytes that are none.
struct Step {
  uint32_t size = 0;  // bytes; of an ill-formed sequence its longest valid start, at least 1
                      // (Unicode 3.9, U+FFFD)
  bool valid = false;
};

/// `p` < `end`, and *p is not ASCII. Table 3-7 of the Unicode standard: only the second byte's
/// range varies.
Step StepMultibyte(const unsigned char* p, const unsigned char* end) {
  unsigned char lead = p[0];
  uint32_t size = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
  if (lead < 0xC2 || lead > 0xF4) return {1, false};
  unsigned char low = 0x80;
  unsigned char high = 0xBF;
  if (lead == 0xE0) low = 0xA0;   // shorter forms exist
  if (lead == 0xED) high = 0x9F;  // surrogates
  if (lead == 0xF0) low = 0x90;   // shorter forms exist
  if (lead == 0xF4) high = 0x8F;  // above U+10FFFF
  for (uint32_t i = 1; i < size; ++i) {
    if (p + i == end || p[i] < low || p[i] > high) return {i, false};
    low = 0x80;
    high = 0xBF;
  }
  return {size, true};
}

/// Whether eight bytes hold one that AppendJsonEscaped must look at: below 0x20, '"', '\\', DEL or
/// above ASCII.
bool NeedsLook(uint64_t word) {
  constexpr uint64_t kOnes = 0x0101010101010101u;
  auto has_zero = [](uint64_t v) { return (v - kOnes) & ~v & kHighBits; };
  uint64_t control = (word - kOnes * 0x20) & ~word & kHighBits;
  return (control | (word & kHighBits) | has_zero(word ^ kOnes * '"') |
          has_zero(word ^ kOnes * '\\') | has_zero(word ^ kOnes * 0x7F)) != 0;
}

bool IsPlain(unsigned char c) { return c >= 0x20 && c < 0x7F && c != '"' && c != '\\'; }

/// Bytes at the start of `bytes` that are written as they are.
size_t PlainPrefix(std::string_view bytes) {
  size_t i = 0;
  while (i + 8 <= bytes.size() && !NeedsLook(Load64(bytes.data() + i))) i += 8;
  while (i < bytes.size() && IsPlain(static_cast<unsigned char>(bytes[i]))) ++i;
  return i;
}

void AppendUnicodeEscape(uint32_t code, std::string* out) {
  constexpr char kHex[] = "0123456789abcdef";
  char text[6] = {
      '\\',           'u', kHex[code >> 12 & 15], kHex[code >> 8 & 15], kHex[code >> 4 & 15],
      kHex[code & 15]};
  out->append(text, sizeof text);
}

void AppendAsciiEscape(unsigned char c, std::string* out) {
  switch (c) {
    case '"':
      out->append("\\\"");
      return;
    case '\\':
      out->append("\\\\");
      return;
    case '\b':
      out->append("\\b");
      return;
    case '\f':
      out->append("\\f");
      return;
    case '\n':
      out->append("\\n");
      return;
    case '\r':
      out->append("\\r");
      return;
    case '\t':
      out->append("\\t");
      return;
    default:
      AppendUnicodeEscape(c, out);
  }
}

/// Appends the one character, or ill-formed sequence, at the start of `bytes` and returns its size.
size_t AppendSpecial(std::string_view bytes, std::string* out) {
  auto p = reinterpret_cast<const unsigned char*>(bytes.data());
  if (p[0] < 0x80) {
    AppendAsciiEscape(p[0], out);
    return 1;
  }
  Step step = StepMultibyte(p, p + bytes.size());
  if (!step.valid) {
    out->append(kReplacement);
  } else if (p[0] == 0xC2 && p[1] < 0xA0) {
    AppendUnicodeEscape(p[1], out);
  } else if (p[0] == 0xE2 && p[1] == 0x80 && (p[2] == 0xA8 || p[2] == 0xA9)) {
    AppendUnicodeEscape(p[2] == 0xA8 ? 0x2028 : 0x2029, out);
  } else {
    out->append(bytes.substr(0, step.size));
  }
  return step.size;
}

}  // namespace

bool IsValidUtf8(std::string_view bytes) {
  auto p = reinterpret_cast<const unsigned char*>(bytes.data());
  const unsigned char* const end = p + bytes.size();
  while (p != end) {
    while (end - p >= 16 && ((Load64(p) | Load64(p + 8)) & kHighBits) == 0) p += 16;
    while (p != end && *p < 0x80) ++p;
    // Stays here while characters are not ASCII: text of one script comes in runs. The two usual
    // sizes come first.
    while (p != end && *p >= 0x80) {
      if (*p >= 0xC2 && *p < 0xE0 && end - p >= 2 && IsContinuation(p[1])) {
        p += 2;
      } else if (*p > 0xE0 && *p < 0xED && end - p >= 3 && IsContinuation(p[1]) &&
                 IsContinuation(p[2])) {
        p += 3;
      } else {
        Step step = StepMultibyte(p, end);
        if (!step.valid) return false;
        p += step.size;
      }
    }
  }
  return true;
}

std::string ToValidUtf8(std::string_view bytes) {
  if (IsValidUtf8(bytes)) return std::string(bytes);
  std::string text;
  auto p = reinterpret_cast<const unsigned char*>(bytes.data());
  auto end = p + bytes.size();
  while (p != end) {
    Step step = *p < 0x80 ? Step{1, true} : StepMultibyte(p, end);
    text.append(step.valid ? std::string_view(reinterpret_cast<const char*>(p), step.size)
                           : kReplacement);
    p += step.size;
  }
  return text;
}

void AppendJsonEscaped(std::string_view bytes, std::string* out) {
  while (!bytes.empty()) {
    size_t plain = PlainPrefix(bytes);
    out->append(bytes.substr(0, plain));
    bytes.remove_prefix(plain);
    if (!bytes.empty()) bytes.remove_prefix(AppendSpecial(bytes, out));
  }
}

void AppendJsonString(std::string_view bytes, std::string* out) {
  out->push_back('"');
  AppendJsonEscaped(bytes, out);
  out->push_back('"');
}

std::string Quoted(std::string_view bytes, size_t bytes_max) {
  std::string text;
  bool cut = bytes.size() > bytes_max;
  if (cut) {
    // Not in the middle of a character, where there are characters.
    size_t size = bytes_max;
    while (size > 0 && bytes_max - size < 3 && (bytes[size] & 0xC0) == 0x80) --size;
    bytes = bytes.substr(0, size);
  }
  AppendJsonString(bytes, &text);
  if (cut) text += "...";
  return text;
}

size_t EditDistance(std::string_view a, std::string_view b) {
  std::vector<size_t> before(b.size() + 1), last(b.size() + 1), row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    before.swap(last);
    last.swap(row);
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      size_t replaced = last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, replaced});
      bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
      if (swapped) row[j] = std::min(row[j], before[j - 2] + 1);
    }
  }
  return row[b.size()];
}

std::string_view NearestName(std::string_view name, std::span<const std::string_view> names) {
  if (name.empty() || name.size() > kNameBytesMax) return {};
  size_t limit = std::max<size_t>(1, name.size() / 3);
  size_t best = limit + 1;
  std::string_view nearest;
  for (std::string_view candidate : names) {
    if (candidate.size() > name.size() + limit) continue;
    size_t distance = EditDistance(name, candidate);
    if (distance < best) {
      best = distance;
      nearest = candidate;
    }
  }
  return nearest;
}

}  // namespace tapedeck
