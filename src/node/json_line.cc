#include "node/json_line.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "base/text.h"

namespace tapedeck {
void JsonLine::Name(std::string_view name) {
  text_ += text_.empty() ? "{" : ",";
  AppendJsonString(name, &text_);
  text_ += ':';
}

JsonLine& JsonLine::Text(std::string_view name, std::string_view value) {
  Name(name);
  AppendJsonString(value, &text_);
  return *this;
}

JsonLine& JsonLine::Number(std::string_view name, int64_t value) {
  Name(name);
  text_ += std::to_string(value);
  return *this;
}

JsonLine& JsonLine::Count(std::string_view name, uint64_t value) {
  Name(name);
  text_ += std::to_string(value);
  return *this;
}

JsonLine& JsonLine::Real(std::string_view name, double value, int decimals) {
  if (!std::isfinite(value)) return Null(name);
  Name(name);
  char buffer[400];
  std::snprintf(buffer, sizeof buffer, "%.*f", std::clamp(decimals, 0, 9), value);
  text_ += buffer;
  return *this;
}

JsonLine& JsonLine::Flag(std::string_view name, bool value) {
  Name(name);
  text_ += value ? "true" : "false";
  return *this;
}

JsonLine& JsonLine::Null(std::string_view name) {
  Name(name);
  text_ += "null";
  return *this;
}

JsonLine& JsonLine::Raw(std::string_view name, std::string_view json) {
  Name(name);
  text_ += json;
  return *this;
}

std::string JsonLine::Take() {
  std::string line = text_.empty() ? "{}" : std::move(text_) + "}";
  text_.clear();
  return line;
}

}  // namespace tapedeck
