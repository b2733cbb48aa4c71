#include "archive_fill.h"

#include <gtest/gtest.h>

#include "archive/manifest_set.h"
#include "archive/names.h"

namespace tapedeck::testing {
namespace {

const Day kFirstDay(19'906);  // 2024-07-02
constexpr int64_t kHour = 3'600'000'000'000;

ManifestWriter WriterOf(const std::string& node) {
  return {.node = node, .store = "0123456789abcdef", .version = "9.8.7", .at = Timestamp(5)};
}

template <typename M, typename... More>
void Put(BlobStore* blobs, const M& manifest, More... more) {
  const ManifestFile file = MakeManifestFile(manifest, more...);
  EXPECT_TRUE(blobs->Put(file.name, BlobContent::Bytes(file.json), PutMode::kCreate).ok());
}

}  // namespace

RecordManifest ManifestOfTrades(const std::string& node, Day day, uint32_t generation,
                                int objects) {
  RecordManifest manifest;
  manifest.writer = WriterOf(node);
  manifest.table = "trades";
  manifest.columns = {{"price", ColumnType::kDecimal}, {"size", ColumnType::kDecimal}};
  manifest.day = day;
  manifest.generation = generation;
  manifest.rows = static_cast<uint64_t>(objects) * 10;
  const TapeId tape{"c1", "Finhub1", 0, 0};
  manifest.vector = {{tape, 0, 1000}};
  const ArchiveOwner owner{node, manifest.writer.store};
  for (int i = 0; i < objects; ++i) {
    const std::string sha(64, static_cast<char>('a' + i));
    const Timestamp first(day.start().ns() + i * kHour);
    manifest.objects.push_back(
        {.name = RecordObjectName(owner, "trades", day, generation, static_cast<uint32_t>(i),
                                  {.format = "parquet", .hash = NameHash(sha, "9.8.7")}),
         .format = "parquet",
         .rows = 10,
         .bytes = 1'000,
         .sha256 = sha,
         .first_symbol = "AB",
         .last_symbol = i == 0 ? "Z\xff" : "ZZ",
         .first_ts = first,
         .last_ts = Timestamp(first.ns() + kHour - 1),
         .offsets = {{tape, i * 10, i * 10 + 10}}});
  }
  return manifest;
}

TapeManifest ManifestOfTape(const std::string& node, int64_t from, int64_t to) {
  TapeManifest manifest;
  manifest.writer = WriterOf(node);
  manifest.range = {{"c1", "Finhub1", 0, 0}, from, to};
  manifest.messages = static_cast<uint64_t>(to - from);
  manifest.kafka_min_ms = kFirstDay.start().ns() / 1'000'000;
  manifest.kafka_max_ms = manifest.kafka_min_ms + 60'000;
  const std::string sha(64, 'f');
  manifest.objects.push_back(
      {.name = TapeObjectName({node, manifest.writer.store}, {"Finhub1", 0, 0, from, to}, kFirstDay,
                              {.format = "parquet", .hash = NameHash(sha, "9.8.7")}),
       .format = "parquet",
       .rows = manifest.messages,
       .bytes = 500,
       .sha256 = sha});
  return manifest;
}

void FillArchive(BlobStore* blobs) {
  Put(blobs, ManifestOfTrades("other", kFirstDay, 0, 3));
  Put(blobs, ManifestOfTrades("other", Day(kFirstDay.days() + 1), 0, 1));
  RecordManifest again = ManifestOfTrades("other", Day(kFirstDay.days() + 1), 1, 2);
  again.replaces = {0};
  Put(blobs, again);
  Put(blobs, ManifestOfTape("other", 0, 100), kFirstDay);
}

}  // namespace tapedeck::testing
