#include <gtest/gtest.h>

#include <map>

#include "base/encoding.h"
#include "base/random.h"
#include "base/secure_hash.h"
#include "blob/azure_kind.h"
#include "support/stub_server.h"

namespace tapedeck {
namespace {

using testing::StubAnswer;
using testing::StubRequest;
using testing::StubServer;

constexpr size_t kLarge = size_t{11} << 20;

StubAnswer AzureError(int status, const std::string& code, StubAnswer::Headers headers = {}) {
  headers.emplace_back("x-ms-error-code", code);
  return StubAnswer::Of(status,
                        "\xEF\xBB\xBF<?xml version=\"1.0\"?><Error><Code>" + code +
                            "</Code><Message>as the test wants it\nRequestId:1</Message></Error>",
                        headers);
}

/// Objects and blocks by path, faults by the test; as MiniS3 is for S3.
class AzureFaults : public ::testing::Test {
 protected:
  AzureFaults()
      : server_([this](const StubRequest& request) {
          if (before_) {
            if (std::optional<StubAnswer> answer = before_(request)) return *answer;
          }
          StubAnswer answer = Answer(request);
          return after_ ? after_(request, std::move(answer)) : answer;
        }) {}

  void SetUp() override { store_ = Open(OneVariable("AZURE_STORAGE_KEY", ToBase64("key"))); }

  std::unique_ptr<BlobStore> Open(const Environment& environment) {
    AzureOptions options;
    options.account = "account";
    options.container = "container";
    options.endpoint = server_.url();
    options.environment = environment;
    options.block_bytes = uint64_t{5} << 20;
    options.clock = &clock_;
    Result<std::unique_ptr<BlobStore>> store = OpenAzureStore(options);
    EXPECT_TRUE(store.ok()) << store.status().ToString();
    return store.ok() ? std::move(*store) : nullptr;
  }
  Result<PutReport> Put(const std::string& bytes, PutMode mode = PutMode::kCreate) {
    return store_->Put("o", BlobContent::Bytes(bytes), mode);
  }
  static bool IsList(const StubRequest& request) {
    return request.target.find("comp=blocklist") != std::string::npos;
  }
  static bool IsPut(const StubRequest& request) {
    return request.method == "PUT" && request.target.find('?') == std::string::npos;
  }

  ManualClock clock_{Timestamp(1'795'277'445'000'000'000)};  // 2026-11-21T16:10:45Z
  std::string object_;
  bool has_object_ = false;
  std::map<std::string, std::string> blocks_;
  std::function<std::optional<StubAnswer>(const StubRequest&)> before_;
  std::function<StubAnswer(const StubRequest&, StubAnswer)> after_;
  StubServer server_;
  std::unique_ptr<BlobStore> store_;

