#ifndef TAPEDECK_MAPPING_PROGRAM_H_
#define TAPEDECK_MAPPING_PROGRAM_H_

// Program: a mapping's rules parsed into structures that the decoder walks. Made from the mapping's
// JSON text (base already resolved); docs/mapping.md describes the language, mapping.h the way a
// mapping takes.
//
// A value of the language is a Selector, a list of sources, tried in order; a nested list is
// flattened. Sources that stand in one `path = […]` form a group: the first of them that is there
// and not null decides for the group, and only what `map` or `extract` makes null of it lets the
// next group have a go.
//
// A value once made; thread-compatible, but patterns keep memory, so one Program belongs to one
// decoder.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/status.h"
#include "base/timezone.h"
#include "mapping/json_tree.h"
#include "mapping/path.h"
#include "mapping/pattern.h"
#include "model/table.h"
#include "model/value.h"

namespace tapedeck::rules {

enum class Format : uint8_t { kAuto, kJson, kCsv, kConfluent, kAvro, kNone };
enum class TimeForm : uint8_t {
  kAny,
  kSeconds,
  kMilliseconds,
  kMicroseconds,
  kNanoseconds,
  kIso,
  kDate
};

/// Why a record is refused; the reason reads "bad-number: size (v)".
enum class Fault : uint8_t {
  kNone,
  kNotJson,
  kBadNumber,
  kBadTime,
  kBadFlag,
  kBadText,
  kNoZone,
  kImplausible,
};
inline constexpr size_t kFaults = 8;
std::string_view FaultName(Fault fault);

struct Source {
  enum class Kind : uint8_t { kPath, kConstant, kJoin, kKafka };
  Kind kind = Kind::kPath;
  Path path;
  std::string constant;
  std::vector<std::vector<Source>> parts;  // kJoin: a value each
  std::string separator;
  size_t group_end = 0;  // the first source after this one's group

  TimeForm time = TimeForm::kAny;
  std::shared_ptr<const TimeZone> tz;  // of this source, else the mapping's
  bool base64 = false;
  std::optional<uint8_t> scale;  // an unscaled integer with that many decimals
  std::vector<std::pair<std::string, std::string>> map;
  bool has_map = false;
  std::shared_ptr<Pattern> extract;

  std::string label;             // the path, for ts_source and reasons
  std::string reasons[kFaults];  // "bad-number: size (v)"

  bool plain() const { return !has_map && !extract && !base64 && !scale; }
};

struct Selector {
  std::string name;  // "ts", "symbol" or the column's
  std::vector<Source> sources;
  ColumnType type = ColumnType::kDecimal;
  std::string missing;  // "no-symbol: code | @key"
};

struct Rule {
  std::vector<Condition> when;  // any of them; empty: always
  std::vector<Path> each;       // empty: the unit itself
  std::string table;
  Selector symbol;
  Selector ts;
  std::vector<Selector> fields;
};

struct Program {
  Format format = Format::kAuto;
  std::vector<std::string> columns;  // csv without a header row
  std::vector<Path> each;
  std::vector<Condition> refuse;
  std::vector<Condition> skip;
  std::string zone;  // name of tz, or ""
  std::shared_ptr<const TimeZone> tz;
  bool skip_unmatched = false;
  bool accept_nan = false;
  bool stop_on_error = false;
  std::vector<Rule> rules;
};

/// Parses the object at `at` of `tree`. Errors name rule, key and what is known instead.
Result<Program> ParseProgram(const json::Tree& tree, uint32_t at);

/// The keys that a mapping may have besides "base", for checking parts of one.
Status CheckMappingKeys(const json::Tree& tree, uint32_t at);

}  // namespace tapedeck::rules

#endif  // TAPEDECK_MAPPING_PROGRAM_H_
