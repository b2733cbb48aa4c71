#include "blob/store_conformance.h"

#include <unistd.h>

#include <fstream>
#include <map>
#include <utility>

#include "base/time.h"
#include "blob/local_store.h"
#include "support/fake_blob_store.h"
#include "support/kafka_service.h"

namespace tapedeck {
namespace {

class LocalSite final : public StoreSite {
 public:
  Result<std::unique_ptr<BlobStore>> Open(const std::string& prefix) override {
    return OpenLocalStore(dir_.File(prefix));
  }

 private:
  testing::TempDir dir_;
};

/// The same fake for the same prefix, whoever opens it.
class SharedFake final : public BlobStore {
 public:
  explicit SharedFake(std::shared_ptr<BlobStore> inner) : inner_(std::move(inner)) {}
  Result<PutReport> Put(const std::string& name, const BlobContent& content,
                        PutMode mode) override {
    return inner_->Put(name, content, mode);
  }
  Result<std::unique_ptr<Blob>> Open(const std::string& name) override {
    return inner_->Open(name);
  }
  Result<BlobStat> Stat(const std::string& name) override { return inner_->Stat(name); }
  Result<BlobPage> List(const std::string& prefix, const std::string& after) override {
    return inner_->List(prefix, after);
  }
  Status Delete(const std::string& name) override { return inner_->Delete(name); }
  Result<uint64_t> RemoveUnfinished(const std::string& prefix,
                                    std::chrono::seconds min_age) override {
    return inner_->RemoveUnfinished(prefix, min_age);
  }
  std::string Describe() const override { return inner_->Describe(); }

 private:
  const std::shared_ptr<BlobStore> inner_;
};

class FakeSite final : public StoreSite {
 public:
  Result<std::unique_ptr<BlobStore>> Open(const std::string& prefix) override {
    std::shared_ptr<BlobStore>& store = stores_[prefix];
    if (store == nullptr) store = std::make_shared<testing::FakeBlobStore>(&SystemClock());
    return std::unique_ptr<BlobStore>(new SharedFake(store));
  }

 private:
  std::map<std::string, std::shared_ptr<BlobStore>> stores_;
};

}  // namespace

void PrintTo(const StoreKind& kind, std::ostream* out) { *out << kind.name; }

StoreKind LocalKind() {
  return {"local", []() -> Result<StoreSite*> {
            static LocalSite site;
            return &site;
          }};
}

StoreKind FakeKind() {
  return {"fake", []() -> Result<StoreSite*> {
            static FakeSite site;
            return &site;
          }};
}

void StoreConformance::SetUp() {
  Result<StoreSite*> site = GetParam().site();
  if (!site.ok() && testing::KafkaService::IsRequired())
    FAIL() << "services are required here: " << site.status().ToString();
  if (!site.ok()) GTEST_SKIP() << site.status().ToString();
  site_ = *site;
  // Servers named by the environment may have seen this test before.
  static int cases = 0;
  prefix_ = "case-" + std::to_string(++cases) + "-" +
            std::to_string(SystemClock().Now().ns() / 1000) + "-" + std::to_string(::getpid());
  store_ = OpenAnother();
  ASSERT_NE(store_, nullptr);
}

std::unique_ptr<BlobStore> StoreConformance::OpenAnother() {
  Result<std::unique_ptr<BlobStore>> store = site_->Open(prefix_);
  EXPECT_TRUE(store.ok()) << store.status().ToString();
  return store.ok() ? std::move(*store) : nullptr;
}

std::string StoreConformance::Content(const std::string& name) {
  Result<std::unique_ptr<Blob>> blob = store_->Open(name);
  if (!blob.ok()) return blob.status().ToString();
  std::string bytes;
  Status read = (*blob)->StreamAll([&](std::string_view piece) {
    bytes += piece;
    return Status::Ok();
  });
  return read.ok() ? bytes : read.ToString();
}

std::string StoreConformance::MakeFile(const std::string& name, const std::string& bytes) {
  std::ofstream file(dir_.File(name), std::ios::binary);
  file << bytes;
  file.close();
  EXPECT_TRUE(file.good());
  return dir_.File(name);
}

}  // namespace tapedeck
