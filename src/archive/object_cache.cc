#include "archive/object_cache.h"

#include <cstring>
#include <utility>

#include "base/encoding.h"
#include "base/secure_hash.h"

namespace tapedeck {
namespace {

// A range that would push out an eighth of everything else is not kept.
constexpr size_t kRangeShare = 8;
// What an entry costs beside what it holds.
constexpr size_t kEntryBytes = 256;

class MemoryObject final : public ObjectSource {
 public:
  MemoryObject(std::string name, std::shared_ptr<const std::string> bytes)
      : ObjectSource(std::move(name)), bytes_(std::move(bytes)) {}
  uint64_t bytes() const override { return bytes_->size(); }
  Status Read(uint64_t offset, std::span<char> to) const override {
    if (offset > bytes_->size() || to.size() > bytes_->size() - offset) {
      return Status::InvalidArgument("bytes " + std::to_string(offset) + " and " +
                                     std::to_string(to.size()) + " more of " + name() +
                                     ", which has " + std::to_string(bytes_->size()));
    }
    if (!to.empty()) std::memcpy(to.data(), bytes_->data() + offset, to.size());
    return Status::Ok();
  }

 private:
  const std::shared_ptr<const std::string> bytes_;
};

Status NotThere(const ShippedObject& object) {
  return Status::Corruption("the object " + object.name +
                            ", which a manifest lists, is not in the archive");
}

}  // namespace

// A ranged object, opened by one reader; the blob is shared by all of them.
class ObjectCache::RangedObject final : public ObjectSource {
 public:
  RangedObject(ObjectCache* cache, std::shared_ptr<Blob> blob, const ReadStop* stop)
      : ObjectSource(blob->stat().name), cache_(cache), blob_(std::move(blob)), stop_(stop) {}
  uint64_t bytes() const override { return blob_->stat().bytes; }

  Status Read(uint64_t offset, std::span<char> to) const override {
    if (to.empty()) return Status::Ok();
    const std::string key =
        "b" + name() + ":" + std::to_string(offset) + "+" + std::to_string(to.size());
    auto bytes = std::static_pointer_cast<const std::string>(cache_->Find(key));
    if (bytes == nullptr) {
      Result<std::shared_ptr<const std::string>> fetched =
          cache_->Fetch(blob_.get(), offset, to.size(), stop_);
      if (!fetched.ok()) {
        cache_->Forget("o" + name());  // it may be another object by now
        if (fetched.status().code() != StatusCode::kNotFound) return fetched.status();
        return Status::Corruption("the object " + name() + " has left the archive");
      }
      bytes = *fetched;
      if (bytes->size() <= cache_->options_.bytes_max / kRangeShare) {
        cache_->Keep(key, bytes->size(), bytes);
      }
    }
    std::memcpy(to.data(), bytes->data(), to.size());
    return Status::Ok();
  }

