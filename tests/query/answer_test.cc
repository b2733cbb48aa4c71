// Whole answers, byte for byte: against text made from the brute-force look, while rows are
// committed, flushed, closed and merged, page by page, and across a restart.

#include <gtest/gtest.h>

#include <algorithm>

#include "base/text.h"
#include "query/record_oracle.h"
#include "query/text_encoder.h"
#include "support/seed.h"
#include "support/temp_dir.h"

namespace tapedeck::testing {
namespace {

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

Bytes Answered(const std::shared_ptr<const ReadPoint>& point, const Question& question) {
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
std::string Difference(const std::string& a, const std::string& b) {
  if (a == b) return "";
  const auto at = std::mismatch(a.begin(), a.end(), b.begin(), b.end()).first - a.begin();
  const size_t from = static_cast<size_t>(std::max<ptrdiff_t>(0, at - 80));
  return "at byte " + std::to_string(at) + ": " + a.substr(from, 160) + " is not " +
         b.substr(from, 160);
}

class AnswerTest : public ::testing::Test {
 protected:
  Question RandomQuestion(RandomWorld* world, const StoreFiller& filler) {
    Question question;
    question.query = RandomQuery(world, filler, &random_);
    question.format = static_cast<TextFormat>(random_.Uniform(3));
    if (random_.OneIn(2)) {
      std::vector<std::string> names = {"ts", "symbol", "offset"};
      for (const Column& column : filler.tables().Find(question.query.table)->columns) {
        names.push_back(column.name);
      }
      std::shuffle(names.begin(), names.end(), random_);
      names.resize(1 + random_.Uniform(names.size()));
      question.wanted = names;
    }
    return question;
  }

  // Something that changes where rows lie and nothing else.
  void Rearrange(StoreFiller* filler) {
    if (random_.OneIn(2)) filler->Flush();
    if (random_.OneIn(4)) filler->CloseDays();
    if (random_.OneIn(3)) filler->MergeSeries();
  }

  uint64_t seed_ = TestSeed();
  Random random_{seed_};
  TempDir dir_;
};

TEST_F(AnswerTest, BytesAreThoseOfTheBruteForceAnswerWhileRowsComeAndMove) {
  SCOPED_TRACE(RepeatWith(seed_));
  size_t bytes = 0;
  for (int round = 0; round < 5; ++round) {
    StoreFiller filler(dir_.File("w" + std::to_string(round)), 1 + random_.Uniform(60));
    RandomWorld world(&filler, &random_);
    world.Run(60);
    for (int step = 0; step < 12; ++step) {
      std::vector<std::pair<Question, std::string>> asked;
      const auto before = filler.Point();
      for (int i = 0; i < 20; ++i) {
        const Question question = RandomQuestion(&world, filler);
        asked.emplace_back(question, TextOracle(&filler, &question).Text());
        bytes += asked.back().second.size();
      }
      auto same = [&](const std::shared_ptr<const ReadPoint>& point, const char* when) {
        for (const auto& [question, expected] : asked) {
          ASSERT_EQ(Difference(Answered(point, question).text, expected), "")
              << when << ", round " << round << "." << step << " on " << question.query.table;
        }
      };
      same(before, "at first");
      Rearrange(&filler);
      same(filler.Point(), "rearranged");
      world.Run(random_.Uniform(40));
      same(before, "at the old point, while more was recorded");
    }
  }
  EXPECT_GT(bytes, 1'000'000u) << "the worlds are too empty to prove anything";
}

TEST_F(AnswerTest, ARowOfAnAppendTableOnceServedIsAlwaysServed) {
  SCOPED_TRACE(RepeatWith(seed_));
  StoreFiller filler(dir_.File("w"), 20);
  RandomWorld world(&filler, &random_);
  Question question;
  question.query.table = "trades";
  question.wanted = {"ts", "symbol", "offset", "price"};
  std::vector<std::string> served;
  for (int i = 0; i < 60; ++i) {
    world.Run(10);
    Rearrange(&filler);
    std::vector<std::string> lines;
    std::istringstream text(Answered(filler.Point(), question).text);
    for (std::string line; std::getline(text, line);) lines.push_back(line);
    // Some rows are the same in what is shown, and each of them counts.
    std::sort(lines.begin(), lines.end());
    ASSERT_TRUE(std::includes(lines.begin(), lines.end(), served.begin(), served.end()))
        << "after " << i << " steps";
    served = std::move(lines);
  }
  EXPECT_GT(served.size(), 100u);
}

TEST_F(AnswerTest, PagesOfAnySizeAreOneStreamAlsoAcrossARestart) {
  SCOPED_TRACE(RepeatWith(seed_));
  size_t pages = 0;
  for (int round = 0; round < 4; ++round) {
    const std::string dir = dir_.File("p" + std::to_string(round));
    StoreFiller filler(dir, 1 + random_.Uniform(40));
    RandomWorld world(&filler, &random_);
    world.Run(250);
    struct Reading {
      Question question;
      std::string whole, text;
      bool ended = false;
    };
    std::vector<Reading> readings;
    for (int i = 0; i < 50; ++i) {
      Reading reading{RandomQuestion(&world, filler), {}, {}};
      reading.question.format = TextFormat::kNdjson;
      reading.question.query.limit = UINT64_MAX;
      reading.whole = TextOracle(&filler, &reading.question).Text();
      reading.question.query.limit = 1 + random_.Uniform(random_.OneIn(2) ? 5 : 300);
      readings.push_back(std::move(reading));
    }
    auto read_page = [&](const std::shared_ptr<const ReadPoint>& point, Reading* reading) {
      const Bytes page = Answered(point, reading->question);
      reading->text += page.text;
      reading->ended = page.rows < reading->question.query.limit;
      if (page.last) {
        reading->question.query.after = *RecordPosition::Decode(page.last->Encode());
      }
      ++pages;
    };
    for (int step = 0; step < 4; ++step) {
      for (Reading& reading : readings) {
        if (!reading.ended && !random_.OneIn(4)) read_page(filler.Point(), &reading);
      }
      Rearrange(&filler);
    }
    filler.Flush();  // open rows would be decoded again from a tape, which a filler does not have
    filler.Close();
    Result<std::unique_ptr<Store>> store = Store::Open({.dir = dir, .create = false});
    ASSERT_TRUE(store.ok()) << store.status().ToString();
    SeriesDirectory directory;
    const auto point = *ReadPoint::Take(OpenRows(), &directory, **store);
    for (size_t i = 0; i < readings.size(); ++i) {
      while (!readings[i].ended) read_page(point, &readings[i]);
      ASSERT_EQ(Difference(readings[i].text, readings[i].whole), "")
          << "round " << round << " query " << i << " on " << readings[i].question.query.table;
    }
  }
  EXPECT_GT(pages, 500u);
}

}  // namespace
}  // namespace tapedeck::testing
