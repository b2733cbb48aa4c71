#include <gtest/gtest.h>

#include <map>
#include <optional>
#include <set>

#include "base/encoding.h"
#include "base/random.h"
#include "base/secure_hash.h"
#include "blob/mini_s3.h"
#include "blob/open_store.h"
#include "support/seed.h"

namespace tapedeck {
namespace {

using testing::StubAnswer;
using testing::StubRequest;

constexpr size_t kLarge = size_t{11} << 20;  // two parts and a bit

class S3Faults : public ::testing::Test {
 protected:
  void SetUp() override { store_ = s3_.OpenStore(&clock_); }
  Result<PutReport> Put(const std::string& name, const std::string& bytes,
                        PutMode mode = PutMode::kCreate) {
    return store_->Put(name, BlobContent::Bytes(bytes), mode);
  }
  /// The next `times` requests that `matches` are answered so.
  void Fail(int times, std::function<bool(const StubRequest&)> matches, StubAnswer answer) {
    s3_.before = [=,
                  left = times](const StubRequest& request) mutable -> std::optional<StubAnswer> {
      if (left == 0 || !matches(request)) return std::nullopt;
      --left;
      return answer;
    };
  }
  /// The first `times` answers to what `matches` are lost after the deed.
  void Lose(int times, std::function<bool(const StubRequest&)> matches) {
    s3_.after = [=, left = times](const StubRequest& request, StubAnswer answer) mutable {
      if (left == 0 || !matches(request)) return answer;
      --left;
      return StubAnswer::Reset();
    };
  }
  static bool IsPut(const StubRequest& request) { return request.method == "PUT"; }
  static bool IsComplete(const StubRequest& request) {
    return request.method == "POST" && request.target.find("uploadId=") != std::string::npos;
  }

