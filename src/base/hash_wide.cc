// See hash_wide.h for what may be included here.

#include "base/hash_wide.h"

#if defined(__AVX2__)
#define XXH_INLINE_ALL
#include <immintrin.h>
#include <xxhash.h>

namespace tapedeck::hash_wide {

// Upper halves of registers that are left in use slow down every SSE instruction of the program
// that follows. GCC 12 does not clear them here by itself.

Words128 Hash128(const void* bytes, size_t size) {
  const XXH128_hash_t hash = XXH3_128bits(bytes, size);
  _mm256_zeroupper();
  return {hash.low64, hash.high64};
}

uint64_t Hash64(const void* bytes, size_t size, uint64_t seed) {
  const uint64_t hash = XXH3_64bits_withSeed(bytes, size, seed);
  _mm256_zeroupper();
  return hash;
}

}  // namespace tapedeck::hash_wide
#endif
