#include "columnar/parquet_sums.h"

#include <charconv>
#include <cstring>

#include "base/hash.h"

namespace tapedeck {
namespace {

constexpr std::string_view kMark = "tapedeck-sums-1:";
constexpr size_t kDigits = 16;

void WriteHex(uint64_t value, char* out) {
  for (size_t i = 0; i < kDigits; ++i) {
    out[i] = "0123456789abcdef"[(value >> (60 - 4 * i)) & 15];
  }
}

bool ReadHex(std::string_view digits, uint64_t* value) {
  if (digits.size() < kDigits) return false;
  for (char c : digits.substr(0, kDigits)) {
    if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'))) return false;
  }
  return std::from_chars(digits.data(), digits.data() + kDigits, *value, 16).ec == std::errc();
}

uint64_t FooterSum(std::string footer, size_t sum_at) {
  std::memset(footer.data() + sum_at, '0', kDigits);
  return HashBytes64(footer);
}

}  // namespace

std::string BlankSums(size_t row_groups) {
  return std::string(kMark) + std::string(kDigits * (row_groups + 1), '0');
}

uint64_t IndexSum(std::string_view column_indexes, std::string_view offset_indexes) {
  return HashBytes64(offset_indexes, HashBytes64(column_indexes));
}

// The mark stands behind all statistics, which may hold any bytes; so the last one is ours.
Status FillSums(const std::vector<uint64_t>& indexes, char* footer, size_t footer_bytes) {
  const std::string_view bytes(footer, footer_bytes);
  const size_t mark = bytes.rfind(kMark);
  const std::string blank = BlankSums(indexes.size());
  if (mark == std::string_view::npos || bytes.substr(mark, blank.size()) != blank) {
    return Status::Internal("a Parquet footer has no place for its sums");
  }
  size_t at = mark + kMark.size() + kDigits;
  for (uint64_t sum : indexes) {
    WriteHex(sum, footer + at);
    at += kDigits;
  }
  WriteHex(FooterSum(std::string(bytes), mark + kMark.size()), footer + mark + kMark.size());
  return Status::Ok();
}

Result<std::vector<uint64_t>> CheckSums(std::string_view footer) {
  const size_t mark = footer.rfind(kMark);
  if (mark == std::string_view::npos) return Status::Corruption("the footer has no sums");
  const size_t at = mark + kMark.size();
  uint64_t sum = 0;
  if (!ReadHex(footer.substr(at), &sum) || sum != FooterSum(std::string(footer), at)) {
    return Status::Corruption("the footer is not what was written");
  }
  std::vector<uint64_t> indexes;
  for (size_t next = at + kDigits; ReadHex(footer.substr(next), &sum); next += kDigits) {
    indexes.push_back(sum);
  }
  return indexes;
}

}  // namespace tapedeck
