// What a cold read of a large object costs on a real object store: requests and bytes.

#include "archive/object_cache.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <map>

#include "base/clock.h"
#include "blob/s3_store.h"
#include "support/kafka_service.h"
#include "support/object_service.h"
#include "support/seed.h"
#include "support/temp_dir.h"
#include "tests/archive/record_rows.h"

namespace tapedeck::testing {
namespace {

constexpr size_t kSymbols = 60;
constexpr size_t kRowsOfSymbol = 40'000;
constexpr int64_t kMinute = 60'000'000'000;

std::unique_ptr<BlobStore> OpenBucket(const ObjectService& service, const std::string& prefix) {
  S3Options options;
  options.bucket = service.Field("bucket");
  options.endpoint = service.Field("endpoint");
  options.region = service.Field("region");
  options.is_plain_http_allowed = true;
  options.prefix = prefix;
  options.environment = [key = service.Field("access_key"), secret = service.Field("secret_key")](
                            const char* name) -> std::optional<std::string> {
    const std::map<std::string_view, std::string> known = {{"AWS_ACCESS_KEY_ID", key},
                                                           {"AWS_SECRET_ACCESS_KEY", secret}};
    const auto found = known.find(name);
    return found == known.end() ? std::nullopt : std::optional(found->second);
  };
  auto opened = OpenS3Store(options);
  EXPECT_TRUE(opened.ok()) << opened.status().ToString();
  return opened.ok() ? std::move(opened).value() : nullptr;
}

class ColdObject : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string why;
    service_ = ObjectService::Start("s3", {"--shared"}, &why);
    if (service_ == nullptr && KafkaService::IsRequired())
      FAIL() << "services are required here: " << why;
    if (service_ == nullptr) GTEST_SKIP() << why;
    blobs_ = OpenBucket(*service_, "cold-" + std::to_string(::getpid()) + "-" +
                                       std::to_string(SystemClock().Now().ns()));
    rows_ = QuoteRows(&random_, kSymbols, kRowsOfSymbol);
    const auto written = WriteRows({.table = table_,
                                    .day = Day(19'906),
                                    .generation = 0,
                                    .tapes = SomeTapes(),
                                    .folder = dir_.path().string(),
                                    .writer = "tapedeck test"},
                                   rows_);
    ASSERT_EQ(written.size(), 1u);
    object_ = written[0].object;
    object_.name = "quotes.parquet";
    const auto put =
        blobs_->Put(object_.name, BlobContent::File(written[0].path), PutMode::kReplace);
    ASSERT_TRUE(put.ok()) << put.status().ToString();
  }

  /// Rows of a symbol from the one at `from` on, for a minute.
  void ReadMinute(ObjectCache* cache, size_t symbol, size_t from) {
    auto opened = cache->OpenRecords(object_, nullptr);
    ASSERT_TRUE(opened.ok()) << opened.status().ToString();
    RecordObjectReader reader(opened->source.get(), opened->footer, table_.columns, ResolveTape);
    const std::string wanted[] = {rows_[symbol].symbol};
    const auto series = reader.FindSeries(wanted);
    ASSERT_TRUE(series.ok()) << series.status().ToString();
    ASSERT_EQ(series->size(), 1u);
    const int64_t start = rows_[symbol].rows.ts[from];
    const auto range = reader.FindTimes((*series)[0].rows, start, start + kMinute);
    ASSERT_TRUE(range.ok()) << range.status().ToString();
    Rows got;
    const Status read = reader.Read(*range, &got);
    ASSERT_TRUE(read.ok()) << read.ToString();
    const std::vector<int64_t>& all = rows_[symbol].rows.ts;
    const auto first = std::lower_bound(all.begin(), all.end(), start) - all.begin();
    const auto end = std::lower_bound(all.begin(), all.end(), start + kMinute) - all.begin();
    ASSERT_EQ(got.size(), static_cast<size_t>(end - first));
    for (size_t i = 0; i < got.size(); ++i) {
      ASSERT_EQ(RowText(wanted[0], got, i),
                RowText(wanted[0], rows_[symbol].rows, static_cast<size_t>(first) + i));
    }
  }

  const uint64_t seed_ = TestSeed();
  Random random_{seed_};
  TempDir dir_;
  const Table table_ = QuoteTable();
  std::unique_ptr<ObjectService> service_;
  std::unique_ptr<BlobStore> blobs_;
  std::vector<SymbolRows> rows_;
  ShippedObject object_;
};

// Each query with nothing kept: one request for the end of the object, and few for the rows.
TEST_F(ColdObject, AMinuteOfOneSymbolTakesFewRequestsAndFewBytes) {
  SCOPED_TRACE(RepeatWith(seed_));
  uint64_t most_reads = 0;
  uint64_t most_bytes = 0;
  for (int i = 0; i < 12; ++i) {
    ObjectCache cache(blobs_.get(), {});
    ReadMinute(&cache, random_.Uniform(kSymbols), random_.Uniform(kRowsOfSymbol));
    if (HasFatalFailure()) return;
    most_reads = std::max(most_reads, cache.counts().reads);
    most_bytes = std::max(most_bytes, cache.counts().bytes_fetched);
  }
  std::printf("object of %llu bytes: at most %llu requests, %llu bytes\n",
              static_cast<unsigned long long>(object_.bytes),
              static_cast<unsigned long long>(most_reads),
              static_cast<unsigned long long>(most_bytes));
  EXPECT_LE(most_reads, 24u);
  // Pages have 20,000 rows, of 2.4 million here: of a day of a gigabyte it is a tenth of this.
  EXPECT_LT(most_bytes * 10, object_.bytes);
}

// Pages of several columns that lie close together are one request.
TEST_F(ColdObject, AScanAsksForPagesThatLieTogetherAtOnce) {
  SCOPED_TRACE(RepeatWith(seed_));
  ObjectCache cache(blobs_.get(), {});
  auto opened = cache.OpenRecords(object_, nullptr);
  ASSERT_TRUE(opened.ok()) << opened.status().ToString();
  RecordObjectReader reader(opened->source.get(), opened->footer, table_.columns, ResolveTape);
  Rows got;
  uint64_t at = 0;
  const uint64_t end = std::min<uint64_t>(opened->footer->rows(), 400'000);
  for (; at < end; at += got.size()) {
    ASSERT_TRUE(reader.Read({at, std::min<uint64_t>(at + 4096, end)}, &got).ok());
    ASSERT_GT(got.size(), 0u);
  }
  EXPECT_EQ(at, end);
  EXPECT_LE(cache.counts().bytes_fetched, object_.bytes + object_.bytes / 8)
      << "nothing is fetched twice";
  std::printf("%llu requests\n", static_cast<unsigned long long>(cache.counts().reads));
  EXPECT_LT(cache.counts().reads, 250u) << "a page and column are one each: about 500";
}

}  // namespace
}  // namespace tapedeck::testing