  ManualClock clock_{Timestamp(1'795'277'445'000'000'000)};  // 2026-11-21T16:10:45Z
  MiniS3 s3_;
  std::unique_ptr<BlobStore> store_;
};

TEST_F(S3Faults, PassingTroubleIsTriedAgain) {
  const StubAnswer troubles[] = {
      S3Error(500, "InternalError"),    S3Error(503, "SlowDown"), S3Error(400, "RequestTimeout"),
      S3Error(409, "OperationAborted"), StubAnswer::Reset(),      S3Error(400, "BadDigest")};
  for (const StubAnswer& trouble : troubles) {
    s3_.objects.clear();
    Fail(3, IsPut, trouble);
    Result<PutReport> put = Put("o", "bytes");
    EXPECT_TRUE(put.ok()) << put.status().ToString();
    EXPECT_EQ(s3_.objects["/bucket/o"], "bytes");
  }
}

TEST_F(S3Faults, TriesAreCappedAndTheReasonIsTold) {
  const std::pair<StubAnswer, StatusCode> troubles[] = {
      {S3Error(500, "InternalError"), StatusCode::kUnavailable},
      {S3Error(503, "SlowDown"), StatusCode::kResourceExhausted},
      {S3Error(507, "XMinioStorageFull"), StatusCode::kResourceExhausted},
      {StubAnswer::Reset(), StatusCode::kUnavailable},
      {S3Error(400, "XAmzContentSHA256Mismatch"), StatusCode::kCorruption}};
  for (const auto& [trouble, code] : troubles) {
    const size_t before = s3_.Count("PUT");
    Fail(-1, IsPut, trouble);
    Status put = Put("o", "bytes").status();
    EXPECT_EQ(put.code(), code) << put.ToString();
    EXPECT_NE(put.message().find("gave up after 8 tries"), std::string::npos) << put.ToString();
    // A try on a connection that is being reset may not reach the server.
    EXPECT_LE(s3_.Count("PUT") - before, 8u);
    EXPECT_GE(s3_.Count("PUT") - before, 4u);
    EXPECT_EQ(s3_.objects.count("/bucket/o"), 0u);
  }
}

TEST_F(S3Faults, RetryAfterIsHeeded) {
  Fail(1, IsPut, S3Error(503, "SlowDown", {{"Retry-After", "42"}}));
  const MonotonicTime before = clock_.Monotonic();
  ASSERT_TRUE(Put("o", "bytes").ok());
  EXPECT_GE(clock_.Monotonic() - before, std::chrono::seconds(42));
}

TEST_F(S3Faults, ALostAnswerIsNoSecondObjectAndNoError) {
  for (PutMode mode : {PutMode::kCreate, PutMode::kReplace}) {
    s3_.objects.clear();
    Lose(1, IsPut);
    Result<PutReport> put = Put("o", "bytes", mode);
    ASSERT_TRUE(put.ok()) << put.status().ToString();
    EXPECT_EQ(put->was_there, mode == PutMode::kCreate);
    EXPECT_EQ(s3_.objects["/bucket/o"], "bytes");
  }
}

TEST_F(S3Faults, ALostAnswerToTheLastRequestOfAnUploadIsNoError) {
  const std::string bytes = Random(1).Bytes(kLarge);
  for (PutMode mode : {PutMode::kCreate, PutMode::kReplace}) {
    s3_.objects.clear();
    Lose(1, IsComplete);
    Result<PutReport> put = Put("o", bytes, mode);
    ASSERT_TRUE(put.ok()) << put.status().ToString();
    EXPECT_TRUE(s3_.objects["/bucket/o"] == bytes);
    EXPECT_EQ(s3_.uploads.size(), 0u);
  }
}

TEST_F(S3Faults, TwoHundredWithAnErrorInItIsAnError) {
  Fail(2, IsComplete, S3Error(200, "InternalError"));
  const std::string bytes = Random(1).Bytes(kLarge);
  ASSERT_TRUE(Put("o", bytes).ok());
  EXPECT_TRUE(s3_.objects["/bucket/o"] == bytes);
  EXPECT_EQ(s3_.Count("POST", "uploadId="), 3u);
  // For ever: no object, and nothing left behind.
  Fail(-1, IsComplete, S3Error(200, "InternalError"));
  EXPECT_EQ(Put("p", bytes).status().code(), StatusCode::kUnavailable);
  EXPECT_EQ(s3_.objects.count("/bucket/p"), 0u);
  EXPECT_EQ(s3_.uploads.size(), 0u);
}

TEST_F(S3Faults, AnUploadThatFailsIsAborted) {
  const std::string bytes = Random(1).Bytes(kLarge);
  Fail(
      -1,
      [](const StubRequest& request) {
        return request.target.find("partNumber=2") != std::string::npos;
      },
      S3Error(403, "AccessDenied"));
  EXPECT_EQ(Put("o", bytes).status().code(), StatusCode::kFailedPrecondition);
  EXPECT_EQ(s3_.uploads.size(), 0u);
  EXPECT_EQ(s3_.objects.size(), 0u);
}

TEST_F(S3Faults, AnUploadThatVanishesCanBeRepeated) {
  const std::string bytes = Random(1).Bytes(kLarge);
  Fail(1, IsComplete, S3Error(404, "NoSuchUpload"));
  Result<PutReport> put = Put("o", bytes);
  ASSERT_TRUE(put.ok()) << put.status().ToString();
  EXPECT_TRUE(s3_.objects["/bucket/o"] == bytes);
}

TEST_F(S3Faults, ForbiddenIsNeverTakenForExisting) {
  for (const char* method : {"HEAD", "PUT"}) {
    for (const char* code : {"AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch"}) {
      Fail(
          -1, [=](const StubRequest& request) { return request.method == method; },
          S3Error(403, code));
      s3_.objects["/bucket/o"] = "bytes";
      if (std::string_view(method) == "PUT") s3_.objects.clear();
      Result<PutReport> put = Put("o", "bytes");
      EXPECT_EQ(put.status().code(), StatusCode::kFailedPrecondition) << put.status().ToString();
    }
  }
}

TEST_F(S3Faults, OtherContentUnderTheNameIsToldWhateverTheStatus) {
  s3_.objects["/bucket/o"] = "other";
  EXPECT_EQ(Put("o", "bytes").status().code(), StatusCode::kAlreadyExists);
  s3_.objects["/bucket/o"] = "others";  // now of another size
  EXPECT_EQ(Put("o", "bytes").status().code(), StatusCode::kAlreadyExists);
  // It comes between the look and the write: the condition finds it, the comparison decides.
  for (const char* content : {"other", "bytes"}) {
    s3_.objects.clear();
    s3_.before = [&](const StubRequest& request) -> std::optional<StubAnswer> {
      if (IsPut(request)) s3_.objects["/bucket/o"] = content;
      return std::nullopt;
    };
    Result<PutReport> put = Put("o", "bytes");
    EXPECT_EQ(put.ok(), std::string_view(content) == "bytes");
    EXPECT_EQ(s3_.objects["/bucket/o"], content);
  }
}

TEST_F(S3Faults, AStoreThatIgnoresConditionsIsLookedAtFirst) {
  s3_.ignores_conditions = true;
  s3_.objects["/bucket/o"] = "other";
  EXPECT_EQ(Put("o", "bytes").status().code(), StatusCode::kAlreadyExists);
  EXPECT_EQ(s3_.objects["/bucket/o"], "other");
  EXPECT_EQ(s3_.Count("PUT"), 0u);
}

TEST_F(S3Faults, ClocksThatDifferAreToldClearly) {
  // The store's clock says 16:10:45; ours an hour more, then an hour less.
  const StubAnswer::Headers date = {{"Date", "Sat, 21 Nov 2026 16:10:45 GMT"}};
  Fail(-1, IsPut, S3Error(403, "RequestTimeTooSkewed", date));
  clock_.JumpTo(*ParseRfc3339("2026-11-21T17:10:45Z"));
  Status put = Put("o", "x").status();
  EXPECT_EQ(put.code(), StatusCode::kFailedPrecondition);
  EXPECT_NE(put.message().find("clock is 3600 s ahead of the store's"), std::string::npos)
      << put.ToString();
  // An answer to HEAD has no body: the date alone tells.
  Fail(
      -1, [](const StubRequest& request) { return request.method == "HEAD"; },
      StubAnswer{.bytes = "HTTP/1.1 403 Forbidden\r\nDate: Sat, 21 Nov 2026 16:10:45 GMT\r\n\r\n"});
  clock_.JumpTo(*ParseRfc3339("2026-11-21T15:10:45Z"));
  put = store_->Stat("o").status();
  EXPECT_EQ(put.code(), StatusCode::kFailedPrecondition);
  EXPECT_NE(put.message().find("3600 s behind"), std::string::npos) << put.ToString();
  clock_.JumpTo(*ParseRfc3339("2026-11-21T16:10:50Z"));
  EXPECT_EQ(store_->Stat("o").status().message().find("clock"), std::string::npos);
}

TEST_F(S3Faults, AWrongRegionOrBucketIsToldClearly) {
  Fail(-1, IsPut, S3Error(301, "PermanentRedirect", {{"x-amz-bucket-region", "eu-west-1"}}));
  Status put = Put("o", "x").status();
  EXPECT_EQ(put.code(), StatusCode::kFailedPrecondition);
  EXPECT_NE(put.message().find("eu-west-1"), std::string::npos) << put.ToString();
  Fail(-1, IsPut, S3Error(404, "NoSuchBucket"));
  EXPECT_EQ(Put("o", "x").status().code(), StatusCode::kFailedPrecondition);
}

TEST_F(S3Faults, AReadThatBreaksOffGoesOnWhereItWas) {
  const std::string bytes = Random(2).Bytes(3 << 20);
  s3_.objects["/bucket/o"] = bytes;
  int reads = 0;
  s3_.after = [&](const StubRequest& request, StubAnswer answer) {
    if (request.method != "GET") return answer;
    // The first dozen break off, more than tries are allowed without progress.
    return ++reads <= 12 ? StubAnswer::CutShort(std::move(answer), answer.bytes.size() - 70'000)
                         : answer;
  };
  auto blob = store_->Open("o");
  ASSERT_TRUE(blob.ok());
  Result<std::string> read = (*blob)->Read(0, bytes.size());
  ASSERT_TRUE(read.ok()) << read.status().ToString();
  EXPECT_TRUE(*read == bytes);
  EXPECT_EQ(reads, 13);
}

TEST_F(S3Faults, ARangeThatIsNotAnsweredAsOneIsNoData) {
  s3_.objects["/bucket/o"] = "0123456789";
  auto blob = store_->Open("o");
  ASSERT_TRUE(blob.ok());
  Fail(
      -1, [](const StubRequest& request) { return request.method == "GET"; },
      StubAnswer::Of(200, "0123456789"));
  EXPECT_EQ((*blob)->Read(3, 2).status().code(), StatusCode::kInternal);
  Fail(
      -1, [](const StubRequest& request) { return request.method == "GET"; },
      StubAnswer::Of(206, "34567"));
  EXPECT_EQ((*blob)->Read(3, 2).status().code(), StatusCode::kInternal);
  // One byte, again and again: both arrive.
  Fail(
      -1, [](const StubRequest& request) { return request.method == "GET"; },
      StubAnswer::Of(206, "3"));
  EXPECT_EQ((*blob)->Read(3, 2).value_or("?"), "33");
}

TEST_F(S3Faults, ListsThatMakeNoSenseAreErrors) {
  const std::pair<const char*, StatusCode> answers[] = {
      {"", StatusCode::kCorruption},
      {"<html><body>sign in</body>", StatusCode::kCorruption},
      {"<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>",
       StatusCode::kInternal},
      {"<ListBucketResult><Contents><Key>a</Key><Size>x</Size></Contents></ListBucketResult>",
       StatusCode::kInternal},
      {"<!DOCTYPE x [<!ENTITY a \"aaaa\">]><ListBucketResult>&a;</ListBucketResult>",
       StatusCode::kCorruption}};
  for (const auto& [body, code] : answers) {
    Fail(
        -1, [](const StubRequest& request) { return request.method == "GET"; },
        StubAnswer::Of(200, body));
    EXPECT_EQ(store_->List("", "").status().code(), code) << body;
  }
  // A list without end.
  Fail(
      -1, [](const StubRequest& request) { return request.method == "GET"; },
      StubAnswer::Of(200,
                     "<ListBucketResult><IsTruncated>true</IsTruncated><NextContinuationToken>t"
                     "</NextContinuationToken></ListBucketResult>"));
  EXPECT_EQ(store_->ListAll("").status().code(), StatusCode::kInternal);
}

TEST_F(S3Faults, ForeignKeysAreCountedAndLeftOut) {
  Fail(
      -1, [](const StubRequest& request) { return request.method == "GET"; },
      StubAnswer::Of(200,
                     "<ListBucketResult>"
                     "<Contents><Key>a%2Fb%3D1</Key><Size>3</Size><ETag>\"e\"</ETag></Contents>"
                     "<Contents><Key>..%2Fetc</Key><Size>3</Size></Contents>"
                     "<Contents><Key>folder%2F</Key><Size>0</Size></Contents>"
                     "<EncodingType>url</EncodingType></ListBucketResult>"));
  Result<BlobPage> page = store_->List("", "");
  ASSERT_TRUE(page.ok()) << page.status().ToString();
  ASSERT_EQ(page->blobs.size(), 1u);
  EXPECT_EQ(page->blobs[0].name, "a/b=1");
  EXPECT_EQ(page->foreign, 2u);
}

TEST_F(S3Faults, RequestsCarryWhatTheyMust) {
  S3Options options = s3_.Options(&clock_);
  options.bucket_owner = "123456789012";
  options.prefix = "p=1/q";
  auto store = OpenS3Store(options);
  ASSERT_TRUE(store.ok());
  ASSERT_TRUE((*store)->Put("a%2F.b", BlobContent::Bytes("x"), PutMode::kCreate).ok());
  const StubRequest put = s3_.server().requests().back();
  EXPECT_EQ(put.target, "/bucket/p%3D1/q/a%252F.b");
  EXPECT_EQ(put.Header("x-amz-expected-bucket-owner"), "123456789012");
  EXPECT_EQ(put.Header("x-amz-content-sha256"), ToHex(Sha256("x")));
  EXPECT_EQ(put.Header("x-amz-checksum-sha256"), ToBase64(Sha256("x")));
  EXPECT_EQ(put.Header("if-none-match"), "*");
  EXPECT_EQ(put.headers.count("x-amz-acl"), 0u);
  EXPECT_TRUE(put.Header("authorization").starts_with("AWS4-HMAC-SHA256 Credential=key/"));
  EXPECT_EQ(put.Header("authorization").find("secret"), std::string::npos);
  (void)(*store)->List("x", "token/+=");
  EXPECT_EQ(s3_.server().requests().back().target,
            "/bucket/?continuation-token=token%2F%2B%3D&encoding-type=url&list-type=2&"
            "max-keys=1000&prefix=p%3D1%2Fq%2Fx");
}

/// Some requests fail before they do anything, some answers are lost or cut short.
template <typename Service>
void BringMisery(Service* s3, Random* dice) {
  const auto trouble = [dice]() -> StubAnswer {
    const uint64_t kind = dice->Uniform(4);
    if (kind == 0) return StubAnswer::Reset();
    return kind == 1 ? S3Error(503, "SlowDown") : S3Error(500, "InternalError");
  };
  s3->before = [=](const StubRequest&) -> std::optional<StubAnswer> {
    if (dice->Uniform(10) >= 3) return std::nullopt;
    return trouble();
  };
  s3->after = [=](const StubRequest&, StubAnswer answer) {
    if (dice->OneIn(8)) return trouble();  // done, and the answer lost
    const size_t size = answer.bytes.size();
    return dice->OneIn(8) ? StubAnswer::CutShort(std::move(answer), dice->Uniform(size)) : answer;
  };
}

/// What may be under a name: after an error nobody knows whether it was done.
using Possible = std::set<std::optional<std::string>>;

TEST_F(S3Faults, ThroughADayOfMiseryEveryAnswerIsTrue) {
  const uint64_t seed = testing::TestSeed();
  SCOPED_TRACE(testing::RepeatWith(seed));
  Random random(seed);
  // The server's own dice: its threads must not share ours.
  Random misery(seed + 1);
  BringMisery(&s3_, &misery);
  S3Options options = s3_.Options(&clock_);
  options.retry = {.tries_max = 3};  // so that some are given up
  store_ = std::move(*OpenS3Store(options));
  std::map<std::string, Possible> model;
  int given_up = 0;
  for (int i = 0; i < 1500; ++i) {
    const std::string name = "o" + std::to_string(random.Uniform(6));
    Possible& possible = model.try_emplace(name, Possible{std::nullopt}).first->second;
    const std::string bytes =
        std::to_string(random.Uniform(3)) + std::string(random.Uniform(2000), 'x');
    const uint64_t what = random.Uniform(4);
    Status status;
    if (what == 0) {
      status = Put(name, bytes, PutMode::kReplace).status();
      if (!status.ok()) possible.insert(bytes);
      if (status.ok()) possible = {bytes};
    } else if (what == 1) {
      status = Put(name, bytes, PutMode::kCreate).status();
      if (status.ok()) {
        ASSERT_TRUE(possible.count(bytes) + possible.count(std::nullopt) > 0);
        possible = {bytes};
      } else if (status.code() == StatusCode::kAlreadyExists) {
        possible.erase(std::nullopt);
        possible.erase(bytes);
        ASSERT_FALSE(possible.empty()) << name << " was there, and could not be";
        status = Status::Ok();
      } else if (possible.count(std::nullopt) > 0) {
        possible.insert(bytes);
      }
    } else if (what == 2) {
      status = store_->Delete(name);
      if (!status.ok()) possible.insert(std::nullopt);
      if (status.ok()) possible = {std::nullopt};
    } else {
      Result<std::unique_ptr<Blob>> blob = store_->Open(name);
      Result<std::string> read = std::string();
      if (blob.ok()) read = (*blob)->Read(0, (*blob)->stat().bytes);
      if (!blob.ok()) read = blob.status();
      status = read.status();
      if (read.ok() || status.code() == StatusCode::kNotFound) {
        const auto seen = read.ok() ? std::optional(*read) : std::nullopt;
        ASSERT_EQ(possible.count(seen), 1u) << "step " << i << ", " << name;
        possible = {seen};
        status = Status::Ok();
      }
    }
    const bool is_passing = status.code() == StatusCode::kUnavailable ||
                            status.code() == StatusCode::kResourceExhausted;
    ASSERT_TRUE(status.ok() || is_passing) << "step " << i << ": " << status.ToString();
    given_up += is_passing ? 1 : 0;
  }
  EXPECT_GT(given_up, 0);
}

TEST_F(S3Faults, StopEndsTheTries) {
  std::atomic<bool> stop{false};
  S3Options options = s3_.Options(&clock_);
  options.stop = &stop;
  auto store = OpenS3Store(options);
  s3_.before = [&](const StubRequest&) -> std::optional<StubAnswer> {
    stop = true;
    return S3Error(503, "SlowDown");
  };
  EXPECT_EQ((*store)->Stat("o").status().code(), StatusCode::kCancelled);
}

TEST_F(S3Faults, OptionsThatCannotBeAreRefused) {
  const auto refused = [&](const std::function<void(S3Options*)>& change) {
    S3Options options = s3_.Options(&clock_);
    change(&options);
    return OpenS3Store(options).status().code() == StatusCode::kInvalidArgument;
  };
  EXPECT_TRUE(refused([](S3Options* o) { o->bucket = "Bucket"; }));
  EXPECT_TRUE(refused([](S3Options* o) { o->bucket = "a"; }));
  EXPECT_TRUE(refused([](S3Options* o) { o->bucket = "a..b"; }));
  EXPECT_TRUE(refused([](S3Options* o) { o->prefix = "../x"; }));
  EXPECT_TRUE(refused([](S3Options* o) { o->prefix = "/x"; }));
  EXPECT_TRUE(refused([](S3Options* o) { o->region = "us:east"; }));
  EXPECT_TRUE(refused([](S3Options* o) { o->endpoint = "http://minio.example:9000"; }));
  EXPECT_TRUE(refused([](S3Options* o) { o->endpoint = "https://u:p@minio.example"; }));
  EXPECT_TRUE(refused([](S3Options* o) { o->endpoint = "https://minio.example/path"; }));
  EXPECT_TRUE(refused([](S3Options* o) { o->part_bytes = 1; }));
  EXPECT_FALSE(refused([](S3Options* o) { o->endpoint = "https://minio.example"; }));
}

TEST(OpenBlobStore, EachSchemeHasItsStore) {
  testing::StubServer nobody([](const StubRequest&) { return StubAnswer::Of(500); });
  const auto describe = [](const std::string& url) {
    BlobStoreOptions options;
    options.azure.account = "account";
    Result<std::unique_ptr<BlobStore>> store = OpenBlobStore(url, options);
    return store.ok() ? (*store)->Describe() : std::string(StatusCodeName(store.status().code()));
  };
  EXPECT_EQ(describe("s3://bucket/p/q/"), "s3://bucket/p/q");
  EXPECT_EQ(describe("s3://bucket"), "s3://bucket");
  EXPECT_EQ(describe("az://container/p"), "az://container/p");
  for (const char* url : {"", "s3:", "s3://", "s3:///x", "s3://Bucket", "s3://bucket/../x", "az://",
                          "file://relative", "file:", "http://h/", "gs://b/p", "/plain/path"}) {
    EXPECT_EQ(describe(url), "invalid-argument") << url;
  }
  EXPECT_NE(OpenBlobStore("gs://b", {}).status().message().find("storage.googleapis.com"),
            std::string::npos);
}

}  // namespace
}  // namespace tapedeck
