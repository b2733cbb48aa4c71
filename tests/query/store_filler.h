#ifndef TAPEDECK_TESTS_QUERY_STORE_FILLER_H_
#define TAPEDECK_TESTS_QUERY_STORE_FILLER_H_

// StoreFiller: fills a real store as the record journey does, and remembers every message and
// record in plain vectors.
//
//   StoreFiller filler(dir.path());
//   TpId tp = filler.AddTape({"c1", "ticks", 0, 3});
//   filler.Append(tp, {.value = R"([{"k":"q","s":"BTC","t":5,"b":"1.50"}])", .timestamp_ms = 7});
//   filler.Commit();                          // tape, index, refusals, checkpoint; rows published
//   filler.Flush();                           // series blocks, catalog, days, watermarks
//   filler.records()                          // the oracle: decoded once, when appended
//
// The values go through kMapping: units of an array with k = q (quotes), t (trades), b (bars), x (a
// table "odd" with every type of column). Failures of the store fail the test. Owned by one thread.

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "codec/tape_block.h"
#include "mapping/mapping.h"
#include "model/block_summary.h"
#include "model/open_rows.h"
#include "model/record.h"
#include "model/series_directory.h"
#include "store/store.h"
#include "tape/read_point.h"

namespace tapedeck::testing {

/// One message to be appended; the offset follows the last one, `skip` offsets further on.
struct FillMessage {
  std::optional<std::string> key;
  std::optional<std::string> value;
  int64_t timestamp_ms = 0;
  TimestampType type = TimestampType::kCreate;
  std::vector<std::pair<std::string, std::optional<std::string>>> headers;
  int64_t skip = 0;
};

struct OracleMessage {
  TapeId tape;
  int64_t offset = 0;
  Timestamp received;
  FillMessage content;
  /// Kafka timestamp or time of receipt.
  Timestamp time() const;
};

struct OracleRecord {
  std::string table;
  std::string symbol;
  int64_t ts = 0;
  int64_t ts_kafka = 0;
  TapeId tape;
  int64_t offset = 0;
  uint32_t index = 0;
  std::map<std::string, std::string> fields;  // canonical text of those that are not null
};

class StoreFiller {
 public:
  explicit StoreFiller(const std::string& dir, size_t series_rows = 64,
                       const std::string& node = "filler");
  ~StoreFiller();

  TpId AddTape(const TapeId& tape, int64_t start = 0);
  void Append(TpId tp, const FillMessage& message);
  /// A hole of the log that is recorded as a gap; committed at once with what is open.
  void AddGap(TpId tp, int64_t to, GapReason reason);
  void Commit();
  /// Of everything committed. The days named in `closed` are closed: the next rows open another
  /// generation.
  void Flush();
  void CloseDays();
  /// Joins all series blocks of each (table, day, generation, symbol); all tape blocks of each
  /// tape.
  void MergeSeries();
  void MergeTape();
  /// Flushes what lies open and closes the store; nothing else may be called afterwards.
  void Close();

  int64_t NextOffset(TpId tp) const { return lanes_.at(tp).checkpoint.next; }
  /// Right after a commit: what is open was received at one time.
  void SetNow(Timestamp now) { now_ = now; }
  Store& store() { return *store_; }
  OpenRows& open_rows() { return open_rows_; }
  SeriesDirectory& directory() { return directory_; }
  const TableRegistry& tables() const { return tables_; }
  const std::vector<OracleMessage>& messages() const { return messages_; }
  const std::vector<OracleRecord>& records() const { return records_; }
  /// `archive` may be null.
  std::shared_ptr<const ReadPoint> Point(Archive* archive = nullptr);
  const MappingSpec& mapping() const { return spec_; }

 private:
  struct Lane {
    TapeId tape;
    Checkpoint checkpoint;
    TapeBlockBuilder block;
    BlockSummary summary;
    bool dirty = false;
  };
  void Put(Lane* lane, TpId tp, StoreBatch* batch);
  void Remember(const Lane& lane, const MessageView& message, const FillMessage& content);
  using Refs = std::vector<std::pair<const Chunk*, uint32_t>>;
  void FlushSeries(SeriesId series, const Refs& rows, StoreBatch* batch);
  void WidenEntry(const Table& table, const std::string& symbol, const Refs& rows,
                  StoreBatch* batch);
  void Write(StoreBatch* batch);

  std::string dir_;
  size_t series_rows_;
  std::unique_ptr<Store> store_;
  MappingSpec spec_ = MappingSpec::None();
  TableRegistry tables_;
  std::unique_ptr<Decoder> decoder_;
  SeriesDirectory directory_;
  OpenRows open_rows_;
  ChunkBuilder rows_{&directory_};
  std::map<TpId, Lane> lanes_;
  std::map<keys::DayKey, DayEntry> days_;
  uint64_t commit_ = 0;
  uint64_t flush_ = 0;
  Timestamp now_{int64_t{1'720'000'000} * 1'000'000'000};
  CodecBuffers buffers_;
  MessageHasher hasher_;
  Decoded decoded_;
  StoreBatch pending_;
  std::vector<OracleMessage> messages_;
  std::vector<OracleRecord> records_;
};

}  // namespace tapedeck::testing

#endif  // TAPEDECK_TESTS_QUERY_STORE_FILLER_H_
