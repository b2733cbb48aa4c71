#ifndef TAPEDECK_BASE_LIMITS_H_
#define TAPEDECK_BASE_LIMITS_H_

// Every limit of tapedeck in one place, each with its reason. Sizes in bytes.

#include <cstddef>
#include <cstdint>

namespace tapedeck::limits {

/// A Kafka message: key, value and headers together. Kafka's own default is 1 MiB; brokers are
/// seldom set above 10.
inline constexpr size_t kMessageBytesMax = size_t{64} << 20;
/// A raw (uncompressed) tape block. A block holds at least one message, so a message of the
/// greatest size must fit.
inline constexpr size_t kTapeBlockRawBytesMax = kMessageBytesMax + (size_t{1} << 20);
/// An open tape block is sealed at this size even before its commit: zstd gains nothing beyond,
/// reads cost more.
inline constexpr size_t kTapeBlockSealBytes = size_t{1} << 20;
/// Messages of one tape block: bounds what a decoder allocates for offsets and lengths.
inline constexpr size_t kTapeBlockMessagesMax = 1u << 20;
/// Background merging joins tape blocks towards this size (raw): large ones compress better
/// and have fewer entries.
inline constexpr size_t kTapeMergeBytes = size_t{256} << 10;
/// Rows of a series block: 4,096 rows decode in about 60 us and compress within 2 % of larger
/// blocks.
inline constexpr size_t kSeriesBlockRows = 4096;
/// What a decoder accepts: room for a later, larger block.
inline constexpr size_t kSeriesBlockRowsMax = 1u << 16;
/// A decoded series block: text columns of kSeriesBlockRows rows at a kilobyte each fit many times
/// over.
inline constexpr size_t kSeriesBlockRawBytesMax = size_t{64} << 20;
/// A text field of a record, and a symbol. Longer: the record is refused.
inline constexpr size_t kTextBytesMax = size_t{1} << 20;
inline constexpr size_t kSymbolBytesMax = 1024;
/// Tables of a store: each costs memory in every view; feeds need a handful.
inline constexpr size_t kTablesMax = 1024;
/// Columns of a table: a mapping with more is a mistake.
inline constexpr size_t kTableColumnsMax = 256;
/// Records that one message may hold: a 64 MiB array of 2-byte elements is a bomb, not a feed.
inline constexpr size_t kRecordsPerMessageMax = 1u << 20;
/// Depth of a JSON document (docs/faults.md, S12: 32 for requests; real feeds nest below 10).
inline constexpr size_t kJsonDepthMax = 64;
/// Values of one JSON message: bounds the tree of a decoder at 96 MiB; a full listing of 5,000
/// coins has 300,000.
inline constexpr size_t kJsonNodesMax = size_t{1} << 22;
/// JSON text of one mapping; the greatest preset has 9 kB.
inline constexpr size_t kMappingBytesMax = size_t{1} << 20;
/// Text that an `extract` expression looks at, and the size of its compiled program: time is at
/// most the product.
inline constexpr size_t kExtractTextBytesMax = 4096;
inline constexpr size_t kExtractProgramMax = 2000;
/// A message that a learned layout may take; longer ones gain nothing and cost a copy.
inline constexpr size_t kLayoutBytesMax = size_t{16} << 10;
/// Layouts that a decoder remembers: a topic mixes a handful.
inline constexpr size_t kLayoutsMax = 32;
/// Symbols named in the summary of a tape index entry; more: the summary says "many".
inline constexpr size_t kTapeSummarySymbolsMax = 64;
/// A configuration file: the 19 presets together are 30 kB.
inline constexpr size_t kConfigBytesMax = size_t{4} << 20;
/// Topics of a configuration: one entry may be a pattern, so more is a mistake.
inline constexpr size_t kTopicEntriesMax = 1024;

}  // namespace tapedeck::limits

#endif  // TAPEDECK_BASE_LIMITS_H_
