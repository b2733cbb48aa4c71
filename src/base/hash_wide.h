#ifndef TAPEDECK_BASE_HASH_WIDE_H_
#define TAPEDECK_BASE_HASH_WIDE_H_

// XXH3 of long inputs with vectors of 32 bytes (AVX2): the same hashes as everywhere, in half the
// time. Inside base only; hash.cc asks the processor and picks.
//
// The functions live in a source of their own because all of it is compiled for such processors.
// That source includes nothing of ours and nothing of the C++ library: an inline function compiled
// there could be the one copy that the linker keeps for the whole program.
//
// Thread-safe: pure functions.

#include <cstddef>
#include <cstdint>

namespace tapedeck::hash_wide {

/// Inputs of at most this many bytes are hashed without vectors, by whoever asks.
inline constexpr size_t kShortMax = 240;

struct Words128 {
  uint64_t low;
  uint64_t high;
};

/// Only where the processor has AVX2.
Words128 Hash128(const void* bytes, size_t size);
uint64_t Hash64(const void* bytes, size_t size, uint64_t seed);

}  // namespace tapedeck::hash_wide

#endif  // TAPEDECK_BASE_HASH_WIDE_H_
