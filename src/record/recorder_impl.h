#ifndef TAPEDECK_RECORD_RECORDER_IMPL_H_
#define TAPEDECK_RECORD_RECORDER_IMPL_H_

// RecorderImpl: the record thread's state, shared by recorder.cc (loop), commit.cc (append, commit,
// flush) and assignment.cc (partitions that come and go). Private to the record module; recorder.h
// is its door.
//
// Owned by the record thread but for State() and what state_mutex_ protects.

#include <deque>
#include <map>
#include <regex>
#include <set>

#include "base/steady_time.h"
#include "record/flush_worker.h"
#include "record/healing.h"
#include "record/lane.h"
#include "record/merger.h"
#include "record/record_metrics.h"
#include "record/recorder.h"
#include "record/start_plan.h"
#include "record/stuck_watch.h"
#include "record/tail_check.h"
#include "record/tape_book.h"

namespace tapedeck {

/// A topic of the options with what is compiled from it.
struct TopicSetup {
  const RecordTopic* topic = nullptr;
  std::optional<std::regex> pattern;
  std::unique_ptr<Decoder> decoder;
};

/// Between two tries of what the store did not do.
inline constexpr std::chrono::seconds kRetryWrite(1);

class RecorderImpl final : public Recorder, private AssignmentListener {
 public:
  RecorderImpl(RecorderOptions options, RecorderParts parts);
  Status Open();  // loads the book, compiles mappings

  Status Recover() override;
  Status Run(const std::atomic<bool>& stop) override;
  RecorderState State() const override;
  uint64_t RequestFlush(std::vector<TableDay> close) override;

 private:
  // recorder.cc: the loop
  Status Loop();
  Status Step();
  Status Take(const SourceBatch& batch);
  void TakeError(const PartitionError& error);
  Status Periodic();
  void AskTails(MonotonicTime now);
  void TakeTailAnswers();
  void TellStuck();
  Status StallIfDiskIsFull(MonotonicTime now);
  Status ServeQueue(StoreQueue::Writer writer = StoreQueue::Writer::kQuiet);
  Status LearnServed();
  Status TakeInDropped();
  void TakeInCounts(TpId tp, const Checkpoint& stored);
  void ReassignSoon(std::chrono::nanoseconds delay);
  Status Finish(Status end);
  void PublishState();
  void Notice(std::string text);

  // commit.cc: messages to tape and rows, commits, flushes
  Status Append(Lane* lane, const MessageView& message);
  Status AppendChecked(Lane* lane, const MessageView& message);
  Status CheckHole(Lane* lane, int64_t to);
  void BeginPending();
  bool DropsHeld(Lane* lane, int64_t offset);
  void Record(Lane* lane, const MessageView& message);
  void CountMarks(Lane* lane);
  Status ReachEnd(Lane* lane, int64_t offset);
  void OpenNextBlock(Lane* lane);
  bool CommitIsDue(MonotonicTime now) const;
  bool SomethingIsOpen() const;
  CommitJob CutCommit();
  Status Commit();
  Status CommitAhead();
  Status TakeCommit();
  Status CompleteCommit();
  void KeepBlocks(std::vector<OpenBlock> blocks);
  Status WriteOrStall(StoreBatch* batch, std::string_view what);
  Status Stall(const Status& written, std::string_view what, bool again_at_once);
  void EndStall();
  std::vector<GroupCommit> GroupCommits() const;
  bool FlushIsDue(MonotonicTime now) const;
  Status StartFlush(CloseOrder close = {});
  Status FlushIfAsked();
  CloseOrder TakeCloses();
  Status TakeFlush();
  Status FlushAll();
  Status ApplyFlush(BuiltFlush* built);
  Status WriteFlush(BuiltFlush* built);
  void GiveBackFlush();
  Status ApplyMerges();
  void Discard();

  // replayed.cc: messages that a replay has sent
  std::optional<GapReason> WhyLeftOut(Lane* lane, const MessageView& message);
  Status LeaveOutHealed(Lane* lane, TpId tp, const TapeBlock& block, int64_t* base,
                        std::string* bytes);
  bool DropsReplayed(Lane* lane, const MessageView& message);
  void GrowGap(Lane* lane, GapReason reason, const MessageView& message);
  std::vector<Gap> TakeGaps(Lane* lane);

