// tapedeck replay create|list|show|pause|resume|seek|pace|cancel|offsets|delete

#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "base/file.h"
#include "node/json_line.h"
#include "tapedeck/answer_output.h"
#include "tapedeck/job_commands.h"
#include "tapedeck/job_document.h"
#include "tapedeck/number_checks.h"
#include "tapedeck/read_commands.h"
#include "tapedeck/read_options.h"
#include "tapedeck/remote_node.h"

namespace tapedeck::cli {
namespace {

struct ReplayArguments {
  ReadOptions node;
  std::vector<std::string> topics;
  std::vector<std::string> symbols;
  std::string start, end, clock = "kafka";
  std::string target, to;
  std::string partition = "same", timestamps = "original", value = "original";
  std::string order = "arrival", delivery = "exactly-once";
  double speed = 0;
  uint64_t rate = 0, bytes_rate = 0;
  std::string max_idle;
  std::string key;
  bool no_provenance = false, allow_gaps = false, force = false, restore = false, wait = false,
       max = false;
  std::string id, time;
};

std::string PaceOf(const ReplayArguments& args) {
  JsonLine pace;
  if (args.rate > 0 || args.bytes_rate > 0) {
    pace.Text("mode", "rate");
    if (args.rate > 0) pace.Count("messages_per_second", args.rate);
    if (args.bytes_rate > 0) pace.Count("bytes_per_second", args.bytes_rate);
  } else if (args.speed > 0) {
    pace.Text("mode", "original").Real("speed", args.speed, 9);
  } else {
    pace.Text("mode", "max");
  }
  if (!args.max_idle.empty()) pace.Text("max_idle", args.max_idle);
  return pace.Take();
}

bool NamesPace(const ReplayArguments& args) {
  return args.max || args.speed > 0 || args.rate > 0 || args.bytes_rate > 0;
}

std::string RequestOf(const ReplayArguments& args) {
  JsonLine source;
  source.Raw("topics", JsonTexts(args.topics)).Text("clock", args.clock);
  if (!args.symbols.empty()) source.Raw("symbols", JsonTexts(args.symbols));
  if (!args.start.empty()) source.Text("start", args.start);
  if (!args.end.empty()) source.Text("end", args.end);
  const bool number = args.partition.find_first_not_of("0123456789") == std::string::npos;
  JsonLine target;
  target.Text("name", args.target)
      .Text("topic", args.to)
      .Raw("partition", number ? args.partition : JsonText(args.partition))
      .Text("value", args.value)
      .Text("timestamps", args.timestamps)
      .Flag("provenance", !args.no_provenance);
  JsonLine request;
  request.Raw("source", source.Take())
      .Raw("target", target.Take())
      .Text("order", args.order)
      .Raw("pace", PaceOf(args))
      .Text("delivery", args.delivery)
      .Flag("allow_gaps", args.allow_gaps)
      .Flag("force", args.force)
      .Flag("restore", args.restore);
  return request.Take();
}

std::vector<std::string> CellsOfJob(const JobDocument& job) {
  std::string rate = job.Field("progress", "rate");
  rate = rate.substr(0, rate.find('.'));
  return {job.Field("id"),
          job.Field("state"),
          job.Field("progress", "messages"),
          job.Field("progress", "total"),
          rate,
          job.Field("progress", "position"),
          job.Field("pacing", "p99_us"),
          job.Field("error")};
}

std::string ProgressOf(const std::vector<std::string>& cells) {
  return cells[1] + "  " + cells[2] + " of " + cells[3] + " messages  " + cells[4] + "/s  at " +
         cells[5];
}

JobKind Replays() {
  return {.path = "/v1/replays",
          .name = "replay",
          .columns = {"id", "state", "messages", "total", "rate", "position", "p99_us", "error"},
          .cells = CellsOfJob,
          .progress = ProgressOf};
}

std::string PathOf(const std::string& id) { return Replays().PathOf(id); }

int RunOne(const ReplayArguments& args, const std::string& method, const std::string& path,
           const std::string& body) {
  JobCall call{.method = method, .path = path, .body = body, .headers = {}, .wait = args.wait};
  if (!args.key.empty()) call.headers.emplace_back("Idempotency-Key", args.key);
  return RunJob(args.node, Replays(), call);
}

// A rate or a speed that is mistyped must not become the greatest there is.
void AddPace(CLI::App* command, ReplayArguments* args) {
  CLI::Option* speed =
      command->add_option("--speed", args->speed, "original spacing times this; default: maximum")
          ->check(NumberAboveZero());
  CLI::Option* rate =
      command->add_option("--rate", args->rate, "messages a second")->check(WholeNumberFrom(1));
  CLI::Option* bytes_rate = command->add_option("--bytes-rate", args->bytes_rate, "bytes a second")
                                ->check(WholeNumberFrom(1));
  speed->excludes(rate)->excludes(bytes_rate);
  command->add_option("--max-idle", args->max_idle, "longest silence, as 5s");
}

void AddCreate(CLI::App* replay, Choice* choice) {
  auto args = std::make_shared<ReplayArguments>();
  CLI::App* create = replay->add_subcommand("create", "Make a job");
  args->node.AddNodeTo(create);
  create->add_option("--topic,-t", args->topics, "source topic; may be repeated")
      ->required()
      ->allow_extra_args(false);
  create->add_option("--symbol,-s", args->symbols, "only messages with records of it")
      ->allow_extra_args(false);
  create->add_option("--start", args->start, "from this time on");
  create->add_option("--end", args->end, "before this time; also +1h after --start");
  create->add_option("--clock", args->clock, "what the times are measured by")
      ->check(CLI::IsMember({"kafka", "event"}));
  create->add_option("--target", args->target, "a [replay.targets.NAME] of the node")->required();
  create->add_option("--to", args->to, "target topic; {topic} stands for the source's")->required();
  AddPace(create, args.get());
  create->add_option("--partition", args->partition, "same, key, or a number");
  create->add_option("--timestamps", args->timestamps, "of the messages that are sent")
      ->check(CLI::IsMember({"original", "now", "shift"}));
  create
      ->add_option("--value", args->value,
                   "as recorded, or one message for each record, re-encoded")
      ->check(CLI::IsMember({"original", "json", "flatbuffer"}));
  create->add_option("--order", args->order, "by Kafka time, or by event time")
      ->check(CLI::IsMember({"arrival", "event"}));
  create->add_option("--delivery", args->delivery, "with transactions or without")
      ->check(CLI::IsMember({"exactly-once", "at-least-once"}));
  create->add_flag("--no-provenance", args->no_provenance, "send no headers of our own");
  create->add_flag("--allow-gaps", args->allow_gaps, "leave out what is not recorded");
  create->add_flag("--force", args->force, "also into a topic that the node records");
  create->add_flag("--restore", args->restore, "into an empty topic, as it was");
  create->add_option("--key", args->key, "idempotency key: the same request makes one job");
  create->add_flag("--wait,-w", args->wait, "follow it to its end");
  create->footer(
      "Example:\n"
      "  tapedeck replay create --topic Finhub1 --start 2024-07-02 --end +1h --target lab \\\n"
      "      --to Finhub1-replay --speed 10 --wait");
  create->callback([=] {
    choice->run = [=] { return RunOne(*args, "POST", "/v1/replays", RequestOf(*args)); };
  });
}

void AddOrder(CLI::App* replay, Choice* choice, const std::string& name, const std::string& help,
              const std::string& body) {
  auto args = std::make_shared<ReplayArguments>();
  CLI::App* order = replay->add_subcommand(name, help);
  args->node.AddNodeTo(order);
  order->add_option("id", args->id, "of the job")->required();
  if (name == "seek") order->add_option("time", args->time, "where to go on")->required();
  if (name == "pace") {
    AddPace(order, args.get());
    order->add_flag("--max", args->max, "as fast as possible")
        ->excludes("--speed")
        ->excludes("--rate")
        ->excludes("--bytes-rate");
  }
  order->add_flag("--wait,-w", args->wait, "follow it to its end");
  const std::string more = name == "seek"   ? " 2024-07-02T12:00:00Z"
                           : name == "pace" ? " --speed 2"
                                            : "";
  order->footer("Example:\n  tapedeck replay " + name + " 01J8Z3QF9W3YB2C4D5E6F7G8H9" + more);
  order->callback([=] {
    choice->run = [=] {
      std::string text = body;
      if (name == "seek") text = "{\"seek\":" + JsonText(args->time) + "}";
      if (name == "pace" && !NamesPace(*args)) {
        return Fail(Status::InvalidArgument("name --speed, --rate, --bytes-rate or --max"));
      }
      if (name == "pace") text = "{\"pace\":" + PaceOf(*args) + "}";
      return RunOne(*args, "PATCH", PathOf(args->id), text);
    };
  });
}

void AddListShowDelete(CLI::App* replay, Choice* choice) {
  auto list_args = std::make_shared<ReplayArguments>();
  CLI::App* list = replay->add_subcommand("list", "All jobs of the node");
  list_args->node.AddNodeTo(list);
  list->footer("Example:\n  tapedeck replay list -o json");
  list->callback([=] { choice->run = [=] { return RunJobList(list_args->node, Replays()); }; });
  auto show_args = std::make_shared<ReplayArguments>();
  CLI::App* show = replay->add_subcommand("show", "One job");
  show_args->node.AddNodeTo(show);
  show->add_option("id", show_args->id, "of the job")->required();
  show->add_flag("--wait,-w", show_args->wait, "follow it to its end");
  show->footer("Example:\n  tapedeck replay show 01J8Z3QF9W3YB2C4D5E6F7G8H9 --wait");
  show->callback(
      [=] { choice->run = [=] { return RunOne(*show_args, "GET", PathOf(show_args->id), ""); }; });
  auto delete_args = std::make_shared<ReplayArguments>();
  CLI::App* remove = replay->add_subcommand("delete", "Cancel a job and forget it");
  delete_args->node.AddNodeTo(remove);
  remove->add_option("id", delete_args->id, "of the job")->required();
  remove->footer("Example:\n  tapedeck replay delete 01J8Z3QF9W3YB2C4D5E6F7G8H9");
  remove->callback([=] {
    choice->run = [=] { return RunJobDelete(delete_args->node, Replays(), delete_args->id); };
  });
}

struct OffsetArguments {
  ReadOptions node;
  std::string id, topic, groups;
  std::optional<int32_t> partition;
  std::optional<int64_t> from, limit;
};

Status PrintOffsets(const OffsetArguments& args, RemoteNode* node) {
  RemoteRequest request{PathOf(args.id) + "/offsets", {}};
  if (!args.topic.empty()) request.parameters.emplace_back("topic", args.topic);
  if (args.partition) request.parameters.emplace_back("partition", std::to_string(*args.partition));
  if (args.from) request.parameters.emplace_back("from_offset", std::to_string(*args.from));
  if (args.limit) request.parameters.emplace_back("limit", std::to_string(*args.limit));
  return node->Stream(request, [](std::string_view piece) { return WriteOut(piece); }).status();
}

constexpr size_t kGroupsBytesMax = size_t{16} << 20;

std::vector<std::string> SplitLines(std::string_view text) {
  std::vector<std::string> lines;
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.ends_with('\r')) line.remove_suffix(1);
    lines.emplace_back(line);
  }
  return lines;
}

