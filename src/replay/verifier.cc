#include "replay/verifier.h"

#include <optional>

#include "model/replay_headers.h"

namespace tapedeck {

ReplayVerifier::ReplayVerifier(const ReplayJob& job, std::string name)
    : provenance_(job.spec.target.provenance),
      repeats_(job.spec.delivery == SinkDelivery::kAtLeastOnce),
      name_(std::move(name)),
      hasher_(job) {}

bool ReplayVerifier::IsOurs(const MessageView& message, uint64_t* seq) const {
  const std::optional<ReplayHeaders> headers = ReplayHeadersOf(message);
  if (!headers || headers->name != name_) return false;
  *seq = headers->seq;
  return true;
}

void ReplayVerifier::See(const TopicPartition& tp, const MessageView& message) {
  uint64_t seq = 0;
  if (provenance_) {
    if (!IsOurs(message, &seq)) {
      ++foreign_;
      return;
    }
    uint64_t& last = last_seq_[tp];
    if (seq <= last) {
      ++repeated_;
      if (!repeats_ && trouble_.ok()) {
        trouble_ = Status::Corruption(tp.ToString() + "@" + std::to_string(message.offset) +
                                      " has sequence number " + std::to_string(seq) + " after " +
                                      std::to_string(last));
      }
      return;
    }
    last = seq;
  }
  ++messages_;
  digest_ += hasher_.Hash(message);
}

Status ReplayVerifier::Compare(uint64_t messages, const Digest& digest) const {
  TD_RETURN_IF_ERROR(trouble_);
  if (messages_ == messages && digest_ == digest) return Status::Ok();
  if (!provenance_ && messages_ > messages) {
    return Status::FailedPrecondition(
        "foreign messages: the target's partitions hold " + std::to_string(messages_) +
        " messages since the job began, and it sent " + std::to_string(messages));
  }
  if (messages_ != messages) {
    return Status::Corruption("the target holds " + std::to_string(messages_) + " of the " +
                              std::to_string(messages) + " messages that were sent");
  }
  return Status::Corruption("the target holds " + std::to_string(messages_) +
                            " messages as sent, but other bytes than were sent");
}

}  // namespace tapedeck
