#include "config/memory_budget.h"

#include <algorithm>
#include <string>

#include "base/units.h"

namespace tapedeck {
namespace {

constexpr uint64_t kMiB = uint64_t{1} << 20;
constexpr uint64_t kProcess = 64 * kMiB;
constexpr uint64_t kBuildingPerCommitByte = 9;
constexpr uint64_t kFlushDefault = 256 * kMiB;
constexpr uint64_t kFlushLeast = 8 * kMiB;
constexpr uint64_t kKafkaLeast = 16 * kMiB, kKafkaMost = 512 * kMiB;
constexpr uint64_t kStoreLeast = 32 * kMiB, kStoreMost = 1024 * kMiB;

uint64_t RowsOf(uint64_t flush_bytes) { return flush_bytes + flush_bytes / 2; }

}  // namespace

Result<MemoryBudget> SplitMemory(const MemoryWish& wish) {
  MemoryBudget budget;
  budget.process = kProcess;
  budget.building = kBuildingPerCommitByte * wish.commit_bytes;
  budget.flush_bytes = wish.flush_bytes.value_or(
      std::clamp(wish.memory / 6 / kMiB * kMiB, kFlushLeast, kFlushDefault));
  budget.rows = RowsOf(budget.flush_bytes);
  uint64_t fixed = budget.process + budget.building;
  if (wish.memory < fixed + budget.rows + kKafkaLeast + kStoreLeast) {
    uint64_t rows = RowsOf(wish.flush_bytes.value_or(kFlushLeast));
    uint64_t least = fixed + rows + kKafkaLeast + kStoreLeast;
    if (!wish.flush_bytes.has_value() && wish.memory >= least) {
      budget.flush_bytes = kFlushLeast;
      budget.rows = rows;
    } else {
      least = (least + kMiB - 1) / kMiB * kMiB;
      return Status::InvalidArgument(
          "limits.memory = " + FormatSize(wish.memory) +
          " is too little: record.commit_bytes = " + FormatSize(wish.commit_bytes) +
          (wish.flush_bytes.has_value()
               ? " and series.flush_bytes = " + FormatSize(*wish.flush_bytes)
               : std::string()) +
          " need at least " + FormatSize(least) + "; raise it, or make " +
          (wish.flush_bytes.has_value() ? "them" : "record.commit_bytes") + " smaller");
    }
  }
  uint64_t left = wish.memory - fixed - budget.rows;
  budget.kafka = std::clamp(left / 4, kKafkaLeast, kKafkaMost);
  budget.store = std::clamp(left / 4, kStoreLeast, kStoreMost);
  budget.spare = left - budget.kafka - budget.store;
  return budget;
}

}  // namespace tapedeck
