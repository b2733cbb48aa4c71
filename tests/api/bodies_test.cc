// Bodies of requests, walked by the contract: each field of each, wrong in every way that the
// schema excludes, is a 400 that names it and says what is wanted.

#include <algorithm>
#include <map>
#include <set>

#include "api_rig.h"
#include "json_schema.h"
#include "model/reindex_job.h"
#include "record/reindexer.h"
#include "replay/job_json.h"
#include "replay/runner.h"

namespace tapedeck::testing {
namespace {

constexpr char kJob[] = "01J00000000000000000000001";

struct Body {
  const char* method;
  const char* path;     // as in the contract
  const char* example;  // good
};

// Together they have every field of every body.
constexpr Body kBodies[] = {
    {"POST", "/v1/days/{day}/close", R"({"tables": ["trades"]})"},
    {"POST", "/v1/flush", "{}"},
    {"POST", "/v1/reindex",
     R"({"tables": ["trades"], "start": "2024-07-02", "end": "2024-07-03"})"},
    {"POST", "/v1/reindex", R"({"topic": "ticks"})"},
    {"POST", "/v1/replays", R"({
       "source": {"topics": ["ticks"], "symbols": ["BTC"], "tables": ["trades"], "clock": "kafka",
                  "start": "2024-07-02", "end": "2024-07-03"},
       "target": {"name": "lab", "topic": "ticks-replay", "partition": "same", "value": "original",
                  "timestamps": "original", "provenance": true},
       "order": "arrival", "pace": {"mode": "original", "speed": 10.0, "max_idle": "5s"},
       "delivery": "exactly-once", "allow_gaps": false, "force": false, "restore": false})"},
    {"POST", "/v1/replays", R"({
       "source": {"offsets": [{"topic": "ticks", "partition": 0, "lineage": 0, "from": 0, "to": 9}]},
       "target": {"name": "lab", "topic": "ticks-replay"},
       "pace": {"mode": "rate", "messages_per_second": 5}})"},
    {"POST", "/v1/replays", R"({
       "source": {"topics": ["ticks"]}, "target": {"name": "lab", "topic": "ticks-replay"},
       "pace": {"mode": "rate", "bytes_per_second": 1000}})"},
    {"PATCH", "/v1/replays/{id}", R"({
       "state": "running", "seek": "2024-07-02", "source": {"end": "2024-07-03"},
       "pace": {"mode": "original", "speed": 2.0, "max_idle": "5s"}})"},
    {"PATCH", "/v1/replays/{id}", R"({"pace": {"mode": "rate", "messages_per_second": 5}})"},
    {"PATCH", "/v1/replays/{id}", R"({"pace": {"mode": "rate", "bytes_per_second": 1000}})"},
};

