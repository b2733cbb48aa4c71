#ifndef TAPEDECK_TESTS_QUERY_ANSWERS_H_
#define TAPEDECK_TESTS_QUERY_ANSWERS_H_

// Whole answers as text: asked, and made the slow way from what was recorded.
//
//   EXPECT_EQ(Difference(Answered(point, q).text, TextOracle(&filler, &q).Text()), "");
//
// Owned by one thread.

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/text.h"
#include "query/record_oracle.h"
#include "query/text_encoder.h"

namespace tapedeck::testing {

// A query with what an answer shows of it.
struct Question {
  RecordQuery query;
  std::vector<std::string> wanted;
  TextFormat format = TextFormat::kNdjson;
};

struct Bytes {
  std::string text;
  uint64_t rows = 0;
  std::optional<RecordPosition> last;  // position behind the last row
};

inline Bytes Answered(const std::shared_ptr<const ReadPoint>& point, const Question& question) {
  RecordQuery query = question.query;
  const RowFields fields =
      *RowFields::Choose(**point->FindTable(query.table), question.wanted, Origins::kLeftOut);
  query.columns = fields.columns();
  auto cursor = RecordCursor::Open(point, query);
  Bytes bytes;
  EXPECT_TRUE(cursor.ok()) << cursor.status().ToString();
  if (!cursor.ok()) return bytes;
  auto encoder = MakeTextEncoder(question.format, fields, **cursor, {});
  EXPECT_TRUE(encoder->Begin(&bytes.text).ok());
  for (RowRun run;;) {
    const Status next = (*cursor)->Next(&run);
    EXPECT_TRUE(next.ok()) << next.ToString();
    if (!next.ok() || run.count == 0) break;
    EXPECT_TRUE(encoder->Append(run, &bytes.text).ok());
    bytes.last = (*cursor)->PositionOf(run, run.count - 1);
    bytes.rows += run.count;
  }
  EXPECT_TRUE(encoder->Finish("", &bytes.text).ok());
  return bytes;
}

// The text of an answer, made the slow way from what was recorded.
class TextOracle {
 public:
  TextOracle(const StoreFiller* filler, const Question* question)
      : question_(question),
        table_(*filler->tables().Find(question->query.table)),
        names_(question->wanted),
        oracle_(filler, &question->query) {
    if (!names_.empty()) return;
    names_ = {"ts", "symbol"};
    for (const Column& column : table_.columns) names_.push_back(column.name);
  }

  std::string Text() {
    std::string text;
    if (json()) text = "{\"data\":[";
    if (csv()) text = Joined(names_) + "\r\n";
    uint64_t rows = 0;
    for (const OracleRecord* record : oracle_.Rows()) {
      if (rows == question_->query.limit) break;
      if (json() && rows > 0) text += ',';
      text += csv() ? CsvRow(*record) : JsonRow(*record);
      ++rows;
    }
    return json() ? text + "],\"next_page_token\":null}\n" : text;
  }

 private:
  bool json() const { return question_->format == TextFormat::kJson; }
  bool csv() const { return question_->format == TextFormat::kCsv; }

  static std::string Joined(const std::vector<std::string>& words) {
    std::string text;
    for (const std::string& word : words) text += (text.empty() ? "" : ",") + word;
    return text;
  }
  // nullopt: null.
  std::optional<std::string> Field(const OracleRecord& record, const std::string& name,
                                   bool* is_text) const {
    *is_text = true;
    if (name == "ts") return FormatRfc3339(Timestamp(record.ts));
    if (name == "symbol") return record.symbol;
    if (name == "offset") {
      *is_text = false;
      return std::to_string(record.offset);
    }
    auto field = record.fields.find(name);
    if (field == record.fields.end()) return std::nullopt;
    const ColumnType type = table_.columns[static_cast<size_t>(table_.FindColumn(name))].type;
    *is_text = type == ColumnType::kText || type == ColumnType::kTimestamp;
    if (type != ColumnType::kTimestamp) return field->second;
    return FormatRfc3339(Timestamp(std::strtoll(field->second.c_str(), nullptr, 10)));
  }
  std::string JsonRow(const OracleRecord& record) const {
    std::string row;
    for (const std::string& name : names_) {
      bool is_text = false;
      const auto field = Field(record, name, &is_text);
      row += (row.empty() ? "{\"" : ",\"") + name + "\":";
      if (!field) {
        row += "null";
      } else if (is_text) {
        AppendJsonString(*field, &row);
      } else {
        row += *field;
      }
    }
    return row + (json() ? "}" : "}\n");
  }
  std::string CsvRow(const OracleRecord& record) const {
    std::string row;
    for (const std::string& name : names_) {
      bool is_text = false;
      const auto field = Field(record, name, &is_text);
      if (name != names_.front()) row += ',';
      if (!field) continue;
      std::string quoted;
      for (char c : *field) quoted += c == '"' ? std::string("\"\"") : std::string(1, c);
      const bool plain = !field->empty() && field->find_first_of(",\"\r\n") == std::string::npos;
      row += plain ? *field : '"' + quoted + '"';
    }
    return row + "\r\n";
  }

  const Question* question_;
  const Table& table_;
  std::vector<std::string> names_;
  Oracle oracle_;
};

// "" where they are equal, else both from a little before the first difference.
inline std::string Difference(const std::string& a, const std::string& b) {
  if (a == b) return "";
  const auto at = std::mismatch(a.begin(), a.end(), b.begin(), b.end()).first - a.begin();
  const size_t from = static_cast<size_t>(std::max<ptrdiff_t>(0, at - 80));
  return "at byte " + std::to_string(at) + ": " + a.substr(from, 160) + " is not " +
         b.substr(from, 160);
}

inline Question RandomQuestion(RandomWorld* world, const StoreFiller& filler, Random* random) {
  Question question;
  question.query = RandomQuery(world, filler, random);
  question.format = static_cast<TextFormat>(random->Uniform(3));
  if (random->OneIn(2)) {
    std::vector<std::string> names = {"ts", "symbol", "offset"};
    for (const Column& column : filler.tables().Find(question.query.table)->columns) {
      names.push_back(column.name);
    }
    std::shuffle(names.begin(), names.end(), *random);
    names.resize(1 + random->Uniform(names.size()));
    question.wanted = names;
  }
  return question;
}

}  // namespace tapedeck::testing

#endif  // TAPEDECK_TESTS_QUERY_ANSWERS_H_
