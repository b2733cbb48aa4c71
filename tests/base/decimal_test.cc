#include "base/decimal.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <optional>
#include <string>

#include "base/digits.h"
#include "base/random.h"
#include "support/seed.h"

namespace tapedeck {
namespace {

using testing::RepeatWith;
using testing::TestSeed;

constexpr int64_t kMin = std::numeric_limits<int64_t>::min();
constexpr int64_t kMax = std::numeric_limits<int64_t>::max();

/// What became of a token, as one text: "6255/8", "text -0.0", "bad".
std::string Parsed(std::string_view token) {
  Decimal value{77, 7};
  std::string text = "untouched";
  switch (ParseDecimal(token, &value, &text)) {
    case DecimalForm::kDecimal:
      EXPECT_EQ(text, "untouched") << token;
      return std::to_string(value.mantissa) + "/" + std::to_string(value.scale);
    case DecimalForm::kText:
      return "text " + text;
    case DecimalForm::kBad:
      return "bad";
  }
  return "?";
}

/// Moves the characters at the front of `rest` that are among `of`, at most `count_max`, out of it.
std::string Take(std::string* rest, const std::string& of, size_t count_max = std::string::npos) {
  size_t count = std::min({rest->find_first_not_of(of), rest->size(), count_max});
  std::string taken = rest->substr(0, count);
  rest->erase(0, count);
  return taken;
}

const std::string kDigits = "0123456789";

/// The slow and obvious oracle: shifts the point of a text; no arithmetic on values at all. Nothing
/// where `token` is bad.
std::optional<std::string> WrittenOut(const std::string& token) {
  std::string rest = token;
  std::string sign = Take(&rest, "+-", 1);
  std::string integer = Take(&rest, kDigits);
  bool point = !Take(&rest, ".", 1).empty();
  std::string fraction = point ? Take(&rest, kDigits) : "";
  if (integer.empty() && fraction.empty()) return std::nullopt;
  std::string exponent_sign;
  int exponent = 0;
  if (!Take(&rest, "eE", 1).empty()) {
    exponent_sign = Take(&rest, "+-", 1);
    std::string digits = Take(&rest, kDigits);
    if (digits.empty()) return std::nullopt;
    for (char c : digits) exponent = std::min(exponent * 10 + (c - '0'), 1000);
  }
  if (!rest.empty() || exponent > 60) return std::nullopt;
  for (; exponent > 0 && exponent_sign != "-"; --exponent) {
    integer += fraction.empty() ? '0' : fraction[0];
    if (!fraction.empty()) fraction.erase(0, 1);
  }
  for (; exponent > 0; --exponent) {
    fraction.insert(0, 1, integer.empty() ? '0' : integer.back());
    if (!integer.empty()) integer.pop_back();
  }
  while (integer.size() > 1 && integer[0] == '0') integer.erase(0, 1);
  if (integer.empty()) integer = "0";
  std::string text = (sign == "-" ? "-" : "") + integer + (fraction.empty() ? "" : "." + fraction);
  if (text.size() > kDecimalTextMax) return std::nullopt;
  return text;
}

/// Whether a written-out number must be a Decimal, by comparing digits as text.
bool MustFit(const std::string& written) {
  bool negative = written[0] == '-';
  std::string digits = written.substr(negative ? 1 : 0);
  size_t point = digits.find('.');
  size_t scale = point == std::string::npos ? 0 : digits.size() - point - 1;
  if (point != std::string::npos) digits.erase(point, 1);
  digits.erase(0, std::min(digits.find_first_not_of('0'), digits.size()));
  if (scale > 18 || (negative && digits.empty())) return false;
  std::string limit = negative ? "9223372036854775808" : "9223372036854775807";
  return digits.size() < limit.size() || (digits.size() == limit.size() && digits <= limit);
}

void ExpectAsOracle(const std::string& token) {
  std::optional<std::string> expected = WrittenOut(token);
  Decimal value;
  std::string text;
  DecimalForm form = ParseDecimal(token, &value, &text);
  if (!expected) {
    ASSERT_EQ(form, DecimalForm::kBad) << token;
    return;
  }
  ASSERT_EQ(form, MustFit(*expected) ? DecimalForm::kDecimal : DecimalForm::kText) << token;
  ASSERT_EQ(form == DecimalForm::kDecimal ? ToString(value) : text, *expected) << token;
}

TEST(ParseDecimal, KeepsNumbersExactlyAsWritten) {
  EXPECT_EQ(Parsed("0.99980"), "99980/5");
  EXPECT_EQ(Parsed("335.90698726000005"), "33590698726000005/14");
  EXPECT_EQ(Parsed("1394051250970"), "1394051250970/0");
  EXPECT_EQ(Parsed("1"), "1/0");
  EXPECT_EQ(Parsed("1.0"), "10/1");
  EXPECT_EQ(Parsed("0"), "0/0");
  EXPECT_EQ(Parsed("0.00"), "0/2");
  EXPECT_EQ(Parsed("-62345.10"), "-6234510/2");
}

TEST(ParseDecimal, WritesExponentsOut) {
  EXPECT_EQ(Parsed("6.255e-5"), "6255/8");
  EXPECT_EQ(Parsed("1e2"), "100/0");
  EXPECT_EQ(Parsed("1E+2"), "100/0");
  EXPECT_EQ(Parsed("1.50e1"), "150/1");
  EXPECT_EQ(Parsed("1.5e3"), "1500/0");
  EXPECT_EQ(Parsed("100e-2"), "100/2");
  EXPECT_EQ(Parsed("0e5"), "0/0");
  EXPECT_EQ(Parsed("0e-3"), "0/3");
  EXPECT_EQ(Parsed("0.0e1"), "0/0");
  EXPECT_EQ(Parsed("1e0000000000000000000000002"), "100/0");
  EXPECT_EQ(Parsed("1e18"), "1000000000000000000/0");
  EXPECT_EQ(Parsed("1e-18"), "1/18");
  EXPECT_EQ(Parsed("1e19"), "text 10000000000000000000");
  EXPECT_EQ(Parsed("1e-19"), "text 0.0000000000000000001");
  EXPECT_EQ(Parsed("1e60"), "text 1" + std::string(60, '0'));
  EXPECT_EQ(Parsed("1e-60"), "text 0." + std::string(59, '0') + "1");
}

TEST(ParseDecimal, TakesWhatFeedsWriteBeyondJson) {
  EXPECT_EQ(Parsed("+.50"), "50/2");
  EXPECT_EQ(Parsed("-.5"), "-5/1");
  EXPECT_EQ(Parsed("5."), "5/0");
  EXPECT_EQ(Parsed("007"), "7/0");
  EXPECT_EQ(Parsed("-007.10"), "-710/2");
  EXPECT_EQ(Parsed(std::string(500, '0') + "7"), "7/0");
  EXPECT_EQ(Parsed("+1.e2"), "100/0");
  EXPECT_EQ(Parsed(".5E1"), "5/0");
}

TEST(ParseDecimal, ANegativeZeroKeepsItsText) {
  EXPECT_EQ(Parsed("-0"), "text -0");
  EXPECT_EQ(Parsed("-0.0"), "text -0.0");
  EXPECT_EQ(Parsed("-00.00"), "text -0.00");
  EXPECT_EQ(Parsed("-0e5"), "text -0");
  EXPECT_EQ(Parsed("-.0"), "text -0.0");
  EXPECT_EQ(Parsed("-0e-2"), "text -0.00");
}

TEST(ParseDecimal, TheEdgesOfTheMantissaAndTheScale) {
  EXPECT_EQ(Parsed("9223372036854775807"), "9223372036854775807/0");
  EXPECT_EQ(Parsed("-9223372036854775808"), "-9223372036854775808/0");
  EXPECT_EQ(Parsed("9223372036854775808"), "text 9223372036854775808");
  EXPECT_EQ(Parsed("-9223372036854775809"), "text -9223372036854775809");
  EXPECT_EQ(Parsed("92233720368547758.07"), "9223372036854775807/2");
  EXPECT_EQ(Parsed("9999999999999999999"), "text 9999999999999999999");
  EXPECT_EQ(Parsed("1.000000000000000000"), "1000000000000000000/18");
  EXPECT_EQ(Parsed("0.123456789012345678"), "123456789012345678/18");
  EXPECT_EQ(Parsed("0.1234567890123456789"), "text 0.1234567890123456789");
  EXPECT_EQ(Parsed("0.0000000000000000000"), "text 0.0000000000000000000");
  EXPECT_EQ(Parsed("99999999999999999999.5"), "text 99999999999999999999.5");
  EXPECT_EQ(Parsed("18446744073709551617"), "text 18446744073709551617");  // 2^64 + 1
}

TEST(ParseDecimal, ANumberThatWouldBeTooLongIsRefused) {
  EXPECT_EQ(Parsed(std::string(256, '9')), "text " + std::string(256, '9'));
  EXPECT_EQ(Parsed(std::string(257, '9')), "bad");
  EXPECT_EQ(Parsed("-" + std::string(256, '9')), "bad");
  EXPECT_EQ(Parsed("0." + std::string(254, '0')), "text 0." + std::string(254, '0'));
  EXPECT_EQ(Parsed("0." + std::string(255, '0')), "bad");
  EXPECT_EQ(Parsed(std::string(196, '9') + "e60"),
            "text " + std::string(196, '9') + std::string(60, '0'));
  EXPECT_EQ(Parsed(std::string(197, '9') + "e60"), "bad");
  EXPECT_EQ(Parsed(std::string(1'000'000, '1')), "bad");
  EXPECT_EQ(Parsed("0." + std::string(300, '0') + "1e60"), "text 0." + std::string(240, '0') + "1");
}

TEST(ParseDecimal, WhatIsNoNumberIsBad) {
  for (std::string token :
       {"",      "1 ",       " 1",    "NaN",   "nan",   "Infinity", "-Infinity",
        "inf",   "0x1",      "1e999", "1e61",  "1e-61", "0e61",     "1e",
        "1e+",   "e5",       ".",     "-",     "+",     "-.",       ".e1",
        "--1",   "+-1",      "1..2",  "1.2.3", "1,000", "1_000",    "1e5.",
        "1e5.0", "1e5e5",    "12a",   "a12",   "null",  "1\n",      "1-",
        "1+1",   "\xd9\xa1", "\"1\"", "1f",    "-e1",   "1e 5",     "1e99999999999999999999"}) {
    EXPECT_EQ(Parsed(token), "bad") << token;
  }
  EXPECT_EQ(Parsed(std::string("1\0", 2)), "bad");
  EXPECT_EQ(Parsed(std::string_view()), "bad");
}

TEST(ParseDecimal, EveryShortTokenOfTheAlphabetAgreesWithTheOracle) {
  // All tokens of up to six of these characters: 8^1 + ... + 8^6.
  const std::string alphabet = "019.-+eE";
  std::string token;
  for (size_t size = 0; size <= 6; ++size) {
    size_t count = size_t{1} << (3 * size);
    for (size_t n = 0; n < count; ++n) {
      token.clear();
      for (size_t i = 0; i < size; ++i) token += alphabet[n >> (3 * i) & 7];
      ExpectAsOracle(token);
      if (HasFatalFailure()) return;
    }
  }
}

std::string RandomDigits(Random* random, size_t size_max) {
  std::string digits(random->Uniform(size_max + 1), '0');
  bool sparse = random->OneIn(3);
  for (char& c : digits) {
    if (!sparse || random->OneIn(4)) c = static_cast<char>('0' + random->Uniform(10));
  }
  return digits;
}

TEST(ParseDecimal, RandomNumbersAgreeWithTheOracle) {
  uint64_t seed = TestSeed();
  SCOPED_TRACE(RepeatWith(seed));
  Random random(seed);
  for (int i = 0; i < 100'000; ++i) {
    std::string token = random.OneIn(3) ? "-" : random.OneIn(5) ? "+" : "";
    token += RandomDigits(&random, random.OneIn(50) ? 260 : 22);
    if (!random.OneIn(3)) token += "." + RandomDigits(&random, random.OneIn(50) ? 260 : 22);
    if (random.OneIn(3)) token += "e" + std::to_string(random.Between(-63, 63));
    if (random.OneIn(40)) token += static_cast<char>(random.Next());
    ExpectAsOracle(token);
    if (HasFatalFailure()) return;
  }
}

TEST(ParseDecimal, NumbersAroundTheLimitsOfInt64AgreeWithTheOracle) {
  const std::string limit = "922337203685477580";
  for (int last = 0; last <= 99; ++last) {
    for (std::string sign : {"", "-"}) {
      std::string digits = limit + std::to_string(last);
      for (size_t point = 0; point <= digits.size(); ++point) {
        ExpectAsOracle(sign + digits.substr(0, point) + "." + digits.substr(point));
        if (HasFatalFailure()) return;
      }
    }
  }
}

TEST(FormatDecimal, CoversSignsScalesAndLimits) {
  EXPECT_EQ(ToString({99980, 5}), "0.99980");
  EXPECT_EQ(ToString({-123, 5}), "-0.00123");
  EXPECT_EQ(ToString({0, 0}), "0");
  EXPECT_EQ(ToString({0, 3}), "0.000");
  EXPECT_EQ(ToString({kMin, 0}), "-9223372036854775808");
  EXPECT_EQ(ToString({kMin, 18}), "-9.223372036854775808");
  EXPECT_EQ(ToString({kMax, 18}), "9.223372036854775807");
  EXPECT_EQ(ToString({1, 18}), "0.000000000000000001");
  EXPECT_EQ(ToString({-1, 18}), "-0.000000000000000001");
  EXPECT_EQ(ToString({10, 1}), "1.0");
  std::string text = "x=";
  AppendDecimal({-5, 1}, &text);
  EXPECT_EQ(text, "x=-0.5");
}

TEST(FormatDecimal, RandomDecimalsRoundTripAndStayInTheirRoom) {
  uint64_t seed = TestSeed();
  SCOPED_TRACE(RepeatWith(seed));
  Random random(seed);
  for (int i = 0; i < 200'000; ++i) {
    Decimal value{static_cast<int64_t>(random.Next()) >> random.Uniform(64),
                  static_cast<uint8_t>(random.Uniform(kDecimalScaleMax + 1))};
    char room[kDecimalCharsMax + 1];
    room[kDecimalCharsMax] = '#';
    char* end = FormatDecimalTo(value, room);
    ASSERT_LE(end, room + kDecimalCharsMax);
    ASSERT_EQ(room[kDecimalCharsMax], '#');
    Decimal back;
    std::string text;
    std::string_view written(room, static_cast<size_t>(end - room));
    ASSERT_EQ(ParseDecimal(written, &back, &text), DecimalForm::kDecimal) << written;
    ASSERT_EQ(back, value) << written;
    ASSERT_TRUE(IsJsonNumber(written)) << written;
  }
}

TEST(FormatDecimalDeathTest, AScaleThatNoDecimalHasIsAProgrammerError) {
  EXPECT_DEATH((void)ToString({1, 19}), "scale");
}

TEST(IsJsonNumber, IsExactlyTheGrammar) {
  for (std::string token : {"0", "-0", "1", "10", "0.5", "-0.50", "1e5", "1E+05", "1.5e-5", "0e0",
                            "123456789012345678901234567890"}) {
    EXPECT_TRUE(IsJsonNumber(token)) << token;
  }
  for (std::string token : {"", "-", "+1", "01", "-01", ".5", "5.", "1e", "1e+", "1.e5", "1 ", " 1",
                            "NaN", "0x1", "1e5.5", "--1", "1.2.3", "true", "00"}) {
    EXPECT_FALSE(IsJsonNumber(token)) << token;
  }
}

/// RFC 8259, section 6, read off the page.
bool IsJsonNumberByTheBook(std::string rest) {
  Take(&rest, "-", 1);
  std::string integer = Take(&rest, "0", 1);
  if (integer.empty()) integer = Take(&rest, kDigits);
  if (integer.empty()) return false;
  if (!Take(&rest, ".", 1).empty() && Take(&rest, kDigits).empty()) return false;
  if (!Take(&rest, "eE", 1).empty()) {
    Take(&rest, "+-", 1);
    if (Take(&rest, kDigits).empty()) return false;
  }
  return rest.empty();
}

TEST(IsJsonNumber, EveryShortTokenAgreesWithTheBook) {
  const std::string alphabet = "019.-+eE";
  std::string token;
  for (size_t size = 0; size <= 5; ++size) {
    for (size_t n = 0; n < size_t{1} << (3 * size); ++n) {
      token.clear();
      for (size_t i = 0; i < size; ++i) token += alphabet[n >> (3 * i) & 7];
      ASSERT_EQ(IsJsonNumber(token), IsJsonNumberByTheBook(token)) << token;
    }
  }
}

TEST(EqualValue, ComparesTheNumberAndNotItsWriting) {
  EXPECT_TRUE(EqualValue({10, 1}, {1, 0}));
  EXPECT_FALSE((Decimal{10, 1} == Decimal{1, 0}));
  EXPECT_TRUE(EqualValue({0, 0}, {0, 18}));
  EXPECT_FALSE(EqualValue({1, 0}, {0, 18}));
  EXPECT_TRUE(EqualValue({-5, 0}, {-5'000'000'000'000'000'000, 18}));
  EXPECT_FALSE(EqualValue({kMax, 0}, {kMax, 18}));
  EXPECT_FALSE(EqualValue({kMin, 0}, {kMin, 1}));
  EXPECT_FALSE(EqualValue({1, 0}, {1, 255}));
  EXPECT_TRUE(EqualValue({0, 0}, {0, 255}));
  EXPECT_FALSE(EqualValue({5, 1}, {-5, 1}));
}

TEST(ScaleUp, IsExactOrSaysThatItOverflows) {
  int64_t out = 0;
  EXPECT_TRUE(ScaleUp(9, 18, &out));
  EXPECT_EQ(out, 9'000'000'000'000'000'000);
  EXPECT_FALSE(ScaleUp(10, 18, &out));
  EXPECT_FALSE(ScaleUp(-10, 18, &out));
  EXPECT_TRUE(ScaleUp(kMin, 0, &out));
  EXPECT_EQ(out, kMin);
  EXPECT_FALSE(ScaleUp(kMin, 1, &out));
}

TEST(Digits, IntegersOfEveryLength) {
  for (size_t power = 0; power < kPowersOfTen.size(); ++power) {
    for (uint64_t value : {kPowersOfTen[power] - 1, kPowersOfTen[power], kPowersOfTen[power] + 1}) {
      char text[kUint64CharsMax];
      EXPECT_EQ(std::string(text, FormatUint64To(value, text)), std::to_string(value));
      EXPECT_EQ(CountDigits(value), std::to_string(value).size());
    }
  }
  for (int64_t value : {kMin, kMin + 1, int64_t{-1}, int64_t{0}, int64_t{42}, kMax}) {
    char text[kInt64CharsMax];
    EXPECT_EQ(std::string(text, FormatInt64To(value, text)), std::to_string(value));
  }
  char text[kUint64CharsMax];
  EXPECT_EQ(std::string(text, FormatUint64To(std::numeric_limits<uint64_t>::max(), text)),
            "18446744073709551615");
}

}  // namespace
}  // namespace tapedeck
