#ifndef TAPEDECK_REPAIR_WRECK_READER_H_
#define TAPEDECK_REPAIR_WRECK_READER_H_

// WreckReader: the messages of one tape of a damaged store, in order of offsets, each once, of all
// blocks that are left of it.
//
//   WreckReader reader(salvage.get(), tp, &wreck.tapes.at(tp));
//   TD_RETURN_IF_ERROR(reader.Seek(from));
//   while (reader.Valid()) { Use(reader.message()); TD_RETURN_IF_ERROR(reader.Next()); }
//
// Blocks may overlap: an old one spans offsets that were read again later and lie in blocks of
// their own. So none hides another; where several have an offset they have the same message.
//
// Errors: those of the salvage. Memory: the blocks that overlap at one place. One thread's; tape
// and salvage outlive it.

#include <cstdint>
#include <memory>
#include <vector>

#include "base/status.h"
#include "codec/tape_block.h"
#include "repair/wreck.h"
#include "store/salvage.h"

namespace tapedeck {

class WreckReader {
 public:
  WreckReader(Salvage* salvage, TpId tp, const WreckTape* tape);

  /// To the first message at or above `offset`. Forwards only.
  Status Seek(int64_t offset);
  Status Next() { return Seek(offset() + 1); }
  bool Valid() const { return now_ != nullptr; }
  int64_t offset() const { return now_->block.offset(now_->row); }
  /// A view until the next Seek or Next.
  MessageView message() const { return now_->block.At(now_->row); }
  Timestamp received() const { return now_->block.ReceivedAt(now_->row); }
  /// The block that it is taken from.
  const WreckBlock& block() const { return *now_->of; }

 private:
  struct Open {
    const WreckBlock* of = nullptr;
    TapeBlock block;
    size_t row = 0;
    bool ended() const { return row >= block.size(); }
  };
  Status Load(const WreckBlock& of, int64_t offset);

  Salvage* const salvage_;
  const TpId tp_;
  const WreckTape* const tape_;
  size_t next_ = 0;  // of the tape's blocks
  std::vector<std::unique_ptr<Open>> open_;
  const Open* now_ = nullptr;
  CodecBuffers buffers_;
};

}  // namespace tapedeck

#endif  // TAPEDECK_REPAIR_WRECK_READER_H_
