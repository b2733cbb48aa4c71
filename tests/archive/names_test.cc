#include "archive/names.h"

#include <gtest/gtest.h>

#include <random>

#include "blob/blob_name.h"

namespace tapedeck {
namespace {

constexpr Day kDay(19906);  // 2024-07-02

ArchiveOwner Owner() { return {.node = "tapedeck-1", .store = "00ff17aa00ff17aa"}; }
std::string Hash() { return NameHash("content", "0.1.0"); }

TEST(NamesTest, AreThoseOfTheDesign) {
  const std::string hash = Hash();
  ASSERT_EQ(hash.size(), 24u);
  EXPECT_EQ(RecordObjectName(Owner(), "trades", kDay, 0, 3, {"parquet", hash}),
            "trades/dt=2024-07-02/tapedeck-1-00ff17aa00ff17aa-g000-03-" + hash + ".parquet");
  const ArchiveTape tape{.topic = "Fin.hub", .lineage = 0, .partition = 3, .from = 100, .to = 201};
  EXPECT_EQ(TapeObjectName(Owner(), tape, kDay, {"parquet", hash}),
            "tape/Fin%2Ehub/dt=2024-07-02/tapedeck-1-00ff17aa00ff17aa-l0-p00003-100-200-" + hash +
                ".parquet");
  EXPECT_EQ(RecordManifestName(Owner(), "trades", kDay, 12, hash),
            "_tapedeck/tapedeck-1/2024-07-02/trades-00ff17aa00ff17aa-g012-" + hash + ".json");
  EXPECT_EQ(TapeManifestName(Owner(), tape, kDay, hash),
            "_tapedeck/tapedeck-1/2024-07-02/tape-Fin%2Ehub-00ff17aa00ff17aa-l0-p00003-100-200-" +
                hash + ".json");
  EXPECT_EQ(MessageObjectName("Fin.hub", 3, 42, 0),
            "messages/Fin%2Ehub/p00003/00000000000000000042-l0.json");
  EXPECT_EQ(BackupPrefix(Owner(), kDay, hash),
            "_tapedeck/tapedeck-1/backup/2024-07-02-00ff17aa00ff17aa-" + hash + "/");
}

TEST(NamesTest, TheHashCoversContentAndWriterVersion) {
  EXPECT_NE(NameHash("a", "1"), NameHash("b", "1"));
  EXPECT_NE(NameHash("a", "1"), NameHash("a", "2"));
  EXPECT_NE(NameHash("ab", "c"), NameHash("a", "bc"));
  EXPECT_EQ(NameHash("a", "1"), NameHash("a", "1"));
}

std::string RandomBytes(std::mt19937_64* random, size_t most) {
  std::string bytes((*random)() % (most + 1), '\0');
  for (char& c : bytes) {
    c = (*random)() % 3 == 0 ? "-./%_=lpg0"[(*random)() % 10] : static_cast<char>((*random)());
  }
  return bytes;
}

// S8: whatever the bytes of a topic or node are, a name stays one that any store takes, and says
// where it belongs.
TEST(NamesTest, S8AnyTopicAndNodeComeBack) {
  const uint64_t seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 random(seed);
  for (int round = 0; round < 3000; ++round) {
    const ArchiveOwner owner{.node = RandomBytes(&random, round % 2 == 0 ? 12 : 300),
                             .store = "00ff17aa00ff17aa"};
    const bool extreme = round % 7 == 0;
    const int64_t from = extreme ? INT64_MAX - 1 : static_cast<int64_t>(random() % 1000);
    const ArchiveTape tape{.topic = RandomBytes(&random, round % 3 == 0 ? 300 : 20),
                           .lineage = extreme ? UINT32_MAX : uint32_t(random() % 3),
                           .partition = extreme ? INT32_MAX : int32_t(random() % 3),
                           .from = from,
                           .to = extreme ? INT64_MAX : from + 1 + int64_t(random() % 1000)};
    const Day day(static_cast<int32_t>(random() % 60000) - 20000);
    for (const std::string& name : {TapeObjectName(owner, tape, day, {"ndjson.zst", Hash()}),
                                    TapeManifestName(owner, tape, day, Hash())}) {
      SCOPED_TRACE(name);
      ASSERT_TRUE(CheckBlobName(name).ok()) << CheckBlobName(name).message();
      const Result<ArchiveName> read = ParseArchiveName(name);
      ASSERT_TRUE(read.ok()) << read.status().message();
      EXPECT_EQ(read->node_part, EncodeNamePart(owner.node));
      EXPECT_EQ(read->topic_part, EncodeNamePart(tape.topic));
      EXPECT_EQ(read->store, owner.store);
      EXPECT_EQ(read->day, day);
      EXPECT_EQ(read->lineage, tape.lineage);
      EXPECT_EQ(read->partition, tape.partition);
      EXPECT_EQ(read->from, tape.from);
      EXPECT_EQ(read->to, tape.to);
      EXPECT_EQ(read->hash, Hash());
    }
    const uint32_t generation = extreme ? UINT32_MAX : uint32_t(random() % 1200);
    for (const std::string& name :
         {RecordObjectName(owner, "trades", day, generation, generation, {"parquet", Hash()}),
          RecordManifestName(owner, "trades", day, generation, Hash())}) {
      const Result<ArchiveName> read = ParseArchiveName(name);
      ASSERT_TRUE(read.ok()) << read.status().message();
      EXPECT_EQ(read->table, "trades");
      EXPECT_EQ(read->generation, generation);
      EXPECT_EQ(read->node_part, EncodeNamePart(owner.node));
      EXPECT_EQ(read->day, day);
    }
    const Result<ArchiveName> message =
        ParseArchiveName(MessageObjectName(tape.topic, tape.partition, tape.from, tape.lineage));
    ASSERT_TRUE(message.ok()) << message.status().message();
    EXPECT_EQ(message->kind, ArchiveNameKind::kMessage);
    EXPECT_EQ(message->from, tape.from);
    EXPECT_EQ(message->topic_part, EncodeNamePart(tape.topic));
    const Result<ArchiveName> backup =
        ParseArchiveName(BackupPrefix(owner, day, Hash()) + "CURRENT");
    ASSERT_TRUE(backup.ok()) << backup.status().message();
    EXPECT_EQ(backup->kind, ArchiveNameKind::kBackup);
    EXPECT_EQ(backup->store, owner.store);
    EXPECT_EQ(backup->hash, Hash());
    EXPECT_EQ(backup->day, day);
  }
}

TEST(NamesTest, OthersNamesAreRefused) {
  const std::string hash = Hash();
  const std::string store = "00ff17aa00ff17aa";
  for (const std::string& name : std::initializer_list<std::string>{
           std::string(""),
           std::string("_tapedeck/"),
           "_tapedeck/n/2024-07-02/" + hash + ".json",
           "_tapedeck/n/2024-7-2/trades-" + store + "-g000-" + hash + ".json",
           "_tapedeck/n/2024-07-02/trades-" + store + "-g00-" + hash + ".json",
           "_tapedeck/n/2024-07-02/trades-" + store + "-g0000-" + hash + ".json",
           "_tapedeck/n/2024-07-02/trades-" + store + "-g99999999999-" + hash + ".json",
           "_tapedeck/n/2024-07-02/trades-" + store + "-g000-" + hash + ".parquet",
           "_tapedeck/n/2024-07-02/trades-" + store + "-g000-" + hash + "0.json",
           "_tapedeck/n/2024-07-02/x/trades-" + store + "-g000-" + hash + ".json",
           "_tapedeck/n/2024-07-02/Trades-" + store + "-g000-" + hash + ".json",
           "_tapedeck/n/2024-07-02/tape-t-" + store + "-l0-p00003-200-100-" + hash + ".json",
           "_tapedeck/n/2024-07-02/tape-t-" + store + "-l0-p00003-1-9223372036854775807-" + hash +
               ".json",
           "_tapedeck/n/2024-07-02/tape-t-" + store + "-l0-p3-1-2-" + hash + ".json",
           "_tapedeck/n/backup/2024-07-02-" + store + "/CURRENT",
           "_tapedeck/n/backup/2024-07-02-" + store + "-0123/CURRENT",
           "_tapedeck/n/backup/2024-07-02-" + store + "-" + hash,
           "_tapedeck/n/backup/2024-07-02-" + store + "/",
           "trades/2024-07-02/n-" + store + "-g000-00-" + hash + ".parquet",
           "trades/dt=2024-07-02/n-" + store + "-g000-0-" + hash + ".parquet",
           "trades/dt=2024-07-02/n-" + store + "-g000-00-" + hash + ".exe",
           "trades/dt=2024-07-02/-" + store + "-g000-00-" + hash + ".parquet",
           "messages/t/p00003/42-l0.json",
           "messages/t/p00003/00000000000000000042.json",
       }) {
    EXPECT_FALSE(ParseArchiveName(name).ok()) << name;
  }
}

}  // namespace
}  // namespace tapedeck
