// NDJSON and CSV, rows per second on one thread, against ClickHouse's JSONEachRow and CSV (chdb)
// with the same rows and the same six columns.
//
// In process: nothing is sent anywhere, on either side. Both have the rows in memory, decoded, and
// leave the text in memory; ours in pieces of the size that a server sends, theirs as one buffer.
// What each side wrote is compared first, row by row: the same values, but for the trailing zeros
// that ClickHouse's decimals do not keep. Without chdb only our own speeds are printed.

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <sstream>

#include "bench/chdb_side.h"
#include "bench/encode_rows.h"
#include "columnar/writer.h"
#include "query/text_encoder.h"
#include "store/store.h"

namespace tapedeck {
namespace {

using bench::EncodeRows;
using bench::EncodeRun;

constexpr size_t kRows = 2'000'000;
constexpr size_t kSendBytes = 256 << 10;  // what a server would send at once

void Must(const Status& status) {
  if (status.ok()) return;
  std::fprintf(stderr, "%s\n", status.ToString().c_str());
  std::exit(2);
}

// What an encoder wants to know of a cursor.
class Shape final : public RowCursor {
 public:
  explicit Shape(std::shared_ptr<const ReadPoint> point)
      : point_(std::move(point)), table_(*point_->FindTable("quotes")) {
    for (const char* name : {"bid_price", "bid_size", "ask_price", "ask_size"}) {
      columns_.push_back({name, ColumnType::kDecimal});
    }
  }
  Status Next(RowRun* run) override {
    *run = RowRun{};
    return Status::Ok();
  }
  const Table& table() const override { return *table_; }
  const ReadPoint& point() const override { return *point_; }
  std::span<const Column> columns() const override { return columns_; }
  RecordPosition PositionOf(const RowRun&, uint32_t) const override { return {}; }
  uint64_t rows() const override { return 0; }

