#include <algorithm>

#include "codec/token_column.h"

namespace tapedeck {

Status TokenColumn::OpenTexts(ByteReader* in, Numbers numbers, IntegerDecoder* integers) {
  TD_RETURN_IF_ERROR(integers->Decode(in, numbers));
  bytes_ = in->Blob();
  size_t left = bytes_.size();
  for (int64_t size : numbers) {
    if (static_cast<uint64_t>(size) > left) return Status::Corruption("tokens of a wrong size");
    left -= static_cast<size_t>(size);
  }
  return left == 0 ? Status::Ok() : Status::Corruption("tokens do not fill their bytes");
}

Status TokenColumn::OpenDecimals(ByteReader* in, Numbers numbers, IntegerDecoder* integers) {
  scale_ = in->Byte();
  least_ = in->Byte();
  if (scale_ >= kDecimalDigitsMax || least_ > scale_)
    return Status::Corruption("decimal tokens of scale " + std::to_string(scale_));
  TD_RETURN_IF_ERROR(integers->Decode(in, numbers));
  constexpr int64_t kEnd = kTenTo[kDecimalDigitsMax];
  auto [least, most] = std::ranges::minmax_element(numbers);
  if (!numbers.empty() && (*least <= -kEnd || *most >= kEnd))
    return Status::Corruption("a decimal token has too many digits");
  return Status::Ok();
}

Status TokenColumn::OpenDictionary(ByteReader* in, Numbers numbers, IntegerDecoder* integers,
                                   TokenMemory* memory) {
  const uint64_t count = in->Varint();
  if (count == 0 || count > std::min(numbers.size(), kTokenDictionaryMax))
    return Status::Corruption("a dictionary of " + std::to_string(count) + " tokens");
  for (uint64_t i = 0; i < count; ++i) memory->entries.push_back(in->Blob());
  TD_RETURN_IF_ERROR(integers->Decode(in, numbers));
  uint64_t most = 0;
  for (int64_t number : numbers) most = std::max(most, static_cast<uint64_t>(number));
  return most < count ? Status::Ok() : Status::Corruption("a token beyond its dictionary");
}

Status TokenColumn::Open(ByteReader* in, size_t count, IntegerDecoder* integers,
                         TokenMemory* memory) {
  first_number_ = memory->numbers.size();
  first_entry_ = memory->entries.size();
  memory->numbers.resize(first_number_ + count);
  const Numbers numbers = Numbers(memory->numbers).subspan(first_number_);
  const uint8_t kind = in->Byte();
  kind_ = static_cast<TokenColumnKind>(kind);
  switch (kind_) {
    case TokenColumnKind::kTexts:
      return OpenTexts(in, numbers, integers);
    case TokenColumnKind::kDecimals:
      return OpenDecimals(in, numbers, integers);
    case TokenColumnKind::kDictionary:
      return OpenDictionary(in, numbers, integers, memory);
  }
  return Status::Corruption("tokens of unknown kind " + std::to_string(kind));
}

}  // namespace tapedeck
