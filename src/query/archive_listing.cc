#include "query/archive_listing.h"

#include <algorithm>
#include <array>
#include <map>
#include <tuple>

#include "base/json_text.h"
#include "query/json_rows.h"

namespace tapedeck {
namespace {

constexpr int64_t kMillisecond = 1'000'000;

// The last day of what begins on `day`, and one more.
Timestamp EndOf(DaySize size, Day day) {
  if (size == DaySize::kDay) return Day(day.days() + 1).start();
  Day next(day.days() + (size == DaySize::kMonth ? 31 : 366));
  return (size == DaySize::kMonth ? next.MonthStart() : next.YearStart()).start();
}

bool Touches(const DayQuery& query, Timestamp first, Timestamp last) {
  return first < query.end && last >= query.start;
}

bool DayTouches(const DayQuery& query, DaySize size, Day day) {
  return day.start() < query.end && EndOf(size, day) > query.start;
}

void AddObjects(const RecordManifest& manifest, DayListing* listing) {
  listing->objects = manifest.objects.size();
  for (const ShippedObject& object : manifest.objects) listing->bytes += object.bytes;
}

std::string BytesText(std::string_view bytes) {
  std::string json;
  AppendJsonBytes(OptionalBytes(bytes), MessageEncoding::kText, &json);
  return json;
}

std::string RangesText(const std::vector<TapeRange>& ranges) {
  JsonArray list;
  for (const TapeRange& range : ranges) {
    list.Raw(JsonObject()
                 .Text("topic", range.tape.topic)
                 .Number("partition", range.tape.partition)
                 .Count("lineage", range.tape.lineage)
                 .Number("from", range.from)
                 .Number("to", range.to)
                 .Take());
  }
  return list.Take();
}

std::string PairText(std::string_view first, std::string_view last) {
  return JsonObject().Raw("first", first).Raw("last", last).Take();
}

std::string TimesText(Timestamp first, Timestamp last) {
  return JsonObject().Text("first", FormatRfc3339(first)).Text("last", FormatRfc3339(last)).Take();
}

std::string Padded(uint64_t number) {
  std::string digits = std::to_string(number);
  return std::string(20 - digits.size(), '0') + digits;
}

}  // namespace

std::string DayListing::Place() const {
  // Days before 1970 sort first.
  const uint64_t at = static_cast<uint64_t>(int64_t{day.days()} + (int64_t{1} << 32));
  return table + "\n" + Padded(at) + "\n" + Padded(generation) + "\n" + node + "\n" + store;
}

std::vector<DayListing> ListDays(const StoreState& state, const ArchiveOwner& owner,
                                 const ManifestSet* manifests, const DayQuery& query) {
  std::vector<DayListing> days;
  // Manifests that states of this store name, and the place in `days`, if it is asked for.
  std::map<std::string, size_t, std::less<>> own;
  for (const auto& [key, entry] : state.days) {
    const Table* table = state.tables.Find(key.table);
    if (table == nullptr || entry.building) continue;
    const auto named = own.emplace(entry.manifest, SIZE_MAX).first;
    if (!query.table.empty() && table->name != query.table) continue;
    if (!DayTouches(query, table->day_size, key.day)) continue;
    DayListing listing{.table = table->name,
                       .day = key.day,
                       .generation = key.generation,
                       .phase = entry.phase,
                       .rows = entry.rows,
                       .node = owner.node,
                       .store = owner.store,
                       .manifest = entry.manifest,
                       .replaced = entry.replaced != 0};
    const RecordListing* listed =
        manifests == nullptr ? nullptr : manifests->FindRecords(entry.manifest);
    if (listed != nullptr) {
      listing.rows = listed->manifest.rows;
      AddObjects(listed->manifest, &listing);
    }
    named->second = days.size();
    days.push_back(std::move(listing));
  }
  if (manifests != nullptr) {
    for (const ListedRecords& listed : manifests->records()) {
      const RecordManifest& manifest = listed.manifest();
      const auto of_own = own.find(listed.listing->name);
      if (of_own != own.end()) {
        if (of_own->second != SIZE_MAX)
          days[of_own->second].replaced |= listed.replaced_by != nullptr;
        continue;
      }
      if (!query.table.empty() && manifest.table != query.table) continue;
      if (!DayTouches(query, manifest.day_size, manifest.day)) continue;
      days.push_back({.table = manifest.table,
                      .day = manifest.day,
                      .generation = manifest.generation,
                      .phase = DayPhase::kShipped,
                      .rows = manifest.rows,
                      .node = manifest.writer.node,
                      .store = manifest.writer.store,
                      .manifest = listed.listing->name,
                      .replaced = listed.replaced_by != nullptr});
      AddObjects(manifest, &days.back());
    }
  }
  std::ranges::sort(days, [](const DayListing& a, const DayListing& b) {
    return std::tie(a.table, a.day, a.generation, a.node, a.store) <
           std::tie(b.table, b.day, b.generation, b.node, b.store);
  });
  return days;
}

std::vector<ObjectListing> ListObjects(const ManifestSet& manifests, const DayQuery& query) {
  std::vector<ObjectListing> objects;
  if (query.table == kTapeListing) {
    for (const auto& tape : manifests.tapes()) {
      const TapeManifest& manifest = tape->manifest;
      const Timestamp first(manifest.kafka_min_ms * kMillisecond);
      const Timestamp last(manifest.kafka_max_ms * kMillisecond);
      if (!Touches(query, first, last)) continue;
      for (const ShippedObject& object : manifest.objects)
        objects.push_back({.tape = tape.get(), .object = &object});
    }
    return objects;
  }
  for (const ListedRecords& listed : manifests.records()) {
    if (!query.table.empty() && listed.manifest().table != query.table) continue;
    for (const ShippedObject& object : listed.manifest().objects) {
      if (!Touches(query, object.first_ts, object.last_ts)) continue;
      objects.push_back({.records = listed.listing.get(),
                         .object = &object,
                         .replaced = listed.replaced_by != nullptr});
    }
  }
  return objects;
}

std::span<const std::string_view> DayColumns() {
  static constexpr std::array<std::string_view, 8> kNames = {
      "table", "day", "generation", "state", "rows", "objects", "bytes", "node"};
  return kNames;
}

ListingText DayText(const DayListing& d) {
  JsonObject object;
  object.Text("table", d.table)
      .Text("day", d.day.ToString())
      .Count("generation", d.generation)
      .Text("state", DayPhaseName(d.phase))
      .Count("rows", d.rows)
      .Count("objects", d.objects)
      .Count("bytes", d.bytes)
      .Text("node", d.node)
      .Text("store", d.store)
      .TextOrNull("manifest", d.manifest)
      .Flag("replaced", d.replaced);
  return {
      object.Take(),
      {d.table, d.day.ToString(), std::to_string(d.generation), std::string(DayPhaseName(d.phase)),
       std::to_string(d.rows), std::to_string(d.objects), std::to_string(d.bytes), d.node}};
}

std::span<const std::string_view> ObjectColumns() {
  static constexpr std::array<std::string_view, 7> kNames = {"uri",  "table", "day",   "generation",
                                                             "rows", "bytes", "format"};
  return kNames;
}

ListingText ObjectText(const ObjectListing& listing, std::string_view place) {
  const ShippedObject& o = *listing.object;
  const std::string uri = std::string(place) + "/" + o.name;
  const ManifestWriter& writer =
      listing.records != nullptr ? listing.records->manifest.writer : listing.tape->manifest.writer;
  std::string table(kTapeListing);
  std::string day = "null";
  std::string generation = "null";
  std::string times = "null";
  std::string symbols = "null";
  std::string day_cell;
  std::string generation_cell;
  if (listing.records != nullptr) {
    const RecordManifest& manifest = listing.records->manifest;
    table = manifest.table;
    day_cell = manifest.day.ToString();
    day = "\"" + day_cell + "\"";
    generation = generation_cell = std::to_string(manifest.generation);
    symbols = PairText(BytesText(o.first_symbol), BytesText(o.last_symbol));
    times = TimesText(o.first_ts, o.last_ts);
  } else if (listing.tape->manifest.kafka_min_ms >= 0) {
    times = TimesText(Timestamp(listing.tape->manifest.kafka_min_ms * kMillisecond),
                      Timestamp(listing.tape->manifest.kafka_max_ms * kMillisecond));
  }
  const std::vector<TapeRange> range =
      listing.tape == nullptr ? o.offsets : std::vector<TapeRange>{listing.tape->manifest.range};
  JsonObject object;
  object.Text("uri", uri)
      .Text("name", o.name)
      .Text("table", table)
      .Raw("day", day)
      .Raw("generation", generation)
      .Text("node", writer.node)
      .Text("store", writer.store)
      .Text("manifest", listing.records != nullptr ? listing.records->name : listing.tape->name)
      .Text("format", o.format)
      .Count("rows", o.rows)
      .Count("bytes", o.bytes)
      .Text("sha256", o.sha256)
      .Raw("symbols", symbols)
      .Raw("ts", times)
      .Raw("offsets", RangesText(range))
      .Flag("replaced", listing.replaced);
  return {object.Take(),
          {uri, table, day_cell, generation_cell, std::to_string(o.rows), std::to_string(o.bytes),
           o.format}};
}

}  // namespace tapedeck
