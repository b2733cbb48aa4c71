#ifndef TAPEDECK_BASE_QUANTITY_H_
#define TAPEDECK_BASE_QUANTITY_H_

// Durations and sizes as people write them in a configuration: a number with a unit, never without.
//
//   ParseDuration("200ms"), ParseDuration("1.5h"), ParseDuration("7d")
//   ParseBytes("8MiB")   // 8,388,608
//   ParseBytes("10kB")   // 10,000
//
// No sign, no blanks; a fraction must come out at whole nanoseconds or bytes. Errors are
// kInvalidArgument and name the units that are accepted.
//
// Thread-safe: all functions are pure.

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/status.h"

namespace tapedeck {

/// Units: ns, us, ms, s, m, h, d. At most about 292 years.
Result<std::chrono::nanoseconds> ParseDuration(std::string_view text);

/// Units: B, kB, MB, GB, TB (powers of 1000), KiB, MiB, GiB, TiB (powers of 1024). At most 2^63 - 1
/// bytes.
Result<uint64_t> ParseBytes(std::string_view text);

/// The same quantity in the greatest unit that holds it whole: "90s", "2h", "0s". Parses back to
/// the same value; a negative duration has a '-' in front.
std::string FormatDuration(std::chrono::nanoseconds duration);
/// "8MiB", "10kB", "1234B", "0B".
std::string FormatBytes(uint64_t bytes);

}  // namespace tapedeck

#endif  // TAPEDECK_BASE_QUANTITY_H_
