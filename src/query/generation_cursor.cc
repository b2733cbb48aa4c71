#include "query/generation_cursor.h"

#include <algorithm>
#include <utility>

#include "query/store_chain.h"

namespace tapedeck {
namespace {

/// One decoded block.
class BlockSource final : public RowSource {
 public:
  BlockSource(Rows rows, std::string_view symbol) : rows_(std::move(rows)), symbol_(symbol) {}

  Status Fill() override {
    if (filled_) return Status::Ok();
    filled_ = true;
    head_ = {.symbol = symbol_, .rows = &rows_, .count = static_cast<uint32_t>(rows_.size())};
    return Status::Ok();
  }

 private:
  void OnAdvance(uint32_t) override {}

  const Rows rows_;
  const std::string_view symbol_;
  bool filled_ = false;
};

}  // namespace

GenerationCursor::GenerationCursor(const StoreView* view, const Table* table, Day day,
                                   uint32_t generation, const TapeRanks* ranks)
    : heap_(ranks, ReadOrder::kAscending) {
  selection_.table = table;
  selection_.columns = table->columns;
  for (uint32_t place = 0; place < table->columns.size(); ++place)
    selection_.places.push_back(place);
  const std::string prefix = keys::SeriesPrefix(table->id, day, generation);
  blocks_ = view->Scan(prefix, keys::After(prefix), ScanKind::kLong);
}

Status GenerationCursor::PeekBlock() {
  next_.reset();
  if (!blocks_->Valid()) return blocks_->status();
  TD_ASSIGN_OR_RETURN(next_, keys::ParseSeries(blocks_->key()));
  return Status::Ok();
}

Status GenerationCursor::OpenBlock() {
  Rows rows;
  TD_RETURN_IF_ERROR(HeaderOf(*selection_.table, *next_, blocks_->value()).status());
  TD_RETURN_IF_ERROR(DecodeBlockOf(selection_, *next_, blocks_->value(), &buffers_, &rows));
  blocks_->Next();
  TD_RETURN_IF_ERROR(PeekBlock());
  return heap_.Add(std::make_unique<BlockSource>(std::move(rows), symbol_));
}

Status GenerationCursor::Next(RowRun* run) {
  *run = {};
  if (!started_) {
    started_ = true;
    blocks_->SeekToFirst();
    TD_RETURN_IF_ERROR(PeekBlock());
  }
  if (given_ > 0) TD_RETURN_IF_ERROR(heap_.AdvanceTop(std::exchange(given_, 0)));
  if (heap_.empty()) {
    if (!next_) return Status::Ok();
    symbol_ = next_->symbol;
  }
  // Keys of a symbol come by their first time, so a block that begins later cannot come first.
  auto joins = [&] {
    if (!next_ || next_->symbol != symbol_) return false;
    if (heap_.empty()) return true;
    const RowRun& top = heap_.top();
    return next_->first_ts.ns() <= top.rows->ts[top.RowAt(0)];
  };
  while (joins()) TD_RETURN_IF_ERROR(OpenBlock());
  const bool bounded = next_ && next_->symbol == symbol_;
  const int64_t bound = bounded ? next_->first_ts.ns() : INT64_MAX;
  *run = heap_.top();
  run->count = given_ = std::max(1u, heap_.TopRun(bound));
  return Status::Ok();
}

}  // namespace tapedeck
