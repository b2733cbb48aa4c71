#include "node/repair.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <initializer_list>
#include <map>
#include <set>
#include <utility>

#include "archive/manifest_set.h"
#include "base/failpoint.h"
#include "base/file.h"
#include "base/log.h"
#include "node/archive_store.h"
#include "node/plan.h"
#include "replay/job_json.h"
#include "replay/offset_map.h"
#include "store/salvage.h"
#include "store/store.h"

namespace tapedeck {
namespace {

namespace fs = std::filesystem;

/// Lies in a new store until it has taken the place of the old one.
constexpr const char* kMark = "REPAIRING";
/// In it, for a moment; they begin as the mark does.
constexpr const char* kTryA = "REPAIRING-a";
constexpr const char* kTryB = "REPAIRING-b";
constexpr size_t kFindingsMax = 1000;

Status Exchange(const fs::path& a, const fs::path& b) {
  if (::renameat2(AT_FDCWD, a.c_str(), AT_FDCWD, b.c_str(), RENAME_EXCHANGE) != 0)
    return StatusFromErrno(errno, "exchanging " + a.string() + " and " + b.string());
  return SyncDirectory(a.parent_path().string());
}

fs::path FreeName(const fs::path& dir) {
  std::error_code error;
  fs::path name = dir.string() + ".damaged";
  for (int n = 2; fs::exists(name, error); ++n)
    name = dir.string() + ".damaged-" + std::to_string(n);
  return name;
}

// A folder is exchanged with one beside it, so both must lie on one disk.
Status CheckPlace(const fs::path& dir) {
  struct stat own {
  }, parent{};
  if (::stat(dir.c_str(), &own) != 0 || ::stat(dir.parent_path().c_str(), &parent) != 0)
    return StatusFromErrno(errno, "looking at " + dir.string());
  if (own.st_dev == parent.st_dev) return Status::Ok();
  return Status::FailedPrecondition(
      dir.string() +
      " is where a disk is mounted, and the new store has no place beside it: move "
      "the store into a folder of that disk, repair it there, and move it back");
}

bool IsOfTheStore(const fs::directory_entry& entry) {
  const std::string name = entry.path().filename().string();
  if (std::error_code error; entry.is_directory(error))
    return name == "damaged" || name == kWorkFolder || name == kBackupFolder;
  auto any = [](std::initializer_list<std::string_view> of, const auto& is) {
    return std::ranges::any_of(of, is);
  };
  return any({"CURRENT", "MANIFEST", "IDENTITY", "OPTIONS", "LOCK", "LOG", "BALLAST", kMark},
             [&](std::string_view begin) { return name.starts_with(begin); }) ||
         any({".sst", ".log", ".dbtmp", ".trash"},
             [&](std::string_view end) { return name.ends_with(end); });
}

// The old folder leaves under another name, and what else lies in it would leave with it. Files and
// folders of the store's and the shipper's own may.
Status CheckContent(const fs::path& dir, const Config& config) {
  auto refused = [&](const fs::path& path) {
    return Status::FailedPrecondition(
        path.string() +
        " lies in the folder of the store, which another one takes the place of: "
        "move it elsewhere, and say so in the configuration");
  };
  std::error_code error;
  for (const fs::directory_entry& entry : fs::directory_iterator(dir, error)) {
    if (!IsOfTheStore(entry)) return refused(entry.path());
  }
  if (error) return StatusFromErrno(error.value(), "listing " + dir.string());
  std::vector<std::string> paths = {config.http.tls_cert, config.http.tls_key,
                                    config.http.tokens_file, config.archive.s3.ca_file,
                                    config.archive.azure.ca_file};
  constexpr std::string_view kFolder = "file://";
  if (config.archive.url.starts_with(kFolder))
    paths.push_back(config.archive.url.substr(kFolder.size()));
  for (const std::string& path : paths) {
    if (path.empty()) continue;
    const fs::path real = fs::weakly_canonical(path, error);
    if (std::ranges::mismatch(dir, real).in1 == dir.end()) return refused(real);
  }
  return Status::Ok();
}

// Not every file system can exchange two names: better known before hours of work.
Status TryExchange(const fs::path& dir) {
  std::error_code error;
  const fs::path a = dir / kTryA, b = dir / kTryB;
  fs::create_directory(a, error);
  if (!error) fs::create_directory(b, error);
  if (error) return StatusFromErrno(error.value(), "making folders in " + dir.string());
  TD_RETURN_IF_ERROR(Exchange(a, b));
  fs::remove(a, error);
  fs::remove(b, error);
  return Status::Ok();
}

// A repair is often run by root, and the node is not.
Status GiveTo(const fs::path& like, const fs::path& dir) {
  struct stat own {};
  if (::stat(like.c_str(), &own) != 0) return StatusFromErrno(errno, "looking at " + like.string());
  auto give = [&](const fs::path& path) {
    return ::lchown(path.c_str(), own.st_uid, own.st_gid) == 0
               ? Status::Ok()
               : StatusFromErrno(errno,
                                 "giving " + path.string() + " to the owner of " + like.string());
  };
  std::error_code error;
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(dir, error))
    TD_RETURN_IF_ERROR(give(entry.path()));
  if (error) return StatusFromErrno(error.value(), "listing " + dir.string());
  if (::chmod(dir.c_str(), own.st_mode & 07777) != 0)
    return StatusFromErrno(errno, "setting the mode of " + dir.string());
  return give(dir);
}

// None of them goes on by itself: what was found may be an older state, or a job that was deleted.
// Tables of restored offsets are taken with their jobs.
void TakeJobs(const std::map<std::string, std::string>& jobs, StoreBatch* batch,
              std::vector<std::string>* notes) {
  std::set<std::string> left;  // of what is no table of a job
  for (const auto& [id, bytes] : jobs) left.insert(id);
  for (const auto& [id, bytes] : jobs) {
    Result<ReplayJob> job = DecodeJob(id, bytes);
    if (!job.ok()) continue;
    left.erase(id);
    if (!job->ended()) {
      job->state = ReplayState::kFailed;
      job->error =
          "the store was repaired: how far this job had come, or whether it was still "
          "there, is not known; resume or delete it";
      notes->push_back("replay job " + id + " has failed: it must be resumed or deleted");
    }
    batch->PutJob(id, EncodeJob(*job));
    for (const std::string& table : {OffsetEntryId(id), OldOffsetEntryId(id)}) {
      const auto found = jobs.find(table);
      if (found == jobs.end() || !DecodeOffsetMap(found->second).ok()) continue;
      left.erase(table);
      batch->PutJob(table, found->second);
    }
  }
  for (const std::string& id : left) notes->push_back("job entry " + id + " is not taken over");
}

class NodeRepair {
 public:
  NodeRepair(const RepairRequest* request, Clock* clock, fs::path dir)
      : request_(request),
        clock_(clock),
        dir_(std::move(dir)),
        fresh_(dir_.string() + ".repairing") {}

