#include "model/manifest.h"

#include <charconv>
#include <limits>
#include <nlohmann/json.hpp>

#include "base/encoding.h"
#include "base/text.h"

namespace tapedeck {
namespace {

using Json = nlohmann::ordered_json;

constexpr int kVersion = 1;
// Doubles, which most readers of JSON make of numbers, are exact up to here.
constexpr int64_t kExactMax = int64_t{1} << 53;

Json Bytes(std::string_view bytes) {
  if (IsValidUtf8(bytes)) return std::string(bytes);
  return {{"base64", ToBase64(bytes)}};
}

Json Number(int64_t number) {
  if (number > kExactMax || number < -kExactMax) return std::to_string(number);
  return number;
}

Json Strings(const std::vector<std::string>& texts) {
  Json list = Json::array();
  for (const std::string& text : texts) list.push_back(Bytes(text));
  return list;
}

void PutTape(const TapeId& tape, Json* to) {
  (*to)["cluster"] = Bytes(tape.cluster);
  (*to)["topic"] = Bytes(tape.topic);
  (*to)["lineage"] = tape.lineage;
  (*to)["partition"] = tape.partition;
}

Json RangeJson(const TapeRange& range) {
  Json json;
  PutTape(range.tape, &json);
  json["from"] = Number(range.from);
  json["to"] = Number(range.to);
  return json;
}

void PutGap(const Gap& gap, Json* to) {
  (*to)["from"] = Number(gap.from);
  (*to)["to"] = Number(gap.to);
  (*to)["reason"] = GapReasonName(gap.reason);
  (*to)["kafka_before_ms"] = Number(gap.kafka_before_ms);
  (*to)["kafka_after_ms"] = Number(gap.kafka_after_ms);
  (*to)["event_before_ns"] = Number(gap.event_before_ns);
  (*to)["event_after_ns"] = Number(gap.event_after_ns);
  (*to)["noticed_at_ns"] = Number(gap.noticed_at.ns());
  (*to)["detail"] = Bytes(gap.detail);
}

Json ObjectJson(const ShippedObject& object) {
  Json json;
  json["name"] = object.name;
  json["format"] = object.format;
  json["rows"] = object.rows;
  json["bytes"] = object.bytes;
  json["sha256"] = object.sha256;
  json["first_symbol"] = Bytes(object.first_symbol);
  json["last_symbol"] = Bytes(object.last_symbol);
  json["first_ts_ns"] = Number(object.first_ts.ns());
  json["last_ts_ns"] = Number(object.last_ts.ns());
  json["offsets"] = Json::array();
  for (const TapeRange& range : object.offsets) json["offsets"].push_back(RangeJson(range));
  return json;
}

Json Head(std::string_view kind, const ManifestWriter& writer) {
  Json json;
  json["manifest"] = kVersion;
  json["kind"] = kind;
  json["node"] = Bytes(writer.node);
  json["store"] = Bytes(writer.store);
  json["version"] = writer.version;
  json["at_ns"] = Number(writer.at.ns());
  return json;
}

template <typename List>
Json ObjectsJson(const List& objects) {
  Json list = Json::array();
  for (const ShippedObject& object : objects) list.push_back(ObjectJson(object));
  return list;
}

Json MappingsJson(const std::map<std::string, std::string>& mappings) {
  Json json = Json::object();
  for (const auto& [hash, text] : mappings) json[hash] = text;
  return json;
}

/// Takes values out of a document; the first thing that is wrong is kept, and everything after it
/// reads as empty.
class Taker {
 public:
  const Status& status() const { return status_; }
  void Fail(const std::string& what) {
    if (status_.ok()) status_ = Status::Corruption("manifest: " + what);
  }

