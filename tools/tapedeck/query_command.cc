// tapedeck query

#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/encoding.h"
#include "base/text.h"
#include "query/columnar_encoder.h"
#include "query/json_rows.h"
#include "query/latest.h"
#include "query/range_facts.h"
#include "query/text_encoder.h"
#include "tapedeck/answer_output.h"
#include "tapedeck/json_cells.h"
#include "tapedeck/read_commands.h"
#include "tapedeck/read_options.h"
#include "tapedeck/remote_rows.h"

namespace tapedeck::cli {
namespace {

// Bytes of an answer are written in pieces of so many.
constexpr size_t kPieceBytes = size_t{256} << 10;

struct QueryOptions : ReadOptions {
  std::string table;
  std::vector<std::string> symbols;
  RangeOptions range;
  LimitOptions limit;
  std::vector<std::string> fields;
  std::vector<std::string> where;
  std::vector<std::string> topics;
  std::string order;
  std::string time_style;
  std::string numbers;
  bool origin = false;
  bool latest = false;
  bool count = false;
  std::string by;
};

std::vector<std::string> SymbolsOf(const QueryOptions& args) {
  std::vector<std::string> symbols = SplitList(args.symbols);
  if (symbols == std::vector<std::string>{"*"}) symbols.clear();
  return symbols;
}

Result<RecordQuery> ParseQuery(const QueryOptions& args) {
  RecordQuery query;
  query.table = args.table;
  query.symbols = SymbolsOf(args);
  TD_RETURN_IF_ERROR(args.range.Parse(&query.start, &query.end));
  query.limit = args.limit.limit;
  query.topics = SplitList(args.topics);
  query.order = args.order == "desc" ? ReadOrder::kDescending : ReadOrder::kAscending;
  for (const std::string& word : SplitList(args.where)) {
    const size_t colon = word.find(':');
    if (colon == std::string::npos || colon == 0) {
      return Status::InvalidArgument("--where " + word +
                                     ": write column:value, such as interval:1m");
    }
    query.where.emplace_back(word.substr(0, colon), word.substr(colon + 1));
  }
  return query;
}

// --- from a data directory ---

Status WriteTable(RowCursor* cursor, const RowFields& fields, RowStyle style, uint64_t* rows) {
  const RecordWriter writer(fields, *cursor, style);
  AnswerOutput out(AnswerFormat::kTable, writer.names());
  for (RowRun run;;) {
    TD_RETURN_IF_ERROR(cursor->Next(&run));
    if (run.count == 0) break;
    for (uint32_t n = 0; n < run.count; ++n) {
      std::vector<std::string> cells;
      writer.Cells(run, n, &cells);
      TD_RETURN_IF_ERROR(out.Cells(std::move(cells)));
    }
  }
  *rows = out.rows();
  return out.Finish();
}

Result<std::unique_ptr<RowEncoder>> MakeEncoder(AnswerFormat format, const RowFields& fields,
                                                const RowCursor& cursor, RowStyle style,
                                                ReadOrder order) {
  switch (format) {
    case AnswerFormat::kArrow:
      return MakeColumnarEncoder(ColumnarFormat::kArrow, fields, cursor,
                                 {.rows = style, .order = order});
    case AnswerFormat::kParquet:
      return MakeColumnarEncoder(ColumnarFormat::kParquet, fields, cursor,
                                 {.rows = style, .order = order});
    case AnswerFormat::kJson:
      return MakeTextEncoder(TextFormat::kJson, fields, cursor, style);
    case AnswerFormat::kCsv:
      return MakeTextEncoder(TextFormat::kCsv, fields, cursor, style);
    case AnswerFormat::kNdjson:
    case AnswerFormat::kTable:
      break;
  }
  return MakeTextEncoder(TextFormat::kNdjson, fields, cursor, style);
}

/// The rows of one page; the cursor gives one more where there is a next page.
class PageWriter {
 public:
  PageWriter(RowCursor* cursor, RowEncoder* encoder, uint64_t limit)
      : cursor_(cursor), encoder_(encoder), left_(limit) {}

