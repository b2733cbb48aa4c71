#ifndef TAPEDECK_BASE_CHECK_H_
#define TAPEDECK_BASE_CHECK_H_

// TD_CHECK: an assertion that is always on.
//
// For programmer errors only: a violated invariant, a broken precondition. It prints file, line,
// the expression and a message, and aborts. Bad *data* (from Kafka, disk, the network or a user) is
// never a CHECK; it is a Status.
//
//   TD_CHECK(offset >= next_offset_, "offsets of a partition go up");
//
// Thread-safe.

namespace tapedeck {

[[noreturn]] void CheckFailed(const char* file, int line, const char* expression,
                              const char* message);

}  // namespace tapedeck

#define TD_CHECK(expression, message)                                    \
  do {                                                                   \
    if (!(expression)) [[unlikely]] {                                    \
      ::tapedeck::CheckFailed(__FILE__, __LINE__, #expression, message); \
    }                                                                    \
  } while (false)

#endif  // TAPEDECK_BASE_CHECK_H_
