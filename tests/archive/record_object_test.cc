// Record objects: what goes in comes out, in files of all formats.

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "base/encoding.h"
#include "base/secure_hash.h"
#include "support/seed.h"
#include "support/temp_dir.h"
#include "tests/archive/record_rows.h"

namespace tapedeck::testing {
namespace {

std::string BytesOf(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::stringstream bytes;
  bytes << file.rdbuf();
  return bytes.str();
}

RecordObjectPlan PlanOf(const TempDir& dir, const Table& table,
                        ObjectFormat format = ObjectFormat::kParquet) {
  return {.table = table,
          .day = Day(19'906),
          .generation = 3,
          .tapes = SomeTapes(),
          .format = format,
          .folder = dir.path().string(),
          .writer = "tapedeck test"};
}

class EveryFormat : public ::testing::TestWithParam<ObjectFormat> {};

TEST_P(EveryFormat, RowsComeBackAsTheyWentIn) {
  const uint64_t seed = TestSeed();
  SCOPED_TRACE(RepeatWith(seed));
  Random random(seed);
  TempDir dir;
  for (const char* name : {"mixed", "trades"}) {
    const std::vector<SymbolRows> rows = RandomRows(&random, 30, 400);
    const Table table = EveryTable(name);
    const auto objects = WriteRows(PlanOf(dir, table, GetParam()), rows);
    ASSERT_EQ(objects.size(), 1u);
    ExpectSameRows(ScanRows(objects, table), rows);
    const ShippedObject& object = objects[0].object;
    const std::string bytes = BytesOf(objects[0].path);
    EXPECT_EQ(object.bytes, bytes.size());
    EXPECT_EQ(object.sha256, ToHex(Sha256(bytes)));
    EXPECT_EQ(object.format, ObjectFormatName(GetParam()));
    EXPECT_EQ(object.first_symbol, rows.front().symbol);
    EXPECT_EQ(object.last_symbol, rows.back().symbol);
  }
}

TEST_P(EveryFormat, SameRowsGiveTheSameBytesHoweverTheyAreCut) {
  const uint64_t seed = TestSeed();
  SCOPED_TRACE(RepeatWith(seed));
  Random random(seed);
  TempDir dir;
  const Table table = EveryTable("mixed");
  const std::vector<SymbolRows> rows = RandomRows(&random, 20, 20'000);
  RecordObjectPlan plan = PlanOf(dir, table, GetParam());
  plan.file_bytes = 8 << 20;  // several files
  plan.file_rows = 100'001;
  plan.file_prefix = "whole";
  const auto whole = WriteRows(plan, rows);
  plan.file_prefix = "cut";
  const auto cut = WriteRows(plan, rows, &random);
  ASSERT_GT(whole.size(), 1u);
  ASSERT_EQ(whole.size(), cut.size());
  for (size_t i = 0; i < whole.size(); ++i) {
    EXPECT_EQ(whole[i].object, cut[i].object);
    EXPECT_EQ(BytesOf(whole[i].path), BytesOf(cut[i].path)) << "file " << i;
  }
  ExpectSameRows(ScanRows(whole, table), rows);
}

TEST_P(EveryFormat, TableThatHasGrownSeesNullsAndOneThatIsSmallerSeesLess) {
  Random random(5);
  TempDir dir;
  const std::vector<SymbolRows> rows = RandomRows(&random, 3, 50);
  Table table = EveryTable("mixed");
  const auto objects = WriteRows(PlanOf(dir, table, GetParam()), rows);
  std::vector<SymbolRows> wanted = rows;
  table.columns.push_back({"added", ColumnType::kDecimal});
  for (SymbolRows& one : wanted) {
    one.rows.columns.emplace_back();
    for (size_t i = 0; i < one.rows.size(); ++i) one.rows.columns.back().Append(Value());
  }
  ExpectSameRows(ScanRows(objects, table), wanted);
  table.columns = {table.columns[4], table.columns[0]};
  for (size_t i = 0; i < rows.size(); ++i) {
    wanted[i].rows.columns = {rows[i].rows.columns[4], rows[i].rows.columns[0]};
  }
  ExpectSameRows(ScanRows(objects, table), wanted);
}

TEST_P(EveryFormat, D16_EmptyDayGivesNoObjectAndARecordGivesOne) {
  Random random(1);
  TempDir dir;
  const Table table = EveryTable("mixed");
  const std::vector<SymbolRows> one = RandomRows(&random, 1, 1);
  ExpectSameRows(ScanRows(WriteRows(PlanOf(dir, table, GetParam()), one), table), one);
  EXPECT_TRUE(WriteRows(PlanOf(dir, table, GetParam()), {}).empty());
}

INSTANTIATE_TEST_SUITE_P(Formats, EveryFormat,
                         ::testing::Values(ObjectFormat::kParquet, ObjectFormat::kNdjsonZstd,
                                           ObjectFormat::kNdjsonGzip),
                         [](const auto& param_of) {
                           std::string name(ObjectFormatName(param_of.param));
                           std::erase(name, '.');
                           return name;
                         });

TEST(RecordObject, FilesAreCutAtTheirRowsAndDescribedOneByOne) {
  Random random(2);
  TempDir dir;
  const Table table = EveryTable("mixed");
  const std::vector<SymbolRows> rows = RandomRows(&random, 10, 300);
  RecordObjectPlan plan = PlanOf(dir, table);
  plan.file_rows = 100;
  const auto objects = WriteRows(plan, rows);
  size_t total = 0;
  for (const SymbolRows& one : rows) total += one.rows.size();
  EXPECT_EQ(objects.size(), (total + 99) / 100);
  for (size_t i = 0; i + 1 < objects.size(); ++i) {
    EXPECT_EQ(objects[i].object.rows, 100u);
    EXPECT_LE(objects[i].object.last_symbol, objects[i + 1].object.first_symbol);
  }
  ExpectSameRows(ScanRows(objects, table), rows);
}

TEST(RecordObject, OffsetsOfEachTapeAreBounded) {
  TempDir dir;
  Random random(1);
  const Table table = QuoteTable();
  std::vector<SymbolRows> rows = QuoteRows(&random, 1, 4);
  rows[0].rows.tp = {2, 1, 7, 1};
  rows[0].rows.offset = {5, 40, 3, 20};
  const auto objects = WriteRows(PlanOf(dir, table), rows);
  ASSERT_EQ(objects.size(), 1u);
  const auto tapes = SomeTapes();
  const std::vector<TapeRange> wanted = {
      {tapes[0].second, 20, 41}, {tapes[2].second, 3, 4}, {tapes[1].second, 5, 6}};
  EXPECT_EQ(objects[0].object.offsets, wanted);
}

TEST(RecordObject, RowsOutOfOrderAreRefused) {
  TempDir dir;
  Random random(1);
  const Table table = QuoteTable();
  const std::vector<SymbolRows> rows = QuoteRows(&random, 2, 3);
  {
    auto writer = RecordObjectWriter::Make(PlanOf(dir, table));
    ASSERT_TRUE(writer.ok());
    ASSERT_TRUE((*writer)->Append({rows[1].symbol, &rows[1].rows, 0, 3, 1}).ok());
    const Status status = (*writer)->Append({rows[0].symbol, &rows[0].rows, 0, 3, 1});
    EXPECT_EQ(status.code(), StatusCode::kInvalidArgument) << status.ToString();
    EXPECT_EQ((*writer)->Finish().status().code(), StatusCode::kInvalidArgument);
  }
  {
    auto writer = RecordObjectWriter::Make(PlanOf(dir, table));
    ASSERT_TRUE(writer.ok());
    ASSERT_TRUE((*writer)->Append({rows[0].symbol, &rows[0].rows, 1, 1, 1}).ok());
    EXPECT_EQ((*writer)->Append({rows[0].symbol, &rows[0].rows, 0, 1, 1}).code(),
              StatusCode::kInvalidArgument);
  }
  EXPECT_TRUE(std::filesystem::is_empty(dir.path())) << "files of a writer that was dropped";
}

TEST(RecordObject, D15_FullDiskIsSaidAndLeavesNothingBehind) {
  Random random(3);
  TempDir dir;
  const Table table = EveryTable("mixed");
  const std::vector<SymbolRows> rows = RandomRows(&random, 30, 1000);
  // The limit on files of this process stands for the end of a disk; its signal is not wanted.
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  const rlimit small{.rlim_cur = 50'000, .rlim_max = before.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
  Status status;
  {
    auto writer = RecordObjectWriter::Make(PlanOf(dir, table));
    EXPECT_TRUE(writer.ok());
    for (const SymbolRows& one : rows) {
      const auto count = static_cast<uint32_t>(one.rows.size());
      if (status.ok()) status = (*writer)->Append({one.symbol, &one.rows, 0, count, 1});
    }
    if (status.ok()) status = (*writer)->Finish().status();
    EXPECT_EQ((*writer)->Finish().status().code(), status.code());
  }
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &before), 0);
  std::signal(SIGXFSZ, handler);
  EXPECT_EQ(status.code(), StatusCode::kResourceExhausted) << status.ToString();
  EXPECT_TRUE(std::filesystem::is_empty(dir.path()));
}

// Half a million symbols with one row, and one that has nine tenths of the rows there are.
TEST(RecordObject, D17_ManySymbolsAndALargeOneTakeBoundedMemoryAndFiles) {
  Random random(4);
  TempDir dir;
  const Table table = QuoteTable();
  std::vector<SymbolRows> one = QuoteRows(&random, 1, 4096);
  RecordObjectPlan plan = PlanOf(dir, table);
  plan.file_rows = 2'000'000;
  auto writer = RecordObjectWriter::Make(plan);
  ASSERT_TRUE(writer.ok());
  constexpr size_t kSymbols = 500'000;
  constexpr size_t kLarge = 250'000;  // the place of the large one
  constexpr size_t kBlocks = 1100;
  for (size_t s = 0; s < kSymbols; ++s) {
    const std::string symbol = "SYM" + std::to_string(1'000'000 + s);
    const uint32_t count = s == kLarge ? 4096 : 1;
    for (size_t block = 0; block < (s == kLarge ? kBlocks : 1); ++block) {
      ASSERT_TRUE((*writer)->Append({symbol, &one[0].rows, 0, count, 1}).ok());
      if (s != kLarge) continue;
      for (int64_t& ts : one[0].rows.ts) ts += 86'400'000'000'000;
    }
    if (s == kLarge) one = QuoteRows(&random, 1, 4096);
  }
  const auto objects = (*writer)->Finish();
  ASSERT_TRUE(objects.ok()) << objects.status().ToString();
  ASSERT_EQ(objects->size(), (kSymbols - 1 + kBlocks * 4096 + 1'999'999) / 2'000'000);
  uint64_t rows = 0;
  size_t symbols = 0;
  size_t large = 0;
  const std::string name = "SYM" + std::to_string(1'000'000 + kLarge);
  for (const WrittenObject& object : *objects) {
    EXPECT_LT(object.object.bytes, 40'000'000u);
    auto source = OpenLocalObject(object.path, "object");
    ASSERT_TRUE(source.ok());
    auto footer = RecordObjectFooter::Read(**source);
    ASSERT_TRUE(footer.ok()) << footer.status().ToString();
    EXPECT_LT((*footer)->memory_bytes(), 200'000u);
    RecordObjectReader reader(source->get(), *footer, {}, ResolveTape);
    auto found = reader.FindSeries({});
    ASSERT_TRUE(found.ok()) << found.status().ToString();
    for (const ObjectSeries& series : *found) {
      rows += series.rows.size();
      (series.symbol == name ? large : symbols) += series.symbol == name ? series.rows.size() : 1;
    }
  }
  EXPECT_EQ(symbols, kSymbols - 1);
  EXPECT_EQ(large, kBlocks * 4096);
  EXPECT_EQ(rows, symbols + large);
}

}  // namespace
}  // namespace tapedeck::testing
