#ifndef TAPEDECK_BASE_FAILPOINT_H_
#define TAPEDECK_BASE_FAILPOINT_H_

// Failpoints: named places at which a test can make the process die, fail or wait. Compiled into
// every build.
//
//   TAPEDECK_FAILPOINT=commit.before_write:3:abort tapedeck serve …
//
// kills the process (as kill -9 does) the third time it comes by. Several are separated by commas.
// Actions: abort (SIGKILL to itself), eio (FailpointHit returns kInternal), sleep=<ms> (waits).
// Without the variable a failpoint costs one predictable branch on a constant. Names are
// `<module>.<moment>`; AllFailpoints() lists them.
//
// Thread-safe.

#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace tapedeck {

extern const bool kFailpointsArmed;  // decided once, when the process starts
Status FailpointHitSlow(std::string_view name);

/// OK, or what the environment asks for at this place.
inline Status FailpointHit(std::string_view name) {
  if (!kFailpointsArmed) [[likely]]
    return Status::Ok();
  return FailpointHitSlow(name);
}

/// Every name in the program, sorted: the exhaustive sweep goes through this list. Kept by hand in
/// failpoint.cc; a name that is hit and not listed aborts.
const std::vector<std::string_view>& AllFailpoints();

}  // namespace tapedeck

#endif  // TAPEDECK_BASE_FAILPOINT_H_