 private:
  ObjectCache* const cache_;
  const std::shared_ptr<Blob> blob_;
  const ReadStop* const stop_;
};

ObjectCache::ObjectCache(BlobStore* blobs, ObjectCacheOptions options)
    : blobs_(blobs), options_(options) {}

ObjectCacheCounts ObjectCache::counts() const {
  std::lock_guard lock(mutex_);
  return counts_;
}

std::shared_ptr<const void> ObjectCache::Find(const std::string& key) {
  std::lock_guard lock(mutex_);
  auto found = by_key_.find(key);
  if (found == by_key_.end()) return nullptr;
  ++counts_.hits;
  entries_.splice(entries_.begin(), entries_, found->second);
  return found->second->value;
}

void ObjectCache::Keep(const std::string& key, size_t cost, std::shared_ptr<const void> value) {
  std::lock_guard lock(mutex_);
  if (by_key_.contains(key)) return;
  entries_.push_front({key, cost + key.size() + kEntryBytes, std::move(value)});
  by_key_.emplace(key, entries_.begin());
  counts_.bytes_kept += entries_.front().cost;
  Trim();
}

void ObjectCache::Trim() {
  while (counts_.bytes_kept > options_.bytes_max && entries_.size() > 1) {
    counts_.bytes_kept -= entries_.back().cost;
    by_key_.erase(entries_.back().key);
    entries_.pop_back();
  }
}

void ObjectCache::Forget(const std::string& key) {
  std::lock_guard lock(mutex_);
  auto found = by_key_.find(key);
  if (found == by_key_.end()) return;
  counts_.bytes_kept -= found->second->cost;
  entries_.erase(found->second);
  by_key_.erase(found);
}

Result<std::shared_ptr<const std::string>> ObjectCache::Fetch(Blob* blob, uint64_t offset,
                                                              uint64_t size, const ReadStop* stop) {
  if (size > kBlobReadBytesMax) {
    return Status::Corruption(blob->stat().name + " wants " + std::to_string(size) +
                              " bytes at once");
  }
  if (stop != nullptr) TD_RETURN_IF_ERROR(stop->Check());
  auto bytes = std::make_shared<std::string>();
  bytes->reserve(size);
  TD_RETURN_IF_ERROR(blob->Stream(offset, size, [&](std::string_view piece) {
    *bytes += piece;
    return stop == nullptr ? Status::Ok() : stop->Check();
  }));
  std::lock_guard lock(mutex_);
  ++counts_.reads;
  counts_.bytes_fetched += size;
  return std::shared_ptr<const std::string>(std::move(bytes));
}

Result<std::unique_ptr<ObjectSource>> ObjectCache::OpenSource(const ShippedObject& object,
                                                              const ReadStop* stop) {
  const bool whole = object.bytes <= options_.whole_bytes_max;
  const std::string key = (whole ? "w" : "o") + object.name;
  std::shared_ptr<const void> kept = Find(key);
  if (kept == nullptr) {
    if (stop != nullptr) TD_RETURN_IF_ERROR(stop->Check());
    Result<std::unique_ptr<Blob>> blob = blobs_->Open(object.name);
    if (blob.status().code() == StatusCode::kNotFound) return NotThere(object);
    TD_RETURN_IF_ERROR(blob.status());
    if ((*blob)->stat().bytes != object.bytes) {
      return Status::Corruption("the object " + object.name + " has " +
                                std::to_string((*blob)->stat().bytes) +
                                " bytes; its manifest says " + std::to_string(object.bytes));
    }
    if (whole) {
      Result<std::shared_ptr<const std::string>> bytes = Fetch(blob->get(), 0, object.bytes, stop);
      if (bytes.status().code() == StatusCode::kNotFound) return NotThere(object);
      TD_RETURN_IF_ERROR(bytes.status());
      if (ToHex(Sha256(**bytes)) != object.sha256) {
        return Status::Corruption("the object " + object.name +
                                  " is not the one that its manifest lists: sha256 differs");
      }
      Keep(key, (*bytes)->size(), *bytes);
      kept = *bytes;
    } else {
      std::shared_ptr<Blob> shared = std::move(*blob);
      Keep(key, 0, shared);
      kept = std::move(shared);
    }
  }
  if (whole) {
    return std::unique_ptr<ObjectSource>(std::make_unique<MemoryObject>(
        object.name, std::static_pointer_cast<const std::string>(kept)));
  }
  // Kept as const like everything; a Blob is thread-safe.
  auto blob = std::const_pointer_cast<Blob>(std::static_pointer_cast<const Blob>(kept));
  return std::unique_ptr<ObjectSource>(std::make_unique<RangedObject>(this, std::move(blob), stop));
}

Result<OpenedRecords> ObjectCache::OpenRecords(const ShippedObject& object, const ReadStop* stop) {
  OpenedRecords opened;
  TD_ASSIGN_OR_RETURN(opened.source, OpenSource(object, stop));
  if (object.format != ObjectFormatName(ObjectFormat::kParquet)) return opened;
  const std::string key = "r" + object.name;
  opened.footer = std::static_pointer_cast<const RecordObjectFooter>(Find(key));
  if (opened.footer == nullptr) {
    TD_ASSIGN_OR_RETURN(opened.footer, RecordObjectFooter::Read(*opened.source));
    Keep(key, opened.footer->memory_bytes(), opened.footer);
  }
  if (opened.footer->rows() != object.rows) {
    return Status::Corruption("the object " + object.name + " has " +
                              std::to_string(opened.footer->rows()) + " rows; its manifest says " +
                              std::to_string(object.rows));
  }
  return opened;
}

Result<OpenedTape> ObjectCache::OpenTape(const ShippedObject& object, const ReadStop* stop) {
  OpenedTape opened;
  TD_ASSIGN_OR_RETURN(opened.source, OpenSource(object, stop));
  const std::string key = "t" + object.name;
  opened.footer = std::static_pointer_cast<const TapeObjectFooter>(Find(key));
  if (opened.footer == nullptr) {
    TD_ASSIGN_OR_RETURN(opened.footer, TapeObjectFooter::Read(*opened.source));
    Keep(key, opened.footer->memory_bytes(), opened.footer);
  }
  return opened;
}

}  // namespace tapedeck
