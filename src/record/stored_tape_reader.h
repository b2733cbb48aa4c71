#ifndef TAPEDECK_RECORD_STORED_TAPE_READER_H_
#define TAPEDECK_RECORD_STORED_TAPE_READER_H_

// StoredTapeReader: the messages of one tape of the store, for comparing them with a log; and the
// gaps that an older lineage holds.
//
// Owned by one thread.

#include <memory>
#include <vector>

#include "codec/codec_buffers.h"
#include "record/divergence.h"
#include "store/store.h"

namespace tapedeck {

class StoredTapeReader final : public TapeReader {
 public:
  /// Reads the store as it is now. `store` outlives the reader.
  StoredTapeReader(const Store& store, TpId tape);
  Status ReadRange(int64_t from, int64_t to,
                   const std::function<bool(const MessageView&)>& visit) override;

 private:
  std::unique_ptr<StoreView> view_;
  TpId tape_;
  CodecBuffers buffers_;
};

/// Gaps of kind kHeld of a tape, in order.
Result<std::vector<Gap>> HeldGaps(const Store& store, TpId tape);

}  // namespace tapedeck

#endif  // TAPEDECK_RECORD_STORED_TAPE_READER_H_
