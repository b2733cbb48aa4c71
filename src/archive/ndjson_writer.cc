#include <algorithm>

#include "archive/ndjson_records.h"
#include "base/decimal.h"
#include "base/encoding.h"
#include "base/text.h"
#include "base/time.h"

namespace tapedeck {
namespace {

// The compressor is given pieces of one size, whatever the slices were.
constexpr size_t kPieceBytes = size_t{256} << 10;

void AppendTime(int64_t ns, std::string* out) {
  char text[kRfc3339Size];
  FormatRfc3339To(Timestamp(ns), text);
  *out += '"';
  out->append(text, sizeof(text));
  *out += '"';
}

void AppendBytes(std::string_view bytes, std::string* out) {
  if (IsValidUtf8(bytes)) return AppendJsonString(bytes, out);
  *out += "{\"base64\":\"";
  *out += ToBase64(bytes);
  *out += "\"}";
}

void AppendValue(const Value& value, std::string* out) {
  switch (value.kind()) {
    case Value::Kind::kNull:
      *out += "null";
      return;
    case Value::Kind::kText:
      return AppendBytes(value.text(), out);
    case Value::Kind::kTimestamp:
      return AppendTime(value.number(), out);
    default:
      return value.AppendCanonical(out);
  }
}

}  // namespace

NdjsonRecordWriter::NdjsonRecordWriter(const Table& table,
                                       std::vector<std::pair<TpId, TapeId>> tapes)
    : tapes_(std::move(tapes)) {
  for (const Column& column : table.columns) {
    names_.push_back(",");
    AppendJsonString(column.name, &names_.back());
    names_.back() += ':';
  }
  std::sort(tapes_.begin(), tapes_.end(),
            [](const auto& a, const auto& b) { return Raw(a.first) < Raw(b.first); });
}

Result<std::unique_ptr<NdjsonRecordWriter>> NdjsonRecordWriter::Make(
    const Table& table, std::vector<std::pair<TpId, TapeId>> tapes, ObjectFormat format) {
  std::unique_ptr<NdjsonRecordWriter> writer(new NdjsonRecordWriter(table, std::move(tapes)));
  TD_ASSIGN_OR_RETURN(
      writer->compressor_,
      StreamCompressor::Make(format == ObjectFormat::kNdjsonGzip ? StreamCoding::kGzip
                                                                 : StreamCoding::kZstd));
  return writer;
}

void NdjsonRecordWriter::AppendLine(const RowSlice& rows, uint32_t row, const TapeId& tape) {
  const Rows& from = *rows.rows;
  lines_ += "{\"ts\":";
  AppendTime(from.ts[row], &lines_);
  lines_ += ",\"symbol\":";
  AppendBytes(rows.symbol, &lines_);
  for (size_t i = 0; i < names_.size(); ++i) {
    lines_ += names_[i];
    AppendValue(i < from.columns.size() ? from.columns[i].At(row) : Value(), &lines_);
  }
  lines_ += ",\"ts_kafka\":";
  if (from.ts_kafka[row] == kNoKafkaTime) {
    lines_ += "null";
  } else {
    AppendTime(from.ts_kafka[row], &lines_);
  }
  lines_ += ",\"topic\":";
  AppendBytes(tape.topic, &lines_);
  lines_ += ",\"partition\":" + std::to_string(tape.partition);
  lines_ += ",\"lineage\":" + std::to_string(tape.lineage);
  lines_ += ",\"offset\":" + std::to_string(from.offset[row]);
  lines_ += ",\"index\":" + std::to_string(from.index[row]);
  lines_ += "}\n";
}

Status NdjsonRecordWriter::Append(const RowSlice& rows, std::string* out) {
  const std::pair<TpId, TapeId>* tape = nullptr;
  for (uint32_t n = 0; n < rows.count; ++n) {
    const uint32_t row = rows.RowAt(n);
    const uint32_t tp = rows.rows->tp[row];
    if (tape == nullptr || Raw(tape->first) != tp) {
      const auto found = std::lower_bound(
          tapes_.begin(), tapes_.end(), tp,
          [](const auto& one, uint32_t wanted) { return Raw(one.first) < wanted; });
      if (found == tapes_.end() || Raw(found->first) != tp) {
        return Status::Internal("a row names tape " + std::to_string(tp) + ", which nobody knows");
      }
      tape = &*found;
    }
    AppendLine(rows, row, tape->second);
    if (lines_.size() < kPieceBytes) continue;
    size_t at = 0;
    for (; lines_.size() - at >= kPieceBytes; at += kPieceBytes) {
      TD_RETURN_IF_ERROR(
          compressor_->Append(std::string_view(lines_).substr(at, kPieceBytes), out));
    }
    lines_.erase(0, at);
  }
  return Status::Ok();
}

Status NdjsonRecordWriter::Flush(std::string* out) {
  TD_RETURN_IF_ERROR(compressor_->Append(lines_, out));
  lines_.clear();
  return Status::Ok();
}

Status NdjsonRecordWriter::Finish(std::string* out) {
  TD_RETURN_IF_ERROR(Flush(out));
  return compressor_->Finish(out);
}

}  // namespace tapedeck
