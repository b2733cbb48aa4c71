#include "replay/verifier.h"

#include <charconv>

namespace tapedeck {

ReplayVerifier::ReplayVerifier(const ReplayJob& job, std::string name)
    : provenance_(job.spec.target.provenance),
      repeats_(job.spec.delivery == SinkDelivery::kAtLeastOnce),
      name_(std::move(name)),
      hasher_(job) {}

// Ours are the last four headers: a replay of a replay has those of the first before them.
bool ReplayVerifier::IsOurs(const MessageView& message, uint64_t* seq) const {
  constexpr size_t kOurs = 4;
  if (message.headers.size() < kOurs) return false;
  const auto ours = message.headers.last(kOurs);
  if (ours[0].name != kReplayHeader || ours[0].value != name_) return false;
  if (ours[1].name != kSeqHeader || !ours[1].value) return false;
  const std::string_view text = *ours[1].value;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *seq);
  return error == std::errc() && end == text.data() + text.size();
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
