#ifndef TAPEDECK_SHIP_VERIFY_OBJECTS_H_
#define TAPEDECK_SHIP_VERIFY_OBJECTS_H_

// GenerationCheck and TapeCheck: the content of objects against what their manifest says. Parts of
// VerifyArchive.
//
// Errors of Add and Finish: kCorruption with the first difference. Owned by one thread; the
// manifest outlives them.

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "archive/object_source.h"
#include "base/read_stop.h"
#include "base/status.h"
#include "model/manifest.h"
#include "model/message.h"
#include "model/record.h"

namespace tapedeck {

/// All objects of one record manifest, in its order.
class GenerationCheck {
 public:
  explicit GenerationCheck(const RecordManifest* manifest);
  Status Add(const ObjectSource& source, const ShippedObject& object, const ReadStop* stop);
  /// Of each format all rows.
  Status Finish() const;
  uint64_t rows() const { return rows_; }

 private:
  struct Tally {
    uint64_t rows = 0;
    Digest digest;
  };
  /// The bounds of what an object holds, as they are found.
  struct Bounds {
    uint64_t rows = 0;
    std::string first_symbol, last_symbol;
    int64_t first_ts = INT64_MAX, last_ts = INT64_MIN;
    std::map<TpId, std::pair<int64_t, int64_t>> offsets;
  };
  Status AddRows(std::string_view symbol, const Rows& rows, uint32_t first, uint32_t count,
                 Bounds* bounds) const;
  Status Compare(const Bounds& bounds, const ShippedObject& object) const;
  TpId IdOf(const TapeId& tape);

  const RecordManifest* const manifest_;
  Table table_;
  RecordHasher hasher_;
  std::vector<TapeId> tapes_;  // by Raw(tp): those of the vector
  std::vector<Hash128> tape_hashes_;
  std::map<std::string, Tally> formats_;
  uint64_t rows_ = 0;
};

/// The objects of one tape manifest.
class TapeCheck {
 public:
  explicit TapeCheck(const TapeManifest* manifest) : manifest_(manifest) {}
  Status Add(const ObjectSource& source, const ReadStop* stop);
  Status Finish() const;
  uint64_t messages() const { return messages_; }

 private:
  const TapeManifest* const manifest_;
  MessageHasher hasher_;
  Digest digest_;
  Landmark last_;
  uint64_t messages_ = 0;
};

}  // namespace tapedeck

#endif  // TAPEDECK_SHIP_VERIFY_OBJECTS_H_
