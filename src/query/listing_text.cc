#include "query/listing_text.h"

#include <algorithm>
#include <array>

#include "base/text.h"
#include "query/json_rows.h"

namespace tapedeck {
namespace {

// Writes one object member by member.
class ObjectText {
 public:
  ObjectText& Text(std::string_view name, std::string_view value) {
    Name(name);
    AppendJsonString(value, &out_);
    return *this;
  }
  ObjectText& Number(std::string_view name, int64_t value) {
    return Raw(name, std::to_string(value));
  }
  ObjectText& Count(std::string_view name, uint64_t value) {
    return Raw(name, std::to_string(value));
  }
  ObjectText& Raw(std::string_view name, std::string_view json) {
    Name(name);
    out_ += json;
    return *this;
  }
  std::string Take() { return out_.empty() ? "{}" : std::move(out_) + "}"; }

 private:
  void Name(std::string_view name) {
    out_ += out_.empty() ? '{' : ',';
    AppendJsonString(name, &out_);
    out_ += ':';
  }
  std::string out_;
};

// [a,b,c] of JSON texts.
template <typename List, typename F>
std::string ArrayText(const List& list, F each) {
  std::string out = "[";
  for (const auto& element : list) {
    if (out.size() > 1) out += ',';
    out += each(element);
  }
  return out + "]";
}

std::string StringText(std::string_view text) {
  std::string out;
  AppendJsonString(text, &out);
  return out;
}

std::string Joined(const std::vector<std::string>& words) {
  std::string out;
  for (const std::string& word : words) out += (out.empty() ? "" : ",") + word;
  return out;
}

std::string_view DaySizeName(DaySize size) {
  switch (size) {
    case DaySize::kDay:
      return "day";
    case DaySize::kMonth:
      return "month";
    case DaySize::kYear:
      return "year";
  }
  return "day";
}

std::string ColumnText(std::string_view name, std::string_view type) {
  return ObjectText().Text("name", name).Text("type", type).Take();
}

// The four offsets.
void AddOffsets(const PartitionEntry& entry, ObjectText* object) {
  const Checkpoint& checkpoint = entry.checkpoint;
  object->Number("received", checkpoint.next)
      .Number("stored", checkpoint.next)
      .Number("durable", checkpoint.next)
      .Number("shipped", entry.shipped);
}

std::string GapText(const Gap& gap) {
  ObjectText object;
  object.Number("from", gap.from).Number("to", gap.to).Text("reason", GapReasonName(gap.reason));
  object.Text("at", FormatRfc3339(gap.noticed_at));
  if (!gap.detail.empty()) object.Text("detail", gap.detail);
  return object.Take();
}

}  // namespace

std::span<const std::string_view> TableColumns() {
  static constexpr std::array<std::string_view, 5> kNames = {"table", "kind", "identity", "day",
                                                             "columns"};
  return kNames;
}

namespace {

// `topics`: null, or those that feed the table.
ListingText TableText(const Table& table, const std::vector<std::string>* topics) {
  std::string columns = "[" + ColumnText("ts", "timestamp") + "," + ColumnText("symbol", "text");
  std::string names = "ts,symbol";
  for (const Column& column : table.columns) {
    columns += "," + ColumnText(column.name, ColumnTypeName(column.type));
    names += "," + column.name;
  }
  const std::string_view kind = table.upsert() ? "upsert" : "append";
  ObjectText object;
  object.Text("table", table.name)
      .Text("kind", kind)
      .Raw("identity", ArrayText(table.identity, StringText))
      .Text("day", DaySizeName(table.day_size));
  if (topics != nullptr) object.Raw("topics", ArrayText(*topics, StringText));
  ListingText text;
  text.json = object.Raw("columns", columns + "]").Take();
  text.cells = {table.name, std::string(kind), Joined(table.identity),
                std::string(DaySizeName(table.day_size))};
  if (topics != nullptr) text.cells.push_back(Joined(*topics));
  text.cells.push_back(names);
  return text;
}

}  // namespace

ListingText TableText(const Table& table) { return TableText(table, nullptr); }
ListingText TableText(const TableEntry& entry) { return TableText(*entry.table, &entry.topics); }

std::span<const std::string_view> TableTopicColumns() {
  static constexpr std::array<std::string_view, 6> kNames = {"table", "kind",   "identity",
                                                             "day",   "topics", "columns"};
  return kNames;
}

std::span<const std::string_view> SymbolColumns() {
  static constexpr std::array<std::string_view, 5> kNames = {"symbol", "tables", "first_ts",
                                                             "last_ts", "rows"};
  return kNames;
}

ListingText SymbolText(const SymbolEntry& entry) {
  const std::string first = FormatRfc3339(entry.first_ts);
  const std::string last = FormatRfc3339(entry.last_ts);
  ObjectText object;
  object.Text("symbol", entry.symbol)
      .Raw("tables", ArrayText(entry.tables, StringText))
      .Text("first_ts", first)
      .Text("last_ts", last)
      .Count("rows", entry.rows);
  return {object.Take(),
          {entry.symbol, Joined(entry.tables), first, last, std::to_string(entry.rows)}};
}

std::span<const std::string_view> TopicColumns() {
  static constexpr std::array<std::string_view, 6> kNames = {"topic",    "mapping", "partitions",
                                                             "messages", "records", "refused"};
  return kNames;
}

ListingText TopicText(std::span<const PartitionEntry> partitions) {
  uint64_t messages = 0;
  uint64_t records = 0;
  uint64_t refused = 0;
  std::vector<int32_t> distinct;
  for (const PartitionEntry& p : partitions) {
    messages += p.checkpoint.messages;
    records += p.checkpoint.records;
    refused += p.checkpoint.refused;
    if (distinct.empty() || distinct.back() != p.tape.partition)
      distinct.push_back(p.tape.partition);
  }
  const PartitionEntry& last = partitions.back();
  ObjectText object;
  object.Text("topic", last.tape.topic).Text("mapping", last.mapping);
  object.Raw("partitions", ArrayText(partitions, [](const PartitionEntry& p) {
               ObjectText one;
               one.Number("partition", p.tape.partition).Count("lineage", p.tape.lineage);
               AddOffsets(p, &one);
               return one.Raw("lag", "null").Take();
             }));
  return {object.Take(),
          {last.tape.topic, last.mapping, std::to_string(distinct.size()), std::to_string(messages),
           std::to_string(records), std::to_string(refused)}};
}

std::span<const std::string_view> CoverageColumns() {
  static constexpr std::array<std::string_view, 9> kNames = {"topic",       "partition", "lineage",
                                                             "from_offset", "stored",    "messages",
                                                             "records",     "refused",   "gaps"};
  return kNames;
}

ListingText CoverageText(const PartitionEntry& entry) {
  const Checkpoint& c = entry.checkpoint;
  ObjectText object;
  object.Text("topic", entry.tape.topic)
      .Number("partition", entry.tape.partition)
      .Count("lineage", entry.tape.lineage)
      .Number("from_offset", c.start);
  AddOffsets(entry, &object);
  object.Count("messages", c.messages)
      .Count("records", c.records)
      .Count("refused", c.refused)
      .Raw("digest", entry.exact ? StringText("xxh3-128-sum:" + c.digest.ToString()) : "null")
      .Raw("gaps", ArrayText(entry.gaps, GapText));
  std::string gaps;
  for (const Gap& gap : entry.gaps) {
    gaps += (gaps.empty() ? "" : ", ") + std::to_string(gap.from) + ".." + std::to_string(gap.to) +
            " " + std::string(GapReasonName(gap.reason));
  }
  return {object.Take(),
          {entry.tape.topic, std::to_string(entry.tape.partition),
           std::to_string(entry.tape.lineage), std::to_string(c.start), std::to_string(c.next),
           std::to_string(c.messages), std::to_string(c.records), std::to_string(c.refused), gaps}};
}

std::span<const std::string_view> RefusedColumns() {
  static constexpr std::array<std::string_view, 11> kNames = {
      "topic", "partition", "lineage", "offset", "ts",   "reason",
      "field", "path",      "refused", "kept",   "value"};
  return kNames;
}

ListingText RefusedText(const RefusedMessage& r) {
  const bool timed = r.entry.kafka_ms >= 0;
  const Timestamp time = timed ? Timestamp(r.entry.kafka_ms * 1'000'000) : r.entry.received;
  const OptionalBytes key = r.message == nullptr ? std::nullopt : r.message->message.key;
  const OptionalBytes value = r.message == nullptr ? std::nullopt : r.message->message.value;
  std::string key_json;
  std::string value_json;
  AppendJsonBytes(key, MessageEncoding::kText, &key_json);
  AppendJsonBytes(value, MessageEncoding::kText, &value_json);
  auto text_or_null = [](const std::string& text) {
    return text.empty() ? "null" : StringText(text);
  };
  ObjectText object;
  object.Text("topic", r.tape->topic)
      .Number("partition", r.tape->partition)
      .Count("lineage", r.tape->lineage)
      .Number("offset", r.offset)
      .Text("ts", FormatRfc3339(time))
      .Text("reason", r.reason)
      .Raw("field", text_or_null(r.field))
      .Raw("path", text_or_null(r.path))
      .Count("refused", r.entry.refused)
      .Count("kept", r.entry.kept)
      .Raw("key", key_json)
      .Raw("value", value_json);
  std::string shown;
  if (value && IsValidUtf8(*value)) {
    shown = *value;
  } else if (value) {
    AppendBase64(*value, &shown);
  }
  return {object.Take(),
          {r.tape->topic, std::to_string(r.tape->partition), std::to_string(r.tape->lineage),
           std::to_string(r.offset), FormatRfc3339(time), r.reason, r.field, r.path,
           std::to_string(r.entry.refused), std::to_string(r.entry.kept), shown}};
}

}  // namespace tapedeck
