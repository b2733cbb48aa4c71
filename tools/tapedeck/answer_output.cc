#include "tapedeck/answer_output.h"

#include <unistd.h>

#include <cstdio>

#include "query/json_rows.h"

namespace tapedeck::cli {
namespace {

constexpr size_t kBufferBytes = size_t{64} << 10;

}  // namespace

Result<AnswerFormat> ParseFormat(const std::string& name) {
  if (name.empty()) return isatty(STDOUT_FILENO) ? AnswerFormat::kTable : AnswerFormat::kNdjson;
  if (name == "ndjson") return AnswerFormat::kNdjson;
  if (name == "json") return AnswerFormat::kJson;
  if (name == "csv") return AnswerFormat::kCsv;
  if (name == "table") return AnswerFormat::kTable;
  return Status::InvalidArgument("-o " + name + ": there are ndjson, json, csv and table");
}

AnswerOutput::AnswerOutput(AnswerFormat format, std::vector<std::string> names, Envelope envelope)
    : format_(format), names_(std::move(names)), envelope_(std::move(envelope)) {
  if (format_ == AnswerFormat::kTable) {
    table_ = std::make_unique<TextTable>(names_, [this](std::string_view line) {
      buffer_ += line;
      return true;
    });
  }
}

Status AnswerOutput::Drain() {
  const bool good = std::fwrite(buffer_.data(), 1, buffer_.size(), stdout) == buffer_.size() &&
                    std::fflush(stdout) == 0;
  buffer_.clear();
  if (good) return Status::Ok();
  return Status::Unavailable("stdout cannot be written: its reader has gone or its disk is full");
}

Status AnswerOutput::Write(std::string_view text) {
  buffer_ += text;
  return buffer_.size() < kBufferBytes ? Status::Ok() : Drain();
}

Status AnswerOutput::Json(std::string_view object) {
  ++rows_;
  if (format_ == AnswerFormat::kJson) {
    buffer_ += started_ ? "," : envelope_.head;
    started_ = true;
    return Write(object);
  }
  buffer_ += object;
  return Write("\n");
}

Status AnswerOutput::CsvOf(const std::vector<std::string>& cells) {
  for (size_t i = 0; i < cells.size(); ++i) {
    if (i > 0) buffer_ += ',';
    if (!cells[i].empty()) AppendCsvField(cells[i], &buffer_);
  }
  return Write("\r\n");
}

Status AnswerOutput::Csv(std::string_view line) {
  ++rows_;
  if (!started_) TD_RETURN_IF_ERROR(CsvOf(names_));
  started_ = true;
  return Write(line);
}

Status AnswerOutput::Cells(std::vector<std::string> cells) {
  ++rows_;
  table_->Add(std::move(cells));
  return Write("");
}

Status AnswerOutput::Row(std::string_view object, std::vector<std::string> cells) {
  if (format_ == AnswerFormat::kTable) return Cells(std::move(cells));
  if (format_ != AnswerFormat::kCsv) return Json(object);
  TD_RETURN_IF_ERROR(Csv(""));
  return CsvOf(cells);
}

Status AnswerOutput::Finish() {
  if (format_ == AnswerFormat::kJson) {
    if (!started_) buffer_ += envelope_.head;
    buffer_ += envelope_.foot + "\n";
  }
  if (format_ == AnswerFormat::kCsv && !started_) TD_RETURN_IF_ERROR(CsvOf(names_));
  if (table_ != nullptr) table_->Finish();
  return Drain();
}

}  // namespace tapedeck::cli
