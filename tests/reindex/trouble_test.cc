// What else happens to a store while days of it are rebuilt, or has happened before: gaps that
// others fill, healing, merges, retention, another id, cancels.

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "reindex/reindex_rig.h"
#include "ship/new_store_id.h"
#include "ship/retainer.h"
#include "ship/verify_archive.h"
#include "support/seed.h"

namespace tapedeck::testing {
namespace {

using std::chrono::hours;

const Day kNextDay(kShipDay.days() + 1);
const ReindexRequest kAll{.topic = "Finhub1"};
const FinnhubVariant kOther{.prefix = "LAB:", .refuse = "s == 'AAPL'"};

RowsFound OfPartitions(const RowsFound& rows, const std::map<int32_t, OffsetSpan>& offsets) {
  RowsFound found;
  for (const auto& row : rows) {
    const auto span = offsets.find(std::get<3>(row.first));
    if (span == offsets.end()) continue;
    const int64_t offset = std::get<4>(row.first);
    if (offset >= span->second.from && offset < span->second.to) found.insert(row);
  }
  return found;
}

/// The gaps that there are, by partition: one each.
std::map<int32_t, OffsetSpan> GapsOf(ReindexRig* rig) {
  std::map<int32_t, OffsetSpan> found;
  const auto point = rig->Point();
  for (const auto& [tp, tape] : point->state().tapes) {
    const std::vector<Gap> gaps = point->view().Gaps(tp).value();
    for (const Gap& gap : gaps) found[tape.partition] = {gap.from, gap.to};
  }
  return found;
}

/// A node gives its partitions to another one and gets them back: it has a gap, and blocks that
/// were joined over it.
void RecordAroundAnotherNode(ReindexRig* rig, bool ships) {
  const std::string first = rig->ship.recorder.options.node_id;
  rig->Produce(kShipDay, 8);
  rig->Record();
  rig->SwitchNode("second");
  rig->Produce(kShipDay, 8);
  rig->Record({kShipDay});
  if (ships) {
    rig->ship.StartShipper();
    rig->ship.recorder.clock.Advance(hours(1));
    rig->ship.ShipAll();
    ASSERT_EQ(rig->ship.shipper->State().last_error, "");
  }
  rig->SwitchNode(first);
  rig->Produce(kShipDay, 8);
  rig->Record();
  ASSERT_EQ(GapsOf(rig).size(), 2u);
  rig->UseMapping(kOther);
  rig->Produce(kShipDay, 4);  // blocks of another mapping end what may be joined
  rig->Record();
  rig->JoinBlocks();
  ASSERT_EQ(rig->BlocksOverGaps(), 2);
}

TEST(ReindexTrouble, ABlockOnBothSidesOfWhatAnotherNodeHasShippedIsRebuiltOnce) {
  ReindexRig rig(TestSeed());
  rig.AddArchive();
  RecordAroundAnotherNode(&rig, /*ships=*/true);
  ASSERT_TRUE(rig.archive->manifests().Refresh(&rig.ship.fake, nullptr).ok());
  const auto gaps = GapsOf(&rig);
  RowsFound wanted = rig.Oracle(SpecOf(kOther));
  for (const auto& row : OfPartitions(wanted, gaps)) wanted.erase(row.first);
  wanted.merge(OfPartitions(rig.Oracle(SpecOf({})), gaps));  // the other node's own
  for (int turn = 0; turn < 2; ++turn) {
    const ReindexJob job = rig.Reindex(kAll);
    EXPECT_EQ(job.state, ReindexState::kDone) << job.error;
    EXPECT_LE(job.result.messages, 20u);  // blocks without records are not read again
    EXPECT_EQ(rig.Query(), wanted);
    rig.CheckSound();
  }
}

/// Each generation that was shipped has what its manifest says, by the store and by its objects.
void CheckArchive(ReindexRig* rig) {
  ManifestHolder manifests;
  ASSERT_TRUE(manifests.Refresh(&rig->ship.fake, nullptr).ok());
  ArchiveVerifyOptions options;
  options.work_dir = rig->ship.recorder.dir.path() / "verify";
  options.store = rig->ship.recorder.store.get();
  const Result<ArchiveReport> report = VerifyArchive(*manifests.Take(), &rig->ship.fake, options);
  ASSERT_TRUE(report.ok()) << report.status().ToString();
  for (const Finding& finding : report->findings)
    ADD_FAILURE() << finding.where << ": " << finding.what;
}

TEST(ReindexTrouble, WhatIsHealedAfterTheDaysWereReservedIsThereOnce) {
  ReindexRig rig(TestSeed());
  RecordAroundAnotherNode(&rig, /*ships=*/false);  // the other node is lost with what it had
  const std::string id = rig.Reserve(kAll);
  rig.ship.recorder.unlisted = [](const TapeId&, int64_t from, int64_t to) {
    return std::optional(std::vector<OffsetSpan>{{from, to}});
  };
  rig.ship.recorder.clock.Advance(rig.ship.recorder.options.heal_after);
  const Status recorded = rig.ship.recorder.Run([&, polls = 0](FakeSource* source) mutable {
    std::this_thread::yield();
    return !source->AtEnd() || (++polls % 20 != 0) || !GapsOf(&rig).empty();
  });
  ASSERT_TRUE(recorded.ok()) << recorded.ToString();
  const ReindexJob job = rig.Resume(id);
  EXPECT_EQ(job.state, ReindexState::kDone) << job.error;
  EXPECT_LE(job.result.messages, 20u) << "what was healed has its rows already";
  EXPECT_EQ(rig.Query(), rig.Oracle(SpecOf(kOther)));
  rig.CheckSound();
  rig.AddArchive();
  rig.Record({kShipDay});
  rig.ship.recorder.clock.Advance(hours(1));
  rig.ship.ShipAll();
  CheckArchive(&rig);
  rig.ship.shipper.reset();
  ASSERT_TRUE(rig.archive->manifests().Refresh(&rig.ship.fake, nullptr).ok());
  EXPECT_EQ(rig.Reindex(kAll).state, ReindexState::kDone);
  EXPECT_EQ(rig.Query(), rig.Oracle(SpecOf(kOther)));
  rig.CheckSound();
}

TEST(ReindexTrouble, ABlockThatIsJoinedWithOneOfOtherDaysMeanwhileIsNotForgotten) {
  ReindexRig rig(TestSeed());
  rig.ship.recorder.options.merge = false;
  rig.Produce(kShipDay, 8);
  rig.Record();
  rig.Produce(kNextDay, 8);
  rig.Record();
  rig.UseMapping(kOther);
  rig.Produce(kNextDay, 4);
  rig.Record();
  int points = 0;
  rig.before_point = [&] {
    if (++points == 4) rig.QueueJoinBlocks();  // Create, plan, build; now the switch
    return Status::Ok();
  };
  rig.StartReindexer();
  std::string id;
  {
    QueueServer server(&rig.ship.queue, rig.ship.recorder.store.get());
    const auto made = rig.reindexer->Create({.topic = "Finhub1", .start = kNextDay.start()});
    ASSERT_TRUE(made.ok()) << made.status().ToString();
    id = made->job.id;
  }
  for (int turn = 0; turn < 5; ++turn) {
    rig.RunUntilIdle();
    rig.ship.recorder.clock.Advance(std::chrono::seconds(2));
  }
  const ReindexJob job = rig.reindexer->Get(id)->job;
  EXPECT_EQ(job.state, ReindexState::kDone) << job.error;
  EXPECT_GT(points, 4) << "built once";
  rig.CheckSound();
  for (const auto& [key, entry] : rig.ship.Days()) {
    EXPECT_EQ(entry.mixed, entry.rebuilt) << "some of its messages are summarised as before";
  }
}

/// Records at noon of the day, one hour later.
void RecordThen(ReindexRig* rig, const Day& day, int messages) {
  const int64_t at = day.start().ns() + std::chrono::nanoseconds(hours(13)).count();
  rig->ship.recorder.clock.Advance(
      std::chrono::nanoseconds(at - rig->ship.recorder.clock.Now().ns()));
  rig->Produce(day, messages);
  rig->Record();
}

void Retain(ReindexRig* rig, hours retain) {
  rig->ship.recorder.OpenStore();
  Store* store = rig->ship.recorder.store.get();
  Retainer retainer(retain, RetainParts{store, &rig->ship.queue, &rig->ship.recorder.clock});
  QueueServer server(&rig->ship.queue, store);
  const Status end = retainer.Round();
  ASSERT_TRUE(end.ok()) << end.ToString();
  ASSERT_GT(retainer.State().messages, 0u) << "nothing was dropped: the test says nothing";
}

TEST(ReindexTrouble, WhatRetentionDropsAfterTheDaysWereReservedIsNotLost) {
  ReindexRig rig(TestSeed());
  rig.ship.ShapeTrades(DaySize::kMonth, {});
  for (int n = 0; n < 5; ++n) RecordThen(&rig, Day(kShipDay.days() + n), 6);
  rig.UseMapping({.prefix = "LAB:"});
  rig.Record();
  const RowsFound before = rig.Query();
  const std::string id = rig.Reserve(kAll);
  Retain(&rig, hours(48));
  EXPECT_EQ(rig.Query(), before) << "the month stays";
  const ReindexJob job = rig.Resume(id);
  EXPECT_EQ(job.state, ReindexState::kFailed);
  EXPECT_NE(job.error.find("store.retain"), std::string::npos) << job.error;
  EXPECT_EQ(rig.Query(), before);
  rig.CheckSound();
}

// Then a tape feeds a table by what is left of it, and so does not once it was dropped.
TEST(ReindexTrouble, WhatRetentionDropsThenIsNotLostOfATopicThatLeftTheConfigurationEither) {
  ReindexRig rig(TestSeed());
  rig.ship.ShapeTrades(DaySize::kMonth, {});
  const auto record = [&rig](int n, int32_t partition) {
    const Day day(kShipDay.days() + n);
    const int64_t at = day.start().ns() + std::chrono::nanoseconds(hours(13)).count();
    rig.ship.recorder.clock.Advance(
        std::chrono::nanoseconds(at - rig.ship.recorder.clock.Now().ns()));
    rig.ship.recorder.first_ms = day.start().ns() / 1'000'000 + 43'200'000;
    for (int i = 0; i < 6; ++i) rig.ship.recorder.ProduceTrades({"Finhub1", partition}, 3);
    rig.Record();
  };
  record(0, 1);
  for (int n = 3; n < 6; ++n) record(n, 0);
  rig.options.topics.clear();
  const std::string id = rig.Reserve(kAll);
  Retain(&rig, hours(48));
  const RowsFound before = rig.Query();
  const ReindexJob job = rig.Resume(id);
  EXPECT_EQ(job.state, ReindexState::kFailed);
  EXPECT_NE(job.error.find("store.retain"), std::string::npos) << job.error;
  EXPECT_EQ(rig.Query(), before);
  rig.CheckSound();
}

TEST(ReindexTrouble, RowsOfAMappingWhoseMessagesRetentionHasDroppedStay) {
  ReindexRig rig(TestSeed());
  rig.UseMapping({.rates = true});
  {
    StoreState state = rig.ship.recorder.LoadState();
    Table rates = *state.tables.Find("rates");
    rates.day_size = DaySize::kYear;
    StoreBatch batch;
    batch.PutTable(rates);
    ASSERT_TRUE(rig.ship.recorder.store->Write(batch).ok());
  }
  RecordThen(&rig, kShipDay, 30);
  rig.UseMapping({});
  for (int n = 3; n < 6; ++n) RecordThen(&rig, Day(kShipDay.days() + n), 6);
  Retain(&rig, hours(48));
  const auto rates_of = [](const RowsFound& rows) {
    return std::ranges::count_if(rows,
                                 [](const auto& r) { return std::get<0>(r.first) == "rates"; });
  };
  const RowsFound before = rig.Query();
  ASSERT_GT(rates_of(before), 0);
  const ReindexJob job = rig.Reindex({.tables = {"rates"}});
  EXPECT_EQ(job.state, ReindexState::kFailed);
  EXPECT_NE(job.error.find("store.retain"), std::string::npos) << job.error;
  EXPECT_EQ(rig.Query(), before);
  rig.CheckSound();
}

TEST(ReindexTrouble, RowsThatWouldLeaveWhatIsAskedForAreNamedAndStay) {
  ReindexRig rig(TestSeed());
  rig.Produce(kShipDay, 30);
  rig.Produce(kNextDay, 10);
  rig.Record({kShipDay});
  rig.UseMapping({.rates = true});
  rig.Record();
  const std::string before = rig.Answers();
  const ReindexJob tables = rig.Reindex({.tables = {"trades"}});
  EXPECT_EQ(tables.state, ReindexState::kFailed);
  EXPECT_NE(tables.error.find("rates of 2024-07-02"), std::string::npos) << tables.error;
  EXPECT_EQ(rig.Answers(), before);
  EXPECT_TRUE(tables.days.empty()) << "before anything was reserved";
  const ReindexJob both = rig.Reindex({.tables = {"trades", "rates"}});
  EXPECT_EQ(both.state, ReindexState::kDone) << both.error;
  EXPECT_EQ(rig.Query(), rig.Oracle(SpecOf({.rates = true})));
  rig.CheckSound();

  const FinnhubVariant seconds{.rates = true, .unit = "us"};  // all of it was in January 1970
  rig.UseMapping(seconds);
  rig.Record();
  const RowsFound rows = rig.Query();
  const ReindexJob out = rig.Reindex({.topic = "Finhub1", .start = kShipDay.start()});
  EXPECT_EQ(out.state, ReindexState::kFailed);
  EXPECT_NE(out.error.find("trades of 1970-01-20"), std::string::npos) << out.error;
  const ReindexJob in = rig.Reindex({.topic = "Finhub1", .end = Timestamp(INT64_C(1) << 60)});
  EXPECT_EQ(in.state, ReindexState::kFailed);
  EXPECT_NE(in.error.find("trades of 2024-07-0"), std::string::npos) << in.error;
  EXPECT_EQ(rig.Query(), rows);
  EXPECT_EQ(rig.Reindex(kAll).state, ReindexState::kDone);
  EXPECT_EQ(rig.Query(), rig.Oracle(SpecOf(seconds)));
  rig.CheckSound();
}

TEST(ReindexTrouble, DaysThatWereShippedUnderAnEarlierIdAreLeftWhenTheIdChangesMeanwhile) {
  ReindexRig rig(TestSeed());
  rig.AddArchive();
  rig.Produce(kShipDay, 12);
  rig.Record({kShipDay});
  rig.ship.ShipAll();
  rig.ship.shipper.reset();
  rig.UseMapping(kOther);
  rig.Record();
  ASSERT_TRUE(rig.archive->manifests().Refresh(&rig.ship.fake, nullptr).ok());
  const RowsFound before = rig.Query();
  const std::string id = rig.Reserve(kAll);
  {
    StoreBatch batch;
    const auto view = rig.ship.recorder.store->View();
    ASSERT_TRUE(PutNewStoreId(*view, "01J00000000000000000000009", &batch).ok());
    ASSERT_TRUE(rig.ship.recorder.store->Write(batch).ok());
  }
  const ReindexJob job = rig.Resume(id);
  EXPECT_EQ(job.state, ReindexState::kFailed);
  EXPECT_NE(job.error.find("earlier id"), std::string::npos) << job.error;
  EXPECT_EQ(rig.Query(), before);
  for (const auto& [key, entry] : rig.ship.Days()) EXPECT_TRUE(entry.counts());
}

// Who waits for the writer holds nothing that keeps the store from being opened again.
TEST(ReindexTrouble, A8WhoWaitsForAQuietMomentHoldsNoView) {
  ReindexRig rig(TestSeed());
  rig.Produce(kShipDay, 12);
  rig.Record({kShipDay});
  rig.UseMapping(kOther);
  rig.Record();
  rig.StartReindexer();
  std::atomic<bool> ended{false};
  std::thread job([&] {
    const auto made = rig.reindexer->Create(kAll);
    EXPECT_TRUE(made.ok()) << made.status().ToString();
    while (rig.reindexer->RunOnce()) continue;
    ended = true;
  });
  int quiet = 0;
  while (!ended) {
    if (rig.ship.queue.wants_quiet()) {
      ++quiet;
      for (const auto& point : rig.points) EXPECT_TRUE(point.expired()) << "at wait " << quiet;
    }
    if (rig.ship.queue.waiting()) {
      EXPECT_TRUE(rig.ship.queue.Serve(rig.ship.recorder.store.get()).ok());
    }
    std::this_thread::yield();
  }
  job.join();
  EXPECT_GE(quiet, 2) << "reserving and switching";
  EXPECT_EQ(rig.Query(), rig.Oracle(SpecOf(kOther)));
}

// Its rows are in a day that was planned without it: nothing would be built for them.
TEST(ReindexTrouble, ATapeThatBeginsBetweenPlanAndReservationKeepsItsRows) {
  ReindexRig rig(TestSeed());
  rig.Produce(kShipDay, 12);
  rig.Record();
  rig.UseMapping(kOther);
  rig.Record();
  rig.StartReindexer();
  std::string id;
  {
    QueueServer server(&rig.ship.queue, rig.ship.recorder.store.get());
    const auto made = rig.reindexer->Create(kAll);
    ASSERT_TRUE(made.ok()) << made.status().ToString();
    id = made->job.id;
  }
  std::atomic<bool> ended{false};
  std::thread job([&] {
    rig.reindexer->RunOnce();
    ended = true;
  });
  while (!rig.ship.queue.wants_quiet() && !ended) std::this_thread::yield();
  EXPECT_FALSE(ended) << "nothing was planned";
  rig.ship.recorder.queue = nullptr;  // the days are planned, and not reserved before this returns
  for (int i = 0; i < 5; ++i) rig.ship.recorder.ProduceTrades({"Finhub1", 2}, 3);
  rig.Record();
  rig.ship.recorder.queue = &rig.ship.queue;
  {
    QueueServer server(&rig.ship.queue, rig.ship.recorder.store.get());
    job.join();
  }
  for (int turn = 0; turn < 5 && !rig.reindexer->Get(id)->job.over(); ++turn) {
    rig.ship.recorder.clock.Advance(std::chrono::seconds(2));
    rig.RunUntilIdle();
  }
  EXPECT_EQ(rig.reindexer->Get(id)->job.state, ReindexState::kDone);
  EXPECT_EQ(rig.Query(), rig.Oracle(SpecOf(kOther)));
  rig.CheckSound();
}

TEST(ReindexTrouble, AJobWhoseDaysHaveGoneAlreadyEnds) {
  ReindexRig rig(TestSeed());
  rig.Produce(kShipDay, 12);
  rig.Record({kShipDay});
  const std::string id = rig.Reserve(kAll);
  keys::DayKey reserved;
  for (const auto& [key, entry] : rig.ship.Days()) {
    if (entry.building) reserved = key;
  }
  StoreBatch batch;
  batch.DeleteDay(reserved);
  ASSERT_TRUE(rig.ship.recorder.store->Write(batch).ok());
  rig.Produce(kShipDay, 4);
  rig.Record();  // a flush opens the same number
  ASSERT_TRUE(rig.ship.Days().contains(reserved));
  const RowsFound before = rig.Query();
  rig.StartReindexer();
  {
    QueueServer server(&rig.ship.queue, rig.ship.recorder.store.get());
    ASSERT_TRUE(rig.reindexer->Delete(id).ok());
  }
  rig.RunUntilIdle();
  EXPECT_EQ(rig.reindexer->Get(id).status().code(), StatusCode::kNotFound);
  EXPECT_FALSE(rig.ship.StoreHas('j'));
  EXPECT_EQ(rig.Query(), before);
  EXPECT_EQ(rig.Reindex(kAll).state, ReindexState::kDone) << "others run";
  EXPECT_EQ(rig.Query(), before);
}

TEST(ReindexTrouble, AJobThatWaitsForAFlushCanBeCancelled) {
  ReindexRig rig(TestSeed());
  rig.Produce(kShipDay, 4);
  rig.Record();
  rig.StartReindexer();
  rig.flushes = 0;  // never done
  QueueServer server(&rig.ship.queue, rig.ship.recorder.store.get());
  const auto made = rig.reindexer->Create(kAll);
  ASSERT_TRUE(made.ok()) << made.status().ToString();
  std::thread works([&] { EXPECT_FALSE(rig.reindexer->RunOnce()); });
  while (rig.reindexer->Get(made->job.id)->live.step != ReindexStep::kFlushing)
    std::this_thread::yield();
  EXPECT_TRUE(rig.reindexer->Delete(made->job.id).ok());
  works.join();
  EXPECT_EQ(rig.reindexer->Get(made->job.id).status().code(), StatusCode::kNotFound);
}

TEST(ReindexTrouble, ADayThatIsTooLargeIsToldBeforeItIsBuilt) {
  ReindexRig rig(TestSeed());
  rig.Produce(kShipDay, 12);
  rig.Record({kShipDay});
  rig.UseMapping(kOther);
  rig.Record();
  const std::string before = rig.Answers();
  rig.options.build.changes_bytes_max = 500;
  const ReindexJob job = rig.Reindex(kAll);
  EXPECT_EQ(job.state, ReindexState::kFailed);
  EXPECT_NE(job.error.find("trades of 2024-07-02 alone"), std::string::npos) << job.error;
  EXPECT_EQ(job.result.messages, 0u);
  EXPECT_EQ(rig.Answers(), before);
}

// A closed day keeps what was healed below it as it is: those offsets are its own, and no others.
TEST(ReindexTrouble, AnOpenDayIsClosedWithoutStretchingItsHealedRanges) {
  ReindexRig rig(TestSeed());
  rig.Produce(kShipDay, 12);
  rig.Record({kShipDay});
  rig.Produce(kShipDay, 4);
  rig.Record();
  keys::DayKey open;
  DayEntry entry;
  for (const auto& [key, one] : rig.ship.Days()) {
    if (one.phase == DayPhase::kOpen) std::tie(open, entry) = std::tie(key, one);
  }
  ASSERT_EQ(open.generation, 1u);
  ASSERT_FALSE(entry.vector.empty());
  const DayEntry::Range healed{entry.vector.front().tp, 1, 2};
  entry.vector.insert(entry.vector.begin() + 1, healed);
  StoreBatch batch;
  batch.PutDay(open, entry);
  ASSERT_TRUE(rig.ship.recorder.store->Write(batch).ok());
  rig.Reserve(kAll);
  const DayEntry closed = rig.ship.Days().at(open);
  EXPECT_EQ(closed.phase, DayPhase::kClosing);
  EXPECT_NE(std::ranges::find(closed.vector, healed), closed.vector.end());
}

/// `count` copies of a bar: one symbol, one time.
void ProduceCopies(ReindexRig* rig, Day day, int count) {
  const int64_t noon = day.start().ns() / 1'000'000 + kShipDayMs / 2;
  for (int i = 0; i < count; ++i)
    rig->ship.recorder.ProduceRaw({"Finhub1", 0}, TradeOf("AAPL", noon, std::to_string(i)), noon);
}

uint64_t CatalogRows(ReindexRig* rig) {
  const auto point = rig->Point();
  const Table& trades = *point->state().tables.Find("trades");
  return DecodeCatalog(point->view().Get(keys::Catalog(trades.id, "AAPL")).value())->rows;
}

TEST(ReindexTrouble, TheRowsOfAnUpsertTableDoNotGrowWithEachReindexOfPrunedDays) {
  ReindexRig rig(TestSeed());
  rig.ship.ShapeTrades(DaySize::kDay, {"symbol", "ts"});
  rig.AddArchive();
  ProduceCopies(&rig, kShipDay, 20);
  ProduceCopies(&rig, kNextDay, 3);
  rig.Record({kShipDay, kNextDay});
  EXPECT_EQ(CatalogRows(&rig), 23u);
  rig.ShipAndPrune();
  for (const auto& [key, entry] : rig.ship.Days()) ASSERT_EQ(entry.phase, DayPhase::kPruned);
  rig.ship.shipper.reset();
  const std::string before = rig.Answers();
  for (int turn = 0; turn < 2; ++turn) {
    EXPECT_EQ(rig.Reindex(kAll).state, ReindexState::kDone);
    EXPECT_EQ(rig.Answers(), before);
    rig.CheckSound();
    rig.ShipAndPrune();
    rig.ship.shipper.reset();
  }
  const ReindexJob one = rig.Reindex({.topic = "Finhub1", .end = kNextDay.start()});
  EXPECT_EQ(one.state, ReindexState::kDone) << one.error;
  EXPECT_EQ(CatalogRows(&rig), 21u) << "of the other day what the archive has";
  EXPECT_EQ(rig.Query().size(), 2u);
}

TEST(ReindexTrouble, ArchivedTapeThatHasNothingOfTheDaysIsNotFetched) {
  ReindexRig rig(TestSeed());
  rig.AddArchive();
  std::set<std::string> before;
  for (int n = 0; n < 3; ++n) {
    const Day day(kShipDay.days() + n);
    rig.ship.shipper.reset();
    rig.Produce(day, 10);
    rig.Record({day});
    rig.ShipAndPrune();
  }
  rig.ship.shipper.reset();
  const RowsFound rows = rig.Query();
  std::set<std::string> opened;
  rig.archive = std::make_unique<Archive>(&rig.ship.fake, ObjectCacheOptions());  // nothing cached
  ASSERT_TRUE(rig.archive->manifests().Refresh(&rig.ship.fake, nullptr).ok());
  rig.ship.fake.SetHook([&](BlobOp op, const std::string& name) {
    if (op == BlobOp::kOpen && name.starts_with("_tapedeck") && !name.ends_with(".json"))
      opened.insert(name);
    if (op == BlobOp::kOpen && name.find("tape/") != std::string::npos) opened.insert(name);
  });
  const ReindexJob job = rig.Reindex(
      {.topic = "Finhub1", .start = kNextDay.start(), .end = kNextDay.start().SaturatingAdd(1)});
  rig.ship.fake.SetHook(nullptr);
  EXPECT_EQ(job.state, ReindexState::kDone) << job.error;
  EXPECT_EQ(job.result.messages, 10u);
  EXPECT_EQ(opened.size(), 2u) << "of each partition the range with that day";
  EXPECT_EQ(rig.Query(), rows);
  rig.CheckSound();
}

// Flushes go on, and each changes the catalog: what they add is no reason to begin anew.
TEST(ReindexTrouble, AFlushBetweenPreparationAndSwitchIsAddedToTheCatalog) {
  ReindexRig rig(TestSeed());
  rig.Produce(kShipDay, 30);
  rig.Record({kShipDay});
  const std::string symbol = "BINANCE:BTCUSDT";
  const auto entry_of = [&] {
    const auto view = rig.ship.recorder.store->View();
    const TableId table = view->LoadState()->tables.Find("trades")->id;
    return std::pair(table, DecodeCatalog(view->Get(keys::Catalog(table, symbol)).value()).value());
  };
  const CatalogEntry before = entry_of().second;
  rig.StartReindexer();
  std::atomic<bool> ended{false};
  std::string id;
  std::thread job([&] {
    const auto made = rig.reindexer->Create(kAll);
    EXPECT_TRUE(made.ok()) << made.status().ToString();
    id = made->job.id;
    while (rig.reindexer->RunOnce()) continue;
    ended = true;
  });
  int quiet = 0;
  while (!ended) {
    if (rig.ship.queue.wants_quiet() && ++quiet >= 2) {  // as a flush does it
      auto [table, entry] = entry_of();
      entry.rows += 1;
      entry.last_ts = entry.last_ts.SaturatingAdd(1'000'000'000);
      entry.last.clear();
      StoreBatch batch;
      batch.PutCatalog(table, symbol, entry);
      EXPECT_TRUE(rig.ship.recorder.store->Write(batch).ok());
    }
    if (rig.ship.queue.waiting()) {
      EXPECT_TRUE(rig.ship.queue.Serve(rig.ship.recorder.store.get()).ok());
    }
    std::this_thread::yield();
  }
  job.join();
  EXPECT_EQ(quiet, 2) << "once to reserve, once to switch";
  EXPECT_EQ(rig.reindexer->Get(id)->job.state, ReindexState::kDone);
  const CatalogEntry after = entry_of().second;
  EXPECT_EQ(after.rows, before.rows + 1);
  EXPECT_EQ(after.first_ts, before.first_ts);
  EXPECT_EQ(after.last_ts, before.last_ts.SaturatingAdd(1'000'000'000));
}

TEST(ReindexTrouble, A8AFullDiskGetsBackWhatIsHalfBuiltAndTheJobWaits) {
  ReindexRig rig(TestSeed());
  rig.Produce(kShipDay, 40);
  rig.Record({kShipDay});
  rig.UseMapping(kOther);
  rig.Record();
  const RowsFound before = rig.Query();
  rig.options.disk_warn = 0.85;
  rig.options.disk_stop = 0.9;
  rig.options.build.piece_bytes = 1000;
  uint64_t used = 850;
  int pieces = 0;
  rig.disk_used = [&] {
    if (used == 800 && ++pieces > 4) used = 950;  // it fills up with the third piece
    return used;
  };
  rig.StartReindexer();
  std::string id;
  {
    QueueServer server(&rig.ship.queue, rig.ship.recorder.store.get());
    const auto made = rig.reindexer->Create(kAll);
    ASSERT_TRUE(made.ok()) << made.status().ToString();
    id = made->job.id;
  }
  const auto turn = [&] {
    rig.RunUntilIdle();
    rig.ship.recorder.clock.Advance(std::chrono::seconds(2));
    return rig.reindexer->Get(id).value();
  };
  EXPECT_EQ(turn().live.trouble.find("unavailable: needs room: 85 %"), 0u);
  EXPECT_EQ(rig.ship.Days().size(), 1u) << "nothing is begun";
  used = 800;
  EXPECT_EQ(turn().job.state, ReindexState::kRunning);
  EXPECT_EQ(used, 950u);
  EXPECT_EQ(turn().job.state, ReindexState::kRunning);
  for (const auto& [key, entry] : rig.ship.Days()) {
    if (!entry.building) continue;
    const std::string prefix = keys::SeriesPrefix(key.table, key.day, key.generation);
    const auto view = rig.ship.recorder.store->View();
    auto cursor = view->Scan(prefix, keys::After(prefix), ScanKind::kPoint);
    cursor->SeekToFirst();
    EXPECT_FALSE(cursor->Valid()) << "half built rows are left";
  }
  EXPECT_EQ(rig.Query(), before);
  used = 100;
  EXPECT_EQ(turn().job.state, ReindexState::kDone);
  EXPECT_EQ(rig.Query(), rig.Oracle(SpecOf(kOther)));
  rig.CheckSound();
}

}  // namespace
}  // namespace tapedeck::testing
