#include "base/thread.h"

#include <string>
#include <system_error>
#include <utility>

namespace tapedeck {

Result<std::thread> StartThread(std::function<void()> run) {
  try {
    return std::thread(std::move(run));
  } catch (const std::system_error& error) {
    return Status::ResourceExhausted(
        std::string("the system gives this process no more threads (ulimit -u, TasksMax): ") +
        error.what());
  }
}

}  // namespace tapedeck
