#include "record/stored_tape_reader.h"

#include <algorithm>
#include <string>
#include <utility>

#include "codec/tape_block.h"

namespace tapedeck {

StoredTapeReader::StoredTapeReader(const Store& store, const TapeBook& book, TpId tape)
    : store_(store), book_(book), view_(store.View()), tape_(tape) {}

Status StoredTapeReader::ReadRange(int64_t from, int64_t to,
                                   const std::function<bool(const MessageView&)>& visit) {
  return Read(tape_, from, to, visit).status();
}

// In order of offsets: own messages, with each range that is held elsewhere read there. An older
// lineage may itself point to one that is older still.
Result<bool> StoredTapeReader::Read(TpId tape, int64_t from, int64_t to, const Visit& visit) {
  TD_ASSIGN_OR_RETURN(const std::vector<Gap>* held, HeldOf(tape));
  for (const Gap& gap : *held) {
    if (gap.to <= from || gap.from >= to) continue;
    TD_ASSIGN_OR_RETURN(bool more, ReadOwn(tape, from, gap.from, visit));
    if (!more) return false;
    TD_ASSIGN_OR_RETURN(TpId holder, Holder(tape, gap));
    TD_ASSIGN_OR_RETURN(more, Read(holder, std::max(from, gap.from), std::min(to, gap.to), visit));
    if (!more) return false;
    from = gap.to;
  }
  return ReadOwn(tape, from, to, visit);
}

Result<bool> StoredTapeReader::ReadOwn(TpId tape, int64_t from, int64_t to, const Visit& visit) {
  if (from >= to) return true;
  std::unique_ptr<StoreCursor> cursor =
      view_->Scan(keys::TapeBlock(tape, INT64_MIN), keys::TapeBlock(tape, to), ScanKind::kLong);
  // The block that holds `from` may begin before it.
  cursor->SeekForPrev(keys::TapeBlock(tape, from));
  if (!cursor->Valid()) {
    TD_RETURN_IF_ERROR(cursor->status());
    cursor->SeekToFirst();
  }
  TapeBlock block;
  for (; cursor->Valid(); cursor->Next()) {
    TD_ASSIGN_OR_RETURN(keys::TpOffsetKey key, keys::ParseTpOffset(cursor->key()));
    TD_RETURN_IF_ERROR(block.Load(tape, key.offset, cursor->value(), &buffers_));
    for (size_t i = 0; i < block.size(); ++i) {
      const MessageView message = block.At(i);
      if (message.offset < from) continue;
      if (message.offset >= to) return true;
      if (!visit(message)) return false;
    }
  }
  TD_RETURN_IF_ERROR(cursor->status());
  return true;
}

Result<TpId> StoredTapeReader::Holder(TpId tape, const Gap& held) const {
  const TapeId& id = book_.tape(tape);
  for (const auto& [tp, other] : book_.tapes()) {
    // Only an older lineage can hold anything, so following holders comes to an end.
    if (other.lineage < id.lineage && other.cluster == id.cluster && other.topic == id.topic &&
        other.partition == id.partition &&
        held.detail == "lineage " + std::to_string(other.lineage)) {
      return tp;
    }
  }
  return Status::Corruption(id.ToString() + ": offset " + std::to_string(held.from) +
                            " is said to be held by '" + held.detail + "', which is not here");
}

Result<const std::vector<Gap>*> StoredTapeReader::HeldOf(TpId tape) {
  auto found = held_.find(tape);
  if (found == held_.end()) {
    TD_ASSIGN_OR_RETURN(std::vector<Gap> gaps, HeldGaps(store_, tape));
    found = held_.emplace(tape, std::move(gaps)).first;
  }
  return &found->second;
}

Result<std::vector<Gap>> HeldGaps(const Store& store, TpId tape) {
  TD_ASSIGN_OR_RETURN(std::vector<Gap> gaps, store.View()->Gaps(tape));
  std::erase_if(gaps, [](const Gap& gap) { return gap.reason != GapReason::kHeld; });
  return gaps;
}

}  // namespace tapedeck
