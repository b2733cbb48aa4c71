// Shipping to a real S3 server that is killed and comes back, and to a folder.

#include <gtest/gtest.h>

#include <array>
#include <cstdio>

#include "blob/open_store.h"
#include "blob/s3_store.h"
#include "ship/ship_rig.h"
#include "support/object_service.h"
#include "support/seed.h"

namespace tapedeck::testing {
namespace {

void FillADay(ShipRig* rig) {
  rig->recorder.log.Create("Finhub1", 2);
  for (int i = 0; i < 60; ++i) rig->recorder.ProduceTrades({"Finhub1", i % 2}, 3);
  rig->Record({kShipDay});
}

void ExpectShippedAndPruned(ShipRig* rig, const Holdings& before) {
  EXPECT_EQ(ShipRig::InArchive(ContentsOf(rig->blobs), rig->recorder.LoadState()), before);
  rig->recorder.clock.Advance(rig->options.keep_local);
  ASSERT_TRUE(rig->Round().ok());
  EXPECT_FALSE(rig->StoreHas('s')) << rig->shipper->State().last_error;
  EXPECT_EQ(ShipRig::InArchive(ContentsOf(rig->blobs), rig->recorder.LoadState()), before);
}

std::unique_ptr<BlobStore> OpenBucket(const ObjectService& service) {
  S3Options options;
  options.bucket = service.Field("bucket");
  options.prefix = "ship/journey";
  options.endpoint = service.Field("endpoint");
  options.region = service.Field("region");
  options.is_plain_http_allowed = true;
  options.environment = [id = service.Field("access_key"), secret = service.Field("secret_key")](
                            const char* name) -> std::optional<std::string> {
    if (std::string_view(name) == "AWS_ACCESS_KEY_ID") return id;
    if (std::string_view(name) == "AWS_SECRET_ACCESS_KEY") return secret;
    return std::nullopt;
  };
  auto opened = OpenS3Store(options);
  EXPECT_TRUE(opened.ok()) << opened.status().ToString();
  return std::move(opened).value();
}

TEST(ShipServices, D4ToAnS3ServerThatIsKilledAndComesBack) {
  std::string why;
  auto service = ObjectService::Start("s3", {"--kind", "auto"}, &why);
  if (service == nullptr) GTEST_SKIP() << "no S3 server for this test: " << why;
  ShipRig rig(TestSeed());
  FillADay(&rig);
  const Holdings before = rig.InStore();
  const auto bucket = OpenBucket(*service);
  rig.blobs = bucket.get();
  rig.StartShipper();
  service->Control("kill");
  ASSERT_TRUE(rig.Round().ok());
  EXPECT_NE(rig.shipper->State().last_error, "");
  EXPECT_EQ(rig.InStore(), before);
  service->Control("restart");
  rig.recorder.clock.Advance(Backoff::kMost);
  rig.ShipAll();
  ExpectShippedAndPruned(&rig, before);
}

// One request to the server, signed by curl; its answer.
std::string Ask(const ObjectService& service, const std::string& method, const std::string& query) {
  const std::string command =
      "curl -sS --noproxy '*' -X " + method + " --aws-sigv4 aws:amz:us-east-1:s3 --user '" +
      service.Field("access_key") + ":" + service.Field("secret_key") + "' '" +
      service.Field("endpoint") + "/" + service.Field("bucket") + query + "' 2>&1";
  FILE* pipe = ::popen(command.c_str(), "r");
  EXPECT_NE(pipe, nullptr);
  if (pipe == nullptr) return "";
  std::string answer;
  std::array<char, 4096> buffer{};
  for (size_t got = 0; (got = std::fread(buffer.data(), 1, buffer.size(), pipe)) > 0;)
    answer.append(buffer.data(), got);
  EXPECT_EQ(::pclose(pipe), 0) << answer;
  return answer;
}

// The process was killed in the middle of uploads: the next one ends them before it goes on.
TEST(ShipServices, D9UploadsThatACrashLeftAreAbortedAtTheStart) {
  std::string why;
  auto service = ObjectService::Start("s3", {"--kind", "auto"}, &why);
  if (service == nullptr) GTEST_SKIP() << "no S3 server for this test: " << why;
  ShipRig rig(TestSeed());
  FillADay(&rig);
  const Holdings before = rig.InStore();
  const auto bucket = OpenBucket(*service);
  rig.blobs = &rig.fake;
  rig.fake.Inject({.op = BlobOp::kPut, .times = -1});
  rig.StartShipper();
  ASSERT_TRUE(rig.Round().ok());  // names are written down, nothing is put
  const std::set<std::string> names = rig.ObjectEntries();
  ASSERT_FALSE(names.empty());
  auto left_over = [&](const std::string& name) {
    std::string key = "ship%2Fjourney%2F";
    for (char c : name) key += c == '/' ? "%2F" : c == '=' ? "%3D" : std::string(1, c);
    const std::string list = Ask(*service, "GET", "?prefix=" + key + "&uploads=");
    EXPECT_NE(list.find("ListMultipartUploadsResult"), list.npos) << list;
    return list.find("<UploadId>") != list.npos;
  };
  // As what is signed has it.
  auto in_path = [](const std::string& name) {
    std::string path;
    for (char c : name) path += c == '=' ? "%3D" : std::string(1, c);
    return path;
  };
  for (const std::string& name : names) {
    const std::string begun = Ask(*service, "POST", "/ship/journey/" + in_path(name) + "?uploads=");
    EXPECT_NE(begun.find("UploadId"), begun.npos) << begun;
    EXPECT_TRUE(left_over(name)) << name;
  }
  rig.blobs = bucket.get();
  rig.StartShipper();
  ASSERT_TRUE(rig.Round().ok());
  for (const std::string& name : names) EXPECT_FALSE(left_over(name)) << name;
  rig.ShipAll();
  EXPECT_TRUE(rig.ObjectEntries().empty());
  ExpectShippedAndPruned(&rig, before);
}

TEST(ShipServices, ToAFolder) {
  ShipRig rig(TestSeed());
  FillADay(&rig);
  const Holdings before = rig.InStore();
  const auto path = rig.recorder.dir.path() / "archive";
  std::filesystem::create_directories(path);
  auto folder = OpenBlobStore("file://" + path.string(), {});
  ASSERT_TRUE(folder.ok()) << folder.status().ToString();
  rig.blobs = folder->get();
  rig.StartShipper();
  rig.ShipAll();
  ExpectShippedAndPruned(&rig, before);
}

}  // namespace
}  // namespace tapedeck::testing
