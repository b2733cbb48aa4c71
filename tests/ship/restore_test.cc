// A store that is lost, and made again from the archive alone.

#include "record/restore.h"

#include <gtest/gtest.h>

#include "query/verify.h"
#include "ship/ship_rig.h"
#include "support/seed.h"

namespace tapedeck::testing {
namespace {

using std::chrono::hours;

const TopicPartition kFirst{"Finhub1", 0};
const TopicPartition kSecond{"Finhub1", 1};

void Produce(ShipRig* rig, int messages) {
  for (int i = 0; i < messages; ++i) {
    rig->recorder.ProduceTrades(i % 2 == 0 ? kFirst : kSecond, 1 + i % 3);
    if (i % 20 == 7) rig->recorder.ProduceRaw(kFirst, "{\"data\":[{\"s\":1}],\"type\":\"trade\"}");
  }
}

// A day that was shipped, and a second one that is open; the tapes are shipped to their ends.
class RestoreTest : public ::testing::Test {
 protected:
  RestoreTest() : rig_(TestSeed()) {
    rig_.recorder.log.Create("Finhub1", 2);
    Produce(&rig_, 60);
    rig_.Record({kShipDay});
    rig_.StartShipper();
    rig_.ShipAll();
    rig_.recorder.first_ms += kShipDayMs;
    Produce(&rig_, 40);
    rig_.Record();
    ShipTapes();
    before_ = rig_.InStore();
    state_ = rig_.recorder.LoadState();
  }
  void ShipTapes() {
    rig_.StartShipper();
    rig_.recorder.clock.Advance(hours(1));
    for (int round = 0; round < 6; ++round) ASSERT_TRUE(rig_.Round().ok());
  }
  /// Into a store of its own beside the first one.
  Result<RestoreReport> Restore(const std::string& name) {
    ManifestHolder manifests;
    EXPECT_TRUE(manifests.Refresh(&rig_.fake, nullptr).ok());
    const auto dir = rig_.recorder.dir.path() / name;
    TD_ASSIGN_OR_RETURN(
        auto store,
        Store::Open({.dir = dir, .node_id = rig_.recorder.options.node_id, .ballast_bytes = 0}));
    new_id_ = store->meta().store_id;
    return RestoreStore(store.get(), *manifests.Take(), &rig_.fake,
                        {.clock = &rig_.recorder.clock, .flush_bytes = 2'000});
  }

  ShipRig rig_;
  Holdings before_;
  StoreState state_;
  std::string new_id_;
};

TEST_F(RestoreTest, A18WhatNoManifestCoversIsRecordedAgainFromTheArchive) {
  Result<RestoreReport> report = Restore("again");
  ASSERT_TRUE(report.ok()) << report.status().ToString();
  EXPECT_TRUE(report->notes.empty());
  ASSERT_EQ(report->tapes.size(), 2u);
  rig_.UseCopy("again");
  rig_.recorder.OpenStore();
  const StoreState state = rig_.recorder.LoadState();
  ASSERT_EQ(state.tapes, state_.tapes);
  for (const auto& [tp, checkpoint] : state.checkpoints) {
    const auto old = std::ranges::find(state_.checkpoints, tp, [](auto& c) { return c.first; });
    EXPECT_EQ(checkpoint.next, old->second.next);
    EXPECT_EQ(checkpoint.watermark, checkpoint.next);
    EXPECT_EQ(checkpoint.last, old->second.last);
    EXPECT_EQ(checkpoint.mapping, old->second.mapping);
    EXPECT_GT(checkpoint.start, 0) << "the shipped day is not recorded again";
  }
  // Old and new together are all there was.
  Holdings both = ShipRig::InArchive(rig_.fake.Contents(), state);
  const Holdings again = rig_.InStore();
  EXPECT_LT(again.rows.size(), before_.rows.size());
  both.rows.insert(again.rows.begin(), again.rows.end());
  EXPECT_EQ(both, before_);
  for (const auto& [row, text] : again.rows) EXPECT_EQ(before_.rows.at(row), text);
  for (const auto& [at, text] : again.messages) EXPECT_EQ(before_.messages.at(at), text);
  const Result<VerifyReport> verified = VerifyStore(rig_.recorder.store.get(), {});
  ASSERT_TRUE(verified.ok()) << verified.status().ToString();
  for (const Finding& finding : verified->findings) ADD_FAILURE() << finding.where << finding.what;
  EXPECT_EQ(verified->refused, 2u);
}

// C10: the group was committed by the store that is gone, beyond what it had shipped.
TEST_F(RestoreTest, C10TheNodeGoesOnInKafkaWhereTheArchiveEnds) {
  Produce(&rig_, 10);
  rig_.Record();  // committed to Kafka, in no archive
  const Holdings all = rig_.InStore();
  ASSERT_TRUE(Restore("again").ok());
  rig_.UseCopy("again");
  rig_.Record();
  const StoreState state = rig_.recorder.LoadState();
  Holdings both = ShipRig::InArchive(rig_.fake.Contents(), state);
  const Holdings again = rig_.InStore();
  both.rows.insert(again.rows.begin(), again.rows.end());
  both.messages.insert(again.messages.begin(), again.messages.end());
  EXPECT_EQ(both, all);
  for (const auto& [tp, tape] : state.tapes) {
    EXPECT_TRUE(rig_.recorder.store->View()->Gaps(tp)->empty()) << tape.ToString();
  }
  EXPECT_NE(new_id_, "");
}

TEST_F(RestoreTest, LateRowsOfAShippedDayThatWereNotShippedAreRecordedAgain) {
  rig_.recorder.first_ms -= kShipDayMs;  // of the day that was shipped
  Produce(&rig_, 6);
  rig_.Record();
  ShipTapes();
  const Holdings all = rig_.InStore();
  ASSERT_TRUE(Restore("again").ok());
  rig_.UseCopy("again");
  rig_.recorder.OpenStore();
  Holdings both = ShipRig::InArchive(rig_.fake.Contents(), rig_.recorder.LoadState());
  const Holdings again = rig_.InStore();
  both.rows.insert(again.rows.begin(), again.rows.end());
  EXPECT_EQ(both, all);
}

// The vector of the day that the second node closed reaches over the first one's offsets, which it
// never had.
TEST_F(RestoreTest, ADayThatAnotherNodeClosedAfterTakingOverIsNotTakenForOurs) {
  const std::string node = rig_.recorder.options.node_id;
  rig_.shipper.reset();
  rig_.recorder.CloseStore();
  std::filesystem::rename(rig_.StoreDir(), rig_.recorder.dir.path() / "lost");
  rig_.recorder.options.node_id = rig_.options.node_id = "node-2";
  Produce(&rig_, 30);
  rig_.Record({Day(kShipDay.days() + 1)});
  Holdings all = rig_.InStore();
  ASSERT_EQ(rig_.recorder.LoadState().tapes, state_.tapes);
  ASSERT_FALSE(all.rows.empty());
  for (const auto& [tp, tape] : state_.tapes)
    EXPECT_FALSE(rig_.recorder.store->View()->Gaps(tp)->empty()) << tape.ToString();
  all.rows.insert(before_.rows.begin(), before_.rows.end());
  all.messages.insert(before_.messages.begin(), before_.messages.end());
  rig_.StartShipper();
  rig_.recorder.clock.Advance(hours(1));
  rig_.ShipAll();
  rig_.recorder.options.node_id = node;
  const Result<RestoreReport> report = Restore("again");
  ASSERT_TRUE(report.ok()) << report.status().ToString();
  EXPECT_GT(report->messages, 0u);
  rig_.UseCopy("again");
  rig_.recorder.OpenStore();
  Holdings both = ShipRig::InArchive(rig_.fake.Contents(), rig_.recorder.LoadState());
  const Holdings again = rig_.InStore();
  both.rows.insert(again.rows.begin(), again.rows.end());
  EXPECT_EQ(both, all);
}

TEST_F(RestoreTest, EverythingShippedLeavesNothingToRecordAgain) {
  rig_.Record({Day(kShipDay.days() + 1)});
  rig_.StartShipper();
  rig_.recorder.clock.Advance(hours(1));
  rig_.ShipAll();
  Result<RestoreReport> report = Restore("again");
  ASSERT_TRUE(report.ok()) << report.status().ToString();
  EXPECT_EQ(report->messages, 0u);
  rig_.UseCopy("again");
  rig_.recorder.OpenStore();
  for (const auto& [tp, checkpoint] : rig_.recorder.LoadState().checkpoints) {
    const auto old = std::ranges::find(state_.checkpoints, tp, [](auto& c) { return c.first; });
    EXPECT_EQ(checkpoint.next, old->second.next);
    EXPECT_EQ(checkpoint.last, old->second.last) << "what Kafka is compared with";
  }
  EXPECT_TRUE(rig_.InStore().messages.empty());
  const Result<VerifyReport> verified = VerifyStore(rig_.recorder.store.get(), {});
  ASSERT_TRUE(verified.ok()) << verified.status().ToString();
  for (const Finding& finding : verified->findings) ADD_FAILURE() << finding.where << finding.what;
  rig_.Record();
  EXPECT_TRUE(rig_.InStore().messages.empty()) << "Kafka has nothing beyond";
}

TEST_F(RestoreTest, ATapeObjectThatIsLostOrAlteredIsNamed) {
  for (const auto& [name, bytes] : rig_.fake.Contents()) {
    if (!name.starts_with("tape/") || name.find("2024-07-03") == std::string::npos) continue;
    std::string altered = bytes;
    altered[altered.size() / 2] ^= 1;
    rig_.fake.SetContent(name, altered);
    const Result<RestoreReport> with_altered = Restore("altered");
    EXPECT_EQ(with_altered.status().code(), StatusCode::kCorruption);
    EXPECT_NE(with_altered.status().ToString().find(name), std::string::npos)
        << with_altered.status().ToString();
    ASSERT_TRUE(rig_.fake.Delete(name).ok());
    const Result<RestoreReport> lost = Restore("lost");
    EXPECT_EQ(lost.status().code(), StatusCode::kCorruption);
    EXPECT_NE(lost.status().ToString().find(name), std::string::npos);
    return;
  }
  FAIL() << "no tape object of the second day";
}

TEST_F(RestoreTest, ANodeThatNeverShippedAndAStoreInUseAreTold) {
  ManifestHolder manifests;
  ASSERT_TRUE(manifests.Refresh(&rig_.fake, nullptr).ok());
  auto other = *Store::Open(
      {.dir = rig_.recorder.dir.path() / "other", .node_id = "somebody", .ballast_bytes = 0});
  const auto unknown = RestoreStore(other.get(), *manifests.Take(), &rig_.fake, {});
  EXPECT_EQ(unknown.status().code(), StatusCode::kNotFound);
  EXPECT_NE(unknown.status().ToString().find(rig_.recorder.options.node_id), std::string::npos)
      << "it says whose manifests there are: " << unknown.status().ToString();
  const auto used = RestoreStore(rig_.recorder.store.get(), *manifests.Take(), &rig_.fake, {});
  EXPECT_EQ(used.status().code(), StatusCode::kFailedPrecondition);
}

}  // namespace
}  // namespace tapedeck::testing
