// docs/openapi.yaml against what the routes do: every path, parameter and response, and back.

#include <fstream>
#include <set>

#include "api/routes.h"
#include "api_rig.h"
#include "archive_fill.h"
#include "json_schema.h"
#include "model/reindex_job.h"
#include "record/reindexer.h"
#include "replay/job_json.h"
#include "replay/runner.h"

namespace tapedeck::testing {
namespace {

class Contract : public ::testing::Test {
 protected:
  Contract() {
    rig_.FillTrades("BTC", 3'000, 1'719'893'836, "Finhub1");
    rig_.FillTrades("AB", 3);
    rig_.FillBars("BTC", {"1m", "1h"});
    const TpId tp = rig_.filler.AddTape({"c1", "odd", 0, 0});
    rig_.filler.Append(tp, {.key = "k",
                            .value = R"([{"k":"bad"},{"k":"t","s":"X","t":7,"p":"bad"}])",
                            .timestamp_ms = 5,
                            .headers = {{"h", std::nullopt}, {"g", "\xff"}}});
    rig_.filler.Append(tp, {.value = "\xff\xfe", .timestamp_ms = 6});
    rig_.filler.Commit();
    rig_.filler.AddGap(tp, rig_.filler.NextOffset(tp) + 5, GapReason::kElsewhereMaybe);
    rig_.filler.Commit();
    PartitionState partition;
    partition.tp = {"Finhub1", 0};
    partition.received = partition.stored = 3'000;
    partition.log_end = 3'010;
    rig_.node.state()->recorder.partitions.push_back(partition);
    auto blobs = OpenBlobStore("file://" + std::string(archive_.path() / "archive"), {});
    EXPECT_TRUE(blobs.ok()) << blobs.status().ToString();
    FillArchive(blobs->get());
    rig_.node.OpenArchive(blobs->get());
    rig_.node.close_day = [](Day day,
                             std::vector<std::string> tables) -> Result<std::vector<DayState>> {
      if (!tables.empty() && tables[0] == "nothing") return Status::NotFound("no such table");
      return std::vector<DayState>{{.table = "trades", .day = day, .rows = 3, .trouble = "asleep"}};
    };
    AddReindex();
    AddReplays();
    document_ = rig_.Get("/openapi.json").json();
  }

  ~Contract() override {
    rig_.node.replay_runner = nullptr;
    replays_ = nullptr;
    rig_.node.reindex_runner = nullptr;
  }

  // Jobs that have ended, one under the id that all paths are asked with.
  void AddReindex() {
    StoreBatch batch;
    for (const char* id : {kReplay, "01J00000000000000000000002"}) {
      ReindexJob job;
      job.id = id;
      job.request.topic = "Finhub1";
      job.state = ReindexState::kDone;
      job.ended = Timestamp(1);
      batch.PutJob(job.id, EncodeReindexJob(job));
    }
    EXPECT_TRUE(rig_.filler.store().Write(batch).ok());
    auto made = Reindexer::Make(
        {}, {.store = &rig_.filler.store(),
             .queue = &queue_,
             .clock = &SystemClock(),
             .request_flush = [] { return uint64_t{0}; },
             .flushes_done = [] { return uint64_t{0}; },
             .open_point =
                 [this] { return Result<std::shared_ptr<const ReadPoint>>(rig_.filler.Point()); }});
    ASSERT_TRUE(made.ok() && (*made)->Load(*rig_.filler.store().View()).ok());
    reindexer_ = std::move(made).value();
    rig_.node.reindex_runner = reindexer_.get();
  }

