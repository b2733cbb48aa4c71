#include "blob/s3_kind.h"

#include <map>
#include <vector>

#include "blob/s3_store.h"
#include "blob/store_conformance.h"

namespace tapedeck {
namespace {

class S3Site final : public StoreSite {
 public:
  explicit S3Site(std::unique_ptr<testing::ObjectService> service) : service_(std::move(service)) {}
  Result<std::unique_ptr<BlobStore>> Open(const std::string& prefix) override {
    S3Options options = S3OptionsFor(*service_);
    options.prefix = prefix;
    return OpenS3Store(options);
  }
  bool has_conditions() const override { return service_->Field("kind") != "moto"; }
  testing::ObjectService* service() { return service_.get(); }

 private:
  const std::unique_ptr<testing::ObjectService> service_;
};

Result<StoreSite*> Shared(const char* kind) {
  static std::map<std::string, Result<std::unique_ptr<S3Site>>> sites;
  const auto found = sites.find(kind);
  if (found != sites.end()) {
    if (!found->second.ok()) return found->second.status();
    return found->second->get();
  }
  std::string why;
  std::vector<std::string> words = {"--kind", kind};
  if (std::string_view(kind) == "auto") words.push_back("--shared");
  auto service = testing::ObjectService::Start("s3", words, &why);
  Result<std::unique_ptr<S3Site>> site = Status::Unavailable("no S3 server for this test: " + why);
  if (service != nullptr) site = std::make_unique<S3Site>(std::move(service));
  sites.emplace(kind, std::move(site));
  return Shared(kind);
}

}  // namespace

Environment KeysOnly(const std::string& access_key, const std::string& secret_key) {
  return [=](const char* name) -> std::optional<std::string> {
    if (std::string_view(name) == "AWS_ACCESS_KEY_ID") return access_key;
    if (std::string_view(name) == "AWS_SECRET_ACCESS_KEY") return secret_key;
    return std::nullopt;
  };
}

S3Options S3OptionsFor(const testing::ObjectService& service) {
  S3Options options;
  options.bucket = service.Field("bucket");
  options.endpoint = service.Field("endpoint");
  options.region = service.Field("region");
  options.ca_file = service.Field("ca");
  options.environment = KeysOnly(service.Field("access_key"), service.Field("secret_key"));
  options.part_bytes = uint64_t{5} << 20;
  options.is_plain_http_allowed = true;
  return options;
}

testing::ObjectService* SharedS3(std::string* why) {
  Result<StoreSite*> site = Shared("auto");
  if (site.ok()) return static_cast<S3Site*>(*site)->service();
  *why = site.status().ToString();
  return nullptr;
}

StoreKind S3Kind() {
  return {"s3", [] { return Shared("auto"); }};
}

}  // namespace tapedeck
