// Tape objects: messages come back byte for byte, any range of them.

#include "archive/tape_object.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <filesystem>

#include "base/encoding.h"
#include "base/random.h"
#include "codec/tape_block.h"
#include "support/seed.h"
#include "support/temp_dir.h"

namespace tapedeck::testing {
namespace {

const TapeId kTape{"cluster", "Finhub1", 2, 3};

/// A message that owns its bytes.
struct Message {
  int64_t offset = 0;
  int64_t timestamp_ms = -1;
  TimestampType type = TimestampType::kNone;
  std::optional<std::string> key, value;
  std::vector<std::pair<std::string, std::optional<std::string>>> headers;
  Timestamp received;

  MessageView View(std::vector<HeaderView>* views) const {
    views->clear();
    for (const auto& [name, content] : headers) {
      views->push_back({name, content ? OptionalBytes(*content) : std::nullopt});
    }
    MessageView view;
    view.offset = offset;
    view.timestamp_ms = timestamp_ms;
    view.timestamp_type = type;
    view.key = key ? OptionalBytes(*key) : std::nullopt;
    view.value = value ? OptionalBytes(*value) : std::nullopt;
    view.headers = *views;
    return view;
  }
};

std::optional<std::string> RandomBytes(Random* random, size_t most) {
  if (random->Uniform(5) == 0) return std::nullopt;
  if (random->Uniform(5) == 0) return "";
  std::string bytes(random->Uniform(most) + 1, '\0');
  for (size_t i = 0; i < bytes.size(); i += 8) {
    const uint64_t word = random->Next();
    std::memcpy(bytes.data() + i, &word, std::min<size_t>(8, bytes.size() - i));
  }
  return bytes;
}

std::vector<Message> RandomMessages(Random* random, size_t count, size_t value_bytes) {
  std::vector<Message> messages;
  int64_t offset = static_cast<int64_t>(random->Uniform(1000));
  Timestamp received(1'719'893'836'373'123'456);
  for (size_t i = 0; i < count; ++i) {
    Message message;
    offset += 1 + static_cast<int64_t>(random->Uniform(random->Uniform(10) == 0 ? 50 : 1));
    message.offset = offset;
    message.type = static_cast<TimestampType>(random->Uniform(3));
    message.timestamp_ms = message.type == TimestampType::kNone
                               ? -1
                               : 1'719'893'836'000 + static_cast<int64_t>(random->Uniform(100'000));
    if (random->Uniform(100) == 0 && message.type != TimestampType::kNone) {
      message.timestamp_ms = static_cast<int64_t>(random->Next());
    }
    message.key = RandomBytes(random, 20);
    message.value = RandomBytes(random, value_bytes);
    for (size_t h = random->Uniform(4); h > 0; --h) {
      // Names that repeat, that are empty, that are not text.
      const char* names[] = {"source", "source", "", "\xff\x80"};
      message.headers.emplace_back(names[random->Uniform(4)], RandomBytes(random, 10));
    }
    if (random->Uniform(100) == 0) received = Timestamp(received.ns() + 200'000'001);
    message.received = received;
    messages.push_back(std::move(message));
  }
  return messages;
}

WrittenObject Write(const std::vector<Message>& messages, const std::string& path) {
  auto writer = TapeObjectWriter::Make({.tape = kTape, .path = path, .writer = "tapedeck test"});
  EXPECT_TRUE(writer.ok()) << writer.status().ToString();
  std::vector<HeaderView> views;
  for (const Message& message : messages) {
    const Status status = (*writer)->Append(message.View(&views), message.received);
    EXPECT_TRUE(status.ok()) << status.ToString();
  }
  auto written = (*writer)->Finish();
  EXPECT_TRUE(written.ok()) << written.status().ToString();
  return written.ok() ? *written : WrittenObject();
}

std::string Text(const MessageView& message, Timestamp received) {
  auto piece = [](const OptionalBytes& bytes) {
    return bytes ? "[" + ToHex(*bytes) + "]" : std::string("null");
  };
  std::string text = std::to_string(message.offset) + " " + std::to_string(message.timestamp_ms) +
                     " " + std::to_string(static_cast<int>(message.timestamp_type)) + " " +
                     std::to_string(received.ns()) + " " + piece(message.key) + " " +
                     piece(message.value);
  for (const HeaderView& header : message.headers) {
    text += " " + piece(header.name) + "=" + piece(header.value);
  }
  return text;
}

struct OpenObject {
  std::unique_ptr<ObjectSource> source;
  std::shared_ptr<const TapeObjectFooter> footer;
  std::unique_ptr<TapeObjectReader> reader;
};

OpenObject Open(const std::string& path) {
  OpenObject open;
  auto source = OpenLocalObject(path, path);
  EXPECT_TRUE(source.ok()) << source.status().ToString();
  open.source = std::move(*source);
  auto footer = TapeObjectFooter::Read(*open.source);
  EXPECT_TRUE(footer.ok()) << footer.status().ToString();
  open.footer = *footer;
  auto reader = TapeObjectReader::Open(open.source.get(), open.footer, kTape);
  EXPECT_TRUE(reader.ok()) << reader.status().ToString();
  open.reader = std::move(*reader);
  return open;
}

// From where the reader stands to the end, or `most` messages.
void ExpectRest(TapeObjectReader* reader, const std::vector<Message>& messages, size_t first,
                size_t most) {
  std::vector<HeaderView> views;
  MessageHasher hasher;
  const TopicPartition tp{kTape.topic, kTape.partition};
  size_t at = first;
  while (at < messages.size() && at - first < most) {
    const Status next = reader->Next();
    ASSERT_TRUE(next.ok()) << next.ToString();
    ASSERT_FALSE(reader->empty()) << "the end instead of message " << at;
    for (size_t i = 0; i < reader->size(); ++i, ++at) {
      ASSERT_LT(at, messages.size());
      const MessageView wanted = messages[at].View(&views);
      ASSERT_EQ(reader->offset(i), wanted.offset);
      const bool same = hasher.Message(reader->At(i), tp) == hasher.Message(wanted, tp) &&
                        reader->ReceivedAt(i) == messages[at].received;
      ASSERT_TRUE(same) << Text(reader->At(i), reader->ReceivedAt(i)) << "\ninstead of\n"
                        << Text(wanted, messages[at].received);
    }
  }
  if (most < messages.size()) return;
  const Status next = reader->Next();
  ASSERT_TRUE(next.ok()) << next.ToString();
  EXPECT_TRUE(reader->empty());
}

TEST(TapeObject, MessagesComeBackByteForByte) {
  const uint64_t seed = TestSeed();
  SCOPED_TRACE(RepeatWith(seed));
  Random random(seed);
  TempDir dir;
  const std::vector<Message> messages = RandomMessages(&random, 5000, 200);
  const WrittenObject written = Write(messages, dir.File("tape"));
  EXPECT_EQ(written.object.rows, messages.size());
  EXPECT_EQ(written.object.bytes, std::filesystem::file_size(written.path));
  const std::vector<TapeRange> range = {
      {kTape, messages.front().offset, messages.back().offset + 1}};
  EXPECT_EQ(written.object.offsets, range);
  OpenObject open = Open(written.path);
  EXPECT_EQ(open.footer->messages(), messages.size());
  EXPECT_EQ(open.footer->first_offset(), messages.front().offset);
  EXPECT_EQ(open.footer->last_offset(), messages.back().offset);
  ExpectRest(open.reader.get(), messages, 0, SIZE_MAX);
}

TEST(TapeObject, SeekFindsEveryOffsetAndHolesBetweenThem) {
  const uint64_t seed = TestSeed();
  SCOPED_TRACE(RepeatWith(seed));
  Random random(seed);
  TempDir dir;
  // Several row groups, many pages.
  const std::vector<Message> messages = RandomMessages(&random, 110'000, 1500);
  const WrittenObject written = Write(messages, dir.File("tape"));
  OpenObject open = Open(written.path);
  for (int i = 0; i < 20; ++i) {
    const int64_t offset = messages.front().offset - 2 +
                           static_cast<int64_t>(random.Uniform(static_cast<uint64_t>(
                               messages.back().offset - messages.front().offset + 4)));
    const auto first = std::lower_bound(
        messages.begin(), messages.end(), offset,
        [](const Message& message, int64_t wanted) { return message.offset < wanted; });
    const Status sought = open.reader->Seek(offset);
    ASSERT_TRUE(sought.ok()) << sought.ToString();
    ExpectRest(open.reader.get(), messages, static_cast<size_t>(first - messages.begin()), 2000);
    if (HasFatalFailure()) return;
  }
}

TEST(TapeObject, MessageOfTheGreatestSizeFits) {
  TempDir dir;
  std::vector<Message> messages(2);
  messages[0].offset = 0;
  messages[0].value = std::string(limits::kMessageBytesMax, 'x');
  for (size_t i = 0; i < messages[0].value->size(); i += 977) (*messages[0].value)[i] = 'y';
  messages[1].offset = 1;
  messages[1].value = "";
  OpenObject open = Open(Write(messages, dir.File("tape")).path);
  ExpectRest(open.reader.get(), messages, 0, SIZE_MAX);
  auto writer = TapeObjectWriter::Make({.tape = kTape, .path = dir.File("other")});
  ASSERT_TRUE(writer.ok());
  messages[0].value->push_back('x');
  std::vector<HeaderView> views;
  EXPECT_EQ((*writer)->Append(messages[0].View(&views), Timestamp()).code(),
            StatusCode::kInvalidArgument);
}

TEST(TapeObject, BlocksOfTheStoreBecomeTheSameObjectEachTime) {
  const uint64_t seed = TestSeed();
  SCOPED_TRACE(RepeatWith(seed));
  Random random(seed);
  TempDir dir;
  const std::vector<Message> messages = RandomMessages(&random, 3000, 300);
  const WrittenObject direct = Write(messages, dir.File("direct"));
  auto writer = TapeObjectWriter::Make(
      {.tape = kTape, .path = dir.File("blocks"), .writer = "tapedeck test"});
  ASSERT_TRUE(writer.ok());
  TapeBlockBuilder builder;
  CodecBuffers buffers;
  std::vector<HeaderView> views;
  for (size_t i = 0; i < messages.size(); ++i) {
    ASSERT_TRUE(builder.Append(messages[i].View(&views)).ok());
    builder.MarkReceived(messages[i].received);
    if (i + 1 < messages.size() && random.Uniform(500) != 0) continue;
    const int64_t base = builder.base_offset();
    std::string bytes;
    ASSERT_TRUE(builder.Seal(TpId{4}, messages[i].received, Effort::kLive, &buffers, &bytes).ok());
    TapeBlock block;
    ASSERT_TRUE(block.Load(TpId{4}, base, bytes, &buffers).ok());
    for (size_t m = 0; m < block.size(); ++m) {
      ASSERT_TRUE((*writer)->Append(block.At(m), block.ReceivedAt(m)).ok());
    }
  }
  auto blocks = (*writer)->Finish();
  ASSERT_TRUE(blocks.ok()) << blocks.status().ToString();
  EXPECT_EQ(blocks->object, direct.object);
}

TEST(TapeObject, OffsetsMustAscendAndAnObjectHoldsSomething) {
  TempDir dir;
  {
    auto writer = TapeObjectWriter::Make({.tape = kTape, .path = dir.File("tape")});
    ASSERT_TRUE(writer.ok());
    EXPECT_EQ((*writer)->Finish().status().code(), StatusCode::kFailedPrecondition);
    MessageView message;
    message.offset = 5;
    ASSERT_TRUE((*writer)->Append(message, Timestamp()).ok());
    EXPECT_EQ((*writer)->Append(message, Timestamp()).code(), StatusCode::kInvalidArgument);
  }
  EXPECT_TRUE(std::filesystem::is_empty(dir.path())) << "the file of a writer that was dropped";
}

TEST(TapeObject, ObjectOfAnotherTapeIsRefused) {
  Random random(3);
  TempDir dir;
  OpenObject open = Open(Write(RandomMessages(&random, 10, 10), dir.File("tape")).path);
  TapeId other = kTape;
  other.lineage = 0;
  EXPECT_EQ(TapeObjectReader::Open(open.source.get(), open.footer, other).status().code(),
            StatusCode::kCorruption);
  other = kTape;
  other.cluster = "another name of it";
  EXPECT_TRUE(TapeObjectReader::Open(open.source.get(), open.footer, other).ok());
}

}  // namespace
}  // namespace tapedeck::testing
