// Sequences of pauses, seeks, changes of speed, cancels, kills and restarts, against a target whose
// commits, aborts, starts and sends fail in every way: what is committed is what a plain model
// says. Time is the test's; TAPEDECK_SEED repeats a run, TAPEDECK_REPLAY_SEQUENCES says how many:
// 40 by default, 500 in the slow suite.

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <set>

#include "base/random.h"
#include "query/store_filler.h"
#include "replay/job_json.h"
#include "replay/memory_sink.h"
#include "replay/outgoing.h"
#include "support/seed.h"
#include "support/temp_dir.h"

namespace tapedeck::testing {
namespace {

using namespace std::chrono_literals;

constexpr size_t kMessages = 60;  // on each of two partitions
constexpr int64_t kBeginMs = 1'720'000'000'000;
// At full speed a worker looks at its orders every 64 messages.
constexpr uint64_t kInForceAfter = 65;
constexpr uint64_t kLimit = 5000;  // messages a second
constexpr int kLivesMax = 40;

/// Time that stands still but for sleeps, which let others run.
class TestClock final : public Clock {
 public:
  Timestamp Now() const override { return manual_.Now(); }
  MonotonicTime Monotonic() const override { return manual_.Monotonic(); }
  void SleepFor(std::chrono::nanoseconds duration) override {
    manual_.Advance(duration);
    SystemClock().SleepFor(1us);
  }
  void Advance(std::chrono::nanoseconds duration) { manual_.Advance(duration); }

 private:
  ManualClock manual_{Timestamp(kBeginMs * 1'000'000 + 3'600'000'000'000)};
};

/// What is replayed, in the order of a replay.
class Recording {
 public:
  explicit Recording(const std::string& dir) : filler_(dir) {
    const TpId tapes[2] = {filler_.AddTape({"recorded-cluster", "ticks", 0, 0}),
                           filler_.AddTape({"recorded-cluster", "ticks", 0, 1}, 500)};
    for (size_t i = 0; i < kMessages; ++i) {
      for (const TpId tp : tapes) {
        FillMessage m{.timestamp_ms = kBeginMs + static_cast<int64_t>(i * i % 37 + i * 10)};
        m.value = "[" + std::to_string(i) + "]";
        if (i % 7 == 0) m.value.reset();
        if (i % 5 == 0) m.key = "";
        if (i % 4 == 1) m.headers.emplace_back("h", std::nullopt);
        filler_.Append(tp, m);
      }
      if (i % 20 == 19) filler_.Commit();
    }
    filler_.Commit();
    point_ = filler_.Point();
    std::map<TapeId, int64_t> greatest;
    for (const OracleMessage& m : filler_.messages()) {
      int64_t& most = greatest.emplace(m.tape, m.content.timestamp_ms).first->second;
      most = std::max(most, m.content.timestamp_ms);
      order_.push_back({most, m.tape.partition, m.offset, &m});
    }
    std::sort(order_.begin(), order_.end());
  }

  size_t size() const { return order_.size(); }
  size_t FirstAt(int64_t ms) const {
    size_t at = 0;
    while (at < order_.size() && order_[at].greatest_ms < ms) ++at;
    return at;
  }
  std::string OriginAt(size_t at) const {
    return "ticks/" + std::to_string(order_[at].partition) + "/0/" +
           std::to_string(order_[at].offset);
  }
  const FillMessage& ContentAt(size_t at) const { return order_[at].message->content; }
  int32_t PartitionAt(size_t at) const { return order_[at].partition; }
  const std::shared_ptr<const ReadPoint>& point() const { return point_; }

