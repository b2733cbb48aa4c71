#include "codec/shape_reader.h"

#include <cstring>

#include "base/bytes.h"

namespace tapedeck {
namespace {

constexpr size_t kCopyStep = 16;
static_assert(kCopyStep <= kShapeWriteSlack && kDecimalTextBytesMax <= kShapeWriteSlack);

}  // namespace

Status ShapeReader::Open(std::string_view shapes, std::span<const int64_t> numbers,
                         IntegerDecoder* integers) {
  shapes_.clear();
  columns_.clear();
  memory_.numbers.clear();
  memory_.scales.clear();
  memory_.entries.clear();
  fixed_.clear();
  for (int64_t number : numbers) {
    if (number < 0 || number > static_cast<int64_t>(kTapeShapesMax))
      return Status::Corruption("shape number " + std::to_string(number));
    if (static_cast<size_t>(number) > shapes_.size()) shapes_.resize(static_cast<size_t>(number));
    if (number > 0) ++shapes_[static_cast<size_t>(number) - 1].messages;
  }
  ByteReader in(shapes);
  for (Shape& shape : shapes_) TD_RETURN_IF_ERROR(OpenShape(&in, &shape, integers));
  if (!in.done()) return Status::Corruption("shapes do not fill their bytes");
  fixed_.append(kCopyStep, '\0');
  for (TokenColumn& column : columns_) column.Start(memory_);
  return Status::Ok();
}

Status ShapeReader::OpenShape(ByteReader* in, Shape* shape, IntegerDecoder* integers) {
  const uint64_t slots = in->Varint();
  if (slots > kTapeSlotsMax || shape->messages == 0)
    return Status::Corruption("a shape of " + std::to_string(slots) + " slots and " +
                              std::to_string(shape->messages) + " messages");
  if (slots * shape->messages > kTapeTokensMax - memory_.numbers.size())
    return Status::Corruption("too many tokens");
  shape->fixed_begin = fixed_.size();
  for (size_t i = 0; i <= slots; ++i) {
    const std::string_view piece = in->Blob();
    shape->pieces.push_back(static_cast<uint32_t>(piece.size()));
    fixed_.append(piece);
  }
  if (!in->ok()) return Status::Corruption("a shape is cut off");
  shape->first_column = columns_.size();
  columns_.resize(columns_.size() + slots);
  const uint64_t group = in->Varint();
  if (group > slots) return Status::Corruption("a shape's group is none of its slots");
  order_.clear();
  auto open = [&](size_t slot) {
    return columns_[shape->first_column + slot].Open(in, shape->messages, order_, integers,
                                                     &memory_);
  };
  if (group > 0) {
    TD_RETURN_IF_ERROR(open(group - 1));
    const TokenColumn& column = columns_[shape->first_column + group - 1];
    if (column.dictionary_size() == 0) return Status::Corruption("a group without a dictionary");
    GroupRows(std::span(memory_.numbers).subspan(column.first_number(), shape->messages),
              column.dictionary_size(), &order_);
  }
  for (size_t slot = 0; slot < slots; ++slot) {
    if (slot + 1 != group) TD_RETURN_IF_ERROR(open(slot));
  }
  return Status::Ok();
}

char* ShapeReader::Write(size_t number, char* at, const char* end) {
  Shape& shape = shapes_[number - 1];
  const size_t row = shape.next++;
  const char* fixed = fixed_.data() + shape.fixed_begin;
  TokenColumn* column = columns_.data() + shape.first_column;
  const size_t slots = shape.pieces.size() - 1;
  for (size_t i = 0;; ++i, ++column) {
    const size_t piece = shape.pieces[i];
    if (piece > static_cast<size_t>(end - at)) return nullptr;
    for (size_t done = 0; done < piece; done += kCopyStep)
      std::memcpy(at + done, fixed + done, kCopyStep);
    at += piece;
    fixed += piece;
    if (i == slots) return at;
    at = column->Write(row, at, end);
    if (at == nullptr) return nullptr;
  }
}

}  // namespace tapedeck
