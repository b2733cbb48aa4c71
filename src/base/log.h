#ifndef TAPEDECK_BASE_LOG_H_
#define TAPEDECK_BASE_LOG_H_

// Logs: one event per line on stderr, as text on a terminal and as a JSON object otherwise. Wraps
// spdlog.
//
//   TD_LOG(kInfo, "record", "assigned", "partitions assigned", {{"topic", topic}, {"count",
//   std::to_string(n)}});
//
// -> {"ts":"2026-11-21T09:24:00.000000000Z","level":"info","component":"record","event":"assigned",
//     "msg":"partitions assigned","topic":"Finhub1","count":"12"}
//
// Values are escaped: a symbol or a header can hold anything. An event of the same component and
// name at level warn or error is written at most 10 times in 10 s; the next one says how many were
// left out. Nothing secret is ever passed here.
//
// Thread-safe.

#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

namespace tapedeck {

enum class LogLevel : int { kDebug = 0, kInfo = 1, kWarn = 2, kError = 3 };
enum class LogFormat : int { kAuto = 0, kText = 1, kJson = 2 };

using LogField = std::pair<std::string_view, std::string>;

/// Level and format for the process. Before the first call: kInfo, kAuto.
void ConfigureLog(LogLevel level, LogFormat format);
bool LogEnabled(LogLevel level);
void Log(LogLevel level, std::string_view component, std::string_view event,
         std::string_view message, std::initializer_list<LogField> fields = {});

}  // namespace tapedeck

#define TD_LOG(level, component, event, ...)                                       \
  do {                                                                             \
    if (::tapedeck::LogEnabled(::tapedeck::LogLevel::level))                       \
      ::tapedeck::Log(::tapedeck::LogLevel::level, component, event, __VA_ARGS__); \
  } while (false)

#endif  // TAPEDECK_BASE_LOG_H_
