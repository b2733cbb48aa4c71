#ifndef TAPEDECK_KAFKA_COMMIT_METADATA_H_
#define TAPEDECK_KAFKA_COMMIT_METADATA_H_

// CommitMetadata: what a recorder tells the next owner of a partition along with the offset it
// commits to the group.
//
//   metadata := "tapedeck/1 " node " " store " " lineage " " run_start " " last_offset " " hash
//   node, store := bytes; other than A-Z a-z 0-9 - . _ ~ as %XX
//   lineage, run_start, last_offset := decimal numbers (last_offset -1: nothing recorded yet)
//   hash := 32 hexadecimal digits
//
//   "tapedeck/1 node-1 6f1e2c 0 1200 5121 00112233445566778899aabbccddeeff"
//
// docs/formats.md, "Commit metadata". Thread-safe: pure functions.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/hash.h"
#include "base/status.h"
#include "model/stored.h"

namespace tapedeck {

/// Brokers keep 4,096 bytes; ours stays far below.
inline constexpr size_t kCommitMetadataBytesMax = 1024;

struct CommitMetadata {
  std::string node;
  std::string store;
  uint32_t lineage = 0;
  int64_t run_start = 0;  // first offset of the uninterrupted run that ends at the committed offset
  Landmark last;          // the last message recorded below the committed offset
  bool operator==(const CommitMetadata&) const = default;
};

/// kInvalidArgument where the names make it longer than kCommitMetadataBytesMax.
Result<std::string> EncodeCommitMetadata(const CommitMetadata& metadata);

/// Nothing for metadata that is not ours, of a later version, or damaged: somebody else may commit
/// to the group, too.
std::optional<CommitMetadata> ParseCommitMetadata(std::string_view text);

}  // namespace tapedeck

#endif  // TAPEDECK_KAFKA_COMMIT_METADATA_H_
