#include "config/section_reader.h"

#include <algorithm>

#include "base/text.h"
#include "base/units.h"

namespace tapedeck {
namespace {

/// A key as it stands in TOML: bare where it can be, else quoted.
std::string BareOrQuoted(std::string_view key) {
  bool bare = !key.empty() && std::all_of(key.begin(), key.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-';
  });
  return bare ? std::string(key) : QuoteToml(key);
}

std::string Between(const std::string& least, const std::string& most) {
  return "from " + least + " to " + most;
}

}  // namespace

std::string NearestHint(std::string_view name, const std::vector<std::string>& known) {
  std::vector<std::string_view> names(known.begin(), known.end());
  std::string_view nearest = NearestName(name, names);
  if (!nearest.empty()) return "; did you mean '" + std::string(nearest) + "'?";
  std::string hint = known.empty() ? "" : "; known: ";
  for (size_t i = 0; i < known.size(); ++i) hint += (i == 0 ? "" : ", ") + known[i];
  return hint;
}

void Findings::Problem(std::string_view where, std::string_view message) {
  problems.push_back(std::string(where) + (where.empty() ? "" : ": ") + std::string(message));
}

void Findings::Warn(std::string_view where, std::string_view message) {
  warnings.push_back(std::string(where) + (where.empty() ? "" : ": ") + std::string(message));
}

SectionReader::SectionReader(const ConfigValue* table, std::string path, Findings* findings)
    : table_(table), path_(std::move(path)), findings_(findings) {
  if (table_ != nullptr && table_->kind != ConfigValue::Kind::kTable) {
    Problem(table_->where, path_ + " is a section: write [" + path_ + "] and its keys below, not " +
                               std::string(KindName(table_->kind)));
    table_ = nullptr;
  }
}

const ConfigValue* SectionReader::Take(std::string_view key) {
  known_.emplace_back(key);
  return table_ == nullptr ? nullptr : table_->Find(key);
}

void SectionReader::Note(std::string_view key, std::string value, const ConfigValue* from) {
  std::string path = KeyPath(key);
  if (IsSecretKey(path)) value = "\"(redacted)\"";
  findings_->settings.push_back({path_ + "." + BareOrQuoted(key), std::move(value),
                                 from == nullptr ? "default" : from->where});
}

const std::string* SectionReader::TextOf(std::string_view key, const ConfigValue& value,
                                         std::string_view example) {
  if (value.kind == ConfigValue::Kind::kText) return &value.text;
  std::string message = KeyPath(key) + " is a text, not " + std::string(KindName(value.kind));
  if (value.kind == ConfigValue::Kind::kInteger || value.kind == ConfigValue::Kind::kReal) {
    message = KeyPath(key) + " = " + value.text + " has no unit";
  }
  Problem(value.where, message + ": write " + std::string(key) + " = " + QuoteToml(example));
  return nullptr;
}

void SectionReader::Text(std::string_view key, std::string* out, const Check& check) {
  const ConfigValue* value = Take(key);
  if (value != nullptr) {
    // A name of digits typed on a command line arrives as a number.
    bool loose =
        value->kind != ConfigValue::Kind::kTable && value->kind != ConfigValue::Kind::kList;
    if (!loose) {
      Problem(value->where, KeyPath(key) + " is a text, not " + std::string(KindName(value->kind)));
      value = nullptr;
    } else if (Status good = check ? check(value->text) : Status::Ok(); !good.ok()) {
      Problem(value->where, KeyPath(key) + ": " + std::string(good.message()));
      value = nullptr;
    }
  }
  if (value != nullptr) *out = value->text;
  Note(key, QuoteToml(*out), value);
}

void SectionReader::Duration(std::string_view key, DurationBounds bounds,
                             std::chrono::nanoseconds* out) {
  const ConfigValue* value = Take(key);
  if (value != nullptr) {
    const std::string* text = TextOf(key, *value, FormatDuration(*out));
    if (text != nullptr) {
      Result<std::chrono::nanoseconds> parsed = ParseDuration(*text);
      if (!parsed.ok()) {
        Problem(value->where, KeyPath(key) + ": " + std::string(parsed.status().message()));
      } else if (*parsed < bounds.least || *parsed > bounds.most) {
        Problem(value->where,
                KeyPath(key) + " = " + *text + " is out of bounds: " +
                    Between(FormatDuration(bounds.least), FormatDuration(bounds.most)));
      } else {
        *out = *parsed;
      }
    }
  }
  Note(key, QuoteToml(FormatDuration(*out)), value);
}

