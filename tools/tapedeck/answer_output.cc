#include "tapedeck/answer_output.h"

#include <unistd.h>

#include <array>
#include <cstdio>

#include "query/json_rows.h"

namespace tapedeck::cli {
namespace {

constexpr size_t kBufferBytes = size_t{64} << 10;
// In the order of AnswerFormat; from the fifth on they are not for people.
constexpr std::array<std::string_view, 6> kNames = {"ndjson", "json",  "csv",
                                                    "table",  "arrow", "parquet"};

}  // namespace

Result<AnswerFormat> ParseFormat(const std::string& name, Forms forms) {
  const bool terminal = isatty(STDOUT_FILENO) != 0;
  if (name.empty()) return terminal ? AnswerFormat::kTable : AnswerFormat::kNdjson;
  const size_t count = forms == Forms::kColumnar ? kNames.size() : 4;
  std::string known;
  for (size_t i = 0; i < count; ++i) {
    if (name != kNames[i]) {
      known += (i == 0 ? "" : i + 1 < count ? ", " : " and ") + std::string(kNames[i]);
      continue;
    }
    const auto format = static_cast<AnswerFormat>(i);
    if (terminal && i >= 4) {
      return Status::InvalidArgument("-o " + name +
                                     " is not for a terminal: send it to a file or a pipe");
    }
    return format;
  }
  return Status::InvalidArgument("-o " + name + ": there are " + known);
}

std::string FormatName(AnswerFormat format) {
  return std::string(kNames[static_cast<size_t>(format)]);
}

Status WriteOut(std::string_view bytes) {
  if (std::fwrite(bytes.data(), 1, bytes.size(), stdout) == bytes.size() &&
      std::fflush(stdout) == 0) {
    return Status::Ok();
  }
  return Status::Unavailable("stdout cannot be written: its reader has gone or its disk is full");
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
  Status written = WriteOut(buffer_);
  buffer_.clear();
  return written;
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
