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

std::string PrefixOf(const keys::SeriesKey& key) {
  return keys::SeriesPrefix(key.table, key.day, key.generation, key.symbol);
}

bool IsOpen(const StoreState& state, const keys::SeriesKey& key) {
  return std::any_of(state.days.begin(), state.days.end(), [&](const auto& day) {
    return day.first == keys::DayKey{key.table, key.day, key.generation} &&
           day.second.phase == DayPhase::kOpen;
  });
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
  // A union may have the name of one of its parts, which is what `view` has under it: what is
  // joined here is joined again only when the store has it.
  std::set<std::string> round = std::exchange(ready_, {});
  while (!round.empty() && merge->batch.bytes() < PreparedMerge::kBatchBytes) {
    const std::string prefix = *round.begin();
    round.erase(round.begin());
    auto series = series_.find(prefix);
    if (series == series_.end()) continue;
    for (std::vector<FlushedBlock>& same : series->second) {
      if (same.size() < kClassBlocks) continue;
      const Status joined = Join(view, state, std::exchange(same, {}), merge);
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

Status SeriesMerge::Join(const StoreView& view, const StoreState& state,
                         std::vector<FlushedBlock> blocks, PreparedMerge* merge) {
  if (!IsOpen(state, blocks.front().key)) return Status::Ok();
  const Table* table = state.tables.Find(blocks.front().key.table);
  if (table == nullptr)
    return Status::Corruption("a series block of a table that the store does not know");
  std::vector<Rows> decoded(blocks.size());
  keys::SeriesKey key = blocks.front().key;
  for (size_t i = 0; i < blocks.size(); ++i) {
    const std::string stored_key = keys::Series(blocks[i].key);
    Result<std::string> bytes = view.Get(stored_key);
    if (bytes.status().code() == StatusCode::kNotFound) return Status::Ok();  // its day was dropped
    TD_RETURN_IF_ERROR(bytes.status());
    TD_RETURN_IF_ERROR(
        DecodeSeriesBlock(stored_key, *bytes, table->columns, &buffers_, &decoded[i]));
    if (std::tie(blocks[i].key.flush, blocks[i].key.block) > std::tie(key.flush, key.block))
      key = blocks[i].key;
  }
  for (const FlushedBlock& block : blocks) merge->batch.DeleteSeriesBlock(block.key);
  merge->blocks_before += blocks.size();
  merge->days.push_back({key.table, key.day, key.generation});
  // The union is named after its newest part, which no other union has; pieces are told apart above
  // the numbers that flushes give.
  key.block = (key.block & kFlushBlockMask) | kUnionBlock;
  const Rows joined = Sorted(decoded, TapeRanks(state.tapes), *table);
  std::string bytes;
  for (size_t at = 0; at < joined.size();) {
    const size_t count = SeriesRowsThatFit(joined, at, limits::kSeriesBlockRows);
    key.first_ts = Timestamp(joined.ts[at]);
    TD_RETURN_IF_ERROR(EncodeSeriesBlock(keys::Series(key), joined, table->columns, at, count,
                                         Effort::kMerge, &buffers_, &bytes));
    merge->batch.PutSeriesBlock(key, bytes);
    ++merge->blocks_after;
    Note({key, count});
    key.block += kNextPiece;
    at += count;
  }
  return Status::Ok();
}

}  // namespace tapedeck
