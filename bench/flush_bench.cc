// What a flush costs: rows of published chunks to series blocks, in nanoseconds of CPU for a row.
//
// A million quotes of 100 symbols as the feed makes them, decoded by generic-json, in chunks of a
// commit's size. First the whole (FlushBuilder), then its parts one by one on the same rows, each
// against the plain way of doing it where there is one.
//
//   flush_bench [rows [folder]]      the folder is made and removed

#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "base/limits.h"
#include "bench/bench_util.h"
#include "bench/check.h"
#include "codec/series_block.h"
#include "config/presets.h"
#include "kafka/feed.h"
#include "mapping/mapping.h"
#include "record/flush_builder.h"

namespace tapedeck::bench {
namespace {

constexpr size_t kPartitions = 12;
constexpr uint32_t kSymbols = 100;
constexpr size_t kChunkRows = 20'000;
constexpr size_t kMessagesPerMs = 500;  // Kafka's time goes on this slowly: a backlog
constexpr std::string_view kTopic = "quotes";

StoreState StateOf(const TableRegistry& tables) {
  StoreState state;
  state.tables = tables;
  for (uint32_t p = 0; p < kPartitions; ++p) {
    TapeId tape;
    tape.topic = kTopic;
    tape.partition = static_cast<int32_t>(p);
    state.tapes.emplace_back(TpId{p + 1}, tape);
    state.checkpoints.emplace_back(TpId{p + 1}, Checkpoint{});
  }
  return state;
}

class Source {
 public:
  explicit Source(SeriesDirectory* directory)
      : directory_(directory), feed_({.seed = 7, .symbols = kSymbols}) {
    auto spec = MappingSpec::Resolve("generic-json", PresetLibrary(), TopicSettings{});
    Check(spec.status());
    auto decoder = Decoder::Make(*spec, &tables_);
    Check(decoder.status());
    decoder_ = std::move(*decoder);
  }

  OpenRows::List Chunks(size_t rows) {
    OpenRows::List chunks;
    TapeBook book(StateOf(tables_));
    ChunkBuilder builder(directory_);
    for (size_t i = 0; i < rows; ++i) {
      Append(i, &builder);
      if (builder.size() < kChunkRows && i + 1 < rows) continue;
      chunks.push_back(builder.Finish(chunks.size() + 1, book.ranks()));
    }
    return chunks;
  }
  const TableRegistry& tables() const { return tables_; }

 private:
  void Append(size_t number, ChunkBuilder* builder) {
    const FeedMessage& made = feed_.Next();
    const Timestamp kafka(1'719'900'000'000'000'000 +
                          static_cast<int64_t>(number / kMessagesPerMs) * 1'000'000);
    // A symbol is a key: its messages are in one partition.
    const size_t partition = std::hash<std::string_view>()(made.symbol) % kPartitions;
    MessageView message;
    message.value = made.value;
    decoder_->Decode({std::string(kTopic), static_cast<int32_t>(partition)}, message, kafka,
                     &decoded_);
    for (const DecodedRecord& record : decoded_.records) {
      RecordView view;
      view.table = record.table;
      view.symbol = record.symbol;
      view.ts = record.ts;
      view.ts_kafka = kafka;
      view.origin = {TpId{static_cast<uint32_t>(partition) + 1}, offsets_[partition], 0};
      view.values = record.values;
      builder->Append(view);
    }
    ++offsets_[partition];
  }

