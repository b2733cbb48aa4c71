#ifndef TAPEDECK_MODEL_TIME_TEXT_H_
#define TAPEDECK_MODEL_TIME_TEXT_H_

// Times as people write them in a query.
//
//   2024-07-02T04:17:16.373Z    RFC 3339, any offset, 0 to 9 fraction digits
//   2024-07-02                  midnight UTC
//   1712877306113ms             since 1970, in s, ms, us or ns; may be negative
//   1712877306113000000         a bare integer is nanoseconds, from 10^18 on only
//   now, now-15m, now+1h
//   +1h                         after the start of the range; where one is given
//
// An integer without a unit below 10^18 is refused: pasted seconds, milliseconds and microseconds
// all are.
//
// Thread-safe: pure functions.

#include <optional>
#include <string_view>

#include "base/status.h"
#include "base/time.h"

namespace tapedeck {

/// `start`: what "+1h" is relative to; nullopt refuses that form. kInvalidArgument says what to
/// write instead.
Result<Timestamp> ParseTimeText(std::string_view text, Timestamp now,
                                std::optional<Timestamp> start = std::nullopt);

/// Whether ParseTimeText refuses `text` because it is an integer of unknown unit.
bool IsAmbiguousTime(std::string_view text);

}  // namespace tapedeck

#endif  // TAPEDECK_MODEL_TIME_TEXT_H_
