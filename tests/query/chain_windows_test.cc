// ChainWindows: how long the windows are that it gathers. Their rows: record_query_test.

#include "query/chain_windows.h"

#include <gtest/gtest.h>

#include "model/keys.h"
#include "query/store_filler.h"
#include "support/temp_dir.h"

namespace tapedeck::testing {
namespace {

constexpr int kSymbols = 40;
constexpr int kDense = 100;  // rows of each symbol, a nanosecond apart
constexpr int kSparse = 400;
constexpr int64_t kApart = 100'000'000'000;

void Fill(StoreFiller* filler) {
  const TpId tp = filler->AddTape({"c1", "ticks", 0, 0});
  for (int i = 0; i < kDense + kSparse; ++i) {
    const int64_t ts = i < kDense ? i : (i - kDense + 1) * kApart;
    std::string units;
    for (int s = 0; s < kSymbols; ++s) {
      units += (s == 0 ? "" : ",") + std::string(R"({"k":"t","s":"S)") + std::to_string(100 + s) +
               R"(","t":)" + std::to_string(ts) + R"(,"p":"1"})";
    }
    filler->Append(tp, {.value = "[" + units + "]", .timestamp_ms = 5});
  }
  filler->Flush();
}

std::vector<Chain> ChainsOf(const Table& table, StoreCursor* scan) {
  std::vector<Chain> chains;
  for (scan->SeekToFirst(); scan->Valid();) {
    Chain chain;
    chain.next = *keys::ParseSeries(scan->key());
    chain.prefix =
        keys::SeriesPrefix(table.id, chain.next.day, chain.next.generation, chain.next.symbol);
    chain.bound = chain.next.first_ts.ns();
    scan->Seek(keys::After(chain.prefix));
    chains.push_back(std::move(chain));
  }
  return chains;
}

TEST(ChainWindowsTest, BehindADenseMomentTheyGrowAgain) {
  TempDir dir;
  StoreFiller filler(dir.File("w"));
  Fill(&filler);
  auto point = filler.Point();
  RowSelection selection;
  selection.table = *point->FindTable("trades");
  const std::string prefix = keys::SeriesPrefix(selection.table->id);
  auto scan = point->view().Scan(prefix, keys::After(prefix), ScanKind::kLong);
  std::vector<Chain> chains = ChainsOf(*selection.table, scan.get());
  ASSERT_EQ(chains.size(), size_t{kSymbols});
  ChainWindows windows(&point->ranks(), &selection, size_t{64} << 10);
  windows.Start(std::move(chains), std::move(scan));
  int rows = 0;
  int64_t last = INT64_MIN;
  for (RowRun run;;) {
    const Status next = windows.Next(&run);
    ASSERT_TRUE(next.ok()) << next.ToString();
    if (run.count == 0) break;
    for (uint32_t n = 0; n < run.count; ++n, ++rows) {
      EXPECT_LE(last, run.rows->ts[run.RowAt(n)]);
      last = run.rows->ts[run.RowAt(n)];
    }
  }
  EXPECT_EQ(rows, kSymbols * (kDense + kSparse));
  // Some for the dense part, some dozens until they are long enough; not one for each time behind.
  EXPECT_LT(windows.windows(), 150u);
}

}  // namespace
}  // namespace tapedeck::testing
