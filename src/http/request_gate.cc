#include "http/request_gate.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "base/text.h"

namespace tapedeck {
namespace {

constexpr uint8_t kToken = 1;
constexpr uint8_t kTarget = 2;  // of a path or query, RFC 3986 and what browsers send unescaped
constexpr uint8_t kValue = 4;   // of a field's value
constexpr uint8_t kHost = 8;

constexpr std::array<uint8_t, 256> MakeClasses() {
  std::array<uint8_t, 256> classes{};
  auto mark = [&](std::string_view bytes, uint8_t kind) {
    for (char byte : bytes) classes[static_cast<uint8_t>(byte)] |= kind;
  };
  constexpr std::string_view kWord =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
  mark(kWord, kToken | kTarget | kHost);
  mark("!#$%&'*+-.^_`|~", kToken);
  mark("-._~:/?@!$&'()*+,;=%[]|{}^`\"", kTarget);
  mark("-._~%[]:", kHost);
  for (int byte = 0; byte < 256; ++byte) {
    bool is_control = (byte < 0x20 && byte != '\t') || byte == 0x7f;
    if (!is_control) classes[static_cast<size_t>(byte)] |= kValue;
  }
  return classes;
}
constexpr std::array<uint8_t, 256> kClasses = MakeClasses();

bool IsAll(std::string_view bytes, uint8_t kind) {
  for (char byte : bytes) {
    if ((kClasses[static_cast<uint8_t>(byte)] & kind) == 0) return false;
  }
  return true;
}

char Lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c; }

bool SameWord(std::string_view a, std::string_view b) {
  return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin(),
                                            [](char x, char y) { return Lower(x) == Lower(y); });
}

std::string_view Trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  c = Lower(c);
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

using Verdict = std::optional<Fault>;

Fault Bad(std::string detail) { return {400, std::move(detail)}; }

// The path decoded once must be text without NUL and without a step to another place.
Verdict CheckPath(std::string_view path) {
  if (path.find('%') == std::string_view::npos && path.find("/.") == std::string_view::npos) {
    return std::nullopt;
  }
  std::string plain;
  for (size_t i = 0; i < path.size(); ++i) {
    char byte = path[i];
    if (byte == '%') {
      int high = i + 2 < path.size() ? HexDigit(path[i + 1]) : -1;
      int low = i + 2 < path.size() ? HexDigit(path[i + 2]) : -1;
      if (high < 0 || low < 0) return Bad("the path has a '%' without two hexadecimal digits");
      byte = static_cast<char>(high * 16 + low);
      i += 2;
    }
    if (byte == '\0' || byte == '\\') return Bad("the path holds a byte that no path may hold");
    plain += byte;
  }
  if (!IsValidUtf8(plain)) return Bad("the path is not UTF-8 once decoded");
  for (size_t from = 0; from <= plain.size();) {
    size_t to = std::min(plain.find('/', from), plain.size());
    std::string_view part = std::string_view(plain).substr(from, to - from);
    if (part == "." || part == "..") return Bad("the path steps through '.' or '..'");
    from = to + 1;
  }
  return std::nullopt;
}

struct Fields {
  std::optional<std::string_view> host, length, encoding, authorization, expect, content_type;
  bool closes = false;
  bool keeps = false;
};

/// Reads one head from top to bottom.
class HeadReader {
 public:
  HeadReader(std::string_view head, const GateLimits& limits, HeadFacts* facts)
      : rest_(head), limits_(limits), facts_(facts) {}

  Verdict Read() {
    if (Verdict fault = RequestLine()) return fault;
    int count = 0;
    for (std::string_view line = Line(); !line.empty(); line = Line()) {
      if (++count > kFieldsMax) return Fault{431, "more than 100 header fields"};
      if (Verdict fault = FieldLine(line)) return fault;
    }
    if (!rest_.empty()) return Bad("bytes after the empty line");
    if (Verdict fault = Host()) return fault;
    if (Verdict fault = Frame()) return fault;
    if (Verdict fault = CheckPath(facts_->target.substr(0, facts_->target.find('?')))) return fault;
    return Rest();
  }

