#ifndef TAPEDECK_BASE_DECIMAL_H_
#define TAPEDECK_BASE_DECIMAL_H_

// Decimal: a number exactly as it was written, mantissa and scale.
//
// value = mantissa / 10^scale. "0.99980" is {99980, 5} and prints as "0.99980" again; "1" and "1.0"
// are equal in value and differ in scale. A Decimal never comes from a double and never becomes
// one.
//
// What does not fit (a mantissa beyond int64, a scale beyond kDecimalScaleMax, a negative zero) has
// no Decimal; its canonical text is kept instead. The canonical text of a number is: optional '-',
// digits without leading zeros (at least one), and, if the number had a fraction, '.' and its
// digits, trailing zeros included; an exponent is written out.
//
//   std::string text;
//   ParseDecimal("6.255e-5", &text)  -> Decimal{6255, 8}; text is not touched
//   ParseDecimal("99999999999999999999.5", &text) -> kText, text = "99999999999999999999.5"
//
// Thread-safe: all functions are pure.

#include <cstdint>
#include <string>
#include <string_view>

#include "base/status.h"

namespace tapedeck {

/// A scale above this keeps its text: 10^18 is the greatest power of ten in an int64.
inline constexpr uint8_t kDecimalScaleMax = 18;
/// An exponent beyond this, either way, is refused: "1e308" would be 309 digits.
inline constexpr int kDecimalExponentMax = 60;
/// A number longer than this, written out, is refused.
inline constexpr size_t kDecimalTextMax = 256;

struct Decimal {
  int64_t mantissa = 0;
  uint8_t scale = 0;
  bool operator==(const Decimal&) const = default;  // "1.0" is not "1" here: as written
};

enum class DecimalForm : uint8_t {
  kDecimal = 0,  // fits
  kText = 1,     // a number, but only its canonical text can hold it
  kBad = 2,      // not a number (also NaN, Infinity, hex, an exponent out of bounds)
};

/// Reads a number of the JSON grammar and, beyond it, a leading '+', leading zeros, and a missing
/// integer or fraction digit ("+.50" is 0.50, "5." is 5). No blanks. kText puts the canonical text
/// into `text`.
DecimalForm ParseDecimal(std::string_view number, Decimal* value, std::string* text);

/// Whether `token` is exactly a number of the JSON grammar (RFC 8259): nothing before, after or
/// missing.
bool IsJsonNumber(std::string_view token);

/// Appends the canonical text, such as "-0.00123".
void AppendDecimal(Decimal value, std::string* out);
/// Writes it to `out`, which has room for kDecimalCharsMax bytes, and returns the end.
inline constexpr size_t kDecimalCharsMax = 24;
char* FormatDecimalTo(Decimal value, char* out);
std::string ToString(Decimal value);

/// Whether the numbers are equal in value ("1.0" and "1" are). Exact for any scales.
bool EqualValue(Decimal a, Decimal b);

/// mantissa * 10^digits, or false on overflow. 0 <= digits <= 18.
bool ScaleUp(int64_t mantissa, uint8_t digits, int64_t* out);

}  // namespace tapedeck

#endif  // TAPEDECK_BASE_DECIMAL_H_
