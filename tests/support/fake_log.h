#ifndef TAPEDECK_TESTS_SUPPORT_FAKE_LOG_H_
#define TAPEDECK_TESTS_SUPPORT_FAKE_LOG_H_

// FakeLog: Kafka's logs in memory, with a MessageSource and a LogProbe on top, for tests of the
// record journey.
//
// The fake keeps the contract of kafka/message_source.h (tests/kafka/source_conformance.h runs on
// it too) and does on demand what a cluster does seldom: truncate, recreate, expire, leave out
// messages, end the group's assignment at any moment.
//
// Thread-safe by one mutex in FakeLog; a FakeSource is owned by one thread.

#include <algorithm>
#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "kafka/message_source.h"

namespace tapedeck::testing {

struct FakeMessage {
  int64_t offset = 0;
  int64_t timestamp_ms = 0;
  std::optional<std::string> key;
  std::optional<std::string> value;
  std::vector<std::pair<std::string, std::optional<std::string>>> headers;
};

/// A FakeMessage as a view; owns the header array.
class FakeView {
 public:
  explicit FakeView(const FakeMessage& m) : message_(m) {
    for (const auto& [name, value] : message_.headers) {
      headers_.push_back({name, value ? OptionalBytes(*value) : std::nullopt});
    }
  }
  FakeView(const FakeView&) = delete;
  MessageView view() const {
    MessageView v;
    v.offset = message_.offset;
    v.timestamp_ms = message_.timestamp_ms;
    v.timestamp_type = message_.timestamp_ms < 0 ? TimestampType::kNone : TimestampType::kCreate;
    if (message_.key) v.key = *message_.key;
    if (message_.value) v.value = *message_.value;
    v.headers = headers_;
    return v;
  }

 private:
  const FakeMessage message_;
  std::vector<HeaderView> headers_;
};

class FakeLog {
 public:
  struct Partition {
    int64_t start = 0;
    int64_t end = 0;  // next offset
    std::map<int64_t, FakeMessage> messages;
    std::optional<GroupCommit> committed;
  };

  void Create(const std::string& topic, int partitions) {
    std::lock_guard lock(mutex_);
    for (int p = 0; p < partitions; ++p) log_[{topic, p}];
  }
  /// Deletes the topic's messages and offsets and starts again at 0; the group's commits stay.
  void Recreate(const std::string& topic) {
    std::lock_guard lock(mutex_);
    for (auto& [tp, p] : log_) {
      if (tp.topic != topic) continue;
      p.start = p.end = 0;
      p.messages.clear();
    }
  }
  int64_t Produce(const TopicPartition& tp, FakeMessage m) {
    std::lock_guard lock(mutex_);
    Partition& p = log_[tp];
    m.offset = p.end++;
    const int64_t offset = m.offset;
    p.messages[offset] = std::move(m);
    return offset;
  }
  /// Offsets that hold nothing a consumer sees: markers, aborted messages.
  void ProduceHole(const TopicPartition& tp, int64_t count) {
    std::lock_guard lock(mutex_);
    log_[tp].end += count;
  }
  /// Cuts the log: offsets >= `end` are gone.
  void Truncate(const TopicPartition& tp, int64_t end) {
    std::lock_guard lock(mutex_);
    Partition& p = log_[tp];
    p.messages.erase(p.messages.lower_bound(end), p.messages.end());
    p.end = std::min(p.end, end);
  }
  /// Retention: offsets < `start` are gone.
  void Expire(const TopicPartition& tp, int64_t start) {
    std::lock_guard lock(mutex_);
    Partition& p = log_[tp];
    p.messages.erase(p.messages.begin(), p.messages.lower_bound(start));
    p.start = std::max(p.start, start);
  }
  Partition Copy(const TopicPartition& tp) const {
    std::lock_guard lock(mutex_);
    return log_.at(tp);
  }
  std::vector<TopicPartition> All() const {
    std::lock_guard lock(mutex_);
    std::vector<TopicPartition> all;
    for (const auto& [tp, p] : log_) all.push_back(tp);
    return all;
  }
  void Commit(const GroupCommit& commit) {
    std::lock_guard lock(mutex_);
    log_[commit.tp].committed = commit;
  }