 private:
  static constexpr int kFieldsMax = 100;
  static constexpr size_t kMethodBytesMax = 32;

  // The next line without its end. HeadFinder has seen that every line feed follows a carriage
  // return.
  std::string_view Line() {
    size_t end = rest_.find("\r\n");
    std::string_view line = rest_.substr(0, end);
    rest_.remove_prefix(end == std::string_view::npos ? rest_.size() : end + 2);
    return line;
  }

  Verdict RequestLine() {
    std::string_view line = Line();
    size_t first = line.find(' ');
    size_t last = line.rfind(' ');
    if (line.size() > limits_.uri_bytes + kMethodBytesMax + 10) {
      return TooLong("the request line");
    }
    if (first == std::string_view::npos || first == last) {
      return Bad("the first line is not a method, a target and a version");
    }
    facts_->method = line.substr(0, first);
    std::string_view version = line.substr(last + 1);
    std::string_view target = line.substr(first + 1, last - first - 1);
    if (facts_->method.size() > kMethodBytesMax || !IsAll(facts_->method, kToken) || first == 0) {
      facts_->method = {};
      return Bad("the method is not a word");
    }
    if (!version.starts_with("HTTP/")) return Bad("the first line names no version of HTTP");
    if (version == "HTTP/1.0") {
      facts_->minor_version = 0;
      facts_->keep_alive = false;
    } else if (version != "HTTP/1.1") {
      return VersionFault(version);
    }
    if (target.size() > limits_.uri_bytes) return TooLong("the target");
    return Target(target);
  }

  Fault TooLong(std::string_view what) const {
    return {414, std::string(what) + " is too long: at most " + std::to_string(limits_.uri_bytes) +
                     " bytes for path and query"};
  }

  static Fault VersionFault(std::string_view version) {
    auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
    bool is_version =
        version.size() == 8 && is_digit(version[5]) && version[6] == '.' && is_digit(version[7]);
    if (is_version) return {505, "only HTTP/1.1 and HTTP/1.0 are spoken here"};
    return Bad("the version is not written as HTTP/1.1");
  }

  Verdict Target(std::string_view target) {
    if (facts_->method == "CONNECT") return Fault{501, "this is no proxy"};
    if (!IsAll(target, kTarget)) {
      return Bad("the target holds a byte that must be percent-encoded");
    }
    if (target == "*" && facts_->method == "OPTIONS") {
      facts_->target = target;
      return std::nullopt;
    }
    if (target.starts_with('/')) return Path(target);
    size_t scheme = target.find("://");
    bool is_http =
        scheme != std::string_view::npos &&
        (SameWord(target.substr(0, scheme), "http") || SameWord(target.substr(0, scheme), "https"));
    if (!is_http) return Bad("the target does not begin with '/'");
    std::string_view after = target.substr(scheme + 3);
    size_t slash = after.find_first_of("/?");
    if (slash == std::string_view::npos || after[slash] == '?') {
      return Bad("the target has no path");
    }
    authority_ = after.substr(0, slash);
    return Path(after.substr(slash));
  }

  Verdict Path(std::string_view target) {
    if (target.starts_with("//")) return Bad("the path begins with two slashes");
    facts_->target = target;
    return std::nullopt;
  }

  Verdict FieldLine(std::string_view line) {
    if (line[0] == ' ' || line[0] == '\t') return Bad("a header field goes on in a second line");
    size_t colon = line.find(':');
    if (colon == std::string_view::npos) return Bad("a header line without a colon");
    std::string_view name = line.substr(0, colon);
    if (name.empty() || !IsAll(name, kToken)) return Bad("the name of a header field is no word");
    std::string_view value = Trimmed(line.substr(colon + 1));
    if (!IsAll(value, kValue)) return Bad("the value of a header field holds a control character");
    return Field(name, value);
  }

