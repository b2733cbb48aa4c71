#ifndef TAPEDECK_RECORD_FLUSH_BUILDER_H_
#define TAPEDECK_RECORD_FLUSH_BUILDER_H_

// FlushBuilder: turns published chunks into the series blocks, catalog entries and day entries of
// one flush.
//
// For each series: its rows of all chunks in the full order, cut by (day, open generation), encoded
// in blocks of at most limits::kSeriesBlockRows rows. Upserts are not resolved here: every record
// is kept, readers choose.
//
// A close is part of a flush: the generation that was open gets phase kClosing and its vector, in
// the same batch as its last blocks; rows that come later go to the next generation. The vector has
// every tape that has rows in the generation, and every one that could have had some; behind a
// tape's range come those of what was healed below it.
//
// Owned by one thread.

#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/status.h"
#include "codec/codec_buffers.h"
#include "model/chunk.h"
#include "model/last_record.h"
#include "model/open_rows.h"
#include "record/merger.h"
#include "record/tape_book.h"
#include "store/store.h"

namespace tapedeck {

/// Days to close, and which tapes feed their tables now.
struct CloseOrder {
  std::vector<std::pair<TableId, Day>> days;
  std::map<TableId, std::vector<TpId>> feeding;
};

/// Offsets [from, to) of a gap that was read again: generations that were closed may reach over
/// them, without their rows.
struct HealedOffsets {
  TpId tp{};
  int64_t from = 0;
  int64_t to = 0;
};

class FlushBuilder {
 public:
  /// What a flush says beside its blocks.
  enum class Kind : uint8_t {
    kFlush,   // days and catalog, in the batch, on top of what is stored
    kBlocks,  // nothing: a reindex counts apart from what the store says (see catalog)
  };
  /// Both outlive the builder.
  FlushBuilder(const SeriesDirectory* directory, const Store* store, Kind kind = Kind::kFlush);

  struct Result {
    std::map<keys::DayKey, DayEntry> days;  // to be taken into the book once the batch is written
    std::vector<FlushedBlock> blocks;
    std::vector<keys::DayKey> closed;
    uint64_t rows = 0;
    uint64_t block_bytes = 0;
  };
  /// Adds everything to `batch`, as flush number book.flush + 1. `now` goes into the days' entries.
  Status Build(const OpenRows::List& chunks, const TapeBook& book, const CloseOrder& close,
               Timestamp now, StoreBatch* batch, Result* result);
  /// Of the next Build; nullopt: nothing is.
  void SetHealed(std::optional<HealedOffsets> healed) { healed_ = healed; }
  /// The batch is written: what Build counted is now what the store says.
  void Accept();
  /// Of kBlocks: all that was built and accepted, by series.
  const std::unordered_map<SeriesId, CatalogEntry>& catalog() const { return catalog_; }
  /// Others have changed catalog entries: they are read again.
  void Forget() { catalog_.clear(); }

 private:
  struct RowRef {
    int64_t ts;
    const Chunk* chunk;
    uint32_t rank;  // of its tape
    uint32_t row;
  };
  void SortRefs();
  Status BuildSeries(SeriesId series, const TapeBook& book, StoreBatch* batch, Result* result);
  Status BuildDay(const Table& table, const SeriesName& name, const TapeBook& book,
                  const keys::DayKey& day, size_t from, size_t to, StoreBatch* batch,
                  Result* result);
  RecordView RowAt(const RowRef& ref, const Table& table) const;
  RecordView NewestRow(const RecordOrder& order, const Table& table) const;
  Status UpdateCatalog(SeriesId series, const Table& table, const SeriesName& name,
                       const TapeBook& book, StoreBatch* batch);
  void FillRows(const Table& table, size_t from, size_t to);
  void CoverHealed(DayEntry* entry) const;
  void NoteTapes(const TapeBook& book, const keys::DayKey& day, DayEntry* entry);
  void Close(const TapeBook& book, const CloseOrder& order, Result* result);
  void LearnTapes(const TapeBook& book);

  const SeriesDirectory* directory_;
  const Store* store_;
  const Kind kind_;
  Timestamp now_;                        // of the flush in hand
  std::optional<HealedOffsets> healed_;  // the same
  CodecBuffers buffers_;
  std::unordered_map<SeriesId, CatalogEntry> catalog_;  // as stored
  std::unordered_map<SeriesId, CatalogEntry> pending_;  // as Build wants it
  std::vector<Hash128> tape_hashes_;                    // by Raw(tp)
  std::vector<RowRef> refs_;                            // rows of the series in hand, in order
  std::vector<RowRef> scratch_;
  Rows rows_;                      // columns of the block in hand
  std::vector<uint8_t> has_rows_;  // by Raw(tp), of the block in hand
  std::string block_;
};

}  // namespace tapedeck

#endif  // TAPEDECK_RECORD_FLUSH_BUILDER_H_
