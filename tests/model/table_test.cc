// Tables: what may be declared, what is fixed, what a store may contain.

#include "model/table.h"

#include <gtest/gtest.h>

#include "base/limits.h"
#include "base/random.h"
#include "support/seed.h"

namespace tapedeck::testing {
namespace {

using enum ColumnType;

TEST(Tables, TheCoreTablesAreThereWithTheirNumbers) {
  TableRegistry tables;
  ASSERT_EQ(tables.tables().size(), 4u);
  const char* names[] = {"trades", "quotes", "bars", "snapshots"};
  for (uint16_t i = 0; i < 4; ++i) {
    EXPECT_EQ(tables.Find(names[i]), tables.Find(TableId{static_cast<uint16_t>(i + 1)}));
    EXPECT_EQ(tables.tables()[i].upsert(), i == 2);
  }
  EXPECT_EQ(tables.Find("bars")->identity, (std::vector<std::string>{"symbol", "ts", "interval"}));
  EXPECT_EQ(tables.Find("quotes")->FindColumn("last"), 4);
  EXPECT_EQ(tables.Find("quotes")->FindColumn("nothing"), -1);
}

TEST(Tables, ColumnsAreAddedAndKeepTheirTypes) {
  TableRegistry tables;
  std::vector<Column> venue = {{"venue", kText}};
  TableId trades = tables.Declare("trades", venue).value();
  EXPECT_EQ(trades, TableId{1});
  EXPECT_EQ(tables.Find(trades)->columns.size(), 5u);
  EXPECT_EQ(tables.Declare("trades", venue).value(), trades);  // again: nothing new
  EXPECT_EQ(tables.Find(trades)->columns.size(), 5u);
  std::vector<Column> other = {{"fee", kDecimal}, {"venue", kInteger}};
  Status refused = tables.Declare("trades", other).status();
  EXPECT_EQ(refused.code(), StatusCode::kInvalidArgument);
  EXPECT_NE(refused.message().find("venue"), std::string::npos);
  EXPECT_EQ(tables.Find(trades)->FindColumn("fee"), -1) << "nothing of what is refused stays";
  std::vector<Column> book = {{"depth", kInteger}};
  EXPECT_EQ(tables.Declare("book", book).value(), TableId{5});
  EXPECT_EQ(tables.Declare("book2", book).value(), TableId{6});
}

TEST(Tables, NamesThatWouldCollideAreRefused) {
  for (const char* name :
       {"", "tape", "Trades", "1a", "a-b", "a/b", "metrics", "refused", "..", "_x"})
    EXPECT_FALSE(CheckTableName(name).ok()) << name;
  for (const char* name : {"a", "trades", "book_l2", "t9"})
    EXPECT_TRUE(CheckTableName(name).ok()) << name;
  EXPECT_TRUE(CheckTableName(std::string(63, 'a')).ok());
  EXPECT_FALSE(CheckTableName(std::string(64, 'a')).ok());
  for (const char* name :
       {"", "ts", "symbol", "ts_kafka", "topic", "offset", "index", "9a", "a b", "a\"b"})
    EXPECT_FALSE(CheckColumnName(name).ok()) << name;
  for (const char* name : {"A", "_a", "bidPrice", "x9"})
    EXPECT_TRUE(CheckColumnName(name).ok()) << name;
}

TEST(Tables, TooManyColumnsAreRefused) {
  TableRegistry tables;
  std::vector<Column> columns;
  for (size_t i = 0; i <= limits::kTableColumnsMax; ++i)
    columns.push_back({"c" + std::to_string(i), kInteger});
  EXPECT_EQ(tables.Declare("wide", columns).status().code(), StatusCode::kInvalidArgument);
  columns.pop_back();
  EXPECT_TRUE(tables.Declare("wide", columns).ok());
}

TEST(Tables, DayAndIdentityAreFixedOnceThereAreRows) {
  TableRegistry tables;
  EXPECT_TRUE(tables.Configure("trades", DaySize::kMonth, {}, false).ok());
  EXPECT_TRUE(tables.Configure("trades", DaySize::kMonth, {}, true).ok());
  EXPECT_EQ(tables.Configure("trades", DaySize::kDay, {}, true).code(),
            StatusCode::kFailedPrecondition);
  EXPECT_EQ(tables.Configure("trades", DaySize::kMonth, {"symbol", "ts", "trade_id"}, true).code(),
            StatusCode::kFailedPrecondition);
  EXPECT_EQ(tables.Configure("trades", DaySize::kMonth, {"trade_id"}, false).code(),
            StatusCode::kInvalidArgument);
  EXPECT_EQ(tables.Configure("trades", DaySize::kMonth, {"symbol", "ts", "nothing"}, false).code(),
            StatusCode::kInvalidArgument);
  EXPECT_EQ(tables.Configure("none", DaySize::kMonth, {}, false).code(), StatusCode::kNotFound);
  Timestamp moment = ParseRfc3339("2024-08-17T12:00:00Z").value();
  EXPECT_EQ(tables.Find("trades")->DayOf(moment).ToString(), "2024-08-01");
  EXPECT_EQ(tables.Find("quotes")->DayOf(moment).ToString(), "2024-08-17");
  ASSERT_TRUE(tables.Configure("quotes", DaySize::kYear, {}, false).ok());
  EXPECT_EQ(tables.Find("quotes")->DayOf(moment).ToString(), "2024-01-01");
}

TEST(Tables, RestoringRefusesContradictions) {
  TableRegistry written;
  std::vector<Column> columns = {{"depth", kInteger}};
  ASSERT_TRUE(written.Declare("book", columns).ok());
  TableRegistry tables;
  for (const Table& table : written.tables()) ASSERT_TRUE(tables.Restore(table).ok());
  EXPECT_EQ(*tables.Find("book"), *written.Find("book"));
  Table renamed = *written.Find("book");
  renamed.name = "other";
  EXPECT_EQ(tables.Restore(renamed).code(), StatusCode::kCorruption);
  Table far = *written.Find("book");
  far.id = TableId{9};
  EXPECT_EQ(tables.Restore(far).code(), StatusCode::kCorruption);
}

TEST(Tables, BytesAreAsWrittenAndDamageGivesAStatus) {
  Table table{.id = TableId{5},
              .name = "b",
              .columns = {{"x", kText}, {"y", kFlag}},
              .identity = {"symbol", "ts"},
              .day_size = DaySize::kMonth};
  const std::string bytes = EncodeTable(table);
  EXPECT_EQ(bytes, std::string("\x01\x01"
                               "b\x01\x02\x01"
                               "x\x03\x01"
                               "y\x04\x02\x06symbol\x02ts",
                               22));
  EXPECT_EQ(DecodeTable(TableId{5}, bytes).value(), table);
  const uint64_t seed = TestSeed();
  SCOPED_TRACE(RepeatWith(seed));
  Random random(seed);
  for (int i = 0; i < 20'000; ++i) {
    std::string damaged = bytes;
    damaged[random.Uniform(damaged.size())] = static_cast<char>(random.Next());
    if (random.OneIn(3)) damaged.resize(random.Uniform(damaged.size()));
    Result<Table> read = DecodeTable(TableId{5}, damaged);
    if (!read.ok()) {
      EXPECT_EQ(read.status().code(), StatusCode::kCorruption);
    }
  }
}

}  // namespace
}  // namespace tapedeck::testing
