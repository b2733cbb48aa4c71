#include "node/pulse.h"

#include <algorithm>
#include <utility>

namespace tapedeck {
namespace {

using std::chrono::milliseconds;

class PulseSource final : public MessageSource {
 public:
  PulseSource(std::unique_ptr<MessageSource> source, Pulse* pulse)
      : source_(std::move(source)), pulse_(pulse) {}

  Result<const SourceBatch*> Poll(milliseconds timeout) override {
    pulse_->Beat();
    return source_->Poll(timeout);
  }
  Status Commit(std::span<const GroupCommit> commits, milliseconds timeout) override {
    pulse_->Beat();
    return source_->Commit(commits, pulse_->Within(timeout));
  }
  void CommitAsync(std::span<const GroupCommit> commits) override { source_->CommitAsync(commits); }
  Result<std::vector<GroupCommit>> Committed(std::span<const TopicPartition> partitions,
                                             milliseconds timeout) override {
    pulse_->Beat();
    return source_->Committed(partitions, pulse_->Within(timeout));
  }
  std::string ClusterId(milliseconds timeout) override {
    pulse_->Beat();
    return source_->ClusterId(pulse_->Within(timeout));
  }
  void Reassign() override { source_->Reassign(); }
  Status Close(bool leave, milliseconds timeout) override {
    pulse_->Beat();
    pulse_->Stored();
    return source_->Close(leave, pulse_->Within(timeout));
  }

 private:
  std::unique_ptr<MessageSource> source_;
  Pulse* pulse_;
};

class PulseProbe final : public LogProbe {
 public:
  PulseProbe(std::unique_ptr<LogProbe> probe, Pulse* pulse)
      : probe_(std::move(probe)), pulse_(pulse) {}

  Result<LogBounds> Bounds(const TopicPartition& tp, milliseconds timeout) override {
    pulse_->Beat();
    return probe_->Bounds(tp, pulse_->Within(timeout));
  }
  Result<std::unique_ptr<ProbedMessage>> ReadAt(const TopicPartition& tp, int64_t offset,
                                                milliseconds timeout) override {
    pulse_->Beat();
    return probe_->ReadAt(tp, offset, pulse_->Within(timeout));
  }
  Status ReadRange(const TopicPartition& tp, int64_t from, int64_t to, milliseconds idle_timeout,
                   const std::function<bool(const MessageView&)>& visit) override {
    pulse_->Beat();
    return probe_->ReadRange(tp, from, to, pulse_->Within(idle_timeout),
                             [&](const MessageView& message) {
                               pulse_->Beat();
                               return visit(message);
                             });
  }
  Result<int64_t> OffsetForTime(const TopicPartition& tp, int64_t timestamp_ms,
                                milliseconds timeout) override {
    pulse_->Beat();
    return probe_->OffsetForTime(tp, timestamp_ms, pulse_->Within(timeout));
  }

 private:
  std::unique_ptr<LogProbe> probe_;
  Pulse* pulse_;
};

}  // namespace

milliseconds Pulse::Within(milliseconds wanted) const {
  int64_t deadline = deadline_.load();
  if (deadline == INT64_MAX) return wanted;
  auto left = std::chrono::duration_cast<milliseconds>(std::chrono::nanoseconds(deadline) -
                                                       clock_->Monotonic());
  return std::max(milliseconds(1), std::min(wanted, left));
}

std::unique_ptr<MessageSource> WithPulse(std::unique_ptr<MessageSource> source, Pulse* pulse) {
  return std::make_unique<PulseSource>(std::move(source), pulse);
}

std::unique_ptr<LogProbe> WithPulse(std::unique_ptr<LogProbe> probe, Pulse* pulse) {
  return std::make_unique<PulseProbe>(std::move(probe), pulse);
}

}  // namespace tapedeck
