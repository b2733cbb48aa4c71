#include "columnar/run_stage.h"

#include <algorithm>

#include "base/check.h"

namespace tapedeck {
namespace {

using Source = ColumnarField::Source;

template <typename T>
void Copy(const std::vector<T>& from, const RowSlice& slice, uint32_t at, std::vector<T>* to) {
  const T* in = from.data() + slice.first;
  T* out = to->data() + at;
  for (uint32_t n = 0; n < slice.count; ++n) {
    out[n] = *in;
    in += slice.step;
  }
}

}  // namespace

RunStage::RunStage(const ColumnarLayout& layout) {
  rows_.ts.resize(kRows);
  rows_.ts_kafka.resize(kRows);
  rows_.tp.resize(kRows);
  rows_.offset.resize(kRows);
  rows_.index.resize(kRows);
  symbols_.type = ColumnType::kText;
  symbols_.text_ends.resize(kRows);
  for (const ColumnarField& field : layout.fields) {
    uses_symbol_ |= field.source == Source::kSymbol;
    uses_ts_kafka_ |= field.source == Source::kTsKafka;
    uses_origin_ |= field.source >= Source::kTopic;
    if (field.source != Source::kColumn) continue;
    const auto place = static_cast<uint32_t>(field.column);
    if (std::find(columns_.begin(), columns_.end(), place) != columns_.end()) continue;
    columns_.push_back(place);
    if (place >= rows_.columns.size()) rows_.columns.resize(place + 1);
    RowsColumn& column = rows_.columns[place];
    column.type = field.type;
    if (field.type != ColumnType::kText) column.numbers.resize(kRows);
    if (field.type == ColumnType::kDecimal) {
      column.scales.resize(kRows);
    } else {
      column.present.resize(kRows);
    }
    column.text_ends.resize(kRows);
  }
}

void RunStage::Add(const RowSlice& slice) {
  TD_CHECK(size_ + slice.count <= kRows, "a stage that is not full has room for a short run");
  const Rows& from = *slice.rows;
  Copy(from.ts, slice, size_, &rows_.ts);
  if (uses_symbol_) AddSymbols(slice);
  if (uses_ts_kafka_) Copy(from.ts_kafka, slice, size_, &rows_.ts_kafka);
  if (uses_origin_) {
    Copy(from.tp, slice, size_, &rows_.tp);
    Copy(from.offset, slice, size_, &rows_.offset);
    Copy(from.index, slice, size_, &rows_.index);
  }
  for (uint32_t place : columns_) {
    const RowsColumn& column = from.columns[place];
    RowsColumn* to = &rows_.columns[place];
    if (column.type == ColumnType::kDecimal) {
      Copy(column.numbers, slice, size_, &to->numbers);
      Copy(column.scales, slice, size_, &to->scales);
      if (!column.text.empty() || !to->text.empty()) AddDecimalText(column, slice, to);
      continue;
    }
    Copy(column.present, slice, size_, &to->present);
    if (column.type == ColumnType::kText) {
      AddText(column, slice, to);
    } else {
      Copy(column.numbers, slice, size_, &to->numbers);
    }
  }
  size_ += slice.count;
}

void RunStage::AddSymbols(const RowSlice& slice) {
  for (uint32_t n = 0; n < slice.count; ++n) {
    symbols_.text.append(slice.symbol);
    symbols_.text_ends[size_ + n] = static_cast<uint32_t>(symbols_.text.size());
  }
}

void RunStage::AddText(const RowsColumn& from, const RowSlice& slice, RowsColumn* to) {
  for (uint32_t n = 0; n < slice.count; ++n) {
    const uint32_t row = slice.RowAt(n);
    const uint32_t begin = row == 0 ? 0 : from.text_ends[row - 1];
    to->text.append(from.text, begin, from.text_ends[row] - begin);
    to->text_ends[size_ + n] = static_cast<uint32_t>(to->text.size());
  }
  text_bytes_ = std::max(text_bytes_, to->text.size());
}

// Ends count from the first row with text on.
void RunStage::AddDecimalText(const RowsColumn& from, const RowSlice& slice, RowsColumn* to) {
  if (to->text.empty()) std::fill_n(to->text_ends.begin(), size_, 0u);
  if (!from.text.empty()) return AddText(from, slice, to);
  std::fill_n(to->text_ends.begin() + size_, slice.count, static_cast<uint32_t>(to->text.size()));
}

RowSlice RunStage::Slice() const { return {{}, &rows_, 0, size_, 1, &symbols_}; }

void RunStage::Clear() {
  size_ = 0;
  text_bytes_ = 0;
  symbols_.text.clear();
  for (uint32_t place : columns_) rows_.columns[place].text.clear();
}

}  // namespace tapedeck
