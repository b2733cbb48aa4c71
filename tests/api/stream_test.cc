#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <map>

#include "api/stream_place.h"
#include "api/tokens.h"
#include "api_rig.h"
#include "base/clock.h"
#include "base/random.h"
#include "query/random_world.h"
#include "support/seed.h"
#include "support/temp_dir.h"

namespace tapedeck::testing {
namespace {

using std::chrono::milliseconds;

// Nothing has come for so long: it does not come.
constexpr std::chrono::seconds kPatience{60};

std::vector<Json> LinesOf(const std::string& body) {
  std::vector<Json> lines;
  for (size_t at = 0; at < body.size();) {
    const size_t end = body.find('\n', at);
    if (end == std::string::npos) break;  // cut off
    if (end > at) lines.push_back(Json::parse(body.substr(at, end - at)));
    at = end + 1;
  }
  return lines;
}

// What identifies a message, and the whole of it but the cursor.
std::string WithoutCursor(Json line) {
  line.erase("cursor");
  return line.dump();
}

std::vector<std::string> Texts(const std::vector<Json>& lines) {
  std::vector<std::string> texts;
  for (const Json& line : lines) {
    if (!line.contains("_caught_up")) texts.push_back(WithoutCursor(line));
  }
  return texts;
}

// A client of a stream that does not end by itself.
class Follower {
 public:
  Follower(ApiRig* rig, const std::string& target, const Headers& headers = {})
      : rig_(rig), response_(rig->api->Handle(ApiRig::RequestOf(target, headers))) {
    EXPECT_EQ(response_.status, 200) << response_.body;
  }
  // Reads until there are `count` lines in all, or nothing has come for long.
  const std::vector<Json>& Until(size_t count) {
    ReadUntil([&] { return lines().size() >= count; });
    return lines();
  }
  // The same, until `text` is among what has come. Whether it is.
  bool UntilText(const std::string& text) {
    ReadUntil([&] { return body_.find(text) != std::string::npos; });
    return body_.find(text) != std::string::npos;
  }
  // Whether nothing is due now: a stream that must wait says so, and gives no byte.
  bool Waits() {
    std::string piece;
    const Result<ResponseBody::Step> step = response_.stream->Next(&piece);
    EXPECT_TRUE(step.ok()) << step.status().ToString();
    body_ += piece;
    return step.ok() && *step == ResponseBody::Step::kWait && piece.empty();
  }
  const std::vector<Json>& lines() {
    if (body_.size() != parsed_) lines_ = LinesOf(body_);
    parsed_ = body_.size();
    return lines_;
  }
  const std::string& body() const { return body_; }
  HttpResponse& response() { return response_; }

 private:
  template <typename F>
  void ReadUntil(F done) {
    MonotonicTime last = SystemClock().Monotonic();
    while (response_.stream && !done() && SystemClock().Monotonic() - last < kPatience) {
      std::string piece;
      Result<ResponseBody::Step> step = response_.stream->Next(&piece);
      EXPECT_TRUE(step.ok()) << step.status().ToString();
      if (!step.ok()) break;
      body_ += piece;
      if (!piece.empty()) last = SystemClock().Monotonic();
      if (*step == ResponseBody::Step::kWait) SystemClock().SleepFor(milliseconds(1));
      if (*step == ResponseBody::Step::kEnd) break;
    }
  }