  Verdict Field(std::string_view name, std::string_view value) {
    switch (name.size()) {
      case 4:
        return SameWord(name, "Host") ? Once("Host", value, &fields_.host) : std::nullopt;
      case 6:
        return SameWord(name, "Expect") ? Once("Expect", value, &fields_.expect) : std::nullopt;
      case 10:
        return SameWord(name, "Connection") ? Connection(value) : std::nullopt;
      case 12:
        if (!SameWord(name, "Content-Type")) return std::nullopt;
        return Once("Content-Type", value, &fields_.content_type);
      case 13:
        if (!SameWord(name, "Authorization")) return std::nullopt;
        return Once("Authorization", value, &fields_.authorization);
      case 14:
        if (SameWord(name, "Content_Length")) return Bad("Content_Length is not Content-Length");
        if (!SameWord(name, "Content-Length")) return std::nullopt;
        return Once("Content-Length", value, &fields_.length);
      case 17:
        if (SameWord(name, "Transfer_Encoding")) return Bad("Transfer_Encoding: use a hyphen");
        if (!SameWord(name, "Transfer-Encoding")) return std::nullopt;
        return Once("Transfer-Encoding", value, &fields_.encoding);
      default:
        return std::nullopt;
    }
  }

  static Verdict Once(const char* name, std::string_view value,
                      std::optional<std::string_view>* field) {
    if (field->has_value()) return Bad(std::string("more than one ") + name);
    *field = value;
    return std::nullopt;
  }

  // A list of words; naming a field that the message's frame or addressee depends on would have a
  // proxy before us remove it.
  Verdict Connection(std::string_view value) {
    for (size_t from = 0; from <= value.size();) {
      size_t to = std::min(value.find(',', from), value.size());
      std::string_view word = Trimmed(value.substr(from, to - from));
      if (!IsAll(word, kToken)) return Bad("Connection is not a list of words");
      if (SameWord(word, "close")) fields_.closes = true;
      if (SameWord(word, "keep-alive")) fields_.keeps = true;
      for (std::string_view name :
           {"Host", "Content-Length", "Transfer-Encoding", "Authorization", "Connection"}) {
        if (SameWord(word, name)) return Bad("Connection names a field that must not be removed");
      }
      from = to + 1;
    }
    return std::nullopt;
  }

  Verdict Host() {
    if (!fields_.host) {
      if (facts_->minor_version > 0) return Bad("no Host");
    } else if (fields_.host->empty() || !IsAll(*fields_.host, kHost)) {
      return Bad("Host is not a name with an optional port");
    }
    if (authority_ && !(fields_.host && SameWord(*authority_, *fields_.host))) {
      return Bad("the target is for another host than Host");
    }
    return std::nullopt;
  }

  Verdict Frame() {
    if (fields_.encoding) {
      if (fields_.length) return Bad("both Content-Length and Transfer-Encoding");
      if (facts_->minor_version == 0) return Bad("HTTP/1.0 has no Transfer-Encoding");
      if (!SameWord(*fields_.encoding, "chunked")) {
        return Fault{501, "the only Transfer-Encoding understood here is chunked"};
      }
      facts_->chunked = true;
    }
    if (fields_.length) {
      std::string_view digits = *fields_.length;
      bool is_number = !digits.empty() && (digits.size() == 1 || digits[0] != '0');
      for (char c : digits) is_number = is_number && c >= '0' && c <= '9';
      if (!is_number) return Bad("Content-Length is not a number");
      for (char c : digits) {
        facts_->content_length = facts_->content_length * 10 + static_cast<uint64_t>(c - '0');
        if (facts_->content_length > limits_.body_bytes) {
          return Fault{413,
                       "the body is larger than " + std::to_string(limits_.body_bytes) + " bytes"};
        }
      }
    }
    bool has_body = facts_->chunked || facts_->content_length > 0;
    bool takes_none =
        facts_->method == "GET" || facts_->method == "HEAD" || facts_->method == "TRACE";
    if (has_body && takes_none) {
      return Bad("a " + std::string(facts_->method) + " request has no body");
    }
    return std::nullopt;
  }

