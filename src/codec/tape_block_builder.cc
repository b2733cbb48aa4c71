#include <algorithm>

#include "base/bytes.h"
#include "base/check.h"
#include "codec/codec_state.h"
#include "codec/tape_block.h"
#include "codec/tape_block_generated.h"
#include "codec/tape_layout.h"

namespace tapedeck {
namespace {

int ZstdLevel(Effort effort) { return effort == Effort::kLive ? kTapeLevelLive : kTapeLevelMerge; }

uint32_t StoredSize(const OptionalBytes& bytes) {
  return bytes ? static_cast<uint32_t>(bytes->size()) + 1 : 0;
}

// Memory of a giant message is given back; that of common blocks is kept.
template <typename Buffer>
void Empty(Buffer* buffer) {
  if (buffer->capacity() * sizeof((*buffer)[0]) > 2 * limits::kTapeBlockSealBytes) {
    Buffer().swap(*buffer);
  } else {
    buffer->clear();
  }
}

}  // namespace

Status TapeBlockBuilder::CheckFits(const MessageView& message) const {
  if (message.offset < 0 || (!rows_.empty() && message.offset <= rows_.back().offset)) {
    return Status::InvalidArgument("offset " + std::to_string(message.offset) + " is not above " +
                                   std::to_string(rows_.empty() ? -1 : rows_.back().offset));
  }
  size_t bytes = message.PayloadBytes();
  if (bytes > limits::kMessageBytesMax || message.headers.size() > kMessageHeadersMax) {
    return Status::InvalidArgument("message of " + std::to_string(bytes) + " bytes and " +
                                   std::to_string(message.headers.size()) +
                                   " headers is above the limit");
  }
  if (count() >= limits::kTapeBlockMessagesMax || header_count_ > kMessageHeadersMax ||
      raw_bytes() > limits::kTapeBlockRawBytesMax - limits::kMessageBytesMax) {
    return Status::ResourceExhausted("the tape block is full: seal it first");
  }
  return Status::Ok();
}

void TapeBlockBuilder::AppendHeaders(std::span<const HeaderView> headers) {
  for (const HeaderView& header : headers) {
    PutBlob(&headers_, header.name);
    PutVarint(&headers_, StoredSize(header.value));
    if (header.value) headers_.append(*header.value);
  }
  header_count_ += headers.size();
}

Status TapeBlockBuilder::Append(const MessageView& message, const MessageShape* shape) {
  size_t key_bytes = message.key ? message.key->size() : 0;
  size_t value_bytes = message.value ? message.value->size() : 0;
  // The common case at one glance: small, no headers, in order.
  bool plain = message.headers.empty() && key_bytes + value_bytes < limits::kTapeBlockSealBytes &&
               raw_bytes() < limits::kTapeBlockSealBytes &&
               count() < limits::kTapeBlockMessagesMax &&
               message.offset > (rows_.empty() ? -1 : rows_.back().offset);
  if (!plain) {
    TD_RETURN_IF_ERROR(CheckFits(message));
    AppendHeaders(message.headers);
  }
  if (message.key) keys_.append(*message.key);
  uint8_t shape_number = 0;
  if (message.value) {
    if (shape != nullptr) shape_number = shapes_.Add(*message.value, *shape);
    if (shape_number == 0) values_.append(*message.value);
    value_bytes_ += value_bytes;
  }
  rows_.push_back({.offset = message.offset,
                   .timestamp_ms = message.timestamp_ms,
                   .key_size = StoredSize(message.key),
                   .value_size = StoredSize(message.value),
                   .headers = static_cast<uint32_t>(message.headers.size()),
                   .timestamp_type = message.timestamp_type,
                   .shape = shape_number});
  return Status::Ok();
}

void TapeBlockBuilder::MarkReceived(Timestamp received) {
  size_t marked = runs_.empty() ? 0 : runs_.back().end;
  if (marked == rows_.size()) return;
  if (!runs_.empty() && runs_.back().received == received) {
    runs_.back().end = rows_.size();
  } else {
    runs_.push_back({rows_.size(), received});
  }
}

size_t TapeBlockBuilder::memory_bytes() const {
  return rows_.capacity() * sizeof(Row) + runs_.capacity() * sizeof(Run) + keys_.capacity() +
         values_.capacity() + headers_.capacity() + shapes_.memory_bytes();
}

void TapeBlockBuilder::Clear() {
  Empty(&rows_);
  Empty(&runs_);
  Empty(&keys_);
  Empty(&values_);
  Empty(&headers_);
  shapes_.Clear();
  header_count_ = 0;
  value_bytes_ = 0;
}

TapeBlockBuilder::ShapeNumbers TapeBlockBuilder::NumberShapes(Effort effort) const {
  ShapeNumbers numbers{};
  uint8_t next = 1;
  const std::vector<OpenShape>& shapes = shapes_.shapes();
  for (size_t i = 0; i < shapes.size(); ++i) {
    const size_t for_slots = effort == Effort::kLive ? kTapeMessagesPerSlotLive : 0;
    const size_t wanted = std::max(kTapeShapeMessagesMin, for_slots * shapes[i].slots.size());
    if (shapes[i].messages >= wanted) numbers[i + 1] = next++;
  }
  return numbers;
}

void TapeBlockBuilder::EncodeShapes(const ShapeNumbers& numbers, Effort effort,
                                    CodecBuffers::State* state) const {
  std::string& out = state->shapes;
  out.clear();
  for (size_t i = 0; i < shapes_.shapes().size(); ++i) {
    if (numbers[i + 1] == 0) continue;
    const OpenShape& shape = shapes_.shapes()[i];
    PutVarint(&out, shape.slots.size());
    std::string_view fixed = shape.fixed;
    for (uint32_t piece : shape.pieces) {
      PutBlob(&out, fixed.substr(0, piece));
      fixed.remove_prefix(piece);
    }
    state->tokens.Encode(shape, effort, &state->integers, &out);
  }
}

void TapeBlockBuilder::CollectUnshaped(const ShapeNumbers& numbers, std::string* out) const {
  out->clear();
  size_t at = 0;
  std::array<size_t, kTapeShapesMax + 1> next{};
  for (const Row& row : rows_) {
    if (row.shape != 0) {
      const size_t message = next[row.shape]++;
      if (numbers[row.shape] == 0)
        shapes_.shapes()[row.shape - size_t{1}].AppendValue(message, out);
    } else if (row.value_size > 0) {
      out->append(values_, at, row.value_size - 1);
      at += row.value_size - 1;
    }
  }
}

void TapeBlockBuilder::EncodeContent(const ShapeNumbers& numbers, Effort effort,
                                     CodecBuffers::State* state) const {
  const bool shaped = std::ranges::any_of(numbers, [](uint8_t number) { return number != 0; });
  if (shaped) EncodeShapes(numbers, effort, state);
  const bool apart = value_bytes_ > values_.size();
  if (apart) CollectUnshaped(numbers, &state->unshaped);
  flatbuffers::FlatBufferBuilder& builder = state->builder;
  using Bytes = flatbuffers::Offset<flatbuffers::Vector<uint8_t>>;
  auto bytes = [&](std::string_view view) {
    return builder.CreateVector(reinterpret_cast<const uint8_t*>(view.data()), view.size());
  };
  auto stream = [&](size_t count, auto number) {
    state->numbers.resize(count);
    for (size_t i = 0; i < count; ++i) state->numbers[i] = static_cast<int64_t>(number(i));
    state->stream.clear();
    state->integers.Encode(state->numbers, effort, &state->stream);
    return bytes(state->stream);
  };
  size_t n = rows_.size();
  // A FlatBuffers table is built from its end: what is made first comes last.
  Bytes values = bytes(apart ? state->unshaped : values_);
  Bytes keys = keys_.empty() ? Bytes() : bytes(keys_);
  Bytes headers = headers_.empty() ? Bytes() : bytes(headers_);
  Bytes run_sizes = stream(
      runs_.size(), [&](size_t i) { return runs_[i].end - (i == 0 ? 0 : runs_[i - 1].end); });
  Bytes run_times = stream(runs_.size(), [&](size_t i) { return runs_[i].received.ns(); });
  Bytes header_counts = stream(n, [&](size_t i) { return rows_[i].headers; });
  Bytes shapes = shaped ? bytes(state->shapes) : Bytes();
  Bytes shape_numbers;
  if (shaped) shape_numbers = stream(n, [&](size_t i) { return numbers[rows_[i].shape]; });
  state->others.clear();
  for (const Row& row : rows_) {
    if (numbers[row.shape] == 0) state->others.push_back(row.value_size);
  }
  Bytes value_sizes = stream(state->others.size(), [&](size_t i) { return state->others[i]; });
  Bytes key_sizes = stream(n, [&](size_t i) { return rows_[i].key_size; });
  Bytes types = stream(n, [&](size_t i) { return static_cast<uint8_t>(rows_[i].timestamp_type); });
  Bytes times = stream(n, [&](size_t i) { return rows_[i].timestamp_ms; });
  Bytes offsets = stream(n, [&](size_t i) { return rows_[i].offset - rows_[0].offset; });

  wire::TapeColumnsBuilder columns(builder);
  columns.add_values(values);
  if (!keys.IsNull()) columns.add_keys(keys);
  if (!headers.IsNull()) columns.add_headers(headers);
  if (shaped) {
    columns.add_shapes(shapes);
    columns.add_shape_numbers(shape_numbers);
  }
  columns.add_run_times(run_times);
  columns.add_run_sizes(run_sizes);
  columns.add_run_count(static_cast<uint32_t>(runs_.size()));
  columns.add_header_counts(header_counts);
  columns.add_value_sizes(value_sizes);
  columns.add_key_sizes(key_sizes);
  columns.add_timestamp_types(types);
  columns.add_timestamps(times);
  columns.add_offsets(offsets);
  builder.Finish(columns.Finish());
}

// Columns cost some bytes each, so that few messages of many slots may be smaller as they are.
// Merging, where bytes count and blocks are often small, tries both.
Status TapeBlockBuilder::CompressContent(Effort effort, CodecBuffers::State* state,
                                         TapeBlockHeader* header, std::string* out) const {
  auto compress = [&](const ShapeNumbers& numbers, std::string* block) -> Status {
    state->builder.Clear();
    EncodeContent(numbers, effort, state);
    const std::string_view content(reinterpret_cast<const char*>(state->builder.GetBufferPointer()),
                                   state->builder.GetSize());
    block->assign(kTapeHeaderBytes, '\0');
    TD_ASSIGN_OR_RETURN(BlockCodec codec,
                        AppendContent(content, ZstdLevel(effort), &state->compressor, block));
    header->codec = static_cast<uint8_t>(codec);
    header->content_bytes = static_cast<uint32_t>(content.size());
    return Status::Ok();
  };
  const ShapeNumbers numbers = NumberShapes(effort), none{};
  if (numbers == none) {
    header->version = kTapeVersionPlain;
    return compress(none, out);
  }
  TD_RETURN_IF_ERROR(compress(numbers, out));
  header->version = kTapeVersionShaped;
  const bool both = effort == Effort::kMerge && raw_bytes() < kTapeTryBothBytes;
  if (!both && header->content_bytes <= kTapeContentBytesMax) return Status::Ok();
  std::string plain;
  const TapeBlockHeader shaped = *header;
  TD_RETURN_IF_ERROR(compress(none, &plain));
  if (plain.size() < out->size() || shaped.content_bytes > kTapeContentBytesMax) {
    header->version = kTapeVersionPlain;
    out->swap(plain);
  } else {
    *header = shaped;
  }
  return Status::Ok();
}

Status TapeBlockBuilder::Seal(TpId tp, Timestamp received, Effort effort, CodecBuffers* buffers,
                              std::string* out) {
  TD_CHECK(!rows_.empty(), "an empty tape block is not sealed");
  MarkReceived(received);
  CodecBuffers::State& state = buffers->state();
  TapeBlockHeader header;
  TD_RETURN_IF_ERROR(CompressContent(effort, &state, &header, out));
  header.base_offset = base_offset();
  header.count = static_cast<uint32_t>(count());
  header.raw_bytes = static_cast<uint32_t>(raw_bytes());
  header.stored_bytes = static_cast<uint32_t>(out->size() - kTapeHeaderBytes);
  std::string bytes = EncodeTapeHeader(header);
  header.hash = HashBlock(TapeIdentity(tp, header.base_offset),
                          std::string_view(bytes).substr(0, kTapeHeaderBytes - 8),
                          std::string_view(*out).substr(kTapeHeaderBytes));
  out->replace(0, kTapeHeaderBytes, EncodeTapeHeader(header));
  state.Trim();
  Clear();
  return Status::Ok();
}

}  // namespace tapedeck