  /// `token`: of the next page, but for its position.
  Status Write(PageToken token, uint64_t* rows) {
    TD_RETURN_IF_ERROR(encoder_->Begin(&out_));
    std::string next;
    for (RowRun run;;) {
      TD_RETURN_IF_ERROR(cursor_->Next(&run));
      if (run.count == 0) break;
      if (left_ == 0) {
        token.position = position_;
        next = EncodePageToken(token);
        break;
      }
      const auto count = static_cast<uint32_t>(std::min<uint64_t>(run.count, left_));
      const bool full = left_ <= run.count;
      if (full) position_ = cursor_->PositionOf(run, count - 1).Encode();
      const bool more = run.count > count;
      run.count = count;
      TD_RETURN_IF_ERROR(encoder_->Append(run, &out_));
      *rows += count;
      left_ -= count;
      if (out_.size() >= kPieceBytes) {
        TD_RETURN_IF_ERROR(WriteOut(out_));
        out_.clear();
      }
      if (!more) continue;
      token.position = position_;
      next = EncodePageToken(token);
      break;
    }
    TD_RETURN_IF_ERROR(encoder_->Finish(next, &out_));
    return WriteOut(out_);
  }

 private:
  RowCursor* const cursor_;
  RowEncoder* const encoder_;
  uint64_t left_;
  std::string position_;  // behind the last row, once the page is full
  std::string out_;
};

Result<std::unique_ptr<RowCursor>> OpenCursor(const QueryOptions& args, Reader* reader,
                                              RecordQuery query) {
  if (args.latest) {
    TD_ASSIGN_OR_RETURN(std::shared_ptr<const ReadPoint> point, reader->Point());
    LatestQuery latest;
    latest.table = query.table;
    latest.symbols = std::move(query.symbols);
    latest.by = args.by;
    latest.columns = std::move(query.columns);
    latest.where = std::move(query.where);
    latest.topics = std::move(query.topics);
    latest.limit = query.limit;
    latest.after = std::move(query.after);
    return OpenLatest(std::move(point), std::move(latest));
  }
  TD_ASSIGN_OR_RETURN(std::unique_ptr<RecordCursor> cursor, reader->Query(std::move(query)));
  return std::unique_ptr<RowCursor>(std::move(cursor));
}

Status PrintCount(const std::string& table, const std::string& count, AnswerFormat format) {
  std::string json = "{\"table\":";
  AppendJsonString(table, &json);
  json += ",\"count\":" + count + "}";
  if (format == AnswerFormat::kJson) return WriteOut(json + "\n");
  AnswerOutput out(format, {"table", "count"});
  TD_RETURN_IF_ERROR(out.Row(json, {table, count}));
  return out.Finish();
}

uint64_t HashOf(const QueryOptions& args) {
  std::vector<std::string> parts = {args.table, args.range.start, args.range.end,
                                    args.order, args.by,          args.latest ? "latest" : ""};
  for (const auto* list : {&args.symbols, &args.fields, &args.where, &args.topics}) {
    parts.push_back(std::to_string(list->size()));
    parts.insert(parts.end(), list->begin(), list->end());
  }
  return HashOfQuery(parts);
}

/// One row more than asked for tells whether there is a next page.
Status Position(const QueryOptions& args, RecordQuery* query) {
  if (query->limit != UINT64_MAX) ++query->limit;
  TD_ASSIGN_OR_RETURN(const std::optional<PageToken> token, args.limit.Token(HashOf(args)));
  if (!token) return Status::Ok();
  query->start = token->start;
  query->end = token->end;
  TD_ASSIGN_OR_RETURN(query->after, RecordPosition::Decode(token->position));
  return Status::Ok();
}

Status QueryStore(const QueryOptions& args, AnswerFormat format, uint64_t* rows) {
  TD_ASSIGN_OR_RETURN(RecordQuery query, ParseQuery(args));
  TD_ASSIGN_OR_RETURN(std::unique_ptr<Reader> reader, args.OpenReader());
  Result<const Table*> table = reader->StoredPoint()->FindTable(args.table);
  if (!table.ok()) return AsUsage(table.status());
  if (args.count) {
    TD_ASSIGN_OR_RETURN(std::shared_ptr<const ReadPoint> point, reader->Point());
    TD_ASSIGN_OR_RETURN(*rows, CountRecords(std::move(point), query));
    return PrintCount(args.table, std::to_string(*rows), format);
  }
  TD_ASSIGN_OR_RETURN(RowFields fields,
                      RowFields::Choose(**table, SplitList(args.fields),
                                        args.origin ? Origins::kShown : Origins::kLeftOut));
  query.columns = fields.columns();
  if (format == AnswerFormat::kTable) {
    TD_RETURN_IF_ERROR(Position(args, &query));
    query.limit = args.limit.limit;
    TD_ASSIGN_OR_RETURN(std::unique_ptr<RowCursor> cursor,
                        OpenCursor(args, reader.get(), std::move(query)));
    return WriteTable(cursor.get(), fields, StyleOf(args.time_style, args.numbers), rows);
  }
  TD_RETURN_IF_ERROR(Position(args, &query));
  const PageToken token{HashOf(args), query.start, query.end, {}};
  const ReadOrder order = query.order;
  TD_ASSIGN_OR_RETURN(std::unique_ptr<RowCursor> cursor,
                      OpenCursor(args, reader.get(), std::move(query)));
  const RowStyle style = StyleOf(args.time_style, args.numbers);
  TD_ASSIGN_OR_RETURN(std::unique_ptr<RowEncoder> encoder,
                      MakeEncoder(format, fields, *cursor, style, order));
  return PageWriter(cursor.get(), encoder.get(), args.limit.limit).Write(token, rows);
}

// --- from a node ---

Status CountAtNode(RemoteNode* node, const RemoteRequest& request, const QueryOptions& args,
                   AnswerFormat format, uint64_t* rows) {
  TD_ASSIGN_OR_RETURN(RemoteAnswer answer, node->Get(request));
  json::Tree tree;
  const bool is_object = tree.Parse(answer.body) == json::Tree::Outcome::kOk && tree.size() > 0 &&
                         tree.node(0).type == json::Type::kObject;
  const uint32_t count = is_object ? tree.Find(0, "count") : json::kNone;
  if (count == json::kNone)
    return Status::Unavailable(node->base() + request.path + ": the answer holds no count");
  const std::string digits = CellOf(tree, count);
  *rows = digits == "0" ? 0 : 1;
  return PrintCount(args.table, digits, format);
}

Status QueryNode(const QueryOptions& args, AnswerFormat format, uint64_t* rows) {
  TD_RETURN_IF_ERROR(ParseQuery(args).status());  // mistakes are told as without a node
  TD_ASSIGN_OR_RETURN(std::unique_ptr<RemoteNode> node, RemoteNode::Open(args));
  const std::vector<std::string> symbols = SymbolsOf(args);
  RemoteRequest request{"/v1/" + PercentEncode(args.table),
                        {{"symbols", symbols.empty() ? "*" : ParameterList(symbols)},
                         {"start", args.range.start},
                         {"end", args.range.end},
                         {"where", ParameterList(SplitList(args.where))},
                         {"topics", ParameterList(SplitList(args.topics))}}};
  if (args.count) {
    request.path += "/count";
    return CountAtNode(node.get(), request, args, format, rows);
  }
  if (args.latest) request.path += "/latest";
  request.parameters.insert(request.parameters.end(),
                            {{"by", args.by},
                             {"fields", ParameterList(SplitList(args.fields))},
                             {"order", args.order},
                             {"ts", args.time_style},
                             {"numbers", args.numbers},
                             {"origin", args.origin ? "true" : ""}});
  return PrintRemoteRows(node.get(), request, format, args.limit, rows);
}

Status RunQuery(const QueryOptions& args, uint64_t* rows) {
  const Forms forms = args.count ? Forms::kText : Forms::kColumnar;
  TD_ASSIGN_OR_RETURN(const AnswerFormat format, ParseFormat(args.output, forms));
  return args.is_remote() ? QueryNode(args, format, rows) : QueryStore(args, format, rows);
}

void AddLatestAndCount(CLI::App* query, QueryOptions* args) {
  CLI::Option* latest =
      query->add_flag("--latest", args->latest, "only the newest record of each symbol");
  query->add_option("--by", args->by, "with --latest: of each value of this column, too")
      ->type_name("COLUMN")
      ->needs(latest);
  CLI::Option* count = query->add_flag("--count", args->count, "only how many records there are");
  count->excludes(latest);
  for (const char* name : {"--start", "--end", "--order"}) latest->excludes(name);
  for (const char* name : {"--order", "--limit", "--fields", "--ts", "--numbers", "--origin"}) {
    count->excludes(name);
  }
}

}  // namespace

void AddQueryCommand(CLI::App* app, Choice* choice) {
  auto args = std::make_shared<QueryOptions>();
  CLI::App* query =
      app->add_subcommand("query", "Records of a table by symbol and time, in order of time");
  query->add_option("table", args->table, "trades, quotes, bars, snapshots or a mapping's own")
      ->required()
      ->type_name("TABLE");
  AddListOption(
      query, "-s,--symbols", &args->symbols,
      "symbols, separated by commas or given repeatedly (a comma within one: \\,); default: all")
      ->type_name("SYMBOL");
  args->range.AddTo(query);
  args->limit.AddTo(query, LimitOptions::Pages::kYes);
  AddListOption(query, "--fields", &args->fields, "fields to show, such as ts,price or ts:time")
      ->type_name("FIELD");
  AddListOption(query, "--where", &args->where,
                "only rows whose column equals a value, such as interval:1m")
      ->type_name("COLUMN:VALUE");
  AddListOption(query, "--topics", &args->topics, "only records of these topics")
      ->type_name("TOPIC");
  query->add_option("--order", args->order, "asc or desc; default: asc")
      ->check(CLI::IsMember({"asc", "desc"}));
  query->add_option("--ts", args->time_style, "times as iso, ns, us, ms or s; default: iso")
      ->check(CLI::IsMember({"iso", "ns", "us", "ms", "s"}));
  query->add_option("--numbers", args->numbers, "numbers as json or string; default: json")
      ->check(CLI::IsMember({"json", "string"}));
  query->add_flag("--origin", args->origin,
                  "add ts_kafka, topic, partition, lineage, offset, index");
  args->AddTo(query, Forms::kColumnar);
  args->AddArchiveTo(query);
  AddLatestAndCount(query, args.get());
  query->footer(
      "Examples:\n"
      "  tapedeck query trades -s BINANCE:BTCUSDT --start 2024-07-02T04:17:16Z --end +2s\n"
      "  tapedeck query quotes --latest -u https://tapedeck.example:8443 --ca-file ca.pem\n"
      "  tapedeck query quotes --start now-15m --fields ts,symbol,bid_price -o csv\n"
      "  tapedeck query trades --start 2024-07-02 --end +24h -o parquet > day.parquet\n"
      "  tapedeck query bars -s AAPL --where interval:1d --order desc --limit 10 -d "
      "/var/lib/tapedeck");
  query->callback([=] {
    choice->run = [=] {
      return RunReading(*args, [&](uint64_t* rows) { return RunQuery(*args, rows); });
    };
  });
}

}  // namespace tapedeck::cli
