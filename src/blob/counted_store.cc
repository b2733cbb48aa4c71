#include "blob/counted_store.h"

#include <array>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>

namespace tapedeck {
namespace {

enum Op : size_t { kPut = 0, kOpen, kRead, kStat, kList, kDelete, kOps };
constexpr std::array<std::string_view, kOps> kOpNames = {"put",  "open", "read",
                                                         "stat", "list", "delete"};

class Tally {
 public:
  Tally(std::string_view backend, Metrics* metrics, Clock* clock)
      : backend_(backend), metrics_(metrics), clock_(clock) {
    for (size_t op = 0; op < kOps; ++op) {
      seconds_[op] = metrics->AddHistogram(
          "tapedeck_blob_seconds", "Calls to the archive, retries included.", LatencyBounds(),
          {{"backend", backend_}, {"op", std::string(kOpNames[op])}});
    }
    for (size_t down = 0; down < 2; ++down) {
      bytes_[down] = metrics->AddCounter(
          "tapedeck_blob_bytes_total", "Bytes put into the archive and read from it.",
          {{"backend", backend_}, {"direction", down == 0 ? "up" : "down"}});
    }
  }

  MonotonicTime Begin() const { return clock_->Monotonic(); }
  void End(Op op, MonotonicTime begun, const Status& status) {
    seconds_[op]->Observe(std::chrono::duration<double>(clock_->Monotonic() - begun).count());
    metrics_
        ->AddCounter("tapedeck_blob_requests_total", "Calls to the archive, by how they ended.",
                     {{"backend", backend_},
                      {"op", std::string(kOpNames[op])},
                      {"result", status.ok() ? "ok" : std::string(StatusCodeName(status.code()))}})
        .Increment();
  }
  void Up(uint64_t bytes) { bytes_[0]->Increment(bytes); }
  void Down(uint64_t bytes) { bytes_[1]->Increment(bytes); }

 private:
  const std::string backend_;
  Metrics* const metrics_;
  Clock* const clock_;
  std::array<std::optional<Histogram>, kOps> seconds_;
  std::array<std::optional<Counter>, 2> bytes_;
};

class CountedBlob final : public Blob {
 public:
  CountedBlob(std::unique_ptr<Blob> blob, Tally* tally)
      : Blob(blob->stat()), blob_(std::move(blob)), tally_(tally) {}

 private:
  Status DoStream(uint64_t offset, uint64_t size, const BlobSink& sink) override {
    const MonotonicTime begun = tally_->Begin();
    Status read = blob_->Stream(offset, size, [&](std::string_view bytes) {
      tally_->Down(bytes.size());
      return sink(bytes);
    });
    tally_->End(kRead, begun, read);
    return read;
  }

  const std::unique_ptr<Blob> blob_;
  Tally* const tally_;
};

class CountedStore final : public BlobStore {
 public:
  CountedStore(std::unique_ptr<BlobStore> store, std::string_view backend, Metrics* metrics,
               Clock* clock)
      : store_(std::move(store)), tally_(backend, metrics, clock) {}

  Result<PutReport> Put(const std::string& name, const BlobContent& content,
                        PutMode mode) override {
    return Counted(kPut, [&] {
      Result<PutReport> put = store_->Put(name, content, mode);
      if (put.ok()) tally_.Up(put->bytes);
      return put;
    });
  }
  Result<std::unique_ptr<Blob>> Open(const std::string& name) override {
    Result<std::unique_ptr<Blob>> opened = Counted(kOpen, [&] { return store_->Open(name); });
    if (!opened.ok()) return opened.status();
    return std::unique_ptr<Blob>(new CountedBlob(std::move(opened).value(), &tally_));
  }
  Result<BlobStat> Stat(const std::string& name) override {
    return Counted(kStat, [&] { return store_->Stat(name); });
  }
  Result<BlobPage> List(const std::string& prefix, const std::string& after) override {
    return Counted(kList, [&] { return store_->List(prefix, after); });
  }
  Status Delete(const std::string& name) override {
    const MonotonicTime begun = tally_.Begin();
    Status deleted = store_->Delete(name);
    tally_.End(kDelete, begun, deleted);
    return deleted;
  }
  Result<uint64_t> RemoveUnfinished(const std::string& prefix,
                                    std::chrono::seconds min_age) override {
    return store_->RemoveUnfinished(prefix, min_age);
  }
  std::string Describe() const override { return store_->Describe(); }

 private:
  template <typename Call>
  std::invoke_result_t<Call> Counted(Op op, Call call) {
    const MonotonicTime begun = tally_.Begin();
    std::invoke_result_t<Call> result = call();
    tally_.End(op, begun, result.status());
    return result;
  }

  const std::unique_ptr<BlobStore> store_;
  Tally tally_;
};

}  // namespace

std::unique_ptr<BlobStore> CountBlobStore(std::unique_ptr<BlobStore> store,
                                          std::string_view backend, Metrics* metrics,
                                          Clock* clock) {
  return std::make_unique<CountedStore>(std::move(store), backend, metrics, clock);
}

}  // namespace tapedeck
