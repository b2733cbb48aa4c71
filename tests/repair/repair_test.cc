// A store with damaged files is made whole: from what is left of it, from the archive, and by the
// node that then runs, from Kafka.

#include "repair/repair.h"

#include <gtest/gtest.h>

#include <fstream>
#include <numeric>

#include "query/verify.h"
#include "record/healer.h"
#include "ship/retainer.h"
#include "ship/served.h"
#include "support/seed.h"
#include "tape/tape_blocks.h"

namespace tapedeck::testing {
namespace {

namespace fs = std::filesystem;
using std::chrono::hours;

const TopicPartition kFirst{"Finhub1", 0};
const TopicPartition kSecond{"Finhub1", 1};

class RepairTest : public ::testing::Test {
 protected:
  RepairTest() : rig_(seed_) { rig_.recorder.log.Create("Finhub1", 2); }

  /// Does not shrink.
  std::string Noise(size_t bytes) {
    std::string noise(bytes, ' ');
    for (char& c : noise) c = static_cast<char>('0' + rig_.recorder.random.Uniform(64));
    std::ranges::replace(noise, '\\', '~');
    return noise;
  }
  /// Beside each message one that does not shrink, so that every tape block is larger than a block
  /// of the store's files: damage hits what it is meant for.
  void Produce(int messages) {
    for (int i = 0; i < messages; ++i) {
      const TopicPartition& tp = i % 2 == 0 ? kFirst : kSecond;
      rig_.recorder.ProduceTrades(tp, 1 + i % 3);
      rig_.recorder.ProduceRaw(tp, "{\"type\":\"ping\",\"pad\":\"" + Noise(3'000) + "\"}");
      if (i % 20 == 7)
        rig_.recorder.ProduceRaw(kFirst, "{\"data\":[{\"s\":1}],\"type\":\"trade\"}");
    }
  }
  /// Recorded in several commits, so that there are several blocks, and written into one more file.
  void RecordIntoAFile(int commits = 6) {
    for (int i = 0; i < commits; ++i) {
      Produce(20);
      rig_.Record();
    }
    rig_.recorder.OpenStore();
    ASSERT_TRUE(rig_.recorder.store->FlushMemtables().ok());
  }
  void ShipTapes() {
    rig_.StartShipper();
    ASSERT_TRUE(rig_.Round().ok());
    rig_.recorder.clock.Advance(hours(1));
    for (int round = 0; round < 6; ++round) ASSERT_TRUE(rig_.Round().ok());
    rig_.shipper.reset();
  }
  /// Days and tapes, and takes them out of the store.
  void ShipAndPrune() {
    rig_.options.keep_local = hours(2);
    rig_.Record({kShipDay});
    rig_.StartShipper();
    for (const int wait : {0, 1, 3}) {
      rig_.recorder.clock.Advance(hours(wait));
      for (int round = 0; round < 6; ++round) ASSERT_TRUE(rig_.Round().ok());
    }
    rig_.shipper.reset();
    ASSERT_GT(rig_.recorder.LoadState().ShipOf(TpId{1}).pruned, 0);
  }
  std::vector<fs::path> Files(const std::string& ending) {
    std::vector<fs::path> files;
    for (const auto& entry : fs::directory_iterator(rig_.StoreDir())) {
      if (entry.path().string().ends_with(ending)) files.push_back(entry.path());
    }
    std::ranges::sort(files);
    return files;
  }
  static std::string BytesOf(const fs::path& file) {
    std::ifstream in(file, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  static void Flip(const fs::path& file, size_t at) {
    std::string bytes = BytesOf(file);
    bytes.at(at) ^= 1;
    std::ofstream(file, std::ios::binary) << bytes;
  }
  /// Flips a bit in the middle of the value of each entry from `number` on, at most `count`, whose
  /// key begins so. The store is closed then.
  int Damage(const std::string& prefix, int number, int count = 1) {
    std::vector<std::string> values;
    rig_.recorder.OpenStore();
    {
      const auto view = rig_.recorder.store->View();
      const auto cursor = view->Scan(prefix, keys::After(prefix), ScanKind::kPoint);
      for (cursor->SeekToFirst(); cursor->Valid(); cursor->Next())
        values.emplace_back(cursor->value());
    }
    rig_.recorder.CloseStore();
    int done = 0;
    for (int i = number; i < int(values.size()) && done < count; ++i) {
      for (const fs::path& file : Files(".sst")) {
        const size_t at = BytesOf(file).find(values[i]);
        if (at == std::string::npos) continue;
        Flip(file, at + values[i].size() / 2);
        ++done;
        break;
      }
    }
    return done;
  }
  /// Number of an entry that shares no block of a file with entries of other kinds, once there is
  /// one file alone; -1: none.
  int AmongItsKind(const std::string& prefix) {
    constexpr size_t kMoreThanABlock = size_t{32} << 10;
    std::vector<size_t> sizes;
    rig_.recorder.OpenStore();
    EXPECT_TRUE(rig_.recorder.store->CompactAll().ok());
    const auto view = rig_.recorder.store->View();
    const auto cursor = view->Scan(prefix, keys::After(prefix), ScanKind::kPoint);
    for (cursor->SeekToFirst(); cursor->Valid(); cursor->Next())
      sizes.push_back(cursor->value().size());
    size_t before = 0, after = std::accumulate(sizes.begin(), sizes.end(), size_t{0});
    for (size_t i = 0; i < sizes.size(); before += sizes[i++]) {
      after -= sizes[i];
      if (before > kMoreThanABlock && after > kMoreThanABlock) return static_cast<int>(i);
    }
    return -1;
  }
  VerifyReport Verified(const fs::path& dir) {
    Result<VerifyReport> report = VerifyDataDir(dir, {});
    EXPECT_TRUE(report.ok()) << report.status().ToString();
    return report.ok() ? std::move(report).value() : VerifyReport();
  }
  /// Into a folder beside the store; `archive` may be null.
  Result<RepairReport> RepairInto(const std::string& name, FakeBlobStore* archive,
                                  bool accept_loss = false) {
    rig_.recorder.CloseStore();
    ManifestHolder manifests;
    if (archive != nullptr) TD_RETURN_IF_ERROR(manifests.Refresh(archive, nullptr).status());
    const auto set = manifests.Take();
    TD_ASSIGN_OR_RETURN(const auto salvage, Salvage::Open(rig_.StoreDir()));
    TD_ASSIGN_OR_RETURN(const Wreck wreck, Wreck::Collect(salvage.get()));
    EXPECT_TRUE(wreck.node.empty() || wreck.node == rig_.recorder.options.node_id);
    TD_ASSIGN_OR_RETURN(auto fresh, Store::Open({.dir = rig_.recorder.dir.path() / name,
                                                 .node_id = rig_.recorder.options.node_id,
                                                 .ballast_bytes = 0}));
    RepairOptions options{.clock = &rig_.recorder.clock,
                          .flush_bytes = 2'000,
                          .topics = rig_.recorder.options.topics,
                          .tables = configured_,
                          .accept_loss = accept_loss};
    if (archive != nullptr) {
      options.manifests = set.get();
      options.blobs = archive;
    }
    return RepairStore(salvage.get(), wreck, fresh.get(), options);
  }
  /// Takes the place of the damaged one.
  RepairReport Repair(bool archive, bool accept_loss = false) {
    const std::string name = "repaired-" + std::to_string(++repairs_);
    Result<RepairReport> report = RepairInto(name, archive ? &rig_.fake : nullptr, accept_loss);
    EXPECT_TRUE(report.ok()) << report.status().ToString();
    if (!report.ok()) return {};
    for (const Finding& finding : Verified(rig_.recorder.dir.path() / name).findings)
      ADD_FAILURE() << finding.where << ": " << finding.what;
    rig_.UseCopy(name);
    rig_.recorder.OpenStore();
    return std::move(report).value();
  }
  std::vector<Gap> Gaps() {
    rig_.recorder.OpenStore();
    std::vector<Gap> all;
    for (const auto& [tp, tape] : rig_.recorder.LoadState().tapes) {
      const std::vector<Gap> gaps = rig_.recorder.store->View()->Gaps(tp).value();
      all.insert(all.end(), gaps.begin(), gaps.end());
    }
    return all;
  }
  void RecordUntil(const std::function<bool()>& done) {
    int polls = 0;
    const Status end = rig_.recorder.Run([&](FakeSource* source) {
      std::this_thread::yield();
      return !source->AtEnd() || (++polls % 20 != 0) || !done();
    });
    ASSERT_TRUE(end.ok()) << end.ToString();
  }
  void CheckServed(const std::string& when) {
    SCOPED_TRACE(when + "; " + RepeatWith(seed_));
    const Served produced = ProducedIn(&rig_, {kFirst, kSecond});
    const Served served = ServedBy(&rig_);
    EXPECT_EQ(served.rows.size(), produced.rows.size());
    EXPECT_TRUE(served.rows == produced.rows);
    EXPECT_EQ(served.messages.size(), produced.messages.size());
    EXPECT_TRUE(served.messages == produced.messages);
    EXPECT_TRUE(ServedWhole(&rig_));
  }
  /// What is there is what was recorded, and what is not lies in a gap or is still to be read.
  void CheckNoSilentHole(const Holdings& before) {
    const Holdings now = rig_.InStore();
    for (const auto& [at, text] : now.messages) ASSERT_EQ(before.messages.at(at), text);
    for (const auto& [row, text] : now.rows) ASSERT_EQ(before.rows.at(row), text);
    const StoreState state = rig_.recorder.LoadState();
    std::map<uint32_t, std::vector<Gap>> gaps;
    std::map<uint32_t, int64_t> next;
    for (const auto& [tp, checkpoint] : state.checkpoints) {
      next[Raw(tp)] = checkpoint.next;
      gaps[Raw(tp)] = rig_.recorder.store->View()->Gaps(tp).value();
    }
    for (const auto& [at, text] : before.messages) {
      ASSERT_TRUE(next.contains(at.first)) << "tape " << at.first << " is gone";
      if (now.messages.contains(at) || at.second >= next[at.first]) continue;
      EXPECT_TRUE(std::ranges::any_of(
          gaps[at.first],
          [&](const Gap& gap) { return gap.from <= at.second && at.second < gap.to; }))
          << "offset " << at.second << " is missing and in no gap; " << RepeatWith(seed_);
    }
  }

  void RepairWithoutTheNewestFile(const std::function<void(const fs::path&)>& harm) {
    RecordIntoAFile();
    const size_t had = Files(".sst").size();
    RecordIntoAFile();
    const Holdings before = rig_.InStore();
    rig_.recorder.CloseStore();
    const std::vector<fs::path> files = Files(".sst");
    ASSERT_GT(files.size(), had);
    harm(files.back());
    // A partition that was new then would be forgotten: an operator has to know that none was.
    const Result<RepairReport> refused = RepairInto("refused", nullptr);
    ASSERT_EQ(refused.status().code(), StatusCode::kFailedPrecondition);
    EXPECT_NE(refused.status().ToString().find("2 are known"), std::string::npos);
    Repair(/*archive=*/false, /*accept_loss=*/true);
    CheckNoSilentHole(before);
    RecordUntil([&] { return Gaps().empty(); });
    CheckServed("recorded on");
  }

  /// Of each tape those of the manifest that is asked first.
  void TruncateChosenObjects() {
    ManifestHolder manifests;
    ASSERT_TRUE(manifests.Refresh(&rig_.fake, nullptr).ok());
    const auto set = manifests.Take();
    std::map<std::string, std::string> contents = rig_.fake.Contents();
    for (const TapeId& tape : set->tape_ids()) {
      const auto listings = set->TapesOf(tape);
      const auto chosen = std::ranges::min_element(listings, {}, [](const auto& listing) {
        const TapeRange& range = listing->manifest.range;
        return std::tuple(range.from, -range.to, listing->name);
      });
      for (const ShippedObject& object : (*chosen)->manifest.objects)
        rig_.fake.SetContent(object.name,
                             contents[object.name].substr(0, contents[object.name].size() / 2));
    }
  }

  void RepairBehindWhatWasShipped(bool healed) {
    RecordIntoAFile();
    ASSERT_GT(Damage("t", 2, 1), 0);
    ASSERT_FALSE(Repair(/*archive=*/false).damaged.empty());
    const size_t open = Gaps().size();
    ASSERT_GT(open, 0u);
    // Nobody reads it again while the rest is shipped.
    rig_.recorder.unlisted = [](const TapeId&, int64_t, int64_t) {
      return std::optional<std::vector<OffsetSpan>>();
    };
    rig_.Record({kShipDay});
    ShipTapes();
    rig_.recorder.unlisted = [this](const TapeId& tape, int64_t from, int64_t to) {
      ManifestHolder manifests;
      EXPECT_TRUE(manifests.Refresh(&rig_.fake, nullptr).ok());
      return UnlistedOf(*manifests.Take(), tape, from, to);
    };
    if (healed) RecordUntil([&] { return Gaps().empty(); });
    rig_.recorder.OpenStore();
    ASSERT_TRUE(rig_.recorder.store->FlushMemtables().ok());
    ASSERT_EQ(Damage("x", 0), 1);
    const Result<RepairReport> report = RepairInto("with-archive", &rig_.fake);
    ASSERT_TRUE(report.ok()) << report.status().ToString();
    rig_.UseCopy("with-archive");
    EXPECT_EQ(Gaps().size(), healed ? 0u : open);
    RecordUntil([&] { return Gaps().empty(); });
    CheckServed("repaired");
  }

  const uint64_t seed_ = TestSeed();
  ShipRig rig_;
  int repairs_ = 0;
  std::vector<Table> configured_;
};

TEST_F(RepairTest, A5ADamagedTapeBlockComesFromTheArchive) {
  RecordIntoAFile();
  ShipTapes();
  const Holdings before = rig_.InStore();
  rig_.recorder.OpenStore();
  ASSERT_TRUE(rig_.recorder.store->FlushMemtables().ok());
  ASSERT_EQ(Damage("t", 3, 2), 2);
  ASSERT_FALSE(Verified(rig_.StoreDir()).ok());
  // The archive has it, so an operator must have said that it is to be done without.
  const Status without = RepairInto("without", nullptr).status();
  EXPECT_EQ(without.code(), StatusCode::kFailedPrecondition) << without.ToString();
  EXPECT_NE(without.ToString().find("give its url"), std::string::npos) << without.ToString();
  const Result<RepairReport> accepted = RepairInto("accepted", nullptr, /*accept_loss=*/true);
  ASSERT_TRUE(accepted.ok()) << accepted.status().ToString();
  EXPECT_FALSE(accepted->damaged.empty());
  FakeBlobStore wrong(&rig_.recorder.clock);
  EXPECT_EQ(RepairInto("wrong", &wrong).status().code(), StatusCode::kFailedPrecondition);
  const RepairReport report = Repair(/*archive=*/true);
  EXPECT_TRUE(report.damaged.empty());
  EXPECT_GT(report.from_archive, 0u);
  EXPECT_FALSE(report.damage.empty());
  EXPECT_TRUE(Gaps().empty());
  EXPECT_TRUE(rig_.InStore() == before);
  CheckServed("repaired");
  Produce(10);
  rig_.Record();
  CheckServed("recorded on");
}

TEST_F(RepairTest, A5WhatNoArchiveHasIsReadAgainFromKafkaByTheNode) {
  RecordIntoAFile();
  const Holdings before = rig_.InStore();
  ASSERT_GT(Damage("t", 2, 3), 0);
  const RepairReport report = Repair(/*archive=*/false);
  ASSERT_FALSE(report.damaged.empty());
  const std::vector<Gap> gaps = Gaps();
  ASSERT_EQ(gaps.size(), report.damaged.size());
  for (const Gap& gap : gaps) EXPECT_EQ(gap.reason, GapReason::kDamaged);
  CheckNoSilentHole(before);
  EXPECT_FALSE(ServedWhole(&rig_)) << "an answer says that something may be missing";
  RecordUntil([&] { return Gaps().empty(); });
  CheckServed("healed");
  EXPECT_TRUE(rig_.InStore() == before);
  rig_.recorder.CloseStore();
  EXPECT_TRUE(Verified(rig_.StoreDir()).ok());
}

TEST_F(RepairTest, A5WhatKafkaHasNotEitherStaysAGapThatShippingTells) {
  RecordIntoAFile();
  const Holdings before = rig_.InStore();
  ASSERT_GT(Damage("t", 2, 3), 0);
  ASSERT_FALSE(Repair(/*archive=*/false).damaged.empty());
  const std::vector<Gap> gaps = Gaps();
  for (const Gap& gap : gaps) ASSERT_LE(gap.to, 110);
  for (const TopicPartition& tp : {kFirst, kSecond}) rig_.recorder.log.Expire(tp, 110);
  RecordUntil([&, looks = 0]() mutable { return ++looks > 20; });
  EXPECT_EQ(Gaps(), gaps);
  CheckNoSilentHole(before);
  ShipTapes();
  size_t told = 0;
  for (const auto& [name, content] : rig_.fake.Contents()) {
    if (!name.starts_with(kManifestsPrefix)) continue;
    const Result<Manifest> manifest = ParseManifest(content);
    ASSERT_TRUE(manifest.ok()) << manifest.status().ToString();
    const auto* tape = std::get_if<TapeManifest>(&*manifest);
    if (tape == nullptr) continue;
    told += std::ranges::count(tape->gaps, GapReason::kDamaged, &Gap::reason);
  }
  EXPECT_EQ(told, gaps.size());
}

TEST_F(RepairTest, A5ADamagedSeriesIsMadeFromTheTapeAgain) {
  for (int i = 0; i < 80; ++i) rig_.recorder.ProduceTrades(kFirst, 400);
  RecordIntoAFile();
  const Holdings before = rig_.InStore();
  const int number = AmongItsKind("s");
  ASSERT_GE(number, 0);
  ASSERT_EQ(Damage("s", number), 1);
  const RepairReport report = Repair(/*archive=*/false);
  EXPECT_TRUE(report.damaged.empty());
  EXPECT_TRUE(rig_.InStore() == before);
  CheckServed("repaired");
}

TEST_F(RepairTest, A5AMissingFileIsWhatTheArchiveAndKafkaStillHave) {
  RepairWithoutTheNewestFile([this](const fs::path& file) {
    fs::remove(file);
    ASSERT_FALSE(Verified(rig_.StoreDir()).ok());
  });
}

TEST_F(RepairTest, A5AFileWithAnInputOutputErrorIsDamageLikeAnyOther) {
  RepairWithoutTheNewestFile([](const fs::path& file) {
    fs::remove(file);
    fs::create_symlink("/proc/self/mem", file);  // EIO
  });
}

TEST_F(RepairTest, A5ATapeWhoseNameIsLostIsRefusedAndNothingIsChanged) {
  RecordIntoAFile();
  RecordIntoAFile();
  rig_.recorder.CloseStore();
  fs::remove(Files(".sst").front());
  std::map<std::string, std::string> before;
  for (const auto& entry : fs::directory_iterator(rig_.StoreDir()))
    before[entry.path().filename()] = BytesOf(entry.path());
  const Result<RepairReport> report = RepairInto("again", nullptr);
  ASSERT_FALSE(report.ok());
  EXPECT_EQ(report.status().code(), StatusCode::kCorruption);
  EXPECT_NE(report.status().ToString().find("name of tape"), std::string::npos);
  for (const auto& [name, bytes] : before)
    EXPECT_EQ(BytesOf(rig_.StoreDir() / name), bytes) << name;
}

TEST_F(RepairTest, APartThatIsInAnArchiveAloneNeedsIt) {
  RecordIntoAFile();
  ShipAndPrune();
  RecordIntoAFile();
  ASSERT_GT(Damage("t", 3, 1), 0);
  EXPECT_EQ(RepairInto("without", nullptr).status().code(), StatusCode::kFailedPrecondition);
  Repair(/*archive=*/true);
  RecordUntil([&] { return Gaps().empty(); });
  CheckServed("repaired");
}

TEST_F(RepairTest, A5AnArchiveThatLacksWhatWasShippedIsRefusedAndItsLossIsTold) {
  RecordIntoAFile();
  const Holdings before = rig_.InStore();
  ShipAndPrune();
  RecordIntoAFile();
  ASSERT_TRUE(rig_.recorder.store->CompactAll().ok());  // nothing of it is left in old files
  ASSERT_GT(Damage("t", 3, 1), 0);
  FakeBlobStore empty(&rig_.recorder.clock);
  const Status wrong = RepairInto("wrong", &empty).status();
  EXPECT_EQ(wrong.code(), StatusCode::kFailedPrecondition);
  EXPECT_NE(wrong.ToString().find("no manifest of this one lists them"), std::string::npos)
      << wrong.ToString();
  // A manifest of the tape is gone.
  FakeBlobStore incomplete(&rig_.recorder.clock);
  for (const auto& [name, content] : rig_.fake.Contents()) {
    if (name.starts_with(kManifestsPrefix)) {
      const Manifest manifest = ParseManifest(content).value();
      const auto* tape = std::get_if<TapeManifest>(&manifest);
      if (tape != nullptr && tape->range.tape.partition == 0) continue;
    }
    incomplete.SetContent(name, content);
  }
  EXPECT_EQ(RepairInto("incomplete", &incomplete).status().code(), StatusCode::kFailedPrecondition);
  // What the operator accepts is told.
  const Result<RepairReport> accepted = RepairInto("again", &empty, /*accept_loss=*/true);
  ASSERT_TRUE(accepted.ok()) << accepted.status().ToString();
  EXPECT_FALSE(accepted->notes.empty());
  rig_.UseCopy("again");
  rig_.recorder.OpenStore();
  std::map<uint32_t, std::vector<Gap>> gaps;
  for (const uint32_t tp : {1u, 2u}) gaps[tp] = rig_.recorder.store->View()->Gaps(TpId{tp}).value();
  const Holdings now = rig_.InStore();
  for (const auto& [at, text] : before.messages) {
    if (now.messages.contains(at)) continue;
    EXPECT_TRUE(std::ranges::any_of(
        gaps[at.first],
        [&](const Gap& gap) { return gap.from <= at.second && at.second < gap.to; }))
        << "offset " << at.second << "; " << RepeatWith(seed_);
  }
}

// A block from before lies around a gap that was healed since, in a file that is still there.
TEST_F(RepairTest, A5ABlockThatWasJoinedOverAGapHidesNothingThatWasHealed) {
  RecordIntoAFile();
  const Holdings before = rig_.InStore();
  ASSERT_GT(Damage("t", 2, 1), 0);
  ASSERT_FALSE(Repair(/*archive=*/false).damaged.empty());
  const std::vector<Gap> gaps = Gaps();
  ASSERT_EQ(gaps.size(), 1u);
  {
    const auto view = rig_.recorder.store->View();
    TapeBlocks blocks(view.get(), TpId{1}, "", ScanKind::kPoint);
    ASSERT_TRUE(blocks.Seek(gaps[0].from).ok());
    ASSERT_LT(blocks.base(), gaps[0].from);
    ASSERT_GE(blocks.index().last_offset, gaps[0].to);
  }
  ASSERT_TRUE(rig_.recorder.store->FlushMemtables().ok());
  RecordUntil([&] { return Gaps().empty(); });
  ASSERT_TRUE(rig_.InStore() == before);
  ASSERT_TRUE(rig_.recorder.store->FlushMemtables().ok());
  const Result<RepairReport> report = RepairInto("second", nullptr);
  ASSERT_TRUE(report.ok()) << report.status().ToString();
  EXPECT_TRUE(report->damaged.empty());
  rig_.UseCopy("second");
  EXPECT_TRUE(rig_.InStore() == before);
  CheckServed("repaired twice");
}

// The archive covers all records up to its end; what came below it later is in no manifest.
TEST_F(RepairTest, A5WhatWasHealedAndNotShippedIsKept) { RepairBehindWhatWasShipped(true); }

TEST_F(RepairTest, A5AGapThatIsOpenIsHealedAfterARepair) { RepairBehindWhatWasShipped(false); }

TEST_F(RepairTest, A5WhatIsDamagedInTheArchiveTooComesFromKafka) {
  RecordIntoAFile();
  const Holdings before = rig_.InStore();
  ShipTapes();
  rig_.recorder.unlisted = [this](const TapeId& tape, int64_t from, int64_t to) {
    ManifestHolder manifests;
    EXPECT_TRUE(manifests.Refresh(&rig_.fake, nullptr).ok());
    return UnlistedOf(*manifests.Take(), tape, from, to);
  };
  rig_.recorder.OpenStore();
  ASSERT_TRUE(rig_.recorder.store->FlushMemtables().ok());
  ASSERT_GT(Damage("t", 2, 1), 0);
  int altered = 0;
  for (const auto& [name, content] : rig_.fake.Contents()) {
    if (!name.starts_with("tape/")) continue;
    rig_.fake.SetContent(name, content.substr(0, content.size() / 2));
    ++altered;
  }
  ASSERT_GT(altered, 0);
  const RepairReport report = Repair(/*archive=*/true);
  ASSERT_FALSE(report.damaged.empty());
  RecordUntil([&] { return Gaps().empty(); });
  EXPECT_TRUE(rig_.InStore() == before) << RepeatWith(seed_);
  // It has an object of its own before the store lets go of it.
  ShipAndPrune();
  CheckServed("shipped again");
}

// Each store of the node has put an object of its own.
TEST_F(RepairTest, A5AnotherObjectOfTheArchiveStandsForADamagedOne) {
  RecordIntoAFile();
  const Holdings before = rig_.InStore();
  ShipTapes();
  const size_t objects = rig_.fake.Contents().size();
  ASSERT_GT(Damage("t", 2, 1), 0);
  ASSERT_TRUE(Repair(/*archive=*/true).damaged.empty());
  ShipTapes();
  ASSERT_GT(rig_.fake.Contents().size(), objects);
  TruncateChosenObjects();
  rig_.recorder.OpenStore();
  ASSERT_TRUE(rig_.recorder.store->FlushMemtables().ok());
  ASSERT_GT(Damage("t", 1, 1), 0);
  const RepairReport report = Repair(/*archive=*/true);
  EXPECT_TRUE(report.damaged.empty());
  EXPECT_GT(report.from_archive, 0u);
  EXPECT_TRUE(std::ranges::any_of(report.notes, [](const std::string& note) {
    return note.find("tape/") != note.npos;
  })) << "the damaged object is named";
  EXPECT_TRUE(rig_.InStore() == before) << RepeatWith(seed_);
}

TEST_F(RepairTest, A5WithoutItsManifestEveryFileIsRead) {
  RecordIntoAFile();
  const Holdings before = rig_.InStore();
  rig_.recorder.CloseStore();
  for (const auto& entry : fs::directory_iterator(rig_.StoreDir())) {
    if (entry.path().filename().string().starts_with("MANIFEST"))
      Flip(entry.path(), fs::file_size(entry.path()) / 2);
  }
  EXPECT_EQ(RepairInto("refused", nullptr).status().code(), StatusCode::kFailedPrecondition);
  Repair(/*archive=*/false, /*accept_loss=*/true);
  EXPECT_TRUE(rig_.InStore() == before);
}

// Else a topic that is made anew meanwhile would be taken for the old one.
TEST_F(RepairTest, A5ATapeThatRetainHasEmptiedKeepsItsLastMessage) {
  RecordIntoAFile();
  const auto later = hours(24 * 10);
  rig_.recorder.clock.Advance(later);
  rig_.recorder.first_ms += std::chrono::milliseconds(later).count();
  for (int i = 0; i < 8; ++i) {
    rig_.recorder.ProduceTrades(kSecond, 3);
    rig_.recorder.ProduceRaw(kSecond, Noise(20'000), rig_.recorder.first_ms);
    rig_.Record();
  }
  rig_.recorder.OpenStore();
  {
    QueueServer server(&rig_.queue, rig_.recorder.store.get());
    Retainer retainer(hours(48), {rig_.recorder.store.get(), &rig_.queue, &rig_.recorder.clock});
    for (int round = 0; round < 3; ++round) ASSERT_TRUE(retainer.Round().ok());
  }
  const TpId silent = *rig_.recorder.CurrentTape(kFirst);
  auto position = [&] {
    const StoreState state = rig_.recorder.LoadState();
    const auto& all = state.checkpoints;
    return std::ranges::find(all, silent, &std::pair<TpId, Checkpoint>::first)->second;
  };
  const Checkpoint before = position();
  ASSERT_TRUE(rig_.recorder.StoredTape(silent).empty());
  ASSERT_GE(before.last.offset, 0);
  ASSERT_TRUE(rig_.recorder.store->CompactAll().ok());
  ASSERT_EQ(Damage("t", 3), 1);
  ASSERT_FALSE(Repair(/*archive=*/false).damaged.empty());
  const Checkpoint after = position();
  EXPECT_EQ(after.next, before.next);
  EXPECT_EQ(after.last, before.last);
  rig_.recorder.log.Recreate("Finhub1");
  while (rig_.recorder.ProduceTrades(kFirst, 1) < 2 * before.next) continue;
  rig_.Record();
  EXPECT_NE(*rig_.recorder.CurrentTape(kFirst), silent) << "a lineage of its own";
}

// Nothing could change it any more once there are rows.
TEST_F(RepairTest, A5ATableWhoseEntryIsLostIsTheConfiguredOneOrRefused) {
  rig_.ShapeTrades(DaySize::kMonth, {"symbol", "ts", "price"});
  RecordIntoAFile();
  const TableRegistry tables = rig_.recorder.LoadState().tables;
  const Table& trades = *tables.Find("trades");
  StoreBatch around;  // a block of the file begins before the tables and ends behind them
  const std::string pad = Noise(40'000);
  around.PutJob("pad", pad);
  around.PutObject(pad, {});
  ASSERT_TRUE(rig_.recorder.store->Write(around).ok());
  ASSERT_TRUE(rig_.recorder.store->CompactAll().ok());
  ASSERT_EQ(Damage("k", 0), 1);
  const Status without = RepairInto("without", nullptr).status();
  EXPECT_EQ(without.code(), StatusCode::kFailedPrecondition) << without.ToString();
  EXPECT_NE(without.ToString().find("identity of table"), std::string::npos) << without.ToString();
  const Result<RepairReport> accepted = RepairInto("accepted", nullptr, /*accept_loss=*/true);
  EXPECT_TRUE(accepted.ok()) << accepted.status().ToString();
  configured_.assign(tables.tables().begin(), tables.tables().end());
  const RepairReport report = Repair(/*archive=*/false);
  EXPECT_TRUE(std::ranges::any_of(
      report.notes, [](const std::string& note) { return note.find("'trades'") != note.npos; }));
  const Table again = *rig_.recorder.LoadState().tables.Find("trades");
  EXPECT_EQ(again.day_size, trades.day_size);
  EXPECT_EQ(again.identity, trades.identity);
}

// Whatever byte is hit: either it is refused, or what is there is true and the rest is told.
TEST_F(RepairTest, A5NoFlipAnywhereLeavesASilentHole) {
  RecordIntoAFile(3);
  RecordIntoAFile(3);
  Produce(20);
  rig_.Record();  // in the log
  const Holdings before = rig_.InStore();
  rig_.recorder.CloseStore();
  const fs::path whole = rig_.recorder.dir.path() / "whole";
  fs::copy(rig_.StoreDir(), whole, fs::copy_options::recursive);
  Random random(seed_);
  int repaired = 0;
  for (int turn = 0; turn < 24; ++turn) {
    fs::remove_all(rig_.StoreDir());
    fs::copy(whole, rig_.StoreDir(), fs::copy_options::recursive);
    std::vector<fs::path> files = Files(".sst");
    for (const fs::path& log : Files(".log")) files.push_back(log);
    const fs::path file = files[random.Uniform(files.size())];
    const uint64_t bytes = fs::file_size(file);
    if (bytes == 0) continue;
    const size_t at = random.Uniform(bytes);
    Flip(file, at);
    SCOPED_TRACE(file.filename().string() + " byte " + std::to_string(at) + "; " +
                 RepeatWith(seed_));
    const std::string name = "again" + std::to_string(turn);
    const Result<RepairReport> report = RepairInto(name, nullptr, /*accept_loss=*/true);
    if (!report.ok()) {
      EXPECT_EQ(report.status().code(), StatusCode::kCorruption) << report.status().ToString();
      continue;
    }
    ++repaired;
    for (const Finding& finding : Verified(rig_.recorder.dir.path() / name).findings)
      ADD_FAILURE() << finding.where << ": " << finding.what;
    rig_.UseCopy(name);
    rig_.recorder.OpenStore();
    CheckNoSilentHole(before);
    rig_.recorder.CloseStore();
  }
  EXPECT_GT(repaired, 0);
}

}  // namespace
}  // namespace tapedeck::testing
