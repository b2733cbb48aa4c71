#include "base/hash.h"

// Inputs are mostly short: a call through the library's table costs as much as the hash.
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/hash_wide.h"

namespace tapedeck {
namespace {

constexpr char kHexDigits[] = "0123456789abcdef";
constexpr size_t kHexSize = 32;

int HexValue(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

#if defined(__x86_64__)
const bool kHasAvx2 = __builtin_cpu_supports("avx2") != 0;
bool Wide(size_t size) { return size > hash_wide::kShortMax && kHasAvx2; }
#endif

Hash128 FromXxh(XXH128_hash_t hash) { return {hash.high64, hash.low64}; }

}  // namespace

std::string Hash128::ToString() const {
  std::string text(kHexSize, '0');
  for (size_t i = 0; i < 16; ++i) {
    text[15 - i] = kHexDigits[(high >> (4 * i)) & 15];
    text[31 - i] = kHexDigits[(low >> (4 * i)) & 15];
  }
  return text;
}

Result<Hash128> Hash128::Parse(std::string_view hex) {
  if (hex.size() != kHexSize) {
    return Status::InvalidArgument("a hash has 32 hexadecimal digits, not " +
                                   std::to_string(hex.size()) + " characters");
  }
  Hash128 hash;
  for (size_t i = 0; i < kHexSize; ++i) {
    int digit = HexValue(hex[i]);
    if (digit < 0) {
      return Status::InvalidArgument("a hash has lower-case hexadecimal digits only; character " +
                                     std::to_string(i + 1) + " is another");
    }
    uint64_t& half = i < 16 ? hash.high : hash.low;
    half = half << 4 | static_cast<uint64_t>(digit);
  }
  return hash;
}

Hash128 HashBytes(std::string_view bytes) {
#if defined(__x86_64__)
  if (Wide(bytes.size())) {
    const hash_wide::Words128 words = hash_wide::Hash128(bytes.data(), bytes.size());
    return {words.high, words.low};
  }
#endif
  return FromXxh(XXH3_128bits(bytes.data(), bytes.size()));
}

uint64_t HashBytes64(std::string_view bytes, uint64_t seed) {
#if defined(__x86_64__)
  if (Wide(bytes.size())) return hash_wide::Hash64(bytes.data(), bytes.size(), seed);
#endif
  return XXH3_64bits_withSeed(bytes.data(), bytes.size(), seed);
}

struct Hasher::State {
  XXH3_state_t xxh;
};

Hasher::Hasher() : state_(std::make_unique<State>()) { Reset(); }
Hasher::~Hasher() = default;

void Hasher::Reset() { XXH3_128bits_reset(&state_->xxh); }

void Hasher::Update(std::string_view bytes) {
  if (!bytes.empty()) XXH3_128bits_update(&state_->xxh, bytes.data(), bytes.size());
}

Hash128 Hasher::Finish() const { return FromXxh(XXH3_128bits_digest(&state_->xxh)); }

}  // namespace tapedeck
