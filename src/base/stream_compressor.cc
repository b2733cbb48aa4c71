#include "base/stream_compressor.h"

#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <array>
#include <climits>

namespace tapedeck {
namespace {

// Both are set for speed: what is sent over a network of a gigabit costs less time than it takes to
// squeeze it further.
constexpr int kGzipLevel = 1;
constexpr int kZstdLevel = 1;
constexpr int kZstdWindowLog = 19;
constexpr size_t kPieceBytes = size_t{64} << 10;

class GzipStream final : public StreamCompressor {
 public:
  static Result<std::unique_ptr<StreamCompressor>> Make() {
    auto stream = std::make_unique<GzipStream>();
    // 15 + 16: the greatest window, and gzip's header.
    if (::deflateInit2(&stream->state_, kGzipLevel, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) !=
        Z_OK) {
      return Status::ResourceExhausted("zlib got no memory");
    }
    stream->ready_ = true;
    return std::unique_ptr<StreamCompressor>(std::move(stream));
  }
  GzipStream() = default;
  ~GzipStream() override {
    if (ready_) ::deflateEnd(&state_);
  }
  GzipStream(const GzipStream&) = delete;
  GzipStream& operator=(const GzipStream&) = delete;

  Status Append(std::string_view bytes, std::string* out) override {
    return Run(bytes, Z_NO_FLUSH, out);
  }
  Status Flush(std::string* out) override { return Run({}, Z_SYNC_FLUSH, out); }
  Status Finish(std::string* out) override { return Run({}, Z_FINISH, out); }

 private:
  Status Run(std::string_view bytes, int flush, std::string* out) {
    if (bytes.size() > UINT_MAX) return Status::InvalidArgument("too much at once for zlib");
    state_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
    state_.avail_in = static_cast<uInt>(bytes.size());
    for (;;) {
      const size_t before = out->size();
      out->resize(before + kPieceBytes);
      state_.next_out = reinterpret_cast<Bytef*>(out->data() + before);
      state_.avail_out = kPieceBytes;
      const int result = ::deflate(&state_, flush);
      out->resize(before + kPieceBytes - state_.avail_out);
      // Z_BUF_ERROR: nothing was left to do.
      if (result == Z_STREAM_END || result == Z_BUF_ERROR) return Status::Ok();
      if (result != Z_OK) return Status::Internal("zlib: a stream in a state that cannot be");
      if (state_.avail_out > 0 && state_.avail_in == 0 && flush != Z_FINISH) return Status::Ok();
    }
  }

  z_stream state_{};
  bool ready_ = false;
};

class ZstdStream final : public StreamCompressor {
 public:
  static Result<std::unique_ptr<StreamCompressor>> Make() {
    auto stream = std::make_unique<ZstdStream>();
    if (stream->context_ == nullptr) return Status::ResourceExhausted("zstd got no memory");
    for (auto [parameter, value] :
         {std::pair{ZSTD_c_compressionLevel, kZstdLevel},
          std::pair{ZSTD_c_windowLog, kZstdWindowLog}, std::pair{ZSTD_c_checksumFlag, 1}}) {
      const size_t set = ZSTD_CCtx_setParameter(stream->context_, parameter, value);
      if (ZSTD_isError(set)) return Status::Internal("zstd does not take its parameters");
    }
    return std::unique_ptr<StreamCompressor>(std::move(stream));
  }
  ZstdStream() : context_(ZSTD_createCCtx()) {}
  ~ZstdStream() override { ZSTD_freeCCtx(context_); }
  ZstdStream(const ZstdStream&) = delete;
  ZstdStream& operator=(const ZstdStream&) = delete;

  Status Append(std::string_view bytes, std::string* out) override {
    return Run(bytes, ZSTD_e_continue, out);
  }
  Status Flush(std::string* out) override { return Run({}, ZSTD_e_flush, out); }
  Status Finish(std::string* out) override { return Run({}, ZSTD_e_end, out); }

 private:
  Status Run(std::string_view bytes, ZSTD_EndDirective directive, std::string* out) {
    ZSTD_inBuffer input{bytes.data(), bytes.size(), 0};
    for (;;) {
      const size_t before = out->size();
      out->resize(before + kPieceBytes);
      ZSTD_outBuffer output{out->data() + before, kPieceBytes, 0};
      const size_t left = ZSTD_compressStream2(context_, &output, &input, directive);
      out->resize(before + output.pos);
      if (ZSTD_isError(left))
        return Status::Internal("zstd: " + std::string(ZSTD_getErrorName(left)));
      const bool done = directive == ZSTD_e_continue ? input.pos == input.size : left == 0;
      if (done) return Status::Ok();
    }
  }

  ZSTD_CCtx* context_;
};

}  // namespace

Result<std::unique_ptr<StreamCompressor>> StreamCompressor::Make(StreamCoding coding) {
  return coding == StreamCoding::kGzip ? GzipStream::Make() : ZstdStream::Make();
}

}  // namespace tapedeck
