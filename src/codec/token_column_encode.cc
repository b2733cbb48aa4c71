#include <algorithm>
#include <bit>

#include "codec/decimal_text_sse.h"
#include "codec/token_column.h"

namespace tapedeck {
namespace {

// Pairs of neighbours that decide on an order.
constexpr size_t kOrderTrial = 100;
// A group with fewer messages for each of its texts does not bring neighbours together.
constexpr size_t kGroupMessagesMin = 3;

struct Scales {
  uint8_t least = kDecimalDigitsMax, greatest = 0;
  uint8_t with_zero = 0;  // the greatest with a zero at the end

  void Add(uint8_t scale, char last) {
    greatest = std::max(greatest, scale);
    least = std::min(least, scale);
    with_zero = std::max(with_zero, last == '0' ? scale : uint8_t{0});
  }
};

// Cells hold their tokens at the end, so that there is always enough to look back at.
static_assert(kDecimalLookBack == sizeof(OpenSlot::Cell));
#define TD_PARSE_CELLS(parse)                                                              \
  Scales all;                                                                              \
  for (size_t i = 0; i < count; ++i) {                                                     \
    const char* end = cells.cell(i).bytes + sizeof(OpenSlot::Cell);                        \
    if (!parse(end - cells.size(i), cells.size(i), &numbers[i], &scales[i])) return false; \
    all.Add(scales[i], end[-1]);                                                           \
  }                                                                                        \
  *seen = all;                                                                             \
  return true

#if defined(__x86_64__)
const bool kHasSse41 = __builtin_cpu_supports("sse4.1") != 0;

[[gnu::target("sse4.1")]] bool ParseCells16(const OpenSlot& cells, size_t count, int64_t* numbers,
                                            uint8_t* scales, Scales* seen) {
  TD_PARSE_CELLS(decimal_text::ParseDecimalText16);
}
#endif

// False: a token is no decimal.
bool ParseCells(const OpenSlot& cells, size_t count, int64_t* numbers, uint8_t* scales,
                Scales* seen) {
#if defined(__x86_64__)
  if (kHasSse41) return ParseCells16(cells, count, numbers, scales, seen);
#endif
  TD_PARSE_CELLS(ParseDecimalText);
}
#undef TD_PARSE_CELLS

bool ParseTexts(const OpenSlot& tokens, size_t count, int64_t* numbers, uint8_t* scales,
                Scales* seen) {
  for (size_t i = 0; i < count; ++i) {
    const std::string_view text = tokens.Text(i);
    if (!decimal_text::ParseSlow(text.data(), text.size(), &numbers[i], &scales[i])) return false;
    seen->Add(scales[i], text.back());
  }
  return true;
}

// Half of the tokens at most are entries of a dictionary.
bool Pays(const OpenSlot& tokens, size_t count) {
  return tokens.form() == OpenSlot::Form::kDictionary && tokens.entries() <= count / 2;
}

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
bool TokenColumnEncoder::TryDecimals(const OpenSlot& tokens, size_t count) {
  numbers_.resize(count);
  scales_.resize(count);
  Scales seen;
  const auto parse = tokens.form() == OpenSlot::Form::kCells ? ParseCells : ParseTexts;
  if (tokens.form() == OpenSlot::Form::kDictionary ||
      !parse(tokens, count, numbers_.data(), scales_.data(), &seen))
    return false;
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

void TokenColumnEncoder::EncodeTexts(const OpenSlot& tokens, size_t count, Effort effort,
                                     IntegerEncoder* integers, std::string* out) {
  size_t bytes = 0;
  numbers_.resize(count);
  for (size_t i = 0; i < count; ++i) {
    numbers_[i] = static_cast<int64_t>(tokens.Text(i).size());
    bytes += tokens.Text(i).size();
  }
  out->push_back(static_cast<char>(TokenColumnKind::kTexts));
  integers->Encode(numbers_, effort, out);
  PutVarint(out, bytes);
  for (size_t i = 0; i < count; ++i) out->append(tokens.Text(i));
}

void TokenColumnEncoder::EncodeDictionary(const OpenSlot& tokens, size_t count, Effort effort,
                                          IntegerEncoder* integers, std::string* out) {
  out->push_back(static_cast<char>(TokenColumnKind::kDictionary));
  PutVarint(out, tokens.entries());
  for (size_t i = 0; i < tokens.entries(); ++i) PutBlob(out, tokens.Entry(i));
  numbers_.resize(count);
  tokens.CopyNumbers(count, numbers_.data());
  integers->Encode(numbers_, effort, out);
}

// The dictionary with the most texts, of those that bring neighbours together.
void TokenColumnEncoder::ChooseGroup(const OpenShape& shape) {
  order_.clear();
  group_ = SIZE_MAX;
  size_t most = 1;
  for (size_t slot = 0; slot < shape.slots.size(); ++slot) {
    const OpenSlot& tokens = shape.slots[slot];
    if (!Pays(tokens, shape.messages) || tokens.entries() <= most ||
        tokens.entries() > shape.messages / kGroupMessagesMin)
      continue;
    most = tokens.entries();
    group_ = slot;
  }
  if (group_ == SIZE_MAX) return;
  const OpenSlot& group = shape.slots[group_];
  numbers_.resize(shape.messages);
  group.CopyNumbers(shape.messages, numbers_.data());
  GroupRows(numbers_, group.entries(), &order_);
}

// A slot that began with a number and went on with other things may still be a dictionary.
void TokenColumnEncoder::EncodeColumn(const OpenSlot& tokens, size_t count, Effort effort,
                                      IntegerEncoder* integers, std::string* out) {
  if (Pays(tokens, count)) return EncodeDictionary(tokens, count, effort, integers, out);
  if (TryDecimals(tokens, count)) return EncodeDecimals(effort, integers, out);
  if (tokens.form() != OpenSlot::Form::kDictionary) {
    again_.Begin(OpenSlot::Form::kDictionary);
    again_.Reserve(count);
    for (size_t i = 0; i < count && again_.form() == OpenSlot::Form::kDictionary; ++i)
      again_.Add(i, tokens.Text(i).data(), 0, static_cast<uint32_t>(tokens.Text(i).size()));
    if (Pays(again_, count)) return EncodeDictionary(again_, count, effort, integers, out);
  }
  EncodeTexts(tokens, count, effort, integers, out);
}

void TokenColumnEncoder::Encode(const OpenShape& shape, Effort effort, IntegerEncoder* integers,
                                std::string* out) {
  ChooseGroup(shape);
  const bool grouped = group_ != SIZE_MAX;
  PutVarint(out, grouped ? group_ + 1 : 0);
  if (grouped) EncodeColumn(shape.slots[group_], shape.messages, effort, integers, out);
  for (size_t slot = 0; slot < shape.slots.size(); ++slot) {
    if (slot != group_) EncodeColumn(shape.slots[slot], shape.messages, effort, integers, out);
  }
}

}  // namespace tapedeck
