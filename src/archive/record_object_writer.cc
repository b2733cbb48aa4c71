#include "archive/record_object_writer.h"

#include <algorithm>
#include <set>
#include <tuple>

#include "archive/ndjson_records.h"
#include "archive/object_file.h"
#include "archive/record_bounds.h"
#include "archive/record_object_layout.h"
#include "base/text.h"
#include "columnar/batch.h"
#include "columnar/writer.h"

namespace tapedeck {
namespace {

/// Times of NDJSON: enough for two reads of any store.
constexpr uint64_t kStepRows = kBatchRows;

/// What becomes of rows inside one file.
class RecordEncoder {
 public:
  virtual ~RecordEncoder() = default;
  virtual Status Append(const RowSlice& rows, std::string* out) = 0;
  /// After a number of rows that is the same however they were cut.
  virtual Status Settle(std::string* out) = 0;
  virtual Status Finish(std::string* out) = 0;
};

std::string Joined(const std::vector<std::string>& words) {
  std::string out;
  for (const std::string& word : words) out += (out.empty() ? "" : ",") + word;
  return out;
}

std::vector<std::pair<std::string, std::string>> MetadataOf(const RecordObjectPlan& plan) {
  std::vector<std::string> columns;
  for (const Column& column : plan.table.columns) {
    columns.push_back(column.name + ":" + std::string(ColumnTypeName(column.type)));
  }
  return {{std::string(kRecordsKey), std::string(kRecordsVersion)},
          {std::string(kWriterKey), plan.writer},
          {std::string(kTableKey), plan.table.name},
          {std::string(kDayKey), plan.day.ToString()},
          {std::string(kGenerationKey), std::to_string(plan.generation)},
          {std::string(kIdentityKey), Joined(plan.table.identity)},
          {std::string(kColumnsKey), Joined(columns)}};
}

class ParquetEncoder final : public RecordEncoder {
 public:
  static Result<std::unique_ptr<RecordEncoder>> Make(const RecordObjectPlan& plan) {
    ParquetOptions options;
    ColumnarLayout layout = RecordObjectLayout(plan.table.name, plan.table.columns, plan.tapes);
    // ts, its nanoseconds and the symbol are the first three fields.
    options.sorted_by = {{layout.fields[2].name}, {layout.fields[0].name}, {layout.fields[1].name}};
    options.row_group_bytes = kGroupBytes;
    options.metadata = MetadataOf(plan);
    options.sums = true;
    TD_ASSIGN_OR_RETURN(auto writer, MakeParquetWriter(std::move(layout), options));
    return std::unique_ptr<RecordEncoder>(std::make_unique<ParquetEncoder>(std::move(writer)));
  }
  explicit ParquetEncoder(std::unique_ptr<ColumnarWriter> writer) : writer_(std::move(writer)) {}

  Status Append(const RowSlice& rows, std::string* out) override {
    if (!begun_) TD_RETURN_IF_ERROR(writer_->Begin(out));
    begun_ = true;
    return writer_->Append(rows, out);
  }
  Status Settle(std::string* out) override { return writer_->Settle(out); }
  Status Finish(std::string* out) override { return writer_->Finish(out); }

 private:
  /// Of values that are not encoded: a row of quotes has 200.
  static constexpr size_t kGroupBytes = size_t{128} << 20;

  const std::unique_ptr<ColumnarWriter> writer_;
  bool begun_ = false;
};

class NdjsonEncoder final : public RecordEncoder {
 public:
  static Result<std::unique_ptr<RecordEncoder>> Make(const RecordObjectPlan& plan) {
    TD_ASSIGN_OR_RETURN(auto writer, NdjsonRecordWriter::Make(plan.table, plan.tapes, plan.format));
    return std::unique_ptr<RecordEncoder>(std::make_unique<NdjsonEncoder>(std::move(writer)));
  }
  explicit NdjsonEncoder(std::unique_ptr<NdjsonRecordWriter> writer) : writer_(std::move(writer)) {}

  Status Append(const RowSlice& rows, std::string* out) override {
    return writer_->Append(rows, out);
  }
  Status Settle(std::string* out) override { return writer_->Flush(out); }
  Status Finish(std::string* out) override { return writer_->Finish(out); }

 private:
  const std::unique_ptr<NdjsonRecordWriter> writer_;
};

class Writer final : public RecordObjectWriter {
 public:
  explicit Writer(RecordObjectPlan plan) : plan_(std::move(plan)), bounds_(plan_.tapes) {}

  // Files that nobody asked for any more.
  ~Writer() override {
    for (const WrittenObject& object : written_) std::ignore = std::remove(object.path.c_str());
  }

  Status Append(const RowSlice& rows) override {
    if (!failed_.ok()) return failed_;
    return failed_ = AppendPieces(rows);
  }

