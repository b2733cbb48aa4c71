#include "replay/memory_sink.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>

namespace tapedeck::testing {
namespace {

using std::chrono::milliseconds;

// At least once: so many messages at most are under way.
constexpr size_t kUnderWayMax = 8;

KeptMessage Kept(const std::string& topic, const OutgoingMessage& message) {
  KeptMessage kept;
  kept.tp = {topic, message.partition};
  kept.seq = message.tag;
  kept.timestamp_ms = message.timestamp_ms;
  if (message.key) kept.key = *message.key;
  if (message.value) kept.value = *message.value;
  for (const HeaderView& header : message.headers) {
    kept.headers.emplace_back(
        header.name, header.value ? std::optional<std::string>(*header.value) : std::nullopt);
  }
  return kept;
}

Status Dead() { return Status::Cancelled("the process of this sink is gone"); }
Status Fenced() { return Status::FailedPrecondition("fenced by a newer sink"); }

}  // namespace

std::string KeptMessage::Header(std::string_view name) const {
  for (const auto& [own, text] : headers) {
    if (own == name) return text.value_or("");
  }
  return "";
}

class MemorySink final : public MessageSink {
 public:
  MemorySink(MemoryTarget* target, SinkDelivery delivery, MemoryTarget::Hook hook)
      : target_(target),
        transactional_(delivery == SinkDelivery::kExactlyOnce),
        hook_(std::move(hook)),
        generation_(target->generation_) {}

  // Of what is under way some still arrives, in order in each partition: a prefix.
  ~MemorySink() override {
    std::lock_guard lock(target_->mutex_);
    size_t arrive = target_->random_.Uniform(under_way_.size() + 1);
    while (arrive-- > 0) ArriveOne();
  }

  Status Start(milliseconds) override {
    TD_RETURN_IF_ERROR(Enter());
    std::lock_guard lock(target_->mutex_);
    if (!transactional_) return Status::Ok();
    if (target_->Fault()) return Broken(Status::Unavailable("InitTransactions: timed out"));
    target_->Decide();
    target_->End(MemoryTarget::Fate::kAborted);
    epoch_ = ++target_->epoch_;
    if (target_->Fault()) return Broken(Status::Unavailable("InitTransactions: no answer came"));
    return Status::Ok();
  }

  Result<std::optional<SinkProgress>> ReadProgress(milliseconds) override {
    TD_RETURN_IF_ERROR(Enter());
    std::lock_guard lock(target_->mutex_);
    if (!transactional_) return std::optional<SinkProgress>();
    if (target_->pending_progress_) return Status::Unavailable("an open transaction hides it");
    if (target_->Fault()) return Status::Unavailable("the coordinator is loading");
    return target_->progress_;
  }

  Status Begin() override {
    TD_RETURN_IF_ERROR(Enter());
    std::lock_guard lock(target_->mutex_);
    if (!transactional_) return Status::Ok();
    TD_RETURN_IF_ERROR(Usable());
    if (target_->Fault()) return Broken(Status::FailedPrecondition("fatal: the epoch is old"));
    EXPECT_FALSE(open_) << "a transaction was begun within one";
    open_ = true;
    ++target_->transactions_;
    target_->fates_.push_back(MemoryTarget::Fate::kOpen);
    return Status::Ok();
  }

  Status Send(const std::string& topic, const OutgoingMessage& message, milliseconds) override {
    TD_RETURN_IF_ERROR(Enter());
    std::lock_guard lock(target_->mutex_);
    TD_RETURN_IF_ERROR(Usable());
    target_->handed_over_ = std::max(target_->handed_over_, message.tag);
    if (target_->clock_ != nullptr) target_->sent_at_.push_back(target_->clock_->Monotonic());
    if (target_->Fault()) {
      return Broken(target_->random_.OneIn(2) ? Status::ResourceExhausted("the queue stays full")
                                              : Status::Internal("a message did not arrive"));
    }
    under_way_.push_back({Kept(topic, message), transactional_ ? target_->transactions_ : 0});
    ++sent_;
    if (transactional_) {
      EXPECT_TRUE(open_) << "a message outside of transactions";
      ArriveOne();
    } else if (under_way_.size() > kUnderWayMax) {
      ArriveOne();
    }
    return Status::Ok();
  }

