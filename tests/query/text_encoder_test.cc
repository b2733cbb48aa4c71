// Text encoders: byte for byte what RecordWriter says of each row, over any layout and style.

#include "query/text_encoder.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "query/random_world.h"
#include "query/series_cursor.h"
#include "query/store_filler.h"
#include "query/text_digits.h"
#include "support/seed.h"
#include "support/temp_dir.h"

namespace tapedeck::testing {
namespace {

using text_digits::PutDecimal;
using text_digits::TimeText;

class TextEncoderTest : public ::testing::Test {
 protected:
  uint64_t seed_ = TestSeed();
  Random random_{seed_};
  TempDir dir_;
};

std::string PutText(int64_t mantissa, uint32_t scale) {
  char text[128];
  return {text, PutDecimal(mantissa, scale, text)};
}

TEST_F(TextEncoderTest, DecimalsOfEverySizeAndScaleAreThoseOfBase) {
  SCOPED_TRACE(RepeatWith(seed_));
  for (uint32_t scale = 0; scale <= kDecimalScaleMax; ++scale) {
    std::vector<int64_t> mantissas = {0, 1, -1, INT64_MAX, INT64_MIN, INT64_MIN + 1};
    int64_t power = 1;
    for (int i = 0; i < 18; ++i) {
      power *= 10;
      for (int64_t near : {power - 1, power, power + 1, 5 * power}) {
        mantissas.push_back(near);
        mantissas.push_back(-near);
      }
    }
    for (int i = 0; i < 3000; ++i) {
      mantissas.push_back(static_cast<int64_t>(random_()) >> random_.Uniform(64));
    }
    for (int64_t mantissa : mantissas) {
      ASSERT_EQ(PutText(mantissa, scale), ToString(Decimal{mantissa, static_cast<uint8_t>(scale)}))
          << mantissa << " scale " << scale;
    }
  }
  for (uint32_t v = 0; v < 100'000'000; v += 997) {
    ASSERT_EQ(PutText(v, 0), std::to_string(v));
  }
}

TEST_F(TextEncoderTest, TimesInAnyOrderAreThoseOfBase) {
  SCOPED_TRACE(RepeatWith(seed_));
  TimeText times;
  auto check = [&](int64_t ns) {
    char text[128];
    ASSERT_EQ(std::string(text, times.PutIso(ns, text)), FormatRfc3339(Timestamp(ns))) << ns;
  };
  const int64_t day = int64_t{86'400} * 1'000'000'000;
  std::vector<int64_t> odd = {
      0,       -1,  1,    999'999'999, 1'000'000'000, -999'999'999, -1'000'000'000,
      day - 1, day, -day, -day - 1};
  for (int64_t i = 0; i < 3; ++i) {
    for (int64_t step : {int64_t{1}, int64_t{400'000'000}, int64_t{1'000'000'000}, day}) {
      odd.push_back(INT64_MIN + i * step);
      odd.push_back(INT64_MAX - i * step);
    }
  }
  for (int64_t a : odd) {
    for (int64_t b : odd) {
      check(a);
      check(b);
    }
  }
  int64_t now = 1'719'900'000'000'000'000;
  for (int i = 0; i < 20'000; ++i) {
    now += static_cast<int64_t>(random_.Uniform(uint64_t{1} << random_.Uniform(48)));
    check(random_.OneIn(10) ? static_cast<int64_t>(random_()) : now);
  }
}

// "" where they are equal, else both from a little before the first difference.
std::string Difference(const std::string& a, const std::string& b) {
  if (a == b) return "";
  const auto at = std::mismatch(a.begin(), a.end(), b.begin(), b.end()).first - a.begin();
  const size_t from = static_cast<size_t>(std::max<ptrdiff_t>(0, at - 80));
  return "at byte " + std::to_string(at) + ": " + a.substr(from, 160) + " is not " +
         b.substr(from, 160);
}

struct Form {
  TextFormat format;
  RowStyle style;
};

// Row by row, as RecordWriter writes them.
std::string SlowAnswer(RecordCursor* cursor, const RowFields& fields, const Form& form,
                       uint64_t* rows) {
  const RecordWriter writer(fields, *cursor, form.style);
  std::string out = form.format == TextFormat::kJson ? "{\"data\":[" : "";
  if (form.format == TextFormat::kCsv) writer.AppendCsvHeader(&out);
  for (RowRun run;;) {
    EXPECT_TRUE(cursor->Next(&run).ok());
    if (run.count == 0) break;
    for (uint32_t n = 0; n < run.count; ++n, ++*rows) {
      if (form.format == TextFormat::kCsv) {
        writer.AppendCsv(run, n, &out);
        continue;
      }
      if (form.format == TextFormat::kJson && out.ends_with('}')) out += ',';
      writer.AppendJson(run, n, &out);
      if (form.format == TextFormat::kNdjson) out += '\n';
    }
  }
  if (form.format == TextFormat::kJson) out += "],\"next_page_token\":null}\n";
  return out;
}

std::string FastAnswer(RecordCursor* cursor, const RowFields& fields, const Form& form,
                       Random* random) {
  auto encoder = MakeTextEncoder(form.format, fields, *cursor, form.style);
  std::string answer, out;
  EXPECT_TRUE(encoder->Begin(&out).ok());
  for (RowRun run;;) {
    EXPECT_TRUE(cursor->Next(&run).ok());
    if (run.count == 0) break;
    EXPECT_TRUE(encoder->Append(run, &out).ok());
    if (random->OneIn(3)) answer += out, out.clear();
  }
  EXPECT_TRUE(encoder->Finish("", &out).ok());
  return answer + out;
}

TEST_F(TextEncoderTest, AnyAnswerInAnyStyleIsWhatTheRowWriterSays) {
  SCOPED_TRACE(RepeatWith(seed_));
  StoreFiller filler(dir_.File("w"), 50);
  RandomWorld world(&filler, &random_);
  world.Run(900);
  auto point = filler.Point();
  uint64_t rows = 0;
  for (int i = 0; i < 600; ++i) {
    static const char* kTables[] = {"quotes", "trades", "bars", "odd"};
    RecordQuery query;
    query.table = kTables[random_.Uniform(4)];
    const Table& table = *filler.tables().Find(query.table);
    std::vector<std::string> wanted;
    if (random_.OneIn(2)) {
      for (const char* name :
           {"ts", "symbol", "ts_kafka", "topic", "partition", "lineage", "offset",
            "index:x \"y\" named so that it is rather long, in fact"}) {
        if (random_.OneIn(3)) wanted.push_back(name);
      }
      for (const Column& column : table.columns) {
        if (wanted.empty() || random_.OneIn(2)) wanted.push_back(column.name);
      }
      std::shuffle(wanted.begin(), wanted.end(), random_);
    }
    const auto origins = random_.OneIn(2) ? Origins::kShown : Origins::kLeftOut;
    Result<RowFields> fields = RowFields::Choose(table, wanted, origins);
    ASSERT_TRUE(fields.ok()) << fields.status().ToString();
    query.columns = fields->columns();
    if (random_.OneIn(2)) query.order = ReadOrder::kDescending;
    if (random_.OneIn(4)) query.limit = random_.Uniform(30);
    const Form form{
        static_cast<TextFormat>(random_.Uniform(3)),
        {static_cast<TimeStyle>(random_.Uniform(5)), static_cast<NumberStyle>(random_.Uniform(2))}};
    auto slow = RecordCursor::Open(point, query);
    auto fast = RecordCursor::Open(point, query);
    const std::string answer = FastAnswer(fast->get(), *fields, form, &random_);
    ASSERT_EQ(Difference(answer, SlowAnswer(slow->get(), *fields, form, &rows)), "")
        << query.table << ", format " << static_cast<int>(form.format);
  }
  EXPECT_GT(rows, 10'000u) << "the world is too empty to prove anything";
}

TEST_F(TextEncoderTest, LongTextsAndHundredsOfColumnsComeThroughWhole) {
  StoreFiller filler(dir_.File("w"), 50);
  const TpId tp = filler.AddTape({"c1", std::string(240, 't'), 0, 0});
  for (int i = 0; i < 40; ++i) {
    std::string note;
    for (int k = 0; k < i * 60; ++k) note += k % 50 == 7 ? "\\\"" : "ab";
    filler.Append(tp, {.value = "[{\"k\":\"x\",\"s\":\"" + std::string(20 * (i % 3) * i, 'S') +
                                "\",\"t\":1720000000000000000,\"n\":\"" + note + "\"}]",
                       .timestamp_ms = 5});
  }
  filler.Flush();
  auto point = filler.Point();
  const Table& table = *filler.tables().Find("odd");
  std::vector<std::string> wanted;
  for (int i = 0; i < 200; ++i) {
    for (const Column& column : table.columns) {
      wanted.push_back(column.name + ":" + column.name + std::to_string(i));
    }
  }
  for (TextFormat format : {TextFormat::kJson, TextFormat::kNdjson, TextFormat::kCsv}) {
    for (const auto& names : {std::vector<std::string>{}, wanted}) {
      RowFields fields = *RowFields::Choose(table, names, Origins::kShown);
      RecordQuery query;
      query.table = "odd";
      auto slow = RecordCursor::Open(point, query);
      auto fast = RecordCursor::Open(point, query);
      uint64_t rows = 0;
      const std::string expected = SlowAnswer(slow->get(), fields, {format, {}}, &rows);
      const std::string answer = FastAnswer(fast->get(), fields, {format, {}}, &random_);
      ASSERT_EQ(Difference(answer, expected), "");
      ASSERT_GT(rows, 20u);
    }
  }
}

TEST_F(TextEncoderTest, AnEmptyAnswerATokenAndAnEndMarkerAreWrittenAsAgreed) {
  StoreFiller filler(dir_.File("w"));
  auto point = filler.Point();
  RecordQuery query;
  query.table = "trades";
  const Table& table = *filler.tables().Find("trades");
  const RowFields fields =
      *RowFields::Choose(table, std::vector<std::string>{"ts", "price:px"}, Origins::kLeftOut);
  query.columns = fields.columns();
  auto cursor = RecordCursor::Open(point, query);
  auto answer = [&](TextFormat format, std::string_view token, EndMarker marker) {
    auto encoder = MakeTextEncoder(format, fields, **cursor, {}, marker);
    std::string out;
    EXPECT_TRUE(encoder->Begin(&out).ok());
    EXPECT_TRUE(encoder->Finish(token, &out).ok());
    return out;
  };
  EXPECT_EQ(answer(TextFormat::kJson, "", EndMarker::kNone),
            "{\"data\":[],\"next_page_token\":null}\n");
  EXPECT_EQ(answer(TextFormat::kJson, "a\"b", EndMarker::kLastLine),
            "{\"data\":[],\"next_page_token\":\"a\\\"b\"}\n");
  EXPECT_EQ(answer(TextFormat::kNdjson, "x", EndMarker::kNone), "");
  EXPECT_EQ(answer(TextFormat::kNdjson, "", EndMarker::kLastLine), "{\"_end\":{\"rows\":0}}\n");
  EXPECT_EQ(answer(TextFormat::kCsv, "", EndMarker::kLastLine), "ts,px\r\n");
}

}  // namespace
}  // namespace tapedeck::testing
