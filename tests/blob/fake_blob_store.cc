#include "support/fake_blob_store.h"

#include <utility>

#include "base/file.h"
#include "blob/blob_name.h"

namespace tapedeck::testing {
namespace {

constexpr size_t kPageMax = 1000;
constexpr size_t kFileBytesMax = size_t{1} << 30;
constexpr size_t kPieceBytes = 64 << 10;

Result<std::string> BytesOf(const BlobContent& content) {
  if (content.is_file()) return ReadFile(content.path(), kFileBytesMax);
  return std::string(content.bytes());
}

void Alter(std::string* bytes) {
  if (!bytes->empty()) (*bytes)[bytes->size() / 2] ^= 0x20;
}

}  // namespace

/// An object as it was when it was opened.
class FakeBlob final : public Blob {
 public:
  FakeBlob(FakeBlobStore* store, BlobStat stat, std::shared_ptr<const std::string> bytes)
      : Blob(std::move(stat)), store_(store), bytes_(std::move(bytes)) {}

 protected:
  Status DoStream(uint64_t offset, uint64_t size, const BlobSink& sink) override {
    const auto fault = store_->Meet(BlobOp::kRead, stat().name);
    if (fault && fault->kind == BlobFault::kFailBefore) return fault->status;
    std::string bytes = bytes_->substr(offset, size);
    if (fault && fault->kind == BlobFault::kAltered) Alter(&bytes);
    const bool is_half = fault && fault->kind == BlobFault::kHalf;
    if (is_half) bytes.resize(bytes.size() / 2);
    for (size_t at = 0; at < bytes.size(); at += kPieceBytes)
      TD_RETURN_IF_ERROR(sink(std::string_view(bytes).substr(at, kPieceBytes)));
    return is_half || (fault && fault->kind == BlobFault::kLostAnswer) ? fault->status
                                                                       : Status::Ok();
  }

