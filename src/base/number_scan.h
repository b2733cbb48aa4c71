#ifndef TAPEDECK_BASE_NUMBER_SCAN_H_
#define TAPEDECK_BASE_NUMBER_SCAN_H_

// ScanNumber: the parts of a number as text, for decimals and for times. Private to base.
//
// Thread-safe: a pure function; the parts point into the text.

#include <string_view>

namespace tapedeck {

struct NumberParts {
  bool negative = false;
  std::string_view integer;   // digits before the point; may be empty
  std::string_view fraction;  // digits after it; may be empty
  int exponent = 0;           // of ten; within +-kDecimalExponentMax
};

/// The grammar of ParseDecimal (base/decimal.h); false where `text` is not of it.
bool ScanNumber(std::string_view text, NumberParts* parts);

}  // namespace tapedeck

#endif  // TAPEDECK_BASE_NUMBER_SCAN_H_
