#ifndef TAPEDECK_RECORD_REINDEX_BUILD_H_
#define TAPEDECK_RECORD_REINDEX_BUILD_H_

// ReindexBuilder: decodes tapes by the mappings in force and writes the rows of the planned days
// into generations that nobody reads yet; collects what has to change beside them.
//
//   ReindexBuilder builder(scope.get(), job.days, store, now, options, &messages, write);
//   for (const auto& t : scope->tapes()) TD_RETURN_IF_ERROR(scope->Read(t, wanted, &builder));
//   TD_ASSIGN_OR_RETURN(ReindexBuilt built, builder.Finish());
//
// Rows are gathered up to `piece_bytes` and written as one batch of series blocks, as a flush does
// it; the number in their keys is that of the piece.
//
// A tape block that another mapping had summarised gets a new index entry, new refusals and new
// counters, if all that both mappings make of it lies in planned days. One that reaches beyond them
// stays as it is, and the planned days that it touches are `mixed`. Of archived messages there
// are only refusals to change; their summaries are in manifests, which never change.
//
// Errors: kFailedPrecondition: more changes than `changes_bytes_max`; those of `write`. Owned
// by one thread; scope, store and counter outlive it.

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "base/status.h"
#include "model/block_summary.h"
#include "model/series_directory.h"
#include "record/flush_builder.h"
#include "record/reindex_scope.h"

namespace tapedeck {

/// What a message is refused for now; nullopt: it is not any more.
using RefusalChange = std::pair<int64_t, std::optional<RefusalEntry>>;

/// More or less than before.
struct CountChange {
  int64_t records = 0;
  int64_t refused = 0;
  int64_t skipped = 0;
  CountChange& operator+=(const CountChange& other) {
    records += other.records;
    refused += other.refused;
    skipped += other.skipped;
    return *this;
  }
};

/// A tape block of the store, as it was when it was decoded.
struct BlockChange {
  TapeIndexEntry index;  // as it will be
  std::vector<RefusalChange> refusals;
  CountChange counts;
};

struct ReindexBuilt {
  std::map<TpId, std::vector<BlockChange>> blocks;      // in order of offsets
  std::map<TpId, std::vector<RefusalChange>> archived;  // the same
  std::map<TpId, int64_t> archived_refused;             // more or less messages than before
  std::map<keys::DayKey, DayEntry> days;                // rows and digests; all that were planned
  std::map<std::pair<TableId, std::string>, CatalogEntry> catalog;
  uint64_t messages = 0;
  uint64_t records = 0;
  uint64_t refusals = 0;  // changes
};

struct ReindexBuildOptions {
  size_t piece_bytes = size_t{64} << 20;
  size_t changes_bytes_max = size_t{256} << 20;
};

class ReindexBuilder final : public ReindexSink {
 public:
  using Write = std::function<Status(StoreBatch)>;
  /// `messages` counts what was decoded, for whoever looks on.
  ReindexBuilder(const ReindexScope* scope, const std::vector<keys::DayKey>& days,
                 const Store* store, Timestamp now, const ReindexBuildOptions& options,
                 std::atomic<uint64_t>* messages, Write write);

  bool Wants(const TapeIndexEntry& index, bool same) override;
  Status Begin(const ReindexPart& part) override;
  Status Take(const ReindexMessage& message) override;
  Status End() override;
  Result<ReindexBuilt> Finish();

 private:
  /// The part in hand.
  struct Part {
    std::optional<TapeIndexEntry> index;  // nothing: it is in the archive
    TpId tp{};
    uint64_t messages = 0;
    bool changed = false;  // another mapping had decoded it
    bool outside = false;  // some of it belongs to days that are not planned
    std::set<keys::DayKey> days;
    BlockSummary summary;
    std::vector<RefusalChange> refusals;
    CountChange counts;
  };

  const keys::DayKey* Planned(TableId table, Timestamp ts) const;
  bool TakeRows(const DecodedMessage& message, bool keep, std::set<keys::DayKey>* days);
  Status TakeRefusal(const ReindexMessage& message, CountChange* counts,
                     std::vector<RefusalChange>* changes);
  Result<std::optional<RefusalEntry>> StoredRefusal(TpId tp, int64_t offset);
  Status WritePiece();
  Status CheckRoom() const;

  const ReindexScope* scope_;
  const Store* store_;
  const Timestamp now_;
  const ReindexBuildOptions options_;
  std::atomic<uint64_t>* const messages_;
  const Write write_;
  std::map<ReindexDay, keys::DayKey> planned_;
  TapeBook book_;
  SeriesDirectory directory_;
  ChunkBuilder rows_;
  FlushBuilder flusher_;
  Part part_;
  TpId refusals_of_{UINT32_MAX};  // that the cursor goes through
  std::unique_ptr<StoreCursor> stored_refusals_;
  std::set<keys::DayKey> mixed_;
  size_t changes_bytes_ = 0;
  ReindexBuilt built_;
};

}  // namespace tapedeck

#endif  // TAPEDECK_RECORD_REINDEX_BUILD_H_
