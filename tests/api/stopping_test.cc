// Answers that take long: who is not waited for, what is given up, what goes on in steps.

#include "api/open_streams.h"
#include "api_rig.h"

namespace tapedeck::testing {
namespace {

constexpr const char* kNowhere = "/v1/trades?symbols=*&where=trade_id:nope";

/// Every look at it takes a millisecond.
class TickingClock final : public Clock {
 public:
  Timestamp Now() const override { return Timestamp(1'720'000'000'000'000'000); }
  MonotonicTime Monotonic() const override {
    return std::chrono::milliseconds(ticks_.fetch_add(1) + 1);
  }
  void SleepFor(std::chrono::nanoseconds) override {}

 private:
  mutable std::atomic<int64_t> ticks_{0};
};

std::unique_ptr<Api> ApiWith(ApiRig* rig, Clock* clock, std::chrono::nanoseconds answer_limit) {
  auto made = Api::Make({.node = &rig->node,
                         .clock = clock,
                         .version = "9.8.7",
                         .read_bytes = size_t{256} << 20,
                         .answer_limit = answer_limit});
  EXPECT_TRUE(made.ok());
  return std::move(made).value();
}

TEST(Stopping, NobodyWaitsForTheAnswerSoItIsNotMade) {
  ApiRig rig;
  rig.FillTrades("BTC", 10'000);
  rig.filler.Flush();
  for (const char* more : {"", "&format=ndjson"}) {
    HttpRequest request = ApiRig::RequestOf(std::string(kNowhere) + more);
    auto gone = std::make_shared<std::atomic<bool>>(false);
    request.gone = gone;
    EXPECT_EQ(Drain(rig.api->Handle(request)).status, 200);
    gone->store(true);
    EXPECT_EQ(Drain(rig.api->Handle(request)).status, 503);
  }
  EXPECT_EQ(rig.api->reads_open(), 0u);
}

TEST(Stopping, AnAnswerThatTakesTooLongSaysWhatToAskInstead) {
  ApiRig rig;
  rig.FillTrades("BTC", 10'000);
  rig.filler.Flush();
  rig.filler.Append(rig.filler.AddTape({"c1", "junk", 0, 0}), {.value = "?", .timestamp_ms = 5});
  rig.filler.Commit();
  auto api = ApiWith(&rig, &rig.clock, std::chrono::nanoseconds(0));
  for (const char* target : {kNowhere, "/v1/trades/count?symbols=*&where=trade_id:nope",
                             "/v1/trades/latest?symbols=*&where=trade_id:nope",
                             "/v1/messages?topic=ticks", "/v1/refused"}) {
    const Reply reply = Drain(api->Handle(ApiRig::RequestOf(target)));
    EXPECT_EQ(reply.status, 503) << target;
    EXPECT_EQ(reply.problem(), "overloaded") << target;
    EXPECT_NE(reply.body.find("ask for less"), std::string::npos) << reply.body;
  }
}

TEST(Stopping, AStreamWithoutRowsLetsOthersHaveTheirTurnAndMayTakeAnyTime) {
  ApiRig rig;
  rig.FillTrades("BTC", 60'000);
  TickingClock clock;
  auto api = ApiWith(&rig, &clock, std::chrono::seconds(60));
  HttpResponse response =
      api->Handle(ApiRig::RequestOf("/v1/trades?symbols=*&where=trade_id:59999&format=ndjson"));
  ASSERT_EQ(response.status, 200);
  ASSERT_NE(response.stream, nullptr);
  for (int i = 0; i < 100; ++i) clock.Monotonic();
  const Reply reply = Drain(std::move(response));
  EXPECT_EQ(reply.Trailer("Tapedeck-Rows"), "1");
  EXPECT_TRUE(reply.broken.ok()) << reply.broken.ToString();
}

TEST(Stopping, ReadsUnderWayLetGoOfAStoreThatMustBeOpenedAgain) {
  OpenStreams streams;
  ManualClock clock{Timestamp(0)};
  ReadStop under_way(&clock);
  ReadStop ended(&clock);
  { const ReadInHand in_hand(&streams, &ended); }
  const ReadInHand in_hand(&streams, &under_way);
  streams.BreakAll();
  EXPECT_EQ(under_way.reason(), ReadStop::Reason::kBroken);
  EXPECT_EQ(under_way.Check().code(), StatusCode::kUnavailable);
  EXPECT_EQ(ended.reason(), ReadStop::Reason::kNone);
}

TEST(Stopping, TheSocketThreadGivesOnlyWhatIsKept) {
  ApiRig rig;
  rig.FillTrades("BTC", 5);
  const HttpRequest latest = ApiRig::RequestOf("/v1/trades/latest?symbols=BTC");
  EXPECT_FALSE(rig.api->AnswerAtOnce(latest).has_value());
  EXPECT_EQ(rig.node.points(), 0);
  const Reply made = Drain(rig.api->Handle(latest));
  auto kept = rig.api->AnswerAtOnce(latest);
  ASSERT_TRUE(kept.has_value());
  EXPECT_EQ(kept->body, made.body);
  rig.FillTrades("BTC", 1, 1'719'900'000);
  EXPECT_FALSE(rig.api->AnswerAtOnce(latest).has_value());
  EXPECT_EQ(rig.node.points(), 1) << "the socket thread has read something";
  EXPECT_TRUE(rig.api->AnswerAtOnce(ApiRig::RequestOf("/livez")).has_value());
  EXPECT_TRUE(rig.api->AnswerAtOnce(ApiRig::RequestOf("/nowhere")).has_value());
  EXPECT_FALSE(rig.api->AnswerAtOnce(ApiRig::RequestOf("/v1/trades?symbols=BTC")).has_value());
}

}  // namespace
}  // namespace tapedeck::testing
