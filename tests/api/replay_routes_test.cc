// /v1/replays: what requests become, and what is refused; jobs themselves are tests/replay's.

#include <atomic>
#include <filesystem>
#include <fstream>
#include <thread>

#include "api/tokens.h"
#include "api_rig.h"
#include "json_schema.h"
#include "replay/job_json.h"
#include "replay/runner.h"
#include "support/temp_dir.h"

namespace tapedeck::testing {
namespace {

constexpr char kPaused[] = "01J00000000000000000000001";
constexpr char kFailed[] = "01J00000000000000000000002";

class ReplayRoutes : public ::testing::Test {
 protected:
  ReplayRoutes() {
    rig_.FillTrades("BTC", 10);
    StoreBatch batch;
    for (const auto& [id, state] :
         {std::pair(kPaused, ReplayState::kPaused), std::pair(kFailed, ReplayState::kFailed)}) {
      ReplayJob job;
      job.id = id;
      job.spec.source.topics = {"ticks"};
      job.spec.target = {.name = "lab", .topic = "ticks-replay"};
      job.state = state;
      batch.PutJob(id, EncodeJob(job));
    }
    EXPECT_TRUE(rig_.filler.store().Write(batch).ok());
    Restart();
    writer_ = std::thread([this] {
      while (!stop_.load()) {
        EXPECT_TRUE(queue_.Serve(&rig_.filler.store()).ok());
        SystemClock().SleepFor(std::chrono::milliseconds(1));
      }
    });
    document_ = rig_.Get("/openapi.json").json();
  }
  ~ReplayRoutes() override {
    rig_.node.replay_runner = nullptr;
    runner_ = nullptr;
    stop_.store(true);
    writer_.join();
  }

  /// A runner of what is in the store by now.
  void Restart() {
    rig_.node.replay_runner = nullptr;
    runner_ = nullptr;
    ReplayOptions options;
    options.targets["lab"] = {.bootstrap_servers = "127.0.0.1:1", .topics = {".*-replay"}};
    auto runner = ReplayRunner::Make(
        options, {.clock = &SystemClock(), .queue = &queue_, .open_point = [this] {
                    return Result<std::shared_ptr<const ReadPoint>>(rig_.filler.Point());
                  }});
    EXPECT_TRUE(runner.ok() && (*runner)->Start(*rig_.filler.store().View()).ok());
    runner_ = std::move(runner).value();
    rig_.node.replay_runner = runner_.get();
  }
  /// The reply, which the contract must know.
  Reply Send(const std::string& method, const std::string& path, const std::string& body = "") {
    HttpRequest request = ApiRig::RequestOf(path, {}, method);
    request.body = body;
    const Reply reply = Drain(rig_.api->Handle(request));
    std::string pattern = path;
    if (const size_t at = path.find("/01J"); at != std::string::npos) {
      pattern = path.substr(0, at) + "/{id}" + path.substr(at + 27);
    }
    std::string verb = method;
    for (char& c : verb) c = static_cast<char>(c | 0x20);
    const Json& item = document_["paths"][pattern];
    if (!item.contains(verb)) return reply;
    const Json& responses = item[verb]["responses"];
    const std::string status = std::to_string(reply.status);
    EXPECT_TRUE(responses.contains(status)) << method << " " << path << " -> " << reply.body;
    if (!responses.contains(status)) return reply;
    const Json& response = Resolved(document_, responses[status]);
    const std::string type = reply.Header("Content-Type");
    if (response.contains("content") && type.ends_with("json")) {
      EXPECT_EQ(SchemaProblems(document_, response["content"][type]["schema"], reply.json()),
                std::vector<std::string>());
    }
    return reply;
  }
  static std::string Job(const char* id) { return std::string("/v1/replays/") + id; }

