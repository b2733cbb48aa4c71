#include "store/store_queue.h"

#include <gtest/gtest.h>

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "store_fixture.h"
#include "support/temp_dir.h"

namespace tapedeck {
namespace {

// A store and the thread that is its writer.
class Writer {
 public:
  Writer() {
    store_ = *Store::Open(testing::SmallStore(dir_.path() / "store"));
    thread_ = std::thread([this] {
      while (!stop_) {
        if (!queue_.waiting()) {
          std::this_thread::yield();
          continue;
        }
        const Status status = queue_.Serve(store_.get());
        EXPECT_TRUE(status.ok()) << status.ToString();
      }
      queue_.Close("asked to stop");
    });
  }
  ~Writer() { End(); }
  void End() {
    stop_ = true;
    if (thread_.joinable()) thread_.join();
  }
  StoreQueue& queue() { return queue_; }
  Store& store() { return *store_; }

 private:
  testing::TempDir dir_;
  std::unique_ptr<Store> store_;
  StoreQueue queue_;
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

TEST(StoreQueue, BatchesOfManyThreadsAreAllWrittenAndEachCallerSeesItsOwn) {
  Writer writer;
  std::vector<std::thread> callers;
  for (int caller = 0; caller < 8; ++caller) {
    callers.emplace_back([&, caller] {
      for (int n = 0; n < 50; ++n) {
        const TpId tp{static_cast<uint32_t>(caller)};
        const int64_t next = n + 1;
        const Status status = writer.queue().Write([&](StoreBatch* batch) {
          batch->PutCheckpoint(tp, {.next = next});
          return Status::Ok();
        });
        ASSERT_TRUE(status.ok()) << status.ToString();
        ASSERT_EQ(writer.store().View()->GetCheckpoint(tp)->next, next);
      }
    });
  }
  for (std::thread& caller : callers) caller.join();
}

TEST(StoreQueue, APreparationThatFailsWritesNothingAndOthersGoOn) {
  Writer writer;
  const TpId tp{7};
  const Status refused = writer.queue().Write([&](StoreBatch* batch) {
    batch->PutCheckpoint(tp, {.next = 1});
    return Status::FailedPrecondition("somebody was faster");
  });
  EXPECT_EQ(refused.code(), StatusCode::kFailedPrecondition);
  EXPECT_EQ(writer.store().View()->GetCheckpoint(tp).status().code(), StatusCode::kNotFound);
  EXPECT_TRUE(writer.queue().Write([](StoreBatch*) { return Status::Ok(); }).ok());
}

TEST(StoreQueue, WhoWaitsAndWhoComesLaterIsToldThatTheWriterHasEnded) {
  StoreQueue queue;
  std::atomic<int> told{0};
  std::vector<std::thread> callers;
  for (int caller = 0; caller < 4; ++caller) {
    callers.emplace_back([&] {
      const Status status = queue.Write([](StoreBatch*) { return Status::Ok(); });
      EXPECT_EQ(status.code(), StatusCode::kUnavailable);
      EXPECT_NE(status.ToString().find("fenced"), std::string::npos) << status.ToString();
      ++told;
    });
  }
  while (!queue.waiting()) std::this_thread::yield();
  queue.Close("fenced");
  for (std::thread& caller : callers) caller.join();
  EXPECT_EQ(told, 4);
  EXPECT_EQ(queue.Write([](StoreBatch*) { return Status::Ok(); }).code(), StatusCode::kUnavailable);
}

}  // namespace
}  // namespace tapedeck
