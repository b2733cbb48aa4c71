// The store as its callers see it: what is written is read back, in order, from a pinned view.

#include "store/store.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "store_fixture.h"
#include "support/temp_dir.h"

namespace tapedeck::testing {
namespace {

constexpr size_t kBlockBytes = 1000;

std::unique_ptr<Store> MustOpen(StoreOptions options) {
  Result<std::unique_ptr<Store>> store = Store::Open(std::move(options));
  EXPECT_TRUE(store.ok()) << store.status().ToString();
  return store.ok() ? std::move(*store) : nullptr;
}

TEST(Store, WhatWasWrittenIsThereAfterReopening) {
  TempDir dir;
  std::string store_id;
  {
    auto store = MustOpen(SmallStore(dir.path() / "store"));
    store_id = store->meta().store_id;
    EXPECT_EQ(store_id.size(), 16u);
    for (uint64_t commit = 1; commit <= 20; ++commit)
      ASSERT_TRUE(WriteCommit(store.get(), commit, kBlockBytes).ok());
    EXPECT_EQ(ReadPrefix(*store, kBlockBytes).value_or(0), 20u);
    ASSERT_TRUE(store->Close().ok());
  }
  auto store = MustOpen(SmallStore(dir.path() / "store"));
  EXPECT_EQ(ReadPrefix(*store, kBlockBytes).value_or(0), 20u);
  EXPECT_EQ(store->meta().store_id, store_id);
  EXPECT_EQ(store->meta().node_id, "node-1");
  EXPECT_EQ(store->meta().format, 1u);
  EXPECT_EQ(store->wal_damage(), "");
}

TEST(Store, ItsDirectoryIsClosedToOthers) {
  TempDir dir;
  auto store = MustOpen(SmallStore(dir.path() / "a" / "store"));
  struct stat info {};
  ASSERT_EQ(::stat((dir.path() / "a" / "store").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0700u);
}

TEST(Store, SmallStateComesBackAsItWasPut) {
  TempDir dir;
  auto store = MustOpen(SmallStore(dir.path() / "store"));
  TableRegistry tables;
  std::vector<Column> columns = {{"depth", ColumnType::kInteger}, {"venue", ColumnType::kText}};
  TableId book = tables.Declare("book", columns).value();
  TapeId tape{.cluster = "c1", .topic = std::string("t\0\x01", 3), .lineage = 2, .partition = 7};
  Gap gap{.from = 5, .to = 9, .reason = GapReason::kElsewhere, .detail = "node-2"};
  Gap later{.from = 50, .to = 51, .reason = GapReason::kSkipped, .detail = ""};
  keys::DayKey day{.table = book, .day = Day(-3), .generation = 1};
  DayEntry entry{.phase = DayPhase::kClosing,
                 .rows = 4,
                 .digest = {1, 2},
                 .vector = {{TpId{1}, 0, 9}},
                 .manifest = "m"};
  Hash128 mapping{7, 8};

  StoreBatch batch;
  batch.PutTable(*tables.Find(book));
  batch.PutTape(TpId{3}, tape);
  batch.PutCheckpoint(TpId{3}, CheckpointOf(TpId{3}, 4));
  batch.PutGap(TpId{3}, gap);
  batch.PutGap(TpId{3}, later);
  batch.PutGap(TpId{4}, gap);
  batch.PutDay(day, entry);
  batch.PutMapping(mapping, "{\"a\":1}");
  batch.PutCommitNumber(11);
  batch.PutFlushNumber(3, 9);
  batch.PutClusterId("c1");
  ASSERT_TRUE(store->Write(batch).ok());

  auto view = store->View();
  Result<StoreState> state = view->LoadState();
  ASSERT_TRUE(state.ok()) << state.status().ToString();
  EXPECT_EQ(state->commit, 11u);
  EXPECT_EQ(state->flush, 3u);
  EXPECT_EQ(state->flushed_commit, 9u);
  EXPECT_EQ(*state->tables.Find("book"), *tables.Find("book"));
  ASSERT_EQ(state->tapes.size(), 1u);
  EXPECT_EQ(state->tapes[0].first, TpId{3});
  EXPECT_EQ(state->tapes[0].second, tape);
  ASSERT_EQ(state->checkpoints.size(), 1u);
  EXPECT_EQ(state->checkpoints[0].second, CheckpointOf(TpId{3}, 4));
  ASSERT_EQ(state->days.size(), 1u);
  EXPECT_EQ(state->days[0].first, day);
  EXPECT_EQ(state->days[0].second, entry);
  EXPECT_EQ(view->Gaps(TpId{3}).value(), (std::vector<Gap>{gap, later}));
  EXPECT_EQ(view->Gaps(TpId{5}).value(), std::vector<Gap>{});
  EXPECT_EQ(view->GetMapping(mapping).value(), "{\"a\":1}");
  EXPECT_EQ(view->GetMapping({7, 9}).status().code(), StatusCode::kNotFound);
  EXPECT_EQ(view->GetCheckpoint(TpId{9}).status().code(), StatusCode::kNotFound);
  EXPECT_EQ(store->meta().cluster_id, "c1");
}

TEST(Store, AnotherClusterIsRefusedAndNothingOfItsBatchIsThere) {
  TempDir dir;
  auto store = MustOpen(SmallStore(dir.path()));
  StoreBatch first;
  first.PutClusterId("c1");
  ASSERT_TRUE(store->Write(first).ok());
  StoreBatch second;
  second.PutClusterId("c2");
  second.PutCommitNumber(5);
  EXPECT_EQ(store->Write(second).code(), StatusCode::kFailedPrecondition);
  EXPECT_EQ(store->View()->LoadState()->commit, 0u);
  EXPECT_EQ(store->meta().cluster_id, "c1");
}

TEST(Store, AViewDoesNotSeeLaterWritesNorCompactions) {
  TempDir dir;
  auto store = MustOpen(SmallStore(dir.path()));
  for (uint64_t commit = 1; commit <= 5; ++commit)
    ASSERT_TRUE(WriteCommit(store.get(), commit, kBlockBytes).ok());
  auto view = store->View();
  auto cursor = view->Scan("t", "u", ScanKind::kLong);
  cursor->SeekToFirst();
  for (uint64_t commit = 6; commit <= 200; ++commit) {
    StoreBatch batch;
    FillBatch(&batch, commit, kBlockBytes);
    if (commit == 100) {
      for (TpId tp : kTapes) batch.DeleteTapeBlock(tp, BaseOf(3));
    }
    ASSERT_TRUE(store->Write(batch).ok());
    if (commit % 50 == 0) {
      ASSERT_TRUE(store->FlushMemtables().ok());
      ASSERT_TRUE(store->CompactAll().ok());
    }
  }
  int blocks = 0;
  for (; cursor->Valid(); cursor->Next()) ++blocks;
  EXPECT_TRUE(cursor->status().ok());
  EXPECT_EQ(blocks, 10);
  EXPECT_EQ(ReadPrefix(*view, kBlockBytes).value_or(0), 5u);
}

TEST(Store, CursorsStayInTheirBoundsInBothDirections) {
  TempDir dir;
  auto store = MustOpen(SmallStore(dir.path()));
  for (uint64_t commit = 1; commit <= 9; ++commit)
    ASSERT_TRUE(WriteCommit(store.get(), commit, kBlockBytes).ok());
  ASSERT_TRUE(store->FlushMemtables().ok());
  for (uint64_t commit = 10; commit <= 12; ++commit)
    ASSERT_TRUE(WriteCommit(store.get(), commit, kBlockBytes).ok());
  auto view = store->View();
  for (ScanKind kind : {ScanKind::kPoint, ScanKind::kLong}) {
    // Blocks of commits 3..10 of tape 1.
    auto cursor = view->Scan(keys::TapeBlock(TpId{1}, 20), keys::TapeBlock(TpId{1}, 100), kind);
    std::vector<int64_t> forward, backward;
    for (cursor->SeekToFirst(); cursor->Valid(); cursor->Next())
      forward.push_back(keys::ParseTpOffset(cursor->key())->offset);
    for (cursor->SeekToLast(); cursor->Valid(); cursor->Prev())
      backward.push_back(keys::ParseTpOffset(cursor->key())->offset);
    EXPECT_EQ(forward, (std::vector<int64_t>{20, 30, 40, 50, 60, 70, 80, 90}));
    EXPECT_EQ(backward, (std::vector<int64_t>{90, 80, 70, 60, 50, 40, 30, 20}));
    cursor->Seek(keys::TapeBlock(TpId{1}, 0));
    ASSERT_TRUE(cursor->Valid());
    EXPECT_EQ(keys::ParseTpOffset(cursor->key())->offset, 20);
    cursor->Seek(keys::TapeBlock(TpId{1}, 45));
    EXPECT_EQ(keys::ParseTpOffset(cursor->key())->offset, 50);
    cursor->SeekForPrev(keys::TapeBlock(TpId{1}, 45));
    EXPECT_EQ(keys::ParseTpOffset(cursor->key())->offset, 40);
    cursor->SeekForPrev(keys::TapeBlock(TpId{2}, 45));
    EXPECT_EQ(keys::ParseTpOffset(cursor->key())->offset, 90);
    cursor->Seek(keys::TapeBlock(TpId{2}, 0));
    EXPECT_FALSE(cursor->Valid());
    EXPECT_TRUE(cursor->status().ok());
    cursor->SeekForPrev(keys::TapeBlock(TpId{1}, 10));
    EXPECT_FALSE(cursor->Valid());
    cursor->Next();  // harmless where there is nothing
    cursor->Prev();
  }
  auto nothing = view->Scan("t", "t", ScanKind::kPoint);
  nothing->SeekToFirst();
  EXPECT_FALSE(nothing->Valid());
  EXPECT_TRUE(nothing->status().ok());
}

TEST(Store, AnySymbolAndAnyTimeComesBackInOrder) {
  TempDir dir;
  auto store = MustOpen(SmallStore(dir.path()));
  const std::vector<std::string> symbols = {"",
                                            std::string("\0", 1),
                                            std::string("\0\0", 2),
                                            std::string("\0\x01", 2),
                                            "\x01",
                                            "A",
                                            std::string("A\0B", 3),
                                            "A\x01",
                                            "AB",
                                            "\xff\xff"};
  StoreBatch batch;
  for (size_t i = symbols.size(); i-- > 0;) {
    for (int32_t day : {1, -1, 0, -100000}) {
      for (int64_t ts : {int64_t{5}, int64_t{-5}, INT64_MIN}) {
        batch.PutSeriesBlock({.table = TableId{2},
                              .day = Day(day),
                              .symbol = symbols[i],
                              .first_ts = Timestamp(ts),
                              .flush = 1},
                             "b");
      }
    }
    batch.PutCatalog(TableId{2}, symbols[i], {Timestamp(-5), Timestamp(5), 2});
  }
  ASSERT_TRUE(store->Write(batch).ok());
  auto view = store->View();
  std::vector<std::string> catalog;
  auto cursor = view->Scan("y", "z", ScanKind::kPoint);
  for (cursor->SeekToFirst(); cursor->Valid(); cursor->Next())
    catalog.push_back(keys::ParseCatalog(cursor->key())->symbol);
  EXPECT_EQ(catalog, symbols);
  std::vector<keys::SeriesKey> seen;
  cursor = view->Scan("s", "t", ScanKind::kLong);
  for (cursor->SeekToFirst(); cursor->Valid(); cursor->Next())
    seen.push_back(*keys::ParseSeries(cursor->key()));
  ASSERT_EQ(seen.size(), symbols.size() * 12);
  for (size_t i = 1; i < seen.size(); ++i) {
    EXPECT_LT(std::tie(seen[i - 1].day, seen[i - 1].symbol, seen[i - 1].first_ts),
              std::tie(seen[i].day, seen[i].symbol, seen[i].first_ts));
  }
  // One symbol that begins as another does is not in its range.
  const std::string prefix = keys::SeriesPrefix(TableId{2}, Day(0), 0, "A");
  cursor = view->Scan(prefix, keys::After(prefix), ScanKind::kPoint);
  int of_a = 0;
  for (cursor->SeekToFirst(); cursor->Valid(); cursor->Next()) ++of_a;
  EXPECT_EQ(of_a, 3);
}

TEST(Store, SizesAreToldByKind) {
  TempDir dir;
  auto store = MustOpen(SmallStore(dir.path()));
  for (uint64_t commit = 1; commit <= 50; ++commit)
    ASSERT_TRUE(WriteCommit(store.get(), commit, 10'000).ok());
  ASSERT_TRUE(store->CompactAll().ok());
  uint64_t tape = 0, series = 1;
  for (const auto& [kind, bytes] : store->SizeByKind()) {
    if (kind == "tape") tape = bytes;
    if (kind == "series") series = bytes;
  }
  EXPECT_GT(tape, 900'000u);
  EXPECT_LT(tape, 1'200'000u);
  EXPECT_EQ(series, 0u);
  Result<DiskUse> disk = store->Disk();
  ASSERT_TRUE(disk.ok());
  EXPECT_GT(disk->total_bytes, disk->free_bytes);
  EXPECT_TRUE(store->VerifyFiles().ok());
}

TEST(Store, NothingIsMadeWhereItWasNotAskedFor) {
  TempDir dir;
  StoreOptions options = SmallStore(dir.path() / "none");
  options.create = false;
  EXPECT_EQ(Store::Open(options).status().code(), StatusCode::kNotFound);
  options.mode = StoreMode::kSecondary;
  options.create = true;
  EXPECT_EQ(Store::Open(options).status().code(), StatusCode::kNotFound);
  EXPECT_FALSE(std::filesystem::exists(dir.path() / "none"));
  StoreOptions nameless = SmallStore(dir.path() / "new");
  nameless.node_id = "";
  EXPECT_EQ(Store::Open(nameless).status().code(), StatusCode::kInvalidArgument);
}

TEST(StoreSecondary, SeesWhatIsOnlyInTheWritersLogAndMemtable) {
  TempDir dir;
  auto writer = MustOpen(SmallStore(dir.path()));
  for (uint64_t commit = 1; commit <= 3; ++commit)
    ASSERT_TRUE(WriteCommit(writer.get(), commit, kBlockBytes).ok());
  StoreOptions beside = SmallStore(dir.path());
  beside.mode = StoreMode::kSecondary;
  beside.node_id = "";
  auto reader = MustOpen(beside);
  EXPECT_EQ(ReadPrefix(*reader, kBlockBytes).value_or(0), 3u);
  EXPECT_EQ(reader->meta().node_id, "node-1");
  for (uint64_t commit = 4; commit <= 6; ++commit)
    ASSERT_TRUE(WriteCommit(writer.get(), commit, kBlockBytes).ok());
  ASSERT_TRUE(writer->FlushMemtables().ok());
  for (uint64_t commit = 7; commit <= 8; ++commit)
    ASSERT_TRUE(WriteCommit(writer.get(), commit, kBlockBytes).ok());
  EXPECT_EQ(ReadPrefix(*reader, kBlockBytes).value_or(0), 3u);
  auto before = reader->View();
  ASSERT_TRUE(reader->CatchUp().ok());
  EXPECT_EQ(ReadPrefix(*reader, kBlockBytes).value_or(0), 8u);
  EXPECT_EQ(ReadPrefix(*before, kBlockBytes).value_or(0), 3u);
  StoreBatch batch;
  batch.PutCommitNumber(9);
  EXPECT_EQ(reader->Write(batch).code(), StatusCode::kFailedPrecondition);
  EXPECT_EQ(reader->TryResume().code(), StatusCode::kFailedPrecondition);
}

TEST(StoreSecondary, FilesThatTheWriterCompactsAwayAreNoTroubleForVerification) {
  TempDir dir;
  auto writer = MustOpen(SmallStore(dir.path()));
  for (uint64_t commit = 1; commit <= 20; ++commit) {
    ASSERT_TRUE(WriteCommit(writer.get(), commit, kBlockBytes).ok());
    if (commit % 5 == 0) {
      ASSERT_TRUE(writer->FlushMemtables().ok());
    }
  }
  StoreOptions beside = SmallStore(dir.path());
  beside.mode = StoreMode::kSecondary;
  auto reader = MustOpen(beside);
  ASSERT_TRUE(writer->CompactAll().ok());
  Status verified = reader->VerifyFiles();
  EXPECT_TRUE(verified.ok()) << verified.ToString();
  EXPECT_EQ(ReadPrefix(*reader, kBlockBytes).value_or(0), 20u);
  ASSERT_TRUE(reader->CatchUp().ok());
  verified = reader->VerifyFiles();
  EXPECT_TRUE(verified.ok()) << verified.ToString();
}

TEST(StoreSecondary, ReadsAStoreWhoseWriterIsGone) {
  TempDir dir;
  {
    auto writer = MustOpen(SmallStore(dir.path()));
    for (uint64_t commit = 1; commit <= 3; ++commit)
      ASSERT_TRUE(WriteCommit(writer.get(), commit, kBlockBytes).ok());
  }
  StoreOptions beside = SmallStore(dir.path());
  beside.mode = StoreMode::kSecondary;
  auto reader = MustOpen(beside);
  EXPECT_EQ(ReadPrefix(*reader, kBlockBytes).value_or(0), 3u);
  EXPECT_TRUE(reader->VerifyFiles().ok());
}

}  // namespace
}  // namespace tapedeck::testing
