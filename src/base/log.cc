#include "base/log.h"

#include <spdlog/logger.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <unistd.h>

#include <atomic>
#include <memory>
#include <mutex>

#include "base/clock.h"
#include "base/log_line.h"

namespace tapedeck {
namespace {

/// The one state of the process here, because stderr is one: who logs should not have to be handed
/// a logger. Holds what ConfigureLog said and the throttle; never destroyed, so that threads may
/// log while the process ends.
class ProcessLog {
 public:
  static ProcessLog& Get() {
    static ProcessLog* const log = new ProcessLog;
    return *log;
  }

  void Configure(LogLevel level, LogFormat format) {
    level_.store(level, std::memory_order_relaxed);
    format_.store(format, std::memory_order_relaxed);
  }
  bool Enabled(LogLevel level) const { return level >= level_.load(std::memory_order_relaxed); }

  void Write(LogEvent event) {
    if (event.level >= LogLevel::kWarn && !Admit(&event)) return;
    LogFormat format = format_.load(std::memory_order_relaxed);
    if (format == LogFormat::kAuto) format = on_terminal_ ? LogFormat::kText : LogFormat::kJson;
    logger_.log(spdlog::level::info, FormatLogLine(event, format));
  }

 private:
  ProcessLog() {
    // The line is complete; the level was decided before; a line is out when the call returns.
    logger_.set_pattern("%v");
    logger_.set_level(spdlog::level::trace);
    logger_.flush_on(spdlog::level::trace);
  }

  bool Admit(LogEvent* event) {
    std::lock_guard lock(mutex_);
    return throttle_.Admit(event->component, event->event, SystemClock().Monotonic(),
                           &event->left_out);
  }

  std::atomic<LogLevel> level_{LogLevel::kInfo};
  std::atomic<LogFormat> format_{LogFormat::kAuto};
  const bool on_terminal_ = ::isatty(STDERR_FILENO) != 0;
  spdlog::logger logger_{"tapedeck", std::make_shared<spdlog::sinks::stderr_sink_mt>()};
  std::mutex mutex_;  // protects throttle_
  LogThrottle throttle_;
};

}  // namespace

void ConfigureLog(LogLevel level, LogFormat format) { ProcessLog::Get().Configure(level, format); }

bool LogEnabled(LogLevel level) { return ProcessLog::Get().Enabled(level); }

void Log(LogLevel level, std::string_view component, std::string_view event,
         std::string_view message, std::initializer_list<LogField> fields) {
  ProcessLog& log = ProcessLog::Get();
  if (!log.Enabled(level)) return;
  log.Write({SystemClock().Now(), level, component, event, message, fields, 0});
}

}  // namespace tapedeck