// What a client may write instead of anything.
std::vector<Json> Values() {
  return {Json(-17),
          Json(0.5),
          Json(1.5e300),
          Json(UINT64_MAX),
          Json(true),
          Json("nonsense"),
          Json(""),
          Json(std::string(5'000, 'x')),
          Json::array({Json::array()}),
          Json::array({17}),
          Json::array(),
          Json::object({{"a", 1}}),
          Json::object()};
}

// Strings that the schema cannot exclude and that mean nothing in these fields; "": any time or
// span.
const std::multimap<std::string, std::string> kMeaningless = {
    {"start", "nonsense"},
    {"start", ""},
    {"start", "1712877306113"},
    {"end", "nonsense"},
    {"end", ""},
    {"end", "2024-02-30"},
    {"seek", "nonsense"},
    {"seek", ""},
    {"source.start", "nonsense"},
    {"source.start", ""},
    {"source.end", "nonsense"},
    {"source.end", ""},
    {"pace.max_idle", "nonsense"},
    {"pace.max_idle", ""},
    {"pace.max_idle", "5"},
    {"target.name", ""},
    {"target.name", "moon"},
    {"target.topic", ""},
    {"target.topic", "a b"},
    {"target.topic", std::string(5'000, 'x')},
    {"target.partition", "nonsense"},
    {"topic", ""},
    {"source.offsets.topic", ""}};

// "/source/offsets/0/topic" -> "source.offsets.topic"
std::string FieldOf(const std::string& pointer) {
  std::string field;
  for (size_t at = 1; at <= pointer.size();) {
    const size_t end = std::min(pointer.find('/', at), pointer.size());
    const std::string part = pointer.substr(at, end - at);
    if (!part.empty() && part != "0") field += (field.empty() ? "" : ".") + part;
    at = end + 1;
  }
  return field;
}

// Every value inside `json`, the whole first.
void ForEachPointer(const Json& json, const std::string& at,
                    const std::function<void(const std::string&)>& use) {
  use(at);
  if (json.is_object()) {
    for (const auto& [name, value] : json.items()) ForEachPointer(value, at + "/" + name, use);
  }
  if (json.is_array() && !json.empty()) ForEachPointer(json[0], at + "/0", use);
}

// The text of `json` with one member twice.
std::string Doubled(const Json& json, const std::string& pointer) {
  const size_t slash = pointer.rfind('/');
  const std::string name = pointer.substr(slash + 1);
  Json marked = json;
  Json& owner = marked[Json::json_pointer(pointer.substr(0, slash))];
  const std::string member = Json(name).dump() + ":" + owner[name].dump();
  owner["@@"] = 0;
  std::string text = marked.dump();
  const std::string mark = "\"@@\":0";
  return text.replace(text.find(mark), mark.size(), member);
}

class Bodies : public ::testing::Test {
 protected:
  Bodies() {
    rig_.FillTrades("BTC", 10);
    rig_.node.close_day = [this](Day, const std::vector<std::string>&) {
      ++done_;
      return Result<std::vector<DayState>>(std::vector<DayState>{});
    };
    auto open_point = [this] {
      return Result<std::shared_ptr<const ReadPoint>>(rig_.filler.Point());
    };
    ReplayJob job;
    job.id = kJob;
    job.spec.source.topics = {"ticks"};
    job.spec.target = {.name = "lab", .topic = "ticks-replay"};
    job.state = ReplayState::kPaused;
    StoreBatch batch;
    batch.PutJob(job.id, EncodeJob(job));
    EXPECT_TRUE(rig_.filler.store().Write(batch).ok());
    ReplayOptions options;
    options.targets["lab"] = {.bootstrap_servers = "127.0.0.1:1", .topics = {".*-replay"}};
    auto runner = ReplayRunner::Make(
        options, {.clock = &SystemClock(), .queue = &queue_, .open_point = open_point});
    EXPECT_TRUE(runner.ok()) << runner.status().ToString();
    runner_ = std::move(runner).value();
    EXPECT_TRUE(runner_->Start(*rig_.filler.store().View()).ok());
    rig_.node.replay_runner = runner_.get();
    document_ = rig_.Get("/openapi.json").json();
  }
  ~Bodies() override { rig_.node.replay_runner = nullptr; }

  static std::string TargetOf(const Body& body) {
    std::string target = body.path;
    for (const auto& [hole, name] : {std::pair("{day}", "2024-07-02"), std::pair("{id}", kJob)}) {
      if (const size_t at = target.find(hole); at != std::string::npos)
        target.replace(at, std::string(hole).size(), name);
    }
    return target;
  }
  const Json& OperationOf(const Body& body) {
    std::string verb = body.method;
    for (char& c : verb) c = static_cast<char>(c | 0x20);
    return document_["paths"][body.path][verb];
  }
  const Json& SchemaOf(const Body& body) {
    return Resolved(document_,
                    OperationOf(body)["requestBody"]["content"]["application/json"]["schema"]);
  }

  /// Refused, by the name of the field, in words and as the contract has it.
  void ExpectRefused(const Body& body, const std::string& text, const std::string& field) {
    HttpRequest request = ApiRig::RequestOf(TargetOf(body), {}, body.method);
    request.body = text;
    const Reply reply = Drain(rig_.api->Handle(request));
    const std::string what =
        std::string(body.method) + " " + body.path + " " + text.substr(0, 400) + "\n" + reply.body;
    ++sent_;
    ASSERT_EQ(reply.status, 400) << what;
    EXPECT_EQ(reply.problem(), "invalid-parameter") << what;
    const Json problem = reply.json();
    EXPECT_EQ(SchemaProblems(document_, document_["components"]["schemas"]["Problem"], problem),
              std::vector<std::string>())
        << what;
    ASSERT_EQ(problem["errors"].size(), 1u) << what;
    const std::string named = problem["errors"][0]["parameter"];
    // Of a member within a list or an object of the field, that may be named itself.
    EXPECT_TRUE(named == field || named.starts_with(field + ".") ||
                (field.starts_with(named + ".") && named == Parent(field)))
        << named << " instead of " << field << ": " << what;
    const std::string detail = problem["errors"][0]["detail"];
    EXPECT_GE(detail.size(), 8u) << what;
    EXPECT_LE(reply.body.size(), 2'000u) << "it repeats what it was sent: " << what.substr(0, 600);
  }
  static std::string Parent(const std::string& field) { return field.substr(0, field.rfind('.')); }

  ApiRig rig_;
  StoreQueue queue_;  // which nobody serves: nothing may be written
  std::unique_ptr<ReplayRunner> runner_;
  Json document_;
  int done_ = 0;
  size_t sent_ = 0;
};

void FieldsOf(const Json& document, const Json& given, const std::string& at,
              std::set<std::string>* fields) {
  const Json& schema = Resolved(document, given);
  const Json properties = schema.value("properties", Json::object());
  for (const auto& [name, inner] : properties.items()) {
    const std::string field = at.empty() ? name : at + "." + name;
    fields->insert(field);
    FieldsOf(document, inner, field, fields);
  }
  if (schema.contains("items")) FieldsOf(document, schema["items"], at, fields);
}

// A body, or a field of one, that is added to the contract and not here fails.
TEST_F(Bodies, TheExamplesAreGoodAndHaveEveryFieldOfTheContract) {
  std::map<std::string, std::set<std::string>> seen;
  for (const Body& body : kBodies) {
    const Json example = Json::parse(body.example);
    EXPECT_EQ(SchemaProblems(document_, SchemaOf(body), example), std::vector<std::string>())
        << body.example;
    ForEachPointer(example, "", [&](const std::string& at) {
      seen[std::string(body.method) + " " + body.path].insert(FieldOf(at));
    });
  }
  size_t bodies = 0;
  for (const auto& [path, item] : document_["paths"].items()) {
    for (const auto& [verb, operation] : item.items()) {
      if (!operation.is_object() || !operation.contains("requestBody")) continue;
      std::string name = verb + " " + path;
      for (char& c : name) {
        if (c == ' ') break;
        c = static_cast<char>(c & ~0x20);
      }
      ++bodies;
      ASSERT_TRUE(seen.contains(name)) << name << " has a body and no example here";
      std::set<std::string> fields;
      FieldsOf(document_, operation["requestBody"]["content"]["application/json"]["schema"], "",
               &fields);
      for (const std::string& field : fields)
        EXPECT_TRUE(seen[name].contains(field)) << name << ": no example has " << field;
    }
  }
  EXPECT_EQ(bodies, seen.size());
}

TEST_F(Bodies, AValueThatTheContractExcludesIsNamed) {
  for (const Body& body : kBodies) {
    const Json example = Json::parse(body.example);
    ForEachPointer(example, "", [&](const std::string& at) {
      for (const Json& value : Values()) {
        Json wrong = example;
        wrong[Json::json_pointer(at)] = value;
        if (SchemaProblems(document_, SchemaOf(body), wrong).empty()) continue;
        std::string field = FieldOf(at);
        // What is wrong within an object is a member that is not known, or one that it lacks.
        if (field.empty()) field = value.is_object() && !value.empty() ? "a" : "body";
        if (at.empty() && value == Json::object()) continue;
        ExpectRefused(body, wrong.dump(), field);
      }
    });
  }
  EXPECT_GT(sent_, 300u);
  EXPECT_EQ(done_, 0);
}

TEST_F(Bodies, AMemberThatIsNotKnownOrThereTwiceIsNamed) {
  for (const Body& body : kBodies) {
    const Json example = Json::parse(body.example);
    ForEachPointer(example, "", [&](const std::string& at) {
      const Json& here = example[Json::json_pointer(at)];
      if (here.is_object()) {
        Json wrong = example;
        wrong[Json::json_pointer(at + "/nonsense")] = 1;
        const std::string field = FieldOf(at);
        ExpectRefused(body, wrong.dump(), field.empty() ? "nonsense" : field + ".nonsense");
      }
      const size_t slash = at.rfind('/');
      if (at.empty() || at.substr(slash) == "/0") return;
      ExpectRefused(body, Doubled(example, at), at.substr(slash + 1));
    });
  }
  EXPECT_EQ(done_, 0);
}

TEST_F(Bodies, AWordThatMeansNothingIsNamed) {
  size_t tried = 0;
  for (const Body& body : kBodies) {
    const Json example = Json::parse(body.example);
    ForEachPointer(example, "", [&](const std::string& at) {
      const auto [from, to] = kMeaningless.equal_range(FieldOf(at));
      for (auto one = from; one != to; ++one, ++tried) {
        Json wrong = example;
        wrong[Json::json_pointer(at)] = one->second;
        ExpectRefused(body, wrong.dump(), one->first);
      }
    });
  }
  EXPECT_GE(tried, kMeaningless.size());
  EXPECT_EQ(done_, 0);
}

TEST_F(Bodies, WhatIsNoJsonIsABodyThatIsWrong) {
  for (const Body& body : kBodies) {
    for (const std::string& text :
         {std::string("[]"), std::string("null"), std::string("17"), std::string("{"),
          std::string("{} {}"), std::string("\"x\""), std::string("{\"tables\":"),
          std::string("\xff\xfe"), std::string("{\"\xff\":1}"), std::string(100'000, '['),
          std::string("{\"a\":") + std::string(40, '[') + std::string(40, ']') + "}",
          std::string("\0{}", 3), std::string("// {}")}) {
      HttpRequest request = ApiRig::RequestOf(TargetOf(body), {}, body.method);
      request.body = text;
      const Reply reply = Drain(rig_.api->Handle(request));
      EXPECT_EQ(reply.status, 400) << body.method << " " << body.path << " " << text.substr(0, 80);
      EXPECT_EQ(reply.named().size(), 1u) << reply.body;
      EXPECT_EQ(reply.named()[0], "body") << text.substr(0, 80) << reply.body;
    }
    std::string bytes = body.example;
    const size_t quote = bytes.rfind("\"ticks");
    if (quote == std::string::npos) continue;
    ExpectRefused(body, bytes.replace(quote + 1, 2, "\xff\xfe"), "body");
  }
}

}  // namespace
}  // namespace tapedeck::testing
