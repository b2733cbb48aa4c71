// What is read without librdkafka: record batches, answers, and the connection, at a broker of our
// own. That both ways give the same messages of a real one: source_reading_test.cc.

#include "kafka/direct_fetch.h"

#include <gtest/gtest.h>

#include "base/bytes.h"
#include "base/random.h"
#include "kafka/fetch_connection.h"
#include "kafka/made_batches.h"
#include "kafka/source_conformance.h"
#include "support/seed.h"

namespace tapedeck {
namespace {

using std::chrono::milliseconds;
using testing::BatchBytes;
using testing::FakeBroker;
using testing::MadeBatch;
using testing::MadeRecord;

Result<std::vector<KeptMessage>> ReadBatch(std::string_view bytes) {
  TD_ASSIGN_OR_RETURN(RecordBatch batch, RecordBatch::Open(bytes));
  std::vector<KeptMessage> kept;
  while (batch.left() > 0) {
    MessageView view;
    std::vector<HeaderView> headers;
    TD_RETURN_IF_ERROR(batch.Next(&view, &headers));
    view.headers = headers;
    kept.push_back(Keep(view));
  }
  return kept;
}

MadeBatch SomeBatch() {
  return {.base = 40,
          .next = 44,
          .base_ms = 1'000,
          .max_ms = 2'000,
          .records = {{40, 1'000, std::nullopt, std::nullopt, {}},
                      {41, 1'500, "", "", {{"", std::nullopt}, {"a", ""}, {"a", "b"}}},
                      {43, 900, "k", std::string("v\0", 2), {{std::string("n\0x", 3), "1"}}}}};
}

TEST(RecordBatchBytes, HoldWhatWasSent) {
  auto read = ReadBatch(BatchBytes(SomeBatch()));
  ASSERT_TRUE(read.ok()) << read.status().ToString();
  ASSERT_EQ(read->size(), 3u);
  const KeptMessage first{40, 1'000, TimestampType::kCreate, std::nullopt, std::nullopt, {}};
  const KeptMessage second{41, 1'500, TimestampType::kCreate,
                           "", "",    {{"", std::nullopt}, {"a", ""}, {"a", "b"}}};
  // A header's name ends at a NUL byte, as librdkafka has it.
  const KeptMessage third{43,          900, TimestampType::kCreate, "k", std::string("v\0", 2),
                          {{"n", "1"}}};
  EXPECT_EQ((*read)[0], first);
  EXPECT_EQ((*read)[1], second);
  EXPECT_EQ((*read)[2], third);
  EXPECT_EQ(RecordBatch::Open(BatchBytes(SomeBatch()))->next_offset(), 44);
}

TEST(RecordBatchBytes, TimeOfTheBrokersAppendIsThatOfTheBatch) {
  MadeBatch batch = SomeBatch();
  batch.attributes = 8;
  auto read = ReadBatch(BatchBytes(batch));
  ASSERT_TRUE(read.ok()) << read.status().ToString();
  for (const KeptMessage& message : *read) {
    EXPECT_EQ(message.timestamp_type, TimestampType::kLogAppend);
    EXPECT_EQ(message.timestamp_ms, 2'000);
  }
}

TEST(RecordBatchBytes, WhatIsNotPlainIsLeftToLibrdkafka) {
  for (const uint16_t attributes : {1, 2, 3, 4, 0x10, 0x20, 0x30}) {
    MadeBatch batch = SomeBatch();
    batch.attributes = attributes;
    EXPECT_EQ(ReadBatch(BatchBytes(batch)).status().code(), StatusCode::kFailedPrecondition)
        << attributes;
  }
  std::string old = BatchBytes(SomeBatch());
  old[16] = 1;
  EXPECT_EQ(ReadBatch(old).status().code(), StatusCode::kFailedPrecondition);
}

TEST(RecordBatchBytes, B10EveryBitUnderTheChecksumCounts) {
  const std::string good = BatchBytes(SomeBatch());
  for (size_t bit = 17 * 8; bit < good.size() * 8; ++bit) {
    std::string bad = good;
    bad[bit / 8] = static_cast<char>(bad[bit / 8] ^ (1 << bit % 8));
    EXPECT_EQ(ReadBatch(bad).status().code(), StatusCode::kCorruption) << "bit " << bit;
  }
}

TEST(RecordBatchBytes, DamageUnderARightChecksumIsAStatus) {
  const uint64_t seed = testing::TestSeed();
  SCOPED_TRACE(testing::RepeatWith(seed));
  Random random(seed);
  const std::string good = BatchBytes(SomeBatch());
  int refused = 0;
  for (int i = 0; i < 30'000; ++i) {
    std::string bad = good.substr(0, 61 + random.Uniform(good.size() - 60));
    for (uint64_t n = random.Uniform(4) + 1; n > 0; --n)
      bad[21 + random.Uniform(bad.size() - 21)] = static_cast<char>(random.Next());
    testing::Reseal(&bad);
    refused += ReadBatch(bad).ok() ? 0 : 1;  // and never a byte beyond the batch
  }
  EXPECT_GT(refused, 0);
}

// Nobody could go on behind a message whose offset comes a second time.
TEST(RecordBatchBytes, OffsetsThatDoNotRiseAreDamage) {
  for (int64_t second : {41, 40}) {
    const MadeBatch batch{.base = 40,
                          .next = 44,
                          .records = {{41, 1'000, "k", "v", {}}, {second, 1'000, "k", "v", {}}}};
    EXPECT_EQ(ReadBatch(BatchBytes(batch)).status().code(), StatusCode::kCorruption) << second;
  }
}

std::string AnswerBytes(const std::string& set) {
  std::string body;
  PutBig32(&body, 7);  // correlation
  PutBig32(&body, 0);
  PutBig32(&body, 1);
  body += std::string("\0\1t", 3);
  PutBig32(&body, 1);
  PutBig32(&body, 5);
  body += std::string(2, '\0');
  PutBig64(&body, 100);
  PutBig64(&body, 90);
  PutBig32(&body, UINT32_MAX);
  PutBig32(&body, static_cast<uint32_t>(set.size()));
  body += set;
  std::string answer;
  PutBig32(&answer, static_cast<uint32_t>(body.size()));
  return answer + body;
}

// Reads an answer of which ever more arrives. What was found: "partition", sizes of batches, "end".
Result<std::string> Pieces(const std::string& answer, size_t step) {
  FetchReply reply;
  reply.Begin(7);
  std::string found;
  size_t from = 0;
  size_t to = 0;
  for (;;) {
    TD_ASSIGN_OR_RETURN(const FetchReply::Piece piece,
                        reply.Next(std::string_view(answer).substr(from, to - from), 10'000));
    if (piece.kind == FetchReply::Kind::kEnd) return found + "end";
    if (piece.kind == FetchReply::Kind::kMore) {
      if (to == answer.size()) return Status::NotFound("cut off");
      to = std::min(to + step, answer.size());
      continue;
    }
    if (piece.bytes > to - from) return Status::Internal("more than there is");
    if (piece.kind == FetchReply::Kind::kPartition)
      found += std::to_string(reply.partition()) + "@" + std::to_string(reply.end()) + " ";
    if (piece.kind == FetchReply::Kind::kBatch) found += std::to_string(piece.bytes) + " ";
    from += piece.bytes;
  }
}

TEST(FetchAnswer, IsTheSameInPartsOfAnySize) {
  const std::string batch = BatchBytes(SomeBatch());
  for (const size_t tail : {size_t{0}, size_t{1}, size_t{11}, size_t{12}, batch.size() - 1}) {
    const std::string answer = AnswerBytes(batch + batch + batch.substr(0, tail));
    const std::string size = std::to_string(batch.size()) + " ";
    for (size_t step = 1; step <= answer.size(); ++step) {
      Result<std::string> found = Pieces(answer, step);
      ASSERT_TRUE(found.ok()) << found.status().ToString() << " with " << step;
      ASSERT_EQ(*found, "5@90 " + size + size + "end") << "in parts of " << step;
    }
  }
}

TEST(FetchAnswer, AnyBytesAreAStatusAndTheRestIsNotRead) {
  const uint64_t seed = testing::TestSeed();
  SCOPED_TRACE(testing::RepeatWith(seed));
  Random random(seed);
  const std::string batch = BatchBytes(SomeBatch());
  const std::string good = AnswerBytes(batch + batch);
  int refused = 0;
  for (int i = 0; i < 20'000; ++i) {
    std::string bad = good.substr(0, random.Uniform(good.size() + 1));
    for (uint64_t n = random.Uniform(3) + 1; n > 0 && !bad.empty(); --n)
      bad[random.Uniform(bad.size())] = static_cast<char>(random.Next());
    refused += Pieces(bad, 1 + random.Uniform(bad.size() + 1)).ok() ? 0 : 1;
  }
  EXPECT_GT(refused, 0);
}

TEST(FetchAnswer, ErrorsWaitsAndTransactionsAreLeftToLibrdkafka) {
  const std::string good = AnswerBytes("");
  const auto with = [&](size_t at, char byte) {
    std::string bad = good;
    bad[at] = byte;
    return Pieces(bad, bad.size()).status().code();
  };
  EXPECT_EQ(with(7, 8), StatusCode::kCorruption);           // another correlation
  EXPECT_EQ(with(11, 1), StatusCode::kUnavailable);         // throttled
  EXPECT_EQ(with(28, 6), StatusCode::kUnavailable);         // not the leader
  EXPECT_EQ(with(45, 0), StatusCode::kFailedPrecondition);  // aborted transactions
}

TEST(FetchAnswer, ABatchBeyondTheBoundIsLeftToLibrdkafka) {
  MadeBatch batch = SomeBatch();
  batch.records[2].value = std::string(20'000, 'v');
  const std::string answer = AnswerBytes(BatchBytes(batch));
  EXPECT_EQ(Pieces(answer, 100).status().code(), StatusCode::kFailedPrecondition);
}

class DirectReading : public ::testing::Test {
 protected:
  void Open(const std::vector<int64_t>& starts) {
    FetchLeader leader{.host = "127.0.0.1", .port = broker_.port()};
    for (size_t p = 0; p < starts.size(); ++p) {
      leader.parts.push_back(
          {static_cast<PartitionSlot>(p), {{"t", static_cast<int32_t>(p)}, starts[p]}});
    }
    auto opened = DirectFetch::Open(
        {leader}, {.client_id = "c", .batch_messages_max = 7, .clock = &SystemClock()});
    ASSERT_TRUE(opened.ok()) << opened.status().ToString();
    direct_ = std::move(*opened);
    got_.resize(starts.size());
    ends_.resize(starts.size(), -1);
  }
  // Until `done`, an error, or half a minute.
  Status Read(const std::function<bool()>& done) {
    const MonotonicTime deadline = SystemClock().Monotonic() + std::chrono::seconds(30);
    while (!done() && SystemClock().Monotonic() < deadline) {
      SourceBatch batch;
      Status status = direct_->Poll(&batch);
      EXPECT_LE(batch.messages.size(), 7u);
      for (const SourceMessage& m : batch.messages) got_[m.slot].push_back(Keep(m.message));
      for (const PartitionEnd& end : batch.ends) {
        EXPECT_LT(ends_[end.slot], end.offset) << "an end is told once";
        ends_[end.slot] = end.offset;
      }
      TD_RETURN_IF_ERROR(std::move(status));
      if (!batch.messages.empty()) continue;
      std::vector<pollfd> waits;
      direct_->AddWaits(&waits);
      poll(waits.data(), waits.size(), 100);
    }
    return Status::Ok();
  }

  FakeBroker broker_;
  std::unique_ptr<DirectFetch> direct_;
  std::vector<std::vector<KeptMessage>> got_;
  std::vector<int64_t> ends_;
};

MadeRecord Numbered(int64_t offset, size_t size) {
  return {offset, offset, "k" + std::to_string(offset), std::string(size, 'v'), {{"h", "1"}}};
}

TEST_F(DirectReading, RandomLogsComeWholeAndInOrderHoweverAnswersAreCut) {
  const uint64_t seed = testing::TestSeed();
  SCOPED_TRACE(testing::RepeatWith(seed));
  Random random(seed);
  broker_.CutSetsAt(500 + random.Uniform(5'000));
  broker_.SendInPartsOf(1 + random.Uniform(3'000));
  constexpr size_t kPartitions = 5;
  std::vector<std::vector<int64_t>> want(kPartitions);
  std::vector<int64_t> ends(kPartitions), starts;
  for (size_t p = 0; p < kPartitions; ++p) {
    int64_t next = static_cast<int64_t>(random.Uniform(100));
    starts.push_back(next + 3);  // in the first batch's middle, or behind it
    for (uint64_t b = 5 + random.Uniform(40); b > 0; --b) {
      MadeBatch batch{.base = next};
      for (uint64_t r = random.Uniform(20); r > 0; --r, ++next) {
        if (random.Uniform(8) == 0) continue;  // compacted away
        batch.records.push_back(Numbered(next, random.Uniform(300)));
        if (next >= starts[p]) want[p].push_back(next);
      }
      batch.next = ++next;
      broker_.Add(static_cast<int32_t>(p), batch);
    }
    ends[p] = next;
  }
  Open(starts);
  const Status status = Read([&] { return ends_ == ends; });
  ASSERT_TRUE(status.ok()) << status.ToString();
  ASSERT_EQ(ends_, ends);
  for (size_t p = 0; p < kPartitions; ++p) {
    ASSERT_EQ(got_[p].size(), want[p].size()) << "partition " << p;
    for (size_t i = 0; i < want[p].size(); ++i) {
      ASSERT_EQ(got_[p][i].offset, want[p][i]);
      ASSERT_EQ(got_[p][i].key, "k" + std::to_string(want[p][i]));
      ASSERT_EQ(got_[p][i].headers.size(), 1u);
    }
    EXPECT_EQ(direct_->positions()[p].offset, ends[p]);
  }
}

TEST_F(DirectReading, ABatchLargerThanTheBufferComesWhole) {
  MadeBatch batch{.next = 3};
  for (int64_t i = 0; i < 3; ++i) batch.records.push_back(Numbered(i, 1'500'000));
  broker_.Add(0, batch);
  broker_.Add(0, {.base = 3, .next = 4, .records = {Numbered(3, 10)}});
  Open({0});
  ASSERT_TRUE(Read([&] { return got_[0].size() == 4; }).ok());
  for (int64_t i = 0; i < 4; ++i) EXPECT_EQ(got_[0][static_cast<size_t>(i)].offset, i);
  EXPECT_EQ(got_[0][2].value->size(), 1'500'000u);
}

TEST_F(DirectReading, MessagesThatComeLaterAreRead) {
  broker_.Add(0, {.next = 1, .records = {Numbered(0, 10)}});
  Open({0});
  ASSERT_TRUE(Read([&] { return ends_[0] == 1; }).ok());
  broker_.Add(0, {.base = 1, .next = 2, .records = {Numbered(1, 10)}});
  ASSERT_TRUE(Read([&] { return ends_[0] == 2; }).ok());
  EXPECT_EQ(got_[0].size(), 2u);
}

TEST_F(DirectReading, BatchesBeyondTheEndThatWasToldAreTaken) {
  for (int64_t i = 0; i < 10; ++i)
    broker_.Add(0, {.base = i, .next = i + 1, .records = {Numbered(i, 10)}});
  broker_.TellEndsLate(3);
  Open({0});
  const Status status = Read([&] { return got_[0].size() == 10; });
  ASSERT_TRUE(status.ok()) << status.ToString();
  EXPECT_EQ(got_[0].size(), 10u);
}

// The first connection always has a next answer; the partitions of the second come all the same.
TEST_F(DirectReading, APartitionDoesNotWaitForTheBacklogOfAnother) {
  constexpr int64_t kBacklog = 20'000;
  for (int64_t i = 0; i < kBacklog; ++i)
    broker_.Add(0, {.base = i, .next = i + 1, .records = {Numbered(i, 3'000)}});
  broker_.CutSetsAt(100'000);
  broker_.Add(1, {.next = 1, .records = {Numbered(0, 10)}});
  Open({0, 0});
  const Status status = Read([&] { return !got_[1].empty(); });
  ASSERT_TRUE(status.ok()) << status.ToString();
  ASSERT_EQ(got_[1].size(), 1u);
  EXPECT_LT(got_[0].size(), static_cast<size_t>(kBacklog) / 2);
}

TEST_F(DirectReading, TroubleEndsItBehindTheLastMessageThatWasGiven) {
  broker_.Add(0, {.next = 10, .records = {Numbered(8, 10)}});
  Open({0, 0});
  ASSERT_TRUE(Read([&] { return ends_[0] == 10; }).ok());
  broker_.Fail(6);
  EXPECT_EQ(Read([] { return false; }).code(), StatusCode::kUnavailable);
  EXPECT_EQ(direct_->positions()[0].offset, 10);
  EXPECT_EQ(direct_->positions()[1].offset, 0);
  EXPECT_EQ(got_[0].size(), 1u);
}

TEST_F(DirectReading, ADamagedBatchBehindGoodOnesEndsItThere) {
  broker_.Add(0, {.next = 2, .records = {Numbered(0, 10), Numbered(1, 10)}});
  broker_.Add(0, {.base = 2, .next = 3, .attributes = 1, .records = {Numbered(2, 10)}});
  Open({0});
  EXPECT_EQ(Read([] { return false; }).code(), StatusCode::kFailedPrecondition);
  EXPECT_EQ(got_[0].size(), 2u);
  EXPECT_EQ(direct_->positions()[0].offset, 2);
}

TEST_F(DirectReading, ABrokerThatHangsUpIsUnavailable) {
  Open({5});
  broker_.HangUp();
  EXPECT_EQ(Read([] { return false; }).code(), StatusCode::kUnavailable);
  EXPECT_EQ(direct_->positions()[0].offset, 5);
}

TEST_F(DirectReading, NobodyAtThePortIsUnavailable) {
  int port = 0;
  { port = FakeBroker().port(); }
  FetchLeader leader{.host = "127.0.0.1", .port = port, .parts = {{0, {{"t", 0}, 0}}}};
  EXPECT_EQ(DirectFetch::Open({leader}, {.clock = &SystemClock()}).status().code(),
            StatusCode::kUnavailable);
}

TEST_F(DirectReading, MoreConnectionsThanThereIsMemoryForAreRefused) {
  std::vector<FetchLeader> leaders;
  for (int i = 0; i < 4; ++i) {
    leaders.push_back({.host = "127.0.0.1", .port = broker_.port(), .parts = {{0, {{"t", i}, 0}}}});
  }
  DirectFetchOptions options{.memory_bytes = 4 * FetchConnection::kBufferBytes,
                             .clock = &SystemClock()};
  EXPECT_TRUE(DirectFetch::Open(leaders, options).ok());
  --options.memory_bytes;
  EXPECT_EQ(DirectFetch::Open(leaders, options).status().code(), StatusCode::kFailedPrecondition);
}

}  // namespace
}  // namespace tapedeck