  ApiRig rig_;
  StoreQueue queue_;
  std::unique_ptr<ReplayRunner> runner_;
  std::atomic<bool> stop_{false};
  std::thread writer_;
  Json document_;
};

TEST_F(ReplayRoutes, ARequestIsRefusedByTheFieldThatIsWrong) {
  const std::pair<const char*, const char*> kWrong[] = {
      {"", "body"},
      {R"({"target":{"name":"lab","topic":"a b"}})", "target.topic"},
      {R"({"target":{"name":"lab","topic":"t-replay"},"pace":{"mode":"fast"}})", "pace.mode"},
      {R"({"source":{"topics":["ticks"]},"target":{"name":"moon","topic":"t"}})", "target.name"},
      {R"({"source":{"topics":["nobody"]},"target":{"name":"lab","topic":"t-replay"}})", "body"},
      {R"({"source":{"topics":["ticks"]},"target":{"name":"lab","topic":"t"}})", "target.topic"}};
  for (const auto& [body, field] : kWrong) {
    const Reply reply = Send("POST", "/v1/replays", body);
    EXPECT_EQ(reply.status, 400) << body << reply.body;
    EXPECT_EQ(reply.named(), std::vector<std::string>{field}) << body;
  }
}

TEST_F(ReplayRoutes, AJobIsShownChangedAndForgotten) {
  EXPECT_EQ(Send("GET", "/v1/replays").json()["data"].size(), 2u);
  EXPECT_EQ(Send("GET", Job(kPaused)).json()["state"], "paused");
  const Reply faster = Send("PATCH", Job(kPaused), R"({"pace":{"speed":2}})");
  EXPECT_EQ(faster.status, 200);
  EXPECT_EQ(faster.json()["pace"]["speed"], 2.0);
  EXPECT_EQ(Send("PATCH", Job(kPaused), R"({"pace":{"speed":0}})").status, 400);
  EXPECT_EQ(Send("PATCH", Job(kFailed), R"({"seek":"2024-07-02"})").status, 409);
  EXPECT_EQ(Send("PATCH", Job(kPaused), R"({"state":"cancelled"})").json()["state"], "cancelled");
  EXPECT_EQ(Send("PATCH", Job(kPaused), R"({"state":"paused"})").problem(), "conflict");
  EXPECT_EQ(Send("DELETE", Job(kPaused)).status, 204);
  EXPECT_EQ(Send("DELETE", Job(kPaused)).status, 404);
  EXPECT_EQ(Send("GET", Job(kPaused)).status, 404);
  EXPECT_EQ(Send("GET", "/v1/replays").json()["data"].size(), 1u);
}

TEST_F(ReplayRoutes, OffsetsOfARestoreAreRowsOfOneTopicAndOnesPlaceIsOneRow) {
  constexpr char kDone[] = "01J00000000000000000000003";
  const std::string offsets = Job(kDone) + "/offsets";
  EXPECT_EQ(Send("GET", offsets).status, 404);
  EXPECT_EQ(Send("GET", Job(kPaused) + "/offsets").problem(), "conflict");
  ReplayJob job;
  job.id = kDone;
  job.spec.source.topics = {"ticks", "quotes"};
  job.spec.target = {.name = "lab", .topic = "{topic}-replay", .provenance = false};
  job.spec.restore = true;
  job.state = ReplayState::kDone;
  const OffsetMap map{{{"quotes", "quotes-replay", 0, 1, 1, {{0, 0, 1}}},
                       {"ticks", "ticks-replay", 0, 9, 4, {{5, 0, 2}, {8, 3, 1}}},
                       {"ticks", "ticks-replay", 1, 3, 0, {}}}};
  const Status written = queue_.Write([&](StoreBatch* batch) {
    batch->PutJob(kDone, EncodeJob(job));
    batch->PutJob(OffsetEntryId(kDone), EncodeOffsetMap(map));
    return Status::Ok();
  });
  ASSERT_TRUE(written.ok()) << written.ToString();
  Restart();
  const Reply both = Send("GET", offsets);
  EXPECT_EQ(both.status, 400);
  EXPECT_EQ(both.named(), std::vector<std::string>{"topic"});
  EXPECT_EQ(Send("GET", offsets + "?topic=ticks").body,
            "partition,old,new\r\n0,5,0\r\n0,6,1\r\n0,8,3\r\n0,9,4\r\n1,3,0\r\n");
  EXPECT_EQ(Send("GET", offsets + "?topic=ticks&partition=0&from_offset=7&limit=1").body,
            "partition,old,new\r\n0,8,3\r\n");
  EXPECT_EQ(Send("GET", offsets + "?topic=ticks&partition=0&from_offset=12").body,
            "partition,old,new\r\n0,12,4\r\n");
  EXPECT_EQ(Send("GET", offsets + "?topic=ticks&partition=2").status, 404);
  EXPECT_EQ(Send("GET", offsets + "?topic=trades").status, 404);
  EXPECT_EQ(Send("GET", offsets + "?from_offset=-1").status, 400);
}

TEST_F(ReplayRoutes, EventsEndWithTheJob) {
  const Reply reply = Send("GET", Job(kFailed) + "/events");
  EXPECT_EQ(reply.status, 200);
  EXPECT_EQ(reply.Header("Content-Type"), "text/event-stream");
  EXPECT_TRUE(reply.body.starts_with("id: 1\nevent: failed\ndata: {\"id\":\"01J")) << reply.body;
  EXPECT_TRUE(reply.broken.ok());
}

TEST_F(ReplayRoutes, EventsEndWithTheTokenThatAskedForThem) {
  TempDir dir;
  const std::string file = dir.File("tokens");
  auto removed = MakeToken("removed", kScopeReplay, Timestamp::Max());
  auto reader = MakeToken("reader", kScopeRead, Timestamp::Max());
  ASSERT_TRUE(removed.ok() && reader.ok());
  std::ofstream(file) << removed->line << "\n" << reader->line << "\n";
  std::filesystem::permissions(file, std::filesystem::perms::owner_all);
  ManualClock of_tokens{Timestamp(0)};
  auto tokens = TokenFile::Open(file, &of_tokens);
  ASSERT_TRUE(tokens.ok()) << tokens.status().ToString();
  ApiRig guarded(tokens->get());
  guarded.node.replay_runner = runner_.get();
  HttpResponse events = guarded.api->Handle(
      ApiRig::RequestOf(Job(kPaused) + "/events", {{"Authorization", "Bearer " + removed->token}}));
  ASSERT_EQ(events.status, 200);
  auto next = [&] {
    of_tokens.Advance(std::chrono::seconds(2));
    guarded.clock.Advance(std::chrono::seconds(2));
    std::string piece;
    return events.stream->Next(&piece).status();
  };
  for (int i = 0; i < 10; ++i) EXPECT_TRUE(next().ok()) << "the job is paused: they go on";
  std::ofstream(file, std::ios::trunc) << reader->line << "\n";
  EXPECT_EQ(next().code(), StatusCode::kFailedPrecondition);
  guarded.node.replay_runner = nullptr;
}

TEST_F(ReplayRoutes, OtherMethodsAndANodeThatIsNotReadyAreToldApart) {
  const Reply put = Send("PUT", Job(kPaused), "{}");
  EXPECT_EQ(put.status, 405);
  EXPECT_NE(put.Header("Allow").find("PATCH"), std::string::npos);
  rig_.node.replay_runner = nullptr;
  EXPECT_EQ(Send("GET", "/v1/replays").status, 503);
  EXPECT_EQ(Send("POST", "/v1/replays", "{}").status, 503);
}

}  // namespace
}  // namespace tapedeck::testing