 private:
  StubAnswer Answer(const StubRequest& request) {
    const StubAnswer::Headers etag = {{"ETag", "\"" + ToHex(Md5(object_)) + "\""}};
    if (request.method == "PUT") return Write(request);
    if (!has_object_) {
      return request.method == "HEAD" ? StubAnswer{.bytes = "HTTP/1.1 404 Not Found\r\n\r\n"}
                                      : AzureError(404, "BlobNotFound");
    }
    if (request.method == "HEAD") {
      StubAnswer::Headers all = etag;
      all.emplace_back("Content-Length", std::to_string(object_.size()));
      return StubAnswer::Of(200, "", all);
    }
    return StubAnswer::Of(206, object_, etag);  // these tests read whole objects only
  }
  StubAnswer Write(const StubRequest& request) {
    const size_t id = request.target.find("blockid=");
    if (id != std::string::npos) {
      blocks_[*PercentDecode(
          request.target.substr(id + 8, request.target.find('&', id) - id - 8))] = request.body;
      return StubAnswer::Of(201);
    }
    if (request.Header("if-none-match") == "*" && has_object_)
      return AzureError(409, "BlobAlreadyExists");
    std::string whole = request.body;
    if (IsList(request)) {
      whole.clear();
      for (size_t at = 0; (at = request.body.find("<Uncommitted>", at)) != std::string::npos;) {
        at += 13;
        const auto block = blocks_.find(request.body.substr(at, request.body.find('<', at) - at));
        if (block == blocks_.end()) return AzureError(400, "InvalidBlockList");
        whole += block->second;
      }
    }
    blocks_.clear();
    object_ = whole;
    has_object_ = true;
    return StubAnswer::Of(201, "", {{"ETag", "\"" + ToHex(Md5(object_)) + "\""}});
  }
};

TEST_F(AzureFaults, ALostAnswerIsNoError) {
  const std::string large = Random(1).Bytes(kLarge);
  for (const std::string& bytes : {std::string("small"), large}) {
    for (PutMode mode : {PutMode::kCreate, PutMode::kReplace}) {
      has_object_ = false;
      bool is_lost = false;
      after_ = [&](const StubRequest& request, StubAnswer answer) {
        if (is_lost || !(IsList(request) || IsPut(request))) return answer;
        is_lost = true;
        return StubAnswer::Reset();
      };
      Result<PutReport> put = Put(bytes, mode);
      ASSERT_TRUE(put.ok()) << put.status().ToString();
      EXPECT_TRUE(is_lost);
      EXPECT_TRUE(object_ == bytes);
    }
  }
}

TEST_F(AzureFaults, BlocksThatAnotherWriterThrewAwayAreSentAgain) {
  const std::string bytes = Random(1).Bytes(kLarge);
  int times = 0;
  before_ = [&](const StubRequest& request) -> std::optional<StubAnswer> {
    if (IsList(request) && ++times == 1) blocks_.clear();
    return std::nullopt;
  };
  for (PutMode mode : {PutMode::kCreate, PutMode::kReplace}) {
    times = 0;
    has_object_ = false;
    ASSERT_TRUE(Put(bytes, mode).ok());
    EXPECT_TRUE(object_ == bytes);
    EXPECT_EQ(times, 2);
  }
}

TEST_F(AzureFaults, WhatComesBetweenTheLookAndTheWriteIsCompared) {
  for (const char* content : {"other", "bytes"}) {
    has_object_ = false;
    before_ = [&](const StubRequest& request) -> std::optional<StubAnswer> {
      if (request.method == "PUT") {
        object_ = content;
        has_object_ = true;
      }
      return std::nullopt;
    };
    Result<PutReport> put = Put("bytes");
    if (std::string_view(content) == "bytes") {
      ASSERT_TRUE(put.ok()) << put.status().ToString();
      EXPECT_TRUE(put->was_there);
    } else {
      EXPECT_EQ(put.status().code(), StatusCode::kAlreadyExists);
    }
    EXPECT_EQ(object_, content);
  }
}

TEST_F(AzureFaults, StatusesMeanWhatTheCallerShouldDo) {
  const std::pair<StubAnswer, StatusCode> answers[] = {
      {AzureError(403, "AuthorizationFailure"), StatusCode::kFailedPrecondition},
      {AzureError(404, "ContainerNotFound"), StatusCode::kFailedPrecondition},
      {AzureError(409, "LeaseIdMissing"), StatusCode::kFailedPrecondition},
      {AzureError(412, "LeaseIdMissing"), StatusCode::kFailedPrecondition},
      {AzureError(400, "Md5Mismatch"), StatusCode::kCorruption},
      {AzureError(500, "InternalError"), StatusCode::kUnavailable},
      {AzureError(503, "ServerBusy"), StatusCode::kUnavailable},
      {AzureError(500, "OperationTimedOut"), StatusCode::kUnavailable}};
  for (const auto& [answer, code] : answers) {
    before_ = [&](const StubRequest& request) -> std::optional<StubAnswer> {
      if (request.method == "PUT") return answer;
      return std::nullopt;
    };
    Status put = Put("bytes").status();
    EXPECT_EQ(put.code(), code) << put.ToString();
    EXPECT_EQ(put.message().find("RequestId"), std::string::npos);
    EXPECT_FALSE(has_object_);
  }
}

TEST_F(AzureFaults, ClocksThatDifferAreToldClearly) {
  before_ = [&](const StubRequest&) -> std::optional<StubAnswer> {
    return AzureError(403, "AuthenticationFailed", {{"Date", "Sat, 21 Nov 2026 16:10:45 GMT"}});
  };
  clock_.JumpTo(*ParseRfc3339("2026-11-21T14:10:45Z"));
  Status put = Put("bytes").status();
  EXPECT_EQ(put.code(), StatusCode::kFailedPrecondition);
  EXPECT_NE(put.message().find("clock is 7200 s behind the store's"), std::string::npos)
      << put.ToString();
}

TEST_F(AzureFaults, ATokenThatIsNoLongerTakenIsFetchedAnewOnce) {
  int tokens = 0;
  StubServer identity([&](const StubRequest&) {
    return StubAnswer::Of(200, "{\"access_token\":\"token-" + std::to_string(++tokens) +
                                   "\",\"expires_on\":2000000000}");
  });
  std::string taken = "Bearer token-2";
  before_ = [&](const StubRequest& request) -> std::optional<StubAnswer> {
    if (request.Header("authorization") == taken) return std::nullopt;
    return AzureError(401, "InvalidAuthenticationInfo");
  };
  auto store = Open(OneVariable("AZURE_POD_IDENTITY_AUTHORITY_HOST", identity.url()));
  ASSERT_TRUE(store->Put("o", BlobContent::Bytes("x"), PutMode::kReplace).ok());
  EXPECT_EQ(tokens, 2);
  EXPECT_EQ(object_, "x");
  taken = "nobody's";
  Status refused = store->Put("o", BlobContent::Bytes("x"), PutMode::kReplace).status();
  EXPECT_EQ(refused.code(), StatusCode::kFailedPrecondition);
  EXPECT_EQ(tokens, 3);
  EXPECT_EQ(refused.message().find("token-"), std::string::npos) << refused.ToString();
}

TEST_F(AzureFaults, OptionsThatCannotBeAreRefused) {
  const auto refused = [&](const std::function<void(AzureOptions*)>& change) {
    AzureOptions options;
    options.account = "account";
    options.container = "container";
    change(&options);
    return OpenAzureStore(options).status().code() == StatusCode::kInvalidArgument;
  };
  EXPECT_FALSE(refused([](AzureOptions*) {}));
  EXPECT_TRUE(refused([](AzureOptions* o) { o->account = "Account"; }));
  EXPECT_TRUE(refused([](AzureOptions* o) { o->account = "a/b"; }));
  EXPECT_TRUE(refused([](AzureOptions* o) { o->container = "a--b"; }));
  EXPECT_TRUE(refused([](AzureOptions* o) { o->container = ""; }));
  EXPECT_TRUE(refused([](AzureOptions* o) { o->prefix = ".."; }));
  EXPECT_TRUE(refused([](AzureOptions* o) { o->endpoint = "http://h.example"; }));
  EXPECT_TRUE(refused([](AzureOptions* o) { o->endpoint = "https://h.example/?sig=x"; }));
  EXPECT_TRUE(refused([](AzureOptions* o) { o->block_bytes = 0; }));
}

}  // namespace
}  // namespace tapedeck
