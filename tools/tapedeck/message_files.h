#ifndef TAPEDECK_TOOLS_TAPEDECK_MESSAGE_FILES_H_
#define TAPEDECK_TOOLS_TAPEDECK_MESSAGE_FILES_H_

// Files that hold sample messages, by the end of their names:
//   .json     the file is one message, byte for byte
//   .ndjson   each line is one message, without its newline
//   .csv      header row; each further row is one message, an object of texts
//   .hex      the hexadecimal digits of one message; blanks are left out
// and each with .zst behind it. "-" is NDJSON on standard input. Anything else is read as one
// message.
//
//   TD_RETURN_IF_ERROR(ReadMessageFile("capture.ndjson.zst", CsvRows::kAsObjects,
//                                      [](const FileMessage& m) { Use(m.value); }));
//
// Owned by one thread.

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "base/status.h"

namespace tapedeck::cli {

struct FileMessage {
  std::string_view value;  // valid during the visit
  uint64_t number = 0;     // from 0 in its file
  bool numbered = false;   // the file's form holds many messages
};

/// What becomes of .csv: a JSON object of texts for each row, or the file as it is, for mappings
/// that read CSV themselves.
enum class CsvRows : uint8_t { kAsObjects, kWhole };

/// kInvalidArgument: a file that cannot be read, is larger than 1 GiB, or holds no hexadecimal
/// digits where it should.
Status ReadMessageFile(const std::string& path, CsvRows csv_rows,
                       const std::function<void(const FileMessage&)>& visit);

}  // namespace tapedeck::cli

#endif  // TAPEDECK_TOOLS_TAPEDECK_MESSAGE_FILES_H_
