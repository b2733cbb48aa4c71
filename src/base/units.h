#ifndef TAPEDECK_BASE_UNITS_H_
#define TAPEDECK_BASE_UNITS_H_

// Durations, sizes and shares as people write them, each with its unit.
//
//   ParseDuration("1h30m")   // 5'400 s; ns us ms s m h d, greatest first, whole numbers
//   ParseSize("8MiB")        // 8'388'608; B KiB MiB GiB TiB (of 1,024), kB MB GB TB (of 1,000)
//   ParseShare("85%")        // 0.85; whole or with a fraction, 0 to 100
//
// A number without a unit is kInvalidArgument, and the message shows how to write it. Nothing is
// negative.
//
// Thread-safe: pure functions.

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/status.h"

namespace tapedeck {

Result<std::chrono::nanoseconds> ParseDuration(std::string_view text);
/// In the greatest unit that divides it: "90s", "200ms", "1h".
std::string FormatDuration(std::chrono::nanoseconds duration);

Result<uint64_t> ParseSize(std::string_view text);
/// In the greatest power of 1,024 that divides it: "8MiB", "1000B".
std::string FormatSize(uint64_t bytes);

Result<double> ParseShare(std::string_view text);
/// "85%", "92.5%".
std::string FormatShare(double share);

}  // namespace tapedeck

#endif  // TAPEDECK_BASE_UNITS_H_
