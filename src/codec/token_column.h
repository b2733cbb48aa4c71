#ifndef TAPEDECK_CODEC_TOKEN_COLUMN_H_
#define TAPEDECK_CODEC_TOKEN_COLUMN_H_

// Columns of tokens: what stands at one place of all messages of a shape, a text each, as few
// bytes. Part of the tape block, whose grammar (docs/formats.md, "Shapes") has columns as
//
//   column(n)  := kind:u8 body
//   body       := 1 texts       stream(n) of sizes, blob: all texts one after another
//               | 2 decimals    scale:u8 least:u8 stream(n) of mantissas
//               | 3 dictionary  count:varint { text:blob } stream(n) of positions in it
//               | 4 written     stream(n) of scales, stream(n) of mantissas
//
// Decimals are texts of codec/decimal_text.h: mantissa / 10^scale; in kind 2 zeros at the end are
// dropped down to `least` digits after the point. Texts that would not come back byte for byte are
// never put so.
//
// A shape may have a group: a dictionary column, such as the symbol. Kinds 2 and 4 with kGrouped
// added hold their tokens in the order of (position in the group's dictionary, message): the next
// price of one symbol is near its last.
//
// Owned by one thread.

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/status.h"
#include "codec/decimal_text.h"
#include "codec/effort.h"
#include "codec/integers.h"
#include "codec/open_shapes.h"

namespace tapedeck {

/// Persisted.
enum class TokenColumnKind : uint8_t { kTexts = 1, kDecimals = 2, kDictionary = 3, kWritten = 4 };
/// Persisted: added to a kind.
inline constexpr uint8_t kGrouped = 0x10;

/// `order` becomes the rows sorted by (position, row); positions are below `count`.
void GroupRows(std::span<const int64_t> positions, size_t count, std::vector<uint32_t>* order);

class TokenColumnEncoder {
 public:
  /// Appends the group and all columns of a shape.
  void Encode(const OpenShape& shape, Effort effort, IntegerEncoder* integers, std::string* out);

 private:
  void ChooseGroup(const OpenShape& shape);
  void EncodeColumn(const OpenSlot& tokens, size_t count, Effort effort, IntegerEncoder* integers,
                    std::string* out);
  bool TryDecimals(const OpenSlot& tokens, size_t count);
  bool Align();
  void EncodeDecimals(Effort effort, IntegerEncoder* integers, std::string* out);
  bool GroupingPays() const;
  void EncodeDictionary(const OpenSlot& tokens, size_t count, Effort effort,
                        IntegerEncoder* integers, std::string* out);
  void EncodeTexts(const OpenSlot& tokens, size_t count, Effort effort, IntegerEncoder* integers,
                   std::string* out);

  std::vector<int64_t> numbers_;  // of the column at hand
  std::vector<int64_t> others_;
  std::vector<uint8_t> scales_;
  uint8_t scale_ = 0, least_ = 0;  // of its decimals
  bool differing_ = false;         // scales that no rule gives
  OpenSlot again_;                 // numbers that were none, as a dictionary
  size_t group_ = 0;               // its slot; SIZE_MAX: none
  std::vector<uint32_t> order_;    // of the group; empty: none
};

/// What columns being read share: their memory is bounded by kTapeTokensMax together.
struct TokenMemory {
  std::vector<int64_t> numbers;
  std::vector<uint8_t> scales;
  std::vector<std::string_view> entries;
};

/// A column being read, token after token.
class TokenColumn {
 public:
  /// Reads a column of `count` tokens off the front of `in`, whose bytes it points into.
  /// `order`: of the group, empty where there is none.
  Status Open(ByteReader* in, size_t count, std::span<const uint32_t> order,
              IntegerDecoder* integers, TokenMemory* memory);
  /// Texts of the dictionary; 0: it is none.
  size_t dictionary_size() const { return dictionary_size_; }
  size_t first_number() const { return first_number_; }
  /// After every column that shares `memory` is open.
  void Start(const TokenMemory& memory) {
    numbers_ = memory.numbers.data() + first_number_;
    scales_ = memory.scales.data() + first_scale_;
    entries_ = memory.entries.data() + first_entry_;
  }

  /// Writes token `i` at `at` and gives its end. Null: not before `end`. Up to
  /// kDecimalTextBytesMax bytes past `end` may be written. Tokens are asked for in order.
  char* Write(size_t i, char* at, const char* end) {
    const int64_t number = numbers_[i];
    if (kind_ == TokenColumnKind::kDecimals) {
      size_t scale = scale_;
      int64_t mantissa = number;
      for (; scale > least_ && mantissa % 10 == 0; --scale) mantissa /= 10;
      at = PutDecimalText(mantissa, scale, at);
      return at <= end ? at : nullptr;
    }
    if (kind_ == TokenColumnKind::kWritten) {
      at = PutDecimalText(number, scales_[i], at);
      return at <= end ? at : nullptr;
    }
    std::string_view text;
    if (kind_ == TokenColumnKind::kDictionary) {
      text = entries_[number];
    } else {
      text = bytes_.substr(0, static_cast<size_t>(number));
      bytes_.remove_prefix(static_cast<size_t>(number));
    }
    if (text.size() > static_cast<size_t>(end - at)) return nullptr;
    std::memcpy(at, text.data(), text.size());
    return at + text.size();
  }

 private:
  using Numbers = std::span<int64_t>;
  Status OpenTexts(ByteReader* in, Numbers numbers, IntegerDecoder* integers);
  Status OpenDecimals(ByteReader* in, Numbers numbers, IntegerDecoder* integers);
  Status OpenWritten(ByteReader* in, Numbers numbers, IntegerDecoder* integers,
                     TokenMemory* memory);
  Status OpenDictionary(ByteReader* in, Numbers numbers, IntegerDecoder* integers,
                        TokenMemory* memory);

  TokenColumnKind kind_ = TokenColumnKind::kTexts;
  uint8_t scale_ = 0, least_ = 0;
  size_t dictionary_size_ = 0;
  size_t first_number_ = 0, first_scale_ = 0, first_entry_ = 0;  // in the memory
  const int64_t* numbers_ = nullptr;                             // sizes, mantissas or positions
  const uint8_t* scales_ = nullptr;
  const std::string_view* entries_ = nullptr;
  std::string_view bytes_;  // texts not yet written
};

}  // namespace tapedeck

#endif  // TAPEDECK_CODEC_TOKEN_COLUMN_H_
