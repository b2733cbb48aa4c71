#ifndef TAPEDECK_MAPPING_CSV_H_
#define TAPEDECK_MAPPING_CSV_H_

// CSV rows (RFC 4180: commas, double quotes, doubled quotes inside, CRLF or LF) and their form as
// JSON objects of strings.
//
//   CsvReader reader(file_text);
//   std::vector<std::string> header, row;
//   while (reader.Next(&row)) …
//   CsvRowToJson(header, row)   // {"Index":"HSI","Date":"1986-12-31"}
//
// An empty line is no row. A quote inside an unquoted field is kept as it is. Owned by one thread;
// the text stays with the caller.

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace tapedeck {

class CsvReader {
 public:
  explicit CsvReader(std::string_view text) : rest_(text) {}

  /// The next row, or false at the end or at an error.
  bool Next(std::vector<std::string>* row);
  /// kInvalidArgument: a quote that is not closed, or text after a closing quote.
  const Status& status() const { return status_; }
  /// What has not been read yet.
  std::string_view rest() const { return rest_; }

 private:
  bool Field(std::string* field, bool* last);

  std::string_view rest_;
  Status status_;
  size_t rows_ = 0;
};

/// {"column":"field",…}; kInvalidArgument where the numbers of columns and fields differ.
Result<std::string> CsvRowToJson(std::span<const std::string> columns,
                                 std::span<const std::string> fields);

}  // namespace tapedeck

#endif  // TAPEDECK_MAPPING_CSV_H_
