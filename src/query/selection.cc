#include "query/selection.h"

#include <algorithm>
#include <map>
#include <tuple>

#include "base/text.h"
#include "query/listing.h"
#include "query/tape_blocks.h"

namespace tapedeck {
namespace {

constexpr int64_t kNsPerMs = 1'000'000;

std::vector<std::string> SortedOnce(std::vector<std::string> names) {
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  return names;
}

bool BeforeEnd(Timestamp time, Timestamp end) { return time < end || end == Timestamp::Max(); }

// Gaps whose messages exist somewhere else on this node's tapes, or were never to be recorded.
bool LosesNothing(GapReason reason) {
  return reason == GapReason::kHeld || reason == GapReason::kOwnReplay;
}

// By the times of the messages around it; unknown touches.
bool MayTouch(const Gap& gap, const TapeRange& range, const Selection& selection) {
  if (gap.to <= range.from || gap.from >= range.to) return false;
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

bool MayHold(const TapeIndexEntry& index, const Selection& selection) {
  if (selection.clock != SelectionClock::kKafka || index.kafka_min_ms < 0) return true;
  int64_t least = 0;
  int64_t greatest = 0;
  if (__builtin_mul_overflow(index.kafka_min_ms, kNsPerMs, &least) ||
      __builtin_mul_overflow(index.kafka_max_ms, kNsPerMs, &greatest)) {
    return true;
  }
  return greatest >= selection.start.ns() && BeforeEnd(Timestamp(least), selection.end);
}

// An upper bound: whole blocks that reach into the range.
Status CountBlocks(const ReadPoint& point, const PartitionEntry& entry, const TapeRange& range,
                   Frozen* frozen) {
  const Selection& selection = frozen->selection;
  TapeBlocks blocks(&point.view(), entry.tp, entry.tape.ToString(), ScanKind::kLong);
  TD_RETURN_IF_ERROR(blocks.Seek(range.from));
  for (; blocks.Valid() && blocks.base() < range.to;) {
    const TapeIndexEntry& index = blocks.index();
    if (MayHold(index, selection)) {
      frozen->messages_at_most += index.count;
      int64_t ns = 0;
      if (index.kafka_min_ms >= 0 && !__builtin_mul_overflow(index.kafka_min_ms, kNsPerMs, &ns)) {
        Timestamp least(ns);
        if (selection.clock == SelectionClock::kKafka) least = std::max(least, selection.start);
        frozen->oldest = std::min(frozen->oldest.value_or(least), least);
      }
    }
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

Status AddOffsets(const std::vector<PartitionEntry>& entries, const SelectionRequest& request,
                  Selection* selection) {
  for (const OffsetRange& wanted : request.offsets) {
    auto entry = std::find_if(entries.begin(), entries.end(), [&](const PartitionEntry& e) {
      return e.tape.topic == wanted.topic && e.tape.partition == wanted.partition &&
             e.tape.lineage == wanted.lineage;
    });
    if (entry == entries.end()) {
      return Status::InvalidArgument("source.offsets: " + Quoted(wanted.topic) +
                                     " has no partition " + std::to_string(wanted.partition) +
                                     " in lineage " + std::to_string(wanted.lineage));
    }
    if (wanted.from >= wanted.to) {
      return Status::InvalidArgument("source.offsets: from " + std::to_string(wanted.from) +
                                     " is not below to");
    }
    selection->ranges.push_back(
        {entry->tape, wanted.from, std::min(wanted.to, entry->checkpoint.next)});
  }
  return Status::Ok();
}

auto NameOf(const TapeId& tape) { return std::tie(tape.topic, tape.partition, tape.lineage); }

Status SortRanges(Selection* selection) {
  auto& ranges = selection->ranges;
  std::erase_if(ranges, [](const TapeRange& range) { return range.from >= range.to; });
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

Result<Frozen> FreezeSelection(const ReadPoint& point, const SelectionRequest& request) {
  TD_RETURN_IF_ERROR(CheckRequest(point, request));
  std::vector<std::string> topics = request.topics;
  for (const OffsetRange& range : request.offsets) topics.push_back(range.topic);
  TD_ASSIGN_OR_RETURN(const std::vector<PartitionEntry> entries,
                      ListPartitions(point, SortedOnce(std::move(topics))));
  Frozen frozen;
  Selection& selection = frozen.selection;
  selection.start = request.start.value_or(Timestamp::Min());
  selection.end = request.end.value_or(Timestamp::Max());
  selection.clock = request.clock;
  selection.order = request.order;
  selection.symbols = SortedOnce(request.symbols);
  selection.tables = SortedOnce(request.tables);
  if (!request.offsets.empty()) {
    TD_RETURN_IF_ERROR(AddOffsets(entries, request, &selection));
  } else {
    for (const PartitionEntry& entry : entries) {
      selection.ranges.push_back({entry.tape, entry.checkpoint.start, entry.checkpoint.next});
    }
  }
  TD_RETURN_IF_ERROR(SortRanges(&selection));
  for (const TapeRange& range : selection.ranges) {
    auto entry = std::find_if(entries.begin(), entries.end(),
                              [&](const PartitionEntry& e) { return e.tape == range.tape; });
    for (const Gap& gap : entry->gaps) {
      if (LosesNothing(gap.reason) || !MayTouch(gap, range, selection)) continue;
      frozen.missing.push_back({range.tape, gap});
    }
    TD_RETURN_IF_ERROR(CountBlocks(point, *entry, range, &frozen));
  }
  return frozen;
}

Result<uint64_t> LargestMessage(const ReadPoint& point, const Selection& selection, uint64_t over) {
  uint64_t largest = 0;
  TapeBlock block;
  CodecBuffers buffers;
  for (const TapeRange& range : selection.ranges) {
    for (const auto& [tp, tape] : point.state().tapes) {
      if (NameOf(tape) != NameOf(range.tape)) continue;
      TapeBlocks blocks(&point.view(), tp, tape.ToString(), ScanKind::kLong);
      TD_RETURN_IF_ERROR(blocks.Seek(range.from));
      for (; blocks.Valid() && blocks.base() < range.to;) {
        const TapeIndexEntry& index = blocks.index();
        if (index.raw_bytes > over && MayHold(index, selection)) {
          TD_RETURN_IF_ERROR(blocks.Load(&block, &buffers));
          for (size_t i = 0; i < block.size(); ++i) {
            largest = std::max<uint64_t>(largest, block.At(i).PayloadBytes());
          }
        }
        TD_RETURN_IF_ERROR(blocks.Next());
      }
    }
  }
  return largest > over ? largest : 0;
}

}  // namespace tapedeck