  Status Commit(const SinkProgress& progress, milliseconds) override {
    TD_RETURN_IF_ERROR(Enter());
    std::lock_guard lock(target_->mutex_);
    if (!transactional_) return Status::Ok();
    TD_RETURN_IF_ERROR(Usable());
    EXPECT_TRUE(open_) << "a commit of nothing";
    target_->pending_progress_ = progress;
    if (target_->Fault()) return FailCommit();
    target_->End(MemoryTarget::Fate::kCommitted);
    open_ = false;
    return Status::Ok();
  }

  Status Abort(milliseconds) override {
    TD_RETURN_IF_ERROR(Enter());
    std::lock_guard lock(target_->mutex_);
    if (!transactional_) return Status::Ok();
    if (epoch_ != target_->epoch_) return Fenced();
    if (broken_.code() == StatusCode::kFailedPrecondition) return broken_;  // fatal
    if (target_->Fault()) return Broken(Status::Unavailable("AbortTransaction: timed out"));
    if (!target_->undecided_) target_->End(MemoryTarget::Fate::kAborted);
    open_ = false;
    return Status::Ok();
  }

  Status Serve(milliseconds) override {
    TD_RETURN_IF_ERROR(Enter());
    std::lock_guard lock(target_->mutex_);
    if (!transactional_ && target_->Fault()) {
      return Broken(Status::Internal("a message did not arrive: timed out"));
    }
    const size_t arrive = target_->random_.Uniform(4);
    for (size_t i = 0; i < arrive; ++i) ArriveOne();
    return Status::Ok();
  }

  uint64_t acked_through() const override { return acked_; }
  uint64_t acked() const override { return sent_ - under_way_.size(); }

 private:
  /// Where the test does something; a process that is gone does nothing any more.
  Status Enter() {
    if (hook_) hook_();
    std::lock_guard lock(target_->mutex_);
    return generation_ == target_->generation_ ? Status::Ok() : Dead();
  }

  Status Usable() {
    EXPECT_TRUE(broken_.ok()) << "used for more than an abort after " << broken_.ToString();
    if (transactional_ && epoch_ != target_->epoch_) return Fenced();
    return Status::Ok();
  }

  Status Broken(Status status) {
    broken_ = status;
    return status;
  }

  // Ways in which the answer is not what happened.
  Status FailCommit() {
    switch (target_->random_.Uniform(5)) {
      case 0:  // done, and nobody says so
        target_->End(MemoryTarget::Fate::kCommitted);
        return Status::Unavailable("EndTxn: no answer came");
      case 1:  // done, and the client ends
        target_->End(MemoryTarget::Fate::kCommitted);
        return Broken(Status::FailedPrecondition("fatal: EndTxn: INVALID_TXN_STATE"));
      case 2:  // who knows
        target_->undecided_ = true;
        return Status::Unavailable("EndTxn: timed out");
      case 3:  // given up by the broker
        target_->End(MemoryTarget::Fate::kAborted);
        ++target_->epoch_;
        return Broken(Status::FailedPrecondition("fatal: the transaction has timed out"));
      default:
        target_->End(MemoryTarget::Fate::kAborted);
        return Status::Cancelled("the transaction must be aborted");
    }
  }

  void ArriveOne() {
    if (under_way_.empty()) return;
    acked_ = std::max(acked_, under_way_.front().message.seq);
    target_->log_.push_back(std::move(under_way_.front()));
    under_way_.pop_front();
  }

  MemoryTarget* const target_;
  const bool transactional_;
  const MemoryTarget::Hook hook_;
  const uint64_t generation_;
  uint64_t epoch_ = 0;
  bool open_ = false;
  Status broken_;
  uint64_t sent_ = 0;
  uint64_t acked_ = 0;
  std::deque<MemoryTarget::Entry> under_way_;
};

/// Reads the log as far as no open transaction is in it.
class MemoryTrail final : public ReplayTrail {
 public:
  MemoryTrail(const MemoryTarget* target, std::map<TopicPartition, int64_t> starts)
      : target_(target), starts_(std::move(starts)) {}

