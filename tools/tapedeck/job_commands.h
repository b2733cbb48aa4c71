#ifndef TAPEDECK_TOOLS_TAPEDECK_JOB_COMMANDS_H_
#define TAPEDECK_TOOLS_TAPEDECK_JOB_COMMANDS_H_

// What the commands about jobs of a node do in the same way, whatever the job does: ask for it,
// follow it to its end, print it, list all, delete it.
//
//   const JobKind kReindexes = {.path = "/v1/reindex", .name = "reindex", ...};
//   return RunJob(args.node, kReindexes, {.method = "POST", .path = kReindexes.path, .body = body,
//                                         .wait = args.wait});
//
// Errors: printed as every command prints them; the exit code is kExitFailure also where the job
// that was asked for or followed has failed. One thread's.

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "base/status.h"
#include "tapedeck/job_document.h"
#include "tapedeck/read_options.h"

namespace tapedeck::cli {

/// A kind of job, as the command line shows it.
struct JobKind {
  std::string path;                  // where the node lists them, "/v1/replays"
  std::string name;                  // in "the replay has failed: …"
  std::vector<std::string> columns;  // of the table
  /// A cell for each column.
  std::vector<std::string> (*cells)(const JobDocument& job) = nullptr;
  /// The line that a person sees while a job is followed, from its cells.
  std::string (*progress)(const std::vector<std::string>& cells) = nullptr;

  std::string PathOf(const std::string& id) const;
};

/// A request whose answer is a job.
struct JobCall {
  std::string method;
  std::string path;
  std::string body;
  std::vector<std::pair<std::string, std::string>> headers;
  bool wait = false;  // follow the job to its end
};

/// Prints the job that the answer, or the end, is. The exit code of the command.
int RunJob(const ReadOptions& node, const JobKind& kind, const JobCall& call);

/// Prints all jobs of the node.
int RunJobList(const ReadOptions& node, const JobKind& kind);

/// Cancels a job and forgets it.
int RunJobDelete(const ReadOptions& node, const JobKind& kind, const std::string& id);

}  // namespace tapedeck::cli

#endif  // TAPEDECK_TOOLS_TAPEDECK_JOB_COMMANDS_H_