  Verdict Rest() {
    if (fields_.expect && facts_->minor_version > 0) {
      if (!SameWord(*fields_.expect, "100-continue")) {
        return Fault{417, "the only expectation understood here is 100-continue"};
      }
      facts_->expects_continue = true;
    }
    if (fields_.keeps && facts_->minor_version == 0) facts_->keep_alive = true;
    if (fields_.closes) facts_->keep_alive = false;
    return std::nullopt;
  }

  std::string_view rest_;
  const GateLimits& limits_;
  HeadFacts* facts_;
  Fields fields_;
  std::optional<std::string_view> authority_;
};

}  // namespace

bool IsTokenByte(unsigned char byte) { return (kClasses[byte] & kToken) != 0; }

HeadFinder::State HeadFinder::Look(std::string_view bytes) {
  if (!bytes.empty() && !IsTokenByte(static_cast<uint8_t>(bytes[0]))) return State::kBroken;
  while (looked_ < bytes.size()) {
    const void* found = std::memchr(bytes.data() + looked_, '\n', bytes.size() - looked_);
    if (found == nullptr) {
      looked_ = bytes.size();
      break;
    }
    auto feed = static_cast<size_t>(static_cast<const char*>(found) - bytes.data());
    if (feed == 0 || bytes[feed - 1] != '\r') return State::kBroken;
    bool is_empty = feed == line_ + 1;
    looked_ = line_ = feed + 1;
    if (is_empty) {
      size_ = feed + 1;
      return State::kFound;
    }
  }
  return State::kPartial;
}

HeadVerdict CheckHead(std::string_view head, const GateLimits& limits) {
  HeadVerdict verdict;
  verdict.fault = HeadReader(head, limits, &verdict.facts).Read();
  return verdict;
}

ChunkGate::State ChunkGate::Look(std::string_view bytes, size_t body_bytes_max) {
  constexpr size_t kDigitsMax = 8;
  while (true) {
    if (is_last_) {
      std::string_view end = bytes.substr(position_, 2);
      if (!std::string_view("\r\n").starts_with(end)) return State::kBroken;
      if (end.size() < 2) return State::kPartial;
      position_ += 2;
      return State::kEnd;
    }
    size_t digits = 0;
    uint64_t size = 0;
    std::string_view rest = bytes.substr(std::min(position_, bytes.size()));
    while (digits < rest.size() && HexDigit(rest[digits]) >= 0) {
      if (++digits > kDigitsMax) return State::kBroken;
      size = size * 16 + static_cast<uint64_t>(HexDigit(rest[digits - 1]));
    }
    std::string_view end = rest.substr(digits, 2);
    if (!std::string_view("\r\n").starts_with(end) || (digits == 0 && !rest.empty())) {
      return State::kBroken;
    }
    if (end.size() < 2) return State::kPartial;
    if (size > body_bytes_max - content_bytes_) return State::kTooLarge;
    if (size == 0) {
      is_last_ = true;
      position_ += digits + 2;
      continue;
    }
    std::string_view tail = rest.substr(std::min<size_t>(rest.size(), digits + 2 + size), 2);
    if (!std::string_view("\r\n").starts_with(tail)) return State::kBroken;
    if (tail.size() < 2) return State::kPartial;
    content_bytes_ += size;
    position_ += digits + 2 + size + 2;
    // A frame of many times its content is an attack on memory, not a body.
    if (position_ > 2 * content_bytes_ + (size_t{64} << 10)) return State::kTooLarge;
  }
}

}  // namespace tapedeck