void SectionReader::Size(std::string_view key, SizeBounds bounds, uint64_t* out) {
  const ConfigValue* value = Take(key);
  if (value != nullptr) {
    const std::string* text = TextOf(key, *value, FormatSize(*out));
    if (text != nullptr) {
      Result<uint64_t> parsed = ParseSize(*text);
      if (!parsed.ok()) {
        Problem(value->where, KeyPath(key) + ": " + std::string(parsed.status().message()));
      } else if (*parsed < bounds.least || *parsed > bounds.most) {
        Problem(value->where, KeyPath(key) + " = " + *text + " is out of bounds: " +
                                  Between(FormatSize(bounds.least), FormatSize(bounds.most)));
      } else {
        *out = *parsed;
      }
    }
  }
  Note(key, QuoteToml(FormatSize(*out)), value);
}

void SectionReader::SizeOr(std::string_view key, std::string_view word, SizeBounds bounds,
                           std::optional<uint64_t>* out) {
  const ConfigValue* value = table_ == nullptr ? nullptr : table_->Find(key);
  if (value == nullptr || value->text == word) {
    Take(key);
    out->reset();
    Note(key, QuoteToml(word), value);
    return;
  }
  uint64_t size = bounds.least;
  size_t problems = findings_->problems.size();
  Size(key, bounds, &size);
  if (findings_->problems.size() == problems) *out = size;
}

void SectionReader::DurationOrEmpty(std::string_view key, DurationBounds bounds,
                                    std::optional<std::chrono::nanoseconds>* out) {
  const ConfigValue* value = table_ == nullptr ? nullptr : table_->Find(key);
  if (value == nullptr || (value->kind == ConfigValue::Kind::kText && value->text.empty())) {
    Take(key);
    out->reset();
    Note(key, "\"\"", value);
    return;
  }
  std::chrono::nanoseconds duration = bounds.least;
  size_t problems = findings_->problems.size();
  Duration(key, bounds, &duration);
  if (findings_->problems.size() == problems) *out = duration;
}

void SectionReader::Share(std::string_view key, ShareBounds bounds, double* out) {
  const ConfigValue* value = Take(key);
  if (value != nullptr) {
    const std::string* text = TextOf(key, *value, FormatShare(*out));
    if (text != nullptr) {
      Result<double> parsed = ParseShare(*text);
      if (!parsed.ok()) {
        Problem(value->where, KeyPath(key) + ": " + std::string(parsed.status().message()));
      } else if (*parsed < bounds.least || *parsed > bounds.most) {
        Problem(value->where, KeyPath(key) + " = " + *text + " is out of bounds: " +
                                  Between(FormatShare(bounds.least), FormatShare(bounds.most)));
      } else {
        *out = *parsed;
      }
    }
  }
  Note(key, QuoteToml(FormatShare(*out)), value);
}

void SectionReader::Flag(std::string_view key, bool* out) {
  const ConfigValue* value = Take(key);
  if (value != nullptr) {
    if (value->kind == ConfigValue::Kind::kFlag) {
      *out = value->text == "true";
    } else {
      Problem(value->where,
              KeyPath(key) + " is true or false, not " + std::string(KindName(value->kind)));
    }
  }
  Note(key, *out ? "true" : "false", value);
}

void SectionReader::Texts(std::string_view key, std::optional<std::vector<std::string>>* out) {
  const ConfigValue* value = Take(key);
  if (value == nullptr) return;
  bool good = value->kind == ConfigValue::Kind::kList;
  std::vector<std::string> texts;
  std::string shown = "[";
  for (const ConfigValue& element : value->list) {
    good = good && element.kind == ConfigValue::Kind::kText;
    shown += (texts.empty() ? "" : ", ") + QuoteToml(element.text);
    texts.push_back(element.text);
  }
  if (!good) {
    Problem(value->where, KeyPath(key) + " is a list of texts, such as [\"symbol\", \"ts\"]");
    return;
  }
  *out = std::move(texts);
  Note(key, shown + "]", value);
}

std::string SectionReader::ChooseWord(std::string_view key, const std::vector<std::string>& words,
                                      std::string word) {
  const ConfigValue* value = Take(key);
  if (value != nullptr) {
    if (std::find(words.begin(), words.end(), value->text) != words.end()) {
      word = value->text;
    } else {
      std::string list;
      for (const std::string& known : words) list += (list.empty() ? "" : ", ") + known;
      Problem(value->where, KeyPath(key) + " = " + QuoteToml(value->text) + " is none of " + list);
    }
  }
  Note(key, QuoteToml(word), value);
  return word;
}

void SectionReader::Done() {
  if (table_ == nullptr) return;
  for (const auto& [key, value] : table_->members) {
    if (std::find(known_.begin(), known_.end(), key) != known_.end()) continue;
    Problem(value.where, path_ + " has no key '" + key + "'" + NearestHint(key, known_));
  }
}

}  // namespace tapedeck
