#ifndef TAPEDECK_NODE_JSON_LINE_H_
#define TAPEDECK_NODE_JSON_LINE_H_

// JsonLine: one JSON object on one line, member by member, for the lines that `serve` and the tools
// print.
//
//   JsonLine line;
//   line.Text("event", "ready").Number("topics", 2).Flag("assigned", true);
//   line.Take()   // {"event":"ready","topics":2,"assigned":true}
//
// Bytes that are no UTF-8 become U+FFFD: what is printed here is for people and scripts, never a
// copy of data.
//
// Values; thread-compatible.

#include <cstdint>
#include <string>
#include <string_view>

namespace tapedeck {

class JsonLine {
 public:
  JsonLine& Text(std::string_view name, std::string_view value);
  JsonLine& Number(std::string_view name, int64_t value);
  JsonLine& Count(std::string_view name, uint64_t value);
  /// With `decimals` digits after the point, 0 to 9.
  JsonLine& Real(std::string_view name, double value, int decimals);
  JsonLine& Flag(std::string_view name, bool value);
  JsonLine& Null(std::string_view name);
  /// `json` as it is.
  JsonLine& Raw(std::string_view name, std::string_view json);
  /// The object; the line is empty afterwards.
  std::string Take();

 private:
  void Name(std::string_view name);
  std::string text_;
};

}  // namespace tapedeck

#endif  // TAPEDECK_NODE_JSON_LINE_H_
