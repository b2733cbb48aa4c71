#include "replay/job.h"

#include <algorithm>

namespace tapedeck {
namespace {

constexpr std::string_view kStateNames[kReplayStates] = {
    "queued", "running", "paused", "verifying", "done", "failed", "cancelled"};
constexpr std::string_view kTopicHole = "{topic}";

Status NotNow(std::string_view what, const ReplayJob& job) {
  return Status::FailedPrecondition("job " + job.id + " is " +
                                    std::string(ReplayStateName(job.state)) + ": it cannot " +
                                    std::string(what));
}

bool Moves(CommandKind kind) {
  return kind == CommandKind::kSeek || kind == CommandKind::kPace || kind == CommandKind::kEnd;
}

Status Pause(ReplayJob* job) {
  switch (job->state) {
    case ReplayState::kPaused:
      return Status::Ok();
    case ReplayState::kQueued:
    case ReplayState::kRunning:
      job->state = ReplayState::kPaused;
      return Status::Ok();
    default:
      return NotNow("pause", *job);
  }
}

Status Resume(ReplayJob* job) {
  switch (job->state) {
    case ReplayState::kQueued:
    case ReplayState::kRunning:
    case ReplayState::kVerifying:
      return Status::Ok();
    case ReplayState::kPaused:
    case ReplayState::kFailed:
      job->state = ReplayState::kQueued;
      job->error.clear();
      return Status::Ok();
    default:
      return NotNow("run", *job);
  }
}

Status Cancel(ReplayJob* job) {
  if (job->state == ReplayState::kDone) return NotNow("be cancelled", *job);
  job->state = ReplayState::kCancelled;
  return Status::Ok();
}

Status Move(ReplayCommand command, ReplayJob* job) {
  const bool moving = job->state == ReplayState::kQueued || job->state == ReplayState::kRunning ||
                      job->state == ReplayState::kPaused;
  if (!moving) return NotNow("be changed", *job);
  if (job->spec.restore && command.kind != CommandKind::kPace) {
    return Status::FailedPrecondition("job " + job->id +
                                      " is a restore: it is of what was asked for, once");
  }
  if (command.kind == CommandKind::kPace) TD_RETURN_IF_ERROR(CheckPace(command.pace));
  if (command.kind == CommandKind::kPace && command.pace == job->pace) return Status::Ok();
  if (command.kind == CommandKind::kEnd && command.time == job->selection.end) return Status::Ok();
  if (command.kind == CommandKind::kEnd && command.time <= job->selection.start) {
    return Status::InvalidArgument("source.end is not after source.start");
  }
  if (job->commands.size() >= kCommandsMax) {
    return Status::ResourceExhausted("job " + job->id + " has " + std::to_string(kCommandsMax) +
                                     " commands that wait");
  }
  if (command.kind == CommandKind::kPace) job->pace = command.pace;
  if (command.kind == CommandKind::kEnd) {
    command.before = job->selection.end;
    job->selection.end = command.time;
  }
  command.number = ++job->last_command;
  job->commands.push_back(std::move(command));
  return Status::Ok();
}

}  // namespace

std::string_view ReplayStateName(ReplayState state) {
  return kStateNames[static_cast<size_t>(state)];
}

std::string ReplayTarget::TopicFor(std::string_view source) const {
  const size_t hole = topic.find(kTopicHole);
  if (hole == std::string::npos) return topic;
  return topic.substr(0, hole) + std::string(source) + topic.substr(hole + kTopicHole.size());
}

JobWish ReplayJob::wants() const {
  if (state == ReplayState::kPaused) return JobWish::kPause;
  return state == ReplayState::kCancelled ? JobWish::kCancel : JobWish::kRun;
}

bool ReplayJob::ended() const {
  return state == ReplayState::kDone || state == ReplayState::kFailed ||
         state == ReplayState::kCancelled;
}

Status AddCommand(ReplayCommand command, ReplayJob* job, std::string_view key) {
  auto& keys = job->command_keys;
  if (!key.empty() && std::find(keys.begin(), keys.end(), key) != keys.end()) return Status::Ok();
  Status status;
  if (Moves(command.kind)) {
    status = Move(std::move(command), job);
  } else if (command.kind == CommandKind::kPause) {
    status = Pause(job);
  } else {
    status = command.kind == CommandKind::kResume ? Resume(job) : Cancel(job);
  }
  if (status.ok() && !key.empty()) {
    keys.emplace_back(key);
    if (keys.size() > kCommandKeysMax) keys.erase(keys.begin());
  }
  return status;
}

// An entry is the key and the request's hash. Jobs of an older version have "key#0" instead, which
// does not tell the request.
Result<bool> RememberRequest(std::string_view key, const Hash128& request, ReplayJob* job) {
  auto& keys = job->command_keys;
  const std::string named = std::string(key) + "=";
  const std::string entry = named + request.ToString();
  const std::string old = std::string(key) + "#0";
  for (const std::string& known : keys) {
    if (known == entry || known == old) return true;
    if (known.size() == entry.size() && known.starts_with(named)) {
      return Status::AlreadyExists("Idempotency-Key: it was used for another request");
    }
  }
  keys.push_back(entry);
  if (keys.size() > kCommandKeysMax) keys.erase(keys.begin());
  return false;
}

bool MovesBehind(uint64_t command, const ReplayJob& job) {
  return std::any_of(job.commands.begin(), job.commands.end(), [command](const ReplayCommand& c) {
    return c.number > command && (c.kind == CommandKind::kSeek || c.kind == CommandKind::kEnd);
  });
}

Timestamp EndBehind(uint64_t command, const ReplayJob& job) {
  for (const ReplayCommand& c : job.commands) {
    if (c.number > command && c.kind == CommandKind::kEnd) return c.before;
  }
  return job.selection.end;
}

void ForgetCommands(uint64_t through, ReplayJob* job) {
  std::erase_if(job->commands,
                [through](const ReplayCommand& command) { return command.number <= through; });
}

std::string ReplayGroup(std::string_view job_id) {
  return "tapedeck.replay." + std::string(job_id);
}

}  // namespace tapedeck
