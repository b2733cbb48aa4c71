#include "record/series_merge.h"

#include <gtest/gtest.h>

#include <set>
#include <tuple>

#include "base/limits.h"
#include "codec/series_block.h"
#include "model/chunk.h"
#include "support/temp_dir.h"

namespace tapedeck::testing {
namespace {

constexpr TpId kTape{1};
constexpr uint32_t kUnion = 0x8000'0000;  // what a union's block number begins with
const Day kDay = Day::Of(Timestamp(1'719'878'400'000'000'000));

// A store with one series, whose blocks a test lays down as it likes.
class SeriesOnDisk {
 public:
  SeriesOnDisk() {
    StoreOptions options;
    options.dir = dir_.File("s");
    options.node_id = "node-1";
    options.memory_bytes = size_t{8} << 20;
    options.ballast_bytes = 0;
    Result<std::unique_ptr<Store>> opened = Store::Open(std::move(options));
    EXPECT_TRUE(opened.ok()) << opened.status().ToString();
    store = std::move(opened).value();
    StoreBatch batch;
    table_ = *TableRegistry().Find("trades");
    batch.PutTable(table_);
    batch.PutTape(kTape, {"cluster", "trades", 0, 0});
    batch.PutDay({table_.id, kDay, 0}, DayEntry());
    EXPECT_TRUE(store->Write(batch).ok());
  }

  /// A block of `count` rows, a nanosecond apart from `nanos` after midnight on (or all then, where
  /// `step` is 0), with offsets that go on.
  FlushedBlock Put(uint64_t flush, uint32_t block, int64_t nanos, size_t count, int64_t step = 1) {
    Rows rows;
    rows.columns.resize(table_.columns.size());
    for (size_t c = 0; c < rows.columns.size(); ++c) rows.columns[c].type = table_.columns[c].type;
    for (size_t i = 0; i < count; ++i) {
      rows.ts.push_back(kDay.start().ns() + nanos + step * static_cast<int64_t>(i));
      rows.ts_kafka.push_back(rows.ts.back());
      rows.tp.push_back(Raw(kTape));
      rows.offset.push_back(next_offset_++);
      rows.index.push_back(0);
      for (RowsColumn& column : rows.columns) column.Append(Value());
    }
    const keys::SeriesKey key{.table = table_.id,
                              .day = kDay,
                              .symbol = "A",
                              .first_ts = Timestamp(rows.ts.front()),
                              .flush = flush,
                              .block = block};
    std::string bytes;
    EXPECT_TRUE(EncodeSeriesBlock(keys::Series(key), rows, table_.columns, 0, count, Effort::kLive,
                                  &buffers_, &bytes)
                    .ok());
    StoreBatch batch;
    batch.PutSeriesBlock(key, bytes);
    EXPECT_TRUE(store->Write(batch).ok());
    return {key, count};
  }

  /// (ts, offset) of all rows.
  std::multiset<std::pair<int64_t, int64_t>> Stored() {
    std::multiset<std::pair<int64_t, int64_t>> found;
    const auto view = store->View();
    const auto cursor = view->Scan("s", "t", ScanKind::kLong);
    for (cursor->SeekToFirst(); cursor->Valid(); cursor->Next()) {
      Rows rows;
      EXPECT_TRUE(
          DecodeSeriesBlock(cursor->key(), cursor->value(), table_.columns, &buffers_, &rows).ok());
      for (size_t i = 0; i < rows.size(); ++i) found.emplace(rows.ts[i], rows.offset[i]);
      ++blocks;
    }
    return found;
  }

  /// One look, and what it prepares is written. How many blocks it took together.
  uint64_t Merge(SeriesMerge* merge, std::vector<FlushedBlock> flushed = {}) {
    const auto view = store->View();
    const Result<StoreState> state = view->LoadState();
    EXPECT_TRUE(state.ok()) << state.status().ToString();
    EXPECT_TRUE(merge->Learn(*view, *state, std::move(flushed)).ok());
    PreparedMerge prepared;
    EXPECT_TRUE(merge->Prepare(*view, *state, &prepared).ok());
    EXPECT_TRUE(store->Write(prepared.batch).ok());
    return prepared.blocks_before;
  }

