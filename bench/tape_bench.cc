// Tape blocks against zstd-3 over 1-MiB runs of the same raw messages: bytes per message, as sealed
// live and after merging; the price of
// appending, sealing and reading. One set of lines for each capture of the shared data, and the
// sizes at a live rate of 200 messages a
// second over 12 partitions with a commit every 200 ms, before and after merging towards 256 KiB.
//
//   tape_bench [part of a file's name]

#include <charconv>

#include "base/limits.h"
#include "bench/bench_util.h"
#include "bench/quote_files.h"
#include "codec/tape_block.h"

namespace tapedeck::bench {
namespace {

constexpr TpId kTp{1};

void Check(const Status& status) {
  if (status.ok()) return;
  std::fprintf(stderr, "%s\n", status.ToString().c_str());
  std::exit(2);
}

// A capture as it would come from Kafka: value = the message, Kafka timestamp = time of receipt in
// ms, no key.
struct Capture {
  std::string text;
  std::vector<MessageView> messages;
  std::vector<int64_t> received_ns;
};

Capture ReadCapture(const std::filesystem::path& path) {
  Capture capture;
  capture.text = Unzstd(path);
  std::string times_path = path.string();
  times_path.replace(times_path.find(".ndjson"), 7, ".recv_ns.txt");
  std::string times = Unzstd(times_path);
  const char* time = times.data();
  size_t at = 0;
  while (at < capture.text.size()) {
    size_t end = std::min(capture.text.find('\n', at), capture.text.size());
    MessageView message;
    message.offset = static_cast<int64_t>(capture.messages.size());
    message.value = std::string_view(capture.text).substr(at, end - at);
    at = end + 1;
    int64_t ns = 0;
    time = std::from_chars(time, times.data() + times.size(), ns).ptr;
    if (time < times.data() + times.size()) ++time;
    message.timestamp_ms = ns / 1'000'000;
    message.timestamp_type = TimestampType::kCreate;
    capture.messages.push_back(message);
    capture.received_ns.push_back(ns);
  }
  return capture;
}

class Subject {
 public:
  explicit Subject(const Capture& capture) : capture_(capture) {}

  // At full speed: a block is sealed when it is full.
  void Seal(Effort effort) {
    blocks_.clear();
    for (size_t i = 0; i < capture_.messages.size(); ++i) {
      Check(builder_.Append(capture_.messages[i]));
      if (builder_.Full()) SealOne(&builder_, capture_.received_ns[i], effort, &blocks_);
    }
    if (!builder_.empty()) SealOne(&builder_, capture_.received_ns.back(), effort, &blocks_);
  }

  void AppendOnly() {
    for (const MessageView& message : capture_.messages) {
      Check(builder_.Append(message));
      if (builder_.Full()) builder_.Clear();
    }
    builder_.Clear();
  }

  void CompressRuns() {
    frames_.clear();
    std::string run;
    for (const MessageView& message : capture_.messages) {
      run.append(*message.value);
      if (run.size() < limits::kTapeBlockSealBytes) continue;
      Check(compressor_.Append(run, 3, &frames_.emplace_back()));
      run.clear();
    }
    if (!run.empty()) Check(compressor_.Append(run, 3, &frames_.emplace_back()));
  }

  size_t Load() {
    size_t bytes = 0;
    for (const StoredTapeBlock& block : blocks_view()) {
      Check(block_.Load(kTp, block.base_offset, block.bytes, &buffers_));
      for (size_t i = 0; i < block_.size(); ++i) bytes += block_.At(i).value->size();
    }
    return bytes;
  }

  size_t DecompressRuns() {
    size_t bytes = 0;
    for (const std::string& frame : frames_) {
      Check(decompressor_.Decompress(frame, size_t{1} << 30, &run_));
      bytes += run_.size();
    }
    return bytes;
  }

  // 200 messages a second over 12 partitions: some 3 messages in each partition's block of a 200-ms
  // commit.
  std::pair<size_t, size_t> LiveRate() {
    size_t small = 0, merged = 0;
    for (size_t partition = 0; partition < 12; ++partition) {
      std::vector<std::string> blocks;
      std::vector<int64_t> bases;
      TapeBlockBuilder builder;
      std::vector<MessageView> mine;
      for (size_t i = partition; i < capture_.messages.size(); i += 12) {
        mine.push_back(capture_.messages[i]);
        mine.back().offset = static_cast<int64_t>(mine.size()) - 1;
        mine.back().timestamp_ms = 1'720'000'000'000 + static_cast<int64_t>(i) * 5;
      }
      for (size_t i = 0; i < mine.size(); ++i) {
        int64_t commit = mine[i].timestamp_ms / 200;
        if (builder.empty()) bases.push_back(mine[i].offset);
        Check(builder.Append(mine[i]));
        bool last = i + 1 == mine.size() || mine[i + 1].timestamp_ms / 200 != commit;
        if (last)
          SealOne(&builder, (commit + 1) * 200'000'000 + static_cast<int64_t>(i * 7919 % 1'000'000),
                  Effort::kLive, &blocks);
      }
      for (size_t from = 0; from < blocks.size();) {
        std::vector<StoredTapeBlock> together;
        for (size_t raw = 0; from < blocks.size() && raw < limits::kTapeMergeBytes; ++from) {
          together.push_back({bases[from], blocks[from]});
          raw += ParseTapeHeader(blocks[from])->raw_bytes;
          small += blocks[from].size();
        }
        std::string joined;
        Check(MergeTapeBlocks(kTp, together, Effort::kMerge, &buffers_, &joined));
        merged += joined.size();
      }
    }
    return {small, merged};
  }

