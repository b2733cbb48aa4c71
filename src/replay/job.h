#ifndef TAPEDECK_REPLAY_JOB_H_
#define TAPEDECK_REPLAY_JOB_H_

// ReplayJob: what was asked of a replay, what it was frozen to, which commands came since, and what
// is known of how it goes. A value: it is stored whole (job_json.h), and its rules are functions on
// it, so that any order of requests can be tested without Kafka.
//
//   ReplayJob job = …;                                    // queued
//   TD_RETURN_IF_ERROR(AddCommand({.kind = CommandKind::kPause}, &job));
//   job.wants()                                           // JobWish::kPause
//
// States: queued -> running -> verifying -> done; paused and running change places as asked;
// cancelled from every state but done; failed by itself, and running again where a command asks for
// it. A repeated command changes nothing. Commands that move the job (seek, pace, end) are
// numbered: the worker takes each into the transaction that carries it out, so that a seek happens
// once whatever crashes.
//
// Values; thread-compatible.

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/hash.h"
#include "base/status.h"
#include "base/time.h"
#include "kafka/message_sink.h"
#include "model/job_id.h"
#include "model/message.h"
#include "replay/pacing.h"
#include "tape/selection.h"

namespace tapedeck {

/// Persisted by name.
enum class ReplayState : uint8_t {
  kQueued,
  kRunning,
  kPaused,
  kVerifying,
  kDone,
  kFailed,
  kCancelled,
};
inline constexpr size_t kReplayStates = 7;
std::string_view ReplayStateName(ReplayState state);

enum class PartitionPolicy : uint8_t { kSame, kKey, kFixed };
enum class ReplayTimestamps : uint8_t { kOriginal, kNow, kShift };
/// Persisted by name. Not as recorded: one message for each selected record.
enum class ReplayValue : uint8_t { kOriginal, kJson, kFlatbuffer };

struct ReplayTarget {
  std::string name;   // of the configuration
  std::string topic;  // may hold {topic}
  PartitionPolicy partition = PartitionPolicy::kSame;
  int32_t fixed_partition = 0;
  ReplayValue value = ReplayValue::kOriginal;
  ReplayTimestamps timestamps = ReplayTimestamps::kOriginal;
  bool provenance = true;
  bool operator==(const ReplayTarget&) const = default;

  /// The target topic of a source topic.
  std::string TopicFor(std::string_view source) const;
};

/// What a user asks for.
struct ReplaySpec {
  SelectionRequest source;
  ReplayTarget target;
  Pace pace;
  SinkDelivery delivery = SinkDelivery::kExactlyOnce;
  bool allow_gaps = false;
  bool force = false;
  bool restore = false;
  bool operator==(const ReplaySpec&) const = default;
};

/// Persisted by name.
enum class CommandKind : uint8_t { kPause, kResume, kCancel, kSeek, kPace, kEnd };

struct ReplayCommand {
  CommandKind kind = CommandKind::kPause;
  uint64_t number = 0;  // of those that move the job; set by AddCommand
  Timestamp time;       // of kSeek and kEnd
  Timestamp before;     // of kEnd: the end until then
  Pace pace;            // of kPace
  bool operator==(const ReplayCommand&) const = default;
};

/// What a worker should do now.
enum class JobWish : uint8_t { kRun, kPause, kCancel };

/// How far it has come, as last written down.
struct ReplayNote {
  uint64_t next_seq = 1;
  uint64_t bytes = 0;
  Digest digest;         // of what was sent (verifier.h)
  std::string position;  // MessagePosition, encoded; "" = the first message
  /// Of the message behind the position the records below this index were sent.
  uint32_t records = 0;
  int64_t shift_ms = 0;
  bool shifted = false;
  bool operator==(const ReplayNote&) const = default;
};

struct ReplayJob {
  std::string id;
  Timestamp created;
  std::string key;       // the client's, "" = none
  Hash128 request_hash;  // of the request that came with the key
  ReplaySpec spec;
  Selection selection;
  std::vector<TapeGap> missing;
  uint64_t messages_at_most = 0;
  bool total_exact = false;  // that many, unless the end or the place is changed
  std::string target_cluster;
  /// Ends of the target's partitions before the first message: where verification begins.
  std::map<TopicPartition, int64_t> target_starts;
  bool target_sets_time = false;  // message.timestamp.type=LogAppendTime

  ReplayState state = ReplayState::kQueued;
  std::string error;  // of kFailed
  Pace pace;          // in force: spec.pace, or the last command's
  uint64_t last_command = 0;
  std::vector<ReplayCommand> commands;    // numbered ones that may not have been carried out yet
  std::vector<std::string> command_keys;  // of the last kCommandKeysMax requests that had one
  bool begun = false;                     // its progress is in the target
  ReplayNote note;
  uint64_t verified_messages = 0;  // of kDone
  Digest verified_digest;
  bool operator==(const ReplayJob&) const = default;

  JobWish wants() const;
  bool ended() const;
};

/// Commands that wait for a worker, and keys that are remembered: a client that seeks a thousand
/// times a second waits.
inline constexpr size_t kCommandsMax = 1000;
inline constexpr size_t kCommandKeysMax = 64;

/// Numbers the command, and changes state and pace. OK and nothing done for one that asks for what
/// is so, or whose `key` ("" = none) was there before. kFailedPrecondition: not in this state.
/// kResourceExhausted: too many wait. kInvalidArgument: the pace.
Status AddCommand(ReplayCommand command, ReplayJob* job, std::string_view key = {});
/// Whether a request of commands with this key was carried out before; else it is remembered from
/// now on. kAlreadyExists: the key was used for another request.
Result<bool> RememberRequest(std::string_view key, const Hash128& request, ReplayJob* job);
/// Whether commands behind this number change which messages follow: seeks and ends.
bool MovesBehind(uint64_t command, const ReplayJob& job);
/// The end in force for a worker that has carried out everything up to and with this number.
Timestamp EndBehind(uint64_t command, const ReplayJob& job);
/// The worker has carried out everything up to and with this number.
void ForgetCommands(uint64_t through, ReplayJob* job);

/// "tapedeck.replay.<id>": the group that holds the progress, and the transactional id.
std::string ReplayGroup(std::string_view job_id);

}  // namespace tapedeck

#endif  // TAPEDECK_REPLAY_JOB_H_
