#include "mapping/csv.h"

#include "mapping/json_tree.h"

namespace tapedeck {

bool CsvReader::Field(std::string* field, bool* last) {
  field->clear();
  const bool quoted = !rest_.empty() && rest_[0] == '"';
  if (quoted) {
    rest_.remove_prefix(1);
    for (;;) {
      size_t quote = rest_.find('"');
      if (quote == std::string_view::npos) {
        status_ = Status::InvalidArgument("CSV row " + std::to_string(rows_ + 1) +
                                          ": a quote is not closed");
        return false;
      }
      field->append(rest_.substr(0, quote));
      rest_.remove_prefix(quote + 1);
      if (rest_.empty() || rest_[0] != '"') break;
      field->push_back('"');
      rest_.remove_prefix(1);
    }
  }
  size_t end = rest_.find_first_of(",\n");
  if (end == std::string_view::npos) end = rest_.size();
  std::string_view plain = rest_.substr(0, end);
  *last = end == rest_.size() || rest_[end] == '\n';
  rest_.remove_prefix(end == rest_.size() ? end : end + 1);
  if (*last && !plain.empty() && plain.back() == '\r') plain.remove_suffix(1);
  if (quoted && !plain.empty()) {
    status_ = Status::InvalidArgument("CSV row " + std::to_string(rows_ + 1) +
                                      ": text follows a closing quote");
    return false;
  }
  if (!quoted) *field = plain;
  return true;
}

bool CsvReader::Next(std::vector<std::string>* row) {
  row->clear();
  while (!rest_.empty() && (rest_[0] == '\n' || rest_.substr(0, 2) == "\r\n")) {
    rest_.remove_prefix(rest_[0] == '\n' ? 1 : 2);
  }
  if (rest_.empty() || !status_.ok()) return false;
  for (bool last = false; !last;) {
    row->emplace_back();
    if (!Field(&row->back(), &last)) return false;
  }
  ++rows_;
  return true;
}

Result<std::string> CsvRowToJson(std::span<const std::string> columns,
                                 std::span<const std::string> fields) {
  if (columns.size() != fields.size()) {
    return Status::InvalidArgument("a row has " + std::to_string(fields.size()) +
                                   " fields, its header " + std::to_string(columns.size()));
  }
  std::string out = "{";
  for (size_t i = 0; i < columns.size(); ++i) {
    if (i > 0) out.push_back(',');
    json::AppendQuoted(columns[i], &out);
    out.push_back(':');
    json::AppendQuoted(fields[i], &out);
  }
  out.push_back('}');
  return out;
}

}  // namespace tapedeck
