#ifndef TAPEDECK_TESTS_QUERY_STORE_BESIDE_H_
#define TAPEDECK_TESTS_QUERY_STORE_BESIDE_H_

// StoreBeside: a store whose views are those of another, with something that happens right before
// each view is taken.
//
//   StoreBeside store(&filler.store(), [&] { … });
//
// Owned by one thread; the other store outlives it.

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "store/store.h"

namespace tapedeck::testing {

class StoreBeside final : public Store {
 public:
  StoreBeside(Store* store, std::function<void()> before_view)
      : store_(store), before_view_(std::move(before_view)) {}

  const StoreMeta& meta() const override { return store_->meta(); }
  std::string wal_damage() const override { return store_->wal_damage(); }
  Status Write(StoreBatch& batch) override { return store_->Write(batch); }
  std::unique_ptr<StoreView> View() const override {
    before_view_();
    return store_->View();
  }
  Status CatchUp() override { return store_->CatchUp(); }
  Status TryResume() override { return store_->TryResume(); }
  Result<DiskUse> Disk() const override { return store_->Disk(); }
  Status VerifyFiles() override { return store_->VerifyFiles(); }
  std::vector<std::pair<std::string, uint64_t>> SizeByKind() const override {
    return store_->SizeByKind();
  }
  Status CompactAll() override { return store_->CompactAll(); }
  Status CompactRange(std::string_view from, std::string_view to) override {
    return store_->CompactRange(from, to);
  }
  Status BackUp(const std::filesystem::path& dir) override { return store_->BackUp(dir); }
  Status FlushMemtables() override { return store_->FlushMemtables(); }
  Status Close() override { return store_->Close(); }

 private:
  Store* const store_;
  const std::function<void()> before_view_;
};

}  // namespace tapedeck::testing

#endif  // TAPEDECK_TESTS_QUERY_STORE_BESIDE_H_
