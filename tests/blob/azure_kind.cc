#include "blob/azure_kind.h"

#include "blob/store_conformance.h"

namespace tapedeck {
namespace {

class AzureSite final : public StoreSite {
 public:
  explicit AzureSite(std::unique_ptr<testing::ObjectService> service)
      : service_(std::move(service)) {}
  Result<std::unique_ptr<BlobStore>> Open(const std::string& prefix) override {
    AzureOptions options = AzureOptionsFor(*service_);
    options.prefix = prefix;
    return OpenAzureStore(options);
  }
  testing::ObjectService* service() { return service_.get(); }

 private:
  const std::unique_ptr<testing::ObjectService> service_;
};

Result<AzureSite*> Shared() {
  static std::string why;
  static const std::unique_ptr<AzureSite> site = [] {
    auto service = testing::ObjectService::Start("azure", {"--shared"}, &why);
    return service == nullptr ? nullptr : std::make_unique<AzureSite>(std::move(service));
  }();
  if (site == nullptr) return Status::Unavailable("no Azure server for this test: " + why);
  return site.get();
}

}  // namespace

Environment OneVariable(const std::string& name, const std::string& value) {
  return [=](const char* asked) -> std::optional<std::string> {
    if (name == asked) return value;
    return std::nullopt;
  };
}

AzureOptions AzureOptionsFor(const testing::ObjectService& service) {
  AzureOptions options;
  options.account = service.Field("account");
  options.container = service.Field("container");
  options.endpoint = service.Field("endpoint");
  options.ca_file = service.Field("ca");
  options.environment = OneVariable("AZURE_STORAGE_KEY", service.Field("key"));
  options.block_bytes = uint64_t{5} << 20;
  options.is_plain_http_allowed = true;
  return options;
}

testing::ObjectService* SharedAzure(std::string* why) {
  Result<AzureSite*> site = Shared();
  if (site.ok()) return (*site)->service();
  *why = site.status().ToString();
  return nullptr;
}

StoreKind AzureKind() {
  return {"azure", []() -> Result<StoreSite*> {
            TD_ASSIGN_OR_RETURN(AzureSite * site, Shared());
            return site;
          }};
}

}  // namespace tapedeck
