#include "node/plan.h"

#include <memory>
#include <string>
#include <utility>

#include "config/presets.h"
#include "kafka/client_properties.h"
#include "kafka/log_probe.h"
#include "model/keys.h"

namespace tapedeck {
namespace {

TopicStart StartOf(const TopicConfig& topic) {
  switch (topic.start) {
    case TopicConfig::Start::kEarliest:
      return {TopicStart::Kind::kEarliest, Timestamp()};
    case TopicConfig::Start::kLatest:
      return {TopicStart::Kind::kLatest, Timestamp()};
    case TopicConfig::Start::kTime:
      return {TopicStart::Kind::kTime, topic.start_time};
  }
  return {};
}

Result<MappingSpec> SpecOf(const TopicConfig& topic, const MappingLibrary& library,
                           const Config& config) {
  if (topic.mapping == "none" && !library.contains(topic.mapping)) return MappingSpec::None();
  return MappingSpec::Resolve(
      topic.mapping, library,
      {.symbol_prefix = topic.symbol_prefix, .max_ahead_ns = config.record.max_ahead.count()});
}

std::string Context(const TopicConfig& topic) {
  return topic.where + ": topic '" + topic.name + "'";
}

Status CheckDecimals(const Table& table, const TableConfig& wanted) {
  for (const auto& [column, form] : wanted.decimals) {
    if (column.empty()) continue;
    const int at = table.FindColumn(column);
    if (at >= 0 && table.columns[static_cast<size_t>(at)].type == ColumnType::kDecimal) continue;
    return Status::InvalidArgument(
        wanted.where + ": [tables." + table.name +
        "] decimals: " + (at < 0 ? "there is no column " : "no decimal is in column ") + column);
  }
  return Status::Ok();
}

Status ConfigureTables(const Config& config, const HasRows& has_rows, RecordingPlan* plan) {
  for (const auto& [name, wanted] : config.tables) {
    const Table* table = plan->tables.Find(name);
    if (table == nullptr) {
      plan->warnings.push_back(wanted.where + ": [tables." + name +
                               "] has no effect: no topic's mapping makes records of that table");
      continue;
    }
    Status status =
        plan->tables.Configure(name, wanted.day.value_or(table->day_size),
                               wanted.unique.value_or(table->identity), has_rows(table->id));
    if (!status.ok()) return status.WithContext(wanted.where);
    TD_RETURN_IF_ERROR(CheckDecimals(*plan->tables.Find(name), wanted));
  }
  return Status::Ok();
}

}  // namespace

Status CheckKafkaClient(const Config& config) {
  TD_RETURN_IF_ERROR(CheckProperties(config.kafka.properties, ClientRole::kConsumer));
  KafkaProperties quiet = config.kafka.properties;
  quiet.insert_or_assign("log_level",
                         std::string(1, '0'));  // that no broker answers is no news here
  const ProbeOptions options{.bootstrap_servers = config.kafka.bootstrap_servers,
                             .properties = std::move(quiet)};
  return KafkaProbe::Open(options).status().WithContext("[kafka.properties]");
}

bool NoRows(TableId) { return false; }

bool HasRowsIn(const StoreView& view, TableId table) {
  // Rows whose blocks have left for the archive have an entry of their day.
  const std::string blocks = keys::SeriesPrefix(table);
  const std::string day = keys::DayState(table, Day(INT32_MIN), 0);
  const std::string last = keys::DayState(table, Day(INT32_MAX), UINT32_MAX);
  for (const auto& [from, to] : {std::pair(blocks, keys::After(blocks)), std::pair(day, last)}) {
    const std::unique_ptr<StoreCursor> cursor = view.Scan(from, to, ScanKind::kPoint);
    cursor->SeekToFirst();
    if (cursor->Valid() || !cursor->status().ok()) return true;  // what cannot be read is there
  }
  return false;
}

MappingLibrary LibraryOf(const Config& config) {
  MappingLibrary library = PresetLibrary();
  for (const auto& [name, json] : config.mappings) library[name] = json;
  return library;
}

Result<RecordingPlan> PlanRecording(const Config& config, const TableRegistry& stored,
                                    const HasRows& has_rows) {
  RecordingPlan plan;
  plan.tables = stored;
  if (config.topics.empty()) {
    return Status::InvalidArgument(
        "no topic to record: add [[topics]] with name and mapping to the configuration");
  }
  const MappingLibrary library = LibraryOf(config);
  for (const TopicConfig& topic : config.topics) {
    Result<MappingSpec> spec = SpecOf(topic, library, config);
    if (!spec.ok()) return spec.status().WithContext(Context(topic));
    // Compiling declares the tables and columns: two mappings that disagree on a column's type meet
    // here.
    Result<std::unique_ptr<Decoder>> decoder = Decoder::Make(*spec, &plan.tables);
    if (!decoder.ok()) return decoder.status().WithContext(Context(topic));
    plan.topics.push_back({.name = topic.name,
                           .mapping = std::move(spec).value(),
                           .start = StartOf(topic),
                           .accept_replayed = topic.accept_replayed});
  }
  TD_RETURN_IF_ERROR(ConfigureTables(config, has_rows, &plan));
  return plan;
}

}  // namespace tapedeck
