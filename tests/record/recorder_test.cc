#include <gtest/gtest.h>

#include "kafka/commit_metadata.h"
#include "record/recorder_rig.h"
#include "support/seed.h"

namespace tapedeck::testing {
namespace {

using std::chrono::milliseconds;

const TopicPartition kFirst{"Finhub1", 0};

// A log of `partitions` with `messages` in each.
void Fill(RecorderRig* rig, int partitions, int messages) {
  rig->log.Create("Finhub1", partitions);
  for (int i = 0; i < messages; ++i) {
    for (int p = 0; p < partitions; ++p)
      rig->ProduceTrades({"Finhub1", p}, static_cast<int>(rig->random.Uniform(4)));
  }
}

Gap OnlyGap(RecorderRig* rig, TpId tape) {
  std::vector<Gap> gaps = rig->store->View()->Gaps(tape).value();
  EXPECT_EQ(gaps.size(), 1u);
  return gaps.empty() ? Gap{} : gaps[0];
}

TEST(Recorder, RecordsEveryMessageAndRecordOnce) {
  RecorderRig rig(TestSeed());
  Fill(&rig, 3, 200);
  ASSERT_TRUE(rig.Run().ok());
  rig.Check();
  EXPECT_EQ(rig.last_state.messages, 600u);
}

TEST(Recorder, GoesOnWhereItStoppedAfterEachRestart) {
  RecorderRig rig(TestSeed());
  rig.log.Create("Finhub1", 2);
  for (int run = 0; run < 10; ++run) {
    for (int i = 0; i < 50; ++i) rig.ProduceTrades({"Finhub1", int(rig.random.Uniform(2))}, 2);
    ASSERT_TRUE(rig.Run().ok());
    rig.CloseStore();
  }
  rig.Check();
}

TEST(Recorder, RowsAboveTheWatermarkAreDecodedAgainAfterACrash) {
  RecorderRig rig(TestSeed());
  Fill(&rig, 2, 300);
  rig.options.flush_interval = std::chrono::hours(1);
  // The store is copied in the middle of the run, after commits and without a flush: what a kill
  // would leave.
  std::filesystem::path copy = rig.dir.path() / "copy";
  int polls = 0;
  ASSERT_TRUE(rig.Run([&](FakeSource* source) {
                   source->batch_max = 7;
                   if (++polls == 100)
                     std::filesystem::copy(rig.dir.path() / "store", copy,
                                           std::filesystem::copy_options::recursive);
                   return polls < 200;
                 })
                  .ok());
  rig.CloseStore();
  std::filesystem::remove_all(rig.dir.path() / "store");
  std::filesystem::rename(copy, rig.dir.path() / "store");
  bool behind = false;
  for (const auto& [tp, checkpoint] : rig.LoadState().checkpoints)
    behind |= checkpoint.watermark < checkpoint.next;
  EXPECT_TRUE(behind) << "the copy has no tail to recover: the test tests nothing";
  ASSERT_TRUE(rig.Run().ok());
  rig.Check();
}

TEST(Recorder, B13B14OddMessagesStayOnTheTapeAndAreListed) {
  RecorderRig rig(TestSeed());
  rig.log.Create("Finhub1", 1);
  rig.ProduceRaw(kFirst, std::nullopt);
  rig.ProduceRaw(kFirst, "");
  rig.ProduceRaw(kFirst, "\"error\"");
  rig.ProduceRaw(kFirst, "{\"type\":\"ping\"}");
  rig.ProduceRaw(kFirst, "{\"type\":\"error\",\"msg\":\"x\"}");
  rig.ProduceRaw(kFirst, std::string("\x00\xff\x01", 3));
  rig.ProduceRaw(kFirst, "{\"data\":[{\"p\":NaN}]}");
  rig.ProduceTrades(kFirst, 3);
  ASSERT_TRUE(rig.Run().ok());
  rig.Check();
  const Checkpoint checkpoint = rig.store->View()->GetCheckpoint(*rig.CurrentTape(kFirst)).value();
  EXPECT_EQ(checkpoint.messages, 8u);
  EXPECT_EQ(checkpoint.refused, 5u) << "\"\", \"error\", the error frame, binary, NaN";
  EXPECT_EQ(checkpoint.skipped, 2u) << "the tombstone and the ping";
  auto view = rig.store->View();
  auto cursor = view->Scan("e", "f", ScanKind::kLong);
  size_t listed = 0;
  for (cursor->SeekToFirst(); cursor->Valid(); cursor->Next()) {
    Result<RefusalEntry> entry = DecodeRefusal(cursor->value());
    ASSERT_TRUE(entry.ok());
    EXPECT_FALSE(entry->reason.empty());
    ++listed;
  }
  EXPECT_EQ(listed, 5u);
}

TEST(Recorder, ControlRecordsAndAbortedMessagesLeaveNoLag) {
  RecorderRig rig(TestSeed());
  rig.log.Create("Finhub1", 1);
  rig.ProduceTrades(kFirst, 1);
  rig.log.ProduceHole(kFirst, 1);
  rig.ProduceTrades(kFirst, 1);
  rig.log.ProduceHole(kFirst, 20);
  ASSERT_TRUE(rig.Run().ok());
  rig.Check();
  EXPECT_EQ(rig.store->View()->GetCheckpoint(*rig.CurrentTape(kFirst))->next,
            rig.log.Copy(kFirst).end);
}

TEST(Recorder, MessagesThatTheClientLeftOutAreFoundAndRecorded) {
  RecorderRig rig(TestSeed());
  Fill(&rig, 1, 60);
  rig.log.hidden_from_poll[kFirst] = {20, 21, 22, 40, 41};
  ASSERT_TRUE(rig.Run().ok());
  rig.Check();
}

TEST(Recorder, B4RetentionThatPassedUsIsAGap) {
  RecorderRig rig(TestSeed());
  Fill(&rig, 1, 50);
  ASSERT_TRUE(rig.Run().ok());
  const TpId tape = *rig.CurrentTape(kFirst);
  const auto before = rig.StoredTape(tape);
  rig.CloseStore();
  for (int i = 0; i < 50; ++i) rig.ProduceTrades(kFirst, 1);
  rig.log.Expire(kFirst, 80);
  ASSERT_TRUE(rig.Run().ok());
  const Gap gap = OnlyGap(&rig, tape);
  EXPECT_EQ(gap.from, 50);
  EXPECT_EQ(gap.to, 80);
  EXPECT_EQ(gap.reason, GapReason::kRetention);
  auto after = rig.StoredTape(tape);
  EXPECT_EQ(after.size(), before.size() + 20);
  EXPECT_TRUE(std::includes(after.begin(), after.end(), before.begin(), before.end()));
}

TEST(Recorder, B4RetentionThatPassesUsWhileRunningIsAGap) {
  RecorderRig rig(TestSeed());
  Fill(&rig, 1, 10);
  int polls = 0;
  ASSERT_TRUE(rig.Run([&](FakeSource* source) {
                   if (++polls == 200) {
                     for (int i = 0; i < 30; ++i) rig.ProduceTrades(kFirst, 1);
                     rig.log.Expire(kFirst, 25);
                   }
                   return !(polls > 400 && source->AtEnd()) && polls < 5000;
                 })
                  .ok());
  EXPECT_EQ(OnlyGap(&rig, *rig.CurrentTape(kFirst)).to, 25);
  EXPECT_EQ(rig.store->View()->GetCheckpoint(*rig.CurrentTape(kFirst))->next, 40);
}

TEST(Recorder, B5TruncatedLogOpensALineageThatHoldsOnlyWhatDiffers) {
  RecorderRig rig(TestSeed());
  Fill(&rig, 1, 100);
  ASSERT_TRUE(rig.Run().ok());
  const TpId old = *rig.CurrentTape(kFirst);
  const auto old_tape = rig.StoredTape(old);
  rig.CloseStore();
  rig.log.Truncate(kFirst, 70);
  for (int i = 0; i < 50; ++i) rig.ProduceTrades(kFirst, 1);
  ASSERT_TRUE(rig.Run().ok());
  const TpId fresh = *rig.CurrentTape(kFirst);
  ASSERT_NE(old, fresh);
  EXPECT_EQ(rig.StoredTape(old), old_tape) << "the first version stays as it was";
  const auto new_tape = rig.StoredTape(fresh);
  EXPECT_EQ(new_tape.begin()->first, 70);
  EXPECT_EQ(new_tape.size(), 50u);
  const Gap held = OnlyGap(&rig, fresh);
  EXPECT_EQ(held.reason, GapReason::kHeld);
  EXPECT_EQ(held.from, 0);
  EXPECT_EQ(held.to, 70);
}

TEST(Recorder, B5CutTailWithNothingNewIsNoticedAndGoesOn) {
  RecorderRig rig(TestSeed());
  Fill(&rig, 1, 100);
  ASSERT_TRUE(rig.Run().ok());
  rig.CloseStore();
  rig.log.Truncate(kFirst, 90);
  ASSERT_TRUE(rig.Run().ok());
  rig.CloseStore();
  for (int i = 0; i < 5; ++i) rig.ProduceTrades(kFirst, 1);
  ASSERT_TRUE(rig.Run().ok());
  const auto tape = rig.StoredTape(*rig.CurrentTape(kFirst));
  EXPECT_EQ(tape.size(), 5u);
  EXPECT_EQ(tape.begin()->first, 90);
}

TEST(Recorder, B5LogCutASecondTimeDoesNotRecordAgainWhatTheFirstLineageHolds) {
  RecorderRig rig(TestSeed());
  Fill(&rig, 1, 100);
  ASSERT_TRUE(rig.Run().ok());
  for (int end :
       {70, 90}) {  // the second cut is above the first, so the second lineage keeps some as well
    rig.CloseStore();
    rig.log.Truncate(kFirst, end);
    for (int i = 0; i < 50; ++i) rig.ProduceTrades(kFirst, 1);
    ASSERT_TRUE(rig.Run().ok());
  }
  const TpId third = *rig.CurrentTape(kFirst);
  const auto tape = rig.StoredTape(third);
  EXPECT_EQ(tape.begin()->first, 90);
  EXPECT_EQ(tape.size(), 50u);
  const Gap held = OnlyGap(&rig, third);
  EXPECT_EQ(held.reason, GapReason::kHeld);
  EXPECT_EQ(held.from, 0);
  EXPECT_EQ(held.to, 90);
}

// `more`: whether the new log is longer than the old one was.
void RecreateWhileDown(bool more) {
  RecorderRig rig(TestSeed());
  Fill(&rig, 2, 100);
  ASSERT_TRUE(rig.Run().ok());
  rig.CloseStore();
  rig.log.Recreate("Finhub1");
  for (int i = 0; i < (more ? 300 : 30); ++i) rig.ProduceTrades({"Finhub1", i % 2}, 1);
  ASSERT_TRUE(rig.Run().ok());
  for (int p = 0; p < 2; ++p) {
    const TopicPartition tp{"Finhub1", p};
    EXPECT_EQ(rig.StoredTape(*rig.CurrentTape(tp)).size(), rig.log.Copy(tp).messages.size());
  }
  EXPECT_EQ(rig.LoadState().tapes.size(), 4u);
}

TEST(Recorder, B6TopicRecreatedWithMoreMessagesWhileDown) { RecreateWhileDown(true); }
TEST(Recorder, B6TopicRecreatedWithFewerMessagesWhileDown) { RecreateWhileDown(false); }

TEST(Recorder, B6TopicRecreatedUnderTheRunningNodeIsFoundByTheTailCheck) {
  RecorderRig rig(TestSeed());
  Fill(&rig, 1, 50);
  rig.options.tail_check_interval = milliseconds(100);
  int polls = 0;
  ASSERT_TRUE(rig.Run([&](FakeSource*) {
                   if (++polls == 300) {
                     rig.log.Recreate("Finhub1");
                     for (int i = 0; i < 200; ++i) rig.ProduceTrades(kFirst, 1);
                   }
                   // The checker works on a thread of its own: bounded by polls, not by time.
                   if (polls > 300) std::this_thread::yield();
                   return polls < 200'000 &&
                          !(polls > 300 && rig.CurrentTape(kFirst) != TpId{1} &&
                            rig.store->View()->GetCheckpoint(*rig.CurrentTape(kFirst))->next ==
                                200);
                 })
                  .ok());
  const TpId fresh = *rig.CurrentTape(kFirst);
  ASSERT_NE(fresh, TpId{1}) << "the new log was not noticed";
  // Until the check noticed, the old lineage may have taken messages of the new log: those it
  // holds. Nothing is on both, nothing on none.
  const auto fresh_tape = rig.StoredTape(fresh);
  const auto old_tape = rig.StoredTape(TpId{1});
  const std::vector<Gap> held = rig.store->View()->Gaps(fresh).value();
  for (const auto& [offset, message] : rig.log.Copy(kFirst).messages) {
    const bool is_held = std::any_of(held.begin(), held.end(), [&, at = offset](const Gap& g) {
      return g.from <= at && at < g.to;
    });
    EXPECT_EQ(fresh_tape.contains(offset), !is_held) << offset;
    if (is_held) {
      EXPECT_EQ(old_tape.at(offset), Describe(FakeView(message).view()));
    }
  }
  EXPECT_GE(fresh_tape.size(), 50u);
}

// Nothing of ours is left in the log, and who had the partition meanwhile saw it made anew.
TEST(Recorder, B6TopicRecreatedWhileAnotherHadThePartitionGoesOnInItsLineage) {
  RecorderRig rig(TestSeed());
  Fill(&rig, 1, 100);
  ASSERT_TRUE(rig.Run().ok());
  rig.CloseStore();
  rig.log.Recreate("Finhub1");
  for (int i = 0; i < 300; ++i) rig.ProduceTrades(kFirst, 1);
  rig.log.Expire(kFirst, 200);
  MessageHasher hasher;
  const FakeView last(rig.log.Copy(kFirst).messages.at(289));
  Result<std::string> metadata =
      EncodeCommitMetadata({.node = "node-2",
                            .store = "01J00000000000000000000002",
                            .lineage = 1,
                            .run_start = 0,
                            .last = {289, hasher.Message(last.view(), kFirst)}});
  ASSERT_TRUE(metadata.ok()) << metadata.status().ToString();
  rig.log.Commit({kFirst, 290, *metadata});
  ASSERT_TRUE(rig.Run().ok());
  const TpId now = *rig.CurrentTape(kFirst);
  ASSERT_NE(now, TpId{1});
  for (const auto& [tp, tape] : rig.LoadState().tapes) EXPECT_EQ(tape.lineage, tp == now ? 1u : 0u);
  EXPECT_EQ(rig.StoredTape(now).size(), 10u);
  EXPECT_EQ(rig.StoredTape(TpId{1}).size(), 100u);
  const Gap before = OnlyGap(&rig, now);
  EXPECT_EQ(before.reason, GapReason::kElsewhere);
  EXPECT_EQ(before.from, 200);
  EXPECT_EQ(before.to, 290);
}

TEST(Recorder, B7AStartAtTheEndIsThatOfEveryPartitionOfANewTopic) {
  RecorderRig rig(TestSeed());
  rig.options.topics.front().start.kind = TopicStart::Kind::kLatest;
  Fill(&rig, 3, 50);
  ASSERT_TRUE(rig.Run().ok());
  for (int p = 0; p < 3; ++p) {
    const auto checkpoint = rig.store->View()->GetCheckpoint(*rig.CurrentTape({"Finhub1", p}));
    EXPECT_EQ(checkpoint->start, 50) << p;
  }
}

TEST(Recorder, B16TheClusterIsKnownAlsoWhereTheFirstAssignmentFailed) {
  RecorderRig rig(TestSeed());
  Fill(&rig, 1, 20);
  rig.log.committed_fails = 1;
  ASSERT_TRUE(rig.Run().ok());
  rig.CloseStore();
  rig.OpenStore();
  EXPECT_EQ(rig.store->meta().cluster_id, rig.log.cluster_id);
}

TEST(Recorder, EqualMessagesOfANewLogAreHeldByTheOldLineage) {
  RecorderRig rig(TestSeed());
  Fill(&rig, 1, 20);
  ASSERT_TRUE(rig.Run().ok());
  rig.CloseStore();
  std::map<int64_t, FakeMessage> old = rig.log.Copy(kFirst).messages;
  rig.log.Recreate("Finhub1");
  for (auto& [offset, message] : old) {
    if (offset == 3 || offset >= 18) {
      rig.ProduceTrades(kFirst, 1);
    } else {
      rig.log.Produce(kFirst, message);
    }
  }
  ASSERT_TRUE(rig.Run().ok());
  const auto tape = rig.StoredTape(*rig.CurrentTape(kFirst));
  std::vector<int64_t> offsets;
  for (const auto& [offset, text] : tape) offsets.push_back(offset);
  EXPECT_EQ(offsets, (std::vector<int64_t>{3, 18, 19}));
}

TEST(Recorder, OnDivergenceHaltRecordsNothingMoreAndSaysWhy) {
  RecorderRig rig(TestSeed());
  rig.options.on_divergence = RecorderOptions::OnDivergence::kHalt;
  Fill(&rig, 1, 40);
  ASSERT_TRUE(rig.Run().ok());
  const auto before = rig.StoredTape(*rig.CurrentTape(kFirst));
  rig.CloseStore();
  rig.log.Recreate("Finhub1");
  for (int i = 0; i < 60; ++i) rig.ProduceTrades(kFirst, 1);
  std::string health;
  int polls = 0;
  ASSERT_TRUE(rig.Run([&](FakeSource*) { return ++polls < 300; }).ok());
  for (const PartitionState& p : rig.last_state.partitions) health += p.health;
  EXPECT_NE(health.find("on_divergence"), std::string::npos) << health;
  EXPECT_EQ(rig.StoredTape(*rig.CurrentTape(kFirst)), before);
  EXPECT_EQ(rig.LoadState().tapes.size(), 1u);
}

TEST(Recorder, B16AnotherClusterBehindTheSameAddressIsRefused) {
  RecorderRig rig(TestSeed());
  Fill(&rig, 1, 10);
  ASSERT_TRUE(rig.Run().ok());
  rig.CloseStore();
  rig.log.cluster_id = "another";
  Status end = rig.Run();
  EXPECT_EQ(end.code(), StatusCode::kFailedPrecondition) << end.ToString();
  EXPECT_NE(end.message().find("another"), std::string::npos);
}

TEST(Recorder, B18BrokerAwayForAnHourThenCatchesUp) {
  RecorderRig rig(TestSeed());
  Fill(&rig, 2, 50);
  int polls = 0;
  ASSERT_TRUE(rig.Run([&](FakeSource* source) {
                   ++polls;
                   if (polls == 50) rig.log.down = true;
                   if (polls == 60) rig.clock.Advance(std::chrono::hours(1));
                   if (polls == 200) {
                     rig.log.down = false;
                     for (int i = 0; i < 50; ++i) rig.ProduceTrades({"Finhub1", i % 2}, 2);
                   }
                   return polls < 300 || (!source->AtEnd() && polls < 5000);
                 })
                  .ok());
  rig.Check();
}

std::string HealthOf(const RecorderState& state, const TopicPartition& tp) {
  for (const PartitionState& p : state.partitions) {
    if (p.tp == tp) return p.health;
  }
  return "not assigned";
}

TEST(Recorder, B11PartitionOfWhichTheClientDeliversNothingIsReportedWithinAMinute) {
  RecorderRig rig(TestSeed());
  Fill(&rig, 2, 50);
  rig.log.silent_from[kFirst] = 30;
  const MonotonicTime begin = rig.clock.Monotonic();
  MonotonicTime told{0}, heard{0};
  std::string health;
  int polls = 0;
  ASSERT_TRUE(rig.Run([&](FakeSource* source) {
                   rig.clock.Advance(milliseconds(100));
                   std::this_thread::yield();  // for the thread that asks for the log's end
                   const std::string now = HealthOf(rig.running->State(), kFirst);
                   if (told.count() == 0 && now.find("tapedeck skip") != std::string::npos) {
                     told = rig.clock.Monotonic();
                     health = now;
                     rig.log.silent_from.clear();  // what then comes is recorded like any other
                   }
                   if (told.count() != 0 && heard.count() == 0 && now.empty() && source->AtEnd())
                     heard = rig.clock.Monotonic();
                   std::this_thread::sleep_for(std::chrono::microseconds(200));
                   return ++polls < 20'000 && heard.count() == 0;
                 })
                  .ok());
  EXPECT_NE(health.find("from offset 30 on although the log goes on to 50"), std::string::npos)
      << health;
  EXPECT_GE(told - begin, rig.options.stuck_after);
  EXPECT_LE(told - begin, std::chrono::seconds(60));
  EXPECT_NE(heard.count(), 0) << "a position that moves again is well again";
  EXPECT_EQ(HealthOf(rig.last_state, {"Finhub1", 1}), "");
  rig.Check();
}

TEST(Recorder, B17TroubleOfKafkaWhileAssigningIsShownAndTriedAgain) {
  for (StatusCode trouble :
       {StatusCode::kFailedPrecondition, StatusCode::kCorruption, StatusCode::kInternal}) {
    RecorderRig rig(TestSeed());
    Fill(&rig, 2, 50);
    int polls = 0;
    std::string stall;
    ASSERT_TRUE(rig.Run([&](FakeSource* source) {
                     if (++polls == 50) {
                       rig.log.probe_trouble = trouble;
                       source->Reassign();
                     }
                     if (polls == 100) stall = rig.running->State().stall;
                     if (polls == 150) {
                       rig.log.probe_trouble = StatusCode::kOk;
                       for (int i = 0; i < 50; ++i) rig.ProduceTrades({"Finhub1", i % 2}, 2);
                     }
                     return polls < 300 || (!source->AtEnd() && polls < 20'000);
                   })
                    .ok());
    EXPECT_NE(stall.find("does not like us"), std::string::npos) << stall;
    EXPECT_EQ(rig.last_state.stall, "");
    rig.Check();
  }
}

// Both for a partition that was never recorded and for one that was.
TEST(Recorder, B17PartitionThatKafkaDoesNotAnswerForWaitsWhileTheOthersGoOn) {
  for (bool recorded : {false, true}) {
    RecorderRig rig(TestSeed());
    Fill(&rig, 2, 50);
    if (recorded) {
      ASSERT_TRUE(rig.Run().ok());
      for (int i = 0; i < 50; ++i) rig.ProduceTrades({"Finhub1", i % 2}, 1);
    }
    rig.log.forbidden_partition = 0;
    int polls = 0;
    RecorderState seen;
    ASSERT_TRUE(rig.Run([&](FakeSource* source) {
                     if (++polls == 1) source->Reassign();
                     if (polls == 400) {
                       seen = rig.running->State();
                       rig.log.forbidden_partition = -1;
                     }
                     const RecorderState now = rig.running->State();
                     const bool well = polls > 400 && HealthOf(now, {"Finhub1", 0}).empty();
                     return polls < 20'000 && (!well || !source->AtEnd());
                   })
                    .ok());
    EXPECT_NE(HealthOf(seen, {"Finhub1", 0}).find("no right to read"), std::string::npos)
        << HealthOf(seen, {"Finhub1", 0});
    for (const PartitionState& partition : seen.partitions) {
      if (partition.tp.partition == 1) {
        EXPECT_EQ(partition.stored, recorded ? 75 : 50);
      }
    }
    EXPECT_EQ(HealthOf(rig.last_state, {"Finhub1", 0}), "");
    rig.Check();
  }
}

TEST(Recorder, B11PartitionThatFailsAgainAndAgainIsTriedMoreAndMoreSeldom) {
  RecorderRig rig(TestSeed());
  Fill(&rig, 2, 50);
  rig.log.broken_partition = 0;
  const MonotonicTime begin = rig.clock.Monotonic();
  uint64_t assignments = 0;
  int polls = 0;
  ASSERT_TRUE(rig.Run([&](FakeSource* source) {
                   rig.clock.Advance(milliseconds(20));
                   if (rig.log.broken_partition == 0 &&
                       rig.clock.Monotonic() - begin > std::chrono::seconds(90)) {
                     assignments = rig.running->State().rebalances;
                     rig.log.broken_partition = -1;
                   }
                   return ++polls < 40'000 && (assignments == 0 || !source->AtEnd());
                 })
                  .ok());
  EXPECT_GE(assignments, 4u);
  EXPECT_LE(assignments, 14u) << "0.2, 0.4, ... 25.6 and 30 s apart";
  rig.Check();
}

TEST(Recorder, B2TailThatIsSpoiledOnTheWireIsNoOtherLog) {
  RecorderRig rig(TestSeed());
  Fill(&rig, 2, 50);
  ASSERT_TRUE(rig.Run().ok());
  rig.CloseStore();
  for (int i = 0; i < 50; ++i) rig.ProduceTrades({"Finhub1", i % 2}, 1);
  rig.log.spoiled = true;
  ASSERT_TRUE(rig.Run().ok());
  EXPECT_EQ(rig.LoadState().tapes.size(), 2u);
  rig.Check();
}

TEST(Recorder, C2LostAssignmentDropsTheBatchInHandAndReadsItAgain) {
  RecorderRig rig(TestSeed());
  Fill(&rig, 2, 300);
  rig.options.commit_interval = milliseconds(100);
  int polls = 0;
  ASSERT_TRUE(rig.Run([&](FakeSource* source) {
                   source->batch_max = 5;
                   if (++polls % 23 == 0) {
                     source->RevokeNext(polls % 2 == 0);
                     source->Reassign();
                   }
                   return !(polls > 300 && source->AtEnd()) && polls < 20'000;
                 })
                  .ok());
  rig.Check();
}

TEST(Recorder, ChangedMappingTakesEffectAtAnOffsetAndTheTailKeepsTheOldOne) {
  RecorderRig rig(TestSeed());
  Fill(&rig, 1, 40);
  ASSERT_TRUE(rig.Run().ok());
  const Hash128 old_mapping = rig.options.topics[0].mapping.hash();
  rig.CloseStore();
  TopicSettings prefixed{.symbol_prefix = "spot-"};
  rig.options.topics[0].mapping = *MappingSpec::Resolve("finnhub", PresetLibrary(), prefixed);
  const int64_t change = rig.log.Copy(kFirst).end;
  for (int i = 0; i < 40; ++i) rig.ProduceTrades(kFirst, 1);
  ASSERT_TRUE(rig.Run().ok());
  for (const auto& [key, text] : rig.StoredRows()) {
    const bool prefixed_row = std::get<0>(key).starts_with("spot-");
    EXPECT_EQ(prefixed_row, std::get<3>(key) >= change)
        << std::get<0>(key) << " at " << std::get<3>(key);
  }
  auto view = rig.store->View();
  auto cursor = view->Scan("x", "y", ScanKind::kLong);
  for (cursor->SeekToFirst(); cursor->Valid(); cursor->Next()) {
    Result<TapeIndexEntry> entry = DecodeTapeIndex(cursor->value());
    ASSERT_TRUE(entry.ok());
    EXPECT_EQ(entry->mapping == old_mapping, entry->first_offset < change);
  }
}

TEST(Recorder, OnErrorStopHaltsThePartitionAtTheRefusedMessage) {
  RecorderRig rig(TestSeed());
  MappingLibrary library = PresetLibrary();
  library["strict"] = R"({"base":"finnhub","on_error":"stop"})";
  rig.options.topics[0].mapping = *MappingSpec::Resolve("strict", library, TopicSettings{});
  rig.log.Create("Finhub1", 1);
  rig.ProduceTrades(kFirst, 2);
  rig.ProduceRaw(kFirst, "not json");
  rig.ProduceTrades(kFirst, 2);
  int polls = 0;
  ASSERT_TRUE(rig.Run([&](FakeSource*) { return ++polls < 200; }).ok());
  EXPECT_EQ(rig.StoredTape(*rig.CurrentTape(kFirst)).size(), 1u);
  ASSERT_EQ(rig.last_state.partitions.size(), 1u);
  EXPECT_NE(rig.last_state.partitions[0].health.find("on_error"), std::string::npos);
}

TEST(Recorder, DaysHoldExactCountsAndDigestsWhateverTheFlushes) {
  const uint64_t seed = TestSeed();
  std::vector<std::pair<keys::DayKey, DayEntry>> days[2];
  for (int i = 0; i < 2; ++i) {
    RecorderRig rig(seed);
    rig.options.flush_interval =
        i == 0 ? std::chrono::nanoseconds(milliseconds(10)) : std::chrono::hours(1);
    Fill(&rig, 2, 200);
    ASSERT_TRUE(rig.Run([&, polls = 0](FakeSource* source) mutable {
                     source->batch_max = 10;
                     return !(++polls > 200 && source->AtEnd());
                   })
                    .ok());
    rig.Check();
    days[i] = rig.LoadState().days;
    for (auto& [key, entry] : days[i]) {
      EXPECT_LE(entry.first_at, entry.last_at);
      EXPECT_GT(entry.first_at, Timestamp());
      entry.first_at = entry.last_at = Timestamp();  // of flushes
    }
  }
  EXPECT_EQ(days[0], days[1]);
  EXPECT_FALSE(days[0].empty());
}

}  // namespace
}  // namespace tapedeck::testing
