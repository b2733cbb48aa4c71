#include <algorithm>
#include <array>
#include <utility>

#include "base/limits.h"
#include "mapping/program.h"
#include "mapping/selector_parser.h"
#include "mapping/spec_reader.h"

namespace tapedeck::rules {
namespace {

constexpr std::array<std::string_view, 11> kMappingKeys = {
    "format", "schema",    "columns",    "each",     "refuse", "skip",
    "tz",     "unmatched", "accept_nan", "on_error", "records"};
constexpr std::array<std::string_view, 6> kRuleKeys = {"when",   "each", "table",
                                                       "symbol", "ts",   "fields"};
constexpr std::array<std::pair<std::string_view, Format>, 6> kFormats = {{
    {"auto", Format::kAuto},
    {"json", Format::kJson},
    {"csv", Format::kCsv},
    {"confluent", Format::kConfluent},
    {"avro", Format::kAvro},
    {"none", Format::kNone},
}};
constexpr size_t kRulesMax = 256;

Result<std::vector<Condition>> ReadConditions(const SpecReader& reader, uint32_t at,
                                              std::string_view where) {
  std::vector<Condition> out;
  TD_ASSIGN_OR_RETURN(std::vector<std::string> texts, reader.Texts(at, where));
  for (const std::string& text : texts) {
    Result<Condition> condition = ParseCondition(text);
    if (!condition.ok()) return condition.status().WithContext(where);
    out.push_back(std::move(*condition));
  }
  return out;
}

Result<std::vector<Path>> ReadEach(const SpecReader& reader, uint32_t at, std::string_view where) {
  std::vector<Path> out;
  TD_ASSIGN_OR_RETURN(std::vector<std::string> texts, reader.Texts(at, where));
  for (const std::string& text : texts) {
    Result<Path> path = ParsePath(text, PathUse::kEach);
    if (!path.ok()) return path.status().WithContext(where);
    out.push_back(std::move(*path));
  }
  return out;
}

Status ReadFields(const SpecReader& reader, uint32_t at, const std::string& where,
                  const Program& program, Rule* rule) {
  if (!reader.IsObject(at)) return SpecError(where, "a table of fields is expected");
  const json::Tree& tree = reader.tree();
  for (uint32_t m = tree.First(at); m != json::kNone; m = tree.Next(at, m)) {
    SelectorContext context;
    TD_ASSIGN_OR_RETURN(context.name, reader.Key(m, where));
    TD_RETURN_IF_ERROR(CheckColumnName(context.name).WithContext(where));
    context.where = where + "." + context.name;
    context.tz = program.tz;
    for (const Column& core : CoreColumns(rule->table)) {
      if (core.name == context.name) context.type = core.type;
    }
    for (const Selector& other : rule->fields) {
      if (other.name == context.name) return SpecError(context.where, "the field comes twice");
    }
    TD_ASSIGN_OR_RETURN(Selector field, ParseSelector(reader, m, context));
    rule->fields.push_back(std::move(field));
  }
  if (rule->fields.size() > limits::kTableColumnsMax)
    return SpecError(where, "there are too many fields");
  return Status::Ok();
}

Result<Rule> ReadRule(const SpecReader& reader, uint32_t at, const std::string& where,
                      const Program& program) {
  const json::Tree& tree = reader.tree();
  Rule rule;
  TD_RETURN_IF_ERROR(reader.CheckKeys(at, kRuleKeys, where));
  for (std::string_view key : {"table", "symbol", "ts"}) {
    if (tree.Find(at, key) == json::kNone)
      return SpecError(where, "'" + std::string(key) + "' is missing");
  }
  if (uint32_t when = tree.Find(at, "when"); when != json::kNone) {
    TD_ASSIGN_OR_RETURN(rule.when, ReadConditions(reader, when, where + ".when"));
    if (rule.when.empty())
      return SpecError(where + ".when", "the list is empty: leave it out for always");
  }
  if (uint32_t each = tree.Find(at, "each"); each != json::kNone) {
    TD_ASSIGN_OR_RETURN(rule.each, ReadEach(reader, each, where + ".each"));
  }
  TD_ASSIGN_OR_RETURN(rule.table, reader.Text(tree.Find(at, "table"), where + ".table"));
  TD_RETURN_IF_ERROR(CheckTableName(rule.table).WithContext(where));
  SelectorContext context{"symbol", where + ".symbol", ColumnType::kText, false, program.tz};
  TD_ASSIGN_OR_RETURN(rule.symbol, ParseSelector(reader, tree.Find(at, "symbol"), context));
  context = {"ts", where + ".ts", ColumnType::kTimestamp, true, program.tz};
  TD_ASSIGN_OR_RETURN(rule.ts, ParseSelector(reader, tree.Find(at, "ts"), context));
  if (uint32_t fields = tree.Find(at, "fields"); fields != json::kNone) {
    TD_RETURN_IF_ERROR(ReadFields(reader, fields, where + ".fields", program, &rule));
  }
  return rule;
}

Status ReadFormat(const SpecReader& reader, uint32_t at, Program* program) {
  const json::Tree& tree = reader.tree();
  if (uint32_t format = tree.Find(at, "format"); format != json::kNone) {
    TD_ASSIGN_OR_RETURN(std::string word, reader.Text(format, "format"));
    std::vector<std::string_view> known;
    bool found = false;
    for (const auto& [name, value] : kFormats) {
      known.push_back(name);
      if (name == word) program->format = value, found = true;
    }
    if (!found) return SpecError("format", NotKnown(word, known));
  }
  if (uint32_t schema = tree.Find(at, "schema"); schema != json::kNone) {
    if (program->format != Format::kAvro)
      return SpecError("schema", "a schema belongs to format = \"avro\"");
    TD_RETURN_IF_ERROR(reader.Text(schema, "schema").status());
  }
  if (uint32_t columns = tree.Find(at, "columns"); columns != json::kNone) {
    if (program->format != Format::kCsv)
      return SpecError("columns", "columns belong to format = \"csv\"");
    TD_ASSIGN_OR_RETURN(program->columns, reader.Texts(columns, "columns"));
    if (program->columns.empty()) return SpecError("columns", "the list is empty");
  }
  return Status::Ok();
}

/// One of two words; `out` says whether it is the second one.
Status ReadChoice(const SpecReader& reader, uint32_t at, std::string_view key,
                  std::string_view usual, std::string_view other, bool* out) {
  uint32_t found = reader.tree().Find(at, key);
  if (found == json::kNone) return Status::Ok();
  Result<std::string> word = reader.Text(found, key);
  if (!word.ok()) return word.status();
  if (*word != usual && *word != other) {
    return SpecError(key, std::string(usual) + " or " + std::string(other) + " is expected");
  }
  *out = *word == other;
  return Status::Ok();
}

Status ReadSwitches(const SpecReader& reader, uint32_t at, Program* program) {
  const json::Tree& tree = reader.tree();
  if (uint32_t tz = tree.Find(at, "tz"); tz != json::kNone) {
    TD_ASSIGN_OR_RETURN(program->zone, reader.Text(tz, "tz"));
    TD_ASSIGN_OR_RETURN(program->tz, FindZone(program->zone, ""));
  }
  TD_RETURN_IF_ERROR(
      ReadChoice(reader, at, "unmatched", "refuse", "skip", &program->skip_unmatched));
  TD_RETURN_IF_ERROR(ReadChoice(reader, at, "on_error", "keep", "stop", &program->stop_on_error));
  if (uint32_t nan = tree.Find(at, "accept_nan"); nan != json::kNone) {
    TD_ASSIGN_OR_RETURN(program->accept_nan, reader.Flag(nan, "accept_nan"));
  }
  return Status::Ok();
}

}  // namespace

Status CheckMappingKeys(const json::Tree& tree, uint32_t at) {
  std::vector<std::string_view> known(kMappingKeys.begin(), kMappingKeys.end());
  known.push_back("base");
  return SpecReader(tree).CheckKeys(at, known, "");
}

Result<Program> ParseProgram(const json::Tree& tree, uint32_t at) {
  SpecReader reader(tree);
  Program program;
  TD_RETURN_IF_ERROR(reader.CheckKeys(at, kMappingKeys, ""));
  TD_RETURN_IF_ERROR(ReadFormat(reader, at, &program));
  TD_RETURN_IF_ERROR(ReadSwitches(reader, at, &program));
  if (uint32_t each = tree.Find(at, "each"); each != json::kNone) {
    TD_ASSIGN_OR_RETURN(program.each, ReadEach(reader, each, "each"));
  } else if (program.format == Format::kCsv) {
    TD_ASSIGN_OR_RETURN(Path rows, ParsePath("[*]", PathUse::kEach));
    program.each.push_back(std::move(rows));
  }
  if (uint32_t refuse = tree.Find(at, "refuse"); refuse != json::kNone) {
    TD_ASSIGN_OR_RETURN(program.refuse, ReadConditions(reader, refuse, "refuse"));
  }
  if (uint32_t skip = tree.Find(at, "skip"); skip != json::kNone) {
    TD_ASSIGN_OR_RETURN(program.skip, ReadConditions(reader, skip, "skip"));
  }
  uint32_t records = tree.Find(at, "records");
  if (records == json::kNone) {
    if (program.format == Format::kNone) return program;
    return SpecError("records", "a mapping needs at least one rule, or format = \"none\"");
  }
  if (!reader.IsArray(records))
    return SpecError("records", "a list of rules is expected: [[mappings.x.records]]");
  for (uint32_t e = tree.First(records); e != json::kNone; e = tree.Next(records, e)) {
    const std::string where = "records[" + std::to_string(program.rules.size() + 1) + "]";
    if (program.rules.size() >= kRulesMax) return SpecError(where, "there are too many rules");
    TD_ASSIGN_OR_RETURN(Rule rule, ReadRule(reader, e, where, program));
    program.rules.push_back(std::move(rule));
  }
  if (program.rules.empty() && program.format != Format::kNone) {
    return SpecError("records", "a mapping needs at least one rule, or format = \"none\"");
  }
  return program;
}

}  // namespace tapedeck::rules
