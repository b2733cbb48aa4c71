#include "replay/attempt.h"

#include <algorithm>

#include "base/failpoint.h"
#include "base/log.h"
#include "replay/given_numbers.h"

namespace tapedeck {
namespace {

using std::chrono::milliseconds;
using std::chrono::nanoseconds;

constexpr milliseconds kStartWithin{10'000};
constexpr milliseconds kAnswerWithin{10'000};
constexpr milliseconds kCommitWithin{10'000};
constexpr milliseconds kAbortWithin{2'000};
// In a wait, the desk is looked at this often: a change is in force within 100 ms.
constexpr milliseconds kLook{20};
// A wait longer than this gives the store's view back.
constexpr nanoseconds kRelease = std::chrono::seconds(1);
constexpr nanoseconds kReadBefore = milliseconds(200);
constexpr nanoseconds kPublish = milliseconds(100);
// A transaction is committed before it outgrows what brokers and readers keep for it.
constexpr uint64_t kTransactionBytesMax = uint64_t{32} << 20;
// At least once: how often the place is noted, and how many notes may wait.
constexpr nanoseconds kNoteEvery = milliseconds(100);
constexpr uint64_t kLookEvery = 64;      // messages at full speed between looks at the desk
constexpr uint64_t kTellTimeEvery = 16;  // and between looks at the clock

}  // namespace

ReplayAttempt::ReplayAttempt(const WorkerParts& parts, JobDesk* desk,
                             std::optional<uint64_t>* replaced)
    : parts_(parts),
      desk_(desk),
      replaced_(replaced),
      job_(desk->job()),
      exactly_once_(job_.spec.delivery == SinkDelivery::kExactlyOnce),
      pacer_(job_.pace, {.messages_per_second = parts.messages_per_second_max}, parts.clock) {}

ReplayAttempt::~ReplayAttempt() = default;

void ReplayAttempt::Break() {
  std::lock_guard lock(mutex_);
  if (cursor_ != nullptr) cursor_->Break();
}

// A sink that was fenced was perhaps only too slow. Who has taken over writes its name first; the
// name of the one that this worker follows only says that its own was not written yet.
Status ReplayAttempt::CheckOwner() {
  Result<std::optional<SinkProgress>> read = sink_->ReadProgress(kAnswerWithin);
  if (!read.ok()) return Status::Ok();  // an open transaction hides it: it must be fenced anyway
  if (!read->has_value()) return Status::Ok();
  TD_ASSIGN_OR_RETURN(const ReplayProgress found, DecodeProgress(**read));
  if (found.owner == parts_.owner || !*replaced_ || found.owner == **replaced_) {
    return Status::Ok();
  }
  return Status::AlreadyExists("another worker has taken job " + job_.id +
                               " over: a node with a copy of this store?");
}

Status ReplayAttempt::ReadProgress() {
  if (!exactly_once_) {
    progress_.note = job_.note;
    progress_.command = job_.commands.empty() ? job_.last_command : job_.commands[0].number - 1;
    return Status::Ok();
  }
  std::optional<SinkProgress> read;
  const MonotonicTime deadline = parts_.clock->Monotonic() + kStartWithin;
  for (;;) {
    Result<std::optional<SinkProgress>> one = sink_->ReadProgress(kAnswerWithin);
    if (one.ok()) {
      read = std::move(one).value();
      break;
    }
    if (one.status().code() != StatusCode::kUnavailable || parts_.clock->Monotonic() >= deadline ||
        desk_->stopping()) {
      return one.status();
    }
    parts_.clock->SleepFor(kLook);
  }
  if (read) {
    TD_ASSIGN_OR_RETURN(progress_, DecodeProgress(*read));
    return Status::Ok();
  }
  if (!job_.begun) return Status::Ok();
  return Status::NotFound("the progress of job " + job_.id +
                          " is gone from the target: it has expired, or the topic "
                          "was deleted; " +
                          std::to_string(job_.note.next_seq - 1) +
                          " messages had been sent. A job never begins again by itself");
}

Status ReplayAttempt::Start(bool again) {
  TD_RETURN_IF_ERROR(FailpointHit("replay.start"));
  seen_version_ = desk_->version();
  TD_ASSIGN_OR_RETURN(auto partitions, parts_.look_at_target(job_));
  outgoing_ = std::make_unique<Outgoing>(job_, parts_.name, std::move(partitions));
  TD_ASSIGN_OR_RETURN(sink_, parts_.open_sink(job_));
  if (again && exactly_once_) TD_RETURN_IF_ERROR(CheckOwner());
  TD_RETURN_IF_ERROR(sink_->Start(kStartWithin));
  TD_RETURN_IF_ERROR(FailpointHit("replay.started"));
  TD_RETURN_IF_ERROR(ReadProgress());
  if (!*replaced_) *replaced_ = progress_.owner;  // 0: nobody's
  progress_.owner = parts_.owner;
  seq_at_start_ = progress_.note.next_seq;
  const ReplayJob job = desk_->job();
  TD_RETURN_IF_ERROR(CarryOut(job));
  TD_RETURN_IF_ERROR(CommitProgress());
  TD_RETURN_IF_ERROR(FailpointHit("replay.owned"));
  if (!job.begun || job.state == ReplayState::kQueued) {
    TD_RETURN_IF_ERROR(desk_->Change([](ReplayJob* changed) {
      changed->begun = true;
      if (changed->state == ReplayState::kQueued) changed->state = ReplayState::kRunning;
      return Status::Ok();
    }));
  }
  return OpenCursor(job);
}

// Encoded only when it is needed.
void ReplayAttempt::NotePosition() {
  if (position_moved_) {
    progress_.note.position = sent_position_.Encode();
    progress_.note.records = sent_records_;
  }
  position_moved_ = false;
}

// A transaction with progress only, or what one says without transactions.
Status ReplayAttempt::CommitProgress() {
  if (!exactly_once_) {
    unarrived_.push_back({progress_.note, progress_.command});
    NoteArrived();
    return Status::Ok();
  }
  TD_RETURN_IF_ERROR(sink_->Begin());
  open_ = true;
  return CommitOpen();
}

Status ReplayAttempt::CommitOpen() {
  if (!open_) return Status::Ok();
  NotePosition();
  TD_RETURN_IF_ERROR(FailpointHit("replay.before_commit"));
  TD_RETURN_IF_ERROR(sink_->Commit(EncodeProgress(progress_), kCommitWithin));
  TD_RETURN_IF_ERROR(FailpointHit("replay.after_commit"));
  open_ = false;
  open_bytes_ = 0;
  desk_->SetNote(progress_.note, progress_.command);
  return Status::Ok();
}

// At least once: a note counts when everything before it has arrived.
void ReplayAttempt::NoteArrived() {
  std::optional<Unarrived> arrived;
  auto is_there = [this](const ReplayNote& note) {
    return note.next_seq == seq_at_start_ || note.next_seq - 1 <= sink_->acked_through();
  };
  while (!unarrived_.empty() && is_there(unarrived_.front().note)) {
    arrived = std::move(unarrived_.front());
    unarrived_.pop_front();
  }
  if (arrived) desk_->SetNote(arrived->note, arrived->command);
}

Status ReplayAttempt::WaitArrived(milliseconds within) {
  NotePosition();
  unarrived_.push_back({progress_.note, progress_.command});
  NoteArrived();
  const MonotonicTime deadline = parts_.clock->Monotonic() + within;
  while (!unarrived_.empty()) {
    TD_RETURN_IF_ERROR(sink_->Serve(kLook));
    NoteArrived();
    if (parts_.clock->Monotonic() < deadline) continue;
    return Status::Unavailable("messages did not arrive in time");
  }
  return Status::Ok();
}

Status ReplayAttempt::Next() {
  if (pending_ != nullptr || at_end_) return Status::Ok();
  // No longer than an order, or what is open, may wait.
  MonotonicTime until = now_ + kLook;
  if (open_) until = std::min(until, opened_ + parts_.txn_interval);
  Result<const SelectedMessage*> next = cursor_->NextBy(until);
  if (next.status().code() == StatusCode::kFailedPrecondition) {
    // What it needs has left the store, and there is no archive: trying again cannot help.
    return Status::NotFound(std::string(next.status().message()));
  }
  TD_RETURN_IF_ERROR(next.status());
  pending_ = *next;
  if (pending_ != nullptr) BeginMessage();
  at_end_ = pending_ == nullptr && !cursor_->searching();
  return Status::Ok();
}

// Where the progress stands within this very message, what was sent of it is not sent again.
void ReplayAttempt::BeginMessage() {
  next_part_ = 0;
  const uint32_t records = position_moved_ ? sent_records_ : progress_.note.records;
  if (!re_encodes() || records == 0) return;
  MessagePosition before = sent_position_;
  if (!position_moved_) {
    Result<MessagePosition> noted = MessagePosition::Decode(progress_.note.position);
    if (!noted.ok()) return;
    before = std::move(noted).value();
  }
  MessagePosition here = *cursor_->position();
  --here.offset;
  if (!(here == before)) return;
  const auto& matching = pending_->matching;
  next_part_ = static_cast<size_t>(std::lower_bound(matching.begin(), matching.end(), records) -
                                   matching.begin());
}

// Between two turns of a search, which may take as long as the selection is sparse.
Status ReplayAttempt::SearchOn(MonotonicTime now) {
  Publish(now);
  if (exactly_once_) {
    return open_ && now >= opened_ + parts_.txn_interval ? CommitOpen() : Status::Ok();
  }
  TD_RETURN_IF_ERROR(sink_->Serve(milliseconds(0)));
  NoteArrived();
  return Status::Ok();
}

// Until the message is due or there is something else to do. Nothing stays open in a long wait.
Status ReplayAttempt::WaitFor(MonotonicTime due) {
  const MonotonicTime now = parts_.clock->Monotonic();
  MonotonicTime until = std::min(due, now + kLook);
  if (open_) {
    const MonotonicTime commit_at = opened_ + parts_.txn_interval;
    if (now >= commit_at || due > commit_at) {
      if (due - now > kLook || now >= commit_at) return CommitOpen();
      until = std::min(until, commit_at);
    }
  }
  if (due - now > kRelease || cursor_->broken()) return WaitLong(due);
  if (!exactly_once_) {
    TD_RETURN_IF_ERROR(sink_->Serve(milliseconds(0)));
    NoteArrived();
  }
  WaitUntil(until, parts_.clock);
  return Status::Ok();
}

// Without a view of the store: the message is read again when it is nearly due.
Status ReplayAttempt::WaitLong(MonotonicTime due) {
  NotePosition();
  std::optional<MessagePosition> before;
  if (!progress_.note.position.empty()) {
    TD_ASSIGN_OR_RETURN(before, MessagePosition::Decode(progress_.note.position));
  }
  pending_ = nullptr;
  cursor_->PutBack(std::move(before));
  while (due - parts_.clock->Monotonic() > kReadBefore && desk_->version() == seen_version_) {
    parts_.clock->SleepFor(kLook);
    if (exactly_once_) continue;
    TD_RETURN_IF_ERROR(sink_->Serve(milliseconds(0)));
    NoteArrived();
  }
  return Status::Ok();
}

Status ReplayAttempt::SendPending(MonotonicTime due) {
  if (exactly_once_ && !open_) {
    TD_RETURN_IF_ERROR(sink_->Begin());
    open_ = true;
    opened_ = parts_.clock->Monotonic();
  }
  ReplayNote& note = progress_.note;
  const bool as_recorded = job_.spec.target.timestamps == ReplayTimestamps::kOriginal;
  const Timestamp sent_at = as_recorded ? Timestamp() : parts_.clock->Now();
  const bool shifted = note.shifted;
  TD_ASSIGN_OR_RETURN(const OutgoingContent* out,
                      outgoing_->Make(*pending_, next_part_, note.next_seq, &note, sent_at));
  if (!exactly_once_) {
    // What is sent again must be what it was: nothing was sent since the start, or the seek.
    if (note.shifted != shifted) {
      Status kept = desk_->KeepNote(note, progress_.command);
      note.shifted = kept.ok();
      if (!kept.ok()) return kept;
    }
    if (note.next_seq % kKeepEvery == 0) {  // see given_numbers.h
      const uint64_t arrived = desk_->job().note.next_seq;
      if (note.next_seq - arrived > kUnkeptMax / 2) TD_RETURN_IF_ERROR(WaitArrived(kCommitWithin));
      TD_RETURN_IF_ERROR(desk_->SaveNote());
    }
    desk_->Give(note.next_seq);
  }
  TD_RETURN_IF_ERROR(sink_->Send(*out->topic, out->message, kCommitWithin)
                         .WithContext("message " + std::to_string(note.next_seq)));
  TD_RETURN_IF_ERROR(FailpointHit("replay.sent"));
  lag_ = pacer_.Sent(pending_->greatest_time, out->bytes, due);
  if (parts_.on_sent) {
    parts_.on_sent(pacer_.pace().mode == PaceMode::kMax ? nanoseconds(-1) : lag_);
  }
  ++note.next_seq;
  note.bytes += out->bytes;
  note.digest += out->hash;
  sent_position_ = *cursor_->position();
  sent_records_ = 0;
  position_moved_ = true;
  open_bytes_ += out->bytes;
  last_time_ = pending_->greatest_time;
  if (++next_part_ < outgoing_->Count(*pending_)) {
    --sent_position_.offset;  // before this message, some of whose records were sent
    sent_records_ = pending_->matching[next_part_ - 1] + 1;
    return Status::Ok();
  }
  pending_ = nullptr;
  return Status::Ok();
}

void ReplayAttempt::Publish(MonotonicTime now) {
  if (now - published_ < kPublish) return;
  const double seconds = std::chrono::duration<double>(now - published_).count();
  const double rate = static_cast<double>(progress_.note.next_seq - published_seq_) / seconds;
  if (published_seq_ > 0) rate_ = 0.8 * rate_ + 0.2 * rate;
  published_ = now;
  published_seq_ = progress_.note.next_seq;
  ReplayLive live;
  live.acked = sink_->acked();
  live.rate = rate_;
  live.position = last_time_;
  live.lag = lag_;
  live.late_p50 = pacer_.lateness().Quantile(0.5);
  live.late_p99 = pacer_.lateness().Quantile(0.99);
  live.late_max = pacer_.lateness().max();
  live.shifted = pacer_.shifted();
  live.extra_records = cursor_->extra_records();
  if (trail_ != nullptr) {
    live.verified = trail_->verified();
    live.foreign = trail_->foreign();
  }
  desk_->SetLive(live);
}

Status ReplayAttempt::Send() {
  bool leave = false;
  for (uint64_t n = 0; !leave; ++n) {
    // Commands that wait are carried out at once then: otherwise each try would come further.
    const bool sent_again = waiting_ && progress_.note.next_seq >= desk_->given();
    if (n % kLookEvery == 0 || pending_ != nullptr || cursor_->searching() || sent_again) {
      TD_RETURN_IF_ERROR(TakeOrders(&leave));
    }
    if (leave) break;
    if (n % kTellTimeEvery == 0 || !pacer_.unpaced() || cursor_->searching()) {
      now_ = parts_.clock->Monotonic();
    }
    TD_RETURN_IF_ERROR(Next());
    if (at_end_ && !waiting_) break;
    if (at_end_) {
      TD_RETURN_IF_ERROR(TakeOrders(&leave));
      continue;
    }
    if (pending_ != nullptr && next_part_ >= outgoing_->Count(*pending_)) {
      pending_ = nullptr;  // a message without records
    }
    if (pending_ == nullptr) {
      TD_RETURN_IF_ERROR(SearchOn(parts_.clock->Monotonic()));
      continue;
    }
    if (!pacer_.unpaced()) now_ = parts_.clock->Monotonic();
    const MonotonicTime now = now_;
    const MonotonicTime due = pacer_.unpaced() ? now : pacer_.Due(pending_->greatest_time, 0);
    if (n % kLookEvery == 0 || due > now) Publish(now);
    if (due > now + kPaceQuantum) {
      TD_RETURN_IF_ERROR(WaitFor(due));
      continue;
    }
    TD_RETURN_IF_ERROR(SendPending(due));
    if (exactly_once_) {
      if (now - opened_ >= parts_.txn_interval || open_bytes_ >= kTransactionBytesMax) {
        TD_RETURN_IF_ERROR(CommitOpen());
      }
    } else if (now - opened_ >= kNoteEvery) {
      opened_ = now;
      NotePosition();
      unarrived_.push_back({progress_.note, progress_.command});
      TD_RETURN_IF_ERROR(sink_->Serve(milliseconds(0)));
      NoteArrived();
    }
  }
  return End(leave);
}

// Readers of the target would stand before what is left open. At least once: what has arrived is
// noted, so that less is sent again.
void ReplayAttempt::Abandon() {
  if (sink_ == nullptr) return;
  if (!exactly_once_ && seq_at_start_ > 0) (void)WaitArrived(kAbortWithin);
  if (!open_) return;
  const Status aborted = sink_->Abort(kAbortWithin);
  if (!aborted.ok()) TD_LOG(kWarn, "replay", "abort", aborted.ToString(), {{"job", job_.id}});
  open_ = false;
}

// Everything is out and counted; or the process ends, and what is open goes.
Status ReplayAttempt::End(bool leave) {
  if (exactly_once_) {
    if (open_ && desk_->stopping()) {
      open_ = false;
      return sink_->Abort(kAbortWithin);
    }
    TD_RETURN_IF_ERROR(CommitOpen());
  } else {
    TD_RETURN_IF_ERROR(WaitArrived(desk_->stopping() ? kAbortWithin : kCommitWithin));
  }
  sent_all_ = !leave;
  published_ = MonotonicTime(0);
  Publish(parts_.clock->Monotonic());
  return Status::Ok();
}

Status RenewProgress(const WorkerParts& parts, JobDesk* desk) {
  std::optional<uint64_t> replaced;
  ReplayAttempt attempt(parts, desk, &replaced);
  return attempt.Start(false);
}

}  // namespace tapedeck
