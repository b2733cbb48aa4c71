// tapedeck mapping test | show | list

#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>
#include <set>

#include "base/clock.h"
#include "config/config.h"
#include "config/presets.h"
#include "mapping/json_tree.h"
#include "mapping/mapping.h"
#include "mapping/program.h"
#include "node/json_line.h"
#include "node/plan.h"
#include "tapedeck/commands.h"
#include "tapedeck/config_options.h"
#include "tapedeck/message_files.h"

namespace tapedeck::cli {
namespace {

struct TestArguments {
  ConfigOptions config;
  std::string mapping;
  std::string topic = "test";
  std::string key;
  bool has_key = false;
  std::string time_zone;
  std::string symbol_prefix;
  std::vector<std::string> headers;
  int64_t timestamp_ms = -1;
  bool fail_empty = false;
  std::vector<std::string> files;
};

struct Totals {
  uint64_t messages = 0;
  uint64_t records = 0;
  uint64_t skipped = 0;
  uint64_t refused = 0;
};

/// The mapping under test; --tz lays a zone over it.
Result<MappingSpec> SpecUnderTest(const TestArguments& args, const Config& config) {
  MappingLibrary library = LibraryOf(config);
  if (args.mapping == "none" && !library.contains("none")) return MappingSpec::None();
  std::string name = args.mapping;
  if (!args.time_zone.empty() && library.contains(name)) {
    JsonLine over;
    over.Text("base", args.mapping).Text("tz", args.time_zone);
    name = args.mapping + " with --tz";
    library[name] = over.Take();
  }
  return MappingSpec::Resolve(
      name, library,
      {.symbol_prefix = args.symbol_prefix, .max_ahead_ns = config.record.max_ahead.count()});
}

/// A line starts with what tells several files and several messages apart.
JsonLine StartLine(const TestArguments& args, const std::string& file, const FileMessage& message) {
  JsonLine line;
  if (args.files.size() > 1) line.Text("file", file);
  if (message.numbered) line.Count("msg", message.number);
  return line;
}

/// What is known of the mapping beside its decoder.
struct Shape {
  bool reads_csv = false;
  /// Of each rule: the columns that its records show: those of a core table, and its own fields.
  std::vector<std::vector<uint32_t>> columns;
};

Result<Shape> ShapeOf(const MappingSpec& spec, const TableRegistry& tables) {
  json::Tree tree;
  if (tree.Parse(spec.canonical()) != json::Tree::Outcome::kOk)
    return Status::Internal("the mapping's canonical text is no JSON");
  const uint32_t at = tree.Find(0, "mapping");
  if (at == json::kNone) return Status::Internal("the mapping's canonical text has no mapping");
  TD_ASSIGN_OR_RETURN(rules::Program program, rules::ParseProgram(tree, at));
  Shape shape;
  shape.reads_csv = program.format == rules::Format::kCsv;
  for (const rules::Rule& rule : program.rules) {
    const Table* table = tables.Find(rule.table);
    TD_CHECK(table != nullptr, "a decoder declares the tables of its rules");
    std::set<uint32_t> columns;
    for (const Column& column : CoreColumns(rule.table))
      columns.insert(static_cast<uint32_t>(table->FindColumn(column.name)));
    for (const rules::Selector& field : rule.fields)
      columns.insert(static_cast<uint32_t>(table->FindColumn(field.name)));
    shape.columns.emplace_back(columns.begin(), columns.end());
  }
  return shape;
}

void PrintRecord(const TestArguments& args, JsonLine line, const DecodedRecord& record,
                 const Table& table, const Shape& shape) {
  JsonLine fields;
  std::string text;
  for (uint32_t i : shape.columns.at(record.rule)) {
    bool present = i < record.values.size() && !record.values[i].is_null();
    if (!present) {
      fields.Null(table.columns[i].name);
      continue;
    }
    text.clear();
    record.values[i].AppendCanonical(&text);
    fields.Text(table.columns[i].name, text);
  }
  line.Text("table", table.name).Text("symbol", record.symbol);
  // A time that comes from Kafka is not known before there is a message.
  if (args.timestamp_ms < 0 && record.ts_source == "kafka") {
    line.Null("ts_ns");
  } else {
    line.Text("ts_ns", std::to_string(record.ts.ns()));
  }
  line.Text("ts_source", record.ts_source).Raw("fields", fields.Take());
  std::puts(line.Take().c_str());
}

void PrintDecoded(const TestArguments& args, const std::string& file, const FileMessage& message,
                  const Decoded& decoded, const TableRegistry& tables, const Shape& shape,
                  Totals* totals) {
  size_t mark = 0;
  auto print_marks = [&](size_t before) {
    for (; mark < decoded.marks.size() && decoded.marks[mark].position <= before; ++mark) {
      bool refused = decoded.marks[mark].kind == DecodedMark::Kind::kRefused;
      ++(refused ? totals->refused : totals->skipped);
      JsonLine line = StartLine(args, file, message);
      line.Text(refused ? "refuse" : "skip", decoded.marks[mark].reason);
      std::puts(line.Take().c_str());
    }
  };
  for (size_t i = 0; i < decoded.records.size(); ++i) {
    print_marks(i);
    PrintRecord(args, StartLine(args, file, message), decoded.records[i],
                *tables.Find(decoded.records[i].table), shape);
  }
  print_marks(SIZE_MAX);
  totals->records += decoded.records.size();
  ++totals->messages;
}

Result<std::vector<HeaderView>> HeadersOf(const TestArguments& args) {
  std::vector<HeaderView> headers;
  for (const std::string& header : args.headers) {
    size_t equals = header.find('=');
    if (equals == std::string::npos)
      return Status::InvalidArgument("--header " + header + ": write name=value");
    headers.push_back(
        {std::string_view(header).substr(0, equals), std::string_view(header).substr(equals + 1)});
  }
  return headers;
}

Status TestMapping(const TestArguments& args, Totals* totals) {
  TD_ASSIGN_OR_RETURN(Config config, args.config.Load());
  TD_ASSIGN_OR_RETURN(MappingSpec spec, SpecUnderTest(args, config));
  TableRegistry tables;
  TD_ASSIGN_OR_RETURN(std::unique_ptr<Decoder> decoder, Decoder::Make(spec, &tables));
  TD_ASSIGN_OR_RETURN(std::vector<HeaderView> headers, HeadersOf(args));
  const TopicPartition tp{args.topic, 0};
  TD_ASSIGN_OR_RETURN(const Shape shape, ShapeOf(spec, tables));
  const CsvRows csv_rows = shape.reads_csv ? CsvRows::kWhole : CsvRows::kAsObjects;
  int64_t offset = 0;
  Decoded decoded;
  for (const std::string& file : args.files) {
    Status read = ReadMessageFile(file, csv_rows, [&](const FileMessage& message) {
      MessageView view;
      view.offset = offset++;
      const Timestamp now = SystemClock().Now();
      view.timestamp_ms =
          args.timestamp_ms >= 0 ? args.timestamp_ms : now.ns() / NanosPer(TimeUnit::kMilliseconds);
      view.timestamp_type = TimestampType::kCreate;
      if (args.has_key) view.key = args.key;
      view.value = message.value;
      view.headers = headers;
      decoder->Decode(tp, view, now, &decoded);
      PrintDecoded(args, file, message, decoded, tables, shape, totals);
    });
    TD_RETURN_IF_ERROR(read);
  }
  return Status::Ok();
}

int RunTest(const TestArguments& args) {
  Totals totals;
  Status status = TestMapping(args, &totals);
  std::fflush(stdout);
  if (!status.ok()) return Fail(status);
  std::fprintf(stderr, "%llu messages, %llu records, %llu skipped, %llu refused\n",
               static_cast<unsigned long long>(totals.messages),
               static_cast<unsigned long long>(totals.records),
               static_cast<unsigned long long>(totals.skipped),
               static_cast<unsigned long long>(totals.refused));
  return args.fail_empty && totals.records == 0 ? kExitNothingFound : kExitOk;
}

int RunShow(const std::string& name, const ConfigOptions& options, bool canonical) {
  Result<Config> config = options.Load();
  if (!config.ok()) return Fail(config.status());
  Result<std::string_view> preset = PresetToml(name);
  bool own = config->mappings.contains(name);
  if (!canonical && !own && preset.ok()) {
    std::fwrite(preset->data(), 1, preset->size(), stdout);
    return kExitOk;
  }
  Result<MappingSpec> spec = MappingSpec::Resolve(name, LibraryOf(*config), {});
  if (!spec.ok()) return Fail(spec.status());
  std::puts(spec->canonical().c_str());
  return kExitOk;
}

int RunList(const ConfigOptions& options) {
  Result<Config> config = options.Load();
  if (!config.ok()) return Fail(config.status());
  for (const auto& [name, json] : LibraryOf(*config)) {
    std::printf("%s%s\n", name.c_str(), config->mappings.contains(name) ? "  (configuration)" : "");
  }
  std::puts("none");
  return kExitOk;
}

void AddTest(CLI::App* mapping, Choice* choice) {
  auto args = std::make_shared<TestArguments>();
  CLI::App* test = mapping->add_subcommand(
      "test", "Decode files with a mapping and print records, skipped and refused");
  test->add_option("--mapping,-m", args->mapping, "a preset, or a mapping of the configuration")
      ->required();
  args->config.AddTo(test);
  test->add_option("--topic,-t", args->topic, "topic the messages are said to come from")
      ->capture_default_str();
  CLI::Option* key = test->add_option("--key,-k", args->key, "key of each message");
  test->add_option("--tz", args->time_zone,
                   "zone of times without an offset, such as Europe/Warsaw");
  test->add_option("--symbol-prefix", args->symbol_prefix, "put before each symbol");
  test->add_option("--header", args->headers, "header of each message, name=value; may be repeated")
      ->take_all()
      ->expected(1, 1);
  test->add_option("--timestamp-ms", args->timestamp_ms,
                   "Kafka timestamp of each message; without it, a ts from Kafka is shown as null");
  test->add_flag("--fail-empty", args->fail_empty, "exit 3 where no record was made");
  test->add_option("files", args->files,
                   "files: .json (one message), .ndjson, .csv (header row), .hex; also with .zst; "
                   "- for NDJSON on stdin")
      ->required()
      ->type_name("FILE");
  test->footer(
      "Prints one JSON object a line: {\"table\",\"symbol\",\"ts_ns\",\"ts_source\",\"fields\"}, "
      "{\"skip\"} or {\"refuse\"};\n"
      "\"msg\" numbers the messages of a file that holds several, \"file\" is there where several "
      "files were given.\n"
      "Examples:\n"
      "  tapedeck mapping test --mapping finnhub frame.json\n"
      "  tapedeck mapping test --mapping mine --config tapedeck.toml --tz Europe/Warsaw "
      "capture.ndjson.zst");
  test->callback([=] {
    args->has_key = key->count() > 0;
    choice->run = [=] { return RunTest(*args); };
  });
}

}  // namespace

void AddMappingCommands(CLI::App* app, Choice* choice) {
  CLI::App* mapping = app->add_subcommand(
      "mapping", "Test, show and list mappings: the rules that turn messages into records");
  mapping->require_subcommand(1);
  AddTest(mapping, choice);

  auto options = std::make_shared<ConfigOptions>();
  auto name = std::make_shared<std::string>();
  auto canonical = std::make_shared<bool>(false);
  CLI::App* show = mapping->add_subcommand(
      "show", "Print a preset, to copy from; or the canonical form of any mapping");
  show->add_option("mapping", *name, "name of a preset or of a mapping of the configuration")
      ->required();
  show->add_flag("--canonical", *canonical,
                 "the JSON text that is stored and hashed, with base resolved");
  options->AddTo(show);
  show->footer(
      "Examples:\n  tapedeck mapping show finnhub > mine.toml\n  tapedeck mapping show mine "
      "--config tapedeck.toml --canonical");
  show->callback([=] { choice->run = [=] { return RunShow(*name, *options, *canonical); }; });

  auto list_options = std::make_shared<ConfigOptions>();
  CLI::App* list =
      mapping->add_subcommand("list", "List the presets and the mappings of the configuration");
  list_options->AddTo(list);
  list->footer("Example:\n  tapedeck mapping list");
  list->callback([=] { choice->run = [=] { return RunList(*list_options); }; });
}

}  // namespace tapedeck::cli
