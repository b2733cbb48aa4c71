// Gaps that a hand-over left are read again from Kafka: what was lost with a node, healed ranges on
// their way into the archive, and several nodes that have the same.

#include <gtest/gtest.h>

#include "query/tape_blocks.h"
#include "query/verify.h"
#include "record/healer.h"
#include "record/restore.h"
#include "ship/served.h"
#include "ship/verify_archive.h"
#include "support/seed.h"

namespace tapedeck::testing {
namespace {

using std::chrono::hours;

const TopicPartition kOnly{"Finhub1", 0};

class HealTest : public ::testing::Test {
 protected:
  HealTest() : rig_(seed_) {
    rig_.recorder.log.Create("Finhub1", 1);
    rig_.recorder.unlisted = [this](const TapeId& tape, int64_t from, int64_t to) {
      ManifestHolder manifests;
      EXPECT_TRUE(manifests.Refresh(rig_.blobs, nullptr).ok());
      return UnlistedOf(*manifests.Take(), tape, from, to);
    };
  }
  void Produce(int messages) {
    for (int i = 0; i < messages; ++i) {
      rig_.recorder.ProduceTrades(kOnly, 1 + i % 3);
      if (i % 10 == 7) rig_.recorder.ProduceRaw(kOnly, "{\"data\":[{\"s\":1}],\"type\":\"trade\"}");
    }
  }
  /// The process of this node ends, and that of `node` begins on a directory of its own.
  void SwitchTo(const std::string& node) {
    rig_.shipper.reset();
    rig_.recorder.CloseStore();
    const auto& root = rig_.recorder.dir.path();
    if (std::filesystem::exists(rig_.StoreDir()))
      std::filesystem::rename(rig_.StoreDir(), root / ("of-" + rig_.recorder.options.node_id));
    if (std::filesystem::exists(root / ("of-" + node)))
      std::filesystem::rename(root / ("of-" + node), rig_.StoreDir());
    rig_.recorder.options.node_id = rig_.options.node_id = node;
  }
  std::vector<Gap> Gaps() {
    rig_.recorder.OpenStore();
    return rig_.recorder.store->View()->Gaps(TpId{1}).value();
  }
  /// Records until `done`; the clock goes on.
  void RecordUntil(const std::function<bool()>& done) {
    int polls = 0;
    const Status end = rig_.recorder.Run([&](FakeSource* source) {
      std::this_thread::yield();
      return !source->AtEnd() || (++polls % 20 != 0) || !done();
    });
    ASSERT_TRUE(end.ok()) << end.ToString();
  }
  void Heal() {
    rig_.recorder.clock.Advance(rig_.recorder.options.heal_after);
    RecordUntil([&] { return Gaps().empty(); });
  }
  void Ship(const std::vector<Day>& days) {
    rig_.Record(days);
    rig_.StartShipper();
    for (int round = 0; round < 3; ++round) ASSERT_TRUE(rig_.Round().ok());
    rig_.recorder.clock.Advance(hours(1));
    rig_.ShipAll();
    ASSERT_EQ(rig_.shipper->State().last_error, "");
  }
  void CheckStore() {
    rig_.recorder.OpenStore();
    const Result<VerifyReport> report = VerifyStore(rig_.recorder.store.get(), {});
    ASSERT_TRUE(report.ok()) << report.status().ToString();
    for (const Finding& finding : report->findings)
      ADD_FAILURE() << finding.where << ": " << finding.what;
  }
  ArchiveReport CheckArchive() {
    ManifestHolder manifests;
    EXPECT_TRUE(manifests.Refresh(rig_.blobs, nullptr).ok());
    ArchiveVerifyOptions options;
    options.work_dir = rig_.recorder.dir.path() / "verify";
    options.store = rig_.recorder.store.get();
    Result<ArchiveReport> report = VerifyArchive(*manifests.Take(), rig_.blobs, options);
    EXPECT_TRUE(report.ok()) << report.status().ToString();
    for (const Finding& finding : report->findings)
      ADD_FAILURE() << finding.where << ": " << finding.what;
    return std::move(report).value();
  }
  void CheckServed(const std::string& when) {
    SCOPED_TRACE(when + "; " + RepeatWith(seed_));
    const Served produced = ProducedIn(&rig_, {kOnly});
    const Served served = ServedBy(&rig_);
    EXPECT_EQ(served.rows.size(), produced.rows.size());
    EXPECT_TRUE(served.rows == produced.rows);
    EXPECT_EQ(served.messages.size(), produced.messages.size());
    EXPECT_TRUE(served.messages == produced.messages);
    EXPECT_TRUE(ServedWhole(&rig_));
  }

