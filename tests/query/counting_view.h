#ifndef TAPEDECK_TESTS_QUERY_COUNTING_VIEW_H_
#define TAPEDECK_TESTS_QUERY_COUNTING_VIEW_H_

// CountingView: a view that counts the entries that are read of it, by what they are.
//
//   EntryCounts counts;
//   auto view = std::make_shared<CountingView>(store->View(), &counts);
//   …
//   counts[keys::Prefix::kDay]
//
// Owned by one thread; the counts outlive it.

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "model/keys.h"
#include "store/store.h"

namespace tapedeck::testing {

using EntryCounts = std::map<keys::Prefix, size_t>;

class CountingCursor final : public StoreCursor {
 public:
  CountingCursor(std::unique_ptr<StoreCursor> cursor, EntryCounts* counts)
      : cursor_(std::move(cursor)), counts_(counts) {}
  bool Valid() const override { return cursor_->Valid(); }
  std::string_view key() const override { return cursor_->key(); }
  std::string_view value() const override { return cursor_->value(); }
  void Next() override { cursor_->Next(), Count(); }
  void Seek(std::string_view key) override { cursor_->Seek(key), Count(); }
  void SeekForPrev(std::string_view key) override { cursor_->SeekForPrev(key), Count(); }
  void Prev() override { cursor_->Prev(), Count(); }
  void SeekToFirst() override { cursor_->SeekToFirst(), Count(); }
  void SeekToLast() override { cursor_->SeekToLast(), Count(); }
  Status status() const override { return cursor_->status(); }

 private:
  void Count() {
    if (cursor_->Valid()) ++(*counts_)[static_cast<keys::Prefix>(cursor_->key()[0])];
  }

  const std::unique_ptr<StoreCursor> cursor_;
  EntryCounts* const counts_;
};

class CountingView final : public StoreView {
 public:
  CountingView(std::unique_ptr<StoreView> view, EntryCounts* counts)
      : view_(std::move(view)), counts_(counts) {}
  std::unique_ptr<StoreCursor> Scan(std::string_view lower, std::string_view upper,
                                    ScanKind kind) const override {
    return std::make_unique<CountingCursor>(view_->Scan(lower, upper, kind), counts_);
  }
  Result<std::string> Get(std::string_view key) const override {
    ++(*counts_)[static_cast<keys::Prefix>(key[0])];
    return view_->Get(key);
  }

 private:
  const std::unique_ptr<StoreView> view_;
  EntryCounts* const counts_;
};

}  // namespace tapedeck::testing

#endif  // TAPEDECK_TESTS_QUERY_COUNTING_VIEW_H_
