#ifndef TAPEDECK_MODEL_VALUE_H_
#define TAPEDECK_MODEL_VALUE_H_

// Value: one field of one record.
//
// A decimal is (mantissa, scale) as written; a number that does not fit has kind kDecimalText and
// its canonical text (base/decimal.h). The kinds are exclusive: a number that fits is never kept as
// text, so equal fields have equal values. Text is a view: its owner is the decoder, the chunk or
// the block that the value came from.
//
// 16 bytes. Values; thread-compatible.

#include <cstdint>
#include <string>
#include <string_view>

#include "base/decimal.h"
#include "base/time.h"

namespace tapedeck {

/// Persisted.
enum class ColumnType : uint8_t {
  kTimestamp = 0,
  kDecimal = 1,
  kInteger = 2,
  kText = 3,
  kFlag = 4
};
std::string_view ColumnTypeName(ColumnType type);

class Value {
 public:
  enum class Kind : uint8_t { kNull, kDecimal, kDecimalText, kInteger, kText, kFlag, kTimestamp };

  constexpr Value() = default;
  static Value OfDecimal(Decimal d) { return Value(Kind::kDecimal, d.mantissa, d.scale); }
  static Value OfDecimalText(std::string_view canonical) {
    return Value(Kind::kDecimalText, canonical);
  }
  static Value OfInteger(int64_t v) { return Value(Kind::kInteger, v, 0); }
  static Value OfText(std::string_view text) { return Value(Kind::kText, text); }
  static Value OfFlag(bool flag) { return Value(Kind::kFlag, flag ? 1 : 0, 0); }
  static Value OfTimestamp(Timestamp t) { return Value(Kind::kTimestamp, t.ns(), 0); }

  Kind kind() const { return kind_; }
  bool is_null() const { return kind_ == Kind::kNull; }
  bool has_text() const { return kind_ == Kind::kText || kind_ == Kind::kDecimalText; }
  Decimal decimal() const { return {number_, scale_}; }
  int64_t integer() const { return number_; }
  bool flag() const { return number_ != 0; }
  Timestamp timestamp() const { return Timestamp(number_); }
  /// "" where the value is not text.
  std::string_view text() const {
    return has_text() ? std::string_view(text_, size_) : std::string_view();
  }
  /// Mantissa, integer, flag or nanoseconds; 0 for text and null.
  int64_t number() const { return has_text() ? 0 : number_; }
  uint8_t scale() const { return scale_; }

  bool operator==(const Value& other) const;
  /// The canonical text: decimals as written, timestamps as integer nanoseconds, flags true or
  /// false, null "".
  void AppendCanonical(std::string* out) const;

 private:
  Value(Kind kind, int64_t number, uint8_t scale) : kind_(kind), scale_(scale), number_(number) {}
  Value(Kind kind, std::string_view text)
      : kind_(kind), size_(static_cast<uint32_t>(text.size())), text_(text.data()) {}

  Kind kind_ = Kind::kNull;
  uint8_t scale_ = 0;
  uint32_t size_ = 0;
  union {
    int64_t number_ = 0;
    const char* text_;
  };
};
static_assert(sizeof(Value) == 16);

}  // namespace tapedeck

#endif  // TAPEDECK_MODEL_VALUE_H_
