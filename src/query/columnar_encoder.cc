#include "query/columnar_encoder.h"

#include <algorithm>

#include "base/check.h"

namespace tapedeck {
namespace {

using Source = ColumnarField::Source;

class ColumnarEncoder final : public RowEncoder {
 public:
  explicit ColumnarEncoder(std::unique_ptr<ColumnarWriter> writer) : writer_(std::move(writer)) {}

  Status Begin(std::string* out) override { return writer_->Begin(out); }
  Status Append(const RowRun& run, std::string* out) override {
    return writer_->Append({run.symbol, run.rows, run.first, run.count, run.step}, out);
  }
  Status Finish(std::string_view, std::string* out) override { return writer_->Finish(out); }

 private:
  const std::unique_ptr<ColumnarWriter> writer_;
};

Source SourceOf(RowFields::Source source) {
  switch (source) {
    case RowFields::Source::kTs:
      return Source::kTs;
    case RowFields::Source::kSymbol:
      return Source::kSymbol;
    case RowFields::Source::kColumn:
      return Source::kColumn;
    case RowFields::Source::kTsKafka:
      return Source::kTsKafka;
    case RowFields::Source::kTopic:
      return Source::kTopic;
    case RowFields::Source::kPartition:
      return Source::kPartition;
    case RowFields::Source::kLineage:
      return Source::kLineage;
    case RowFields::Source::kOffset:
      return Source::kOffset;
    case RowFields::Source::kIndex:
      return Source::kIndex;
  }
  return Source::kColumn;
}

ColumnarTime TimeOf(TimeStyle style) {
  switch (style) {
    case TimeStyle::kIso:
    case TimeStyle::kNanoseconds:
      return ColumnarTime::kNanoseconds;
    case TimeStyle::kMicroseconds:
      return ColumnarTime::kMicroseconds;
    case TimeStyle::kMilliseconds:
      return ColumnarTime::kMilliseconds;
    case TimeStyle::kSeconds:
      return ColumnarTime::kSeconds;
  }
  return ColumnarTime::kNanoseconds;
}

ColumnarLayout LayoutOf(const RowFields& fields, const RowCursor& cursor,
                        const ColumnarStyle& style) {
  ColumnarLayout layout;
  layout.time = TimeOf(style.rows.time);
  layout.numbers =
      style.rows.numbers == NumberStyle::kString ? NumberForm::kText : NumberForm::kDecimal;
  layout.tapes = cursor.point().state().tapes;
  const std::span<const Column> columns = cursor.columns();
  for (const RowFields::Field& field : fields.fields()) {
    ColumnarField to;
    to.source = SourceOf(field.source);
    to.name = field.name;
    if (to.source == Source::kColumn) {
      const auto at = std::find_if(columns.begin(), columns.end(),
                                   [&](const Column& c) { return c.name == field.column; });
      TD_CHECK(at != columns.end(), "the query reads the fields' columns");
      to.column = static_cast<size_t>(at - columns.begin());
      to.type = at->type;
      const auto chosen = style.decimals.find(field.column);
      to.decimal =
          chosen != style.decimals.end() ? chosen->second : DefaultDecimalType(cursor.table().name);
    }
    layout.fields.push_back(std::move(to));
  }
  return layout;
}

// The order of answers, as far as the fields show it without a break. Times in coarser units are
// in order themselves, but what follows them is not.
std::vector<SortedBy> SortedByOf(const ColumnarLayout& layout, const RowCursor& cursor,
                                 ReadOrder order) {
  const bool by_time = cursor.row_order() == RowOrder::kTime;
  const bool whole_times = layout.time == ColumnarTime::kNanoseconds;
  std::vector<Source> key = {by_time ? Source::kTs : Source::kSymbol};
  if (by_time && whole_times) key.push_back(Source::kSymbol);
  if (by_time && whole_times && !cursor.table().upsert()) {
    key.insert(key.end(), {Source::kTopic, Source::kPartition, Source::kLineage, Source::kOffset,
                           Source::kIndex});
  }
  std::vector<SortedBy> sorted;
  for (Source source : key) {
    const auto at = std::find_if(layout.fields.begin(), layout.fields.end(),
                                 [&](const ColumnarField& f) { return f.source == source; });
    if (at == layout.fields.end()) break;
    const bool up = !by_time || order == ReadOrder::kAscending;
    sorted.push_back({at->name, up ? SortedDirection::kAscending : SortedDirection::kDescending});
  }
  return sorted;
}

}  // namespace

Result<std::unique_ptr<RowEncoder>> MakeColumnarEncoder(ColumnarFormat format,
                                                        const RowFields& fields,
                                                        const RowCursor& cursor,
                                                        const ColumnarStyle& style) {
  ColumnarLayout layout = LayoutOf(fields, cursor, style);
  std::unique_ptr<ColumnarWriter> writer;
  if (format == ColumnarFormat::kArrow) {
    TD_ASSIGN_OR_RETURN(writer, MakeArrowWriter(std::move(layout), style.arrow));
  } else {
    ParquetOptions options;
    options.row_group_bytes = style.parquet_group_bytes;
    options.sorted_by = SortedByOf(layout, cursor, style.order);
    TD_ASSIGN_OR_RETURN(writer, MakeParquetWriter(std::move(layout), options));
  }
  return std::unique_ptr<RowEncoder>(std::make_unique<ColumnarEncoder>(std::move(writer)));
}

}  // namespace tapedeck
