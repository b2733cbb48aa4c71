#ifndef TAPEDECK_MAPPING_PATH_H_
#define TAPEDECK_MAPPING_PATH_H_

// Paths and conditions of the mapping language, parsed.
//
//   path      = start { "." name | "[" int "]" | "[" '"' text '"' "]" | "[*]" | ".*" }
//   start     = name | "$" | "^"… | "." | "@" word | "[" … "]"
//   condition = test { "&&" test }
//   test      = path ("==" | "!=") literal | ["!"] "exists(" path ")"
//   literal   = "text" | number | true | false | null
//   name      = letters, digits, "_", "-" and anything beyond ASCII; other names are written ["like
//   this"]
//
// Errors say where: "path 'a..b', position 3: a name is expected".
//
// Values; thread-compatible.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/decimal.h"
#include "base/status.h"

namespace tapedeck::rules {

struct Step {
  enum class Kind : uint8_t { kMember, kIndex, kEachElement, kEachAny };
  Kind kind = Kind::kMember;
  std::string name;
  uint32_t index = 0;

  bool star() const { return kind == Kind::kEachElement || kind == Kind::kEachAny; }
};

struct Path {
  /// kHere: the unit or element; kUp: `up` levels further out; kRoot: the message; the rest: its
  /// name, or of the Kafka message.
  enum class Start : uint8_t { kHere, kUp, kRoot, kName, kKey, kTopic, kPartition, kHeader };
  Start start = Start::kHere;
  uint32_t up = 0;
  std::string header;
  std::vector<Step> steps;
  std::string text;  // as written

  bool in_json() const { return start <= Start::kRoot; }
  bool has_star() const;
};

/// kEach: a path with stars, from the unit or the message only. kValue: no stars.
enum class PathUse : uint8_t { kValue, kEach };
Result<Path> ParsePath(std::string_view text, PathUse use);

/// A number for comparing by value.
struct ComparableNumber {
  DecimalForm form = DecimalForm::kBad;
  Decimal decimal;
  std::string canonical;  // form kText

  static ComparableNumber Of(std::string_view text);
  bool Equals(const ComparableNumber& other) const;
};

struct Literal {
  enum class Kind : uint8_t { kText, kNumber, kTrue, kFalse, kNull };
  Kind kind = Kind::kNull;
  std::string text;
  ComparableNumber number;
};

struct Test {
  enum class Op : uint8_t { kEqual, kDiffer, kExists, kMissing };
  Path path;
  Op op = Op::kEqual;
  Literal literal;
};

/// All of its tests.
struct Condition {
  std::vector<Test> tests;
  std::string text;  // as written: the reason of what it refuses or skips
};
Result<Condition> ParseCondition(std::string_view text);

}  // namespace tapedeck::rules

#endif  // TAPEDECK_MAPPING_PATH_H_
