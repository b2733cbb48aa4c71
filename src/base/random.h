#ifndef TAPEDECK_BASE_RANDOM_H_
#define TAPEDECK_BASE_RANDOM_H_

// Random: a small seeded generator for tests, made-up feeds and jitter. The same seed gives the
// same numbers on every machine. Not for secrets.
//
//   Random random(seed);
//   uint64_t die = random.Uniform(6) + 1;
//   std::shuffle(rows.begin(), rows.end(), random);
//
// xoshiro256** by David Blackman and Sebastiano Vigna, its state filled by splitmix64.
//
// Owned by one thread.

#include <bit>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>

#include "base/check.h"

namespace tapedeck {

class Random {
 public:
  using result_type = uint64_t;  // with min, max and operator(): a standard bit generator

  explicit Random(uint64_t seed) {
    for (uint64_t& word : state_) {
      seed += 0x9E3779B97F4A7C15u;
      uint64_t z = seed;
      z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
      z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
      word = z ^ (z >> 31);
    }
  }

  static constexpr uint64_t min() { return 0; }
  static constexpr uint64_t max() { return std::numeric_limits<uint64_t>::max(); }
  uint64_t operator()() { return Next(); }

  /// Any 64 bits.
  uint64_t Next() {
    uint64_t result = std::rotl(state_[1] * 5, 7) * 9;
    uint64_t shifted = state_[1] << 17;
    state_[2] ^= state_[0];
    state_[3] ^= state_[1];
    state_[1] ^= state_[2];
    state_[0] ^= state_[3];
    state_[2] ^= shifted;
    state_[3] = std::rotl(state_[3], 45);
    return result;
  }

  /// In [0, n), each equally likely (Lemire 2019, "Fast Random Integer Generation in an Interval").
  /// n > 0.
  uint64_t Uniform(uint64_t n) {
    TD_CHECK(n > 0, "there is no number in an empty range");
    Wide product = Wide{Next()} * n;
    if (static_cast<uint64_t>(product) < n) [[unlikely]] {
      uint64_t reject_below = (0 - n) % n;
      while (static_cast<uint64_t>(product) < reject_below) product = Wide{Next()} * n;
    }
    return static_cast<uint64_t>(product >> 64);
  }

  /// In [low, high], both included. low <= high.
  int64_t Between(int64_t low, int64_t high) {
    TD_CHECK(low <= high, "the range is not empty");
    uint64_t span = static_cast<uint64_t>(high) - static_cast<uint64_t>(low);
    uint64_t step = span == max() ? Next() : Uniform(span + 1);
    return static_cast<int64_t>(static_cast<uint64_t>(low) + step);
  }

  /// True once in `n` times. n > 0.
  bool OneIn(uint64_t n) { return Uniform(n) == 0; }

  /// `size` bytes of any value.
  std::string Bytes(size_t size) {
    std::string bytes(size, '\0');
    for (char& c : bytes) c = static_cast<char>(Next() >> 56);
    return bytes;
  }

 private:
  __extension__ using Wide = unsigned __int128;
  uint64_t state_[4];
};

}  // namespace tapedeck

#endif  // TAPEDECK_BASE_RANDOM_H_
