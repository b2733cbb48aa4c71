#include "api/tokens.h"

#include <sys/resource.h>
#include <sys/stat.h>

#include <fstream>

#include "api_rig.h"
#include "base/random.h"

namespace tapedeck::testing {
namespace {

using Verdict = TokenFile::Verdict;

class Tokens : public ::testing::Test {
 protected:
  MadeToken Make(const std::string& name, ScopeSet scopes, Timestamp expires = Timestamp::Max()) {
    auto made = MakeToken(name, scopes, expires);
    EXPECT_TRUE(made.ok());
    return *made;
  }
  void Write(const std::string& text, mode_t mode = 0600) {
    // A new file each time, as editors and WriteFileAtomically make one.
    const std::string fresh = path_ + ".new";
    std::ofstream(fresh) << text;
    ::chmod(fresh.c_str(), mode);
    std::filesystem::rename(fresh, path_);
  }
  std::unique_ptr<TokenFile> Open() {
    auto opened = TokenFile::Open(path_, &clock_);
    EXPECT_TRUE(opened.ok()) << opened.status().ToString();
    return std::move(opened).value();
  }
  static Headers Bearer(const std::string& token) { return {{"Authorization", "Bearer " + token}}; }

  TempDir dir_;
  std::string path_ = std::string(dir_.path()) + "/tokens";
  ManualClock clock_{Timestamp(1'720'000'000'000'000'000)};
};

TEST_F(Tokens, ALineHoldsNothingOfItsToken) {
  const MadeToken made = Make("grafana", kScopeRead);
  EXPECT_EQ(made.token.size(), 3u + 64);
  EXPECT_EQ(made.line.find(made.token.substr(3, 16)), std::string::npos);
  EXPECT_NE(Make("grafana", kScopeRead).token, made.token);
  auto lines = ParseTokens("# comment\n\n" + made.line + "\n");
  ASSERT_TRUE(lines.ok());
  ASSERT_EQ(lines->size(), 1u);
  EXPECT_EQ(lines->at(0).name, "grafana");
  EXPECT_EQ(lines->at(0).scopes, kScopeRead);
}

TEST_F(Tokens, MistakesNameTheirLineAndNothingInIt) {
  const std::string good = Make("a", kScopeRead).line;
  const std::vector<std::string> wrong = {std::string("secretword"),
                                          "a read never",
                                          "a write never sha256:00:00",
                                          "a read tomorrow " + good.substr(good.rfind(' ') + 1),
                                          "a b c d e",
                                          good.substr(0, good.size() - 1),
                                          good + "0",
                                          "a/b read never sha256:00:00"};
  for (const std::string& bad : wrong) {
    auto lines = ParseTokens(good + "\n" + bad + "\n");
    ASSERT_FALSE(lines.ok()) << bad;
    EXPECT_TRUE(std::string(lines.status().message()).starts_with("line 2: "))
        << lines.status().ToString();
    EXPECT_EQ(lines.status().ToString().find("secretword"), std::string::npos);
  }
}

TEST_F(Tokens, ScopesExpiryAndUnknownTokens) {
  const MadeToken reader = Make("r", kScopeRead);
  const MadeToken admin = Make("a", kScopeAdmin);
  const MadeToken old = Make("o", kScopeRead, Timestamp(1'720'000'100'000'000'000));
  Write(reader.line + "\n" + admin.line + "\n" + old.line + "\n");
  auto file = Open();
  EXPECT_EQ(file->Check(reader.token, kScopeRead), Verdict::kAllowed);
  EXPECT_EQ(file->Check(reader.token, kScopeAdmin), Verdict::kOtherScope);
  EXPECT_EQ(file->Check(admin.token, kScopeRead), Verdict::kOtherScope) << "none contains another";
  EXPECT_EQ(file->Check(old.token, kScopeRead), Verdict::kAllowed);
  clock_.Advance(std::chrono::seconds(100));
  EXPECT_EQ(file->Check(old.token, kScopeRead), Verdict::kExpired);
  for (std::string bad : {std::string(), std::string("td_"), reader.token + "0",
                          reader.token.substr(1), std::string(5000, 'a'), reader.line}) {
    EXPECT_EQ(file->Check(bad, kScopeRead), Verdict::kUnknown);
  }
}

TEST_F(Tokens, AChangedFileIsInForceWithinASecond) {
  const MadeToken first = Make("x", kScopeRead);
  const MadeToken second = Make("x", kScopeRead);
  Write(first.line + "\n");
  auto file = Open();
  EXPECT_EQ(file->Check(second.token, kScopeRead), Verdict::kUnknown);
  Write(first.line + "\n" + second.line + "\n");
  EXPECT_EQ(file->Check(second.token, kScopeRead), Verdict::kUnknown) << "not yet";
  clock_.Advance(std::chrono::milliseconds(1001));
  EXPECT_EQ(file->Check(second.token, kScopeRead), Verdict::kAllowed) << "both, while it changes";
  EXPECT_EQ(file->Check(first.token, kScopeRead), Verdict::kAllowed);
  Write(second.line + "\n");
  clock_.Advance(std::chrono::milliseconds(1001));
  EXPECT_EQ(file->Check(first.token, kScopeRead), Verdict::kUnknown);
}

TEST_F(Tokens, AFileWithAMistakeLeavesThemAsTheyWere) {
  const MadeToken token = Make("x", kScopeRead);
  Write(token.line + "\n");
  auto file = Open();
  for (const char* situation : {"mistake", "gone", "readable by all"}) {
    if (std::string_view(situation) == "mistake") Write("nonsense\n");
    if (std::string_view(situation) == "gone") std::filesystem::remove(path_);
    if (std::string_view(situation) == "readable by all") Write(token.line + "\n", 0644);
    clock_.Advance(std::chrono::milliseconds(1001));
    EXPECT_EQ(file->Check(token.token, kScopeRead), Verdict::kAllowed) << situation;
    EXPECT_NE(file->trouble(), "") << situation;
  }
  Write("# nobody\n" + token.line + "\n");
  clock_.Advance(std::chrono::milliseconds(1001));
  EXPECT_EQ(file->Check(token.token, kScopeRead), Verdict::kAllowed);
  EXPECT_EQ(file->trouble(), "");
}

TEST_F(Tokens, TroubleThatPassesLeavesNothingBehind) {
  const MadeToken first = Make("x", kScopeRead);
  const MadeToken second = Make("y", kScopeRead);
  Write(first.line + "\n");
  auto file = Open();
  auto look = [&](const MadeToken& token) {
    clock_.Advance(std::chrono::milliseconds(1001));
    return file->Check(token.token, kScopeRead);
  };
  // The same file again, as it was.
  ::chmod(path_.c_str(), 0644);
  EXPECT_EQ(look(first), Verdict::kAllowed);
  EXPECT_NE(file->trouble(), "");
  ::chmod(path_.c_str(), 0600);
  EXPECT_EQ(look(first), Verdict::kAllowed);
  EXPECT_EQ(file->trouble(), "");
  // A file that could be looked at and not read is read as soon as it can be.
  const std::string aside = path_ + ".aside";
  std::filesystem::rename(path_, aside);
  std::filesystem::create_directory(path_);
  ::chmod(path_.c_str(), 0700);
  EXPECT_EQ(look(first), Verdict::kAllowed);
  EXPECT_NE(file->trouble(), "");
  EXPECT_EQ(look(first), Verdict::kAllowed);
  EXPECT_NE(file->trouble(), "");
  std::filesystem::remove(path_);
  std::filesystem::rename(aside, path_);
  EXPECT_EQ(look(first), Verdict::kAllowed);
  EXPECT_EQ(file->trouble(), "");
  // Every number of the process is taken: the look goes well, reading does not.
  Write(second.line + "\n");
  rlimit limit{};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &limit), 0);
  rlimit none = limit;
  none.rlim_cur = 0;
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &none), 0);
  const Verdict without = look(second);
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
  EXPECT_EQ(without, Verdict::kUnknown);
  EXPECT_NE(file->trouble(), "");
  EXPECT_EQ(look(second), Verdict::kAllowed);
  EXPECT_EQ(look(first), Verdict::kUnknown) << "it was revoked";
  EXPECT_EQ(file->trouble(), "");
}

