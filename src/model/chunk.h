#ifndef TAPEDECK_MODEL_CHUNK_H_
#define TAPEDECK_MODEL_CHUNK_H_

// Chunk: the rows that one commit published. Immutable; queries read it, a flush turns it into
// series blocks.
//
// Rows lie, and `order()` lists them, by (series, ts, tape, offset, index), where tapes are ranked
// by (topic, partition, lineage): within one series that is the order of answers. One row costs 48
// bytes, 16 for each value, and its texts.
//
//   ChunkBuilder builder(&directory);
//   builder.Append(record);                              // copies texts
//   std::shared_ptr<const Chunk> chunk = builder.Finish(commit, ranks);
//   OpenChunk rows = builder.Cut();                      // or, on another thread,
//   std::shared_ptr<const Chunk> other = std::move(rows).Finish(commit, ranks);
//   for (uint32_t row : chunk->RowsOf(series)) Use(chunk->At(row));
//
// Thread safety: a Chunk is immutable and thread-safe; a ChunkBuilder and an OpenChunk are each
// owned by one thread.

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "model/record.h"
#include "model/series_directory.h"

namespace tapedeck {

struct ChunkRow {
  SeriesId series = 0;
  uint32_t first_value = 0;
  int64_t ts = 0;
  int64_t ts_kafka = 0;
  int64_t offset = 0;
  TpId tp{};
  uint32_t index = 0;
  uint32_t value_count = 0;
};

/// Rank of each tp id in the order (topic, partition, lineage); index = Raw(tp). Ranks order tapes
/// wherever rows are compared.
class TapeRanks {
 public:
  TapeRanks() = default;
  explicit TapeRanks(std::span<const std::pair<TpId, TapeId>> tapes);
  uint32_t operator[](TpId tp) const {
    return Raw(tp) < ranks_.size() ? ranks_[Raw(tp)] : UINT32_MAX;
  }

 private:
  std::vector<uint32_t> ranks_;
};

/// Texts of many sizes at stable addresses.
class TextArena {
 public:
  std::string_view Copy(std::string_view text);
  size_t bytes() const { return bytes_; }

 private:
  std::vector<std::unique_ptr<char[]>> slabs_;
  size_t used_ = 0;
  size_t capacity_ = 0;
  size_t bytes_ = 0;
};

class Chunk {
 public:
  uint64_t commit() const { return commit_; }
  size_t size() const { return rows_.size(); }
  /// Bytes held, for budgets.
  size_t bytes() const;
  const ChunkRow& row(uint32_t row) const { return rows_[row]; }
  std::span<const Value> values(uint32_t row) const {
    return std::span<const Value>(values_).subspan(rows_[row].first_value, rows_[row].value_count);
  }
  /// All rows by (series, ts, tape, offset, index).
  std::span<const uint32_t> order() const { return order_; }
  /// The part of order() that is `series`; empty where it has none.
  std::span<const uint32_t> RowsOf(SeriesId series) const;
  /// The series that occur, ascending.
  std::span<const SeriesId> series() const { return series_; }

 private:
  friend class ChunkBuilder;
  friend class OpenChunk;
  struct Place;
  void LayOut(std::span<const Place> places);

  uint64_t commit_ = 0;
  std::vector<ChunkRow> rows_;
  std::vector<Value> values_;
  TextArena texts_;
  std::vector<uint32_t> order_;
  std::vector<SeriesId> series_;
  std::vector<uint32_t> starts_;  // of each series_ element in order_, and the end
};

/// Rows that were appended and are not in order yet.
class OpenChunk {
 public:
  OpenChunk() = default;
  size_t size() const { return chunk_ == nullptr ? 0 : chunk_->rows_.size(); }
  /// Null where there are no rows.
  std::shared_ptr<const Chunk> Finish(uint64_t commit, const TapeRanks& ranks) &&;

 private:
  friend class ChunkBuilder;
  OpenChunk(std::unique_ptr<Chunk> chunk, size_t series)
      : chunk_(std::move(chunk)), series_(series) {}

  std::unique_ptr<Chunk> chunk_;
  size_t series_ = 0;  // above every series of the rows
};

class ChunkBuilder {
 public:
  /// `directory` outlives the builder and its chunks.
  explicit ChunkBuilder(SeriesDirectory* directory);
  /// Returns the series of the record.
  SeriesId Append(const RecordView& record);
  size_t size() const { return chunk_->rows_.size(); }
  size_t bytes() const { return chunk_->bytes(); }
  /// Gives out what was appended. The builder is empty afterwards.
  OpenChunk Cut();
  /// Null where there are no rows. The builder is empty afterwards.
  std::shared_ptr<const Chunk> Finish(uint64_t commit, const TapeRanks& ranks) {
    return Cut().Finish(commit, ranks);
  }
  void Discard();

 private:
  void KeepText(Value* value);

  SeriesDirectory* directory_;
  std::unique_ptr<Chunk> chunk_;
};

}  // namespace tapedeck

#endif  // TAPEDECK_MODEL_CHUNK_H_
