#ifndef TAPEDECK_BASE_HASH_H_
#define TAPEDECK_BASE_HASH_H_

// Hash128 (XXH3-128, by Yann Collet's xxHash) and digests.
//
// A digest is the sum mod 2^128 of the hashes of a multiset: order does not matter, each element
// counts once for each time it is there, and two digests can be added or subtracted. It finds
// accidents, not attackers.
//
// Thread-safe: pure functions; a Hasher is owned by one thread.

#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>

#include "base/status.h"

namespace tapedeck {

struct Hash128 {
  uint64_t high = 0;
  uint64_t low = 0;
  bool operator==(const Hash128&) const = default;
  auto operator<=>(const Hash128&) const = default;

  /// Sum and difference mod 2^128.
  Hash128& operator+=(const Hash128& other) {
    uint64_t sum = low + other.low;
    high += other.high + (sum < low ? 1 : 0);
    low = sum;
    return *this;
  }
  Hash128& operator-=(const Hash128& other) {
    uint64_t borrow = low < other.low ? 1 : 0;
    low -= other.low;
    high -= other.high + borrow;
    return *this;
  }
  /// 32 lower-case hexadecimal digits.
  std::string ToString() const;
  static Result<Hash128> Parse(std::string_view hex);
};

using Digest = Hash128;

Hash128 HashBytes(std::string_view bytes);
/// XXH3-64, for checks inside one process and for block checksums.
uint64_t HashBytes64(std::string_view bytes, uint64_t seed = 0);

/// Hashes a concatenation of parts without building it. Reset before each use after the first.
class Hasher {
 public:
  Hasher();
  ~Hasher();
  Hasher(const Hasher&) = delete;
  Hasher& operator=(const Hasher&) = delete;
  void Reset();
  void Update(std::string_view bytes);
  Hash128 Finish() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace tapedeck

#endif  // TAPEDECK_BASE_HASH_H_
