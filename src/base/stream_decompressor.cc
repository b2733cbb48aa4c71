#include "base/stream_decompressor.h"

#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <climits>

namespace tapedeck {
namespace {

constexpr size_t kPieceBytes = size_t{64} << 10;
constexpr int kWindowLogMax = 23;

Status Behind() { return Status::Corruption("something stands behind the end of a stream"); }

class GunzipStream final : public StreamDecompressor {
 public:
  GunzipStream() = default;
  ~GunzipStream() override {
    if (ready_) ::inflateEnd(&state_);
  }
  GunzipStream(const GunzipStream&) = delete;
  GunzipStream& operator=(const GunzipStream&) = delete;

  // 15 + 16: the greatest window, and gzip's header.
  bool Begin() { return ready_ = ::inflateInit2(&state_, 15 + 16) == Z_OK; }

  Status Append(std::string_view* bytes, size_t out_bytes_max, std::string* out) override {
    // What was taken may be kept back: a full piece says that there may be more.
    for (size_t room = out_bytes_max; room > 0 && (!bytes->empty() || pending_);) {
      if (ended_) return Behind();
      const auto in = static_cast<uInt>(std::min<size_t>(bytes->size(), INT_MAX));
      const auto piece = static_cast<uInt>(std::min(room, kPieceBytes));
      const size_t before = out->size();
      out->resize(before + piece);
      state_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes->data()));
      state_.avail_in = in;
      state_.next_out = reinterpret_cast<Bytef*>(out->data() + before);
      state_.avail_out = piece;
      const int result = ::inflate(&state_, Z_NO_FLUSH);
      out->resize(before + piece - state_.avail_out);
      room -= piece - state_.avail_out;
      bytes->remove_prefix(in - state_.avail_in);
      ended_ = result == Z_STREAM_END;
      pending_ = state_.avail_out == 0 && !ended_;
      if (result == Z_BUF_ERROR) continue;  // nothing was kept back
      if (result == Z_MEM_ERROR) return Status::ResourceExhausted("zlib got no memory");
      if (result != Z_OK && !ended_) {
        return Status::Corruption(std::string("gzip: ") +
                                  (state_.msg == nullptr ? "damaged" : state_.msg));
      }
    }
    return Status::Ok();
  }
  Status Finish() override {
    return ended_ ? Status::Ok() : Status::Corruption("gzip: it ends too early");
  }

 private:
  z_stream state_{};
  bool ready_ = false;
  bool ended_ = false;
  bool pending_ = false;
};

class UnzstdStream final : public StreamDecompressor {
 public:
  UnzstdStream() : context_(ZSTD_createDCtx()) {}
  ~UnzstdStream() override { ZSTD_freeDCtx(context_); }
  UnzstdStream(const UnzstdStream&) = delete;
  UnzstdStream& operator=(const UnzstdStream&) = delete;

  bool Begin() {
    return context_ != nullptr &&
           !ZSTD_isError(ZSTD_DCtx_setParameter(context_, ZSTD_d_windowLogMax, kWindowLogMax));
  }

  Status Append(std::string_view* bytes, size_t out_bytes_max, std::string* out) override {
    // What was taken may be kept back: a full piece says that there may be more.
    for (size_t room = out_bytes_max; room > 0 && (!bytes->empty() || pending_);) {
      if (ended_) return Behind();
      const size_t piece = std::min(room, kPieceBytes);
      const size_t before = out->size();
      out->resize(before + piece);
      ZSTD_inBuffer input{bytes->data(), bytes->size(), 0};
      ZSTD_outBuffer output{out->data() + before, piece, 0};
      const size_t left = ZSTD_decompressStream(context_, &output, &input);
      out->resize(before + output.pos);
      room -= output.pos;
      bytes->remove_prefix(input.pos);
      if (ZSTD_isError(left)) {
        return Status::Corruption("zstd: " + std::string(ZSTD_getErrorName(left)));
      }
      ended_ = left == 0;
      pending_ = output.pos == piece && !ended_;
    }
    return Status::Ok();
  }
  Status Finish() override {
    return ended_ ? Status::Ok() : Status::Corruption("zstd: it ends too early");
  }

 private:
  ZSTD_DCtx* context_;
  bool ended_ = false;
  bool pending_ = false;
};

template <typename T>
Result<std::unique_ptr<StreamDecompressor>> Begun() {
  auto stream = std::make_unique<T>();
  if (!stream->Begin()) return Status::ResourceExhausted("no memory for a decompressor");
  return std::unique_ptr<StreamDecompressor>(std::move(stream));
}

}  // namespace

Result<std::unique_ptr<StreamDecompressor>> StreamDecompressor::Make(StreamCoding coding) {
  return coding == StreamCoding::kGzip ? Begun<GunzipStream>() : Begun<UnzstdStream>();
}

}  // namespace tapedeck
