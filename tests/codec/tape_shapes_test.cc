// Tape blocks whose messages have shapes: whatever a hint says, right or wrong, every message comes
// back byte for byte, and right hints make the block smaller. And the shapes that merging finds.

#include <gtest/gtest.h>

#include <deque>

#include "base/random.h"
#include "codec/tape_block.h"
#include "codec/token_finder.h"
#include "support/seed.h"

namespace tapedeck {
namespace {

using testing::RepeatWith;
using testing::TestSeed;

constexpr TpId kTp{12};

struct Hinted {
  std::string value;
  std::vector<SlotRange> slots;
  uint64_t id = 0;  // 0: no hint
  bool null = false;
  OptionalBytes key;
  std::span<const HeaderView> headers;
};

// Fixed pieces and what kind of token stands between them.
struct Template {
  uint64_t id = 0;
  std::vector<std::string> pieces;
  std::vector<uint64_t> kinds;
};

Template RandomTemplate(uint64_t id, Random* random) {
  Template shape{.id = id};
  const size_t slots = random->OneIn(10) ? kTapeSlotsMax : random->Uniform(8);
  for (size_t i = 0; i <= slots; ++i) {
    shape.pieces.push_back(random->Bytes(random->OneIn(6) ? 0 : random->Uniform(40)));
    if (i < slots) shape.kinds.push_back(random->Uniform(10));
  }
  return shape;
}

std::string RandomToken(uint64_t kind, Random* random) {
  static const std::vector<std::string> odd = {
      "0",   "-0",  "0.0",  "00",  "1e5",  "1.50", "1.5",  "-1.5",
      ".5",  "5.",  "",     "+1",  "-",    ".",    "1..2", "0.000000000000000001",
      "-.5", "007", "1 ",   "\0x", "0x1f", "true", "null", "999999999999999999",
      "8.",  "1-2", "-0.0", "010", "10.0", "1.0",  "2.00", "-999999999999999999",
  };
  switch (kind) {
    case 0:  // one scale
      return std::to_string(random->Between(10, 99)) + "." +
             std::to_string(random->Between(1000, 9999));
    case 1:  // zeros dropped
      return std::to_string(random->Between(0, 99)) +
             (random->OneIn(3) ? "" : "." + std::to_string(random->Between(1, 9)));
    case 2:
      return std::to_string(static_cast<int64_t>(random->Next() >> random->Uniform(60)));
    case 3:  // few texts
      return "SYM" + std::to_string(random->Uniform(6));
    case 4:
      return random->Bytes(random->Uniform(30));
    case 5:
      return "";
    case 6:
      return odd[random->Uniform(odd.size())];
    case 7:  // mostly one form
      return random->OneIn(100) ? odd[random->Uniform(odd.size())]
                                : "-" + std::to_string(random->Between(1, 5)) + ".25";
    case 8:  // the same for long
      return random->OneIn(200) ? "always " : "always";
    default:
      return "always";
  }
}

Hinted FromTemplate(const Template& shape, Random* random) {
  Hinted made{.id = shape.id};
  for (size_t i = 0; i < shape.pieces.size(); ++i) {
    made.value += shape.pieces[i];
    if (i == shape.kinds.size()) break;
    std::string token = RandomToken(shape.kinds[i], random);
    made.slots.push_back(
        {static_cast<uint32_t>(made.value.size()), static_cast<uint32_t>(token.size())});
    made.value += token;
  }
  return made;
}

// Makes the hint a lie of some sort.
void Spoil(Hinted* made, Random* random) {
  switch (random->Uniform(7)) {
    case 0:
      if (!made->slots.empty()) made->slots.pop_back();
      break;
    case 1:
      made->id = 1 + random->Uniform(40);
      break;
    case 2:
      made->slots.push_back(
          {static_cast<uint32_t>(random->Next()), static_cast<uint32_t>(random->Next())});
      break;
    case 3:
      for (SlotRange& slot : made->slots)
        slot.begin += static_cast<uint32_t>(random->Between(-2, 2));
      break;
    case 4:
      for (SlotRange& slot : made->slots) slot.size = static_cast<uint32_t>(random->Uniform(4));
      break;
    case 5:
      if (!made->value.empty()) made->value[random->Uniform(made->value.size())] ^= 1;
      break;
    default:
      made->value.resize(random->Uniform(made->value.size() + 1));
  }
}

std::vector<Hinted> RandomMessages(size_t count, Random* random) {
  std::vector<Template> shapes;
  const uint64_t kinds = random->OneIn(5) ? 40 : 1 + random->Uniform(4);
  for (uint64_t i = 0; i < kinds; ++i) shapes.push_back(RandomTemplate(i + 1, random));
  const uint64_t spoiled = random->OneIn(2) ? 1'000'000 : 2 + random->Uniform(20);
  std::vector<Hinted> messages;
  for (size_t i = 0; i < count; ++i) {
    Hinted made = FromTemplate(shapes[random->Uniform(shapes.size())], random);
    if (random->OneIn(spoiled)) Spoil(&made, random);
    if (random->OneIn(30)) made.id = 0;
    made.null = random->OneIn(40);
    messages.push_back(std::move(made));
  }
  static const std::vector<HeaderView> headers = {{"h", "x"}, {"", std::nullopt}};
  if (random->OneIn(3)) {
    for (Hinted& made : messages) {
      if (random->OneIn(2)) made.key = "a key";
      if (random->OneIn(4)) made.headers = headers;
    }
  }
  return messages;
}

std::string Sealed(std::span<const Hinted> messages, int64_t base, bool hints, Effort effort,
                   CodecBuffers* buffers, TapeBlockBuilder* builder) {
  for (size_t i = 0; i < messages.size(); ++i) {
    MessageView message;
    message.offset = base + static_cast<int64_t>(i);
    if (!messages[i].null) message.value = messages[i].value;
    message.key = messages[i].key;
    message.headers = messages[i].headers;
    const MessageShape shape = {messages[i].id, messages[i].slots};
    Status status = builder->Append(message, hints && shape.id != 0 ? &shape : nullptr);
    EXPECT_TRUE(status.ok()) << status.ToString();
  }
  std::string bytes;
  Status status = builder->Seal(kTp, Timestamp(9), effort, buffers, &bytes);
  EXPECT_TRUE(status.ok()) << status.ToString();
  return bytes;
}

void ExpectHolds(std::string_view bytes, std::span<const Hinted> messages, int64_t base,
                 CodecBuffers* buffers) {
  TapeBlock block;
  Status status = block.Load(kTp, base, bytes, buffers);
  ASSERT_TRUE(status.ok()) << status.ToString();
  ASSERT_EQ(block.size(), messages.size());
  TapeBlock moved = std::move(block);
  for (size_t i = 0; i < messages.size(); ++i) {
    const MessageView was = moved.At(i);
    ASSERT_EQ(was.offset, base + static_cast<int64_t>(i));
    ASSERT_EQ(was.value.has_value(), !messages[i].null);
    ASSERT_EQ(was.value.value_or(""), messages[i].null ? "" : messages[i].value) << "message " << i;
    ASSERT_EQ(was.key, messages[i].key);
    ASSERT_EQ(was.headers.size(), messages[i].headers.size());
  }
}

TEST(TapeShapes, AnyHintsAndAnyMessagesComeBackByteForByte) {
  uint64_t seed = TestSeed();
  CodecBuffers buffers;
  TapeBlockBuilder builder;  // keeps shapes from block to block, as a recorder does
  size_t shaped = 0;
  for (uint64_t round = 0; round < 150; ++round) {
    Random random(seed + round);
    SCOPED_TRACE(RepeatWith(seed) + " round " + std::to_string(round));
    std::vector<Hinted> messages = RandomMessages(1 + random.Uniform(700), &random);
    Effort effort = random.OneIn(4) ? Effort::kMerge : Effort::kLive;
    std::string bytes = Sealed(messages, 100, true, effort, &buffers, &builder);
    shaped += bytes[4] == 2 ? 1 : 0;
    ASSERT_NO_FATAL_FAILURE(ExpectHolds(bytes, messages, 100, &buffers));
  }
  EXPECT_GT(shaped, 50u);
}

Hinted Told(std::string_view kind, size_t number, std::string_view unit) {
  Hinted made{.value = R"({"kind":")", .id = 3};
  auto add = [&](std::string_view token, std::string_view after) {
    made.slots.push_back(
        {static_cast<uint32_t>(made.value.size()), static_cast<uint32_t>(token.size())});
    made.value.append(token).append(after);
  };
  add(kind, R"(","number":)");
  add(std::to_string(number), R"(,"unit":")");
  add(unit, R"("})");
  return made;
}

// Tokens that were the same so far are not kept message by message: each way of changing after all.
TEST(TapeShapes, ASlotThatWasTheSameForLongVariesAfterAll) {
  CodecBuffers buffers;
  TapeBlockBuilder builder;
  struct Block {
    std::string_view kind, kind_later, unit, unit_later;
  };
  const Block blocks[] = {
      {"quote", "quote", "USD", "USD"}, {"trade", "trade", "USD", "USD"},
      {"quote", "quote", "EUR", "USD"}, {"quote", "a kind of more than eight bytes", "USD", ""},
      {"", "quote", "", "1.25"},        {"quote", "quote", "USD", "USD"},
  };
  for (const Block& is : blocks) {
    SCOPED_TRACE(std::string(is.kind) + " " + std::string(is.unit));
    for (size_t at : {size_t{1}, size_t{63}, size_t{200}, size_t{399}}) {
      std::vector<Hinted> messages;
      for (size_t i = 0; i < 400; ++i)
        messages.push_back(
            Told(i < at ? is.kind : is.kind_later, i * 7, i < at + 1 ? is.unit : is.unit_later));
      std::string bytes = Sealed(messages, 5, true, Effort::kLive, &buffers, &builder);
      EXPECT_EQ(bytes[4], 2);
      ASSERT_NO_FATAL_FAILURE(ExpectHolds(bytes, messages, 5, &buffers));
      TapeBlockBuilder fresh;  // what was learned of earlier blocks is not in the bytes
      EXPECT_EQ(Sealed(messages, 5, true, Effort::kLive, &buffers, &fresh), bytes);
    }
  }
}

TEST(TapeShapes, TokensThatLookLikeNumbersKeepTheirSpelling) {
  CodecBuffers buffers;
  // Each list is one column: what the first tokens promise, the others break.
  const std::vector<std::vector<std::string>> columns = {
      {"1", "2", "-0"},
      {"1.5", "2.25", "3.0"},
      {"1.0", "2.25", "3.0", "4.10"},
      {"0.1", "0.12", "0"},
      {"10", "20.5", "30", "0.25", "-7"},
      {"1.50", "2.5"},
      {"999999999999999999", "-999999999999999999", "0"},
      {"999999999999999999", "0.5"},
      {"0.00000000000000001", "1"},
      {"0.000000000000000001"},
      {"123456789012345678", "1234567890123456789"},
      {"1719878400091", "1719878400092", "01719878400093"},
      {"0.12345678", "12345.12345678", "1234567.12345678"},
      {"1.123456789012", "-1.123456789012", "0.123456789012"},
      {"12345678", "1234567", "1"},
      {"1:2", "1/2", "1,2", "1.", ".1", "1.2.3", "--1", "1-", ""},
      {"\0", "1"},
  };
  for (const std::vector<std::string>& column : columns) {
    SCOPED_TRACE(column[0] + " …");
    for (const std::string& before : {std::string(), std::string("p:")}) {
      std::vector<Hinted> messages;
      for (size_t i = 0; i < 60; ++i) {
        const std::string& token = column[i % column.size()];
        messages.push_back(
            {.value = before + token + "}",
             .slots = {{static_cast<uint32_t>(before.size()), static_cast<uint32_t>(token.size())}},
             .id = 5});
      }
      TapeBlockBuilder builder;
      std::string bytes = Sealed(messages, 7, true, Effort::kLive, &buffers, &builder);
      EXPECT_EQ(bytes[4], 2);
      ASSERT_NO_FATAL_FAILURE(ExpectHolds(bytes, messages, 7, &buffers));
    }
  }
}

std::vector<Hinted> Quotes(size_t count, Random* random) {
  std::vector<Hinted> messages;
  for (size_t i = 0; i < count; ++i) {
    Hinted made{.id = 3};
    auto put = [&](std::string_view fixed, const std::string& token) {
      made.value += fixed;
      made.slots.push_back(
          {static_cast<uint32_t>(made.value.size()), static_cast<uint32_t>(token.size())});
      made.value += token;
    };
    put("{\"symbol\":\"", "SYM" + std::to_string(1000 + random->Uniform(50)));
    put("\",\"ts\":", std::to_string(1'719'878'400'000 + i * 5));
    put(",\"bid\":", "34." + std::to_string(random->Between(1000, 9999)));
    put(",\"ask\":", "35." + std::to_string(random->Between(1000, 9999)));
    made.value += "}";
    messages.push_back(made);
  }
  return messages;
}

TEST(TapeShapes, QuotesTakeHalfTheBytesAndSmallBlocksNoMore) {
  Random random(TestSeed());
  CodecBuffers buffers;
  TapeBlockBuilder with, without;
  for (size_t count : {1, 2, 5, 10, 15, 16, 20, 40, 100, 1000}) {
    std::vector<Hinted> messages = Quotes(count, &random);
    const std::string shaped = Sealed(messages, 0, true, Effort::kLive, &buffers, &with);
    const std::string plain = Sealed(messages, 0, false, Effort::kLive, &buffers, &without);
    EXPECT_EQ(plain[4], 1);
    EXPECT_LE(static_cast<double>(shaped.size()), 1.02 * static_cast<double>(plain.size()))
        << count;
    if (count >= 1000) {
      EXPECT_LT(static_cast<double>(shaped.size()), 0.75 * static_cast<double>(plain.size()));
    }
    ASSERT_NO_FATAL_FAILURE(ExpectHolds(shaped, messages, 0, &buffers));
    EXPECT_EQ(ParseTapeHeader(shaped)->raw_bytes, ParseTapeHeader(plain)->raw_bytes);
  }
}

TEST(TapeShapes, ABuilderCountsBytesAsIfThereWereNoShapes) {
  Random random(TestSeed());
  std::vector<Hinted> messages = Quotes(50, &random);
  TapeBlockBuilder builder;
  size_t bytes = 0;
  for (size_t i = 0; i < messages.size(); ++i) {
    MessageView message;
    message.offset = static_cast<int64_t>(i);
    message.value = messages[i].value;
    bytes += messages[i].value.size();
    const MessageShape shape = {messages[i].id, messages[i].slots};
    ASSERT_TRUE(builder.Append(message, &shape).ok());
    EXPECT_EQ(builder.raw_bytes(), bytes);
    EXPECT_GT(builder.memory_bytes(), bytes);
  }
}

TEST(TapeShapes, MergedBlocksKeepEveryMessage) {
  uint64_t seed = TestSeed();
  SCOPED_TRACE(RepeatWith(seed));
  Random random(seed);
  CodecBuffers buffers;
  for (int round = 0; round < 20; ++round) {
    std::vector<Hinted> messages = RandomMessages(400, &random);
    TapeBlockBuilder builder;
    std::deque<std::string> bytes;
    std::vector<StoredTapeBlock> stored;
    for (size_t from = 0; from < messages.size();) {
      const size_t count = std::min<size_t>(1 + random.Uniform(90), messages.size() - from);
      auto base = static_cast<int64_t>(from);
      bytes.push_back(Sealed(std::span(messages).subspan(from, count), base, !random.OneIn(3),
                             Effort::kLive, &buffers, &builder));
      stored.push_back({base, bytes.back()});
      from += count;
    }
    std::string merged;
    Status status = MergeTapeBlocks(kTp, stored, Effort::kMerge, &buffers, &merged);
    ASSERT_TRUE(status.ok()) << status.ToString();
    ASSERT_NO_FATAL_FAILURE(ExpectHolds(merged, messages, 0, &buffers));
  }
}

TEST(TapeShapes, SmallBlocksGetTheirShapesWhenTheyAreMerged) {
  Random random(TestSeed());
  CodecBuffers buffers;
  std::vector<Hinted> messages = Quotes(600, &random);
  TapeBlockBuilder builder;
  std::deque<std::string> bytes;
  std::vector<StoredTapeBlock> stored;
  for (size_t from = 0; from < messages.size(); from += 3) {
    auto base = static_cast<int64_t>(from);
    bytes.push_back(Sealed(std::span(messages).subspan(from, 3), base, true, Effort::kLive,
                           &buffers, &builder));
    EXPECT_EQ(bytes.back()[4], 1);
    stored.push_back({base, bytes.back()});
  }
  std::string merged;
  ASSERT_TRUE(MergeTapeBlocks(kTp, stored, Effort::kMerge, &buffers, &merged).ok());
  EXPECT_EQ(merged[4], 2);
  const std::string plain = Sealed(messages, 0, false, Effort::kMerge, &buffers, &builder);
  EXPECT_LT(static_cast<double>(merged.size()), 0.75 * static_cast<double>(plain.size()));
  ASSERT_NO_FATAL_FAILURE(ExpectHolds(merged, messages, 0, &buffers));
}

// The value with each slot in brackets, or "none".
std::string Marked(const std::string& value) {
  TokenFinder finder;
  const MessageShape* shape = finder.Find(value);
  if (shape == nullptr) return "none";
  std::string out;
  size_t at = 0;
  for (const SlotRange& slot : shape->slots) {
    out += value.substr(at, slot.begin - at) + "[" + value.substr(slot.begin, slot.size) + "]";
    at = slot.begin + slot.size;
  }
  return out + value.substr(at);
}

TEST(TokenFinder, TellsScalarsFromNamesAndPunctuation) {
  EXPECT_EQ(Marked(R"({"a":"x","b" : -1.5e3,"c":[true,null,""]})"),
            R"({"a":"[x]","b" : [-1.5e3],"c":[[true],[null],"[]"]})");
  EXPECT_EQ(Marked(R"({"a\"b":"x\\","c":"\\\"y"})"), R"({"a\"b":"[x\\]","c":"[\\\"y]"})");
  EXPECT_EQ(Marked("1,2.5,BTC"), "[1],[2.5],[BTC]");
  EXPECT_EQ(Marked(""), "");
  EXPECT_EQ(Marked(R"({"a":"x)"), "none");
  EXPECT_EQ(Marked(R"("\)"), "none");
  std::string many = "1";
  for (size_t i = 1; i < kTapeSlotsMax; ++i) many += ",1";
  EXPECT_NE(Marked(many), "none");
  EXPECT_EQ(Marked(many + ",1"), "none");
  TokenFinder finder;
  const uint64_t id = finder.Find(R"({"a":1})")->id;
  EXPECT_EQ(finder.Find(R"({"a":27})")->id, id);
  EXPECT_NE(finder.Find(R"({"b":1})")->id, id);
}

}  // namespace
}  // namespace tapedeck
