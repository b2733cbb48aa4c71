#include <algorithm>
#include <optional>
#include <utility>

#include "base/limits.h"
#include "base/time.h"
#include "mapping/canonical.h"
#include "mapping/csv.h"
#include "mapping/evaluator.h"
#include "mapping/layout_builder.h"
#include "mapping/layout_cache.h"
#include "mapping/mapping.h"

namespace tapedeck {
namespace {

using rules::Evaluator;
using rules::Fault;
using rules::Level;
using rules::Operand;
using rules::Places;
using rules::Rule;
using rules::RuleTarget;
using rules::Source;

constexpr std::string_view kSchemaIdHeader = "__value_schema_id";
constexpr size_t kConfluentFrameMin = 6;

class MappingDecoder final : public Decoder {
 public:
  MappingDecoder(MappingSpec spec, rules::ParsedMapping parsed, std::vector<RuleTarget> targets,
                 const DecoderOptions& options)
      : spec_(std::move(spec)),
        parsed_(std::move(parsed)),
        targets_(std::move(targets)),
        options_(options),
        evaluator_(parsed_.program.accept_nan) {}

  void Decode(const TopicPartition& tp, const MessageView& message, Timestamp received,
              Decoded* out) override;
  const MessageShape* Shape() override { return by_layout_ ? layouts_.Shape() : nullptr; }
  const MappingSpec& spec() const override { return spec_; }
  DecoderStats stats() const override { return stats_; }

 private:
  enum class Form : uint8_t { kJson, kCsv, kConfluent, kAvro, kTapeOnly };
  Form FormOf(const MessageView& message) const;
  void DecodeJson(std::string_view text);
  void DecodeTree(std::string_view text, std::string_view wrong, bool learn);
  void Learn();
  bool HasKafkaTime() const {
    return message_->timestamp_type != TimestampType::kNone && message_->timestamp_ms >= 0;
  }
  bool CsvToJson(std::string_view value);
  void RunUnits();
  void RunUnit();
  bool RefusedOrSkipped();
  bool RunRule(size_t rule);
  void BuildRecord(size_t rule);
  std::optional<std::string_view> Build(size_t rule, DecodedRecord* record,
                                        tapedeck::Value* values);
  std::optional<std::string_view> FindTime(const rules::Selector& selector, DecodedRecord* record);
  std::optional<std::string_view> FindSymbol(const rules::Selector& selector,
                                             DecodedRecord* record);
  void Mark(DecodedMark::Kind kind, std::string_view reason);
  void RefuseWhole(std::string_view reason);
  bool Broken() const { return evaluator_.not_json() || too_many_; }

  const MappingSpec spec_;
  const rules::ParsedMapping parsed_;
  const std::vector<RuleTarget> targets_;
  const DecoderOptions options_;
  Evaluator evaluator_;
  json::Tree tree_;
  DecoderStats stats_;
  std::string csv_json_;

