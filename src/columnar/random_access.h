#ifndef TAPEDECK_COLUMNAR_RANDOM_ACCESS_H_
#define TAPEDECK_COLUMNAR_RANDOM_ACCESS_H_

// RandomAccess: the bytes of something finished, any part of them at any time.
//
// A seam: what reads Parquet does not know whether the bytes lie in a file, behind HTTP or in a
// cache.
//
// Thread-compatible: const methods may be called from several threads at once.

#include <cstdint>
#include <span>

#include "base/status.h"

namespace tapedeck {

/// Some bytes, by their place.
struct ByteExtent {
  uint64_t offset = 0;
  uint64_t bytes = 0;
};

class RandomAccess {
 public:
  virtual ~RandomAccess() = default;
  virtual uint64_t bytes() const = 0;
  /// Fills `to` with the bytes from `offset` on; all of them lie within bytes(), else
  /// kInvalidArgument. Errors of where the bytes lie come as they are.
  virtual Status Read(uint64_t offset, std::span<char> to) const = 0;
  /// These are read next, each by one Read: what answers slowly may fetch them together. They lie
  /// within bytes(). Nothing but time follows from it.
  virtual Status Expect(std::span<const ByteExtent> extents) const {
    (void)extents;
    return Status::Ok();
  }
};

}  // namespace tapedeck

#endif  // TAPEDECK_COLUMNAR_RANDOM_ACCESS_H_
