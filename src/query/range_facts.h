#ifndef TAPEDECK_QUERY_RANGE_FACTS_H_
#define TAPEDECK_QUERY_RANGE_FACTS_H_

// What an answer says beside its records: how many there are, which symbols nobody knows, whether
// something may be missing, and which state was read.
//
//   TD_ASSIGN_OR_RETURN(uint64_t rows, CountRecords(point, query));
//   TD_ASSIGN_OR_RETURN(auto unknown, UnknownSymbols(*point, query, 20));
//   TD_ASSIGN_OR_RETURN(Coverage coverage, CoverageOf(*point, query));
//   TD_ASSIGN_OR_RETURN(std::optional<std::string> state, StateName(*point, query));
//
// Errors as of RecordCursor::Open, and kCorruption of the entries read. Thread-safe: pure functions
// of an immutable point.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "query/record_query.h"
#include "tape/read_point.h"
#include "tape/tape_cursor.h"

namespace tapedeck {

/// The number of records that the query shows; its columns, order, limit and position do not
/// matter. Append tables without `where` and `topics`: whole days are counted by their `d` entry,
/// whole series by their catalog entry, blocks inside the range by their header; blocks at its ends
/// are decoded. Otherwise every block of the range is decoded, of the columns that matter.
Result<uint64_t> CountRecords(std::shared_ptr<const ReadPoint> point, const RecordQuery& query);

/// The first `limit` symbols of the query, in its order, of which the table has no record, at any
/// time.
Result<std::vector<std::string>> UnknownSymbols(const ReadPoint& point, const RecordQuery& query,
                                                size_t limit);

enum class Coverage : uint8_t { kWhole = 0, kGaps = 1 };
/// "whole" or "gaps".
std::string_view CoverageName(Coverage coverage);

/// Whether a gap may touch the range [start, end): one of a tape whose mapping, now or in the block
/// on either side of the gap, fills the table, and whose topic is selected. Records of the missing
/// messages are believed to lie between the event times of the messages around the gap (or of the
/// blocks that these lie in); where those are unknown, anywhere on that side. Offsets that an older
/// lineage holds, and messages that this recorder's own replays made, are not missing. Gaps of
/// tapes that others recorded, or this store before it was restored, are those of their manifests.
Result<Coverage> CoverageOf(const ReadPoint& point, const RecordQuery& query);
/// The same of messages, by their time and offsets.
Result<Coverage> CoverageOf(const ReadPoint& point, const MessageQuery& query);

/// A name of the state that the query's table is in within its range: equal names, equal answers.
/// nullopt where the state may change under the same name: open rows, or a generation that is still
/// open, in the range. A range that holds nothing has a name: it loses it with the first row.
///   name := hash [ "-" number of the flush that closed its newest generation ]
Result<std::optional<std::string>> StateName(const ReadPoint& point, const RecordQuery& query);
/// Where a state of that name is to be found, if it still is: ReadPoint::At, and then its name is
/// the same. nullopt: it is no name.
std::optional<StatePin> PinOf(std::string_view state_name);

}  // namespace tapedeck

#endif  // TAPEDECK_QUERY_RANGE_FACTS_H_
