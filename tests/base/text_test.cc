#include "base/text.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/random.h"
#include "support/seed.h"

namespace tapedeck {
namespace {

using testing::RepeatWith;
using testing::TestSeed;

std::string Escaped(std::string_view bytes) {
  std::string out;
  AppendJsonString(bytes, &out);
  return out;
}

/// A code point as UTF-8, surrogates and numbers above U+10FFFF too, in `size` bytes where more
/// than needed.
std::string Utf8(uint32_t code, size_t size = 0) {
  size_t needed = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
  if (size < needed) size = needed;
  if (size == 1) return std::string(1, static_cast<char>(code));
  std::string bytes(size, '\0');
  for (size_t i = size - 1; i > 0; --i, code >>= 6)
    bytes[i] = static_cast<char>(0x80 | (code & 0x3F));
  bytes[0] = static_cast<char>((0xF00 >> size & 0xFF) | code);
  return bytes;
}

/// The slow and obvious oracle: decodes one character, then asks whether its only right form is
/// these bytes.
bool ValidByDecoding(std::string_view bytes) {
  for (size_t at = 0; at < bytes.size();) {
    bool found = false;
    for (size_t size = 1; size <= 4 && at + size <= bytes.size() && !found; ++size) {
      uint32_t code = static_cast<unsigned char>(bytes[at]);
      if (size > 1) code &= 0xFFu >> (size + 1);
      for (size_t i = 1; i < size; ++i)
        code = code << 6 | (static_cast<unsigned char>(bytes[at + i]) & 0x3F);
      bool scalar = code <= 0x10FFFF && (code < 0xD800 || code > 0xDFFF);
      if (scalar && Utf8(code) == bytes.substr(at, size)) {
        at += size;
        found = true;
      }
    }
    if (!found) return false;
  }
  return true;
}

TEST(Utf8, EveryCodePointIsValidAndEverySurrogateIsNot) {
  for (uint32_t code = 0; code <= 0x110100; ++code) {
    bool scalar = code <= 0x10FFFF && (code < 0xD800 || code > 0xDFFF);
    ASSERT_EQ(IsValidUtf8(Utf8(code)), scalar) << code;
  }
}

TEST(Utf8, OverlongFormsAreRefused) {
  for (uint32_t code : {0u, 0x2Fu, 0x7Fu}) {
    for (size_t size : {2, 3, 4}) EXPECT_FALSE(IsValidUtf8(Utf8(code, size)));
  }
  EXPECT_FALSE(IsValidUtf8(Utf8(0x7FF, 3)));
  EXPECT_FALSE(IsValidUtf8(Utf8(0xFFFF, 4)));
}

TEST(Utf8, EveryPairAndTripleOfBytesAgreesWithTheOracle) {
  for (uint32_t n = 0; n < 0x10000; ++n) {
    char bytes[2] = {static_cast<char>(n >> 8), static_cast<char>(n)};
    ASSERT_EQ(IsValidUtf8({bytes, 2}), ValidByDecoding({bytes, 2})) << n;
  }
  for (uint32_t n = 0; n < 0x1000000; n += 7) {
    char bytes[3] = {static_cast<char>(n >> 16), static_cast<char>(n >> 8), static_cast<char>(n)};
    ASSERT_EQ(IsValidUtf8({bytes, 3}), ValidByDecoding({bytes, 3})) << n;
  }
}

TEST(Utf8, ABadByteIsFoundAtEveryPlaceOfALongText) {
  for (size_t size = 1; size < 70; ++size) {
    std::string text(size, 'a');
    EXPECT_TRUE(IsValidUtf8(text));
    for (size_t at = 0; at < size; ++at) {
      std::string bad = text;
      bad[at] = '\x80';
      ASSERT_FALSE(IsValidUtf8(bad)) << size << " " << at;
      bad[at] = '\xE2';
      ASSERT_FALSE(IsValidUtf8(bad)) << size << " " << at;
    }
    EXPECT_TRUE(IsValidUtf8(text + "\u20AC" + text));
    EXPECT_FALSE(IsValidUtf8(text + "\xE2\x82"));
  }
  EXPECT_TRUE(IsValidUtf8(""));
}

TEST(Utf8, RandomMixesAgreeWithTheOracle) {
  uint64_t seed = TestSeed();
  SCOPED_TRACE(RepeatWith(seed));
  Random random(seed);
  for (int i = 0; i < 50'000; ++i) {
    std::string text;
    while (random.Uniform(8) != 0) {
      text += random.OneIn(2) ? std::string(random.Uniform(20), 'x')
                              : Utf8(static_cast<uint32_t>(random.Uniform(0x110000)));
      if (random.OneIn(10)) text += static_cast<char>(random.Next());
    }
    if (random.OneIn(4) && !text.empty()) text.pop_back();
    ASSERT_EQ(IsValidUtf8(text), ValidByDecoding(text));
    ASSERT_TRUE(IsValidUtf8(ToValidUtf8(text)));
    ASSERT_EQ(ToValidUtf8(text) == text, IsValidUtf8(text));
    ASSERT_TRUE(IsValidUtf8(Escaped(text)));
  }
}

TEST(JsonString, EscapesWhatJsonAndTerminalsCannotTake) {
  EXPECT_EQ(Escaped(""), "\"\"");
  EXPECT_EQ(Escaped("BTC-USD"), "\"BTC-USD\"");
  EXPECT_EQ(Escaped("a\"b\\c/d"), R"("a\"b\\c/d")");
  EXPECT_EQ(Escaped("\b\f\n\r\t"), R"("\b\f\n\r\t")");
  EXPECT_EQ(Escaped(std::string("\0\x01\x1f\x7f", 4)), R"("\u0000\u0001\u001f\u007f")");
  EXPECT_EQ(Escaped("\x1b[31m"), R"("\u001b[31m")");
  EXPECT_EQ(Escaped("\u2028\u2029\u0085\u009b"), R"("\u2028\u2029\u0085\u009b")");
  EXPECT_EQ(Escaped("\u00A0\u20AC\U0001F600\u2027\u202A"),
            "\"\u00A0\u20AC\U0001F600\u2027\u202A\"");
}

TEST(JsonString, EachIllFormedSequenceBecomesOneReplacement) {
  const std::string r = "\uFFFD";
  EXPECT_EQ(Escaped("\xff"), "\"" + r + "\"");
  EXPECT_EQ(Escaped("a\x80\x80z"), "\"a" + r + r + "z\"");
  EXPECT_EQ(Escaped("\xE2\x82"), "\"" + r + "\"");  // cut off
  EXPECT_EQ(Escaped("\xE2\x82x"), "\"" + r + "x\"");
  EXPECT_EQ(Escaped("\xED\xA0\x80"), "\"" + r + r + r + "\"");  // a surrogate
  EXPECT_EQ(Escaped("\xC0\xAF"), "\"" + r + r + "\"");          // overlong '/'
  EXPECT_EQ(Escaped("\xF0\x9F\x98\""),
            "\"" + r + "\\\"\"");  // a quote cannot hide behind a lead byte
  // The example of the Unicode standard, table 3-8.
  EXPECT_EQ(Escaped("a\xF1\x80\x80\xE1\x80\xC2\x62\x80\x63\x80\xBF\x64"),
            "\"a" + r + r + r + "b" + r + "c" + r + r + "d\"");
}

TEST(JsonString, ASpecialByteIsFoundAtEveryPlace) {
  for (size_t size = 1; size < 40; ++size) {
    for (size_t at = 0; at < size; ++at) {
      for (char special : {'"', '\\', '\n', '\x7f', '\x80'}) {
        std::string text(size, '~');
        text[at] = special;
        std::string expected = std::string(at, '~');
        expected += special == '"'      ? "\\\""
                    : special == '\\'   ? "\\\\"
                    : special == '\n'   ? "\\n"
                    : special == '\x7f' ? "\\u007f"
                                        : "\uFFFD";
        ASSERT_EQ(Escaped(text), "\"" + expected + std::string(size - at - 1, '~') + "\"");
      }
    }
  }
}

TEST(Quoted, CutsLongTextBetweenCharacters) {
  EXPECT_EQ(Quoted("short"), "\"short\"");
  EXPECT_EQ(Quoted("abcdef", 3), "\"abc\"...");
  EXPECT_EQ(Quoted("ab\u20ACdef", 3), "\"ab\"...");
  EXPECT_EQ(Quoted("ab\u20ACdef", 5), "\"ab\u20AC\"...");
  EXPECT_EQ(Quoted("\x80\x80\x80\x80\x80\x80", 2), "\"\"...");
  EXPECT_LT(Quoted(std::string(1'000'000, '\0')).size(), 500u);
}

TEST(EditDistance, CountsTheLeastChanges) {
  EXPECT_EQ(EditDistance("", ""), 0u);
  EXPECT_EQ(EditDistance("", "abc"), 3u);
  EXPECT_EQ(EditDistance("abc", ""), 3u);
  EXPECT_EQ(EditDistance("kitten", "sitting"), 3u);
  EXPECT_EQ(EditDistance("commit", "comimt"), 1u);
  EXPECT_EQ(EditDistance("ca", "abc"), 3u);  // a pair is swapped or edited, not both
  EXPECT_EQ(EditDistance("same", "same"), 0u);
}

TEST(NearestName, FindsWhatWasMeantAndNothingElse) {
  const std::vector<std::string_view> names = {"commit_bytes", "commit_interval", "on_divergence",
                                               "tz"};
  EXPECT_EQ(NearestName("comit_bytes", names), "commit_bytes");
  EXPECT_EQ(NearestName("commit_intervall", names), "commit_interval");
  EXPECT_EQ(NearestName("on-divergence", names), "on_divergence");
  EXPECT_EQ(NearestName("zt", names), "tz");
  EXPECT_EQ(NearestName("xy", names), "");
  EXPECT_EQ(NearestName("mapping", names), "");
  EXPECT_EQ(NearestName("", names), "");
  EXPECT_EQ(NearestName(std::string(100'000, 'c'), names), "");
  EXPECT_EQ(NearestName("commit_bytes", {}), "");
}

}  // namespace
}  // namespace tapedeck
