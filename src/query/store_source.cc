#include "query/store_source.h"

#include <algorithm>
#include <limits>
#include <map>
#include <string>
#include <utility>

#include "query/chain_windows.h"
#include "query/store_chain.h"

namespace tapedeck {
namespace {

// So few chains are merged whatever they take.
constexpr size_t kChainsMerged = 4;
// An open block takes that much beside its rows.
constexpr size_t kSourceBytes = 2048;

// Reads and decodes blocks for the sources of one query; counts the rows that they hold.
class BlockReader {
 public:
  BlockReader(const StoreView* view, const RowSelection* selection, size_t memory_bytes)
      : view_(view), selection_(selection), memory_bytes_(memory_bytes) {}

  Status Decode(const keys::SeriesKey& key, std::string_view block, Rows* rows) {
    return DecodeBlockOf(*selection_, key, block, &buffers_, rows);
  }
  Status ReadAgain(const keys::SeriesKey& key, Rows* rows) {
    TD_ASSIGN_OR_RETURN(std::string block, view_->Get(keys::Series(key)));
    return Decode(key, block, rows);
  }

  const RowSelection& selection() const { return *selection_; }
  /// Rows of about `row_bytes` that a source may keep, of `rows` that it could use.
  size_t Allowed(size_t rows, size_t row_bytes) const {
    if (used_ + rows * row_bytes <= memory_bytes_) return rows;
    return std::clamp<size_t>(memory_bytes_ / (sources_ + 1) / row_bytes, 1, rows);
  }
  void Hold(size_t bytes) { used_ += bytes; }
  void Release(size_t bytes) { used_ -= bytes; }
  void CountSource(int more) { sources_ += static_cast<size_t>(more); }
  Rows* scratch() { return &scratch_; }

 private:
  const StoreView* view_;
  const RowSelection* selection_;
  const size_t memory_bytes_;
  size_t used_ = 0;
  size_t sources_ = 0;
  CodecBuffers buffers_;
  Rows scratch_;
};

// One block: its rows in the range, whole or slice by slice.
class BlockSource final : public RowSource {
 public:
  BlockSource(BlockReader* reader, keys::SeriesKey key) : reader_(reader), key_(std::move(key)) {
    reader_->CountSource(1);
  }
  ~BlockSource() override {
    reader_->Release(held_);
    reader_->CountSource(-1);
  }

  /// The block's bytes are at hand: saves reading them again.
  Status Start(std::string_view block) {
    TD_RETURN_IF_ERROR(reader_->Decode(key_, block, reader_->scratch()));
    const std::vector<int64_t>& ts = reader_->scratch()->ts;
    const RowSelection& s = reader_->selection();
    from_ = static_cast<size_t>(std::lower_bound(ts.begin(), ts.end(), s.start) - ts.begin());
    to_ = ts.size();
    if (s.end != INT64_MAX) {
      to_ = static_cast<size_t>(std::lower_bound(ts.begin(), ts.end(), s.end) - ts.begin());
    }
    if (from_ < to_) Slice();
    return Status::Ok();
  }

  Status Fill() override {
    if (head_.count > 0) return Status::Ok();
    reader_->Release(held_);
    held_ = 0;
    head_ = RowRun{};
    if (from_ >= to_) return Status::Ok();
    TD_RETURN_IF_ERROR(reader_->ReadAgain(key_, reader_->scratch()));
    Slice();
    return Status::Ok();
  }

 private:
  void OnAdvance(uint32_t) override {}

  // Takes the next rows of [from_, to_) out of the reader's scratch.
  void Slice() {
    Rows* all = reader_->scratch();
    const bool up = reader_->selection().ascending();
    const size_t row_bytes = BytesOf(*all) / all->size() + 1;
    const size_t count = reader_->Allowed(to_ - from_, row_bytes);
    size_t first = up ? from_ : to_ - 1;
    if (count == to_ - from_) {
      std::swap(rows_, *all);
    } else {
      const size_t begin = up ? from_ : to_ - count;
      rows_ = reader_->selection().EmptyRows();
      for (size_t row = begin; row < begin + count; ++row) AppendRow(*all, row, &rows_);
      first -= begin;
    }
    held_ = BytesOf(rows_);
    reader_->Hold(held_);
    head_ = {key_.symbol, &rows_, static_cast<uint32_t>(first), static_cast<uint32_t>(count),
             up ? 1 : -1};
    (up ? from_ += count : to_ -= count);
  }

  BlockReader* reader_;
  keys::SeriesKey key_;
  size_t from_ = 0;  // rows of the block that no slice held yet: [from_, to_)
  size_t to_ = 0;
  Rows rows_;
  size_t held_ = 0;
};

class StoreSource final : public RowSource {
 public:
  StoreSource(const ReadPoint* point, const RowSelection* selection, size_t memory_bytes)
      : point_(point),
        selection_(selection),
        memory_bytes_(memory_bytes),
        reader_(&point->view(), selection, memory_bytes),
        windows_(&point->ranks(), selection, memory_bytes),
        heap_(&point->ranks(), selection->order) {}

