// Verify: passes on good stores and finds each kind of planted damage, saying where.

#include "query/verify.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <functional>

#include "codec/series_block.h"
#include "query/random_world.h"
#include "query/store_filler.h"
#include "support/seed.h"
#include "support/temp_dir.h"

namespace tapedeck::testing {
namespace {

std::string TextOf(const VerifyReport& report) {
  std::string text;
  for (const Finding& finding : report.findings) text += finding.where + ": " + finding.what + "\n";
  return text;
}

class VerifyTest : public ::testing::Test {
 protected:
  // A store with everything, flushed but for the last messages.
  void Fill() {
    filler_ = std::make_unique<StoreFiller>(dir_.File("store"), 16);
    RandomWorld world(filler_.get(), &random_);
    world.Run(500);
    filler_->Flush();
    for (int i = 0; i < 40; ++i) filler_->Append(world.tapes()[0], world.Message());
    filler_->Append(world.tapes()[0], {.value = R"([{"k":"bad"}])", .timestamp_ms = 9});
    filler_->Commit();
  }
  VerifyReport Verify() {
    Result<VerifyReport> report = VerifyStore(&filler_->store(), {});
    EXPECT_TRUE(report.ok()) << report.status().ToString();
    return report.ok() ? *report : VerifyReport{};
  }
  // The entry of a kind that comes about in the middle.
  std::pair<std::string, std::string> Some(char prefix) {
    auto view = filler_->store().View();
    const std::string lower(1, prefix);
    auto cursor = view->Scan(lower, keys::After(lower), ScanKind::kLong);
    std::vector<std::pair<std::string, std::string>> entries;
    for (cursor->SeekToFirst(); cursor->Valid(); cursor->Next()) {
      entries.emplace_back(cursor->key(), cursor->value());
    }
    EXPECT_FALSE(entries.empty()) << prefix;
    return entries.empty() ? std::pair<std::string, std::string>() : entries[entries.size() / 2];
  }
  // What verify finds once `damage` is done, and that it finds nothing when it is undone.
  void Expect(const std::string& part, const std::function<void(StoreBatch*)>& damage) {
    StoreBatch batch;
    damage(&batch);
    ASSERT_TRUE(filler_->store().Write(batch).ok());
    const VerifyReport report = Verify();
    EXPECT_FALSE(report.ok()) << "not found: " << part;
    EXPECT_NE(TextOf(report).find(part), std::string::npos) << "found only:\n" << TextOf(report);
  }

