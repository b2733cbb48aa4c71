#include "blob/azure_store.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "base/encoding.h"
#include "base/secure_hash.h"
#include "blob/azure_container.h"
#include "blob/blob_name.h"
#include "blob/remote_blob.h"
#include "blob/source.h"
#include "blob/xml_reader.h"

namespace tapedeck {
namespace {

constexpr size_t kListAnswerBytesMax = size_t{16} << 20;  // 1,000 entries of up to 3 kB, and more
constexpr uint64_t kBlocksMax = 50'000;
constexpr uint64_t kMiB = uint64_t{1} << 20;

class AzureStore final : public BlobStore {
 public:
  explicit AzureStore(std::unique_ptr<AzureContainer> container)
      : container_(std::move(container)) {}

  Result<PutReport> Put(const std::string& name, const BlobContent& content, PutMode mode) override;
  Result<std::unique_ptr<Blob>> Open(const std::string& name) override;
  Result<BlobStat> Stat(const std::string& name) override;
  Result<BlobPage> List(const std::string& prefix, const std::string& after) override;
  Status Delete(const std::string& name) override;
  Result<uint64_t> RemoveUnfinished(const std::string& prefix, std::chrono::seconds) override;
  std::string Describe() const override { return container_->where(); }

 private:
  Status Upload(const std::string& name, const Source& source, PutMode mode);

