// Tape blocks against zstd-3 over 1-MiB runs of the same raw messages, and with shapes (as the
// mapping's decoder tells them) against without: bytes per message, as sealed live and after
// merging; the price of appending, sealing and reading. One set of lines for each capture of the
// shared data and for quotes of tapedeck-feedgen, and the sizes at a live rate of 200 messages a
// second over 12 partitions with a commit every 200 ms, before and after merging towards 256 KiB.
//
//   tape_bench [part of a file's name]

#include <charconv>

#include "base/limits.h"
#include "bench/bench_util.h"
#include "bench/check.h"
#include "bench/quote_files.h"
#include "codec/tape_block.h"
#include "config/presets.h"
#include "kafka/feed.h"
#include "mapping/mapping.h"

namespace tapedeck::bench {
namespace {

constexpr TpId kTp{1};

// A capture as it would come from Kafka: value = the message, Kafka timestamp = time of receipt in
// ms, no key.
struct Capture {
  std::string text;
  std::vector<MessageView> messages;
  std::vector<int64_t> received_ns;
  // What the decoder knows of each message's shape; id 0: nothing.
  std::vector<MessageShape> shapes;
  std::vector<std::vector<SlotRange>> slots;
};

std::string_view PresetFor(std::string_view file) {
  for (std::string_view preset : {"binance", "coinbase", "kraken"}) {
    if (file.starts_with(preset)) return preset;
  }
  return "generic-json";
}

// Nanoseconds of CPU that asking for shapes takes, a message.
double FindShapes(std::string_view preset, Capture* capture) {
  Result<MappingSpec> spec = MappingSpec::Resolve(preset, PresetLibrary(), {});
  Check(spec.status());
  TableRegistry tables;
  Result<std::unique_ptr<Decoder>> decoder = Decoder::Make(*spec, &tables);
  Check(decoder.status());
  Decoded decoded;
  const size_t count = capture->messages.size();
  capture->slots.resize(count);
  capture->shapes.resize(count);
  auto decode = [&](size_t i) {
    (*decoder)->Decode({"t", 0}, capture->messages[i], Timestamp(capture->received_ns[i]),
                       &decoded);
  };
  size_t shaped = 0, slots = 0;
  for (size_t i = 0; i < count; ++i) {
    decode(i);
    const MessageShape* shape = (*decoder)->Shape();
    if (shape == nullptr) continue;
    capture->slots[i].assign(shape->slots.begin(), shape->slots.end());
    capture->shapes[i] = {shape->id, capture->slots[i]};
    ++shaped;
  }
  std::printf("  %.1f %% of the messages have a shape by %.*s\n",
              100.0 * static_cast<double>(shaped) / static_cast<double>(count),
              static_cast<int>(preset.size()), preset.data());
  auto run = [&](bool ask) {
    return [&, ask] {
      for (size_t i = 0; i < count; ++i) {
        decode(i);
        if (!ask) continue;
        const MessageShape* shape = (*decoder)->Shape();
        if (shape != nullptr) slots += shape->slots.size();
      }
    };
  };
  Ratio asked = Interleave(run(true), run(false));
  if (slots == 0 && shaped > 0) std::exit(2);
  return (asked.OurCpu() - asked.TheirCpu()) / static_cast<double>(count) * 1e9;
}

Capture MakeQuotes(uint32_t symbols, size_t count) {
  Capture capture;
  Feed feed({.symbols = symbols});
  std::vector<size_t> ends;
  for (size_t i = 0; i < count; ++i) {
    const FeedMessage& made = feed.Next();
    capture.text.append(made.value);
    ends.push_back(capture.text.size());
    capture.received_ns.push_back(made.sent_at.ns() + 1'000'000);
  }
  for (size_t i = 0; i < count; ++i) {
    MessageView message;
    message.offset = static_cast<int64_t>(i);
    const size_t begin = i == 0 ? 0 : ends[i - 1];
    message.value = std::string_view(capture.text).substr(begin, ends[i] - begin);
    message.timestamp_ms = capture.received_ns[i] / 1'000'000;
    message.timestamp_type = TimestampType::kCreate;
    capture.messages.push_back(message);
  }
  return capture;
}

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
  Subject(const Capture& capture, bool shaped) : capture_(capture), shaped_(shaped) {}

  // At full speed: a block is sealed when it is full.
  void Seal(Effort effort) {
    blocks_.clear();
    for (size_t i = 0; i < capture_.messages.size(); ++i) {
      Check(builder_.Append(capture_.messages[i], ShapeOf(i)));
      if (builder_.Full()) SealOne(&builder_, capture_.received_ns[i], effort, &blocks_);
    }
    if (!builder_.empty()) SealOne(&builder_, capture_.received_ns.back(), effort, &blocks_);
  }

