#ifndef TAPEDECK_MODEL_REINDEX_JOB_H_
#define TAPEDECK_MODEL_REINDEX_JOB_H_

// ReindexJob: what was asked of a reindex, what days it rebuilds, how it ended. A value, stored
// whole under its id.
//
//   ReindexJob job{.id = MakeJobId(…), .created = now};
//   job.request.topic = "Finhub1";
//   batch.PutJob(job.id, EncodeReindexJob(job));
//
// States: queued -> running -> done; failed by itself, cancelled from either of the first two. A
// running job whose `days` are set has them reserved in the store: each has an entry that is being
// built, with the generation named here. One that failed or was cancelled keeps them until what it
// had built is gone.
//
//   entry := version:u8=1 json:{"kind":"reindex", …}      (docs/formats.md, "Jobs")
//
// Errors of the decoder: kCorruption; kNotFound: a job of another kind. Pure functions.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "base/time.h"
#include "model/keys.h"

namespace tapedeck {

/// Persisted by name.
enum class ReindexState : uint8_t { kQueued, kRunning, kDone, kFailed, kCancelled };
/// "queued", "running", "done", "failed", "cancelled".
std::string_view ReindexStateName(ReindexState state);

/// Everything that a topic feeds, or tables; records of days that touch [start, end).
struct ReindexRequest {
  std::string topic;                // "": `tables`
  std::vector<std::string> tables;  // empty: `topic`
  Timestamp start = Timestamp::Min();
  Timestamp end = Timestamp::Max();
  bool operator==(const ReindexRequest&) const = default;
};

/// What it came to.
struct ReindexResult {
  uint64_t messages = 0;  // decoded
  uint64_t records = 0;   // in the rebuilt days
  uint64_t replaced = 0;  // that were in them before
  uint64_t refused = 0;   // messages whose refusals have changed
  bool operator==(const ReindexResult&) const = default;
};

struct ReindexJob {
  std::string id;
  Timestamp created;
  Timestamp ended;  // 0: it has not
  ReindexRequest request;
  ReindexState state = ReindexState::kQueued;
  std::string error;  // of kFailed
  /// Of the mappings that were in force when it was planned: with others the days may be others.
  std::string mappings;
  /// Reserved: each with the generation that it will be. Empty before, and where nothing is to
  /// be rebuilt.
  std::vector<keys::DayKey> days;
  /// By tape: it is decoded below this offset, but for the gaps that it had when the days were
  /// reserved: what is read again for them later has rows in generations behind. Set with `days`.
  struct Span {
    int64_t from = 0;
    int64_t to = 0;
    bool operator==(const Span&) const = default;
  };
  struct End {
    TpId tp{};
    int64_t to = 0;
    std::vector<Span> gaps = {};
    bool operator==(const End&) const = default;
  };
  std::vector<End> ends;
  ReindexResult result;
  bool forgotten = false;  // it goes once what it had built is gone
  bool operator==(const ReindexJob&) const = default;

  bool over() const { return state != ReindexState::kQueued && state != ReindexState::kRunning; }
};

std::string EncodeReindexJob(const ReindexJob& job);
Result<ReindexJob> DecodeReindexJob(std::string_view id, std::string_view bytes);

}  // namespace tapedeck

#endif  // TAPEDECK_MODEL_REINDEX_JOB_H_
