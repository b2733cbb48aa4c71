#include "tape/selection.h"

#include <algorithm>
#include <set>
#include <tuple>

#include "base/text.h"
#include "tape/tape_blocks.h"
#include "tape/tape_spans.h"

namespace tapedeck {
namespace {

constexpr int64_t kNsPerMs = 1'000'000;

auto NameOf(const TapeId& tape) { return std::tie(tape.topic, tape.partition, tape.lineage); }

std::vector<std::string> SortedOnce(std::vector<std::string> names) {
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  return names;
}

bool BeforeEnd(Timestamp time, Timestamp end) { return time < end || end == Timestamp::Max(); }

bool MayHold(int64_t kafka_min_ms, int64_t kafka_max_ms, const Selection& selection) {
  if (selection.clock != SelectionClock::kKafka || kafka_min_ms < 0) return true;
  int64_t least = 0;
  int64_t greatest = 0;
  if (__builtin_mul_overflow(kafka_min_ms, kNsPerMs, &least) ||
      __builtin_mul_overflow(kafka_max_ms, kNsPerMs, &greatest)) {
    return true;
  }
  return greatest >= selection.start.ns() && BeforeEnd(Timestamp(least), selection.end);
}

void Count(uint64_t messages, int64_t kafka_min_ms, Frozen* frozen) {
  const Selection& selection = frozen->selection;
  frozen->messages_at_most += messages;
  int64_t ns = 0;
  if (kafka_min_ms < 0 || __builtin_mul_overflow(kafka_min_ms, kNsPerMs, &ns)) return;
  Timestamp least(ns);
  if (selection.clock == SelectionClock::kKafka) least = std::max(least, selection.start);
  frozen->oldest = std::min(frozen->oldest.value_or(least), least);
}

// An upper bound: whole blocks, and whole objects of the archive, that reach into the range.
Status CountMessages(const ReadPoint& point, TpId tp, const TapeRange& range, Frozen* frozen) {
  const Selection& selection = frozen->selection;
  TD_ASSIGN_OR_RETURN(const std::vector<TapeSpan> spans,
                      SpansOf(point, tp, range.tape, range.from, range.to));
  std::set<const TapeListing*> counted;
  for (const TapeSpan& span : spans) {
    if (span.archived == nullptr || !counted.insert(span.archived).second) continue;
    const TapeManifest& manifest = span.archived->manifest;
    if (!MayHold(manifest.kafka_min_ms, manifest.kafka_max_ms, selection)) continue;
    Count(manifest.messages, manifest.kafka_min_ms, frozen);
    frozen->exact = false;  // an object may reach out of what is read of it
  }
  if (!point.IsStored(tp)) return Status::Ok();
  TapeBlocks blocks(&point.view(), tp, range.tape.ToString(), ScanKind::kLong);
  TD_RETURN_IF_ERROR(blocks.Seek(range.from));
  for (; blocks.Valid() && blocks.base() < range.to;) {
    const TapeIndexEntry& index = blocks.index();
    if (MayHold(index.kafka_min_ms, index.kafka_max_ms, selection)) {
      Count(index.count, index.kafka_min_ms, frozen);
    }
    frozen->exact = frozen->exact && blocks.base() >= range.from && index.last_offset < range.to;
    TD_RETURN_IF_ERROR(blocks.Next());
  }
  return Status::Ok();
}

Status CheckRequest(const ReadPoint& point, const SelectionRequest& request) {
  if (request.topics.empty() == request.offsets.empty()) {
    return Status::InvalidArgument("source: name either topics or offsets");
  }
  if (request.start && request.end && *request.end <= *request.start) {
    return Status::InvalidArgument("source.end is not after source.start");
  }
  for (const std::string& table : request.tables) {
    Result<const Table*> found = point.FindTable(table);
    if (!found.ok()) {
      return Status::InvalidArgument("source.tables: " + std::string(found.status().message()));
    }
  }
  return Status::Ok();
}

struct Tape {
  TpId tp{};
  TapeId id;
  OffsetSpan extent;
};

// One bucket may hold a topic of this name of several clusters: the store's own is meant. "": all.
Result<std::string> ClusterOf(const ReadPoint& point, const std::string& topic) {
  std::set<std::string> clusters;
  for (const auto& [tp, tape] : point.state().tapes) {
    if (tape.topic != topic) continue;
    if (point.IsStored(tp)) return tape.cluster;
    clusters.insert(tape.cluster);
  }
  if (clusters.size() < 2) return std::string();
  return Status::InvalidArgument("source: topic " + Quoted(topic) +
                                 " was recorded from several clusters (" + *clusters.begin() +
                                 " and " + *clusters.rbegin() + "), and none of them by this node");
}

// Of the topics, by whoever recorded them; kInvalidArgument for one that nobody has.
Result<std::vector<Tape>> TapesOf(const ReadPoint& point, const std::vector<std::string>& topics) {
  std::vector<Tape> tapes;
  for (const std::string& topic : topics) {
    const size_t before = tapes.size();
    TD_ASSIGN_OR_RETURN(const std::string cluster, ClusterOf(point, topic));
    for (const auto& [tp, tape] : point.state().tapes) {
      if (tape.topic != topic || (!cluster.empty() && tape.cluster != cluster)) continue;
      tapes.push_back({tp, tape, ExtentOf(point, tp, tape)});
    }
    if (tapes.size() == before)
      return Status::InvalidArgument("no topic " + Quoted(topic) + " was recorded here");
  }
  return tapes;
}

// What was asked for beside what there is of the tape.
Status AddMissing(const ReadPoint& point, const Tape& tape, OffsetSpan asked, Frozen* frozen) {
  TD_ASSIGN_OR_RETURN(const std::vector<Gap> missing,
                      MissingOf(point, tape.tp, tape.id, asked.from, asked.to));
  for (const Gap& gap : missing) {
    if (MayTouch(gap, frozen->selection)) frozen->missing.push_back({tape.id, gap});
  }
  return Status::Ok();
}

Status AddOffsets(const ReadPoint& point, const std::vector<Tape>& tapes,
                  const SelectionRequest& request, Frozen* frozen) {
  for (const OffsetRange& wanted : request.offsets) {
    auto tape = std::find_if(tapes.begin(), tapes.end(), [&](const Tape& t) {
      return t.id.topic == wanted.topic && t.id.partition == wanted.partition &&
             t.id.lineage == wanted.lineage;
    });
    if (tape == tapes.end()) {
      return Status::InvalidArgument("source.offsets: " + Quoted(wanted.topic) +
                                     " has no partition " + std::to_string(wanted.partition) +
                                     " in lineage " + std::to_string(wanted.lineage));
    }
    if (wanted.from >= wanted.to) {
      return Status::InvalidArgument("source.offsets: from " + std::to_string(wanted.from) +
                                     " is not below to");
    }
    const OffsetSpan& extent = tape->extent;
    const TapeRange range{tape->id, std::max(wanted.from, extent.from),
                          std::min(wanted.to, extent.to)};
    if (range.from >= range.to) {
      return Status::InvalidArgument(
          "source.offsets: nothing is recorded there: " + tape->id.ToString() +
          " has offsets from " + std::to_string(extent.from) + " to below " +
          std::to_string(extent.to));
    }
    const int64_t to = wanted.to == INT64_MAX ? range.to : wanted.to;
    TD_RETURN_IF_ERROR(AddMissing(point, *tape, {wanted.from, to}, frozen));
    TD_RETURN_IF_ERROR(CountMessages(point, tape->tp, range, frozen));
    frozen->selection.ranges.push_back(range);
  }
  return Status::Ok();
}

Status SortRanges(Selection* selection) {
  auto& ranges = selection->ranges;
  std::sort(ranges.begin(), ranges.end(),
            [](const auto& a, const auto& b) { return NameOf(a.tape) < NameOf(b.tape); });
  for (size_t i = 1; i < ranges.size(); ++i) {
    if (NameOf(ranges[i - 1].tape) == NameOf(ranges[i].tape)) {
      return Status::InvalidArgument("source.offsets: " + ranges[i].tape.ToString() +
                                     " is there twice");
    }
  }
  return Status::Ok();
}

}  // namespace

bool MayTouch(const Gap& gap, const Selection& selection) {
  const bool by_event = selection.clock == SelectionClock::kEvent;
  const int64_t before = by_event ? gap.event_before_ns : gap.kafka_before_ms;
  const int64_t after = by_event ? gap.event_after_ns : gap.kafka_after_ms;
  const int64_t unknown = by_event ? INT64_MIN : -1;
  const int64_t unit = by_event ? 1 : kNsPerMs;
  int64_t ns = 0;
  if (before != unknown && !__builtin_mul_overflow(before, unit, &ns) &&
      !BeforeEnd(Timestamp(ns), selection.end)) {
    return false;
  }
  return after == unknown || __builtin_mul_overflow(after, unit, &ns) ||
         Timestamp(ns) >= selection.start;
}

std::optional<TpId> TapeOf(const ReadPoint& point, const TapeId& named) {
  std::optional<TpId> found;
  for (const auto& [tp, tape] : point.state().tapes) {
    if (NameOf(tape) != NameOf(named)) continue;
    if (!named.cluster.empty() && tape.cluster != named.cluster) continue;
    if (!found || (point.IsStored(tp) && !point.IsStored(*found))) found = tp;
  }
  return found;
}

Result<Frozen> FreezeSelection(const ReadPoint& point, const SelectionRequest& request) {
  TD_RETURN_IF_ERROR(CheckRequest(point, request));
  std::vector<std::string> topics = request.topics;
  for (const OffsetRange& range : request.offsets) topics.push_back(range.topic);
  TD_ASSIGN_OR_RETURN(const std::vector<Tape> tapes, TapesOf(point, SortedOnce(std::move(topics))));
  Frozen frozen;
  frozen.unlisted = IsUnlisted(point);
  Selection& selection = frozen.selection;
  selection.start = request.start.value_or(Timestamp::Min());
  selection.end = request.end.value_or(Timestamp::Max());
  selection.clock = request.clock;
  selection.order = request.order;
  selection.symbols = SortedOnce(request.symbols);
  selection.tables = SortedOnce(request.tables);
  if (!request.offsets.empty()) {
    TD_RETURN_IF_ERROR(AddOffsets(point, tapes, request, &frozen));
  } else {
    for (const Tape& tape : tapes) {
      const TapeRange range{tape.id, tape.extent.from, tape.extent.to};
      if (range.from >= range.to) continue;
      TD_RETURN_IF_ERROR(AddMissing(point, tape, tape.extent, &frozen));
      TD_RETURN_IF_ERROR(CountMessages(point, tape.tp, range, &frozen));
      selection.ranges.push_back(range);
    }
  }
  TD_RETURN_IF_ERROR(SortRanges(&selection));
  frozen.exact = frozen.exact && !selection.narrowed() && selection.start == Timestamp::Min() &&
                 selection.end == Timestamp::Max();
  return frozen;
}

Result<uint64_t> LargestMessage(const ReadPoint& point, const Selection& selection, uint64_t over) {
  uint64_t largest = 0;
  TapeBlock block;
  CodecBuffers buffers;
  for (const TapeRange& range : selection.ranges) {
    const std::optional<TpId> tp = TapeOf(point, range.tape);
    if (!tp) continue;
    TapeBlocks blocks(&point.view(), *tp, range.tape.ToString(), ScanKind::kLong);
    TD_RETURN_IF_ERROR(blocks.Seek(range.from));
    for (; blocks.Valid() && blocks.base() < range.to;) {
      const TapeIndexEntry& index = blocks.index();
      if (index.raw_bytes > over && MayHold(index.kafka_min_ms, index.kafka_max_ms, selection)) {
        TD_RETURN_IF_ERROR(blocks.Load(&block, &buffers));
        for (size_t i = 0; i < block.size(); ++i) {
          largest = std::max<uint64_t>(largest, block.At(i).PayloadBytes());
        }
      }
      TD_RETURN_IF_ERROR(blocks.Next());
    }
  }
  return largest > over ? largest : 0;
}

}  // namespace tapedeck
