#include "columnar/batch.h"

#include <algorithm>
#include <cstring>

#include "base/check.h"
#include "base/text.h"
#include "columnar/decimals.h"

namespace tapedeck {
namespace {

using Source = ColumnarField::Source;

int64_t UnitOf(ColumnarTime time) {
  switch (time) {
    case ColumnarTime::kNanoseconds:
      return 1;
    case ColumnarTime::kMicroseconds:
      return 1'000;
    case ColumnarTime::kMilliseconds:
      return 1'000'000;
    case ColumnarTime::kSeconds:
      return 1'000'000'000;
  }
  return 1;
}

// Towards the past, also before 1970.
int64_t FloorDivide(int64_t value, int64_t by) { return value / by - (value % by < 0 ? 1 : 0); }

// Slice of `from` appended to `to`; `from` is indexed by row.
template <typename T>
void AppendSlice(const std::vector<T>& from, const RowSlice& slice, Slab<T>* to) {
  T* out = to->Grow(slice.count);
  const T* in = from.data() + slice.first;
  if (slice.step == 1) {
    std::memcpy(out, in, slice.count * sizeof(T));
    return;
  }
  for (uint32_t i = 0; i < slice.count; ++i) out[i] = in[-static_cast<ptrdiff_t>(i)];
}

void AppendTimes(const std::vector<int64_t>& from, const RowSlice& slice, int64_t unit,
                 Slab<int64_t>* to) {
  const size_t at = to->size();
  AppendSlice(from, slice, to);
  if (unit == 1) return;
  for (uint32_t i = 0; i < slice.count; ++i) (*to)[at + i] = FloorDivide((*to)[at + i], unit);
}

void AppendTexts(const RowsColumn& from, const RowSlice& slice, BatchColumn* to) {
  int32_t* ends = to->GrowTexts(slice.count);
  const uint32_t* in = from.text_ends.data();
  if (slice.step == 1) {
    const uint32_t begin = slice.first == 0 ? 0 : in[slice.first - 1];
    const uint32_t end = in[slice.first + slice.count - 1];
    const uint32_t shift = static_cast<uint32_t>(to->text.size()) - begin;
    for (uint32_t i = 0; i < slice.count; ++i) {
      ends[i] = static_cast<int32_t>(in[slice.first + i] + shift);
    }
    to->text.append(from.text, begin, end - begin);
    return;
  }
  for (uint32_t i = 0; i < slice.count; ++i) {
    const uint32_t row = slice.RowAt(i);
    const uint32_t begin = row == 0 ? 0 : in[row - 1];
    to->text.append(from.text, begin, in[row] - begin);
    ends[i] = static_cast<int32_t>(to->text.size());
  }
}

void AppendRepeated(std::string_view value, uint32_t count, BatchColumn* to) {
  int32_t* ends = to->GrowTexts(count);
  const size_t from = to->text.size();
  to->text.resize(from + count * value.size());
  char* out = to->text.data() + from;
  const auto size = static_cast<int32_t>(value.size());
  int32_t end = static_cast<int32_t>(from);
  for (uint32_t i = 0; i < count; ++i) ends[i] = (end += size);
  if (count == 0 || value.empty()) return;
  // The part that is filled is copied behind itself, twice as much each time.
  const size_t total = count * value.size();
  std::memcpy(out, value.data(), value.size());
  for (size_t filled = value.size(); filled < total; filled *= 2) {
    std::memcpy(out + filled, out, std::min(filled, total - filled));
  }
}

// Bytes 0 or 1 to bits, the first row lowest; returns how many are 1.
size_t PackBits(const uint8_t* bytes, size_t count, std::vector<uint8_t>* bits) {
  bits->assign((count + 7) / 8, 0);
  size_t ones = 0;
  size_t i = 0;
  for (; i + 8 <= count; i += 8) {
    uint64_t word;
    std::memcpy(&word, bytes + i, 8);
    (*bits)[i / 8] = static_cast<uint8_t>((word * 0x0102040810204080u) >> 56);
    ones += (word * 0x0101010101010101u) >> 56;
  }
  for (; i < count; ++i) {
    (*bits)[i / 8] |= static_cast<uint8_t>(bytes[i] << (i % 8));
    ones += bytes[i];
  }
  return ones;
}

bool IsAscii(std::string_view text) {
  uint8_t all = 0;
  for (char c : text) all |= static_cast<uint8_t>(c);
  return all < 0x80;
}

// How many of the first `count` rows of the slice have no more than `room` bytes of text together.
uint32_t FittingTexts(const RowsColumn& column, const RowSlice& slice, uint32_t count,
                      size_t room) {
  if (column.text.size() <= room) return count;
  auto bytes = [&](uint32_t rows) -> uint64_t {
    if (rows == 0) return 0;
    const auto [low, high] = std::minmax({slice.first, slice.RowAt(rows - 1)});
    return column.text_ends[high] - (low == 0 ? 0 : column.text_ends[low - 1]);
  };
  uint32_t low = 0;
  for (uint32_t high = count; low < high;) {
    const uint32_t middle = high - (high - low) / 2;
    bytes(middle) <= room ? low = middle : high = middle - 1;
  }
  return low;
}

}  // namespace

int32_t* BatchColumn::GrowTexts(size_t count) {
  if (offsets.empty()) *offsets.Grow(1) = 0;
  return offsets.Grow(count);
}

void BatchColumn::AppendText(std::string_view value, bool present) {
  text.append(value);
  *GrowTexts(1) = static_cast<int32_t>(text.size());
  *is_present.Grow(1) = present;
}

void BatchColumn::Clear() {
  longs.Clear();
  wides.Clear();
  ints.Clear();
  bytes.Clear();
  offsets.Clear();
  text.clear();
  is_present.Clear();
  nulls = 0;
  valid_bits.clear();
  flag_bits.clear();
}

ColumnBatch::ColumnBatch(ColumnarLayout layout, std::vector<ColumnarColumn> columns,
                         ShortDecimals decimals)
    : layout_(std::move(layout)), columns_(std::move(columns)), data_(columns_.size()) {
  for (const ColumnarColumn& column : columns_) {
    const bool is_decimal =
        column.storage == Storage::kDecimal64 || column.storage == Storage::kDecimal128;
    fillers_.push_back(is_decimal ? std::make_unique<DecimalFiller>(column.decimal, decimals)
                                  : nullptr);
    const Source source = layout_.fields[column.field].source;
    needs_tapes_ |=
        source == Source::kTopic || source == Source::kPartition || source == Source::kLineage;
  }
  for (const auto& [tp, tape] : layout_.tapes) {
    if (Raw(tp) >= tapes_.size()) tapes_.resize(Raw(tp) + 1, nullptr);
    tapes_[Raw(tp)] = &tape;
  }
}

ColumnBatch::~ColumnBatch() = default;

// How many rows of the slice keep every column of text within its limit, at least one in an empty
// batch. Only texts of records and symbols can reach it: numbers and topics are short.
uint32_t ColumnBatch::Fitting(const RowSlice& slice) const {
  auto count = static_cast<uint32_t>(std::min<size_t>(slice.count, kBatchRows - rows_));
  for (size_t i = 0; i < columns_.size(); ++i) {
    if (columns_[i].storage != Storage::kText) continue;
    const ColumnarField& field = layout_.fields[columns_[i].field];
    const size_t used = data_[i].text.size();
    const size_t room = used < kBatchTextBytes ? kBatchTextBytes - used : 0;
    if (field.source == Source::kSymbol && slice.symbols != nullptr) {
      count = FittingTexts(*slice.symbols, slice, count, room);
    } else if (field.source == Source::kSymbol) {
      if (count * slice.symbol.size() > room) count = uint32_t(room / slice.symbol.size());
    } else if (field.source == Source::kColumn && field.type == ColumnType::kText &&
               field.column < slice.rows->columns.size()) {
      count = FittingTexts(slice.rows->columns[field.column], slice, count, room);
    }
  }
  return count == 0 && rows_ == 0 ? 1 : count;
}

Status ColumnBatch::CheckTapes(const RowSlice& slice) const {
  const std::vector<uint32_t>& tps = slice.rows->tp;
  for (uint32_t i = 0; i < slice.count; ++i) {
    const uint32_t tp = tps[slice.RowAt(i)];
    if (tp < tapes_.size() && tapes_[tp] != nullptr) continue;
    return Status::Internal("a row names tape " + std::to_string(tp) + ", which nobody knows");
  }
  return Status::Ok();
}

Result<uint32_t> ColumnBatch::Append(const RowSlice& slice) {
  RowSlice part = slice;
  part.count = Fitting(slice);
  if (part.count == 0) return 0u;
  if (needs_tapes_) TD_RETURN_IF_ERROR(CheckTapes(part));
  for (size_t i = 0; i < columns_.size(); ++i) Fill(i, part);
  rows_ += part.count;
  return part.count;
}

void ColumnBatch::Fill(size_t i, const RowSlice& slice) {
  const ColumnarColumn& column = columns_[i];
  const ColumnarField& field = layout_.fields[column.field];
  BatchColumn* to = &data_[i];
  const Rows& rows = *slice.rows;
  if (column.part == Part::kBytes) return;  // Seal fills it
  switch (field.source) {
    case Source::kTs:
      return AppendTimes(rows.ts, slice, UnitOf(column.time), &to->longs);
    case Source::kSymbol:
      if (slice.symbols != nullptr) return AppendTexts(*slice.symbols, slice, to);
      return AppendRepeated(slice.symbol, slice.count, to);
    case Source::kColumn:
      return FillColumn(i, slice);
    case Source::kTsKafka: {
      uint8_t* present = to->is_present.Grow(slice.count);
      for (uint32_t n = 0; n < slice.count; ++n) {
        present[n] = rows.ts_kafka[slice.RowAt(n)] != kNoKafkaTime;
      }
      return AppendTimes(rows.ts_kafka, slice, UnitOf(column.time), &to->longs);
    }
    case Source::kOffset:
      return AppendSlice(rows.offset, slice, &to->longs);
    case Source::kIndex: {
      int64_t* out = to->longs.Grow(slice.count);
      for (uint32_t n = 0; n < slice.count; ++n) out[n] = rows.index[slice.RowAt(n)];
      return;
    }
    default:
      return FillTape(i, slice);
  }
}

void ColumnBatch::FillColumn(size_t i, const RowSlice& slice) {
  if (columns_[i].part != Part::kValue) return;  // filled with its value
  const ColumnarField& field = layout_.fields[columns_[i].field];
  if (field.column >= slice.rows->columns.size()) return FillNulls(i, slice.count);
  const RowsColumn& from = slice.rows->columns[field.column];
  BatchColumn* to = &data_[i];
  if (fillers_[i] != nullptr) {
    return fillers_[i]->Append(from, slice, to, &data_[i + 1], &data_[i + 2]);
  }
  switch (field.type) {
    case ColumnType::kText:
      AppendSlice(from.present, slice, &to->is_present);
      return AppendTexts(from, slice, to);
    case ColumnType::kDecimal:
      return FillNumberTexts(from, slice, to);
    case ColumnType::kFlag: {
      AppendSlice(from.present, slice, &to->is_present);
      int8_t* out = to->bytes.Grow(slice.count);
      for (uint32_t n = 0; n < slice.count; ++n) out[n] = from.numbers[slice.RowAt(n)] != 0;
      return;
    }
    case ColumnType::kTimestamp:
      AppendSlice(from.present, slice, &to->is_present);
      return AppendTimes(from.numbers, slice, UnitOf(columns_[i].time), &to->longs);
    case ColumnType::kInteger:
      AppendSlice(from.present, slice, &to->is_present);
      return AppendSlice(from.numbers, slice, &to->longs);
  }
}

// Of a column that was added to the table after these rows.
void ColumnBatch::FillNulls(size_t i, uint32_t count) {
  BatchColumn* to = &data_[i];
  std::memset(to->is_present.Grow(count), 0, count);
  switch (columns_[i].storage) {
    case Storage::kText:
      std::fill_n(to->GrowTexts(count), count, static_cast<int32_t>(to->text.size()));
      return;
    case Storage::kDecimal128:
      std::fill_n(to->wides.Grow(count), count, Int128{0});
      break;
    case Storage::kFlag:
      std::fill_n(to->bytes.Grow(count), count, int8_t{0});
      return;
    default:
      std::fill_n(to->longs.Grow(count), count, int64_t{0});
      break;
  }
  if (fillers_[i] != nullptr) std::fill_n(data_[i + 1].bytes.Grow(count), count, int8_t{0});
}

void ColumnBatch::FillTape(size_t i, const RowSlice& slice) {
  BatchColumn* to = &data_[i];
  const std::vector<uint32_t>& tps = slice.rows->tp;
  for (uint32_t n = 0; n < slice.count;) {
    const uint32_t tp = tps[slice.RowAt(n)];
    uint32_t end = n + 1;
    while (end < slice.count && tps[slice.RowAt(end)] == tp) ++end;
    const TapeId& tape = *tapes_[tp];
    switch (layout_.fields[columns_[i].field].source) {
      case Source::kTopic:
        AppendRepeated(tape.topic, end - n, to);
        break;
      case Source::kPartition:
        std::fill_n(to->ints.Grow(end - n), end - n, tape.partition);
        break;
      default:
        std::fill_n(to->longs.Grow(end - n), end - n, int64_t{tape.lineage});
        break;
    }
    n = end;
  }
}

void ColumnBatch::FillNumberTexts(const RowsColumn& from, const RowSlice& slice, BatchColumn* to) {
  for (uint32_t n = 0; n < slice.count; ++n) {
    const Value number = from.At(slice.RowAt(n));
    char buffer[kDecimalCharsMax];
    if (number.kind() == Value::Kind::kDecimal) {
      char* end = FormatDecimalTo(number.decimal(), buffer);
      to->AppendText({buffer, static_cast<size_t>(end - buffer)}, true);
    } else {
      to->AppendText(number.text(), !number.is_null());
    }
  }
}

size_t ColumnBatch::bytes() const {
  size_t bytes = 0;
  for (const BatchColumn& column : data_) {
    bytes += column.longs.size() * sizeof(int64_t) + column.wides.size() * sizeof(Int128) +
             column.ints.size() * sizeof(int32_t) + column.bytes.size() +
             column.offsets.size() * sizeof(int32_t) + column.text.size();
  }
  return bytes;
}

// Arrow and Parquet promise UTF-8; records promise bytes. Ill-formed sequences become U+FFFD, as in
// the text formats.
void ColumnBatch::SealText(BatchColumn* column, BatchColumn* bytes) {
  std::string& text = column->text;
  if (IsAscii(text)) return;
  bool valid = IsValidUtf8(text);
  auto splits = [&](int32_t at) {
    return static_cast<size_t>(at) < text.size() &&
           (static_cast<uint8_t>(text[static_cast<size_t>(at)]) & 0xC0) == 0x80;
  };
  for (size_t i = 0; valid && i < column->offsets.size(); ++i) valid = !splits(column->offsets[i]);
  if (valid) return;
  std::string mended;
  size_t begin = 0;
  for (size_t i = 1; i < column->offsets.size(); ++i) {
    const auto end = static_cast<size_t>(column->offsets[i]);
    const std::string_view row = std::string_view(text).substr(begin, end - begin);
    if (bytes != nullptr) {
      const bool is_text = IsValidUtf8(row);
      bytes->AppendText(is_text ? std::string_view() : row, !is_text);
    }
    mended += ToValidUtf8(row);
    begin = end;
    column->offsets[i] = static_cast<int32_t>(mended.size());
  }
  text = std::move(mended);
}

void ColumnBatch::Seal() {
  for (size_t i = 0; i < columns_.size(); ++i) {
    BatchColumn& column = data_[i];
    if (columns_[i].part == Part::kText || columns_[i].part == Part::kBytes) {
      if (column.offsets.empty()) {
        column.nulls = rows_;
        continue;  // no row has text: such a column is made of nothing
      }
      while (column.is_present.size() < rows_) column.AppendText({}, false);
    }
    if (columns_[i].storage == Storage::kText) {
      const bool exact = i + 1 < columns_.size() && columns_[i + 1].part == Part::kBytes;
      SealText(&column, exact ? &data_[i + 1] : nullptr);
    }
    if (columns_[i].storage == Storage::kFlag) {
      PackBits(reinterpret_cast<const uint8_t*>(column.bytes.data()), rows_, &column.flag_bits);
    }
    if (!columns_[i].nullable || columns_[i].part == Part::kScale) continue;
    column.nulls = rows_ - PackBits(column.is_present.data(), rows_, &column.valid_bits);
    if (column.nulls == 0) column.valid_bits.clear();
  }
}

void ColumnBatch::Clear() {
  for (BatchColumn& column : data_) column.Clear();
  rows_ = 0;
}

}  // namespace tapedeck