 private:
  struct Place {
    int64_t greatest_ms;
    int32_t partition;
    int64_t offset;
    const OracleMessage* message;
    auto operator<=>(const Place&) const = default;
  };
  StoreFiller filler_;
  std::shared_ptr<const ReadPoint> point_;
  std::vector<Place> order_;
};

/// A seek that was answered: where to, what had been handed over by then, what was committed.
struct Seek {
  size_t to = 0;
  uint64_t handed_over = 0;
  uint64_t committed = 0;
};

/// One job from its creation to its end, through any number of processes.
class Sequence {
 public:
  Sequence(const Recording& recording, uint64_t seed, SinkDelivery delivery)
      : recording_(recording),
        random_(seed),
        delivery_(delivery),
        limited_(random_.OneIn(2)),
        target_(random_.Next(), {.fault_every = 10 + random_.Uniform(60)}, &clock_),
        every_(20 + random_.Uniform(100)) {
    ReplayJob job;
    job.id = MakeJobId(clock_.Now(), seed, 1);
    job.created = clock_.Now();
    job.spec = ParseReplayRequest(
                   R"({"source":{"topics":["ticks"]},"target":{"name":"lab","topic":"t-replay"},)"
                   R"("delivery":")" +
                       std::string(exactly_once() ? "exactly-once" : "at-least-once") + R"("})",
                   clock_.Now())
                   .value();
    job.pace = job.spec.pace;
    job.selection = FreezeSelection(*recording.point(), {.topics = {"ticks"}}).value().selection;
    job.target_starts = {{{"t-replay", 0}, 0}, {{"t-replay", 1}, 0}};
    id_ = job.id;
    stored_ = EncodeJob(job);
  }

  void Run() {
    for (int life = 0; !over_ && !::testing::Test::HasFailure(); ++life) {
      if (life == kLivesMax) {
        target_.Calm();
        every_ = 0;
      }
      // A process takes longer to start than what it may send at once stands for: the allowance of
      // the one before is not its own.
      if (life > 0) clock_.Advance(std::chrono::milliseconds(20));
      Live();
    }
  }

  /// What is committed, against the model.
  void Check() const {
    CheckRuns(exactly_once() ? target_.Committed() : EachOnce());
    if (!limited_) return;
    // Whatever stood still for however long: no more than the limit, and what it lets go at once.
    const std::vector<MonotonicTime> at = target_.sent_at();
    constexpr size_t kSpan = 200;
    const auto least = std::chrono::nanoseconds((kSpan - kLimit / 50) * 1'000'000'000 / kLimit);
    for (size_t i = 0; i + kSpan < at.size(); ++i) {
      ASSERT_GE(at[i + kSpan] - at[i], least) << "a burst at message " << i;
    }
  }
  uint64_t faults() const { return target_.faults(); }
  bool cancelled() const { return cancelled_; }
  size_t seeks() const { return seeks_.size(); }

 private:
  bool exactly_once() const { return delivery_ == SinkDelivery::kExactlyOnce; }

  // A process: until the worker ends, however that comes about.
  void Live() {
    JobDesk desk(DecodeJob(id_, stored_).value(), [this](const ReplayJob& job) {
      if (killed_ || (every_ > 0 && random_.OneIn(30))) return Status::Unavailable("no store");
      stored_ = EncodeJob(job);
      return Status::Ok();
    });
    killed_ = false;
    ReplayOutcome outcome = ReplayOutcome::kStopped;
    {
      ReplayWorker worker(PartsOf(&desk), &desk);
      outcome = worker.Run();
    }
    const ReplayState state = desk.state();
    if (!killed_ && random_.OneIn(2)) (void)desk.SaveNote();
    if (outcome == ReplayOutcome::kFailed) {
      ADD_FAILURE() << "the job has failed: " << desk.job().error;
    } else if (outcome == ReplayOutcome::kPaused) {
      EXPECT_EQ(state, ReplayState::kPaused);
      WhilePaused(&desk);
    } else if (outcome == ReplayOutcome::kDone || outcome == ReplayOutcome::kCancelled) {
      EXPECT_EQ(outcome == ReplayOutcome::kCancelled, cancelled_);
      over_ = true;
    }
  }

  WorkerParts PartsOf(JobDesk* desk) {
    WorkerParts parts;
    parts.clock = &clock_;
    parts.open_point = [this] {
      return Result<std::shared_ptr<const ReadPoint>>(recording_.point());
    };
    parts.open_sink = [this, desk](const ReplayJob&) {
      return Result<std::unique_ptr<MessageSink>>(
          target_.OpenSink(delivery_, [this, desk] { MayAct(desk); }));
    };
    parts.open_trail = [this](const ReplayJob& job) {
      return Result<std::unique_ptr<ReplayTrail>>(target_.OpenTrail(job));
    };
    parts.look_at_target = [](const ReplayJob&) {
      return Result<std::map<std::string, int>>(std::map<std::string, int>{{"t-replay", 2}});
    };
    parts.ends_of_target = [this](const ReplayJob&) {
      return Result<std::map<TopicPartition, int64_t>>(target_.Ends());
    };
    parts.name = ReplayName("tapedeck", "node-1", id_);
    parts.owner = random_.Next();  // of each process its own
    parts.txn_interval = std::chrono::milliseconds(1 + random_.Uniform(100));
    parts.messages_per_second_max = limited_ ? kLimit : 0;
    return parts;
  }

  // Before any call of the sink: something is asked, or happens.
  void MayAct(JobDesk* desk) {
    if (every_ == 0 || killed_ || !random_.OneIn(every_)) return;
    switch (random_.Uniform(10)) {
      case 0:
        (void)Ask(desk, {.kind = CommandKind::kPause});
        break;
      case 1:
      case 2:
        AskSeek(desk);
        break;
      case 3:
      case 4:
        AskPace(desk);
        break;
      case 5:
        if (random_.OneIn(6)) cancelled_ |= Ask(desk, {.kind = CommandKind::kCancel});
        break;
      case 6:  // kill -9
        killed_ = true;
        target_.Kill();
        desk->Stop();
        break;
      case 7:  // SIGTERM
        desk->Stop();
        break;
      case 8:
        (void)desk->SaveNote();
        break;
      default:  // the process stands still
        clock_.Advance(std::chrono::milliseconds(random_.Uniform(60'000)));
        break;
    }
  }

  static bool Ask(JobDesk* desk, const ReplayCommand& command) {
    return desk->Change([&](ReplayJob* job) { return AddCommand(command, job); }).ok();
  }

  void AskSeek(JobDesk* desk) {
    const int64_t ms = kBeginMs + static_cast<int64_t>(random_.Uniform(kMessages * 10 + 30));
    uint64_t committed = 0;
    for (const KeptMessage& m : target_.Committed()) committed = std::max(committed, m.seq);
    if (!Ask(desk, {.kind = CommandKind::kSeek, .time = Timestamp(ms * 1'000'000)})) return;
    seeks_.push_back({recording_.FirstAt(ms), target_.handed_over(), committed});
  }

  void AskPace(JobDesk* desk) {
    Pace pace{.mode = PaceMode::kMax};
    if (random_.OneIn(3)) pace = {.mode = PaceMode::kOriginal, .speed = 0.1 + random_.Uniform(20)};
    if (random_.OneIn(3)) {
      pace = {.mode = PaceMode::kRate, .messages_per_second = 1 + random_.Uniform(20'000)};
    }
    (void)Ask(desk, {.kind = CommandKind::kPace, .pace = pace});
  }

  void WhilePaused(JobDesk* desk) {
    const size_t paused_at = target_.Committed().size();
    clock_.Advance(1h);
    EXPECT_EQ(target_.Committed().size(), paused_at);
    if (every_ > 0 && random_.OneIn(2)) AskSeek(desk);
    while (!Ask(desk, {.kind = CommandKind::kResume})) continue;  // the store refuses now and then
  }

  // All (place, seeks carried out) that may lie behind the messages so far; a seek is carried out
  // behind all that was committed before it, and no later than a worker needs to look.
  using States = std::set<std::pair<size_t, size_t>>;
  void CarryOut(uint64_t next, States* states) const {
    for (auto it = states->begin(); it != states->end(); ++it) {
      const size_t k = it->second;
      if (k == seeks_.size() || next <= seeks_[k].committed) continue;
      if (next <= seeks_[k].handed_over + kInForceAfter) states->emplace(seeks_[k].to, k + 1);
    }
    std::erase_if(*states, [&](const auto& state) {
      const size_t k = state.second;
      return k < seeks_.size() && next > seeks_[k].handed_over + kInForceAfter;
    });
  }

  // At least once: one of each number, which is the same message each time.
  std::vector<KeptMessage> EachOnce() const {
    std::map<uint64_t, KeptMessage> by_seq;
    for (const KeptMessage& m : target_.Committed()) {
      const KeptMessage& first = by_seq.emplace(m.seq, m).first->second;
      EXPECT_EQ(first.Header(kOriginHeader), m.Header(kOriginHeader)) << m.seq;
    }
    std::vector<KeptMessage> messages;
    for (auto& [seq, message] : by_seq) messages.push_back(std::move(message));
    return messages;
  }

  void CheckRuns(const std::vector<KeptMessage>& found) const {
    States states{{0, 0}};
    for (size_t i = 0; i < found.size(); ++i) {
      ASSERT_EQ(found[i].seq, i + 1);
      for (size_t pass = 0; pass <= seeks_.size(); ++pass) CarryOut(i + 1, &states);
      States next;
      for (const auto& [at, k] : states) {
        if (at >= recording_.size() || recording_.OriginAt(at) != found[i].Header(kOriginHeader)) {
          continue;
        }
        ExpectContent(found[i], at);
        next.emplace(at + 1, k);
      }
      ASSERT_FALSE(next.empty()) << "message " << i + 1 << " is " << found[i].Header(kOriginHeader);
      states = std::move(next);
    }
    if (cancelled_) return;
    for (size_t pass = 0; pass <= seeks_.size(); ++pass) CarryOut(found.size() + 1, &states);
    EXPECT_TRUE(states.contains({recording_.size(), seeks_.size()})) << "it ends too early";
  }

  void ExpectContent(const KeptMessage& found, size_t at) const {
    const FillMessage& recorded = recording_.ContentAt(at);
    EXPECT_EQ(found.tp.partition, recording_.PartitionAt(at));
    EXPECT_EQ(found.timestamp_ms, recorded.timestamp_ms);
    EXPECT_EQ(found.key, recorded.key);
    EXPECT_EQ(found.value, recorded.value);
    ASSERT_EQ(found.headers.size(), recorded.headers.size() + 4);
    EXPECT_TRUE(
        std::equal(recorded.headers.begin(), recorded.headers.end(), found.headers.begin()));
  }

  const Recording& recording_;
  Random random_;
  const SinkDelivery delivery_;
  const bool limited_;
  TestClock clock_;
  MemoryTarget target_;
  uint64_t every_;  // calls of the sink between two things that happen; 0: nothing does
  std::string id_;
  std::string stored_;  // the job, as the store has it
  bool killed_ = false;
  bool cancelled_ = false;
  bool over_ = false;
  std::vector<Seek> seeks_;
};

void RunSequences(int count, SinkDelivery delivery) {
  const uint64_t seed = TestSeed();
  SCOPED_TRACE(RepeatWith(seed));
  TempDir dir;
  const Recording recording(dir.File("s"));
  Random random(seed);
  uint64_t faults = 0;
  size_t seeks = 0;
  int cancelled = 0;
  for (int i = 0; i < count; ++i) {
    SCOPED_TRACE("sequence " + std::to_string(i));
    Sequence sequence(recording, random.Next(), delivery);
    sequence.Run();
    if (::testing::Test::HasFailure()) return;
    sequence.Check();
    if (::testing::Test::HasFailure()) return;
    faults += sequence.faults();
    seeks += sequence.seeks();
    cancelled += sequence.cancelled() ? 1 : 0;
  }
  EXPECT_GT(faults, static_cast<uint64_t>(count));
  EXPECT_LT(cancelled, count);
  std::printf("%d sequences: %llu faults, %zu seeks, %d cancelled\n", count,
              static_cast<unsigned long long>(faults), seeks, cancelled);
}

// Of both kinds together.
int SequencesAsked() {
  const char* given = std::getenv("TAPEDECK_REPLAY_SEQUENCES");
  return given == nullptr ? 40 : std::max(5, std::atoi(given));
}

TEST(ReplayFaults, ExactlyOnceWhateverTheTargetAnswersAndWhateverIsAsked) {
  RunSequences(SequencesAsked() * 4 / 5, SinkDelivery::kExactlyOnce);
}

TEST(ReplayFaults, AtLeastOnceWhateverTheTargetAnswersAndWhateverIsAsked) {
  RunSequences(SequencesAsked() / 5, SinkDelivery::kAtLeastOnce);
}

}  // namespace
}  // namespace tapedeck::testing
