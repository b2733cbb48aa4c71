#include "tapedeck/text_table.h"

#include <algorithm>

#include "base/text.h"

namespace tapedeck::cli {
namespace {

constexpr size_t kHeldRows = 200;
constexpr size_t kCellCharacters = 60;

bool IsContinuation(char c) { return (static_cast<unsigned char>(c) & 0xC0) == 0x80; }

size_t Characters(std::string_view text) {
  return static_cast<size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return !IsContinuation(c); }));
}

// Escaped, and cut after kCellCharacters.
std::string Shown(std::string_view cell) {
  std::string text;
  AppendJsonEscaped(cell.substr(0, 8 * kCellCharacters), &text);
  // Quotes and backslashes of data are shown as they are where nothing else was escaped.
  if (cell.size() <= 8 * kCellCharacters && IsValidUtf8(cell) &&
      text.find("\\u") == std::string::npos && text.find("\\n") == std::string::npos &&
      text.find("\\r") == std::string::npos && text.find("\\t") == std::string::npos &&
      text.find("\\b") == std::string::npos && text.find("\\f") == std::string::npos) {
    text = cell;
  }
  if (Characters(text) <= kCellCharacters) return text;
  size_t at = 0;
  for (size_t seen = 0; seen < kCellCharacters - 1; ++seen) {
    ++at;
    while (at < text.size() && IsContinuation(text[at])) ++at;
  }
  return text.substr(0, at) + "…";
}

bool LooksLikeNumber(std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return (c >= '0' && c <= '9') || c == '.' || c == '-'; });
}

}  // namespace

TextTable::TextTable(std::vector<std::string> names, Sink sink)
    : names_(std::move(names)), sink_(std::move(sink)) {}

bool TextTable::Add(std::vector<std::string> cells) {
  for (std::string& cell : cells) cell = Shown(cell);
  if (started_) return Write(cells);
  held_.push_back(std::move(cells));
  return held_.size() < kHeldRows || Flush();
}

bool TextTable::Finish() { return started_ || Flush(); }

bool TextTable::Flush() {
  started_ = true;
  for (const std::string& name : names_) widths_.push_back(Characters(name));
  numbers_.assign(names_.size(), true);
  for (const auto& row : held_) {
    for (size_t c = 0; c < row.size(); ++c) {
      widths_[c] = std::max(widths_[c], Characters(row[c]));
      if (!LooksLikeNumber(row[c])) numbers_[c] = false;
    }
  }
  bool good = Write(names_);
  for (const auto& row : held_) good = good && Write(row);
  held_.clear();
  return good;
}

bool TextTable::Write(const std::vector<std::string>& cells) {
  std::string line;
  for (size_t c = 0; c < cells.size(); ++c) {
    const size_t size = Characters(cells[c]);
    const std::string blanks(widths_[c] > size ? widths_[c] - size : 0, ' ');
    if (c > 0) line += "  ";
    const bool last = c + 1 == cells.size();
    line += numbers_[c] ? blanks + cells[c] : cells[c] + (last ? "" : blanks);
  }
  return sink_(line + "\n");
}

}  // namespace tapedeck::cli
