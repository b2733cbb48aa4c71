// /v1/{table}, /v1/{table}/latest, /v1/{table}/count

#include <algorithm>
#include <array>

#include "api/row_answer.h"
#include "base/encoding.h"
#include "base/hash.h"
#include "base/limits.h"
#include "base/text.h"
#include "query/latest.h"
#include "query/range_facts.h"
#include "query/series_cursor.h"

namespace tapedeck {
namespace {

constexpr AnswerForm kForms[] = {AnswerForm::kJson, AnswerForm::kNdjson, AnswerForm::kCsv,
                                 AnswerForm::kArrow, AnswerForm::kParquet};
constexpr size_t kUnknownShown = 20;

using Filters = std::vector<std::pair<std::string, std::string>>;

/// What a request says of records, as far as it can be read without the store.
struct RecordAsk {
  std::vector<std::string> symbols;  // empty: all
  std::vector<std::string> topics;
  std::vector<std::string> fields;
  Filters where;
  std::optional<Timestamp> start;
  std::optional<Timestamp> end;
  bool origin = false;
};

void ReadSymbols(Parameters* parameters, RecordAsk* ask) {
  ask->symbols = parameters->List("symbols");
  if (ask->symbols == std::vector<std::string>{"*"}) {
    ask->symbols.clear();
  } else if (!parameters->Has("symbols")) {
    parameters->Bad("symbols", "say which: a comma list, or * for all");
  }
}

void ReadWhere(Parameters* parameters, RecordAsk* ask) {
  for (const std::string& word : parameters->List("where")) {
    const size_t colon = word.find(':');
    if (colon == std::string::npos || colon == 0 || colon + 1 == word.size()) {
      parameters->Bad("where", Quoted(word) + ": write column:value, such as interval:1m");
      return;
    }
    ask->where.emplace_back(word.substr(0, colon), word.substr(colon + 1));
  }
}

void ReadRange(const Call& call, Parameters* parameters, const std::optional<PageToken>& token,
               RecordAsk* ask) {
  ask->start = parameters->Time("start", call.now);
  ask->end = parameters->Time("end", call.now, ask->start);
  if (token.has_value()) {
    ask->start = token->start;  // as they were for the first page, whatever "now" is by now
    ask->end = token->end;
  } else if (ask->start && ask->end && *ask->end < *ask->start) {
    parameters->Bad("end", "it is before start");
  }
}

void CheckColumn(const Table& table, std::string_view parameter, const std::string& name,
                 Parameters* parameters) {
  if (table.FindColumn(name) >= 0) return;
  std::string known;
  for (const Column& column : table.columns) known += (known.empty() ? "" : ", ") + column.name;
  parameters->Bad(parameter,
                  "table " + table.name + " has no column " + Quoted(name) + "; it has: " + known);
}

void CheckTopics(const ReadPoint& point, const std::vector<std::string>& topics,
                 Parameters* parameters) {
  for (const std::string& topic : topics) {
    const bool known = std::any_of(point.state().tapes.begin(), point.state().tapes.end(),
                                   [&](const auto& tape) { return tape.second.topic == topic; });
    if (!known) parameters->Bad("topics", "no topic " + Quoted(topic) + " was recorded here");
  }
}

/// The table, and names in the query that it must know.
struct Checked {
  const Table* table = nullptr;
  RowFields fields;
};

std::optional<Problem> Check(Call* call, const ReadPoint& point, const RecordAsk& ask,
                             Checked* checked) {
  Result<const Table*> table = point.FindTable(call->name);
  if (!table.ok()) {
    const std::string detail(table.status().message());
    return Problem{ProblemType::kNotFound, detail, {{"table", detail}}, 0, {}, {}};
  }
  checked->table = *table;
  Parameters& parameters = call->parameters;
  for (const auto& [column, value] : ask.where) CheckColumn(**table, "where", column, &parameters);
  CheckTopics(point, ask.topics, &parameters);
  Result<RowFields> fields =
      RowFields::Choose(**table, ask.fields, ask.origin ? Origins::kShown : Origins::kLeftOut);
  if (fields.ok()) {
    checked->fields = std::move(fields).value();
  } else {
    parameters.Bad("fields", std::string(fields.status().message()));
  }
  if (parameters.ok()) return std::nullopt;
  return parameters.problem();
}

RecordQuery QueryOf(const Call& call, const RecordAsk& ask) {
  RecordQuery query;
  query.table = call.name;
  query.symbols = ask.symbols;
  query.start = ask.start.value_or(Timestamp::Min());
  query.end = ask.end.value_or(Timestamp::Max());
  query.where = ask.where;
  query.topics = ask.topics;
  query.stop = call.stop;
  query.memory_bytes = call.context->slots->stream_bytes() / 2;  // the rest: encoder, pieces
  return query;
}

/// One more than a page has: whether there is a next one.
uint64_t LimitOf(const RowAsk& ask) { return ask.page_rows ? *ask.page_rows + 1 : UINT64_MAX; }

std::optional<RecordPosition> PositionOf(Call* call, const RowAsk& ask) {
  if (!ask.token.has_value()) return std::nullopt;
  Result<RecordPosition> position = RecordPosition::Decode(ask.token->position);
  if (position.ok()) return std::move(position).value();
  call->parameters.Bad("page_token", "it holds no place in an answer");
  return std::nullopt;
}

Problem NoSuchState(const std::string& name) {
  const std::string detail =
      name == "as_of"
          ? "no state of that name can be read any more, or it never was; ask without as_of"
          : "the state of the first page cannot be read any more; begin again without page_token";
  return {ProblemType::kNotFound, detail, {{name, detail}}, 0, {}, {}};
}

/// Takes the point back to the state that a page token or `as_of` names.
Answer PinPoint(const Call& call, const RecordQuery& query, const Table& table,
                const std::optional<PageToken>& token, std::shared_ptr<const ReadPoint>* point) {
  std::optional<StatePin> pin;
  std::string parameter = "page_token";
  if (const std::string* as_of = call.parameters.Find("as_of"); as_of != nullptr) {
    TD_ASSIGN_OR_RETURN(const std::optional<std::string> now, StateName(**point, query));
    if (now == *as_of) return HttpResponse();
    pin = PinOf(*as_of);
    parameter = "as_of";
    if (!pin.has_value()) return NoSuchState(parameter);
  } else if (token.has_value()) {
    pin = StatePin{.flush = token->flush, .exact = false};
  }
  if (!pin.has_value()) return HttpResponse();
  Result<std::shared_ptr<const ReadPoint>> then = ReadPoint::At(
      std::move(*point), *pin, table, table.DayOf(query.start), table.DayOf(query.end));
  if (then.status().code() == StatusCode::kNotFound) return NoSuchState(parameter);
  if (!then.ok()) return then.status();
  *point = std::move(then).value();
  return HttpResponse();
}

bool Matches(std::string_view if_none_match, std::string_view etag) {
  for (std::string_view rest = if_none_match; !rest.empty();) {
    const size_t comma = rest.find(',');
    std::string_view one = rest.substr(0, comma);
    rest = comma == std::string_view::npos ? std::string_view() : rest.substr(comma + 1);
    const size_t first = one.find_first_not_of(" \t");
    if (first == std::string_view::npos) continue;
    one = one.substr(first, one.find_last_not_of(" \t") - first + 1);
    if (one.starts_with("W/")) one.remove_prefix(2);
    if (one == etag || one == "*") return true;
  }
  return false;
}

std::string EtagOf(const Call& call, const RowForm& form, const RecordQuery& query,
                   const RowAsk& ask, const std::string& state) {
  std::string text = std::to_string(call.QueryHash()) + "/" + std::string(FormName(form.form)) +
                     "/" + std::to_string(query.start.ns()) + "/" + std::to_string(query.end.ns()) +
                     "/" + std::to_string(ask.page_rows.value_or(0)) + "/" +
                     (ask.token ? ToHex(ask.token->position) : "") + "/" +
                     (call.coding ? std::string(CodingName(*call.coding)) : "") + "/" + state;
  if (form.form == AnswerForm::kArrow || form.form == AnswerForm::kParquet)
    text += "/" + DecimalsText(call.context->decimals, call.name);
  return "\"" + HashBytes(text).ToString() + "\"";
}

Status NameUnknownSymbols(const ReadPoint& point, const RecordQuery& query,
                          HttpResponse* response) {
  TD_ASSIGN_OR_RETURN(const std::vector<std::string> unknown,
                      UnknownSymbols(point, query, kUnknownShown));
  std::string list;
  for (const std::string& symbol : unknown) {
    list += (list.empty() ? "" : ",") + PercentEncode(symbol, ":/");
  }
  if (!list.empty()) response->Set("Tapedeck-Unknown-Symbols", list);
  return Status::Ok();
}

/// Coverage, unknown symbols, the state that is read. 304: the client has it already.
Answer Describe(const Call& call, const ReadPoint& point, const RecordQuery& query,
                const RowAsk& ask) {
  HttpResponse response;
  TD_ASSIGN_OR_RETURN(const Coverage coverage, CoverageOf(point, query));
  response.Set("Tapedeck-Coverage", CoverageName(coverage));
  TD_RETURN_IF_ERROR(NameUnknownSymbols(point, query, &response));
  TD_ASSIGN_OR_RETURN(const std::optional<std::string> state, StateName(point, query));
  const std::string* as_of = call.parameters.Find("as_of");
  if (as_of != nullptr && (!state || *as_of != *state)) return NoSuchState("as_of");
  if (!state.has_value()) return response;
  response.Set("Tapedeck-As-Of", *state);
  if (coverage != Coverage::kWhole) return response;
  const std::string etag = EtagOf(call, ask.form, query, ask, *state);
  response.Set("ETag", etag);
  response.Set("Cache-Control", "no-cache");
  if (Matches(call.request->Header("If-None-Match"), etag)) {
    response.status = 304;
    response.Set("Vary", "Accept, Accept-Encoding");
  }
  return response;
}

Answer AnswerCursor(Call* call, const RowAsk& ask, Result<std::unique_ptr<RowCursor>> cursor,
                    RowFields fields, RowAnswer answer) {
  if (!cursor.ok()) return cursor.status();
  TD_ASSIGN_OR_RETURN(answer.producer,
                      MakeRecordProducer(std::move(cursor).value(), std::move(fields), ask.form));
  answer.token.query = call->QueryHash();
  return AnswerRows(call, ask, std::move(answer));
}

}  // namespace

Answer AnswerRecords(Call* call) {
  Parameters& parameters = call->parameters;
  RowAsk rows;
  if (auto problem = ReadRowAsk(call, kForms, &rows)) return *problem;
  RecordAsk ask;
  ReadSymbols(&parameters, &ask);
  ReadWhere(&parameters, &ask);
  ReadRange(*call, &parameters, rows.token, &ask);
  ask.topics = parameters.List("topics");
  ask.fields = parameters.List("fields");
  ask.origin = parameters.Flag("origin");
  static constexpr std::string_view kOrders[] = {"asc", "desc"};
  rows.form.order = static_cast<ReadOrder>(parameters.Choose("order", kOrders).value_or(0));
  const std::optional<RecordPosition> after = PositionOf(call, rows);
  if (!parameters.ok()) return parameters.problem();

  RowAnswer answer;
  if (auto problem = TakeRowLease(*call, rows, &answer.lease)) return *problem;
  TD_ASSIGN_OR_RETURN(std::shared_ptr<const ReadPoint> point, call->context->node->Point());
  Checked checked;
  if (auto problem = Check(call, *point, ask, &checked)) return *problem;
  RecordQuery query = QueryOf(*call, ask);
  query.order = rows.form.order;
  query.columns = checked.fields.columns();
  query.pauses = !rows.page_rows;
  query.limit = LimitOf(rows);
  query.after = after;
  Answer pinned = PinPoint(*call, query, *checked.table, rows.token, &point);
  if (pinned.response() == nullptr) return pinned;
  Answer described = Describe(*call, *point, query, rows);
  if (described.response() == nullptr || described.response()->status == 304) return described;
  answer.response = std::move(*described.response());
  answer.token.start = query.start;
  answer.token.end = query.end;
  answer.token.flush = rows.token ? rows.token->flush : point->state().flush;
  Result<std::unique_ptr<RecordCursor>> cursor =
      RecordCursor::Open(std::move(point), std::move(query));
  if (!cursor.ok()) return cursor.status();
  return AnswerCursor(call, rows, std::unique_ptr<RowCursor>(std::move(cursor).value()),
                      std::move(checked.fields), std::move(answer));
}

Answer AnswerLatest(Call* call) {
  Parameters& parameters = call->parameters;
  RowAsk rows;
  if (auto problem = ReadRowAsk(call, kForms, &rows)) return *problem;
  RecordAsk ask;
  ReadSymbols(&parameters, &ask);
  ReadWhere(&parameters, &ask);
  ask.topics = parameters.List("topics");
  ask.fields = parameters.List("fields");
  ask.origin = parameters.Flag("origin");
  const std::string by = parameters.Text("by", limits::kSymbolBytesMax);
  const std::optional<RecordPosition> after = PositionOf(call, rows);
  if (!parameters.ok()) return parameters.problem();

  RowAnswer answer;
  if (auto problem = TakeRowLease(*call, rows, &answer.lease)) return *problem;
  TD_ASSIGN_OR_RETURN(std::shared_ptr<const ReadPoint> point, call->context->node->Point());
  Checked checked;
  if (const Table* table = point->state().tables.Find(call->name); table != nullptr && !by.empty())
    CheckColumn(*table, "by", by, &parameters);
  if (auto problem = Check(call, *point, ask, &checked)) return *problem;
  const RecordQuery all = QueryOf(*call, ask);
  TD_RETURN_IF_ERROR(NameUnknownSymbols(*point, all, &answer.response));
  LatestQuery query;
  query.table = all.table;
  query.symbols = all.symbols;
  query.by = by;
  query.columns = checked.fields.columns();
  query.where = all.where;
  query.topics = all.topics;
  query.limit = LimitOf(rows);
  query.after = after;
  query.memory_bytes = all.memory_bytes;
  query.stop = all.stop;
  query.pauses = !rows.page_rows;
  Answer latest = AnswerCursor(call, rows, OpenLatest(std::move(point), std::move(query)),
                               std::move(checked.fields), std::move(answer));
  const Status* failed = latest.status();
  if (failed == nullptr || failed->code() != StatusCode::kResourceExhausted || by.empty()) {
    return latest;
  }
  const std::string detail(failed->message());  // coming again would not help
  return Problem{ProblemType::kRangeTooLarge, detail, {{"by", detail}}, 0, {}, {}};
}

Answer AnswerCount(Call* call) {
  Parameters& parameters = call->parameters;
  RecordAsk ask;
  ReadSymbols(&parameters, &ask);
  ReadWhere(&parameters, &ask);
  ReadRange(*call, &parameters, std::nullopt, &ask);
  ask.topics = parameters.List("topics");
  if (!parameters.ok()) return parameters.problem();

  std::shared_ptr<ReadLease> lease = TakeLease(*call);
  if (lease == nullptr) return NoSlot();
  TD_ASSIGN_OR_RETURN(std::shared_ptr<const ReadPoint> point, call->context->node->Point());
  Checked checked;
  if (auto problem = Check(call, *point, ask, &checked)) return *problem;
  const RecordQuery query = QueryOf(*call, ask);
  Answer pinned = PinPoint(*call, query, *checked.table, std::nullopt, &point);
  if (pinned.response() == nullptr) return pinned;
  Answer described = Describe(*call, *point, query, {});
  if (described.response() == nullptr || described.response()->status == 304) return described;
  TD_ASSIGN_OR_RETURN(const uint64_t rows, CountRecords(std::move(point), query));
  std::string json = "{\"table\":";
  AppendJsonString(call->name, &json);
  Answer answer = JsonAnswer(*call, json + ",\"count\":" + std::to_string(rows) + "}\n");
  if (HttpResponse* response = answer.response(); response != nullptr) {
    for (const HttpField& field : described.response()->headers) {
      response->Set(field.name, field.value);
    }
  }
  return answer;
}

}  // namespace tapedeck
