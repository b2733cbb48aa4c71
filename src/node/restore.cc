#include "node/restore.h"

#include "archive/manifest_set.h"
#include "base/file.h"
#include "node/archive_store.h"
#include "ship/backup.h"
#include "ship/new_store_id.h"
#include "store/store.h"
#include "store/store_id.h"

namespace tapedeck {
namespace {

namespace fs = std::filesystem;

Status CheckEmpty(const fs::path& dir) {
  std::error_code error;
  if (!fs::exists(dir, error)) return Status::Ok();
  if (fs::is_directory(dir, error) && fs::is_empty(dir, error)) return Status::Ok();
  return Status::InvalidArgument(dir.string() +
                                 " is not an empty directory: restore into one that is");
}

Result<RestoredNode> FromBackup(const RestoreRequest& request, BlobStore* blobs) {
  TD_ASSIGN_OR_RETURN(const std::vector<BackupRef> backups, ListBackups(blobs, request.node));
  if (backups.empty()) {
    return Status::NotFound("there is no backup of node '" + request.node + "' in " +
                            blobs->Describe());
  }
  TD_ASSIGN_OR_RETURN(const BackupListing listing,
                      RestoreBackup(blobs, backups.front(), request.data_dir, request.stop));
  // It is a copy of a disk, and the archive may have gone on since (docs/faults.md, G7).
  TD_ASSIGN_OR_RETURN(
      auto store,
      Store::Open(
          {.dir = request.data_dir, .node_id = request.node, .create = false, .ballast_bytes = 0}));
  StoreBatch batch;
  const std::string id = MakeStoreId();
  TD_RETURN_IF_ERROR(PutNewStoreId(*store->View(), id, &batch));
  TD_RETURN_IF_ERROR(store->Write(batch));
  TD_RETURN_IF_ERROR(store->Close());
  return RestoredNode{
      .store_id = id, .report = {}, .backup = backups.front().folder, .commit = listing.commit};
}

Result<RestoredNode> FillStore(const RestoreRequest& request, BlobStore* blobs, Clock* clock,
                               const fs::path& dir) {
  ManifestHolder manifests;
  auto gone = std::make_shared<std::atomic<bool>>(false);
  const ReadStop stop(clock, gone);
  TD_RETURN_IF_ERROR(manifests.Refresh(blobs, &stop).status());
  const std::shared_ptr<const ManifestSet> set = manifests.Take();
  TD_ASSIGN_OR_RETURN(auto store, Store::Open({.dir = dir, .node_id = request.node}));
  RestoreOptions options{.clock = clock, .flush_bytes = request.flush_bytes, .stop = &stop};
  options.progress = [&](const RestoreProgress& progress) {
    if (request.stop != nullptr && request.stop->load()) gone->store(true);
    if (request.progress) request.progress(progress);
  };
  RestoredNode made;
  TD_ASSIGN_OR_RETURN(made.report, RestoreStore(store.get(), *set, blobs, options));
  made.store_id = store->meta().store_id;
  TD_RETURN_IF_ERROR(store->Close());
  return made;
}

}  // namespace

Result<RestoredNode> RestoreNode(const RestoreRequest& request, Clock* clock) {
  TD_RETURN_IF_ERROR(CheckEmpty(request.data_dir));
  TD_ASSIGN_OR_RETURN(const auto blobs,
                      OpenArchive(request.archive, {.clock = clock, .stop = request.stop}));
  if (request.from == RestoreRequest::From::kBackup) return FromBackup(request, blobs.get());

  std::error_code error;
  const fs::path dir = fs::absolute(request.data_dir, error).lexically_normal();
  const fs::path filled = dir.string() + ".restoring";
  fs::remove_all(filled, error);
  Result<RestoredNode> made = FillStore(request, blobs.get(), clock, filled);
  if (!made.ok()) {
    fs::remove_all(filled, error);
    return made;
  }
  fs::remove(dir, error);  // empty, or not there
  fs::rename(filled, dir, error);
  if (error) return StatusFromErrno(error.value(), "naming " + dir.string());
  TD_RETURN_IF_ERROR(SyncDirectory(dir.parent_path().string()));
  return made;
}

}  // namespace tapedeck
