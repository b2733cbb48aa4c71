#include <gtest/gtest.h>

#include <map>

#include "base/random.h"
#include "blob/blob_name.h"
#include "support/seed.h"

namespace tapedeck {
namespace {

TEST(BlobName, NamesOfTheArchiveAreNames) {
  for (const char* name :
       {"trades/dt=2024-07-02/tapedeck-1-0af3-g000-00-9c1d.parquet", "a", "_tapedeck/n/x.json",
        "tape/crypto%2Fbtc/dt=1969-12-31/n-s-l0-p00003-0-99-ab.parquet", "-", "%", "a.b..c"}) {
    EXPECT_TRUE(CheckBlobName(name).ok()) << name;
  }
  EXPECT_TRUE(CheckBlobName(std::string(240, 'a') + "/" + std::string(240, 'b')).ok());
  EXPECT_FALSE(CheckBlobName(std::string(241, 'a')).ok());
}

TEST(NamePart, EveryByteComesBackAndNothingButPlainBytesIsWritten) {
  for (int byte = 0; byte < 256; ++byte) {
    const std::string bytes(1, static_cast<char>(byte));
    const std::string part = EncodeNamePart(bytes);
    EXPECT_TRUE(CheckBlobName(part).ok()) << byte;
    EXPECT_EQ(
        part.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-%"),
        std::string::npos);
    EXPECT_EQ(*DecodeNamePart(part), bytes);
  }
  EXPECT_EQ(EncodeNamePart("btc/usd.perp"), "btc%2Fusd%2Eperp");
  EXPECT_EQ(EncodeNamePart(""), "%");
  EXPECT_EQ(*DecodeNamePart("%"), "");
  EXPECT_EQ(EncodeNamePart("%"), "%25");
}

TEST(NamePart, WhatTheEncoderWouldNotWriteIsRefused) {
  for (const char* part : {"", "%2e", "%41", "a b", "%%", "a%", "a%2", "%zz", "a/b"})
    EXPECT_EQ(DecodeNamePart(part).status().code(), StatusCode::kInvalidArgument) << part;
}

TEST(NamePart, LongBytesAreCutAndStayDifferent) {
  const std::string a = EncodeNamePart(std::string(4096, 'x'));
  const std::string b = EncodeNamePart(std::string(4095, 'x') + "y");
  EXPECT_LE(a.size(), kNamePartBytesMax);
  EXPECT_NE(a, b);
  EXPECT_EQ(a.substr(0, 80), b.substr(0, 80));
  EXPECT_EQ(DecodeNamePart(a).status().code(), StatusCode::kInvalidArgument);
  // Just as long as fits is not cut; no cut falls into the middle of a %XX.
  EXPECT_EQ(EncodeNamePart(std::string(120, 'x')), std::string(120, 'x'));
  for (size_t size = 38; size < 200; ++size) {
    const std::string part = EncodeNamePart(std::string(size, '/') + "x");
    EXPECT_LE(part.size(), kNamePartBytesMax);
    EXPECT_TRUE(CheckBlobName(part).ok());
    EXPECT_EQ(part.substr(0, part.find('.')).size() % 3 <= 1, true) << part;
  }
}

TEST(NamePart, DifferentBytesHaveDifferentParts) {
  uint64_t seed = testing::TestSeed();
  SCOPED_TRACE(testing::RepeatWith(seed));
  Random random(seed);
  std::map<std::string, std::string> seen;
  for (int i = 0; i < 20'000; ++i) {
    std::string bytes = random.Bytes(random.Uniform(4));
    if (random.OneIn(3)) bytes = std::string(random.Uniform(200), "./%a"[random.Uniform(4)]);
    const auto [at, is_new] = seen.emplace(EncodeNamePart(bytes), bytes);
    if (!is_new) {
      ASSERT_EQ(at->second, bytes);
    }
  }
}

}  // namespace
}  // namespace tapedeck
