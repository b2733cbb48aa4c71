// The first byte of a query for one symbol and one minute of a day of 1 GB that lies in an object
// store and nowhere else, and how much of it is read.
//
// The day is written by the writer of shipped objects (one row a second and symbol, prices that
// wander, as many symbols as fill the size), put into the store with its manifest, and known to the
// reader as a node knows it: by its manifests alone. Each query begins with nothing kept of any
// object: it takes a read point, opens the cursor and encodes the first run, as a request does.
//
//   cold_bench [megabytes]     TAPEDECK_S3=http://host:port/bucket and AWS_ACCESS_KEY_ID,
//                              AWS_SECRET_ACCESS_KEY; scripts/bench cold starts a server

#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "archive/archive.h"
#include "archive/record_object_writer.h"
#include "base/random.h"
#include "bench/bench_util.h"
#include "bench/first_run.h"
#include "bench/quotes_table.h"
#include "bench/store_by_flushes.h"
#include "blob/s3_store.h"
#include "query/series_cursor.h"
#include "query/text_encoder.h"

namespace tapedeck::bench {
namespace {

constexpr size_t kQueries = 200;
constexpr uint32_t kRowsOfSymbol = 86'400;
constexpr int64_t kSecond = 1'000'000'000;
constexpr int64_t kMinute = 60 * kSecond;
const Day kOf(19'906);
const TapeId kTape{"c1", "quotes", 0, 0};

std::string SymbolOf(size_t number) { return "EX:SYM" + std::to_string(100'000 + number); }

/// A symbol's day: a quote a second, of which bid and ask wander.
void FillRows(const Table& table, size_t symbol, Random* random, Rows* rows) {
  rows->Clear();
  rows->columns.resize(table.columns.size());
  for (size_t c = 0; c < table.columns.size(); ++c) rows->columns[c].type = table.columns[c].type;
  int64_t bid = 1'000'000 + random->Between(0, 9'000'000);
  for (uint32_t i = 0; i < kRowsOfSymbol; ++i) {
    bid += random->Between(-9, 9);
    const int64_t ts = kOf.start().ns() + i * kSecond + random->Between(0, 999) * 1'000'000;
    rows->ts.push_back(ts);
    rows->ts_kafka.push_back(ts + random->Between(1, 60) * 1'000'000);
    rows->tp.push_back(1);
    rows->offset.push_back(int64_t{i} * 10'000 + static_cast<int64_t>(symbol));
    rows->index.push_back(0);
    const int64_t values[] = {bid, random->Between(1, 99'999), bid + random->Between(1, 20),
                              random->Between(1, 99'999)};
    const uint8_t scales[] = {2, 3, 2, 3};
    for (size_t c = 0; c < table.columns.size(); ++c) {
      rows->columns[c].Append(c < 4 ? Value::OfDecimal({values[c], scales[c]}) : Value());
    }
  }
}

std::vector<WrittenObject> Write(const std::filesystem::path& folder, size_t symbols) {
  const Table table = QuotesTable();
  auto writer = RecordObjectWriter::Make({.table = table,
                                          .day = kOf,
                                          .tapes = {{TpId{1}, kTape}},
                                          .folder = folder,
                                          .file_prefix = "cold-" + std::to_string(symbols),
                                          .writer = "tapedeck bench"});
  Check(writer.status());
  Random random(11);
  Rows rows;
  for (size_t s = 0; s < symbols; ++s) {
    FillRows(table, s, &random, &rows);
    for (uint32_t at = 0; at < kRowsOfSymbol; at += 4096) {
      const uint32_t count = std::min<uint32_t>(4096, kRowsOfSymbol - at);
      Check((*writer)->Append({SymbolOf(s), &rows, at, count, 1}));
    }
  }
  auto written = (*writer)->Finish();
  Check(written.status());
  return std::move(written).value();
}

uint64_t BytesOf(const std::vector<WrittenObject>& objects) {
  uint64_t bytes = 0;
  for (const WrittenObject& one : objects) bytes += one.object.bytes;
  return bytes;
}

/// Puts the files and their manifest.
uint64_t Ship(BlobStore* blobs, std::vector<WrittenObject> written, size_t symbols) {
  const ArchiveOwner owner{"far", "00ff00ff00ff00ff"};
  RecordManifest manifest;
  manifest.writer = {owner.node, owner.store, "0.1.0", Timestamp(1)};
  manifest.table = "quotes";
  manifest.columns = QuotesTable().columns;
  manifest.day = kOf;
  manifest.rows = symbols * kRowsOfSymbol;
  manifest.vector = {{kTape, 0, int64_t{kRowsOfSymbol} * 10'000}};
  const uint64_t bytes = BytesOf(written);
  uint32_t number = 0;
  for (WrittenObject& one : written) {
    one.object.name = RecordObjectName(owner, "quotes", kOf, 0, number++,
                                       {one.object.format, NameHash(one.object.sha256, "0.1.0")});
    Check(blobs->Put(one.object.name, BlobContent::File(one.path), PutMode::kReplace).status());
    std::filesystem::remove(one.path);
    manifest.objects.push_back(std::move(one.object));
  }
  const ManifestFile file = MakeManifestFile(manifest);
  Check(blobs->Put(file.name, BlobContent::Bytes(file.json), PutMode::kReplace).status());
  return bytes;
}

std::unique_ptr<BlobStore> OpenBucket() {
  const char* named = std::getenv("TAPEDECK_S3");
  const std::string url = named == nullptr ? "" : named;
  const size_t slash = url.find('/', url.find("//") == url.npos ? 0 : url.find("//") + 2);
  if (slash == url.npos) {
    std::fprintf(stderr, "set TAPEDECK_S3=http://host:port/bucket, or use scripts/bench cold\n");
    std::exit(2);
  }
  S3Options options;
  options.endpoint = url.substr(0, slash);
  options.bucket = url.substr(slash + 1);
  options.prefix = "cold";
  options.region = "us-east-1";
  options.is_plain_http_allowed = true;
  auto opened = OpenS3Store(options);
  Check(opened.status());
  return std::move(opened).value();
}

struct Seen {
  std::vector<double> open, first, share, reads;
};

double Milliseconds(std::chrono::steady_clock::time_point from) {
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - from).count();
}

void Ask(BlobStore* blobs, const Store& store, const RecordQuery& query, uint64_t bytes,
         Seen* seen) {
  Archive archive(blobs, {});
  Check(archive.manifests().Refresh(blobs, nullptr).status());
  OpenRows none;
  SeriesDirectory directory;
  const auto start = std::chrono::steady_clock::now();
  auto point = ReadPoint::Take(none, &directory, store, &archive);
  Check(point.status());
  auto fields = RowFields::Choose(**(*point)->FindTable("quotes"), {}, Origins::kLeftOut);
  Check(fields.status());
  auto cursor = RecordCursor::Open(*point, query);
  Check(cursor.status());
  seen->open.push_back(Milliseconds(start));
  auto encoder = MakeTextEncoder(TextFormat::kNdjson, *fields, **cursor, {});
  RowRun run;
  const std::string out = FirstRun(cursor->get(), encoder.get(), &run);
  seen->first.push_back(Milliseconds(start));
  uint64_t rows = 0;
  while (run.count > 0) {
    rows += run.count;
    Check((*cursor)->Next(&run));
  }
  if (rows != 60) Check(Status::Internal(std::to_string(rows) + " rows in a minute"));
  const ObjectCacheCounts counts = archive.objects().counts();
  seen->share.push_back(static_cast<double>(counts.bytes_fetched) / static_cast<double>(bytes));
  seen->reads.push_back(static_cast<double>(counts.reads));
}

double At(std::vector<double> values, double part) {
  std::sort(values.begin(), values.end());
  return values[static_cast<size_t>(part * static_cast<double>(values.size() - 1))];
}

void Report(const Seen& seen) {
  auto line = [](const char* name, const std::vector<double>& values, double factor) {
    std::printf("  %-28s %9.3f %9.3f %9.3f\n", name, factor * At(values, 0.5),
                factor * At(values, 0.99), factor * At(values, 1));
  };
  std::printf("  %-28s %9s %9s %9s\n", "", "median", "p99", "max");
  line("cursor open, ms", seen.open, 1);
  line("first byte, ms", seen.first, 1);
  line("reads of the store", seen.reads, 1);
  line("of the day's bytes, %", seen.share, 100);
  Print("first byte, median ms", {At(seen.first, 0.5), At(seen.first, 0), At(seen.first, 1)},
        Bar::AtMost(100));
  Print("share of the day's bytes that is read", SpreadOf(seen.share), Bar::AtMost(0.02));
}

int Main(int argc, char** argv) {
  Begin("query: one symbol and one minute of a cold day");
  const uint64_t wanted = (argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 1000) * 1'000'000;
  const auto folder =
      std::filesystem::temp_directory_path() / ("tapedeck-cold-" + std::to_string(::getpid()));
  std::filesystem::create_directories(folder);
  const auto blobs = OpenBucket();
  const uint64_t few = BytesOf(Write(folder, 20));
  const size_t symbols = static_cast<size_t>(wanted * 20 / few) + 1;
  uint64_t bytes = 0;
  size_t objects = 0;
  const Cost cost = Measure([&] {
    std::vector<WrittenObject> written = Write(folder, symbols);
    objects = written.size();
    bytes = Ship(blobs.get(), std::move(written), symbols);
  });
  std::printf("%zu symbols, %zu rows, %zu objects of %.0f MB: %.0f s, %.0f s CPU\n", symbols,
              symbols * kRowsOfSymbol, objects, static_cast<double>(bytes) / 1e6, cost.wall_s,
              cost.cpu_s);
  auto store = Store::Open({.dir = folder / "store", .node_id = "bench", .ballast_bytes = 0});
  Check(store.status());
  Random random(7);
  Seen seen;
  for (size_t i = 0; i < kQueries; ++i) {
    RecordQuery query;
    query.table = "quotes";
    query.symbols = {SymbolOf(random.Uniform(symbols))};
    query.start =
        Timestamp(kOf.start().ns() + static_cast<int64_t>(random.Uniform(1440)) * kMinute);
    query.end = Timestamp(query.start.ns() + kMinute);
    Ask(blobs.get(), **store, query, bytes, &seen);
  }
  Report(seen);
  store->reset();
  std::filesystem::remove_all(folder);
  return End();
}

}  // namespace
}  // namespace tapedeck::bench

int main(int argc, char** argv) { return tapedeck::bench::Main(argc, argv); }
