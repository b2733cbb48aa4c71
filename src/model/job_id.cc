#include "model/job_id.h"

#include <algorithm>

namespace tapedeck {
namespace {

constexpr size_t kIdSize = 26;
constexpr char kIdDigits[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";  // Crockford's base 32

}  // namespace

std::string MakeJobId(Timestamp now, uint64_t random_high, uint64_t random_low) {
  // 48 bits of milliseconds and 80 random ones, five at a time: a ULID.
  const uint64_t ms = static_cast<uint64_t>(std::max<int64_t>(0, now.ns() / 1'000'000));
  uint64_t high = (ms << 16) | (random_high & 0xFFFF);
  uint64_t low = random_low;
  std::string id(kIdSize, '0');
  for (size_t i = kIdSize; i-- > 0;) {
    id[i] = kIdDigits[low & 31];
    low = (low >> 5) | (high << 59);
    high >>= 5;
  }
  return id;
}

bool IsJobId(std::string_view id) {
  return id.size() == kIdSize && std::all_of(id.begin(), id.end(), [](char c) {
           return std::string_view(kIdDigits).find(c) != std::string_view::npos;
         });
}

}  // namespace tapedeck