  void AppendOnly() {
    for (size_t i = 0; i < capture_.messages.size(); ++i) {
      Check(builder_.Append(capture_.messages[i], ShapeOf(i)));
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
      std::vector<const MessageShape*> shapes;
      for (size_t i = partition; i < capture_.messages.size(); i += 12) {
        mine.push_back(capture_.messages[i]);
        shapes.push_back(ShapeOf(i));
        mine.back().offset = static_cast<int64_t>(mine.size()) - 1;
        mine.back().timestamp_ms = 1'720'000'000'000 + static_cast<int64_t>(i) * 5;
      }
      for (size_t i = 0; i < mine.size(); ++i) {
        int64_t commit = mine[i].timestamp_ms / 200;
        if (builder.empty()) bases.push_back(mine[i].offset);
        Check(builder.Append(mine[i], shapes[i]));
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

  size_t BlockBytes() const { return TotalBytes(blocks_); }
  size_t FrameBytes() const { return TotalBytes(frames_); }

 private:
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

  const MessageShape* ShapeOf(size_t i) const {
    return shaped_ && capture_.shapes[i].id != 0 ? &capture_.shapes[i] : nullptr;
  }

  const Capture& capture_;
  const bool shaped_;
  CodecBuffers buffers_;
  Compressor compressor_;
  Decompressor decompressor_;
  TapeBlockBuilder builder_;
  TapeBlock block_;
  std::vector<std::string> blocks_, frames_;
  std::string run_;
};

struct Sizes {
  double live = 0, merged = 0, slow_live = 0, slow_merged = 0;
};

// Bytes a message.
Sizes SizesOf(Subject* subject, double count) {
  Sizes sizes;
  subject->Seal(Effort::kMerge);
  sizes.merged = static_cast<double>(subject->BlockBytes()) / count;
  subject->Seal(Effort::kLive);
  sizes.live = static_cast<double>(subject->BlockBytes()) / count;
  auto [live, merged] = subject->LiveRate();
  sizes.slow_live = static_cast<double>(live) / count;
  sizes.slow_merged = static_cast<double>(merged) / count;
  return sizes;
}

void RunCapture(const std::string& name, std::string_view preset, Capture* made,
                PackedBytes* totals) {
  Capture& capture = *made;
  auto count = static_cast<double>(capture.messages.size());
  std::printf("\n%s: %.0f messages of %.0f bytes\n", name.c_str(), count,
              static_cast<double>(capture.text.size()) / count);
  const double asking_ns = FindShapes(preset, &capture);
  Subject plain(capture, false), shaped(capture, true);
  plain.CompressRuns();
  const Sizes was = SizesOf(&plain, count), is = SizesOf(&shaped, count);
  const double theirs = static_cast<double>(plain.FrameBytes()) / count;
  totals->live += is.live * count;
  totals->merged += is.merged * count;
  totals->theirs += theirs * count;
  std::printf(
      "  bytes per message: zstd-3 over 1 MiB %.2f; live %.2f, with shapes %.2f; merged "
      "%.2f, with shapes %.2f\n",
      theirs, was.live, is.live, was.merged, is.merged);
  std::printf(
      "  200 messages/s over 12 partitions: live %.1f, with shapes %.1f; merged %.1f, with "
      "shapes %.1f\n",
      was.slow_live, is.slow_live, was.slow_merged, is.slow_merged);
  Print("size, live over zstd-3", is.live / theirs, Bar::AtMost(1.1));
  Print("size, merged over zstd-3", is.merged / theirs, Bar::AtMost(1.1));
  Print("size with shapes over without, live", is.live / was.live);
  Print("size with shapes over without, merged", is.merged / was.merged);
  CheckSame(shaped.Load() == plain.DecompressRuns(), "bytes");
  const size_t repeats = RepeatsFor(count, 50'000.0);
  auto repeat = [&](auto what) { return Repeated(repeats, what); };
  double total = count * static_cast<double>(repeats) / 1e9;
  Ratio seal = Interleave(repeat([&] { shaped.Seal(Effort::kLive); }),
                          repeat([&] { plain.Seal(Effort::kLive); }));
  Print("append and seal, CPU with shapes over without", seal.Cpu());
  Ratio load = Interleave(repeat([&] { shaped.Load(); }), repeat([&] { plain.Load(); }));
  Print("load and iterate, CPU with shapes over without", load.Cpu());
  Ratio append =
      Interleave(repeat([&] { shaped.AppendOnly(); }), repeat([&] { plain.AppendOnly(); }));
  std::printf(
      "  ns of CPU per message, without and with shapes: append %.1f %.1f, append and seal "
      "%.0f %.0f, load and iterate %.0f %.0f; asking the decoder %.1f\n",
      append.TheirCpu() / total, append.OurCpu() / total, seal.TheirCpu() / total,
      seal.OurCpu() / total, load.TheirCpu() / total, load.OurCpu() / total, asking_ns);
  std::fflush(stdout);
}

}  // namespace
}  // namespace tapedeck::bench

int main(int argc, char** argv) {
  using namespace tapedeck::bench;
  Begin("tape blocks against zstd-3 over 1-MiB runs");
  PackedBytes totals;
  std::string_view part = argc > 1 ? argv[1] : "";
  for (const auto& path : SortedFiles(NeedSharedDir() / "data" / "raw", ".ndjson.zst")) {
    const std::string name = path.filename().string();
    if (name.find(part) == std::string::npos) continue;
    Capture capture = ReadCapture(path);
    RunCapture(name, PresetFor(name), &capture, &totals);
  }
  for (uint32_t symbols : {8, 1000}) {
    const std::string name = "quotes of " + std::to_string(symbols) + " symbols";
    if (name.find(part) == std::string::npos) continue;
    Capture capture = MakeQuotes(symbols, 100'000);
    PackedBytes beside;
    RunCapture(name, "generic-json", &capture, &beside);
  }
  std::printf("\n");
  Print("size of all, live over zstd-3", totals.live / totals.theirs, Bar::AtMost(1.1));
  Print("size of all, merged over zstd-3", totals.merged / totals.theirs, Bar::AtMost(1.1));
  return End();
}
