// The group: members, commits, outages, the end.

#include <set>

#include "kafka/clusters.h"
#include "kafka/commit_metadata.h"
#include "kafka/source_conformance.h"

namespace tapedeck {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

std::vector<std::string> Numbered(const std::string& prefix, int from, int to) {
  std::vector<std::string> values;
  for (int i = from; i < to; ++i) values.push_back(prefix + std::to_string(i));
  return values;
}

TEST_P(SourceConformance, CommitsAreReadBackWithTheirMetadata) {
  std::string topic = Named("t");
  std::string group = Named("g");
  ASSERT_TRUE(cluster_->CreateTopic(topic, 3).ok());
  CommitMetadata metadata{"node 1", "store-a", 2, 17, {40, Hash128{1, 2}}};
  std::vector<TopicPartition> partitions = {{topic, 0}, {topic, 1}, {topic, 2}};
  {
    Recording recording(cluster_, group, {topic});
    ASSERT_TRUE(recording.PollUntilEnds());
    auto nothing = recording.source->Committed(partitions, seconds(10));
    ASSERT_TRUE(nothing.ok()) << nothing.status().ToString();
    for (const GroupCommit& commit : *nothing) EXPECT_EQ(commit.offset, -1);
    std::vector<GroupCommit> commits = {{{topic, 0}, 41, *EncodeCommitMetadata(metadata)},
                                        {{topic, 2}, 7, ""}};
    Status committed = recording.source->Commit(commits, seconds(10));
    ASSERT_TRUE(committed.ok()) << committed.ToString();
    EXPECT_TRUE(recording.source->Close(false, seconds(10)).ok());
    EXPECT_EQ(recording.source->Poll(milliseconds(1)).status().code(), StatusCode::kCancelled);
  }
  Recording again(cluster_, group, {topic});
  ASSERT_TRUE(again.PollUntilEnds());
  auto commits = again.source->Committed(partitions, seconds(10));
  ASSERT_TRUE(commits.ok()) << commits.status().ToString();
  ASSERT_EQ(commits->size(), 3u);
  EXPECT_EQ((*commits)[0].offset, 41);
  EXPECT_EQ((*commits)[1].offset, -1);
  EXPECT_EQ((*commits)[2].offset, 7);
  if (Lacks(kCommitMetadata)) return;
  EXPECT_EQ(ParseCommitMetadata((*commits)[0].metadata), metadata);
  EXPECT_EQ((*commits)[2].metadata, "");
}

TEST_P(SourceConformance, TheClusterHasAnId) {
  std::string topic = Named("t");
  ASSERT_TRUE(cluster_->CreateTopic(topic, 1).ok());
  Recording first(cluster_, Named("g"), {topic});
  Recording second(cluster_, Named("h"), {topic});
  std::string id = first.source->ClusterId(seconds(10));
  EXPECT_NE(id, "");
  EXPECT_EQ(second.source->ClusterId(seconds(10)), id);
}

TEST_P(SourceConformance, TwoMembersShareAndOneTakesOverWhatTheOtherLeaves) {
  std::string topic = Named("t");
  std::string group = Named("g");
  ASSERT_TRUE(cluster_->CreateTopic(topic, 4).ok());
  for (int p = 0; p < 4; ++p) Send(topic, p, Numbered("m", 0, 50));
  Recording first(cluster_, group, {topic});
  ASSERT_TRUE(first.PollUntilMessages(200));
  EXPECT_EQ(first.listener.assigned.size(), 4u);
  auto second = std::make_unique<Recording>(cluster_, group, std::vector<std::string>{topic});
  ASSERT_TRUE(first.PollUntil(
      [&] {
        second->PollUntil([] { return true; });
        (void)second->source->Poll(milliseconds(10));
        return first.listener.assigned.size() == 2 && second->listener.assigned.size() == 2;
      },
      seconds(40)));
  EXPECT_GE(first.listener.revocations, 1);
  std::set<TopicPartition> all(first.listener.assigned.begin(), first.listener.assigned.end());
  all.insert(second->listener.assigned.begin(), second->listener.assigned.end());
  EXPECT_EQ(all.size(), 4u);
  EXPECT_TRUE(second->source->Close(false, seconds(10)).ok());
  EXPECT_TRUE(first.PollUntil([&] { return first.listener.assigned.size() == 4; }));
}

// C4 of docs/faults.md
TEST_P(SourceConformance, AStaticMemberThatComesBackKeepsItsPartitionsWithoutARebalance) {
  NEEDS(kStaticMembership);
  std::string topic = Named("t");
  std::string group = Named("g");
  ASSERT_TRUE(cluster_->CreateTopic(topic, 4).ok());
  Recording first(cluster_, group, {topic}, "node-1");
  auto second =
      std::make_unique<Recording>(cluster_, group, std::vector<std::string>{topic}, "node-2");
  auto both_have_two = [&] {
    (void)second->source->Poll(milliseconds(10));
    return first.listener.assigned.size() == 2 && second->listener.assigned.size() == 2;
  };
  ASSERT_TRUE(first.PollUntil(both_have_two, seconds(40)));
  std::vector<TopicPartition> had = second->listener.assigned;
  int assignments = first.listener.assignments;
  ASSERT_TRUE(second->source->Close(false, seconds(10)).ok());
  second = std::make_unique<Recording>(cluster_, group, std::vector<std::string>{topic}, "node-2");
  ASSERT_TRUE(first.PollUntil(both_have_two, seconds(20)));
  EXPECT_EQ(second->listener.assigned, had);
  EXPECT_EQ(first.listener.assignments, assignments);
}

TEST_P(SourceConformance, AStaticMemberThatLeavesGivesItsPartitionsUpAtOnce) {
  NEEDS(kStaticMembership);
  std::string topic = Named("t");
  std::string group = Named("g");
  ASSERT_TRUE(cluster_->CreateTopic(topic, 4).ok());
  constexpr seconds kLongSession{120};  // without leaving it would be as long
  Recording first(cluster_, group, {topic}, "node-1", kLongSession);
  Recording second(cluster_, group, {topic}, "node-2", kLongSession);
  ASSERT_TRUE(first.PollUntil(
      [&] {
        (void)second.source->Poll(milliseconds(10));
        return first.listener.assigned.size() == 2 && second.listener.assigned.size() == 2;
      },
      seconds(40)));
  ASSERT_TRUE(second.source->Close(true, seconds(10)).ok());
  ASSERT_TRUE(first.PollUntil([&] { return first.listener.assigned.size() == 4; }, seconds(60)));
}

// C5 of docs/faults.md
TEST_P(SourceConformance, OfTwoWithOneInstanceIdTheOlderIsFenced) {
  NEEDS(kStaticMembership);
  std::string topic = Named("t");
  std::string group = Named("g");
  ASSERT_TRUE(cluster_->CreateTopic(topic, 2).ok());
  Recording older(cluster_, group, {topic}, "node-1");
  ASSERT_TRUE(older.PollUntilEnds());
  Recording newer(cluster_, group, {topic}, "node-1");
  ASSERT_TRUE(newer.PollUntil([&] {
    return older.PollUntil([&] { return !older.error.ok(); }, milliseconds(100)) &&
           newer.listener.assigned.size() == 2;
  }));
  EXPECT_EQ(older.error.code(), StatusCode::kFailedPrecondition) << older.error.ToString();
  EXPECT_EQ(older.source->Poll(milliseconds(10)).status().code(), StatusCode::kFailedPrecondition);
}

// B7 of docs/faults.md
TEST_P(SourceConformance, PartitionsAddedLaterAreFound) {
  NEEDS(kAddPartitions);
  std::string topic = Named("t");
  ASSERT_TRUE(cluster_->CreateTopic(topic, 2).ok());
  Recording recording(cluster_, Named("g"), {topic});
  ASSERT_TRUE(recording.PollUntil([&] { return recording.listener.assigned.size() == 2; }));
  ASSERT_TRUE(cluster_->AddPartitions(topic, 5).ok());
  Send(topic, 4, {"in a new partition"});
  ASSERT_TRUE(recording.PollUntil([&] { return recording.Values({topic, 4}).size() == 1; }));
  EXPECT_EQ(recording.listener.assigned.size(), 5u);
}

TEST_P(SourceConformance, ADeletedTopicIsReported) {
  NEEDS(kRecreate);
  std::string topic = Named("t");
  ASSERT_TRUE(cluster_->CreateTopic(topic, 1).ok());
  Send(topic, 0, {"a"});
  Recording recording(cluster_, Named("g"), {topic});
  ASSERT_TRUE(recording.PollUntilMessages(1));
  ASSERT_TRUE(cluster_->DeleteTopic(topic).ok());
  EXPECT_TRUE(recording.PollUntil([&] {
    if (recording.listener.assigned.empty() || recording.HasTrouble(SourceTrouble::kUnknownTopic))
      return true;
    for (const SourceNotice& notice : recording.notices) {
      if (notice.code == "UNKNOWN_TOPIC_OR_PART") return true;
    }
    return false;
  }));
  EXPECT_TRUE(recording.error.ok()) << recording.error.ToString();
}

// B1 of docs/faults.md
TEST_P(SourceConformance, BrokersThatComeBackAreReadOnWithoutLossOrRepeat) {
  NEEDS(kOutage);
  std::string topic = Named("t");
  TopicPartition tp{topic, 0};
  ASSERT_TRUE(cluster_->CreateTopic(topic, 1).ok());
  Send(topic, 0, Numbered("m", 0, 100));
  Recording recording(cluster_, Named("g"), {topic});
  ASSERT_TRUE(recording.PollUntilMessages(100));
  ASSERT_TRUE(cluster_->TakeDown().ok());
  EXPECT_TRUE(recording.PollUntil([&] { return !recording.notices.empty(); }));
  ASSERT_TRUE(cluster_->TakeUp().ok());
  Send(topic, 0, Numbered("m", 100, 200));
  ASSERT_TRUE(recording.PollUntil(
      [&] {
        const auto& got = recording.messages[tp];
        return !got.empty() && got.back().offset == 199;
      },
      seconds(60)));
  // An outage longer than the session ends in a new assignment, which begins at the listener's
  // start: all of it again.
  EXPECT_EQ(recording.Values(tp), Numbered("m", 0, 200));
  EXPECT_TRUE(recording.error.ok()) << recording.error.ToString();
}

// C8 of docs/faults.md
TEST_P(SourceConformance, ACoordinatorThatMovesDoesNotStopReading) {
  NEEDS(kMovingCoordinator);
  std::string topic = Named("t");
  std::string group = Named("g");
  ASSERT_TRUE(cluster_->CreateTopic(topic, 1).ok());
  Send(topic, 0, Numbered("m", 0, 10));
  Recording recording(cluster_, group, {topic});
  ASSERT_TRUE(recording.PollUntilMessages(10));
  for (int round = 0; round < 3; ++round) {
    ASSERT_TRUE(cluster_->MoveCoordinator(group).ok());
    std::vector<GroupCommit> commits = {{{topic, 0}, 10, ""}};
    Status committed = recording.source->Commit(commits, seconds(1));
    EXPECT_TRUE(committed.ok() || committed.code() == StatusCode::kUnavailable)
        << committed.ToString();
    int before = 10 * (round + 1);
    Send(topic, 0, Numbered("m", before, before + 10));
    ASSERT_TRUE(recording.PollUntil(
        [&] {
          const auto& got = recording.messages[{topic, 0}];
          return !got.empty() && got.back().offset == before + 9;
        },
        seconds(60)));
  }
  EXPECT_EQ(recording.Values({topic, 0}), Numbered("m", 0, 40));
}

// A17 of docs/faults.md, the client's part
TEST_P(SourceConformance, CloseEndsInTimeWithoutBrokers) {
  NEEDS(kOutage);
  std::string topic = Named("t");
  ASSERT_TRUE(cluster_->CreateTopic(topic, 1).ok());
  Send(topic, 0, {"a"});
  Recording recording(cluster_, Named("g"), {topic});
  ASSERT_TRUE(recording.PollUntilMessages(1));
  ASSERT_TRUE(cluster_->TakeDown().ok());
  MonotonicTime before = SystemClock().Monotonic();
  Status closed = recording.source->Close(false, seconds(5));
  EXPECT_LT(SystemClock().Monotonic() - before, seconds(20));
  EXPECT_TRUE(closed.ok() || closed.code() == StatusCode::kUnavailable) << closed.ToString();
  ASSERT_TRUE(cluster_->TakeUp().ok());
}

TEST_P(SourceConformance, TheProbeReadsPlacesBoundsAndRanges) {
  std::string topic = Named("t");
  TopicPartition tp{topic, 1};
  ASSERT_TRUE(cluster_->CreateTopic(topic, 2).ok());
  Send(topic, 1, Numbered("m", 0, 5'000));
  auto probe = OpenProbe();
  auto bounds = probe->Bounds(tp, seconds(10));
  ASSERT_TRUE(bounds.ok()) << bounds.status().ToString();
  EXPECT_EQ(bounds->start, 0);
  EXPECT_EQ(bounds->end, 5'000);
  for (int64_t offset : {4'999, 0, 2'500, 2'501, 17}) {
    auto message = probe->ReadAt(tp, offset, seconds(10));
    ASSERT_TRUE(message.ok()) << message.status().ToString();
    ASSERT_TRUE((*message)->found) << offset;
    EXPECT_EQ((*message)->message.offset, offset);
    EXPECT_EQ((*message)->message.value, "m" + std::to_string(offset));
  }
  auto end = probe->ReadAt(tp, 5'000, seconds(10));
  ASSERT_TRUE(end.ok()) << end.status().ToString();
  EXPECT_FALSE((*end)->found);
  EXPECT_EQ((*end)->next_offset, 5'000);
  auto above = probe->ReadAt(tp, 9'000, seconds(10));
  ASSERT_TRUE(above.ok()) << above.status().ToString();
  EXPECT_FALSE((*above)->found);
  EXPECT_EQ((*above)->next_offset, 5'000);

  int64_t next = 1'000;
  Status read = probe->ReadRange(tp, 1'000, 4'000, seconds(10), [&](const MessageView& message) {
    EXPECT_EQ(message.offset, next);
    ++next;
    return true;
  });
  EXPECT_TRUE(read.ok()) << read.ToString();
  EXPECT_EQ(next, 4'000);
  EXPECT_EQ(probe->ReadAt({topic, 99}, 0, seconds(5)).status().code(), StatusCode::kNotFound);
}

TEST_P(SourceConformance, TheProbeFindsTheOffsetOfATime) {
  NEEDS(kOffsetsByTime);
  std::string topic = Named("t");
  TopicPartition tp{topic, 0};
  ASSERT_TRUE(cluster_->CreateTopic(topic, 1).ok());
  auto producer = OpenProducer();
  for (int i = 0; i < 10; ++i) {
    ASSERT_TRUE(producer
                    ->Send(topic,
                           {.value = "v", .partition = 0, .timestamp_ms = 1'000'000 + i * 100},
                           seconds(10))
                    .ok());
    ASSERT_TRUE(producer->Flush(seconds(10)).ok());
  }
  auto probe = OpenProbe();
  for (auto [time, offset] : std::vector<std::pair<int64_t, int64_t>>{
           {0, 0}, {1'000'000, 0}, {1'000'001, 1}, {1'000'900, 9}, {1'000'901, 10}}) {
    auto found = probe->OffsetForTime(tp, time, seconds(10));
    ASSERT_TRUE(found.ok()) << found.status().ToString();
    EXPECT_EQ(*found, offset) << time;
  }
}

}  // namespace
}  // namespace tapedeck
