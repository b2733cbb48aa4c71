#ifndef TAPEDECK_RECORD_STORED_TAPE_READER_H_
#define TAPEDECK_RECORD_STORED_TAPE_READER_H_

// StoredTapeReader: the messages that one tape of the store stands for, for comparing them with a
// log: its own ones, and those that it says an older lineage holds. Without the latter a log that
// changes a second time would be recorded again from its beginning.
//
// Owned by one thread.

#include <map>
#include <memory>
#include <vector>

#include "codec/codec_buffers.h"
#include "record/divergence.h"
#include "record/tape_book.h"
#include "store/store.h"

namespace tapedeck {

class StoredTapeReader final : public RecordedTape {
 public:
  /// Reads the store as it is now. `store` and `book` outlive the reader.
  StoredTapeReader(const Store& store, const TapeBook& book, TpId tape);
  Status ReadRange(int64_t from, int64_t to,
                   const std::function<bool(const MessageView&)>& visit) override;

 private:
  using Visit = std::function<bool(const MessageView&)>;
  // Both: false once `visit` has had enough.
  Result<bool> Read(TpId tape, int64_t from, int64_t to, const Visit& visit);
  Result<bool> ReadOwn(TpId tape, int64_t from, int64_t to, const Visit& visit);
  Result<TpId> Holder(TpId tape, const Gap& held) const;
  Result<const std::vector<Gap>*> HeldOf(TpId tape);

  const Store& store_;
  const TapeBook& book_;
  std::unique_ptr<StoreView> view_;
  TpId tape_;
  std::map<TpId, std::vector<Gap>> held_;  // as far as they were needed
  CodecBuffers buffers_;
};

/// Gaps of kind kHeld of a tape, in order.
Result<std::vector<Gap>> HeldGaps(const Store& store, TpId tape);

}  // namespace tapedeck

#endif  // TAPEDECK_RECORD_STORED_TAPE_READER_H_
