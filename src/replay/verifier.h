#ifndef TAPEDECK_REPLAY_VERIFIER_H_
#define TAPEDECK_REPLAY_VERIFIER_H_

// ReplayVerifier: compares what a read_committed reader finds in the target with what a job has
// sent: how many, the sum of their hashes, and, with provenance, that sequence numbers rise in each
// partition.
//
//   ReplayVerifier verifier(job, name);
//   reader->Poll(100ms, [&](const TopicPartition& tp, const MessageView& m) {
//     verifier.See(tp, m);
//   });
//   TD_RETURN_IF_ERROR(verifier.Compare(sent, digest));
//
// Messages of the job are known by the header tapedeck-replay; all others are foreign and left
// out. Without provenance every message of the partitions must be the job's. At least once:
// a message that was sent again after a crash has a sequence number that its partition has seen,
// and is counted once.
//
// Owned by one thread.

#include <cstdint>
#include <map>
#include <string>

#include "base/hash.h"
#include "base/status.h"
#include "model/message.h"
#include "replay/job.h"
#include "replay/outgoing.h"

namespace tapedeck {

class ReplayVerifier {
 public:
  ReplayVerifier(const ReplayJob& job, std::string name);

  void See(const TopicPartition& tp, const MessageView& message);
  /// kCorruption: what is different; kFailedPrecondition: foreign messages where none may be.
  Status Compare(uint64_t messages, const Digest& digest) const;

  /// Nothing that is still to come mends what was seen.
  bool torn() const { return !trouble_.ok(); }
  uint64_t messages() const { return messages_; }
  uint64_t foreign() const { return foreign_; }
  uint64_t repeated() const { return repeated_; }
  const Digest& digest() const { return digest_; }

 private:
  bool IsOurs(const MessageView& message, uint64_t* seq) const;

  const bool provenance_;
  const bool repeats_;  // may appear
  const std::string name_;
  SentHasher hasher_;
  uint64_t messages_ = 0;
  uint64_t foreign_ = 0;
  uint64_t repeated_ = 0;
  Digest digest_;
  std::map<TopicPartition, uint64_t> last_seq_;
  Status trouble_;  // the first
};

}  // namespace tapedeck

#endif  // TAPEDECK_REPLAY_VERIFIER_H_
