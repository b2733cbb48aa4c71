#ifndef TAPEDECK_TOOLS_TAPEDECK_READ_OPTIONS_H_
#define TAPEDECK_TOOLS_TAPEDECK_READ_OPTIONS_H_

// What the reading commands have in common on the command line: where the recording is (a node's
// HTTP address or a data directory, exactly one), in which form the answer comes, ranges of time.
//
//   auto args = std::make_shared<ReadOptions>();
//   args->AddTo(command);
//   … if (args->is_remote()) …
//
// A token comes from the environment or a file, never from an argument: those are seen by others.
// Values; owned by one thread.

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "api/page_token.h"
#include "archive/archive.h"
#include "base/status.h"
#include "base/time.h"
#include "query/json_rows.h"
#include "query/reader.h"
#include "query/record_query.h"
#include "tapedeck/commands.h"

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace tapedeck::cli {

/// The node that is asked where neither --url nor --data-dir is given.
inline constexpr char kDefaultUrl[] = "http://127.0.0.1:8080";
/// Holds the token for --url where there is no --token-file.
inline constexpr char kTokenVariable[] = "TAPEDECK_TOKEN";
/// Rows of one page at most, as the HTTP side has it.
inline constexpr uint64_t kPageRowsAtMost = 50'000;

enum class Forms : uint8_t {
  kText,      // ndjson, json, csv, table
  kColumnar,  // those, arrow and parquet
};

struct ReadOptions {
  std::string url;  // empty: kDefaultUrl
  std::string data_dir;
  std::string archive;   // URL; with data_dir: where its pruned days are
  std::string endpoint;  // of it
  std::string token_file;
  std::string ca_file;
  std::string output;
  bool fail_empty = false;

  /// The object outlives the parsing.
  void AddTo(CLI::App* command, Forms forms = Forms::kText);
  /// --archive, of a data directory.
  void AddArchiveTo(CLI::App* command);
  /// The same as AddTo for commands that only a node can carry out: without --data-dir.
  void AddNodeTo(CLI::App* command);
  bool is_remote() const { return data_dir.empty(); }
  /// Of data_dir, with the archive where one is given. These options outlive it.
  Result<std::unique_ptr<Reader>> OpenReader() const;
  /// Of `archive`, at `endpoint`.
  Result<std::unique_ptr<BlobStore>> OpenBlobs() const;

 private:
  Status OpenGivenArchive() const;

  // Of OpenReader.
  mutable std::shared_ptr<BlobStore> blobs_;
  mutable std::shared_ptr<Archive> opened_;
};

struct RangeOptions {
  std::string start;
  std::string end;

  void AddTo(CLI::App* command);
  /// Leaves what is not given as it is. kInvalidArgument names the option.
  Status Parse(Timestamp* from, Timestamp* to) const;
};

/// --limit and, with kPages, --page-token.
struct LimitOptions {
  enum class Pages : bool { kNo = false, kYes = true };
  uint64_t limit = UINT64_MAX;
  std::string page_token;

  void AddTo(CLI::App* command, Pages pages);
  bool has_limit() const { return limit != UINT64_MAX; }
  /// Of a data directory, for the query that `query` (HashOfQuery) stands for; nullopt: the first
  /// page. kInvalidArgument: a token of another query.
  Result<std::optional<PageToken>> Token(uint64_t query) const;
};

/// An option that takes one value each time it is given.
CLI::Option* AddListOption(CLI::App* command, const std::string& name,
                           std::vector<std::string>* values, const std::string& what);

/// Of everything that --limit and --page-token do not change.
uint64_t HashOfQuery(const std::vector<std::string>& parts);

/// Words between commas of all values; "\," is a comma.
std::vector<std::string> SplitList(const std::vector<std::string>& values);

/// Of --ts and --numbers, whose values the parser has checked; "" is the default.
RowStyle StyleOf(const std::string& ts, const std::string& numbers);

/// A name that is not there was mistyped: usage.
Status AsUsage(const Status& status);

/// Runs `command`, which counts what it found, and turns what it says into an exit code.
int RunReading(const ReadOptions& options, const std::function<Status(uint64_t* rows)>& command);

}  // namespace tapedeck::cli

#endif  // TAPEDECK_TOOLS_TAPEDECK_READ_OPTIONS_H_
