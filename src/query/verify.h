#ifndef TAPEDECK_QUERY_VERIFY_H_
#define TAPEDECK_QUERY_VERIFY_H_

// Verify: reads a whole recording again and holds everything that is said twice against each other.
//
//   TD_ASSIGN_OR_RETURN(VerifyReport report, VerifyDataDir(dir, {}));
//   for (const Finding& f : report.findings) Print(f.where, f.what);
//   return report.ok() ? 0 : 4;
//
// What is compared:
//   files     every file's checksum, every entry read once
//   tapes     each block's hash; offsets ascending, outside gaps, within the checkpoint; index
//             entries = what their messages give by the mapping they name; refusals = those of
//             decoding again; messages, records, refused, skipped, last message and digest =
//             checkpoint
//   series    each block's hash; rows in order, under the right key and day, below the watermarks;
//             rows and digest of each day = its `d` entry; rows, first and last time of each symbol
//             = the catalog
//   both      rows and digest of each (table, day): series = a fresh decode of the tape below the
//             watermarks
//   the rest  every entry parses, every number it names is there, mappings are stored under their
//             own hashes
//
// A finding is a difference; reading goes on behind it. Memory: one block, about 200 bytes for each
// series and 100 for each (table, day). Owned by one thread.

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "store/store.h"

namespace tapedeck {

struct Finding {
  /// "tape Finhub1[3]@42", "series trades \"BTC\" 2024-07-02 generation 0 from …", "files".
  std::string where;
  std::string what;
};

struct VerifyProgress {
  uint64_t messages = 0;
  uint64_t rows = 0;
  uint64_t findings = 0;
};

struct VerifyOptions {
  /// Findings beyond this are counted only.
  size_t findings_max = 1000;
  /// Called every few thousand messages or rows; may be empty.
  std::function<void(const VerifyProgress&)> progress;
};

struct VerifyReport {
  std::vector<Finding> findings;
  uint64_t findings_left_off = 0;
  /// What a reader of the report should know: that a node is running, for instance.
  std::vector<std::string> notes;
  uint64_t tapes = 0;
  uint64_t tape_blocks = 0;
  uint64_t messages = 0;
  uint64_t records = 0;  // decoded from the tape
  uint64_t refused = 0;
  uint64_t series_blocks = 0;
  uint64_t rows = 0;     // in series blocks
  uint64_t symbols = 0;  // (table, symbol)
  uint64_t days = 0;     // (table, day, generation)

  bool ok() const { return findings.empty(); }
  void Add(std::string where, std::string what, size_t findings_max);
};

/// All but the files. An error: the view cannot be read at all; what could be read wrongly is a
/// finding.
Result<VerifyReport> VerifyView(const StoreView& view, const VerifyOptions& options);
/// With the files.
Result<VerifyReport> VerifyStore(Store* store, const VerifyOptions& options);
/// Opens the store for writing, so that nothing damaged passes, which a damaged log then is a
/// finding of; beside a running node it reads as a secondary and says so in the notes. kNotFound:
/// no store there.
Result<VerifyReport> VerifyDataDir(const std::filesystem::path& dir, const VerifyOptions& options);

}  // namespace tapedeck

#endif  // TAPEDECK_QUERY_VERIFY_H_
