#ifndef TAPEDECK_BASE_STREAM_COMPRESSOR_H_
#define TAPEDECK_BASE_STREAM_COMPRESSOR_H_

// StreamCompressor: one gzip member or zstd frame made piece by piece, for bodies that are sent
// while they are made.
//
//   TD_ASSIGN_OR_RETURN(auto compressor, StreamCompressor::Make(StreamCoding::kZstd));
//   TD_RETURN_IF_ERROR(compressor->Append(piece, &out));           // as often as there are pieces
//   TD_RETURN_IF_ERROR(compressor->Flush(&out));                   // a reader can decode all of it
//   TD_RETURN_IF_ERROR(compressor->Finish(&out));                  // nothing may follow
//
// Wraps zlib and zstd. Memory: about 300 KiB for gzip, 1.3 MiB for zstd. Owned by one thread.

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/status.h"

namespace tapedeck {

enum class StreamCoding : uint8_t { kGzip = 0, kZstd = 1 };

class StreamCompressor {
 public:
  /// kResourceExhausted: no memory for it.
  static Result<std::unique_ptr<StreamCompressor>> Make(StreamCoding coding);
  virtual ~StreamCompressor() = default;
  virtual Status Append(std::string_view bytes, std::string* out) = 0;
  virtual Status Flush(std::string* out) = 0;
  virtual Status Finish(std::string* out) = 0;
};

}  // namespace tapedeck

#endif  // TAPEDECK_BASE_STREAM_COMPRESSOR_H_
