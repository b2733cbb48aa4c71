#ifndef TAPEDECK_QUERY_VERIFY_PARTS_H_
#define TAPEDECK_QUERY_VERIFY_PARTS_H_

// The passes of verify.h and what they share. Private to query.
//
// Owned by one thread.

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "model/block_summary.h"
#include "model/chunk.h"
#include "model/record.h"
#include "query/verify.h"
#include "tape/tail.h"

namespace tapedeck {

/// Rows and digest of a multiset of records.
struct Tally {
  uint64_t rows = 0;
  Digest digest;
  bool operator==(const Tally&) const = default;
  Tally& operator+=(const Tally& other) {
    rows += other.rows;
    digest += other.digest;
    return *this;
  }
  std::string ToString() const {
    return std::to_string(rows) + " rows, digest " + digest.ToString();
  }
};

using TableDay = std::pair<TableId, Day>;

/// Hashes of records of any table.
class RecordTally {
 public:
  explicit RecordTally(const StoreState* state) : state_(state) {}
  /// `series` of directory(). The record's table is one of the state's.
  Hash128 HashOf(SeriesId series, const RecordView& record, const TapeId& tape);
  /// Adds the rows of a series of `table`; every tape of theirs is one of the state's.
  /// Those below `cuts` of their tapes are added to `*below`, too.
  void Add(const Table& table, std::string_view symbol, const Rows& rows,
           const std::map<TpId, int64_t>& cuts, Tally* tally, Tally* below);
  SeriesDirectory& directory() { return directory_; }
  /// Null where the store has no such tape.
  const TapeId* FindTape(TpId tp) const;

 private:
  RecordHasher& HasherOf(const Table& table);
  const Hash128& SeriesHashOf(SeriesId series, const Table& table);
  const Hash128& TapeHashOf(const TapeId& tape);

  const StoreState* state_;
  SeriesDirectory directory_;
  std::map<TableId, RecordHasher> hashers_;
  std::vector<std::optional<Hash128>> series_;  // by series
  std::map<TapeId, Hash128> tapes_;
};

class Verifier {
 public:
  Verifier(const StoreView* view, const VerifyOptions* options, VerifyReport* report)
      : view_(view), options_(options), report_(report), tally_(&state_), decoders_(view) {}

  Status Run();

 private:
  // verify.cc
  void Find(const std::string& where, const std::string& what);
  void Progress();
  void CheckEntries();
  void CheckEntry(std::string_view key, std::string_view value);
  void CompareTapeWithSeries();
  void FindCuts();

  // verify_tape.cc
  void CheckTape(TpId tp, const TapeId& tape);
  void CheckTapeBlock(int64_t base, std::string_view block, std::string_view index);
  void CheckMessages(const std::string& where, Decoder* decoder, const TapeIndexEntry& index);
  void CheckMessage(const MessageView& message, Timestamp received);
  void CountRecords(const MessageView& message, Timestamp received, BlockSummary* summary);
  void CheckRefusal(int64_t offset, const RefusalEntry* expected);
  void CheckCheckpoint();
  void CheckCutCheckpoint();
  void CheckGapBounds();

  // verify_series.cc
  void CheckSeries();
  void CheckSeriesBlock(std::string_view key_bytes, std::string_view block);
  void CountSeries(const Table& table, CatalogEntry* entry);
  bool CheckRows(const std::string& where, const Table& table, const keys::SeriesKey& key);
  void CheckDays();
  void CheckCatalog();

  /// The tape in hand.
  struct TapeState {
    TpId tp{};
    const TapeId* id = nullptr;
    std::string where;
    Checkpoint stored;
    Checkpoint found;  // what its messages come to
    int64_t pruned = 0;
    std::vector<Gap> gaps;
    size_t gap = 0;  // the first that may hold the next message
    int64_t first_offset = INT64_MAX;
    int64_t last_offset = INT64_MIN;
    bool whole = true;  // every block could be read
    bool anchor_seen = false;
    std::unique_ptr<StoreCursor> refusals;  // at the first that no message was compared with
  };

  const StoreView* view_;
  const VerifyOptions* options_;
  VerifyReport* report_;
  StoreState state_;
  TapeRanks ranks_;
  RecordTally tally_;
  StoredDecoders decoders_;
  CodecBuffers buffers_;
  MessageHasher hasher_;
  TapeBlock block_;
  Decoded decoded_;
  Rows rows_;
  TapeState tape_;
  std::map<TpId, int64_t> watermarks_;
  /// Where tapes begin whose beginning has left the store: dropped by `retain`, or in an archive.
  std::map<TpId, int64_t> cuts_;
  std::map<TableDay, Tally> below_cuts_;  // rows of the series whose messages have left
  std::map<TableDay, Tally> of_tape_;     // below the watermarks
  std::set<keys::DayKey> set_aside_;      // replaced, or still being built
  std::map<keys::DayKey, Tally> of_series_;
  std::map<SeriesId, CatalogEntry> catalog_;  // counted
  bool tapes_whole_ = true;
  bool series_whole_ = true;
  uint64_t steps_ = 0;
};

}  // namespace tapedeck

#endif  // TAPEDECK_QUERY_VERIFY_PARTS_H_
