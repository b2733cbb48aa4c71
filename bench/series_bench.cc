// Series blocks against 40-byte row structs compressed with zstd-3 in the same blocks: bytes per
// quote, speed of a full decode, speed of encoding. One line of ratios for each file of the shared
// quotes; then sizes for a quiet feed, as its flushes leave it and after merging.
//
//   series_bench [part of a file's name]

#include <zstd.h>

#include <cstring>

#include "base/limits.h"
#include "bench/bench_util.h"
#include "bench/check.h"
#include "bench/live_rate.h"
#include "bench/quote_files.h"
#include "codec/series_block.h"

namespace tapedeck::bench {
namespace {

std::vector<Column> QuoteColumns() {
  auto core = CoreColumns("quotes");
  return {core.begin(), core.end()};
}

// Sums that must agree on both sides: proof that both read everything.
struct Sums {
  uint64_t rows = 0, ts = 0, prices = 0;
  bool operator==(const Sums&) const = default;
};

class Subject {
 public:
  explicit Subject(const QuoteFile& file)
      : file_(file),
        columns_(QuoteColumns()),
        struct_columns_(columns_.begin(), columns_.begin() + 4) {}

  void Encode(Effort effort, size_t block_rows = limits::kSeriesBlockRows) {
    blocks_.clear();
    for (const QuoteSeries& series : file_.series) {
      for (size_t from = 0; from < series.rows.size();) {
        size_t count = SeriesRowsThatFit(series.rows, from, block_rows);
        Check(EncodeSeriesBlock("key", series.rows, columns_, from, count, effort, &buffers_,
                                &blocks_.emplace_back()));
        from += count;
      }
    }
  }

  void EncodeStructs() {
    frames_.clear();
    for (const QuoteSeries& series : file_.series) {
      for (size_t from = 0; from < series.structs.size(); from += limits::kSeriesBlockRows) {
        size_t count = std::min(limits::kSeriesBlockRows, series.structs.size() - from);
        std::string_view raw(reinterpret_cast<const char*>(&series.structs[from]),
                             count * sizeof(QuoteStruct));
        Check(compressor_.Append(raw, 3, &frames_.emplace_back()));
      }
    }
  }

  Sums Decode() {
    Sums sums;
    for (const std::string& block : blocks_) {
      Check(DecodeSeriesBlock("key", block, struct_columns_, &buffers_, &rows_));
      sums.rows += rows_.size();
      sums.ts += static_cast<uint64_t>(rows_.ts.back());
    }
    return sums;
  }

  Sums DecodeTwoColumns() {
    Sums sums;
    std::vector<Column> wanted = {columns_[0], columns_[1]};
    for (const std::string& block : blocks_) {
      Check(DecodeSeriesBlock("key", block, wanted, &buffers_, &rows_));
      sums.rows += rows_.size();
    }
    return sums;
  }

  Sums DecodeStructs() {
    Sums sums;
    for (const std::string& frame : frames_) {
      Check(decompressor_.Decompress(frame, size_t{1} << 30, &raw_));
      structs_.resize(raw_.size() / sizeof(QuoteStruct));
      std::memcpy(structs_.data(), raw_.data(), raw_.size());
      sums.rows += structs_.size();
      sums.ts += static_cast<uint64_t>(structs_.back().ts);
    }
    return sums;
  }

  size_t BlockBytes() const { return TotalBytes(blocks_); }
  size_t FrameBytes() const { return TotalBytes(frames_); }