  Status Poll(milliseconds, const Visit& visit) override {
    std::vector<std::pair<KeptMessage, int64_t>> read;
    {
      std::lock_guard lock(target_->mutex_);
      while (at_ < target_->log_.size() && read.size() < 50) {
        const MemoryTarget::Entry& entry = target_->log_[at_];
        if (target_->fates_[entry.transaction] == MemoryTarget::Fate::kOpen) break;
        ++at_;
        const int64_t offset = offsets_[entry.message.tp]++;
        if (offset < starts_[entry.message.tp] || !target_->IsShown(entry)) continue;
        read.emplace_back(entry.message, offset);
      }
      at_end_ = at_ == target_->log_.size();
    }
    if (read.empty()) SystemClock().SleepFor(std::chrono::microseconds(200));  // nothing has come
    for (const auto& [message, offset] : read) {
      std::vector<HeaderView> headers;
      for (const auto& [name, text] : message.headers) {
        headers.push_back({name, text ? OptionalBytes(*text) : std::nullopt});
      }
      visit(message.tp, {.offset = offset,
                         .timestamp_ms = message.timestamp_ms,
                         .timestamp_type = TimestampType::kCreate,
                         .key = message.key ? OptionalBytes(*message.key) : std::nullopt,
                         .value = message.value ? OptionalBytes(*message.value) : std::nullopt,
                         .headers = headers});
    }
    return Status::Ok();
  }
  bool at_end() const override { return at_end_; }

 private:
  const MemoryTarget* const target_;
  std::map<TopicPartition, int64_t> starts_;
  std::map<TopicPartition, int64_t> offsets_;
  size_t at_ = 0;
  bool at_end_ = false;
};

std::unique_ptr<MessageSink> MemoryTarget::OpenSink(SinkDelivery delivery, Hook hook) {
  return std::make_unique<MemorySink>(this, delivery, std::move(hook));
}

std::unique_ptr<ReplayTrail> MemoryTarget::OpenTrail(const ReplayJob& job) {
  return std::make_unique<MemoryTrail>(this, job.target_starts);
}

void MemoryTarget::Calm() {
  std::lock_guard lock(mutex_);
  faults_.fault_every = 0;
}

void MemoryTarget::Kill() {
  std::lock_guard lock(mutex_);
  ++generation_;
}

bool MemoryTarget::Fault() {
  if (faults_.fault_every == 0 || !random_.OneIn(faults_.fault_every)) return false;
  ++faults_hit_;
  return true;
}

// A commit whose outcome was open is carried out, or it never was.
void MemoryTarget::Decide() {
  if (!undecided_) return;
  undecided_ = false;
  End(random_.OneIn(2) ? Fate::kCommitted : Fate::kAborted);
}

void MemoryTarget::End(Fate fate) {
  if (fates_.back() == Fate::kOpen) fates_.back() = fate;
  if (fate == Fate::kCommitted && pending_progress_) progress_ = pending_progress_;
  pending_progress_.reset();
}

bool MemoryTarget::IsShown(const Entry& entry) const {
  return fates_[entry.transaction] == Fate::kCommitted;
}

std::vector<KeptMessage> MemoryTarget::Committed() const {
  std::lock_guard lock(mutex_);
  std::vector<KeptMessage> messages;
  for (const Entry& entry : log_) {
    if (IsShown(entry)) messages.push_back(entry.message);
  }
  return messages;
}

std::map<TopicPartition, int64_t> MemoryTarget::Ends() const {
  std::lock_guard lock(mutex_);
  std::map<TopicPartition, int64_t> ends;
  for (const Entry& entry : log_) ++ends[entry.message.tp];
  return ends;
}

uint64_t MemoryTarget::handed_over() const {
  std::lock_guard lock(mutex_);
  return handed_over_;
}

std::vector<MonotonicTime> MemoryTarget::sent_at() const {
  std::lock_guard lock(mutex_);
  return sent_at_;
}

uint64_t MemoryTarget::faults() const {
  std::lock_guard lock(mutex_);
  return faults_hit_;
}

}  // namespace tapedeck::testing
