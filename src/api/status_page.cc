// The status page: what an operator looks at first, in a browser, without scripts.

#include <algorithm>

#include "api/call.h"
#include "api/row_answer.h"
#include "api/status_text.h"
#include "base/units.h"
#include "query/latest.h"
#include "query/listing.h"

namespace tapedeck {
namespace {

constexpr size_t kTopicsShown = 200;
constexpr uint64_t kSymbolsShown = 50;
constexpr uint64_t kLatestShown = 20;

constexpr std::string_view kHead =
    "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
    "<meta name=\"viewport\" content=\"width=device-width\">"
    "<meta http-equiv=\"refresh\" content=\"5\"><title>tapedeck</title><style>"
    "body{font:14px/1.45 system-ui,sans-serif;margin:2rem auto;max-width:70rem;padding:0 1rem;"
    "color:#1c2126;background:#fff}h1{font-size:1.4rem}h2{font-size:1.05rem;margin-top:2rem}"
    "table{border-collapse:collapse;width:100%}th,td{text-align:left;padding:.2rem .7rem .2rem 0;"
    "border-bottom:1px solid #e3e7ea;white-space:nowrap}td.n,th.n{text-align:right}"
    ".bad{color:#a11}.dim{color:#667}div.wide{overflow-x:auto}"
    "</style></head><body>\n";

std::string Escaped(std::string_view text) {
  std::string out;
  for (char c : text) {
    switch (c) {
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '&':
        out += "&amp;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\'':
        out += "&#39;";
        break;
      default:
        out += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
    }
  }
  return out;
}

std::string Cell(std::string_view text) { return "<td>" + Escaped(text) + "</td>"; }
std::string NumberCell(int64_t number) {
  return "<td class=\"n\">" + std::to_string(number) + "</td>";
}
std::string Row(const std::string& cells) { return "<tr>" + cells + "</tr>\n"; }

// `numbers`: columns from this one on are aligned to the right.
std::string TableHead(std::initializer_list<std::string_view> names, size_t numbers) {
  std::string out = "<div class=\"wide\"><table><tr>";
  size_t at = 0;
  for (std::string_view name : names) {
    out += (at++ < numbers ? "<th>" : "<th class=\"n\">") + Escaped(name) + "</th>";
  }
  return out + "</tr>\n";
}
constexpr std::string_view kTableEnd = "</table></div>\n";

std::string Summary(const ApiContext& context, const ServedState& state) {
  std::string out = "<h1>tapedeck " + Escaped(state.store.node_id) + "</h1>\n<p>";
  out += Escaped(ServedPhaseName(state.phase)) + ", version " + Escaped(context.version) +
         ", started " + Escaped(FormatRfc3339(context.started)) + "<br>";
  const RecorderState& r = state.recorder;
  out += std::to_string(r.messages) + " messages, " + std::to_string(r.records) + " records, " +
         std::to_string(r.refused) + " refused, " + std::to_string(r.commits) +
         " commits since the start</p>\n";
  for (const HealthCheck& check : CheckHealth(context, state)) {
    if (check.reason.empty()) continue;
    out += "<p class=\"bad\">" + Escaped(check.name) + ": " + Escaped(check.reason) + "</p>\n";
  }
  return out;
}

std::string Partitions(const ServedState& state) {
  std::string out = "<h2>Topics</h2>\n" + TableHead({"partition", "health", "received", "stored",
                                                     "lag", "messages", "records", "refused"},
                                                    2);
  size_t shown = 0;
  for (const PartitionState& p : state.recorder.partitions) {
    if (shown++ == kTopicsShown) break;
    out += Row(Cell(p.tp.ToString()) + Cell(p.health.empty() ? "ok" : p.health) +
               NumberCell(p.received) + NumberCell(p.stored) +
               (p.log_end < 0 ? "<td class=\"n dim\">?</td>"
                              : NumberCell(std::max<int64_t>(0, p.log_end - p.stored))) +
               NumberCell(static_cast<int64_t>(p.messages)) +
               NumberCell(static_cast<int64_t>(p.records)) +
               NumberCell(static_cast<int64_t>(p.refused)));
  }
  return out + std::string(kTableEnd);
}

Result<std::string> Symbols(const ReadPoint& point, std::shared_ptr<const ReadStop> stop) {
  SymbolQuery query;
  query.limit = kSymbolsShown;
  query.stop = std::move(stop);
  TD_ASSIGN_OR_RETURN(const SymbolPage page, ListSymbolPage(point, query));
  std::string out =
      "<h2>Symbols</h2>\n" + TableHead({"symbol", "tables", "first", "last", "rows"}, 4);
  for (const SymbolEntry& entry : page.entries) {
    std::string tables;
    for (const std::string& table : entry.tables) tables += (tables.empty() ? "" : ", ") + table;
    out += Row(Cell(entry.symbol) + Cell(tables) + Cell(FormatRfc3339(entry.first_ts)) +
               Cell(FormatRfc3339(entry.last_ts)) + NumberCell(static_cast<int64_t>(entry.rows)));
  }
  out += kTableEnd;
  if (page.more) out += "<p class=\"dim\">and more: <code>/v1/symbols</code></p>\n";
  return out;
}

Result<std::string> Latest(const std::shared_ptr<const ReadPoint>& point, const Table& table,
                           size_t memory_bytes, std::shared_ptr<const ReadStop> stop) {
  TD_ASSIGN_OR_RETURN(const RowFields fields, RowFields::Choose(table, {}, Origins::kLeftOut));
  LatestQuery query;
  query.table = table.name;
  query.columns = fields.columns();
  query.limit = kLatestShown;
  query.memory_bytes = memory_bytes;
  query.stop = std::move(stop);
  TD_ASSIGN_OR_RETURN(std::unique_ptr<RowCursor> cursor, OpenLatest(point, std::move(query)));
  const RecordWriter writer(fields, *cursor, {});
  std::string rows;
  std::vector<std::string> cells;
  for (RowRun run;;) {
    TD_RETURN_IF_ERROR(cursor->Next(&run));
    if (run.count == 0) break;
    for (uint32_t n = 0; n < run.count; ++n) {
      writer.Cells(run, n, &cells);
      std::string row;
      for (const std::string& cell : cells) row += Cell(cell);
      rows += Row(row);
    }
  }
  if (rows.empty()) return std::string();
  std::string out = "<h2>Latest " + Escaped(table.name) + "</h2>\n<div class=\"wide\"><table><tr>";
  for (const std::string& name : writer.names()) out += "<th>" + Escaped(name) + "</th>";
  return out + "</tr>\n" + rows + std::string(kTableEnd);
}

Result<std::string> Recorded(const Call& call) {
  TD_ASSIGN_OR_RETURN(std::shared_ptr<const ReadPoint> point, call.context->node->Point());
  std::string out;
  for (const Table& table : point->state().tables.tables()) {
    TD_ASSIGN_OR_RETURN(const std::string latest,
                        Latest(point, table, call.context->slots->stream_bytes() / 2, call.stop));
    out += latest;
  }
  TD_ASSIGN_OR_RETURN(const std::string symbols, Symbols(*point, call.stop));
  return out + symbols;
}

}  // namespace

Answer AnswerPage(Call* call) {
  std::shared_ptr<ReadLease> lease = TakeLease(*call);
  if (lease == nullptr) return NoSlot();
  const ServedState state = call->context->node->State();
  std::string html(kHead);
  html += Summary(*call->context, state) + Partitions(state);
  Result<std::string> recorded = Recorded(*call);
  if (recorded.ok()) {
    html += *recorded;
  } else if (recorded.status().code() != StatusCode::kUnavailable) {
    return recorded.status();
  } else {
    html += "<p class=\"dim\">What is recorded can be read once the node is ready.</p>\n";
  }
  html +=
      "<p class=\"dim\"><a href=\"/v1/status\">status</a> <a href=\"/v1/tables\">tables</a> "
      "<a href=\"/v1/coverage\">coverage</a> <a href=\"/healthz\">health</a> "
      "<a href=\"/metrics\">metrics</a> <a href=\"/openapi.json\">contract</a></p>\n"
      "</body></html>\n";
  HttpResponse response = HttpResponse::Text(200, "text/html; charset=utf-8", std::move(html));
  response.Set("Content-Security-Policy",
               "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; "
               "base-uri 'none'; form-action 'none'");
  response.Set("X-Frame-Options", "DENY");
  response.Set("Referrer-Policy", "no-referrer");
  return response;
}

}  // namespace tapedeck
