#ifndef TAPEDECK_NODE_REPLAY_SIDE_H_
#define TAPEDECK_NODE_REPLAY_SIDE_H_

// What a configuration means for replays.
//
//   TD_ASSIGN_OR_RETURN(auto runner, MakeReplayRunner(config, clock, &queue, open_point, on_sent));
//
// Thread-safe: pure functions.

#include <chrono>
#include <functional>
#include <memory>

#include "base/clock.h"
#include "base/status.h"
#include "config/config.h"
#include "replay/runner.h"
#include "store/store_queue.h"

namespace tapedeck {

/// kInvalidArgument: a target, with its place in the configuration. What is passed outlives the
/// runner; `on_sent` may be empty.
Result<std::unique_ptr<ReplayRunner>> MakeReplayRunner(
    const Config& config, Clock* clock, StoreQueue* queue,
    std::function<Result<std::shared_ptr<const ReadPoint>>()> open_point,
    std::function<void(std::chrono::nanoseconds)> on_sent);

/// What can be said of [replay] without a broker: properties, as the client itself takes them, and
/// expressions. kInvalidArgument.
Status CheckReplayTargets(const Config& config);

}  // namespace tapedeck

#endif  // TAPEDECK_NODE_REPLAY_SIDE_H_
