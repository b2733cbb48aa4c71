#ifndef TAPEDECK_ARCHIVE_WRITTEN_DECIMAL_H_
#define TAPEDECK_ARCHIVE_WRITTEN_DECIMAL_H_

// Numbers of an object as they were written: from DECIMAL, scale and text back to one Value.
//
//   WrittenDecimal(99980000, 8, 5, &text)   -> Decimal{99980, 5}, "0.99980"
//
// Thread-safe: pure functions.

#include <cstdint>
#include <string>
#include <string_view>

#include "base/status.h"
#include "columnar/slab.h"
#include "model/value.h"

namespace tapedeck {

/// `unscaled` / 10^scale, of which `written` digits after the point were written. Where no Decimal
/// holds it, its canonical text is put into `text`, of which the Value is a view. kCorruption:
/// digits that were not written are not zero, or `written` is impossible.
Result<Value> WrittenDecimal(Int128 unscaled, uint8_t scale, int64_t written, std::string* text);

/// A number that came as text: kCorruption where it is not canonical.
Result<Value> WrittenDecimal(std::string_view canonical, std::string* text);

}  // namespace tapedeck

#endif  // TAPEDECK_ARCHIVE_WRITTEN_DECIMAL_H_
