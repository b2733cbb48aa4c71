#ifndef TAPEDECK_BENCH_STORE_BY_FLUSHES_H_
#define TAPEDECK_BENCH_STORE_BY_FLUSHES_H_

// A store filled as a running node fills it: chunks as commits publish them, a flush of many of
// them at a time, no merging, a last part that is still open.
//
//   StoreByFlushes filled(dir, {.symbols = 1000});
//   filled.Fill(100'000'000);                     // quotes, evenly over one day
//   auto point = filled.Point();
//
// Owned by one thread.

#include <algorithm>
#include <array>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/random.h"
#include "bench/check.h"
#include "record/flush_builder.h"
#include "tape/read_point.h"

namespace tapedeck::bench {

inline constexpr int64_t kDayStart = int64_t{1'719'878'400} * 1'000'000'000;
inline constexpr int64_t kDay = int64_t{86'400} * 1'000'000'000;

struct FillShape {
  size_t symbols = 1000;
  size_t flush_rows = 1'000'000;
  size_t open_rows = 0;  // not flushed
  size_t chunk_rows = 20'000;
};

class StoreByFlushes {
 public:
  StoreByFlushes(const std::filesystem::path& dir, const FillShape& shape) : shape_(shape) {
    auto store = Store::Open({.dir = dir, .node_id = "bench", .ballast_bytes = 0});
    Check(store.status());
    store_ = std::move(*store);
    auto state = store_->View()->LoadState();
    Check(state.status());
    book_.emplace(std::move(*state));
    StoreBatch batch;
    for (size_t p = 0; p < kPartitions; ++p) {
      TapeId tape{"cluster", "quotes", 0, static_cast<int32_t>(p)};
      tapes_.push_back(book_->Add(tape, {}, &batch));
    }
    Check(store_->Write(batch));
    builder_.emplace(&directory_);
    flush_.emplace(&directory_, store_.get());
    bids_.resize(shape_.symbols, 6'300'000);
    for (size_t i = 0; i < shape_.symbols; ++i) names_.push_back(SymbolName(i));
  }

  void Fill(size_t rows) {
    const size_t stored = rows - std::min(rows, shape_.open_rows);
    const int64_t step = kDay / static_cast<int64_t>(rows);
    for (size_t i = 0; i < rows; ++i) {
      Append(kDayStart + static_cast<int64_t>(i) * step);
      if (builder_->size() == shape_.chunk_rows || i + 1 == rows || i + 1 == stored) Publish();
      const bool full = (i + 1) % shape_.flush_rows == 0 && i < stored;
      if (full || i + 1 == stored) Flush();
    }
  }

  Result<std::shared_ptr<const ReadPoint>> Point() const {
    return ReadPoint::Take(open_rows_, &directory_, *store_);
  }
  const OpenRows& open_rows() const { return open_rows_; }
  uint64_t blocks() const { return blocks_; }
  Store& store() { return *store_; }

  static std::string SymbolName(size_t symbol) {
    return "BINANCE:SYM" + std::to_string(symbol) + "USDT";
  }

 private:
  static constexpr size_t kPartitions = 12;

  void Append(int64_t ts) {
    const size_t symbol = random_.Uniform(shape_.symbols);
    int64_t& bid = bids_[symbol];
    bid += static_cast<int64_t>(random_.Uniform(21)) - 10;
    values_[0] = Value::OfDecimal({bid, 2});
    values_[1] = Value::OfDecimal({1 + static_cast<int64_t>(random_.Uniform(500'000)), 5});
    values_[2] = Value::OfDecimal({bid + 1, 2});
    values_[3] = Value::OfDecimal({1 + static_cast<int64_t>(random_.Uniform(500'000)), 5});
    const size_t p = symbol % kPartitions;
    const int64_t at = ts + static_cast<int64_t>(random_.Uniform(1'000'000));
    builder_->Append({.table = table().id,
                      .symbol = names_[symbol],
                      .ts = Timestamp(at),
                      .ts_kafka = Timestamp(at + 1'000'000),
                      .origin = {tapes_[p], offsets_[p]++, 0},
                      .values = values_});
  }
  const Table& table() const { return *book_->tables.Find("quotes"); }

  void Publish() { open_rows_.Publish(builder_->Finish(++book_->commit, book_->ranks())); }

  void Flush() {
    StoreBatch batch;
    FlushBuilder::Result result;
    Check(flush_->Build(open_rows_.Take(), *book_, {}, Timestamp(), &batch, &result));
    for (size_t p = 0; p < kPartitions; ++p) {
      Checkpoint checkpoint = book_->checkpoint(tapes_[p]);
      checkpoint.next = checkpoint.watermark = offsets_[p];
      batch.PutCheckpoint(tapes_[p], checkpoint);
      book_->SetCheckpoint(tapes_[p], checkpoint);
    }
    batch.PutCommitNumber(book_->commit);
    batch.PutFlushNumber(++book_->flush, book_->commit);
    Check(store_->Write(batch));
    flush_->Accept();
    for (const auto& [key, entry] : result.days) book_->SetDay(key, entry);
    blocks_ += result.blocks.size();
    open_rows_.DropThrough(book_->commit);
  }

  const FillShape shape_;
  SeriesDirectory directory_;
  OpenRows open_rows_;
  std::unique_ptr<Store> store_;
  std::optional<TapeBook> book_;
  std::vector<TpId> tapes_;
  std::optional<ChunkBuilder> builder_;
  std::optional<FlushBuilder> flush_;
  std::array<int64_t, kPartitions> offsets_{};
  std::array<Value, 4> values_;
  std::vector<int64_t> bids_;
  std::vector<std::string> names_;
  Random random_{42};
  uint64_t blocks_ = 0;
};

}  // namespace tapedeck::bench

#endif  // TAPEDECK_BENCH_STORE_BY_FLUSHES_H_
