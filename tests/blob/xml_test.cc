#include <gtest/gtest.h>

#include "base/random.h"
#include "blob/xml_reader.h"
#include "support/seed.h"

namespace tapedeck {
namespace {

/// "path=text;" of each element, in the order of their ends.
std::string Read(std::string_view xml) {
  std::string seen;
  Status read = ReadXml(xml, [&](std::string_view path, std::string_view text) {
    seen += std::string(path) + "=" + std::string(text) + ";";
    return Status::Ok();
  });
  return read.ok() ? seen : std::string(StatusCodeName(read.code()));
}

TEST(Xml, ElementsTextAndEntities) {
  EXPECT_EQ(Read("<?xml version=\"1.0\"?>\n<a xmlns=\"u\"><b>1</b> <b> 2 </b><c/></a>\n"),
            "a/b=1;a/b=2;a/c=;a=;");
  EXPECT_EQ(Read("<a>&lt;&amp;&gt;&quot;&apos;&#65;&#x42;&#xe9;&#x20ac;&#x1F600;</a>"),
            "a=<&>\"'AB\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80;");
  EXPECT_EQ(Read("<s:a x='>' y=\"/>\"><!-- <b> --><![CDATA[<&amp;]]></s:a>"), "a=<&amp;;");
  EXPECT_EQ(Read("\xEF\xBB\xBF<a></a>"), "a=;");
}

TEST(Xml, WhatIsNoneIsRefused) {
  for (const char* xml : {"",
                          " ",
                          "text",
                          "<a>",
                          "</a>",
                          "<a></b>",
                          "<a/><b/>",
                          "<a>&nope;</a>",
                          "<a>&#xZ;</a>",
                          "<a>&#x110000;</a>",
                          "<a>&amp</a>",
                          "<a",
                          "<a b='",
                          "<!DOCTYPE a><a/>",
                          "<a><!-- </a>",
                          "<a/>text",
                          "<a><![CDATA[x</a>",
                          "<></>",
                          "<!ENTITY x 'y'>",
                          "{\"json\":1}",
                          "<a>\x01&#0</a>"}) {
    EXPECT_EQ(Read(xml), "corruption") << xml;
  }
}

TEST(Xml, DepthAndTextAreBounded) {
  std::string deep, ends;
  for (int i = 0; i < 16; ++i) deep += "<a>";
  for (int i = 0; i < 16; ++i) ends += "</a>";
  EXPECT_NE(Read(deep + ends), "corruption");
  EXPECT_EQ(Read("<a>" + deep + ends + "</a>"), "corruption");
  EXPECT_NE(Read("<a>" + std::string(60'000, 'x') + "</a>"), "corruption");
  EXPECT_EQ(Read("<a>" + std::string(70'000, 'x') + "</a>"), "corruption");
}

TEST(Xml, NoDamageCrashesIt) {
  uint64_t seed = testing::TestSeed();
  SCOPED_TRACE(testing::RepeatWith(seed));
  Random random(seed);
  const std::string sample =
      "<?xml version=\"1.0\"?><ListBucketResult xmlns=\"u\"><IsTruncated>false</IsTruncated>"
      "<Contents><Key>a%2Fb&amp;c</Key><Size>1</Size><!-- x --><E/><![CDATA[y]]></Contents>"
      "</ListBucketResult>";
  for (int i = 0; i < 30'000; ++i) {
    std::string xml = sample;
    for (uint64_t change = random.Uniform(4) + 1; change > 0; --change) {
      const size_t at = random.Uniform(xml.size());
      const uint64_t how = random.Uniform(3);
      if (how == 0) xml[at] = static_cast<char>(random.Next());
      if (how == 1) xml.erase(at, random.Uniform(9));
      if (how == 2) xml.insert(at, 1, "<>&;/![\"'"[random.Uniform(9)]);
      if (xml.empty()) xml = "<";
    }
    (void)Read(xml);
  }
}

}  // namespace
}  // namespace tapedeck
