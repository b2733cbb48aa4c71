// What a decoder tells about the shape of a message that a learned layout took.

#include <gtest/gtest.h>

#include "mapping_support.h"

namespace tapedeck::testing {
namespace {

std::string Quote(const std::string& symbol, const std::string& bid) {
  return R"({"symbol":")" + symbol + R"(","ts":1719878400091,"bid":)" + bid + R"(,"ask":35.5})";
}

// The value with each slot in brackets.
std::string Marked(const std::string& value, const MessageShape& shape) {
  std::string out;
  size_t at = 0;
  for (const SlotRange& slot : shape.slots) {
    out += value.substr(at, slot.begin - at) + "[" + value.substr(slot.begin, slot.size) + "]";
    at = slot.begin + slot.size;
  }
  return out + value.substr(at);
}

TEST(Shapes, NameTheScalarsOfAMessageThatALayoutTook) {
  TestDecoder decoder = TestDecoder::Make("generic-json", PresetLibrary()).value();
  EXPECT_EQ(decoder.decoder().Shape(), nullptr) << "nothing was decoded yet";
  decoder.Run(Quote("A", "1.5"));
  EXPECT_EQ(decoder.decoder().Shape(), nullptr) << "the tree took it";
  decoder.Run(Quote("B", "2.5"));
  EXPECT_EQ(decoder.decoder().Shape(), nullptr) << "the tree took it, and learned";
  decoder.Run(Quote("SYM7", "31.25"));
  const MessageShape* shape = decoder.decoder().Shape();
  ASSERT_NE(shape, nullptr);
  EXPECT_EQ(Marked(Quote("SYM7", "31.25"), *shape),
            R"({"symbol":"[SYM7]","ts":[1719878400091],"bid":[31.25],"ask":[35.5]})");
  const uint64_t id = shape->id;
  decoder.Run("{\"an\":\"odd one\"}");
  EXPECT_EQ(decoder.decoder().Shape(), nullptr);
  decoder.Run(std::nullopt);
  EXPECT_EQ(decoder.decoder().Shape(), nullptr) << "a tombstone";
  decoder.Run(Quote("X", "0"));
  ASSERT_NE(decoder.decoder().Shape(), nullptr);
  EXPECT_EQ(decoder.decoder().Shape()->id, id);
}

TEST(Shapes, AreNotToldWhereAnElementRepeats) {
  TestDecoder decoder = TestDecoder::Make("generic-json", PresetLibrary()).value();
  const std::string two = "[" + Quote("A", "1.5") + "," + Quote("B", "2.5") + "]";
  for (int i = 0; i < 4; ++i) decoder.Run(two);
  EXPECT_GT(decoder.decoder().stats().fast, 0u);
  EXPECT_EQ(decoder.decoder().Shape(), nullptr);
}

}  // namespace
}  // namespace tapedeck::testing
