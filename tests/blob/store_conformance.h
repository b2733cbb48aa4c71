#ifndef TAPEDECK_TESTS_BLOB_STORE_CONFORMANCE_H_
#define TAPEDECK_TESTS_BLOB_STORE_CONFORMANCE_H_

// The conformance suite of BlobStore: each case runs on a local folder, on the fake, on a real S3
// server and on a real Azure server.

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <ostream>
#include <string>

#include "base/clock.h"
#include "base/random.h"
#include "blob/blob_store.h"
#include "support/temp_dir.h"

namespace tapedeck {

/// A server, or whatever stores are opened on.
class StoreSite {
 public:
  virtual ~StoreSite() = default;
  /// A store of the objects under this prefix. Two of one prefix share their objects.
  virtual Result<std::unique_ptr<BlobStore>> Open(const std::string& prefix) = 0;
  /// Whether the server heeds If-None-Match: where not, two writers who saw nothing both write.
  virtual bool has_conditions() const { return true; }
};

struct StoreKind {
  std::string name;
  std::function<Result<StoreSite*>()> site;  // shared by the cases of a process
};
void PrintTo(const StoreKind& kind, std::ostream* out);

StoreKind LocalKind();
StoreKind FakeKind();
StoreKind S3Kind();
StoreKind AzureKind();

class StoreConformance : public ::testing::TestWithParam<StoreKind> {
 protected:
  void SetUp() override;
  /// Another store on the objects of this case.
  std::unique_ptr<BlobStore> OpenAnother();
  /// The whole object; what went wrong as text.
  std::string Content(const std::string& name);
  std::string MakeFile(const std::string& name, const std::string& bytes);

  std::unique_ptr<BlobStore> store_;
  testing::TempDir dir_;
  StoreSite* site_ = nullptr;

 private:
  std::string prefix_;
};

}  // namespace tapedeck

#endif  // TAPEDECK_TESTS_BLOB_STORE_CONFORMANCE_H_