TEST_F(Tokens, AFileThatEverybodyReadsIsRefused) {
  Write(Make("x", kScopeRead).line + "\n", 0644);
  EXPECT_EQ(TokenFile::Open(path_, &clock_).status().code(), StatusCode::kFailedPrecondition);
  EXPECT_EQ(TokenFile::Open(path_ + "-not-there", &clock_).status().code(), StatusCode::kNotFound);
}

TEST_F(Tokens, RoutesAskForThemBeforeAnythingElse) {
  const MadeToken reader = Make("r", kScopeRead);
  const MadeToken admin = Make("a", kScopeAdmin);
  const MadeToken old = Make("o", kScopeRead, Timestamp(0));
  Write(reader.line + "\n" + admin.line + "\n" + old.line + "\n");
  auto file = Open();
  ApiRig rig(file.get());
  rig.FillTrades("BTC", 1);
  for (const char* target :
       {"/v1/trades?symbols=BTC", "/v1/trades?nonsense", "/nothing", "/metrics", "/healthz", "/",
        "/openapi.json", "/v1/trades/latest?symbols=BTC", "/v1/status", "/%2e%2e/x"}) {
    const Reply none = rig.Get(target);
    EXPECT_EQ(none.status, 401) << target;
    EXPECT_EQ(none.problem(), "unauthorized");
    EXPECT_EQ(none.Header("WWW-Authenticate"), "Bearer realm=\"tapedeck\"");
    EXPECT_EQ(rig.Get(target, Bearer("td_wrong")).status, 401) << target;
    EXPECT_EQ(rig.Get(target, Bearer(old.token)).status, 401) << target;
    EXPECT_EQ(rig.Get(target, {{"Authorization", "Basic " + reader.token}}).status, 401);
    EXPECT_EQ(rig.Get(target, {{"Authorization", reader.token}}).status, 401);
    const Reply other = rig.Get(target, Bearer(admin.token));
    EXPECT_EQ(other.status, 403) << target;
    EXPECT_EQ(other.problem(), "forbidden");
  }
  EXPECT_EQ(rig.node.points(), 0) << "nothing was read for them";
  EXPECT_EQ(rig.Get("/v1/trades?symbols=BTC", Bearer(reader.token)).status, 200);
  EXPECT_EQ(rig.Get("/v1/trades?symbols=BTC", {{"authorization", "bearer " + reader.token}}).status,
            200);
  EXPECT_EQ(rig.Get("/nothing", Bearer(reader.token)).status, 404);
  EXPECT_EQ(rig.Get("/livez").status, 200);
  EXPECT_EQ(rig.Get("/readyz").status, 200);
  EXPECT_EQ(rig.Get("/v1/trades/latest?symbols=BTC", Bearer(reader.token)).status, 200);
  EXPECT_EQ(rig.Get("/v1/trades/latest?symbols=BTC").status, 401) << "kept answers too";
}

