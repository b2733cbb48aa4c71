#ifndef TAPEDECK_MAPPING_SELECTOR_PARSER_H_
#define TAPEDECK_MAPPING_SELECTOR_PARSER_H_

// Parses a `value` of the mapping language into a Selector. Internal to the parser of mappings.

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "mapping/program.h"
#include "mapping/spec_reader.h"

namespace tapedeck::rules {

struct SelectorContext {
  std::string name;                    // "ts", "symbol" or the column
  std::string where;                   // "records[2].fields.price"
  std::optional<ColumnType> type;      // fixed: symbol, ts, a core column, a part of a join
  bool allow_kafka = false;            // ts: "kafka" is the Kafka timestamp
  std::shared_ptr<const TimeZone> tz;  // of the mapping
};

Result<Selector> ParseSelector(const SpecReader& reader, uint32_t at,
                               const SelectorContext& context);

/// Finds a zone; the error names it.
Result<std::shared_ptr<const TimeZone>> FindZone(std::string_view name, std::string_view where);

}  // namespace tapedeck::rules

#endif  // TAPEDECK_MAPPING_SELECTOR_PARSER_H_
