#ifndef TAPEDECK_API_REPLAY_ROUTES_H_
#define TAPEDECK_API_REPLAY_ROUTES_H_

// /v1/replays and what hangs on it. Inside this module only.
//
// Jobs are the runner's (replay/runner.h); here requests become calls of it and its errors problems
// that name the field.

#include "api/call.h"

namespace tapedeck {

Answer AnswerReplays(Call* call);        // GET /v1/replays
Answer AnswerCreateReplay(Call* call);   // POST /v1/replays
Answer AnswerReplay(Call* call);         // GET /v1/replays/{id}
Answer AnswerPatchReplay(Call* call);    // PATCH /v1/replays/{id}
Answer AnswerDeleteReplay(Call* call);   // DELETE /v1/replays/{id}
Answer AnswerReplayEvents(Call* call);   // GET /v1/replays/{id}/events
Answer AnswerReplayOffsets(Call* call);  // GET /v1/replays/{id}/offsets

}  // namespace tapedeck

#endif  // TAPEDECK_API_REPLAY_ROUTES_H_
