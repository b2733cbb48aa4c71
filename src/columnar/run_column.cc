#include "columnar/run_column.h"

#include <algorithm>
#include <cstring>

namespace tapedeck {
namespace {

// Shorter runs are better off as values.
constexpr size_t kRowsOfRun = 64;
// Parquet stores decimals of so many digits as INT32.
constexpr uint8_t kInt32Digits = 9;
// A dictionary page; a longer one makes readers slow.
constexpr size_t kValueBytesMax = size_t{2} << 20;

// Where values that equal the first one end. In strides without a branch.
template <typename T>
size_t EndOfEqualNumbers(const T* values, size_t from, size_t end) {
  constexpr size_t kStride = 32;
  const T first = values[from];
  size_t at = from + 1;
  for (; at + kStride <= end; at += kStride) {
    T different = 0;
    for (size_t i = 0; i < kStride; ++i) different |= values[at + i] ^ first;
    if (different != 0) break;
  }
  while (at < end && values[at] == first) ++at;
  return at;
}

// The same of texts: first where all are as long, then where bytes repeat.
size_t EndOfEqualTexts(const int32_t* ends, const char* text, size_t from, size_t end) {
  constexpr size_t kStride = 64;
  const int32_t size = ends[from + 1] - ends[from];
  size_t as_long = from + 1;
  for (; as_long + kStride <= end; as_long += kStride) {
    int32_t different = 0;
    for (size_t i = 0; i < kStride; ++i) {
      different |= (ends[as_long + i + 1] - ends[as_long + i]) ^ size;
    }
    if (different != 0) break;
  }
  while (as_long < end && ends[as_long + 1] - ends[as_long] == size) ++as_long;
  if (size == 0) return as_long;
  const char* first = text + ends[from];
  const auto bytes = static_cast<size_t>(size);
  size_t at = from + 1;
  // Each row equals the one before it.
  while (at < as_long) {
    const size_t rows = std::min(kStride, as_long - at);
    const char* here = text + ends[at];
    if (std::memcmp(here, here - bytes, rows * bytes) != 0) break;
    at += rows;
  }
  while (at < as_long && std::memcmp(text + ends[at], first, bytes) == 0) ++at;
  return at;
}

}  // namespace

bool RunColumn::Fits(const ColumnarColumn& column) {
  switch (column.storage) {
    case Storage::kTimestamp:
      return column.time != ColumnarTime::kSeconds;
    case Storage::kInt64:
    case Storage::kInt32:
    case Storage::kInt8:
    case Storage::kText:
    case Storage::kBytes:
      return true;
    case Storage::kDecimal64:
      return column.decimal.precision > kInt32Digits;
    case Storage::kFlag:
    case Storage::kDecimal128:
      break;
  }
  return false;
}

size_t RunColumn::EndOfEqual(const BatchColumn& column, size_t from, size_t end) const {
  switch (storage_) {
    case Storage::kInt32:
      return EndOfEqualNumbers(column.ints.data(), from, end);
    case Storage::kInt8:
      return EndOfEqualNumbers(column.bytes.data(), from, end);
    case Storage::kText:
    case Storage::kBytes:
      return EndOfEqualTexts(column.offsets.data(), column.text.data(), from, end);
    default:
      return EndOfEqualNumbers(column.longs.data(), from, end);
  }
}

std::string RunColumn::ValueAt(const BatchColumn& column, size_t row) const {
  auto bytes = [](auto number) {
    std::string out(sizeof(number), '\0');
    std::memcpy(out.data(), &number, sizeof(number));
    return out;
  };
  switch (storage_) {
    case Storage::kInt32:
      return bytes(column.ints[row]);
    case Storage::kInt8:
      return bytes(int32_t{column.bytes[row]});
    case Storage::kText:
    case Storage::kBytes: {
      const auto begin = static_cast<size_t>(column.offsets[row]);
      return column.text.substr(begin, static_cast<size_t>(column.offsets[row + 1]) - begin);
    }
    default:
      return bytes(column.longs[row]);
  }
}

bool RunColumn::FindPieces(const ColumnBatch& batch, size_t i, size_t from, size_t count) {
  const BatchColumn& column = batch.column(i);
  const BatchColumn& presence = batch.presence(i);
  const size_t limit = count / kRowsOfRun + 1;
  const size_t end = from + count;
  pieces_.clear();
  auto add = [&](size_t at, size_t to, bool is_null) {
    pieces_.push_back({static_cast<uint32_t>(to - at), static_cast<uint32_t>(at), is_null});
    return pieces_.size() <= limit;
  };
  if (presence.nulls == batch.rows()) return add(from, end, true);
  const bool is_mixed = presence.nulls > 0;
  const uint8_t* present = presence.is_present.data();
  for (size_t at = from; at < end;) {
    size_t to = end;
    const bool is_null = is_mixed && present[at] == 0;
    if (is_mixed) {
      const void* other = std::memchr(present + at, is_null ? 1 : 0, end - at);
      if (other != nullptr) to = static_cast<size_t>(static_cast<const uint8_t*>(other) - present);
    }
    if (!is_null) to = EndOfEqual(column, at, to);
    if (!add(at, to, is_null)) return false;
    at = to;
  }
  return true;
}

int32_t RunColumn::CodeOf(std::string value) {
  if (!runs_.empty() && runs_.back().code != kNull &&
      values_[static_cast<size_t>(runs_.back().code)] == value) {
    return runs_.back().code;
  }
  const auto known = codes_.find(value);
  if (known != codes_.end()) return known->second;
  if (value_bytes_ + value.size() > kValueBytesMax) return kNull;
  value_bytes_ += value.size();
  const auto code = static_cast<int32_t>(values_.size());
  codes_.emplace(value, code);
  values_.push_back(std::move(value));
  return code;
}

bool RunColumn::Add(const ColumnBatch& batch, size_t i, size_t from, size_t count) {
  if (!FindPieces(batch, i, from, count)) return false;
  const size_t runs_before = runs_.size();
  const Run last_before = runs_.empty() ? Run{0, kNull} : runs_.back();
  for (const Piece& piece : pieces_) {
    int32_t code = kNull;
    if (!piece.is_null) {
      code = CodeOf(ValueAt(batch.column(i), piece.at));
      if (code == kNull) {
        runs_.resize(runs_before);
        if (runs_before > 0) runs_.back() = last_before;
        return false;
      }
    }
    if (!runs_.empty() && runs_.back().code == code) {
      runs_.back().rows += piece.rows;
    } else {
      runs_.push_back({piece.rows, code});
    }
  }
  rows_ += count;
  return true;
}

}  // namespace tapedeck