 private:
  std::shared_ptr<const ReadPoint> point_;
  const Table* table_;
  std::vector<Column> columns_;
};

RowFields Fields(const Shape& shape) {
  const std::vector<std::string> names = {"ts",       "symbol",    "bid_price",
                                          "bid_size", "ask_price", "ask_size"};
  Result<RowFields> fields = RowFields::Choose(shape.table(), names, Origins::kLeftOut);
  Must(fields.status());
  return std::move(*fields);
}

// Encodes all rows; bytes go to `kept` where it is given, and nowhere else.
size_t Encode(TextFormat format, const Shape& shape, const EncodeRows& rows,
              std::string* kept = nullptr) {
  auto encoder = MakeTextEncoder(format, Fields(shape), shape, {});
  size_t bytes = 0;
  std::string out;
  auto send = [&] {
    bytes += out.size();
    if (kept != nullptr) kept->append(out);
    out.clear();
  };
  Must(encoder->Begin(&out));
  for (const EncodeRun& run : rows.runs) {
    Must(encoder->Append({run.symbol, run.rows, run.first, run.count, 1}, &out));
    if (out.size() >= kSendBytes) send();
  }
  Must(encoder->Finish("", &out));
  send();
  return bytes;
}

// A line without quotes, ends of lines, and zeros at the ends of fractions.
std::string Plain(std::string_view line) {
  std::string out;
  bool fraction = false;
  auto end_number = [&] {
    while (fraction && out.back() == '0') out.pop_back();
    if (fraction && out.back() == '.') out.pop_back();
    fraction = false;
  };
  for (char c : line) {
    if (c == '"' || c == '\r') continue;
    const bool digit = c >= '0' && c <= '9';
    if (!digit) end_number();
    if (c == '.') fraction = true;
    out.push_back(c);
  }
  end_number();
  return out;
}

// Stops where the two texts do not hold the same rows.
void CompareContent(const std::string& ours, const std::string& path, size_t header_lines,
                    size_t count) {
  std::ifstream theirs(path);
  std::istringstream mine(ours);
  std::string a, b;
  for (size_t i = 0; i < header_lines; ++i) std::getline(mine, a);
  size_t rows = 0;
  while (std::getline(mine, a)) {
    if (!std::getline(theirs, b) || Plain(a) != Plain(b)) {
      std::fprintf(stderr, "row %zu differs:\n%s\n%s\n", rows, a.c_str(), b.c_str());
      std::exit(2);
    }
    ++rows;
  }
  if (rows != count || std::getline(theirs, b)) Must(Status::Internal("the sides differ in rows"));
}

void PrintSide(const char* name, double wall_s, double cpu_s, unsigned long long bytes) {
  std::printf("  %-20s %7.2f M rows/s, %5.1f ns CPU and %5.1f bytes per row\n", name,
              kRows / wall_s / 1e6, cpu_s / kRows * 1e9, double(bytes) / kRows);
}

struct Form {
  const char* name;
  TextFormat format;
  const char* theirs;
  size_t header_lines;
  double bar;
};
constexpr Form kForms[] = {
    {"NDJSON", TextFormat::kNdjson, "JSONEachRow date_time_output_format='iso'", 0, 3.0},
    {"CSV", TextFormat::kCsv, "CSV date_time_output_format='iso'", 1, 1.8},
};

// The rows as a file that chdb reads.
void Save(const EncodeRows& rows, const std::string& path) {
  ColumnarLayout layout;
  using Source = ColumnarField::Source;
  layout.fields = {{Source::kTs, 0, {}, "ts", {}}, {Source::kSymbol, 0, {}, "symbol", {}}};
  const char* names[] = {"bid_price", "bid_size", "ask_price", "ask_size"};
  for (size_t i = 0; i < 4; ++i) {
    layout.fields.push_back(
        {Source::kColumn, i, ColumnType::kDecimal, names[i], DefaultDecimalType("quotes")});
  }
  auto writer = MakeParquetWriter(layout, {});
  Must(writer.status());
  std::string out;
  Must((*writer)->Begin(&out));
  for (const EncodeRun& run : rows.runs) {
    Must((*writer)->Append({run.symbol, run.rows, run.first, run.count, 1}, &out));
  }
  Must((*writer)->Finish(&out));
  std::ofstream(path, std::ios::binary) << out;
}

void Compare(const char* what, const Shape& shape, const EncodeRows& rows,
             std::optional<bench::ChdbSide>* chdb) {
  std::printf("%s\n", what);
  const std::string file =
      (std::filesystem::temp_directory_path() / "tapedeck-encode-text-bench").string();
  if (*chdb) {
    Save(rows, file);
    if ((*chdb)->Load(file) != rows.count) Must(Status::Internal("chdb has other rows"));
  }
  for (const Form& form : kForms) {
    size_t bytes = 0;
    auto ours = [&] { bytes = Encode(form.format, shape, rows); };
    std::printf(" %s\n", form.name);
    if (!*chdb) {
      const bench::Cost cost = bench::Measure(ours);
      PrintSide("tapedeck", cost.wall_s, cost.cpu_s, bytes);
      continue;
    }
    (*chdb)->Save(file, form.theirs);
    std::string text;
    Encode(form.format, shape, rows, &text);
    CompareContent(text, file, form.header_lines, rows.count);
    text = std::string();
    const bench::Ratio ratio = (*chdb)->Compare(ours, form.theirs);
    PrintSide("tapedeck", ratio.OurWall(), ratio.OurCpu(), bytes);
    PrintSide("chdb", ratio.TheirWall(), ratio.TheirCpu(), (*chdb)->Select(form.theirs).bytes);
    bench::Print(std::string("speed over chdb, ") + form.name, ratio.Speed(),
                 bench::Bar::AtLeast(form.bar));
    bench::Print("by CPU", ratio.CpuSpeed());
  }
  std::filesystem::remove(file);
}

int Main() {
  bench::Begin("encoders: text");
  const std::filesystem::path dir =
      std::filesystem::temp_directory_path() / ("tapedeck-encode-text-" + std::to_string(getpid()));
  Result<std::unique_ptr<Store>> store =
      Store::Open({.dir = dir, .node_id = "bench", .ballast_bytes = 0});
  Must(store.status());
  OpenRows open_rows;
  SeriesDirectory directory;
  auto point = ReadPoint::Take(open_rows, &directory, **store);
  Must(point.status());
  const Shape shape(std::move(*point));
  std::optional<bench::ChdbSide> chdb = bench::ChdbSide::Start();
  if (!chdb) std::printf("# no chdb here: our side only, nothing is compared\n");
  Compare("one symbol, runs of 4,096 rows", shape, EncodeRows::OneSymbol(kRows), &chdb);
  Compare("100 symbols by time, runs of one to three rows", shape, EncodeRows::ManySymbols(kRows),
          &chdb);
  std::filesystem::remove_all(dir);
  return bench::End();
}

}  // namespace
}  // namespace tapedeck

int main() { return tapedeck::Main(); }