  const uint64_t seed_ = TestSeed();
  ShipRig rig_;
};

TEST_F(HealTest, G5WhatANodeThatIsLostHadNotShippedIsReadAgain) {
  Produce(40);
  rig_.Record();
  SwitchTo("second");  // the first one is never seen again
  Produce(20);
  rig_.Record();
  ASSERT_EQ(Gaps().size(), 1u);
  EXPECT_EQ(Gaps()[0].reason, GapReason::kElsewhere);
  EXPECT_FALSE(ServedWhole(&rig_));
  RecordUntil([&, looks = 0]() mutable { return ++looks > 20; });
  ASSERT_EQ(Gaps().size(), 1u) << "it is not time yet";
  Heal();
  CheckServed("healed");
  CheckStore();
  rig_.recorder.CloseStore();
  CheckServed("after a restart");
  rig_.recorder.Check();
  Produce(10);
  Ship({kShipDay});
  CheckArchive();
  CheckServed("shipped");
  EXPECT_EQ(ShipRig::InArchive(rig_.fake.Contents(), rig_.recorder.LoadState()), rig_.InStore());
}

// The tape went on, and was shipped, closed and pruned, before the gap was healed.
TEST_F(HealTest, G5WhatIsHealedBelowWhatWasShippedIsShippedByItself) {
  Produce(30);
  rig_.Record();
  SwitchTo("second");
  Produce(30);
  rig_.options.keep_local = hours(2);
  Ship({kShipDay});
  rig_.recorder.clock.Advance(hours(3));
  for (int round = 0; round < 3; ++round) ASSERT_TRUE(rig_.Round().ok());
  ASSERT_GE(rig_.recorder.LoadState().ShipOf(TpId{1}).pruned, Gaps()[0].to);
  Heal();
  CheckServed("healed below the pruned end");
  rig_.StartShipper();
  for (int round = 0; round < 3; ++round) ASSERT_TRUE(rig_.Round().ok());
  CheckServed("shipped by itself");
  // Its records are in no manifest yet: lost now, they come from its part of the archived tape.
  rig_.CopyStore("kept");
  {
    ManifestHolder manifests;
    ASSERT_TRUE(manifests.Refresh(rig_.blobs, nullptr).ok());
    auto again = *Store::Open(
        {.dir = rig_.recorder.dir.path() / "again", .node_id = "second", .ballast_bytes = 0});
    const auto report =
        RestoreStore(again.get(), *manifests.Take(), rig_.blobs, {.clock = &rig_.recorder.clock});
    ASSERT_TRUE(report.ok()) << report.status().ToString();
    EXPECT_TRUE(report->notes.empty());
  }
  rig_.UseCopy("again");
  CheckServed("restored");
  CheckStore();
  rig_.UseCopy("kept");
  Produce(5);
  Ship({kShipDay});
  CheckServed("its records, too");
  CheckArchive();
  rig_.recorder.clock.Advance(hours(3));
  for (int round = 0; round < 3; ++round) ASSERT_TRUE(rig_.Round().ok());
  CheckServed("pruned");
  CheckArchive();
  CheckStore();
  // Whoever has nothing but the archive sees each once, too.
  SwitchTo("third");
  rig_.recorder.OpenStore();
  CheckServed("by a node that has only the archive");
}

TEST_F(HealTest, G5AGapInTheMiddleOfAJoinedBlockIsHealed) {
  rig_.recorder.options.merge = true;
  rig_.recorder.options.commit_bytes = 1;
  Produce(400);
  rig_.Record();
  SwitchTo("second");
  Produce(10);
  rig_.Record();
  SwitchTo("node-1");
  Produce(400);
  rig_.Record();
  ASSERT_EQ(Gaps().size(), 1u);
  const Gap gap = Gaps()[0];
  auto joined = [&] {
    const auto view = rig_.recorder.store->View();
    TapeBlocks blocks(view.get(), TpId{1}, "", ScanKind::kPoint);
    EXPECT_TRUE(blocks.Seek(gap.from).ok());
    return blocks.Valid() && blocks.base() < gap.from && blocks.index().last_offset >= gap.to;
  };
  rig_.recorder.unlisted = [](const TapeId&, int64_t, int64_t) {
    return std::optional<std::vector<OffsetSpan>>();
  };
  RecordUntil(joined);
  ASSERT_TRUE(joined());
  rig_.recorder.unlisted = [](const TapeId&, int64_t from, int64_t to) {
    return std::optional(std::vector<OffsetSpan>{{from, to}});
  };
  Heal();
  CheckServed("healed");
  CheckStore();
}

TEST_F(HealTest, G5WhatAnotherNodeHasShippedIsNotReadAgain) {
  Produce(30);
  Ship({kShipDay});
  Produce(10);  // recorded, and not shipped when the node is lost
  rig_.Record();
  const int64_t shipped = rig_.recorder.LoadState().ShipOf(TpId{1}).shipped;
  SwitchTo("second");
  Produce(20);
  rig_.Record();
  ASSERT_EQ(Gaps().size(), 1u);
  const int64_t end = Gaps()[0].to;
  rig_.recorder.clock.Advance(rig_.recorder.options.heal_after);
  RecordUntil([&] { return Gaps()[0].to == shipped; });
  EXPECT_LT(shipped, end);
  RecordUntil([&, looks = 0]() mutable { return ++looks > 20; });
  ASSERT_EQ(Gaps().size(), 1u) << "the rest is in the archive";
  CheckServed("healed");
  CheckStore();
  Ship({kShipDay});
  CheckServed("shipped");
  EXPECT_TRUE(CheckArchive().notes.empty());
}

TEST_F(HealTest, D11D12WhatTwoNodesShipIsListedByBothAndServedOnce) {
  Produce(30);
  rig_.Record({kShipDay});
  rig_.options.formats = {"parquet", "ndjson.gz"};
  SwitchTo("second");
  Produce(20);
  rig_.Record();
  Heal();
  Ship({kShipDay});
  const auto before = rig_.fake.Contents();
  // The first one was only away: it finishes what it had begun, after its successor did.
  SwitchTo("node-1");
  rig_.StartShipper();
  rig_.recorder.clock.Advance(hours(1));
  rig_.ShipAll();
  for (int round = 0; round < 3; ++round) ASSERT_TRUE(rig_.Round().ok());
  for (const auto& [name, bytes] : before)
    EXPECT_EQ(rig_.fake.Contents().at(name), bytes) << "nothing is overwritten";
  EXPECT_GT(rig_.fake.Contents().size(), before.size());
  const ArchiveReport report = CheckArchive();
  EXPECT_EQ(report.notes.size(), 2u) << "records and messages that both have are reported";
  rig_.Record();  // it comes back, and goes on
  CheckServed("by the first");
  SwitchTo("second");
  CheckServed("by the second");
  SwitchTo("third");
  rig_.recorder.OpenStore();
  CheckServed("by one that has only the archive");
}

TEST_F(HealTest, G5OffsetsThatKafkaHasNoMoreStayAGap) {
  Produce(40);
  rig_.Record();
  SwitchTo("second");
  Produce(20);
  rig_.Record();
  const Gap gap = Gaps().at(0);
  rig_.recorder.log.Expire(kOnly, 10);
  rig_.recorder.clock.Advance(rig_.recorder.options.heal_after);
  RecordUntil([&] { return Gaps()[0].to == 10; });
  RecordUntil([&, looks = 0]() mutable { return ++looks > 20; });
  ASSERT_EQ(Gaps().size(), 1u);
  EXPECT_EQ(Gaps()[0].from, gap.from);
  EXPECT_FALSE(ServedWhole(&rig_)) << "and coverage says so";
  CheckStore();
}

}  // namespace
}  // namespace tapedeck::testing