  const Json& At(const Json& json, const char* key) {
    static const Json kNothing;
    if (json.is_object()) {
      if (auto found = json.find(key); found != json.end()) return *found;
    }
    Fail(std::string("'") + key + "' is missing");
    return kNothing;
  }
  std::string Text(const Json& json, const char* key) {
    const Json& value = At(json, key);
    if (value.is_string()) return value.get<std::string>();
    if (value.is_object() && value.size() == 1 && value.contains("base64") &&
        value["base64"].is_string()) {
      Result<std::string> bytes = FromBase64(value["base64"].get<std::string>());
      if (bytes.ok()) return *bytes;
    }
    Fail(std::string("'") + key + "' is no text");
    return {};
  }
  int64_t Integer(const Json& json, const char* key) {
    const Json& value = At(json, key);
    if (value.is_number_unsigned() && value.get<uint64_t>() > uint64_t{INT64_MAX}) {
      Fail(std::string("'") + key + "' is too large");
      return 0;
    }
    if (value.is_number_integer()) return value.get<int64_t>();
    if (value.is_string()) {
      const std::string text = value.get<std::string>();
      int64_t number = 0;
      auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
      if (error == std::errc() && end == text.data() + text.size()) return number;
    }
    Fail(std::string("'") + key + "' is no integer");
    return 0;
  }
  template <typename Type>
  Type Count(const Json& json, const char* key) {
    const int64_t number = Integer(json, key);
    if (number < 0 || static_cast<uint64_t>(number) > std::numeric_limits<Type>::max()) {
      Fail(std::string("'") + key + "' is out of range");
      return 0;
    }
    return static_cast<Type>(number);
  }
  bool Flag(const Json& json, const char* key) {
    const Json& value = At(json, key);
    if (!value.is_boolean()) Fail(std::string("'") + key + "' is neither true nor false");
    return value.is_boolean() && value.get<bool>();
  }
  Hash128 Hash(const Json& json, const char* key) { return HashOf(Text(json, key), key); }
  Hash128 HashOf(const std::string& text, const char* key) {
    Result<Hash128> hash = Hash128::Parse(text);
    if (hash.ok()) return *hash;
    Fail(std::string("'") + key + "': " + std::string(hash.status().message()));
    return {};
  }
  /// Calls `take` with each element.
  template <typename F>
  void Each(const Json& json, const char* key, F take) {
    const Json& list = At(json, key);
    if (!list.is_array()) return Fail(std::string("'") + key + "' is no list");
    for (const Json& element : list) {
      if (!status_.ok()) return;
      take(element);
    }
  }
  std::vector<std::string> Texts(const Json& json, const char* key) {
    std::vector<std::string> texts;
    Each(json, key, [&](const Json& element) {
      texts.push_back(Text(Json{{"element", element}}, "element"));
    });
    return texts;
  }

