#include "replay/replay_rig.h"

#include <algorithm>
#include <stdexcept>
#include <utility>

#include "base/clock.h"
#include "model/keys.h"
#include "replay/job_json.h"

namespace tapedeck::testing {

using namespace std::chrono_literals;

void ReplayRig::Fill(size_t messages) {
  filler_ = std::make_unique<StoreFiller>(dir_);
  const int64_t begin_ms = SystemClock().Now().ns() / 1'000'000 - 3'600'000;
  TpId tapes[2] = {filler_->AddTape({"recorded-cluster", "ticks", 0, 0}),
                   filler_->AddTape({"recorded-cluster", "ticks", 0, 1}, 500)};
  for (size_t i = 0; i < messages; ++i) {
    for (size_t p = 0; p < 2; ++p) {
      FillMessage m;
      m.timestamp_ms = begin_ms + static_cast<int64_t>(i);
      m.value = R"([{"k":"q","s":")" + std::string(i % 3 == 0 ? "BTC" : "ETH") + R"(","t":)" +
                std::to_string(begin_ms * 1'000'000 + static_cast<int64_t>(i)) + R"(,"b":")" +
                std::to_string(i) + R"(.50"}])";
      if (i % 5 == 0) m.key = "key" + std::to_string(i % 7);
      if (i % 11 == 0) m.value.reset();
      if (i % 13 == 0) m.value = "";
      if (i % 4 == 0) m.headers.emplace_back("h", std::nullopt);
      if (i % 4 == 1) m.headers.emplace_back("h", std::string("\0\xff", 2));
      if (i % 100 == 50) m.skip = 2;
      filler_->Append(tapes[p], m);
    }
    if (i % 500 == 499) filler_->Commit();
  }
  filler_->Commit();
}

void ReplayRig::Start(ReplayOptions options) {
  options.node_id = "node-1";
  options.group = "tapedeck";
  if (options.targets.empty()) {
    options.targets["lab"] = {.bootstrap_servers = bootstrap_servers_,
                              .properties = {},
                              .topics = {".*-replay.*", "looped"}};
  }
  if (filler_ != nullptr) filler_->Close();
  auto store = Store::Open({.dir = dir_});
  ASSERT_TRUE(store.ok()) << store.status().ToString();
  store_ = std::move(store).value();
  stop_.store(false);
  held_.store(false);
  queue_ = std::make_unique<StoreQueue>();
  writer_ = std::thread([this] {
    while (!stop_.load()) {
      if (queue_->waiting() && !held_.load()) {
        const Status served = queue_->Serve(store_.get());
        EXPECT_TRUE(served.ok()) << served.ToString();
      }
      SystemClock().SleepFor(2ms);
    }
  });
  auto runner = ReplayRunner::Make(
      options, {.clock = &SystemClock(),
                .queue = queue_.get(),
                .open_point = [this] { return ReadPoint::Take(open_rows_, &directory_, *store_); },
                .on_sent = on_sent});
  ASSERT_TRUE(runner.ok()) << runner.status().ToString();
  runner_ = std::move(runner).value();
  const Status started = runner_->Start(*store_->View());
  ASSERT_TRUE(started.ok()) << started.ToString();
}

Status ReplayRig::PutJob(const ReplayJob& job) {
  return queue_->Write([&](StoreBatch* batch) {
    batch->PutJob(job.id, EncodeJob(job));
    return Status::Ok();
  });
}

