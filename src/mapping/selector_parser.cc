#include "mapping/selector_parser.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/limits.h"
#include "mapping/convert.h"

namespace tapedeck::rules {
namespace {

constexpr std::array<std::string_view, 11> kValueKeys = {
    "path", "type", "unit", "tz", "map", "extract", "encoding", "scale", "value", "join", "sep"};
constexpr std::array<std::pair<std::string_view, ColumnType>, 5> kTypes = {{
    {"decimal", ColumnType::kDecimal},
    {"integer", ColumnType::kInteger},
    {"text", ColumnType::kText},
    {"flag", ColumnType::kFlag},
    {"timestamp", ColumnType::kTimestamp},
}};
constexpr std::array<std::pair<std::string_view, TimeForm>, 6> kUnits = {{
    {"s", TimeForm::kSeconds},
    {"ms", TimeForm::kMilliseconds},
    {"us", TimeForm::kMicroseconds},
    {"ns", TimeForm::kNanoseconds},
    {"iso", TimeForm::kIso},
    {"date", TimeForm::kDate},
}};
constexpr int64_t kScaleMax = 60;
constexpr int kNestingMax = 16;
constexpr size_t kSourcesMax = 1000;

template <typename Enum, size_t kSize>
Result<Enum> OneOf(const std::array<std::pair<std::string_view, Enum>, kSize>& known,
                   std::string_view word, std::string_view where) {
  std::vector<std::string_view> words;
  for (const auto& [name, value] : known) {
    if (name == word) return value;
    words.push_back(name);
  }
  return SpecError(where, NotKnown(word, words));
}

/// A source and what was said about its type.
struct Draft {
  Source source;
  std::optional<ColumnType> type;
  bool text_by_nature = false;  // a constant or a join
};

class Collector {
 public:
  Collector(const SpecReader& reader, const SelectorContext& context)
      : reader_(reader), context_(context) {}

  Status Collect(uint32_t at, const Draft& defaults, int depth, std::string_view where);
  std::vector<Draft>& drafts() { return drafts_; }

 private:
  Status CollectTable(uint32_t at, const Draft& defaults, int depth, std::string_view where);
  Status ReadSettings(uint32_t at, std::string_view where, Draft* draft);
  Status ReadTimes(uint32_t at, std::string_view where, Draft* draft);
  Status ReadMap(uint32_t at, std::string_view where, Draft* draft);
  Status AddJoin(uint32_t at, Draft draft, int depth, std::string_view where);
  Status Push(Draft draft, std::string_view where) {
    if (drafts_.size() >= kSourcesMax) return SpecError(where, "there are too many values");
    draft.source.group_end = drafts_.size() + 1;
    drafts_.push_back(std::move(draft));
    return Status::Ok();
  }

