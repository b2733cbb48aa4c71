#include "base/encoding.h"

#include <gtest/gtest.h>

#include "base/random.h"
#include "base/secure_hash.h"
#include "support/seed.h"

namespace tapedeck {
namespace {

TEST(Encoding, TheExamplesOfRfc4648) {
  const std::pair<const char*, const char*> examples[] = {{"", ""},
                                                          {"f", "Zg=="},
                                                          {"fo", "Zm8="},
                                                          {"foo", "Zm9v"},
                                                          {"foob", "Zm9vYg=="},
                                                          {"fooba", "Zm9vYmE="},
                                                          {"foobar", "Zm9vYmFy"}};
  for (const auto& [plain, encoded] : examples) {
    EXPECT_EQ(ToBase64(plain), encoded);
    EXPECT_EQ(*FromBase64(encoded), plain);
  }
}

TEST(Encoding, WhatTheEncoderWouldNotWriteIsRefused) {
  for (const char* text : {"Z", "Zg", "Zg=", "Zg===", "Z===", "=", "====", "Zh==", "Zm9=", "Zm 9",
                           "Zm9v\n", "Z=g=", "Zm9-"}) {
    EXPECT_EQ(FromBase64(text).status().code(), StatusCode::kInvalidArgument) << text;
  }
  for (const char* text : {"%", "%1", "a%zz", "%%20", "%2"})
    EXPECT_EQ(PercentDecode(text).status().code(), StatusCode::kInvalidArgument) << text;
}

TEST(Encoding, AnyBytesComeBack) {
  uint64_t seed = testing::TestSeed();
  SCOPED_TRACE(testing::RepeatWith(seed));
  Random random(seed);
  for (int i = 0; i < 300; ++i) {
    std::string bytes = random.Bytes(random.Uniform(70));
    EXPECT_EQ(*FromBase64(ToBase64(bytes)), bytes);
    EXPECT_EQ(*PercentDecode(PercentEncode(bytes)), bytes);
    EXPECT_EQ(*PercentDecode(PercentEncode(bytes, "/=")), bytes);
  }
}

TEST(Encoding, PercentKeepsOnlyWhatSignaturesKeep) {
  EXPECT_EQ(PercentEncode("aZ09-._~"), "aZ09-._~");
  EXPECT_EQ(PercentEncode("a b/c=%\xff", "/"), "a%20b/c%3D%25%FF");
  EXPECT_EQ(ToHex(std::string_view("\x00\x0f\xff", 3)), "000fff");
}

// FIPS 180-2, RFC 1321 and RFC 4231 (test cases 1 and 6).
TEST(SecureHash, TheExamplesOfTheStandards) {
  EXPECT_EQ(ToHex(Sha256("abc")),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(ToHex(Sha256("")), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(ToHex(Md5("message digest")), "f96b697d7cb7938d525a2f31aaf161d0");
  EXPECT_EQ(ToHex(HmacSha256(std::string(20, '\x0b'), "Hi There")),
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
  EXPECT_EQ(ToHex(HmacSha256(std::string(131, '\xaa'),
                             "Test Using Larger Than Block-Size Key - Hash Key First")),
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

TEST(SecureHash, PartsGiveTheHashOfTheWhole) {
  SecureHash hash(SecureHash::Kind::kSha256);
  for (const char* part : {"a", "", "bc"}) hash.Update(part);
  EXPECT_EQ(hash.Finish(), Sha256("abc"));
}

}  // namespace
}  // namespace tapedeck
