// Arrow IPC streams, rows per second on one thread, against ClickHouse's ArrowStream (chdb) with
// the same rows, the same six columns and the same compression; Parquet beside them.
//
// Both sides have the rows decoded in memory and leave the stream in memory. Our streams carry
// more: the scale of each decimal as written and a column for numbers that do not fit. The bar is
// for streams that are not compressed, as an answer is unless asked otherwise; with lz4, which is
// what ClickHouse does unless asked otherwise, and with zstd both spend most of their time in the
// codec (docs/decisions/0025-arrow-codecs.md). Without chdb only our own speeds are printed.

#include <cstdio>
#include <fstream>

#include "bench/chdb_side.h"
#include "bench/encode_rows.h"
#include "columnar/writer.h"

namespace tapedeck {
namespace {

using bench::EncodeRows;
using bench::EncodeRun;
using Source = ColumnarField::Source;

constexpr size_t kRows = 2'000'000;
constexpr size_t kSendBytes = 256 << 10;  // what a server would send at once

ColumnarLayout Layout() {
  ColumnarLayout layout;
  layout.fields = {{Source::kTs, 0, {}, "ts", {}}, {Source::kSymbol, 0, {}, "symbol", {}}};
  const char* names[] = {"bid_price", "bid_size", "ask_price", "ask_size"};
  for (size_t i = 0; i < 4; ++i) {
    layout.fields.push_back(
        {Source::kColumn, i, ColumnType::kDecimal, names[i], DefaultDecimalType("quotes")});
  }
  return layout;
}

void Must(const Status& status) {
  if (status.ok()) return;
  std::fprintf(stderr, "%s\n", status.ToString().c_str());
  std::exit(2);
}

// Encodes all rows; bytes go to `file` where it is given, and nowhere else.
size_t Encode(Result<std::unique_ptr<ColumnarWriter>> made, const EncodeRows& rows,
              std::ofstream* file = nullptr) {
  Must(made.status());
  ColumnarWriter& writer = **made;
  size_t bytes = 0;
  std::string out;
  auto send = [&] {
    bytes += out.size();
    if (file != nullptr) file->write(out.data(), static_cast<std::streamsize>(out.size()));
    out.clear();
  };
  Must(writer.Begin(&out));
  for (const EncodeRun& run : rows.runs) {
    Must(writer.Append({run.symbol, run.rows, run.first, run.count, 1}, &out));
    if (out.size() >= kSendBytes) send();
  }
  Must(writer.Finish(&out));
  send();
  return bytes;
}

struct Form {
  const char* name;
  ArrowCompression compression;
  bench::Bar bar;
  const char* theirs;
};
const Form kForms[] = {
    {"not compressed", ArrowCompression::kNone, bench::Bar::AtLeast(2.0),
     "ArrowStream output_format_arrow_compression_method='none'"},
    {"lz4", ArrowCompression::kLz4, bench::Bar::None(),
     "ArrowStream output_format_arrow_compression_method='lz4_frame'"},
    {"zstd", ArrowCompression::kZstd, bench::Bar::None(),
     "ArrowStream output_format_arrow_compression_method='zstd'"},
};

void PrintSide(const char* name, double wall_s, double cpu_s, unsigned long long bytes) {
  std::printf("  %-20s %7.2f M rows/s, %5.1f ns CPU and %5.1f bytes per row\n", name,
              kRows / wall_s / 1e6, cpu_s / kRows * 1e9, double(bytes) / kRows);
}

void Compare(const char* what, const EncodeRows& rows, std::optional<bench::ChdbSide>* chdb) {
  std::printf("%s\n", what);
  const std::string parquet =
      (std::filesystem::temp_directory_path() / "tapedeck-encode-bench.parquet").string();
  if (*chdb) {
    std::ofstream file(parquet, std::ios::binary);
    Encode(MakeParquetWriter(Layout(), {}), rows, &file);
    file.close();
    if ((*chdb)->Load(parquet) != rows.count) Must(Status::Internal("chdb has other rows"));
  }
  for (const Form& form : kForms) {
    size_t bytes = 0;
    auto ours = [&] {
      bytes = Encode(MakeArrowWriter(Layout(), {.compression = form.compression}), rows);
    };
    std::printf(" Arrow, %s\n", form.name);
    if (!*chdb) {
      const bench::Cost cost = bench::Measure(ours);
      PrintSide("tapedeck", cost.wall_s, cost.cpu_s, bytes);
      continue;
    }
    const bench::Ratio ratio = (*chdb)->Compare(ours, form.theirs);
    PrintSide("tapedeck", ratio.OurWall(), ratio.OurCpu(), bytes);
    PrintSide("chdb", ratio.TheirWall(), ratio.TheirCpu(), (*chdb)->Select(form.theirs).bytes);
    bench::Print(std::string("speed over chdb, ") + form.name, ratio.Speed(), form.bar);
    bench::Print("by CPU", ratio.CpuSpeed());
  }
  size_t bytes = 0;
  const bench::Cost cost =
      bench::Measure([&] { bytes = Encode(MakeParquetWriter(Layout(), {}), rows); });
  std::printf(" Parquet, zstd\n");
  PrintSide("tapedeck", cost.wall_s, cost.cpu_s, bytes);
  std::filesystem::remove(parquet);
}

int Main() {
  bench::Begin("encoders: Arrow");
  std::optional<bench::ChdbSide> chdb = bench::ChdbSide::Start();
  if (!chdb) std::printf("# no chdb here: our side only, nothing is compared\n");
  Compare("one symbol, runs of 4,096 rows", EncodeRows::OneSymbol(kRows), &chdb);
  Compare("100 symbols by time, runs of one to three rows", EncodeRows::ManySymbols(kRows), &chdb);
  return bench::End();
}

}  // namespace
}  // namespace tapedeck

int main() { return tapedeck::Main(); }
