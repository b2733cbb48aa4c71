#ifndef TAPEDECK_CODEC_OPEN_SLOT_H_
#define TAPEDECK_CODEC_OPEN_SLOT_H_

// OpenSlot: the tokens that stand at one place of the messages of an open shape, by message. Part
// of OpenShapes.
//
// A token is kept in the form that costs least to encode later, while it is in the nearest cache:
//
//   dictionary   a number for each token, each different text once
//   cells        the last 16 bytes of each token at a fixed distance: numbers are read from there
//   texts        one after another
//
// The first token decides between dictionary and cells (numbers); a dictionary that does not pay
// and a token that no cell holds make it texts, which the next blocks begin with. Every form gives
// every token back byte for byte.
//
//   slot.Reserve(i + 1);
//   slot.Add(i, value, begin, size);            // i: 0, 1, 2 …
//   slot.Text(i);
//
// Owned by one thread; movable.

#include <algorithm>
#include <bit>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

namespace tapedeck {

/// Texts of a dictionary.
inline constexpr size_t kTokenDictionaryMax = 4096;

class OpenSlot {
 public:
  enum class Form : uint8_t { kNew, kDictionary, kCells, kTexts };
  struct Cell {
    char bytes[16];
  };

  /// Forgets the tokens; the next ones are taken in this form first.
  void Begin(Form form);
  /// Room for messages up to `room`.
  void Reserve(size_t room);
  /// Token `i`, that of the next message: bytes [begin, begin + size) of `value`.
  void Add(size_t i, const char* value, uint32_t begin, uint32_t size) {
    if (form_ == Form::kDictionary && size <= 8 && begin + size >= 8) {
      uint64_t word;
      std::memcpy(&word, value + begin + size - 8, sizeof word);
      word &= kLast[size];
      const Known& known = table_[PlaceOf(word, size)];
      if (known.word == word && known.size == size && known.number != 0) [[likely]] {
        numbers_[i] = known.number - 1;
        return;
      }
    } else if (form_ == Form::kCells && size <= sizeof(Cell) && begin + size >= sizeof(Cell)) {
      std::memcpy(&cells_[i], value + begin + size - sizeof(Cell), sizeof(Cell));
      sizes_[i] = static_cast<uint8_t>(size);
      return;
    }
    AddSlow(i, {value + begin, size});
  }
  std::string_view Text(size_t i) const {
    switch (form_) {
      case Form::kDictionary:
        return Entry(number(i));
      case Form::kCells:
        return {cells_[i].bytes + sizeof(Cell) - sizes_[i], sizes_[i]};
      default:
        return TextAt(text_, ends_, i);
    }
  }

  Form form() const { return form_; }
  /// Of a dictionary.
  size_t entries() const { return entry_ends_.size(); }
  std::string_view Entry(size_t number) const { return TextAt(entry_text_, entry_ends_, number); }
  uint32_t number(size_t i) const { return entries() == 1 ? 0 : numbers_[i]; }
  /// All tokens are one entry of a dictionary. Tokens that are that entry again need not be added.
  bool Same() const { return form_ == Form::kDictionary && entries() == 1; }
  /// The numbers of the first `count` tokens.
  void CopyNumbers(size_t count, int64_t* out) const {
    if (entries() == 1) {
      std::fill_n(out, count, 0);
    } else {
      std::copy_n(numbers_.begin(), count, out);
    }
  }
  /// Of cells.
  const Cell& cell(size_t i) const { return cells_[i]; }
  uint8_t size(size_t i) const { return sizes_[i]; }

  size_t memory_bytes() const;
  /// Forgets the tokens; keeps memory, up to `kept` bytes, and what it learned of the form.
  void Clear(size_t kept);

 private:
  struct Known {
    uint64_t word = 0;  // up to eight bytes as they are, a hash of more
    uint32_t size = 0;
    uint32_t number = 0;  // position in the entries + 1; 0: free
  };
  static constexpr auto kLast = [] {
    struct {
      uint64_t of[9];
      constexpr uint64_t operator[](size_t n) const { return of[n]; }
    } masks{};
    for (unsigned n = 1; n <= 8; ++n) masks.of[n] = ~uint64_t{0} << (64 - 8 * n);
    return masks;
  }();
  static std::string_view TextAt(const std::string& text, const std::vector<uint32_t>& ends,
                                 size_t i) {
    const uint32_t begin = i == 0 ? 0 : ends[i - 1];
    return {text.data() + begin, ends[i] - begin};
  }
  size_t PlaceOf(uint64_t word, uint32_t size) const {
    return ((word ^ size) * 0x9e3779b97f4a7c15) >> shift_;
  }
  void AddSlow(size_t i, std::string_view text);
  bool AddToDictionary(size_t i, std::string_view text);
  void EmptyTable(size_t places);
  void GrowTable();
  void ToTexts(size_t count);

  Form form_ = Form::kNew;
  uint8_t texts_for_ = 0;  // blocks that begin with texts, because one did not do otherwise
  size_t room_ = 0;
  // Dictionary: open addressing, a power of two.
  std::vector<Known> table_;
  unsigned shift_ = 64;
  std::string entry_text_;
  std::vector<uint32_t> entry_ends_;
  std::vector<uint32_t> numbers_;  // not in use while there is one entry
  // Cells.
  std::vector<Cell> cells_;
  std::vector<uint8_t> sizes_;
  // Texts.
  std::string text_;
  std::vector<uint32_t> ends_;
};

}  // namespace tapedeck

#endif  // TAPEDECK_CODEC_OPEN_SLOT_H_
