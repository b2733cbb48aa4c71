#ifndef TAPEDECK_BASE_STREAM_DECOMPRESSOR_H_
#define TAPEDECK_BASE_STREAM_DECOMPRESSOR_H_

// StreamDecompressor: one gzip member or zstd frame read piece by piece.
//
//   TD_ASSIGN_OR_RETURN(auto decompressor, StreamDecompressor::Make(StreamCoding::kZstd));
//   do {                                                // until a piece is empty and nothing came
//     out.clear();
//     if (piece.empty()) piece = NextPiece();
//     TD_RETURN_IF_ERROR(decompressor->Append(&piece, 1 << 20, &out));
//     Use(out);
//   } while (!piece.empty() || !out.empty());
//   TD_RETURN_IF_ERROR(decompressor->Finish());         // it has ended as it should
//
// Errors: kCorruption for bytes that no compressor wrote, a wrong checksum, anything behind the
// end, an end that has not come; kResourceExhausted: no memory. Memory: a window of at most 8 MiB.
// Owned by one thread.

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "base/status.h"
#include "base/stream_compressor.h"

namespace tapedeck {

class StreamDecompressor {
 public:
  static Result<std::unique_ptr<StreamDecompressor>> Make(StreamCoding coding);
  virtual ~StreamDecompressor() = default;
  /// Takes bytes off the front of `bytes` and appends what they say to `out`, until all are taken
  /// or `out_bytes_max` bytes have been appended; the rest of those comes with the next call, also
  /// with one of no bytes.
  virtual Status Append(std::string_view* bytes, size_t out_bytes_max, std::string* out) = 0;
  virtual Status Finish() = 0;
};

}  // namespace tapedeck

#endif  // TAPEDECK_BASE_STREAM_DECOMPRESSOR_H_
