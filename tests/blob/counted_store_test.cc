// What /metrics tells of an archive: calls, outcomes, bytes.

#include "blob/counted_store.h"

#include <gtest/gtest.h>

#include "support/fake_blob_store.h"

namespace tapedeck::testing {
namespace {

bool HasLine(const Metrics& metrics, const std::string& line) {
  return ("\n" + metrics.Expose()).find("\n" + line + "\n") != std::string::npos;
}

TEST(CountedStore, CallsAreCountedByWhatCameOfThem) {
  ManualClock clock{Timestamp(0)};
  Metrics metrics;
  auto owned = std::make_unique<FakeBlobStore>(&clock);
  FakeBlobStore* fake = owned.get();
  const auto store = CountBlobStore(std::move(owned), "s3", &metrics, &clock);
  const std::string content(1'000, 'x');
  ASSERT_TRUE(store->Put("a/b", BlobContent::Bytes(content), PutMode::kCreate).ok());
  fake->Inject({.op = BlobOp::kPut, .kind = BlobFault::kFailBefore});
  EXPECT_FALSE(store->Put("a/c", BlobContent::Bytes(content), PutMode::kCreate).ok());
  EXPECT_EQ(store->Open("a/none").status().code(), StatusCode::kNotFound);
  auto blob = store->Open("a/b");
  ASSERT_TRUE(blob.ok());
  EXPECT_EQ((*blob)->stat().bytes, 1'000u);
  EXPECT_EQ((*blob)->Read(10, 100).value(), std::string(100, 'x'));
  EXPECT_TRUE((*blob)->StreamAll([](std::string_view) { return Status::Ok(); }).ok());
  EXPECT_EQ(store->ListAll("a/")->size(), 1u);
  EXPECT_TRUE(store->Delete("a/b").ok());
  EXPECT_EQ(store->Stat("a/b").status().code(), StatusCode::kNotFound);
  for (const char* line :
       {R"(tapedeck_blob_requests_total{backend="s3",op="put",result="ok"} 1)",
        R"(tapedeck_blob_requests_total{backend="s3",op="put",result="unavailable"} 1)",
        R"(tapedeck_blob_requests_total{backend="s3",op="open",result="ok"} 1)",
        R"(tapedeck_blob_requests_total{backend="s3",op="open",result="not-found"} 1)",
        R"(tapedeck_blob_requests_total{backend="s3",op="read",result="ok"} 2)",
        R"(tapedeck_blob_requests_total{backend="s3",op="list",result="ok"} 1)",
        R"(tapedeck_blob_requests_total{backend="s3",op="delete",result="ok"} 1)",
        R"(tapedeck_blob_requests_total{backend="s3",op="stat",result="not-found"} 1)",
        R"(tapedeck_blob_bytes_total{backend="s3",direction="up"} 1000)",
        R"(tapedeck_blob_bytes_total{backend="s3",direction="down"} 1100)",
        R"(tapedeck_blob_seconds_count{backend="s3",op="put"} 2)"}) {
    EXPECT_TRUE(HasLine(metrics, line)) << line << "\n" << metrics.Expose();
  }
}

TEST(CountedStore, TimeIsThatOfTheStore) {
  ManualClock clock{Timestamp(0)};
  Metrics metrics;
  auto owned = std::make_unique<FakeBlobStore>(&clock);
  owned->Inject({.op = BlobOp::kList, .kind = BlobFault::kSlow, .delay = std::chrono::seconds(7)});
  const auto store = CountBlobStore(std::move(owned), "az", &metrics, &clock);
  EXPECT_TRUE(store->List("", "").ok());
  EXPECT_TRUE(HasLine(metrics, R"(tapedeck_blob_seconds_sum{backend="az",op="list"} 7)"))
      << metrics.Expose();
}

}  // namespace
}  // namespace tapedeck::testing