  // heal.cc: gaps that are read again
  Status AskHealer(MonotonicTime now);
  Status TakeHealed();
  Status DecodeHealed(Lane* lane, const StoreView& view);
  void CountHealed(Lane* lane, const MessageView& message);
  Status SplitBlock(TpId tp, const StoreView& view);
  void AddHealing(FlushJob* job) const;
  Status PutHealing(StoreBatch* batch);
  void AddHealedCounts(Checkpoint* checkpoint) const;
  void EndHealing();
  void StartMerger();

  // assignment.cc: partitions that come and go
  Result<std::vector<StartOffset>> OnAssigned(std::span<const TopicPartition> partitions) override;
  void OnRevoked(bool lost) override;
  Result<std::vector<StartOffset>> AssignAll(std::span<const TopicPartition> partitions);
  Status CheckCluster(StoreBatch* batch);
  TopicSetup* SetupFor(const std::string& topic);
  std::unique_ptr<Lane> WaitingLane(const TopicPartition& tp, const Status& trouble);
  Result<std::unique_ptr<Lane>> Assign(const TopicPartition& tp, const GroupCommit& committed,
                                       StoreBatch* batch);
  Status PlanLane(Lane* lane, const GroupCommit& committed, const LogBounds& bounds,
                  StoreBatch* batch);
  Result<int64_t> ResolveStart(const RecordTopic& topic, const TopicPartition& tp,
                               const LogBounds& bounds);
  Status OpenLineage(Lane* lane, const TailAnswer& answer, uint32_t lineage_at_least,
                     StoreBatch* batch);
  void AdoptMapping(Lane* lane, StoreBatch* batch);

  const RecorderOptions options_;
  const RecorderParts parts_;
  std::vector<TopicSetup> setups_;
  std::unique_ptr<TapeBook> book_;
  std::string cluster_id_;
  std::set<std::string> known_topics_;  // before the assignment in hand

  std::unique_ptr<MessageSource> source_;
  std::unique_ptr<LogProbe> probe_;
  std::unique_ptr<TailChecker> checker_;
  std::unique_ptr<Merger> merger_;
  std::unique_ptr<Healer> healer_;
  std::unique_ptr<Healing> healing_;  // part of the flush that is being built
  MonotonicTime heal_at_{0};
  const std::atomic<bool>* stop_ = nullptr;

  std::vector<std::unique_ptr<Lane>> lanes_;  // by slot
  SteadyTime time_;
  StuckWatch stuck_;
  ChunkBuilder rows_;
  FlushWorker flusher_;
  std::unique_ptr<RecordMetrics> metrics_;
  enum class Unlearnt : uint8_t { kNothing, kShips, kAll };
  Unlearnt unlearnt_ = Unlearnt::kNothing;  // of what others wrote
  std::map<TpId, int64_t> dropped_to_;  // what retention has taken out while this process records
  CommitTimes commit_times_;            // of the commit that is on its way
  MessageHasher hasher_;
  Decoded decoded_;
  CommitBuilder commit_builder_;
  Background<CommitJob, BuiltCommit> committer_;
  std::unique_ptr<BuiltCommit> built_commit_;  // built, not written yet
  std::vector<OpenBlock> spare_blocks_;
  bool pending_ = false;  // something is open or moved since the last commit
  size_t pending_bytes_ = 0;
  MonotonicTime pending_since_{0};
  Timestamp received_;  // time of receipt of everything that is open
  MonotonicTime last_flush_{0};
  MonotonicTime last_tail_check_{0};
  MonotonicTime last_disk_check_{0};
  MonotonicTime hole_checks_from_{0};
  MonotonicTime last_merge_poke_{0};
  MonotonicTime last_state_{0};
  std::optional<MonotonicTime> reassign_at_;
  std::chrono::nanoseconds reassign_delay_{0};
  MonotonicTime last_trouble_{0};

  std::mutex request_mutex_;
  uint64_t flush_requests_ = 0;           // protected by request_mutex_
  std::vector<TableDay> to_close_;        // protected by request_mutex_
  uint64_t requests_in_hand_ = 0;         // of the flush that is being built
  std::vector<TableDay> closes_in_hand_;  // the same

  mutable std::mutex state_mutex_;
  RecorderState state_;  // protected by state_mutex_
  RecorderState live_;   // the record thread's own
};

}  // namespace tapedeck

#endif  // TAPEDECK_RECORD_RECORDER_IMPL_H_
