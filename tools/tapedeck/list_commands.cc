// tapedeck tables | symbols | topics | coverage | refused

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/text.h"
#include "query/listing.h"
#include "query/listing_text.h"
#include "tapedeck/answer_output.h"
#include "tapedeck/json_cells.h"
#include "tapedeck/read_commands.h"
#include "tapedeck/read_options.h"
#include "tapedeck/remote_rows.h"

namespace tapedeck::cli {
namespace {

using Names = std::span<const std::string_view>;

std::vector<std::string> Strings(Names names) { return {names.begin(), names.end()}; }

Status Print(ListingText text, AnswerOutput* out) {
  return out->Row(text.json, std::move(text.cells));
}

/// An entry as the node wrote it.
Status PrintEntry(const json::Tree& tree, uint32_t entry, Names names, AnswerOutput* out) {
  return out->Row(tree.Raw(entry), CellsOf(tree, entry, names));
}

// --- tables ---

Status ListTables(const ReadOptions& args, AnswerFormat format, uint64_t* rows) {
  AnswerOutput out(format, Strings(TableTopicColumns()));
  if (args.is_remote()) {
    TD_ASSIGN_OR_RETURN(std::unique_ptr<RemoteNode> node, RemoteNode::Open(args));
    TD_RETURN_IF_ERROR(VisitRemoteList(node.get(), {{"/v1/tables", {}}}, UINT64_MAX,
                                       [&](const json::Tree& tree, uint32_t entry) {
                                         return PrintEntry(tree, entry, TableTopicColumns(), &out);
                                       }));
  } else {
    TD_ASSIGN_OR_RETURN(std::unique_ptr<Reader> reader, args.OpenReader());
    TD_ASSIGN_OR_RETURN(const std::vector<TableEntry> tables,
                        tapedeck::ListTables(*reader->StoredPoint()));
    for (const TableEntry& entry : tables) TD_RETURN_IF_ERROR(Print(TableText(entry), &out));
  }
  *rows = out.rows();
  return out.Finish();
}

// --- symbols ---

struct SymbolsOptions : ReadOptions {
  SymbolQuery query;
  LimitOptions limit;
};

Status ListSymbols(const SymbolsOptions& args, AnswerFormat format, uint64_t* rows) {
  AnswerOutput out(format, Strings(SymbolColumns()));
  if (args.is_remote()) {
    TD_ASSIGN_OR_RETURN(std::unique_ptr<RemoteNode> node, RemoteNode::Open(args));
    const RemoteList list{{"/v1/symbols",
                           {{"table", args.query.table},
                            {"symbol", args.query.symbol},
                            {"prefix", args.query.prefix}}},
                          "data",
                          RemoteList::Paged::kYes};
    TD_RETURN_IF_ERROR(VisitRemoteList(node.get(), list, args.limit.limit,
                                       [&](const json::Tree& tree, uint32_t entry) {
                                         return PrintEntry(tree, entry, SymbolColumns(), &out);
                                       }));
  } else {
    TD_ASSIGN_OR_RETURN(std::unique_ptr<Reader> reader, args.OpenReader());
    TD_ASSIGN_OR_RETURN(std::shared_ptr<const ReadPoint> point, reader->Point());
    SymbolQuery query = args.query;
    query.limit = args.limit.limit;
    Result<std::vector<SymbolEntry>> symbols = tapedeck::ListSymbols(*point, query);
    if (!symbols.ok()) return AsUsage(symbols.status());
    for (const SymbolEntry& entry : *symbols) TD_RETURN_IF_ERROR(Print(SymbolText(entry), &out));
  }
  *rows = out.rows();
  return out.Finish();
}

// --- topics, coverage ---

struct TopicsOptions : ReadOptions {
  std::vector<std::string> topics;
};

Status NoSuchTopic(const std::string& topic) {
  return Status::InvalidArgument("no topic " + Quoted(topic) + " was recorded here");
}

/// Messages, records and refused of a topic: a node tells them by partition, as coverage.
using Totals = std::map<std::string, std::vector<uint64_t>>;
constexpr std::string_view kTotalNames[] = {"messages", "records", "refused"};

Result<Totals> FetchTotals(RemoteNode* node) {
  Totals totals;
  TD_RETURN_IF_ERROR(VisitRemoteList(
      node, {{"/v1/coverage", {}}, "partitions"}, UINT64_MAX,
      [&](const json::Tree& tree, uint32_t entry) {
        const uint32_t topic = tree.Find(entry, "topic");
        if (topic == json::kNone) return Status::Ok();
        std::vector<uint64_t>& sums = totals[CellOf(tree, topic)];
        sums.resize(std::size(kTotalNames));
        const std::vector<std::string> cells = CellsOf(tree, entry, kTotalNames);
        for (size_t i = 0; i < cells.size(); ++i) {
          uint64_t number = 0;
          std::from_chars(cells[i].data(), cells[i].data() + cells[i].size(), number);
          sums[i] += number;
        }
        return Status::Ok();
      }));
  return totals;
}

size_t CountPartitions(const json::Tree& tree, uint32_t topic) {
  std::vector<std::string> distinct;
  const uint32_t list = tree.Find(topic, "partitions");
  if (list == json::kNone || tree.node(list).type != json::Type::kArray) return 0;
  for (uint32_t p = tree.First(list); p != json::kNone; p = tree.Next(list, p)) {
    if (tree.node(p).type != json::Type::kObject) continue;
    const uint32_t number = tree.Find(p, "partition");
    if (number != json::kNone) distinct.push_back(CellOf(tree, number));
  }
  std::sort(distinct.begin(), distinct.end());
  return static_cast<size_t>(std::unique(distinct.begin(), distinct.end()) - distinct.begin());
}

Status TopicsOfNode(const TopicsOptions& args, AnswerOutput* out) {
  TD_ASSIGN_OR_RETURN(std::unique_ptr<RemoteNode> node, RemoteNode::Open(args));
  Totals totals;
  if (out->format() == AnswerFormat::kCsv || out->format() == AnswerFormat::kTable) {
    TD_ASSIGN_OR_RETURN(totals, FetchTotals(node.get()));
  }
  std::vector<std::string> missing = SplitList(args.topics);
  const std::vector<std::string> wanted = missing;
  TD_RETURN_IF_ERROR(VisitRemoteList(
      node.get(), {{"/v1/topics", {}}}, UINT64_MAX, [&](const json::Tree& tree, uint32_t entry) {
        const std::vector<std::string> names = CellsOf(tree, entry, TopicColumns());
        const std::string& topic = names[0];
        std::erase(missing, topic);
        if (!wanted.empty() && std::find(wanted.begin(), wanted.end(), topic) == wanted.end())
          return Status::Ok();
        std::vector<std::string> cells = {topic, names[1],
                                          std::to_string(CountPartitions(tree, entry))};
        std::vector<uint64_t>& sums = totals[topic];
        sums.resize(std::size(kTotalNames));
        for (uint64_t sum : sums) cells.push_back(std::to_string(sum));
        return out->Row(tree.Raw(entry), std::move(cells));
      }));
  return missing.empty() ? Status::Ok() : NoSuchTopic(missing[0]);
}

Status ListTopics(const TopicsOptions& args, AnswerFormat format, uint64_t* rows) {
  AnswerOutput out(format, Strings(TopicColumns()));
  if (args.is_remote()) {
    TD_RETURN_IF_ERROR(TopicsOfNode(args, &out));
  } else {
    TD_ASSIGN_OR_RETURN(std::unique_ptr<Reader> reader, args.OpenReader());
    TD_ASSIGN_OR_RETURN(const std::vector<PartitionEntry> list,
                        ListPartitions(*reader->StoredPoint(), SplitList(args.topics)));
    for (size_t from = 0; from < list.size();) {
      size_t to = from + 1;
      while (to < list.size() && list[to].tape.topic == list[from].tape.topic) ++to;
      TD_RETURN_IF_ERROR(Print(TopicText(std::span(list).subspan(from, to - from)), &out));
      from = to;
    }
  }
  *rows = out.rows();
  return out.Finish();
}

Status CoverageOfNode(const TopicsOptions& args, AnswerOutput* out) {
  TD_ASSIGN_OR_RETURN(std::unique_ptr<RemoteNode> node, RemoteNode::Open(args));
  std::vector<std::string> topics = SplitList(args.topics);
  std::sort(topics.begin(), topics.end());
  topics.erase(std::unique(topics.begin(), topics.end()), topics.end());
  if (topics.empty()) topics.emplace_back();  // all of them at once
  for (const std::string& topic : topics) {
    TD_RETURN_IF_ERROR(VisitRemoteList(node.get(),
                                       {{"/v1/coverage", {{"topic", topic}}}, "partitions"},
                                       UINT64_MAX, [&](const json::Tree& tree, uint32_t entry) {
                                         return PrintEntry(tree, entry, CoverageColumns(), out);
                                       }));
  }
  return Status::Ok();
}

Status ListCoverage(const TopicsOptions& args, AnswerFormat format, uint64_t* rows) {
  AnswerOutput out(format, Strings(CoverageColumns()), {"{\"partitions\":[", "]}"});
  if (args.is_remote()) {
    TD_RETURN_IF_ERROR(CoverageOfNode(args, &out));
  } else {
    TD_ASSIGN_OR_RETURN(std::unique_ptr<Reader> reader, args.OpenReader());
    TD_ASSIGN_OR_RETURN(const std::vector<PartitionEntry> list,
                        ListPartitions(*reader->StoredPoint(), SplitList(args.topics)));
    for (const PartitionEntry& entry : list) TD_RETURN_IF_ERROR(Print(CoverageText(entry), &out));
  }
  *rows = out.rows();
  return out.Finish();
}

// --- refused ---

struct RefusedOptions : ReadOptions {
  RefusedQuery query;
  RangeOptions range;
  LimitOptions limit;
};

Status ListRefused(const RefusedOptions& args, AnswerFormat format, uint64_t* rows) {
  RefusedQuery query = args.query;
  TD_RETURN_IF_ERROR(args.range.Parse(&query.start, &query.end));
  query.limit = args.limit.limit;
  AnswerOutput out(format, Strings(RefusedColumns()));
  if (args.is_remote()) {
    TD_ASSIGN_OR_RETURN(std::unique_ptr<RemoteNode> node, RemoteNode::Open(args));
    const RemoteList list{{"/v1/refused",
                           {{"topic", query.topic},
                            {"reason", query.reason},
                            {"start", args.range.start},
                            {"end", args.range.end}}},
                          "data",
                          RemoteList::Paged::kYes};
    TD_RETURN_IF_ERROR(
        VisitRemoteList(node.get(), list, query.limit, [&](const json::Tree& tree, uint32_t entry) {
          return PrintEntry(tree, entry, RefusedColumns(), &out);
        }));
  } else {
    TD_ASSIGN_OR_RETURN(std::unique_ptr<Reader> reader, args.OpenReader());
    TD_RETURN_IF_ERROR(VisitRefused(
        *reader->StoredPoint(), query,
        [&](const RefusedMessage& refused) { return Print(RefusedText(refused), &out); }));
  }
  *rows = out.rows();
  return out.Finish();
}

template <typename Options>
CLI::App* AddListing(CLI::App* app, Choice* choice, const std::string& name,
                     const std::string& what, const std::shared_ptr<Options>& args,
                     Status (*list)(const Options&, AnswerFormat, uint64_t*)) {
  CLI::App* command = app->add_subcommand(name, what);
  args->AddTo(command);
  args->AddArchiveTo(command);
  command->footer("Examples:\n  tapedeck " + name + "\n  tapedeck " + name +
                  " -o csv -d /var/lib/tapedeck");
  command->callback([=] {
    choice->run = [=] {
      return RunReading(*args, [&](uint64_t* rows) {
        Result<AnswerFormat> format = ParseFormat(args->output, Forms::kText);
        return format.ok() ? list(*args, *format, rows) : format.status();
      });
    };
  });
  return command;
}

}  // namespace

void AddListCommands(CLI::App* app, Choice* choice) {
  AddListing(app, choice, "tables",
             "Tables: columns and types, append or upsert, size of a day, topics that feed them",
             std::make_shared<ReadOptions>(), ListTables);

  auto symbols = std::make_shared<SymbolsOptions>();
  CLI::App* command =
      AddListing(app, choice, "symbols", "Symbols: their tables, first and last time, rows",
                 symbols, ListSymbols);
  command->add_option("--table", symbols->query.table, "of one table")->type_name("TABLE");
  command->add_option("--symbol,-s", symbols->query.symbol, "one symbol")->type_name("SYMBOL");
  command->add_option("--prefix", symbols->query.prefix, "symbols that begin so");
  symbols->limit.AddTo(command, LimitOptions::Pages::kNo);

  auto topics = std::make_shared<TopicsOptions>();
  command =
      AddListing(app, choice, "topics", "Topics: mapping, partitions, offsets", topics, ListTopics);
  AddListOption(command, "--topic,-t", &topics->topics, "only these")->type_name("TOPIC");

  auto coverage = std::make_shared<TopicsOptions>();
  command = AddListing(app, choice, "coverage",
                       "What of each partition is recorded, with every gap and its reason",
                       coverage, ListCoverage);
  AddListOption(command, "--topic,-t", &coverage->topics, "only these")->type_name("TOPIC");

  auto refused = std::make_shared<RefusedOptions>();
  command =
      AddListing(app, choice, "refused", "Messages that their mapping refused, with the reason",
                 refused, ListRefused);
  command->add_option("--topic,-t", refused->query.topic, "of one topic")->type_name("TOPIC");
  command->add_option("--reason", refused->query.reason, "with this reason, such as bad-number");
  refused->range.AddTo(command);
  refused->limit.AddTo(command, LimitOptions::Pages::kNo);
}

}  // namespace tapedeck::cli