  Result<RepairedNode> Run() {
    TD_RETURN_IF_ERROR(Salvage::Open(dir_).status());  // nobody else may use it
    TD_RETURN_IF_ERROR(EndLastRun());
    TD_RETURN_IF_ERROR(Verify());
    if (made_.findings.empty()) {
      made_.was_whole = true;
      return std::move(made_);
    }
    TD_RETURN_IF_ERROR(CheckContent(dir_, request_->config));
    Status filled = Fill();
    if (filled.ok()) filled = FailpointHit("repair.before_exchange");
    if (filled.ok()) filled = Exchange(fresh_, dir_);
    if (filled.ok()) filled = FailpointHit("repair.after_exchange");
    if (!filled.ok()) {
      std::error_code error;
      if (IsOurs()) fs::remove_all(fresh_, error);  // else it has the old store by now
      return filled;
    }
    salvage_.reset();
    TD_RETURN_IF_ERROR(EndLastRun());
    return std::move(made_);
  }

 private:
  VerifyOptions VerifyWith() const {
    return {.findings_max = kFindingsMax, .progress = request_->verifying};
  }
  Status EndLastRun();
  bool IsOurs() const;
  Status Verify();
  Status Fill();
  Status OpenTheArchive(const ReadStop* stop);

  const RepairRequest* const request_;
  Clock* const clock_;
  const fs::path dir_;
  const fs::path fresh_;
  std::unique_ptr<Salvage> salvage_;  // keeps the old store locked until it is replaced
  std::unique_ptr<BlobStore> blobs_;
  std::shared_ptr<const ManifestSet> manifests_;
  RepairedNode made_;
};

// A folder beside ours that has the mark is a new store that never took its place; one without is
// the old store, and ours the new one.
bool NodeRepair::IsOurs() const {
  std::error_code error;
  if (fs::exists(fresh_ / kMark, error)) return true;
  // The mark is written first, under a name that begins so.
  for (const fs::directory_entry& entry : fs::directory_iterator(fresh_, error)) {
    if (!entry.path().filename().string().starts_with(kMark)) return false;
  }
  return !error;
}

// What cannot be read is damage, whatever the reason.
Status NodeRepair::Verify() {
  Result<VerifyReport> found = VerifyDataDir(dir_, VerifyWith());
  const StatusCode code = found.status().code();
  if (code == StatusCode::kUnavailable || code == StatusCode::kInternal) {
    made_.findings.push_back({"files", std::string(found.status().message())});
    return Status::Ok();
  }
  TD_RETURN_IF_ERROR(found.status());
  made_.findings = std::move(found->findings);
  return Status::Ok();
}

Status NodeRepair::EndLastRun() {
  std::error_code error;
  if (fs::exists(fresh_, error)) {
    if (IsOurs()) {
      fs::remove_all(fresh_, error);
      if (error) return StatusFromErrno(error.value(), "removing " + fresh_.string());
    } else {
      made_.old_store = FreeName(dir_);
      fs::rename(fresh_, made_.old_store, error);
      if (error) return StatusFromErrno(error.value(), "naming " + made_.old_store.string());
      TD_RETURN_IF_ERROR(SyncDirectory(dir_.parent_path().string()));
    }
  }
  // Before this folder can become the old one: what has the mark is deleted.
  if (fs::remove(dir_ / kMark, error)) TD_RETURN_IF_ERROR(SyncDirectory(dir_.string()));
  return Status::Ok();
}

Status NodeRepair::OpenTheArchive(const ReadStop* stop) {
  if (request_->config.archive.url.empty()) return Status::Ok();
  TD_ASSIGN_OR_RETURN(
      blobs_, OpenArchive(request_->config.archive, {.clock = clock_, .stop = request_->stop}));
  ManifestHolder holder;
  TD_RETURN_IF_ERROR(holder.Refresh(blobs_.get(), stop).status());
  manifests_ = holder.Take();
  return Status::Ok();
}

Status NodeRepair::Fill() {
  auto gone = std::make_shared<std::atomic<bool>>(false);
  const ReadStop stop(clock_, gone);
  TD_RETURN_IF_ERROR(OpenTheArchive(&stop));
  TD_ASSIGN_OR_RETURN(salvage_, Salvage::Open(dir_));
  TD_ASSIGN_OR_RETURN(const Wreck wreck, Wreck::Collect(salvage_.get()));
  const std::string node = wreck.node.empty() ? request_->config.node.id : wreck.node;
  std::error_code error;
  fs::create_directory(fresh_, error);
  if (error) return StatusFromErrno(error.value(), "making " + fresh_.string());
  TD_RETURN_IF_ERROR(WriteFileAtomically((fresh_ / kMark).string(), "a repair fills this\n"));
  TD_RETURN_IF_ERROR(TryExchange(fresh_));
  TD_RETURN_IF_ERROR(GiveTo(dir_, fresh_));  // refused now rather than after hours
  TD_ASSIGN_OR_RETURN(auto store,
                      Store::Open({.dir = fresh_, .node_id = node, .ballast_bytes = 0}));
  RepairOptions options{.clock = clock_,
                        .flush_bytes = request_->flush_bytes,
                        .manifests = manifests_.get(),
                        .blobs = blobs_.get(),
                        .accept_loss = request_->accept_loss,
                        .stop = &stop};
  const Result<RecordingPlan> plan = PlanRecording(request_->config, TableRegistry(), NoRows);
  if (plan.ok()) {
    options.topics = plan->topics;
    options.tables.assign(plan->tables.tables().begin(), plan->tables.tables().end());
  } else if (!request_->config.topics.empty()) {
    return plan.status();
  }
  options.progress = [&](const RepairProgress& progress) {
    if (request_->stop != nullptr && request_->stop->load()) gone->store(true);
    if (request_->repairing) request_->repairing(progress);
  };
  TD_ASSIGN_OR_RETURN(made_.report, RepairStore(salvage_.get(), wreck, store.get(), options));
  if (wreck.node.empty()) {
    made_.report.notes.push_back("the id of the node is lost: it is '" + node +
                                 "' now, as the configuration says");
  }
  StoreBatch jobs;
  TakeJobs(wreck.jobs, &jobs, &made_.report.notes);
  TD_RETURN_IF_ERROR(store->Write(jobs));
  TD_ASSIGN_OR_RETURN(const VerifyReport verified, VerifyStore(store.get(), VerifyWith()));
  if (!verified.ok()) {
    const Finding& first = verified.findings.front();
    return Status::Internal("the repaired store does not verify, so the old one stays: " +
                            first.where + ": " + first.what);
  }
  made_.store_id = store->meta().store_id;
  TD_RETURN_IF_ERROR(store->Close());
  return GiveTo(dir_, fresh_);
}

}  // namespace

Result<RepairedNode> RepairNode(const RepairRequest& request, Clock* clock) {
  std::error_code error;
  const fs::path dir = fs::canonical(request.data_dir, error);
  if (error) return Status::NotFound("there is no store in " + request.data_dir.string());
  TD_RETURN_IF_ERROR(CheckPlace(dir));
  return NodeRepair(&request, clock, dir).Run();
}

}  // namespace tapedeck
