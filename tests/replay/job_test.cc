// Jobs as values: what clients may ask, what the store keeps, and that any order of requests ends
// as a plain model says (E11).

#include "replay/job.h"

#include <gtest/gtest.h>

#include <map>
#include <set>

#include "base/random.h"
#include "replay/job_json.h"
#include "replay/progress.h"
#include "support/seed.h"
#include "tape/tape_cursor.h"

namespace tapedeck::testing {
namespace {

using namespace std::chrono_literals;

constexpr Timestamp kNow{int64_t{1'720'000'000} * 1'000'000'000};

constexpr char kFull[] = R"({
  "source":{"topics":["Finhub1"],"symbols":["BINANCE:BTCUSDT"],"start":"2024-07-02T00:00:00Z",
            "end":"+24h"},
  "target":{"name":"lab","topic":"{topic}-replay","partition":"same","value":"original",
            "timestamps":"original","provenance":true},
  "order":"arrival","pace":{"mode":"original","speed":10.0,"max_idle":"5s"},
  "delivery":"exactly-once"})";

ReplayJob Job(ReplayState state = ReplayState::kRunning) {
  ReplayJob job;
  job.id = MakeJobId(kNow, 1, 2);
  job.created = kNow;
  job.spec = ParseReplayRequest(kFull, kNow).value();
  job.pace = job.spec.pace;
  job.selection.start = *job.spec.source.start;
  job.selection.end = *job.spec.source.end;
  job.state = state;
  return job;
}

TEST(ReplayRequest, TheDocumentedOneIsReadInFull) {
  auto spec = ParseReplayRequest(kFull, kNow);
  ASSERT_TRUE(spec.ok()) << spec.status().ToString();
  EXPECT_EQ(spec->source.topics, std::vector<std::string>{"Finhub1"});
  EXPECT_EQ(*spec->source.end, ParseRfc3339("2024-07-03T00:00:00Z").value());
  EXPECT_EQ(spec->pace.mode, PaceMode::kOriginal);
  EXPECT_EQ(spec->pace.speed, 10.0);
  EXPECT_EQ(spec->pace.max_idle, 5s);
  EXPECT_EQ(spec->target.TopicFor("Finhub1"), "Finhub1-replay");
  auto again = ParseReplayRequest(SpecToJson(*spec), kNow);
  ASSERT_TRUE(again.ok()) << again.status().ToString();
  EXPECT_EQ(*again, *spec);
}

TEST(ReplayRequest, MistakesAreNamedByField) {
  const std::pair<const char*, const char*> kWrong[] = {
      {"nonsense", "body"},
      {"[]", "body"},
      {R"({"target":{"topic":"t"}})", "target.name"},
      {R"({"target":{"name":"lab","topic":"a b"}})", "target.topic"},
      {R"({"target":{"name":"lab","topic":"t","partition":-1}})", "target.partition"},
      {R"({"target":{"name":"lab","topic":"t","value":"avro"}})", "target.value"},
      {R"({"target":{"name":"lab","topic":"t","timestamps":1}})", "target.timestamps"},
      {R"({"source":{"topics":"x"}})", "source.topics"},
      {R"({"source":{"start":1712877306113}})", "source.start"},
      {R"({"source":{"start":"1712877306113"}})", "source.start"},
      {R"({"source":{"offsets":[{"topic":"x","from":-1}]}})", "source.offsets.from"},
      {R"({"sorce":{},"target":{"name":"lab","topic":"t"}})", "sorce"},
      {R"({"target":{"name":"lab","topic":"t"},"pace":{"mode":"fast"}})", "pace.mode"},
      {R"({"target":{"name":"lab","topic":"t"},"pace":{"mode":"original","speed":0}})",
       "pace.speed"},
      {R"({"target":{"name":"lab","topic":"t"},"pace":{"mode":"rate"}})", "pace.mode rate"},
      {R"({"target":{"name":"lab","topic":"t"},"pace":{"speed":1,"max_idle":"5"}})",
       "pace.max_idle"},
      {R"({"target":{"name":"lab","topic":"t"},"delivery":"twice"})", "delivery"},
      {R"({"target":{"name":"lab","topic":"t","value":"json"},"restore":true})", "target.value"}};
  for (const auto& [body, field] : kWrong) {
    auto spec = ParseReplayRequest(body, kNow);
    ASSERT_EQ(spec.status().code(), StatusCode::kInvalidArgument) << body;
    EXPECT_TRUE(spec.status().message().starts_with(field))
        << body << " -> " << spec.status().message();
  }
  auto near = ParseReplayRequest(R"({"sourze":{},"target":{"name":"lab","topic":"t"}})", kNow);
  EXPECT_NE(near.status().message().find("is source meant"), std::string_view::npos)
      << near.status().ToString();
}

TEST(ReplayRequest, S12DoubledMembersAndDeepNestingAreRefused) {
  const std::string target = R"("target":{"name":"lab","topic":"t"})";
  const std::string deep = std::string(100'000, '[');
  const std::pair<std::string, const char*> kWrong[] = {
      {"{" + target + "," + target + "}", "target"},
      {R"({"target":{"name":"lab","name":"other","topic":"t"}})", "name"},
      {R"({"source":{"offsets":[{"topic":"a","from":1,"from":2}]},)" + target + "}", "from"},
      {R"({"source":{"offsets":)" + deep, "nested"},
      {R"({"target":{"name":"lab","topic":"{topic}-{topic}"}})", "once"},
      {"{" + target + R"(,"pace":{"mode":"max","speed":5}})", "pace.speed"}};
  for (const auto& [body, word] : kWrong) {
    const auto spec = ParseReplayRequest(body, kNow);
    ASSERT_EQ(spec.status().code(), StatusCode::kInvalidArgument) << body.substr(0, 200);
    EXPECT_NE(spec.status().message().find(word), std::string_view::npos)
        << spec.status().ToString();
  }
  EXPECT_FALSE(ParseReplayPatch(R"({"state":"paused","state":"running"})", Job(), kNow).ok());
  // The same name in two objects is nothing odd.
  EXPECT_TRUE(
      ParseReplayRequest(R"({"source":{"topics":["a"],"offsets":[]},)" + target + "}", kNow).ok());
}

TEST(ReplayPatch, AKeyThatWasUsedStandsForItsRequestAlone) {
  ReplayJob job = Job();
  const Hash128 pause = HashBytes("pause");
  const Hash128 seek = HashBytes("seek");
  EXPECT_FALSE(RememberRequest("k", pause, &job).value());
  EXPECT_TRUE(RememberRequest("k", pause, &job).value());
  EXPECT_EQ(RememberRequest("k", seek, &job).status().code(), StatusCode::kAlreadyExists);
  EXPECT_FALSE(RememberRequest("k=", seek, &job).value());
  job.command_keys = {"old#0", "old#1"};  // as an older version wrote them
  EXPECT_TRUE(RememberRequest("old", pause, &job).value());
  for (size_t i = 0; i < 2 * kCommandKeysMax; ++i) {
    ASSERT_TRUE(RememberRequest(std::to_string(i), seek, &job).ok());
  }
  EXPECT_EQ(job.command_keys.size(), kCommandKeysMax);
}

TEST(ReplayPatch, CommandsAreReadOnTopOfTheJob) {
  const ReplayJob job = Job();
  auto commands = ParseReplayPatch(
      R"({"pace":{"speed":1},"seek":"2024-07-02T12:00:00Z","source":{"end":"+2h"},
          "state":"paused"})",
      job, kNow);
  ASSERT_TRUE(commands.ok()) << commands.status().ToString();
  ASSERT_EQ(commands->size(), 4u);
  EXPECT_EQ((*commands)[0].pace.speed, 1.0);
  EXPECT_EQ((*commands)[0].pace.max_idle, 5s);
  EXPECT_EQ((*commands)[1].time, ParseRfc3339("2024-07-02T02:00:00Z").value());
  EXPECT_EQ((*commands)[2].kind, CommandKind::kSeek);
  EXPECT_EQ((*commands)[3].kind, CommandKind::kPause);
  for (const char* wrong : {"{}", R"({"state":"done"})", R"({"seek":1})", R"({"source":{}})"}) {
    EXPECT_FALSE(ParseReplayPatch(wrong, job, kNow).ok()) << wrong;
  }
  auto rate = ParseReplayPatch(R"({"pace":{"messages_per_second":5}})", job, kNow);
  ASSERT_TRUE(rate.ok());
  EXPECT_EQ((*rate)[0].pace.mode, PaceMode::kRate);
}

TEST(ReplayEntry, ComesBackAsItWentInAndDamageIsFound) {
  ReplayJob job = Job(ReplayState::kPaused);
  job.key = std::string("k\xff\0y", 4);
  job.selection.ranges = {{{"c", "t", 1, 2}, 3, 4}};
  job.selection.symbols = {"A", "B"};
  job.missing = {{{"c", "t", 0, 0}, {.from = 5, .to = 9, .reason = GapReason::kRetention}}};
  job.target_starts[{"t-replay", 3}] = 17;
  ASSERT_TRUE(AddCommand({.kind = CommandKind::kSeek, .time = kNow}, &job, "key").ok());
  ASSERT_TRUE(
      AddCommand({.kind = CommandKind::kPace, .pace = {.mode = PaceMode::kMax}}, &job).ok());
  job.note = {.next_seq = 42,
              .bytes = 7,
              .digest = {1, 2},
              .position = std::string("\x01\xfe", 2),
              .shift_ms = -5,
              .shifted = true};
  job.begun = true;
  const std::string bytes = EncodeJob(job);
  EXPECT_EQ(bytes.substr(0, 17), std::string("\x01{\"kind\":\"replay\"", 17));
  auto read = DecodeJob(job.id, bytes);
  ASSERT_TRUE(read.ok()) << read.status().ToString();
  EXPECT_EQ(*read, job);
  for (size_t size = 0; size < bytes.size(); size += 7) {
    EXPECT_EQ(DecodeJob(job.id, bytes.substr(0, size)).status().code(), StatusCode::kCorruption);
  }
  EXPECT_EQ(DecodeJob("x", "\x01{\"kind\":\"reindex\"}").status().code(), StatusCode::kNotFound);
}

// A later version may know more: its job must not become one that runs.
TEST(ReplayEntry, WhatIsNotKnownIsDamageAndNothingElse) {
  ReplayJob job = Job(ReplayState::kPaused);
  job.missing = {{{"c", "t", 0, 0}, {.from = 5, .to = 9, .reason = GapReason::kRetention}}};
  ASSERT_TRUE(AddCommand({.kind = CommandKind::kSeek, .time = kNow}, &job).ok());
  const std::string bytes = EncodeJob(job);
  const std::pair<const char*, const char*> kChanges[] = {
      {R"("state":"paused")", R"("state":"dozing")"},
      {R"("kind":"seek")", R"("kind":"leap")"},
      {R"("pace":{"mode":1)", R"("pace":{"mode":3)"},
      {R"("pace":{"mode":1)", R"("pace":{"mode":-1)"},
      {R"("clock":0,)", R"("clock":2,)"},
      {R"("order":0,)", R"("order":9,)"},
      {R"("reason":1)", R"("reason":99)"},
      {R"("position":"")", R"("position":"?")"}};
  for (const auto& [from, to] : kChanges) {
    std::string changed = bytes;
    const size_t at = changed.find(from);
    ASSERT_NE(at, std::string::npos) << from << " in " << bytes;
    changed.replace(at, std::string(from).size(), to);
    EXPECT_EQ(DecodeJob(job.id, changed).status().code(), StatusCode::kCorruption) << to;
  }
}

TEST(ReplayProgressText, HasExactlyTheseBytesAndFitsABroker) {
  ReplayProgress progress;
  progress.owner = 0x0102030405060708;
  progress.command = 3;
  progress.note = {.next_seq = 42,
                   .bytes = 300,
                   .digest = {1, 2},
                   .position = "place",
                   .shift_ms = -1,
                   .shifted = true};
  const SinkProgress sent = EncodeProgress(progress);
  EXPECT_EQ(sent.next_seq, 42);
  EXPECT_EQ(sent.metadata, "AQgHBgUEAwIBA6wCAQAAAAAAAAACAAAAAAAAAAEBBXBsYWNl");
  EXPECT_EQ(DecodeProgress(sent).value(), progress);
  EXPECT_EQ(DecodeProgress({.next_seq = 1, .metadata = "x"}).status().code(),
            StatusCode::kCorruption);
  EXPECT_FALSE(DecodeProgress({.next_seq = 0, .metadata = sent.metadata}).ok());
  progress.note.records = 200;  // version 2: within a message
  const SinkProgress within = EncodeProgress(progress);
  EXPECT_EQ(within.metadata, "AggHBgUEAwIBA6wCAQAAAAAAAAACAAAAAAAAAAEBBXBsYWNlyAE=");
  EXPECT_EQ(DecodeProgress(within).value(), progress);
  progress.note.position =
      MessagePosition{Timestamp::Min(), std::string(249, 't'), INT32_MAX, UINT32_MAX, INT64_MAX}
          .Encode();
  EXPECT_LE(EncodeProgress(progress).metadata.size(), kProgressBytesMax);
}

TEST(ReplayIds, SortByTimeAndAreCheckedByForm) {
  const std::string early = MakeJobId(kNow, 0xFFFF, ~uint64_t{0});
  const std::string late = MakeJobId(kNow.SaturatingAdd(1'000'000), 0, 0);
  EXPECT_LT(early, late);
  EXPECT_TRUE(IsJobId(early));
  for (const char* wrong : {"", "x", "../../../../../../etc/pass", "01J!Z3QF9W3YB2C4D5E6F7G8H9"}) {
    EXPECT_FALSE(IsJobId(wrong)) << wrong;
  }
}

// What the states are to become, said once more in the plainest way.
struct Model {
  std::string state = "queued";
  std::vector<int> moves;  // numbers of commands that move the job
  std::set<int> keys;

