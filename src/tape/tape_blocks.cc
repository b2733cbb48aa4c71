#include "tape/tape_blocks.h"

#include "model/keys.h"

namespace tapedeck {
namespace {

// Every key of one tape's entries of a kind: offsets are never negative, but the whole range costs
// nothing.
std::string Lower(std::string key) { return key.substr(0, key.size() - sizeof(int64_t)); }

}  // namespace

TapeBlocks::TapeBlocks(const StoreView* view, TpId tp, std::string name, ScanKind kind)
    : view_(view), tp_(tp), name_(std::move(name)), kind_(kind) {
  const std::string prefix = Lower(keys::TapeIndex(tp, 0));
  entries_ = view->Scan(prefix, keys::After(prefix), kind);
}

std::string TapeBlocks::Where() const { return name_ + "@" + std::to_string(base_); }

Status TapeBlocks::Seek(int64_t offset) {
  followed_ = loaded_ = false;
  entries_->SeekForPrev(keys::TapeIndex(tp_, offset));
  if (!entries_->Valid()) {
    TD_RETURN_IF_ERROR(entries_->status());
    entries_->SeekToFirst();
  }
  TD_RETURN_IF_ERROR(Read());
  if (valid_ && index_.last_offset < offset) return Next();
  return Status::Ok();
}

Status TapeBlocks::Next() {
  followed_ = loaded_;
  loaded_ = false;
  entries_->Next();
  return Read();
}

Status TapeBlocks::Read() {
  valid_ = false;
  if (!entries_->Valid()) return entries_->status().WithContext("index of " + name_);
  TD_ASSIGN_OR_RETURN(keys::TpOffsetKey key, keys::ParseTpOffset(entries_->key()));
  base_ = key.offset;
  Result<TapeIndexEntry> entry = DecodeTapeIndex(entries_->value());
  if (!entry.ok()) return entry.status().WithContext(Where());
  if (entry->first_offset != base_) {
    return Status::Corruption(Where() + ": the index entry is of another block");
  }
  index_ = std::move(*entry);
  valid_ = true;
  return Status::Ok();
}

Status TapeBlocks::FindBlock() {
  const std::string wanted = keys::TapeBlock(tp_, base_);
  if (blocks_ == nullptr) {
    const std::string prefix = Lower(wanted);
    blocks_ = view_->Scan(prefix, keys::After(prefix), kind_);
  }
  if (followed_) {
    blocks_->Next();
  } else if (!loaded_) {
    blocks_->Seek(wanted);
  }
  if (!blocks_->Valid()) TD_RETURN_IF_ERROR(blocks_->status().WithContext(Where()));
  if (!blocks_->Valid() || blocks_->key() > wanted) {
    return Status::Corruption(Where() + ": the tape block is missing");
  }
  if (blocks_->key() < wanted) {
    return Status::Corruption(Where() + ": a tape block before it has no index entry");
  }
  loaded_ = true;
  followed_ = false;
  return Status::Ok();
}

Status TapeBlocks::Load(TapeBlock* block, CodecBuffers* buffers) {
  TD_RETURN_IF_ERROR(FindBlock());
  TD_RETURN_IF_ERROR(block->Load(tp_, base_, blocks_->value(), buffers).WithContext(Where()));
  const bool as_indexed = block->size() == index_.count && !block->empty() &&
                          block->offset(0) == index_.first_offset &&
                          block->offset(block->size() - 1) == index_.last_offset;
  if (!as_indexed) {
    return Status::Corruption(Where() + ": the tape block is not what its index entry says");
  }
  return Status::Ok();
}

}  // namespace tapedeck