  SeriesDirectory* directory_;
  Feed feed_;
  TableRegistry tables_;
  std::unique_ptr<Decoder> decoder_;
  Decoded decoded_;
  int64_t offsets_[kPartitions] = {};
};

struct Series {
  std::string symbol;
  std::vector<std::span<const Value>> values;  // of each row, as chunks hold them
  Rows rows;
};

std::vector<Series> SeriesOf(const OpenRows::List& chunks, const SeriesDirectory& directory,
                             const Table& table) {
  std::vector<Series> all(directory.size());
  for (SeriesId id = 0; id < directory.size(); ++id) {
    Series& series = all[id];
    series.symbol = directory.At(id).symbol;
    series.rows.columns.resize(table.columns.size());
    for (size_t c = 0; c < table.columns.size(); ++c)
      series.rows.columns[c].type = table.columns[c].type;
    for (const auto& chunk : chunks) {
      for (uint32_t at : chunk->RowsOf(id)) {
        const ChunkRow& row = chunk->row(at);
        series.values.push_back(chunk->values(at));
        series.rows.ts.push_back(row.ts);
        series.rows.ts_kafka.push_back(row.ts_kafka);
        series.rows.tp.push_back(Raw(row.tp));
        series.rows.offset.push_back(row.offset);
        series.rows.index.push_back(row.index);
      }
    }
  }
  return all;
}

void FillRowByRow(Series* series) {
  for (RowsColumn& column : series->rows.columns) column.Clear();
  for (std::span<const Value> values : series->values) {
    for (size_t c = 0; c < series->rows.columns.size(); ++c)
      series->rows.columns[c].Append(c < values.size() ? values[c] : Value());
  }
}

// As a flush does it: values of a tile of rows stay in the cache from column to column.
void FillByColumns(Series* series) {
  constexpr size_t kTileRows = 256;
  for (RowsColumn& column : series->rows.columns) column.Clear();
  for (size_t from = 0; from < series->values.size(); from += kTileRows) {
    auto tile =
        std::span(series->values).subspan(from, std::min(kTileRows, series->values.size() - from));
    for (size_t c = 0; c < series->rows.columns.size(); ++c) {
      series->rows.columns[c].AppendAll(
          tile.size(), [&](size_t i) { return c < tile[i].size() ? &tile[i][c] : nullptr; });
    }
  }
}

size_t EncodeBlocks(const Series& series, const Table& table, Effort effort,
                    CodecBuffers* buffers) {
  std::string block;
  size_t bytes = 0;
  for (size_t at = 0; at < series.rows.size();) {
    size_t count = SeriesRowsThatFit(series.rows, at, limits::kSeriesBlockRows);
    Check(EncodeSeriesBlock("key", series.rows, table.columns, at, count, effort, buffers, &block));
    bytes += block.size();
    at += count;
  }
  return bytes;
}

// Median of several runs.
double NsPerRow(size_t rows, const std::function<void()>& run) {
  std::vector<double> times;
  for (int i = 0; i < kPairs; ++i) times.push_back(Measure(run).cpu_s);
  return Median(times) * 1e9 / static_cast<double>(rows);
}

void PrintNs(const char* what, double ns) { std::printf("  %-46s %8.1f ns a row\n", what, ns); }

void RunParts(std::vector<Series>* all, const Table& table, size_t rows) {
  std::vector<Hash128> tapes(kPartitions + 1);
  for (const auto& [tp, tape] : StateOf({}).tapes) tapes[Raw(tp)] = TapeHash(tape);
  PrintNs("columns, value by value", NsPerRow(rows, [&] {
            for (Series& series : *all) FillRowByRow(&series);
          }));
  PrintNs("columns, many values at a time", NsPerRow(rows, [&] {
            for (Series& series : *all) FillByColumns(&series);
          }));
  Digest one_by_one, all_at_once;
  PrintNs("hashes, row by row", NsPerRow(rows, [&] {
            one_by_one = {};
            RecordHasher hasher(table);
            for (const Series& series : *all) {
              const Hash128 hash = SeriesHash(table.name, series.symbol);
              for (size_t row = 0; row < series.rows.size(); ++row)
                one_by_one += hasher.Hash(hash, tapes[series.rows.tp[row]], series.rows, row);
            }
          }));
  PrintNs("hashes, all rows of a series", NsPerRow(rows, [&] {
            all_at_once = {};
            RecordHasher hasher(table);
            for (const Series& series : *all)
              all_at_once +=
                  hasher.DigestOf(SeriesHash(table.name, series.symbol), tapes, series.rows);
          }));
  if (one_by_one != all_at_once) {
    std::fprintf(stderr, "the digests differ\n");
    std::exit(2);
  }
  CodecBuffers buffers;
  for (Effort effort : {Effort::kLive, Effort::kMerge}) {
    size_t bytes = 0;
    const char* name = effort == Effort::kLive ? "blocks, live" : "blocks, merged";
    PrintNs(name, NsPerRow(rows, [&] {
              bytes = 0;
              for (const Series& series : *all)
                bytes += EncodeBlocks(series, table, effort, &buffers);
            }));
    std::printf("  %-46s %8.3f bytes a row\n", name,
                static_cast<double>(bytes) / static_cast<double>(rows));
  }
}

int Run(size_t rows, const std::filesystem::path& folder) {
  SeriesDirectory directory;
  Source source(&directory);
  OpenRows::List chunks = source.Chunks(rows);
  StoreOptions options;
  options.dir = folder;
  options.node_id = "bench";
  options.ballast_bytes = 0;
  auto store = Store::Open(options);
  Check(store.status());
  TapeBook book(StateOf(source.tables()));
  FlushBuilder builder(&directory, store->get());
  FlushBuilder::Result result;
  PrintNs("a whole flush", NsPerRow(rows, [&] {
            StoreBatch batch;
            result = {};
            Check(builder.Build(chunks, book, CloseOrder{}, Timestamp(), &batch, &result));
          }));
  std::printf("  %zu rows in %zu blocks, %.3f bytes a row\n", rows, result.blocks.size(),
              static_cast<double>(result.block_bytes) / static_cast<double>(rows));
  for (const auto& [key, day] : result.days)
    std::printf("  digest %s of %llu rows\n", day.digest.ToString().c_str(),
                static_cast<unsigned long long>(day.rows));
  const Table& table = *source.tables().Find("quotes");
  std::vector<Series> all = SeriesOf(chunks, directory, table);
  RunParts(&all, table, rows);
  return End();
}

}  // namespace
}  // namespace tapedeck::bench

int main(int argc, char** argv) {
  tapedeck::bench::Begin("a flush");
  const size_t rows = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 1'000'000;
  std::filesystem::path folder = argc > 2 ? std::filesystem::path(argv[2])
                                          : std::filesystem::temp_directory_path() /
                                                ("flush_bench." + std::to_string(getpid()));
  const int exit = tapedeck::bench::Run(rows, folder);
  std::filesystem::remove_all(folder);
  return exit;
}
