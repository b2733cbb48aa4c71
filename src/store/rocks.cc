#include "store/rocks.h"

#include <rocksdb/cache.h>
#include <rocksdb/file_checksum.h>
#include <rocksdb/table.h>
#include <rocksdb/write_buffer_manager.h>

#include <algorithm>
#include <cstdarg>
#include <cstdio>

#include "base/log.h"

namespace tapedeck::rocks {
namespace {

constexpr size_t kMiB = size_t{1} << 20;
/// Values are blocks of 5 to 100 kB: one or a few make a RocksDB block, so that a point read
/// fetches little else.
constexpr size_t kBlockBytes = size_t{16} << 10;
/// One read of a long scan.
constexpr size_t kReadAheadBytes = kMiB;

// Never a file on the disk of the store: RocksDB's own LOG aborts the process once that disk is
// full (docs/faults.md, A8).
class LogAdapter final : public rocksdb::Logger {
 public:
  LogAdapter()
      : rocksdb::Logger(LogEnabled(LogLevel::kDebug) ? rocksdb::InfoLogLevel::INFO_LEVEL
                                                     : rocksdb::InfoLogLevel::WARN_LEVEL) {}
  using rocksdb::Logger::Logv;
  void Logv(const char* format, va_list arguments) override {
    Write(LogLevel::kDebug, format, arguments);
  }
  void Logv(const rocksdb::InfoLogLevel level, const char* format, va_list arguments) override {
    if (level < GetInfoLogLevel()) return;
    switch (level) {
      case rocksdb::InfoLogLevel::WARN_LEVEL:
        Write(LogLevel::kWarn, format, arguments);
        return;
      case rocksdb::InfoLogLevel::ERROR_LEVEL:
      case rocksdb::InfoLogLevel::FATAL_LEVEL:
        Write(LogLevel::kError, format, arguments);
        return;
      default:
        Write(LogLevel::kDebug, format, arguments);
        return;
    }
  }
  void LogHeader(const char*, va_list) override {}

 private:
  static void Write(LogLevel level, const char* format, va_list arguments) {
    if (!LogEnabled(level)) return;
    char text[1024];
    std::vsnprintf(text, sizeof(text), format, arguments);
    Log(level, "rocksdb", "message", text);
  }
};

std::shared_ptr<rocksdb::TableFactory> MakeTableFactory(
    const std::shared_ptr<rocksdb::Cache>& cache) {
  rocksdb::BlockBasedTableOptions table;
  table.block_cache = cache;
  table.block_size = kBlockBytes;
  table.format_version = 5;
  table.checksum = rocksdb::kXXH3;
  table.cache_index_and_filter_blocks = true;
  table.pin_l0_filter_and_index_blocks_in_cache = true;
  return std::shared_ptr<rocksdb::TableFactory>(rocksdb::NewBlockBasedTableFactory(table));
}

}  // namespace

Status ToStatus(const rocksdb::Status& status, Access access) {
  if (status.ok()) return Status::Ok();
  const std::string text = status.ToString();
  if (status.IsNoSpace() || status.subcode() == rocksdb::Status::SubCode::kSpaceLimit) {
    return Status::ResourceExhausted("no room in the store: " + text);
  }
  if (status.IsCompactionTooLarge())
    return Status::ResourceExhausted("no room to compact the store: " + text);
  if (status.IsNotFound()) return Status::NotFound("not in the store");
  if (status.IsCorruption()) return Status::Corruption(text);
  if (status.IsBusy() || status.IsTryAgain() || status.IsTimedOut() || status.IsIncomplete()) {
    return Status::Unavailable(text);
  }
  if (status.IsShutdownInProgress() || status.IsAborted()) return Status::Cancelled(text);
  if (status.IsIOError() && access == Access::kRead)
    return Status::Unavailable("reading the store: " + text);
  if (access == Access::kWrite) {
    return Status::Internal("the store cannot be written any more (" + text +
                            "): end the process; a restart trusts only what was durable before");
  }
  return Status::Internal(text);
}

MemoryPlan PlanMemory(size_t memory_bytes) {
  MemoryPlan plan;
  plan.cache_bytes = std::max(memory_bytes, 8 * kMiB);
  plan.memtable_bytes =
      std::clamp(plan.cache_bytes / 2 / static_cast<size_t>(plan.memtables), kMiB, 64 * kMiB);
  return plan;
}

std::shared_ptr<rocksdb::Logger> MakeLog() { return std::make_shared<LogAdapter>(); }

rocksdb::Options MakeOptions(const MemoryPlan& plan) {
  rocksdb::Options options;
  std::shared_ptr<rocksdb::Cache> cache = rocksdb::NewLRUCache(plan.cache_bytes);
  options.write_buffer_manager =
      std::make_shared<rocksdb::WriteBufferManager>(plan.memtables_bytes(), cache);
  options.table_factory = MakeTableFactory(cache);
  options.info_log = MakeLog();

  // Durability. Every write is synced; what RocksDB 7.8.3 gets wrong stays off (docs/recovery.md).
  options.wal_recovery_mode = rocksdb::WALRecoveryMode::kTolerateCorruptedTailRecords;
  options.paranoid_checks = true;
  options.file_checksum_gen_factory = rocksdb::GetFileChecksumGenCrc32cFactory();
  options.recycle_log_file_num = 0;
  options.track_and_verify_wals_in_manifest = false;
  options.wal_compression = rocksdb::kNoCompression;
  options.enable_pipelined_write = false;
  options.unordered_write = false;
  options.manual_wal_flush = false;
  options.max_bgerror_resume_count = 0;  // recovery from errors is ours: TryResume

  // Shape. Values are zstd already; every key range is written in order of its own, so levels
  // hardly overlap.
  options.compression = rocksdb::kNoCompression;
  options.bottommost_compression = rocksdb::kDisableCompressionOption;
  options.compaction_style = rocksdb::kCompactionStyleLevel;
  options.level_compaction_dynamic_level_bytes = true;
  options.write_buffer_size = plan.memtable_bytes;
  options.max_write_buffer_number = plan.memtables;
  options.target_file_size_base = 64 * kMiB;
  options.max_bytes_for_level_base = std::max<uint64_t>(64 * kMiB, 4 * plan.memtable_bytes);
  options.level0_file_num_compaction_trigger = 4;
  options.level0_slowdown_writes_trigger = 40;
  options.level0_stop_writes_trigger = 60;
  options.max_background_jobs = 2;
  options.max_subcompactions = 1;
  options.max_open_files =
      -1;  // files stay readable for a view (and a secondary) after they were deleted
  options.bytes_per_sync = kMiB;

  options.stats_dump_period_sec = 0;
  options.stats_persist_period_sec = 0;
  options.skip_stats_update_on_db_open = true;
  return options;
}

rocksdb::ReadOptions PointRead() {
  rocksdb::ReadOptions read;
  read.verify_checksums = true;
  // Nothing is deleted by range. Leaving the search for such deletions out also leaves out a defect
  // of 7.8.3: with it, a scan takes a read error at the start of a file below level 0 for the end
  // of that file (fixed in 8.7.0).
  read.ignore_range_deletions = true;
  return read;
}

rocksdb::ReadOptions LongRead() {
  rocksdb::ReadOptions read = PointRead();
  read.fill_cache = false;
  read.readahead_size = kReadAheadBytes;
  return read;
}

}  // namespace tapedeck::rocks
