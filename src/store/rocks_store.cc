#include "store/rocks_store.h"

#include <sys/stat.h>
#include <sys/statvfs.h>

#include <array>
#include <cerrno>
#include <random>

#include "base/bytes.h"
#include "base/failpoint.h"
#include "base/file.h"
#include "base/log.h"
#include "store/batch_rep.h"
#include "store/preflight.h"
#include "store/rocks_view.h"
#include "store/store_id.h"

namespace tapedeck {

Result<std::unique_ptr<Store>> Store::Open(StoreOptions options) {
  return rocks::RocksStore::Open(std::move(options));
}

std::string MakeStoreId() {
  std::random_device device;
  const uint64_t bits = static_cast<uint64_t>(device()) << 32 | device();
  char text[17];
  std::snprintf(text, sizeof(text), "%016llx", static_cast<unsigned long long>(bits));
  return text;
}

namespace rocks {
namespace {

namespace fs = std::filesystem;

/// Of the entries and of the files together; a store of any other is refused.
constexpr uint64_t kFormat = 1;
Result<fs::path> PrepareDir(const StoreOptions& options) {
  if (options.dir.empty()) return Status::InvalidArgument("a store needs a directory");
  std::error_code error;
  const bool make = options.mode == StoreMode::kWrite && options.create;
  if (!fs::exists(options.dir, error)) {
    if (!make) return Status::NotFound("there is no store in " + options.dir.string());
    fs::create_directories(options.dir, error);
    if (error) return StatusFromErrno(error.value(), "making " + options.dir.string());
    TD_RETURN_IF_ERROR(SyncDirectory(fs::absolute(options.dir).parent_path().string()));
  }
  if (fs::exists(options.dir, error) && !fs::is_directory(options.dir, error)) {
    const std::string what = options.dir.string() + ", which is not a directory";
    if (make) return Status::InvalidArgument("no store can be made in " + what);
    return Status::NotFound("there is no store in " + what);
  }
  fs::path dir = fs::canonical(options.dir, error);
  if (error) return StatusFromErrno(error.value(), "finding " + options.dir.string());
  return dir;
}

Result<std::string> MetaOr(const StoreView& view, std::string_view name, std::string otherwise) {
  Result<std::string> value = view.Get(keys::Meta(name));
  if (value.status().code() == StatusCode::kNotFound) return otherwise;
  return value;
}

}  // namespace

RocksStore::RocksStore(StoreOptions options, fs::path dir)
    : options_(std::move(options)),
      dir_(std::move(dir)),
      writer_(options_.mode == StoreMode::kWrite),
      ballast_(dir_ / "BALLAST", options_.ballast_bytes.value_or(
                                     2 * PlanMemory(options_.memory_bytes).memtables_bytes())) {}

RocksStore::~RocksStore() = default;

Result<std::unique_ptr<Store>> RocksStore::Open(StoreOptions options) {
  TD_RETURN_IF_ERROR(FailpointHit("store.open"));
  TD_ASSIGN_OR_RETURN(fs::path dir, PrepareDir(options));
  std::unique_ptr<RocksStore> store(new RocksStore(std::move(options), std::move(dir)));
  if (store->writer_) {
    // Recovery writes the WAL's content out: on a full disk it needs the ballast's room.
    TD_ASSIGN_OR_RETURN(DiskUse disk, store->Disk());
    if (disk.free_bytes < store->BytesToResume()) TD_RETURN_IF_ERROR(store->ballast_.Release());
  }
  TD_RETURN_IF_ERROR(store->OpenEngine());
  TD_RETURN_IF_ERROR(store->LoadMeta());
  if (store->writer_) store->RestoreBallast();
  return std::unique_ptr<Store>(std::move(store));
}

Status RocksStore::OpenEngine() {
  std::shared_ptr<Engine> opened;
  if (writer_) {
    TD_ASSIGN_OR_RETURN(Engine::Opened primary, Engine::OpenPrimary(dir_, options_));
    opened = std::move(primary.engine);
    if (!primary.wal_damage.empty()) wal_damage_ = std::move(primary.wal_damage);
  } else {
    TD_ASSIGN_OR_RETURN(opened, Engine::OpenSecondary(dir_, options_));
  }
  std::lock_guard lock(mutex_);
  engine_ = std::move(opened);
  return Status::Ok();
}

Status RocksStore::LoadMeta() {
  std::unique_ptr<StoreView> view = View();
  Result<std::string> format = view->Get(keys::Meta(meta_names::kFormat));
  if (format.status().code() == StatusCode::kNotFound) {
    std::unique_ptr<StoreCursor> cursor = view->Scan("", "", ScanKind::kPoint);
    cursor->SeekToFirst();
    TD_RETURN_IF_ERROR(cursor->status());
    if (cursor->Valid())
      return Status::Corruption("the store " + dir_.string() +
                                " has entries and no format version");
    if (!writer_)
      return Status::Unavailable("the store " + dir_.string() + " is being made: try again");
    return WriteFirstMeta();
  }
  TD_RETURN_IF_ERROR(format.status());
  StoreMeta meta;
  ByteReader reader(*format);
  meta.format = static_cast<uint32_t>(reader.Varint());
  if (!reader.done())
    return Status::Corruption("the format version of the store " + dir_.string() + " is damaged");
  if (meta.format == kFormat) {
    TD_ASSIGN_OR_RETURN(meta.node_id, MetaOr(*view, meta_names::kNode, ""));
    TD_ASSIGN_OR_RETURN(meta.store_id, MetaOr(*view, meta_names::kStore, ""));
    TD_ASSIGN_OR_RETURN(meta.cluster_id, MetaOr(*view, meta_names::kCluster, ""));
  }
  SetMeta(std::move(meta));
  return CheckMeta();
}

Status RocksStore::CheckMeta() {
  const StoreMeta& stored = meta();
  if (stored.format != kFormat) {
    return Status::FailedPrecondition(
        "the store " + dir_.string() + " has format " + std::to_string(stored.format) +
        "; this program reads and writes format " + std::to_string(kFormat) +
        ": use the release that made it, or another directory");
  }
  if (options_.node_id.empty() || options_.node_id == stored.node_id || !writer_)
    return Status::Ok();
  if (!options_.adopt) {
    return Status::FailedPrecondition(
        "the store " + dir_.string() + " belongs to node '" + stored.node_id + "', not to '" +
        options_.node_id + "': set that id, choose another directory, or rename it with --adopt");
  }
  rocksdb::WriteBatch batch;
  TD_RETURN_IF_ERROR(
      ToStatus(batch.Put(keys::Meta(meta_names::kNode), options_.node_id), Access::kWrite));
  TD_RETURN_IF_ERROR(Commit(&batch));
  StoreMeta renamed = stored;
  renamed.node_id = options_.node_id;
  SetMeta(std::move(renamed));
  return Status::Ok();
}

Status RocksStore::WriteFirstMeta() {
  if (options_.node_id.empty()) return Status::InvalidArgument("a new store needs a node id");
  if (::chmod(dir_.c_str(), 0700) != 0) {
    TD_LOG(kWarn, "store", "mode", "the directory stays open to others", {{"dir", dir_.string()}});
  }
  StoreMeta meta{
      .format = kFormat, .node_id = options_.node_id, .store_id = MakeStoreId(), .cluster_id = ""};
  std::string format;
  PutVarint(&format, meta.format);
  rocksdb::WriteBatch batch;
  for (auto [name, value] : {std::pair<std::string_view, std::string>{meta_names::kFormat, format},
                             {meta_names::kNode, meta.node_id},
                             {meta_names::kStore, meta.store_id}}) {
    TD_RETURN_IF_ERROR(ToStatus(batch.Put(keys::Meta(name), value), Access::kWrite));
  }
  TD_RETURN_IF_ERROR(Commit(&batch));
  SetMeta(std::move(meta));
  return Status::Ok();
}

void RocksStore::SetMeta(StoreMeta meta) {
  std::lock_guard lock(mutex_);
  if (!metas_.empty() && metas_.back()->format == meta.format &&
      metas_.back()->node_id == meta.node_id && metas_.back()->store_id == meta.store_id &&
      metas_.back()->cluster_id == meta.cluster_id) {
    return;
  }
  metas_.push_back(std::make_unique<const StoreMeta>(std::move(meta)));
  meta_.store(metas_.back().get(), std::memory_order_release);
}

std::shared_ptr<Engine> RocksStore::engine() const {
  std::unique_lock lock(mutex_);
  reopened_.wait(lock, [&] { return !reopening_; });
  return engine_;
}

Result<std::shared_ptr<Engine>> RocksStore::NeedEngine() const {
  std::shared_ptr<Engine> current = engine();
  if (current == nullptr) return Status::Unavailable("the store " + dir_.string() + " is closed");
  return current;
}

Status RocksStore::NeedWriter() const {
  if (!writer_)
    return Status::FailedPrecondition("the store " + dir_.string() + " is open for reading only");
  if (!failed_.ok()) return failed_;
  if (engine_ == nullptr) {
    return Status::ResourceExhausted("the store " + dir_.string() +
                                     " could not be opened again yet: resume it");
  }
  return Status::Ok();
}

// Synced. An error that cannot pass is kept: nothing is trusted after a failed sync.
Status RocksStore::Commit(rocksdb::WriteBatch* batch) {
  rocksdb::WriteOptions write;
  write.sync = true;
  const rocksdb::Status status = engine_->db().Write(write, batch);
  Status written = ToStatus(status, Access::kWrite);
  if (status.IsIncomplete() && engine_->background_error()) {
    // Level 0 is full, and compaction stands still: nothing but opening again helps.
    written = Status::ResourceExhausted("writing waits for a compaction that failed: " +
                                        status.ToString());
  }
  if (written.ok()) {
    acknowledged_sequence_ = engine_->db().GetLatestSequenceNumber();
  } else if (written.code() == StatusCode::kInternal || written.code() == StatusCode::kCorruption) {
    failed_ = written;
  }
  return written;
}

Status RocksStore::Write(StoreBatch& batch) {
  TD_RETURN_IF_ERROR(NeedWriter());
  if (batch.empty()) return Status::Ok();
  const std::optional<std::string>& cluster = StoreBatchAccess::Of(batch).cluster_id;
  const std::optional<std::string>& store = StoreBatchAccess::Of(batch).store_id;
  if (cluster && !meta().cluster_id.empty() && *cluster != meta().cluster_id) {
    return Status::FailedPrecondition("the store " + dir_.string() + " records cluster '" +
                                      meta().cluster_id + "', not '" + *cluster +
                                      "': use another directory for another cluster");
  }
  TD_RETURN_IF_ERROR(FailpointHit("store.before_write"));
  TD_RETURN_IF_ERROR(Commit(&StoreBatchAccess::Of(batch).batch));
  TD_RETURN_IF_ERROR(FailpointHit("store.after_write"));
  if (cluster || store) {
    StoreMeta changed = meta();
    if (cluster) changed.cluster_id = *cluster;
    if (store) changed.store_id = *store;
    SetMeta(std::move(changed));
  }
  TendSometimes();
  return Status::Ok();
}

std::unique_ptr<StoreView> RocksStore::View() const {
  Result<std::shared_ptr<Engine>> current = NeedEngine();
  if (!current.ok()) return MakeClosedView(std::move(current).status());
  return MakeView(std::move(*current));
}

Status RocksStore::CatchUp() {
  if (writer_)
    return Status::FailedPrecondition("only a store that is read beside its writer catches up");
  TD_RETURN_IF_ERROR(OpenEngine());  // views of before keep the engine of before
  return LoadMeta();
}

Result<DiskUse> RocksStore::Disk() const {
  struct statvfs info {};
  if (::statvfs(dir_.c_str(), &info) != 0)
    return StatusFromErrno(errno, "asking for the room of " + dir_.string());
  // Blocks that are kept for root, or for nobody, are neither used nor free: as df counts.
  const uint64_t usable = static_cast<uint64_t>(info.f_blocks - info.f_bfree) + info.f_bavail;
  return DiskUse{.total_bytes = usable * info.f_frsize,
                 .free_bytes = static_cast<uint64_t>(info.f_bavail) * info.f_frsize};
}

Status RocksStore::Close() {
  std::shared_ptr<Engine> current = engine();
  if (current == nullptr) return Status::Ok();
  if (const auto views = current->views().load(); views > 0) {
    return Status::FailedPrecondition("a store closes after its views: " + std::to_string(views) +
                                      " in use");
  }
  {
    std::lock_guard lock(mutex_);
    engine_ = nullptr;
  }
  return current->Close();
}

}  // namespace rocks
}  // namespace tapedeck
