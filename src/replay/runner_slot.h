#ifndef TAPEDECK_REPLAY_RUNNER_SLOT_H_
#define TAPEDECK_REPLAY_RUNNER_SLOT_H_

// ReplayRunner::Slot: a job of the runner and the thread that carries it out. A part of the runner.
//
// Protected by the runner's mutex, but what is atomic and the desk.

#include <atomic>
#include <memory>
#include <optional>
#include <thread>

#include "replay/runner.h"

namespace tapedeck {

struct ReplayRunner::Slot {
  std::shared_ptr<JobDesk> desk;
  std::unique_ptr<ReplayWorker> worker;  // while its thread runs
  bool stored = false;                   // else its first write is under way, or will be taken back
  bool deleting = false;                 // by one request
  bool renewing = false;                 // what its thread does
  std::thread thread;
  std::atomic<bool> ended{false};        // the thread may be joined
  std::atomic<bool> forgotten{false};    // it is not in the store and does not come back
  std::optional<MonotonicTime> renewed;  // its progress, by this process
};

}  // namespace tapedeck

#endif  // TAPEDECK_REPLAY_RUNNER_SLOT_H_
