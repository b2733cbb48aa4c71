#ifndef TAPEDECK_BLOB_BLOB_STORE_H_
#define TAPEDECK_BLOB_BLOB_STORE_H_

// BlobStore: a place for finished objects, far away or in a folder. A seam: a local folder, S3,
// Azure, and a fake that injects faults; tests/blob has one suite for all of them.
//
//   TD_ASSIGN_OR_RETURN(auto store, OpenBlobStore("s3://bucket/prefix", options));
//   auto put = store->Put("trades/dt=2024-07-02/n1-a.parquet", BlobContent::File(path),
//                         PutMode::kCreate);
//   TD_ASSIGN_OR_RETURN(auto blob, store->Open("trades/dt=2024-07-02/n1-a.parquet"));
//   TD_ASSIGN_OR_RETURN(std::string footer, blob->Read(blob->stat().bytes - 8, 8));
//
// Names are as blob/blob_name.h says; anything else is kInvalidArgument. A store sees only what
// lies under its prefix or folder.
//
// Promises
// - Put is atomic and durable: readers see nothing, the whole object, or what was there before,
//   whatever is killed or cut when. OK means that it stays. An error leaves one of the two; after
//   kUnavailable nobody knows which, and the same Put may be repeated.
// - A request over a network that was given up (a time limit, a broken connection) may still be
//   carried out a moment later, after what was asked next. So names are written once, with one
//   content: PutMode::kReplace and a name that is used again after Delete have no such protection.
// - "It exists" is never taken for "it was written": PutMode::kCreate compares contents.
// - What Stat, Open and Read find after an OK of Put or Delete includes it. A List may lag on some
//   stores: what it lacks may be there all the same.
//
// Errors, beside those named at each function: kUnavailable (trouble that may pass; tries are used
// up), kResourceExhausted (the store asks to slow down, or is full), kFailedPrecondition (not
// allowed, no bucket, clocks differ, credentials), kCorruption (bytes that arrive are not those
// that were sent, again and again), kCancelled (asked to stop), kInternal (an answer that makes no
// sense, an input/output error). They name the store and the object and no secret.
//
// Thread-safe. A Blob is thread-safe, too, and must not outlive its store.

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "base/time.h"

namespace tapedeck {

struct BlobStat {
  std::string name;
  uint64_t bytes = 0;
  /// Changes when the content does; means nothing else. The store's own ETag where it has one.
  std::string version;
  Timestamp modified;  // to the second; by the store's clock
};

/// Bytes to put: in memory or in a finished file, which nobody changes meanwhile (a change is found
/// where the store checks hashes). Owns nothing but the path.
class BlobContent {
 public:
  static BlobContent Bytes(std::string_view bytes) { return BlobContent(bytes, {}); }
  static BlobContent File(std::string path) { return BlobContent({}, std::move(path)); }
  bool is_file() const { return !path_.empty(); }
  std::string_view bytes() const { return bytes_; }
  const std::string& path() const { return path_; }

 private:
  BlobContent(std::string_view bytes, std::string path) : bytes_(bytes), path_(std::move(path)) {}
  std::string_view bytes_;
  std::string path_;
};

/// What one Read may bring into memory: a Parquet footer or column chunk of a shipped file fits
/// many times over; whole objects are streamed.
inline constexpr uint64_t kBlobReadBytesMax = uint64_t{256} << 20;

enum class PutMode : int {
  kReplace = 0,  // the object has this content afterwards, whatever was there; the last one wins
  kCreate = 1,   // an object of this name with other content is kAlreadyExists and stays
};

struct PutReport {
  uint64_t bytes = 0;
  /// The object was there with exactly these bytes (they were read and compared): an earlier try
  /// whose answer was lost, or another writer of the same.
  bool was_there = false;
};

using BlobSink = std::function<Status(std::string_view)>;

/// One object as it was when it was opened. Reads of one that was replaced or deleted since give
/// the old content, or kFailedPrecondition or kNotFound; never a mix.
class Blob {
 public:
  virtual ~Blob() = default;
  const BlobStat& stat() const { return stat_; }

  /// Bytes [offset, offset + size), which lie within the object (else kInvalidArgument). At most
  /// kBlobReadBytesMax at once.
  Result<std::string> Read(uint64_t offset, uint64_t size);
  /// The same of any size, piece by piece and in order. A connection that breaks is resumed where
  /// it broke. An error of the sink ends it and is returned.
  Status Stream(uint64_t offset, uint64_t size, const BlobSink& sink);
  /// The whole object.
  Status StreamAll(const BlobSink& sink) { return Stream(0, stat_.bytes, sink); }

 protected:
  explicit Blob(BlobStat stat) : stat_(std::move(stat)) {}
  /// As Stream; the range is within the object and not empty.
  virtual Status DoStream(uint64_t offset, uint64_t size, const BlobSink& sink) = 0;

 private:
  const BlobStat stat_;
};

struct BlobPage {
  std::vector<BlobStat> blobs;
  std::string next;  // for the following page; empty: this was the last
  /// Objects whose names no Put of ours could have made; they are left out.
  uint64_t foreign = 0;
};

class BlobStore {
 public:
  virtual ~BlobStore() = default;

  /// kAlreadyExists with PutMode::kCreate where other content has that name. For a file also the
  /// errors of reading it.
  virtual Result<PutReport> Put(const std::string& name, const BlobContent& content,
                                PutMode mode) = 0;
  /// kNotFound.
  virtual Result<std::unique_ptr<Blob>> Open(const std::string& name) = 0;
  /// kNotFound.
  virtual Result<BlobStat> Stat(const std::string& name) = 0;
  /// The next some (S3 and Azure: at most 1,000) objects whose names begin with `prefix` (any bytes
  /// that names may have; need not end at a '/'). `after` is empty or the `next` of the page
  /// before. Over the pages every object that was there all the time comes once, in no promised
  /// order; a page may be empty and have a `next`.
  virtual Result<BlobPage> List(const std::string& prefix, const std::string& after) = 0;
  /// OK also where there is no such object.
  virtual Status Delete(const std::string& name) = 0;
  /// Removes what Puts that never ended have left behind invisibly (temporary files, parts of
  /// uploads) under `prefix`, if it is older than `min_age`. The number of things removed.
  virtual Result<uint64_t> RemoveUnfinished(const std::string& prefix,
                                            std::chrono::seconds min_age) = 0;
  /// For messages: "s3://bucket/prefix".
  virtual std::string Describe() const = 0;

  /// All pages, sorted by name. For prefixes that hold a bounded number of objects.
  Result<std::vector<BlobStat>> ListAll(const std::string& prefix);
};

}  // namespace tapedeck

#endif  // TAPEDECK_BLOB_BLOB_STORE_H_
