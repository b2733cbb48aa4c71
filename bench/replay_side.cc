// One side of replay measurements, in a process of its own.
//
//   replay_side fill DIR MESSAGES [TIMES]     makes a store of 250-byte JSON quotes, 4 partitions;
//                                             TIMES: a file of their times, ns since 1970, a line
//                                             each; without it bursts are made up
//   replay_side bare SERVERS DIR TOPIC        librdkafka alone: the same messages and headers from
//                                             memory, Send and Flush
//   replay_side at-least-once|exactly-once SERVERS DIR TOPIC       a replay at maximum pace
//   replay_side pace SERVERS DIR TOPIC SPEED  a paced replay; prints its lateness
//   replay_side sleep DIR SPEED               plain clock_nanosleep on the same schedule
//
// The topic is there and empty; producers have the same settings and allocator. Prints
//
//   messages wall_s cpu_s messages_per_s [p50_us p99_us max_us]
//
// wall: from the first message sent to the last one acknowledged (a replay: seen by its worker).

#include <time.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "base/random.h"
#include "bench/bench_util.h"
#include "codec/tape_block.h"
#include "kafka/producer.h"
#include "model/block_summary.h"
#include "model/open_rows.h"
#include "model/series_directory.h"
#include "replay/outgoing.h"
#include "replay/pacing.h"
#include "replay/runner.h"

namespace tapedeck {
namespace {

using Clock_t = std::chrono::steady_clock;

constexpr char kTopic[] = "quotes";
constexpr int kPartitions = 4;
constexpr size_t kBlockMessages = 1000;

void Must(const Status& status) {
  if (status.ok()) return;
  std::fprintf(stderr, "replay_side: %s\n", status.ToString().c_str());
  std::exit(1);
}

template <typename T>
T Must(Result<T> result) {
  Must(result.status());
  return std::move(result).value();
}

/// Milliseconds since 1970, rising; the first is an hour ago.
class Times {
 public:
  explicit Times(const char* file) {
    if (file == nullptr) return;
    std::ifstream lines(file);
    for (int64_t ns = 0; lines >> ns;) given_.push_back(ns / 1'000'000);
    if (given_.empty()) Must(Status::InvalidArgument(std::string("no times in ") + file));
  }
  int64_t At(uint64_t n) {
    if (!given_.empty()) {
      ms_ = std::max(ms_, start_ + given_[std::min(n, given_.size() - 1)] - given_[0]);
    } else if (random_.OneIn(200)) {  // messages within a millisecond or so, then a pause
      ms_ += static_cast<int64_t>(random_.Uniform(400));
    }
    return ms_;
  }

 private:
  const int64_t start_ = SystemClock().Now().ns() / 1'000'000 - 3'600'000;
  int64_t ms_ = start_;
  std::vector<int64_t> given_;
  Random random_{2};
};

void Fill(const std::string& dir, uint64_t messages, const char* times_file) {
  Times times(times_file);
  auto store = Must(Store::Open({.dir = dir, .node_id = "bench"}));
  Random random(1);
  std::vector<Checkpoint> checkpoints(kPartitions);
  CodecBuffers buffers;
  StoreBatch batch;
  for (int p = 0; p < kPartitions; ++p) {
    batch.PutTape(TpId{static_cast<uint32_t>(p + 1)}, {"bench", kTopic, 0, p});
  }
  for (uint64_t done = 0; done < messages;) {
    for (int p = 0; p < kPartitions && done < messages; ++p) {
      TapeBlockBuilder block;
      BlockSummary summary;
      Checkpoint& checkpoint = checkpoints[static_cast<size_t>(p)];
      summary.Start(Hash128{}, checkpoint.kafka_max_ms);
      for (size_t i = 0; i < kBlockMessages && done < messages; ++i, ++done) {
        const int64_t ms = times.At(done);
        std::string value = "{\"s\":\"BTCUSDT\",\"n\":" + std::to_string(done) + ",\"b\":\"63229." +
                            std::to_string(random.Uniform(100)) + "\",\"x\":\"";
        value.append(248 - value.size(), 'q').append("\"}");
        MessageView view{.offset = checkpoint.next,
                         .timestamp_ms = ms,
                         .timestamp_type = TimestampType::kCreate,
                         .key = "BTCUSDT",
                         .value = value};
        Must(block.Append(view));
        summary.AddMessage(view);
        ++checkpoint.next;
        checkpoint.kafka_max_ms = ms;
      }
      const TpId tp{static_cast<uint32_t>(p + 1)};
      const TapeIndexEntry entry = summary.Finish();
      std::string sealed;
      Must(block.Seal(tp, SystemClock().Now(), Effort::kLive, &buffers, &sealed));
      batch.PutTapeBlock(tp, entry.first_offset, sealed);
      batch.PutTapeIndex(tp, entry.first_offset, entry);
      batch.PutCheckpoint(tp, checkpoint);
      Must(store->Write(batch));
      batch.Clear();
    }
  }
  Must(store->Close());
}

/// A store that is only read, and a thread that writes for jobs.
class Bench {
 public:
  explicit Bench(const std::string& dir)
      : store_(Must(Store::Open({.dir = dir}))), writer_([this] {
          while (!stop_.load()) {
            if (queue_.waiting()) Must(queue_.Serve(store_.get()));
            SystemClock().SleepFor(std::chrono::milliseconds(1));
          }
        }) {}
  ~Bench() {
    stop_.store(true);
    writer_.join();
  }
  Result<std::shared_ptr<const ReadPoint>> Point() {
    return ReadPoint::Take(rows_, &directory_, *store_);
  }
  Selection All() { return Must(FreezeSelection(*Must(Point()), {.topics = {kTopic}})).selection; }
  std::unique_ptr<SelectionCursor> Cursor() {
    return Must(SelectionCursor::Open(
        {.open_point = [this] { return Point(); }, .clock = &SystemClock()}, All(), std::nullopt));
  }
  StoreQueue* queue() { return &queue_; }