  ApiRig* rig_;
  HttpResponse response_;
  std::string body_;
  std::vector<Json> lines_;
  size_t parsed_ = 0;
};

TEST(Stream, HistoryIsWhatMessagesGivesAndEndsWithTrailers) {
  ApiRig rig;
  rig.FillTrades("BTC", 30);
  const Reply reply = rig.Get("/v1/stream?topics=ticks");
  ASSERT_EQ(reply.status, 200) << reply.body;
  EXPECT_EQ(reply.Header("Content-Type"), "application/x-ndjson");
  EXPECT_EQ(reply.Header("Tapedeck-Coverage"), "whole");
  EXPECT_EQ(reply.Trailer("Tapedeck-Rows"), "30");
  EXPECT_EQ(reply.Trailer("Tapedeck-Status"), "complete");
  EXPECT_EQ(Texts(LinesOf(reply.body)),
            Texts(LinesOf(rig.Get("/v1/messages?topic=ticks&format=ndjson").body)));
}

TEST(Stream, EndsWithItsTokenAndIsNotTakenForComplete) {
  TempDir dir;
  const std::string file = dir.File("tokens");
  auto first = MakeToken("first", kScopeRead, Timestamp::Max());
  auto second = MakeToken("second", kScopeRead, Timestamp::Max());
  ASSERT_TRUE(first.ok() && second.ok());
  std::ofstream(file) << first->line << "\n" << second->line << "\n";
  std::filesystem::permissions(file, std::filesystem::perms::owner_all);
  ManualClock of_tokens{Timestamp(0)};
  auto tokens = TokenFile::Open(file, &of_tokens);
  ASSERT_TRUE(tokens.ok()) << tokens.status().ToString();
  ApiRig rig(tokens->get());
  rig.FillTrades("BTC", 5);
  const std::string target = "/v1/stream?topics=ticks&follow=true";
  Follower removed(&rig, target, {{"Authorization", "Bearer " + first->token}});
  Follower kept(&rig, target, {{"Authorization", "Bearer " + second->token}});
  ASSERT_EQ(removed.Until(6).size(), 6u);  // with the caught-up mark
  ASSERT_EQ(kept.Until(6).size(), 6u);
  auto pass = [&] {
    of_tokens.Advance(std::chrono::seconds(2));
    rig.clock.Advance(std::chrono::seconds(2));
  };
  pass();
  EXPECT_TRUE(removed.Waits());
  std::ofstream(file, std::ios::trunc) << second->line << "\n";
  pass();
  std::string piece;
  EXPECT_EQ(removed.response().stream->Next(&piece).status().code(),
            StatusCode::kFailedPrecondition);
  EXPECT_EQ(piece, "");
  EXPECT_TRUE(kept.Waits());
  rig.FillTrades("BTC", 1);
  EXPECT_EQ(kept.Until(7).size(), 7u);
}

// Any recording, any selection: broken off behind any line, the rest follows exactly.
TEST(Stream, GoesOnBehindAnyLineWithNothingMissingAndNothingTwice) {
  const uint64_t seed = TestSeed();
  Random random(seed);
  ApiRig rig;
  RandomWorld world(&rig.filler, &random);
  world.Run(200);
  const Json topics = rig.Get("/v1/topics").json()["data"];
  std::string all;
  for (const Json& topic : topics) {
    all += (all.empty() ? "" : ",") + topic["topic"].get<std::string>();
  }
  const char* narrowings[] = {"",
                              "&symbols=BTC",
                              "&tables=trades,quotes",
                              "&order=event",
                              "&value=json",
                              "&value=json&symbols=BTC,ETH&origin=true"};
  for (int round = 0; round < 40; ++round) {
    const std::string target =
        "/v1/stream?topics=" + all + narrowings[random.Uniform(std::size(narrowings))];
    const std::vector<Json> whole = LinesOf(rig.Get(target).body);
    if (whole.empty()) continue;
    std::vector<Json> joined;
    std::string cursor;
    while (joined.size() < whole.size()) {
      const Reply part = rig.Get(target + (cursor.empty() ? "" : "&cursor=" + cursor));
      ASSERT_EQ(part.status, 200) << part.body;
      const std::vector<Json> lines = LinesOf(part.body);
      ASSERT_EQ(lines.size() + joined.size(), whole.size()) << target << " seed " << seed;
      const size_t taken = 1 + random.Uniform(lines.size());
      joined.insert(joined.end(), lines.begin(), lines.begin() + static_cast<int64_t>(taken));
      cursor = joined.back()["cursor"];
    }
    ASSERT_EQ(Texts(joined), Texts(whole)) << target << " seed " << seed;
  }
}

TEST(Stream, FollowsFromHistoryToLiveDataAtTheVeryOffset) {
  ApiRig rig;
  rig.FillTrades("BTC", 10);
  Follower follower(&rig, "/v1/stream?topics=ticks&follow=true");
  ASSERT_EQ(follower.Until(11).size(), 11u);
  EXPECT_EQ(follower.lines()[10]["_caught_up"], true);
  EXPECT_TRUE(follower.lines()[10].contains("cursor"));
  rig.FillTrades("ETH", 5);
  rig.FillTrades("BTC", 5);
  ASSERT_EQ(follower.Until(21).size(), 21u);
  EXPECT_EQ(Texts(follower.lines()),
            Texts(LinesOf(rig.Get("/v1/messages?topic=ticks&format=ndjson").body)));
}

TEST(Stream, APartitionThatAppearsWhileFollowingJoinsAtItsFirstMessage) {
  ApiRig rig;
  rig.FillTrades("BTC", 3);
  Follower follower(&rig, "/v1/stream?topics=ticks&follow=true");
  ASSERT_EQ(follower.Until(4).size(), 4u);
  const TpId tp = rig.filler.AddTape({"c1", "ticks", 0, 1}, 40);
  for (int i = 0; i < 3; ++i) {
    rig.filler.Append(tp, {.value = "new", .timestamp_ms = 1'719'893'836'000});
  }
  rig.filler.Commit();
  ASSERT_EQ(follower.Until(7).size(), 7u);
  EXPECT_EQ(follower.lines()[4]["partition"], 1);
  EXPECT_EQ(follower.lines()[4]["offset"], 40);
  EXPECT_EQ(follower.lines()[6]["offset"], 42);
}

// While somebody records: connections that break at any line, joined, are the topic.
TEST(Stream, AHundredBrokenConnectionsJoinToTheTopicWhileItGrows) {
  const uint64_t seed = TestSeed();
  Random random(seed);
  ApiRig rig;
  const TpId tps[] = {rig.filler.AddTape({"c1", "grows", 0, 0}),
                      rig.filler.AddTape({"c1", "grows", 0, 1})};
  int written = 0;
  auto write = [&](uint64_t count) {
    for (uint64_t n = 0; n < count; ++n) {
      rig.filler.Append(tps[random.Uniform(2)],
                        {.value = std::to_string(written++), .timestamp_ms = 1'719'893'836'000});
      if (random.OneIn(5)) rig.filler.Commit();
    }
    rig.filler.Commit();
    if (random.OneIn(4)) rig.filler.Flush();
    if (random.OneIn(6)) rig.filler.MergeTape();
  };
  write(20);
  std::vector<std::string> seen;
  std::map<int64_t, std::vector<int64_t>> offsets;
  std::string cursor;
  size_t marks = 0;
  for (int connection = 0; connection < 100; ++connection) {
    Follower follower(
        &rig, "/v1/stream?topics=grows&follow=true" + (cursor.empty() ? "" : "&cursor=" + cursor));
    write(1 + random.Uniform(10));
    const size_t there = static_cast<size_t>(written) - seen.size() + (marks == 0 ? 1 : 0);
    const size_t wanted = 1 + random.Uniform(there);
    const std::vector<Json>& lines = follower.Until(wanted);
    ASSERT_GE(lines.size(), wanted) << "seed " << seed;
    for (size_t i = 0; i < wanted; ++i) {
      cursor = lines[i]["cursor"];
      if (lines[i].contains("_caught_up")) {
        ++marks;
        continue;
      }
      seen.push_back(lines[i]["value"]);
      offsets[lines[i]["partition"]].push_back(lines[i]["offset"]);
    }
  }
  Follower rest(&rig, "/v1/stream?topics=grows&follow=true&cursor=" + cursor);
  const size_t left = static_cast<size_t>(written) - seen.size();
  for (const Json& line : rest.Until(left)) seen.push_back(line["value"]);
  EXPECT_EQ(marks, 1u) << "seed " << seed;
  EXPECT_EQ(seen.size(), static_cast<size_t>(written));
  std::sort(seen.begin(), seen.end());
  EXPECT_EQ(std::unique(seen.begin(), seen.end()), seen.end()) << "twice, seed " << seed;
  for (const auto& [partition, of_it] : offsets) {
    EXPECT_TRUE(std::is_sorted(of_it.begin(), of_it.end())) << partition << " seed " << seed;
  }
}

TEST(Stream, ServerSentEventsCarryTheCursorAsIdAndTakeItBack) {
  ApiRig rig;
  rig.FillTrades("BTC", 3);
  const Reply first = rig.Get("/v1/stream?topics=ticks", {{"Accept", "text/event-stream"}});
  EXPECT_EQ(first.Header("Content-Type"), "text/event-stream");
  ASSERT_TRUE(first.body.starts_with("id: ")) << first.body;
  const std::string id = first.body.substr(4, first.body.find('\n') - 4);
  EXPECT_NE(first.body.find("\ndata: {\"topic\":\"ticks\""), std::string::npos);
  const Reply rest =
      rig.Get("/v1/stream?topics=ticks", {{"Accept", "text/event-stream"}, {"Last-Event-ID", id}});
  EXPECT_EQ(first.body.substr(first.body.find("\n\n") + 2), rest.body);
  Follower follower(&rig, "/v1/stream?topics=ticks&follow=true&format=sse");
  EXPECT_TRUE(follower.UntilText("event: caught-up\ndata: {\"_caught_up\":true}\n\n")) << "no mark";
}

TEST(Stream, OriginalPaceKeepsTheSpacingOnTheNodesClock) {
  ApiRig rig;
  rig.FillTrades("BTC", 4);  // a second apart
  Follower follower(&rig, "/v1/stream?topics=ticks&pace=original&speed=2");
  EXPECT_EQ(follower.Until(1).size(), 1u);
  EXPECT_TRUE(follower.Waits()) << "the clock stands still";
  rig.clock.Advance(milliseconds(499));
  EXPECT_TRUE(follower.Waits());
  for (size_t count = 2; count <= 4; ++count) {
    rig.clock.Advance(milliseconds(count == 2 ? 1 : 500));
    EXPECT_EQ(follower.Until(count).size(), count);
  }
}

TEST(Stream, AClientThatLeavesASearchOrAPaceEndsItAtOnce) {
  ApiRig rig;
  rig.FillTrades("BTC", 2'000);
  for (const char* more : {"&pace=original&speed=0.001", "&symbols=NOBODY&follow=true", "",
                           "&pace=rate&messages_per_second=1", "&follow=true&value=json"}) {
    Follower follower(&rig, std::string("/v1/stream?topics=ticks") + more);
    std::string piece;
    ASSERT_TRUE(follower.response().stream->Next(&piece).ok());
  }
  // At their pace they would go on for hours: that this is reached is the proof.
  EXPECT_EQ(rig.api->reads_open(), 0u);
}

TEST(Stream, OutlivesAStoreThatIsOpenedAgain) {
  ApiRig rig;
  rig.FillTrades("BTC", 5'000);
  Follower follower(&rig, "/v1/stream?topics=ticks&follow=true");
  ASSERT_GE(follower.Until(100).size(), 100u);
  rig.api->BreakStreams();
  ASSERT_EQ(follower.Until(5'001).size(), 5'001u);
  rig.api->BreakStreams();
  rig.FillTrades("ETH", 1);
  ASSERT_EQ(follower.Until(5'002).size(), 5'002u);
}

TEST(Stream, WhatCannotBeIsRefusedByName) {
  ApiRig rig;
  rig.FillTrades("BTC", 3);
  const std::string base = "/v1/stream?topics=ticks";
  const std::string cursor = LinesOf(rig.Get(base).body)[0]["cursor"];
  const std::vector<std::pair<std::string, std::string>> wrong = {
      {"/v1/stream", "topics"},
      {base + "&speed=0&pace=original", "speed"},
      {base + "&speed=fast&pace=original", "speed"},
      {base + "&speed=2", "speed"},
      {base + "&max_idle=5s", "max_idle"},
      {base + "&max_idle=never&pace=original", "max_idle"},
      {base + "&pace=rate", "pace"},
      {base + "&messages_per_second=10", "messages_per_second"},
      {base + "&follow=true&end=2024-07-03", "end"},
      {base + "&start=2024-07-03&end=2024-07-02", "end"},
      {base + "&origin=true", "origin"},
      {base + "&value=json&encoding=base64", "encoding"},
      {base + "&cursor=rubbish", "cursor"},
      {base + "&order=event&cursor=" + cursor, "cursor"},
      {base + "&format=csv", "format"},
  };
  for (const auto& [target, parameter] : wrong) {
    const Reply reply = rig.Get(target);
    EXPECT_EQ(reply.status, 400) << target;
    EXPECT_EQ(reply.named(), std::vector<std::string>{parameter}) << target;
  }
  EXPECT_EQ(rig.Get("/v1/stream?topics=nothing").status, 404);
  EXPECT_EQ(rig.Get(base + "&tables=nothing").status, 404);
  EXPECT_EQ(rig.Get(base, {{"Accept", "image/png"}}).status, 406);
  for (int i = 0; i < 65; ++i) rig.filler.AddTape({"c1", "wide", 0, i});
  rig.filler.Commit();
  EXPECT_EQ(rig.Get("/v1/stream?topics=wide").status, 422);
}

TEST(StreamPlace, ComesBackAsItWasAndDamageIsSeen) {
  StreamPlace place;
  place.query = 0x0123456789abcdef;
  place.start = Timestamp(-5);
  place.sent = 3;
  place.ranges = {{{"", "a", 2, 7}, -5, 1'000'000}, {{"", "b\0c", 0, 0}, 0, 0}};
  place.after = MessagePosition{Timestamp(9), "a", 7, 2, 41};
  const std::string text = EncodeStreamPlace(place);
  Result<StreamPlace> read = DecodeStreamPlace(text);
  ASSERT_TRUE(read.ok()) << read.status().ToString();
  EXPECT_EQ(*read, place);
  for (size_t at = 0; at < text.size(); ++at) {
    std::string other = text;
    other[at] = other[at] == 'A' ? 'B' : 'A';
    const Result<StreamPlace> damaged = DecodeStreamPlace(other);
    EXPECT_TRUE(!damaged.ok() || *damaged == place) << at;  // trailing bits of base64 mean nothing
    EXPECT_FALSE(DecodeStreamPlace(text.substr(0, at)).ok()) << at;
  }
}

}  // namespace
}  // namespace tapedeck::testing
