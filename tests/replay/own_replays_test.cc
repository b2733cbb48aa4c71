// Which messages a node believes to be its own replays' (G12): only where all of it fits.

#include "replay/own_replays.h"

#include <gtest/gtest.h>

#include "replay/job_json.h"
#include "support/temp_dir.h"

namespace tapedeck::testing {
namespace {

class OwnReplaysTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto store = Store::Open({.dir = dir_.File("s"), .node_id = "node-1", .ballast_bytes = 0});
    ASSERT_TRUE(store.ok()) << store.status().ToString();
    store_ = std::move(store).value();
    job_.id = MakeJobId(Timestamp(1), 2, 3);
    job_.spec.target = {.name = "lab", .topic = "{topic}-replay"};
    job_.target_cluster = "c";
    job_.selection.ranges = {{{"c", "ticks", 0, 1}, 100, 200}};
    Put(job_);
  }
  void Put(const ReplayJob& job) {
    StoreBatch batch;
    batch.PutJob(job.id, EncodeJob(job));
    ASSERT_TRUE(store_->Write(batch).ok());
    own_ = std::make_unique<OwnReplays>([this] { return std::shared_ptr(store_->View()); },
                                        "tapedeck", "node-1");
  }
  bool Sent(const std::string& name, const std::string& origin,
            const TopicPartition& tp = {"ticks-replay", 1}, const std::string& cluster = "c",
            const std::string& seq = "7") {
    const std::vector<HeaderView> headers = {{"own", "x"},
                                             {"tapedeck-replay", name},
                                             {"tapedeck-seq", seq},
                                             {"tapedeck-origin", origin},
                                             {"tapedeck-ts", "5"}};
    return own_->Sent(cluster, tp, {.headers = headers});
  }
  std::string Name() const { return "tapedeck/node-1/" + job_.id; }

  TempDir dir_;
  std::unique_ptr<Store> store_;
  ReplayJob job_;
  std::unique_ptr<OwnReplays> own_;
};

TEST_F(OwnReplaysTest, OursIsWhatThisJobWouldSendThere) {
  EXPECT_TRUE(Sent(Name(), "ticks/1/0/100"));
  EXPECT_TRUE(Sent(Name(), "ticks/1/0/199"));
  EXPECT_TRUE(Sent(Name(), "ticks/1/0/150/3"));  // a record of it
}

TEST_F(OwnReplaysTest, AnythingThatDoesNotFitIsSomebodyElses) {
  EXPECT_FALSE(Sent("tapedeck/node-2/" + job_.id, "ticks/1/0/100"));
  EXPECT_FALSE(Sent("other/node-1/" + job_.id, "ticks/1/0/100"));
  EXPECT_FALSE(Sent("tapedeck/node-1/" + MakeJobId(Timestamp(1), 2, 4), "ticks/1/0/100"));
  EXPECT_FALSE(Sent("tapedeck/node-1/", "ticks/1/0/100"));
  EXPECT_FALSE(Sent(Name(), "ticks/1/0/200")) << "not selected";
  EXPECT_FALSE(Sent(Name(), "ticks/1/0/99"));
  EXPECT_FALSE(Sent(Name(), "ticks/0/0/100"));
  EXPECT_FALSE(Sent(Name(), "ticks/1/1/100"));
  EXPECT_FALSE(Sent(Name(), "quotes/1/0/100"));
  EXPECT_FALSE(Sent(Name(), "ticks/1/0/100", {"ticks-replay", 0}));
  EXPECT_FALSE(Sent(Name(), "ticks/1/0/100", {"ticks", 1}));
  EXPECT_FALSE(Sent(Name(), "ticks/1/0/100", {"ticks-replay", 1}, "another"));
  EXPECT_FALSE(Sent(Name(), "ticks/1/0/100", {"ticks-replay", 1}, "c", "0"));
  EXPECT_FALSE(Sent(Name(), "ticks/1/0/100", {"ticks-replay", 1}, "c", "x"));
  for (const char* odd : {"", "/", "ticks", "ticks/1", "ticks/1/0", "ticks/1/0/", "ticks/1/0/100/",
                          "ticks/1/0/100/1/2", "ticks/1/0/99999999999999999999"}) {
    EXPECT_FALSE(Sent(Name(), odd)) << odd;
  }
  EXPECT_FALSE(own_->Sent("c", {"ticks-replay", 1}, {}));
}

TEST_F(OwnReplaysTest, ARestoreIsRecordedLikeAnyOther) {
  job_.spec.restore = true;
  Put(job_);
  EXPECT_FALSE(Sent(Name(), "ticks/1/0/100"));
}

}  // namespace
}  // namespace tapedeck::testing
