// Every byte of an object altered, and every length it can be cut to: found, or of no consequence.

#include <gtest/gtest.h>

#include "archive/tape_object.h"
#include "support/seed.h"
#include "support/temp_dir.h"
#include "tests/archive/memory_object.h"
#include "tests/archive/record_rows.h"

namespace tapedeck::testing {
namespace {

using Lines = std::vector<std::string>;

Result<Lines> ScanLines(const ObjectSource& object, ObjectFormat format, const Table& table) {
  Lines lines;
  TD_ASSIGN_OR_RETURN(auto scan, OpenRecordScan(&object, format, table, ResolveTape));
  for (;;) {
    TD_RETURN_IF_ERROR(scan->Next());
    const RowSlice& rows = scan->rows();
    if (rows.count == 0) return lines;
    for (uint32_t n = 0; n < rows.count; ++n) {
      lines.push_back(RowText(std::string(rows.symbol), *rows.rows, rows.RowAt(n)));
    }
  }
}

const TapeId kTape{"c", "prices", 0, 3};

Result<Lines> TapeLines(const ObjectSource& object) {
  Lines lines;
  MessageHasher hasher;
  TD_ASSIGN_OR_RETURN(auto footer, TapeObjectFooter::Read(object));
  TD_ASSIGN_OR_RETURN(auto reader, TapeObjectReader::Open(&object, footer, kTape));
  TD_RETURN_IF_ERROR(reader->Seek(3));
  for (;;) {
    TD_RETURN_IF_ERROR(reader->Next());
    if (reader->empty()) return lines;
    for (size_t i = 0; i < reader->size(); ++i) {
      lines.push_back(hasher.Message(reader->At(i), {kTape.topic, kTape.partition}).ToString() +
                      std::to_string(reader->ReceivedAt(i).ns()));
    }
  }
}

// `read`: MemoryObject -> Result<Lines>.
template <typename F>
void FlipAndCut(std::string content, F read) {
  const uint64_t seed = TestSeed();
  SCOPED_TRACE(RepeatWith(seed));
  Random random(seed);
  MemoryObject whole(content);
  const Result<Lines> wanted = read(whole);
  ASSERT_TRUE(wanted.ok()) << wanted.status().ToString();
  ASSERT_FALSE(wanted->empty());
  size_t found = 0;
  for (size_t at = 0; at < content.size(); ++at) {
    const char before = content[at];
    content[at] = static_cast<char>(before ^ (1 << random.Uniform(8)));
    const Result<Lines> got = read(MemoryObject(content));
    if (got.ok()) {
      ASSERT_EQ(*got, *wanted) << "byte " << at << " of " << content.size();
    } else {
      ASSERT_EQ(got.status().code(), StatusCode::kCorruption)
          << "byte " << at << ": " << got.status().ToString();
      ASSERT_NE(got.status().message().find("the object"), std::string::npos)
          << got.status().ToString();
      ++found;
    }
    content[at] = before;
  }
  std::printf("[ note ] %zu of %zu bytes are noticed\n", found, content.size());
  EXPECT_GT(found, content.size() * 9 / 10);
  for (size_t i = 0; i < 300; ++i) {
    const std::string cut = content.substr(0, random.Uniform(content.size()));
    EXPECT_EQ(read(MemoryObject(cut)).status().code(), StatusCode::kCorruption) << cut.size();
    std::string garbage = content;
    for (size_t n = random.Uniform(200) + 1; n > 0; --n) {
      garbage[random.Uniform(garbage.size())] = static_cast<char>(random.Uniform(256));
    }
    const Result<Lines> got = read(MemoryObject(garbage));
    if (got.ok()) {
      EXPECT_EQ(*got, *wanted);
    } else {
      EXPECT_EQ(got.status().code(), StatusCode::kCorruption) << got.status().ToString();
    }
  }
}

std::string RecordObject(ObjectFormat format, const Table& table) {
  Random random(11);
  TempDir dir;
  std::vector<SymbolRows> rows = RandomRows(&random, 4, 12);
  const auto objects = WriteRows({.table = table,
                                  .day = Day(19'906),
                                  .generation = 0,
                                  .tapes = SomeTapes(),
                                  .format = format,
                                  .folder = dir.path().string(),
                                  .writer = "tapedeck test"},
                                 rows);
  return MemoryObject::BytesOf(objects.at(0).path);
}

class FlipsOf : public ::testing::TestWithParam<ObjectFormat> {};

TEST_P(FlipsOf, RecordObjectsAreFoundOrChangeNothing) {
  const Table table = EveryTable("trades");
  FlipAndCut(RecordObject(GetParam(), table),
             [&](const MemoryObject& object) { return ScanLines(object, GetParam(), table); });
}

INSTANTIATE_TEST_SUITE_P(Formats, FlipsOf,
                         ::testing::Values(ObjectFormat::kParquet, ObjectFormat::kNdjsonZstd,
                                           ObjectFormat::kNdjsonGzip),
                         [](const auto& param_of) {
                           std::string name(ObjectFormatName(param_of.param));
                           std::erase(name, '.');
                           return name;
                         });

TEST(ObjectFlips, TapeObjectsAreFoundOrChangeNothing) {
  TempDir dir;
  auto writer = TapeObjectWriter::Make({.tape = kTape, .path = dir.File("tape")});
  ASSERT_TRUE(writer.ok());
  const std::vector<HeaderView> headers = {{"source", "ws"}, {"source", std::nullopt}, {"", ""}};
  for (int64_t offset = 0; offset < 40; ++offset) {
    const std::string value = "{\"price\":" + std::to_string(offset * 7919) + "}";
    MessageView message;
    message.offset = offset;
    message.timestamp_type = TimestampType::kCreate;
    message.timestamp_ms = 1'719'893'836'000 + offset;
    message.key = offset % 3 == 0 ? std::nullopt : OptionalBytes("BTCUSDT");
    message.value = offset % 5 == 0 ? std::nullopt : OptionalBytes(value);
    message.headers = std::span<const HeaderView>(headers).first(static_cast<size_t>(offset % 4));
    ASSERT_TRUE((*writer)->Append(message, Timestamp(1'719'893'836'500'000'001)).ok());
  }
  const auto written = (*writer)->Finish();
  ASSERT_TRUE(written.ok()) << written.status().ToString();
  FlipAndCut(MemoryObject::BytesOf(written->path),
             [](const MemoryObject& object) { return TapeLines(object); });
}

}  // namespace
}  // namespace tapedeck::testing
