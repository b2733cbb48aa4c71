#include "node/open_files.h"

#include <algorithm>

#include "http/server.h"

namespace tapedeck {
namespace {

namespace fs = std::filesystem;

// Kafka's sockets, write-ahead logs, the tokens, and what lives for a moment.
constexpr uint64_t kOwnFiles = 256;
// Fewer are of no use to anybody.
constexpr size_t kConnectionsMin = 16;
// As RocksDB cuts them: rocks.cc.
constexpr uint64_t kStoredFileBytes = uint64_t{64} << 20;
constexpr uint64_t kStoreRoomMin = 64;

// A compaction writes new files before the old ones go, and views keep deleted ones open.
uint64_t WithRoom(uint64_t stored) { return stored + std::max(kStoreRoomMin, stored / 4); }

constexpr std::string_view kAdvice = "raise the limit (ulimit -n, LimitNOFILE)";

}  // namespace

StoredFiles StoredFilesOf(const fs::path& dir) {
  StoredFiles stored;
  std::error_code error;
  for (fs::directory_iterator at(dir, error); !error && at != fs::directory_iterator();
       at.increment(error)) {
    ++stored.now;
  }
  fs::path there = fs::absolute(dir, error);
  while (!fs::exists(there, error) && there.has_relative_path()) there = there.parent_path();
  const fs::space_info space = fs::space(there, error);
  if (!error) stored.at_most = space.capacity / kStoredFileBytes;
  stored.at_most = std::max(stored.at_most, stored.now);
  return stored;
}

Result<OpenFilesPlan> PlanOpenFiles(uint64_t limit, const StoredFiles& stored, bool listens) {
  const HttpServerOptions defaults;
  const uint64_t recording = kOwnFiles + WithRoom(stored.now);
  const uint64_t probes = listens ? kMetricsConnections : 0;
  const uint64_t least = recording + probes + (listens ? kConnectionsMin : 0);
  if (limit < least) {
    return Status::FailedPrecondition("this process may have " + std::to_string(limit) +
                                      " files open, and a node with " + std::to_string(stored.now) +
                                      " files in its store needs " + std::to_string(least) + ": " +
                                      std::string(kAdvice));
  }
  OpenFilesPlan plan;
  plan.connections = defaults.connections;
  if (listens && limit - recording - probes < plan.connections) {
    plan.connections = static_cast<size_t>(limit - recording - probes);
    plan.warning = "this process may have " + std::to_string(limit) + " files open; " +
                   std::to_string(recording) + " of them are for recording, so that only " +
                   std::to_string(plan.connections) + " connections are taken instead of " +
                   std::to_string(defaults.connections) + ": " + std::string(kAdvice);
    return plan;
  }
  const uint64_t in_the_end =
      kOwnFiles + WithRoom(stored.at_most) + probes + (listens ? plan.connections : 0);
  if (limit < in_the_end) {
    plan.warning = "this process may have " + std::to_string(limit) +
                   " files open; with a store that fills its disk it needs about " +
                   std::to_string(in_the_end) + ": " + std::string(kAdvice);
  }
  return plan;
}

}  // namespace tapedeck
