#include "store/healed.h"

#include <algorithm>
#include <string>

#include "base/bytes.h"
#include "store/batch_rep.h"

namespace tapedeck {
namespace {

constexpr uint8_t kVersion = 1;

std::string KeyOf(TpId tp) { return keys::Meta("healed-" + std::to_string(Raw(tp))); }

}  // namespace

Result<std::vector<HealedRange>> HealedOf(const StoreView& view, TpId tp) {
  std::vector<HealedRange> ranges;
  const Result<std::string> bytes = view.Get(KeyOf(tp));
  if (bytes.status().code() == StatusCode::kNotFound) return ranges;
  TD_RETURN_IF_ERROR(bytes.status());
  ByteReader reader(*bytes);
  if (reader.Byte() != kVersion) reader.Fail();
  const uint64_t count = reader.Varint();
  for (uint64_t i = 0; i < count && reader.ok(); ++i) {
    HealedRange range;
    range.from = UnZigZag(reader.Varint());
    range.to = UnZigZag(reader.Varint());
    if (range.from >= range.to || (!ranges.empty() && range.from <= ranges.back().to))
      reader.Fail();
    ranges.push_back(range);
  }
  if (reader.done()) return ranges;
  return Status::Corruption("what is stored of the healed ranges of topic-partition " +
                            std::to_string(Raw(tp)) + " is damaged");
}

void PutHealed(TpId tp, const std::vector<HealedRange>& ranges, StoreBatch* batch) {
  std::string bytes;
  if (!ranges.empty()) {
    bytes.push_back(static_cast<char>(kVersion));
    PutVarint(&bytes, ranges.size());
    for (const HealedRange& range : ranges) {
      PutVarint(&bytes, ZigZag(range.from));
      PutVarint(&bytes, ZigZag(range.to));
    }
  }
  StoreBatchAccess::PutOrDelete(*batch, KeyOf(tp), bytes);
}

std::vector<HealedRange> AddHealed(std::vector<HealedRange> ranges, HealedRange range) {
  if (range.from >= range.to) return ranges;
  std::vector<HealedRange> joined;
  for (const HealedRange& one : ranges) {
    if (one.to < range.from || range.to < one.from) {
      joined.push_back(one);
    } else {
      range = {std::min(range.from, one.from), std::max(range.to, one.to)};
    }
  }
  joined.push_back(range);
  std::ranges::sort(joined, {}, &HealedRange::from);
  return joined;
}

std::vector<HealedRange> RemoveHealed(const std::vector<HealedRange>& ranges, HealedRange range) {
  if (range.from >= range.to) return ranges;
  std::vector<HealedRange> left;
  for (const HealedRange& one : ranges) {
    if (!one.Meets(range.from, range.to)) {
      left.push_back(one);
      continue;
    }
    if (one.from < range.from) left.push_back({one.from, range.from});
    if (range.to < one.to) left.push_back({range.to, one.to});
  }
  return left;
}

}  // namespace tapedeck