TEST_F(Tokens, NoAnswerShowsThem) {
  const MadeToken reader = Make("canary-name", kScopeRead);
  Write(reader.line + "\n");
  auto file = Open();
  ApiRig rig(file.get());
  rig.FillTrades("BTC", 1);
  const std::string secret = reader.token.substr(3);
  const std::string hash = reader.line.substr(reader.line.rfind(':') + 1);
  for (const char* target : {"/v1/status", "/metrics", "/healthz", "/", "/v1/trades?symbols=x&y=1",
                             "/nothing", "/v1/trades?symbols=BTC", "/openapi.json"}) {
    const Reply reply = rig.Get(target, Bearer(reader.token));
    for (const std::string& hidden : {secret, hash, path_}) {
      EXPECT_EQ(reply.body.find(hidden), std::string::npos) << target;
      for (const HttpField& field : reply.headers) {
        EXPECT_EQ(field.value.find(hidden), std::string::npos) << target;
      }
    }
  }
}

TEST_F(Tokens, RandomAuthorizationHeadersAreOnlyRefused) {
  Write(Make("x", kScopeRead).line + "\n");
  auto file = Open();
  ApiRig rig(file.get());
  Random random(7);
  for (int i = 0; i < 300; ++i) {
    std::string value = random.OneIn(2) ? "Bearer " : "";
    value += random.Bytes(random.Uniform(200));
    EXPECT_EQ(rig.Get("/v1/tables", {{"Authorization", value}}).status, 401);
  }
}

}  // namespace
}  // namespace tapedeck::testing
