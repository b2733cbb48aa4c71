// tapedeck status

#include <CLI/CLI.hpp>
#include <memory>
#include <string>
#include <vector>

#include "node/json_line.h"
#include "query/listing.h"
#include "tapedeck/answer_output.h"
#include "tapedeck/json_cells.h"
#include "tapedeck/read_commands.h"
#include "tapedeck/read_options.h"
#include "tapedeck/remote_node.h"

namespace tapedeck::cli {
namespace {

std::string PartitionText(const PartitionEntry& entry) {
  const Checkpoint& c = entry.checkpoint;
  JsonLine line;
  line.Text("topic", entry.tape.topic)
      .Number("partition", entry.tape.partition)
      .Count("lineage", entry.tape.lineage)
      .Number("stored", c.next)
      .Number("durable", c.next)
      .Count("messages", c.messages)
      .Count("records", c.records)
      .Count("refused", c.refused)
      .Count("skipped", c.skipped)
      .Count("gaps", entry.gaps.size());
  return line.Take();
}

/// What a store says of itself: the members have the names of /v1/status; those that only a running
/// node knows are not there.
Result<std::string> StatusOfStore(const ReadOptions& args) {
  TD_ASSIGN_OR_RETURN(std::unique_ptr<Reader> reader, args.OpenReader());
  const std::shared_ptr<const ReadPoint> point = reader->StoredPoint();
  TD_ASSIGN_OR_RETURN(const std::vector<PartitionEntry> list, ListPartitions(*point, {}));
  Checkpoint sum;
  std::string partitions;
  for (const PartitionEntry& entry : list) {
    sum.messages += entry.checkpoint.messages;
    sum.records += entry.checkpoint.records;
    sum.refused += entry.checkpoint.refused;
    sum.skipped += entry.checkpoint.skipped;
    partitions += (partitions.empty() ? "" : ",") + PartitionText(entry);
  }
  JsonLine recording;
  recording.Count("commits", point->state().commit)
      .Count("flushes", point->state().flush)
      .Count("messages", sum.messages)
      .Count("records", sum.records)
      .Count("refused", sum.refused)
      .Count("skipped", sum.skipped);
  JsonLine store;
  store.Text("id", reader->meta().store_id).Count("format", reader->meta().format);
  JsonLine line;
  line.Text("node", reader->meta().node_id)
      .Text("cluster", reader->meta().cluster_id)
      .Raw("recording", recording.Take())
      .Raw("partitions", "[" + partitions + "]")
      .Raw("store", store.Take());
  return line.Take() + "\n";
}

Result<std::string> StatusOfNode(const ReadOptions& args) {
  TD_ASSIGN_OR_RETURN(std::unique_ptr<RemoteNode> node, RemoteNode::Open(args));
  TD_ASSIGN_OR_RETURN(RemoteAnswer answer, node->Get({"/v1/status", {}}));
  return std::move(answer.body);
}

/// The document for people: members as lines, lists of objects as tables behind them.
class StatusPage {
 public:
  explicit StatusPage(const json::Tree& tree) : tree_(tree) {}

  Status Print() {
    AnswerOutput lines(AnswerFormat::kTable, {"what", "value"});
    TD_RETURN_IF_ERROR(AddMembers(0, "", &lines));
    TD_RETURN_IF_ERROR(lines.Finish());
    for (uint32_t list : lists_) TD_RETURN_IF_ERROR(PrintList(list));
    return Status::Ok();
  }

 private:
  std::string Key(uint32_t at) const { return std::string(tree_.RawKey(at)); }

  bool IsTable(uint32_t at) const {
    const uint32_t first =
        tree_.node(at).type == json::Type::kArray ? tree_.First(at) : json::kNone;
    return first != json::kNone && tree_.node(first).type == json::Type::kObject;
  }

  Status AddMembers(uint32_t object, const std::string& path, AnswerOutput* lines) {
    for (uint32_t m = tree_.First(object); m != json::kNone; m = tree_.Next(object, m)) {
      if (tree_.node(m).type == json::Type::kObject) {
        TD_RETURN_IF_ERROR(AddMembers(m, path + Key(m) + ".", lines));
      } else if (IsTable(m)) {
        lists_.push_back(m);
      } else {
        TD_RETURN_IF_ERROR(lines->Cells({path + Key(m), CellOf(tree_, m)}));
      }
    }
    return Status::Ok();
  }

  Status PrintList(uint32_t list) {
    std::vector<std::string> names;
    const uint32_t first = tree_.First(list);
    for (uint32_t m = tree_.First(first); m != json::kNone; m = tree_.Next(first, m))
      names.push_back(Key(m));
    TD_RETURN_IF_ERROR(WriteOut("\n" + Key(list) + "\n"));
    AnswerOutput out(AnswerFormat::kTable, names);
    const std::vector<std::string_view> views(names.begin(), names.end());
    for (uint32_t e = first; e != json::kNone; e = tree_.Next(list, e)) {
      if (tree_.node(e).type == json::Type::kObject)
        TD_RETURN_IF_ERROR(out.Cells(CellsOf(tree_, e, views)));
    }
    return out.Finish();
  }

  const json::Tree& tree_;
  std::vector<uint32_t> lists_;
};

Status RunStatus(const ReadOptions& args, uint64_t* rows) {
  TD_ASSIGN_OR_RETURN(const AnswerFormat format, ParseFormat(args.output, Forms::kText));
  if (format == AnswerFormat::kCsv)
    return Status::InvalidArgument("-o csv: the status is one document: json, ndjson or table");
  Result<std::string> text = args.is_remote() ? StatusOfNode(args) : StatusOfStore(args);
  if (!text.ok()) return text.status();
  *rows = 1;
  if (format != AnswerFormat::kTable) return WriteOut(*text);
  json::Tree tree;
  if (tree.Parse(*text) != json::Tree::Outcome::kOk || tree.size() == 0 ||
      tree.node(0).type != json::Type::kObject) {
    return Status::Unavailable("the status is no JSON object: is this a tapedeck node?");
  }
  return StatusPage(tree).Print();
}

}  // namespace

void AddStatusCommand(CLI::App* app, Choice* choice) {
  auto args = std::make_shared<ReadOptions>();
  CLI::App* status =
      app->add_subcommand("status", "What an operator asks first: progress, lag, health, sizes");
  args->AddTo(status);
  status->footer(
      "Of a data directory only what is stored: who wrote it, how far it goes.\n"
      "Examples:\n"
      "  tapedeck status\n"
      "  tapedeck status -o json -d /var/lib/tapedeck");
  status->callback([=] {
    choice->run = [=] {
      return RunReading(*args, [&](uint64_t* rows) { return RunStatus(*args, rows); });
    };
  });
}

}  // namespace tapedeck::cli
