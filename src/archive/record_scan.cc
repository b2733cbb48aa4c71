#include <algorithm>

#include "archive/ndjson_records.h"
#include "archive/record_object_reader.h"
#include "base/text.h"
#include "columnar/parquet_reader.h"

namespace tapedeck {
namespace {

/// A part of an object in memory, so that a row group comes in one read.
class BufferedObject final : public ObjectSource {
 public:
  explicit BufferedObject(const ObjectSource* object)
      : ObjectSource(object->name()), object_(object) {}

  uint64_t bytes() const override { return object_->bytes(); }
  Status Read(uint64_t offset, std::span<char> to) const override {
    if (offset < begin_ || offset - begin_ > buffer_.size() ||
        to.size() > buffer_.size() - (offset - begin_)) {
      return object_->Read(offset, to);
    }
    std::copy_n(buffer_.data() + (offset - begin_), to.size(), to.data());
    return Status::Ok();
  }
  /// Nothing is held where it would be too much.
  Status Hold(uint64_t begin, uint64_t end) {
    buffer_.clear();
    if (begin >= end || end - begin > kHoldMax) return Status::Ok();
    begin_ = begin;
    buffer_.resize(end - begin);
    const Status read = object_->Read(begin, buffer_);
    if (!read.ok()) buffer_.clear();
    return read;
  }

 private:
  static constexpr uint64_t kHoldMax = uint64_t{128} << 20;

  const ObjectSource* object_;
  uint64_t begin_ = 0;
  std::string buffer_;
};

class ParquetScan final : public RecordScan {
 public:
  ParquetScan(const ObjectSource* object, const Table& table, TapeResolver resolver)
      : object_(object), table_(table), resolver_(std::move(resolver)) {}

  Status Open() {
    TD_ASSIGN_OR_RETURN(footer_, RecordObjectFooter::Read(object_));
    if (footer_->table() != table_.name) {
      return Status::Corruption(object_.name() + " holds rows of " + Quoted(footer_->table()));
    }
    reader_ = std::make_unique<RecordObjectReader>(&object_, footer_, table_.columns,
                                                   std::move(resolver_));
    return Status::Ok();
  }

  Status Next() override {
    rows_.count = 0;
    if (series_ == found_.size()) TD_RETURN_IF_ERROR(NextStep());
    if (series_ == found_.size()) return Status::Ok();
    const ObjectSeries& run = found_[series_++];
    rows_ = {.symbol = run.symbol,
             .rows = &step_,
             .first = static_cast<uint32_t>(run.rows.from - step_rows_.from),
             .count = static_cast<uint32_t>(run.rows.size())};
    return Status::Ok();
  }

 private:
  Status NextStep() {
    found_.clear();
    series_ = 0;
    step_rows_.from = step_rows_.to;
    if (step_rows_.from == footer_->rows()) return Status::Ok();
    const std::span<const RecordObjectFooter::Group> groups = footer_->groups();
    while (group_ < groups.size() && groups[group_].rows.to <= step_rows_.from) ++group_;
    if (groups[group_].rows.from == step_rows_.from) {
      const auto [begin, end] = footer_->Extent(group_);
      TD_RETURN_IF_ERROR(object_.Hold(begin, end));
    }
    // Whole pages, so that none is decoded twice.
    while (step_rows_.to < groups[group_].rows.to && step_rows_.size() < kStepRows) {
      TD_ASSIGN_OR_RETURN(const RowRange page, reader_->PageOf(step_rows_.to));
      step_rows_.to = page.to;
    }
    TD_RETURN_IF_ERROR(reader_->Read(step_rows_, &step_));
    TD_RETURN_IF_ERROR(reader_->CheckTwins(step_rows_));
    TD_ASSIGN_OR_RETURN(found_, reader_->SymbolsOf(step_rows_));
    for (size_t i = 1; i < found_.size(); ++i) {
      if (found_[i].symbol < found_[i - 1].symbol) return OutOfOrder();
    }
    if (!last_symbol_.empty() && found_.front().symbol < last_symbol_) return OutOfOrder();
    last_symbol_ = found_.back().symbol;
    return Status::Ok();
  }
  Status OutOfOrder() const {
    return Status::Corruption(object_.name() + ": symbols are not in order");
  }

  static constexpr uint64_t kStepRows = uint64_t{1} << 16;

  BufferedObject object_;
  const Table table_;
  TapeResolver resolver_;
  std::shared_ptr<const RecordObjectFooter> footer_;
  std::unique_ptr<RecordObjectReader> reader_;
  size_t group_ = 0;
  RowRange step_rows_;
  Rows step_;
  std::vector<ObjectSeries> found_;  // of the step
  size_t series_ = 0;
  std::string last_symbol_;
};

}  // namespace

Result<std::unique_ptr<RecordScan>> OpenRecordScan(const ObjectSource* object, ObjectFormat format,
                                                   const Table& table, TapeResolver resolver) {
  if (format != ObjectFormat::kParquet) {
    return OpenNdjsonScan(object, format, table, std::move(resolver));
  }
  auto scan = std::make_unique<ParquetScan>(object, table, std::move(resolver));
  TD_RETURN_IF_ERROR(scan->Open());
  return std::unique_ptr<RecordScan>(std::move(scan));
}

}  // namespace tapedeck
