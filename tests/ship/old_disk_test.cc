// Stores that share a past: a disk that was set back, a copy that runs beside its original, a
// backup, a node that was renamed. Over a real folder as the archive.

#include <gtest/gtest.h>

#include "blob/open_store.h"
#include "ship/new_store_id.h"
#include "ship/served.h"
#include "ship/verify_archive.h"
#include "store/store_id.h"
#include "support/seed.h"

namespace tapedeck::testing {
namespace {

using std::chrono::hours;

const TopicPartition kFirst{"Finhub1", 0};
const TopicPartition kSecond{"Finhub1", 1};
const Day kNextDay(kShipDay.days() + 1);

class OldDiskTest : public ::testing::Test {
 protected:
  OldDiskTest() : rig_(seed_) {
    rig_.recorder.log.Create("Finhub1", 2);
    const std::string url = "file://" + (rig_.recorder.dir.path() / "archive").string();
    auto opened = OpenBlobStore(url, {});
    EXPECT_TRUE(opened.ok()) << opened.status().ToString();
    blobs_ = std::move(opened).value();
    rig_.blobs = blobs_.get();
    rig_.options.keep_local = hours(48);
  }
  ~OldDiskTest() override { rig_.shipper.reset(); }

  void Produce(int messages) {
    for (int i = 0; i < messages; ++i)
      rig_.recorder.ProduceTrades(i % 2 == 0 ? kFirst : kSecond, 1 + i % 3);
  }
  /// Records what there is, closes the day, and ships it with its tapes.
  void Ship(const std::vector<Day>& days) {
    rig_.Record(days);
    rig_.StartShipper();
    for (int round = 0; round < 4; ++round) ASSERT_TRUE(rig_.Round().ok());
    rig_.recorder.clock.Advance(hours(1));
    rig_.ShipAll();
    ASSERT_EQ(rig_.shipper->State().last_error, "");
  }
  void Prune() {
    rig_.recorder.clock.Advance(rig_.options.keep_local);
    ASSERT_TRUE(rig_.Round().ok());
    ASSERT_TRUE(std::ranges::any_of(
        rig_.Days(), [](const auto& day) { return day.second.phase == DayPhase::kPruned; }));
  }
  std::string Id() {
    rig_.recorder.OpenStore();
    return rig_.recorder.store->meta().store_id;
  }
  void CheckServed(const std::string& when) {
    SCOPED_TRACE(when + "; " + RepeatWith(seed_));
    const Served produced = ProducedIn(&rig_, {kFirst, kSecond});
    const Served served = ServedBy(&rig_);
    EXPECT_EQ(served.rows.size(), produced.rows.size());
    EXPECT_TRUE(served.rows == produced.rows);
    EXPECT_TRUE(served.messages == produced.messages)
        << served.messages.size() << " of " << produced.messages.size();
    EXPECT_TRUE(ServedWhole(&rig_));
  }
  /// Every object that was there has its bytes still.
  void CheckKept(const std::map<std::string, std::string>& before) {
    const auto after = ContentsOf(blobs_.get());
    for (const auto& [name, bytes] : before) {
      ASSERT_TRUE(after.contains(name)) << name << " is gone";
      EXPECT_EQ(after.at(name), bytes) << name;
    }
  }
  ArchiveReport Verify() {
    ManifestHolder manifests;
    EXPECT_TRUE(manifests.Refresh(blobs_.get(), nullptr).ok());
    ArchiveVerifyOptions options;
    options.work_dir = rig_.recorder.dir.path() / "verify";
    options.store = rig_.recorder.store.get();
    Result<ArchiveReport> report = VerifyArchive(*manifests.Take(), blobs_.get(), options);
    EXPECT_TRUE(report.ok()) << report.status().ToString();
    for (const Finding& finding : report->findings)
      ADD_FAILURE() << finding.where << ": " << finding.what;
    return std::move(report).value();
  }

