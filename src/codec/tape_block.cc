#include "codec/tape_block.h"

#include <algorithm>
#include <cstring>

#include "base/bytes.h"
#include "codec/codec_state.h"
#include "codec/tape_block_generated.h"
#include "codec/tape_layout.h"
#include "codec/token_finder.h"

namespace tapedeck {
namespace {

Status Bad(const std::string& what) { return Status::Corruption("tape block: " + what); }

// Verifier limits: one table, nothing nested deeper than its vectors.
flatbuffers::Verifier::Options VerifierOptions() {
  flatbuffers::Verifier::Options options;
  options.max_depth = 4;
  options.max_tables = 2;
  return options;
}

// Turns a column of stored sizes (0 null, else bytes + 1) into positions; their bytes must fill
// `total` exactly.
template <typename F>
bool Place(const std::vector<int64_t>& sizes, size_t total, F put) {
  uint64_t at = 0;
  for (size_t i = 0; i < sizes.size(); ++i) {
    auto size = static_cast<uint64_t>(sizes[i]);
    if (size > total + 1) return false;
    put(i, static_cast<uint32_t>(at), static_cast<uint32_t>(size));
    at += size == 0 ? 0 : size - 1;
    if (at > total) return false;
  }
  return at == total;
}

}  // namespace

std::string EncodeTapeHeader(const TapeBlockHeader& header) {
  std::string out;
  PutLittle32(&out, kTapeMagic);
  out.push_back(static_cast<char>(header.version));
  out.push_back(static_cast<char>(header.codec));
  out.append(2, '\0');
  PutLittle64(&out, static_cast<uint64_t>(header.base_offset));
  PutLittle32(&out, header.count);
  PutLittle32(&out, header.content_bytes);
  PutLittle32(&out, header.raw_bytes);
  PutLittle32(&out, header.stored_bytes);
  PutLittle64(&out, header.hash);
  return out;
}

std::string TapeIdentity(TpId tp, int64_t base_offset) {
  std::string out;
  PutLittle32(&out, Raw(tp));
  PutLittle64(&out, static_cast<uint64_t>(base_offset));
  return out;
}

Result<TapeBlockHeader> ParseTapeHeader(std::string_view block) {
  ByteReader in(block);
  uint32_t magic = in.Little32();
  TapeBlockHeader header;
  header.version = in.Byte();
  header.codec = in.Byte();
  std::string_view reserved = in.Bytes(2);
  header.base_offset = static_cast<int64_t>(in.Little64());
  header.count = in.Little32();
  header.content_bytes = in.Little32();
  header.raw_bytes = in.Little32();
  header.stored_bytes = in.Little32();
  header.hash = in.Little64();
  if (!in.ok()) return Bad("shorter than its header");
  if (magic != kTapeMagic) return Bad("it does not start as one");
  if (header.version != kTapeVersionPlain && header.version != kTapeVersionShaped)
    return Bad("format version " + std::to_string(header.version) + " is not known");
  if (reserved != std::string_view("\0\0", 2)) return Bad("reserved bytes are in use");
  if (header.stored_bytes != in.rest().size()) return Bad("it is not as long as its header says");
  if (header.count == 0 || header.count > limits::kTapeBlockMessagesMax || header.base_offset < 0 ||
      header.content_bytes > kTapeContentBytesMax ||
      header.raw_bytes > limits::kTapeBlockRawBytesMax) {
    return Bad("its header exceeds a limit");
  }
  return header;
}

Status TapeBlock::Load(TpId tp, int64_t base_offset, std::string_view block,
                       CodecBuffers* buffers) {
  rows_.clear();
  headers_.clear();
  TD_ASSIGN_OR_RETURN(TapeBlockHeader header, ParseTapeHeader(block));
  std::string_view stored = block.substr(kTapeHeaderBytes);
  uint64_t hash =
      HashBlock(TapeIdentity(tp, base_offset), block.substr(0, kTapeHeaderBytes - 8), stored);
  if (hash != header.hash) return Bad("its hash differs: damaged, or stored under another key");
  if (header.base_offset != base_offset) return Bad("it belongs to another offset");
  CodecBuffers::State& state = buffers->state();
  content_.reserve(64);  // on the heap, so that views into it survive a move
  TD_RETURN_IF_ERROR(
      ReadContent(header.codec, stored, header.content_bytes, &state.decompressor, &content_));
  Status status = LoadColumns(header, &state);
  if (!status.ok()) {
    rows_.clear();
    headers_.clear();
    return status.WithContext("tape block");
  }
  return status;
}

Status TapeBlock::LoadColumns(const TapeBlockHeader& header, CodecBuffers::State* state) {
  auto* data = reinterpret_cast<const uint8_t*>(content_.data());
  flatbuffers::Verifier verifier(data, content_.size(), VerifierOptions());
  if (content_.size() < 8 || !wire::VerifyTapeColumnsBuffer(verifier))
    return Status::Corruption("content is no table");
  const wire::TapeColumns& columns = *wire::GetTapeColumns(data);
  keys_ = View(columns.keys());
  std::string_view headers = View(columns.headers());
  if (keys_.size() + headers.size() > header.raw_bytes)
    return Status::Corruption("columns are longer than the header says");
  const size_t value_bytes = header.raw_bytes - keys_.size() - headers.size();
  rows_.resize(header.count);
  std::vector<int64_t>& numbers = state->numbers;
  auto column = [&](const flatbuffers::Vector<uint8_t>* bytes, size_t count) {
    numbers.resize(count);
    return state->integer_decoder.Decode(View(bytes), numbers);
  };

  TD_RETURN_IF_ERROR(column(columns.offsets(), rows_.size()));
  int64_t last = -1;
  for (size_t i = 0; i < rows_.size(); ++i) {
    if (numbers[i] <= last || numbers[i] > INT64_MAX - header.base_offset)
      return Status::Corruption("offsets do not go up");
    last = numbers[i];
    rows_[i].offset = header.base_offset + last;
  }
  if (numbers[0] != 0) return Status::Corruption("the first offset is not the base");
  TD_RETURN_IF_ERROR(column(columns.timestamps(), rows_.size()));
  for (size_t i = 0; i < rows_.size(); ++i) rows_[i].timestamp_ms = numbers[i];
  TD_RETURN_IF_ERROR(column(columns.timestamp_types(), rows_.size()));
  for (size_t i = 0; i < rows_.size(); ++i) {
    if (numbers[i] < 0 || numbers[i] > static_cast<int64_t>(TimestampType::kLogAppend)) {
      return Status::Corruption("unknown timestamp type " + std::to_string(numbers[i]));
    }
    rows_[i].timestamp_type = static_cast<TimestampType>(numbers[i]);
  }
  TD_RETURN_IF_ERROR(column(columns.key_sizes(), rows_.size()));
  bool placed = Place(numbers, keys_.size(), [&](size_t i, uint32_t at, uint32_t size) {
    rows_[i].key_begin = at;
    rows_[i].key_size = size;
  });
  if (!placed) return Status::Corruption("key sizes do not fill the keys");
  const ValueColumns values = {View(columns.values()), View(columns.value_sizes()),
                               View(columns.shape_numbers()), View(columns.shapes())};
  TD_RETURN_IF_ERROR(header.version == kTapeVersionShaped
                         ? LoadShapedValues(values, value_bytes, state)
                         : LoadPlainValues(values, value_bytes, state));
  TD_RETURN_IF_ERROR(column(columns.header_counts(), rows_.size()));
  uint64_t total = 0;
  for (size_t i = 0; i < rows_.size(); ++i) {
    if (numbers[i] < 0 || numbers[i] > static_cast<int64_t>(kMessageHeadersMax))
      return Status::Corruption("too many headers");
    rows_[i].headers_begin = static_cast<uint32_t>(total);
    rows_[i].headers = static_cast<uint32_t>(numbers[i]);
    total += static_cast<uint64_t>(numbers[i]);
    if (total > kTapeBlockHeadersMax) return Status::Corruption("too many headers");
  }
  headers_.resize(total);
  TD_RETURN_IF_ERROR(LoadHeaders(headers));
  return LoadReceived(columns.run_count(), View(columns.run_sizes()), View(columns.run_times()),
                      state);
}

Status TapeBlock::LoadPlainValues(const ValueColumns& columns, size_t bytes,
                                  CodecBuffers::State* state) {
  values_ = columns.values;
  if (values_.size() != bytes)
    return Status::Corruption("columns are not as long as the header says");
  state->numbers.resize(rows_.size());
  TD_RETURN_IF_ERROR(state->integer_decoder.Decode(columns.sizes, state->numbers));
  bool placed = Place(state->numbers, bytes, [&](size_t i, uint32_t at, uint32_t size) {
    rows_[i].value_begin = at;
    rows_[i].value_size = size;
  });
  return placed ? Status::Ok() : Status::Corruption("value sizes do not fill the values");
}

// Values of messages with a shape and of those without, in the order of the messages.
Status TapeBlock::LoadShapedValues(const ValueColumns& columns, size_t bytes,
                                   CodecBuffers::State* state) {
  std::vector<int64_t>& numbers = state->numbers;
  numbers.resize(rows_.size());
  TD_RETURN_IF_ERROR(state->integer_decoder.Decode(columns.shape_numbers, numbers));
  TD_RETURN_IF_ERROR(state->shape_reader.Open(columns.shapes, numbers, &state->integer_decoder));
  state->others.resize(static_cast<size_t>(std::ranges::count(numbers, 0)));
  TD_RETURN_IF_ERROR(state->integer_decoder.Decode(columns.sizes, state->others));
  if (columns.values.size() > bytes) return Status::Corruption("values are too long");
  rebuilt_.resize(bytes + kShapeWriteSlack);
  char *start = rebuilt_.data(), *at = start, *end = start + bytes;
  std::string_view plain = columns.values;
  size_t next_plain = 0;
  for (size_t i = 0; i < rows_.size(); ++i) {
    const char* begin = at;
    rows_[i].value_begin = static_cast<uint32_t>(at - start);
    if (numbers[i] > 0) {
      at = state->shape_reader.Write(static_cast<size_t>(numbers[i]), at, end);
      if (at == nullptr) return Status::Corruption("values are longer than the header says");
      rows_[i].value_size = static_cast<uint32_t>(at - begin) + 1;
      continue;
    }
    const auto size = static_cast<uint64_t>(state->others[next_plain++]);
    const uint64_t taken = size == 0 ? 0 : size - 1;
    if (taken > plain.size() || taken > static_cast<size_t>(end - at))
      return Status::Corruption("value sizes do not fit the values");
    std::memcpy(at, plain.data(), taken);
    at += taken;
    plain.remove_prefix(taken);
    rows_[i].value_size = static_cast<uint32_t>(size);
  }
  if (at != end || !plain.empty()) return Status::Corruption("values do not fill their bytes");
  values_ = std::string_view(start, bytes);
  return Status::Ok();
}

Status TapeBlock::LoadReceived(size_t runs, std::string_view sizes, std::string_view times,
                               CodecBuffers::State* state) {
  if (runs == 0 || runs > rows_.size())
    return Status::Corruption("no block has so many times of receipt");
  state->numbers.resize(runs);
  state->others.resize(runs);
  TD_RETURN_IF_ERROR(state->integer_decoder.Decode(sizes, state->numbers));
  TD_RETURN_IF_ERROR(state->integer_decoder.Decode(times, state->others));
  size_t row = 0;
  for (size_t run = 0; run < runs; ++run) {
    auto size = static_cast<uint64_t>(state->numbers[run]);
    if (size == 0 || size > rows_.size() - row)
      return Status::Corruption("times of receipt do not fit the messages");
    for (uint64_t i = 0; i < size; ++i) rows_[row++].received = Timestamp(state->others[run]);
  }
  return row == rows_.size() ? Status::Ok()
                             : Status::Corruption("messages without a time of receipt");
}

Status TapeBlock::LoadHeaders(std::string_view headers) {
  ByteReader in(headers);
  for (HeaderView& header : headers_) {
    header.name = in.Blob();
    uint64_t size = in.Varint();
    header.value = size == 0 ? OptionalBytes() : OptionalBytes(in.Bytes(size - 1));
  }
  return in.done() ? Status::Ok() : Status::Corruption("headers do not fill their bytes");
}

MessageView TapeBlock::At(size_t i) const {
  const Row& row = rows_[i];
  MessageView message;
  message.offset = row.offset;
  message.timestamp_ms = row.timestamp_ms;
  message.timestamp_type = row.timestamp_type;
  message.key = Piece(keys_, row.key_begin, row.key_size);
  message.value = Piece(values_, row.value_begin, row.value_size);
  message.headers = std::span<const HeaderView>(headers_).subspan(row.headers_begin, row.headers);
  return message;
}

size_t TapeBlock::LowerBound(int64_t offset) const {
  return static_cast<size_t>(std::ranges::lower_bound(rows_, offset, {}, &Row::offset) -
                             rows_.begin());
}

Status MergeTapeBlocks(TpId tp, std::span<const StoredTapeBlock> blocks, Effort effort,
                       CodecBuffers* buffers, std::string* out) {
  TapeBlockBuilder merged;
  TapeBlock block;
  TokenFinder finder;  // needs no mapping, and gives live blocks of any one the same shapes
  for (const StoredTapeBlock& stored : blocks) {
    TD_RETURN_IF_ERROR(block.Load(tp, stored.base_offset, stored.bytes, buffers));
    for (size_t i = 0; i < block.size(); ++i) {
      if (i > 0 && block.ReceivedAt(i) != block.ReceivedAt(i - 1))
        merged.MarkReceived(block.ReceivedAt(i - 1));
      const MessageView message = block.At(i);
      TD_RETURN_IF_ERROR(
          merged.Append(message, message.value ? finder.Find(*message.value) : nullptr));
    }
    merged.MarkReceived(block.ReceivedAt(block.size() - 1));
  }
  if (merged.empty()) return Status::InvalidArgument("no tape blocks to merge");
  return merged.Seal(tp, Timestamp(), effort, buffers, out);
}

}  // namespace tapedeck
