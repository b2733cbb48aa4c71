#include "base/stream_decompressor.h"

#include <gtest/gtest.h>

#include "base/random.h"
#include "support/seed.h"

namespace tapedeck::testing {
namespace {

std::string Compressed(StreamCoding coding, std::string_view text) {
  auto compressor = StreamCompressor::Make(coding);
  std::string out;
  EXPECT_TRUE((*compressor)->Append(text, &out).ok());
  EXPECT_TRUE((*compressor)->Finish(&out).ok());
  return out;
}

Result<std::string> Decompressed(StreamCoding coding, std::string_view bytes, size_t in,
                                 size_t out_max) {
  TD_ASSIGN_OR_RETURN(auto decompressor, StreamDecompressor::Make(coding));
  std::string all;
  std::string out;
  std::string_view piece;
  do {
    out.clear();
    if (piece.empty()) {
      piece = bytes.substr(0, in);
      bytes.remove_prefix(piece.size());
    }
    TD_RETURN_IF_ERROR(decompressor->Append(&piece, out_max, &out));
    EXPECT_LE(out.size(), out_max);
    all += out;
  } while (!piece.empty() || !bytes.empty() || !out.empty());
  TD_RETURN_IF_ERROR(decompressor->Finish());
  return all;
}

class EveryCoding : public ::testing::TestWithParam<StreamCoding> {};

TEST_P(EveryCoding, PiecesOfAnySizeGiveTheText) {
  const uint64_t seed = TestSeed();
  SCOPED_TRACE(RepeatWith(seed));
  Random random(seed);
  for (const size_t size : {size_t{0}, size_t{1}, size_t{5000}, size_t{700'000}}) {
    std::string text(size, '\0');
    for (char& c : text) c = static_cast<char>('a' + random.Uniform(1 + random.Uniform(26)));
    // Long runs leave much inside after the last byte has been taken.
    if (size > 1000) text += std::string(900'000, 'x');
    const std::string bytes = Compressed(GetParam(), text);
    for (const size_t in : {size_t{7}, size_t{4096}, size_t{1} << 24}) {
      const size_t out = 1 + random.Uniform(200'000);
      const auto got = Decompressed(GetParam(), bytes, in, size > 1000 ? out : 1);
      ASSERT_TRUE(got.ok()) << got.status().ToString();
      ASSERT_TRUE(*got == text) << "in " << in << ", out " << out;
    }
  }
}

TEST_P(EveryCoding, DamageIsFound) {
  const std::string bytes = Compressed(GetParam(), std::string(3000, 'q') + "the end");
  auto code = [&](std::string_view damaged) {
    return Decompressed(GetParam(), damaged, 1000, 1000).status().code();
  };
  EXPECT_EQ(code(std::string_view(bytes).substr(0, bytes.size() - 1)), StatusCode::kCorruption);
  EXPECT_EQ(code(""), StatusCode::kCorruption);
  EXPECT_EQ(code(bytes + "x"), StatusCode::kCorruption);
  std::string other = bytes;
  other[other.size() / 2] = static_cast<char>(other[other.size() / 2] ^ 4);
  EXPECT_EQ(code(other), StatusCode::kCorruption);
}

INSTANTIATE_TEST_SUITE_P(Codings, EveryCoding,
                         ::testing::Values(StreamCoding::kGzip, StreamCoding::kZstd));

}  // namespace
}  // namespace tapedeck::testing
