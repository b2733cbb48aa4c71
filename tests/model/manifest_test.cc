#include "model/manifest.h"

#include <gtest/gtest.h>

#include "base/random.h"
#include "support/seed.h"

namespace tapedeck::testing {
namespace {

std::string RandomBytes(Random* random) {
  static constexpr std::string_view kKinds[] = {"BTCUSDT", "\xc3\xa9\xe2\x82\xac", "\xff\x00x",
                                                "a\"b\\c\n", ""};
  std::string bytes(kKinds[random->Uniform(std::size(kKinds))]);
  return bytes + std::to_string(random->Uniform(1000));
}

int64_t RandomNumber(Random* random) {
  switch (random->Uniform(5)) {
    case 0:
      return INT64_MIN;
    case 1:
      return INT64_MAX;
    case 2:
      return -1;
    case 3:
      return static_cast<int64_t>(random->Next());
    default:
      return static_cast<int64_t>(random->Uniform(1'000'000));
  }
}

Hash128 RandomHash(Random* random) { return {random->Next(), random->Next()}; }

TapeId RandomTape(Random* random) {
  return {RandomBytes(random), RandomBytes(random), static_cast<uint32_t>(random->Uniform(3)),
          static_cast<int32_t>(random->Uniform(12))};
}

TapeRange RandomRange(Random* random) {
  const auto from = static_cast<int64_t>(random->Next() >> 2);
  return {RandomTape(random), from, from + static_cast<int64_t>(random->Uniform(100))};
}

Gap RandomGap(Random* random) {
  return {.from = RandomNumber(random),
          .to = RandomNumber(random),
          .reason = static_cast<GapReason>(1 + random->Uniform(8)),
          .kafka_before_ms = RandomNumber(random),
          .kafka_after_ms = RandomNumber(random),
          .event_before_ns = RandomNumber(random),
          .event_after_ns = RandomNumber(random),
          .noticed_at = Timestamp(RandomNumber(random)),
          .detail = RandomBytes(random)};
}

template <typename T, typename F>
std::vector<T> Several(Random* random, F make) {
  std::vector<T> list;
  for (uint64_t i = random->Uniform(4); i > 0; --i) list.push_back(make(random));
  return list;
}

ShippedObject RandomObject(Random* random) {
  return {.name = "trades/dt=2024-07-02/x.parquet",
          .format = "parquet",
          .rows = random->Next() >> 1,
          .bytes = random->Next() >> 1,
          .sha256 = std::string(64, 'a'),
          .first_symbol = RandomBytes(random),
          .last_symbol = RandomBytes(random),
          .first_ts = Timestamp(RandomNumber(random)),
          .last_ts = Timestamp(RandomNumber(random)),
          .offsets = Several<TapeRange>(random, RandomRange)};
}

ManifestWriter RandomWriter(Random* random) {
  return {RandomBytes(random), RandomBytes(random), "0.1.0", Timestamp(RandomNumber(random))};
}

RecordManifest RandomRecords(Random* random) {
  RecordManifest manifest;
  manifest.writer = RandomWriter(random);
  manifest.table = "trades";
  manifest.columns = {{"price", ColumnType::kDecimal}, {"live", ColumnType::kFlag}};
  manifest.identity = Several<std::string>(random, RandomBytes);
  manifest.day_size = static_cast<DaySize>(random->Uniform(3));
  manifest.day = Day(static_cast<int32_t>(random->Uniform(40'000)) - 20'000);
  manifest.generation = static_cast<uint32_t>(random->Next());
  manifest.replaces = {0, static_cast<uint32_t>(random->Uniform(9))};
  manifest.rows = random->Next() >> 1;
  manifest.digest = RandomHash(random);
  manifest.vector = Several<TapeRange>(random, RandomRange);
  manifest.gaps = Several<TapeGap>(random, [](Random* r) {
    return TapeGap{RandomTape(r), RandomGap(r)};
  });
  manifest.mappings = {{RandomHash(random).ToString(), "{\"mapping\":{}}"}};
  manifest.objects = Several<ShippedObject>(random, RandomObject);
  return manifest;
}

TapeManifest RandomTapeManifest(Random* random) {
  TapeManifest manifest;
  manifest.writer = RandomWriter(random);
  manifest.range = RandomRange(random);
  manifest.messages = random->Next() >> 1;
  manifest.digest = RandomHash(random);
  manifest.last = {RandomNumber(random), RandomHash(random)};
  manifest.kafka_min_ms = RandomNumber(random);
  manifest.kafka_max_ms = RandomNumber(random);
  manifest.kafka_running_max_ms = RandomNumber(random);
  manifest.event_min_ns = RandomNumber(random);
  manifest.event_max_ns = RandomNumber(random);
  manifest.many_symbols = random->Uniform(2) == 0;
  manifest.symbols = Several<std::string>(random, RandomBytes);
  manifest.gaps = Several<Gap>(random, RandomGap);
  manifest.refusals = Several<ShippedRefusal>(random, [](Random* r) {
    return ShippedRefusal{RandomNumber(r), {RandomBytes(r), 1, 2, Timestamp(RandomNumber(r)), 5}};
  });
  manifest.mapping_from = {{0, RandomHash(random)}, {RandomNumber(random), RandomHash(random)}};
  manifest.mappings = {{RandomHash(random).ToString(), "{}"}};
  manifest.objects = Several<ShippedObject>(random, RandomObject);
  return manifest;
}

TEST(Manifest, ComesBackAsItWasWritten) {
  Random random(TestSeed());
  for (int i = 0; i < 300; ++i) {
    const RecordManifest records = RandomRecords(&random);
    Result<Manifest> read = ParseManifest(ToJson(records));
    ASSERT_TRUE(read.ok()) << read.status().ToString() << ToJson(records);
    EXPECT_EQ(std::get<RecordManifest>(*read), records) << ToJson(records);
    const TapeManifest tape = RandomTapeManifest(&random);
    read = ParseManifest(ToJson(tape));
    ASSERT_TRUE(read.ok()) << read.status().ToString() << ToJson(tape);
    EXPECT_EQ(std::get<TapeManifest>(*read), tape) << ToJson(tape);
  }
}

TEST(Manifest, AnyCutOrChangedByteIsAnErrorOrAManifest) {
  Random random(TestSeed());
  for (int i = 0; i < 100; ++i) {
    std::string json =
        i % 2 == 0 ? ToJson(RandomRecords(&random)) : ToJson(RandomTapeManifest(&random));
    EXPECT_FALSE(ParseManifest(json.substr(0, random.Uniform(json.size() - 2))).ok());
    for (int change = 0; change < 20; ++change) {
      std::string other = json;
      other[random.Uniform(other.size())] = static_cast<char>(random.Next());
      (void)ParseManifest(other);  // no crash, whatever it says
    }
  }
}

TEST(Manifest, SaysWhatIsWrongWithIt) {
  RecordManifest manifest;
  manifest.table = "trades";
  const std::string json = ToJson(manifest);
  auto with = [&](const std::string& from, const std::string& to) {
    std::string other = json;
    const size_t at = other.find(from);
    EXPECT_NE(at, std::string::npos) << from;
    other.replace(at, from.size(), to);
    return ParseManifest(other).status();
  };
  EXPECT_EQ(with("\"manifest\": 1", "\"manifest\": 2").code(), StatusCode::kFailedPrecondition);
  for (const auto& [from, to, said] : std::vector<std::array<std::string, 3>>{
           {"\"records\"", "\"other\"", "kind"},
           {"\"rows\": 0", "\"rows\": -1", "rows"},
           {"\"rows\": 0", "\"rows\": 0.5", "rows"},
           {"\"rows\"", "\"rowz\"", "rows"},
           {"\"day\": \"1970-01-01\"", "\"day\": \"1970-13-01\"", "day"},
           {"\"day_size\": \"day\"", "\"day_size\": \"week\"", "week"},
           {"\"objects\": []", "\"objects\": {}", "objects"},
           {"\"digest\": \"0", "\"digest\": \"x", "digest"}}) {
    const Status status = with(from, to);
    EXPECT_EQ(status.code(), StatusCode::kCorruption) << to;
    EXPECT_NE(status.ToString().find(said), std::string::npos) << status.ToString();
  }
  EXPECT_FALSE(ParseManifest("").ok());
  EXPECT_FALSE(ParseManifest("[]").ok());
  EXPECT_FALSE(ParseManifest(std::string(100'000, '[')).ok());
}

TEST(Manifest, IsReadableJson) {
  TapeManifest manifest;
  manifest.writer = {"node-1", "a1b2", "0.1.0", Timestamp(1)};
  manifest.range = {{"cluster", "Finhub1", 0, 3}, 0, 4711};
  const std::string json = ToJson(manifest);
  EXPECT_TRUE(json.starts_with("{\n \"manifest\": 1,\n \"kind\": \"tape\",\n \"node\": \"node-1\""))
      << json;
  EXPECT_NE(json.find("\"topic\": \"Finhub1\""), std::string::npos);
  EXPECT_NE(json.find("\"event_min_ns\": \"9223372036854775807\""), std::string::npos)
      << "numbers that a double cannot hold are strings";
}

}  // namespace
}  // namespace tapedeck::testing
