#include "base/stream_compressor.h"

#include <gtest/gtest.h>
#include <zlib.h>

#include "base/random.h"
#include "base/zstd.h"
#include "support/seed.h"

namespace tapedeck {
namespace {

std::string Gunzip(const std::string& bytes, bool* ended) {
  z_stream state{};
  EXPECT_EQ(::inflateInit2(&state, 15 + 16), Z_OK);
  std::string copy = bytes;
  state.next_in = reinterpret_cast<Bytef*>(copy.data());
  state.avail_in = static_cast<uInt>(copy.size());
  std::string out;
  int result = Z_OK;
  while (result == Z_OK && state.avail_in > 0) {
    std::string piece(4096, '\0');
    state.next_out = reinterpret_cast<Bytef*>(piece.data());
    state.avail_out = static_cast<uInt>(piece.size());
    result = ::inflate(&state, Z_NO_FLUSH);
    out.append(piece, 0, piece.size() - state.avail_out);
  }
  *ended = result == Z_STREAM_END;
  ::inflateEnd(&state);
  return out;
}

std::string MadePieces(Random* random, StreamCoding coding, std::string* content) {
  std::string out;
  auto made = StreamCompressor::Make(coding);
  EXPECT_TRUE(made.ok());
  const uint64_t pieces = random->Uniform(6);
  for (uint64_t i = 0; i < pieces; ++i) {
    std::string piece = random->OneIn(2) ? random->Bytes(random->Uniform(200'000))
                                         : std::string(random->Uniform(300'000), 'x');
    EXPECT_TRUE((*made)->Append(piece, &out).ok());
    if (random->OneIn(2)) {
      EXPECT_TRUE((*made)->Flush(&out).ok());
    }
    *content += piece;
  }
  EXPECT_TRUE((*made)->Finish(&out).ok());
  return out;
}

TEST(StreamCompressor, AnyPiecesComeBackWhole) {
  const uint64_t seed = testing::TestSeed();
  Random random(seed);
  for (int round = 0; round < 60; ++round) {
    std::string content;
    std::string made = MadePieces(&random, StreamCoding::kGzip, &content);
    bool ended = false;
    EXPECT_TRUE(Gunzip(made, &ended) == content);
    EXPECT_TRUE(ended);
    content.clear();
    made = MadePieces(&random, StreamCoding::kZstd, &content);
    std::string back;
    ASSERT_TRUE(Decompressor().DecompressFile(made, size_t{64} << 20, &back).ok());
    EXPECT_TRUE(back == content);
  }
}

TEST(StreamCompressor, WhatWasFlushedCanBeReadBeforeTheEnd) {
  auto made = StreamCompressor::Make(StreamCoding::kGzip);
  ASSERT_TRUE(made.ok());
  std::string out;
  ASSERT_TRUE((*made)->Append("first rows\n", &out).ok());
  ASSERT_TRUE((*made)->Flush(&out).ok());
  bool ended = false;
  EXPECT_EQ(Gunzip(out, &ended), "first rows\n");
  EXPECT_FALSE(ended);
}

}  // namespace
}  // namespace tapedeck
