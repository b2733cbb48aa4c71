#ifndef TAPEDECK_TOOLS_TAPEDECK_REMOTE_ROWS_H_
#define TAPEDECK_TOOLS_TAPEDECK_REMOTE_ROWS_H_

// Answers of a running node on stdout: rows (records, messages) as they stream, lists page by page.
//
//   TD_RETURN_IF_ERROR(PrintRemoteRows(node, {"/v1/trades", parameters}, format, limit, rows));
//   TD_RETURN_IF_ERROR(VisitRemoteList(node, {{"/v1/tables", {}}}, UINT64_MAX, visit));
//
// NDJSON, CSV, Arrow and Parquet are the node's own bytes. Without a limit the node streams; with
// one it gives pages of at most kPageRowsAtMost rows, which are joined here: the answer looks as if
// it had come at once. A table is made of CSV, a JSON document without limit of NDJSON.
//
// Owned by one thread.

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>

#include "base/status.h"
#include "mapping/json_tree.h"
#include "tapedeck/answer_output.h"
#include "tapedeck/remote_node.h"

namespace tapedeck::cli {

/// `request` lacks format, limit and page_token. `rows` is what was printed. kInvalidArgument: a
/// format that has no pages with a limit above kPageRowsAtMost.
Status PrintRemoteRows(RemoteNode* node, const RemoteRequest& request, AnswerFormat format,
                       const LimitOptions& limit, uint64_t* rows);

/// A route that answers a list.
struct RemoteList {
  enum class Paged : bool { kNo = false, kYes = true };
  RemoteRequest request;
  std::string_view member = "data";
  Paged paged = Paged::kNo;  // whether the route takes limit and page_token
};
/// Takes one entry: an object of the tree.
using ListEntry = std::function<Status(const json::Tree& tree, uint32_t entry)>;

/// Visits the entries of all pages, at most `limit`.
Status VisitRemoteList(RemoteNode* node, const RemoteList& list, uint64_t limit,
                       const ListEntry& visit);

/// Where there are more rows than --limit shows, and a person is looking, how to see them.
void TellNextPage(const std::string& page_token);

}  // namespace tapedeck::cli

#endif  // TAPEDECK_TOOLS_TAPEDECK_REMOTE_ROWS_H_
