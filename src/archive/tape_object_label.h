#ifndef TAPEDECK_ARCHIVE_TAPE_OBJECT_LABEL_H_
#define TAPEDECK_ARCHIVE_TAPE_OBJECT_LABEL_H_

// What a tape object says of itself, in the key-value metadata of its Parquet file:
//   tapedeck.tape       := "1"                 version of this form
//   tapedeck.writer     := "tapedeck 0.1.0"
//   tapedeck.topic      := name, percent-encoded
//   tapedeck.partition  := decimal
//   tapedeck.lineage    := decimal
//   tapedeck.sums       see columnar/parquet_sums.h
// Columns: columnar/message_writer.h, docs/archive.md.

#include <string_view>

namespace tapedeck {

inline constexpr std::string_view kTapeKey = "tapedeck.tape";
inline constexpr std::string_view kTapeVersion = "1";
inline constexpr std::string_view kTapeWriterKey = "tapedeck.writer";
inline constexpr std::string_view kTopicKey = "tapedeck.topic";
inline constexpr std::string_view kPartitionKey = "tapedeck.partition";
inline constexpr std::string_view kLineageKey = "tapedeck.lineage";

}  // namespace tapedeck

#endif  // TAPEDECK_ARCHIVE_TAPE_OBJECT_LABEL_H_
