// POST /v1/days/{day}/close and POST /v1/flush: what they ask of the node, and what they refuse.

#include <fstream>

#include "api_rig.h"
#include "json_schema.h"

namespace tapedeck::testing {
namespace {

constexpr const char* kClose = "/v1/days/2024-07-02/close";

class Doing : public ::testing::Test {
 protected:
  Doing() {
    rig_.node.close_day = [this](Day day,
                                 std::vector<std::string> tables) -> Result<std::vector<DayState>> {
      asked_.emplace_back(day, tables);
      if (!tables.empty() && tables[0] == "nothing")
        return Status::NotFound("there is no table nothing");
      return std::vector<DayState>{{.table = "trades", .day = day, .rows = 3}};
    };
    document_ = rig_.Get("/openapi.json").json();
  }
  // As the contract has it.
  void Expect(const char* path, const Reply& reply) {
    const Json& responses = document_["paths"][path]["post"]["responses"];
    const std::string status = std::to_string(reply.status);
    ASSERT_TRUE(responses.contains(status)) << path << " -> " << status << " " << reply.body;
    const Json& response = Resolved(document_, responses[status]);
    const std::string type = reply.Header("Content-Type");
    ASSERT_TRUE(response["content"].contains(type)) << type;
    EXPECT_EQ(SchemaProblems(document_, response["content"][type]["schema"], reply.json()),
              std::vector<std::string>());
  }
  Reply Close(std::string body, const char* target = kClose) {
    const Reply reply = rig_.Post(target, std::move(body));
    Expect("/v1/days/{day}/close", reply);
    return reply;
  }
  Reply Flush(std::string body) {
    const Reply reply = rig_.Post("/v1/flush", std::move(body));
    Expect("/v1/flush", reply);
    return reply;
  }

