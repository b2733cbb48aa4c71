#ifndef TAPEDECK_STORE_SALVAGE_H_
#define TAPEDECK_STORE_SALVAGE_H_

// Salvage: what can still be read of a store that is damaged, whether RocksDB would open it or not.
//
//   TD_ASSIGN_OR_RETURN(std::unique_ptr<Salvage> salvage, Salvage::Open(dir));
//   TD_RETURN_IF_ERROR(salvage->Read([&](const Salvage::Entry& entry) { … }));
//   if (salvage->MayLack(lower, upper)) …            // an entry between them may have been lost
//
// Each SST file of the MANIFEST is read by itself, block by block, every checksum compared; then
// the logs, up to the first damage. In a file a block that cannot be read is passed by: the next
// key that can be is looked for by halving, and where index entries say that a block is. Where
// MANIFEST or CURRENT are unreadable all files of the folder are read.
//
// Given are tapes with their index, gaps and checkpoints, mappings, tables, days, jobs and meta
// entries; not series, catalog and refusals, which follow from the tapes, nor objects.
// Older files come first, so of entries with one key the last one is the newest (unless the
// MANIFEST is lost: then nobody knows); what a newer file had deleted may be among them. Blocks
// come last. Blocks are whole or not given, but say for themselves whether they are what was stored
// (codec).
//
// Nothing is written but the lock file. Errors: kNotFound: no store; kFailedPrecondition: a process
// holds it, or this user may not read a file of it. Damage is no error. Memory: the logs, a few
// kilobytes for each damage. One thread's.

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/status.h"

namespace tapedeck {

class Salvage {
 public:
  struct Entry {
    std::string_view key;
    std::string_view value;
    /// Where it lies, for Get.
    uint64_t file = 0;
  };
  using Sink = std::function<Status(const Entry&)>;

  static Result<std::unique_ptr<Salvage>> Open(const std::filesystem::path& dir);
  virtual ~Salvage() = default;

  /// Everything; once. An error of the sink ends it.
  virtual Status Read(const Sink& sink) = 0;
  /// After Read: whether damage may have taken an entry with lower <= key < upper.
  virtual bool MayLack(std::string_view lower, std::string_view upper) const = 0;
  /// After Read: what was damaged, by file.
  virtual const std::vector<std::string>& damage() const = 0;
  /// The value of an entry that Read gave.
  virtual Result<std::string> Get(std::string_view key, uint64_t file) = 0;
};

}  // namespace tapedeck

#endif  // TAPEDECK_STORE_SALVAGE_H_
