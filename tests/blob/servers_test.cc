// What only real servers can say: whether signatures, hashes and certificates are what they expect.

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>

#include "base/clock.h"
#include "base/encoding.h"
#include "base/random.h"
#include "base/secure_hash.h"
#include "blob/azure_container.h"
#include "blob/azure_kind.h"
#include "blob/s3_bucket.h"
#include "blob/s3_kind.h"
#include "support/kafka_service.h"
#include "support/seed.h"

namespace tapedeck {
namespace {

using testing::ObjectService;

#define TD_SERVICE_OR_SKIP(service, why)                         \
  if (service == nullptr && testing::KafkaService::IsRequired()) \
    FAIL() << "services are required here: " << why;             \
  if (service == nullptr) GTEST_SKIP() << why

/// Prefixes of this run: servers named by the environment may have seen this test before.
std::string Prefix(const std::string& name) {
  return name + "-" + std::to_string(SystemClock().Now().ns() / 1000) + "-" +
         std::to_string(::getpid());
}

constexpr int kKills = 6;

RetryPolicy Impatient() { return {.tries_max = 2, .pause_first = std::chrono::milliseconds(1)}; }

TEST(S3Server, AWrongKeyIsRefusedAndNothingOfItShown) {
  std::string why;
  ObjectService* service = SharedS3(&why);
  TD_SERVICE_OR_SKIP(service, why);
  if (service->Field("kind") == "moto") GTEST_SKIP() << "moto takes any key";
  S3Options options = S3OptionsFor(*service);
  options.prefix = Prefix("keys");
  const std::string secret = "canary+secret/55d0";
  for (const auto& [key, value] : {std::pair(service->Field("access_key"), secret),
                                   std::pair(std::string("nobody"), secret)}) {
    options.environment = KeysOnly(key, value);
    auto store = OpenS3Store(options);
    ASSERT_TRUE(store.ok());
    for (const Status& status :
         {(*store)->Put("o", BlobContent::Bytes("x"), PutMode::kCreate).status(),
          (*store)->Stat("o").status(), (*store)->List("", "").status(), (*store)->Delete("o")}) {
      EXPECT_EQ(status.code(), StatusCode::kFailedPrecondition) << status.ToString();
      EXPECT_EQ(status.ToString().find(secret), std::string::npos);
    }
  }
}

TEST(S3Server, BytesThatChangeOnTheirWayAreRefused) {
  std::string why;
  ObjectService* service = SharedS3(&why);
  TD_SERVICE_OR_SKIP(service, why);
  if (service->Field("kind") == "moto") GTEST_SKIP() << "moto checks no hash";
  S3Options options = S3OptionsFor(*service);
  options.prefix = Prefix("hashes");
  options.retry = Impatient();
  auto bucket = S3Bucket::Open(options);
  ASSERT_TRUE(bucket.ok());
  S3Request request;
  request.method = "PUT";
  request.name = "o";
  request.body = WebBody::Bytes("what arrives");
  request.body_sha256 = Sha256("what was sent");
  EXPECT_EQ((*bucket)->Send("putting", request).status().code(), StatusCode::kCorruption);
  // The other header alone: the signature is over the bytes that arrive.
  request.body_sha256.clear();
  request.headers = {{"x-amz-checksum-sha256", ToBase64(Sha256("what was sent"))}};
  EXPECT_EQ((*bucket)->Send("putting", request).status().code(), StatusCode::kCorruption);
  request.method = "HEAD";
  request.headers.clear();
  request.body = {};
  EXPECT_EQ((*bucket)->Send("looking", request).status().code(), StatusCode::kNotFound);
}

TEST(S3Server, TheBucketCanBePartOfTheHostsName) {
  std::string why;
  ObjectService* service = SharedS3(&why);
  TD_SERVICE_OR_SKIP(service, why);
  if (service->Field("kind") != "minio") GTEST_SKIP() << "only ours knows its name";
  S3Options options = S3OptionsFor(*service);
  options.prefix = Prefix("hosts");
  // Names that end in .localhost are this machine (RFC 6761); libcurl knows.
  const std::string& by_number = options.endpoint;
  options.endpoint = "http://localhost" + by_number.substr(by_number.rfind(':'));
  options.path_style = false;
  auto store = OpenS3Store(options);
  ASSERT_TRUE(store.ok()) << store.status().ToString();
  const std::string bytes = Random(5).Bytes(11 << 20);
  Status put = (*store)->Put("a=1/o", BlobContent::Bytes(bytes), PutMode::kCreate).status();
  ASSERT_TRUE(put.ok()) << put.ToString();
  EXPECT_TRUE(*(*(*store)->Open("a=1/o"))->Read(0, bytes.size()) == bytes);
  EXPECT_EQ((*store)->ListAll("a=1/")->size(), 1u);
}

TEST(S3Server, APrivateAuthorityIsTrustedWhenNamedAndElseNot) {
  std::string why;
  auto service = ObjectService::Start("s3", {"--tls"}, &why);
  TD_SERVICE_OR_SKIP(service, why);
  S3Options options = S3OptionsFor(*service);
  ASSERT_TRUE(options.endpoint.starts_with("https://"));
  options.retry = Impatient();
  options.is_plain_http_allowed = false;
  auto store = OpenS3Store(options);
  ASSERT_TRUE(store.ok());
  const std::string bytes = Random(3).Bytes(11 << 20);
  Status put = (*store)->Put("tls/o", BlobContent::Bytes(bytes), PutMode::kCreate).status();
  ASSERT_TRUE(put.ok()) << put.ToString();
  EXPECT_TRUE(*(*(*store)->Open("tls/o"))->Read(0, bytes.size()) == bytes);
  options.ca_file.clear();
  Status untrusted = (*OpenS3Store(options))->Stat("tls/o").status();
  EXPECT_EQ(untrusted.code(), StatusCode::kFailedPrecondition) << untrusted.ToString();
}

TEST(S3Server, AServerThatIsAwayForAWhileIsWaitedFor) {
  std::string why;
  auto service = ObjectService::Start("s3", {}, &why);
  TD_SERVICE_OR_SKIP(service, why);
  if (service->Field("kind") == "moto") GTEST_SKIP() << "moto keeps its objects in memory";
  S3Options options = S3OptionsFor(*service);
  options.retry = {.tries_max = 50, .pause_max = std::chrono::milliseconds(500)};
  auto store = OpenS3Store(options);
  ASSERT_TRUE((*store)->Put("a", BlobContent::Bytes("1"), PutMode::kCreate).ok());
  service->Control("kill");
  options.retry = Impatient();
  EXPECT_EQ((*OpenS3Store(options))->Stat("a").status().code(), StatusCode::kUnavailable);
  const pid_t starter = ::fork();
  if (starter == 0) {
    service->Control("restart");
    ::_exit(0);
  }
  EXPECT_TRUE((*store)->Stat("a").ok());
  ::waitpid(starter, nullptr, 0);
}

/// Kills a process that puts again and again, at random moments; the object is whole or not there.
template <typename Open>
void KillWhilePutting(const Open& open, int rounds) {
  uint64_t seed = testing::TestSeed();
  SCOPED_TRACE(testing::RepeatWith(seed));
  Random random(seed);
  const std::string bytes = random.Bytes(11 << 20);
  auto reader = open();
  for (int round = 0; round < rounds; ++round) {
    const std::string name = "o" + std::to_string(round);
    const pid_t child = ::fork();
    if (child == 0) {
      auto store = open();
      (void)store->Put(name, BlobContent::Bytes(bytes), PutMode::kCreate);
      ::_exit(0);
    }
    SystemClock().SleepFor(std::chrono::microseconds(random.Uniform(200'000)));
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
    Result<std::unique_ptr<Blob>> blob = reader->Open(name);
    if (blob.ok()) {
      EXPECT_TRUE(*(*blob)->Read(0, (*blob)->stat().bytes) == bytes);
    } else {
      EXPECT_EQ(blob.status().code(), StatusCode::kNotFound) << blob.status().ToString();
    }
    EXPECT_EQ(reader->ListAll("")->size(), static_cast<size_t>(round + (blob.ok() ? 1 : 0)));
    // The same again, to the end: what the dead one left does not disturb.
    EXPECT_TRUE(reader->Put(name, BlobContent::Bytes(bytes), PutMode::kCreate).ok());
  }
}

TEST(S3Server, APutKilledAtAnyMomentLeavesNothingHalfVisibleAndItsPartsAreRemoved) {
  std::string why;
  ObjectService* service = SharedS3(&why);
  TD_SERVICE_OR_SKIP(service, why);
  S3Options options = S3OptionsFor(*service);
  options.prefix = Prefix("kills");
  const auto open = [&] { return *OpenS3Store(options); };
  KillWhilePutting(open, kKills);
  auto store = open();
  Result<uint64_t> young = store->RemoveUnfinished("", std::chrono::hours(1));
  ASSERT_TRUE(young.ok()) << young.status().ToString();
  // For moto all uploads began in 2010.
  if (service->Field("kind") != "moto") {
    EXPECT_EQ(*young, 0u);
  }
  Result<uint64_t> removed = store->RemoveUnfinished("", std::chrono::seconds(0));
  ASSERT_TRUE(removed.ok()) << removed.status().ToString();
  std::printf("%lu uploads were left by %d kills\n", static_cast<unsigned long>(*removed), kKills);
  EXPECT_EQ(*store->RemoveUnfinished("", std::chrono::seconds(0)), 0u);
  EXPECT_EQ(store->ListAll("")->size(), static_cast<size_t>(kKills));
}

TEST(AzureServer, APutKilledAtAnyMomentLeavesNothingHalfVisible) {
  std::string why;
  ObjectService* service = SharedAzure(&why);
  TD_SERVICE_OR_SKIP(service, why);
  AzureOptions options = AzureOptionsFor(*service);
  options.prefix = Prefix("kills");
  KillWhilePutting([&] { return *OpenAzureStore(options); }, kKills);
}

TEST(AzureServer, AWrongKeyIsRefusedAndNothingOfItShown) {
  std::string why;
  ObjectService* service = SharedAzure(&why);
  TD_SERVICE_OR_SKIP(service, why);
  AzureOptions options = AzureOptionsFor(*service);
  options.prefix = Prefix("keys");
  const std::string secret = ToBase64("canary secret 55d0");
  options.environment = OneVariable("AZURE_STORAGE_KEY", secret);
  auto store = OpenAzureStore(options);
  ASSERT_TRUE(store.ok());
  for (const Status& status :
       {(*store)->Put("o", BlobContent::Bytes("x"), PutMode::kCreate).status(),
        (*store)->Stat("o").status(), (*store)->List("", "").status(), (*store)->Delete("o")}) {
    EXPECT_EQ(status.code(), StatusCode::kFailedPrecondition) << status.ToString();
    EXPECT_EQ(status.ToString().find(secret), std::string::npos);
  }
}

/// A token of the account for everything with blobs, as Microsoft's page on account SAS defines it.
std::string AccountSas(const ObjectService& service, const std::string& permissions) {
  const std::string version = "2022-11-02", expiry = "2199-01-01T00:00:00Z";
  const std::string text = service.Field("account") + "\n" + permissions + "\nb\nsco\n\n" + expiry +
                           "\n\n\n" + version + "\n\n";
  const std::string signature = ToBase64(HmacSha256(*FromBase64(service.Field("key")), text));
  return "?sv=" + version + "&ss=b&srt=sco&sp=" + permissions + "&se=" + PercentEncode(expiry) +
         "&sig=" + PercentEncode(signature);
}

TEST(AzureServer, ASasTokenGivesTheRightsThatItNamesAndNoMessageShowsIt) {
  std::string why;
  ObjectService* service = SharedAzure(&why);
  TD_SERVICE_OR_SKIP(service, why);
  AzureOptions options = AzureOptionsFor(*service);
  options.prefix = Prefix("sas");
  options.environment = OneVariable("AZURE_STORAGE_SAS_TOKEN", AccountSas(*service, "rwdlac"));
  auto store = OpenAzureStore(options);
  ASSERT_TRUE(store.ok());
  const std::string bytes = Random(4).Bytes(11 << 20);
  Status put = (*store)->Put("a=1/o", BlobContent::Bytes(bytes), PutMode::kCreate).status();
  ASSERT_TRUE(put.ok()) << put.ToString();
  EXPECT_TRUE(*(*(*store)->Open("a=1/o"))->Read(0, bytes.size()) == bytes);
  EXPECT_EQ((*store)->ListAll("a=1/")->size(), 1u);
  const std::string read_only = AccountSas(*service, "rl");
  options.environment = OneVariable("AZURE_STORAGE_SAS_TOKEN", read_only);
  store = OpenAzureStore(options);
  EXPECT_TRUE((*store)->Stat("a=1/o").ok());
  Status refused = (*store)->Put("b", BlobContent::Bytes("x"), PutMode::kCreate).status();
  EXPECT_EQ(refused.code(), StatusCode::kFailedPrecondition) << refused.ToString();
  EXPECT_EQ(refused.ToString().find("sig"), std::string::npos) << refused.ToString();
}

TEST(AzureServer, BytesThatChangeOnTheirWayAreRefused) {
  std::string why;
  ObjectService* service = SharedAzure(&why);
  TD_SERVICE_OR_SKIP(service, why);
  AzureOptions options = AzureOptionsFor(*service);
  options.prefix = Prefix("hashes");
  options.retry = Impatient();
  auto container = AzureContainer::Open(options);
  ASSERT_TRUE(container.ok());
  AzureRequest request;
  request.method = "PUT";
  request.name = "o";
  request.headers = {{"x-ms-blob-type", "BlockBlob"}};
  request.body = WebBody::Bytes("what arrives");
  request.body_md5 = Md5("what was sent");
  Status refused = (*container)->Send("putting", request).status();
  // The service says Md5Mismatch, Azurite another code.
  EXPECT_TRUE(refused.code() == StatusCode::kCorruption ||
              refused.code() == StatusCode::kFailedPrecondition)
      << refused.ToString();
  AzureRequest look;
  look.method = "HEAD";
  look.name = "o";
  EXPECT_EQ((*container)->Send("looking", look).status().code(), StatusCode::kNotFound);
}

TEST(AzureServer, AContainerThatIsNotThereIsToldClearly) {
  std::string why;
  ObjectService* service = SharedAzure(&why);
  TD_SERVICE_OR_SKIP(service, why);
  AzureOptions options = AzureOptionsFor(*service);
  options.container = "nowhere";
  auto store = OpenAzureStore(options);
  Status put = (*store)->Put("o", BlobContent::Bytes("x"), PutMode::kReplace).status();
  EXPECT_EQ(put.code(), StatusCode::kFailedPrecondition) << put.ToString();
  EXPECT_NE(put.message().find("no such container"), std::string::npos) << put.ToString();
}

}  // namespace
}  // namespace tapedeck
