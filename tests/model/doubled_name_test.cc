#include "model/doubled_name.h"

#include <gtest/gtest.h>

namespace tapedeck {
namespace {

TEST(DoubledName, IsFoundInTheObjectThatHasItTwice) {
  for (const char* none :
       {"", "{", "17", "[]", "{}", R"({"a":{"a":{"a":1}}})", R"([{"a":1},{"a":2}])",
        R"({"a":[{"b":1},{"b":2}],"b":3})", R"({"a":1,"A":2})", R"({"a":"b","b":"a"})"}) {
    EXPECT_EQ(DoubledNameOf(none), std::nullopt) << none;
  }
  const std::pair<const char*, const char*> doubled[] = {
      {R"({"a":1,"a":1})", "a"},
      {R"({"b":{"a":1,"c":2,"a":3}})", "a"},
      {R"({"b":[[{"x":{}},{"a":1,"x":{"y":2},"a":null}]]})", "a"},
      {R"({"a":{"b":1},"c":{"b":1},"a":2})", "a"},
      {R"({"":1,"":2})", ""},
      {R"({"a":1,"\u0061":2})", "a"}};
  for (const auto& [json, name] : doubled) EXPECT_EQ(DoubledNameOf(json), name) << json;
}

TEST(DoubledName, OfADeepTextIsFoundToo) {
  std::string deep;
  for (int i = 0; i < 2'000; ++i) deep += R"({"a":)";
  deep += R"({"z":1,"z":2})" + std::string(2'000, '}');
  EXPECT_EQ(DoubledNameOf(deep), "z");
}

}  // namespace
}  // namespace tapedeck