  // Two jobs that have ended, as the store keeps them.
  void AddReplays() {
    StoreBatch batch;
    for (const char* id : {kReplay, "01J00000000000000000000002"}) {
      ReplayJob job;
      job.id = id;
      job.spec.source.topics = {"Finhub1"};
      job.spec.target = {.name = "lab", .topic = "{topic}-replay"};
      job.state = ReplayState::kDone;
      job.spec.restore = std::string_view(id) == kReplay;
      job.spec.target.provenance = !job.spec.restore;
      if (!job.spec.restore) job.spec.target.value = ReplayValue::kJson;
      batch.PutJob(id, EncodeJob(job));
    }
    const OffsetMap map{{{"Finhub1", "Finhub1-replay", 0, 40, 31, {{5, 0, 10}, {20, 11, 20}}}}};
    batch.PutJob(OffsetEntryId(kReplay), EncodeOffsetMap(map));
    EXPECT_TRUE(rig_.filler.store().Write(batch).ok());
    auto runner = ReplayRunner::Make(
        {}, {.clock = &SystemClock(), .queue = &queue_, .open_point = [this] {
               return Result<std::shared_ptr<const ReadPoint>>(rig_.filler.Point());
             }});
    ASSERT_TRUE(runner.ok() && (*runner)->Start(*rig_.filler.store().View()).ok());
    replays_ = std::move(runner).value();
    rig_.node.replay_runner = replays_.get();
  }

  const Json& At(const Json& node) const { return Resolved(document_, node); }

  // All parameters of an operation, resolved.
  std::vector<Json> ParametersOf(const Json& operation) const {
    std::vector<Json> list;
    for (const Json& parameter : operation.value("parameters", Json::array())) {
      list.push_back(At(parameter));
    }
    return list;
  }

  static std::string Text(const Json& value) {
    return value.is_string() ? value.get<std::string>() : value.dump();
  }

  // A request with what is required.
  std::string Target(const std::string& path, const Json& operation, const std::string& table,
                     const std::string& without = "") const {
    std::string target = path;
    if (size_t at = target.find("{table}"); at != std::string::npos) target.replace(at, 7, table);
    if (size_t at = target.find("{day}"); at != std::string::npos)
      target.replace(at, 5, "2024-07-02");
    if (size_t at = target.find("{id}"); at != std::string::npos) {
      target.replace(at, 4,
                     table == "nothing"   ? "01J00000000000000000000009"
                     : table == "nowhere" ? "01J00000000000000000000002"
                                          : kReplay);
    }
    std::string query;
    for (const Json& parameter : ParametersOf(operation)) {
      if (parameter["in"] != "query" || !parameter.value("required", false)) continue;
      if (parameter["name"] == without) continue;
      query +=
          (query.empty() ? "?" : "&") + Text(parameter["name"]) + "=" + Text(parameter["example"]);
    }
    return target + query;
  }
  static std::string And(const std::string& target, const std::string& more) {
    return target + (target.find('?') == std::string::npos ? "?" : "&") + more;
  }

  // The reply is one that the operation documents: status, type of its content, its schema, its
  // headers.
  void Expect(const Json& operation, const Reply& reply, const std::string& target) const {
    const std::string status = std::to_string(reply.status);
    ASSERT_TRUE(operation["responses"].contains(status))
        << target << " -> " << status << " is not in the contract: " << reply.body.substr(0, 300);
    const Json& response = At(operation["responses"][status]);
    const Json headers = response.value("headers", Json::object());
    for (const auto& [name, header] : headers.items()) {
      const Json& facts = At(header);
      const std::string value = reply.Header(name);
      if (facts.value("required", false)) {
        EXPECT_NE(value, "") << target << ": " << name;
      }
      if (value.empty()) continue;
      EXPECT_EQ(SchemaProblems(document_, facts["schema"], Json(value), name),
                std::vector<std::string>())
          << target;
    }
    for (const HttpField& field : reply.headers) {
      const bool ours = field.name.starts_with("Tapedeck-") || field.name == "ETag" ||
                        field.name == "Link" || field.name == "Retry-After";
      if (ours) {
        EXPECT_TRUE(headers.contains(field.name))
            << target << " -> " << status << " has " << field.name;
      }
    }
    if (!response.contains("content")) {
      EXPECT_EQ(reply.body, "") << target;
      return;
    }
    std::string type = reply.Header("Content-Type");
    type = type.substr(0, type.find(';'));
    ASSERT_TRUE(response["content"].contains(type)) << target << " is of type " << type;
    if (!type.ends_with("json") || type == "application/x-ndjson") return;
    EXPECT_EQ(SchemaProblems(document_, response["content"][type]["schema"], reply.json()),
              std::vector<std::string>())
        << target;
  }

