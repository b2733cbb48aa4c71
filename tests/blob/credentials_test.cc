#include <gtest/gtest.h>

#include <map>

#include "base/encoding.h"
#include "base/file.h"
#include "base/secure_hash.h"
#include "blob/azure_credentials.h"
#include "blob/s3_credentials.h"
#include "support/stub_server.h"
#include "support/temp_dir.h"

namespace tapedeck {
namespace {

using testing::StubAnswer;
using testing::StubRequest;
using testing::StubServer;
using testing::TempDir;

constexpr const char* kCanary = "canary-91bc";

class Credentials : public ::testing::Test {
 protected:
  Credentials() { client_ = *WebClient::Open({}); }
  /// Only what is in `variables_`; never the metadata service of the machine that tests.
  S3CredentialChain S3() { return S3CredentialChain(Variables(), client_.get(), &clock_); }
  AzureCredentialChain Azure() { return AzureCredentialChain(Variables(), client_.get(), &clock_); }
  Environment Variables() {
    return [this](const char* name) -> std::optional<std::string> {
      const auto found = variables_.find(name);
      if (found == variables_.end()) return std::nullopt;
      return found->second;
    };
  }
  std::string Document(int minutes) {
    return "{\"Code\":\"Success\",\"AccessKeyId\":\"role-key\",\"SecretAccessKey\":\"" +
           std::string(kCanary) + "\",\"Token\":\"t/+=\",\"Expiration\":\"" +
           FormatRfc3339(clock_.Now().SaturatingAdd(minutes * 60'000'000'000)) + "\",\"x\":[{}]}";
  }

  ManualClock clock_{Timestamp(1'795'277'445'000'000'000)};
  std::unique_ptr<WebClient> client_;
  std::map<std::string, std::string> variables_ = {{"AWS_EC2_METADATA_DISABLED", "true"}};
  TempDir dir_;
};

TEST_F(Credentials, TheEnvironmentComesFirst) {
  variables_["AWS_ACCESS_KEY_ID"] = "a";
  variables_["AWS_SECRET_ACCESS_KEY"] = "b";
  variables_["AWS_SESSION_TOKEN"] = "c";
  variables_["AWS_PROFILE"] = "nowhere";
  Result<S3Credentials> credentials = S3().Get();
  ASSERT_TRUE(credentials.ok()) << credentials.status().ToString();
  EXPECT_EQ(credentials->access_key, "a");
  EXPECT_EQ(credentials->secret_key, "b");
  EXPECT_EQ(credentials->session_token, "c");
  variables_.erase("AWS_SECRET_ACCESS_KEY");
  EXPECT_EQ(S3().Get().status().code(), StatusCode::kFailedPrecondition);
}

TEST_F(Credentials, AProfileIsReadAndReadAgainLater) {
  const std::string path = dir_.File("credentials");
  ASSERT_TRUE(WriteFileAtomically(path,
                                  "# comment\n[default]\naws_access_key_id = one\r\n"
                                  "aws_secret_access_key=two=2 \n\n[ other ]\n"
                                  "aws_access_key_id=three\naws_secret_access_key = four\n"
                                  "aws_session_token = five\n")
                  .ok());
  variables_["AWS_SHARED_CREDENTIALS_FILE"] = path;
  S3CredentialChain chain = S3();
  EXPECT_EQ(chain.Get()->access_key, "one");
  EXPECT_EQ(chain.Get()->secret_key, "two=2");
  ASSERT_TRUE(WriteFileAtomically(path,
                                  "[default]\naws_access_key_id=new\n"
                                  "aws_secret_access_key=newer\n")
                  .ok());
  EXPECT_EQ(chain.Get()->access_key, "one");
  clock_.Advance(std::chrono::minutes(6));
  EXPECT_EQ(chain.Get()->access_key, "new");
  variables_["AWS_PROFILE"] = "other";
  EXPECT_EQ(S3().Get().status().code(), StatusCode::kFailedPrecondition);  // it is gone
  variables_["AWS_PROFILE"] = "default";
  EXPECT_EQ(S3().Get()->access_key, "new");
}

TEST_F(Credentials, AFileThatIsNamedAndNotThereIsAnErrorAndTheUsualOneIsPassedOver) {
  variables_["AWS_SHARED_CREDENTIALS_FILE"] = dir_.File("none");
  EXPECT_NE(S3().Get().status().message().find("none"), std::string::npos);
  variables_.erase("AWS_SHARED_CREDENTIALS_FILE");
  variables_["HOME"] = dir_.path();
  Status none = S3().Get().status();
  EXPECT_EQ(none.code(), StatusCode::kFailedPrecondition);
  EXPECT_NE(none.message().find("no S3 credentials"), std::string::npos) << none.ToString();
}

TEST_F(Credentials, AContainersRoleIsFetchedOnceAndAgainBeforeItExpires) {
  StubServer server([&](const StubRequest&) { return StubAnswer::Of(200, Document(60)); });
  ASSERT_TRUE(WriteFileAtomically(dir_.File("token"), "secret-token\n").ok());
  variables_["AWS_CONTAINER_CREDENTIALS_FULL_URI"] = server.url() + "/role?x=1";
  variables_["AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"] = dir_.File("token");
  S3CredentialChain chain = S3();
  for (int i = 0; i < 3; ++i) {
    Result<S3Credentials> credentials = chain.Get();
    ASSERT_TRUE(credentials.ok()) << credentials.status().ToString();
    EXPECT_EQ(credentials->secret_key, kCanary);
    EXPECT_EQ(credentials->session_token, "t/+=");
  }
  EXPECT_EQ(server.requests().size(), 1u);
  EXPECT_EQ(server.requests()[0].Header("authorization"), "secret-token");
  clock_.Advance(std::chrono::minutes(54));
  ASSERT_TRUE(chain.Get().ok());
  EXPECT_EQ(server.requests().size(), 1u);
  clock_.Advance(std::chrono::minutes(2));
  ASSERT_TRUE(chain.Get().ok());
  EXPECT_EQ(server.requests().size(), 2u);
  chain.Forget();
  ASSERT_TRUE(chain.Get().ok());
  EXPECT_EQ(server.requests().size(), 3u);
}

TEST_F(Credentials, WhileTheRoleServiceIsAwayTheOldOnesServeAsLongAsTheyAreGood) {
  bool is_away = false;
  StubServer server([&](const StubRequest&) {
    return is_away ? StubAnswer::Of(500) : StubAnswer::Of(200, Document(60));
  });
  variables_["AWS_CONTAINER_CREDENTIALS_FULL_URI"] = server.url() + "/role";
  S3CredentialChain chain = S3();
  ASSERT_TRUE(chain.Get().ok());
  is_away = true;
  clock_.Advance(std::chrono::minutes(58));
  EXPECT_TRUE(chain.Get().ok());
  clock_.Advance(std::chrono::minutes(3));
  EXPECT_EQ(chain.Get().status().code(), StatusCode::kUnavailable);
  is_away = false;
  EXPECT_TRUE(chain.Get().ok());
}

TEST_F(Credentials, AContainersTokenDoesNotGoAnywhereInTheClear) {
  for (const char* url : {"http://10.0.0.1/role", "http://metadata.evil.example/",
                          "ftp://127.0.0.1/", "http://user:pw@127.0.0.1/"}) {
    variables_["AWS_CONTAINER_CREDENTIALS_FULL_URI"] = url;
    variables_["AWS_CONTAINER_AUTHORIZATION_TOKEN"] = kCanary;
    Status status = S3().Get().status();
    EXPECT_TRUE(status.code() == StatusCode::kFailedPrecondition ||
                status.code() == StatusCode::kInvalidArgument)
        << url << status.ToString();
    EXPECT_EQ(status.ToString().find(kCanary), std::string::npos);
  }
}

TEST_F(Credentials, AnInstancesRoleIsAskedForWithASessionToken) {
  StubServer server([&](const StubRequest& request) {
    if (request.method == "PUT") return StubAnswer::Of(200, "session");
    if (request.Header("x-aws-ec2-metadata-token") != "session") return StubAnswer::Of(401);
    if (request.target.ends_with("/security-credentials/")) return StubAnswer::Of(200, "my-role\n");
    return StubAnswer::Of(200, Document(60));
  });
  variables_ = {{"AWS_EC2_METADATA_SERVICE_ENDPOINT", server.url() + "/"}};
  Result<S3Credentials> credentials = S3().Get();
  ASSERT_TRUE(credentials.ok()) << credentials.status().ToString();
  EXPECT_EQ(credentials->access_key, "role-key");
  const auto requests = server.requests();
  ASSERT_EQ(requests.size(), 3u);
  EXPECT_EQ(requests[0].target, "/latest/api/token");
  EXPECT_EQ(requests[0].Header("x-aws-ec2-metadata-token-ttl-seconds"), "300");
  EXPECT_EQ(requests[2].target, "/latest/meta-data/iam/security-credentials/my-role");
}

TEST_F(Credentials, AnInstanceWithoutARoleHasNone) {
  StubServer server([&](const StubRequest& request) {
    return request.method == "PUT" ? StubAnswer::Of(200, "session") : StubAnswer::Of(404);
  });
  variables_ = {{"AWS_EC2_METADATA_SERVICE_ENDPOINT", server.url()}};
  EXPECT_NE(S3().Get().status().message().find("no S3 credentials"), std::string::npos);
}

TEST_F(Credentials, DocumentsThatMakeNoSenseAreErrorsWithoutTheirContent) {
  std::string body;
  StubServer server([&](const StubRequest&) { return StubAnswer::Of(200, body); });
  variables_["AWS_CONTAINER_CREDENTIALS_FULL_URI"] = server.url() + "/role";
  const std::string canary = kCanary;
  for (const std::string& document :
       {std::string(), std::string("[]"), "\"" + canary + "\"", "{\"SecretAccessKey\":\"" + canary,
        "{\"SecretAccessKey\":\"" + canary + "\"}",
        "{\"AccessKeyId\":1,\"SecretAccessKey\":{\"a\":\"" + canary + "\"}}",
        "{\"AccessKeyId\":\"a\",\"SecretAccessKey\":\"" + canary + "\",\"Expiration\":\"soon\"}",
        std::string(50'000, '[')}) {
    body = document;
    Status status = S3().Get().status();
    EXPECT_EQ(status.code(), StatusCode::kFailedPrecondition) << status.ToString();
    EXPECT_EQ(status.ToString().find(kCanary), std::string::npos) << status.ToString();
  }
}

TEST_F(Credentials, AzureTakesAKeyThenASasThenAnIdentity) {
  StubServer server([&](const StubRequest&) {
    return StubAnswer::Of(200, "{\"access_token\":\"tok\",\"expires_on\":\"" +
                                   std::to_string(clock_.Now().ns() / 1'000'000'000 + 3600) +
                                   "\",\"resource\":\"r\"}");
  });
  variables_["IDENTITY_ENDPOINT"] = server.url() + "/msi/token";
  variables_["IDENTITY_HEADER"] = "guid";
  variables_["AZURE_CLIENT_ID"] = "me & you";
  AzureCredentialChain chain = Azure();
  ASSERT_TRUE(chain.Get().ok()) << chain.Get().status().ToString();
  EXPECT_EQ(chain.Get()->token, "tok");
  ASSERT_EQ(server.requests().size(), 1u);
  EXPECT_EQ(server.requests()[0].target,
            "/msi/token?api-version=2019-08-01&resource=https%3A%2F%2Fstorage.azure.com%2F"
            "&client_id=me%20%26%20you");
  EXPECT_EQ(server.requests()[0].Header("x-identity-header"), "guid");
  clock_.Advance(std::chrono::minutes(56));
  ASSERT_TRUE(chain.Get().ok());
  EXPECT_EQ(server.requests().size(), 2u);

  ASSERT_TRUE(WriteFileAtomically(dir_.File("sas"), "?sv=1&sig=x%3D\n").ok());
  variables_["AZURE_STORAGE_SAS_TOKEN_FILE"] = dir_.File("sas");
  EXPECT_EQ(Azure().Get()->sas, "sv=1&sig=x%3D");
  variables_["AZURE_STORAGE_KEY"] = ToBase64("key");
  EXPECT_EQ(Azure().Get()->key, "key");
  EXPECT_EQ(Azure().Get()->sas, "");
  variables_["AZURE_STORAGE_KEY"] = std::string(kCanary) + "!";
  Status wrong = Azure().Get().status();
  EXPECT_EQ(wrong.code(), StatusCode::kFailedPrecondition);
  EXPECT_EQ(wrong.ToString().find(kCanary), std::string::npos);
}

TEST_F(Credentials, AzuresMachineIsAskedAtItsMetadataService) {
  StubServer server([&](const StubRequest& request) {
    if (request.Header("metadata") != "true") return StubAnswer::Of(400);
    if (request.number == 1)
      return StubAnswer::Of(200, "{\"access_token\":\"" + std::string(kCanary) + "\"}");
    return StubAnswer::Of(410);
  });
  variables_["AZURE_POD_IDENTITY_AUTHORITY_HOST"] = server.url();
  EXPECT_EQ(Azure().Get().status().code(), StatusCode::kUnavailable);
  Status wrong = Azure().Get().status();
  EXPECT_EQ(wrong.code(), StatusCode::kFailedPrecondition);
  EXPECT_EQ(wrong.ToString().find(kCanary), std::string::npos);
}

// The example of Microsoft's page on Shared Key (version 2015-02-21 and later): GET of a list of a
// container's metadata.
TEST(AzureSignature, TheStringToSignIsAsDocumented) {
  EXPECT_EQ(
      AzureStringToSign(
          "GET", "myaccount", "/mycontainer",
          {{"comp", "metadata"}, {"restype", "container"}, {"timeout", "20"}},
          {{"x-ms-version", "2015-02-21"}, {"x-ms-date", "Fri, 26 Jun 2015 23:39:12 GMT"}}, 0),
      "GET\n\n\n\n\n\n\n\n\n\n\n\nx-ms-date:Fri, 26 Jun 2015 23:39:12 GMT\n"
      "x-ms-version:2015-02-21\n/myaccount/mycontainer\ncomp:metadata\nrestype:container\n"
      "timeout:20");
  EXPECT_EQ(AzureStringToSign("PUT", "a", "/c/n%25", {},
                              {{"Content-MD5", "m"},
                               {"Content-Type", "t"},
                               {"If-Match", "e"},
                               {"If-None-Match", "*"},
                               {"Range", "r"},
                               {"X-Ms-Blob-Type", "BlockBlob"}},
                              12),
            "PUT\n\n\n12\nm\nt\n\n\ne\n*\n\nr\nx-ms-blob-type:BlockBlob\n/a/c/n%25");
}

}  // namespace
}  // namespace tapedeck
