#ifndef TAPEDECK_ARCHIVE_RECORD_BOUNDS_H_
#define TAPEDECK_ARCHIVE_RECORD_BOUNDS_H_

// RecordBounds: what a manifest says of the rows of an object, gathered as they pass, and whether
// they pass in order.
//
// Owned by one thread.

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/status.h"
#include "columnar/layout.h"
#include "model/manifest.h"
#include "model/origin.h"

namespace tapedeck {

class RecordBounds {
 public:
  explicit RecordBounds(std::vector<std::pair<TpId, TapeId>> tapes);

  /// kInvalidArgument: symbols or times out of order, an unknown tape, a Kafka time that is not
  /// whole milliseconds, or one of a column that is out of a type's bounds.
  Status Add(const RowSlice& rows);
  /// Symbols, times and offsets since the last Take; the order goes on from there.
  ShippedObject Take();

 private:
  struct Tape {
    TapeId tape;
    int64_t first = INT64_MAX;
    int64_t last = INT64_MIN;  // greatest
  };
  Status AddOrigins(const RowSlice& rows);

  std::vector<std::optional<Tape>> tapes_;  // by tp id
  std::vector<uint32_t> order_;             // tp ids by (topic, partition, lineage)
  ShippedObject object_;
  bool is_empty_ = true;
  std::optional<std::string> symbol_;  // of the last row
  int64_t ts_ = INT64_MIN;             // of the last row
};

}  // namespace tapedeck

#endif  // TAPEDECK_ARCHIVE_RECORD_BOUNDS_H_
