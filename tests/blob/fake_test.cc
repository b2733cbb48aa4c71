#include <gtest/gtest.h>

#include "base/clock.h"
#include "support/fake_blob_store.h"

namespace tapedeck {
namespace {

using testing::BlobFault;
using testing::BlobOp;
using testing::FakeBlobStore;

class FakeStore : public ::testing::Test {
 protected:
  Status Put(const std::string& name, const std::string& bytes) {
    return store_.Put(name, BlobContent::Bytes(bytes), PutMode::kCreate).status();
  }
  ManualClock clock_{Timestamp(1'700'000'000'000'000'000)};
  FakeBlobStore store_{&clock_};
};

TEST_F(FakeStore, EachFaultDoesWhatItIsCalled) {
  store_.Inject({.kind = BlobFault::kFailBefore});
  EXPECT_EQ(Put("a", "1").code(), StatusCode::kUnavailable);
  EXPECT_EQ(store_.Contents().size(), 0u);
  store_.Inject({.kind = BlobFault::kLostAnswer});
  EXPECT_EQ(Put("a", "1234").code(), StatusCode::kUnavailable);
  EXPECT_EQ(store_.Contents().at("a"), "1234");
  EXPECT_TRUE(Put("a", "1234").ok());
  store_.Inject({.kind = BlobFault::kHalf});
  EXPECT_TRUE(Put("b", "1234").ok());
  EXPECT_EQ(store_.Contents().at("b"), "12");
  EXPECT_EQ(Put("b", "1234").code(), StatusCode::kAlreadyExists);
  store_.Inject({.kind = BlobFault::kAltered});
  EXPECT_TRUE(Put("c", "aaaa").ok());
  EXPECT_EQ(store_.Contents().at("c"), "aaAa");
  store_.Inject({.op = BlobOp::kStat, .status = Status::FailedPrecondition("403")});
  EXPECT_EQ(store_.Stat("a").status().code(), StatusCode::kFailedPrecondition);
  store_.Inject({.op = BlobOp::kDelete, .kind = BlobFault::kLostAnswer});
  EXPECT_FALSE(store_.Delete("a").ok());
  EXPECT_EQ(store_.Stat("a").status().code(), StatusCode::kNotFound);
}

TEST_F(FakeStore, ReadsBreakOffAndLie) {
  ASSERT_TRUE(Put("a", "aaaaaaaa").ok());
  auto blob = store_.Open("a");
  store_.Inject({.op = BlobOp::kRead, .kind = BlobFault::kHalf});
  std::string got;
  EXPECT_EQ((*blob)
                ->StreamAll([&](std::string_view piece) {
                  got += piece;
                  return Status::Ok();
                })
                .code(),
            StatusCode::kUnavailable);
  EXPECT_EQ(got, "aaaa");
  store_.Inject({.op = BlobOp::kRead, .kind = BlobFault::kAltered});
  EXPECT_EQ(*(*blob)->Read(0, 8), "aaaaAaaa");
  EXPECT_EQ(*(*blob)->Read(0, 8), "aaaaaaaa");
}

TEST_F(FakeStore, SlowTakesTimeOnTheClockOnly) {
  store_.Inject({.kind = BlobFault::kSlow, .delay = std::chrono::hours(1)});
  const MonotonicTime before = clock_.Monotonic();
  EXPECT_TRUE(Put("a", "1").ok());
  EXPECT_EQ(clock_.Monotonic() - before, std::chrono::hours(1));
}

TEST_F(FakeStore, FaultsComeWhenTheyAreDue) {
  store_.Inject({.kind = BlobFault::kFailBefore, .skip = 1, .times = 2});
  EXPECT_TRUE(Put("a", "1").ok());
  EXPECT_FALSE(Put("b", "1").ok());
  EXPECT_FALSE(Put("b", "1").ok());
  EXPECT_TRUE(Put("b", "1").ok());
  EXPECT_EQ(store_.calls(BlobOp::kPut), 4u);
  store_.Inject({.op = BlobOp::kList, .kind = BlobFault::kStaleList});
  EXPECT_EQ(store_.ListAll("")->size(), 1u);
  EXPECT_EQ(store_.ListAll("")->size(), 2u);
}

TEST_F(FakeStore, ChaosIsTheSameForTheSameSeed) {
  auto run = [&] {
    FakeBlobStore store(&clock_);
    store.SetChaos(42, 3);
    std::string outcome;
    for (int i = 0; i < 60; ++i) {
      outcome += store.Put("o" + std::to_string(i), BlobContent::Bytes("x"), PutMode::kCreate).ok()
                     ? '.'
                     : 'x';
    }
    return outcome + std::to_string(store.Contents().size());
  };
  EXPECT_EQ(run(), run());
  EXPECT_NE(run().find('x'), std::string::npos);
}

}  // namespace
}  // namespace tapedeck
