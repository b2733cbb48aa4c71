#ifndef TAPEDECK_TESTS_FLIPS_SAMPLE_STORE_H_
#define TAPEDECK_TESTS_FLIPS_SAMPLE_STORE_H_

// A small store with everything in it, as a kill leaves it, and all that can be asked of a store.
//
//   Files files = RecordSampleStore(seed);          // by the record journey
//   LayOut(files, dir);
//   Result<std::string> answers = AllAnswers(dir);  // of `tapedeck messages`, `query` and the rest
//
// Failures of the recording fail the test. Thread-safe: functions on files.

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>

#include "base/status.h"

namespace tapedeck::testing {

/// Name to content.
using Files = std::map<std::string, std::string>;

/// Two tapes, trades of several symbols, refused, skipped and expired messages; some in SST files
/// with their series, the rest in the write-ahead log and above the series watermark.
Files RecordSampleStore(uint64_t seed);

Files ReadFolder(const std::filesystem::path& dir);
/// Makes `dir` hold these files and nothing else. A file LOCK that is there stays the same file.
void LayOut(const Files& files, const std::filesystem::path& dir);

/// Every message, row, symbol, refusal, table, topic, gap and count, or the first error.
Result<std::string> AllAnswers(const std::filesystem::path& dir);

}  // namespace tapedeck::testing

#endif  // TAPEDECK_TESTS_FLIPS_SAMPLE_STORE_H_
