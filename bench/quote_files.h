#ifndef TAPEDECK_BENCH_QUOTE_FILES_H_
#define TAPEDECK_BENCH_QUOTE_FILES_H_

// The quote files of the shared data as Rows, one series for each (symbol, day), and as the plain
// 40-byte structs they are compared with.
//
// Owned by one thread.

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include "base/decimal.h"
#include "base/time.h"
#include "base/zstd.h"
#include "bench/bench_util.h"
#include "model/record.h"

namespace tapedeck::bench {

/// What a careful engineer would store without a codec: decimals as integers at one scale for each
/// column of the file.
struct QuoteStruct {
  int64_t ts, bid_price, bid_size, ask_price, ask_size;
};
static_assert(sizeof(QuoteStruct) == 40);

struct QuoteSeries {
  Rows rows;  // sorted by (ts, offset); columns of the table "quotes"
  std::vector<QuoteStruct> structs;
};

struct QuoteFile {
  std::string name;
  std::vector<QuoteSeries> series;
  size_t rows = 0;
};

inline std::string Unzstd(const std::filesystem::path& path) {
  Decompressor decompressor;
  std::string out;
  Status status = decompressor.DecompressFile(ReadFile(path), size_t{1} << 30, &out);
  if (!status.ok()) {
    std::fprintf(stderr, "%s: %s\n", path.c_str(), status.ToString().c_str());
    std::exit(2);
  }
  return out;
}

/// Reads ts_event_ns,symbol,bid_price,bid_size,ask_price,ask_size. Offsets count the lines,
/// ts_kafka = ts, one partition.
inline QuoteFile ReadQuotes(const std::filesystem::path& path) {
  QuoteFile file;
  file.name = path.filename().string();
  file.name = file.name.substr(0, file.name.find(".csv"));
  std::string text = Unzstd(path);
  std::map<std::pair<std::string, int32_t>, QuoteSeries> series;
  uint8_t greatest[4] = {0, 0, 0, 0};
  int64_t offset = 0;
  size_t at = text.find('\n') + 1;
  while (at < text.size()) {
    size_t end = std::min(text.find('\n', at), text.size());
    std::string_view line(text.data() + at, end - at);
    at = end + 1;
    std::string_view fields[6];
    for (std::string_view& field : fields) {
      size_t comma = std::min(line.find(','), line.size());
      field = line.substr(0, comma);
      line.remove_prefix(std::min(comma + 1, line.size()));
    }
    int64_t ts = 0;
    std::from_chars(fields[0].data(), fields[0].data() + fields[0].size(), ts);
    Rows& rows = series[{std::string(fields[1]), Day::Of(Timestamp(ts)).days()}].rows;
    if (rows.columns.empty()) rows.columns.assign(5, RowsColumn{});
    rows.ts.push_back(ts);
    rows.ts_kafka.push_back(ts);
    rows.tp.push_back(1);
    rows.offset.push_back(offset++);
    rows.index.push_back(0);
    for (size_t c = 0; c < 4; ++c) {
      Decimal decimal;
      std::string canonical;
      bool null = fields[c + 2].empty();
      if (!null && ParseDecimal(fields[c + 2], &decimal, &canonical) != DecimalForm::kDecimal)
        std::abort();
      rows.columns[c].Append(null ? Value() : Value::OfDecimal(decimal));
      if (!null) greatest[c] = std::max(greatest[c], decimal.scale);
    }
    rows.columns[4].Append(Value());
  }
  for (auto& [key, one] : series) {
    std::vector<size_t> order(one.rows.size());
    std::iota(order.begin(), order.end(), size_t{0});
    std::stable_sort(order.begin(), order.end(),
                     [&](size_t a, size_t b) { return one.rows.ts[a] < one.rows.ts[b]; });
    QuoteSeries sorted;
    sorted.rows.columns.assign(5, RowsColumn{});
    for (size_t i : order) {
      sorted.rows.ts.push_back(one.rows.ts[i]);
      sorted.rows.ts_kafka.push_back(one.rows.ts_kafka[i]);
      sorted.rows.tp.push_back(1);
      sorted.rows.offset.push_back(one.rows.offset[i]);
      sorted.rows.index.push_back(0);
      int64_t scaled[4] = {0, 0, 0, 0};
      for (size_t c = 0; c < 5; ++c) {
        Value value = one.rows.columns[c].At(i);
        sorted.rows.columns[c].Append(value);
        if (!value.is_null() &&
            !ScaleUp(value.number(), static_cast<uint8_t>(greatest[c] - value.scale()),
                     &scaled[c])) {
          std::abort();
        }
      }
      sorted.structs.push_back({one.rows.ts[i], scaled[0], scaled[1], scaled[2], scaled[3]});
    }
    file.rows += sorted.rows.size();
    file.series.push_back(std::move(sorted));
  }
  return file;
}

inline std::vector<std::filesystem::path> SortedFiles(const std::filesystem::path& dir,
                                                      const std::string& ending) {
  std::vector<std::filesystem::path> paths;
  for (const auto& entry : std::filesystem::directory_iterator(dir)) {
    if (entry.path().string().ends_with(ending)) paths.push_back(entry.path());
  }
  std::sort(paths.begin(), paths.end());
  return paths;
}

}  // namespace tapedeck::bench

#endif  // TAPEDECK_BENCH_QUOTE_FILES_H_