// Lines "topic,partition,offset", as kafka-consumer-groups --export writes and --from-file reads.
Status MoveGroups(const OffsetArguments& args, RemoteNode* node) {
  TD_ASSIGN_OR_RETURN(RemoteAnswer shown, node->Get({PathOf(args.id), {}}));
  TD_ASSIGN_OR_RETURN(const JobDocument job, JobDocument::Parse(std::move(shown.body)));
  const std::string target = job.Field("target", "topic");
  TD_ASSIGN_OR_RETURN(const std::string lines, ReadFile(args.groups, kGroupsBytesMax));
  std::string moved;
  size_t number = 0;
  for (const std::string& line : SplitLines(lines)) {
    ++number;
    const size_t second = line.rfind(',');
    const size_t first = second == std::string::npos || second == 0 ? std::string::npos
                                                                    : line.rfind(',', second - 1);
    if (line.empty()) continue;
    if (first == std::string::npos) {
      return Status::InvalidArgument(args.groups + ":" + std::to_string(number) +
                                     ": topic,partition,offset is needed");
    }
    const std::string topic = line.substr(0, first);
    const std::string partition = line.substr(first + 1, second - first - 1);
    TD_ASSIGN_OR_RETURN(RemoteAnswer answer, node->Get({PathOf(args.id) + "/offsets",
                                                        {{"topic", topic},
                                                         {"partition", partition},
                                                         {"from_offset", line.substr(second + 1)},
                                                         {"limit", "1"}}}));
    const std::vector<std::string> rows = SplitLines(answer.body);
    if (rows.size() < 2) return Status::Unavailable("the answer holds no row");
    std::string to = target;
    if (const size_t hole = to.find("{topic}"); hole != std::string::npos) {
      to.replace(hole, 7, topic);
    }
    moved += to + "," + partition + "," + rows[1].substr(rows[1].rfind(',') + 1) + "\n";
  }
  return WriteOut(moved);
}

