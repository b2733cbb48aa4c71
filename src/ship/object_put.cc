#include "ship/object_put.h"

#include <cerrno>
#include <cstdio>
#include <memory>

#include "base/encoding.h"
#include "base/file.h"
#include "base/log.h"
#include "base/secure_hash.h"

namespace tapedeck {
namespace {

struct FileCloser {
  void operator()(std::FILE* file) const { std::fclose(file); }
};
using File = std::unique_ptr<std::FILE, FileCloser>;

}  // namespace

Status PutOnce(const Journey& journey, const std::string& name, const BlobContent& content,
               const std::string& manifest) {
  TD_RETURN_IF_ERROR(journey.CheckStop());
  Result<PutReport> put = journey.parts->blobs->Put(name, content, PutMode::kCreate);
  if (put.ok()) return Status::Ok();
  if (put.status().code() != StatusCode::kAlreadyExists) return put.status();
  return PutAgain(journey, name, content, manifest);
}

Status PutAgain(const Journey& journey, const std::string& name, const BlobContent& content,
                const std::string& manifest) {
  BlobStore* blobs = journey.parts->blobs;
  const Status listed = blobs->Stat(manifest).status();
  if (listed.ok()) {
    return Status::Corruption(name + " is listed in " + manifest +
                              " and has other content than what was put: somebody changed it");
  }
  if (listed.code() != StatusCode::kNotFound) return listed;
  // Its name says what its content is, so nobody reads this one: it was cut or altered on its way.
  TD_LOG(kError, "ship", "object-replaced", "an object of our name had other content",
         {{"name", name}});
  TD_RETURN_IF_ERROR(blobs->Delete(name));
  return blobs->Put(name, content, PutMode::kCreate).status();
}

Status PutManifest(const Journey& journey, const std::string& name, const std::string& json) {
  TD_RETURN_IF_ERROR(journey.CheckStop());
  BlobStore* blobs = journey.parts->blobs;
  Result<PutReport> put = blobs->Put(name, BlobContent::Bytes(json), PutMode::kCreate);
  if (put.status().code() == StatusCode::kAlreadyExists)
    return Status::Corruption("another manifest has the name " + name);
  TD_RETURN_IF_ERROR(put.status());
  TD_ASSIGN_OR_RETURN(const std::unique_ptr<Blob> blob, blobs->Open(name));
  std::string bytes;
  TD_RETURN_IF_ERROR(blob->StreamAll([&](std::string_view piece) {
    bytes.append(piece);
    return Status::Ok();
  }));
  if (bytes == json) return Status::Ok();
  return Status::Corruption(name + " does not come back as it was put");
}

Result<bool> ReadBack(const Journey& journey, const ShippedObject& object,
                      const std::string& path) {
  Result<std::unique_ptr<Blob>> blob = journey.parts->blobs->Open(object.name);
  if (blob.status().code() == StatusCode::kNotFound) return false;
  TD_RETURN_IF_ERROR(blob.status());
  if ((*blob)->stat().bytes != object.bytes) return false;
  File file(std::fopen(path.c_str(), "wb"));
  if (file == nullptr) return StatusFromErrno(errno, "creating " + path);
  SecureHash sum(SecureHash::Kind::kSha256);
  Status read = (*blob)->StreamAll([&](std::string_view piece) -> Status {
    TD_RETURN_IF_ERROR(journey.CheckStop());
    sum.Update(piece);
    if (std::fwrite(piece.data(), 1, piece.size(), file.get()) == piece.size()) return Status::Ok();
    return StatusFromErrno(errno, "writing " + path);
  });
  const bool same = read.ok() && ToHex(sum.Finish()) == object.sha256;
  if (std::fclose(file.release()) != 0 && read.ok())
    read = StatusFromErrno(errno, "writing " + path);
  if (!read.ok() || !same) std::remove(path.c_str());
  TD_RETURN_IF_ERROR(read);
  return same;
}

Status MoveFile(const std::filesystem::path& from, const std::filesystem::path& to) {
  std::error_code error;
  std::filesystem::rename(from, to, error);
  if (!error) return Status::Ok();
  return StatusFromErrno(error.value(), "renaming " + from.string());
}

void RemoveFile(const std::filesystem::path& path) {
  std::error_code ignored;
  std::filesystem::remove(path, ignored);
}

}  // namespace tapedeck