  std::string cluster_id = "fake-cluster";
  std::atomic<int> committed_fails = 0;  // so many questions for the group's commits fail
  /// Offsets of a partition that Poll leaves out although they are there: a client's fetch bug.
  std::map<TopicPartition, std::vector<int64_t>> hidden_from_poll;
  /// Called before the probe reads a range: where a test lets time pass.
  std::function<void()> on_read_range;
  /// From this offset on Poll gives nothing of a partition, not even its end, and no error either.
  std::map<TopicPartition, int64_t> silent_from;
  /// Fails every request while true.
  std::atomic<bool> down{false};
  /// What the probe's questions give instead of an answer, unless it is kOk.
  std::atomic<StatusCode> probe_trouble{StatusCode::kOk};
  /// The probe has no right to this partition; -1: to every one it has.
  std::atomic<int32_t> forbidden_partition{-1};
  /// Polling this partition gives an error instead of messages, once for each assignment.
  std::atomic<int32_t> broken_partition{-1};
  /// The probe reads no message: all are spoiled on the way.
  std::atomic<bool> spoiled{false};

 private:
  mutable std::mutex mutex_;
  std::map<TopicPartition, Partition> log_;
};

class FakeProbe final : public LogProbe {
 public:
  explicit FakeProbe(FakeLog* log) : log_(log) {}
  Result<LogBounds> Bounds(const TopicPartition& tp, std::chrono::milliseconds) override {
    if (log_->down) return Status::Unavailable("the fake broker is down");
    const StatusCode trouble = log_->probe_trouble;
    if (trouble != StatusCode::kOk) return Status(trouble, "the fake broker does not like us");
    if (log_->forbidden_partition == tp.partition)
      return Status::FailedPrecondition("no right to read");
    FakeLog::Partition p = log_->Copy(tp);
    return LogBounds{p.start, p.end};
  }
  Result<std::unique_ptr<ProbedMessage>> ReadAt(const TopicPartition& tp, int64_t offset,
                                                std::chrono::milliseconds) override {
    if (log_->down) return Status::Unavailable("the fake broker is down");
    if (log_->spoiled) return Status::Corruption("a checksum does not match");
    FakeLog::Partition p = log_->Copy(tp);
    auto probed = std::make_unique<ProbedMessage>();
    auto found = p.messages.lower_bound(offset);
    probed->next_offset = found == p.messages.end() ? p.end : found->first;
    if (found == p.messages.end() || found->first != offset) return probed;
    probed->found = true;
    kept_.push_back(std::make_unique<FakeView>(found->second));
    probed->message = kept_.back()->view();
    return probed;
  }
  Status ReadRange(const TopicPartition& tp, int64_t from, int64_t to, std::chrono::milliseconds,
                   const std::function<bool(const MessageView&)>& visit) override {
    if (log_->on_read_range) log_->on_read_range();
    if (log_->down) return Status::Unavailable("the fake broker is down");
    FakeLog::Partition p = log_->Copy(tp);
    for (auto m = p.messages.lower_bound(from); m != p.messages.end() && m->first < to; ++m) {
      FakeView view(m->second);
      if (!visit(view.view())) break;
    }
    return Status::Ok();
  }
  Result<int64_t> OffsetForTime(const TopicPartition& tp, int64_t timestamp_ms,
                                std::chrono::milliseconds) override {
    FakeLog::Partition p = log_->Copy(tp);
    for (const auto& [offset, m] : p.messages) {
      if (m.timestamp_ms >= timestamp_ms) return offset;
    }
    return p.end;
  }

 private:
  FakeLog* log_;
  std::vector<std::unique_ptr<FakeView>> kept_;
};

class FakeSource final : public MessageSource {
 public:
  FakeSource(FakeLog* log, AssignmentListener* listener) : log_(log), listener_(listener) {}

