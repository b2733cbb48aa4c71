// What a message costs between Kafka and the store, in nanoseconds of CPU: on the record thread
// (decoding, tape, hash, rows) and where commits are built (sealing, the chunk's order). Without a
// broker and without a disk, commit by commit on the thread's own clock, so that the median says
// something on a busy machine too.
//
//   take_bench [BYTES]      97 (default) or 250 bytes a message

#include <time.h>

#include <cstdlib>
#include <functional>
#include <string>
#include <vector>

#include "bench/bench_util.h"
#include "bench/check.h"
#include "config/presets.h"
#include "kafka/feed.h"
#include "mapping/mapping.h"
#include "model/chunk.h"
#include "record/commit_builder.h"

namespace tapedeck::bench {
namespace {

constexpr size_t kPartitions = 12;
constexpr uint32_t kSymbols = 500;
constexpr size_t kRun = 500;  // neighbours of one partition, as fetches bring them
constexpr size_t kCommitBytes = size_t{8} << 20;
constexpr size_t kMessages = 400'000;
constexpr int kRounds = 5;

double ThreadSeconds() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return double(now.tv_sec) + 1e-9 * double(now.tv_nsec);
}

struct Lane {
  TopicPartition tp;
  std::vector<OpenBlock> blocks;
  Checkpoint now;
};

struct Sent {
  size_t partition;
  size_t begin;
  uint32_t key_size, size;
};

class Recording {
 public:
  explicit Recording(FeedWidth width) {
    auto spec = MappingSpec::Resolve("generic-json", PresetLibrary(), TopicSettings{});
    Check(spec.status());
    std::vector<std::pair<TpId, TapeId>> tapes;
    for (size_t p = 0; p < kPartitions; ++p) {
      lanes_.push_back({.tp = {"quotes", static_cast<int32_t>(p)}});
      tapes.push_back({TpId{static_cast<uint32_t>(p) + 1},
                       {.topic = "quotes", .partition = static_cast<int32_t>(p)}});
    }
    ranks_ = TapeRanks(tapes);
    // One decoder for a topic, as the recorder has it.
    auto decoder = Decoder::Make(*spec, &tables_);
    Check(decoder.status());
    decoder_ = std::move(*decoder);
    Feed feed({.seed = 7, .symbols = kSymbols, .width = width});
    std::vector<std::vector<Sent>> parts(kPartitions);
    for (size_t i = 0; i < kMessages; ++i) {
      const FeedMessage& made = feed.Next();
      const size_t partition = std::hash<std::string_view>()(made.symbol) % kPartitions;
      parts[partition].push_back({partition, bytes_.size(),
                                  static_cast<uint32_t>(made.symbol.size()),
                                  static_cast<uint32_t>(made.value.size())});
      bytes_.append(made.symbol).append(made.value);
    }
    // Fetches bring runs of one partition.
    std::string in_order;
    in_order.reserve(bytes_.size());
    for (size_t from = 0; sent_.size() < kMessages; from += kRun) {
      for (const auto& part : parts) {
        for (size_t i = from; i < std::min(part.size(), from + kRun); ++i) {
          Sent sent = part[i];
          const std::string_view all(bytes_.data() + sent.begin, sent.key_size + sent.size);
          sent.begin = in_order.size();
          in_order.append(all);
          sent_.push_back(sent);
        }
      }
    }
    bytes_ = std::move(in_order);
  }

  void Round() {
    for (const Sent& sent : sent_) {
      if (in_commit_ == 0) start_ = ThreadSeconds();
      Take(sent);
      ++in_commit_;
      pending_ += sent.key_size + sent.size;
      if (pending_ >= kCommitBytes) Commit();
    }
  }
  std::vector<double> take, build;
  size_t tape_bytes = 0;
  Digest digest() const {
    Digest all;
    for (const Lane& lane : lanes_) all += lane.now.digest;
    return all;
  }