  Result<std::vector<WrittenObject>> Finish() override {
    if (!failed_.ok()) return failed_;
    failed_ = file_ == nullptr ? Status::Ok() : CloseFile();
    if (!failed_.ok()) return failed_;
    failed_ = Status::Internal("a writer of objects that has finished");
    return std::move(written_);
  }

 private:
  Status AppendPieces(RowSlice rows) {
    if (rows.step != 1 || rows.symbols != nullptr) {
      return Status::InvalidArgument("objects take rows of one symbol, forwards");
    }
    while (rows.count > 0) {
      if (file_ == nullptr) TD_RETURN_IF_ERROR(OpenFile());
      const uint64_t room = std::min(kStepRows - file_rows_ % kStepRows,
                                     std::max<uint64_t>(plan_.file_rows, 1) - file_rows_);
      RowSlice piece = rows;
      piece.count = static_cast<uint32_t>(std::min<uint64_t>(rows.count, room));
      TD_RETURN_IF_ERROR(bounds_.Add(piece));
      TD_RETURN_IF_ERROR(encoder_->Append(piece, &out_));
      file_rows_ += piece.count;
      rows.first += piece.count;
      rows.count -= piece.count;
      if (piece.count == room) TD_RETURN_IF_ERROR(EndStep());
      TD_RETURN_IF_ERROR(WriteOut());
    }
    return Status::Ok();
  }

  Status EndStep() {
    TD_RETURN_IF_ERROR(encoder_->Settle(&out_));
    TD_RETURN_IF_ERROR(WriteOut());
    const bool is_full = file_rows_ >= plan_.file_rows || file_->bytes() >= plan_.file_bytes;
    return is_full ? CloseFile() : Status::Ok();
  }

  Status OpenFile() {
    const std::string path = plan_.folder + "/" + plan_.file_prefix + "-" +
                             std::to_string(written_.size()) + "." +
                             std::string(ObjectFormatName(plan_.format));
    TD_ASSIGN_OR_RETURN(file_, ObjectFile::Create(path));
    TD_ASSIGN_OR_RETURN(encoder_, plan_.format == ObjectFormat::kParquet
                                      ? ParquetEncoder::Make(plan_)
                                      : NdjsonEncoder::Make(plan_));
    return Status::Ok();
  }

  Status WriteOut() {
    if (out_.empty()) return Status::Ok();
    TD_RETURN_IF_ERROR(file_->Append(out_));
    out_.clear();
    return Status::Ok();
  }

  Status CloseFile() {
    TD_RETURN_IF_ERROR(encoder_->Finish(&out_));
    TD_RETURN_IF_ERROR(WriteOut());
    WrittenObject object{.path = file_->path(), .object = bounds_.Take()};
    object.object.format = ObjectFormatName(plan_.format);
    object.object.rows = file_rows_;
    object.object.bytes = file_->bytes();
    TD_ASSIGN_OR_RETURN(object.object.sha256, file_->Finish());
    written_.push_back(std::move(object));
    file_.reset();
    encoder_.reset();
    file_rows_ = 0;
    return Status::Ok();
  }

  const RecordObjectPlan plan_;
  RecordBounds bounds_;
  std::vector<WrittenObject> written_;
  std::unique_ptr<ObjectFile> file_;
  std::unique_ptr<RecordEncoder> encoder_;
  std::string out_;
  uint64_t file_rows_ = 0;
  Status failed_;
};

Status CheckPlan(const RecordObjectPlan& plan) {
  if (plan.table.name.empty()) return Status::InvalidArgument("an object needs a table");
  if (plan.file_rows == 0 || plan.file_bytes == 0) {
    return Status::InvalidArgument("files of nothing");
  }
  std::set<std::tuple<std::string, int32_t, uint32_t>> seen;
  for (const auto& [tp, tape] : plan.tapes) {
    if (!IsValidUtf8(tape.topic)) {
      return Status::InvalidArgument("topic " + Quoted(tape.topic) + " is not UTF-8");
    }
    if (!seen.emplace(tape.topic, tape.partition, tape.lineage).second) {
      return Status::InvalidArgument("two tapes are " + tape.ToString());
    }
  }
  ColumnarLayout layout = RecordObjectLayout(plan.table.name, plan.table.columns, {});
  return LayOut(layout, ShortDecimals::kDecimal64).status();
}

}  // namespace

Result<std::unique_ptr<RecordObjectWriter>> RecordObjectWriter::Make(RecordObjectPlan plan) {
  TD_RETURN_IF_ERROR(CheckPlan(plan));
  return std::unique_ptr<RecordObjectWriter>(std::make_unique<Writer>(std::move(plan)));
}

}  // namespace tapedeck
