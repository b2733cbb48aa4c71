#include "api_rig.h"

#include <thread>

namespace tapedeck::testing {

Reply Drain(HttpResponse response, const std::function<void()>& on_wait) {
  Reply reply;
  reply.status = response.status;
  reply.headers = std::move(response.headers);
  reply.body = std::move(response.body);
  reply.streamed = response.stream != nullptr;
  while (response.stream != nullptr) {
    Result<ResponseBody::Step> step = response.stream->Next(&reply.body);
    if (!step.ok()) {
      reply.broken = step.status();
      break;
    }
    if (*step == ResponseBody::Step::kWait && on_wait) on_wait();
    if (*step != ResponseBody::Step::kEnd) continue;
    reply.trailers = response.stream->Trailers();
    break;
  }
  return reply;
}

ApiRig::ApiRig(TokenFile* tokens, size_t read_bytes) {
  auto made = Api::Make({.node = &node,
                         .clock = &clock,
                         .tokens = tokens,
                         .version = "9.8.7",
                         .read_bytes = read_bytes});
  EXPECT_TRUE(made.ok());
  api = std::move(made).value();
  api->Measure();
}

HttpRequest ApiRig::RequestOf(std::string_view target, const Headers& headers,
                              std::string_view method) {
  HttpRequest request;
  request.method = method;
  const size_t question = target.find('?');
  request.path = target.substr(0, question);
  if (question != std::string_view::npos) request.query = target.substr(question + 1);
  request.headers = headers;
  request.peer = "127.0.0.1";
  for (const HttpField& field : headers) {
    if (field.name == ":minor") request.minor_version = field.value == "0" ? 0 : 1;
  }
  return request;
}

Reply ApiRig::Get(std::string_view target, const Headers& headers, std::string_view method) {
  // What is paced goes by this clock.
  const bool paced = target.starts_with("/v1/stream");
  return Drain(api->Handle(RequestOf(target, headers, method)), [&] {
    if (paced) clock.Advance(std::chrono::hours(6));
    std::this_thread::yield();
  });
}

Reply ApiRig::Post(std::string_view target, std::string body, const Headers& headers) {
  HttpRequest request = RequestOf(target, headers, "POST");
  request.body = std::move(body);
  return Drain(api->Handle(request));
}

TpId ApiRig::TapeOf(const std::string& topic) {
  for (const auto& [name, tp] : tapes_) {
    if (name == topic) return tp;
  }
  const TpId tp = filler.AddTape({"c1", topic, 0, 0});
  tapes_.emplace_back(topic, tp);
  return tp;
}

void ApiRig::FillTrades(const std::string& symbol, int count, int64_t start_s,
                        const std::string& topic) {
  const TpId tp = TapeOf(topic);
  for (int i = 0; i < count; ++i) {
    const int64_t s = start_s + i;
    std::string cents = std::to_string(i % 100);
    if (cents.size() < 2) cents = "0" + cents;
    filler.Append(tp, {.value = R"([{"k":"t","s":")" + symbol + R"(","t":)" + std::to_string(s) +
                                R"(000000000,"p":")" + std::to_string(100 + i / 100) + "." + cents +
                                R"(","v":"1.50","d":")" + (i % 2 == 0 ? "buy" : "sell") +
                                R"(","i":")" + std::to_string(i) + R"("}])",
                       .timestamp_ms = s * 1000});
  }
  filler.Commit();
}

void ApiRig::FillBars(const std::string& symbol, const std::vector<std::string>& intervals) {
  const TpId tp = TapeOf("candles");
  for (const std::string& interval : intervals) {
    filler.Append(tp,
                  {.value = R"([{"k":"b","s":")" + symbol + R"(","t":1719893836000000000,"w":")" +
                            interval + R"(","c":"5.00"}])",
                   .timestamp_ms = 1'719'893'836'000});
  }
  filler.Commit();
}

}  // namespace tapedeck::testing
