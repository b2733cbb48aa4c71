#ifndef TAPEDECK_REPLAY_OWN_REPLAYS_H_
#define TAPEDECK_REPLAY_OWN_REPLAYS_H_

// OwnReplays: tells the recorder which messages this node's own replays have sent, so that a loop
// does not grow (docs/faults.md, G12).
//
//   OwnReplays own(&view_of_the_store, "tapedeck", "node-1");
//   recorder_parts.is_own_replay = [&](const std::string& cluster, const TopicPartition& tp,
//                                      const MessageView& m) { return own.Sent(cluster, tp, m); };
//
// A header can be forged, so it counts only where all of it fits: it names this group, this node
// and a job in this store that is no restore; cluster, topic and partition are where that job sends
// the message of that origin; and the origin is one of the offsets that the job was frozen to,
// which are recorded already. What does not fit is somebody else's message, and is recorded.
//
// A job that was deleted before its messages were read back is not known any more: they are
// recorded.
//
// Owned by one thread (the record thread). The function outlives it.

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "model/message.h"
#include "replay/job.h"
#include "store/store.h"

namespace tapedeck {

class OwnReplays {
 public:
  using OpenView = std::function<std::shared_ptr<const StoreView>()>;
  OwnReplays(OpenView open_view, std::string_view group, std::string_view node);

  bool Sent(const std::string& cluster, const TopicPartition& tp, const MessageView& message);

 private:
  /// Null: there is no such job, or it cannot be read.
  const ReplayJob* Find(const std::string& id);

  const OpenView open_view_;
  const std::string prefix_;  // "<group>/<node>/"
  std::unordered_map<std::string, std::unique_ptr<ReplayJob>> jobs_;
};

}  // namespace tapedeck

#endif  // TAPEDECK_REPLAY_OWN_REPLAYS_H_
