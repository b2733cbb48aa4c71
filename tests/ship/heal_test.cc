// Gaps that a hand-over left are read again from Kafka: what was lost with a node, healed ranges on
// their way into the archive, and several nodes that have the same.

#include <gtest/gtest.h>

#include "query/verify.h"
#include "record/healer.h"
#include "record/restore.h"
#include "ship/served.h"
#include "ship/verify_archive.h"
#include "support/seed.h"
#include "tape/tape_blocks.h"

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
  void Rounds() {
    for (int round = 0; round < 3; ++round) {
      ASSERT_TRUE(rig_.Round().ok());
      rig_.recorder.clock.Advance(std::chrono::minutes(1));
    }
  }
  int64_t Pruned() { return rig_.recorder.LoadState().ShipOf(TpId{1}).pruned; }
  bool IsLocal(int64_t offset) { return rig_.recorder.StoredTape(TpId{1}).contains(offset); }
  /// Each of the nodes records some, and the last one ships it, with a gap, which is given. That is
  /// healed and shipped a day later. All of it stays for two days.
  Gap HealInAShippedRange(const std::vector<std::string>& nodes) {
    rig_.manifests = [this] {
      ManifestHolder manifests;
      EXPECT_TRUE(manifests.Refresh(rig_.blobs, nullptr).ok());
      return manifests.Take();
    };
    rig_.options.keep_local = hours(48);
    for (const std::string& node : nodes) {
      SwitchTo(node);
      Produce(20);
      rig_.Record();
    }
    Ship({kShipDay});
    const Gap gap = Gaps().at(0);
    Produce(5);  // the block of the last message stays
    rig_.Record();
    Heal();
    rig_.StartShipper();
    Rounds();
    EXPECT_EQ(rig_.shipper->State().last_error, "");
    EXPECT_TRUE(HealedOf(*rig_.recorder.store->View(), TpId{1}).value().empty());
    EXPECT_LT(Pruned(), gap.to);
    return gap;
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
  /// The disk is lost: a store is made of what is in the archive, and used.
  void UseRestored() {
    ManifestHolder manifests;
    ASSERT_TRUE(manifests.Refresh(rig_.blobs, nullptr).ok());
    auto again = *Store::Open(
        {.dir = rig_.recorder.dir.path() / "again", .node_id = "second", .ballast_bytes = 0});
    const auto report =
        RestoreStore(again.get(), *manifests.Take(), rig_.blobs, {.clock = &rig_.recorder.clock});
    ASSERT_TRUE(report.ok()) << report.status().ToString();
    EXPECT_TRUE(report->notes.empty());
    again.reset();
    rig_.UseCopy("again");
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

  /// Of HealInAShippedRange.
  void CheckItStays(const Gap& gap) {
    rig_.recorder.clock.Advance(hours(24));
    Rounds();
    EXPECT_GE(Pruned(), gap.to) << "what lies around it has been in the archive for long";
    for (int64_t offset = gap.from; offset < gap.to; ++offset)
      EXPECT_TRUE(IsLocal(offset)) << offset << " was shipped a day ago; " << RepeatWith(seed_);
    CheckServed("pruned around it");
    CheckStore();
    rig_.recorder.clock.Advance(hours(30));
    Rounds();
    EXPECT_FALSE(IsLocal(gap.from)) << "keep_local has passed";
    CheckServed("pruned");
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
  CheckStore();
  // Its records are in no manifest yet: lost now, they come from its part of the archived tape.
  rig_.CopyStore("kept");
  UseRestored();
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

// The round began before it was healed; the manifest of the day is drafted behind its tape.
TEST_F(HealTest, G5ADaysManifestDoesNotClaimWhatIsHealedWhileItIsWritten) {
  Produce(30);
  rig_.Record();
  SwitchTo("second");
  Produce(30);
  rig_.Record({kShipDay});
  rig_.StartShipper();
  bool healed = false;
  rig_.fake.SetHook([&](BlobOp op, const std::string& name) {
    if (op == BlobOp::kPut && name.starts_with("tape/") && !std::exchange(healed, true)) Heal();
  });
  ASSERT_TRUE(rig_.Round().ok());
  rig_.fake.SetHook({});
  ASSERT_TRUE(healed);
  ASSERT_TRUE(Gaps().empty());
  const auto days = rig_.Days();
  ASSERT_EQ(days.size(), 2u);
  ASSERT_EQ(days.begin()->second.phase, DayPhase::kShipped) << rig_.shipper->State().last_error;
  ASSERT_EQ(days.rbegin()->second.phase, DayPhase::kOpen) << "rows of what was healed";
  rig_.CopyStore("kept");
  UseRestored();
  CheckServed("restored without them; " + RepeatWith(seed_));
  CheckStore();
  rig_.UseCopy("kept");
  Produce(5);
  Ship({kShipDay});
  CheckServed("shipped, too");
  CheckArchive();
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

// G12: what our own replays had sent to the lost node is not the market's, whoever reads it.
TEST_F(HealTest, G12WhatOurReplaysHadSentStaysAGapWhenItIsHealed) {
  rig_.recorder.is_own_replay = [](const std::string&, const TopicPartition&,
                                   const MessageView& message) {
    return !message.headers.empty();  // it is asked of messages that say so
  };
  auto replay = [&](int count) {
    for (int i = 0; i < count; ++i) {
      FakeMessage message;
      message.value = "{\"data\":[],\"type\":\"trade\"}";
      message.timestamp_ms = kShipNoonMs;
      message.headers = {{"tapedeck-replay", "tapedeck/second/job"},
                         {"tapedeck-seq", std::to_string(i + 1)},
                         {"tapedeck-origin", "Finhub1/0/0/0"},
                         {"tapedeck-ts", "-1"}};
      rig_.recorder.log.Produce(kOnly, std::move(message));
    }
  };
  Produce(10);
  replay(5);
  Produce(5);
  replay(3);
  rig_.Record();
  SwitchTo("second");
  Produce(10);
  rig_.Record();
  ASSERT_EQ(Gaps().size(), 1u);
  rig_.recorder.clock.Advance(rig_.recorder.options.heal_after);
  auto own = [](const Gap& gap) { return gap.reason == GapReason::kOwnReplay; };
  RecordUntil([&] { return std::ranges::all_of(Gaps(), own); });
  const std::vector<Gap> gaps = Gaps();
  ASSERT_EQ(gaps.size(), 2u) << RepeatWith(seed_);
  EXPECT_EQ(gaps[0].to - gaps[0].from, 5);
  EXPECT_EQ(gaps[1].to - gaps[1].from, 3);
  EXPECT_EQ(gaps[0].kafka_before_ms, kShipNoonMs);
  Served produced = ProducedIn(&rig_, {kOnly});
  for (const Gap& gap : gaps) {
    for (int64_t offset = gap.from; offset < gap.to; ++offset)
      EXPECT_EQ(produced.messages.erase({kOnly.ToString(), 0, offset}), 1u);
  }
  const Served served = ServedBy(&rig_);
  EXPECT_TRUE(served.messages == produced.messages) << RepeatWith(seed_);
  EXPECT_TRUE(served.rows == produced.rows) << RepeatWith(seed_);
  EXPECT_TRUE(ServedWhole(&rig_)) << "an own replay is no loss";
  CheckStore();
}

// What is healed below the end of what was shipped is shipped in parts, has its objects where each
// message has one, and stays as long as anything that is shipped.
TEST_F(HealTest, G5AHealedRangeIsShippedAndPrunedLikeAnyOther) {
  rig_.options.per_message = {"Finhub1"};
  rig_.options.keep_local = hours(2);
  rig_.options.tape_ship_bytes = 100'000;
  for (int i = 0; i < 900; ++i) {  // several blocks
    std::string pad(3'000, ' ');
    for (char& c : pad) c = static_cast<char>('a' + rig_.recorder.random.Uniform(26));
    rig_.recorder.ProduceRaw(kOnly, "{\"type\":\"ping\",\"pad\":\"" + pad + "\"}");
  }
  rig_.Record();
  SwitchTo("second");
  Produce(10);
  Ship({kShipDay});
  rig_.recorder.clock.Advance(hours(3));
  for (int round = 0; round < 3; ++round) ASSERT_TRUE(rig_.Round().ok());
  const Gap gap = Gaps().at(0);
  ASSERT_GE(rig_.recorder.LoadState().ShipOf(TpId{1}).pruned, gap.to);
  Heal();
  rig_.manifests = [this] {
    ManifestHolder manifests;
    EXPECT_TRUE(manifests.Refresh(rig_.blobs, nullptr).ok());
    return manifests.Take();
  };
  rig_.StartShipper();
  for (int round = 0; round < 6; ++round) ASSERT_TRUE(rig_.Round().ok());
  int parts = 0, objects = 0;
  for (const auto& [name, content] : rig_.fake.Contents()) {
    objects += name.starts_with("messages/") ? 1 : 0;
    if (!name.starts_with(kManifestsPrefix)) continue;
    const Manifest manifest = ParseManifest(content).value();
    const auto* tape = std::get_if<TapeManifest>(&manifest);
    if (tape != nullptr && tape->range.to <= gap.to && tape->gaps.empty()) ++parts;
  }
  EXPECT_GT(parts, 1) << "not whole past the size of a range";
  EXPECT_EQ(objects, int(rig_.recorder.log.Copy(kOnly).messages.size()));
  auto local = [&] { return rig_.recorder.StoredTape(TpId{1}).contains(gap.from); };
  EXPECT_TRUE(local()) << "it was shipped a moment ago";
  rig_.recorder.clock.Advance(hours(3));
  for (int round = 0; round < 3; ++round) ASSERT_TRUE(rig_.Round().ok());
  EXPECT_FALSE(local()) << "keep_local has passed";
  CheckServed("pruned");
}

TEST_F(HealTest, G5WhatWasHealedStaysForKeepLocalThoughWhatLiesBehindItIsPruned) {
  auto real = std::exchange(rig_.recorder.unlisted, [](const TapeId&, int64_t, int64_t) {
    return std::optional<std::vector<OffsetSpan>>();
  });
  rig_.manifests = [this] {
    ManifestHolder manifests;
    EXPECT_TRUE(manifests.Refresh(rig_.blobs, nullptr).ok());
    return manifests.Take();
  };
  rig_.options.keep_local = hours(2);
  Produce(30);
  rig_.Record();
  SwitchTo("second");
  Produce(30);
  Ship({kShipDay});
  rig_.recorder.clock.Advance(rig_.recorder.options.heal_after + hours(3));
  for (int round = 0; round < 3; ++round) ASSERT_TRUE(rig_.Round().ok());
  const Gap gap = Gaps().at(0);
  auto pruned = [&] { return rig_.recorder.LoadState().ShipOf(TpId{1}).pruned; };
  ASSERT_GE(pruned(), gap.to);
  Produce(30);
  Ship({});
  Produce(5);  // the block of the last message stays
  rig_.Record();
  const int64_t before = pruned();
  rig_.recorder.clock.Advance(hours(2));
  rig_.recorder.unlisted = real;
  RecordUntil([&] { return Gaps().empty(); });
  rig_.StartShipper();
  for (int round = 0; round < 3; ++round) ASSERT_TRUE(rig_.Round().ok());
  auto local = [&] { return rig_.recorder.StoredTape(TpId{1}).contains(gap.from); };
  EXPECT_GT(pruned(), before) << "what lies behind it has been in the archive for long";
  EXPECT_TRUE(local()) << "it was shipped a moment ago; " << RepeatWith(seed_);
  CheckStore();
  rig_.recorder.clock.Advance(hours(3));
  for (int round = 0; round < 3; ++round) ASSERT_TRUE(rig_.Round().ok());
  EXPECT_FALSE(local()) << "keep_local has passed";
  CheckServed("pruned");
}

// The range with the gap has been in the archive for long, and what was healed in it has not.
TEST_F(HealTest, G5WhatWasHealedInARangeThatWasShippedStaysForKeepLocalToo) {
  CheckItStays(HealInAShippedRange({"node-1", "second", "node-1"}));
}

TEST_F(HealTest, G5WhatWasHealedWhereARangeThatWasShippedBeginsStaysForKeepLocalToo) {
  CheckItStays(HealInAShippedRange({"second", "node-1"}));
}

TEST_F(HealTest, G5WhatWasHealedInARangeThatWasShippedStaysWhereItsObjectIsDamaged) {
  const Gap gap = HealInAShippedRange({"node-1", "second", "node-1"});
  std::string object;
  const auto set = rig_.manifests();
  for (const auto& listing : set->tapes()) {
    if (listing->manifest.range.from == gap.from && listing->manifest.range.to == gap.to)
      object = listing->manifest.objects.at(0).name;
  }
  ASSERT_NE(object, "") << "the healed range is not listed by itself";
  const std::string content = rig_.fake.Contents().at(object);
  rig_.fake.SetContent(object, content.substr(1));
  rig_.recorder.clock.Advance(hours(100));
  Rounds();
  EXPECT_TRUE(IsLocal(gap.from)) << "it is nowhere else; " << RepeatWith(seed_);
  EXPECT_NE(rig_.shipper->State().last_error.find(object), std::string::npos)
      << rig_.shipper->State().last_error;
  rig_.fake.SetContent(object, content);
  rig_.recorder.clock.Advance(hours(1));
  Rounds();
  EXPECT_FALSE(IsLocal(gap.from));
  EXPECT_GE(Pruned(), gap.to);
  CheckServed("pruned");
}

// A gap is healed in parts; the second one comes while objects of the first one are put.
TEST_F(HealTest, WhatIsHealedWhileHealedMessagesAreShippedHasItsObjectsToo) {
  rig_.options.per_message = {"Finhub1"};
  Produce(40);
  rig_.Record();
  SwitchTo("second");
  Produce(10);
  Ship({kShipDay});
  const Gap gap = Gaps().at(0);
  Heal();
  const auto keep = [](Store* store, const HealedRange& range) {
    StoreBatch batch;
    PutHealed(TpId{1}, {range}, &batch);
    EXPECT_TRUE(store->Write(batch).ok());
  };
  rig_.recorder.OpenStore();
  const int64_t middle = gap.from + (gap.to - gap.from) / 2;
  keep(rig_.recorder.store.get(), {gap.from, middle});
  rig_.StartShipper();
  bool more = false;
  rig_.fake.SetHook([&](BlobOp op, const std::string& name) {
    if (op != BlobOp::kPut || !name.starts_with("messages/") || std::exchange(more, true)) return;
    EXPECT_TRUE(rig_.queue
                    .Write([&](StoreBatch* batch) {
                      PutHealed(TpId{1}, {{gap.from, gap.to}}, batch);
                      return Status::Ok();
                    })
                    .ok());
  });
  for (int round = 0; round < 3; ++round) ASSERT_TRUE(rig_.Round().ok());
  rig_.fake.SetHook({});
  EXPECT_TRUE(more);
  int objects = 0;
  for (const auto& [name, content] : rig_.fake.Contents())
    objects += name.starts_with("messages/") ? 1 : 0;
  EXPECT_EQ(objects, int(rig_.recorder.log.Copy(kOnly).messages.size()));
  EXPECT_TRUE(HealedOf(*rig_.recorder.store->View(), TpId{1}).value().empty());
}

}  // namespace
}  // namespace tapedeck::testing