  // Of those that are read; what changes something is in doing_test.cc.
  template <typename F>
  void ForEachOperation(F each) const {
    for (const auto& [path, item] : document_["paths"].items()) {
      for (const auto& [method, operation] : item.items()) {
        if (method == "get") each(path, operation);
      }
    }
  }

  static constexpr char kReplay[] = "01J00000000000000000000001";
  TempDir archive_;
  ApiRig rig_;
  StoreQueue queue_;
  std::unique_ptr<ReplayRunner> replays_;
  std::unique_ptr<Reindexer> reindexer_;
  Json document_;
};

TEST_F(Contract, EveryRouteIsInItAndItHasNoOther) {
  EXPECT_EQ(document_["openapi"], "3.1.0");
  size_t operations = 0;
  for (const auto& [path, item] : document_["paths"].items()) operations += item.size();
  EXPECT_EQ(operations, Routes().size());
  for (const Route& route : Routes()) {
    const std::string pattern(route.pattern);
    std::string method(route.method);
    std::ranges::transform(method, method.begin(), [](char c) { return c | 0x20; });
    ASSERT_TRUE(document_["paths"].contains(pattern)) << pattern;
    ASSERT_TRUE(document_["paths"][pattern].contains(method)) << method << " " << pattern;
    std::set<std::string> documented;
    for (const Json& parameter : ParametersOf(document_["paths"][pattern][method])) {
      if (parameter["in"] == "query") documented.insert(Text(parameter["name"]));
    }
    std::set<std::string> taken(route.parameters.begin(), route.parameters.end());
    EXPECT_EQ(documented, taken) << pattern;
    const Json& operation = document_["paths"][pattern][method];
    const bool open =
        operation.contains("security") && operation["security"] == Json::parse("[{}]");
    EXPECT_EQ(open, route.scope == RouteScope::kAnybody) << pattern;
  }
}

TEST_F(Contract, EachRouteAnswersWhatIsRequiredAsItSays) {
  ForEachOperation([&](const std::string& path, const Json& operation) {
    for (const char* table : {"trades", "quotes", "bars", "odd"}) {
      const std::string target = Target(path, operation, table);
      const Reply reply = rig_.Get(target);
      EXPECT_EQ(reply.status, 200) << target << reply.body;
      Expect(operation, reply, target);
      if (path.find("{table}") == std::string::npos) break;
    }
  });
}

TEST_F(Contract, EachParameterTakesItsExamplesAndChoicesAndDefault) {
  ForEachOperation([&](const std::string& path, const Json& operation) {
    for (const Json& parameter : ParametersOf(operation)) {
      if (parameter["in"] != "query") continue;
      const std::string name = Text(parameter["name"]);
      std::vector<std::string> values;
      const Json& schema = parameter["schema"];
      for (const Json& choice : schema.value("enum", Json::array())) values.push_back(Text(choice));
      for (const Json* from : {&parameter, &schema}) {
        for (const char* key : {"example", "default", "minimum", "maximum"}) {
          if (from->contains(key)) values.push_back(Text((*from)[key]));
        }
      }
      if (name == "cursor") {
        const std::string lines =
            rig_.Get(And(Target(path, operation, "trades"), "end=1719893840s")).body;
        values.push_back(Json::parse(lines.substr(0, lines.find('\n')))["cursor"]);
      }
      if (name == "page_token") {
        const Json first = rig_.Get(And(Target(path, operation, "trades"), "limit=1")).json();
        ASSERT_TRUE(first["next_page_token"].is_string() || path == "/v1/refused") << path;
        if (!first["next_page_token"].is_string()) continue;
        values.push_back(first["next_page_token"]);
      }
      ASSERT_FALSE(values.empty()) << path << " " << name << " has no example";
      for (const std::string& value : values) {
        std::string target = And(Target(path, operation, "trades", name), name + "=" + value);
        if (name.ends_with("_offset")) target += "&partition=0";
        if (name == "by") target = And(Target(path, operation, "bars"), "by=" + value);
        if (name == "end_marker") target += "&format=ndjson";
        if (path == "/v1/stream") {
          if (name == "follow" && value == "true") continue;  // has no end: stream_test.cc
          if (name == "origin" && value == "true") target += "&value=json";
          if (name == "speed" || name == "max_idle") target += "&pace=original";
          if (name == "messages_per_second") target += "&pace=rate";
          // A few messages: the slowest pace takes hours for each.
          if (name != "start" && name != "end") target += "&end=1719893840s";
          if (name == "pace" && value == "rate") target += "&messages_per_second=1000000";
        }
        const Reply reply = rig_.Get(target);
        // Nothing but a state that is gone and a marker without its place may fail.
        if (name != "as_of") {
          EXPECT_EQ(reply.status, 200) << target << " " << reply.body.substr(0, 300);
        }
        Expect(operation, reply, target);
      }
    }
  });
}

TEST_F(Contract, EachErrorThatIsDocumentedCanBeHadAndNoOther) {
  struct Trigger {
    std::string code;
    std::string more;  // appended to the query
    std::string table = "trades";
    Headers headers = {};
    std::string method = "GET";
  };
  const std::vector<Trigger> triggers = {
      {"400", "nonsense=1"},
      {"404", "", "nothing"},
      {"404", "table=nothing"},
      {"404", "topic=nothing"},
      {"404", "topics=nothing"},
      {"409", "", "nowhere"},  // of a job that is no restore
      {"405", "", "trades", {}, "PUT"},
      {"406", "", "trades", {{"Accept", "image/png"}}},
  };
  ForEachOperation([&](const std::string& path, const Json& operation) {
    std::set<std::string> seen;
    for (const Trigger& trigger : triggers) {
      std::string target =
          Target(path, operation, trigger.table, trigger.more.substr(0, trigger.more.find('=')));
      if (!trigger.more.empty()) target = And(target, trigger.more);
      const Reply reply = rig_.Get(target, trigger.headers, trigger.method);
      Expect(operation, reply, target);
      seen.insert(std::to_string(reply.status));
    }
    rig_.node.SetPhase(ServedPhase::kRecovering);
    const Reply busy = rig_.Get(Target(path, operation, "trades"));
    Expect(operation, busy, path + " while it recovers");
    seen.insert(std::to_string(busy.status));
    rig_.node.state()->silence = std::chrono::hours(1);
    rig_.node.SetPhase(ServedPhase::kRecording);
    const Reply unwell = rig_.Get(Target(path, operation, "trades"));
    Expect(operation, unwell, path + " while the record thread hangs");
    seen.insert(std::to_string(unwell.status));
    rig_.node.state()->silence = std::chrono::hours(0);
    std::vector<HttpResponse> open;  // streams of one address
    while (operation["responses"].contains("429") && open.size() < 20) {
      const std::string target = And(Target(path, operation, "trades"), "format=ndjson");
      open.push_back(rig_.api->Handle(ApiRig::RequestOf(target)));
      if (open.back().status == 200) continue;
      seen.insert(std::to_string(open.back().status));
      Expect(operation, Drain(std::move(open.back())), target);
      break;
    }
    for (const auto& [code, unused] : operation["responses"].items()) {
      if (code == "401" || code == "403" || code == "422" || code == "304") continue;  // below
      // A page whose reads fail is made without them; it has no slot where all are taken.
      if (path == "/" && code == "503") continue;
      EXPECT_TRUE(seen.contains(code)) << path << " never answers " << code;
    }
  });
}

TEST_F(Contract, WhoMayNotAskIsTold) {
  TempDir dir;
  const std::string file = std::string(dir.path()) + "/tokens";
  auto made = MakeToken("a", kScopeAdmin, Timestamp::Max());
  ASSERT_TRUE(made.ok());
  auto reads = MakeToken("r", kScopeRead, Timestamp::Max());
  ASSERT_TRUE(reads.ok());
  std::ofstream(file) << made->line << "\n" << reads->line << "\n";
  std::filesystem::permissions(file, std::filesystem::perms::owner_read);
  ManualClock clock{Timestamp(0)};
  auto tokens = TokenFile::Open(file, &clock);
  ASSERT_TRUE(tokens.ok()) << tokens.status().ToString();
  ApiRig rig(tokens->get());
  ForEachOperation([&](const std::string& path, const Json& operation) {
    const std::string target = Target(path, operation, "trades");
    const Reply none = rig.Get(target);
    // Of another scope: who reindexes is an admin.
    const std::string& token = path.starts_with("/v1/reindex") ? reads->token : made->token;
    const Reply other = rig.Get(target, {{"Authorization", "Bearer " + token}});
    EXPECT_EQ(operation["responses"].contains("401"), none.status == 401) << path;
    EXPECT_EQ(operation["responses"].contains("403"), other.status == 403) << path;
    Expect(operation, none, target);
    Expect(operation, other, target);
  });
}

// F3: a page that would hold too much. 70 records with a text of a megabyte each.
TEST_F(Contract, PagesThatAreTooLargeAreRefused) {
  const TpId tp = rig_.filler.AddTape({"c1", "big", 0, 0});
  for (int i = 0; i < 70; ++i) {
    rig_.filler.Append(
        tp, {.value = R"([{"k":"t","s":"BIG)" + std::to_string(i) +
                      R"(","t":7,"p":"1","v":"1","i":")" + std::string(1'000'000, 'x') + R"("}])",
             .timestamp_ms = 5});
    if (i % 10 == 0) rig_.filler.Commit();
  }
  rig_.filler.Commit();
  ForEachOperation([&](const std::string& path, const Json& operation) {
    // Lists: limits_test.cc. This one has no pages.
    if (!operation["responses"].contains("429") || path == "/v1/stream") return;
    std::string target = Target(path, operation, "trades", path == "/v1/messages" ? "topic" : "");
    if (path == "/v1/messages") target = And(target, "topic=big");
    const Reply reply = rig_.Get(And(target, "limit=50000"));
    EXPECT_EQ(reply.status, 422) << target;
    EXPECT_EQ(reply.problem(), "range-too-large");
    Expect(operation, reply, target);
    const Reply stream = rig_.Get(And(target, "format=ndjson"));
    EXPECT_EQ(stream.status, 200) << "a stream is never refused for its length";
    EXPECT_EQ(stream.Trailer("Tapedeck-Status"), "complete");
    EXPECT_GT(stream.body.size(), size_t{70'000'000});
  });
  EXPECT_EQ(rig_.api->reads_open(), 0u);
}

TEST_F(Contract, WhatAClientHasAlreadyIsNotSentAgain) {
  rig_.filler.Flush();
  ForEachOperation([&](const std::string& path, const Json& operation) {
    if (!operation["responses"].contains("304")) return;
    // Nothing is there and nothing open: that has a name until something comes.
    const std::string target =
        And(Target(path, operation, "quotes"), "start=1990-01-01&end=1990-01-02");
    const Reply first = rig_.Get(target);
    Expect(operation, first, target);
    if (first.Header("ETag").empty()) return;  // coverage has gaps
    const Reply again = rig_.Get(target, {{"If-None-Match", first.Header("ETag")}});
    EXPECT_EQ(again.status, 304) << target;
    Expect(operation, again, target);
  });
}

}  // namespace
}  // namespace tapedeck::testing
