// What pyarrow and DuckDB see in our streams and files (foreign_readers.py).

#include <gtest/gtest.h>

#include <fstream>

#include "base/text.h"
#include "support/kafka_service.h"
#include "support/seed.h"
#include "support/source_dir.h"
#include "support/temp_dir.h"
#include "tests/columnar/sample_rows.h"
#include "tests/columnar/shell.h"

namespace tapedeck::testing {
namespace {

std::string KindOf(const ColumnarField& field) {
  using Source = ColumnarField::Source;
  if (field.source == Source::kTs || field.source == Source::kTsKafka) return "time";
  if (field.source != Source::kColumn) return "plain";
  if (field.type == ColumnType::kDecimal) return "decimal";
  return field.type == ColumnType::kTimestamp ? "time" : "plain";
}

void Write(const std::string& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
}

// CASE.json, CASE.arrow and CASE.parquet; returns CASE.
std::string WriteCase(const TempDir& dir, const std::string& name, const ColumnarLayout& layout,
                      const std::vector<Series>& series, const ArrowOptions& options) {
  std::string json = "{\"fields\":[";
  for (const ColumnarField& field : layout.fields) {
    json += (json.ends_with('[') ? "[" : ",[");
    AppendJsonString(field.name, &json);
    json += ",\"" + KindOf(field) + "\"]";
  }
  json += "],\"rows\":[";
  for (const std::vector<Cell>& row : Expected(layout, series)) {
    json += json.ends_with('[') ? "[" : ",[";
    for (size_t i = 0; i < row.size(); ++i) {
      if (i > 0) json += ',';
      if (row[i]) {
        AppendJsonString(*row[i], &json);
      } else {
        json += "null";
      }
    }
    json += ']';
  }
  json += "]}";
  const std::string path = dir.File(name);
  Write(path + ".json", json);
  Write(path + ".arrow", Written(MakeArrowWriter(layout, options), series, nullptr));
  Write(path + ".parquet", Written(MakeParquetWriter(layout, {}), series, nullptr));
  return path;
}

// Numbers at all edges of DECIMAL(18, 8).
Series EdgeNumbers() {
  Series series("EDGE", EveryType());
  for (const char* number :
       {"0", "0.0", "-0.0", "0.99980", "1.500000000", "9999999999.99999999", "-9999999999.99999999",
        "10000000000", "0.123456789", "-0.00000001", "123456789012345678901234567890.5", "1.10",
        "9223372036854775807", "100000.00000000"}) {
    series.Add(1'719'893'836'373'000'000, {Number(number), Value(), {}, {}, {}, {}}, 1, 1, 0, 5);
  }
  return series;
}

// Times at both ends (but one: the outermost are infinities to DuckDB), at zero, and at the ends of
// a second.
Series EdgeTimes() {
  Series series("EDGE", EveryType());
  for (int64_t ts : {INT64_MAX - 1, INT64_MIN + 2, int64_t{-1}, int64_t{0}, int64_t{999'999'999},
                     int64_t{1'000'000'000}, int64_t{-1'000'000'000}}) {
    series.Add(ts, {{}, {}, {}, {}, {}, Value::OfTimestamp(Timestamp(ts))}, 2, 7, 1, ts);
  }
  return series;
}

TEST(ForeignReaders, PyarrowAndDuckDbSeeEveryDigit) {
  const auto [code, python] = Shell(SourceDir() + "/tests/services/python readers 2> /dev/null");
  if (code != 0) {
    ASSERT_FALSE(KafkaService::IsRequired()) << "no pyarrow and DuckDB, and services are required";
    GTEST_SKIP() << "no pyarrow and DuckDB here: tests/services/python readers says why";
  }
  const uint64_t seed = TestSeed();
  SCOPED_TRACE(RepeatWith(seed));
  Random random(seed);
  TempDir dir;
  const ColumnarLayout layout = EveryField({18, 8}, true);
  const ArrowOptions zstd{.compression = ArrowCompression::kZstd};
  std::string cases;
  auto add = [&](const std::string& name, const ColumnarLayout& l,
                 const std::vector<Series>& series, const ArrowOptions& options) {
    cases += " " + WriteCase(dir, name, l, series, options);
  };
  add("nothing", layout, {}, {});
  add("one-row", layout, {RandomSeries(&random, "ONE", 1)}, zstd);
  add("numbers", EveryField({18, 8}, false), {EdgeNumbers()}, {});
  add("numbers-38", EveryField({38, 18}, false), {EdgeNumbers()}, zstd);
  add("times", layout, {EdgeTimes()}, {});
  add("mixed", layout, {RandomSeries(&random, "A", 500), RandomSeries(&random, "Ω/€", 500)}, {});
  add("batches", layout, {RandomSeries(&random, "LONG", 70'000)}, zstd);
  const auto [exit, output] = Shell(python.substr(0, python.find('\n')) + " -B " + SourceDir() +
                                    "/tests/columnar/foreign_readers.py" + cases);
  EXPECT_EQ(exit, 0) << output;
}

}  // namespace
}  // namespace tapedeck::testing
