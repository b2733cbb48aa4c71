#include "record/stored_tape_reader.h"

#include "codec/tape_block.h"

namespace tapedeck {

StoredTapeReader::StoredTapeReader(const Store& store, TpId tape)
    : view_(store.View()), tape_(tape) {}

Status StoredTapeReader::ReadRange(int64_t from, int64_t to,
                                   const std::function<bool(const MessageView&)>& visit) {
  std::unique_ptr<StoreCursor> cursor =
      view_->Scan(keys::TapeBlock(tape_, INT64_MIN), keys::TapeBlock(tape_, to), ScanKind::kLong);
  // The block that holds `from` may begin before it.
  cursor->SeekForPrev(keys::TapeBlock(tape_, from));
  if (!cursor->Valid()) {
    TD_RETURN_IF_ERROR(cursor->status());
    cursor->SeekToFirst();
  }
  TapeBlock block;
  for (; cursor->Valid(); cursor->Next()) {
    TD_ASSIGN_OR_RETURN(keys::TpOffsetKey key, keys::ParseTpOffset(cursor->key()));
    TD_RETURN_IF_ERROR(block.Load(tape_, key.offset, cursor->value(), &buffers_));
    for (size_t i = 0; i < block.size(); ++i) {
      const MessageView message = block.At(i);
      if (message.offset < from) continue;
      if (message.offset >= to || !visit(message)) return Status::Ok();
    }
  }
  return cursor->status();
}

Result<std::vector<Gap>> HeldGaps(const Store& store, TpId tape) {
  TD_ASSIGN_OR_RETURN(std::vector<Gap> gaps, store.View()->Gaps(tape));
  std::erase_if(gaps, [](const Gap& gap) { return gap.reason != GapReason::kHeld; });
  return gaps;
}

}  // namespace tapedeck
