#include "query/chain_windows.h"

#include <algorithm>
#include <tuple>

namespace tapedeck {

void ChainWindows::Start(std::vector<Chain> chains, std::unique_ptr<StoreCursor> scan) {
  chains_ = std::move(chains);
  scan_ = std::move(scan);
  // As they lie in the store.
  std::sort(chains_.begin(), chains_.end(),
            [](const Chain& a, const Chain& b) { return a.prefix < b.prefix; });
  span_ = UINT64_MAX;
}

Status ChainWindows::Next(RowRun* run) {
  *run = RowRun{};
  while (next_ == places_.size()) {
    places_.clear();
    pool_ = Rows();
    next_ = 0;
    if (chains_.empty()) return Status::Ok();
    TD_RETURN_IF_ERROR(Gather());
  }
  const Place& first = places_[next_];
  uint32_t count = 1;
  while (next_ + count < places_.size() && places_[next_ + count].chain == first.chain &&
         places_[next_ + count].row == first.row + count) {
    ++count;
  }
  *run = {chains_[first.chain].next.symbol, &pool_, first.row, count, 1};
  next_ += count;
  return Status::Ok();
}

// Fills the pool with the rows of the next window, in order. A window may hold none.
Status ChainWindows::Gather() {
  std::erase_if(chains_, [](const Chain& chain) { return chain.prefix.empty(); });
  if (chains_.empty()) return Status::Ok();
  from_ = INT64_MAX;
  for (const Chain& chain : chains_) from_ = std::min(from_, KeyOf(chain.bound));
  last_ = INT64_MAX;
  const uint64_t room = static_cast<uint64_t>(INT64_MAX) - static_cast<uint64_t>(from_);
  if (span_ < room) last_ = static_cast<int64_t>(static_cast<uint64_t>(from_) + span_);
  least_ = INT64_MAX;
  bytes_ = 0;
  shrunk_ = false;
  ++windows_;
  pool_ = selection_->EmptyRows();
  // What was asked for when a chain was visited, and whether rows are left behind that.
  struct Visit {
    uint32_t chain;
    bool rest;
    int64_t last;
  };
  std::vector<Visit> visits;
  for (uint32_t c = 0; c < chains_.size(); ++c) {
    if (KeyOf(chains_[c].bound) > last_) continue;
    Visit visit{c, false, last_};
    TD_RETURN_IF_ERROR(up() ? VisitUp(c, &visit.rest) : VisitDown(c, &visit.rest));
    visits.push_back(visit);
  }
  for (const Visit& visit : visits) {
    Chain& chain = chains_[visit.chain];
    if (visit.last > last_) {
      chain.bound = KeyOf(last_ + 1);  // rows of it may have been dropped
    } else if (!visit.rest) {
      chain.prefix.clear();  // it has ended; its symbol is needed while its rows are given
    }
  }
  // Half of the memory is what a window may fill; one that did not come near it may be longer.
  if (!shrunk_ && bytes_ < memory_bytes_ / 4) Widen();
  Sort();
  return Status::Ok();
}

void ChainWindows::Widen() { span_ = span_ > UINT64_MAX / 2 ? UINT64_MAX : 2 * span_ + 1; }

// The chain has a row at `key`, behind the window.
void ChainWindows::Leave(int64_t key, Chain* chain, bool* rest) {
  if (!*rest || key < KeyOf(chain->bound)) chain->bound = KeyOf(key);
  *rest = true;
}

Status ChainWindows::VisitUp(uint32_t c, bool* rest) {
  Chain& chain = chains_[c];
  const Table& table = *selection_->table;
  const int64_t start = std::max(selection_->start, from_);
  TD_RETURN_IF_ERROR(StandAt(table, chain.next, scan_.get()));
  bool passed = true;  // every block so far lies before the window
  for (keys::SeriesKey key = chain.next; selection_->BeforeEnd(key.first_ts.ns());) {
    if (key.first_ts.ns() > last_) {
      Leave(key.first_ts.ns(), &chain, rest);
      if (passed) chain.next = key;
      return Status::Ok();
    }
    TD_ASSIGN_OR_RETURN(SeriesBlockHeader header, HeaderOf(table, key, scan_->value()));
    if (header.last_ts.ns() >= start) {
      if (passed) chain.next = key;
      passed = false;
      TD_RETURN_IF_ERROR(Take(c, key, rest));
    }
    scan_->Next();
    if (!scan_->Valid()) return scan_->status();
    if (!scan_->key().starts_with(chain.prefix)) return Status::Ok();
    TD_ASSIGN_OR_RETURN(key, keys::ParseSeries(scan_->key()));
  }
  return Status::Ok();
}

Status ChainWindows::VisitDown(uint32_t c, bool* rest) {
  Chain& chain = chains_[c];
  auto& blocks = chain.blocks;
  auto passed = [&](const Chain::Block& block) { return KeyOf(block.first_ts) < from_; };
  while (!blocks.empty() && passed(blocks.back())) blocks.pop_back();
  for (size_t i = blocks.size(); i-- > 0;) {
    const Chain::Block block = blocks[i];
    if (passed(block)) continue;
    if (KeyOf(block.last_ts) > last_) {
      Leave(KeyOf(block.last_ts), &chain, rest);
      return Status::Ok();
    }
    const keys::SeriesKey key = chain.KeyOf(block);
    TD_RETURN_IF_ERROR(StandAt(*selection_->table, key, scan_.get()));
    TD_RETURN_IF_ERROR(Take(c, key, rest));
  }
  return Status::Ok();
}

// Adds the rows of the block that the scan stands at, as far as they lie in the window.
Status ChainWindows::Take(uint32_t c, const keys::SeriesKey& key, bool* rest) {
  TD_RETURN_IF_ERROR(DecodeBlockOf(*selection_, key, scan_->value(), &buffers_, &block_));
  const size_t before = places_.size();
  for (size_t row = 0; row < block_.size(); ++row) {
    const int64_t ts = block_.ts[row];
    const int64_t at = KeyOf(ts);
    if (ts < selection_->start || !selection_->BeforeEnd(ts) || at < from_) continue;
    if (at > last_) {
      Leave(at, &chains_[c], rest);
      continue;
    }
    places_.push_back({at, c, static_cast<uint32_t>(places_.size())});
    AppendRow(block_, row, &pool_);
    least_ = std::min(least_, at);
  }
  const size_t row_bytes = BytesOf(block_) / block_.size() + sizeof(Place);
  bytes_ += (places_.size() - before) * row_bytes;
  // Vectors grow by doubling: half of the memory is full of rows, at the worst.
  while (bytes_ > memory_bytes_ / 2 && last_ > least_) Shrink();
  return Status::Ok();
}

// Ends the window earlier, so that about half of the rows stay.
void ChainWindows::Shrink() {
  std::vector<int64_t> sorted;
  sorted.reserve(places_.size());
  for (const Place& place : places_) sorted.push_back(place.key);
  auto middle = sorted.begin() + static_cast<ptrdiff_t>(sorted.size() / 2);
  std::nth_element(sorted.begin(), middle, sorted.end());
  int64_t last = *middle;
  if (last == *std::max_element(middle, sorted.end())) {
    // Half of the rows have the greatest key: it goes, if there is another.
    last = least_;
    for (auto at = sorted.begin(); at != middle; ++at) {
      if (*at < *middle) last = std::max(last, *at);
    }
  }
  last_ = last;
  span_ = static_cast<uint64_t>(last_) - static_cast<uint64_t>(from_);
  shrunk_ = true;
  Rows kept = selection_->EmptyRows();
  std::vector<Place> places;
  for (const Place& place : places_) {
    if (place.key > last_) continue;
    places.push_back({place.key, place.chain, static_cast<uint32_t>(places.size())});
    AppendRow(pool_, place.row, &kept);
  }
  pool_ = std::move(kept);
  places_ = std::move(places);
  bytes_ = BytesOf(pool_) + places_.size() * sizeof(Place);
}

void ChainWindows::Sort() {
  auto full_key = [&](const Place& place) {
    const std::string& symbol = chains_[place.chain].next.symbol;
    return std::make_tuple(std::string_view(symbol), (*ranks_)[TpId{pool_.tp[place.row]}],
                           pool_.offset[place.row], pool_.index[place.row]);
  };
  std::sort(places_.begin(), places_.end(), [&](const Place& a, const Place& b) {
    if (a.key != b.key) return a.key < b.key;
    return up() ? full_key(a) < full_key(b) : full_key(b) < full_key(a);
  });
}

}  // namespace tapedeck
