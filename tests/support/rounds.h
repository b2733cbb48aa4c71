#ifndef TAPEDECK_TESTS_SUPPORT_ROUNDS_H_
#define TAPEDECK_TESTS_SUPPORT_ROUNDS_H_

// How often a test repeats what chance decides.

#include <algorithm>
#include <cstdlib>

namespace tapedeck::testing {

/// `fast`, or TAPEDECK_CHAOS where that is more. A third of it, rounded up, under ThreadSanitizer:
/// everything takes ten times as long there, and what it looks for shows in the first rounds.
inline int Rounds(int fast) {
#if defined(__SANITIZE_THREAD__)
  fast = (fast + 2) / 3;
#endif
  const char* chaos = std::getenv("TAPEDECK_CHAOS");
  return chaos == nullptr ? fast : std::max(fast, std::atoi(chaos));
}

}  // namespace tapedeck::testing

#endif  // TAPEDECK_TESTS_SUPPORT_ROUNDS_H_