 private:
  FakeBlobStore* const store_;
  const std::shared_ptr<const std::string> bytes_;
};

void FakeBlobStore::Inject(InjectedFault fault) {
  std::lock_guard lock(mutex_);
  faults_.push_back(std::move(fault));
}

void FakeBlobStore::ClearFaults() {
  std::lock_guard lock(mutex_);
  faults_.clear();
}

void FakeBlobStore::SetChaos(uint64_t seed, uint64_t one_in) {
  std::lock_guard lock(mutex_);
  dice_.emplace(seed);
  chaos_one_in_ = one_in;
}

void FakeBlobStore::SetHook(std::function<void(BlobOp, const std::string&)> hook) {
  std::lock_guard lock(mutex_);
  hook_ = std::move(hook);
}

std::map<std::string, std::string> FakeBlobStore::Contents() const {
  std::lock_guard lock(mutex_);
  std::map<std::string, std::string> contents;
  for (const auto& [name, object] : objects_) contents[name] = *object.bytes;
  return contents;
}

void FakeBlobStore::SetContent(const std::string& name, std::string bytes) {
  std::lock_guard lock(mutex_);
  Store(name, std::move(bytes));
}

uint64_t FakeBlobStore::calls(BlobOp op) const {
  std::lock_guard lock(mutex_);
  return calls_[static_cast<size_t>(op)];
}

std::optional<InjectedFault> FakeBlobStore::Meet(BlobOp op, const std::string& name) {
  std::function<void(BlobOp, const std::string&)> hook;
  std::optional<InjectedFault> met;
  {
    std::lock_guard lock(mutex_);
    ++calls_[static_cast<size_t>(op)];
    hook = hook_;
    for (auto fault = faults_.begin(); fault != faults_.end() && !met; ++fault) {
      if (fault->op != op) continue;
      if (fault->skip > 0) {
        --fault->skip;
        continue;
      }
      met = *fault;
      if (fault->times > 0 && --fault->times == 0) faults_.erase(fault);
      break;
    }
    if (!met && chaos_one_in_ > 0 && dice_->OneIn(chaos_one_in_)) {
      met.emplace();
      const uint64_t kinds = op == BlobOp::kRead ? 3 : 2;
      met->kind = static_cast<BlobFault>(dice_->Uniform(kinds));
      met->status = Status::Unavailable("injected by dice");
    }
  }
  if (hook) hook(op, name);
  if (met && met->kind == BlobFault::kSlow) clock_->SleepFor(met->delay);
  return met;
}

void FakeBlobStore::Store(const std::string& name, std::string bytes) {
  objects_[name] = {std::make_shared<const std::string>(std::move(bytes)), next_version_++,
                    clock_->Now()};
  last_put_ = name;
}

BlobStat FakeBlobStore::StatOf(const std::string& name, const Object& object) const {
  return {name, object.bytes->size(), std::to_string(object.version), object.modified};
}

Result<PutReport> FakeBlobStore::Put(const std::string& name, const BlobContent& content,
                                     PutMode mode) {
  TD_RETURN_IF_ERROR(CheckBlobName(name));
  TD_ASSIGN_OR_RETURN(std::string bytes, BytesOf(content));
  const auto fault = Meet(BlobOp::kPut, name);
  if (fault && fault->kind == BlobFault::kFailBefore) return fault->status;
  PutReport report{.bytes = bytes.size()};
  std::lock_guard lock(mutex_);
  const auto present = objects_.find(name);
  if (mode == PutMode::kCreate && present != objects_.end()) {
    if (*present->second.bytes != bytes)
      return Status::AlreadyExists("fake:// has an object " + name + " with other content");
    report.was_there = true;
  } else {
    if (fault && fault->kind == BlobFault::kHalf) bytes.resize(bytes.size() / 2);
    if (fault && fault->kind == BlobFault::kAltered) Alter(&bytes);
    Store(name, std::move(bytes));
  }
  if (fault && fault->kind == BlobFault::kLostAnswer) return fault->status;
  return report;
}

Result<std::unique_ptr<Blob>> FakeBlobStore::Open(const std::string& name) {
  TD_RETURN_IF_ERROR(CheckBlobName(name));
  const auto fault = Meet(BlobOp::kOpen, name);
  if (fault && fault->kind != BlobFault::kSlow) return fault->status;
  std::lock_guard lock(mutex_);
  const auto found = objects_.find(name);
  if (found == objects_.end()) return Status::NotFound("fake:// has no object " + name);
  return std::unique_ptr<Blob>(
      new FakeBlob(this, StatOf(name, found->second), found->second.bytes));
}

Result<BlobStat> FakeBlobStore::Stat(const std::string& name) {
  TD_RETURN_IF_ERROR(CheckBlobName(name));
  const auto fault = Meet(BlobOp::kStat, name);
  if (fault && fault->kind != BlobFault::kSlow) return fault->status;
  std::lock_guard lock(mutex_);
  const auto found = objects_.find(name);
  if (found == objects_.end()) return Status::NotFound("fake:// has no object " + name);
  return StatOf(name, found->second);
}

Result<BlobPage> FakeBlobStore::List(const std::string& prefix, const std::string& after) {
  TD_RETURN_IF_ERROR(CheckBlobPrefix(prefix));
  const auto fault = Meet(BlobOp::kList, prefix);
  const bool is_stale = fault && fault->kind == BlobFault::kStaleList;
  if (fault && !is_stale && fault->kind != BlobFault::kSlow) return fault->status;
  std::lock_guard lock(mutex_);
  BlobPage page;
  for (auto at = objects_.lower_bound(std::max(prefix, after)); at != objects_.end(); ++at) {
    const auto& [name, object] = *at;
    if (!name.starts_with(prefix)) break;
    if (name == after || (is_stale && name == last_put_)) continue;
    if (page.blobs.size() == kPageMax) {
      page.next = page.blobs.back().name;
      break;
    }
    page.blobs.push_back(StatOf(name, object));
  }
  return page;
}

Status FakeBlobStore::Delete(const std::string& name) {
  TD_RETURN_IF_ERROR(CheckBlobName(name));
  const auto fault = Meet(BlobOp::kDelete, name);
  if (fault && fault->kind == BlobFault::kFailBefore) return fault->status;
  std::lock_guard lock(mutex_);
  objects_.erase(name);
  return fault && fault->kind == BlobFault::kLostAnswer ? fault->status : Status::Ok();
}

Result<uint64_t> FakeBlobStore::RemoveUnfinished(const std::string& prefix, std::chrono::seconds) {
  TD_RETURN_IF_ERROR(CheckBlobPrefix(prefix));
  return uint64_t{0};  // a Put that fails leaves nothing here
}

}  // namespace tapedeck::testing
