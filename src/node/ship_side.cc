#include "node/ship_side.h"

#include <utility>
#include <vector>

#include "base/log.h"
#include "blob/counted_store.h"
#include "node/archive_store.h"

namespace tapedeck {
namespace {

constexpr std::chrono::seconds kOpenAgain(10);
// Manifests of other nodes are seen so long after they were put, at the latest.
constexpr std::chrono::seconds kRefreshEvery(60);
constexpr std::chrono::seconds kRefreshAgain(10);

std::string_view SchemeOf(const std::string& url) {
  return std::string_view(url).substr(0, url.find(':'));
}

ShipOptions OptionsOf(const Config& config, const std::string& version) {
  ShipOptions options;
  options.node_id = config.node.id;
  options.version = version;
  options.formats.clear();
  for (const ArchiveConfig::Format format : config.archive.formats)
    options.formats.emplace_back(format == ArchiveConfig::Format::kParquet ? "parquet"
                                                                           : "ndjson.zst");
  options.close_after = config.archive.close_after;
  options.keep_local = config.archive.keep_local;
  options.tape_ship = config.archive.tape_ship;
  options.per_message = config.archive.per_message;
  options.work_folder = config.node.data_dir / kWorkFolder;
  return options;
}

std::vector<PartitionProgress> ProgressOf(const RecorderState& state) {
  std::vector<PartitionProgress> list;
  for (const PartitionState& p : state.partitions) {
    list.push_back({.tp = p.tp,
                    .lineage = p.lineage,
                    .next = p.stored,
                    .log_end = p.log_end,
                    .tables = p.tables});
  }
  return list;
}

}  // namespace

Status CheckArchive(const Config& config) {
  // A folder would be made: that is for the node that ships into it.
  if (!config.archive.on() || SchemeOf(config.archive.url) == "file") return Status::Ok();
  Result<std::unique_ptr<BlobStore>> opened =
      OpenBlobStore(config.archive.url, BlobOptionsOf(config.archive));
  return opened.status().code() == StatusCode::kInvalidArgument
             ? opened.status().WithContext("[archive]")
             : Status::Ok();
}

Result<std::unique_ptr<ShipSide>> ShipSide::Make(const Config& config, const ShipSideParts& parts) {
  auto side = std::unique_ptr<ShipSide>(new ShipSide(config, parts));
  const Status opened = side->Open();
  if (opened.code() == StatusCode::kInvalidArgument) return opened.WithContext("[archive]");
  side->Tell("archive-unreachable", opened);
  return side;
}

ShipSide::ShipSide(const Config& config, const ShipSideParts& parts)
    : config_(config), parts_(parts), place_(config.archive.url), refresh_stop_(parts.clock) {}

ShipSide::~ShipSide() {
  AskToStop();
  if (ship_thread_.joinable()) ship_thread_.join();
  if (refresh_thread_.joinable()) refresh_thread_.join();
  if (scrub_thread_.joinable()) scrub_thread_.join();
  if (backup_thread_.joinable()) backup_thread_.join();
}

void ShipSide::Start() {
  std::lock_guard lock(mutex_);
  if (stop_.load()) return;  // it has ended already
  ship_thread_ = std::thread([this] {
    ShipLoop();
    ended_.store(true);
  });
}

void ShipSide::AskToStop() {
  {
    std::lock_guard lock(mutex_);
    stop_.store(true);
    if (!ship_thread_.joinable()) ended_.store(true);
  }
  refresh_stop_.Break();
  wake_.notify_all();
}

bool ShipSide::WaitFor(std::chrono::nanoseconds time) {
  std::unique_lock lock(mutex_);
  return !wake_.wait_for(lock, time, [this] { return stop_.load(); });
}

void ShipSide::Tell(std::string_view event, const Status& trouble) {
  if (!trouble.ok()) TD_LOG(kError, "node", std::string(event), trouble.ToString());
  std::lock_guard lock(mutex_);
  trouble_ = trouble.ok() ? "" : trouble.ToString();
}

Status ShipSide::Open() {
  TD_ASSIGN_OR_RETURN(std::unique_ptr<BlobStore> opened,
                      OpenArchive(config_.archive, {.clock = parts_.clock, .stop = &stop_}));
  std::unique_ptr<BlobStore> counted = CountBlobStore(
      std::move(opened), SchemeOf(config_.archive.url), parts_.metrics, parts_.clock);
  std::lock_guard lock(mutex_);
  blobs_ = std::move(counted);
  archive_ = std::make_unique<Archive>(blobs_.get(), ObjectCacheOptions());
  return Status::Ok();
}

Status ShipSide::MakeShipper() {
  ShipParts parts;
  parts.store = parts_.store;
  parts.queue = parts_.queue;
  parts.blobs = blobs_.get();
  parts.clock = parts_.clock;
  Recorder* const recorder = parts_.recorder;
  parts.request_flush = [recorder](std::vector<ShipDay> days) {
    std::vector<TableDay> close;
    for (ShipDay& day : days) close.push_back({std::move(day.table), day.day});
    return recorder->RequestFlush(std::move(close));
  };
  parts.flushes_done = [recorder] { return recorder->State().flush_requests_done; };
  parts.progress = [recorder] { return ProgressOf(recorder->State()); };
  parts.manifests = [this] { return archive_->manifests().Take(); };
  parts.manifest_added = [this](const std::string& name, const Manifest& manifest) {
    archive_->manifests().Add({name, std::visit([](const auto& m) { return ToJson(m); }, manifest)},
                              manifest);
  };
  TD_ASSIGN_OR_RETURN(std::unique_ptr<Shipper> made,
                      Shipper::Make(OptionsOf(config_, parts_.version), std::move(parts)));
  std::lock_guard lock(mutex_);
  shipper_ = std::move(made);
  if (config_.archive.backup) {
    backups_ = std::make_unique<BackupKeeper>(
        BackupKeeperOptions{.interval = *config_.archive.backup,
                            .backup = {.version = parts_.version,
                                       .work_dir = config_.node.data_dir / kBackupFolder}},
        parts_.store, blobs_.get(), parts_.clock);
  }
  return Status::Ok();
}

void ShipSide::ShipLoop() {
  while (!stop_.load() && blobs_ == nullptr) {
    Status opened = Open();
    Tell("archive-unreachable", opened);
    if (!opened.ok() && !WaitFor(kOpenAgain)) return;
  }
  if (stop_.load()) return;
  Status made = MakeShipper();
  Tell("archive-unusable", made);
  if (!made.ok()) return;
  MakeScrub();
  refresh_thread_ = std::thread([this] { RefreshLoop(); });
  if (backups_ != nullptr) backup_thread_ = std::thread([this] { BackupLoop(); });
  Status end = shipper_->Run(stop_);
  if (!end.ok()) TD_LOG(kError, "node", "shipping-halted", end.ToString());
  // Manifests are listed on, so that reads know them, until the node stops.
  while (WaitFor(std::chrono::hours(1))) continue;
}

void ShipSide::MakeScrub() {
  if (!config_.archive.scrub) return;
  auto made = std::make_unique<Scrub>(
      ScrubOptions{.period = *config_.archive.scrub,
                   .bytes_per_second = config_.archive.scrub_rate},
      ScrubParts{blobs_.get(), parts_.clock, [this] { return archive_->manifests().Take(); }});
  Scrub* const scrub = made.get();
  {
    std::lock_guard lock(mutex_);
    scrub_ = std::move(made);
  }
  scrub_thread_ = std::thread([this, scrub] {
    const Status end = scrub->Run(stop_);
    if (!end.ok()) TD_LOG(kError, "node", "scrub-ended", end.ToString());
  });
}

void ShipSide::RefreshLoop() {
  Gauge damaged = parts_.metrics->AddGauge(
      "tapedeck_archive_damaged_objects",
      "Objects that the scrub found missing, or other than they were shipped.");
  Counter checked = parts_.metrics->AddCounter("tapedeck_archive_checked_bytes_total",
                                               "Bytes of the archive that the scrub has read.");
  uint64_t counted = 0;
  for (;;) {
    const Result<RefreshReport> report =
        archive_->manifests().Refresh(blobs_.get(), &refresh_stop_);
    if (stop_.load()) return;
    if (scrub_ != nullptr) {
      const ScrubState state = scrub_->State();
      damaged.Set(double(state.damaged.size()));
      checked.Increment(state.checked_bytes - std::exchange(counted, state.checked_bytes));
    }
    Tell("archive-list",
         report.ok() ? Status::Ok() : Status(report.status()).WithContext("listing the archive"));
    if (!WaitFor(report.ok() ? std::chrono::nanoseconds(kRefreshEvery) : kRefreshAgain)) return;
  }
}

void ShipSide::BackupLoop() {
  while (!stop_.load()) {
    const std::chrono::nanoseconds wait = backups_->Round(stop_);
    if (!WaitFor(std::min<std::chrono::nanoseconds>(wait, std::chrono::hours(1)))) return;
  }
}

Archive* ShipSide::archive() const {
  std::lock_guard lock(mutex_);
  return archive_.get();
}

Shipper* ShipSide::shipper() const {
  std::lock_guard lock(mutex_);
  return shipper_.get();
}

ShipState ShipSide::state() const {
  ShipState state;
  const BackupKeeper* keeper = nullptr;
  const Shipper* shipper = nullptr;
  {
    std::lock_guard lock(mutex_);
    shipper = shipper_.get();
    keeper = backups_.get();
  }
  if (shipper != nullptr) state = shipper->State();
  if (keeper != nullptr) {
    const BackupState backup = keeper->State();
    state.backup_at = backup.last_at;
    state.backup_error = backup.last_error;
  }
  return state;
}

std::string ShipSide::trouble() const {
  const Scrub* scrub = nullptr;
  {
    std::lock_guard lock(mutex_);
    if (!trouble_.empty()) return trouble_;
    scrub = scrub_.get();
  }
  if (scrub == nullptr) return "";
  const std::vector<DamagedObject> damaged = scrub->State().damaged;
  if (damaged.empty()) return "";
  return std::to_string(damaged.size()) + " objects are damaged: " + damaged.front().name + ": " +
         damaged.front().what;
}

}  // namespace tapedeck
