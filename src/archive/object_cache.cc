#include "archive/object_cache.h"

#include <algorithm>
#include <cstring>
#include <deque>
#include <utility>
#include <vector>

#include "base/encoding.h"
#include "base/secure_hash.h"

namespace tapedeck {
namespace {

// A range that would push out an eighth of everything else is not kept.
constexpr size_t kRangeShare = 8;
// Stretches that are remembered of an object.
constexpr size_t kStretchesMax = 16;
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

/// What readers of one large object share: the blob, and the places of stretches that were fetched
/// for several reads. Their bytes are entries of the cache, which may be gone.
struct ObjectCache::Shared {
  explicit Shared(std::unique_ptr<Blob> of) : blob(std::move(of)) {}

  const std::unique_ptr<Blob> blob;  // thread-safe
  std::mutex mutex;
  std::deque<ByteExtent> stretches;  // protected by mutex; the newest in front
};

// A ranged object, opened by one reader.
class ObjectCache::RangedObject final : public ObjectSource {
 public:
  RangedObject(ObjectCache* cache, std::shared_ptr<Shared> shared, const ReadStop* stop)
      : ObjectSource(shared->blob->stat().name),
        cache_(cache),
        shared_(std::move(shared)),
        stop_(stop) {}
  uint64_t bytes() const override { return shared_->blob->stat().bytes; }

  Status Read(uint64_t offset, std::span<char> to) const override {
    if (to.empty()) return Status::Ok();
    ByteExtent from{offset, to.size()};
    std::shared_ptr<const std::string> kept = FindStretch(&from);
    if (kept == nullptr) {
      // The end of the object, whole: its footer is read in pieces.
      const uint64_t tail =
          bytes() - std::min<uint64_t>(cache_->options_.tail_bytes, bytes() / 128);
      if (offset >= tail && offset <= bytes() && to.size() <= bytes() - offset)
        from = {tail, bytes() - tail};
      TD_ASSIGN_OR_RETURN(kept, Get(from));
    }
    std::memcpy(to.data(), kept->data() + (offset - from.offset), to.size());
    return Status::Ok();
  }

  Status Expect(std::span<const ByteExtent> extents) const override {
    std::vector<ByteExtent> missing;
    for (const ByteExtent& extent : extents) {
      ByteExtent found = extent;
      if (extent.bytes > 0 && FindStretch(&found) == nullptr && !cache_->Has(KeyOf(extent)))
        missing.push_back(extent);
    }
    std::ranges::sort(missing, {}, &ByteExtent::offset);
    const uint64_t most = cache_->options_.bytes_max / kRangeShare;
    const uint64_t gap = std::min<uint64_t>(cache_->options_.gap_bytes_max, bytes() / 1024);
    uint64_t expected = 0;
    for (size_t i = 0; i < missing.size() && expected <= most;) {
      ByteExtent stretch = missing[i];
      size_t end = i + 1;
      for (; end < missing.size(); ++end) {
        const uint64_t last = missing[end].offset + missing[end].bytes;
        if (missing[end].offset > stretch.offset + stretch.bytes + gap ||
            last - stretch.offset > most) {
          break;
        }
        stretch.bytes = std::max(stretch.bytes, last - stretch.offset);
      }
      // A single one is as well fetched when it is read.
      if (end > i + 1) {
        TD_RETURN_IF_ERROR(Get(stretch).status());
        std::lock_guard lock(shared_->mutex);
        shared_->stretches.push_front(stretch);
        if (shared_->stretches.size() > kStretchesMax) shared_->stretches.pop_back();
      }
      expected += stretch.bytes;
      i = end;
    }
    return Status::Ok();
  }

 private:
  std::string KeyOf(const ByteExtent& extent) const {
    return "b" + name() + ":" + std::to_string(extent.offset) + "+" + std::to_string(extent.bytes);
  }

  // The bytes of a stretch that holds `extent`, which becomes that stretch; null: there is none.
  std::shared_ptr<const std::string> FindStretch(ByteExtent* extent) const {
    ByteExtent found;
    {
      std::lock_guard lock(shared_->mutex);
      const auto holds = std::ranges::find_if(shared_->stretches, [&](const ByteExtent& s) {
        return s.offset <= extent->offset && extent->offset - s.offset <= s.bytes &&
               extent->bytes <= s.bytes - (extent->offset - s.offset);
      });
      if (holds == shared_->stretches.end()) return nullptr;
      found = *holds;
    }
    auto bytes = std::static_pointer_cast<const std::string>(cache_->Find(KeyOf(found)));
    if (bytes != nullptr) *extent = found;
    return bytes;
  }

  Result<std::shared_ptr<const std::string>> Get(const ByteExtent& extent) const {
    const std::string key = KeyOf(extent);
    auto bytes = std::static_pointer_cast<const std::string>(cache_->Find(key));
    if (bytes != nullptr) return bytes;
    Result<std::shared_ptr<const std::string>> fetched =
        cache_->Fetch(shared_->blob.get(), extent.offset, extent.bytes, stop_);
    if (!fetched.ok()) {
      cache_->Forget("o" + name());  // it may be another object by now
      if (fetched.status().code() != StatusCode::kNotFound) return fetched.status();
      return Status::Corruption("the object " + name() + " has left the archive");
    }
    if ((*fetched)->size() <= cache_->options_.bytes_max / kRangeShare)
      cache_->Keep(key, (*fetched)->size(), *fetched);
    return fetched;
  }

  ObjectCache* const cache_;
  const std::shared_ptr<Shared> shared_;
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

bool ObjectCache::Has(const std::string& key) const {
  std::lock_guard lock(mutex_);
  return by_key_.contains(key);
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
      auto shared = std::make_shared<Shared>(std::move(*blob));
      Keep(key, 0, shared);
      kept = std::move(shared);
    }
  }
  if (whole) {
    return std::unique_ptr<ObjectSource>(std::make_unique<MemoryObject>(
        object.name, std::static_pointer_cast<const std::string>(kept)));
  }
  // Kept as const like everything; what is shared protects itself.
  auto shared = std::const_pointer_cast<Shared>(std::static_pointer_cast<const Shared>(kept));
  return std::unique_ptr<ObjectSource>(
      std::make_unique<RangedObject>(this, std::move(shared), stop));
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
