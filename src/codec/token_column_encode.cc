#include <algorithm>
#include <bit>

#include "base/hash.h"
#include "codec/decimal_text_sse.h"
#include "codec/token_column.h"

namespace tapedeck {
namespace {

// A dictionary that has not begun to pay after this many texts is given up.
constexpr size_t kDictionaryTrial = 256;
// Pairs of neighbours that decide on an order.
constexpr size_t kOrderTrial = 100;
// A group with fewer messages for each of its texts does not bring neighbours together.
constexpr size_t kGroupMessagesMin = 3;

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

struct Scales {
  uint8_t least = kDecimalDigitsMax, greatest = 0;
  uint8_t with_zero = 0;  // the greatest with a zero at the end

  void Add(uint8_t scale, char last) {
    greatest = std::max(greatest, scale);
    least = std::min(least, scale);
    with_zero = std::max(with_zero, last == '0' ? scale : uint8_t{0});
  }
};

// The usual way for tokens that have kDecimalLookBack bytes before their end.
#define TD_PARSE_TOKENS(parse)                                                                    \
  Scales all;                                                                                     \
  for (size_t i = 0; i < tokens.count; ++i) {                                                     \
    const TapeToken token = tokens.token(i);                                                      \
    const char* text = tokens.values + token.begin;                                               \
    const bool parsed = token.begin + token.size >= kDecimalLookBack                              \
                            ? parse(text, token.size, &numbers[i], &scales[i])                    \
                            : decimal_text::ParseSlow(text, token.size, &numbers[i], &scales[i]); \
    if (!parsed) return false;                                                                    \
    all.Add(scales[i], text[token.size - 1]);                                                     \
  }                                                                                               \
  *seen = all;                                                                                    \
  return true

#if defined(__x86_64__)
const bool kHasSse41 = __builtin_cpu_supports("sse4.1") != 0;

[[gnu::target("sse4.1")]] bool ParseTokens16(const TokenSpan& tokens, int64_t* numbers,
                                             uint8_t* scales, Scales* seen) {
  TD_PARSE_TOKENS(decimal_text::ParseDecimalText16);
}
#endif

// False: a token is no decimal.
bool ParseTokens(const TokenSpan& tokens, int64_t* numbers, uint8_t* scales, Scales* seen) {
#if defined(__x86_64__)
  if (kHasSse41) return ParseTokens16(tokens, numbers, scales, seen);
#endif
  TD_PARSE_TOKENS(ParseDecimalText);
}
#undef TD_PARSE_TOKENS

}  // namespace

void GroupRows(std::span<const int64_t> positions, size_t count, std::vector<uint32_t>* order) {
  std::vector<uint32_t> next(count + 1);
  for (int64_t position : positions) ++next[static_cast<size_t>(position) + 1];
  for (size_t i = 1; i < count; ++i) next[i] += next[i - 1];
  order->resize(positions.size());
  for (size_t row = 0; row < positions.size(); ++row)
    (*order)[next[static_cast<size_t>(positions[row])]++] = static_cast<uint32_t>(row);
}

// Mantissas at one scale.
bool TokenColumnEncoder::Align() {
  for (size_t i = 0; i < numbers_.size(); ++i) {
    const int64_t factor = kTenTo[scale_ - scales_[i]], most = kTenTo[kDecimalDigitsMax] - 1;
    if (numbers_[i] > most / factor || numbers_[i] < -most / factor) return false;
  }
  for (size_t i = 0; i < numbers_.size(); ++i) numbers_[i] *= kTenTo[scale_ - scales_[i]];
  return true;
}

// Whether all tokens are decimals. Mantissas are in numbers_; of scale_, or of scales_ where those
// differ.
bool TokenColumnEncoder::TryDecimals(const TokenSpan& tokens) {
  numbers_.resize(tokens.count);
  scales_.resize(tokens.count);
  Scales seen;
  if (!ParseTokens(tokens, numbers_.data(), scales_.data(), &seen)) return false;
  scale_ = seen.greatest;
  least_ = seen.least;
  // A zero at the end may only stand where dropping stops.
  differing_ = seen.greatest > seen.least && (seen.with_zero > seen.least || !Align());
  return true;
}

// Compares how far neighbours are apart in both orders, in bits, at some places.
bool TokenColumnEncoder::GroupingPays() const {
  if (order_.empty()) return false;
  auto bits = [](int64_t a, int64_t b) {
    return static_cast<size_t>(std::bit_width(
        ZigZag(static_cast<int64_t>(static_cast<uint64_t>(b) - static_cast<uint64_t>(a)))));
  };
  size_t as_it_is = 0, grouped = 0;
  const size_t step = std::max<size_t>(1, order_.size() / kOrderTrial);
  for (size_t i = 1; i < order_.size(); i += step) {
    as_it_is += bits(numbers_[i - 1], numbers_[i]);
    grouped += bits(numbers_[order_[i - 1]], numbers_[order_[i]]);
  }
  return grouped < as_it_is;
}

void TokenColumnEncoder::EncodeDecimals(Effort effort, IntegerEncoder* integers, std::string* out) {
  const bool grouped = GroupingPays();
  auto put = [&](const auto& numbers) {
    others_.resize(numbers.size());
    for (size_t i = 0; i < numbers.size(); ++i) others_[i] = numbers[grouped ? order_[i] : i];
    integers->Encode(others_, effort, out);
  };
  const auto kind = differing_ ? TokenColumnKind::kWritten : TokenColumnKind::kDecimals;
  out->push_back(static_cast<char>(static_cast<uint8_t>(kind) | (grouped ? kGrouped : 0)));
  if (differing_) {
    put(scales_);
  } else {
    out->push_back(static_cast<char>(scale_));
    out->push_back(static_cast<char>(least_));
  }
  if (grouped) {
    put(numbers_);
  } else {
    integers->Encode(numbers_, effort, out);
  }
}

size_t TokenColumnEncoder::SlotOf(uint64_t word, uint32_t size) const {
  const auto shift = static_cast<unsigned>(std::countl_zero(table_.size() - 1));
  return ((word ^ size) * 0x9e3779b97f4a7c15) >> shift;
}

void TokenColumnEncoder::GrowTable() {
  std::vector<Known> grown(4 * table_.size());
  grown.swap(table_);
  for (const Known& known : grown) {
    if (known.number == 0) continue;
    size_t at = SlotOf(known.word, known.size);
    while (table_[at].number != 0) at = (at + 1) & (table_.size() - 1);
    table_[at] = known;
  }
}

// The table begins small: most dictionaries are, and a large one would be cleared for each column
// and not fit into the nearest cache.
bool TokenColumnEncoder::TryDictionary(const TokenSpan& tokens) {
  constexpr size_t kTableSlots = 64;
  const size_t most = std::min(tokens.count / 2, kTokenDictionaryMax);
  table_.assign(kTableSlots, Known());
  entries_.clear();
  numbers_.resize(tokens.count);
  for (size_t i = 0; i < tokens.count; ++i) {
    const TapeToken token = tokens.token(i);
    const uint64_t word = WordOf(tokens.values, token);
    size_t at = SlotOf(word, token.size);
    auto differs = [&](const Known& known) {
      return known.word != word || known.size != token.size ||
             (token.size > 8 && entries_[known.number - 1] != tokens.text(i));
    };
    while (table_[at].number != 0 && differs(table_[at])) at = (at + 1) & (table_.size() - 1);
    if (table_[at].number == 0) {
      if (entries_.size() == most || entries_.size() > kDictionaryTrial + i / 2) return false;
      entries_.push_back(tokens.text(i));
      table_[at] = {word, token.size, static_cast<uint32_t>(entries_.size())};
      numbers_[i] = static_cast<int64_t>(entries_.size()) - 1;
      if (2 * entries_.size() > table_.size()) GrowTable();
      continue;
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

void TokenColumnEncoder::PutDictionary(Effort effort, IntegerEncoder* integers,
                                       std::string* out) const {
  out->push_back(static_cast<char>(TokenColumnKind::kDictionary));
  PutVarint(out, entries_.size());
  for (std::string_view text : entries_) PutBlob(out, text);
  integers->Encode(numbers_, effort, out);
}

// Those whose first token says that they are no numbers; one of them becomes the group.
void TokenColumnEncoder::EncodeDictionaries(const char* values, const OpenShape& shape,
                                            Effort effort, IntegerEncoder* integers) {
  dictionaries_.resize(shape.slots());
  order_.clear();
  group_ = SIZE_MAX;
  size_t most = 1;
  for (size_t slot = 0; slot < shape.slots(); ++slot) {
    dictionaries_[slot].clear();
    const TokenSpan tokens = {values, shape.tokens.data() + slot, shape.slots(), shape.messages};
    int64_t mantissa = 0;
    uint8_t scale = 0;
    if (decimal_text::ParseSlow(tokens.text(0).data(), tokens.token(0).size, &mantissa, &scale) ||
        !TryDictionary(tokens))
      continue;
    PutDictionary(effort, integers, &dictionaries_[slot]);
    if (entries_.size() <= most || entries_.size() > tokens.count / kGroupMessagesMin) continue;
    most = entries_.size();
    group_ = slot;
    GroupRows(numbers_, entries_.size(), &order_);
  }
}

void TokenColumnEncoder::EncodeColumn(const TokenSpan& tokens, Effort effort,
                                      IntegerEncoder* integers, std::string* out) {
  if (TryDecimals(tokens)) {
    EncodeDecimals(effort, integers, out);
  } else if (TryDictionary(tokens)) {
    PutDictionary(effort, integers, out);
  } else {
    EncodeTexts(tokens, effort, integers, out);
  }
}

void TokenColumnEncoder::Encode(const char* values, const OpenShape& shape, Effort effort,
                                IntegerEncoder* integers, std::string* out) {
  EncodeDictionaries(values, shape, effort, integers);
  const bool grouped = group_ != SIZE_MAX;
  PutVarint(out, grouped ? group_ + 1 : 0);
  if (grouped) out->append(dictionaries_[group_]);
  for (size_t slot = 0; slot < shape.slots(); ++slot) {
    if (slot == group_) continue;
    if (!dictionaries_[slot].empty()) {
      out->append(dictionaries_[slot]);
    } else {
      EncodeColumn({values, shape.tokens.data() + slot, shape.slots(), shape.messages}, effort,
                   integers, out);
    }
  }
}

}  // namespace tapedeck