  bool Ask(int what, int key) {
    if (key != 0 && keys.contains(key)) return true;
    bool good = true;
    const bool live = state == "queued" || state == "running" || state == "paused";
    if (what == 0) {  // pause
      good = live;
      if (good) state = "paused";
    } else if (what == 1) {  // run
      good = live || state == "verifying" || state == "failed";
      if (state == "paused" || state == "failed") state = "queued";
    } else if (what == 2) {  // cancel
      good = state != "done";
      if (good) state = "cancelled";
    } else {  // seek
      good = live;
      if (good) moves.push_back(static_cast<int>(moves.size()) + 1);
    }
    if (good && key != 0) keys.insert(key);
    return good;
  }
};

TEST(ReplayJobModel, E11FiveHundredRandomSequencesEndAsThePlainModelSays) {
  const uint64_t seed = TestSeed();
  SCOPED_TRACE(RepeatWith(seed));
  Random random(seed);
  for (int sequence = 0; sequence < 500; ++sequence) {
    ReplayJob job = Job(ReplayState::kQueued);
    Model model;
    for (int step = 0; step < 60; ++step) {
      if (random.OneIn(4)) {  // the worker moves on
        const char* to[] = {"running", "verifying", "failed", "done"};
        const size_t n = random.Uniform(4);
        constexpr ReplayState kTo[] = {ReplayState::kRunning, ReplayState::kVerifying,
                                       ReplayState::kFailed, ReplayState::kDone};
        if (model.state != "queued" && model.state != "running" && model.state != "verifying") {
          continue;
        }
        if (n == 3 && !random.OneIn(5)) continue;
        model.state = to[n];
        job.state = kTo[n];
        continue;
      }
      const int what = static_cast<int>(random.Uniform(4));
      const int key = random.OneIn(3) ? static_cast<int>(random.Between(1, 6)) : 0;
      constexpr CommandKind kKinds[] = {CommandKind::kPause, CommandKind::kResume,
                                        CommandKind::kCancel, CommandKind::kSeek};
      const Status status = AddCommand({.kind = kKinds[what], .time = kNow}, &job,
                                       key == 0 ? "" : std::to_string(key));
      ASSERT_EQ(status.ok(), model.Ask(what, key)) << "sequence " << sequence << " step " << step;
      ASSERT_EQ(ReplayStateName(job.state), model.state);
      ASSERT_EQ(job.last_command, model.moves.size());
      if (!random.OneIn(5)) continue;
      auto stored = DecodeJob(job.id, EncodeJob(job));  // the process ends and starts again
      ASSERT_TRUE(stored.ok());
      ASSERT_EQ(*stored, job);
    }
    for (size_t i = 0; i < job.commands.size(); ++i) {
      ASSERT_EQ(job.commands[i].number, static_cast<uint64_t>(model.moves[i]));
    }
  }
}

TEST(ReplayJobModel, TheEndInForceIsThatOfTheCommandsThatWereCarriedOut) {
  ReplayJob job = Job();
  const Timestamp first = job.selection.end;
  const Timestamp second(job.selection.start.ns() + 1'000'000'000);
  const Timestamp third(job.selection.start.ns() + 5'000'000'000);
  ASSERT_TRUE(AddCommand({.kind = CommandKind::kPace, .pace = {.speed = 7}}, &job).ok());
  EXPECT_FALSE(MovesBehind(0, job));
  ASSERT_TRUE(AddCommand({.kind = CommandKind::kEnd, .time = second}, &job).ok());
  ASSERT_TRUE(AddCommand({.kind = CommandKind::kEnd, .time = third}, &job).ok());
  const ReplayJob stored = DecodeJob(job.id, EncodeJob(job)).value();
  ASSERT_EQ(stored, job);
  EXPECT_TRUE(MovesBehind(0, stored));
  EXPECT_TRUE(MovesBehind(2, stored));
  EXPECT_FALSE(MovesBehind(3, stored));
  EXPECT_EQ(EndBehind(0, stored), first);
  EXPECT_EQ(EndBehind(1, stored), first);
  EXPECT_EQ(EndBehind(2, stored), second);
  EXPECT_EQ(EndBehind(3, stored), third);
}

TEST(ReplayJobModel, MovesTooManyAndImpossibleOnesAreRefused) {
  ReplayJob job = Job();
  for (size_t i = 0; i < kCommandsMax; ++i) {
    ASSERT_TRUE(AddCommand({.kind = CommandKind::kSeek, .time = kNow}, &job).ok());
  }
  EXPECT_EQ(AddCommand({.kind = CommandKind::kSeek, .time = kNow}, &job).code(),
            StatusCode::kResourceExhausted);
  ForgetCommands(kCommandsMax - 1, &job);
  ASSERT_EQ(job.commands.size(), 1u);
  EXPECT_EQ(AddCommand({.kind = CommandKind::kEnd, .time = job.selection.start}, &job).code(),
            StatusCode::kInvalidArgument);
  EXPECT_EQ(AddCommand({.kind = CommandKind::kPace, .pace = job.pace}, &job).code(),
            StatusCode::kOk);
  EXPECT_EQ(job.last_command, kCommandsMax);  // as it is: nothing to do
}

}  // namespace
}  // namespace tapedeck::testing
