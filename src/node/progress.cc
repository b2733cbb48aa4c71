#include "node/progress.h"

#include <algorithm>
#include <array>
#include <cstdio>

#include "node/json_line.h"

namespace tapedeck {
namespace {

// A line is for a look; a thousand sick partitions would make it unreadable.
constexpr size_t kUnwellShown = 8;

std::string UnwellJson(const std::vector<PartitionState>& unwell) {
  std::string list = "[";
  for (size_t i = 0; i < std::min(unwell.size(), kUnwellShown); ++i) {
    JsonLine line;
    line.Text("topic", unwell[i].tp.topic)
        .Number("partition", unwell[i].tp.partition)
        .Text("reason", unwell[i].health);
    list += (i == 0 ? "" : ",") + line.Take();
  }
  return list + "]";
}

}  // namespace

Progress ProgressMeter::Next(const NodeState& state, MonotonicTime now) {
  const RecorderState& recorder = state.recorder;
  Progress progress;
  progress.messages = recorder.messages;
  progress.records = recorder.records;
  progress.refused = recorder.refused;
  progress.skipped = recorder.skipped;
  progress.bytes = recorder.raw_bytes;
  progress.tape_bytes = recorder.tape_bytes;
  progress.partitions = recorder.partitions.size();
  progress.commits = recorder.commits;
  progress.flushes = recorder.flushes;
  progress.open_rows = state.open_rows;
  progress.stall = recorder.stall;
  progress.notices = recorder.notices;
  for (const PartitionState& partition : recorder.partitions) {
    if (!partition.health.empty()) progress.unwell.push_back(partition);
    if (partition.log_end < 0) continue;
    progress.lag = std::max<int64_t>(progress.lag, 0) +
                   std::max<int64_t>(0, partition.log_end - partition.stored);
  }
  double seconds = std::max(1e-3, std::chrono::duration<double>(now - last_time_).count());
  progress.messages_per_s = double(progress.messages - last_messages_) / seconds;
  progress.records_per_s = double(progress.records - last_records_) / seconds;
  progress.bytes_per_s = double(progress.bytes - last_bytes_) / seconds;
  last_time_ = now;
  last_messages_ = progress.messages;
  last_records_ = progress.records;
  last_bytes_ = progress.bytes;
  return progress;
}

std::string ProgressJson(const Progress& progress, Timestamp now) {
  JsonLine line;
  line.Text("event", "progress").Text("ts", FormatRfc3339(now));
  line.Count("messages", progress.messages).Count("records", progress.records);
  line.Count("refused", progress.refused).Count("skipped", progress.skipped);
  if (progress.lag < 0) {
    line.Null("lag");
  } else {
    line.Number("lag", progress.lag);
  }
  line.Real("messages_per_s", progress.messages_per_s, 1)
      .Real("records_per_s", progress.records_per_s, 1);
  line.Real("bytes_per_s", progress.bytes_per_s, 0)
      .Count("bytes", progress.bytes)
      .Count("tape_bytes", progress.tape_bytes);
  line.Real("compression", progress.compression(), 2).Count("partitions", progress.partitions);
  line.Count("commits", progress.commits)
      .Count("flushes", progress.flushes)
      .Count("open_rows", progress.open_rows);
  if (!progress.stall.empty()) line.Text("stall", progress.stall);
  if (!progress.unwell.empty())
    line.Count("unwell", progress.unwell.size()).Raw("reasons", UnwellJson(progress.unwell));
  if (!progress.notices.empty()) line.Text("notice", progress.notices.back());
  return line.Take();
}

std::string GroupedDigits(uint64_t number) {
  std::string digits = std::to_string(number);
  for (size_t at = digits.size(); at > 3; at -= 3) digits.insert(at - 3, ",");
  return digits;
}

std::string RoughBytes(double bytes) {
  constexpr std::array<const char*, 5> kUnits = {"B", "kB", "MB", "GB", "TB"};
  size_t unit = 0;
  while (bytes >= 1000 && unit + 1 < kUnits.size()) {
    bytes /= 1000;
    ++unit;
  }
  std::array<char, 64> buffer{};
  std::snprintf(buffer.data(), buffer.size(), unit == 0 ? "%.0f %s" : "%.1f %s", bytes,
                kUnits[unit]);
  return buffer.data();
}

std::string ProgressText(const Progress& progress) {
  std::array<char, 64> ratio{};
  std::snprintf(ratio.data(), ratio.size(), "%.1fx", progress.compression());
  std::string text =
      GroupedDigits(progress.messages) + " messages  " + GroupedDigits(progress.records) +
      " records  " + RoughBytes(double(progress.bytes)) + " -> " +
      RoughBytes(double(progress.tape_bytes)) + " (" + ratio.data() + ")  lag " +
      (progress.lag < 0 ? std::string("?") : GroupedDigits(static_cast<uint64_t>(progress.lag))) +
      "  " + GroupedDigits(static_cast<uint64_t>(progress.messages_per_s)) + " messages/s";
  if (progress.refused > 0) text += "  " + GroupedDigits(progress.refused) + " refused";
  if (!progress.stall.empty()) text += "  STALLED: " + progress.stall;
  return text;
}

}  // namespace tapedeck
