// Messages: what the tape gives back equals what was appended, merged by time and resumable
// anywhere.

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <tuple>

#include "archive/archive.h"
#include "base/clock.h"
#include "query/archive_filler.h"
#include "query/random_world.h"
#include "query/reader.h"
#include "query/store_filler.h"
#include "support/fake_blob_store.h"
#include "support/seed.h"
#include "support/temp_dir.h"
#include "tape/tape_cursor.h"

namespace tapedeck::testing {
namespace {

std::string Shown(const std::optional<std::string>& bytes) {
  return bytes ? "<" + *bytes + ">" : "null";
}

std::string LineOf(const OracleMessage& m) {
  std::string line = m.tape.ToString() + "@" + std::to_string(m.offset) + " " +
                     std::to_string(m.content.timestamp_ms) + "/" +
                     std::to_string(static_cast<int>(m.content.type)) + " " +
                     std::to_string(m.received.ns()) + " " + Shown(m.content.key) +
                     Shown(m.content.value);
  for (const auto& [name, value] : m.content.headers) line += " " + name + "=" + Shown(value);
  return line;
}

std::string LineOf(const StoredMessage& m) {
  auto text = [](const OptionalBytes& bytes) {
    return bytes ? std::optional<std::string>(std::string(*bytes)) : std::nullopt;
  };
  OracleMessage copy{*m.tape, m.message.offset, m.received, {}};
  copy.content.key = text(m.message.key);
  copy.content.value = text(m.message.value);
  copy.content.timestamp_ms = m.message.timestamp_ms;
  copy.content.type = m.message.timestamp_type;
  for (const HeaderView& h : m.message.headers) {
    copy.content.headers.emplace_back(std::string(h.name), text(h.value));
  }
  return LineOf(copy);
}

struct Answer {
  std::vector<std::string> lines;
  std::vector<MessagePosition> positions;
};

Result<Answer> Ask(std::shared_ptr<const ReadPoint> point, const MessageQuery& query) {
  TD_ASSIGN_OR_RETURN(auto cursor, MessageCursor::Open(std::move(point), query));
  Answer answer;
  for (;;) {
    TD_ASSIGN_OR_RETURN(const StoredMessage* m, cursor->Next());
    if (m == nullptr) return answer;
    answer.lines.push_back(LineOf(*m));
    answer.positions.push_back(cursor->position());
  }
}

// Select, run each tape's greatest time, sort by it.
std::vector<std::string> Oracle(const StoreFiller& filler, const MessageQuery& query) {
  using Key = std::tuple<Timestamp, std::string, int32_t, uint32_t, int64_t>;
  std::map<TapeId, Timestamp> greatest;
  std::map<Key, std::string> sorted;
  for (const OracleMessage& m : filler.messages()) {
    const bool topic = query.topics.empty() || std::find(query.topics.begin(), query.topics.end(),
                                                         m.tape.topic) != query.topics.end();
    if (!topic || (query.partition && m.tape.partition != *query.partition) ||
        (query.lineage && m.tape.lineage != *query.lineage) || m.offset < query.from_offset ||
        m.offset >= query.to_offset || m.time() < query.start ||
        (m.time() >= query.end && query.end != Timestamp::Max())) {
      continue;
    }
    Timestamp& high = greatest.try_emplace(m.tape, Timestamp::Min()).first->second;
    high = std::max(high, m.time());
    sorted[{high, m.tape.topic, m.tape.partition, m.tape.lineage, m.offset}] = LineOf(m);
  }
  std::vector<std::string> lines;
  for (const auto& [key, line] : sorted) {
    if (lines.size() < query.limit) lines.push_back(line);
  }
  return lines;
}

MessageQuery RandomQuery(const StoreFiller& filler, Random* random) {
  MessageQuery query;
  if (random->OneIn(2)) query.topics = {random->OneIn(2) ? "spot" : "futures"};
  if (random->OneIn(4)) query.topics = {"spot", "audit"};
  if (random->OneIn(4)) query.partition = 0;
  if (random->OneIn(6)) query.lineage = 0;
  const auto& messages = filler.messages();
  if (random->OneIn(3)) query.from_offset = static_cast<int64_t>(random->Uniform(150));
  if (random->OneIn(3)) query.to_offset = static_cast<int64_t>(random->Uniform(300));
  if (random->OneIn(2)) query.start = messages[random->Uniform(messages.size())].time();
  if (random->OneIn(2)) query.end = messages[random->Uniform(messages.size())].time();
  if (random->OneIn(4)) query.limit = random->Uniform(50);
  if (random->OneIn(2)) query.memory_bytes = 1;
  return query;
}

class MessageQueryTest : public ::testing::Test {
 protected:
  uint64_t seed_ = TestSeed();
  Random random_{seed_};
  TempDir dir_;
};

TEST_F(MessageQueryTest, D13TapesGiveTheSameMessagesAfterShippingAndPruning) {
  SCOPED_TRACE(RepeatWith(seed_));
  FakeBlobStore blobs(&SystemClock());
  Archive archive(&blobs, {});
  StoreFiller filler(dir_.File("w"));
  RandomWorld world(&filler, &random_);
  ArchiveFiller shipping(&filler, &blobs, {.manifests = &archive.manifests()});
  ASSERT_TRUE(archive.manifests().Refresh(&blobs, nullptr).ok());
  size_t messages = 0;
  for (int step = 0; step < 6; ++step) {
    world.Run(150);
    if (step > 0) filler.Flush();
    shipping.ShipTapes(1 + random_.Uniform(120));
    if (step % 2 == 1) shipping.PruneTapes();
    const auto point = filler.Point(&archive);
    for (int i = 0; i < 40; ++i) {
      MessageQuery query = RandomQuery(filler, &random_);
      if (random_.OneIn(3)) query.memory_bytes = size_t{1} << 30;
      const auto answer = Ask(point, query);
      ASSERT_TRUE(answer.ok()) << answer.status().ToString();
      ASSERT_EQ(answer->lines, Oracle(filler, query)) << "step " << step << " query " << i;
      messages += answer->lines.size();
    }
  }
  EXPECT_GT(messages, 1000u);
  const Status without = Ask(filler.Point(), {}).status();
  EXPECT_EQ(without.code(), StatusCode::kFailedPrecondition) << without.ToString();
}

TEST_F(MessageQueryTest, AnyQueryEqualsTheBruteForceAnswerBeforeAndAfterMerging) {
  SCOPED_TRACE(RepeatWith(seed_));
  StoreFiller filler(dir_.File("w"));
  RandomWorld world(&filler, &random_);
  world.Run(1200);
  size_t messages = 0;
  for (int pass = 0; pass < 2; ++pass) {
    auto point = filler.Point();
    for (int i = 0; i < 200; ++i) {
      const MessageQuery query = RandomQuery(filler, &random_);
      Result<Answer> answer = Ask(point, query);
      ASSERT_TRUE(answer.ok()) << answer.status().ToString();
      ASSERT_EQ(answer->lines, Oracle(filler, query)) << "pass " << pass << " query " << i;
      messages += answer->lines.size();
    }
    filler.MergeTape();
  }
  EXPECT_GT(messages, 5000u);
}

TEST_F(MessageQueryTest, ResumedAtAnyMessageItGoesOnWithTheRest) {
  SCOPED_TRACE(RepeatWith(seed_));
  StoreFiller filler(dir_.File("w"));
  RandomWorld world(&filler, &random_);
  world.Run(500);
  auto point = filler.Point();
  for (int i = 0; i < 60; ++i) {
    MessageQuery query = RandomQuery(filler, &random_);
    query.limit = UINT64_MAX;
    const Answer whole = *Ask(point, query);
    for (int k = 0; k < 8 && !whole.lines.empty(); ++k) {
      const size_t at = random_.Uniform(whole.lines.size());
      Result<MessagePosition> position = MessagePosition::Decode(whole.positions[at].Encode());
      ASSERT_TRUE(position.ok());
      ASSERT_EQ(*position, whole.positions[at]);
      query.after = *position;
      const std::vector<std::string> rest(whole.lines.begin() + static_cast<ptrdiff_t>(at) + 1,
                                          whole.lines.end());
      ASSERT_EQ(Ask(point, query)->lines, rest) << "query " << i << " resumed behind " << at;
    }
  }
}

TEST_F(MessageQueryTest, ALargeBlockIsReadSliceBySlice) {
  StoreFiller filler(dir_.File("w"));
  const TpId a = filler.AddTape({"c1", "a", 0, 0});
  const TpId b = filler.AddTape({"c1", "b", 0, 0});
  for (int i = 0; i < 300; ++i) {
    filler.Append(a, {.value = random_.Bytes(2000), .timestamp_ms = 1000 + i});
    filler.Append(b, {.value = random_.Bytes(1500), .timestamp_ms = 1000 + i});
  }
  filler.Commit();
  MessageQuery query;
  query.memory_bytes = 1;  // 64 KiB a tape all the same: a tenth of a block
  EXPECT_EQ(Ask(filler.Point(), query)->lines, Oracle(filler, query));
}

TEST_F(MessageQueryTest, ADamagedOrMissingBlockIsAnErrorThatNamesIt) {
  StoreFiller filler(dir_.File("w"));
  const TpId tp = filler.AddTape({"c1", "ticks", 0, 3});
  for (int i = 0; i < 30; ++i) {
    filler.Append(tp, {.value = "message " + std::to_string(i), .timestamp_ms = 1000 + i});
    if (i % 10 == 9) filler.Commit();
  }
  const std::string key = keys::TapeBlock(tp, 10);
  const std::string good = *filler.store().View()->Get(key);
  for (size_t i = 0; i < good.size(); ++i) {
    std::string bad = good;
    bad[i] = static_cast<char>(bad[i] ^ 4);
    StoreBatch batch;
    batch.PutTapeBlock(tp, 10, bad);
    ASSERT_TRUE(filler.store().Write(batch).ok());
    const Status status = Ask(filler.Point(), {}).status();
    ASSERT_EQ(status.code(), StatusCode::kCorruption) << "byte " << i;
    ASSERT_NE(status.ToString().find("ticks[3]@10"), std::string::npos) << status.ToString();
  }
  // A missing index entry.
  const TapeIndexEntry entry =
      *DecodeTapeIndex(*filler.store().View()->Get(keys::TapeIndex(tp, 10)));
  StoreBatch batch;
  batch.DeleteTapeBlock(tp, 10);
  batch.PutTapeBlock(tp, 10, good);
  ASSERT_TRUE(filler.store().Write(batch).ok());
  EXPECT_EQ(Ask(filler.Point(), {}).status().code(), StatusCode::kCorruption);
  // A missing block.
  StoreBatch missing;
  missing.DeleteTapeBlock(tp, 10);
  missing.PutTapeIndex(tp, 10, entry);
  ASSERT_TRUE(filler.store().Write(missing).ok());
  const Status status = Ask(filler.Point(), {}).status();
  EXPECT_EQ(status.code(), StatusCode::kCorruption);
  EXPECT_NE(status.ToString().find("ticks[3]@10"), std::string::npos) << status.ToString();
}

TEST_F(MessageQueryTest, AnUnknownTopicOrPartitionIsRefused) {
  StoreFiller filler(dir_.File("w"));
  filler.AddTape({"c1", "ticks", 0, 3});
  MessageQuery query;
  query.topics = {"tick"};
  EXPECT_EQ(Ask(filler.Point(), query).status().code(), StatusCode::kInvalidArgument);
  query.topics = {"ticks"};
  query.partition = 4;
  EXPECT_EQ(Ask(filler.Point(), query).status().code(), StatusCode::kInvalidArgument);
  query.partition = 3;
  EXPECT_TRUE(Ask(filler.Point(), query).ok());
}

// --- A data directory read beside its writer ---

TEST_F(MessageQueryTest, AReaderBesideTheWriterDecodesTheTailItself) {
  SCOPED_TRACE(RepeatWith(seed_));
  StoreFiller filler(dir_.File("w"), 16);
  RandomWorld world(&filler, &random_);
  world.Run(700);
  Result<std::unique_ptr<Reader>> reader = Reader::Open({.dir = dir_.File("w")});
  ASSERT_TRUE(reader.ok()) << reader.status().ToString();
  for (const char* table : {"quotes", "trades", "odd"}) {
    RecordQuery query;
    query.table = table;
    auto cursor = (*reader)->Query(query);
    ASSERT_TRUE(cursor.ok()) << cursor.status().ToString();
    for (RowRun run;;) {
      Status next = (*cursor)->Next(&run);
      ASSERT_TRUE(next.ok()) << next.ToString();
      if (run.count == 0) break;
    }
    const auto expected = std::count_if(filler.records().begin(), filler.records().end(),
                                        [&](const OracleRecord& r) { return r.table == table; });
    EXPECT_EQ((*cursor)->rows(), static_cast<uint64_t>(expected)) << table;
  }
  auto cursor = (*reader)->Messages({});
  ASSERT_TRUE(cursor.ok());
  std::vector<std::string> lines;
  for (;;) {
    Result<const StoredMessage*> m = (*cursor)->Next();
    ASSERT_TRUE(m.ok()) << m.status().ToString();
    if (*m == nullptr) break;
    lines.push_back(LineOf(**m));
  }
  EXPECT_EQ(lines, Oracle(filler, {}));
}

TEST_F(MessageQueryTest, AReaderKeepsOnlyTheRowsOfTheTailThatAQueryAsksFor) {
  StoreFiller filler(dir_.File("w"));
  const TpId tp = filler.AddTape({"c1", "ticks", 0, 0});
  for (int i = 0; i < 70'000; ++i) {
    const std::string symbol = i % 7000 == 0 ? "RARE" : "BUSY";
    filler.Append(
        tp, {.value = R"([{"k":"t","p":1,"s":")" + symbol + R"(","t":)" + std::to_string(i) + "}]",
             .timestamp_ms = 1000 + i});
  }
  filler.Commit();
  auto reader = Reader::Open({.dir = dir_.File("w"), .memory_bytes = size_t{1} << 20});
  ASSERT_TRUE(reader.ok());
  RecordQuery query;
  query.table = "trades";
  EXPECT_EQ((*reader)->Query(query).status().code(), StatusCode::kResourceExhausted);
  query.symbols = {"RARE"};
  auto cursor = (*reader)->Query(query);
  ASSERT_TRUE(cursor.ok()) << cursor.status().ToString();
  for (RowRun run;;) {
    ASSERT_TRUE((*cursor)->Next(&run).ok());
    if (run.count == 0) break;
  }
  EXPECT_EQ((*cursor)->rows(), 10u);
}

TEST_F(MessageQueryTest, WhereThereIsNoStoreTheReaderSaysSo) {
  EXPECT_EQ(Reader::Open({.dir = dir_.File("none")}).status().code(), StatusCode::kNotFound);
}

}  // namespace
}  // namespace tapedeck::testing
