// Days that were reindexed, and not shipped again when the store was damaged.

#include "repair/undone_days.h"

#include <gtest/gtest.h>

#include "reindex/reindex_rig.h"
#include "repair/repair.h"
#include "support/seed.h"

namespace tapedeck::testing {
namespace {

Result<RepairReport> RepairOf(ReindexRig* rig, const std::string& name) {
  RecorderRig& recorder = rig->ship.recorder;
  rig->reindexer.reset();
  rig->ship.shipper.reset();
  recorder.CloseStore();
  ManifestHolder manifests;
  TD_RETURN_IF_ERROR(manifests.Refresh(&rig->ship.fake, nullptr).status());
  const auto set = manifests.Take();
  TD_ASSIGN_OR_RETURN(const auto salvage, Salvage::Open(rig->ship.StoreDir()));
  TD_ASSIGN_OR_RETURN(const Wreck wreck, Wreck::Collect(salvage.get()));
  TD_ASSIGN_OR_RETURN(auto fresh, Store::Open({.dir = recorder.dir.path() / name,
                                               .node_id = recorder.options.node_id,
                                               .ballast_bytes = 0}));
  return RepairStore(salvage.get(), wreck, fresh.get(),
                     {.clock = &recorder.clock,
                      .manifests = set.get(),
                      .blobs = &rig->ship.fake,
                      .topics = recorder.options.topics});
}

size_t UndoneOf(const RepairReport& report) {
  return static_cast<size_t>(std::ranges::count_if(report.notes, [](const std::string& note) {
    return note.find("a reindex of trades " + kShipDay.ToString()) != note.npos;
  }));
}

TEST(UndoneDays, A5AReindexThatWasNotShippedIsToldAndOneThatWasIsNot) {
  ReindexRig rig(TestSeed());
  rig.AddArchive();
  rig.Produce(kShipDay, 30);
  rig.Record({kShipDay});
  rig.ShipAndPrune();
  rig.ship.shipper.reset();
  rig.UseMapping({.prefix = "LAB:"});
  rig.Record();
  const Result<RepairReport> before = RepairOf(&rig, "before");
  ASSERT_TRUE(before.ok()) << before.status().ToString();
  EXPECT_EQ(UndoneOf(*before), 0u);
  const ReindexJob job = rig.Reindex({.topic = "Finhub1"});
  ASSERT_EQ(job.state, ReindexState::kDone) << job.error;
  const Result<RepairReport> undone = RepairOf(&rig, "undone");
  ASSERT_TRUE(undone.ok()) << undone.status().ToString();
  EXPECT_EQ(UndoneOf(*undone), 1u);
  rig.ShipAndPrune();
  const Result<RepairReport> shipped = RepairOf(&rig, "shipped");
  ASSERT_TRUE(shipped.ok()) << shipped.status().ToString();
  EXPECT_EQ(UndoneOf(*shipped), 0u);
}

}  // namespace
}  // namespace tapedeck::testing
