#include "base/zstd.h"

#include <gtest/gtest.h>
#include <zstd.h>

#include <string>

#include "base/random.h"
#include "support/seed.h"

namespace tapedeck {
namespace {

using testing::RepeatWith;
using testing::TestSeed;

constexpr size_t kLimit = size_t{1} << 20;

std::string Compressed(std::string_view input, int level = 1) {
  Compressor compressor;
  std::string frame;
  EXPECT_TRUE(compressor.Append(input, level, &frame).ok());
  return frame;
}

/// The message of a refusal, and that it is a corruption that leaves nothing behind.
std::string Refusal(std::string_view frame, size_t limit = kLimit) {
  Decompressor decompressor;
  std::string out;
  Status status = decompressor.Decompress(frame, limit, &out);
  EXPECT_EQ(status.code(), StatusCode::kCorruption);
  return std::string(status.message());
}

TEST(Zstd, RoundTripsAtEveryLevelAndSize) {
  uint64_t seed = TestSeed();
  SCOPED_TRACE(RepeatWith(seed));
  Random random(seed);
  Compressor compressor;
  Decompressor decompressor;
  std::string out = "left over from before";
  for (size_t size : {0, 1, 100, 4096, 200'000}) {
    std::string input = random.Bytes(size);
    for (size_t i = size / 2; i < size; ++i) input[i] = 'x';  // half of it compresses
    for (int level : {1, 3, 9}) {
      std::string frame = "before";
      ASSERT_TRUE(compressor.Append(input, level, &frame).ok());
      ASSERT_EQ(frame.substr(0, 6), "before");
      Status status = decompressor.Decompress(std::string_view(frame).substr(6), size, &out);
      ASSERT_TRUE(status.ok()) << status.ToString();
      ASSERT_EQ(out, input);
    }
  }
}

TEST(Zstd, GivesBackMemoryAfterAGiantAndGoesOn) {
  Compressor compressor;
  Decompressor decompressor;
  std::string giant(size_t{20} << 20, 'g');
  for (const std::string& input : {giant, std::string("small"), giant}) {
    std::string frame;
    std::string out;
    ASSERT_TRUE(compressor.Append(input, 1, &frame).ok());
    ASSERT_TRUE(decompressor.Decompress(frame, giant.size(), &out).ok());
    ASSERT_EQ(out, input);
  }
}

TEST(Zstd, ABombIsRefusedBeforeAnythingIsAllocated) {
  std::string bomb = Compressed(std::string(size_t{64} << 20, '\0'));
  EXPECT_LT(bomb.size(), 20'000u);
  std::string out;
  Decompressor decompressor;
  Status status = decompressor.Decompress(bomb, kLimit, &out);
  EXPECT_EQ(status.code(), StatusCode::kCorruption);
  EXPECT_NE(status.message().find("67108864"), std::string::npos) << status.message();
  EXPECT_LT(out.capacity(), 100u);
}

TEST(Zstd, AFrameWithoutItsSizeIsRefused) {
  ZSTD_CCtx* context = ZSTD_createCCtx();
  ZSTD_CCtx_setParameter(context, ZSTD_c_contentSizeFlag, 0);
  std::string frame(1000, '\0');
  frame.resize(ZSTD_compress2(context, frame.data(), frame.size(), "hello", 5));
  ZSTD_freeCCtx(context);
  EXPECT_EQ(Refusal(frame), "the zstd frame does not declare its content size");
}

TEST(Zstd, AFileOfOtherToolsNeedNotDeclareItsSizeAndMayHoldSeveralFrames) {
  // What `zstd` writes when it reads from a pipe.
  const std::string piped(
      "\x28\xb5\x2f\xfd\x04\x58\x4d\x00\x00\x18\x61\x62\x63\x01\x00\x8e\x6e\x08\x10\x1c\x69\xbe",
      22);
  std::string large(3'000'000, 'x');
  Decompressor decompressor;
  std::string content;
  ASSERT_TRUE(
      decompressor.DecompressFile(piped + Compressed(large) + piped, 4 << 20, &content).ok());
  std::string abc;
  for (int i = 0; i < 12; ++i) abc += "abc";
  EXPECT_EQ(content, abc + large + abc);
  EXPECT_EQ(decompressor.DecompressFile(piped + Compressed(large), kLimit, &content).code(),
            StatusCode::kCorruption);
  for (size_t size = 0; size < piped.size(); ++size) {
    EXPECT_EQ(decompressor.DecompressFile(piped.substr(0, size), kLimit, &content).code(),
              StatusCode::kCorruption)
        << size;
  }
}

TEST(Zstd, OnlyExactlyOneFrameIsTaken) {
  std::string frame = Compressed("hello hello hello hello");
  EXPECT_EQ(Refusal(frame + "x"), "1 bytes after the zstd frame");
  EXPECT_EQ(Refusal(frame + frame), std::to_string(frame.size()) + " bytes after the zstd frame");
  EXPECT_EQ(Refusal(""), "not a zstd frame");
  EXPECT_EQ(Refusal("hello"), "not a zstd frame");
  // A skippable frame is a whole frame to zstd, with "0 bytes" of content.
  EXPECT_EQ(Refusal(std::string("\x50\x2a\x4d\x18\x04\0\0\0abcd", 12)), "not a zstd frame");
  for (size_t size = 0; size < frame.size(); ++size) Refusal(frame.substr(0, size));
}

TEST(Zstd, AFrameThatLiesAboutItsSizeIsRefused) {
  std::string frame =
      Compressed(std::string(200, 'a'));  // single segment: one byte of content size
  ASSERT_EQ(static_cast<unsigned char>(frame[5]), 200);
  frame[5] = 10;
  Refusal(frame);
  frame[5] = static_cast<char>(250);
  Refusal(frame);
}

TEST(Zstd, DamagedFramesNeverCrashAndNeverGrowPastTheLimit) {
  uint64_t seed = TestSeed();
  SCOPED_TRACE(RepeatWith(seed));
  Random random(seed);
  std::string input;
  while (input.size() < 3000) input += "{\"p\":" + std::to_string(random.Uniform(100'000)) + "}";
  const std::string frame = Compressed(input, 3);
  Decompressor decompressor;
  std::string out;
  for (int round = 0; round < 5000; ++round) {
    std::string damaged = frame;
    damaged[random.Uniform(damaged.size())] = static_cast<char>(random.Next());
    if (random.OneIn(3)) damaged.resize(random.Uniform(damaged.size()));
    Status status = decompressor.Decompress(damaged, kLimit, &out);
    ASSERT_LE(out.size(), kLimit);
    ASSERT_TRUE(status.ok() || status.code() == StatusCode::kCorruption) << status.ToString();
  }
  ASSERT_TRUE(decompressor.Decompress(frame, kLimit, &out).ok());
  EXPECT_EQ(out, input);
}

}  // namespace
}  // namespace tapedeck
