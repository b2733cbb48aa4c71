#ifndef TAPEDECK_QUERY_LISTING_TEXT_H_
#define TAPEDECK_QUERY_LISTING_TEXT_H_

// Listings as text: each entry as a JSON object and as the cells of a table or CSV line.
//
//   ListingText text = SymbolText(entry);
//   text.json    // {"symbol":"BTC","tables":["trades"],"first_ts":"…","last_ts":"…","rows":12}
//   text.cells   // as SymbolColumns() names them
//
// Thread-safe: pure functions.

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "model/table.h"
#include "query/listing.h"

namespace tapedeck {

struct ListingText {
  std::string json;
  std::vector<std::string> cells;
};

/// {"table":…,"kind":"append"|"upsert","identity":[…],"day":"day",
///  "columns":[{"name":…,"type":…},…]}
ListingText TableText(const Table& table);
/// The same with "topics":[…] in front of "columns"; cells as TableTopicColumns() names them.
ListingText TableText(const TableEntry& entry);
std::span<const std::string_view> TableTopicColumns();
std::span<const std::string_view> TableColumns();

ListingText SymbolText(const SymbolEntry& entry);
std::span<const std::string_view> SymbolColumns();

/// One topic, of its partitions in order. Offsets are next ones: one past the last; every commit is
/// synced, so stored = durable.
/// {"topic":…,"mapping":…,"partitions":[{"partition":…,"lineage":…,"received":…,"stored":…,
///  "durable":…,"shipped":…,"lag":null},…]}
ListingText TopicText(std::span<const PartitionEntry> partitions);
std::span<const std::string_view> TopicColumns();

/// {"topic":…,"partition":…,"lineage":…,"from_offset":…,"received":…,"stored":…,
///  "durable":…,"shipped":…,"messages":…,"records":…,"refused":…,
///  "digest":"xxh3-128-sum:…","gaps":[{"from":…,"to":…,"reason":…,"at":…},…]}
ListingText CoverageText(const PartitionEntry& entry);
std::span<const std::string_view> CoverageColumns();

ListingText RefusedText(const RefusedMessage& refused);
std::span<const std::string_view> RefusedColumns();

}  // namespace tapedeck

#endif  // TAPEDECK_QUERY_LISTING_TEXT_H_
