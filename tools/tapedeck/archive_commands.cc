// tapedeck days | objects | close | flush

#include <CLI/CLI.hpp>
#include <charconv>
#include <chrono>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "archive/manifest_set.h"
#include "base/clock.h"
#include "base/encoding.h"
#include "base/json_text.h"
#include "blob/open_store.h"
#include "query/archive_listing.h"
#include "tapedeck/answer_output.h"
#include "tapedeck/json_cells.h"
#include "tapedeck/read_commands.h"
#include "tapedeck/read_options.h"
#include "tapedeck/remote_rows.h"

namespace tapedeck::cli {
namespace {

using Names = std::span<const std::string_view>;

constexpr std::string_view kStateColumns[] = {"table", "day",  "generation",
                                              "state", "rows", "trouble"};
// Between two looks at a node that is at work.
constexpr std::chrono::milliseconds kLookEvery(500);

std::vector<std::string> Strings(Names names) { return {names.begin(), names.end()}; }

struct ArchiveOptions : ReadOptions {
  DayQuery query;
  RangeOptions range;
  LimitOptions limit;
};

/// Manifests of --archive, asked for by this process itself. Null: none is named.
Result<std::shared_ptr<const ManifestSet>> ManifestsOf(const ArchiveOptions& args) {
  if (args.archive.empty()) return std::shared_ptr<const ManifestSet>();
  TD_ASSIGN_OR_RETURN(const std::unique_ptr<BlobStore> blobs, args.OpenBlobs());
  ManifestHolder holder;
  TD_RETURN_IF_ERROR(holder.Refresh(blobs.get(), nullptr).status());
  std::shared_ptr<const ManifestSet> set = holder.Take();
  for (const BrokenManifest& broken : set->broken()) {
    std::fprintf(stderr, "tapedeck: %s cannot be read; what it lists is missing here: %s\n",
                 broken.name.c_str(), broken.error.ToString().c_str());
  }
  return set;
}

Status ListFromNode(const ArchiveOptions& args, const std::string& path, Names columns,
                    AnswerOutput* out) {
  TD_ASSIGN_OR_RETURN(std::unique_ptr<RemoteNode> node, RemoteNode::Open(args));
  const RemoteList list{
      {path, {{"table", args.query.table}, {"start", args.range.start}, {"end", args.range.end}}},
      "data",
      RemoteList::Paged::kYes};
  return VisitRemoteList(node.get(), list, args.limit.limit,
                         [&](const json::Tree& tree, uint32_t entry) {
                           return out->Row(tree.Raw(entry), CellsOf(tree, entry, columns));
                         });
}

Status ListDaysHere(const ArchiveOptions& args, AnswerOutput* out) {
  DayQuery query = args.query;
  TD_RETURN_IF_ERROR(args.range.Parse(&query.start, &query.end));
  TD_ASSIGN_OR_RETURN(const std::shared_ptr<const ManifestSet> manifests, ManifestsOf(args));
  StoreState state;
  ArchiveOwner owner;
  if (!args.data_dir.empty()) {
    TD_ASSIGN_OR_RETURN(std::unique_ptr<Reader> reader, args.OpenReader());
    // Of the store as it is: a point leaves out what was replaced.
    TD_ASSIGN_OR_RETURN(state, reader->StoredPoint()->view().LoadState());
    owner = {reader->meta().node_id, reader->meta().store_id};
  }
  for (const DayListing& day : ListDays(state, owner, manifests.get(), query)) {
    if (out->rows() == args.limit.limit) break;
    ListingText text = DayText(day);
    TD_RETURN_IF_ERROR(out->Row(text.json, std::move(text.cells)));
  }
  return Status::Ok();
}

Status ListObjectsHere(const ArchiveOptions& args, AnswerOutput* out) {
  DayQuery query = args.query;
  TD_RETURN_IF_ERROR(args.range.Parse(&query.start, &query.end));
  TD_ASSIGN_OR_RETURN(const std::shared_ptr<const ManifestSet> manifests, ManifestsOf(args));
  if (manifests == nullptr) {
    return Status::InvalidArgument(
        "objects are listed by the archive's manifests: name it with --archive URL, or ask the "
        "node with --url");
  }
  for (const ObjectListing& object : ListObjects(*manifests, query)) {
    if (out->rows() == args.limit.limit) break;
    ListingText text = ObjectText(object, args.archive);
    TD_RETURN_IF_ERROR(out->Row(text.json, std::move(text.cells)));
  }
  return Status::Ok();
}

bool IsAsked(const ArchiveOptions& args) { return args.is_remote() && args.archive.empty(); }

Status RunDays(const ArchiveOptions& args, AnswerFormat format, uint64_t* rows) {
  AnswerOutput out(format, Strings(DayColumns()));
  TD_RETURN_IF_ERROR(IsAsked(args) ? ListFromNode(args, "/v1/days", DayColumns(), &out)
                                   : ListDaysHere(args, &out));
  *rows = out.rows();
  return out.Finish();
}

Status RunObjects(const ArchiveOptions& args, AnswerFormat format, uint64_t* rows) {
  AnswerOutput out(format, Strings(ObjectColumns()));
  TD_RETURN_IF_ERROR(IsAsked(args) ? ListFromNode(args, "/v1/objects", ObjectColumns(), &out)
                                   : ListObjectsHere(args, &out));
  *rows = out.rows();
  return out.Finish();
}

// --- close, flush ---

struct DoingOptions : ReadOptions {
  std::string day;
  std::vector<std::string> tables;
  bool wait = false;
};

/// `text` lives as long as the tree.
Status ParseObject(const std::string& text, json::Tree* tree) {
  if (tree->Parse(text) == json::Tree::Outcome::kOk && tree->size() > 0 &&
      tree->node(0).type == json::Type::kObject) {
    return Status::Ok();
  }
  return Status::Unavailable("the answer is no JSON object: is this a tapedeck node?");
}

std::string BodyOf(const DoingOptions& args) {
  const std::vector<std::string> tables = SplitList(args.tables);
  if (tables.empty()) return "{}";
  JsonArray list;
  for (const std::string& table : tables) list.Text(table);
  return JsonObject().Raw("tables", list.Take()).Take();
}

uint64_t NumberAt(const json::Tree& tree, std::string_view object, std::string_view member) {
  const uint32_t at = tree.Find(0, object);
  if (at == json::kNone || tree.node(at).type != json::Type::kObject) return 0;
  const uint32_t value = tree.Find(at, member);
  if (value == json::kNone) return 0;
  const std::string text = CellOf(tree, value);
  uint64_t number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

struct Ticket {
  std::string json;  // as answered
  std::vector<std::string> cells;
  uint64_t number = 0;
  bool ships = false;
};
constexpr std::string_view kTicketColumns[] = {"request", "ships"};

Result<Ticket> AskFlush(RemoteNode* node) {
  TD_ASSIGN_OR_RETURN(const RemoteAnswer answer, node->Post({"/v1/flush", {}}, "{}"));
  json::Tree tree;
  TD_RETURN_IF_ERROR(ParseObject(answer.body, &tree));
  Ticket ticket{.json = std::string(tree.Raw(0)), .cells = CellsOf(tree, 0, kTicketColumns)};
  const std::string& number = ticket.cells[0];
  std::from_chars(number.data(), number.data() + number.size(), ticket.number);
  ticket.ships = ticket.cells[1] == "true";
  return ticket;
}

/// Until it is done. kUnavailable: the node was started again meanwhile, and does not know of it.
Status WaitUntilDone(RemoteNode* node, const Ticket& ticket) {
  constexpr std::pair<std::string_view, std::string_view> kRising[] = {
      {"http", "requests"}, {"recording", "commits"}, {"recording", "flush_requests_done"}};
  uint64_t before[std::size(kRising)] = {};
  for (;;) {
    TD_ASSIGN_OR_RETURN(const RemoteAnswer status, node->Get({"/v1/status", {}}));
    json::Tree now;
    TD_RETURN_IF_ERROR(ParseObject(status.body, &now));
    for (size_t i = 0; i < std::size(kRising); ++i) {
      const uint64_t value = NumberAt(now, kRising[i].first, kRising[i].second);
      if (value < before[i]) {
        return Status::Unavailable(
            "the node was started again before it was done: what it had not shipped is open "
            "again; ask once more");
      }
      before[i] = value;
    }
    const uint64_t done = ticket.ships ? NumberAt(now, "ship", "requests_done")
                                       : NumberAt(now, "recording", "flush_requests_done");
    if (done >= ticket.number) return Status::Ok();
    SystemClock().SleepFor(kLookEvery);
  }
}

/// Asks once. To wait, asks once more for everything to be shipped: that is done behind the close,
/// whatever was in memory and whatever comes meanwhile. Then tells how the days are.
Status RunClose(const DoingOptions& args, AnswerFormat format, uint64_t* rows) {
  TD_ASSIGN_OR_RETURN(std::unique_ptr<RemoteNode> node, RemoteNode::Open(args));
  const RemoteRequest request{"/v1/days/" + PercentEncode(args.day) + "/close", {}};
  TD_ASSIGN_OR_RETURN(const RemoteAnswer answer, node->Post(request, BodyOf(args)));
  json::Tree tree;
  TD_RETURN_IF_ERROR(ParseObject(answer.body, &tree));
  const uint32_t list = tree.Find(0, "data");
  if (list == json::kNone || tree.node(list).type != json::Type::kArray)
    return Status::Unavailable("the answer has no data: is this a tapedeck node?");
  AnswerOutput out(format, Strings(kStateColumns));
  std::set<std::pair<std::string, std::string>> days;  // by table; of a coarser one its first
  for (uint32_t e = tree.First(list); e != json::kNone; e = tree.Next(list, e)) {
    const std::vector<std::string> cells = CellsOf(tree, e, kStateColumns);
    days.emplace(cells[0], cells[1]);
    if (!args.wait) TD_RETURN_IF_ERROR(out.Row(tree.Raw(e), cells));
  }
  if (args.wait) {
    TD_ASSIGN_OR_RETURN(const Ticket ticket, AskFlush(node.get()));
    TD_RETURN_IF_ERROR(WaitUntilDone(node.get(), ticket));
    for (const auto& [table, day] : days) {
      const uint64_t before = out.rows();
      const RemoteList now{{"/v1/days", {{"table", table}, {"start", day}, {"end", "+24h"}}},
                           "data",
                           RemoteList::Paged::kYes};
      TD_RETURN_IF_ERROR(
          VisitRemoteList(node.get(), now, UINT64_MAX, [&](const json::Tree& row, uint32_t entry) {
            return out.Row(row.Raw(entry), CellsOf(row, entry, kStateColumns));
          }));
      if (out.rows() > before) continue;
      const std::string nothing = JsonObject()
                                      .Text("table", table)
                                      .Text("day", day)
                                      .Count("generation", 0)
                                      .Text("state", "open")
                                      .Count("rows", 0)
                                      .Take();
      TD_RETURN_IF_ERROR(out.Row(nothing, {table, day, "0", "open", "0", ""}));
    }
  }
  *rows = out.rows();
  return out.Finish();
}

Status RunFlush(const DoingOptions& args, AnswerFormat format, uint64_t* rows) {
  TD_ASSIGN_OR_RETURN(std::unique_ptr<RemoteNode> node, RemoteNode::Open(args));
  TD_ASSIGN_OR_RETURN(const Ticket ticket, AskFlush(node.get()));
  if (args.wait) TD_RETURN_IF_ERROR(WaitUntilDone(node.get(), ticket));
  AnswerOutput out(format, Strings(kTicketColumns));
  TD_RETURN_IF_ERROR(out.Row(ticket.json, ticket.cells));
  *rows = out.rows();
  return out.Finish();
}

template <typename Options>
std::function<int()> Runner(const std::shared_ptr<Options>& args,
                            Status (*run)(const Options&, AnswerFormat, uint64_t*)) {
  return [=] {
    return RunReading(*args, [&](uint64_t* rows) {
      Result<AnswerFormat> format = ParseFormat(args->output, Forms::kText);
      return format.ok() ? run(*args, *format, rows) : format.status();
    });
  };
}

CLI::App* AddListing(CLI::App* app, Choice* choice, const std::string& name,
                     const std::string& what,
                     Status (*run)(const ArchiveOptions&, AnswerFormat, uint64_t*)) {
  auto args = std::make_shared<ArchiveOptions>();
  CLI::App* command = app->add_subcommand(name, what);
  args->AddTo(command);
  CLI::Option* archive = command->add_option(
      "--archive", args->archive, "read the manifests of this archive: file://, s3:// or az://");
  archive->type_name("URL");
  command
      ->add_option("--endpoint", args->endpoint, "of --archive, where it is not the provider's own")
      ->type_name("URL")
      ->needs(archive);
  command->add_option("--table", args->query.table, "of one table")->type_name("TABLE");
  args->range.AddTo(command);
  args->limit.AddTo(command, LimitOptions::Pages::kNo);
  command->callback([=] { choice->run = Runner(args, run); });
  return command;
}

}  // namespace

void AddArchiveCommands(CLI::App* app, Choice* choice) {
  AddListing(app, choice, "days", "Days: how far each is on its way into the archive", RunDays)
      ->footer(
          "Examples:\n"
          "  tapedeck days --table trades --start 2024-07-01\n"
          "  tapedeck days -d /var/lib/tapedeck\n"
          "  tapedeck days --archive s3://market-data/tapedeck");
  AddListing(app, choice, "objects", "Objects of the archive: rows, bytes, hash, what is in them",
             RunObjects)
      ->footer(
          "--table tape lists the tape itself. Credentials for --archive come from the "
          "environment, "
          "files or a role.\n"
          "Examples:\n"
          "  tapedeck objects --table trades --start 2024-07-02 --end +1d\n"
          "  tapedeck objects --archive file:///var/lib/tapedeck/archive -o json");

  auto close = std::make_shared<DoingOptions>();
  CLI::App* command =
      app->add_subcommand("close", "Close a day and ship it now; asks a running node");
  command->add_option("day", close->day, "such as 2024-07-02")->required()->type_name("DAY");
  AddListOption(command, "--table,-t", &close->tables, "only these; default: all tables")
      ->type_name("TABLE");
  command->add_flag("--wait", close->wait, "return when it is shipped");
  close->AddNodeTo(command);
  command->footer(
      "Rows that come later are a new generation of the day. Twice is as once. A token needs the "
      "scope admin.\n"
      "Examples:\n"
      "  tapedeck close 2024-07-02 --wait\n"
      "  tapedeck close 2024-07-02 --table trades --url https://deck.example:8080");
  command->callback([=] { choice->run = Runner(close, RunClose); });

  auto flush = std::make_shared<DoingOptions>();
  command = app->add_subcommand(
      "flush", "Commit, flush, and ship what can be shipped; before a machine goes away");
  command->add_flag("--wait", flush->wait, "return when it is done");
  flush->AddNodeTo(command);
  command->footer(
      "Ships every closed day and the tape so far. A token needs the scope admin.\n"
      "Example:\n"
      "  tapedeck flush --wait");
  command->callback([=] { choice->run = Runner(flush, RunFlush); });
}

}  // namespace tapedeck::cli
