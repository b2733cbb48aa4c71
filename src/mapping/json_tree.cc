#include "mapping/json_tree.h"

#include <simdjson.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "base/decimal.h"
#include "base/limits.h"

namespace tapedeck::json {
namespace {

constexpr size_t kCapacityMin = size_t{16} << 10;
constexpr size_t kCapacityKept = size_t{4} << 20;

bool Blank(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

/// Four hexadecimal digits at raw[at], or -1.
int32_t HexUnit(std::string_view raw, size_t at) {
  if (at + 4 > raw.size()) return -1;
  int32_t unit = 0;
  for (size_t i = at; i < at + 4; ++i) {
    int digit = HexDigit(raw[i]);
    if (digit < 0) return -1;
    unit = unit * 16 + digit;
  }
  return unit;
}

size_t PutUtf8(uint32_t code, char* out) {
  if (code < 0x80) {
    out[0] = static_cast<char>(code);
    return 1;
  }
  if (code < 0x800) {
    out[0] = static_cast<char>(0xc0 | (code >> 6));
    out[1] = static_cast<char>(0x80 | (code & 0x3f));
    return 2;
  }
  if (code < 0x10000) {
    out[0] = static_cast<char>(0xe0 | (code >> 12));
    out[1] = static_cast<char>(0x80 | ((code >> 6) & 0x3f));
    out[2] = static_cast<char>(0x80 | (code & 0x3f));
    return 3;
  }
  out[0] = static_cast<char>(0xf0 | (code >> 18));
  out[1] = static_cast<char>(0x80 | ((code >> 12) & 0x3f));
  out[2] = static_cast<char>(0x80 | ((code >> 6) & 0x3f));
  out[3] = static_cast<char>(0x80 | (code & 0x3f));
  return 4;
}

char SimpleEscape(char c) {
  switch (c) {
    case '"':
      return '"';
    case '\\':
      return '\\';
    case '/':
      return '/';
    case 'b':
      return '\b';
    case 'f':
      return '\f';
    case 'n':
      return '\n';
    case 'r':
      return '\r';
    case 't':
      return '\t';
    default:
      return 0;
  }
}

/// Whether a raw name, escapes and all, is `name`.
bool SameName(std::string_view raw, std::string_view name) {
  if (raw.size() == name.size())
    return std::memcmp(raw.data(), name.data(), raw.size()) == 0 &&
           raw.find('\\') == std::string_view::npos;
  if (raw.size() < name.size() || raw.find('\\') == std::string_view::npos) return false;
  std::string text(raw.size(), '\0');
  size_t size = 0;
  return Unescape(raw, text.data(), &size) && std::string_view(text.data(), size) == name;
}

}  // namespace

struct Tree::Stage1 {
  std::unique_ptr<simdjson::internal::dom_parser_implementation> parser;