 private:
  const QuoteFile& file_;
  std::vector<Column> columns_;
  std::vector<Column> struct_columns_;  // what the structs have; "last" is null in all files
  CodecBuffers buffers_;
  Compressor compressor_;
  Decompressor decompressor_;
  std::vector<std::string> blocks_, frames_;
  Rows rows_;
  std::string raw_;
  std::vector<QuoteStruct> structs_;
};

// Of all files: what a store of them would be.
struct Totals : PackedBytes {
  double our_s = 0, their_s = 0, rows = 0;
};

void RunFile(const std::filesystem::path& path, Totals* totals) {
  QuoteFile file = ReadQuotes(path);
  auto rows = static_cast<double>(file.rows);
  std::printf("\n%s: %zu quotes, %zu series of a day\n", file.name.c_str(), file.rows,
              file.series.size());
  Subject subject(file);
  subject.EncodeStructs();
  subject.Encode(Effort::kLive);
  auto live = static_cast<double>(subject.BlockBytes());
  subject.Encode(Effort::kMerge);
  auto merged = static_cast<double>(subject.BlockBytes()),
       theirs = static_cast<double>(subject.FrameBytes());
  std::printf("  bytes per quote: live %.3f, merged %.3f, struct + zstd-3 %.3f\n", live / rows,
              merged / rows, theirs / rows);
  Print("size, live over struct + zstd-3", live / theirs);
  Print("size, merged over struct + zstd-3", merged / theirs);
  CheckSame(subject.Decode() == subject.DecodeStructs(), "rows");
  // Small files are read often enough to be timed.
  const size_t repeats = RepeatsFor(rows, 400'000.0);
  auto repeat = [&](auto what) { return Repeated(repeats, what); };
  Ratio decode =
      Interleave(repeat([&] { subject.Decode(); }), repeat([&] { subject.DecodeStructs(); }));
  double million = rows * static_cast<double>(repeats) / 1e6;
  Print("full decode, speed over zstd + struct copy (CPU)", decode.CpuSpeed());
  Print("full decode, speed over zstd + struct copy (wall)", decode.Speed());
  std::printf("  decode: %.1f M quotes/s of CPU ours, %.1f theirs\n", million / decode.OurCpu(),
              million / decode.TheirCpu());
  totals->live += live;
  totals->merged += merged;
  totals->theirs += theirs;
  totals->rows += rows;
  totals->our_s += decode.OurCpu() / static_cast<double>(repeats);
  totals->their_s += decode.TheirCpu() / static_cast<double>(repeats);
  Ratio two = Interleave(repeat([&] { subject.DecodeTwoColumns(); }),
                         repeat([&] { subject.DecodeStructs(); }));
  Print("decode of two columns, speed over zstd + struct copy (CPU)", two.CpuSpeed());
  Ratio encode = Interleave(repeat([&] { subject.Encode(Effort::kLive); }),
                            repeat([&] { subject.EncodeStructs(); }));
  Print("live encode, speed over zstd-3 of structs (CPU)", encode.CpuSpeed());
  std::printf("  encode: %.1f M quotes/s of CPU ours, %.1f theirs\n", million / encode.OurCpu(),
              million / encode.TheirCpu());
  std::fflush(stdout);
}

// Four hours: each symbol fills one block of 4,096 rows and part of a second.
void RunLiveRate() {
  QuoteFile file = MakeLiveFeed(1, static_cast<size_t>(4 * 3600 * kLivePerSecond));
  auto rows = static_cast<double>(file.rows);
  Subject subject(file);
  subject.EncodeStructs();
  subject.Encode(Effort::kLive, kLiveFlushRows);
  auto live = static_cast<double>(subject.BlockBytes());
  subject.Encode(Effort::kMerge);
  auto merged = static_cast<double>(subject.BlockBytes()),
       theirs = static_cast<double>(subject.FrameBytes());
  std::printf(
      "\n%s: %zu quotes\n  bytes per quote: as flushed %.3f, merged %.3f, struct + zstd-3"
      " %.3f (without Kafka's time, partition and offset)\n",
      file.name.c_str(), file.rows, live / rows, merged / rows, theirs / rows);
  Print("size at the live rate, merged over struct + zstd-3", merged / theirs);
}

}  // namespace
}  // namespace tapedeck::bench

int main(int argc, char** argv) {
  using namespace tapedeck::bench;
  Begin("series blocks against row structs");
  Totals totals;
  std::string_view part = argc > 1 ? argv[1] : "";
  for (const auto& path : SortedFiles(NeedSharedDir() / "data" / "quotes", ".csv.zst")) {
    if (path.filename().string().find(part) != std::string::npos) RunFile(path, &totals);
  }
  std::printf(
      "\nall files: %.0f quotes, %.3f bytes each live, %.3f merged, %.3f as struct + zstd-3\n",
      totals.rows, totals.live / totals.rows, totals.merged / totals.rows,
      totals.theirs / totals.rows);
  Print("size of all, live over struct + zstd-3", totals.live / totals.theirs, Bar::AtMost(0.5));
  Print("size of all, merged over struct + zstd-3", totals.merged / totals.theirs,
        Bar::AtMost(0.5));
  Print("full decode of all, speed over zstd + struct copy (CPU)", totals.their_s / totals.our_s,
        Bar::AtLeast(3.0));
  RunLiveRate();
  return End();
}