  Status Fill() override {
    if (head_.count > 0) return Status::Ok();
    if (!std::exchange(started_, true)) TD_RETURN_IF_ERROR(FindDays());
    if (taken_ > 0 && !heap_.empty()) TD_RETURN_IF_ERROR(heap_.AdvanceTop(taken_));
    taken_ = 0;
    head_ = RowRun{};
    for (;;) {
      TD_RETURN_IF_ERROR(windows_.Next(&head_));
      if (head_.count > 0) return Status::Ok();
      while (!chains_.empty() && MustOpen()) TD_RETURN_IF_ERROR(OpenTopChain());
      if (!heap_.empty()) break;
      if (days_.empty()) return Status::Ok();
      TD_RETURN_IF_ERROR(OpenDay());
    }
    const int64_t bound = chains_.empty() ? (up() ? INT64_MAX : INT64_MIN) : chains_.front().bound;
    head_ = heap_.top();
    head_.count = std::max(1u, heap_.TopRun(bound));  // 0 only at the very end of time
    return Status::Ok();
  }

 private:
  void OnAdvance(uint32_t rows) override { taken_ += rows; }
  bool up() const { return selection_->ascending(); }

  Status FindDays() {
    const Table& table = *selection_->table;
    TD_ASSIGN_OR_RETURN(const DayRange days,
                        point_->Days(table, table.DayOf(Timestamp(selection_->start)),
                                     table.DayOf(Timestamp(selection_->end))));
    for (const auto& [key, entry] : days) {
      if (entry.phase == DayPhase::kPruned) continue;  // its rows are in the archive
      days_[key.day].push_back(key.generation);
    }
    return Status::Ok();
  }

  // Whether the chain on top may hold a row that comes before the heap's, or ties with it.
  bool MustOpen() const {
    if (heap_.empty()) return true;
    const int64_t ts = heap_.top().rows->ts[heap_.top().first];
    return up() ? chains_.front().bound <= ts : chains_.front().bound >= ts;
  }
  auto Later() const {
    return [up = up()](const Chain& a, const Chain& b) {
      return up ? a.bound > b.bound : a.bound < b.bound;
    };
  }
  // The chain with the bound that comes first is at the front.
  void PushChain(Chain chain) {
    chains_.push_back(std::move(chain));
    std::push_heap(chains_.begin(), chains_.end(), Later());
  }

  Status OpenDay() {
    auto day = up() ? days_.begin() : std::prev(days_.end());
    const TableId table = selection_->table->id;
    const std::string prefix = keys::SeriesPrefix(table, day->first);
    // One symbol's blocks lie together; all symbols' are a long scan.
    scan_ = point_->view().Scan(prefix, keys::After(prefix),
                                selection_->symbols.empty() ? ScanKind::kLong : ScanKind::kPoint);
    for (uint32_t generation : day->second) {
      for (const std::string& symbol : selection_->symbols) {
        scan_->Seek(keys::SeriesPrefix(table, day->first, generation, symbol));
        TD_RETURN_IF_ERROR(StartChain(day->first, generation, &symbol).status());
      }
      if (!selection_->symbols.empty()) continue;
      scan_->Seek(keys::SeriesPrefix(table, day->first, generation));
      for (bool more = true; more;) {
        TD_ASSIGN_OR_RETURN(more, StartChain(day->first, generation, nullptr));
      }
    }
    days_.erase(day);
    // Too many to hold a block of each: rows are gathered for a while of all of them.
    if (chains_.size() > kChainsMerged && chains_.size() * kSourceBytes > memory_bytes_ / 2) {
      windows_.Start(std::exchange(chains_, {}), std::move(scan_));
    }
    return Status::Ok();
  }

  // The scan stands at the first block of a series (of `symbol`, or any): makes its chain. True
  // where a series was there; the scan then stands behind it if `symbol` is null.
  Result<bool> StartChain(Day day, uint32_t generation, const std::string* symbol) {
    TD_RETURN_IF_ERROR(selection_->CheckStop());
    if (!scan_->Valid()) {
      TD_RETURN_IF_ERROR(scan_->status());
      return false;
    }
    Chain chain;
    TD_ASSIGN_OR_RETURN(chain.next, keys::ParseSeries(scan_->key()));
    if (chain.next.generation != generation ||
        (symbol != nullptr && chain.next.symbol != *symbol)) {
      return false;
    }
    chain.prefix = keys::SeriesPrefix(selection_->table->id, day, generation, chain.next.symbol);
    if (!up()) TD_RETURN_IF_ERROR(ListBlocks(&chain));
    const std::string behind = keys::After(chain.prefix);
    // What ListBlocks did not reach lies past the range.
    if (up() && selection_->BeforeEnd(chain.next.first_ts.ns())) {
      chain.bound = chain.next.first_ts.ns();
      PushChain(std::move(chain));
    } else if (!chain.blocks.empty()) {
      chain.bound = chain.blocks.back().last_ts;
      PushChain(std::move(chain));
    }
    if (symbol == nullptr) scan_->Seek(behind);
    return true;
  }

