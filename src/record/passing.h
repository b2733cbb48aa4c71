#ifndef TAPEDECK_RECORD_PASSING_H_
#define TAPEDECK_RECORD_PASSING_H_

// Passing: Kafka's trouble is never a reason to end a node.
//
// A refused password, a batch that was spoiled on the wire, an error that a broker invents: all of
// it may be mended from outside, and recording goes on then. What ends a run is the store's own
// trouble and a cluster or a node that is not the right one. So what Kafka answers to the record
// thread goes through Passing, which makes kUnavailable of it: told, and tried again.
//
//   TD_ASSIGN_OR_RETURN(LogBounds bounds, Passing(probe->Bounds(tp, timeout)));
//
// kNotFound and kCancelled stay: they ask for something else than patience. Thread-safe.

#include <string>
#include <utility>

#include "base/status.h"

namespace tapedeck {

inline Status Passing(Status status) {
  switch (status.code()) {
    case StatusCode::kOk:
    case StatusCode::kUnavailable:
    case StatusCode::kNotFound:
    case StatusCode::kCancelled:
      return status;
    default:
      return Status::Unavailable(std::string(status.message()));
  }
}

template <typename T>
Result<T> Passing(Result<T> result) {
  if (result.ok()) return result;
  return Passing(result.status());
}

}  // namespace tapedeck

#endif  // TAPEDECK_RECORD_PASSING_H_
