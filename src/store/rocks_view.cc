#include "store/rocks_view.h"

namespace tapedeck::rocks {
namespace {

rocksdb::Slice ToSlice(std::string_view bytes) { return {bytes.data(), bytes.size()}; }
std::string_view ToView(const rocksdb::Slice& slice) { return {slice.data(), slice.size()}; }

// A range that has no entries, or none that can be read.
class NoEntries final : public StoreCursor {
 public:
  explicit NoEntries(Status status) : status_(std::move(status)) {}
  bool Valid() const override { return false; }
  std::string_view key() const override { return {}; }
  std::string_view value() const override { return {}; }
  void Next() override {}
  void Seek(std::string_view) override {}
  void SeekForPrev(std::string_view) override {}
  void Prev() override {}
  void SeekToFirst() override {}
  void SeekToLast() override {}
  Status status() const override { return status_; }

 private:
  Status status_;
};

class RocksCursor final : public StoreCursor {
 public:
  RocksCursor(rocksdb::DB* db, rocksdb::ReadOptions read, std::string_view lower,
              std::string_view upper)
      : lower_(lower), upper_(upper), lower_slice_(lower_), upper_slice_(upper_) {
    if (!lower_.empty()) read.iterate_lower_bound = &lower_slice_;
    if (!upper_.empty()) read.iterate_upper_bound = &upper_slice_;
    iterator_.reset(db->NewIterator(read));
  }

  bool Valid() const override { return iterator_->Valid(); }
  std::string_view key() const override { return ToView(iterator_->key()); }
  std::string_view value() const override { return ToView(iterator_->value()); }
  void Next() override {
    if (iterator_->Valid()) iterator_->Next();
  }
  void Prev() override {
    if (iterator_->Valid()) iterator_->Prev();
  }
  void Seek(std::string_view key) override { iterator_->Seek(ToSlice(key)); }
  void SeekForPrev(std::string_view key) override { iterator_->SeekForPrev(ToSlice(key)); }
  void SeekToFirst() override { iterator_->SeekToFirst(); }
  void SeekToLast() override { iterator_->SeekToLast(); }
  Status status() const override { return ToStatus(iterator_->status(), Access::kRead); }

 private:
  std::string lower_, upper_;
  rocksdb::Slice lower_slice_, upper_slice_;
  std::unique_ptr<rocksdb::Iterator> iterator_;  // last: it refers to the bounds
};

class RocksView final : public StoreView {
 public:
  explicit RocksView(std::shared_ptr<Engine> engine) : engine_(std::move(engine)) {
    engine_->views().fetch_add(1);
    // A secondary has no snapshots and needs none: an opened one never changes.
    if (!engine_->secondary()) snapshot_ = engine_->db().GetSnapshot();
  }
  ~RocksView() override {
    if (snapshot_ != nullptr) engine_->db().ReleaseSnapshot(snapshot_);
    engine_->views().fetch_sub(1);
  }
  RocksView(const RocksView&) = delete;
  RocksView& operator=(const RocksView&) = delete;

  std::unique_ptr<StoreCursor> Scan(std::string_view lower, std::string_view upper,
                                    ScanKind kind) const override {
    if (!upper.empty() && lower >= upper) return std::make_unique<NoEntries>(Status::Ok());
    rocksdb::ReadOptions read = kind == ScanKind::kLong ? LongRead() : PointRead();
    read.snapshot = snapshot_;
    return std::make_unique<RocksCursor>(&engine_->db(), read, lower, upper);
  }

  Result<std::string> Get(std::string_view key) const override {
    rocksdb::ReadOptions read = PointRead();
    read.snapshot = snapshot_;
    std::string value;
    rocksdb::Status got = engine_->db().Get(read, ToSlice(key), &value);
    if (!got.ok()) return ToStatus(got, Access::kRead);
    return value;
  }

 private:
  std::shared_ptr<Engine> engine_;
  const rocksdb::Snapshot* snapshot_ = nullptr;
};

class ClosedView final : public StoreView {
 public:
  explicit ClosedView(Status why) : why_(std::move(why)) {}
  std::unique_ptr<StoreCursor> Scan(std::string_view, std::string_view, ScanKind) const override {
    return std::make_unique<NoEntries>(why_);
  }
  Result<std::string> Get(std::string_view) const override { return why_; }

 private:
  Status why_;
};

}  // namespace

std::unique_ptr<StoreView> MakeView(std::shared_ptr<Engine> engine) {
  return std::make_unique<RocksView>(std::move(engine));
}

std::unique_ptr<StoreView> MakeClosedView(Status why) {
  return std::make_unique<ClosedView>(std::move(why));
}

}  // namespace tapedeck::rocks