  ApiRig rig_;
  Json document_;
  std::vector<std::pair<Day, std::vector<std::string>>> asked_;
};

TEST_F(Doing, ADayIsClosedOfAllTablesOrOfSome) {
  for (const char* all : {"", "{}", " { } "}) {
    const Reply reply = Close(all);
    EXPECT_EQ(reply.status, 202) << all;
    EXPECT_EQ(reply.json()["data"][0]["state"], "open");
    EXPECT_EQ(asked_.back().first, Day(19'906));
    EXPECT_TRUE(asked_.back().second.empty());
  }
  EXPECT_EQ(Close(R"({"tables":["trades","quotes","trades"]})").status, 202);
  EXPECT_EQ(asked_.back().second, (std::vector<std::string>{"trades", "quotes"}));
  EXPECT_EQ(Close("", "/v1/days/1969-12-31/close").status, 202);
  EXPECT_EQ(asked_.back().first, Day(-1));
}

TEST_F(Doing, WhatIsWrongIsNamedAndNothingIsDone) {
  const std::pair<const char*, const char*> bad[] = {
      {"[]", "body"},
      {"{", "body"},
      {"nonsense", "body"},
      {"\xff", "body"},
      {"{}{}", "body"},
      {R"({"table":["trades"]})", "table"},
      {R"({"tables":"trades"})", "tables"},
      {R"({"tables":[]})", "tables"},
      {R"({"tables":[1]})", "tables"},
      {R"({"tables":["NO"]})", "tables"},
      {R"({"tables":["trades"],"more":1})", "more"},
      {R"({"tables":["trades"],"tables":["quotes"]})", "tables"},
  };
  for (const auto& [body, name] : bad) {
    const Reply reply = Close(body);
    EXPECT_EQ(reply.status, 400) << body;
    EXPECT_EQ(reply.named(), std::vector<std::string>{name}) << body;
  }
  const std::string deep(200'000, '[');
  EXPECT_EQ(Close(deep).status, 400);
  for (const char* day : {"yesterday", "2024-13-01", "2024-7-2", "2024-07-02T00:00:00Z", "0"}) {
    const Reply reply = Close("", ("/v1/days/" + std::string(day) + "/close").c_str());
    EXPECT_EQ(reply.status, 400) << day;
    EXPECT_EQ(reply.named(), std::vector<std::string>{"day"}) << day;
  }
  EXPECT_EQ(Close("", "/v1/days/2024-07-02/close?tables=trades").status, 400);
  EXPECT_EQ(Flush(R"({"days":1})").named(), std::vector<std::string>{"days"});
  EXPECT_TRUE(asked_.empty());
  EXPECT_EQ(Close(R"({"tables":["nothing"]})").status, 404);
}

TEST_F(Doing, WithoutAnArchiveADayCannotBeClosed) {
  rig_.node.close_day = nullptr;
  const Reply reply = Close("");
  EXPECT_EQ(reply.status, 409);
  EXPECT_EQ(reply.problem(), "conflict");
}

TEST_F(Doing, AFlushHasANumber) {
  EXPECT_EQ(Flush("").json(), Json::parse(R"({"request":1,"ships":false})"));
  rig_.node.OpenUnlistedArchive();
  EXPECT_EQ(Flush("{}").json(), Json::parse(R"({"request":2,"ships":true})"));
}

TEST_F(Doing, ANodeThatIsNotReadySaysSo) {
  rig_.node.SetPhase(ServedPhase::kRecovering);
  EXPECT_EQ(Close("").status, 503);
  EXPECT_EQ(Flush("").status, 503);
}

TEST_F(Doing, OnlyPostIsTakenAndJsonIsGiven) {
  for (const char* path : {kClose, "/v1/flush"}) {
    for (const char* method : {"GET", "HEAD", "PUT", "DELETE"}) {
      const Reply reply = rig_.Get(path, {}, method);
      EXPECT_EQ(reply.status, 405) << method << " " << path;
      EXPECT_EQ(reply.Header("Allow"), "POST");
    }
    EXPECT_EQ(rig_.Post(path, "", {{"Accept", "image/png"}}).status, 406);
  }
  EXPECT_TRUE(asked_.empty()) << "who cannot read the answer did not ask";
}

// A page of another site can make a browser send a form to this machine.
TEST_F(Doing, PagesOfOtherSitesAreRefused) {
  const Headers ours = {{"Host", "127.0.0.1:8080"}, {"Origin", "http://127.0.0.1:8080"}};
  const Headers theirs = {{"Host", "127.0.0.1:8080"}, {"Origin", "http://evil.example"}};
  const Headers nobodys = {{"Host", "127.0.0.1:8080"}, {"Origin", "null"}};
  EXPECT_EQ(rig_.Post(kClose, "", ours).status, 202);
  for (const Headers& headers : {theirs, nobodys}) {
    EXPECT_EQ(rig_.Post(kClose, "", headers).status, 403);
    EXPECT_EQ(rig_.Post("/v1/flush", "", headers).status, 403);
    auto early = rig_.api->BeforeBody(ApiRig::RequestOf(kClose, headers, "POST"));
    ASSERT_TRUE(early.has_value());
    EXPECT_EQ(early->status, 403);
  }
  EXPECT_EQ(asked_.size(), 1u);
}

TEST_F(Doing, OnlyTokensWithTheScopeAdminMay) {
  TempDir dir;
  const std::string file = std::string(dir.path()) + "/tokens";
  auto admin = MakeToken("a", kScopeAdmin, Timestamp::Max());
  auto read = MakeToken("r", kScopeRead | kScopeReplay, Timestamp::Max());
  ASSERT_TRUE(admin.ok() && read.ok());
  std::ofstream(file) << admin->line << "\n" << read->line << "\n";
  std::filesystem::permissions(file, std::filesystem::perms::owner_read);
  ManualClock clock{Timestamp(0)};
  auto tokens = TokenFile::Open(file, &clock);
  ASSERT_TRUE(tokens.ok()) << tokens.status().ToString();
  ApiRig rig(tokens->get());
  for (const char* path : {kClose, "/v1/flush"}) {
    EXPECT_EQ(rig.Post(path, "").status, 401);
    const Reply other = rig.Post(path, "", {{"Authorization", "Bearer " + read->token}});
    EXPECT_EQ(other.status, 403);
    EXPECT_NE(other.body.find("scope admin"), std::string::npos) << other.body;
  }
  EXPECT_EQ(rig.Post("/v1/flush", "", {{"Authorization", "Bearer " + admin->token}}).status, 202);
}

}  // namespace
}  // namespace tapedeck::testing