  const SpecReader& reader_;
  const SelectorContext& context_;
  std::vector<Draft> drafts_;
};

Status Collector::Collect(uint32_t at, const Draft& defaults, int depth, std::string_view where) {
  if (depth > kNestingMax) return SpecError(where, "values are nested too deep");
  const json::Tree& tree = reader_.tree();
  if (reader_.IsObject(at)) return CollectTable(at, defaults, depth, where);
  if (reader_.IsArray(at)) {
    if (tree.First(at) == json::kNone) return SpecError(where, "the list is empty");
    for (uint32_t e = tree.First(at); e != json::kNone; e = tree.Next(at, e)) {
      TD_RETURN_IF_ERROR(Collect(e, defaults, depth + 1, where));
    }
    return Status::Ok();
  }
  if (!reader_.IsText(at)) return SpecError(where, "a path, a list or a table is expected");
  TD_ASSIGN_OR_RETURN(std::string text, reader_.Text(at, where));
  Draft draft = defaults;
  if (context_.allow_kafka && text == "kafka") {
    draft.source.kind = Source::Kind::kKafka;
    draft.source.label = "kafka";
    return Push(std::move(draft), where);
  }
  Result<Path> path = ParsePath(text, PathUse::kValue);
  if (!path.ok()) return path.status().WithContext(where);
  draft.source.label = path->text;
  draft.source.path = std::move(*path);
  return Push(std::move(draft), where);
}

Status Collector::ReadMap(uint32_t at, std::string_view where, Draft* draft) {
  if (!reader_.IsObject(at)) return SpecError(where, "map is a table: { buy = \"b\" }");
  draft->source.has_map = true;
  draft->source.map.clear();
  const json::Tree& tree = reader_.tree();
  for (uint32_t m = tree.First(at); m != json::kNone; m = tree.Next(at, m)) {
    TD_ASSIGN_OR_RETURN(std::string from, reader_.Key(m, where));
    TD_ASSIGN_OR_RETURN(std::string to, reader_.Text(m, where));
    draft->source.map.emplace_back(std::move(from), std::move(to));
  }
  return Status::Ok();
}

Status Collector::ReadTimes(uint32_t at, std::string_view where, Draft* draft) {
  const json::Tree& tree = reader_.tree();
  if (uint32_t unit = tree.Find(at, "unit"); unit != json::kNone) {
    TD_ASSIGN_OR_RETURN(std::string word, reader_.Text(unit, where));
    TD_ASSIGN_OR_RETURN(draft->source.time, OneOf(kUnits, word, std::string(where) + ": unit"));
    if (draft->type && *draft->type != ColumnType::kTimestamp) {
      return SpecError(where, "a value with a unit is a timestamp, not " +
                                  std::string(ColumnTypeName(*draft->type)));
    }
    draft->type = ColumnType::kTimestamp;
  }
  if (uint32_t tz = tree.Find(at, "tz"); tz != json::kNone) {
    TD_ASSIGN_OR_RETURN(std::string name, reader_.Text(tz, where));
    TD_ASSIGN_OR_RETURN(draft->source.tz, FindZone(name, where));
  }
  return Status::Ok();
}

Status Collector::ReadSettings(uint32_t at, std::string_view where, Draft* draft) {
  const json::Tree& tree = reader_.tree();
  if (uint32_t type = tree.Find(at, "type"); type != json::kNone) {
    TD_ASSIGN_OR_RETURN(std::string word, reader_.Text(type, where));
    TD_ASSIGN_OR_RETURN(draft->type, OneOf(kTypes, word, std::string(where) + ": type"));
  }
  TD_RETURN_IF_ERROR(ReadTimes(at, where, draft));
  if (uint32_t map = tree.Find(at, "map"); map != json::kNone) {
    TD_RETURN_IF_ERROR(ReadMap(map, where, draft));
  }
  if (uint32_t extract = tree.Find(at, "extract"); extract != json::kNone) {
    TD_ASSIGN_OR_RETURN(std::string expression, reader_.Text(extract, where));
    Result<Pattern> pattern = Pattern::Compile(expression);
    if (!pattern.ok()) return pattern.status().WithContext(std::string(where) + ": extract");
    draft->source.extract = std::make_shared<Pattern>(std::move(*pattern));
  }
  if (uint32_t encoding = tree.Find(at, "encoding"); encoding != json::kNone) {
    TD_ASSIGN_OR_RETURN(std::string word, reader_.Text(encoding, where));
    if (word != "base64") return SpecError(where, "encoding can only be base64");
    draft->source.base64 = true;
  }
  if (uint32_t scale = tree.Find(at, "scale"); scale != json::kNone) {
    TD_ASSIGN_OR_RETURN(int64_t digits, reader_.Integer(scale, where));
    if (digits < 0 || digits > kScaleMax)
      return SpecError(where, "scale is 0 to " + std::to_string(kScaleMax));
    draft->source.scale = static_cast<uint8_t>(digits);
  }
  if (draft->source.base64 && !draft->source.scale) {
    return SpecError(where, "encoding = \"base64\" needs scale, the number of decimals");
  }
  return Status::Ok();
}

Status Collector::AddJoin(uint32_t at, Draft draft, int depth, std::string_view where) {
  const json::Tree& tree = reader_.tree();
  uint32_t list = tree.Find(at, "join");
  if (!reader_.IsArray(list) || tree.First(list) == json::kNone)
    return SpecError(where, "join is a list of values");
  if (depth > kNestingMax) return SpecError(where, "values are nested too deep");
  draft.source.kind = Source::Kind::kJoin;
  draft.text_by_nature = true;
  SelectorContext part_context = context_;
  part_context.where = std::string(where) + ".join";
  part_context.type = ColumnType::kText;
  part_context.allow_kafka = false;
  for (uint32_t e = tree.First(list); e != json::kNone; e = tree.Next(list, e)) {
    TD_ASSIGN_OR_RETURN(Selector part, ParseSelector(reader_, e, part_context));
    for (const Source& source : part.sources) {
      if (!draft.source.label.empty()) draft.source.label += " | ";
      draft.source.label += source.label;
    }
    draft.source.parts.push_back(std::move(part.sources));
  }
  if (uint32_t sep = tree.Find(at, "sep"); sep != json::kNone) {
    TD_ASSIGN_OR_RETURN(draft.source.separator, reader_.Text(sep, where));
  }
  return Push(std::move(draft), where);
}

Status Collector::CollectTable(uint32_t at, const Draft& defaults, int depth,
                               std::string_view where) {
  const json::Tree& tree = reader_.tree();
  TD_RETURN_IF_ERROR(reader_.CheckKeys(at, kValueKeys, where));
  uint32_t path = tree.Find(at, "path"), value = tree.Find(at, "value"),
           join = tree.Find(at, "join");
  int given = (path != json::kNone) + (value != json::kNone) + (join != json::kNone);
  if (given != 1) return SpecError(where, "exactly one of path, value and join is needed");
  if (join == json::kNone && tree.Find(at, "sep") != json::kNone)
    return SpecError(where, "sep belongs to join");
  Draft draft = defaults;
  TD_RETURN_IF_ERROR(ReadSettings(at, where, &draft));
  if (join != json::kNone) return AddJoin(at, std::move(draft), depth, where);
  if (value != json::kNone) {
    TD_ASSIGN_OR_RETURN(draft.source.constant, reader_.Text(value, std::string(where) + ": value"));
    draft.source.kind = Source::Kind::kConstant;
    draft.source.label = "value";
    draft.text_by_nature = true;
    return Push(std::move(draft), where);
  }
  const size_t start = drafts_.size();
  TD_RETURN_IF_ERROR(Collect(path, draft, depth + 1, where));
  for (size_t i = start; i < drafts_.size(); ++i) drafts_[i].source.group_end = drafts_.size();
  return Status::Ok();
}

/// The one type of all sources.
Result<ColumnType> Settle(const std::vector<Draft>& drafts, const SelectorContext& context) {
  std::optional<ColumnType> type = context.type;
  bool text = true;
  for (const Draft& draft : drafts) {
    text = text && draft.text_by_nature;
    if (!draft.type) continue;
    if (type && *type != *draft.type) {
      return SpecError(context.where,
                       "'" + context.name + "' is " + std::string(ColumnTypeName(*type)) +
                           ", it cannot also be " + std::string(ColumnTypeName(*draft.type)));
    }
    type = draft.type;
  }
  for (const Draft& draft : drafts) {
    if ((draft.source.base64 || draft.source.scale) &&
        type.value_or(ColumnType::kDecimal) != ColumnType::kDecimal) {
      return SpecError(context.where, "encoding and scale are for decimals");
    }
  }
  return type.value_or(text ? ColumnType::kText : ColumnType::kDecimal);
}

std::string Labels(const std::vector<Source>& sources) {
  std::string out;
  for (const Source& source : sources) {
    if (!out.empty()) out += " | ";
    out += source.label;
  }
  return out;
}

Status CheckConstant(const Source& source, ColumnType type, std::string_view where) {
  if (source.kind != Source::Kind::kConstant || source.has_map || source.extract)
    return Status::Ok();
  if (source.constant.empty())
    return SpecError(where, "the constant is empty, which is null: leave the field out");
  Arena arena;
  Operand operand{Operand::Kind::kText, json::kNone, source.constant};
  tapedeck::Value value;
  Fault fault = Convert(source, type, operand, &arena, &value);
  if (fault == Fault::kNone) return Status::Ok();
  return SpecError(where, "the constant '" + source.constant + "' is no " +
                              std::string(ColumnTypeName(type)) + " (" +
                              std::string(FaultName(fault)) + "); is type missing?");
}

}  // namespace

std::string_view FaultName(Fault fault) {
  switch (fault) {
    case Fault::kNone:
      return "";
    case Fault::kNotJson:
      return "not-json";
    case Fault::kBadNumber:
      return "bad-number";
    case Fault::kBadTime:
      return "bad-time";
    case Fault::kBadFlag:
      return "bad-flag";
    case Fault::kBadText:
      return "bad-text";
    case Fault::kNoZone:
      return "time-without-zone";
    case Fault::kImplausible:
      return "implausible-time";
  }
  return "";
}

Result<std::shared_ptr<const TimeZone>> FindZone(std::string_view name, std::string_view where) {
  Result<TimeZone> zone = TimeZone::Find(name);
  if (!zone.ok()) return SpecError(where, "tz: " + std::string(zone.status().message()));
  return std::shared_ptr<const TimeZone>(std::make_shared<TimeZone>(std::move(*zone)));
}

Result<Selector> ParseSelector(const SpecReader& reader, uint32_t at,
                               const SelectorContext& context) {
  Collector collector(reader, context);
  TD_RETURN_IF_ERROR(collector.Collect(at, {}, 0, context.where));
  Selector out;
  out.name = context.name;
  TD_ASSIGN_OR_RETURN(out.type, Settle(collector.drafts(), context));
  for (Draft& draft : collector.drafts()) {
    Source& source = draft.source;
    if (!source.tz) source.tz = context.tz;
    for (size_t fault = 1; fault < kFaults; ++fault) {
      source.reasons[fault] = std::string(FaultName(static_cast<Fault>(fault))) + ": " + out.name +
                              " (" + source.label + ")";
    }
    TD_RETURN_IF_ERROR(CheckConstant(source, out.type, context.where));
    out.sources.push_back(std::move(source));
  }
  out.missing =
      "no-" + std::string(out.name == "ts" ? "time" : out.name) + ": " + Labels(out.sources);
  return out;
}

}  // namespace tapedeck::rules
