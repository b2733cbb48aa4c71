#ifndef TAPEDECK_STORE_BATCH_REP_H_
#define TAPEDECK_STORE_BATCH_REP_H_

// What a StoreBatch is made of. Inside this module only.

#include <rocksdb/write_batch.h>

#include <optional>
#include <string>

#include "store/store.h"

namespace tapedeck {

struct StoreBatch::Rep {
  rocksdb::WriteBatch batch;
  std::optional<std::string> cluster_id;  // when the batch sets it
  std::optional<std::string> store_id;    // the same
};

struct StoreBatchAccess {
  static StoreBatch::Rep& Of(StoreBatch& batch) { return *batch.rep_; }
  /// Deletes the entry where the value is empty.
  static void PutOrDelete(StoreBatch& batch, const std::string& key, std::string_view value);
};

/// Names of the store's `m` entries.
namespace meta_names {
inline constexpr std::string_view kFormat = "format";  // varint; readable by every release for ever
inline constexpr std::string_view kNode = "node";      // bytes
inline constexpr std::string_view kStore = "store";    // bytes
inline constexpr std::string_view kCluster = "cluster";  // bytes
inline constexpr std::string_view kCommit = "commit";    // varint
inline constexpr std::string_view kFlush = "flush";      // flush:varint through_commit:varint
inline constexpr std::string_view kProbe = "probe";  // varint: written to see that writing works
}  // namespace meta_names

}  // namespace tapedeck

#endif  // TAPEDECK_STORE_BATCH_REP_H_
