#include <algorithm>

#include "codec/token_column.h"

namespace tapedeck {
namespace {

Status CheckDigits(std::span<const int64_t> mantissas) {
  constexpr int64_t kEnd = kTenTo[kDecimalDigitsMax];
  int64_t least = 0, most = 0;
  for (int64_t mantissa : mantissas) {
    least = std::min(least, mantissa);
    most = std::max(most, mantissa);
  }
  return least > -kEnd && most < kEnd ? Status::Ok()
                                      : Status::Corruption("a decimal token of too many digits");
}

// From the order of a group to that of the messages.
template <typename Number>
void Spread(std::span<const uint32_t> order, std::span<Number> numbers) {
  const std::vector<Number> grouped(numbers.begin(), numbers.end());
  for (size_t i = 0; i < order.size(); ++i) numbers[order[i]] = grouped[i];
}

}  // namespace

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
  return CheckDigits(numbers);
}

Status TokenColumn::OpenWritten(ByteReader* in, Numbers numbers, IntegerDecoder* integers,
                                TokenMemory* memory) {
  TD_RETURN_IF_ERROR(integers->Decode(in, numbers));
  uint64_t most = 0;
  for (int64_t scale : numbers) most = std::max(most, static_cast<uint64_t>(scale));
  if (most >= kDecimalDigitsMax) return Status::Corruption("a decimal token of unknown scale");
  memory->scales.insert(memory->scales.end(), numbers.begin(), numbers.end());
  TD_RETURN_IF_ERROR(integers->Decode(in, numbers));
  return CheckDigits(numbers);
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
  dictionary_size_ = count;
  return most < count ? Status::Ok() : Status::Corruption("a token beyond its dictionary");
}

Status TokenColumn::Open(ByteReader* in, size_t count, std::span<const uint32_t> order,
                         IntegerDecoder* integers, TokenMemory* memory) {
  first_number_ = memory->numbers.size();
  first_scale_ = memory->scales.size();
  first_entry_ = memory->entries.size();
  memory->numbers.resize(first_number_ + count);
  const Numbers numbers = Numbers(memory->numbers).subspan(first_number_);
  const uint8_t kind = in->Byte();
  const bool grouped = (kind & kGrouped) != 0;
  kind_ = static_cast<TokenColumnKind>(kind & ~kGrouped);
  const bool decimal = kind_ == TokenColumnKind::kDecimals || kind_ == TokenColumnKind::kWritten;
  if (grouped && (order.empty() || !decimal)) return Status::Corruption("tokens of no group");
  switch (kind_) {
    case TokenColumnKind::kTexts:
      return OpenTexts(in, numbers, integers);
    case TokenColumnKind::kDictionary:
      return OpenDictionary(in, numbers, integers, memory);
    case TokenColumnKind::kDecimals:
      TD_RETURN_IF_ERROR(OpenDecimals(in, numbers, integers));
      break;
    case TokenColumnKind::kWritten:
      TD_RETURN_IF_ERROR(OpenWritten(in, numbers, integers, memory));
      if (grouped) Spread(order, std::span(memory->scales).subspan(first_scale_));
      break;
    default:
      return Status::Corruption("tokens of unknown kind " + std::to_string(kind));
  }
  if (grouped) Spread(order, numbers);
  return Status::Ok();
}

}  // namespace tapedeck