  // Of the message at hand.
  const TopicPartition* tp_ = nullptr;
  const MessageView* message_ = nullptr;
  Timestamp latest_;  // an event time past this is refused
  Decoded* out_ = nullptr;
  bool too_many_ = false;
  bool by_layout_ = false;
  std::vector<tapedeck::Value> values_;
  std::vector<std::pair<size_t, size_t>> spans_;  // of each record in values_
  Places units_, elements_;
  rules::LayoutCache layouts_;
  rules::Trace trace_;
  bool tracing_ = false;
  size_t unit_index_ = 0;
  std::vector<Level> unit_;
};

void MappingDecoder::Mark(DecodedMark::Kind kind, std::string_view reason) {
  if (kind == DecodedMark::Kind::kRefused) ++out_->refused;
  out_->marks.push_back({kind, reason, static_cast<uint32_t>(out_->records.size())});
  if (tracing_) trace_.events.push_back({unit_index_, -1, 0, out_->marks.back()});
}

void MappingDecoder::RefuseWhole(std::string_view reason) {
  out_->records.clear();
  out_->marks.clear();
  out_->refused = 0;
  Mark(DecodedMark::Kind::kRefused, reason);
}

MappingDecoder::Form MappingDecoder::FormOf(const MessageView& message) const {
  const std::string_view value = *message.value;
  const bool framed = value.size() >= kConfluentFrameMin && value[0] == '\0';
  switch (parsed_.program.format) {
    case rules::Format::kJson:
      return framed ? Form::kConfluent : Form::kJson;
    case rules::Format::kCsv:
      return Form::kCsv;
    case rules::Format::kConfluent:
      return Form::kConfluent;
    case rules::Format::kAvro:
      return Form::kAvro;
    case rules::Format::kNone:
      return Form::kTapeOnly;
    case rules::Format::kAuto:
      break;
  }
  for (const HeaderView& header : message.headers) {
    if (header.name == kSchemaIdHeader) return Form::kConfluent;
  }
  if (framed) return Form::kConfluent;
  size_t first = value.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos) return Form::kTapeOnly;
  return value[first] == '{' || value[first] == '[' || value[first] == '"' ? Form::kJson
                                                                           : Form::kTapeOnly;
}

void MappingDecoder::Decode(const TopicPartition& tp, const MessageView& message,
                            Timestamp received, Decoded* out) {
  ++stats_.messages;
  out->records.clear();
  out->marks.clear();
  out->refused = 0;
  if (parsed_.program.format == rules::Format::kNone) return;
  tp_ = &tp;
  message_ = &message;
  out_ = out;
  too_many_ = false;
  by_layout_ = false;
  tracing_ = false;
  spans_.clear();
  latest_ = received;
  if (message.timestamp_type != TimestampType::kNone) {
    Result<Timestamp> kafka = TimestampFromUnits(message.timestamp_ms, TimeUnit::kMilliseconds);
    if (kafka.ok()) latest_ = std::max(latest_, *kafka);
  }
  latest_ = latest_.SaturatingAdd(parsed_.max_ahead_ns);
  if (!message.value) return Mark(DecodedMark::Kind::kSkipped, "tombstone");
  switch (FormOf(message)) {
    case Form::kJson:
      return DecodeJson(*message.value);
    case Form::kCsv:
      if (!CsvToJson(*message.value)) return RefuseWhole("not-csv");
      return DecodeTree(csv_json_, "not-csv", false);
    case Form::kConfluent:
      return Mark(DecodedMark::Kind::kRefused, "confluent");
    case Form::kAvro:
      return Mark(DecodedMark::Kind::kRefused, "avro");
    case Form::kTapeOnly:
      return;
  }
}

/// One row is an object; several are an array of objects. Without `columns` the first row is the
/// header.
bool MappingDecoder::CsvToJson(std::string_view value) {
  CsvReader reader(value);
  std::vector<std::string> columns = parsed_.program.columns, row;
  if (columns.empty() && !reader.Next(&columns)) return false;
  csv_json_.clear();
  size_t rows = 0;
  while (reader.Next(&row)) {
    Result<std::string> object = CsvRowToJson(columns, row);
    if (!object.ok()) return false;
    if (rows++ > 0) csv_json_.push_back(',');
    csv_json_ += *object;
  }
  if (rows != 1) csv_json_ = "[" + csv_json_ + "]";
  return reader.status().ok();
}

void MappingDecoder::DecodeJson(std::string_view text) {
  evaluator_.arena()->Reset();
  const rules::LayoutSink sink{message_,           latest_,  parsed_.symbol_prefix,
                               evaluator_.arena(), &values_, out_};
  if (layouts_.Decode(text, sink)) {
    ++stats_.fast;
    by_layout_ = true;
    return;
  }
  DecodeTree(text, "not-json", options_.learn_layouts);
}

void MappingDecoder::DecodeTree(std::string_view text, std::string_view wrong, bool learn) {
  switch (tree_.Parse(text)) {
    case json::Tree::Outcome::kOk:
      break;
    case json::Tree::Outcome::kNotJson:
      return RefuseWhole(wrong);
    case json::Tree::Outcome::kTooLarge:
      return RefuseWhole("too-large");
  }
  tracing_ = learn && layouts_.WorthLearning(tree_);
  trace_.Clear();
  evaluator_.Start(*tp_, *message_, tree_, tracing_ ? &trace_ : nullptr);
  values_.clear();
  RunUnits();
  if (evaluator_.not_json()) return RefuseWhole(wrong);
  if (too_many_) return RefuseWhole("too-large");
  for (size_t i = 0; i < spans_.size(); ++i) {
    out_->records[i].values = {values_.data() + spans_[i].first, spans_[i].second};
  }
  if (tracing_) Learn();
}

void MappingDecoder::Learn() {
  rules::LayoutBuilder builder(parsed_.program, targets_, tree_, trace_, units_);
  std::unique_ptr<rules::Layout> layout = builder.Build(HasKafkaTime());
  if (layout != nullptr && layouts_.Add(std::move(layout))) ++stats_.relearned;
}

void MappingDecoder::RunUnits() {
  const Level message;
  evaluator_.Stand({&message, 1});
  unit_index_ = 0;
  if (!evaluator_.Expand(parsed_.program.each, &units_)) {
    units_.stride = 0;
    return RunUnit();
  }
  too_many_ = units_.too_many;
  if (Broken()) return;
  if (units_.size() == 0) {
    if (!RefusedOrSkipped()) Mark(DecodedMark::Kind::kSkipped, "empty");
    return;
  }
  for (size_t i = 0; i < units_.size() && !Broken(); ++i) {
    evaluator_.Stand(units_.at(i));
    unit_index_ = i;
    RunUnit();
  }
}

bool MappingDecoder::RefusedOrSkipped() {
  if (const rules::Condition* refuse = evaluator_.FirstThatHolds(parsed_.program.refuse)) {
    Mark(DecodedMark::Kind::kRefused, refuse->text);
    return true;
  }
  if (const rules::Condition* skip = evaluator_.FirstThatHolds(parsed_.program.skip)) {
    Mark(DecodedMark::Kind::kSkipped, skip->text);
    return true;
  }
  return false;
}

void MappingDecoder::RunUnit() {
  if (RefusedOrSkipped()) return;
  unit_.assign(evaluator_.levels().begin(), evaluator_.levels().end());
  bool taken = false;
  for (size_t i = 0; i < parsed_.program.rules.size() && !Broken(); ++i) {
    taken = RunRule(i) || taken;
  }
  if (taken) return;
  if (parsed_.program.skip_unmatched) return Mark(DecodedMark::Kind::kSkipped, "unmatched");
  Mark(DecodedMark::Kind::kRefused, "no-rule");
}

bool MappingDecoder::RunRule(size_t index) {
  const Rule& rule = parsed_.program.rules[index];
  if (!rule.when.empty() && evaluator_.FirstThatHolds(rule.when) == nullptr) return false;
  if (rule.each.empty()) {
    BuildRecord(index);
    return true;
  }
  if (!evaluator_.Expand(rule.each, &elements_)) return false;
  too_many_ = too_many_ || elements_.too_many;
  for (size_t i = 0; i < elements_.size() && !Broken(); ++i) {
    evaluator_.Stand(elements_.at(i));
    BuildRecord(index);
  }
  evaluator_.Stand(unit_);
  return true;
}

void MappingDecoder::BuildRecord(size_t index) {
  if (out_->records.size() + out_->marks.size() >= limits::kRecordsPerMessageMax) {
    too_many_ = true;
    return;
  }
  const size_t start = values_.size();
  values_.resize(start + targets_[index].width);
  DecodedRecord record;
  record.table = targets_[index].table;
  record.rule = static_cast<uint32_t>(index);
  const size_t first_pick = trace_.picks.size();
  std::optional<std::string_view> refused = Build(index, &record, values_.data() + start);
  if (refused) {
    values_.resize(start);
    trace_.unlearnable = true;
    return Mark(DecodedMark::Kind::kRefused, *refused);
  }
  spans_.emplace_back(start, targets_[index].width);
  out_->records.push_back(record);
  if (tracing_) trace_.events.push_back({unit_index_, static_cast<int>(index), first_pick, {}});
}

std::optional<std::string_view> MappingDecoder::FindSymbol(const rules::Selector& selector,
                                                           DecodedRecord* record) {
  const Source* source = nullptr;
  Operand operand = evaluator_.Choose(selector, &source);
  if (operand.null()) return selector.missing;
  tapedeck::Value value;
  Fault fault = rules::Convert(*source, ColumnType::kText, operand, evaluator_.arena(), &value);
  const std::string& prefix = parsed_.symbol_prefix;
  if (fault == Fault::kNone && value.text().size() + prefix.size() > limits::kSymbolBytesMax)
    fault = Fault::kBadText;
  if (fault != Fault::kNone) return source->reasons[static_cast<size_t>(fault)];
  record->symbol = value.text();
  if (!prefix.empty()) record->symbol = evaluator_.arena()->Concat(prefix, value.text());
  return std::nullopt;
}

std::optional<std::string_view> MappingDecoder::FindTime(const rules::Selector& selector,
                                                         DecodedRecord* record) {
  const Source* source = nullptr;
  Operand operand = evaluator_.Choose(selector, &source);
  if (operand.null()) return selector.missing;
  Fault fault = Fault::kNone;
  if (source->kind == Source::Kind::kKafka) {
    Result<Timestamp> kafka = TimestampFromUnits(message_->timestamp_ms, TimeUnit::kMilliseconds);
    fault = kafka.ok() ? Fault::kNone : Fault::kBadTime;
    if (kafka.ok()) record->ts = *kafka;
  } else {
    fault = rules::ConvertTime(*source, operand, &record->ts);
  }
  if (fault == Fault::kNone && record->ts > latest_) fault = Fault::kImplausible;
  if (fault != Fault::kNone) return source->reasons[static_cast<size_t>(fault)];
  record->ts_source = source->label;
  return std::nullopt;
}

std::optional<std::string_view> MappingDecoder::Build(size_t index, DecodedRecord* record,
                                                      tapedeck::Value* values) {
  const Rule& rule = parsed_.program.rules[index];
  if (auto refused = FindSymbol(rule.symbol, record)) return refused;
  if (auto refused = FindTime(rule.ts, record)) return refused;
  for (size_t i = 0; i < rule.fields.size(); ++i) {
    const rules::Selector& field = rule.fields[i];
    const Source* source = nullptr;
    Operand operand = evaluator_.Choose(field, &source);
    if (operand.null()) continue;
    Fault fault = rules::Convert(*source, field.type, operand, evaluator_.arena(),
                                 &values[targets_[index].columns[i]]);
    if (fault != Fault::kNone) return source->reasons[static_cast<size_t>(fault)];
  }
  return std::nullopt;
}

Result<RuleTarget> Declare(const Rule& rule, TableRegistry* tables) {
  std::vector<Column> columns;
  for (const rules::Selector& field : rule.fields) columns.push_back({field.name, field.type});
  RuleTarget target;
  TD_ASSIGN_OR_RETURN(target.table, tables->Declare(rule.table, columns));
  const Table* table = tables->Find(target.table);
  for (const rules::Selector& field : rule.fields) {
    auto column = static_cast<size_t>(table->FindColumn(field.name));
    target.columns.push_back(column);
    target.width = std::max(target.width, column + 1);
  }
  return target;
}

}  // namespace

Result<std::unique_ptr<Decoder>> Decoder::Make(const MappingSpec& spec, TableRegistry* tables,
                                               const DecoderOptions& options) {
  TD_ASSIGN_OR_RETURN(rules::ParsedMapping parsed, rules::ParseCanonical(spec.canonical()));
  std::vector<RuleTarget> targets;
  for (size_t i = 0; i < parsed.program.rules.size(); ++i) {
    Result<RuleTarget> target = Declare(parsed.program.rules[i], tables);
    if (!target.ok()) {
      return target.status().WithContext("mapping '" + spec.name() + "': records[" +
                                         std::to_string(i + 1) + "]");
    }
    targets.push_back(std::move(*target));
  }
  return std::unique_ptr<Decoder>(
      std::make_unique<MappingDecoder>(spec, std::move(parsed), std::move(targets), options));
}

}  // namespace tapedeck