  bool Reserve(size_t bytes) {
    size_t have = parser ? parser->capacity() : 0;
    bool shrink = have > kCapacityKept && bytes <= kCapacityKept / 4;
    if (have >= bytes && have != 0 && !shrink) return true;
    size_t capacity = kCapacityMin;
    while (capacity < bytes) capacity *= 2;
    parser.reset();
    return simdjson::get_active_implementation()->create_dom_parser_implementation(
               capacity, limits::kJsonDepthMax, parser) == simdjson::SUCCESS;
  }
};

Tree::Tree() : stage1_(std::make_unique<Stage1>()) {}
Tree::~Tree() = default;

Tree::Outcome Tree::Parse(std::string_view text) {
  text_ = text;
  if (nodes_.capacity() > kCapacityKept / sizeof(Node) && text.size() <= kCapacityKept / 64) {
    nodes_ = {};
  }
  nodes_.clear();
  if (text.empty()) return Outcome::kNotJson;
  if (text.size() > limits::kMessageBytesMax || !stage1_->Reserve(text.size())) {
    return Outcome::kTooLarge;
  }
  auto& parser = *stage1_->parser;
  auto error = parser.stage1(reinterpret_cast<const uint8_t*>(text.data()), text.size(),
                             simdjson::stage1_mode::regular);
  if (error != simdjson::SUCCESS || parser.n_structural_indexes == 0) return Outcome::kNotJson;
  Outcome outcome = Build(parser.structural_indexes.get(), parser.n_structural_indexes);
  if (outcome != Outcome::kOk) nodes_.clear();
  return outcome;
}

/// The closing quote of the string that starts at `start` is the last byte before the next token
/// that is not a blank.
bool Tree::CloseString(uint32_t start, uint32_t limit, uint32_t* end) const {
  uint32_t last = limit - 1;
  while (last > start && Blank(text_[last])) --last;
  *end = last;
  return last > start && text_[last] == '"';
}

Tree::Outcome Tree::Build(const uint32_t* starts, uint32_t count) {
  enum class Want : uint8_t { kValue, kValueOrEnd, kKey, kKeyOrEnd, kCommaOrEnd, kNothing };
  std::array<uint32_t, limits::kJsonDepthMax> open;
  size_t depth = 0;
  Want want = Want::kValue;
  uint32_t key_begin = 0, key_end = 0;
  bool has_key = false;
  const auto size = static_cast<uint32_t>(text_.size());
  for (uint32_t i = 0; i < count; ++i) {
    const uint32_t at = starts[i];
    const uint32_t limit = i + 1 < count ? starts[i + 1] : size;
    const char c = text_[at];
    if (want == Want::kNothing) return Outcome::kNotJson;
    if (want == Want::kCommaOrEnd) {
      const bool object = nodes_[open[depth - 1]].type == Type::kObject;
      if (c == ',') {
        want = object ? Want::kKey : Want::kValue;
        continue;
      }
      if (c != (object ? '}' : ']')) return Outcome::kNotJson;
    }
    if ((c == '}' && (want == Want::kKeyOrEnd || want == Want::kCommaOrEnd)) ||
        (c == ']' && (want == Want::kValueOrEnd || want == Want::kCommaOrEnd))) {
      Node& container = nodes_[open[--depth]];
      container.end = at + 1;
      container.next = static_cast<uint32_t>(nodes_.size());
      want = depth == 0 ? Want::kNothing : Want::kCommaOrEnd;
      continue;
    }
    if (want == Want::kKey || want == Want::kKeyOrEnd) {
      if (c != '"' || !CloseString(at, limit, &key_end)) return Outcome::kNotJson;
      key_begin = at + 1;
      if (i + 1 >= count || text_[limit] != ':') return Outcome::kNotJson;
      has_key = true;
      want = Want::kValue;
      ++i;
      continue;
    }
    if (c == ',' || c == ':' || c == '}' || c == ']') return Outcome::kNotJson;
    if (nodes_.size() >= limits::kJsonNodesMax) return Outcome::kTooLarge;
    Node node{at, limit, 0, key_begin, key_end, Type::kScalar, has_key};
    const auto self = static_cast<uint32_t>(nodes_.size());
    node.next = self + 1;
    has_key = false;
    want = depth == 0 ? Want::kNothing : Want::kCommaOrEnd;
    if (c == '{' || c == '[') {
      if (depth == open.size()) return Outcome::kNotJson;
      node.type = c == '{' ? Type::kObject : Type::kArray;
      open[depth++] = self;
      want = c == '{' ? Want::kKeyOrEnd : Want::kValueOrEnd;
    } else if (c == '"') {
      node.type = Type::kString;
      node.begin = at + 1;
      if (!CloseString(at, limit, &node.end)) return Outcome::kNotJson;
    } else {
      while (node.end > at + 1 && Blank(text_[node.end - 1])) --node.end;
    }
    nodes_.push_back(node);
  }
  return depth == 0 && want == Want::kNothing ? Outcome::kOk : Outcome::kNotJson;
}

uint32_t Tree::Find(uint32_t object, std::string_view name) const {
  if (nodes_[object].type != Type::kObject) return kNone;
  const uint32_t end = nodes_[object].next;
  for (uint32_t at = object + 1; at < end; at = nodes_[at].next) {
    if (SameName(RawKey(at), name)) return at;
  }
  return kNone;
}

uint32_t Tree::At(uint32_t array, uint32_t position) const {
  if (nodes_[array].type != Type::kArray) return kNone;
  const uint32_t end = nodes_[array].next;
  for (uint32_t at = array + 1; at < end; at = nodes_[at].next) {
    if (position-- == 0) return at;
  }
  return kNone;
}

Scalar ClassifyScalar(std::string_view token, bool accept_nan) {
  if (token.empty()) return Scalar::kBad;
  switch (token[0]) {
    case 't':
      return token == "true" ? Scalar::kTrue : Scalar::kBad;
    case 'f':
      return token == "false" ? Scalar::kFalse : Scalar::kBad;
    case 'n':
      return token == "null" ? Scalar::kNull : Scalar::kBad;
    case 'N':
      return accept_nan && token == "NaN" ? Scalar::kNull : Scalar::kBad;
    case 'I':
      return accept_nan && token == "Infinity" ? Scalar::kNull : Scalar::kBad;
    default:
      break;
  }
  if (IsJsonNumber(token)) return Scalar::kNumber;
  return accept_nan && token == "-Infinity" ? Scalar::kNull : Scalar::kBad;
}

bool Unescape(std::string_view raw, char* out, size_t* size) {
  char* start = out;
  for (size_t i = 0; i < raw.size();) {
    const auto* found = static_cast<const char*>(std::memchr(raw.data() + i, '\\', raw.size() - i));
    const size_t plain = found ? static_cast<size_t>(found - raw.data()) - i : raw.size() - i;
    std::memmove(out, raw.data() + i, plain);
    out += plain;
    i += plain;
    if (i == raw.size()) break;
    if (i + 1 == raw.size()) return false;
    if (raw[i + 1] != 'u') {
      char c = SimpleEscape(raw[i + 1]);
      if (c == 0) return false;
      *out++ = c;
      i += 2;
      continue;
    }
    int32_t unit = HexUnit(raw, i + 2);
    i += 6;
    if (unit < 0 || (unit >= 0xdc00 && unit < 0xe000)) return false;
    auto code = static_cast<uint32_t>(unit);
    if (unit >= 0xd800 && unit < 0xdc00) {
      if (i + 6 > raw.size() || raw[i] != '\\' || raw[i + 1] != 'u') return false;
      int32_t low = HexUnit(raw, i + 2);
      if (low < 0xdc00 || low >= 0xe000) return false;
      code = 0x10000 + ((code - 0xd800) << 10) + static_cast<uint32_t>(low - 0xdc00);
      i += 6;
    }
    out += PutUtf8(code, out);
  }
  *size = static_cast<size_t>(out - start);
  return true;
}

bool AppendCompact(const Tree& tree, uint32_t at, bool accept_nan, std::string* out) {
  const Node& node = tree.node(at);
  std::string_view raw = tree.Raw(at);
  if (node.type == Type::kScalar) {
    Scalar scalar = ClassifyScalar(raw, accept_nan);
    if (scalar == Scalar::kBad) return false;
    out->append(scalar == Scalar::kNull ? "null" : raw);
    return true;
  }
  auto quoted = [out](std::string_view text) {
    std::string scratch(text.size(), '\0');
    size_t size = 0;
    if (text.find('\\') != std::string_view::npos && !Unescape(text, scratch.data(), &size))
      return false;
    out->append(1, '"').append(text).append(1, '"');
    return true;
  };
  if (node.type == Type::kString) return quoted(raw);
  out->push_back(node.type == Type::kObject ? '{' : '[');
  for (uint32_t child = tree.First(at); child != kNone; child = tree.Next(at, child)) {
    if (child != at + 1) out->push_back(',');
    if (node.type == Type::kObject) {
      if (!quoted(tree.RawKey(child))) return false;
      out->push_back(':');
    }
    if (!AppendCompact(tree, child, accept_nan, out)) return false;
  }
  out->push_back(node.type == Type::kObject ? '}' : ']');
  return true;
}

void AppendQuoted(std::string_view text, std::string* out) {
  static constexpr char kHex[] = "0123456789abcdef";
  out->push_back('"');
  for (char c : text) {
    auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out->push_back('\\');
      out->push_back(c);
    } else if (byte < 0x20) {
      out->append("\\u00");
      out->push_back(kHex[byte >> 4]);
      out->push_back(kHex[byte & 15]);
    } else {
      out->push_back(c);
    }
  }
  out->push_back('"');
}

bool IsUtf8(std::string_view bytes) { return simdjson::validate_utf8(bytes.data(), bytes.size()); }

}  // namespace tapedeck::json