  const uint64_t seed_ = TestSeed();
  std::map<std::string, std::string> newest_;  // of an upsert table
  int64_t kafka_ms_ = kShipNoonMs;
  ShipRig rig_;
  std::unique_ptr<BlobStore> blobs_;
};

TEST_F(OldDiskTest, G7ADiskThatWasSetBackGoesOnUnderANewIdAndOverwritesNothing) {
  Produce(40);
  Ship({kShipDay});  // known to the old disk, too
  rig_.recorder.first_ms += kShipDayMs;
  Produce(20);
  rig_.Record();
  rig_.CopyStore("yesterday");
  Produce(30);
  rig_.recorder.first_ms -= kShipDayMs;
  Produce(6);  // late ones, in a generation that the old disk has never heard of
  rig_.recorder.first_ms += kShipDayMs;
  Ship({kShipDay, kNextDay});
  Prune();
  CheckServed("before the disk is lost");
  const std::string before = Id();
  const auto objects = ContentsOf(blobs_.get());

  rig_.UseCopy("yesterday");
  ASSERT_EQ(Id(), before);
  Produce(10);
  rig_.Record();
  CheckServed("recorded again from Kafka");
  rig_.StartShipper();
  ASSERT_TRUE(rig_.Round().ok());
  EXPECT_NE(Id(), before);
  EXPECT_EQ(rig_.shipper->State().halted, "");
  CheckServed("under its new id");
  CheckKept(objects);

  Produce(10);
  Ship({kShipDay, kNextDay});
  CheckServed("shipped under its new id");
  CheckKept(objects);
  EXPECT_EQ(Verify().notes.size(), 2u) << "records and messages that both have are noted";
  Prune();
  CheckServed("pruned");
  Produce(8);
  Ship({kShipDay, kNextDay});
  CheckServed("and on");
  rig_.recorder.clock.Advance(2 * rig_.options.grace);
  for (int round = 0; round < 3; ++round) ASSERT_TRUE(rig_.Round().ok());
  CheckKept(objects);
  EXPECT_TRUE(rig_.ObjectEntries().empty());
  CheckServed("after the time of grace");
  Verify();
}

// Between every two steps of the shipment that its other life completed.
TEST_F(OldDiskTest, G7ADiskThatWasSetBackIntoTheMiddleOfAShipmentDeletesNothingOfIt) {
  Produce(40);
  rig_.Record({kShipDay});
  int copies = 0;
  for (const auto phase : {DayPhase::kWritten, DayPhase::kUploaded, DayPhase::kVerified}) {
    SCOPED_TRACE(DayPhaseName(phase));
    const std::string name = "copy" + std::to_string(copies++);
    rig_.CopyStore(name);
  }
  rig_.StartShipper();
  rig_.ShipAll();
  const auto [key, shipped] = *rig_.Days().begin();
  const auto objects = ContentsOf(blobs_.get());
  copies = 0;
  for (const auto phase : {DayPhase::kWritten, DayPhase::kUploaded, DayPhase::kVerified}) {
    SCOPED_TRACE(DayPhaseName(phase));
    rig_.UseCopy("copy" + std::to_string(copies++));
    rig_.StartShipper();
    const std::string before = Id();
    {  // as the disk was then: with a draft, and with the names that it was about to put
      DayEntry entry = rig_.Days().begin()->second;
      entry.phase = phase;
      entry.draft = objects.at(shipped.manifest);
      entry.manifest = shipped.manifest + "x";  // another draft than what was listed in the end
      StoreBatch batch;
      batch.PutDay(key, entry);
      for (const auto& [name, bytes] : objects) {
        if (name.starts_with("trades/")) batch.PutObject(name, {ObjectPurpose::kPut, Timestamp(1)});
      }
      ASSERT_TRUE(rig_.recorder.store->Write(batch).ok());
    }
    ASSERT_TRUE(rig_.Round().ok());
    EXPECT_NE(Id(), before);
    rig_.ShipAll();
    CheckServed("shipped again");
    rig_.recorder.clock.Advance(2 * rig_.options.grace);
    for (int round = 0; round < 3; ++round) ASSERT_TRUE(rig_.Round().ok());
    CheckKept(objects);
    CheckServed("after the time of grace");
  }
}

TEST_F(OldDiskTest, G7ACopyThatRunsBesideItsOriginalIsNoticedByBoth) {
  Produce(30);
  Ship({kShipDay});
  const std::string id = Id();
  rig_.CopyStore("one");
  rig_.CopyStore("two");
  // Neither knows of the other; the archive has nothing that they do not know.
  rig_.UseCopy("one");
  rig_.recorder.first_ms += kShipDayMs;
  Produce(10);
  Ship({kNextDay});
  EXPECT_EQ(Id(), id) << "the first to go on keeps its id";
  rig_.CopyStore("one-later");
  const auto objects = ContentsOf(blobs_.get());
  rig_.UseCopy("two");
  Produce(10);
  Ship({kNextDay});
  EXPECT_NE(Id(), id);
  CheckKept(objects);
  CheckServed("the copy");
  rig_.UseCopy("one-later");
  EXPECT_EQ(Id(), id);
  Produce(10);
  Ship({kNextDay});
  EXPECT_EQ(Id(), id) << "it knows all of its own";
  CheckServed("the original");
  EXPECT_FALSE(Verify().notes.empty());
}

// L17: the other one ships while this one runs.
TEST_F(OldDiskTest, G7AManifestOfItsIdThatAppearsWhileItRunsGivesItAnotherOne) {
  Produce(30);
  rig_.Record();
  rig_.CopyStore("copy");
  Ship({kShipDay});
  const auto objects = ContentsOf(blobs_.get());
  rig_.UseCopy("copy");
  // The archive is empty when it starts, and its original ships after that.
  for (const auto& [name, bytes] : objects) ASSERT_TRUE(blobs_->Delete(name).ok());
  ManifestHolder manifests;
  rig_.manifests = [&] { return manifests.Take(); };
  rig_.StartShipper();
  ASSERT_TRUE(rig_.Round().ok());
  const std::string before = Id();
  for (const auto& [name, bytes] : objects)
    ASSERT_TRUE(blobs_->Put(name, BlobContent::Bytes(bytes), PutMode::kCreate).ok());
  ASSERT_TRUE(rig_.Round().ok());
  EXPECT_EQ(Id(), before) << "nobody has listed it yet";
  ASSERT_TRUE(manifests.Refresh(blobs_.get(), nullptr).ok());
  ASSERT_TRUE(rig_.Round().ok());
  EXPECT_NE(Id(), before);
  rig_.Record({kShipDay});
  rig_.recorder.clock.Advance(hours(1));
  rig_.StartShipper();
  rig_.ShipAll();
  CheckKept(objects);
  CheckServed("under its new id");
  ASSERT_TRUE(manifests.Refresh(blobs_.get(), nullptr).ok());
  const std::string now = Id();
  for (int round = 0; round < 3; ++round) ASSERT_TRUE(rig_.Round().ok());
  EXPECT_EQ(Id(), now) << "its own manifests are no reason";
}

TEST_F(OldDiskTest, A16ABackupThatIsRestoredShipsUnderAnIdOfItsOwn) {
  Produce(40);
  Ship({kShipDay});
  Prune();
  rig_.recorder.first_ms += kShipDayMs;
  Produce(10);
  rig_.Record();
  rig_.CopyStore("backup");
  Produce(10);
  Ship({kNextDay});
  const auto objects = ContentsOf(blobs_.get());
  const std::string before = Id();
  rig_.UseCopy("backup");
  rig_.recorder.OpenStore();
  {
    StoreBatch batch;
    ASSERT_TRUE(PutNewStoreId(*rig_.recorder.store->View(), MakeStoreId(), &batch).ok());
    ASSERT_TRUE(rig_.recorder.store->Write(batch).ok());
  }
  EXPECT_NE(Id(), before);
  rig_.recorder.CloseStore();
  EXPECT_NE(Id(), before) << "it is written down";
  Produce(10);
  Ship({kNextDay});
  CheckServed("shipped");
  Prune();
  CheckServed("pruned");
  CheckKept(objects);
  Verify();
}

TEST_F(OldDiskTest, AStoreOfANodeThatWasRenamedGoesOnUnderANewId) {
  Produce(40);
  Ship({kShipDay});
  Prune();
  const auto objects = ContentsOf(blobs_.get());
  const std::string before = Id();
  rig_.shipper.reset();
  rig_.recorder.CloseStore();
  {
    auto renamed = Store::Open(
        {.dir = rig_.StoreDir(), .node_id = "another", .adopt = true, .ballast_bytes = 0});
    ASSERT_TRUE(renamed.ok()) << renamed.status().ToString();
  }
  rig_.recorder.options.node_id = rig_.options.node_id = "another";
  rig_.recorder.first_ms += kShipDayMs;
  Produce(20);
  Ship({kNextDay});
  EXPECT_NE(Id(), before);
  Prune();
  CheckServed("under its new name");
  CheckKept(objects);
  Verify();
}

// Corrections of an upsert table: the generation that was shipped by the former id is never
// replaced or collected by the new one, and the newest of each is served.
TEST_F(OldDiskTest, G7UpsertGenerationsOfTheFormerIdStay) {
  auto send = [&](int identity, int price) {
    const int64_t ts = kShipNoonMs + identity;
    newest_["A " + std::to_string(ts)] = std::to_string(price) + " 1";
    rig_.recorder.ProduceRaw(kFirst,
                             R"({"data":[{"c":null,"p":)" + std::to_string(price) +
                                 R"(,"s":"A","t":)" + std::to_string(ts) +
                                 R"(,"v":1}],"type":"trade"})",
                             ++kafka_ms_);
  };
  auto check = [&](const std::string& when) {
    SCOPED_TRACE(when);
    std::map<std::string, std::string> found;
    for (const auto& [key, text] : ServedBy(&rig_).rows)
      found["A " + std::to_string(std::get<1>(key) / 1'000'000)] = text;
    EXPECT_EQ(found, newest_);
  };
  rig_.recorder.OpenStore();
  {
    StoreBatch batch;
    Table trades = *rig_.recorder.LoadState().tables.Find("trades");
    trades.identity = {"symbol", "ts"};
    batch.PutTable(trades);
    ASSERT_TRUE(rig_.recorder.store->Write(batch).ok());
  }
  for (int i = 0; i < 20; ++i) send(i, 100 + i);
  Ship({kShipDay});
  Prune();
  rig_.CopyStore("old");
  for (int i = 0; i < 25; i += 3) send(i, 200 + i);
  Ship({kShipDay});
  check("shipped twice");
  const auto objects = ContentsOf(blobs_.get());
  const std::string before = Id();
  rig_.UseCopy("old");
  for (int i = 0; i < 30; i += 5) send(i, 300 + i);
  Ship({kShipDay});
  EXPECT_NE(Id(), before);
  check("under the new id");
  for (int i = 0; i < 30; i += 7) send(i, 400 + i);
  Ship({kShipDay});
  check("a second generation of the new id");
  Prune();
  check("pruned");
  rig_.recorder.clock.Advance(2 * rig_.options.grace);
  for (int round = 0; round < 3; ++round) ASSERT_TRUE(rig_.Round().ok());
  CheckKept(objects);
  check("after the time of grace");
}

}  // namespace
}  // namespace tapedeck::testing
