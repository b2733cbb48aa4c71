// The expressions of `extract`, against std::regex where that is safe, and in linear time where it
// is not.

// GCC 12 with sanitizers sees uninitialised memory inside <regex> where there is none.
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"

#include "mapping/pattern.h"

#include <gtest/gtest.h>

#include <chrono>
#include <random>
#include <regex>

#include "base/limits.h"
#include "mapping/layout_scan.h"
#include "mapping/layout_scan_sse.h"

namespace tapedeck::rules {
namespace {

std::string Group(std::string_view expression, std::string_view text) {
  Result<Pattern> pattern = Pattern::Compile(expression);
  if (!pattern.ok()) return "error: " + std::string(pattern.status().message());
  std::optional<std::string_view> group = pattern->FirstGroup(text);
  return group ? std::string(*group) : "none";
}

TEST(Extract, KnowsTheUsualForms) {
  EXPECT_EQ(Group("-(.+)$", "BTC-USD"), "USD");
  EXPECT_EQ(Group("^([A-Z]{3})", "BTCUSDT"), "BTC");
  EXPECT_EQ(Group("(?:spot|perp):(\\w+)", "x perp:ETH_USD y"), "ETH_USD");
  EXPECT_EQ(Group("(a|ab)(c|bcd)", "abcd"), "a");
  EXPECT_EQ(Group("(a+?)", "aaa"), "a");
  EXPECT_EQ(Group("(a{2,3})", "aaaa"), "aaa");
  EXPECT_EQ(Group("x(\\d*)y", "xy"), "");
  EXPECT_EQ(Group("([^,]+),b", "a,b"), "a");
  EXPECT_EQ(Group("(.)$", "d€"), "€");
  EXPECT_EQ(Group("[€](.)", "a€b"), "b");
  EXPECT_EQ(Group("()$", "ab"), "");
  EXPECT_EQ(Group("a(b)?c", "ac"), "none");
  EXPECT_EQ(Group("(a)", "b"), "none");
  EXPECT_EQ(Group("(\\.)", "a.b"), ".");
  EXPECT_EQ(Group("([a\\]-]+)", "x]-a"), "]-a");
}

TEST(Extract, SaysWhatItDoesNotKnow) {
  for (const char* bad : {"(", ")", "(a", "a)", "[a", "(a)\\1", "(?=a)", "a**", "*a", "(a){2",
                          "(a){9999}", "\\", "[b-a](x)", "(\\b)", "a"}) {
    EXPECT_EQ(Group(bad, "a").substr(0, 6), "error:") << bad;
  }
  EXPECT_EQ(Group("((((a{100}){100}){100}))", "a").substr(0, 6), "error:");
}

TEST(Extract, CatastrophicExpressionsStayLinear) {
  std::string text(limits::kExtractTextBytesMax, 'a');
  auto start = std::chrono::steady_clock::now();
  EXPECT_EQ(Group("((a+)+)+b", text), "none");
  EXPECT_EQ(Group("(a?){200}b(x)", text), "none");
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(20));
  EXPECT_EQ(Group("(a)", text + "a"), "none");  // too long to look at
}

TEST(Extract, AgreesWithTheStandardLibraryOnRandomExpressions) {
  const uint64_t seed = std::random_device{}();
  std::mt19937_64 random(seed);
  static constexpr const char* kAtoms[] = {"a",     "b",      ".",   "[ab]", "[^a]",
                                           "(a|b)", "(?:ab)", "(b)", "\\d"};
  static constexpr const char* kRepeats[] = {"", "", "", "*", "+", "?", "{1,2}", "*?"};
  for (int i = 0; i < 2000; ++i) {
    std::string expression = random() % 4 == 0 ? "^(" : "(";
    for (size_t n = 1 + random() % 3; n > 0; --n)
      expression += std::string(kAtoms[random() % 9]) + kRepeats[random() % 8];
    expression += random() % 4 == 0 ? ")$" : ")";
    std::string text;
    for (size_t n = random() % 8; n > 0; --n) text += "ab1"[random() % 3];
    std::smatch match;
    std::string expected =
        std::regex_search(text, match, std::regex(expression)) && match[1].matched ? match[1].str()
                                                                                   : "none";
    ASSERT_EQ(Group(expression, text), expected)
        << "seed " << seed << ": " << expression << " on " << text;
  }
}

#if defined(__x86_64__)
TEST(LayoutScan, BothScannersReadTheSameScalars) {
  if (__builtin_cpu_supports("sse4.1") == 0) GTEST_SKIP() << "this processor has no SSE4.1";
  const uint64_t seed = std::random_device{}();
  std::mt19937_64 random(seed);
  static constexpr std::string_view kLetters =
      "0123456789012345678901234567890123456789..-+eE\"\\x ";
  constexpr SlotKind kKinds[] = {SlotKind::kText,   SlotKind::kTextPicked, SlotKind::kTextNumber,
                                 SlotKind::kNumber, SlotKind::kNumberRead, SlotKind::kFlag};
  for (int i = 0; i < 200'000; ++i) {
    std::string scalar;
    for (size_t n = random() % 24; n > 0; --n) scalar += kLetters[random() % kLetters.size()];
    if (random() % 8 == 0) scalar = random() % 2 == 0 ? "true" : "false";
    std::string text = scalar + "\"};";
    const size_t size = text.size();
    text.append(kLayoutPadding, random() % 2 == 0 ? '7' : '\0');
    const SlotKind kind = kKinds[random() % 6];
    PieceStep steps[2] = {};
    steps[0].slot = kind;
    steps[1].usual = 0;
    Slot portable{}, wide{};
    PieceStep again[2] = {steps[0], steps[1]};
    const char* a = scan::ScanSteps(steps, 1, text.data(), text.data() + size, &portable);
    const char* b = scan::ScanSteps16(again, 1, text.data(), text.data() + size, &wide);
    // The wide one may leave a number with an exponent to the tree.
    ASSERT_EQ(a, b) << "seed " << seed << ": " << scalar << " kind " << static_cast<int>(kind);
    if (a == nullptr) continue;
    ASSERT_EQ(portable.size, wide.size) << scalar;
    ASSERT_EQ(portable.parsed, wide.parsed) << scalar;
    if (portable.parsed) {
      ASSERT_TRUE(portable.mantissa == wide.mantissa && portable.scale == wide.scale) << scalar;
    }
  }
}
#endif

}  // namespace
}  // namespace tapedeck::rules
