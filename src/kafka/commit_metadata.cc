#include "kafka/commit_metadata.h"

#include <charconv>

namespace tapedeck {
namespace {

constexpr std::string_view kVersion = "tapedeck/1";

bool IsPlain(char c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' ||
         c == '.' || c == '_' || c == '~';
}

void AppendEscaped(std::string_view bytes, std::string* out) {
  constexpr std::string_view kHex = "0123456789ABCDEF";
  for (char c : bytes) {
    if (IsPlain(c)) {
      out->push_back(c);
      continue;
    }
    auto byte = static_cast<uint8_t>(c);
    out->push_back('%');
    out->push_back(kHex[byte >> 4]);
    out->push_back(kHex[byte & 15]);
  }
}

std::optional<std::string> Unescaped(std::string_view text) {
  std::string bytes;
  for (size_t i = 0; i < text.size(); ++i) {
    if (IsPlain(text[i])) {
      bytes.push_back(text[i]);
      continue;
    }
    uint8_t byte = 0;
    if (text[i] != '%' || i + 2 >= text.size()) return std::nullopt;
    const char* end = text.data() + i + 3;
    auto [stop, error] = std::from_chars(text.data() + i + 1, end, byte, 16);
    if (error != std::errc() || stop != end) return std::nullopt;
    bytes.push_back(static_cast<char>(byte));
    i += 2;
  }
  return bytes;
}

/// The words of a text with single spaces between them.
class Words {
 public:
  explicit Words(std::string_view text) : rest_(text) {}

  std::string_view Next() {
    size_t space = rest_.find(' ');
    std::string_view word = rest_.substr(0, space);
    rest_ = space == std::string_view::npos ? std::string_view() : rest_.substr(space + 1);
    return word;
  }

  template <typename Number>
  bool NextNumber(Number* value) {
    std::string_view word = Next();
    auto [stop, error] = std::from_chars(word.data(), word.data() + word.size(), *value);
    return error == std::errc() && stop == word.data() + word.size() && !word.empty();
  }

  bool done() const { return rest_.empty(); }

 private:
  std::string_view rest_;
};

}  // namespace

Result<std::string> EncodeCommitMetadata(const CommitMetadata& metadata) {
  std::string text(kVersion);
  text.push_back(' ');
  AppendEscaped(metadata.node, &text);
  text.push_back(' ');
  AppendEscaped(metadata.store, &text);
  text.append(" ").append(std::to_string(metadata.lineage));
  text.append(" ").append(std::to_string(metadata.run_start));
  text.append(" ").append(std::to_string(metadata.last.offset));
  text.append(" ").append(metadata.last.hash.ToString());
  if (text.size() > kCommitMetadataBytesMax) {
    return Status::InvalidArgument("the node's name is too long for the metadata of a commit");
  }
  return text;
}

std::optional<CommitMetadata> ParseCommitMetadata(std::string_view text) {
  if (text.size() > kCommitMetadataBytesMax) return std::nullopt;
  Words words(text);
  if (words.Next() != kVersion) return std::nullopt;
  std::optional<std::string> node = Unescaped(words.Next());
  std::optional<std::string> store = Unescaped(words.Next());
  CommitMetadata metadata;
  if (!node || !store || !words.NextNumber(&metadata.lineage) ||
      !words.NextNumber(&metadata.run_start) || !words.NextNumber(&metadata.last.offset)) {
    return std::nullopt;
  }
  Result<Hash128> hash = Hash128::Parse(words.Next());
  if (!hash.ok() || !words.done() || metadata.run_start < 0 || metadata.last.offset < -1) {
    return std::nullopt;
  }
  metadata.node = std::move(*node);
  metadata.store = std::move(*store);
  metadata.last.hash = *hash;
  return metadata;
}

}  // namespace tapedeck
