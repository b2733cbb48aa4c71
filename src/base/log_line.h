#ifndef TAPEDECK_BASE_LOG_LINE_H_
#define TAPEDECK_BASE_LOG_LINE_H_

// The two halves of base/log.h that have no state of the process: how an event becomes a line, and
// which events of a flood are written.
//
// FormatLogLine is thread-safe; a LogThrottle is owned by one thread (the log holds its lock around
// it).

#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <map>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/log.h"
#include "base/time.h"

namespace tapedeck {

struct LogEvent {
  Timestamp ts;
  LogLevel level = LogLevel::kInfo;
  std::string_view component;
  std::string_view event;
  std::string_view message;
  std::initializer_list<LogField> fields;
  uint64_t left_out = 0;  // events like this one that were not written before it
};

/// One line without its end. kJson: an object; otherwise for people:
///   2026-11-21T09:24:00.000Z warn  kafka commit-failed: the group took no commit topic=Finhub1
///   error="a b"
/// Either way nothing in the event can end the line, move a cursor or add a field.
std::string FormatLogLine(const LogEvent& event, LogFormat format);

/// "debug", "info", "warn", "error".
std::string_view LogLevelName(LogLevel level);

/// Of each (component, event) at most kBurst within any kWindow.
class LogThrottle {
 public:
  static constexpr size_t kBurst = 10;
  static constexpr MonotonicTime kWindow = std::chrono::seconds(10);
  /// Names are literals of the program, some 200; were they ever not, all others share one entry.
  static constexpr size_t kKeysMax = 1024;

  /// Whether to write this event; if so, `left_out` says how many were not since the last one
  /// written.
  bool Admit(std::string_view component, std::string_view event, MonotonicTime now,
             uint64_t* left_out);

 private:
  struct Entry {
    std::array<MonotonicTime, kBurst> written{};  // a ring: when the last kBurst were
    uint64_t count = 0;                           // written so far
    uint64_t left_out = 0;
  };
  std::map<std::string, Entry, std::less<>> entries_;
};

}  // namespace tapedeck

#endif  // TAPEDECK_BASE_LOG_LINE_H_
