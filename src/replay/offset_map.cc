#include "replay/offset_map.h"

#include <algorithm>
#include <tuple>

#include "base/bytes.h"

namespace tapedeck {
namespace {

constexpr uint8_t kVersion = 1;
// Behind the ids of all jobs, so that nobody who reads those reads the tables.
constexpr std::string_view kOldEntrySuffix = ".offsets";
constexpr std::string_view kEntryPrefix = "~offsets.";

bool ReadRuns(ByteReader* reader, OffsetMap::Partition* partition) {
  const uint64_t runs = reader->Varint();
  if (runs > kOffsetRunsMax) return false;
  int64_t old_end = 0;
  int64_t new_end = 0;
  for (uint64_t i = 0; i < runs && reader->ok(); ++i) {
    OffsetMap::Run run;
    const bool good = !__builtin_add_overflow(old_end, UnZigZag(reader->Varint()), &run.old_from) &&
                      !__builtin_add_overflow(new_end, UnZigZag(reader->Varint()), &run.new_from);
    const uint64_t count = reader->Varint();
    if (!good || count == 0 || count > INT64_MAX || run.old_from < old_end ||
        run.new_from < new_end) {
      return false;
    }
    run.count = static_cast<int64_t>(count);
    if (__builtin_add_overflow(run.old_from, run.count, &old_end) ||
        __builtin_add_overflow(run.new_from, run.count, &new_end)) {
      return false;
    }
    partition->runs.push_back(run);
  }
  return partition->old_end >= old_end && partition->new_end >= new_end;
}

}  // namespace

Status OffsetRuns::Add(int64_t offset) {
  if (!runs_.empty()) {
    Run& last = runs_.back();
    const int64_t end = last.from + last.count;
    if (offset < end) return Status::InvalidArgument("offsets do not rise");
    if (offset == end) {
      ++last.count;
      ++size_;
      return Status::Ok();
    }
  }
  if (runs_.size() >= kOffsetRunsMax) {
    return Status::ResourceExhausted("a partition has more than " + std::to_string(kOffsetRunsMax) +
                                     " holes");
  }
  runs_.push_back({offset, 1});
  ++size_;
  return Status::Ok();
}

int64_t OffsetMap::Partition::Find(int64_t old) const {
  const auto run = std::partition_point(
      runs.begin(), runs.end(), [old](const Run& r) { return r.old_from + r.count <= old; });
  if (run == runs.end()) return new_end;
  return run->new_from + std::max<int64_t>(0, old - run->old_from);
}

const OffsetMap::Partition* OffsetMap::Of(std::string_view source, int32_t partition) const {
  for (const Partition& one : partitions) {
    if (one.source == source && one.partition == partition) return &one;
  }
  return nullptr;
}

Result<std::vector<OffsetMap::Run>> PairRuns(const OffsetRuns& recorded, const OffsetRuns& found) {
  if (recorded.size() != found.size()) {
    return Status::Corruption("the target's partition holds " + std::to_string(found.size()) +
                              " messages and the recorded one " + std::to_string(recorded.size()));
  }
  std::vector<OffsetMap::Run> runs;
  auto old_run = recorded.runs().begin();
  auto new_run = found.runs().begin();
  int64_t old_done = 0;
  int64_t new_done = 0;
  while (old_run != recorded.runs().end()) {
    const int64_t count = std::min(old_run->count - old_done, new_run->count - new_done);
    runs.push_back({old_run->from + old_done, new_run->from + new_done, count});
    if ((old_done += count) == old_run->count) ++old_run, old_done = 0;
    if ((new_done += count) == new_run->count) ++new_run, new_done = 0;
  }
  return runs;
}

std::string EncodeOffsetMap(const OffsetMap& map) {
  std::string bytes(1, static_cast<char>(kVersion));
  PutVarint(&bytes, map.partitions.size());
  for (const OffsetMap::Partition& partition : map.partitions) {
    PutBlob(&bytes, partition.source);
    PutBlob(&bytes, partition.target);
    PutVarint(&bytes, ZigZag(partition.partition));
    PutVarint(&bytes, ZigZag(partition.old_end));
    PutVarint(&bytes, ZigZag(partition.new_end));
    PutVarint(&bytes, partition.runs.size());
    int64_t old_end = 0;
    int64_t new_end = 0;
    for (const OffsetMap::Run& run : partition.runs) {
      PutVarint(&bytes, ZigZag(run.old_from - old_end));
      PutVarint(&bytes, ZigZag(run.new_from - new_end));
      PutVarint(&bytes, static_cast<uint64_t>(run.count));
      old_end = run.old_from + run.count;
      new_end = run.new_from + run.count;
    }
  }
  return bytes;
}

Result<OffsetMap> DecodeOffsetMap(std::string_view bytes) {
  const Status broken = Status::Corruption("the offsets of a restore are damaged");
  ByteReader reader(bytes);
  if (reader.Byte() != kVersion) return broken;
  OffsetMap map;
  const uint64_t partitions = reader.Varint();
  for (uint64_t i = 0; i < partitions && reader.ok(); ++i) {
    OffsetMap::Partition partition;
    partition.source = reader.Blob();
    partition.target = reader.Blob();
    partition.partition = static_cast<int32_t>(UnZigZag(reader.Varint()));
    partition.old_end = UnZigZag(reader.Varint());
    partition.new_end = UnZigZag(reader.Varint());
    if (!ReadRuns(&reader, &partition)) return broken;
    map.partitions.push_back(std::move(partition));
  }
  if (!reader.done()) return broken;
  return map;
}

std::string OffsetEntryId(std::string_view job_id) {
  return std::string(kEntryPrefix).append(job_id);
}

std::string OldOffsetEntryId(std::string_view job_id) {
  return std::string(job_id).append(kOldEntrySuffix);
}

}  // namespace tapedeck
