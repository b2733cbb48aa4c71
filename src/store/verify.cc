// What RocksStore tells about its files: verification, sizes, compaction.

#include <rocksdb/db.h>
#include <rocksdb/file_checksum.h>

#include <cerrno>
#include <cstring>
#include <fstream>

#include "store/manifest.h"
#include "store/preflight.h"
#include "store/rocks_store.h"

namespace tapedeck::rocks {
namespace {

struct Kind {
  std::string_view name;
  std::string_view prefixes;
};
constexpr Kind kKinds[] = {
    {"tape", "t"}, {"series", "s"}, {"index", "xy"}, {"other", "acdegjkmopv"}};

// Goes through every entry once: what no checksum of a file covers, such as an index that leads
// nowhere, shows here.
Status ReadEverything(rocksdb::DB* db) {
  rocksdb::ReadOptions read = LongRead();
  read.total_order_seek = true;
  std::unique_ptr<rocksdb::Iterator> iterator(db->NewIterator(read));
  std::string last;
  for (iterator->SeekToFirst(); iterator->Valid(); iterator->Next()) {
    last.assign(iterator->key().data(), iterator->key().size());
  }
  if (iterator->status().ok()) return Status::Ok();
  return ToStatus(iterator->status(), Access::kRead)
      .WithContext("reading after the entry 0x" + rocksdb::Slice(last).ToString(true));
}

// A file without a checksum would pass as sound.
Status EveryFileHasAChecksum(rocksdb::DB* db) {
  std::vector<rocksdb::LiveFileMetaData> files;
  db->GetLiveFilesMetaData(&files);
  for (const rocksdb::LiveFileMetaData& file : files) {
    if (!file.file_checksum.empty()) continue;
    return Status::Corruption(file.directory + "/" + file.relative_filename +
                              " has no checksum in the MANIFEST");
  }
  return Status::Ok();
}

// Reads the whole file and compares its checksum with the one in the MANIFEST. kNotFound: there is
// no such file (any more).
Status CheckFile(const rocksdb::LiveFileMetaData& file) {
  constexpr size_t kPiece = size_t{1} << 20;
  const std::string path = file.directory + "/" + file.relative_filename;
  std::ifstream in(path, std::ios::binary);
  if (!in) {
    const bool gone = errno == ENOENT;
    const std::string text = path + ": " + std::strerror(errno);
    return gone ? Status::NotFound(text) : Status::Unavailable(text);
  }
  rocksdb::FileChecksumGenContext context;
  context.file_name = path;
  context.requested_checksum_func_name = file.file_checksum_func_name;
  const std::unique_ptr<rocksdb::FileChecksumGenerator> checksum =
      rocksdb::GetFileChecksumGenCrc32cFactory()->CreateFileChecksumGenerator(context);
  if (checksum == nullptr)
    return Status::Corruption(path + " has a checksum of an unknown kind in the MANIFEST: " +
                              file.file_checksum_func_name);
  std::string piece(kPiece, '\0');
  while (in) {
    in.read(piece.data(), static_cast<std::streamsize>(piece.size()));
    checksum->Update(piece.data(), static_cast<size_t>(in.gcount()));
  }
  if (in.bad()) return Status::Unavailable(path + " cannot be read");
  checksum->Finalize();
  if (checksum->GetChecksum() == file.file_checksum) return Status::Ok();
  return Status::Corruption(path + " does not have the checksum that the MANIFEST gives");
}

// Beside a running node files vanish while this reads: what a compaction has replaced needs no
// check, and this reader still holds it open.
Status CheckFilesBesideANode(rocksdb::DB* db, const std::filesystem::path& dir) {
  std::vector<rocksdb::LiveFileMetaData> files;
  db->GetLiveFilesMetaData(&files);
  for (const rocksdb::LiveFileMetaData& file : files) {
    Status checked = CheckFile(file);
    if (checked.code() == StatusCode::kNotFound) {
      TD_ASSIGN_OR_RETURN(std::filesystem::path manifest, FindManifest(dir));
      TD_ASSIGN_OR_RETURN(ManifestState now, ReadManifest(manifest));
      if (!now.files.contains(file.file_number)) continue;
      return Status::Corruption(std::string(checked.message()) + ", and the MANIFEST names it");
    }
    TD_RETURN_IF_ERROR(checked);
  }
  return Status::Ok();
}

}  // namespace

// DB::VerifyChecksum is left out: it reads every block once more, all of which the checksums of
// whole files cover, and warns of each file that it opens without its unique id.
Status RocksStore::VerifyFiles() {
  TD_ASSIGN_OR_RETURN(std::shared_ptr<Engine> current, NeedEngine());
  TD_ASSIGN_OR_RETURN(std::filesystem::path manifest, FindManifest(dir_));
  TD_RETURN_IF_ERROR(ReadManifest(manifest).status());
  rocksdb::DB& db = current->db();
  TD_RETURN_IF_ERROR(EveryFileHasAChecksum(&db));
  const Status checked = writer_ ? ToStatus(db.VerifyFileChecksums(LongRead()), Access::kRead)
                                 : CheckFilesBesideANode(&db, dir_);
  TD_RETURN_IF_ERROR(checked.WithContext("checking the files of " + dir_.string()));
  return ReadEverything(&db);
}

std::vector<std::pair<std::string, uint64_t>> RocksStore::SizeByKind() const {
  std::vector<std::pair<std::string, uint64_t>> sizes;
  Result<std::shared_ptr<Engine>> current = NeedEngine();
  if (!current.ok()) return sizes;
  rocksdb::SizeApproximationOptions options;
  options.include_memtables = true;
  options.include_files = true;
  for (const Kind& kind : kKinds) {
    uint64_t total = 0;
    for (char prefix : kind.prefixes) {
      const std::string from(1, prefix);
      const std::string to = keys::After(from);
      const rocksdb::Range range(from, to);
      uint64_t bytes = 0;
      rocksdb::DB& db = (*current)->db();
      if (db.GetApproximateSizes(options, db.DefaultColumnFamily(), &range, 1, &bytes).ok())
        total += bytes;
    }
    sizes.emplace_back(kind.name, total);
  }
  return sizes;
}

Status RocksStore::CompactAll() {
  if (!writer_)
    return Status::FailedPrecondition("a store that is open for reading is not compacted");
  TD_ASSIGN_OR_RETURN(std::shared_ptr<Engine> current, NeedEngine());
  rocksdb::CompactRangeOptions options;
  options.bottommost_level_compaction = rocksdb::BottommostLevelCompaction::kForceOptimized;
  return ToStatus(current->db().CompactRange(options, nullptr, nullptr), Access::kWrite)
      .WithContext("compacting");
}

Status RocksStore::CompactRange(std::string_view from, std::string_view to) {
  if (!writer_)
    return Status::FailedPrecondition("a store that is open for reading is not compacted");
  TD_ASSIGN_OR_RETURN(std::shared_ptr<Engine> current, NeedEngine());
  rocksdb::CompactRangeOptions options;
  options.exclusive_manual_compaction = false;  // RocksDB's own go on beside it
  const rocksdb::Slice begin(from.data(), from.size()), end(to.data(), to.size());
  return ToStatus(current->db().CompactRange(options, &begin, &end), Access::kWrite)
      .WithContext("compacting a range");
}

Status RocksStore::FlushMemtables() {
  if (!writer_)
    return Status::FailedPrecondition("a store that is open for reading is not flushed");
  TD_ASSIGN_OR_RETURN(std::shared_ptr<Engine> current, NeedEngine());
  return ToStatus(current->db().Flush(rocksdb::FlushOptions()), Access::kWrite)
      .WithContext("flushing");
}

}  // namespace tapedeck::rocks
