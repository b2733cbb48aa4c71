// tapedeck query | messages | tables | symbols | topics | coverage | refused

#include <CLI/CLI.hpp>
#include <charconv>
#include <cstdio>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/clock.h"
#include "query/json_rows.h"
#include "query/listing.h"
#include "query/listing_text.h"
#include "query/reader.h"
#include "query/time_text.h"
#include "tapedeck/answer_output.h"
#include "tapedeck/commands.h"

namespace tapedeck::cli {
namespace {

/// An option that takes one value each time it is given.
CLI::Option* AddListOption(CLI::App* command, const std::string& name,
                           std::vector<std::string>* values, const std::string& what) {
  return command->add_option(name, *values, what)->allow_extra_args(false);
}

/// What every reading command takes.
struct ReadArguments {
  std::string data_dir;
  std::string output;
  bool fail_empty = false;
};

void AddReadOptions(CLI::App* command, ReadArguments* args) {
  command
      ->add_option("--data-dir,-d", args->data_dir,
                   "folder of the node's store; the node may be running")
      ->required();
  command->add_option("-o,--output", args->output,
                      "ndjson, json, csv or table; default: a table on a terminal, else ndjson");
  command->add_flag("--fail-empty", args->fail_empty, "exit with 3 where nothing was found");
}

struct RangeArguments {
  std::string start;
  std::string end;
  uint64_t limit = UINT64_MAX;
};

/// Of -1 the parser alone would make the greatest number there is.
void AddLimit(CLI::App* command, uint64_t* limit) {
  command->add_option("--limit", *limit, "at most so many")->check(CLI::NonNegativeNumber);
}

void AddRangeOptions(CLI::App* command, RangeArguments* args) {
  command->add_option("--start", args->start,
                      "first time: RFC 3339, a date, 1712877306113ms (s, us, ns), now-15m");
  command->add_option("--end", args->end, "time before which to end; also +1h after --start");
  AddLimit(command, &args->limit);
}

Status ParseRange(const RangeArguments& args, Timestamp* start, Timestamp* end) {
  const Timestamp now = SystemClock().Now();
  std::optional<Timestamp> from;
  if (!args.start.empty()) {
    Result<Timestamp> time = ParseTimeText(args.start, now);
    if (!time.ok()) return time.status().WithContext("--start");
    from = *start = *time;
  }
  if (!args.end.empty()) {
    Result<Timestamp> time = ParseTimeText(args.end, now, from);
    if (!time.ok()) return time.status().WithContext("--end");
    *end = *time;
  }
  return Status::Ok();
}

/// Words between commas of all values; "\," is a comma.
std::vector<std::string> SplitList(const std::vector<std::string>& values) {
  std::vector<std::string> words;
  for (const std::string& value : values) {
    words.emplace_back();
    for (size_t i = 0; i < value.size(); ++i) {
      if (value[i] == '\\' && i + 1 < value.size() && value[i + 1] == ',') {
        words.back() += value[++i];
      } else if (value[i] == ',') {
        words.emplace_back();
      } else {
        words.back() += value[i];
      }
    }
  }
  return words;
}

Result<std::unique_ptr<Reader>> OpenReader(const ReadArguments& args) {
  Result<std::unique_ptr<Reader>> reader = Reader::Open({.dir = args.data_dir});
  if (!reader.ok()) return reader.status().WithContext("--data-dir " + args.data_dir);
  return reader;
}

/// A name that is not there was mistyped: usage.
Status AsUsage(const Status& status) {
  if (status.code() != StatusCode::kNotFound) return status;
  return Status::InvalidArgument(std::string(status.message()));
}

/// Runs `command` and turns what it says into an exit code.
template <typename F>
int Run(const ReadArguments& args, F command) {
  uint64_t rows = 0;
  Status status = command(&rows);
  if (!status.ok()) return Fail(status);
  return rows == 0 && args.fail_empty ? kExitNothingFound : kExitOk;
}

std::vector<std::string> Strings(std::span<const std::string_view> names) {
  return {names.begin(), names.end()};
}

// --- query ---

struct QueryArguments : ReadArguments {
  std::string table;
  std::vector<std::string> symbols;
  RangeArguments range;
  std::vector<std::string> fields;
  std::vector<std::string> where;
  std::vector<std::string> topics;
  std::string order = "asc";
  std::string time_style = "iso";
  std::string numbers = "json";
  bool origin = false;
};

/// `name` was checked by the parser.
TimeStyle TimeStyleOf(const std::string& name) {
  if (name == "ns") return TimeStyle::kNanoseconds;
  if (name == "us") return TimeStyle::kMicroseconds;
  if (name == "ms") return TimeStyle::kMilliseconds;
  return name == "s" ? TimeStyle::kSeconds : TimeStyle::kIso;
}

Result<RecordQuery> ParseQuery(const QueryArguments& args) {
  RecordQuery query;
  query.table = args.table;
  query.symbols = SplitList(args.symbols);
  if (query.symbols == std::vector<std::string>{"*"}) query.symbols.clear();
  TD_RETURN_IF_ERROR(ParseRange(args.range, &query.start, &query.end));
  query.limit = args.range.limit;
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

Status WriteRecords(RecordCursor* cursor, const RecordWriter& writer, AnswerOutput* out) {
  std::string text;
  for (;;) {
    RowRun run;
    TD_RETURN_IF_ERROR(cursor->Next(&run));
    if (run.count == 0) return out->Finish();
    for (uint32_t n = 0; n < run.count; ++n) {
      text.clear();
      if (out->format() == AnswerFormat::kTable) {
        std::vector<std::string> cells;
        writer.Cells(run, n, &cells);
        TD_RETURN_IF_ERROR(out->Cells(std::move(cells)));
      } else if (out->format() == AnswerFormat::kCsv) {
        writer.AppendCsv(run, n, &text);
        TD_RETURN_IF_ERROR(out->Csv(text));
      } else {
        writer.AppendJson(run, n, &text);
        TD_RETURN_IF_ERROR(out->Json(text));
      }
    }
  }
}

Status RunQuery(const QueryArguments& args, uint64_t* rows) {
  TD_ASSIGN_OR_RETURN(AnswerFormat format, ParseFormat(args.output));
  TD_ASSIGN_OR_RETURN(RecordQuery query, ParseQuery(args));
  TD_ASSIGN_OR_RETURN(std::unique_ptr<Reader> reader, OpenReader(args));
  Result<const Table*> table = reader->StoredPoint()->FindTable(args.table);
  if (!table.ok()) return AsUsage(table.status());
  TD_ASSIGN_OR_RETURN(RowFields fields,
                      RowFields::Choose(**table, SplitList(args.fields),
                                        args.origin ? Origins::kShown : Origins::kLeftOut));
  query.columns = fields.columns();
  TD_ASSIGN_OR_RETURN(std::unique_ptr<RecordCursor> cursor, reader->Query(std::move(query)));
  const RowStyle style{TimeStyleOf(args.time_style),
                       args.numbers == "string" ? NumberStyle::kString : NumberStyle::kJson};
  const RecordWriter writer(fields, *cursor, style);
  AnswerOutput out(format, writer.names());
  TD_RETURN_IF_ERROR(WriteRecords(cursor.get(), writer, &out));
  *rows = out.rows();
  return Status::Ok();
}

void AddQueryCommand(CLI::App* app, Choice* choice) {
  auto args = std::make_shared<QueryArguments>();
  CLI::App* query =
      app->add_subcommand("query", "Records of a table by symbol and time, in order of time");
  query->add_option("table", args->table, "trades, quotes, bars, snapshots or a mapping's own")
      ->required();
  AddListOption(
      query, "-s,--symbols", &args->symbols,
      "symbols, separated by commas or given repeatedly (a comma within one: \\,); default: all");
  AddRangeOptions(query, &args->range);
  AddListOption(query, "--fields", &args->fields, "fields to show, such as ts,price or ts:time");
  AddListOption(query, "--where", &args->where,
                "only rows whose column equals a value, such as interval:1m");
  AddListOption(query, "--topics", &args->topics, "only records of these topics");
  query->add_option("--order", args->order, "asc or desc")->check(CLI::IsMember({"asc", "desc"}));
  query->add_option("--ts", args->time_style, "times as iso, ns, us, ms or s")
      ->check(CLI::IsMember({"iso", "ns", "us", "ms", "s"}));
  query->add_option("--numbers", args->numbers, "numbers as json or string")
      ->check(CLI::IsMember({"json", "string"}));
  query->add_flag("--origin", args->origin,
                  "add ts_kafka, topic, partition, lineage, offset, index");
  AddReadOptions(query, args.get());
  query->footer(
      "Examples:\n"
      "  tapedeck query trades -s BINANCE:BTCUSDT --start 2024-07-02T04:17:16Z --end +2s -d "
      "/var/lib/tapedeck\n"
      "  tapedeck query quotes --start now-15m --fields ts,symbol,bid_price -o csv -d "
      "/var/lib/tapedeck\n"
      "  tapedeck query bars -s AAPL --where interval:1d --order desc --limit 10 -d "
      "/var/lib/tapedeck");
  query->callback([=] {
    choice->run = [=] { return Run(*args, [&](uint64_t* rows) { return RunQuery(*args, rows); }); };
  });
}

// --- messages ---

struct MessagesArguments : ReadArguments {
  std::vector<std::string> topics;
  int32_t partition = -1;
  int64_t lineage = -1;
  std::string offsets;
  RangeArguments range;
  std::string encoding = "text";
  std::string time_style = "iso";
};

/// "0:100", "100:", ":100".
Status ParseOffsets(const std::string& text, MessageQuery* query) {
  const size_t colon = text.find(':');
  auto number = [](const std::string& digits, int64_t* out) {
    if (digits.empty()) return true;
    const char* end = digits.data() + digits.size();
    auto [at, error] = std::from_chars(digits.data(), end, *out);
    return error == std::errc() && at == end && *out >= 0;
  };
  if (colon == std::string::npos || !number(text.substr(0, colon), &query->from_offset) ||
      !number(text.substr(colon + 1), &query->to_offset)) {
    return Status::InvalidArgument("--offsets " + text + ": write FROM:TO, such as 0:100 or 4711:");
  }
  return Status::Ok();
}

Status RunMessages(const MessagesArguments& args, uint64_t* rows) {
  TD_ASSIGN_OR_RETURN(AnswerFormat format, ParseFormat(args.output));
  MessageQuery query;
  query.topics = SplitList(args.topics);
  if (args.partition >= 0) query.partition = args.partition;
  if (args.lineage >= 0) query.lineage = static_cast<uint32_t>(args.lineage);
  if (!args.offsets.empty()) TD_RETURN_IF_ERROR(ParseOffsets(args.offsets, &query));
  TD_RETURN_IF_ERROR(ParseRange(args.range, &query.start, &query.end));
  query.limit = args.range.limit;
  const MessageStyle style{TimeStyleOf(args.time_style), args.encoding == "base64"
                                                             ? MessageEncoding::kBase64
                                                             : MessageEncoding::kText};
  TD_ASSIGN_OR_RETURN(std::unique_ptr<Reader> reader, OpenReader(args));
  TD_ASSIGN_OR_RETURN(std::unique_ptr<MessageCursor> cursor, reader->Messages(std::move(query)));
  AnswerOutput out(format, Strings(MessageColumns()));
  std::string text;
  for (;;) {
    TD_ASSIGN_OR_RETURN(const StoredMessage* message, cursor->Next());
    if (message == nullptr) break;
    text.clear();
    if (format == AnswerFormat::kTable) {
      TD_RETURN_IF_ERROR(out.Cells(MessageCells(*message, style)));
    } else if (format == AnswerFormat::kCsv) {
      AppendMessageCsv(*message, style, &text);
      TD_RETURN_IF_ERROR(out.Csv(text));
    } else {
      AppendMessageJson(*message, style, &text);
      TD_RETURN_IF_ERROR(out.Json(text));
    }
  }
  *rows = out.rows();
  return out.Finish();
}

void AddMessagesCommand(CLI::App* app, Choice* choice) {
  auto args = std::make_shared<MessagesArguments>();
  CLI::App* messages =
      app->add_subcommand("messages", "Messages as they were recorded, byte for byte");
  AddListOption(messages, "--topic,-t", &args->topics, "topics; default: all");
  messages->add_option("--partition,-p", args->partition, "one partition")
      ->check(CLI::NonNegativeNumber);
  messages->add_option("--lineage", args->lineage, "one lineage; default: all")
      ->check(CLI::NonNegativeNumber);
  messages->add_option("--offsets", args->offsets, "FROM:TO, such as 0:100; TO is not included");
  AddRangeOptions(messages, &args->range);
  messages->add_option("--encoding", args->encoding, "keys and values as text or base64")
      ->check(CLI::IsMember({"text", "base64"}));
  messages->add_option("--ts", args->time_style, "times as iso, ns, us, ms or s")
      ->check(CLI::IsMember({"iso", "ns", "us", "ms", "s"}));
  AddReadOptions(messages, args.get());
  messages->footer(
      "Partitions are merged by time, each in its own order.\n"
      "Examples:\n"
      "  tapedeck messages -t Finhub1 --start now-5m -d /var/lib/tapedeck\n"
      "  tapedeck messages -t Finhub1 -p 0 --offsets 184:185 -d /var/lib/tapedeck");
  messages->callback([=] {
    choice->run = [=] {
      return Run(*args, [&](uint64_t* rows) { return RunMessages(*args, rows); });
    };
  });
}

// --- listings ---

Status RunTables(const ReadArguments& args, uint64_t* rows) {
  TD_ASSIGN_OR_RETURN(AnswerFormat format, ParseFormat(args.output));
  TD_ASSIGN_OR_RETURN(std::unique_ptr<Reader> reader, OpenReader(args));
  AnswerOutput out(format, Strings(TableColumns()));
  for (const Table& table : reader->StoredPoint()->state().tables.tables()) {
    ListingText text = TableText(table);
    TD_RETURN_IF_ERROR(out.Row(text.json, std::move(text.cells)));
  }
  *rows = out.rows();
  return out.Finish();
}

struct SymbolsArguments : ReadArguments {
  SymbolQuery query;
};

Status RunSymbols(const SymbolsArguments& args, uint64_t* rows) {
  TD_ASSIGN_OR_RETURN(AnswerFormat format, ParseFormat(args.output));
  TD_ASSIGN_OR_RETURN(std::unique_ptr<Reader> reader, OpenReader(args));
  TD_ASSIGN_OR_RETURN(std::shared_ptr<const ReadPoint> point, reader->Point());
  Result<std::vector<SymbolEntry>> symbols = ListSymbols(*point, args.query);
  if (!symbols.ok()) return AsUsage(symbols.status());
  AnswerOutput out(format, Strings(SymbolColumns()));
  for (const SymbolEntry& entry : *symbols) {
    ListingText text = SymbolText(entry);
    TD_RETURN_IF_ERROR(out.Row(text.json, std::move(text.cells)));
  }
  *rows = out.rows();
  return out.Finish();
}

struct TopicsArguments : ReadArguments {
  std::vector<std::string> topics;
};

Status RunTopics(const TopicsArguments& args, uint64_t* rows) {
  TD_ASSIGN_OR_RETURN(AnswerFormat format, ParseFormat(args.output));
  TD_ASSIGN_OR_RETURN(std::unique_ptr<Reader> reader, OpenReader(args));
  TD_ASSIGN_OR_RETURN(std::vector<PartitionEntry> list,
                      ListPartitions(*reader->StoredPoint(), SplitList(args.topics)));
  AnswerOutput out(format, Strings(TopicColumns()));
  for (size_t from = 0; from < list.size();) {
    size_t to = from + 1;
    while (to < list.size() && list[to].tape.topic == list[from].tape.topic) ++to;
    ListingText text = TopicText(std::span(list).subspan(from, to - from));
    TD_RETURN_IF_ERROR(out.Row(text.json, std::move(text.cells)));
    from = to;
  }
  *rows = out.rows();
  return out.Finish();
}

Status RunCoverage(const TopicsArguments& args, uint64_t* rows) {
  TD_ASSIGN_OR_RETURN(AnswerFormat format, ParseFormat(args.output));
  TD_ASSIGN_OR_RETURN(std::unique_ptr<Reader> reader, OpenReader(args));
  TD_ASSIGN_OR_RETURN(std::vector<PartitionEntry> list,
                      ListPartitions(*reader->StoredPoint(), SplitList(args.topics)));
  AnswerOutput out(format, Strings(CoverageColumns()), {"{\"partitions\":[", "]}"});
  for (const PartitionEntry& entry : list) {
    ListingText text = CoverageText(entry);
    TD_RETURN_IF_ERROR(out.Row(text.json, std::move(text.cells)));
  }
  *rows = out.rows();
  return out.Finish();
}

struct RefusedArguments : ReadArguments {
  RefusedQuery query;
  RangeArguments range;
};

Status RunRefused(const RefusedArguments& args, uint64_t* rows) {
  TD_ASSIGN_OR_RETURN(AnswerFormat format, ParseFormat(args.output));
  RefusedQuery query = args.query;
  TD_RETURN_IF_ERROR(ParseRange(args.range, &query.start, &query.end));
  query.limit = args.range.limit;
  TD_ASSIGN_OR_RETURN(std::unique_ptr<Reader> reader, OpenReader(args));
  AnswerOutput out(format, Strings(RefusedColumns()));
  TD_RETURN_IF_ERROR(
      VisitRefused(*reader->StoredPoint(), query, [&](const RefusedMessage& refused) {
        ListingText text = RefusedText(refused);
        return out.Row(text.json, std::move(text.cells));
      }));
  *rows = out.rows();
  return out.Finish();
}

template <typename Arguments>
CLI::App* AddListing(CLI::App* app, Choice* choice, const std::string& name,
                     const std::string& what, const std::shared_ptr<Arguments>& args,
                     Status (*run)(const Arguments&, uint64_t*)) {
  CLI::App* command = app->add_subcommand(name, what);
  AddReadOptions(command, args.get());
  command->footer("Example:\n  tapedeck " + name + " -d /var/lib/tapedeck");
  command->callback([=] {
    choice->run = [=] { return Run(*args, [&](uint64_t* rows) { return run(*args, rows); }); };
  });
  return command;
}

void AddListingCommands(CLI::App* app, Choice* choice) {
  AddListing(app, choice, "tables", "Tables: columns and types, append or upsert, size of a day",
             std::make_shared<ReadArguments>(), RunTables);

  auto symbols = std::make_shared<SymbolsArguments>();
  CLI::App* command =
      AddListing(app, choice, "symbols", "Symbols: their tables, first and last time, rows",
                 symbols, RunSymbols);
  command->add_option("--table", symbols->query.table, "of one table");
  command->add_option("--symbol,-s", symbols->query.symbol, "one symbol");
  command->add_option("--prefix", symbols->query.prefix, "symbols that begin so");
  AddLimit(command, &symbols->query.limit);

  auto topics = std::make_shared<TopicsArguments>();
  command =
      AddListing(app, choice, "topics", "Topics: mapping, partitions, offsets", topics, RunTopics);
  AddListOption(command, "--topic,-t", &topics->topics, "only these");

  auto coverage = std::make_shared<TopicsArguments>();
  command = AddListing(app, choice, "coverage",
                       "What of each partition is recorded, with every gap and its reason",
                       coverage, RunCoverage);
  AddListOption(command, "--topic,-t", &coverage->topics, "only these");

  auto refused = std::make_shared<RefusedArguments>();
  command = AddListing(app, choice, "refused",
                       "Messages that their mapping refused, with the reason", refused, RunRefused);
  command->add_option("--topic,-t", refused->query.topic, "of one topic");
  command->add_option("--reason", refused->query.reason, "with this reason, such as bad-number");
  AddRangeOptions(command, &refused->range);
}

}  // namespace

void AddReadCommands(CLI::App* app, Choice* choice) {
  AddQueryCommand(app, choice);
  AddMessagesCommand(app, choice);
  AddListingCommands(app, choice);
}

}  // namespace tapedeck::cli
