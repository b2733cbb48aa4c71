// The same bytes whether rows are in memory, in the store, in the archive, or in that of another
// node.

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <functional>
#include <map>
#include <thread>

#include "archive/archive.h"
#include "base/clock.h"
#include "query/answers.h"
#include "query/archive_filler.h"
#include "query/latest.h"
#include "query/listing.h"
#include "query/range_facts.h"
#include "support/fake_blob_store.h"
#include "support/seed.h"
#include "support/temp_dir.h"

namespace tapedeck::testing {
namespace {

class ArchiveAnswerTest : public ::testing::Test {
 protected:
  void SetUp() override { NewBucket(); }
  // Small enough limits that things are thrown away, and that large objects are read in ranges.
  void NewBucket() {
    archive_ = nullptr;
    blobs_ = std::make_unique<FakeBlobStore>(&SystemClock());
    archive_ = std::make_unique<Archive>(
        blobs_.get(), ObjectCacheOptions{.bytes_max = size_t{1} << 20, .whole_bytes_max = 8192});
  }
  Archive* archive() {
    const Status refreshed = archive_->manifests().Refresh(blobs_.get(), nullptr).status();
    EXPECT_TRUE(refreshed.ok()) << refreshed.ToString();
    return archive_.get();
  }
  ArchiveFiller::Pick Some() {
    return [this](const keys::DayKey&) { return random_.OneIn(2); };
  }
  ArchiveFillerOptions Options() {
    ArchiveFillerOptions options;
    if (random_.OneIn(3)) options.formats = {ObjectFormat::kNdjsonZstd};
    if (random_.OneIn(3)) {
      options.formats = {ObjectFormat::kNdjsonGzip, ObjectFormat::kParquet};
    }
    if (random_.OneIn(2)) options.file_rows = 1 + random_.Uniform(50);
    if (random_.OneIn(2)) options.manifests = &archive_->manifests();
    return options;
  }
  void Same(const std::shared_ptr<const ReadPoint>& point, const StoreFiller& filler,
            const Question& question, const std::string& when) {
    const std::string expected = TextOracle(&filler, &question).Text();
    bytes_ += expected.size();
    ASSERT_EQ(Difference(Answered(point, question).text, expected), "")
        << when << " on " << question.query.table;
  }