  size_t BlockBytes() const { return Total(blocks_); }
  size_t FrameBytes() const { return Total(frames_); }

 private:
  static size_t Total(const std::vector<std::string>& parts) {
    size_t bytes = 0;
    for (const std::string& part : parts) bytes += part.size();
    return bytes;
  }
  void SealOne(TapeBlockBuilder* builder, int64_t received_ns, Effort effort,
               std::vector<std::string>* blocks) {
    Check(builder->Seal(kTp, Timestamp(received_ns), effort, &buffers_, &blocks->emplace_back()));
  }
  std::vector<StoredTapeBlock> blocks_view() const {
    std::vector<StoredTapeBlock> view;
    for (const std::string& block : blocks_)
      view.push_back({ParseTapeHeader(block)->base_offset, block});
    return view;
  }

  const Capture& capture_;
  CodecBuffers buffers_;
  Compressor compressor_;
  Decompressor decompressor_;
  TapeBlockBuilder builder_;
  TapeBlock block_;
  std::vector<std::string> blocks_, frames_;
  std::string run_;
};

struct Totals {
  double live = 0, merged = 0, theirs = 0;
};

void RunFile(const std::filesystem::path& path, Totals* totals) {
  Capture capture = ReadCapture(path);
  auto count = static_cast<double>(capture.messages.size());
  std::printf("\n%s: %.0f messages of %.0f bytes\n", path.filename().string().c_str(), count,
              static_cast<double>(capture.text.size()) / count);
  Subject subject(capture);
  subject.CompressRuns();
  subject.Seal(Effort::kMerge);
  auto theirs = static_cast<double>(subject.FrameBytes()),
       merged = static_cast<double>(subject.BlockBytes());
  subject.Seal(Effort::kLive);
  auto live = static_cast<double>(subject.BlockBytes());
  totals->live += live;
  totals->merged += merged;
  totals->theirs += theirs;
  std::printf("  bytes per message: live %.2f, merged %.2f, zstd-3 over 1 MiB %.2f\n", live / count,
              merged / count, theirs / count);
  Print("size, live over zstd-3", live / theirs);
  Print("size, merged over zstd-3", merged / theirs);
  if (subject.Load() != subject.DecompressRuns()) {
    std::fprintf(stderr, "the two sides read different bytes\n");
    std::exit(2);
  }
  auto repeats = static_cast<size_t>(std::max(1.0, 50'000.0 / count));
  auto repeat = [&](auto what) {
    return [=] {
      for (size_t i = 0; i < repeats; ++i) what();
    };
  };
  double total = count * static_cast<double>(repeats);
  Ratio seal = Interleave(repeat([&] { subject.Seal(Effort::kLive); }),
                          repeat([&] { subject.CompressRuns(); }));
  Print("append and seal, speed over zstd-3 (CPU)", seal.CpuSpeed());
  Ratio load =
      Interleave(repeat([&] { subject.Load(); }), repeat([&] { subject.DecompressRuns(); }));
  Print("load and iterate, speed over zstd -d (CPU)", load.CpuSpeed());
  Ratio append = Interleave(repeat([&] { subject.AppendOnly(); }), repeat([&] { subject.Load(); }));
  std::printf("  ns of CPU per message: append %.1f, append and seal %.0f, load and iterate %.0f\n",
              append.OurCpu() / total * 1e9, seal.OurCpu() / total * 1e9,
              load.OurCpu() / total * 1e9);
  auto [small, joined] = subject.LiveRate();
  std::printf("  200 messages/s over 12 partitions, bytes per message: live %.1f, merged %.1f\n",
              static_cast<double>(small) / count, static_cast<double>(joined) / count);
  std::fflush(stdout);
}

}  // namespace
}  // namespace tapedeck::bench

int main(int argc, char** argv) {
  using namespace tapedeck::bench;
  Begin("tape blocks against zstd-3 over 1-MiB runs");
  Totals totals;
  std::string_view part = argc > 1 ? argv[1] : "";
  for (const auto& path : SortedFiles(NeedSharedDir() / "data" / "raw", ".ndjson.zst")) {
    if (path.filename().string().find(part) != std::string::npos) RunFile(path, &totals);
  }
  std::printf("\n");
  Print("size of all, live over zstd-3", totals.live / totals.theirs, Bar::AtMost(1.1));
  Print("size of all, merged over zstd-3", totals.merged / totals.theirs, Bar::AtMost(1.1));
  return End();
}