 private:
  std::unique_ptr<Store> store_;
  SeriesDirectory directory_;
  OpenRows rows_;
  StoreQueue queue_;
  std::atomic<bool> stop_{false};
  std::thread writer_;
};

void Print(uint64_t messages, double wall, double cpu, const std::string& more = "") {
  std::printf("%llu %.3f %.3f %.0f%s\n", static_cast<unsigned long long>(messages), wall, cpu,
              static_cast<double>(messages) / wall, more.c_str());
}

void Bare(const std::string& servers, const std::string& dir, const std::string& topic) {
  struct Kept {
    std::string key, value, seq, origin, time;
    int32_t partition;
    int64_t ms;
  };
  std::vector<Kept> kept;
  {
    Bench bench(dir);
    auto cursor = bench.Cursor();
    while (const SelectedMessage* m = Must(cursor->Next())) {
      const StoredMessage& s = *m->stored;
      kept.push_back(
          {std::string(*s.message.key), std::string(*s.message.value),
           std::to_string(kept.size() + 1), "quotes/0/0/" + std::to_string(s.message.offset),
           std::to_string(s.message.timestamp_ms), s.tape->partition, s.message.timestamp_ms});
    }
  }
  auto producer = Must(Producer::Open({.bootstrap_servers = servers,
                                       .idempotent = true,
                                       .linger = kLingerAtMax,
                                       .queue_messages_max = (32u << 20) / 64,
                                       .queue_bytes_max = 32u << 20}));
  const auto begin = Clock_t::now();
  const double cpu = bench::CpuSeconds();
  for (const Kept& k : kept) {
    const HeaderView headers[] = {{kReplayHeader, "tapedeck/bench/01J00000000000000000000000"},
                                  {kSeqHeader, k.seq},
                                  {kOriginHeader, k.origin},
                                  {kTimeHeader, k.time}};
    Must(producer->Send(topic,
                        {.value = k.value,
                         .key = k.key,
                         .headers = headers,
                         .partition = k.partition,
                         .timestamp_ms = k.ms},
                        std::chrono::seconds(30)));
  }
  Must(producer->Flush(std::chrono::seconds(60)));
  const double wall = std::chrono::duration<double>(Clock_t::now() - begin).count();
  Print(kept.size(), wall, bench::CpuSeconds() - cpu);
}

void Replay(const std::string& servers, const std::string& dir, const std::string& topic,
            const std::string& delivery, const std::string& pace) {
  Bench bench(dir);
  ReplayOptions options{.node_id = "bench", .group = "tapedeck"};
  options.targets["lab"] = {.bootstrap_servers = servers, .properties = {}, .topics = {".*"}};
  std::atomic<int64_t> first{0};
  auto runner = Must(
      ReplayRunner::Make(options, {.clock = &SystemClock(),
                                   .queue = bench.queue(),
                                   .open_point = [&] { return bench.Point(); },
                                   .on_sent =
                                       [&](std::chrono::nanoseconds) {
                                         if (first.load(std::memory_order_relaxed) == 0) {
                                           first.store(Clock_t::now().time_since_epoch().count());
                                         }
                                       }}));
  Must(runner->Start(Must(bench.Point())->view()));
  const double cpu = bench::CpuSeconds();
  const ReplayView made =
      Must(runner->Create(R"({"source":{"topics":["quotes"]},"target":{"name":"lab","topic":")" +
                              topic + R"("},"delivery":")" + delivery + R"(","pace":)" + pace + "}",
                          ""));
  for (;;) {
    const ReplayView view = Must(runner->Get(made.job.id));
    const ReplayState state = view.job.state;
    if (state == ReplayState::kFailed) Must(Status::Internal(view.job.error));
    // At least once, what is acknowledged is there; exactly once, what is committed.
    const bool acked = delivery == "at-least-once" && view.live.acked > 0 &&
                       view.live.acked >= view.job.messages_at_most;
    if (acked || state == ReplayState::kVerifying || state == ReplayState::kDone) {
      const auto since = Clock_t::now().time_since_epoch().count() - first.load();
      auto us = [](std::chrono::nanoseconds d) {
        return " " + std::to_string(static_cast<double>(d.count()) / 1000);
      };
      Print(view.job.messages_at_most, static_cast<double>(since) / 1e9, bench::CpuSeconds() - cpu,
            us(view.live.late_p50) + us(view.live.late_p99) + us(view.live.late_max));
      break;
    }
    SystemClock().SleepFor(std::chrono::milliseconds(2));
  }
  for (;;) {
    const ReplayState state = Must(runner->Get(made.job.id)).job.state;
    if (state == ReplayState::kDone) break;
    if (state == ReplayState::kFailed) Must(Status::Internal("the verification failed"));
    SystemClock().SleepFor(std::chrono::milliseconds(10));
  }
}

