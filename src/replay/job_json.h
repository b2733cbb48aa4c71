#ifndef TAPEDECK_REPLAY_JOB_JSON_H_
#define TAPEDECK_REPLAY_JOB_JSON_H_

// Replay jobs as JSON: what clients send, what they are shown, and what the store keeps.
//
//   TD_ASSIGN_OR_RETURN(ReplaySpec spec, ParseReplayRequest(body, now));
//   TD_ASSIGN_OR_RETURN(auto commands, ParseReplayPatch(body, job, now));
//   SpecToJson(spec)          // the request again, defaults filled in
//   EncodeJob(job)            // the value of a `j` entry
//
// Errors of the parsers are kInvalidArgument and begin with the field: "pace.speed: …". A field
// that is unknown, of another type, or out of its bounds is an error.
//
// entry := version:u8=1 json:{"kind":"replay", …}       (docs/formats.md, "Jobs")
//
// Thread-safe: pure functions on values.

#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "base/time.h"
#include "replay/job.h"

namespace tapedeck {

/// A request body larger than this is no job.
inline constexpr size_t kReplayRequestBytesMax = size_t{1} << 20;

Result<ReplaySpec> ParseReplayRequest(std::string_view body, Timestamp now);
/// Commands in the order in which they are carried out: pace and end, seek, then the state.
Result<std::vector<ReplayCommand>> ParseReplayPatch(std::string_view body, const ReplayJob& job,
                                                    Timestamp now);
std::string SpecToJson(const ReplaySpec& spec);
std::string PaceToJson(const Pace& pace);

std::string EncodeJob(const ReplayJob& job);
/// kCorruption: not what EncodeJob writes. kNotFound: a job of another kind.
Result<ReplayJob> DecodeJob(std::string_view id, std::string_view bytes);

}  // namespace tapedeck

#endif  // TAPEDECK_REPLAY_JOB_JSON_H_
