#include "codec/open_slot.h"

#include <algorithm>

#include "base/hash.h"
#include "codec/decimal_text.h"

namespace tapedeck {
namespace {

// A dictionary that has not begun to pay after this many texts is given up.
constexpr size_t kDictionaryTrial = 256;
// Most dictionaries are small, and a large table would not fit into the nearest cache.
constexpr size_t kTablePlaces = 64;
// After so many blocks of texts another form is tried again.
constexpr uint8_t kTextBlocks = 32;

uint64_t WordOf(std::string_view text) {
  if (text.size() > 8) return HashBytes64(text);
  uint64_t word = 0;
  if (!text.empty())
    std::memcpy(reinterpret_cast<char*>(&word) + 8 - text.size(), text.data(), text.size());
  return word;
}

bool IsDecimal(std::string_view text) {
  int64_t mantissa = 0;
  uint8_t scale = 0;
  return decimal_text::ParseSlow(text.data(), text.size(), &mantissa, &scale);
}

}  // namespace

void OpenSlot::Begin(Form form) {
  form_ = form;
  entry_text_.clear();
  entry_ends_.clear();
  text_.clear();
  ends_.clear();
  if (form_ == Form::kDictionary) EmptyTable(kTablePlaces);
  Reserve(room_);
}

void OpenSlot::Reserve(size_t room) {
  room_ = std::max(room_, room);
  if (form_ == Form::kDictionary && numbers_.size() < room_) numbers_.resize(room_);
  if (form_ == Form::kCells && cells_.size() < room_) {
    cells_.resize(room_);
    sizes_.resize(room_);
  }
}

void OpenSlot::AddSlow(size_t i, std::string_view text) {
  if (form_ == Form::kNew)
    Begin(texts_for_ > 0 ? Form::kTexts : IsDecimal(text) ? Form::kCells : Form::kDictionary);
  if (form_ == Form::kCells && text.size() <= sizeof(Cell)) {
    std::memcpy(cells_[i].bytes + sizeof(Cell) - text.size(), text.data(), text.size());
    sizes_[i] = static_cast<uint8_t>(text.size());
    return;
  }
  if (form_ == Form::kDictionary && AddToDictionary(i, text)) return;
  if (form_ != Form::kTexts) ToTexts(i);
  text_.append(text);
  ends_.push_back(static_cast<uint32_t>(text_.size()));
}

bool OpenSlot::AddToDictionary(size_t i, std::string_view text) {
  const uint64_t word = WordOf(text);
  const auto size = static_cast<uint32_t>(text.size());
  const auto differs = [&](const Known& known) {
    return known.word != word || known.size != size ||
           (size > 8 && Entry(known.number - 1) != text);
  };
  size_t at = PlaceOf(word, size);
  while (table_[at].number != 0 && differs(table_[at])) at = (at + 1) & (table_.size() - 1);
  if (table_[at].number == 0) {
    if (entries() == kTokenDictionaryMax || entries() > kDictionaryTrial + i / 2) return false;
    if (entries() == 1) std::fill_n(numbers_.begin(), i, 0);
    entry_text_.append(text);
    entry_ends_.push_back(static_cast<uint32_t>(entry_text_.size()));
    table_[at] = {word, size, static_cast<uint32_t>(entries())};
    numbers_[i] = table_[at].number - 1;
    if (2 * entries() > table_.size()) GrowTable();
    return true;
  }
  numbers_[i] = table_[at].number - 1;
  return true;
}

void OpenSlot::EmptyTable(size_t places) {
  table_.assign(places, Known());
  shift_ = 64 - static_cast<unsigned>(std::countr_zero(places));
}

void OpenSlot::GrowTable() {
  const std::vector<Known> before = std::move(table_);
  EmptyTable(4 * before.size());
  for (const Known& known : before) {
    if (known.number == 0) continue;
    size_t at = PlaceOf(known.word, known.size);
    while (table_[at].number != 0) at = (at + 1) & (table_.size() - 1);
    table_[at] = known;
  }
}

// The first `count` tokens as texts.
void OpenSlot::ToTexts(size_t count) {
  text_.clear();
  ends_.clear();
  for (size_t i = 0; i < count; ++i) {
    text_.append(Text(i));
    ends_.push_back(static_cast<uint32_t>(text_.size()));
  }
  form_ = Form::kTexts;
  texts_for_ = kTextBlocks;
}

size_t OpenSlot::memory_bytes() const {
  return table_.capacity() * sizeof(Known) + entry_text_.capacity() + text_.capacity() +
         (entry_ends_.capacity() + numbers_.capacity() + ends_.capacity()) * sizeof(uint32_t) +
         cells_.capacity() * sizeof(Cell) + sizes_.capacity();
}

void OpenSlot::Clear(size_t kept) {
  if (texts_for_ > 0) --texts_for_;
  if (memory_bytes() > kept) {
    const uint8_t texts_for = texts_for_;
    *this = OpenSlot();
    texts_for_ = texts_for;
    return;
  }
  Begin(Form::kNew);
}

}  // namespace tapedeck