  uint64_t seed_ = TestSeed();
  Random random_{seed_};
  TempDir dir_;
  std::unique_ptr<StoreFiller> filler_;
};

TEST_F(VerifyTest, GoodStoresPass) {
  SCOPED_TRACE(RepeatWith(seed_));
  Fill();
  const VerifyReport report = Verify();
  EXPECT_TRUE(report.ok()) << TextOf(report);
  EXPECT_EQ(report.messages, filler_->messages().size());
  EXPECT_EQ(report.records, filler_->records().size());
  EXPECT_GT(report.refused, 0u);
  EXPECT_GT(report.rows, 0u);
  filler_->MergeSeries();
  filler_->MergeTape();
  const VerifyReport merged = Verify();
  EXPECT_TRUE(merged.ok()) << TextOf(merged);
}

TEST_F(VerifyTest, AnEmptyStorePasses) {
  filler_ = std::make_unique<StoreFiller>(dir_.File("store"));
  EXPECT_TRUE(Verify().ok());
}

TEST_F(VerifyTest, AChangedFieldInASeriesBlockIsFound) {
  SCOPED_TRACE(RepeatWith(seed_));
  Fill();
  const auto [bytes, block] = Some('s');
  const keys::SeriesKey key = *keys::ParseSeries(bytes);
  const Table& table = *filler_->tables().Find(key.table);
  CodecBuffers buffers;
  Rows rows;
  ASSERT_TRUE(DecodeSeriesBlock(bytes, block, table.columns, &buffers, &rows).ok());
  rows.ts_kafka[0] += 1;  // a well-formed block with another content
  std::string changed;
  ASSERT_TRUE(EncodeSeriesBlock(bytes, rows, table.columns, 0, rows.size(), Effort::kLive, &buffers,
                                &changed)
                  .ok());
  Expect("digest", [&](StoreBatch* batch) { batch->PutSeriesBlock(key, changed); });
}

TEST_F(VerifyTest, ABrokenSeriesBlockIsFound) {
  SCOPED_TRACE(RepeatWith(seed_));
  Fill();
  auto [bytes, block] = Some('s');
  block[block.size() / 2] = static_cast<char>(block[block.size() / 2] ^ 1);
  const keys::SeriesKey key = *keys::ParseSeries(bytes);
  Expect("series " + filler_->tables().Find(key.table)->name,
         [&](StoreBatch* batch) { batch->PutSeriesBlock(key, block); });
}

TEST_F(VerifyTest, AMissingSeriesBlockIsFound) {
  SCOPED_TRACE(RepeatWith(seed_));
  Fill();
  const keys::SeriesKey key = *keys::ParseSeries(Some('s').first);
  Expect("its blocks hold", [&](StoreBatch* batch) { batch->DeleteSeriesBlock(key); });
}

TEST_F(VerifyTest, RowsThatAreThereTwiceAreFound) {
  SCOPED_TRACE(RepeatWith(seed_));
  Fill();
  const auto [bytes, block] = Some('s');
  keys::SeriesKey key = *keys::ParseSeries(bytes);
  CodecBuffers buffers;
  Rows rows;
  const Table& table = *filler_->tables().Find(key.table);
  ASSERT_TRUE(DecodeSeriesBlock(bytes, block, table.columns, &buffers, &rows).ok());
  key.block += 7777;
  std::string again;
  ASSERT_TRUE(EncodeSeriesBlock(keys::Series(key), rows, table.columns, 0, rows.size(),
                                Effort::kLive, &buffers, &again)
                  .ok());
  Expect("its blocks hold", [&](StoreBatch* batch) { batch->PutSeriesBlock(key, again); });
}

TEST_F(VerifyTest, AWrongDayEntryIsFound) {
  SCOPED_TRACE(RepeatWith(seed_));
  Fill();
  const auto [bytes, value] = Some('d');
  const keys::DayKey key = *keys::ParseDayState(bytes);
  DayEntry entry = *DecodeDay(value);
  entry.digest += HashBytes("x");
  Expect("day ", [&](StoreBatch* batch) { batch->PutDay(key, entry); });
}

TEST_F(VerifyTest, AWrongCatalogEntryIsFound) {
  SCOPED_TRACE(RepeatWith(seed_));
  Fill();
  const auto [bytes, value] = Some('y');
  const keys::CatalogKey key = *keys::ParseCatalog(bytes);
  CatalogEntry entry = *DecodeCatalog(value);
  entry.rows += 1;
  Expect("catalog ", [&](StoreBatch* batch) { batch->PutCatalog(key.table, key.symbol, entry); });
}

TEST_F(VerifyTest, AWrongIndexEntryIsFound) {
  SCOPED_TRACE(RepeatWith(seed_));
  Fill();
  const auto [bytes, value] = Some('x');
  const keys::TpOffsetKey key = *keys::ParseTpOffset(bytes);
  TapeIndexEntry entry = *DecodeTapeIndex(value);
  entry.event_max_ns ^= 1;  // there may be none, which is the least number
  entry.symbols.push_back("NEVER SEEN");
  Expect("differs from its messages in: greatest event time, symbols",
         [&](StoreBatch* batch) { batch->PutTapeIndex(key.tp, key.offset, entry); });
}

TEST_F(VerifyTest, ABrokenTapeBlockIsFound) {
  SCOPED_TRACE(RepeatWith(seed_));
  Fill();
  auto [bytes, block] = Some('t');
  block[block.size() - 1] = static_cast<char>(block[block.size() - 1] ^ 0x10);
  const keys::TpOffsetKey key = *keys::ParseTpOffset(bytes);
  Expect("@" + std::to_string(key.offset),
         [&](StoreBatch* batch) { batch->PutTapeBlock(key.tp, key.offset, block); });
}

TEST_F(VerifyTest, AMissingTapeBlockIsFound) {
  SCOPED_TRACE(RepeatWith(seed_));
  Fill();
  const keys::TpOffsetKey key = *keys::ParseTpOffset(Some('t').first);
  Expect("the checkpoint says messages",
         [&](StoreBatch* batch) { batch->DeleteTapeBlock(key.tp, key.offset); });
}

TEST_F(VerifyTest, AnotherBlockInItsPlaceIsFound) {
  SCOPED_TRACE(RepeatWith(seed_));
  Fill();
  const auto [bytes, block] = Some('t');
  const keys::TpOffsetKey key = *keys::ParseTpOffset(bytes);
  Expect("a tape block without an index entry",
         [&](StoreBatch* batch) { batch->PutTapeBlock(key.tp, key.offset + 1'000'000, block); });
}

TEST_F(VerifyTest, AWrongDigestInTheCheckpointIsFound) {
  SCOPED_TRACE(RepeatWith(seed_));
  Fill();
  const auto [bytes, value] = Some('c');
  const TpId tp = *keys::ParseTp(bytes);
  Checkpoint checkpoint = *DecodeCheckpoint(value);
  checkpoint.digest += HashBytes("x");
  Expect("the checkpoint says digest",
         [&](StoreBatch* batch) { batch->PutCheckpoint(tp, checkpoint); });
}

TEST_F(VerifyTest, AWatermarkThatIsTooLowIsFound) {
  SCOPED_TRACE(RepeatWith(seed_));
  Fill();
  Checkpoint checkpoint = *filler_->store().View()->GetCheckpoint(TpId{1});
  checkpoint.watermark = checkpoint.start;
  Expect("lies at or above the series watermark",
         [&](StoreBatch* batch) { batch->PutCheckpoint(TpId{1}, checkpoint); });
}

TEST_F(VerifyTest, AWatermarkThatIsTooHighIsFound) {
  SCOPED_TRACE(RepeatWith(seed_));
  Fill();
  Checkpoint checkpoint = *filler_->store().View()->GetCheckpoint(TpId{1});
  ASSERT_LT(checkpoint.watermark, checkpoint.next);
  checkpoint.watermark = checkpoint.next;
  Expect("the tape decodes to",
         [&](StoreBatch* batch) { batch->PutCheckpoint(TpId{1}, checkpoint); });
}

TEST_F(VerifyTest, ARefusalThatIsNotListedOrIsListedWronglyIsFound) {
  SCOPED_TRACE(RepeatWith(seed_));
  Fill();
  const auto [bytes, value] = Some('e');
  const keys::TpOffsetKey key = *keys::ParseTpOffset(bytes);
  RefusalEntry entry = *DecodeRefusal(value);
  entry.kept += 1;
  Expect("is listed as refused with",
         [&](StoreBatch* batch) { batch->PutRefusal(key.tp, key.offset, entry); });
  Expect("is listed as refused and is not",
         [&](StoreBatch* batch) { batch->PutRefusal(key.tp, key.offset + 1'000'000, entry); });
}

TEST_F(VerifyTest, AGapOverRecordedMessagesIsFound) {
  SCOPED_TRACE(RepeatWith(seed_));
  Fill();
  const keys::TpOffsetKey key = *keys::ParseTpOffset(Some('t').first);
  Gap gap;
  gap.from = key.offset;
  gap.to = key.offset + 1;
  Expect("lies in a gap", [&](StoreBatch* batch) { batch->PutGap(key.tp, gap); });
}

TEST_F(VerifyTest, AMappingUnderAnothersHashIsFound) {
  SCOPED_TRACE(RepeatWith(seed_));
  Fill();
  Expect("under the hash of another one", [&](StoreBatch* batch) {
    batch->PutMapping(HashBytes("another"), filler_->mapping().canonical());
  });
}

TEST_F(VerifyTest, AFlippedByteInAFileOfTheStoreIsFoundOrHarmless) {
  SCOPED_TRACE(RepeatWith(seed_));
  Fill();
  ASSERT_TRUE(filler_->store().FlushMemtables().ok());
  filler_->Close();
  const std::string good = dir_.File("store");
  ASSERT_TRUE(VerifyDataDir(good, {})->ok());
  size_t found = 0;
  for (int i = 0; i < 25; ++i) {
    const std::string bad = dir_.File("copy" + std::to_string(i));
    std::filesystem::copy(good, bad);
    std::vector<std::filesystem::path> files;
    for (const auto& entry : std::filesystem::directory_iterator(bad)) {
      if (entry.path().extension() == ".sst") files.push_back(entry.path());
    }
    ASSERT_FALSE(files.empty());
    const auto& file = files[random_.Uniform(files.size())];
    const uint64_t at = random_.Uniform(std::filesystem::file_size(file));
    std::fstream bytes(file, std::ios::in | std::ios::out | std::ios::binary);
    bytes.seekg(static_cast<std::streamoff>(at));
    const char byte = static_cast<char>(bytes.get() ^ (1 << random_.Uniform(8)));
    bytes.seekp(static_cast<std::streamoff>(at));
    bytes.put(byte);
    bytes.close();
    Result<VerifyReport> report = VerifyDataDir(bad, {});
    ASSERT_TRUE(report.ok()) << report.status().ToString();
    EXPECT_FALSE(report->ok()) << file << " byte " << at;
    found += report->ok() ? 0 : 1;
    std::filesystem::remove_all(bad);
  }
  EXPECT_EQ(found, 25u);
}

TEST_F(VerifyTest, BesideARunningNodeItVerifiesAndSaysSo) {
  SCOPED_TRACE(RepeatWith(seed_));
  Fill();
  Result<VerifyReport> report = VerifyDataDir(dir_.File("store"), {});
  ASSERT_TRUE(report.ok()) << report.status().ToString();
  EXPECT_TRUE(report->ok()) << TextOf(*report);
  ASSERT_EQ(report->notes.size(), 1u);
  EXPECT_NE(report->notes[0].find("running"), std::string::npos);
  EXPECT_EQ(report->messages, filler_->messages().size());
}

TEST_F(VerifyTest, WhereThereIsNoStoreItSaysSo) {
  EXPECT_EQ(VerifyDataDir(dir_.File("nothing"), {}).status().code(), StatusCode::kNotFound);
}

}  // namespace
}  // namespace tapedeck::testing
