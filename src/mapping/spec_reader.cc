#include "mapping/spec_reader.h"

#include <algorithm>
#include <charconv>
#include <set>

namespace tapedeck::rules {
namespace {

/// How many single letters must change, come or go (Levenshtein), case not counted.
size_t Distance(std::string_view a, std::string_view b) {
  auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      size_t above = row[j];
      size_t same = diagonal + (lower(a[i - 1]) == lower(b[j - 1]) ? 0 : 1);
      row[j] = std::min({above + 1, row[j - 1] + 1, same});
      diagonal = above;
    }
  }
  return row[b.size()];
}

}  // namespace

Status SpecError(std::string_view where, std::string_view problem) {
  if (where.empty()) return Status::InvalidArgument(std::string(problem));
  return Status::InvalidArgument(std::string(where) + ": " + std::string(problem));
}

std::string NotKnown(std::string_view word, std::span<const std::string_view> known) {
  std::string out = "'" + std::string(word.substr(0, 80)) + "' is not known";
  std::string_view nearest;
  size_t best = word.size() > 80 ? 0 : std::max<size_t>(3, word.size() / 2 + 1);
  for (std::string_view candidate : known) {
    size_t distance = best == 0 ? 1 : Distance(word, candidate);
    if (distance < best) {
      best = distance;
      nearest = candidate;
    }
  }
  if (!nearest.empty()) return out + "; did you mean '" + std::string(nearest) + "'?";
  out += "; known are ";
  for (size_t i = 0; i < known.size(); ++i) {
    if (i > 0) out += ", ";
    out += known[i];
  }
  return out;
}

Result<std::string> SpecReader::Text(uint32_t at, std::string_view where) const {
  if (!IsText(at)) return SpecError(where, "a text is expected");
  std::string_view raw = tree_.Raw(at);
  std::string out(raw.size(), '\0');
  size_t size = 0;
  if (!json::Unescape(raw, out.data(), &size)) return SpecError(where, "the text has a bad escape");
  out.resize(size);
  return out;
}

Result<std::string> SpecReader::Key(uint32_t at, std::string_view where) const {
  std::string_view raw = tree_.RawKey(at);
  std::string out(raw.size(), '\0');
  size_t size = 0;
  if (!json::Unescape(raw, out.data(), &size)) return SpecError(where, "a key has a bad escape");
  out.resize(size);
  return out;
}

Result<bool> SpecReader::Flag(uint32_t at, std::string_view where) const {
  if (tree_.Raw(at) == "true") return true;
  if (tree_.Raw(at) == "false" && !IsText(at)) return false;
  return SpecError(where, "true or false is expected");
}

Result<int64_t> SpecReader::Integer(uint32_t at, std::string_view where) const {
  std::string_view raw = tree_.Raw(at);
  int64_t out = 0;
  auto [end, error] = std::from_chars(raw.data(), raw.data() + raw.size(), out);
  if (IsText(at) || error != std::errc() || end != raw.data() + raw.size()) {
    return SpecError(where, "an integer is expected");
  }
  return out;
}

Result<std::vector<std::string>> SpecReader::Texts(uint32_t at, std::string_view where) const {
  std::vector<std::string> out;
  if (!IsArray(at)) {
    if (!IsText(at)) return SpecError(where, "a text or a list of texts is expected");
    TD_ASSIGN_OR_RETURN(std::string text, Text(at, where));
    out.push_back(std::move(text));
    return out;
  }
  for (uint32_t e = tree_.First(at); e != json::kNone; e = tree_.Next(at, e)) {
    TD_ASSIGN_OR_RETURN(std::string text, Text(e, where));
    out.push_back(std::move(text));
  }
  return out;
}

Status SpecReader::CheckKeys(uint32_t object, std::span<const std::string_view> known,
                             std::string_view where) const {
  if (!IsObject(object)) return SpecError(where, "a table is expected");
  std::set<std::string> seen;
  for (uint32_t m = tree_.First(object); m != json::kNone; m = tree_.Next(object, m)) {
    TD_ASSIGN_OR_RETURN(std::string key, Key(m, where));
    if (std::find(known.begin(), known.end(), key) == known.end()) {
      return SpecError(where, "key " + NotKnown(key, known));
    }
    if (!seen.insert(key).second) return SpecError(where, "key '" + key + "' comes twice");
  }
  return Status::Ok();
}

}  // namespace tapedeck::rules
