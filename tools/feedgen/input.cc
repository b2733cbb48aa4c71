#include "input.h"

#include <charconv>
#include <cstdio>
#include <fstream>

#include "base/zstd.h"

namespace tapedeck {
namespace {

constexpr size_t kFileBytesMax = size_t{2} << 30;

Result<std::string> ReadWhole(const std::string& path) {
  std::ifstream file(path, std::ios::binary | std::ios::ate);
  if (!file) return Status::NotFound("cannot open " + path);
  auto size = static_cast<size_t>(file.tellg());
  if (size > kFileBytesMax) return Status::InvalidArgument(path + " is larger than 2 GiB");
  std::string bytes(size, '\0');
  file.seekg(0);
  file.read(bytes.data(), static_cast<std::streamsize>(size));
  if (!file) return Status::Unavailable("cannot read " + path);
  if (!path.ends_with(".zst")) return bytes;
  std::string content;
  Decompressor decompressor;
  TD_RETURN_IF_ERROR(decompressor.DecompressFile(bytes, kFileBytesMax, &content).WithContext(path));
  return content;
}

class Lines {
 public:
  explicit Lines(std::string text) : text_(std::move(text)), rest_(text_) {}
  Lines(const Lines&) = delete;
  Lines& operator=(const Lines&) = delete;

  std::optional<std::string_view> Next() {
    if (rest_.empty()) return std::nullopt;
    size_t end = rest_.find('\n');
    std::string_view line = rest_.substr(0, end);
    rest_ = end == std::string_view::npos ? std::string_view() : rest_.substr(end + 1);
    return line;
  }

 private:
  const std::string text_;
  std::string_view rest_;
};

/// What stands between the quotes of the first "name":"…"; for keys of test data, so escapes are
/// left as they are.
std::optional<std::string_view> FieldOf(std::string_view json, std::string_view quoted_name) {
  for (size_t at = 0; (at = json.find(quoted_name, at)) != std::string_view::npos;) {
    at += quoted_name.size();
    size_t value = json.find_first_not_of(" \t:", at);
    if (value == std::string_view::npos || json[value] != '"' || value == at) continue;
    size_t end = json.find('"', value + 1);
    if (end == std::string_view::npos) return std::nullopt;
    return json.substr(value + 1, end - value - 1);
  }
  return std::nullopt;
}

class KeyFinder {
 public:
  explicit KeyFinder(const KeyRule& rule) : rule_(rule) {
    if (rule.field) quoted_name_ = "\"" + *rule.field + "\"";
  }
  std::optional<std::string_view> KeyOf(std::string_view value) const {
    if (rule_.field) {
      std::optional<std::string_view> found = FieldOf(value, quoted_name_);
      if (found) return found;
    }
    return rule_.constant;
  }

 private:
  KeyRule rule_;
  std::string quoted_name_;
};

class FileInput final : public Input {
 public:
  FileInput(std::string messages, std::optional<std::string> times, const KeyRule& key)
      : messages_(std::move(messages)), keys_(key) {
    if (times) times_ = std::make_unique<Lines>(std::move(*times));
  }

  std::optional<InputMessage> Next() override {
    std::optional<std::string_view> line = messages_.Next();
    if (!line) return std::nullopt;
    InputMessage message;
    message.value = *line;
    message.key = keys_.KeyOf(*line);
    if (times_ == nullptr) return message;
    std::string_view text = times_->Next().value_or("");
    int64_t ns = 0;
    if (std::from_chars(text.data(), text.data() + text.size(), ns).ec == std::errc()) {
      message.recorded_at = Timestamp(ns);
    }
    return message;
  }

 private:
  Lines messages_;
  std::unique_ptr<Lines> times_;
  KeyFinder keys_;
};

class FeedInput final : public Input {
 public:
  FeedInput(const FeedOptions& options, uint64_t count, const KeyRule& key)
      : feed_(options), left_(count), symbol_is_key_(key.field == "symbol"), keys_(key) {}

  std::optional<InputMessage> Next() override {
    if (left_ == 0) return std::nullopt;
    --left_;
    const FeedMessage& made = feed_.Next();
    InputMessage message;
    message.value = made.value;
    message.key = symbol_is_key_ ? made.symbol : keys_.KeyOf(made.value);
    message.recorded_at = made.sent_at;
    message.event_time = made.event_time;
    return message;
  }

  std::string SummaryMembers() const override {
    const Feed::Counts& counts = feed_.counts();
    return ",\"quotes\":" + std::to_string(counts.quotes) +
           ",\"trades\":" + std::to_string(counts.trades) +
           ",\"late\":" + std::to_string(counts.late) +
           ",\"malformed\":" + std::to_string(counts.malformed);
  }

 private:
  Feed feed_;
  uint64_t left_;
  bool symbol_is_key_;
  KeyFinder keys_;
};

}  // namespace

Result<std::unique_ptr<Input>> OpenFileInput(const std::string& path,
                                             const std::string& recv_ns_path, const KeyRule& key) {
  TD_ASSIGN_OR_RETURN(std::string messages, ReadWhole(path));
  std::optional<std::string> times;
  if (!recv_ns_path.empty()) {
    TD_ASSIGN_OR_RETURN(times, ReadWhole(recv_ns_path));
  }
  return std::unique_ptr<Input>(new FileInput(std::move(messages), std::move(times), key));
}

std::unique_ptr<Input> MakeFeedInput(const FeedOptions& options, uint64_t count,
                                     const KeyRule& key) {
  return std::make_unique<FeedInput>(options, count, key);
}

}  // namespace tapedeck
