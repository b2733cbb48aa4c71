#include "api/parameters.h"

#include <algorithm>
#include <charconv>

#include "base/encoding.h"
#include "base/limits.h"
#include "base/text.h"
#include "model/time_text.h"

namespace tapedeck {
namespace {

// Names in answers are cut: they come from anywhere.
constexpr size_t kNameShownMax = 64;

std::string Joined(std::span<const std::string_view> words) {
  std::string out;
  for (std::string_view word : words) out += (out.empty() ? "" : ", ") + std::string(word);
  return out;
}

// A name as an answer may repeat it.
std::string Shown(std::string_view name) {
  return ToValidUtf8(name.substr(0, kNameShownMax)) + (name.size() > kNameShownMax ? "..." : "");
}

// "2024-07-02T04:17:16 02:00", "now 15m", " 1h": the blank was a plus. After a date it stays: RFC
// 3339 allows it between date and time.
std::string WithPlus(std::string text) {
  constexpr size_t kDateSize = 10;
  for (size_t at = text.find(' '); at != std::string::npos; at = text.find(' ', at + 1)) {
    if (at != kDateSize) text[at] = '+';
  }
  return text;
}

}  // namespace

Result<std::string> DecodeText(std::string_view text, PlusSign plus) {
  std::string escaped(text);
  if (plus == PlusSign::kBlank) std::replace(escaped.begin(), escaped.end(), '+', ' ');
  Result<std::string> bytes = PercentDecode(escaped);
  if (!bytes.ok()) {
    return Status::InvalidArgument("a percent sign needs two hexadecimal digits behind it");
  }
  if (bytes->find('\0') != std::string::npos) return Status::InvalidArgument("it holds a NUL");
  if (!IsValidUtf8(*bytes)) return Status::InvalidArgument("it is not UTF-8");
  return bytes;
}

Parameters::Parameters(std::string_view query, std::span<const std::string_view> known) {
  if (query.empty()) return;
  const auto count = static_cast<size_t>(std::count(query.begin(), query.end(), '&')) + 1;
  if (count > kQueryArgumentsMax) {
    Bad("", std::to_string(count) + " arguments; at most " + std::to_string(kQueryArgumentsMax));
    return;
  }
  while (true) {
    const size_t end = query.find('&');
    Take(query.substr(0, end), known);
    if (end == std::string_view::npos) break;
    query.remove_prefix(end + 1);
  }
}

void Parameters::Take(std::string_view argument, std::span<const std::string_view> known) {
  const size_t equals = argument.find('=');
  Result<std::string> name = DecodeText(argument.substr(0, equals), PlusSign::kBlank);
  if (!name.ok()) {
    return Bad(Shown(argument.substr(0, equals)),
               "the name: " + std::string(name.status().message()));
  }
  if (name->empty()) return Bad("", "an argument without a name");
  if (std::find(known.begin(), known.end(), *name) == known.end()) {
    const std::string_view nearest = NearestName(*name, known);
    return Bad(Shown(*name),
               nearest.empty()
                   ? known.empty() ? std::string("this route takes no parameters")
                                   : "there is no such parameter here; there are: " + Joined(known)
                   : "there is no such parameter; did you mean '" + std::string(nearest) + "'?");
  }
  for (const auto& [given, unused] : pairs_) {
    if (given == *name) return Bad(*name, "it is given twice");
  }
  if (equals == std::string_view::npos || equals + 1 == argument.size()) {
    return Bad(*name, "it has no value");
  }
  Result<std::string> value = DecodeText(argument.substr(equals + 1), PlusSign::kBlank);
  if (!value.ok()) return Bad(*name, std::string(value.status().message()));
  pairs_.emplace_back(std::move(name).value(), std::move(value).value());
}

const std::string* Parameters::Find(std::string_view name) const {
  for (const auto& [given, value] : pairs_) {
    if (given == name) return &value;
  }
  return nullptr;
}

std::string Parameters::Text(std::string_view name, size_t bytes_max) {
  const std::string* value = Find(name);
  if (value == nullptr) return {};
  if (value->size() <= bytes_max) return *value;
  Bad(name, "it has more than " + std::to_string(bytes_max) + " bytes");
  return {};
}

std::vector<std::string> Parameters::List(std::string_view name) {
  std::vector<std::string> words;
  const std::string* value = Find(name);
  if (value == nullptr) return words;
  for (std::string_view rest = *value;;) {
    const size_t comma = rest.find(',');
    Result<std::string> word = DecodeText(rest.substr(0, comma), PlusSign::kPlus);
    if (!word.ok()) {
      Bad(name, std::string(word.status().message()) +
                    ": in a list a comma is written %252C, a percent sign %2525");
      return {};
    }
    if (word->empty() || word->size() > limits::kSymbolBytesMax) {
      Bad(name, word->empty()
                    ? "there is nothing between two commas"
                    : "a name of more than " + std::to_string(limits::kSymbolBytesMax) + " bytes");
      return {};
    }
    if (std::find(words.begin(), words.end(), *word) != words.end()) {
      Bad(name, Quoted(*word) + " is there twice");
      return {};
    }
    words.push_back(std::move(word).value());
    if (comma == std::string_view::npos) return words;
    rest.remove_prefix(comma + 1);
  }
}

std::optional<int64_t> Parameters::Number(std::string_view name, int64_t least, int64_t most) {
  const std::string* value = Find(name);
  if (value == nullptr) return std::nullopt;
  int64_t number = 0;
  const char* end = value->data() + value->size();
  auto [at, error] = std::from_chars(value->data(), end, number);
  if (error == std::errc() && at == end && number >= least && number <= most) return number;
  Bad(name, Quoted(*value) + " is no whole number from " + std::to_string(least) + " to " +
                std::to_string(most));
  return std::nullopt;
}

bool Parameters::Flag(std::string_view name) {
  static constexpr std::string_view kChoices[] = {"false", "true"};
  return Choose(name, kChoices).value_or(0) == 1;
}

std::optional<size_t> Parameters::Choose(std::string_view name,
                                         std::span<const std::string_view> choices) {
  const std::string* value = Find(name);
  if (value == nullptr) return std::nullopt;
  for (size_t i = 0; i < choices.size(); ++i) {
    if (choices[i] == *value) return i;
  }
  Bad(name, Quoted(*value) + " is none of " + Joined(choices));
  return std::nullopt;
}

std::optional<Timestamp> Parameters::Time(std::string_view name, Timestamp now,
                                          std::optional<Timestamp> start) {
  const std::string* value = Find(name);
  if (value == nullptr) return std::nullopt;
  const std::string text = WithPlus(*value);
  Result<Timestamp> time = ParseTimeText(text, now, start);
  if (time.ok()) return *time;
  if (IsAmbiguousTime(text)) {
    if (ambiguous_.empty()) {
      ambiguous_ = std::string(name) + "=" + text + " has no unit; write " + text + "ms";
    }
    Bad(name, "an integer below 10^18 needs a unit: s, ms, us or ns");
  } else {
    Bad(name, std::string(time.status().message()));
  }
  return std::nullopt;
}

void Parameters::Bad(std::string_view name, std::string detail) {
  errors_.push_back({std::string(name), std::move(detail)});
}

Problem Parameters::problem() const {
  Problem problem;
  problem.type = ambiguous_.empty() ? ProblemType::kInvalidParameter : ProblemType::kAmbiguousTime;
  problem.errors = errors_;
  problem.detail = ambiguous_;
  if (problem.detail.empty() && !errors_.empty()) {
    const std::string& name = errors_[0].parameter;
    problem.detail = (name.empty() ? "" : name + ": ") + errors_[0].detail;
  }
  return problem;
}

}  // namespace tapedeck
