#include "base/zstd.h"

#include <zstd.h>

#include <cstdint>
#include <cstring>
#include <utility>

namespace tapedeck {
namespace {

/// A scratch buffer above this is given back after use: one giant message must not cost memory for
/// good.
constexpr size_t kScratchKeptMax = size_t{8} << 20;

Status ZstdError(StatusCode code, std::string_view doing, size_t result) {
  std::string message(doing);
  message += ": ";
  message += ZSTD_getErrorName(result);
  return {code, std::move(message)};
}

}  // namespace

struct Compressor::State {
  State() : context(ZSTD_createCCtx()) { TD_CHECK(context != nullptr, "zstd got its memory"); }
  ~State() { ZSTD_freeCCtx(context); }
  State(const State&) = delete;
  State& operator=(const State&) = delete;

  char* Scratch(size_t size) {
    if (scratch_size < size) {
      scratch = std::make_unique_for_overwrite<char[]>(size);
      scratch_size = size;
    }
    return scratch.get();
  }
  void Trim() {
    if (scratch_size <= kScratchKeptMax) return;
    scratch.reset();
    scratch_size = 0;
  }

  ZSTD_CCtx* context;
  std::unique_ptr<char[]> scratch;
  size_t scratch_size = 0;
};

Compressor::Compressor() : state_(std::make_unique<State>()) {}
Compressor::~Compressor() = default;

Status Compressor::Append(std::string_view input, int level, std::string* out) {
  size_t bound = ZSTD_compressBound(input.size());
  if (ZSTD_isError(bound)) {
    return Status::InvalidArgument("zstd cannot compress " + std::to_string(input.size()) +
                                   " bytes at once");
  }
  size_t set = ZSTD_CCtx_setParameter(state_->context, ZSTD_c_compressionLevel, level);
  if (ZSTD_isError(set)) return ZstdError(StatusCode::kInternal, "setting zstd's level", set);
  char* scratch = state_->Scratch(bound);
  size_t size = ZSTD_compress2(state_->context, scratch, bound, input.data(), input.size());
  if (ZSTD_isError(size)) return ZstdError(StatusCode::kInternal, "compressing with zstd", size);
  out->append(scratch, size);
  state_->Trim();
  return Status::Ok();
}

struct Decompressor::State {
  State() : context(ZSTD_createDCtx()) { TD_CHECK(context != nullptr, "zstd got its memory"); }
  ~State() { ZSTD_freeDCtx(context); }
  State(const State&) = delete;
  State& operator=(const State&) = delete;

  ZSTD_DCtx* context;
};

Decompressor::Decompressor() : state_(std::make_unique<State>()) {}
Decompressor::~Decompressor() = default;

Status Decompressor::Decompress(std::string_view frame, size_t content_bytes_max,
                                std::string* out) {
  // zstd reports a size of 0 for skippable frames, which have no content: only a real frame counts.
  uint32_t magic = 0;
  if (frame.size() >= sizeof magic) std::memcpy(&magic, frame.data(), sizeof magic);
  if (magic != ZSTD_MAGICNUMBER) return Status::Corruption("not a zstd frame");
  unsigned long long declared = ZSTD_getFrameContentSize(frame.data(), frame.size());
  if (declared == ZSTD_CONTENTSIZE_ERROR) return Status::Corruption("damaged zstd frame header");
  if (declared == ZSTD_CONTENTSIZE_UNKNOWN) {
    return Status::Corruption("the zstd frame does not declare its content size");
  }
  if (declared > content_bytes_max) {
    return Status::Corruption("the zstd frame declares " + std::to_string(declared) +
                              " bytes; the limit is " + std::to_string(content_bytes_max));
  }
  size_t whole = ZSTD_findFrameCompressedSize(frame.data(), frame.size());
  if (ZSTD_isError(whole)) return ZstdError(StatusCode::kCorruption, "zstd frame", whole);
  if (whole != frame.size()) {
    return Status::Corruption(std::to_string(frame.size() - whole) + " bytes after the zstd frame");
  }
  out->resize(declared);
  size_t size =
      ZSTD_decompressDCtx(state_->context, out->data(), out->size(), frame.data(), frame.size());
  if (ZSTD_isError(size)) {
    out->clear();
    return ZstdError(StatusCode::kCorruption, "decompressing a zstd frame", size);
  }
  if (size != declared) {
    out->clear();
    return Status::Corruption("the zstd frame holds fewer bytes than it declares");
  }
  return Status::Ok();
}

Status Decompressor::DecompressFile(std::string_view file, size_t content_bytes_max,
                                    std::string* out) {
  ZSTD_DCtx_reset(state_->context, ZSTD_reset_session_only);
  std::string chunk(ZSTD_DStreamOutSize(), '\0');
  ZSTD_inBuffer in{file.data(), file.size(), 0};
  out->clear();
  size_t wanted = file.empty() ? 1 : 0;
  while (in.size > 0) {
    ZSTD_outBuffer part{chunk.data(), chunk.size(), 0};
    wanted = ZSTD_decompressStream(state_->context, &part, &in);
    if (ZSTD_isError(wanted)) {
      return ZstdError(StatusCode::kCorruption, "decompressing a zstd file", wanted);
    }
    if (part.pos > content_bytes_max - out->size()) {
      return Status::Corruption("the zstd file holds more than " +
                                std::to_string(content_bytes_max) + " bytes");
    }
    out->append(chunk.data(), part.pos);
    if (in.pos == in.size && (wanted == 0 || part.pos < part.size)) break;
  }
  if (wanted != 0) return Status::Corruption("the zstd file is cut off");
  return Status::Ok();
}

}  // namespace tapedeck