  /// Looks until nothing is left to join. How many blocks were taken together.
  uint64_t MergeAll() {
    SeriesMerge merge;
    uint64_t joined = 0;
    for (uint64_t last = 1; last > 0; joined += last) last = Merge(&merge);
    return joined;
  }

  std::unique_ptr<Store> store;
  size_t blocks = 0;  // that Stored() has seen

 private:
  TempDir dir_;
  Table table_;
  CodecBuffers buffers_;
  int64_t next_offset_ = 0;
};

// Eight blocks of a class, the newest of them a union that begins first, and seven of the next
// class: the first eight make a union that has its newest part's place in the key, and fills the
// next class.
TEST(SeriesMerge, AUnionThatFillsTheNextClassIsJoinedWithAllItsRows) {
  SeriesOnDisk disk;
  for (uint64_t i = 0; i < 7; ++i) {
    disk.Put(1 + i, 0, 5'000 + 100 * static_cast<int64_t>(i), 20);   // class 1: 8 to 63 rows
    disk.Put(20 + i, 0, 9'000 + 100 * static_cast<int64_t>(i), 80);  // class 2: 64 to 511
  }
  disk.Put(10, kUnion, 1'000, 20);
  const auto before = disk.Stored();
  EXPECT_EQ(disk.MergeAll(), 16u);
  EXPECT_EQ(disk.Stored(), before);
}

// Where many rows have one time (dates, whole seconds), a block's first time tells nothing apart.
// The rest of a long union is short, and may be the newest part of a union to come.
TEST(SeriesMerge, AUnionWithTheTimeOfAnOlderOneDoesNotTakeItsPlace) {
  SeriesOnDisk disk;
  for (uint64_t i = 0; i < 8; ++i) disk.Put(10 + i, 0, 0, 513, 0);  // class 3: 4,104 rows in all
  for (uint64_t i = 0; i < 7; ++i) disk.Put(1 + i, 0, 0, 9, 0);     // class 1, as the rest will be
  const auto before = disk.Stored();
  EXPECT_EQ(disk.MergeAll(), 16u);
  EXPECT_EQ(disk.Stored(), before);
}

// A flush may end between the moment at which the merger takes what it was told and its first look
// at the store: it finds the block there, and is told of it afterwards.
TEST(SeriesMerge, ABlockThatIsToldTwiceIsJoinedOnce) {
  SeriesOnDisk disk;
  SeriesMerge merge;
  const FlushedBlock twice = disk.Put(1, 0, 0, 3);
  EXPECT_EQ(disk.Merge(&merge), 0u);  // it is known from here on
  std::vector<FlushedBlock> told = {twice};
  for (uint64_t i = 0; i < 6; ++i) told.push_back(disk.Put(2 + i, 0, 100, 3));
  const auto before = disk.Stored();
  disk.Merge(&merge, std::move(told));
  EXPECT_EQ(disk.Stored(), before);
}

// What was joined may never have been stored: the disk was full, or the day was closed meanwhile.
TEST(SeriesMerge, ABlockThatIsNotThereKeepsNoOtherFromBeingJoined) {
  SeriesOnDisk disk;
  std::vector<FlushedBlock> told;
  for (uint64_t i = 0; i < 7; ++i) told.push_back(disk.Put(1 + i, 0, 0, 3));
  told.push_back(told.front());
  told.back().key.flush = 9;
  const auto before = disk.Stored();
  SeriesMerge merge;
  SeriesOnDisk empty;
  EXPECT_EQ(empty.Merge(&merge), 0u);
  disk.Merge(&merge, std::move(told));
  EXPECT_EQ(disk.Stored(), before);
  disk.blocks = 0;
  disk.Stored();
  EXPECT_EQ(disk.blocks, 1u);
}

}  // namespace
}  // namespace tapedeck::testing
