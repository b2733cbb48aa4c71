#ifndef TAPEDECK_BASE_JSON_TEXT_H_
#define TAPEDECK_BASE_JSON_TEXT_H_

// JsonObject, JsonArray: JSON written member by member. Unlike a tree of values nothing here
// allocates when it is destroyed, so running out of memory in the middle is an exception and no
// more.
//
//   JsonObject object;
//   object.Text("topic", topic).Count("messages", n).Raw("gaps", gaps.Take());
//   object.Take()    // {"topic":"…","messages":3,"gaps":[…]}
//
// Bytes that are no UTF-8 become U+FFFD. Values; thread-compatible.

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "base/text.h"

namespace tapedeck {

class JsonObject {
 public:
  JsonObject& Text(std::string_view name, std::string_view value) {
    Name(name);
    AppendJsonString(value, &text_);
    return *this;
  }
  /// null where it is "".
  JsonObject& TextOrNull(std::string_view name, std::string_view value) {
    return value.empty() ? Raw(name, "null") : Text(name, value);
  }
  JsonObject& Number(std::string_view name, int64_t value) {
    return Raw(name, std::to_string(value));
  }
  JsonObject& Count(std::string_view name, uint64_t value) {
    return Raw(name, std::to_string(value));
  }
  JsonObject& Flag(std::string_view name, bool value) {
    return Raw(name, value ? "true" : "false");
  }
  /// `json` as it is.
  JsonObject& Raw(std::string_view name, std::string_view json) {
    Name(name);
    text_ += json;
    return *this;
  }
  /// The object; it is empty afterwards.
  std::string Take() { return text_.empty() ? "{}" : std::exchange(text_, {}) + "}"; }

 private:
  void Name(std::string_view name) {
    text_ += text_.empty() ? '{' : ',';
    AppendJsonString(name, &text_);
    text_ += ':';
  }
  std::string text_;
};

class JsonArray {
 public:
  JsonArray& Text(std::string_view value) {
    std::string json;
    AppendJsonString(value, &json);
    return Raw(json);
  }
  JsonArray& Raw(std::string_view json) {
    text_ += text_.empty() ? '[' : ',';
    text_ += json;
    return *this;
  }
  std::string Take() { return text_.empty() ? "[]" : std::exchange(text_, {}) + "]"; }

 private:
  std::string text_;
};

}  // namespace tapedeck

#endif  // TAPEDECK_BASE_JSON_TEXT_H_
