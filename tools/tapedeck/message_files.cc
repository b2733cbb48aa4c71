#include "tapedeck/message_files.h"

#include <fstream>
#include <iostream>
#include <sstream>
#include <vector>

#include "base/zstd.h"
#include "mapping/csv.h"

namespace tapedeck::cli {
namespace {

constexpr size_t kFileBytesMax = size_t{1} << 30;

Status At(const std::string& path, const std::string& what) {
  return Status::InvalidArgument(path + ": " + what);
}

Result<std::string> ReadStream(std::istream& in, const std::string& path) {
  std::string bytes;
  std::vector<char> buffer(size_t{1} << 16);
  while (in.read(buffer.data(), static_cast<std::streamsize>(buffer.size())), in.gcount() > 0) {
    bytes.append(buffer.data(), static_cast<size_t>(in.gcount()));
    if (bytes.size() > kFileBytesMax) return At(path, "is larger than 1 GiB");
  }
  if (in.bad()) return At(path, "cannot be read");
  return bytes;
}

Result<std::string> ReadWhole(const std::string& path) {
  if (path == "-") return ReadStream(std::cin, "standard input");
  std::ifstream in(path, std::ios::binary);
  if (!in.is_open()) return At(path, "cannot be opened");
  TD_ASSIGN_OR_RETURN(std::string bytes, ReadStream(in, path));
  if (!path.ends_with(".zst")) return bytes;
  Decompressor decompressor;
  std::string content;
  Status status = decompressor.Decompress(bytes, kFileBytesMax, &content);
  if (!status.ok())
    return At(path,
              std::string(status.message()) + " (one zstd frame that declares its size is needed)");
  return content;
}

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

Result<std::string> FromHex(std::string_view text, const std::string& path) {
  std::string bytes;
  int high = -1;
  for (char c : text) {
    if (c == ' ' || c == '\n' || c == '\r' || c == '\t') continue;
    int digit = HexDigit(c);
    if (digit < 0) return At(path, "holds something else than hexadecimal digits");
    if (high < 0) {
      high = digit;
    } else {
      bytes.push_back(static_cast<char>(high * 16 + digit));
      high = -1;
    }
  }
  if (high >= 0) return At(path, "holds an odd number of hexadecimal digits");
  return bytes;
}

void VisitLines(std::string_view text, const std::function<void(const FileMessage&)>& visit) {
  for (uint64_t number = 0; !text.empty(); ++number) {
    size_t end = text.find('\n');
    std::string_view line = text.substr(0, end);
    if (line.ends_with('\r')) line.remove_suffix(1);
    visit({.value = line, .number = number, .numbered = true});
    if (end == std::string_view::npos) return;
    text.remove_prefix(end + 1);
  }
}

Status VisitRows(std::string_view text, const std::string& path,
                 const std::function<void(const FileMessage&)>& visit) {
  CsvReader reader(text);
  std::vector<std::string> columns;
  std::vector<std::string> row;
  if (!reader.Next(&columns)) return At(path, "has no header row");
  for (uint64_t number = 0; reader.Next(&row); ++number) {
    Result<std::string> object = CsvRowToJson(columns, row);
    if (!object.ok())
      return At(path, "row " + std::to_string(number + 1) + ": " +
                          std::string(object.status().message()));
    visit({.value = *object, .number = number, .numbered = true});
  }
  return reader.status().WithContext(path);
}

}  // namespace

Status ReadMessageFile(const std::string& path, CsvRows csv_rows,
                       const std::function<void(const FileMessage&)>& visit) {
  TD_ASSIGN_OR_RETURN(std::string bytes, ReadWhole(path));
  std::string_view name = path;
  if (name.ends_with(".zst")) name.remove_suffix(4);
  if (path == "-" || name.ends_with(".ndjson")) {
    VisitLines(bytes, visit);
  } else if (name.ends_with(".csv") && csv_rows == CsvRows::kAsObjects) {
    return VisitRows(bytes, path, visit);
  } else if (name.ends_with(".hex")) {
    TD_ASSIGN_OR_RETURN(bytes, FromHex(bytes, path));
    visit({.value = bytes});
  } else {
    visit({.value = bytes});
  }
  return Status::Ok();
}

}  // namespace tapedeck::cli
