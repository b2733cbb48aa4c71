#include "codec/codec_state.h"

#include "base/hash.h"
#include "codec/column_codec.h"

namespace tapedeck {
namespace {

template <typename Buffer>
void TrimBuffer(Buffer* buffer) {
  if (buffer->capacity() * sizeof((*buffer)[0]) > kBufferKeptBytes) Buffer().swap(*buffer);
}

}  // namespace

CodecBuffers::State::State() = default;
CodecBuffers::State::~State() = default;

CodecBuffers::CodecBuffers() : state_(std::make_unique<State>()) {}
CodecBuffers::~CodecBuffers() = default;
CodecBuffers::CodecBuffers(CodecBuffers&&) noexcept = default;
CodecBuffers& CodecBuffers::operator=(CodecBuffers&&) noexcept = default;

void CodecBuffers::State::Trim() {
  TrimBuffer(&content);
  TrimBuffer(&numbers);
  TrimBuffer(&others);
  TrimBuffer(&stream);
  TrimBuffer(&shapes);
  TrimBuffer(&unshaped);
  if (builder.GetSize() > kBufferKeptBytes) {
    builder.Reset();
  } else {
    builder.Clear();
  }
}

Result<BlockCodec> AppendContent(std::string_view content, int level, Compressor* compressor,
                                 std::string* out) {
  if (level == 0) {
    out->append(content);
    return BlockCodec::kStored;
  }
  size_t at = out->size();
  TD_RETURN_IF_ERROR(compressor->Append(content, level, out));
  if (out->size() - at <= content.size() - content.size() / kZstdGainDivisor)
    return BlockCodec::kZstd;
  out->resize(at);
  out->append(content);
  return BlockCodec::kStored;
}

Status ReadContent(uint8_t codec, std::string_view stored, size_t content_bytes,
                   Decompressor* decompressor, std::string* out) {
  switch (static_cast<BlockCodec>(codec)) {
    case BlockCodec::kStored:
      out->assign(stored);
      break;
    case BlockCodec::kZstd:
      TD_RETURN_IF_ERROR(decompressor->Decompress(stored, content_bytes, out));
      break;
    default:
      return Status::Corruption("block with unknown codec " + std::to_string(codec) +
                                ": written by a later version, or damaged");
  }
  if (out->size() != content_bytes)
    return Status::Corruption("block content is not as long as its header says");
  return Status::Ok();
}

uint64_t HashBlock(std::string_view identity, std::string_view header, std::string_view stored) {
  return HashBytes64(stored, HashBytes64(header, HashBytes64(identity)));
}

std::string_view View(const flatbuffers::Vector<uint8_t>* bytes) {
  if (bytes == nullptr) return {};
  return {reinterpret_cast<const char*>(bytes->data()), bytes->size()};
}

}  // namespace tapedeck
