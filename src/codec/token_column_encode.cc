#include <algorithm>
#include <bit>

#include "base/hash.h"
#include "codec/token_column.h"

namespace tapedeck {
namespace {

// A dictionary that has not begun to pay after this many texts is given up.
constexpr size_t kDictionaryTrial = 256;

// Up to eight bytes of a text as they are, a hash of more.
uint64_t WordOf(const char* values, TapeToken token) {
  const char* text = values + token.begin;
  if (token.size > 8) return HashBytes64({text, token.size});
  if (token.begin + token.size >= 8)
    return decimal_text::Load8(text + token.size - 8) & decimal_text::Last(token.size);
  uint64_t word = 0;
  if (token.size > 0)
    std::memcpy(reinterpret_cast<char*>(&word) + 8 - token.size, text, token.size);
  return word;
}

}  // namespace

// Mantissas at one scale.
bool TokenColumnEncoder::Align(uint8_t scale) {
  for (size_t i = 0; i < numbers_.size(); ++i) {
    if (scales_[i] == scale) continue;
    const int64_t factor = kTenTo[scale - scales_[i]], most = kTenTo[kDecimalDigitsMax] - 1;
    if (numbers_[i] > most / factor || numbers_[i] < -most / factor) return false;
    numbers_[i] *= factor;
  }
  return true;
}

bool TokenColumnEncoder::TryDecimals(const TokenSpan& tokens, uint8_t* scale, uint8_t* least) {
  numbers_.resize(tokens.count);
  scales_.resize(tokens.count);
  uint8_t guess = 0, greatest = 0, smallest = kDecimalDigitsMax, with_zero = 0;
  for (size_t i = 0; i < tokens.count; ++i) {
    const TapeToken token = tokens.token(i);
    const char* text = tokens.values + token.begin;
    const bool parsed = token.begin + token.size >= kDecimalLookBack
                            ? ParseDecimalText(text, token.size, &numbers_[i], &guess)
                            : decimal_text::ParseSlow(text, token.size, &numbers_[i], &guess);
    if (!parsed) return false;
    scales_[i] = guess;
    greatest = std::max(greatest, guess);
    smallest = std::min(smallest, guess);
    if (text[token.size - 1] == '0') with_zero = std::max(with_zero, guess);
  }
  *scale = greatest;
  *least = smallest;
  if (greatest == smallest) return true;
  // A zero at the end may only stand where dropping stops.
  return with_zero <= smallest && Align(greatest);
}

bool TokenColumnEncoder::TryDictionary(const TokenSpan& tokens) {
  const size_t most = std::min(tokens.count / 2, kTokenDictionaryMax);
  table_.assign(std::bit_ceil(2 * most + 2), Known());
  entries_.clear();
  numbers_.resize(tokens.count);
  const auto shift = static_cast<unsigned>(std::countl_zero(table_.size() - 1));
  for (size_t i = 0; i < tokens.count; ++i) {
    const TapeToken token = tokens.token(i);
    const uint64_t word = WordOf(tokens.values, token);
    size_t at = ((word ^ token.size) * 0x9e3779b97f4a7c15) >> shift;
    auto differs = [&](const Known& known) {
      return known.word != word || known.size != token.size ||
             (token.size > 8 && entries_[known.number - 1] != tokens.text(i));
    };
    while (table_[at].number != 0 && differs(table_[at])) at = (at + 1) & (table_.size() - 1);
    if (table_[at].number == 0) {
      if (entries_.size() == most || entries_.size() > kDictionaryTrial + i / 2) return false;
      entries_.push_back(tokens.text(i));
      table_[at] = {word, token.size, static_cast<uint32_t>(entries_.size())};
    }
    numbers_[i] = table_[at].number - 1;
  }
  return true;
}

void TokenColumnEncoder::EncodeTexts(const TokenSpan& tokens, Effort effort,
                                     IntegerEncoder* integers, std::string* out) {
  size_t bytes = 0;
  numbers_.resize(tokens.count);
  for (size_t i = 0; i < tokens.count; ++i) {
    numbers_[i] = tokens.token(i).size;
    bytes += tokens.token(i).size;
  }
  out->push_back(static_cast<char>(TokenColumnKind::kTexts));
  integers->Encode(numbers_, effort, out);
  PutVarint(out, bytes);
  for (size_t i = 0; i < tokens.count; ++i) out->append(tokens.text(i));
}

void TokenColumnEncoder::Encode(const TokenSpan& tokens, Effort effort, IntegerEncoder* integers,
                                std::string* out) {
  uint8_t scale = 0, least = 0;
  if (TryDecimals(tokens, &scale, &least)) {
    out->push_back(static_cast<char>(TokenColumnKind::kDecimals));
    out->push_back(static_cast<char>(scale));
    out->push_back(static_cast<char>(least));
    integers->Encode(numbers_, effort, out);
  } else if (TryDictionary(tokens)) {
    out->push_back(static_cast<char>(TokenColumnKind::kDictionary));
    PutVarint(out, entries_.size());
    for (std::string_view text : entries_) PutBlob(out, text);
    integers->Encode(numbers_, effort, out);
  } else {
    EncodeTexts(tokens, effort, integers, out);
  }
}

}  // namespace tapedeck
