// Any bytes whatever, given to the decoders: a Status or a valid answer, never a crash, never
// unbounded memory. Half of the mutated
// blocks get a right hash, so that what lies behind it is reached. TAPEDECK_FUZZ_ITERATIONS asks
// for more.

#include <gtest/gtest.h>

#include <cstdlib>
#include <deque>

#include "base/bytes.h"
#include "base/hash.h"
#include "base/random.h"
#include "base/zstd.h"
#include "codec/integers.h"
#include "codec/series_block.h"
#include "codec/tape_block.h"
#include "series_support.h"
#include "support/seed.h"

namespace tapedeck {
namespace {

using testing::RepeatWith;
using testing::TestSeed;

constexpr TpId kTp{3};
constexpr size_t kHashBytes = 8;

size_t Iterations(size_t few) {
  const char* given = std::getenv("TAPEDECK_FUZZ_ITERATIONS");
  return given == nullptr ? few : std::strtoull(given, nullptr, 10);
}

void Mutate(Random* random, std::string* bytes) {
  for (uint64_t i = 0; i <= random->Uniform(4); ++i) {
    if (bytes->empty()) return;
    size_t at = random->Uniform(bytes->size());
    switch (random->Uniform(6)) {
      case 0:
        (*bytes)[at] = static_cast<char>((*bytes)[at] ^ (1 << random->Uniform(8)));
        break;
      case 1:
        (*bytes)[at] = static_cast<char>(random->Next());
        break;
      case 2:
        bytes->erase(at, 1 + random->Uniform(8));
        break;
      case 3:
        bytes->insert(at, random->Bytes(1 + random->Uniform(8)));
        break;
      case 4:
        bytes->replace(at, std::min<size_t>(4, bytes->size() - at),
                       random->OneIn(2) ? "\xff\xff\xff\xff" : std::string(4, '\0'));
        break;
      default:
        bytes->resize(at);
        break;
    }
  }
}

// Puts the content behind a header of the right lengths and hash, as docs/formats.md says: the
// test's own view of the format.
std::string Reframe(const std::string& block, std::string content, size_t header_bytes,
                    size_t lengths_at, std::string_view identity, bool compress,
                    std::string* stored_as) {
  std::string stored = content;
  if (compress) {
    stored.clear();
    Compressor compressor;
    EXPECT_TRUE(compressor.Append(content, 1, &stored).ok());
  }
  std::string header = block.substr(0, header_bytes - kHashBytes);
  header[5] = compress ? 2 : 1;
  std::string size;
  PutLittle32(&size, static_cast<uint32_t>(content.size()));
  header.replace(lengths_at, 4, size);
  size.clear();
  PutLittle32(&size, static_cast<uint32_t>(stored.size()));
  header.replace(header_bytes - kHashBytes - (header_bytes == kSeriesHeaderBytes ? 20 : 4), 4,
                 size);
  uint64_t hash = HashBytes64(stored, HashBytes64(header, HashBytes64(identity)));
  PutLittle64(&header, hash);
  *stored_as = stored;
  return header + stored;
}

std::string ContentOf(const std::string& block, size_t header_bytes) {
  std::string stored = block.substr(header_bytes), content;
  if (block[5] == 1) return stored;
  Decompressor decompressor;
  EXPECT_TRUE(decompressor.Decompress(stored, size_t{64} << 20, &content).ok());
  return content;
}

TEST(CodecFuzz, MutatedSeriesBlocksGiveAStatusOrValidRows) {
  uint64_t seed = TestSeed();
  SCOPED_TRACE(RepeatWith(seed));
  Random random(seed);
  std::deque<std::string> texts = {"buy", "sell", "99999999999999999999.5", std::string(300, 'x')};
  std::vector<Column> columns = codec_test::QuoteColumns();
  columns.push_back({"side", ColumnType::kText});
  columns.push_back({"note", ColumnType::kText});
  columns.push_back({"flag", ColumnType::kFlag});
  std::vector<std::string> blocks;
  CodecBuffers buffers;
  for (size_t rows : {1, 5, 300, 700}) {
    std::vector<codec_test::PlainRow> plain = codec_test::Quotes(rows, &random);
    for (size_t i = 0; i < rows; ++i) {
      if (i % 90 == 7) plain[i].values[0] = Value::OfDecimalText(texts[2]);
      plain[i].values.push_back(Value::OfText(texts[i % 2]));
      plain[i].values.push_back(
          i % 7 == 0 ? Value() : Value::OfText(std::string_view(texts[3]).substr(i % 200)));
      plain[i].values.push_back(Value::OfFlag(i % 3 == 0));
    }
    ASSERT_TRUE(EncodeSeriesBlock("k", codec_test::ToRows(plain, columns), columns, 0, rows,
                                  Effort::kMerge, &buffers, &blocks.emplace_back())
                    .ok());
  }
  size_t valid = 0;
  Rows rows;
  std::string canonical, stored;
  for (size_t i = 0; i < Iterations(8000); ++i) {
    const std::string& block = blocks[random.Uniform(blocks.size())];
    std::string content = ContentOf(block, kSeriesHeaderBytes);
    Mutate(&random, &content);
    std::string bad =
        Reframe(block, content, kSeriesHeaderBytes, 12, "k", random.OneIn(4), &stored);
    Status status = DecodeSeriesBlock("k", bad, columns, &buffers, &rows);
    if (!status.ok()) {
      ASSERT_EQ(status.code(), StatusCode::kCorruption) << status.ToString();
      ASSERT_EQ(rows.size(), 0u);
      continue;
    }
    ++valid;
    for (size_t row = 0; row < rows.size(); ++row) {
      for (const RowsColumn& column : rows.columns) column.At(row).AppendCanonical(&canonical);
    }
    canonical.clear();
  }
  EXPECT_GT(valid, 0u) << "the hash was right: some mutations hit what nobody reads";
}

// Messages of two shapes with columns of every kind, and some of none.
std::string ShapedBlock(int count, CodecBuffers* buffers) {
  TapeBlockBuilder builder;
  for (int i = 0; i < count; ++i) {
    const std::string tokens[] = {std::to_string(i * 37) + "." + std::to_string(100 + i % 800),
                                  "SYM" + std::to_string(i % 4), std::string(size_t(i % 23), 'x'),
                                  std::to_string(i % 9) + (i % 3 == 0 ? "" : ".5")};
    std::string value = i % 5 == 0 ? "trade " : "{\"quote\":";
    std::vector<SlotRange> slots;
    for (const std::string& token : tokens) {
      slots.push_back({static_cast<uint32_t>(value.size()), static_cast<uint32_t>(token.size())});
      value += token + ",";
    }
    MessageView message;
    message.offset = 100 + i;
    message.value = value;
    const MessageShape shape = {i % 5 == 0 ? 1u : 2u, slots};
    EXPECT_TRUE(builder.Append(message, i % 11 == 0 ? nullptr : &shape).ok());
  }
  std::string bytes;
  EXPECT_TRUE(builder.Seal(kTp, Timestamp(5), Effort::kLive, buffers, &bytes).ok());
  EXPECT_EQ(bytes[4], count >= 100 ? 2 : bytes[4]);
  return bytes;
}

TEST(CodecFuzz, MutatedTapeBlocksGiveAStatusOrValidMessages) {
  uint64_t seed = TestSeed();
  SCOPED_TRACE(RepeatWith(seed));
  Random random(seed);
  std::vector<std::string> blocks;
  CodecBuffers buffers;
  std::string value(200, 'v');
  std::vector<HeaderView> headers = {{"a", "b"}, {"", std::nullopt}};
  for (int count : {1, 9, 400}) {
    TapeBlockBuilder builder;
    for (int i = 0; i < count; ++i) {
      MessageView message;
      message.offset = 100 + i;
      message.timestamp_ms = 1'720'000'000'000 + i / 3;
      message.timestamp_type = TimestampType::kCreate;
      if (i % 3 != 0) message.key = std::string_view(value).substr(0, static_cast<size_t>(i % 5));
      if (i % 7 != 0)
        message.value = std::string_view(value).substr(0, static_cast<size_t>(i % 150));
      if (i % 2 == 0) message.headers = headers;
      ASSERT_TRUE(builder.Append(message).ok());
      if (i % 40 == 0) builder.MarkReceived(Timestamp(i));
    }
    ASSERT_TRUE(
        builder.Seal(kTp, Timestamp(5), Effort::kLive, &buffers, &blocks.emplace_back()).ok());
  }
  for (int count : {20, 300}) blocks.push_back(ShapedBlock(count, &buffers));
  std::string identity, stored;
  PutLittle32(&identity, Raw(kTp));
  PutLittle64(&identity, 100);
  size_t bytes = 0, valid = 0;
  TapeBlock block;
  for (size_t i = 0; i < Iterations(8000); ++i) {
    const std::string& good = blocks[random.Uniform(blocks.size())];
    std::string content = ContentOf(good, kTapeHeaderBytes);
    Mutate(&random, &content);
    std::string bad =
        Reframe(good, content, kTapeHeaderBytes, 20, identity, random.OneIn(4), &stored);
    Status status = block.Load(kTp, 100, bad, &buffers);
    if (!status.ok()) {
      ASSERT_EQ(status.code(), StatusCode::kCorruption) << status.ToString();
      ASSERT_TRUE(block.empty());
      continue;
    }
    ++valid;
    MessageHasher hasher;
    for (size_t m = 0; m < block.size(); ++m) bytes += hasher.Content(block.At(m)).low & 1;
  }
  EXPECT_GT(valid, 0u);
  EXPECT_GE(bytes, 0u);
}

TEST(CodecFuzz, RandomBytesAreNeitherKindOfBlock) {
  uint64_t seed = TestSeed();
  SCOPED_TRACE(RepeatWith(seed));
  Random random(seed);
  CodecBuffers buffers;
  Rows rows;
  TapeBlock block;
  for (size_t i = 0; i < Iterations(3000); ++i) {
    std::string bytes = random.Bytes(random.Uniform(200));
    if (random.OneIn(2))
      bytes = (random.OneIn(2) ? "TDTB\x01\x02" : "TDSB\x01\x02") + std::string(2, '\0') + bytes;
    ASSERT_FALSE(DecodeSeriesBlock("k", bytes, {}, &buffers, &rows).ok());
    ASSERT_FALSE(block.Load(kTp, 0, bytes, &buffers).ok());
  }
}

TEST(CodecFuzz, MutatedIntegerStreamsGiveAStatusOrNumbers) {
  uint64_t seed = TestSeed();
  SCOPED_TRACE(RepeatWith(seed));
  Random random(seed);
  IntegerEncoder encoder;
  IntegerDecoder decoder;
  for (size_t i = 0; i < Iterations(8000); ++i) {
    std::vector<int64_t> values(1 + random.Uniform(400));
    unsigned shift = static_cast<unsigned>(random.Uniform(64));
    int64_t at = 0;
    uint64_t quiet = 1 + random.Uniform(6);
    for (int64_t& v : values) {
      if (random.OneIn(quiet)) at += static_cast<int64_t>(random.Next() >> shift >> 1) % 1'000'000;
      v = at;
    }
    std::string stream;
    encoder.Encode(values, random.OneIn(2) ? Effort::kLive : Effort::kMerge, &stream);
    Mutate(&random, &stream);
    std::vector<int64_t> back(random.OneIn(4) ? random.Uniform(600) : values.size());
    Status status = decoder.Decode(stream, back);
    ASSERT_TRUE(status.ok() || status.code() == StatusCode::kCorruption) << status.ToString();
  }
}

TEST(CodecFuzz, AHeaderThatPromisesGigabytesAllocatesNothing) {
  CodecBuffers buffers;
  std::string header = "TDSB\x01\x02";
  header.append(2, '\0');
  PutLittle32(&header, UINT32_MAX);  // rows
  PutLittle32(&header, UINT32_MAX);  // content
  PutLittle32(&header, 0);
  header.append(24, '\0');
  EXPECT_EQ(ParseSeriesHeader(header).status().code(), StatusCode::kCorruption);
  header = "TDTB\x01\x02";
  header.append(2, '\0');
  PutLittle64(&header, 0);
  PutLittle32(&header, UINT32_MAX);
  PutLittle32(&header, UINT32_MAX);
  PutLittle32(&header, UINT32_MAX);
  PutLittle32(&header, 0);
  PutLittle64(&header, 0);
  EXPECT_EQ(ParseTapeHeader(header).status().code(), StatusCode::kCorruption);
}

}  // namespace
}  // namespace tapedeck
