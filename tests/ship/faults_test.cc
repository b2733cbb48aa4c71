// Object stores that fail, lie and lose answers.

#include <gtest/gtest.h>

#include "ship/ship_rig.h"
#include "support/seed.h"

namespace tapedeck::testing {
namespace {

using std::chrono::minutes;

const TopicPartition kFirst{"Finhub1", 0};

// A day in the store, closed.
void FillADay(ShipRig* rig, int messages = 30) {
  rig->recorder.log.Create("Finhub1", 2);
  for (int i = 0; i < messages; ++i) rig->recorder.ProduceTrades({"Finhub1", i % 2}, 2);
  rig->Record({kShipDay});
  rig->StartShipper();
}

// Rounds while time passes, until the day is shipped.
void ShipPatiently(ShipRig* rig, int rounds = 400) {
  for (int round = 0; round < rounds; ++round) {
    ASSERT_TRUE(rig->Round().ok());
    if (rig->Days().begin()->second.phase == DayPhase::kShipped) return;
    rig->recorder.clock.Advance(minutes(6));
  }
  FAIL() << "not shipped: " << rig->shipper->State().last_error;
}

void ExpectWhole(ShipRig* rig, const Holdings& before) {
  EXPECT_EQ(ShipRig::InArchive(rig->fake.Contents(), rig->recorder.LoadState()), before);
  EXPECT_TRUE(rig->ObjectEntries().empty());
}

TEST(ShipFaults, D4FailuresAreTriedAgainAndNothingIsPrunedMeanwhile) {
  ShipRig rig(TestSeed());
  FillADay(&rig);
  const Holdings before = rig.InStore();
  rig.fake.Inject({.op = BlobOp::kPut, .times = 7});
  ASSERT_TRUE(rig.Round().ok());
  EXPECT_NE(rig.shipper->State().last_error, "");
  EXPECT_EQ(rig.fake.calls(BlobOp::kPut), 1u) << "the archive as a whole is left alone for a while";
  ASSERT_TRUE(rig.Round().ok());
  EXPECT_EQ(rig.fake.calls(BlobOp::kPut), 1u);
  rig.recorder.clock.Advance(rig.options.keep_local);
  ASSERT_TRUE(rig.Round().ok());
  EXPECT_EQ(rig.InStore(), before);
  ShipPatiently(&rig);
  ExpectWhole(&rig, before);
  EXPECT_EQ(rig.shipper->State().last_error, "");
}

TEST(ShipFaults, D5LostAnswersOfPutsLeaveOneObjectEach) {
  ShipRig rig(TestSeed());
  FillADay(&rig);
  const Holdings before = rig.InStore();
  for (int skip = 0; skip < 12; skip += 2)
    rig.fake.Inject({.op = BlobOp::kPut, .kind = BlobFault::kLostAnswer, .skip = skip});
  ShipPatiently(&rig);
  ExpectWhole(&rig, before);
  EXPECT_EQ(rig.fake.Contents().size(), 6u) << "two tapes and a day, with their manifests";
}

TEST(ShipFaults, D6ObjectsThatAreStoredCutOrAlteredArePutAgain) {
  for (const BlobFault kind : {BlobFault::kHalf, BlobFault::kAltered}) {
    ShipRig rig(TestSeed());
    FillADay(&rig);
    const Holdings before = rig.InStore();
    rig.fake.Inject({.op = BlobOp::kPut, .kind = kind});             // the first tape
    rig.fake.Inject({.op = BlobOp::kPut, .kind = kind, .skip = 4});  // the day
    ShipPatiently(&rig);
    ExpectWhole(&rig, before);
  }
}

TEST(ShipFaults, D6AStoreThatAlwaysAltersGetsNoManifest) {
  ShipRig rig(TestSeed());
  FillADay(&rig);
  const Holdings before = rig.InStore();
  rig.fake.Inject({.op = BlobOp::kPut, .kind = BlobFault::kAltered, .times = -1});
  for (int round = 0; round < 20; ++round) {
    ASSERT_TRUE(rig.Round().ok());
    rig.recorder.clock.Advance(rig.options.keep_local);
  }
  EXPECT_TRUE(rig.added.empty());
  EXPECT_EQ(rig.InStore(), before);
  EXPECT_NE(rig.shipper->State().last_error, "");
}

TEST(ShipFaults, D7AnObjectThatAManifestListsIsNeverReplaced) {
  ShipRig rig(TestSeed());
  FillADay(&rig);
  rig.CopyStore("closing");
  rig.StartShipper();
  rig.ShipAll();
  const std::string manifest = rig.Days().begin()->second.manifest;
  const auto records =
      std::get<RecordManifest>(ParseManifest(rig.fake.Contents().at(manifest)).value());
  const std::string object = records.objects.front().name;
  // As if the store's last batches were lost: it ships the same day again.
  {
    QueueServer server(&rig.queue, rig.recorder.store.get());
    auto [key, entry] = *rig.Days().begin();
    entry.phase = DayPhase::kWritten;
    entry.draft = rig.fake.Contents().at(manifest);
    ASSERT_TRUE(rig.queue
                    .Write([&](StoreBatch* batch) {
                      batch->PutDay(key, entry);
                      return Status::Ok();
                    })
                    .ok());
  }
  rig.fake.SetContent(object, "something else");
  rig.StartShipper();
  ASSERT_TRUE(rig.Round().ok());
  EXPECT_EQ(rig.fake.Contents().at(object), "something else");
  const ShipState state = rig.shipper->State();
  ASSERT_EQ(state.days.size(), 1u);
  EXPECT_NE(state.days[0].trouble.find("somebody changed it"), std::string::npos)
      << state.days[0].trouble;
  EXPECT_TRUE(rig.StoreHas('s'));
}

TEST(ShipFaults, D8NotAllowedNeverMeansThere) {
  ShipRig rig(TestSeed());
  FillADay(&rig);
  const Holdings before = rig.InStore();
  rig.fake.Inject(
      {.op = BlobOp::kPut, .times = 5, .status = Status::FailedPrecondition("403 AccessDenied")});
  ASSERT_TRUE(rig.Round().ok());
  EXPECT_TRUE(rig.fake.Contents().empty());
  EXPECT_NE(rig.shipper->State().last_error.find("403"), std::string::npos);
  ShipPatiently(&rig);
  ExpectWhole(&rig, before);
}

TEST(ShipFaults, D10AListThatLacksThingsDeletesAndShipsNothing) {
  ShipRig rig(TestSeed());
  FillADay(&rig);
  rig.fake.Inject({.op = BlobOp::kList, .kind = BlobFault::kStaleList, .times = -1});
  rig.ShipAll();
  const auto before = rig.fake.Contents();
  rig.recorder.clock.Advance(rig.options.grace * 2);
  rig.StartShipper();
  for (int round = 0; round < 3; ++round) ASSERT_TRUE(rig.Round().ok());
  EXPECT_EQ(rig.fake.Contents(), before);
}

TEST(ShipFaults, AMissingObjectKeepsItsDayInTheStore) {
  ShipRig rig(TestSeed());
  FillADay(&rig);
  rig.ShipAll();
  for (const auto& [name, bytes] : rig.fake.Contents()) {
    if (name.starts_with("trades/")) {
      ASSERT_TRUE(rig.fake.Delete(name).ok());
    }
  }
  rig.recorder.clock.Advance(rig.options.keep_local);
  for (int round = 0; round < 3; ++round) ASSERT_TRUE(rig.Round().ok());
  EXPECT_TRUE(rig.StoreHas('s'));
  EXPECT_EQ(rig.Days().begin()->second.phase, DayPhase::kShipped);
  EXPECT_NE(rig.shipper->State().last_error, "");
}

// Messages as rows: nothing leaves the store while what holds it is not there.
TEST(ShipFaults, D14AMissingTapeObjectOrManifestKeepsItsMessagesInTheStore) {
  for (const std::string part : {"tape/", "_tapedeck/"}) {
    ShipRig rig(TestSeed());
    rig.recorder.options.commit_bytes = 500;  // small blocks
    rig.manifests = [&rig] { return rig.known.Take(); };
    FillADay(&rig);
    const Holdings before = rig.InStore();
    rig.ShipAll();
    const auto whole = rig.fake.Contents();
    for (const auto& [name, bytes] : whole) {
      if (name.starts_with(part) && (part == "tape/" || name.find("/tape-") != name.npos)) {
        ASSERT_TRUE(rig.fake.Delete(name).ok());
      }
    }
    rig.recorder.clock.Advance(rig.options.keep_local);
    for (int round = 0; round < 3; ++round) ASSERT_TRUE(rig.Round().ok());
    EXPECT_EQ(rig.InStore().messages, before.messages);
    EXPECT_NE(rig.shipper->State().last_error.find("messages stay here"), std::string::npos)
        << rig.shipper->State().last_error;
    for (const auto& [name, bytes] : whole) rig.fake.SetContent(name, bytes);
    rig.recorder.clock.Advance(std::chrono::hours(1));
    ASSERT_TRUE(rig.Round().ok());
    EXPECT_LT(rig.InStore().messages.size(), before.messages.size());
    EXPECT_EQ(rig.shipper->State().last_error, "");
  }
}

// Three days without an archive, ten messages an hour, restarts: everything stays, the archive is
// asked rarely, and all of it is there a moment after it is back.
TEST(ShipFaults, D18AnArchiveThatIsAwayForDaysIsCaughtUpWith) {
  const uint64_t seed = TestSeed();
  SCOPED_TRACE(RepeatWith(seed));
  ShipRig rig(seed);
  rig.options.keep_local = std::chrono::hours(1);
  rig.recorder.log.Create("Finhub1", 2);
  rig.Record();
  rig.StartShipper();
  for (const BlobOp op :
       {BlobOp::kPut, BlobOp::kOpen, BlobOp::kStat, BlobOp::kList, BlobOp::kDelete})
    rig.fake.Inject({.op = op, .times = -1});
  auto asked = [&] {
    return rig.fake.calls(BlobOp::kPut) + rig.fake.calls(BlobOp::kOpen) +
           rig.fake.calls(BlobOp::kList) + rig.fake.calls(BlobOp::kStat);
  };
  for (int hour = 0; hour < 72; ++hour) {
    rig.recorder.first_ms = kShipNoonMs + int64_t{hour} * 3'600'000;
    for (int i = 0; i < 10; ++i) rig.recorder.ProduceTrades({"Finhub1", i % 2}, 2);
    rig.Record(hour % 24 == 12 ? std::vector<Day>{Day(kShipDay.days() + hour / 24)}
                               : std::vector<Day>());
    if (rig.recorder.random.OneIn(8)) rig.StartShipper();
    const uint64_t before = asked();
    for (int minute = 0; minute < 60; minute += 5) {
      ASSERT_TRUE(rig.Round().ok());
      rig.recorder.clock.Advance(minutes(5));
    }
    EXPECT_LE(asked() - before, 2u * 12u) << "retries are capped";
    EXPECT_NE(rig.shipper->State().last_error, "") << "seen in the hour " << hour;
  }
  const Holdings before = rig.InStore();
  EXPECT_EQ(before.messages.size(), 720u);
  EXPECT_TRUE(rig.fake.Contents().empty());
  rig.fake.ClearFaults();
  rig.options.keep_local = std::chrono::hours(24 * 7);
  rig.StartShipper();
  rig.ShipAll(40);
  (void)rig.shipper->RequestAll();
  for (int round = 0; round < 10; ++round) ASSERT_TRUE(rig.Round().ok());
  const Holdings after = ShipRig::InArchive(rig.fake.Contents(), rig.recorder.LoadState());
  EXPECT_EQ(after.messages, before.messages);
  for (const auto& [key, text] : after.rows) EXPECT_EQ(before.rows.at(key), text);
  for (const auto& [key, entry] : rig.Days()) {
    EXPECT_TRUE(entry.phase == DayPhase::kShipped || entry.phase == DayPhase::kOpen);
  }
  EXPECT_EQ(rig.shipper->State().last_error, "");
}

TEST(ShipFaults, ObjectsOfAGivenUpDraftAreCollectedAfterTheGracePeriod) {
  ShipRig rig(TestSeed());
  FillADay(&rig);
  const Holdings before = rig.InStore();
  rig.fake.Inject({.op = BlobOp::kOpen, .times = 1});  // the read-back of the first tape
  ASSERT_TRUE(rig.Round().ok());
  ASSERT_FALSE(rig.fake.Contents().empty());
  rig.options.version = "1.2.4";  // which names, and may write, otherwise
  {
    QueueServer server(&rig.queue, rig.recorder.store.get());
    ASSERT_TRUE(rig.queue
                    .Write([&](StoreBatch* batch) {
                      const StoreState state = rig.recorder.LoadState();
                      for (auto [tp, ship] : state.ships) {
                        ship.phase = DayPhase::kOpen;
                        ship.draft.clear();
                        batch->PutTapeShip(tp, ship);
                      }
                      return Status::Ok();
                    })
                    .ok());
  }
  rig.StartShipper();
  ShipPatiently(&rig);
  EXPECT_FALSE(rig.ObjectEntries().empty());
  EXPECT_EQ(rig.fake.Contents().size(), 7u);
  rig.recorder.clock.Advance(rig.options.grace);
  ASSERT_TRUE(rig.Round().ok());
  EXPECT_EQ(rig.fake.Contents().size(), 6u);
  ExpectWhole(&rig, before);
}

// Half of all calls fail, answers get lost, reads break off, and the process ends in between.
TEST(ShipFaults, D4D5RandomMiseryAndRestartsEndWithEveryRowOnce) {
  const uint64_t seed = TestSeed();
  SCOPED_TRACE(RepeatWith(seed));
  ShipRig rig(seed);
  FillADay(&rig);
  rig.options.file_rows = 20;
  rig.StartShipper();
  const Holdings before = rig.InStore();
  rig.fake.SetChaos(seed, 3);
  bool shipped = false;
  for (int round = 0; round < 2000 && !shipped; ++round) {
    ASSERT_TRUE(rig.Round().ok());
    rig.recorder.clock.Advance(minutes(6));
    if (rig.recorder.random.OneIn(4)) rig.StartShipper();
    shipped = rig.Days().begin()->second.phase >= DayPhase::kShipped;
  }
  ASSERT_TRUE(shipped) << rig.shipper->State().last_error;
  rig.fake.SetChaos(0, 0);
  EXPECT_EQ(ShipRig::InArchive(rig.fake.Contents(), rig.recorder.LoadState()), before);
}

}  // namespace
}  // namespace tapedeck::testing
