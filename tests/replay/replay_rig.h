#ifndef TAPEDECK_TESTS_REPLAY_REPLAY_RIG_H_
#define TAPEDECK_TESTS_REPLAY_REPLAY_RIG_H_

// ReplayRig: a filled store with a writer's thread that serves its queue, and a runner on a real
// Kafka.
//
//   ReplayRig rig(dir.path(), kafka->bootstrap_servers());
//   rig.Fill(1000);                                       // not in a folder that has a store
//   rig.Start();                                          // opens the store; Stop closes it
//   const std::string id = rig.Create(R"(…)");
//   rig.WaitFor(id, ReplayState::kDone);
//
// Owned by one thread.

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>

#include "query/store_filler.h"
#include "replay/runner.h"

namespace tapedeck::testing {

class ReplayRig {
 public:
  ReplayRig(const std::string& dir, std::string bootstrap_servers)
      : dir_(dir), bootstrap_servers_(std::move(bootstrap_servers)) {}
  ~ReplayRig() { Stop(); }

  /// What Fill has written; more may be added before Start.
  StoreFiller& filler() { return *filler_; }
  ReplayRunner& runner() { return *runner_; }

  /// `messages` on each of two partitions of "ticks", one millisecond apart, with odd ones.
  void Fill(size_t messages);
  void Start(ReplayOptions options = {});
  void Stop();

  /// The id; a failure of the test where it is refused.
  std::string Create(const nlohmann::json& request, const std::string& key = "");
  Status Refused(const nlohmann::json& request);
  Status Patch(const std::string& id, const nlohmann::json& patch);
  ReplayView View(const std::string& id) { return runner_->Get(id).value(); }
  /// False, and a failure of the test, where it is not in that state in time or has failed.
  bool WaitFor(const std::string& id, ReplayState state, int seconds = 60);
  bool WaitSent(const std::string& id, uint64_t messages, int seconds = 60);
  /// Of a job that was paused: its worker may still commit what it had sent. The number of messages
  /// committed, once it has stood still for three seconds; a failure of the test where it never
  /// does.
  uint64_t WaitSettled(const std::string& id, int seconds = 60);

  /// Called by workers for each message; set before Start.
  std::function<void(std::chrono::nanoseconds)> on_sent;

  /// What others than the runner do to the store, or keep it from doing.
  /// As store.retain does: blocks wholly below `to` go, and a gap says so. Returns its end.
  int64_t Drop(TpId tp, int64_t to);
  Status PutJob(const ReplayJob& job);
  void Hold(bool held) { held_.store(held); }
  bool waiting() const { return queue_->waiting(); }
  void CloseQueue(const std::string& reason) { queue_->Close(reason); }

  /// {"source":{"topics":["ticks"]},"target":{"name":"lab","topic":topic}}
  static nlohmann::json Request(const std::string& topic);

 private:
  const std::string dir_;
  const std::string bootstrap_servers_;
  std::unique_ptr<StoreFiller> filler_;
  SeriesDirectory directory_;
  OpenRows open_rows_;
  std::unique_ptr<Store> store_;
  std::unique_ptr<StoreQueue> queue_;  // of this Start
  std::atomic<bool> stop_{false};
  std::atomic<bool> held_{false};
  std::thread writer_;
  std::unique_ptr<ReplayRunner> runner_;
};

}  // namespace tapedeck::testing

#endif  // TAPEDECK_TESTS_REPLAY_REPLAY_RIG_H_