// What anybody would do: sleep until the message is due, with the system's default slack.
void PlainSleep(const std::string& dir, double speed) {
  Bench bench(dir);
  auto cursor = bench.Cursor();
  Pacer pacer({.mode = PaceMode::kOriginal, .speed = speed}, {}, &SystemClock());
  uint64_t messages = 0;
  const auto begin = Clock_t::now();
  const double cpu = bench::CpuSeconds();
  while (const SelectedMessage* m = Must(cursor->Next())) {
    const MonotonicTime due = pacer.Due(m->greatest_time, 0);
    const timespec at{.tv_sec = due.count() / 1'000'000'000,
                      .tv_nsec = due.count() % 1'000'000'000};
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, nullptr);
    pacer.Sent(m->greatest_time, 0, due);
    ++messages;
  }
  auto us = [&](double q) {
    return " " + std::to_string(static_cast<double>(pacer.lateness().Quantile(q).count()) / 1000);
  };
  Print(messages, std::chrono::duration<double>(Clock_t::now() - begin).count(),
        bench::CpuSeconds() - cpu, us(0.5) + us(0.99) + us(1.0));
}

int Main(int argc, char** argv) {
  const std::string what = argc > 1 ? argv[1] : "";
  if (what == "fill" && (argc == 4 || argc == 5)) {
    Fill(argv[2], std::strtoull(argv[3], nullptr, 10), argc == 5 ? argv[4] : nullptr);
  } else if (what == "bare" && argc == 5) {
    Bare(argv[2], argv[3], argv[4]);
  } else if ((what == "at-least-once" || what == "exactly-once") && argc == 5) {
    Replay(argv[2], argv[3], argv[4], what, R"({"mode":"max"})");
  } else if (what == "pace" && argc == 6) {
    Replay(argv[2], argv[3], argv[4], "at-least-once",
           R"({"mode":"original","speed":)" + std::string(argv[5]) + "}");
  } else if (what == "sleep" && argc == 4) {
    PlainSleep(argv[2], std::strtod(argv[3], nullptr));
  } else {
    std::fprintf(stderr, "usage: see the head of bench/replay_side.cc\n");
    return 2;
  }
  return 0;
}

}  // namespace
}  // namespace tapedeck

int main(int argc, char** argv) { return tapedeck::Main(argc, argv); }
