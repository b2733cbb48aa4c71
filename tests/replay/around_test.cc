// What goes wrong around a job: its source leaves the store (E9), its target is torn (E5) or away,
// requests come at the wrong moment.

#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <map>
#include <set>

#include "replay/replay_rig.h"
#include "replay/trail_thread.h"
#include "support/kafka_service.h"
#include "support/temp_dir.h"

namespace tapedeck::testing {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;

class ReplayAround : public ::testing::Test {
 protected:
  static json Paced(const std::string& topic, int rate) {
    json request = ReplayRig::Request(topic);
    request["pace"] = {{"mode", "rate"}, {"messages_per_second", rate}};
    return request;
  }
  static bool WaitEnded(ReplayRig& rig, const std::string& id) {
    const MonotonicTime deadline = SystemClock().Monotonic() + 60s;
    while (!rig.View(id).job.ended() && SystemClock().Monotonic() < deadline) {
      SystemClock().SleepFor(10ms);
    }
    return rig.View(id).job.ended();
  }
  TempDir dir_;
};

TEST_F(ReplayAround, E9WhatRetainDroppedFailsAJobThatWasPausedWithItsPlace) {
  TD_SHARED_KAFKA(kafka);
  kafka->admin().CreateTopic("dropped-replay", 2, {{"retention.ms", "-1"}});
  ReplayRig rig(dir_.File("s"), kafka->bootstrap_servers());
  rig.Fill(4000);
  rig.Start();
  const std::string id = rig.Create(Paced("dropped-replay", 1000));
  ASSERT_TRUE(rig.WaitSent(id, 200));
  ASSERT_TRUE(rig.Patch(id, {{"state", "paused"}}).ok());
  ASSERT_TRUE(rig.WaitFor(id, ReplayState::kPaused));
  const uint64_t sent = rig.WaitSettled(id);
  const int64_t end = rig.Drop(TpId{2}, 500 + 3000);
  ASSERT_GT(end, 500 + static_cast<int64_t>(sent));
  ASSERT_TRUE(rig.Patch(id, {{"state", "running"}}).ok());
  ASSERT_TRUE(WaitEnded(rig, id));
  const ReplayJob job = rig.View(id).job;
  EXPECT_EQ(job.state, ReplayState::kFailed);
  EXPECT_NE(job.error.find("ticks[1]@"), std::string::npos) << job.error;
  EXPECT_NE(job.error.find("retain"), std::string::npos) << job.error;
  EXPECT_EQ(job.note.next_seq - 1, sent) << "it was to send nothing more";
}

TEST_F(ReplayAround, E9WhatWasSentBeforeItWasDroppedIsNotMissed) {
  TD_SHARED_KAFKA(kafka);
  kafka->admin().CreateTopic("sent-replay", 2, {{"retention.ms", "-1"}});
  ReplayRig rig(dir_.File("s"), kafka->bootstrap_servers());
  rig.Fill(3000);
  rig.Start();
  const std::string id = rig.Create(Paced("sent-replay", 3000));
  ASSERT_TRUE(rig.WaitSent(id, 3000));  // 1500 of each
  rig.Drop(TpId{1}, 1000);
  rig.Drop(TpId{2}, 1500);
  rig.Stop();  // another process knows of its place what the progress says
  rig.Start();
  ASSERT_TRUE(rig.WaitFor(id, ReplayState::kDone));
  EXPECT_EQ(kafka->admin().Dump("sent-replay").size(), 6000u);
  // What is gone when a job is made is a gap, and left out where that is allowed.
  kafka->admin().CreateTopic("rest-replay", 2, {{"retention.ms", "-1"}});
  json rest = ReplayRig::Request("rest-replay");
  EXPECT_EQ(rig.Refused(rest).code(), StatusCode::kFailedPrecondition);
  rest["allow_gaps"] = true;
  const std::string second = rig.Create(rest);
  ASSERT_TRUE(rig.WaitFor(second, ReplayState::kDone));
  EXPECT_LT(kafka->admin().Dump("rest-replay").size(), 6000u);
}

int64_t EndsOf(KafkaService* kafka, const std::string& topic) {
  int64_t sum = 0;
  for (const auto& [begin, end] : kafka->admin().Offsets(topic)) sum += end;
  return sum;
}

std::vector<std::string> SeqsOf(KafkaService* kafka, const std::string& topic) {
  std::vector<std::string> seqs;
  for (const ClientMessage& m : kafka->admin().Dump(topic)) {
    for (const auto& [name, value] : m.headers) {
      if (name == "tapedeck-seq") seqs.push_back(*value);
    }
  }
  return seqs;
}

// At least once, without transactions: the store knows of the place only what had arrived.
TEST_F(ReplayAround, E1ASeekBeforeACrashIsCarriedOutOnceMoreAtLeastOnce) {
  TD_SHARED_KAFKA(kafka);
  kafka->admin().CreateTopic("moved-replay", 2, {{"retention.ms", "-1"}});
  ReplayRig rig(dir_.File("s"), kafka->bootstrap_servers());
  rig.Fill(1500);
  rig.Start();
  json request = Paced("moved-replay", 1000);
  request["delivery"] = "at-least-once";
  const std::string id = rig.Create(request);
  ASSERT_TRUE(rig.WaitSent(id, 1000));
  const int64_t back_ms = rig.filler().messages().front().content.timestamp_ms + 100;
  ASSERT_TRUE(rig.Patch(id, {{"seek", std::to_string(back_ms) + "ms"}}).ok());
  rig.CloseQueue("as if it were killed here");  // nothing is noted any more
  const uint64_t sent = rig.View(id).live.acked;
  const MonotonicTime deadline = SystemClock().Monotonic() + 60s;
  // It goes on behind the seek, or cannot write that it has come there.
  while (rig.View(id).live.acked < sent + 300 && rig.View(id).live.trouble.empty() &&
         SystemClock().Monotonic() < deadline) {
    SystemClock().SleepFor(10ms);
  }
  rig.Stop();
  rig.Start();
  ASSERT_TRUE(rig.WaitFor(id, ReplayState::kDone));
  std::map<std::string, std::set<std::string>> origins;  // by number
  for (const ClientMessage& m : kafka->admin().Dump("moved-replay")) {
    std::map<std::string, std::string> ours;
    for (const auto& [name, value] : m.headers) {
      if (value) ours[name] = *value;
    }
    origins[ours["tapedeck-seq"]].insert(ours["tapedeck-origin"]);
  }
  for (const auto& [seq, of] : origins) EXPECT_EQ(of.size(), 1u) << seq << " is two messages";
}

// A worker that stands still within a transaction until the broker has aborted it.
TEST_F(ReplayAround, E4ATransactionThatTimedOutIsSentAgainByANewProducer) {
  TD_START_KAFKA(
      kafka, {.properties = {"transaction.abort.timed.out.transaction.cleanup.interval.ms=300"}});
  kafka->admin().CreateTopic("timed-replay", 2, {{"retention.ms", "-1"}});
  ReplayRig rig(dir_.File("s"), kafka->bootstrap_servers());
  rig.Fill(1000);
  std::atomic<int> sent{0};
  std::atomic<bool> aborted{false};
  rig.on_sent = [&](std::chrono::nanoseconds) {
    if (++sent != 700) return;
    int64_t end = EndsOf(kafka.get(), "timed-replay");
    const MonotonicTime deadline = SystemClock().Monotonic() + 120s;
    // What was sent arrives; then the markers of the abort.
    SystemClock().SleepFor(1500ms);
    end = EndsOf(kafka.get(), "timed-replay");
    while (!aborted.load() && SystemClock().Monotonic() < deadline) {
      SystemClock().SleepFor(100ms);
      aborted.store(EndsOf(kafka.get(), "timed-replay") > end);
    }
  };
  rig.Start({.transaction_timeout = 4s});
  const std::string id = rig.Create(Paced("timed-replay", 1000));
  ASSERT_TRUE(rig.WaitFor(id, ReplayState::kDone, 240));
  EXPECT_TRUE(aborted.load()) << "the broker did not abort: the test tests nothing";
  EXPECT_GT(sent.load(), 2000) << "nothing was sent again";
  std::vector<std::string> seqs = SeqsOf(kafka.get(), "timed-replay");
  EXPECT_EQ(seqs.size(), 2000u);
  EXPECT_EQ(std::set<std::string>(seqs.begin(), seqs.end()).size(), 2000u);
}

// Paused, and in a long silence: its name is forgotten by the broker both times.
TEST_F(ReplayAround, E13ATransactionalIdThatExpiredIsTakenAnew) {
  TD_START_KAFKA(
      kafka, {.properties = {"transactional.id.expiration.ms=1000",
                             "transaction.remove.expired.transaction.cleanup.interval.ms=300"}});
  kafka->admin().CreateTopic("expired-replay", 2, {{"retention.ms", "-1"}});
  ReplayRig rig(dir_.File("s"), kafka->bootstrap_servers());
  rig.Fill(300);
  const int64_t later = rig.filler().messages().back().content.timestamp_ms + 6'000;
  for (int i = 0; i < 300; ++i) {
    rig.filler().Append(TpId{1}, {.value = "later", .timestamp_ms = later + i});
  }
  rig.filler().Commit();
  rig.Start();
  json request = ReplayRig::Request("expired-replay");
  request["pace"] = {{"mode", "original"}, {"speed", 1.0}};
  const std::string id = rig.Create(request);
  ASSERT_TRUE(rig.WaitSent(id, 50));
  ASSERT_TRUE(rig.Patch(id, {{"state", "paused"}}).ok());
  ASSERT_TRUE(rig.WaitFor(id, ReplayState::kPaused));
  SystemClock().SleepFor(4s);
  ASSERT_TRUE(rig.Patch(id, {{"state", "running"}}).ok());
  ASSERT_TRUE(rig.WaitFor(id, ReplayState::kDone, 120));
  std::vector<std::string> seqs = SeqsOf(kafka.get(), "expired-replay");
  EXPECT_EQ(seqs.size(), 900u);
  EXPECT_EQ(std::set<std::string>(seqs.begin(), seqs.end()).size(), 900u);
}

// A producer that is not the job, with the job's own headers: a number comes twice.
TEST_F(ReplayAround, E5ATearInTheTargetIsFoundByTheVerification) {
  TD_SHARED_KAFKA(kafka);
  kafka->admin().CreateTopic("torn-replay", 2, {{"retention.ms", "-1"}});
  ReplayRig rig(dir_.File("s"), kafka->bootstrap_servers());
  rig.Fill(1500);
  rig.Start();
  const std::string id = rig.Create(Paced("torn-replay", 300));
  ASSERT_TRUE(rig.WaitSent(id, 300));
  std::vector<ClientMessage> sent = kafka->admin().Dump("torn-replay");
  ASSERT_GT(sent.size(), 100u);
  sent[50].offset = -1;
  kafka->admin().Produce({sent[50]});
  ASSERT_TRUE(WaitEnded(rig, id));
  EXPECT_EQ(rig.View(id).job.state, ReplayState::kFailed);
  EXPECT_NE(rig.View(id).job.error.find("sequence number"), std::string::npos)
      << rig.View(id).job.error;
}

TEST_F(ReplayAround, AnEndThatIsMovedAfterTheLastMessageIsCarriedOut) {
  TD_SHARED_KAFKA(kafka);
  kafka->admin().CreateTopic("later-replay", 2, {{"retention.ms", "-1"}});
  std::atomic<int> sent{0};
  std::atomic<bool> moved{false};
  std::promise<std::string> created;  // the worker may be done before Create has returned
  ReplayRig rig(dir_.File("s"), kafka->bootstrap_servers());
  rig.Fill(1000);
  const int64_t start_ms = rig.filler().messages().front().content.timestamp_ms;
  rig.on_sent = [&, id = created.get_future().share()](std::chrono::nanoseconds) {
    if (++sent != 1000) return;
    const Status status =
        rig.Patch(id.get(), {{"source", {{"end", std::to_string(start_ms + 600) + "ms"}}}});
    EXPECT_TRUE(status.ok()) << status.ToString();
    moved.store(status.ok());
  };
  rig.Start();
  json request = ReplayRig::Request("later-replay");
  request["source"]["end"] = std::to_string(start_ms + 500) + "ms";
  request["pace"] = {{"mode", "rate"}, {"messages_per_second", 1000}};
  const std::string id = rig.Create(request);
  created.set_value(id);
  ASSERT_TRUE(rig.WaitFor(id, ReplayState::kDone));
  EXPECT_TRUE(moved.load());
  EXPECT_EQ(rig.View(id).job.verified_messages, 1200u);
  EXPECT_EQ(kafka->admin().Dump("later-replay").size(), 1200u);
}

TEST_F(ReplayAround, TimesThatKafkaDoesNotHaveAreSentAsItsFirst) {
  TD_SHARED_KAFKA(kafka);
  kafka->admin().CreateTopic("first-replay", 1, {{"retention.ms", "-1"}});
  ReplayRig rig(dir_.File("s"), kafka->bootstrap_servers());
  rig.Fill(0);
  const TpId tape = rig.filler().AddTape({"recorded-cluster", "old", 0, 0});
  for (int64_t time : {0, 1, 5}) {
    rig.filler().Append(tape, {.value = "v", .timestamp_ms = time});
  }
  rig.filler().Commit();
  rig.Start();
  json request = ReplayRig::Request("first-replay");
  request["source"]["topics"] = {"old"};
  const std::string id = rig.Create(request);
  ASSERT_TRUE(rig.WaitFor(id, ReplayState::kDone));
  std::vector<int64_t> times;
  for (const ClientMessage& m : kafka->admin().Dump("first-replay")) times.push_back(*m.timestamp);
  EXPECT_EQ(times, (std::vector<int64_t>{1, 1, 5}));
}

TEST_F(ReplayAround, E11APatchWithAKeyThatWasUsedForAnotherIsAConflict) {
  TD_SHARED_KAFKA(kafka);
  kafka->admin().CreateTopic("patched-replay", 2);
  ReplayRig rig(dir_.File("s"), kafka->bootstrap_servers());
  rig.Fill(1000);
  rig.Start();
  const std::string id = rig.Create(Paced("patched-replay", 100));
  auto patch = [&](const char* body) { return rig.runner().Patch(id, body, "k").status(); };
  EXPECT_TRUE(patch(R"({"state":"paused"})").ok());
  EXPECT_TRUE(rig.Patch(id, {{"state", "running"}}).ok());
  EXPECT_TRUE(patch(R"({"state":"paused"})").ok());  // the same request, come twice
  EXPECT_NE(rig.View(id).job.state, ReplayState::kPaused);
  EXPECT_EQ(patch(R"({"state":"cancelled"})").code(), StatusCode::kAlreadyExists);
  EXPECT_NE(rig.View(id).job.state, ReplayState::kCancelled);
}

/// A target of two messages that goes away before the second is seen, for minutes.
class AwayTrail final : public ReplayTrail {
 public:
  explicit AwayTrail(std::atomic<int>* polls) : polls_(polls) {}
  Status Poll(std::chrono::milliseconds, const Visit& visit) override {
    const int poll = (*polls_)++;
    if (poll >= 10 && poll < 5'000) return Status::Unavailable("no broker answers");
    if (poll == 0 || poll == 5'100) {
      MessageView m;
      m.offset = poll == 0 ? 0 : 1;
      m.value = "v";
      visit({"t", 0}, m);
    }
    return Status::Ok();
  }
  bool at_end() const override { return true; }

 private:
  std::atomic<int>* const polls_;
};

TEST(ReplayTrailThread, ATargetThatIsAwayWhileItIsReadBackIsWaitedFor) {
  ManualClock clock{Timestamp(1)};  // sleeping moves it: minutes pass at once
  std::atomic<int> polls{0};
  WorkerParts parts;
  parts.clock = &clock;
  parts.open_trail = [&](const ReplayJob&) -> Result<std::unique_ptr<ReplayTrail>> {
    return std::unique_ptr<ReplayTrail>(new AwayTrail(&polls));
  };
  ReplayJob job;
  job.spec.target.provenance = false;
  SentHasher hasher(job);
  MessageView m;
  m.value = "v";
  Digest digest;
  digest += hasher.Hash(m);
  digest += hasher.Hash(m);
  TrailThread trail(parts, job);
  ASSERT_TRUE(trail.Start().ok());
  // Its own waiting moves the clock, too: the reader must not be left behind, on no machine.
  const MonotonicTime deadline = SystemClock().Monotonic() + 120s;
  const Status status = trail.Finish(2, digest, [&, before = 0]() mutable {
    while (polls.load() == before) {
      if (SystemClock().Monotonic() > deadline) return true;
      SystemClock().SleepFor(1ms);
    }
    before = polls.load();
    return false;
  });
  EXPECT_TRUE(status.ok()) << status.ToString();
  EXPECT_GT(polls.load(), 5'100);
}

/// The same target; its brokers go away behind the first message, of which librdkafka tells a
/// reader nothing. Whoever reads anew finds the second.
class SilentTrail final : public ReplayTrail {
 public:
  SilentTrail(int reader, std::atomic<int>* polls) : reader_(reader), polls_(polls) {}
  Status Poll(std::chrono::milliseconds, const Visit& visit) override {
    ++*polls_;
    if (std::exchange(shown_, true) || reader_ > 1) return Status::Ok();
    MessageView m;
    m.offset = reader_;
    m.value = "v";
    visit({"t", 0}, m);
    return Status::Ok();
  }
  bool at_end() const override { return true; }

 private:
  const int reader_;
  std::atomic<int>* const polls_;
  bool shown_ = false;
};

TEST(ReplayTrailThread, AReaderThatStandsStillIsReplacedBeforeAMessageIsFoundMissing) {
  for (const uint64_t sent : {2, 3}) {
    ManualClock clock{Timestamp(1)};
    std::atomic<int> polls{0};
    std::atomic<int> readers{0};
    WorkerParts parts;
    parts.clock = &clock;
    parts.open_trail = [&](const ReplayJob&) -> Result<std::unique_ptr<ReplayTrail>> {
      return std::unique_ptr<ReplayTrail>(new SilentTrail(readers++, &polls));
    };
    ReplayJob job;
    job.spec.target.provenance = false;
    SentHasher hasher(job);
    MessageView m;
    m.value = "v";
    Digest digest;
    for (uint64_t i = 0; i < sent; ++i) digest += hasher.Hash(m);
    TrailThread trail(parts, job);
    ASSERT_TRUE(trail.Start().ok());
    const MonotonicTime deadline = SystemClock().Monotonic() + 120s;
    const Status status = trail.Finish(sent, digest, [&, before = 0]() mutable {
      while (polls.load() == before) {
        if (SystemClock().Monotonic() > deadline) return true;
        SystemClock().SleepFor(1ms);
      }
      before = polls.load();
      clock.Advance(1s);
      return false;
    });
    EXPECT_EQ(status.code(), sent == 2 ? StatusCode::kOk : StatusCode::kCorruption)
        << status.ToString();
  }
}

/// A target that was deleted: each reader hears nothing at first, and then that.
class GoneTrail final : public ReplayTrail {
 public:
  Status Poll(std::chrono::milliseconds, const Visit&) override {
    return polls_++ < 2 ? Status::Ok() : Status::NotFound("there is no topic t");
  }
  bool at_end() const override { return false; }

 private:
  int polls_ = 0;
};

TEST(ReplayTrailThread, ATargetThatIsGoneEndsTheVerificationAfterAWhile) {
  ManualClock clock{Timestamp(1)};
  WorkerParts parts;
  parts.clock = &clock;
  parts.open_trail = [](const ReplayJob&) -> Result<std::unique_ptr<ReplayTrail>> {
    return std::unique_ptr<ReplayTrail>(new GoneTrail);
  };
  ReplayJob job;
  TrailThread trail(parts, job);
  ASSERT_TRUE(trail.Start().ok());
  const MonotonicTime deadline = SystemClock().Monotonic() + 120s;
  const Status status = trail.Finish(1, {}, [&] { return SystemClock().Monotonic() > deadline; });
  EXPECT_EQ(status.code(), StatusCode::kNotFound) << status.ToString();
}

}  // namespace
}  // namespace tapedeck::testing