int64_t ReplayRig::Drop(TpId tp, int64_t to) {
  Gap gap;
  const Status written = queue_->Write([&](StoreBatch* batch) -> Status {
    const std::unique_ptr<StoreView> view = store_->View();
    TD_ASSIGN_OR_RETURN(const Checkpoint checkpoint, view->GetCheckpoint(tp));
    gap = {.from = checkpoint.start, .to = checkpoint.start, .reason = GapReason::kRetain};
    auto index =
        view->Scan(keys::TapeIndex(tp, INT64_MIN), keys::TapeIndex(tp, to), ScanKind::kPoint);
    for (index->SeekToFirst(); index->Valid(); index->Next()) {
      TD_ASSIGN_OR_RETURN(const TapeIndexEntry block, DecodeTapeIndex(index->value()));
      if (block.last_offset >= to) break;
      if (gap.to == gap.from) gap.kafka_before_ms = block.kafka_min_ms;
      gap.kafka_before_ms = std::min(gap.kafka_before_ms, block.kafka_min_ms);
      gap.kafka_after_ms = std::max(gap.kafka_after_ms, block.kafka_max_ms);
      gap.to = block.last_offset + 1;
      batch->DeleteTapeBlock(tp, block.first_offset);
    }
    batch->PutGap(tp, gap);
    return Status::Ok();
  });
  EXPECT_TRUE(written.ok()) << written.ToString();
  EXPECT_GT(gap.to, gap.from);
  return gap.to;
}

void ReplayRig::Stop() {
  runner_ = nullptr;
  stop_.store(true);
  if (writer_.joinable()) writer_.join();
  store_ = nullptr;
}

nlohmann::json ReplayRig::Request(const std::string& topic) {
  return {{"source", {{"topics", {"ticks"}}}}, {"target", {{"name", "lab"}, {"topic", topic}}}};
}

std::string ReplayRig::Create(const nlohmann::json& request, const std::string& key) {
  const MonotonicTime deadline = SystemClock().Monotonic() + 60s;
  for (;; SystemClock().SleepFor(100ms)) {
    auto view = runner_->Create(request.dump(), key);
    if (view.ok()) return view->job.id;
    // A broker that has just started does not answer everything; else only this test ends.
    if (view.status().code() != StatusCode::kUnavailable || SystemClock().Monotonic() > deadline) {
      throw std::runtime_error("no job was made: " + view.status().ToString());
    }
  }
}

Status ReplayRig::Refused(const nlohmann::json& request) {
  return runner_->Create(request.dump(), "").status();
}

Status ReplayRig::Patch(const std::string& id, const nlohmann::json& patch) {
  return runner_->Patch(id, patch.dump(), "").status();
}

bool ReplayRig::WaitFor(const std::string& id, ReplayState state, int seconds) {
  const MonotonicTime deadline = SystemClock().Monotonic() + std::chrono::seconds(seconds);
  for (;; SystemClock().SleepFor(10ms)) {
    const ReplayView view = View(id);
    if (view.job.state == state) return true;
    if (view.job.ended() || SystemClock().Monotonic() > deadline) {
      ADD_FAILURE() << ReplayViewJson(view);
      return false;
    }
  }
}

bool ReplayRig::WaitSent(const std::string& id, uint64_t messages, int seconds) {
  const MonotonicTime deadline = SystemClock().Monotonic() + std::chrono::seconds(seconds);
  for (;; SystemClock().SleepFor(5ms)) {
    const ReplayView view = View(id);
    if (view.job.note.next_seq > messages) return true;
    if (view.job.ended() || SystemClock().Monotonic() > deadline) {
      ADD_FAILURE() << ReplayViewJson(view);
      return false;
    }
  }
}

uint64_t ReplayRig::WaitSettled(const std::string& id, int seconds) {
  const MonotonicTime deadline = SystemClock().Monotonic() + std::chrono::seconds(seconds);
  uint64_t sent = View(id).job.note.next_seq - 1;
  for (int same = 0; same < 30; ++same) {
    SystemClock().SleepFor(100ms);
    const uint64_t now = View(id).job.note.next_seq - 1;
    if (now != std::exchange(sent, now)) same = 0;
    if (SystemClock().Monotonic() > deadline) {
      ADD_FAILURE() << "it goes on: " << ReplayViewJson(View(id));
      break;
    }
  }
  return sent;
}

}  // namespace tapedeck::testing