 private:
  void Take(const Sent& sent) {
    Lane& lane = lanes_[sent.partition];
    MessageView message;
    message.offset = lane.now.next++;
    message.timestamp_ms = 1'719'900'000'000 + message.offset / 100;
    message.timestamp_type = TimestampType::kCreate;
    message.key = std::string_view(bytes_.data() + sent.begin, sent.key_size);
    message.value = std::string_view(bytes_.data() + sent.begin + sent.key_size, sent.size);
    decoder_->Decode(lane.tp, message, Timestamp(1'719'990'000'000'000'000), &decoded_);
    if (lane.blocks.empty() || lane.blocks.back().messages.Full()) {
      if (spare_.empty()) {
        lane.blocks.emplace_back();
      } else {
        lane.blocks.push_back(std::move(spare_.back()));
        spare_.pop_back();
      }
      lane.blocks.back().summary.Start({}, lane.now.kafka_max_ms);
    }
    Check(lane.blocks.back().messages.Append(message, decoder_->Shape()));
    lane.now.last = {message.offset, hasher_.Message(message, lane.tp)};
    lane.now.digest += lane.now.last.hash;
    BlockSummary& summary = lane.blocks.back().summary;
    summary.AddMessage(message);
    RecordView record;
    record.ts_kafka = Timestamp(message.timestamp_ms * 1'000'000);
    record.origin = {TpId{static_cast<uint32_t>(sent.partition) + 1}, message.offset, 0};
    for (const DecodedRecord& decoded : decoded_.records) {
      record.table = decoded.table;
      record.symbol = decoded.symbol;
      record.ts = decoded.ts;
      record.values = decoded.values;
      summary.AddRecord(rows_.Append(record), decoded.symbol, decoded.ts);
      ++record.origin.index;
    }
  }
  void Commit() {
    CommitJob job{
        .number = ++number_, .received = Timestamp(1'719'990'000'000'000'000), .ranks = ranks_};
    for (size_t p = 0; p < kPartitions; ++p) {
      job.lanes.push_back({TpId{static_cast<uint32_t>(p) + 1},
                           lanes_[p].now,
                           std::exchange(lanes_[p].blocks, {}),
                           {}});
    }
    job.rows = rows_.Cut();
    const double taken = ThreadSeconds();
    auto built = builder_.Build(std::move(job));
    const double end = ThreadSeconds();
    Check(built->status);
    tape_bytes += built->tape_bytes;
    for (OpenBlock& block : built->emptied) spare_.push_back(std::move(block));
    chunks_.push_back(std::move(built->rows));  // as open rows hold them until a flush
    if (chunks_.size() > 40) chunks_.erase(chunks_.begin(), chunks_.begin() + 20);
    const double messages = static_cast<double>(in_commit_);
    take.push_back((taken - start_) * 1e9 / messages);
    build.push_back((end - taken) * 1e9 / messages);
    in_commit_ = 0;
    pending_ = 0;
  }

  std::string bytes_;
  std::vector<Sent> sent_;
  TableRegistry tables_;
  std::unique_ptr<Decoder> decoder_;
  SeriesDirectory directory_;
  ChunkBuilder rows_{&directory_};
  std::vector<Lane> lanes_;
  std::vector<OpenBlock> spare_;
  TapeRanks ranks_;
  MessageHasher hasher_;
  Decoded decoded_;
  CommitBuilder builder_;
  std::vector<std::shared_ptr<const Chunk>> chunks_;
  uint64_t number_ = 0;
  size_t in_commit_ = 0, pending_ = 0;
  double start_ = 0;
};

void PrintNs(const char* what, std::vector<double> ns) {
  std::sort(ns.begin(), ns.end());
  std::printf("  %-24s %6.1f ns a message, the quickest tenth %6.1f\n", what, ns[ns.size() / 2],
              ns[ns.size() / 10]);
}

int Main(int argc, char** argv) {
  const bool wide = argc > 1 && std::string_view(argv[1]) == "250";
  const int rounds = argc > 2 ? std::atoi(argv[2]) : kRounds;
  Begin("take: a message on the record thread");
  Recording recording(wide ? FeedWidth::k250 : FeedWidth::k100);
  for (int i = 0; i < rounds; ++i) recording.Round();
  PrintNs("taken", recording.take);
  PrintNs("committed", recording.build);
  std::printf("  %zu bytes of tape, digest %s\n", recording.tape_bytes,
              recording.digest().ToString().c_str());
  return End();
}

}  // namespace
}  // namespace tapedeck::bench

int main(int argc, char** argv) { return tapedeck::bench::Main(argc, argv); }