  // Descending: the blocks of the chain that the scan stands at, by their last time.
  Status ListBlocks(Chain* chain) {
    for (; scan_->Valid() && scan_->key().starts_with(chain->prefix); scan_->Next()) {
      TD_ASSIGN_OR_RETURN(keys::SeriesKey key, keys::ParseSeries(scan_->key()));
      if (!selection_->BeforeEnd(key.first_ts.ns())) break;
      TD_RETURN_IF_ERROR(selection_->CheckStop());
      TD_ASSIGN_OR_RETURN(SeriesBlockHeader header, Header(key));
      if (header.last_ts.ns() < selection_->start) continue;
      chain->blocks.push_back({header.last_ts.ns(), key.first_ts.ns(), key.flush, key.block});
    }
    TD_RETURN_IF_ERROR(scan_->Valid() ? Status::Ok() : scan_->status());
    std::stable_sort(chain->blocks.begin(), chain->blocks.end(),
                     [](const auto& a, const auto& b) { return a.last_ts < b.last_ts; });
    return Status::Ok();
  }

  Result<SeriesBlockHeader> Header(const keys::SeriesKey& key) const {
    return HeaderOf(*selection_->table, key, scan_->value());
  }

  Status OpenTopChain() {
    std::pop_heap(chains_.begin(), chains_.end(), Later());
    Chain chain = std::move(chains_.back());
    chains_.pop_back();
    return up() ? OpenNext(std::move(chain)) : OpenLast(std::move(chain));
  }

  // Ascending: opens the chain's next block that reaches into the range, and puts the chain back
  // for the one after.
  Status OpenNext(Chain chain) {
    TD_RETURN_IF_ERROR(StandAt(chain.next));
    for (bool opened = false; !opened;) {
      TD_RETURN_IF_ERROR(selection_->CheckStop());
      TD_ASSIGN_OR_RETURN(SeriesBlockHeader header, Header(chain.next));
      if (header.last_ts.ns() >= selection_->start) {
        TD_RETURN_IF_ERROR(Open(chain.next));
        opened = true;
      }
      scan_->Next();
      if (!scan_->Valid()) return scan_->status();
      if (!scan_->key().starts_with(chain.prefix)) return Status::Ok();
      TD_ASSIGN_OR_RETURN(chain.next, keys::ParseSeries(scan_->key()));
      if (!selection_->BeforeEnd(chain.next.first_ts.ns())) return Status::Ok();
    }
    chain.bound = chain.next.first_ts.ns();
    PushChain(std::move(chain));
    return Status::Ok();
  }

  Status OpenLast(Chain chain) {
    const Chain::Block block = chain.blocks.back();
    chain.blocks.pop_back();
    const keys::SeriesKey key = chain.KeyOf(block);
    TD_RETURN_IF_ERROR(StandAt(key));
    TD_RETURN_IF_ERROR(Open(key));
    if (chain.blocks.empty()) return Status::Ok();
    chain.bound = chain.blocks.back().last_ts;
    PushChain(std::move(chain));
    return Status::Ok();
  }

  Status StandAt(const keys::SeriesKey& key) {
    return tapedeck::StandAt(*selection_->table, key, scan_.get());
  }

  Status Open(const keys::SeriesKey& key) {
    auto source = std::make_unique<BlockSource>(&reader_, key);
    TD_RETURN_IF_ERROR(source->Start(scan_->value()));
    return heap_.Add(std::move(source));
  }

  const ReadPoint* point_;
  const RowSelection* selection_;
  const size_t memory_bytes_;
  BlockReader reader_;
  ChainWindows windows_;  // of the day in hand, where it has too many chains for the heap
  RunHeap heap_;          // ends before reader_
  std::map<Day, std::vector<uint32_t>> days_;  // not opened yet, with their generations
  std::vector<Chain> chains_;                  // of the day in hand; a heap
  std::unique_ptr<StoreCursor> scan_;          // over the day in hand
  bool started_ = false;
  uint32_t taken_ = 0;
};

}  // namespace

std::unique_ptr<RowSource> MakeStoreSource(const ReadPoint* point, const RowSelection* selection,
                                           size_t memory_bytes) {
  return std::make_unique<StoreSource>(point, selection, memory_bytes);
}

}  // namespace tapedeck
