#include "repair/wreck_reader.h"

#include <algorithm>
#include <utility>

#include "model/keys.h"

namespace tapedeck {

WreckReader::WreckReader(Salvage* salvage, TpId tp, const WreckTape* tape)
    : salvage_(salvage), tp_(tp), tape_(tape) {}

Status WreckReader::Seek(int64_t offset) {
  for (const auto& open : open_) {
    if (!open->ended() && open->block.offset(open->row) < offset)
      open->row = open->block.LowerBound(offset);
  }
  std::erase_if(open_, [](const auto& open) { return open->ended(); });
  now_ = nullptr;
  auto choose = [&](const Open& open) {
    if (now_ == nullptr || open.block.offset(open.row) < this->offset()) now_ = &open;
  };
  for (const auto& open : open_) choose(*open);
  const std::vector<WreckBlock>& blocks = tape_->blocks;
  for (; next_ < blocks.size(); ++next_) {
    if (now_ != nullptr && blocks[next_].first > this->offset()) break;
    if (blocks[next_].last < offset) continue;
    TD_RETURN_IF_ERROR(Load(blocks[next_], offset));
    if (open_.back()->ended()) {
      open_.pop_back();
    } else {
      choose(*open_.back());
    }
  }
  return Status::Ok();
}

Status WreckReader::Load(const WreckBlock& of, int64_t offset) {
  TD_ASSIGN_OR_RETURN(const std::string bytes,
                      salvage_->Get(keys::TapeBlock(tp_, of.base), of.file));
  auto open = std::make_unique<Open>();
  open->of = &of;
  TD_RETURN_IF_ERROR(open->block.Load(tp_, of.base, bytes, &buffers_));
  open->row = open->block.LowerBound(offset);
  open_.push_back(std::move(open));
  return Status::Ok();
}

}  // namespace tapedeck
