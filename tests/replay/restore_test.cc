// "restore": a topic back as it was, and the table from old to new offsets.

#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "model/keys.h"
#include "replay/offset_map.h"
#include "replay/replay_rig.h"
#include "support/kafka_service.h"
#include "support/temp_dir.h"

namespace tapedeck::testing {
namespace {

using nlohmann::json;

using Headers = std::vector<std::pair<std::string, std::optional<std::string>>>;

struct Kept {
  int64_t offset = 0;
  int64_t timestamp_ms = 0;
  std::optional<std::string> key;
  std::optional<std::string> value;
  Headers headers;
  bool SameAs(const Kept& other) const {
    return timestamp_ms == other.timestamp_ms && key == other.key && value == other.value &&
           headers == other.headers;
  }
};
using Partitions = std::map<int32_t, std::vector<Kept>>;

class RestoreTest : public ::testing::Test {
 protected:
  static Partitions Recorded(ReplayRig& rig) {
    Partitions all;
    for (const OracleMessage& m : rig.filler().messages()) {
      all[m.tape.partition].push_back(
          {m.offset, m.content.timestamp_ms, m.content.key, m.content.value, m.content.headers});
    }
    return all;
  }
  static Partitions Found(KafkaService* kafka, const std::string& topic) {
    Partitions all;
    for (const ClientMessage& m : kafka->admin().Dump(topic)) {
      all[*m.partition].push_back({m.offset, *m.timestamp, m.key, m.value, m.headers});
    }
    return all;
  }
  static json Restore(const std::string& topic) {
    json request = ReplayRig::Request(topic);
    request["restore"] = true;
    return request;
  }
  /// Every place that a consumer can stand at, and where it goes on.
  static void ExpectMoves(const OffsetMap& map, const Partitions& recorded,
                          const Partitions& found) {
    ASSERT_EQ(map.partitions.size(), recorded.size());
    for (const auto& [p, was] : recorded) {
      const OffsetMap::Partition* partition = map.Of("ticks", p);
      ASSERT_NE(partition, nullptr);
      const std::vector<Kept>& is = found.at(p);
      ASSERT_EQ(was.size(), is.size());
      for (size_t i = 0; i < was.size(); ++i) ASSERT_TRUE(was[i].SameAs(is[i])) << p << "/" << i;
      size_t next = 0;
      for (int64_t old = was.front().offset - 3; old <= was.back().offset + 3; ++old) {
        while (next < was.size() && was[next].offset < old) ++next;
        const int64_t right = next < was.size() ? is[next].offset : is.back().offset + 1;
        ASSERT_EQ(partition->Find(old), right) << "partition " << p << " from " << old;
      }
    }
  }
  TempDir dir_;
};

TEST_F(RestoreTest, AWholeTopicIsBackOverHolesGapsAndMarkersAndItsTableSurvivesARestart) {
  TD_SHARED_KAFKA(kafka);
  kafka->admin().CreateTopic("back-replay", 2, {{"retention.ms", "-1"}});
  ReplayRig rig(dir_.File("s"), kafka->bootstrap_servers());
  rig.Fill(2000);  // with holes as compaction leaves them; the second partition begins at 500
  const int64_t later = rig.filler().messages().back().content.timestamp_ms + 1'000;
  rig.filler().AddGap(TpId{2}, rig.filler().NextOffset(TpId{2}) + 40, GapReason::kRetention);
  for (int i = 0; i < 20; ++i) {
    rig.filler().Append(TpId{2}, {.value = "behind the gap", .timestamp_ms = later + i});
  }
  rig.filler().Commit();
  rig.Start();
  json request = Restore("back-replay");
  const Status gaps = rig.Refused(request);
  EXPECT_NE(gaps.message().find("retention"), std::string_view::npos) << gaps.ToString();
  request["allow_gaps"] = true;
  request["pace"] = {{"mode", "rate"}, {"messages_per_second", 4000}};  // some transactions
  const std::string id = rig.Create(request);
  const StatusCode early = rig.runner().Offsets(id).status().code();
  EXPECT_EQ(early, StatusCode::kFailedPrecondition);
  ASSERT_TRUE(rig.WaitFor(id, ReplayState::kDone));
  const Partitions recorded = Recorded(rig);
  const Partitions found = Found(kafka, "back-replay");
  const auto map = rig.runner().Offsets(id);
  ASSERT_TRUE(map.ok()) << map.status().ToString();
  ASSERT_NO_FATAL_FAILURE(ExpectMoves(*map, recorded, found));
  EXPECT_GT(found.at(0).back().offset, static_cast<int64_t>(found.at(0).size()))
      << "no marker lay between: the test tests less than it says";
  rig.Stop();
  rig.Start();
  EXPECT_EQ(rig.runner().List().size(), 1u);
  const auto again = rig.runner().Offsets(id);
  ASSERT_TRUE(again.ok()) << again.status().ToString();
  EXPECT_EQ(*again, *map);
  EXPECT_TRUE(rig.runner().Delete(id).ok());
  EXPECT_EQ(rig.runner().Offsets(id).status().code(), StatusCode::kNotFound);
}

TEST_F(RestoreTest, StoppedInTheMiddleARangeIsRestoredWithTheSameTable) {
  TD_SHARED_KAFKA(kafka);
  kafka->admin().CreateTopic("range-replay", 2, {{"retention.ms", "-1"}});
  ReplayRig rig(dir_.File("s"), kafka->bootstrap_servers());
  rig.Fill(1500);
  rig.Start();
  const auto& messages = rig.filler().messages();
  const int64_t start_ms = messages.front().content.timestamp_ms + 200;
  json request = Restore("range-replay");
  request["source"]["start"] = std::to_string(start_ms) + "ms";
  request["source"]["end"] = std::to_string(start_ms + 1000) + "ms";
  request["pace"] = {{"mode", "rate"}, {"messages_per_second", 300}};
  const std::string id = rig.Create(request);
  ASSERT_TRUE(rig.WaitSent(id, 200));
  EXPECT_EQ(rig.Patch(id, {{"seek", request["source"]["start"]}}).code(),
            StatusCode::kFailedPrecondition);
  rig.Stop();
  rig.Start();
  ASSERT_TRUE(rig.Patch(id, {{"pace", {{"mode", "max"}}}}).ok());
  ASSERT_TRUE(rig.WaitFor(id, ReplayState::kDone));
  Partitions recorded = Recorded(rig);
  for (auto& [p, kept] : recorded) {
    std::erase_if(kept, [&](const Kept& m) {
      return m.timestamp_ms < start_ms || m.timestamp_ms >= start_ms + 1000;
    });
    ASSERT_EQ(kept.size(), 1000u);
  }
  const auto map = rig.runner().Offsets(id);
  ASSERT_TRUE(map.ok()) << map.status().ToString();
  ExpectMoves(*map, recorded, Found(kafka, "range-replay"));
}

TEST_F(RestoreTest, WhatRetainDropsBeforeTheTableIsMadeCostsTheTableAndNotTheJob) {
  TD_SHARED_KAFKA(kafka);
  kafka->admin().CreateTopic("late-replay", 2, {{"retention.ms", "-1"}});
  ReplayRig rig(dir_.File("s"), kafka->bootstrap_servers());
  rig.Fill(3000);
  rig.Start();
  json request = Restore("late-replay");
  request["pace"] = {{"mode", "rate"}, {"messages_per_second", 600}};
  const std::string id = rig.Create(request);
  ASSERT_TRUE(rig.WaitSent(id, 2200));
  rig.Drop(TpId{1}, 1000);  // of what was sent
  ASSERT_TRUE(rig.Patch(id, {{"pace", {{"mode", "max"}}}}).ok());
  ASSERT_TRUE(rig.WaitFor(id, ReplayState::kDone));
  EXPECT_EQ(Found(kafka, "late-replay").at(0).size(), 3000u);
  const Status none = rig.runner().Offsets(id).status();
  EXPECT_EQ(none.code(), StatusCode::kFailedPrecondition) << none.ToString();
  EXPECT_NE(none.message().find("had left the store"), std::string_view::npos) << none.ToString();
}

TEST_F(RestoreTest, ATargetThatIsNotEmptyOrHasOtherPartitionsIsRefusedAndSoIsHalfARestore) {
  TD_SHARED_KAFKA(kafka);
  kafka->admin().CreateTopic("filled-replay", 2);
  kafka->admin().CreateTopic("wide-replay", 3);
  kafka->admin().CreateTopic("plain-replay", 2);
  kafka->admin().Produce({{.topic = "filled-replay", .partition = 1, .value = "x"}});
  ReplayRig rig(dir_.File("s"), kafka->bootstrap_servers());
  rig.Fill(20);
  rig.filler().Append(rig.filler().AddTape({"recorded-cluster", "ticks", 1, 0}),
                      {.value = "later", .timestamp_ms = SystemClock().Now().ns() / 1'000'000});
  rig.filler().Commit();
  rig.Start();
  const Status lineages = rig.Refused(Restore("plain-replay"));
  EXPECT_NE(lineages.message().find("several lineages"), std::string_view::npos)
      << lineages.ToString();
  const json one = {{"offsets",
                     {{{"topic", "ticks"}, {"partition", 0}},
                      {{"topic", "ticks"}, {"partition", 1}, {"from", 500}}}}};
  const std::pair<const char*, const char*> kWrong[] = {{"filled-replay", "not empty"},
                                                        {"wide-replay", "has 3 partitions"}};
  for (const auto& [topic, why] : kWrong) {
    json request = Restore(topic);
    request["source"] = one;
    const Status refused = rig.Refused(request);
    EXPECT_EQ(refused.code(), StatusCode::kFailedPrecondition) << topic;
    EXPECT_NE(refused.message().find(why), std::string_view::npos) << refused.ToString();
  }
  json changed = Restore("plain-replay");
  changed["target"]["timestamps"] = "now";
  EXPECT_EQ(rig.Refused(changed).code(), StatusCode::kInvalidArgument);
  json plain = ReplayRig::Request("plain-replay");
  const std::string id = rig.Create(plain);
  ASSERT_TRUE(rig.WaitFor(id, ReplayState::kDone));
  EXPECT_EQ(rig.runner().Offsets(id).status().code(), StatusCode::kFailedPrecondition);
}

TEST(OffsetMapEntry, HasExactlyTheseBytesAndDamageIsFound) {
  const OffsetMap map{
      {{"t", "t2", 3, 40, 31, {{5, 0, 10}, {20, 11, 20}}}, {"t", "t2", 4, 7, 0, {}}}};
  const std::string bytes = EncodeOffsetMap(map);
  const std::string golden(
      "\x01\x02"
      "\x01t\x02t2\x06\x50\x3e\x02"
      "\x0a\x00\x0a"
      "\x0a\x02\x14"
      "\x01t\x02t2\x08\x0e\x00\x00",
      26);
  EXPECT_EQ(bytes, golden);
  EXPECT_EQ(DecodeOffsetMap(bytes).value(), map);
  for (size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_EQ(DecodeOffsetMap(bytes.substr(0, size)).status().code(), StatusCode::kCorruption);
  }
  for (size_t i = 0; i < bytes.size(); ++i) {
    for (const char flip : {'\x01', '\x80', '\xff'}) {
      std::string damaged = bytes;
      damaged[i] = static_cast<char>(damaged[i] ^ flip);
      (void)DecodeOffsetMap(damaged);  // anything but a crash
    }
  }
  EXPECT_EQ(map.partitions[0].Find(0), 0);
  EXPECT_EQ(map.partitions[0].Find(14), 9);
  EXPECT_EQ(map.partitions[0].Find(15), 11);
  EXPECT_EQ(map.partitions[0].Find(39), 30);
  EXPECT_EQ(map.partitions[0].Find(40), 31);
  EXPECT_EQ(map.partitions[1].Find(3), 0);
}

// It may be of 100 MB, and a node starts with a thousand jobs.
TEST(OffsetMapEntry, IsNotReadWithTheJobsInItsOldPlaceEither) {
  TempDir dir;
  auto store = Store::Open({.dir = dir.File("s"), .node_id = "node-1", .ballast_bytes = 0});
  ASSERT_TRUE(store.ok()) << store.status().ToString();
  const std::string first = MakeJobId(Timestamp(1), 2, 3);
  const std::string last = MakeJobId(Timestamp::Max(), UINT64_MAX, UINT64_MAX);
  StoreBatch batch;
  for (const std::string& id : {first, last}) {
    batch.PutJob(id, "a job");
    batch.PutJob(OffsetEntryId(id), "a table");
    batch.PutJob(OldOffsetEntryId(id), "an older version's");
  }
  ASSERT_TRUE((*store)->Write(batch).ok());
  const auto view = (*store)->View();
  const std::vector<std::pair<std::string, std::string>> jobs = {{first, "a job"}, {last, "a job"}};
  EXPECT_EQ(view->Jobs().value(), jobs);
  EXPECT_EQ(view->Get(keys::Job(OffsetEntryId(first))).value(), "a table");
}

TEST(OffsetRunsTest, OtherCountsOnBothSidesAreNoTable) {
  OffsetRuns recorded;
  OffsetRuns found;
  for (int64_t offset : {3, 4, 9}) ASSERT_TRUE(recorded.Add(offset).ok());
  for (int64_t offset : {0, 2}) ASSERT_TRUE(found.Add(offset).ok());
  EXPECT_EQ(PairRuns(recorded, found).status().code(), StatusCode::kCorruption);
  EXPECT_EQ(recorded.Add(9).code(), StatusCode::kInvalidArgument);
  ASSERT_TRUE(found.Add(3).ok());
  const std::vector<OffsetMap::Run> runs = {{3, 0, 1}, {4, 2, 1}, {9, 3, 1}};
  EXPECT_EQ(PairRuns(recorded, found).value(), runs);
}

}  // namespace
}  // namespace tapedeck::testing
