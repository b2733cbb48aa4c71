#include "codec/tape_block.h"

#include <gtest/gtest.h>

#include <deque>

#include "base/random.h"
#include "support/seed.h"

namespace tapedeck {
namespace {

using testing::RepeatWith;
using testing::TestSeed;

constexpr TpId kTp{12};

// Messages and their bytes, which stay where they are.
struct Log {
  std::deque<std::string> bytes;
  std::deque<std::vector<HeaderView>> headers;
  std::vector<MessageView> messages;

  OptionalBytes Keep(std::string text) {
    return std::string_view(bytes.emplace_back(std::move(text)));
  }
};

OptionalBytes OddBytes(Random* random, Log* log, size_t most) {
  switch (random->Uniform(4)) {
    case 0:
      return std::nullopt;
    case 1:
      return std::string_view();
    default:
      return log->Keep(random->Bytes(random->Uniform(most)));
  }
}

Log RandomLog(size_t count, Random* random) {
  Log log;
  int64_t offset = random->Between(0, 1000);
  for (size_t i = 0; i < count; ++i) {
    MessageView message;
    message.offset = offset;
    offset += random->OneIn(20) ? random->Between(1, 1'000'000'000) : 1;
    message.timestamp_type = static_cast<TimestampType>(random->Uniform(3));
    message.timestamp_ms = random->OneIn(30) ? static_cast<int64_t>(random->Next())
                                             : random->Between(-5, 1'720'000'000'000);
    message.key = OddBytes(random, &log, 20);
    message.value = OddBytes(random, &log, random->OneIn(50) ? 5000 : 100);
    if (random->OneIn(3)) {
      auto& headers = log.headers.emplace_back();
      for (size_t h = 0; h < random->Uniform(4); ++h) {
        headers.push_back(
            {log.Keep(random->OneIn(3) ? "" : "same name").value(), OddBytes(random, &log, 300)});
      }
      message.headers = headers;
    }
    log.messages.push_back(message);
  }
  return log;
}

void ExpectSame(const MessageView& was, const MessageView& should) {
  EXPECT_EQ(was.offset, should.offset);
  EXPECT_EQ(was.timestamp_ms, should.timestamp_ms);
  EXPECT_EQ(was.timestamp_type, should.timestamp_type);
  EXPECT_EQ(was.key, should.key);
  EXPECT_EQ(was.value, should.value);
  ASSERT_EQ(was.headers.size(), should.headers.size());
  for (size_t h = 0; h < was.headers.size(); ++h) {
    EXPECT_EQ(was.headers[h].name, should.headers[h].name);
    EXPECT_EQ(was.headers[h].value, should.headers[h].value);
  }
}

std::string Sealed(std::span<const MessageView> messages, Timestamp received,
                   CodecBuffers* buffers) {
  TapeBlockBuilder builder;
  for (const MessageView& message : messages) EXPECT_TRUE(builder.Append(message).ok());
  std::string bytes;
  Status status = builder.Seal(kTp, received, Effort::kLive, buffers, &bytes);
  EXPECT_TRUE(status.ok()) << status.ToString();
  EXPECT_TRUE(builder.empty());
  return bytes;
}

TEST(TapeBlock, MessagesComeBackByteForByte) {
  uint64_t seed = TestSeed();
  CodecBuffers buffers;
  for (size_t count : {1, 2, 3, 127, 128, 129, 1000}) {
    Random random(seed + count);
    SCOPED_TRACE(RepeatWith(seed) + " count " + std::to_string(count));
    Log log = RandomLog(count, &random);
    std::string bytes = Sealed(log.messages, Timestamp(77), &buffers);
    TapeBlock block;
    Status status = block.Load(kTp, log.messages[0].offset, bytes, &buffers);
    ASSERT_TRUE(status.ok()) << status.ToString();
    ASSERT_EQ(block.size(), count);
    TapeBlock moved = std::move(block);  // views survive
    for (size_t i = 0; i < count; ++i) {
      ExpectSame(moved.At(i), log.messages[i]);
      EXPECT_EQ(moved.ReceivedAt(i), Timestamp(77));
    }
  }
}

TEST(TapeBlock, AnOffsetIsFoundOrTheOneAfterIt) {
  CodecBuffers buffers;
  std::vector<MessageView> messages(3);
  messages[0].offset = 10;
  messages[1].offset = 11;
  messages[2].offset = 1'000'000'011;
  std::string bytes = Sealed(messages, Timestamp(), &buffers);
  TapeBlock block;
  ASSERT_TRUE(block.Load(kTp, 10, bytes, &buffers).ok());
  EXPECT_EQ(block.LowerBound(0), 0u);
  EXPECT_EQ(block.LowerBound(10), 0u);
  EXPECT_EQ(block.LowerBound(12), 2u);
  EXPECT_EQ(block.LowerBound(1'000'000'011), 2u);
  EXPECT_EQ(block.LowerBound(1'000'000'012), 3u);
}

TEST(TapeBlock, MergedBlocksKeepEveryMessageAndItsTimeOfReceipt) {
  uint64_t seed = TestSeed();
  Random random(seed);
  SCOPED_TRACE(RepeatWith(seed));
  Log log = RandomLog(500, &random);
  CodecBuffers buffers;
  std::vector<std::string> bytes;
  std::vector<StoredTapeBlock> stored;
  std::vector<Timestamp> received;
  for (size_t from = 0; from < 500;) {
    size_t count = std::min<size_t>(1 + random.Uniform(60), 500 - from);
    auto part = std::span(log.messages).subspan(from, count);
    Timestamp at(random.Between(0, 3) * 200'000'000);
    bytes.push_back(Sealed(part, at, &buffers));
    received.insert(received.end(), count, at);
    from += count;
  }
  size_t at = 0;
  for (const std::string& block : bytes) {
    stored.push_back({log.messages[at].offset, block});
    at += ParseTapeHeader(block)->count;
  }
  // In two steps, as merging goes on: a merged block is merged again.
  std::string first, all;
  auto half = std::span(stored).first(stored.size() / 2);
  ASSERT_TRUE(MergeTapeBlocks(kTp, half, Effort::kMerge, &buffers, &first).ok());
  std::vector<StoredTapeBlock> second = {{log.messages[0].offset, first}};
  second.insert(second.end(), stored.begin() + static_cast<std::ptrdiff_t>(half.size()),
                stored.end());
  Status status = MergeTapeBlocks(kTp, second, Effort::kMerge, &buffers, &all);
  ASSERT_TRUE(status.ok()) << status.ToString();
  TapeBlock block;
  ASSERT_TRUE(block.Load(kTp, log.messages[0].offset, all, &buffers).ok());
  ASSERT_EQ(block.size(), 500u);
  for (size_t i = 0; i < 500; ++i) {
    ExpectSame(block.At(i), log.messages[i]);
    EXPECT_EQ(block.ReceivedAt(i), received[i]) << i;
  }
  std::swap(second[0], second[1]);
  EXPECT_EQ(MergeTapeBlocks(kTp, second, Effort::kMerge, &buffers, &all).code(),
            StatusCode::kInvalidArgument);
  EXPECT_EQ(MergeTapeBlocks(kTp, {}, Effort::kMerge, &buffers, &all).code(),
            StatusCode::kInvalidArgument);
}

TEST(TapeBlock, ABlockStoredUnderAnotherPartitionOrOffsetIsRefused) {
  CodecBuffers buffers;
  std::vector<MessageView> messages(2);
  messages[0].offset = 10;
  messages[1].offset = 11;
  std::string bytes = Sealed(messages, Timestamp(), &buffers);
  TapeBlock block;
  EXPECT_TRUE(block.Load(kTp, 10, bytes, &buffers).ok());
  EXPECT_EQ(block.Load(TpId{13}, 10, bytes, &buffers).code(), StatusCode::kCorruption);
  EXPECT_TRUE(block.empty());
  EXPECT_EQ(block.Load(kTp, 11, bytes, &buffers).code(), StatusCode::kCorruption);
}

TEST(TapeBlock, EveryFlippedByteIsNoticed) {
  Random random(TestSeed());
  CodecBuffers buffers;
  Log log = RandomLog(12, &random);
  int64_t base = log.messages[0].offset;
  std::string bytes = Sealed(log.messages, Timestamp(1), &buffers);
  TapeBlock block;
  for (size_t i = 0; i < bytes.size(); ++i) {
    for (int flip = 1; flip < 256; flip <<= 1) {
      std::string damaged = bytes;
      damaged[i] = static_cast<char>(damaged[i] ^ flip);
      ASSERT_FALSE(block.Load(kTp, base, damaged, &buffers).ok()) << "byte " << i;
    }
    ASSERT_FALSE(block.Load(kTp, base, std::string_view(bytes).substr(0, i), &buffers).ok());
  }
  EXPECT_FALSE(block.Load(kTp, base, bytes + '\0', &buffers).ok());
}

TEST(TapeBlockBuilder, WhatCannotBeAppendedLeavesTheBlockAsItWas) {
  TapeBlockBuilder builder;
  MessageView message;
  message.offset = 5;
  ASSERT_TRUE(builder.Append(message).ok());
  EXPECT_EQ(builder.Append(message).code(), StatusCode::kInvalidArgument);
  message.offset = 4;
  EXPECT_EQ(builder.Append(message).code(), StatusCode::kInvalidArgument);
  message.offset = 6;
  std::string huge(limits::kMessageBytesMax + 1, 'x');
  message.value = huge;
  EXPECT_EQ(builder.Append(message).code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(builder.count(), 1u);
  message.value = std::string_view(huge).substr(1);
  EXPECT_TRUE(builder.Append(message).ok());
  EXPECT_TRUE(builder.Full());
  CodecBuffers buffers;
  std::string bytes;
  ASSERT_TRUE(builder.Seal(kTp, Timestamp(), Effort::kLive, &buffers, &bytes).ok());
  TapeBlock block;
  ASSERT_TRUE(block.Load(kTp, 5, bytes, &buffers).ok());
  EXPECT_EQ(block.At(1).value, message.value);
  EXPECT_LT(builder.memory_bytes(), size_t{8} << 20);
}

}  // namespace
}  // namespace tapedeck
