#include <algorithm>
#include <map>

#include "archive/ndjson_line.h"
#include "archive/ndjson_records.h"
#include "base/stream_decompressor.h"

namespace tapedeck {
namespace {

constexpr size_t kReadBytes = size_t{1} << 20;
/// A line: a record of the greatest texts, escaped.
constexpr size_t kLineBytesMax = size_t{128} << 20;
constexpr size_t kRunRows = 4096;

class NdjsonScan final : public RecordScan {
 public:
  NdjsonScan(const ObjectSource* object, const Table& table, TapeResolver resolver,
             std::unique_ptr<StreamDecompressor> decompressor)
      : object_(object),
        line_(table),
        resolver_(std::move(resolver)),
        decompressor_(std::move(decompressor)) {
    for (const Column& column : table.columns) {
      rows_of_run_.columns.emplace_back();
      rows_of_run_.columns.back().type = column.type;
    }
  }

  Status Next() override {
    const Status next = FillRun();
    if (!next.ok()) return next.WithContext(object_->name() + ", line " + std::to_string(number_));
    rows_ = {.symbol = symbol_,
             .rows = &rows_of_run_,
             .first = 0,
             .count = static_cast<uint32_t>(rows_of_run_.size())};
    return Status::Ok();
  }

 private:
  Status FillRun() {
    rows_of_run_.Clear();
    rows_.count = 0;
    while (rows_of_run_.size() < kRunRows) {
      if (!has_line_) {
        TD_RETURN_IF_ERROR(NextLine());
        if (!has_line_) return Status::Ok();
      }
      if (rows_of_run_.size() == 0) {
        symbol_ = line_.symbol();
      } else if (symbol_ != line_.symbol()) {
        return Status::Ok();
      }
      auto tape = tapes_.find(line_.tape());
      if (tape == tapes_.end()) {
        TD_ASSIGN_OR_RETURN(const TpId tp, resolver_(line_.tape()));
        tape = tapes_.emplace(line_.tape(), tp).first;
      }
      TD_RETURN_IF_ERROR(line_.AppendTo(tape->second, &rows_of_run_));
      has_line_ = false;
    }
    return Status::Ok();
  }

  Status NextLine() {
    size_t end = text_.find('\n', at_);
    while (end == std::string::npos) {
      if (text_.size() - at_ > kLineBytesMax) return Status::Corruption("a line without an end");
      text_.erase(0, at_);
      at_ = 0;
      const size_t known = text_.size();
      TD_RETURN_IF_ERROR(ReadMore());
      if (text_.size() == known && compressed_.empty() && offset_ == object_->bytes()) {
        TD_RETURN_IF_ERROR(decompressor_->Finish());
        return text_.empty() ? Status::Ok() : Status::Corruption("half a line");
      }
      end = text_.find('\n', known);
    }
    ++number_;
    TD_RETURN_IF_ERROR(line_.Parse(std::string_view(text_).substr(at_, end - at_)));
    at_ = end + 1;
    has_line_ = true;
    return Status::Ok();
  }

  Status ReadMore() {
    if (compressed_.empty() && offset_ < object_->bytes()) {
      buffer_.resize(std::min<uint64_t>(kReadBytes, object_->bytes() - offset_));
      TD_RETURN_IF_ERROR(object_->Read(offset_, buffer_));
      offset_ += buffer_.size();
      compressed_ = buffer_;
    }
    return decompressor_->Append(&compressed_, kReadBytes, &text_);
  }

  const ObjectSource* object_;
  NdjsonLine line_;
  TapeResolver resolver_;
  std::unique_ptr<StreamDecompressor> decompressor_;
  std::map<TapeId, TpId> tapes_;
  std::string buffer_;
  std::string_view compressed_;  // what is left of buffer_
  uint64_t offset_ = 0;          // of the object, behind buffer_
  std::string text_;             // decompressed, from at_ on
  size_t at_ = 0;
  uint64_t number_ = 0;  // of the line
  bool has_line_ = false;
  Rows rows_of_run_;
  std::string symbol_;
};

}  // namespace

Result<std::unique_ptr<RecordScan>> OpenNdjsonScan(const ObjectSource* object, ObjectFormat format,
                                                   const Table& table, TapeResolver resolver) {
  TD_ASSIGN_OR_RETURN(
      auto decompressor,
      StreamDecompressor::Make(format == ObjectFormat::kNdjsonGzip ? StreamCoding::kGzip
                                                                   : StreamCoding::kZstd));
  return std::unique_ptr<RecordScan>(
      std::make_unique<NdjsonScan>(object, table, std::move(resolver), std::move(decompressor)));
}

}  // namespace tapedeck