void AddOffsets(CLI::App* replay, Choice* choice) {
  auto args = std::make_shared<OffsetArguments>();
  CLI::App* offsets = replay->add_subcommand(
      "offsets", "Where the messages of a restore lie now: partition, old, new (CSV)");
  args->node.AddNodeTo(offsets);
  offsets->add_option("id", args->id, "of the job")->required();
  CLI::Option* topic = offsets->add_option("--topic,-t", args->topic, "the recorded one");
  offsets->add_option("--partition", args->partition, "this one only");
  CLI::Option* from = offsets->add_option("--from-offset", args->from, "from this old offset on");
  offsets->add_option("--limit", args->limit, "at most so many rows");
  offsets
      ->add_option("--groups", args->groups,
                   "instead: lines topic,partition,offset of this file with the new offsets, for "
                   "kafka-consumer-groups --reset-offsets --from-file")
      ->excludes(topic)
      ->excludes(from);
  offsets->footer(
      "Example:\n"
      "  tapedeck replay offsets 01J8Z3QF9W3YB2C4D5E6F7G8H9 --groups before.csv > after.csv");
  offsets->callback([=] {
    choice->run = [=] {
      Result<std::unique_ptr<RemoteNode>> node = RemoteNode::Open(args->node);
      if (!node.ok()) return Fail(node.status());
      const Status printed =
          args->groups.empty() ? PrintOffsets(*args, node->get()) : MoveGroups(*args, node->get());
      return printed.ok() ? static_cast<int>(kExitOk) : Fail(printed);
    };
  });
}

}  // namespace

void AddReplayCommands(CLI::App* app, Choice* choice) {
  CLI::App* replay = app->add_subcommand(
      "replay", "Play a part of the recording back into Kafka (a job of a node)");
  replay->require_subcommand(1);
  replay->footer(
      "Example:\n"
      "  tapedeck replay create --topic Finhub1 --start 2024-07-02 --end +1h --target lab \\\n"
      "      --to Finhub1-replay --speed 10 --wait");
  AddCreate(replay, choice);
  AddListShowDelete(replay, choice);
  AddOrder(replay, choice, "pause", "Stop sending; nothing stays open", R"({"state":"paused"})");
  AddOrder(replay, choice, "resume", "Go on, also after a failure", R"({"state":"running"})");
  AddOrder(replay, choice, "seek", "Go on at another time", "");
  AddOrder(replay, choice, "pace", "Change how fast it goes", "");
  AddOrder(replay, choice, "cancel", "End it", R"({"state":"cancelled"})");
  AddOffsets(replay, choice);
}

}  // namespace tapedeck::cli