  Result<const SourceBatch*> Poll(std::chrono::milliseconds) override {
    if (on_poll) on_poll(this);
    batch_ = {};
    views_.clear();
    if (dies) return Status::Internal("the test ends this process");
    if (closed_) return Status::Cancelled("closed");
    if (revoke_) {
      listener_->OnRevoked(*revoke_);
      revoke_.reset();
      slots_.clear();
      batch_.reassigned = true;
      return &batch_;
    }
    if (assign_) {
      std::vector<TopicPartition> all = log_->All();
      TD_ASSIGN_OR_RETURN(std::vector<StartOffset> starts, listener_->OnAssigned(all));
      assign_ = false;
      slots_.clear();
      for (size_t i = 0; i < all.size(); ++i) {
        const int64_t start = starts[i].offset;
        slots_.push_back({all[i], start < 0 ? log_->Copy(all[i]).end : start, false});
      }
      batch_.reassigned = true;
      return &batch_;
    }
    if (log_->down) return &batch_;
    for (PartitionSlot s = 0; s < slots_.size(); ++s) FillSlot(s);
    return &batch_;
  }
  Status Commit(std::span<const GroupCommit> commits, std::chrono::milliseconds) override {
    if (log_->down) return Status::Unavailable("the fake broker is down");
    for (const GroupCommit& commit : commits) log_->Commit(commit);
    return Status::Ok();
  }
  void CommitAsync(std::span<const GroupCommit> commits) override {
    if (log_->down) return;
    for (const GroupCommit& commit : commits) log_->Commit(commit);
  }
  Result<std::vector<GroupCommit>> Committed(std::span<const TopicPartition> partitions,
                                             std::chrono::milliseconds) override {
    if (log_->down) return Status::Unavailable("the fake broker is down");
    if (log_->committed_fails > 0) {
      --log_->committed_fails;
      return Status::Unavailable("the fake coordinator is loading");
    }
    std::vector<GroupCommit> commits;
    for (const TopicPartition& tp : partitions) {
      commits.push_back(log_->Copy(tp).committed.value_or(GroupCommit{tp, -1, ""}));
    }
    return commits;
  }
  std::string ClusterId(std::chrono::milliseconds) override {
    return log_->down ? "" : log_->cluster_id;
  }
  void Reassign() override { assign_ = true; }
  Status Close(bool, std::chrono::milliseconds) override {
    closed_ = true;
    return Status::Ok();
  }

  /// The next Poll ends the recorder, which then writes nothing more: what a kill leaves.
  bool dies = false;
  /// The next Poll takes the partitions away.
  void RevokeNext(bool lost) { revoke_ = lost; }
  /// Whether everything in the log has been given out.
  bool AtEnd() const {
    if (assign_ || revoke_) return false;
    return std::all_of(slots_.begin(), slots_.end(), [&](const Slot& s) {
      return !s.failed && s.position >= log_->Copy(s.tp).end;
    });
  }
  /// Messages of one partition in one batch.
  size_t batch_max = 100;
  /// Called at the start of each Poll: where a test lets time pass, changes the log or stops the
  /// journey.
  std::function<void(FakeSource*)> on_poll;

 private:
  struct Slot {
    TopicPartition tp;
    int64_t position = 0;
    bool failed = false;
  };
  void FillSlot(PartitionSlot s) {
    Slot& slot = slots_[s];
    if (slot.failed) return;
    if (log_->broken_partition == slot.tp.partition) {
      slot.failed = true;
      batch_.errors.push_back({s, SourceTrouble::kBadBatch, "a batch does not decompress"});
      return;
    }
    FakeLog::Partition p = log_->Copy(slot.tp);
    if (slot.position < p.start || slot.position > p.end) {
      slot.failed = true;
      batch_.errors.push_back({s, SourceTrouble::kOutOfRange, "offset out of range"});
      return;
    }
    const std::vector<int64_t>& hidden = log_->hidden_from_poll[slot.tp];
    size_t given = 0;
    const auto silent = log_->silent_from.find(slot.tp);
    const int64_t stop = silent == log_->silent_from.end() ? INT64_MAX : silent->second;
    for (auto m = p.messages.lower_bound(slot.position); m != p.messages.end() && given < batch_max;
         ++m) {
      if (m->first >= stop) return;
      slot.position = m->first + 1;
      if (std::find(hidden.begin(), hidden.end(), m->first) != hidden.end()) continue;
      views_.push_back(std::make_unique<FakeView>(m->second));
      batch_.messages.push_back({s, views_.back()->view()});
      ++given;
    }
    if (given < batch_max) {
      slot.position = p.end;
      batch_.ends.push_back({s, p.end});
    }
  }

  FakeLog* log_;
  AssignmentListener* listener_;
  SourceBatch batch_;
  std::vector<std::unique_ptr<FakeView>> views_;
  std::vector<Slot> slots_;
  bool assign_ = true;
  bool closed_ = false;
  std::optional<bool> revoke_;
};

}  // namespace tapedeck::testing

#endif  // TAPEDECK_TESTS_SUPPORT_FAKE_LOG_H_
