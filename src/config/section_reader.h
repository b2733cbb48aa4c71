#ifndef TAPEDECK_CONFIG_SECTION_READER_H_
#define TAPEDECK_CONFIG_SECTION_READER_H_

// Inside this module only. SectionReader: takes the keys of one section out of the tree, checks
// them, and remembers which were asked for, so that the others can be refused by name.
//
//   SectionReader record(root.Find("record"), "record", &findings);
//   record.Duration("commit_interval", {.least = 1ms, .most = 1min}, &out->commit_interval);
//   record.Done();
//
// Each read leaves an EffectiveSetting, also for a default. Mistakes are collected in Findings; the
// target keeps its default.
//
// Owned by one thread.

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "config/config.h"
#include "config/document.h"

namespace tapedeck {

struct Findings {
  std::vector<std::string> problems;
  std::vector<std::string> warnings;
  std::vector<EffectiveSetting> settings;

  void Problem(std::string_view where, std::string_view message);
  void Warn(std::string_view where, std::string_view message);
};

struct DurationBounds {
  std::chrono::nanoseconds least{0};
  std::chrono::nanoseconds most{0};
};
struct SizeBounds {
  uint64_t least = 0;
  uint64_t most = 0;
};
struct ShareBounds {
  double least = 0;
  double most = 1;
};

/// "; did you mean 'x'?", or where nothing is near: "; known: a, b, c".
std::string NearestHint(std::string_view name, const std::vector<std::string>& known);

template <typename T>
using Choices = std::vector<std::pair<std::string_view, T>>;

class SectionReader {
 public:
  /// `table` null: nothing is set, all defaults. `path` names the section in messages ("record",
  /// "topics[0]").
  SectionReader(const ConfigValue* table, std::string path, Findings* findings);

  using Check = std::function<Status(const std::string&)>;
  void Text(std::string_view key, std::string* out, const Check& check = nullptr);
  void Duration(std::string_view key, DurationBounds bounds, std::chrono::nanoseconds* out);
  void Size(std::string_view key, SizeBounds bounds, uint64_t* out);
  /// A size, or `word` for unset.
  void SizeOr(std::string_view key, std::string_view word, SizeBounds bounds,
              std::optional<uint64_t>* out);
  /// A duration, or "" for unset.
  void DurationOrEmpty(std::string_view key, DurationBounds bounds,
                       std::optional<std::chrono::nanoseconds>* out);
  void Share(std::string_view key, ShareBounds bounds, double* out);
  void Flag(std::string_view key, bool* out);
  /// A list of texts; unset stays unset and leaves no setting.
  void Texts(std::string_view key, std::optional<std::vector<std::string>>* out);
  template <typename T>
  void Choose(std::string_view key, const Choices<T>& choices, T* out) {
    std::vector<std::string> words;
    std::string word;
    for (const auto& [name, value] : choices) {
      words.emplace_back(name);
      if (value == *out) word = name;
    }
    word = ChooseWord(key, words, std::move(word));
    for (const auto& [name, value] : choices) {
      if (name == word) *out = value;
    }
  }

  /// Marks `key` as known without reading it; null where it is not set.
  const ConfigValue* Take(std::string_view key);
  /// Refuses what was not asked for.
  void Done();

  bool Has(std::string_view key) const { return table_ != nullptr && table_->Find(key) != nullptr; }
  std::string KeyPath(std::string_view key) const { return path_ + "." + std::string(key); }
  std::string_view where() const {
    return table_ == nullptr ? std::string_view() : std::string_view(table_->where);
  }
  void Problem(std::string_view where, std::string_view message) {
    findings_->Problem(where, message);
  }
  void Note(std::string_view key, std::string value, const ConfigValue* from);

 private:
  /// The value as text if it is one; else a problem.
  const std::string* TextOf(std::string_view key, const ConfigValue& value,
                            std::string_view example);
  std::string ChooseWord(std::string_view key, const std::vector<std::string>& words,
                         std::string word);

  const ConfigValue* table_;
  std::string path_;
  Findings* findings_;
  std::vector<std::string> known_;
};

}  // namespace tapedeck

#endif  // TAPEDECK_CONFIG_SECTION_READER_H_
