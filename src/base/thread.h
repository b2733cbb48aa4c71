#ifndef TAPEDECK_BASE_THREAD_H_
#define TAPEDECK_BASE_THREAD_H_

// StartThread: a thread for work that may be refused. std::thread throws where the system has none
// to give; what starts one while the process serves others answers with a Status instead and goes
// on.
//
//   TD_ASSIGN_OR_RETURN(thread_, StartThread([this] { Run(); }));
//
// Threads that the process cannot be without are started at its beginning, by std::thread.
//
// Thread-safe.

#include <functional>
#include <thread>

#include "base/status.h"

namespace tapedeck {

/// Runs `run` on a new thread. kResourceExhausted: the limit of threads is reached (ulimit -u, a
/// unit's TasksMax), or memory for its stack is missing.
Result<std::thread> StartThread(std::function<void()> run);

}  // namespace tapedeck

#endif  // TAPEDECK_BASE_THREAD_H_
