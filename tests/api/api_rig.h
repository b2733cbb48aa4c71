#ifndef TAPEDECK_TESTS_API_API_RIG_H_
#define TAPEDECK_TESTS_API_API_RIG_H_

// ApiRig: the routes over a real store that the test fills, asked in process.
//
//   ApiRig rig;
//   rig.FillTrades("BTC", 100);
//   Reply reply = rig.Get("/v1/trades?symbols=BTC&format=ndjson");
//   reply.status, reply.Header("Link"), reply.body, reply.Trailer("Tapedeck-Rows")
//
// Owned by one thread.

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "api/api.h"
#include "blob/open_store.h"
#include "query/store_filler.h"
#include "support/temp_dir.h"

namespace tapedeck::testing {

using Json = nlohmann::ordered_json;
using Headers = std::vector<HttpField>;

/// A node that is what the test says, over a filled store.
class FilledNode final : public ServedNode {
 public:
  explicit FilledNode(StoreFiller* filler) : filler_(filler) {}

  ServedPhase phase() const override { return phase_; }
  std::chrono::nanoseconds silence() const override { return state_.silence; }
  ServedState State() const override {
    ServedState state = state_;
    state.phase = phase_;
    state.store = filler_->store().meta();
    state.open_rows = filler_->open_rows().rows();
    state.open_row_bytes = filler_->open_rows().bytes();
    return state;
  }
  Result<std::shared_ptr<const ReadPoint>> Point() const override {
    if (phase_ != ServedPhase::kRecording) return Status::Unavailable("not yet");
    ++points_;
    if (!failure_.ok()) return failure_;
    return filler_->Point();
  }
  uint64_t published() const override { return filler_->open_rows().changes(); }
  const Store* store() const override { return &filler_->store(); }
  std::shared_ptr<const ManifestSet> manifests() const override {
    return holder_ == nullptr ? nullptr : holder_->Take();
  }
  std::string archive_place() const override {
    return holder_ == nullptr ? "" : "s3://market-data/deck";
  }
  Result<std::vector<DayState>> CloseDay(Day day, std::vector<std::string> tables) override {
    if (phase_ != ServedPhase::kRecording) return Status::Unavailable("not yet");
    return close_day ? close_day(day, std::move(tables))
                     : Result<std::vector<DayState>>(Status::FailedPrecondition("no archive"));
  }
  ReplayRunner* replays() const override {
    return phase_ == ServedPhase::kRecording ? replay_runner : nullptr;
  }
  Reindexer* reindexer() const override {
    return phase_ == ServedPhase::kRecording ? reindex_runner : nullptr;
  }
  Result<FlushTicket> FlushAll() override {
    if (phase_ != ServedPhase::kRecording) return Status::Unavailable("not yet");
    return FlushTicket{.number = ++flushes_, .ships = holder_ != nullptr};
  }

  /// From now on there is an archive: what is there already is known.
  void OpenArchive(BlobStore* blobs) {
    holder_ = std::make_unique<ManifestHolder>();
    const auto report = holder_->Refresh(blobs, nullptr);
    EXPECT_TRUE(report.ok()) << report.status().ToString();
  }
  /// One that has not been looked into.
  void OpenUnlistedArchive() { holder_ = std::make_unique<ManifestHolder>(); }
  std::function<Result<std::vector<DayState>>(Day, std::vector<std::string>)> close_day;
  ReplayRunner* replay_runner = nullptr;
  Reindexer* reindex_runner = nullptr;

  void SetPhase(ServedPhase phase) { phase_ = phase; }
  void FailWith(Status failure) { failure_ = std::move(failure); }
  ServedState* state() { return &state_; }
  /// How often somebody read.
  int points() const { return points_; }

 private:
  StoreFiller* filler_;
  ServedPhase phase_ = ServedPhase::kRecording;
  Status failure_;
  ServedState state_;
  mutable std::atomic<int> points_{0};
  std::unique_ptr<ManifestHolder> holder_;
  uint64_t flushes_ = 0;
};

struct Reply {
  int status = 0;
  Headers headers;
  Headers trailers;
  std::string body;  // of a stream: as far as it came
  bool streamed = false;
  Status broken;  // of a stream that did not end well

  std::string Header(std::string_view name) const { return Find(headers, name); }
  std::string Trailer(std::string_view name) const { return Find(trailers, name); }
  Json json() const {
    Json json = Json::parse(body, nullptr, /*allow_exceptions=*/false);
    EXPECT_FALSE(json.is_discarded()) << body.substr(0, 300);
    return json;
  }
  /// The problem's last word of its type.
  std::string problem() const {
    EXPECT_EQ(Header("Content-Type"), "application/problem+json") << body.substr(0, 300);
    const std::string type = json().value("type", "");
    return type.substr(type.rfind(':') + 1);
  }
  /// Parameters that the problem names.
  std::vector<std::string> named() const {
    std::vector<std::string> names;
    const Json whole = json();
    for (const Json& error : whole.at("errors")) names.push_back(error.at("parameter"));
    return names;
  }

 private:
  static std::string Find(const Headers& fields, std::string_view name) {
    for (const HttpField& field : fields) {
      if (field.name == name) return field.value;
    }
    return "";
  }
};

/// Reads a response to its end, as the server does. `on_wait`: nothing was ready yet.
Reply Drain(HttpResponse response, const std::function<void()>& on_wait = {});

class ApiRig {
 public:
  explicit ApiRig(TokenFile* tokens = nullptr, size_t read_bytes = size_t{256} << 20);

  static HttpRequest RequestOf(std::string_view target, const Headers& headers = {},
                               std::string_view method = "GET");
  Reply Get(std::string_view target, const Headers& headers = {}, std::string_view method = "GET");
  Reply Post(std::string_view target, std::string body, const Headers& headers = {});

  /// `count` trades one second apart from `start_s`, one message each, committed; prices 100.00,
  /// 100.01 …
  void FillTrades(const std::string& symbol, int count, int64_t start_s = 1'719'893'836,
                  const std::string& topic = "ticks");
  void FillBars(const std::string& symbol, const std::vector<std::string>& intervals);

  TempDir dir;
  StoreFiller filler{dir.path()};
  FilledNode node{&filler};
  ManualClock clock{Timestamp(1'720'000'000'000'000'000)};
  std::unique_ptr<Api> api;

 private:
  TpId TapeOf(const std::string& topic);
  std::vector<std::pair<std::string, TpId>> tapes_;
};

}  // namespace tapedeck::testing

#endif  // TAPEDECK_TESTS_API_API_RIG_H_
