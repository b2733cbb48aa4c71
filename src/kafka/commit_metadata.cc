#include "kafka/commit_metadata.h"

#include <charconv>

#include "base/encoding.h"

namespace tapedeck {
namespace {

constexpr std::string_view kVersion = "tapedeck/1";

// What EncodeCommitMetadata writes, and nothing else: a space or a bare sign is another's text.
std::optional<std::string> Unescaped(std::string_view text) {
  Result<std::string> bytes = PercentDecode(text);
  if (!bytes.ok() || PercentEncode(*bytes) != text) return std::nullopt;
  return *std::move(bytes);
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
  text += PercentEncode(metadata.node);
  text.push_back(' ');
  text += PercentEncode(metadata.store);
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
