#include "blob/blob_store.h"

#include <algorithm>
#include <utility>

namespace tapedeck {
namespace {

Status CheckRange(const BlobStat& stat, uint64_t offset, uint64_t size) {
  if (offset <= stat.bytes && size <= stat.bytes - offset) return Status::Ok();
  return Status::InvalidArgument(stat.name + " has " + std::to_string(stat.bytes) +
                                 " bytes; asked for " + std::to_string(size) + " from " +
                                 std::to_string(offset));
}

}  // namespace

Result<std::string> Blob::Read(uint64_t offset, uint64_t size) {
  TD_RETURN_IF_ERROR(CheckRange(stat_, offset, size));
  if (size > kBlobReadBytesMax) {
    return Status::InvalidArgument("a read of more than " + std::to_string(kBlobReadBytesMax) +
                                   " bytes at once");
  }
  std::string bytes;
  bytes.reserve(size);
  TD_RETURN_IF_ERROR(Stream(offset, size, [&](std::string_view piece) {
    bytes += piece;
    return Status::Ok();
  }));
  return bytes;
}

Status Blob::Stream(uint64_t offset, uint64_t size, const BlobSink& sink) {
  TD_RETURN_IF_ERROR(CheckRange(stat_, offset, size));
  if (size == 0) return Status::Ok();
  uint64_t given = 0;
  TD_RETURN_IF_ERROR(DoStream(offset, size, [&](std::string_view piece) {
    if (piece.size() > size - given)
      return Status::Internal(stat_.name + ": more bytes arrive than were asked for");
    given += piece.size();
    return sink(piece);
  }));
  if (given != size) {
    return Status::Unavailable(stat_.name + ": " + std::to_string(given) + " bytes arrived of " +
                               std::to_string(size));
  }
  return Status::Ok();
}

Result<std::vector<BlobStat>> BlobStore::ListAll(const std::string& prefix) {
  std::vector<BlobStat> all;
  std::string after;
  do {
    TD_ASSIGN_OR_RETURN(BlobPage page, List(prefix, after));
    if (!page.next.empty() && page.next == after)
      return Status::Internal(Describe() + ": the list does not come to an end");
    std::move(page.blobs.begin(), page.blobs.end(), std::back_inserter(all));
    after = std::move(page.next);
  } while (!after.empty());
  std::sort(all.begin(), all.end(),
            [](const BlobStat& a, const BlobStat& b) { return a.name < b.name; });
  return all;
}

}  // namespace tapedeck
