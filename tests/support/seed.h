#ifndef TAPEDECK_TESTS_SUPPORT_SEED_H_
#define TAPEDECK_TESTS_SUPPORT_SEED_H_

// TestSeed: the seed of a randomised test; another on every run, and the same again where
// TAPEDECK_SEED says so.
//
//   uint64_t seed = TestSeed();            // prints it
//   SCOPED_TRACE(RepeatWith(seed));        // every failure says how to repeat it
//   Random random(seed);
//
// Thread-safe.

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <string>

namespace tapedeck::testing {

inline std::string RepeatWith(uint64_t seed) {
  return "repeat with TAPEDECK_SEED=" + std::to_string(seed);
}

inline uint64_t TestSeed() {
  const char* given = std::getenv("TAPEDECK_SEED");
  uint64_t seed = 0;
  if (given != nullptr && *given != '\0') {
    seed = std::strtoull(given, nullptr, 10);
  } else {
    std::random_device device;
    seed = uint64_t{device()} << 32 | device();
  }
  std::printf("[ seed ] TAPEDECK_SEED=%llu\n", static_cast<unsigned long long>(seed));
  std::fflush(stdout);
  return seed;
}

}  // namespace tapedeck::testing

#endif  // TAPEDECK_TESTS_SUPPORT_SEED_H_
