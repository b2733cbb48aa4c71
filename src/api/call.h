#ifndef TAPEDECK_API_CALL_H_
#define TAPEDECK_API_CALL_H_

// Call: one request on its way to an answer, and what the routes work with. Inside this module
// only.
//
// A Call is owned by the thread that handles the request; ApiContext is shared by all of them and
// outlives every answer.

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "api/http_metrics.h"
#include "api/media_type.h"
#include "api/open_streams.h"
#include "api/parameters.h"
#include "api/problem.h"
#include "api/read_slots.h"
#include "api/routes.h"
#include "api/served_node.h"
#include "api/table_decimals.h"
#include "api/tokens.h"
#include "base/clock.h"
#include "base/metrics.h"
#include "base/read_stop.h"
#include "http/message.h"
#include "http/server.h"

namespace tapedeck {

class NodeMetrics;

struct ApiContext {
  ServedNode* node = nullptr;
  Clock* clock = nullptr;
  ReadSlots* slots = nullptr;
  OpenStreams* streams = nullptr;
  HttpMetrics* http = nullptr;
  NodeMetrics* metrics = nullptr;
  TokenFile* tokens = nullptr;  // null: not in force
  std::string version;
  size_t uri_bytes = 0;  // that the server takes
  Timestamp started;
  TableDecimals decimals;
  std::atomic<const HttpServer*> server{nullptr};  // null: not known (yet)
};

struct Call {
  const HttpRequest* request;
  const ApiContext* context;
  const Route* route;
  std::string name;  // of the path: what stands in braces in its pattern
  Parameters parameters;
  std::string request_id;
  Timestamp now;
  std::optional<StreamCoding> coding;  // that the client takes
  std::shared_ptr<ReadStop> stop;      // of everything that is read for it

  /// Of path and parameters but limit, page_token and cursor.
  uint64_t QueryHash() const;
};

/// The token of `Authorization: Bearer …`; empty without one.
std::string_view BearerOf(const HttpRequest& request);

// The routes. Each reads its parameters, asks the node and gives an answer.
Answer AnswerRecords(Call* call);   // record_routes.cc
Answer AnswerLatest(Call* call);    // record_routes.cc
Answer AnswerCount(Call* call);     // record_routes.cc
Answer AnswerMessages(Call* call);  // message_route.cc
Answer AnswerStream(Call* call);    // stream_route.cc
Answer AnswerTables(Call* call);    // list_routes.cc
Answer AnswerSymbols(Call* call);
Answer AnswerTopics(Call* call);
Answer AnswerCoverage(Call* call);
Answer AnswerRefused(Call* call);
Answer AnswerStatus(Call* call);  // node_routes.cc
Answer AnswerLivez(Call* call);
Answer AnswerReadyz(Call* call);
Answer AnswerHealthz(Call* call);
Answer AnswerMetrics(Call* call);
Answer AnswerOpenApi(Call* call);
Answer AnswerPage(Call* call);           // status_page.cc
Answer AnswerDays(Call* call);           // archive_routes.cc
Answer AnswerObjects(Call* call);        // archive_routes.cc
Answer AnswerCloseDay(Call* call);       // doing_routes.cc
Answer AnswerFlush(Call* call);          // doing_routes.cc
Answer AnswerReindexes(Call* call);      // GET /v1/reindex: reindex_routes.cc
Answer AnswerCreateReindex(Call* call);  // POST /v1/reindex
Answer AnswerReindex(Call* call);        // GET /v1/reindex/{id}
Answer AnswerDeleteReindex(Call* call);  // DELETE /v1/reindex/{id}

/// A document in JSON; 406 where the client takes none.
Answer JsonAnswer(const Call& call, std::string json);

}  // namespace tapedeck

#endif  // TAPEDECK_API_CALL_H_
