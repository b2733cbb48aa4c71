#include "base/log_line.h"

#include <algorithm>
#include <functional>

#include "base/text.h"

namespace tapedeck {
namespace {

void AppendJsonField(std::string_view key, std::string_view value, std::string* line) {
  *line += ',';
  AppendJsonString(key, line);
  *line += ':';
  AppendJsonString(value, line);
}

std::string JsonLine(const LogEvent& event) {
  std::string line = "{\"ts\":\"";
  line += FormatRfc3339(event.ts);
  line += '"';
  AppendJsonField("level", LogLevelName(event.level), &line);
  AppendJsonField("component", event.component, &line);
  AppendJsonField("event", event.event, &line);
  AppendJsonField("msg", event.message, &line);
  for (const auto& [key, value] : event.fields) AppendJsonField(key, value, &line);
  if (event.left_out > 0) AppendJsonField("left_out", std::to_string(event.left_out), &line);
  line += '}';
  return line;
}

/// A value that needs no quotes to be told from what follows it.
bool IsPlainWord(std::string_view value) {
  auto plain = [](char c) { return c > 0x20 && c < 0x7F && c != '"' && c != '\\' && c != '='; };
  return !value.empty() && std::ranges::all_of(value, plain);
}

void AppendTextField(std::string_view key, std::string_view value, std::string* line) {
  *line += ' ';
  AppendJsonEscaped(key, line);
  *line += '=';
  if (IsPlainWord(value)) {
    *line += value;
  } else {
    AppendJsonString(value, line);
  }
}

std::string TextLine(const LogEvent& event) {
  std::string line = FormatRfc3339(event.ts);
  line.erase(23, 6);  // milliseconds are enough for eyes
  std::string_view level = LogLevelName(event.level);
  line.append(" ").append(level).append(6 - level.size(), ' ');
  AppendJsonEscaped(event.component, &line);
  line += ' ';
  AppendJsonEscaped(event.event, &line);
  line += ": ";
  AppendJsonEscaped(event.message, &line);
  for (const auto& [key, value] : event.fields) AppendTextField(key, value, &line);
  if (event.left_out > 0) AppendTextField("left_out", std::to_string(event.left_out), &line);
  return line;
}

}  // namespace

std::string_view LogLevelName(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return "debug";
    case LogLevel::kInfo:
      return "info";
    case LogLevel::kWarn:
      return "warn";
    case LogLevel::kError:
      return "error";
  }
  return "error";
}

std::string FormatLogLine(const LogEvent& event, LogFormat format) {
  return format == LogFormat::kJson ? JsonLine(event) : TextLine(event);
}

bool LogThrottle::Admit(std::string_view component, std::string_view event, MonotonicTime now,
                        uint64_t* left_out) {
  std::string key;
  key.append(component).append(1, '\0').append(event);
  auto found = entries_.find(key);
  if (found == entries_.end()) {
    if (entries_.size() >= kKeysMax) key.clear();
    found = entries_.try_emplace(std::move(key)).first;
  }
  Entry& entry = found->second;
  MonotonicTime& oldest = entry.written[entry.count % kBurst];
  if (entry.count >= kBurst && now - oldest < kWindow) {
    ++entry.left_out;
    return false;
  }
  oldest = now;
  ++entry.count;
  *left_out = entry.left_out;
  entry.left_out = 0;
  return true;
}

}  // namespace tapedeck
