#ifndef TAPEDECK_BLOB_REMOTE_BLOB_H_
#define TAPEDECK_BLOB_REMOTE_BLOB_H_

// What S3 and Azure have in common when objects are read, listed and put. Inside blob only.
//
// Thread-safe.

#include <functional>
#include <optional>
#include <string>

#include "blob/blob_store.h"
#include "blob/remote.h"
#include "blob/source.h"

namespace tapedeck {

/// One read of a range: what to add to each try, and how to judge its answer first.
struct RangeRequest {
  std::function<void(WebRequest*)> adjust;
  std::function<std::optional<Verdict>(const WebAnswer&)> judge;
};

/// An object as it was when it was opened: each request carries its ETag as If-Match. A read that
/// breaks off goes on where it was.
class RemoteBlob final : public Blob {
 public:
  /// Asks for the object (GET) with what the request adds.
  using Get = std::function<Result<WebAnswer>(const std::string& what, const RangeRequest&)>;
  RemoteBlob(BlobStat stat, Get get) : Blob(std::move(stat)), get_(std::move(get)) {}

 protected:
  Status DoStream(uint64_t offset, uint64_t size, const BlobSink& sink) override;

 private:
  const Get get_;
};

/// Content-Length, ETag and Last-Modified. kInternal where the first two are missing.
Result<BlobStat> StatFromHeaders(const std::string& name, const WebAnswer& answer);

/// An entry of a list, as text.
struct ListedObject {
  std::string key;
  std::string size;
  std::string version;
  std::string modified;  // an RFC 3339 time or an HTTP date
};

/// Adds it to the page, without the store's own prefix, or counts it as foreign.
Status AddListed(const ListedObject& object, const std::string& store_prefix, BlobPage* page);

/// Put as BlobStore promises it, by an upload whose kAlreadyExists means that something is there:
/// it is compared. `upload` sends the condition where the mode has one.
Result<PutReport> PutComparing(BlobStore* store, const std::string& name, const Source& source,
                               PutMode mode, const std::function<Status()>& upload);

}  // namespace tapedeck

#endif  // TAPEDECK_BLOB_REMOTE_BLOB_H_
