// What is asked of an attempt while it sends, and in what order that comes with the messages.
//
// Exactly once, a command is carried out by a transaction of its own. At least once there is none,
// and after a crash messages are sent again under their numbers, from a note in the store on that
// may be a second old. So that a number stays with its message, a command that decides which
// messages follow (a seek, another end) is carried out
//   - behind every number that was given before it: where some were given that the note does not
//     know of, the same messages are sent again first, without the command;
//   - when everything has arrived, and the note that says so is in the store.

#include "replay/attempt.h"
#include "replay/given_numbers.h"

namespace tapedeck {
namespace {

constexpr std::chrono::milliseconds kArriveWithin{10'000};

}  // namespace

// Whether numbers were given that are not sent again yet; true until then.
Result<bool> ReplayAttempt::MustSendAgain() {
  if (!desk_->given_known()) {
    ReplayJob here = job_;
    here.note = progress_.note;
    TD_ASSIGN_OR_RETURN(const uint64_t next,
                        NextNumberIn(parts_, here, [this] { return desk_->stopping(); }));
    if (next > 1) desk_->Give(next - 1);
    // What was under way when a process was killed may arrive later: it is looked at once more
    // when all this has been sent again.
    if (progress_.note.next_seq >= desk_->given()) desk_->SetGivenKnown();
  }
  return progress_.note.next_seq < desk_->given();
}

// Seeks above the progress's command; pace and end are in the job as they are to be.
Status ReplayAttempt::CarryOut(const ReplayJob& job) {
  const bool moved = !exactly_once_ && MovesBehind(progress_.command, job);
  waiting_ = false;
  // At the end there is nothing to be sent again.
  if (moved && !at_end_) {
    TD_ASSIGN_OR_RETURN(waiting_, MustSendAgain());
  }
  if (moved && !waiting_) TD_RETURN_IF_ERROR(WaitArrived(kArriveWithin));
  ReplayProgress before = progress_;
  for (const ReplayCommand& command : job.commands) {
    if (waiting_ || command.number <= progress_.command) continue;
    progress_.command = command.number;
    if (command.kind != CommandKind::kSeek) continue;
    // Before the first message of that time: no tape sorts before an empty name.
    progress_.note.position = MessagePosition{.time = command.time}.Encode();
    progress_.note.records = 0;
    progress_.note.shifted = false;
    pacer_.Restart();
  }
  if (!(job.pace == pacer_.pace())) pacer_.Change(job.pace);
  if (!moved || waiting_) return Status::Ok();
  Status kept = desk_->KeepNote(progress_.note, progress_.command);
  if (!kept.ok()) progress_ = std::move(before);
  return kept;
}

Status ReplayAttempt::OpenCursor(const ReplayJob& job) {
  std::optional<MessagePosition> after;
  if (!progress_.note.position.empty()) {
    TD_ASSIGN_OR_RETURN(after, MessagePosition::Decode(progress_.note.position));
  }
  Selection selection = job.selection;
  selection.end = EndBehind(progress_.command, job);
  TD_ASSIGN_OR_RETURN(auto cursor, SelectionCursor::Open({.open_point = parts_.open_point,
                                                          .clock = parts_.clock,
                                                          .memory_bytes = parts_.memory_bytes,
                                                          .wants_records = re_encodes(),
                                                          .missing = job.missing,
                                                          .gone = desk_->stop_flag()},
                                                         std::move(selection), std::move(after)));
  std::lock_guard lock(mutex_);
  cursor_ = std::move(cursor);
  pending_ = nullptr;
  at_end_ = false;
  return Status::Ok();
}

// What was asked for since. `leave`: the attempt ends.
Status ReplayAttempt::TakeOrders(bool* leave) {
  *leave = desk_->stopping();
  const bool sent_again = waiting_ && (at_end_ || progress_.note.next_seq >= desk_->given());
  if (*leave || (desk_->version() == seen_version_ && !sent_again)) return Status::Ok();
  seen_version_ = desk_->version();
  const ReplayJob job = desk_->job();
  *leave = job.wants() != JobWish::kRun;
  if (*leave) return Status::Ok();
  const bool commands = job.last_command > progress_.command;
  if (!commands) return Status::Ok();
  // Its sink was made for another pace (kLingerAtMax). In transactions nobody sees when messages
  // arrive; else another attempt goes on.
  *leave =
      !exactly_once_ && (job.pace.mode == PaceMode::kMax) != (job_.pace.mode == PaceMode::kMax);
  if (*leave) return Status::Ok();
  TD_RETURN_IF_ERROR(CommitOpen());
  NotePosition();
  TD_RETURN_IF_ERROR(CarryOut(job));
  if (waiting_) return Status::Ok();
  TD_RETURN_IF_ERROR(CommitProgress());
  return OpenCursor(job);
}

}  // namespace tapedeck
