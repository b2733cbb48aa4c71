#include "record/series_merge.h"

#include <algorithm>
#include <tuple>

#include "base/limits.h"
#include "base/log.h"
#include "codec/series_block.h"
#include "model/chunk.h"

namespace tapedeck {
namespace {

// Block numbers in keys: a flush counts from 0, a union has the top bit and counts its pieces above
// the lower half.
constexpr uint32_t kFlushBlockMask = 0xffff;
constexpr uint32_t kUnionBlock = 0x8000'0000;
constexpr uint32_t kNextPiece = 0x1'0000;

// Rows below which a block is of a class: 8, 64, 512, 4,096. kClasses where it is as long as it
// should be.
size_t ClassOf(uint64_t rows) {
  size_t size_class = 0;
  for (uint64_t bound = 8; size_class < SeriesMerge::kClasses && rows >= bound; bound *= 8)
    ++size_class;
  return size_class;
}

// Takes the first of `same` out, as many as one join reads.
std::vector<FlushedBlock> TakeSome(std::vector<FlushedBlock>* same) {
  uint64_t rows = 0;
  auto end = same->begin();
  for (; end != same->end(); ++end) {
    if (rows >= SeriesMerge::kJoinRows &&
        end - same->begin() >= ptrdiff_t{SeriesMerge::kClassBlocks})
      break;
    rows += end->rows;
  }
  std::vector<FlushedBlock> taken(std::make_move_iterator(same->begin()),
                                  std::make_move_iterator(end));
  same->erase(same->begin(), end);
  return taken;
}

std::string PrefixOf(const keys::SeriesKey& key) {
  return keys::SeriesPrefix(key.table, key.day, key.generation, key.symbol);
}

bool IsOpen(const StoreState& state, const keys::SeriesKey& key) {
  return std::any_of(state.days.begin(), state.days.end(), [&](const auto& day) {
    return day.first == keys::DayKey{key.table, key.day, key.generation} &&
           day.second.phase == DayPhase::kOpen;
  });
}

// Moves `key` on to the next number of a piece under which the view has no block. A union's newest
// part may be a union itself, or a piece of one whose other pieces stay: under a name that is taken
// a block would stand in the place of another, or be mistaken for it.
Status TakeFreeName(const StoreView& view, keys::SeriesKey* key) {
  for (;; key->block += kNextPiece) {
    if (key->block < kUnionBlock) return Status::Internal("no number is left for a joined block");
    const Status there = view.Get(keys::Series(*key)).status();
    if (there.code() == StatusCode::kNotFound) return Status::Ok();
    TD_RETURN_IF_ERROR(there);
  }
}

// A row of one of several decoded blocks.
struct RowAt {
  const Rows* rows;
  size_t row;
};

Rows Sorted(const std::vector<Rows>& blocks, const TapeRanks& ranks, const Table& table) {
  std::vector<RowAt> order;
  for (const Rows& rows : blocks) {
    for (size_t i = 0; i < rows.size(); ++i) order.push_back({&rows, i});
  }
  auto key = [&](const RowAt& r) {
    return std::make_tuple(r.rows->ts[r.row], ranks[TpId{r.rows->tp[r.row]}], r.rows->offset[r.row],
                           r.rows->index[r.row]);
  };
  std::sort(order.begin(), order.end(),
            [&](const RowAt& a, const RowAt& b) { return key(a) < key(b); });
  Rows joined;
  joined.columns.resize(table.columns.size());
  for (size_t c = 0; c < table.columns.size(); ++c) joined.columns[c].type = table.columns[c].type;
  for (const RowAt& r : order) {
    joined.ts.push_back(r.rows->ts[r.row]);
    joined.ts_kafka.push_back(r.rows->ts_kafka[r.row]);
    joined.tp.push_back(r.rows->tp[r.row]);
    joined.offset.push_back(r.rows->offset[r.row]);
    joined.index.push_back(r.rows->index[r.row]);
    for (size_t c = 0; c < joined.columns.size(); ++c)
      joined.columns[c].Append(r.rows->columns[c].At(r.row));
  }
  return joined;
}

}  // namespace

void SeriesMerge::Note(FlushedBlock block) {
  const size_t size_class = ClassOf(block.rows);
  if (size_class >= kClasses) return;
  std::string prefix = PrefixOf(block.key);
  std::vector<FlushedBlock>& same = series_[prefix][size_class];
  same.push_back(std::move(block));
  if (same.size() >= kClassBlocks) ready_.insert(std::move(prefix));
}

Status SeriesMerge::Learn(const StoreView& view, const StoreState& state,
                          std::vector<FlushedBlock> flushed) {
  if (looked_) {
    for (FlushedBlock& block : flushed) Note(std::move(block));
    return Status::Ok();
  }
  looked_ = true;  // the view has what was flushed, too
  for (const auto& [day, entry] : state.days) {
    if (entry.phase != DayPhase::kOpen) continue;
    const std::string prefix = keys::SeriesPrefix(day.table, day.day, day.generation);
    std::unique_ptr<StoreCursor> cursor = view.Scan(prefix, keys::After(prefix), ScanKind::kLong);
    for (cursor->SeekToFirst(); cursor->Valid(); cursor->Next()) {
      TD_ASSIGN_OR_RETURN(keys::SeriesKey key, keys::ParseSeries(cursor->key()));
      TD_ASSIGN_OR_RETURN(SeriesBlockHeader header, ParseSeriesHeader(cursor->value()));
      Note({std::move(key), header.rows});
    }
    TD_RETURN_IF_ERROR(cursor->status());
  }
  return Status::Ok();
}

Status SeriesMerge::Prepare(const StoreView& view, const StoreState& state, PreparedMerge* merge) {
  // What is joined here can be joined again only when the store has it.
  std::set<std::string> round = std::exchange(ready_, {});
  while (!round.empty() && merge->batch.bytes() < PreparedMerge::kBatchBytes) {
    const std::string prefix = *round.begin();
    round.erase(round.begin());
    auto series = series_.find(prefix);
    if (series == series_.end()) continue;
    for (std::vector<FlushedBlock>& same : series->second) {
      if (same.size() < kClassBlocks) continue;
      const Status joined = Join(view, state, TakeSome(&same), merge);
      if (same.size() >= kClassBlocks) ready_.insert(prefix);
      if (!joined.ok() && joined.code() != StatusCode::kCorruption) {
        ready_.merge(round);
        return joined;
      }
      // These stay as they are: reads say so where it matters.
      if (!joined.ok()) TD_LOG(kError, "record", "merge-failed", joined.ToString());
      break;  // the union may fill the next class: a later round sees to it
    }
  }
  ready_.merge(round);
  return Status::Ok();
}

// A flush that ends while the first look begins is found by it and told besides; and a union that
// was made may never have been stored. So a block counts once, and only if it is there.
Status SeriesMerge::Read(const StoreView& view, const Table& table,
                         std::vector<FlushedBlock>* blocks, std::vector<Rows>* decoded) {
  auto order = [](const FlushedBlock& block) {
    return std::tie(block.key.flush, block.key.block, block.key.first_ts);
  };
  std::ranges::sort(*blocks, std::less(), order);
  const auto twice = std::ranges::unique(*blocks, std::equal_to(), order);
  blocks->erase(twice.begin(), twice.end());
  std::vector<FlushedBlock> found;
  for (FlushedBlock& block : *blocks) {
    const std::string stored_key = keys::Series(block.key);
    Result<std::string> bytes = view.Get(stored_key);
    if (bytes.status().code() == StatusCode::kNotFound) continue;
    TD_RETURN_IF_ERROR(bytes.status());
    TD_RETURN_IF_ERROR(
        DecodeSeriesBlock(stored_key, *bytes, table.columns, &buffers_, &decoded->emplace_back()));
    found.push_back(std::move(block));
  }
  *blocks = std::move(found);
  return Status::Ok();
}

Status SeriesMerge::Join(const StoreView& view, const StoreState& state,
                         std::vector<FlushedBlock> blocks, PreparedMerge* merge) {
  if (!IsOpen(state, blocks.front().key)) return Status::Ok();
  const Table* table = state.tables.Find(blocks.front().key.table);
  if (table == nullptr)
    return Status::Corruption("a series block of a table that the store does not know");
  std::vector<Rows> decoded;
  TD_RETURN_IF_ERROR(Read(view, *table, &blocks, &decoded));
  if (blocks.size() < 2) {
    for (FlushedBlock& block : blocks) Note(std::move(block));
    return Status::Ok();
  }
  // The union is named after its newest part.
  keys::SeriesKey key = blocks.back().key;
  key.block = (key.block & kFlushBlockMask) | kUnionBlock;
  const Rows joined = Sorted(decoded, TapeRanks(state.tapes), *table);
  struct Piece {
    keys::SeriesKey key;
    size_t rows;
    std::string bytes;
  };
  std::vector<Piece> pieces;  // all or none of them go into the batch
  for (size_t at = 0; at < joined.size();) {
    const size_t count = SeriesRowsThatFit(joined, at, limits::kSeriesBlockRows);
    key.first_ts = Timestamp(joined.ts[at]);
    TD_RETURN_IF_ERROR(TakeFreeName(view, &key));
    Piece& piece = pieces.emplace_back(Piece{key, count, {}});
    TD_RETURN_IF_ERROR(EncodeSeriesBlock(keys::Series(key), joined, table->columns, at, count,
                                         Effort::kMerge, &buffers_, &piece.bytes));
    key.block += kNextPiece;
    at += count;
  }
  for (const FlushedBlock& block : blocks) merge->batch.DeleteSeriesBlock(block.key);
  merge->blocks_before += blocks.size();
  merge->days.push_back({key.table, key.day, key.generation});
  for (const Piece& piece : pieces) {
    merge->batch.PutSeriesBlock(piece.key, piece.bytes);
    // One that long texts have cut short is as long as it gets.
    const bool cut = &piece != &pieces.back() && piece.rows < limits::kSeriesBlockRows;
    if (!cut) Note({piece.key, piece.rows});
  }
  merge->blocks_after += pieces.size();
  return Status::Ok();
}

}  // namespace tapedeck
