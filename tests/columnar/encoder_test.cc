// The columnar encoder over a real recording: the rows of RecordWriter, in its order, whatever is
// asked for.

#include <arrow/buffer.h>
#include <arrow/io/memory.h>
#include <gtest/gtest.h>
#include <parquet/file_reader.h>
#include <parquet/metadata.h>

#include <algorithm>

#include "query/columnar_encoder.h"
#include "query/latest.h"
#include "query/random_world.h"
#include "query/series_cursor.h"
#include "query/store_filler.h"
#include "support/seed.h"
#include "support/temp_dir.h"
#include "tests/columnar/read_back.h"

namespace tapedeck::testing {
namespace {

using Lines = std::vector<std::vector<std::string>>;

struct Question {
  RecordQuery query;
  RowFields fields;
  ColumnarStyle style;
};

// Null and "" look alike here.
Lines SlowLines(std::shared_ptr<const ReadPoint> point, const Question& question) {
  auto cursor = RecordCursor::Open(std::move(point), question.query);
  EXPECT_TRUE(cursor.ok()) << cursor.status().ToString();
  RowStyle style = question.style.rows;
  if (style.time == TimeStyle::kIso) style.time = TimeStyle::kNanoseconds;
  const RecordWriter writer(question.fields, **cursor, style);
  Lines lines;
  for (RowRun run;;) {
    EXPECT_TRUE((*cursor)->Next(&run).ok());
    if (run.count == 0) return lines;
    for (uint32_t n = 0; n < run.count; ++n) writer.Cells(run, n, &lines.emplace_back());
  }
}

std::string Answer(std::shared_ptr<const ReadPoint> point, const Question& question,
                   ColumnarFormat format) {
  auto cursor = RecordCursor::Open(std::move(point), question.query);
  EXPECT_TRUE(cursor.ok()) << cursor.status().ToString();
  auto encoder = MakeColumnarEncoder(format, question.fields, **cursor, question.style);
  EXPECT_TRUE(encoder.ok()) << encoder.status().ToString();
  std::string out;
  EXPECT_TRUE((*encoder)->Begin(&out).ok());
  for (RowRun run;;) {
    EXPECT_TRUE((*cursor)->Next(&run).ok());
    if (run.count == 0) break;
    EXPECT_TRUE((*encoder)->Append(run, &out).ok());
  }
  EXPECT_TRUE((*encoder)->Finish("", &out).ok());
  return out;
}

Lines LinesOf(const arrow::Table& table, const RowFields& fields) {
  ColumnarLayout layout;
  for (const RowFields::Field& field : fields.fields()) {
    layout.fields.emplace_back().name = field.name;
  }
  Lines lines;
  for (const std::vector<Cell>& cells : CellsOf(table, layout)) {
    auto& line = lines.emplace_back();
    for (const Cell& cell : cells) line.push_back(cell.value_or(""));
  }
  return lines;
}

Question RandomQuestion(Random* random, const TableRegistry& tables) {
  static const char* kTables[] = {"quotes", "trades", "bars", "odd"};
  Question question;
  question.query.table = kTables[random->Uniform(4)];
  const Table& table = *tables.Find(question.query.table);
  std::vector<std::string> wanted;
  if (random->OneIn(2)) {
    for (const char* name :
         {"ts", "symbol", "ts_kafka", "topic", "partition", "offset:o", "index"}) {
      if (random->OneIn(3)) wanted.push_back(name);
    }
    for (const Column& column : table.columns) {
      if (wanted.empty() || random->OneIn(2)) wanted.push_back(column.name);
    }
    std::shuffle(wanted.begin(), wanted.end(), *random);
  }
  const auto origins = random->OneIn(2) ? Origins::kShown : Origins::kLeftOut;
  Result<RowFields> fields = RowFields::Choose(table, wanted, origins);
  EXPECT_TRUE(fields.ok()) << fields.status().ToString();
  question.fields = *fields;
  question.query.columns = fields->columns();
  if (random->OneIn(2)) question.query.order = ReadOrder::kDescending;
  if (random->OneIn(4)) question.query.limit = random->Uniform(30);
  question.style.order = question.query.order;
  // Parquet has no seconds: columnar_test.
  question.style.rows.time = static_cast<TimeStyle>(random->Uniform(4));
  question.style.rows.numbers = static_cast<NumberStyle>(random->Uniform(2));
  for (const Column& column : table.columns) {
    if (random->OneIn(3)) question.style.decimals[column.name] = {12, 3};
  }
  return question;
}

TEST(ColumnarEncoderTest, AnyAnswerHasTheRowsOfTheRowWriter) {
  const uint64_t seed = TestSeed();
  SCOPED_TRACE(RepeatWith(seed));
  Random random(seed);
  TempDir dir;
  StoreFiller filler(dir.File("w"), 50);
  RandomWorld world(&filler, &random);
  world.Run(900);
  auto point = filler.Point();
  size_t rows = 0;
  for (int i = 0; i < 120; ++i) {
    const Question question = RandomQuestion(&random, filler.tables());
    const Lines expected = SlowLines(point, question);
    rows += expected.size();
    auto arrow = ReadArrow(Answer(point, question, ColumnarFormat::kArrow));
    ASSERT_NE(arrow, nullptr);
    ASSERT_EQ(LinesOf(*arrow, question.fields), expected) << question.query.table << ", Arrow";
    auto parquet = ReadParquet(Answer(point, question, ColumnarFormat::kParquet));
    ASSERT_NE(parquet, nullptr);
    ASSERT_EQ(LinesOf(*parquet, question.fields), expected) << question.query.table << ", Parquet";
  }
  EXPECT_GT(rows, 5'000u) << "the world is too empty to prove anything";
}

// "ts+ symbol+": what the file says of its order.
std::string OrderSaid(std::unique_ptr<RowCursor> cursor, std::vector<std::string> wanted) {
  auto fields = RowFields::Choose(cursor->table(), wanted, Origins::kLeftOut);
  auto encoder = MakeColumnarEncoder(ColumnarFormat::kParquet, *fields, *cursor, {});
  EXPECT_TRUE(encoder.ok()) << encoder.status().ToString();
  std::string file;
  EXPECT_TRUE((*encoder)->Begin(&file).ok());
  for (RowRun run;;) {
    EXPECT_TRUE(cursor->Next(&run).ok());
    if (run.count == 0) break;
    EXPECT_TRUE((*encoder)->Append(run, &file).ok());
  }
  EXPECT_TRUE((*encoder)->Finish("", &file).ok());
  const auto reader = parquet::ParquetFileReader::Open(
      std::make_shared<arrow::io::BufferReader>(arrow::Buffer::FromString(file)));
  std::string said;
  for (const auto& sorted : reader->metadata()->RowGroup(0)->sorting_columns()) {
    said += reader->metadata()->schema()->Column(sorted.column_idx)->name();
    said += sorted.descending ? "- " : "+ ";
  }
  return said;
}

TEST(ColumnarEncoderTest, AFileSaysTheOrderThatItsRowsHave) {
  TempDir dir;
  StoreFiller filler(dir.File("w"), 50);
  const TpId tp = filler.AddTape({"c1", "ticks", 0, 0});
  filler.Append(tp, {.value = R"([{"k":"t","s":"A","t":9,"p":1},{"k":"t","s":"B","t":3,"p":1}])",
                     .timestamp_ms = 5});
  filler.Commit();
  auto latest = [&](std::vector<std::string> columns) {
    LatestQuery query;
    query.table = "trades";
    query.columns = columns;
    auto cursor = OpenLatest(filler.Point(), query);
    EXPECT_TRUE(cursor.ok()) << cursor.status().ToString();
    return std::move(cursor).value();
  };
  EXPECT_EQ(OrderSaid(latest({"price"}), {"ts", "symbol", "price"}), "symbol+ ");
  EXPECT_EQ(OrderSaid(latest({"price"}), {"ts", "price"}), "");
  RecordQuery range;
  range.table = "trades";
  range.columns = std::vector<std::string>{"price"};
  auto records = RecordCursor::Open(filler.Point(), range);
  ASSERT_TRUE(records.ok());
  EXPECT_EQ(OrderSaid(std::move(records).value(), {"ts", "symbol", "price"}), "ts+ symbol+ ");
}

TEST(ColumnarEncoderTest, FieldsOfOneNameAreRefused) {
  TempDir dir;
  StoreFiller filler(dir.File("w"));
  RecordQuery query;
  query.table = "trades";
  auto cursor = RecordCursor::Open(filler.Point(), query);
  ASSERT_TRUE(cursor.ok());
  for (ColumnarFormat format : {ColumnarFormat::kArrow, ColumnarFormat::kParquet}) {
    EXPECT_EQ(MakeColumnarEncoder(format, RowFields(), **cursor, {}).status().code(),
              StatusCode::kInvalidArgument);
  }
}

}  // namespace
}  // namespace tapedeck::testing
