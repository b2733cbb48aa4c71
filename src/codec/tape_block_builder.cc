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

Status TapeBlockBuilder::Append(const MessageView& message) {
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
  if (message.value) values_.append(*message.value);
  rows_.push_back({.offset = message.offset,
                   .timestamp_ms = message.timestamp_ms,
                   .key_size = StoredSize(message.key),
                   .value_size = StoredSize(message.value),
                   .headers = static_cast<uint32_t>(message.headers.size()),
                   .timestamp_type = message.timestamp_type});
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
         values_.capacity() + headers_.capacity();
}

void TapeBlockBuilder::Clear() {
  Empty(&rows_);
  Empty(&runs_);
  Empty(&keys_);
  Empty(&values_);
  Empty(&headers_);
  header_count_ = 0;
}

void TapeBlockBuilder::EncodeContent(Effort effort, CodecBuffers::State* state) const {
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
  Bytes values = bytes(values_);
  Bytes keys = keys_.empty() ? Bytes() : bytes(keys_);
  Bytes headers = headers_.empty() ? Bytes() : bytes(headers_);
  Bytes run_sizes = stream(
      runs_.size(), [&](size_t i) { return runs_[i].end - (i == 0 ? 0 : runs_[i - 1].end); });
  Bytes run_times = stream(runs_.size(), [&](size_t i) { return runs_[i].received.ns(); });
  Bytes header_counts = stream(n, [&](size_t i) { return rows_[i].headers; });
  Bytes value_sizes = stream(n, [&](size_t i) { return rows_[i].value_size; });
  Bytes key_sizes = stream(n, [&](size_t i) { return rows_[i].key_size; });
  Bytes types = stream(n, [&](size_t i) { return static_cast<uint8_t>(rows_[i].timestamp_type); });
  Bytes times = stream(n, [&](size_t i) { return rows_[i].timestamp_ms; });
  Bytes offsets = stream(n, [&](size_t i) { return rows_[i].offset - rows_[0].offset; });

  wire::TapeColumnsBuilder columns(builder);
  columns.add_values(values);
  if (!keys.IsNull()) columns.add_keys(keys);
  if (!headers.IsNull()) columns.add_headers(headers);
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

Status TapeBlockBuilder::Seal(TpId tp, Timestamp received, Effort effort, CodecBuffers* buffers,
                              std::string* out) {
  TD_CHECK(!rows_.empty(), "an empty tape block is not sealed");
  MarkReceived(received);
  CodecBuffers::State& state = buffers->state();
  EncodeContent(effort, &state);
  std::string_view content(reinterpret_cast<const char*>(state.builder.GetBufferPointer()),
                           state.builder.GetSize());
  out->assign(kTapeHeaderBytes, '\0');
  TD_ASSIGN_OR_RETURN(BlockCodec codec,
                      AppendContent(content, ZstdLevel(effort), &state.compressor, out));
  TapeBlockHeader header;
  header.codec = static_cast<uint8_t>(codec);
  header.base_offset = base_offset();
  header.count = static_cast<uint32_t>(count());
  header.content_bytes = static_cast<uint32_t>(content.size());
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
