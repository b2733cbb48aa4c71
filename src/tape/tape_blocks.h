#ifndef TAPEDECK_TAPE_TAPE_BLOCKS_H_
#define TAPEDECK_TAPE_TAPE_BLOCKS_H_

// TapeBlocks: goes through the blocks of one tape by their index entries, and loads those that are
// wanted.
//
//   TapeBlocks blocks(view, tp, "Finhub1[3]", ScanKind::kLong);
//   TD_RETURN_IF_ERROR(blocks.Seek(offset));
//   while (blocks.Valid()) {
//     if (Wanted(blocks.index())) TD_RETURN_IF_ERROR(blocks.Load(&block, &buffers));
//     TD_RETURN_IF_ERROR(blocks.Next());
//   }
//
// Errors: kCorruption, naming the tape and the block's first offset, for a damaged block or entry,
// an entry without its block, a block that is not what its entry says, and, where no block was left
// out between two loads, a block without an entry. Owned by one thread; ends before its view.

#include <memory>
#include <string>

#include "base/status.h"
#include "codec/tape_block.h"
#include "model/stored.h"
#include "store/store.h"

namespace tapedeck {

class TapeBlocks {
 public:
  /// `name` is for errors.
  TapeBlocks(const StoreView* view, TpId tp, std::string name, ScanKind kind);

  /// To the block that holds `offset`, or else the first behind it.
  Status Seek(int64_t offset);
  Status Next();
  bool Valid() const { return valid_; }
  /// First offset of the block: its key.
  int64_t base() const { return base_; }
  const TapeIndexEntry& index() const { return index_; }
  /// Decodes and checks the block.
  Status Load(TapeBlock* block, CodecBuffers* buffers);
  /// "Finhub1[3]@42".
  std::string Where() const;

 private:
  Status Read();
  Status FindBlock();

  const StoreView* view_;
  TpId tp_;
  std::string name_;
  ScanKind kind_;
  std::unique_ptr<StoreCursor> entries_;
  std::unique_ptr<StoreCursor> blocks_;  // made by the first Load
  bool followed_ = false;                // the block cursor stands at the block before this one
  bool loaded_ = false;                  // it stands at this one
  bool valid_ = false;
  int64_t base_ = 0;
  TapeIndexEntry index_;
};

}  // namespace tapedeck

#endif  // TAPEDECK_TAPE_TAPE_BLOCKS_H_
