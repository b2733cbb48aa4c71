#ifndef TAPEDECK_REPLAY_GIVEN_NUMBERS_H_
#define TAPEDECK_REPLAY_GIVEN_NUMBERS_H_

// NextNumberIn: which numbers a job's earlier processes have given, as its target tells. A part of
// ReplayAttempt, at least once: there the store may not know of the last ones.
//
//   TD_ASSIGN_OR_RETURN(uint64_t next, NextNumberIn(parts, job, [&] { return desk.stopping(); }));
//
// Reads the ends of the target's partitions. The greatest number need not be the last: a process
// that was killed may have come further than the one after it. But no process gives a number more
// than kUnkeptMax above the note in the store, and notes only rise. So nothing above job.note lies
// before a message whose number is that far below it; the read goes back to one, or to where the
// job began.
//
// Errors: kUnavailable where the target cannot be read, or `give_up` says so; as of
// WorkerParts::open_trail. Without provenance nothing tells: 1.

#include <cstdint>
#include <functional>

#include "base/status.h"
#include "replay/worker.h"

namespace tapedeck {

/// Numbers that a process gives at most beyond the note that is in the store.
inline constexpr uint64_t kUnkeptMax = uint64_t{1} << 20;
/// After so many numbers the worker sees to that; a part of kUnkeptMax.
inline constexpr uint64_t kKeepEvery = kUnkeptMax / 8;

/// One more than the greatest number of the job's messages there; 1 without any.
Result<uint64_t> NextNumberIn(const WorkerParts& parts, const ReplayJob& job,
                              const std::function<bool()>& give_up);

}  // namespace tapedeck

#endif  // TAPEDECK_REPLAY_GIVEN_NUMBERS_H_
