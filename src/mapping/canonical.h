#ifndef TAPEDECK_MAPPING_CANONICAL_H_
#define TAPEDECK_MAPPING_CANONICAL_H_

// The canonical text of a mapping: JSON with sorted keys and no blanks, one text for equal
// mappings.
//
//   canonical := {"decoder":1,"mapping":{…},"max_ahead_ns":N,"name":"…","symbol_prefix":"…"}
//
// "decoder" is the version of the rules that run it (kDecoderVersion): it grows when the same
// mapping would give other records. Persisted (prefix `v`); docs/mapping.md, "Identity".
// Thread-safe: pure functions.

#include <cstdint>
#include <string>
#include <string_view>

#include "base/status.h"
#include "mapping/json_tree.h"
#include "mapping/program.h"

namespace tapedeck::rules {

inline constexpr int64_t kDecoderVersion = 1;

/// Appends the value with sorted keys and without blanks. kInvalidArgument: a bad escape, a bad
/// scalar, a key that comes twice.
Status AppendCanonicalJson(const json::Tree& tree, uint32_t at, std::string* out);

struct ParsedMapping {
  std::string name;
  std::string symbol_prefix;
  int64_t max_ahead_ns = 0;
  Program program;
};
/// kCorruption where `canonical` is not a canonical text, kFailedPrecondition for a newer decoder.
Result<ParsedMapping> ParseCanonical(std::string_view canonical);

}  // namespace tapedeck::rules

#endif  // TAPEDECK_MAPPING_CANONICAL_H_