  uint64_t seed_ = TestSeed();
  Random random_{seed_};
  TempDir dir_;
  std::unique_ptr<FakeBlobStore> blobs_;
  std::unique_ptr<Archive> archive_;
  size_t bytes_ = 0;
};

TEST_F(ArchiveAnswerTest, D13BytesStayTheSameWhileDaysAreShippedAndPruned) {
  SCOPED_TRACE(RepeatWith(seed_));
  for (int round = 0; round < 4; ++round) {
    StoreFiller filler(dir_.File("w" + std::to_string(round)), 1 + random_.Uniform(60));
    RandomWorld world(&filler, &random_);
    NewBucket();
    ArchiveFiller shipping(&filler, blobs_.get(), Options());
    world.Run(60);
    for (int step = 0; step < 8; ++step) {
      const auto before = filler.Point(archive());
      std::vector<Question> questions;
      for (int i = 0; i < 20; ++i) questions.push_back(RandomQuestion(&world, filler, &random_));
      const std::string where = "round " + std::to_string(round) + "." + std::to_string(step);
      auto same = [&](const std::shared_ptr<const ReadPoint>& point, const char* when) {
        for (const Question& q : questions) Same(point, filler, q, where + " " + when);
      };
      filler.Flush();
      same(filler.Point(archive()), "flushed");
      if (random_.OneIn(2)) filler.CloseDays();
      shipping.ShipDays(Some());
      same(filler.Point(archive()), "shipped");
      shipping.PruneDays(Some());
      same(filler.Point(archive()), "pruned");
      same(before, "at the point before");
      if (HasFatalFailure()) return;
      world.Run(random_.Uniform(40));
    }
  }
  EXPECT_GT(bytes_, 500'000u) << "the worlds are too empty to prove anything";
}

// Records again what `from` recorded, but for the messages that `keep` leaves to others: they are a
// gap.
void Replicate(const StoreFiller& from, const std::vector<TapeId>& tapes, StoreFiller* to,
               const std::function<bool(const OracleMessage&)>& keep) {
  std::map<TapeId, TpId> ids;
  for (const TapeId& tape : tapes) ids[tape] = to->AddTape(tape, tape.partition == 1 ? 100 : 0);
  std::map<TapeId, bool> left_out;
  Timestamp now;
  for (const OracleMessage& m : from.messages()) {
    const TpId tp = ids.at(m.tape);
    if (!keep(m)) {
      left_out[m.tape] = true;
      continue;
    }
    if (m.received != now) {
      to->Commit();
      now = m.received;
      to->SetNow(now);
    }
    if (left_out[m.tape] && m.offset > to->NextOffset(tp)) {
      to->AddGap(tp, m.offset, GapReason::kElsewhere);
    }
    left_out[m.tape] = false;
    FillMessage content = m.content;
    content.skip = m.offset - to->NextOffset(tp);
    to->Append(tp, content);
  }
  to->Commit();
}

std::vector<std::string> LatestLines(const std::shared_ptr<const ReadPoint>& point,
                                     const std::string& table,
                                     const std::vector<std::string>& symbols) {
  LatestQuery query;
  query.table = table;
  query.symbols = symbols;
  auto cursor = OpenLatest(point, query);
  EXPECT_TRUE(cursor.ok()) << cursor.status().ToString();
  if (!cursor.ok()) return {};
  auto answer = Drain(cursor->get());
  EXPECT_TRUE(answer.ok()) << answer.status().ToString();
  return answer.ok() ? answer->lines : std::vector<std::string>();
}

// D11, C6: two nodes that recorded parts of the same, some of it both, answer as one that recorded
// everything.
TEST_F(ArchiveAnswerTest, D11TwoNodesThatOverlapAnswerAsOne) {
  SCOPED_TRACE(RepeatWith(seed_));
  for (int round = 0; round < 4; ++round) {
    NewBucket();
    const std::string dir = "r" + std::to_string(round);
    StoreFiller all(dir_.File(dir + "w"), 40);
    RandomWorld world(&all, &random_);
    world.Run(250);
    std::vector<TapeId> tapes;
    for (const TpId tp : world.tapes()) tapes.push_back(*all.Point()->FindTape(tp));
    // In stretches of ten offsets: one of them, the other, or both.
    const uint64_t salt = random_.Next();
    auto part = [&](const OracleMessage& m) {
      return HashBytes64(m.tape.ToString() + std::to_string(m.offset / 10), salt) % 3;
    };
    StoreFiller here(dir_.File(dir + "h"), 30, round % 2 == 0 ? "node-b" : "node-y");
    StoreFiller other(dir_.File(dir + "o"), 50, "node-m");
    Replicate(all, tapes, &here, [&](const OracleMessage& m) { return part(m) != 0; });
    Replicate(all, tapes, &other, [&](const OracleMessage& m) { return part(m) != 1; });
    ArchiveFiller other_ships(&other, blobs_.get(), Options());
    other.Flush();
    other.CloseDays();
    other_ships.ShipDays();
    other_ships.ShipTapes(17);
    ArchiveFiller here_ships(&here, blobs_.get(), Options());
    for (int step = 0; step < 4; ++step) {
      const auto point = here.Point(archive());
      for (int i = 0; i < 25; ++i) {
        const Question q = RandomQuestion(&world, all, &random_);
        Same(point, all, q, "round " + std::to_string(round) + "." + std::to_string(step));
        RecordQuery count = q.query;
        count.limit = UINT64_MAX;
        ASSERT_EQ(*CountRecords(point, count), *CountRecords(all.Point(), count));
      }
      for (const char* table : {"trades", "bars"}) {
        ASSERT_EQ(LatestLines(point, table, {}), LatestLines(all.Point(), table, {}));
        ASSERT_EQ(LatestLines(point, table, {"BTC"}), LatestLines(all.Point(), table, {"BTC"}));
      }
      here.Flush();
      if (step > 0) here.CloseDays();
      here_ships.ShipDays(Some());
      here_ships.PruneDays(Some());
    }
  }
  EXPECT_GT(bytes_, 200'000u);
}

// A18, O7: a node that has nothing of its own serves what was shipped.
TEST_F(ArchiveAnswerTest, A18AnEmptyNodeServesWhatOthersShipped) {
  SCOPED_TRACE(RepeatWith(seed_));
  StoreFiller lost(dir_.File("l"), 40);
  RandomWorld world(&lost, &random_);
  world.Run(300);
  ArchiveFiller shipping(&lost, blobs_.get(), Options());
  lost.Flush();
  lost.CloseDays();
  shipping.ShipDays();
  shipping.ShipTapes(40);
  StoreOptions options;
  options.dir = dir_.File("empty");
  options.node_id = "node-z";
  options.ballast_bytes = 0;
  const auto store = std::move(*Store::Open(std::move(options)));
  SeriesDirectory directory;
  OpenRows none;
  const auto point = *ReadPoint::Take(none, &directory, *store, archive());
  for (int i = 0; i < 60; ++i) Same(point, lost, RandomQuestion(&world, lost, &random_), "empty");
  for (const char* table : {"trades", "bars", "odd"}) {
    ASSERT_EQ(LatestLines(point, table, {}), LatestLines(lost.Point(), table, {}));
  }
  const auto symbols = *ListSymbols(*point, {});
  const auto expected = *ListSymbols(*lost.Point(), {});
  ASSERT_EQ(symbols.size(), expected.size());
  for (size_t i = 0; i < symbols.size(); ++i) {
    EXPECT_EQ(symbols[i].symbol, expected[i].symbol);
    EXPECT_EQ(symbols[i].tables, expected[i].tables);
    EXPECT_EQ(symbols[i].rows, expected[i].rows);
    EXPECT_EQ(symbols[i].first_ts, expected[i].first_ts);
    EXPECT_EQ(symbols[i].last_ts, expected[i].last_ts);
  }
  const auto partitions = *ListPartitions(*point, {});
  uint64_t messages = 0;
  for (const PartitionEntry& entry : partitions) messages += entry.checkpoint.messages;
  EXPECT_EQ(messages, lost.messages().size());
  RecordQuery query;
  query.table = "trades";
  query.symbols = {"BTC", "NONE"};
  EXPECT_EQ(*UnknownSymbols(*point, query, 20), std::vector<std::string>{"NONE"});
}

// Small objects are read whole and compared by sha256, large ones are read in ranges whose pages
// have sums: both must notice.
TEST_F(ArchiveAnswerTest, D14AMissingOrEditedObjectIsAnErrorThatNamesItNeverAShortAnswer) {
  SCOPED_TRACE(RepeatWith(seed_));
  for (const size_t whole : {size_t{1} << 20, size_t{1}}) {
    NewBucket();
    StoreFiller filler(dir_.File("d" + std::to_string(whole)), 40);
    const TpId tp = filler.AddTape({"c1", "spot", 0, 0});
    for (int i = 0; i < 500; ++i) {
      filler.Append(
          tp, {.value = R"([{"k":"t","s":"A","p":1.5,"t":)" + std::to_string(i * 1'000'000) + "}]",
               .timestamp_ms = 1000 + i});
    }
    filler.Flush();
    filler.CloseDays();
    ArchiveFiller shipping(&filler, blobs_.get(), {});
    shipping.ShipDays();
    shipping.PruneDays();
    ASSERT_EQ(shipping.objects().size(), 1u);
    const std::string name = shipping.objects()[0];
    const std::string good = blobs_->Contents().at(name);
    RecordQuery query;
    query.table = "trades";
    auto ask = [&] {
      archive_ =
          std::make_unique<Archive>(blobs_.get(), ObjectCacheOptions{.whole_bytes_max = whole});
      return Ask(filler.Point(archive()), query);
    };
    ASSERT_EQ(ask()->lines.size(), 500u);
    EXPECT_TRUE(blobs_->Delete(name).ok());
    ASSERT_EQ(ask().status().code(), StatusCode::kCorruption);
    EXPECT_NE(ask().status().ToString().find(name), std::string::npos);
    for (size_t i = 0; i < good.size(); i += 1 + random_.Uniform(whole > 1 ? 40 : 9)) {
      std::string bad = good;
      bad[i] = static_cast<char>(bad[i] ^ (1 << random_.Uniform(8)));
      blobs_->SetContent(name, bad);
      const Result<Answer> answer = ask();
      if (answer.ok()) {  // ranges: a byte that says nothing
        ASSERT_EQ(whole, 1u);
        ASSERT_EQ(answer->lines.size(), 500u) << "byte " << i;
      } else {
        ASSERT_EQ(answer.status().code(), StatusCode::kCorruption) << answer.status().ToString();
        ASSERT_NE(answer.status().ToString().find(name), std::string::npos) << "byte " << i;
      }
    }
    blobs_->SetContent(name, good.substr(0, good.size() - 1));
    EXPECT_EQ(ask().status().code(), StatusCode::kCorruption);
    blobs_->SetContent(name, good);
    EXPECT_EQ(ask()->lines.size(), 500u);
  }
}

// F5: trouble in the middle of an answer ends it with an error.
TEST_F(ArchiveAnswerTest, F5ATroubledBucketBreaksTheAnswerVisibly) {
  SCOPED_TRACE(RepeatWith(seed_));
  StoreFiller filler(dir_.File("f"), 40);
  RandomWorld world(&filler, &random_);
  world.Run(200);
  ArchiveFiller shipping(&filler, blobs_.get(), {.file_rows = 20});
  filler.Flush();
  filler.CloseDays();
  shipping.ShipDays();
  shipping.PruneDays();
  archive();
  blobs_->SetChaos(random_.Next(), 6);
  size_t failed = 0;
  for (int i = 0; i < 120; ++i) {
    const Question question = RandomQuestion(&world, filler, &random_);
    Archive fresh(blobs_.get(), {.whole_bytes_max = size_t{1} << (i % 2 == 0 ? 20 : 4)});
    for (const std::string& name : shipping.manifests()) {
      const std::string json = blobs_->Contents().at(name);
      fresh.manifests().Add({name, json}, *ParseManifest(json));
    }
    const auto point = filler.Point(&fresh);
    RecordQuery query = question.query;
    const Result<Answer> answer = Ask(point, query);
    if (answer.ok()) {
      ASSERT_EQ(answer->lines, Oracle(&filler, &query).Lines());
    } else {
      ++failed;
      const StatusCode code = answer.status().code();
      ASSERT_TRUE(code == StatusCode::kUnavailable || code == StatusCode::kCorruption)
          << answer.status().ToString();
    }
  }
  EXPECT_GT(failed, 10u);
}

// D13: a poller sees one answer while days are shipped and pruned under it.
TEST_F(ArchiveAnswerTest, D13APollerSeesNoSeamWhileDaysArePruned) {
  SCOPED_TRACE(RepeatWith(seed_));
  StoreFiller filler(dir_.File("p"), 40);
  RandomWorld world(&filler, &random_);
  world.Run(300);
  filler.Flush();
  filler.CloseDays();
  RecordQuery query;
  query.table = "trades";
  const std::vector<std::string> expected = Oracle(&filler, &query).Lines();
  ASSERT_FALSE(expected.empty());
  archive();
  std::atomic<bool> end{false};
  std::atomic<uint64_t> polls{0};
  std::thread poller([&] {
    while (!end.load()) {
      const Result<Answer> answer = Ask(filler.Point(archive_.get()), query);
      ASSERT_TRUE(answer.ok()) << answer.status().ToString();
      ASSERT_EQ(answer->lines, expected);
      ++polls;
    }
  });
  ArchiveFiller shipping(&filler, blobs_.get(), {.manifests = &archive_->manifests()});
  const StoreState state = *filler.store().View()->LoadState();
  for (const auto& day : state.days) {
    const uint64_t before = polls.load();
    auto only = [&](const keys::DayKey& key) { return key == day.first; };
    shipping.ShipDays(only);
    shipping.PruneDays(only);
    while (polls.load() < before + 2 && !HasFatalFailure()) std::this_thread::yield();
  }
  end = true;
  poller.join();
}

TEST_F(ArchiveAnswerTest, APrunedDayWithoutItsManifestIsAnErrorNotAHole) {
  StoreFiller filler(dir_.File("n"), 40);
  const TpId tp = filler.AddTape({"c1", "spot", 0, 0});
  filler.Append(tp, {.value = R"([{"k":"t","s":"A","p":1.5,"t":5}])", .timestamp_ms = 1000});
  filler.Flush();
  filler.CloseDays();
  ArchiveFiller shipping(&filler, blobs_.get(), {});
  shipping.ShipDays();
  shipping.PruneDays();
  RecordQuery query;
  query.table = "trades";
  const Status without = Ask(filler.Point(), query).status();
  EXPECT_EQ(without.code(), StatusCode::kFailedPrecondition) << without.ToString();
  const Status unread = Ask(filler.Point(archive_.get()), query).status();
  EXPECT_EQ(unread.code(), StatusCode::kUnavailable) << unread.ToString();
  EXPECT_NE(unread.ToString().find(shipping.manifests()[0]), std::string::npos);
  EXPECT_EQ(Ask(filler.Point(archive()), query)->lines.size(), 1u);
  query.start = Timestamp(int64_t{86'400} * 1'000'000'000);
  EXPECT_EQ(Ask(filler.Point(), query)->lines.size(), 0u) << "this range does not need it";
}

// A day of two million trades of 500 symbols, as another node shipped it: what one minute of one
// symbol costs on a node that has read nothing of it yet.
TEST_F(ArchiveAnswerTest, AColdMinuteOfOneSymbolReadsAFewPages) {
  constexpr int kSymbols = 500;
  constexpr int kRows = 4000;
  constexpr int64_t kSecond = 1'000'000'000;
  constexpr int64_t kStep = int64_t{86'400} * kSecond / kRows;
  TableRegistry tables;
  const Table table = *tables.Find("trades");
  const TapeId tape{"c1", "spot", 0, 0};
  const Day day(19906);
  const auto writer = std::move(*RecordObjectWriter::Make({.table = table,
                                                           .day = day,
                                                           .tapes = {{TpId{1}, tape}},
                                                           .folder = dir_.path(),
                                                           .writer = "tapedeck 0.1.0"}));
  Rows rows;
  for (const Column& column : table.columns) rows.columns.emplace_back().type = column.type;
  for (int s = 0; s < kSymbols; ++s) {
    rows.Clear();
    for (int i = 0; i < kRows; ++i) {
      rows.ts.push_back(day.start().ns() + i * kStep + s);
      rows.ts_kafka.push_back(rows.ts.back() / 1'000'000 * 1'000'000);
      rows.tp.push_back(1);
      rows.offset.push_back(int64_t{i} * kSymbols + s);
      rows.index.push_back(0);
      rows.columns[0].Append(Value::OfDecimal({6'000'000 + random_.Between(-9999, 9999), 2}));
      rows.columns[1].Append(Value::OfDecimal({random_.Between(1, 99'999), 5}));
      for (size_t c = 2; c < rows.columns.size(); ++c) rows.columns[c].Append(Value());
    }
    char name[8];
    std::snprintf(name, sizeof(name), "S%03d", s);
    ASSERT_TRUE(writer->Append({name, &rows, 0, kRows}).ok());
  }
  auto written = writer->Finish();
  ASSERT_TRUE(written.ok()) << written.status().ToString();
  ASSERT_EQ(written->size(), 1u);
  RecordManifest manifest;
  manifest.writer = {"far", "00ff00ff00ff00ff", "0.1.0", Timestamp(1)};
  manifest.table = table.name;
  manifest.columns = table.columns;
  manifest.day = day;
  manifest.rows = uint64_t{kSymbols} * kRows;
  manifest.vector = {{tape, 0, int64_t{kSymbols} * kRows}};
  manifest.objects = {(*written)[0].object};
  ShippedObject& object = manifest.objects[0];
  object.name = RecordObjectName({"far", "00ff00ff00ff00ff"}, table.name, day, 0, 0,
                                 {object.format, NameHash(object.sha256, "0.1.0")});
  ASSERT_TRUE(
      blobs_->Put(object.name, BlobContent::File((*written)[0].path), PutMode::kCreate).ok());
  archive_->manifests().Add(MakeManifestFile(manifest), manifest);

  StoreFiller here(dir_.File("here"));
  RecordQuery query;
  query.table = table.name;
  query.symbols = {"S250"};
  query.start = Timestamp(day.start().ns() + 12 * 3600 * kSecond);
  query.end = Timestamp(query.start.ns() + 60 * kSecond);
  ASSERT_EQ(Ask(here.Point(archive_.get()), query)->lines.size(), 3u);
  const ObjectCacheCounts cold = archive_->objects().counts();
  ASSERT_EQ(Ask(here.Point(archive_.get()), query)->lines.size(), 3u);
  const ObjectCacheCounts warm = archive_->objects().counts();
  std::printf("object %llu bytes; cold: %llu bytes in %llu reads; again: %llu in %llu\n",
              static_cast<unsigned long long>(object.bytes),
              static_cast<unsigned long long>(cold.bytes_fetched),
              static_cast<unsigned long long>(cold.reads),
              static_cast<unsigned long long>(warm.bytes_fetched - cold.bytes_fetched),
              static_cast<unsigned long long>(warm.reads - cold.reads));
  EXPECT_LT(cold.bytes_fetched * 50, object.bytes) << "two in a hundred";
  EXPECT_LT(cold.reads, 60u);
}

// F4: a reader that nobody waits for lets go of the bucket.
TEST_F(ArchiveAnswerTest, F4AReadThatNobodyWaitsForEndsAtTheNextPiece) {
  StoreFiller filler(dir_.File("s"), 40);
  RandomWorld world(&filler, &random_);
  world.Run(200);
  ArchiveFiller shipping(&filler, blobs_.get(), {});
  filler.Flush();
  filler.CloseDays();
  shipping.ShipDays();
  shipping.PruneDays();
  auto gone = std::make_shared<std::atomic<bool>>(false);
  RecordQuery query;
  query.table = "trades";
  query.stop = std::make_shared<ReadStop>(&SystemClock(), gone);
  const auto point = filler.Point(archive());
  std::atomic<int> reads{0};
  blobs_->SetHook([&](BlobOp op, const std::string&) {
    if (op == BlobOp::kRead && ++reads == 2) gone->store(true);
  });
  const Status ended = Ask(point, query).status();
  blobs_->SetHook(nullptr);
  EXPECT_EQ(ended.code(), StatusCode::kCancelled) << ended.ToString();
  EXPECT_EQ(reads.load(), 2);
}

}  // namespace
}  // namespace tapedeck::testing