  const std::unique_ptr<AzureContainer> container_;
};

Status AzureStore::Upload(const std::string& name, const Source& source, PutMode mode) {
  if (source.size() >= 2 * container_->options().block_bytes)
    return UploadInBlocks(container_.get(), name, source, mode);
  AzureRequest request;
  request.method = "PUT";
  request.name = name;
  request.headers.emplace_back("x-ms-blob-type", "BlockBlob");
  if (mode == PutMode::kCreate) request.headers.emplace_back("If-None-Match", "*");
  request.body = source.Body(0, source.size());
  TD_ASSIGN_OR_RETURN(request.body_md5, source.Hash(SecureHash::Kind::kMd5, 0, source.size()));
  return container_->Send("putting " + name, request).status();
}

Result<PutReport> AzureStore::Put(const std::string& name, const BlobContent& content,
                                  PutMode mode) {
  TD_RETURN_IF_ERROR(CheckBlobName(name));
  TD_ASSIGN_OR_RETURN(Source source, Source::Open(content));
  return PutComparing(this, name, source, mode, [&] { return Upload(name, source, mode); });
}

Result<BlobStat> AzureStore::Stat(const std::string& name) {
  TD_RETURN_IF_ERROR(CheckBlobName(name));
  AzureRequest request;
  request.method = "HEAD";
  request.name = name;
  TD_ASSIGN_OR_RETURN(WebAnswer answer, container_->Send("looking at " + name, request));
  return StatFromHeaders(name, answer);
}

Result<std::unique_ptr<Blob>> AzureStore::Open(const std::string& name) {
  TD_ASSIGN_OR_RETURN(BlobStat stat, Stat(name));
  auto get = [container = container_.get(), name](const std::string& what,
                                                  const RangeRequest& range) {
    AzureRequest request;
    request.name = name;
    return container->Send(what, request, range.adjust, range.judge);
  };
  return std::unique_ptr<Blob>(new RemoteBlob(std::move(stat), std::move(get)));
}

Result<BlobPage> AzureStore::List(const std::string& prefix, const std::string& after) {
  TD_RETURN_IF_ERROR(CheckBlobPrefix(prefix));
  AzureRequest request;
  request.query = {{"restype", "container"}, {"comp", "list"}, {"maxresults", "1000"}};
  if (const std::string whole = container_->prefix() + prefix; !whole.empty())
    request.query["prefix"] = whole;
  if (!after.empty()) request.query["marker"] = after;
  TD_ASSIGN_OR_RETURN(WebAnswer answer,
                      container_->Send("listing " + prefix, request, [](WebRequest* web) {
                        web->answer_bytes_max = kListAnswerBytesMax;
                      }));
  BlobPage page;
  ListedObject object;
  const std::string root = "EnumerationResults/", blob = "Blobs/Blob";
  Status read = ReadXml(answer.body, [&](std::string_view path, std::string_view text) -> Status {
    if (!path.starts_with(root)) return Status::Ok();
    path.remove_prefix(root.size());
    if (path == "NextMarker") page.next = text;
    if (!path.starts_with(blob)) return Status::Ok();
    path.remove_prefix(blob.size());
    if (path == "/Name") object.key = text;
    if (path == "/Properties/Content-Length") object.size = text;
    if (path == "/Properties/Last-Modified") object.modified = text;
    // Lists have it without the quotes that headers have.
    if (path == "/Properties/Etag")
      object.version = text.starts_with('"') ? std::string(text) : '"' + std::string(text) + '"';
    if (!path.empty()) return Status::Ok();
    return AddListed(std::exchange(object, {}), container_->prefix(), &page);
  });
  if (!read.ok()) return read.WithContext(Describe() + ": listing " + prefix);
  return page;
}

Status AzureStore::Delete(const std::string& name) {
  TD_RETURN_IF_ERROR(CheckBlobName(name));
  AzureRequest request;
  request.method = "DELETE";
  request.name = name;
  Status deleted = container_->Send("deleting " + name, request).status();
  return deleted.code() == StatusCode::kNotFound ? Status::Ok() : deleted;
}

Result<uint64_t> AzureStore::RemoveUnfinished(const std::string& prefix, std::chrono::seconds) {
  TD_RETURN_IF_ERROR(CheckBlobPrefix(prefix));
  return uint64_t{0};
}

}  // namespace

Status UploadInBlocks(AzureContainer* container, const std::string& name, const Source& source,
                      PutMode mode) {
  const uint64_t least = (source.size() + kBlocksMax - 1) / kBlocksMax;
  const uint64_t block_bytes =
      std::max(container->options().block_bytes, (least + kMiB - 1) / kMiB * kMiB);
  std::string list = "<?xml version=\"1.0\" encoding=\"utf-8\"?><BlockList>";
  uint64_t number = 0;
  for (uint64_t at = 0; at < source.size(); at += block_bytes, ++number) {
    AzureRequest request;
    request.method = "PUT";
    request.name = name;
    const uint64_t size = std::min(block_bytes, source.size() - at);
    request.body = source.Body(at, size);
    TD_ASSIGN_OR_RETURN(request.body_md5, source.Hash(SecureHash::Kind::kMd5, at, size));
    // All ids of a blob have one length; the same id is the same content, whoever sent it.
    std::string digits = std::to_string(number);
    digits.insert(0, 8 - std::min<size_t>(8, digits.size()), '0');
    const std::string id = ToBase64(digits + ToHex(request.body_md5));
    request.query = {{"comp", "block"}, {"blockid", id}};
    Status sent =
        container->Send("putting block " + std::to_string(number) + " of " + name, request)
            .status();
    TD_RETURN_IF_ERROR(sent);
    list += "<Uncommitted>" + id + "</Uncommitted>";
  }
  list += "</BlockList>";
  AzureRequest request;
  request.method = "PUT";
  request.name = name;
  request.query["comp"] = "blocklist";
  request.headers.emplace_back("x-ms-blob-content-type", "application/octet-stream");
  if (mode == PutMode::kCreate) request.headers.emplace_back("If-None-Match", "*");
  request.body = WebBody::Bytes(list);
  request.body_md5 = Md5(list);
  return container
      ->Send("completing " + name, request, {},
             [](const WebAnswer& answer) -> std::optional<Verdict> {
               // Whoever puts a list, or the whole, throws away all blocks that are not in it; so
               // does an earlier try of ours whose answer was lost.
               if (answer.status == 400 && answer.Header("x-ms-error-code") == "InvalidBlockList")
                 return Verdict::Final(Status::AlreadyExists("the blocks are gone"));
               return std::nullopt;
             })
      .status();
}

Result<std::unique_ptr<BlobStore>> OpenAzureStore(AzureOptions options) {
  TD_ASSIGN_OR_RETURN(auto container, AzureContainer::Open(std::move(options)));
  return std::unique_ptr<BlobStore>(new AzureStore(std::move(container)));
}

}  // namespace tapedeck