 private:
  Status status_;
};

TapeId TakeTape(Taker* taker, const Json& json) {
  TapeId tape;
  tape.cluster = taker->Text(json, "cluster");
  tape.topic = taker->Text(json, "topic");
  tape.lineage = taker->Count<uint32_t>(json, "lineage");
  tape.partition = static_cast<int32_t>(taker->Count<uint16_t>(json, "partition"));
  return tape;
}

TapeRange TakeRange(Taker* taker, const Json& json) {
  TapeRange range{TakeTape(taker, json), taker->Integer(json, "from"), taker->Integer(json, "to")};
  if (range.from > range.to) taker->Fail("a range ends before it begins");
  return range;
}

GapReason TakeReason(Taker* taker, const Json& json) {
  const std::string name = taker->Text(json, "reason");
  for (int number = 1; number <= static_cast<int>(GapReason::kDamaged); ++number) {
    if (GapReasonName(static_cast<GapReason>(number)) == name)
      return static_cast<GapReason>(number);
  }
  taker->Fail("no gap has the reason " + Quoted(name));
  return {};
}

Gap TakeGap(Taker* taker, const Json& json) {
  Gap gap;
  gap.from = taker->Integer(json, "from");
  gap.to = taker->Integer(json, "to");
  gap.reason = TakeReason(taker, json);
  gap.kafka_before_ms = taker->Integer(json, "kafka_before_ms");
  gap.kafka_after_ms = taker->Integer(json, "kafka_after_ms");
  gap.event_before_ns = taker->Integer(json, "event_before_ns");
  gap.event_after_ns = taker->Integer(json, "event_after_ns");
  gap.noticed_at = Timestamp(taker->Integer(json, "noticed_at_ns"));
  gap.detail = taker->Text(json, "detail");
  return gap;
}

std::vector<ShippedObject> TakeObjects(Taker* taker, const Json& json) {
  std::vector<ShippedObject> objects;
  taker->Each(json, "objects", [&](const Json& element) {
    ShippedObject& object = objects.emplace_back();
    object.name = taker->Text(element, "name");
    object.format = taker->Text(element, "format");
    object.rows = taker->Count<uint64_t>(element, "rows");
    object.bytes = taker->Count<uint64_t>(element, "bytes");
    object.sha256 = taker->Text(element, "sha256");
    if (object.sha256.size() != 64) taker->Fail("a sha256 has 64 hexadecimal digits");
    object.first_symbol = taker->Text(element, "first_symbol");
    object.last_symbol = taker->Text(element, "last_symbol");
    object.first_ts = Timestamp(taker->Integer(element, "first_ts_ns"));
    object.last_ts = Timestamp(taker->Integer(element, "last_ts_ns"));
    taker->Each(element, "offsets",
                [&](const Json& range) { object.offsets.push_back(TakeRange(taker, range)); });
  });
  return objects;
}

std::map<std::string, std::string> TakeMappings(Taker* taker, const Json& json) {
  std::map<std::string, std::string> mappings;
  const Json& object = taker->At(json, "mappings");
  if (!object.is_object()) {
    taker->Fail("'mappings' is no object");
    return mappings;
  }
  for (const auto& [hash, text] : object.items()) {
    if (!text.is_string()) taker->Fail("the text of mapping " + hash + " is no text");
    if (text.is_string()) mappings[hash] = text.get<std::string>();
  }
  return mappings;
}

ManifestWriter TakeWriter(Taker* taker, const Json& json) {
  return {taker->Text(json, "node"), taker->Text(json, "store"), taker->Text(json, "version"),
          Timestamp(taker->Integer(json, "at_ns"))};
}

constexpr std::pair<DaySize, std::string_view> kDaySizes[] = {
    {DaySize::kDay, "day"}, {DaySize::kMonth, "month"}, {DaySize::kYear, "year"}};

std::string_view DaySizeName(DaySize size) {
  for (const auto& [known, name] : kDaySizes) {
    if (known == size) return name;
  }
  return "day";
}

ColumnType TakeColumnType(Taker* taker, const Json& json) {
  const std::string name = taker->Text(json, "type");
  for (ColumnType type : {ColumnType::kTimestamp, ColumnType::kDecimal, ColumnType::kInteger,
                          ColumnType::kText, ColumnType::kFlag}) {
    if (ColumnTypeName(type) == name) return type;
  }
  taker->Fail("no column has the type " + Quoted(name));
  return {};
}

RecordManifest TakeRecords(Taker* taker, const Json& json) {
  RecordManifest manifest;
  manifest.writer = TakeWriter(taker, json);
  manifest.table = taker->Text(json, "table");
  taker->Each(json, "columns", [&](const Json& element) {
    Column column{taker->Text(element, "name")};
    column.type = TakeColumnType(taker, element);
    manifest.columns.push_back(std::move(column));
  });
  manifest.identity = taker->Texts(json, "identity");
  const std::string size = taker->Text(json, "day_size");
  bool known = false;
  for (const auto& [day_size, name] : kDaySizes) {
    if (name != size) continue;
    manifest.day_size = day_size;
    known = true;
  }
  if (!known) taker->Fail("no table has days of the size " + Quoted(size));
  Result<Timestamp> day = ParseRfc3339(taker->Text(json, "day") + "T00:00:00Z");
  if (!day.ok()) taker->Fail("'day': " + std::string(day.status().message()));
  if (day.ok()) manifest.day = Day::Of(*day);
  manifest.generation = taker->Count<uint32_t>(json, "generation");
  taker->Each(json, "replaces", [&](const Json& element) {
    manifest.replaces.push_back(
        taker->Count<uint32_t>(Json{{"generation", element}}, "generation"));
  });
  manifest.rows = taker->Count<uint64_t>(json, "rows");
  manifest.digest = taker->Hash(json, "digest");
  taker->Each(json, "vector",
              [&](const Json& element) { manifest.vector.push_back(TakeRange(taker, element)); });
  taker->Each(json, "gaps", [&](const Json& element) {
    manifest.gaps.push_back({TakeTape(taker, element), TakeGap(taker, element)});
  });
  manifest.mappings = TakeMappings(taker, json);
  manifest.objects = TakeObjects(taker, json);
  return manifest;
}

TapeManifest TakeTapeManifest(Taker* taker, const Json& json) {
  TapeManifest manifest;
  manifest.writer = TakeWriter(taker, json);
  manifest.range = TakeRange(taker, json);
  manifest.messages = taker->Count<uint64_t>(json, "messages");
  manifest.digest = taker->Hash(json, "digest");
  manifest.last = {taker->Integer(json, "last_offset"), taker->Hash(json, "last_hash")};
  manifest.kafka_min_ms = taker->Integer(json, "kafka_min_ms");
  manifest.kafka_max_ms = taker->Integer(json, "kafka_max_ms");
  manifest.kafka_running_max_ms = taker->Integer(json, "kafka_running_max_ms");
  manifest.event_min_ns = taker->Integer(json, "event_min_ns");
  manifest.event_max_ns = taker->Integer(json, "event_max_ns");
  manifest.many_symbols = taker->Flag(json, "many_symbols");
  manifest.symbols = taker->Texts(json, "symbols");
  taker->Each(json, "gaps",
              [&](const Json& element) { manifest.gaps.push_back(TakeGap(taker, element)); });
  taker->Each(json, "refusals", [&](const Json& element) {
    ShippedRefusal& refusal = manifest.refusals.emplace_back();
    refusal.offset = taker->Integer(element, "offset");
    refusal.entry.reason = taker->Text(element, "reason");
    refusal.entry.refused = taker->Count<uint32_t>(element, "refused");
    refusal.entry.kept = taker->Count<uint32_t>(element, "kept");
    refusal.entry.received = Timestamp(taker->Integer(element, "received_ns"));
    refusal.entry.kafka_ms = taker->Integer(element, "kafka_ms");
  });
  taker->Each(json, "mapping_from", [&](const Json& element) {
    manifest.mapping_from.emplace_back(taker->Integer(element, "offset"),
                                       taker->Hash(element, "mapping"));
  });
  manifest.mappings = TakeMappings(taker, json);
  manifest.objects = TakeObjects(taker, json);
  return manifest;
}

}  // namespace

std::string ToJson(const RecordManifest& manifest) {
  Json json = Head("records", manifest.writer);
  json["table"] = manifest.table;
  json["columns"] = Json::array();
  for (const Column& column : manifest.columns)
    json["columns"].push_back({{"name", column.name}, {"type", ColumnTypeName(column.type)}});
  json["identity"] = Strings(manifest.identity);
  json["day_size"] = DaySizeName(manifest.day_size);
  json["day"] = manifest.day.ToString();
  json["generation"] = manifest.generation;
  json["replaces"] = manifest.replaces;
  json["rows"] = manifest.rows;
  json["digest"] = manifest.digest.ToString();
  json["vector"] = Json::array();
  for (const TapeRange& range : manifest.vector) json["vector"].push_back(RangeJson(range));
  json["gaps"] = Json::array();
  for (const TapeGap& gap : manifest.gaps) {
    Json& to = json["gaps"].emplace_back();
    PutTape(gap.tape, &to);
    PutGap(gap.gap, &to);
  }
  json["mappings"] = MappingsJson(manifest.mappings);
  json["objects"] = ObjectsJson(manifest.objects);
  return json.dump(1) + "\n";
}

std::string ToJson(const TapeManifest& manifest) {
  Json json = Head("tape", manifest.writer);
  json.update(RangeJson(manifest.range));
  json["messages"] = manifest.messages;
  json["digest"] = manifest.digest.ToString();
  json["last_offset"] = Number(manifest.last.offset);
  json["last_hash"] = manifest.last.hash.ToString();
  json["kafka_min_ms"] = Number(manifest.kafka_min_ms);
  json["kafka_max_ms"] = Number(manifest.kafka_max_ms);
  json["kafka_running_max_ms"] = Number(manifest.kafka_running_max_ms);
  json["event_min_ns"] = Number(manifest.event_min_ns);
  json["event_max_ns"] = Number(manifest.event_max_ns);
  json["many_symbols"] = manifest.many_symbols;
  json["symbols"] = Strings(manifest.symbols);
  json["gaps"] = Json::array();
  for (const Gap& gap : manifest.gaps) PutGap(gap, &json["gaps"].emplace_back());
  json["refusals"] = Json::array();
  for (const ShippedRefusal& refusal : manifest.refusals) {
    json["refusals"].push_back({{"offset", Number(refusal.offset)},
                                {"reason", Bytes(refusal.entry.reason)},
                                {"refused", refusal.entry.refused},
                                {"kept", refusal.entry.kept},
                                {"received_ns", Number(refusal.entry.received.ns())},
                                {"kafka_ms", Number(refusal.entry.kafka_ms)}});
  }
  json["mapping_from"] = Json::array();
  for (const auto& [offset, hash] : manifest.mapping_from)
    json["mapping_from"].push_back({{"offset", Number(offset)}, {"mapping", hash.ToString()}});
  json["mappings"] = MappingsJson(manifest.mappings);
  json["objects"] = ObjectsJson(manifest.objects);
  return json.dump(1) + "\n";
}

Result<Manifest> ParseManifest(std::string_view text) {
  const Json json = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (json.is_discarded()) return Status::Corruption("manifest: this is not JSON, or it is cut");
  Taker taker;
  const int64_t version = taker.Integer(json, "manifest");
  TD_RETURN_IF_ERROR(taker.status());
  if (version < 1 || version > kVersion) {
    return Status::FailedPrecondition("the manifest has version " + std::to_string(version) +
                                      ", and this program reads up to " + std::to_string(kVersion) +
                                      ": use a newer tapedeck");
  }
  const std::string kind = taker.Text(json, "kind");
  Manifest manifest;
  if (kind == "records") {
    manifest = TakeRecords(&taker, json);
  } else if (kind == "tape") {
    manifest = TakeTapeManifest(&taker, json);
  } else {
    taker.Fail("there is no kind " + Quoted(kind));
  }
  TD_RETURN_IF_ERROR(taker.status());
  return manifest;
}

}  // namespace tapedeck
