// Hashes of messages and records: they are stored and compared for years, so their values are fixed
// here. They were computed a second time, from the grammar alone, by another program.

#include <gtest/gtest.h>

#include "model/message.h"
#include "model/record.h"

namespace tapedeck::testing {
namespace {

MessageView Sample() {
  MessageView m;
  m.offset = 42;
  m.timestamp_ms = 1719893836373;
  m.timestamp_type = TimestampType::kCreate;
  m.key = "BTCUSDT";
  m.value = "{\"p\":\"0.99980\"}";
  return m;
}

TEST(MessageHash, ValuesAreFixed) {
  MessageHasher hasher;
  const HeaderView headers[] = {{"a", "1"}, {"a", std::nullopt}, {"", ""}};
  MessageView m = Sample();
  m.headers = headers;
  EXPECT_EQ(hasher.Content(m).ToString(), "4bcc5b2f666c4c669451db9fb1645893");
  EXPECT_EQ(hasher.Content(m, HashTime::kLeftOut).ToString(), "c9998f825d55312cb7b4b80b6a4f20ef");
  EXPECT_EQ(hasher.Message(m, {"Finhub1", 3}).ToString(), "014e14348265a1d8f3bd859e9cb3e1eb");
}

TEST(MessageHash, WhatDiffersHashesDifferently) {
  MessageHasher hasher;
  std::vector<Hash128> all;
  auto add = [&](const MessageView& m) { all.push_back(hasher.Content(m)); };
  MessageView m = Sample();
  add(m);
  m.key = std::nullopt;
  add(m);
  m.key = "";
  add(m);
  m = Sample();
  m.value = std::nullopt;
  add(m);
  m.value = "";
  add(m);
  m = Sample();
  m.timestamp_ms = -1;
  add(m);
  m = Sample();
  m.timestamp_type = TimestampType::kLogAppend;
  add(m);
  const HeaderView null_header[] = {{"a", std::nullopt}}, empty_header[] = {{"a", ""}},
                   twice[] = {{"a", ""}, {"a", ""}}, shifted[] = {{"", "a"}};
  for (std::span<const HeaderView> headers :
       {std::span<const HeaderView>(null_header), std::span<const HeaderView>(empty_header),
        std::span<const HeaderView>(twice), std::span<const HeaderView>(shifted)}) {
    m = Sample();
    m.headers = headers;
    add(m);
  }
  m = Sample();  // bytes that move from key to value
  m.key = "BTCUSD";
  m.value = "T{\"p\":\"0.99980\"}";
  add(m);
  std::sort(all.begin(), all.end());
  EXPECT_EQ(std::adjacent_find(all.begin(), all.end()), all.end());

  m = Sample();
  EXPECT_NE(hasher.Message(m, {"t", 0}), hasher.Message(m, {"t", 1}));
  EXPECT_NE(hasher.Message(m, {"t", 0}), hasher.Message(m, {"u", 0}));
  const Hash128 at_42 = hasher.Message(m, {"t", 0});
  m.offset = 43;
  EXPECT_NE(hasher.Message(m, {"t", 0}), at_42);
  const Hash128 replay = hasher.Content(m, HashTime::kLeftOut);
  m.timestamp_ms = 5;
  EXPECT_EQ(hasher.Content(m, HashTime::kLeftOut), replay);
}

TEST(RecordHash, ValuesAreFixedAndDoNotDependOnTheOrderOfColumns) {
  TableRegistry tables;
  const Table& quotes = *tables.Find("quotes");
  const Hash128 series = SeriesHash("quotes", "BTCUSDT");
  const Hash128 tape =
      TapeHash({.cluster = "any", .topic = "Finhub1", .lineage = 0, .partition = 3});
  const Value values[] = {Value::OfDecimal({99980, 5}), Value(), Value::OfDecimalText("1e400")};
  RecordView record{.table = quotes.id,
                    .symbol = "BTCUSDT",
                    .ts = Timestamp(-1),
                    .ts_kafka = Timestamp(2),
                    .origin = {TpId{9}, 42, 1},
                    .values = values};
  RecordHasher hasher(quotes);
  const Hash128 hash = hasher.Hash(series, tape, record);
  EXPECT_EQ(series.ToString(), "40167c7d9fbdae4f9b48b172ac8ad594");
  EXPECT_EQ(tape.ToString(), "84d99f9093074dd881de81318ff97294");
  EXPECT_EQ(hash.ToString(), "ef8031eeaee44ea4a15c78ec205846c6");

  Rows rows;
  for (const Column& column : quotes.columns) {
    rows.columns.emplace_back();
    rows.columns.back().type = column.type;
  }
  rows.ts = {-1};
  rows.ts_kafka = {2};
  rows.tp = {9};
  rows.offset = {42};
  rows.index = {1};
  for (size_t i = 0; i < rows.columns.size(); ++i)
    rows.columns[i].Append(i < 3 ? values[i] : Value());
  EXPECT_EQ(hasher.Hash(series, tape, rows, 0), hash);

  Table turned = quotes;
  std::swap(turned.columns[0], turned.columns[2]);
  const Value turned_values[] = {values[2], values[1], values[0]};
  record.values = turned_values;
  EXPECT_EQ(RecordHasher(turned).Hash(series, tape, record), hash);
  // The scale is part of the price: 0.9998 is written otherwise than 0.99980.
  const Value shorter[] = {Value::OfDecimal({9998, 4}), Value(), values[2]};
  record.values = shorter;
  EXPECT_NE(hasher.Hash(series, tape, record), hash);
}

}  // namespace
}  // namespace tapedeck::testing
