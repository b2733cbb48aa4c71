#ifndef TAPEDECK_TOOLS_TAPEDECK_ANSWER_OUTPUT_H_
#define TAPEDECK_TOOLS_TAPEDECK_ANSWER_OUTPUT_H_

// AnswerOutput: rows of an answer on stdout, as NDJSON, one JSON document, CSV, or a table; or the
// bytes of an answer that was encoded elsewhere.
//
//   TD_ASSIGN_OR_RETURN(AnswerFormat format, ParseFormat(args.output, Forms::kText));
//   AnswerOutput out(format, names, {"{\"data\":[", "],\"next_page_token\":null}"});
//   out.Row(…);
//   TD_RETURN_IF_ERROR(out.Finish());
//
// Owned by one thread.

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/status.h"
#include "tapedeck/read_options.h"
#include "tapedeck/text_table.h"

namespace tapedeck::cli {

enum class AnswerFormat : uint8_t { kNdjson, kJson, kCsv, kTable, kArrow, kParquet };

/// "" is a table on a terminal and NDJSON elsewhere. Arrow and Parquet are refused on a terminal.
Result<AnswerFormat> ParseFormat(const std::string& name, Forms forms);
/// "ndjson"; as `format=` of a request has it.
std::string FormatName(AnswerFormat format);

/// What a JSON document has around its rows.
struct Envelope {
  std::string head = "{\"data\":[";
  std::string foot = "],\"next_page_token\":null}";
};

class AnswerOutput {
 public:
  AnswerOutput(AnswerFormat format, std::vector<std::string> names, Envelope envelope = {});

  AnswerFormat format() const { return format_; }
  /// One row in the form of format(): JSON text, a CSV line with its end, or cells. kUnavailable:
  /// the reader of stdout has gone.
  Status Json(std::string_view object);
  Status Csv(std::string_view line);
  Status Cells(std::vector<std::string> cells);
  /// A row that has JSON and cells; CSV is made of the cells.
  Status Row(std::string_view object, std::vector<std::string> cells);
  Status Finish();
  /// What a JSON document has behind its rows; before Finish.
  void set_foot(std::string foot) { envelope_.foot = std::move(foot); }
  uint64_t rows() const { return rows_; }

 private:
  Status Write(std::string_view text);
  Status CsvOf(const std::vector<std::string>& cells);
  Status Drain();

  AnswerFormat format_;
  std::vector<std::string> names_;
  Envelope envelope_;
  std::string buffer_;
  std::unique_ptr<TextTable> table_;
  uint64_t rows_ = 0;
  bool started_ = false;
};

/// Writes `bytes` to stdout, now. kUnavailable: its reader has gone.
Status WriteOut(std::string_view bytes);

}  // namespace tapedeck::cli

#endif  // TAPEDECK_TOOLS_TAPEDECK_ANSWER_OUTPUT_H_
