#ifndef TAPEDECK_BASE_ZSTD_H_
#define TAPEDECK_BASE_ZSTD_H_

// zstd frames. Every frame that we write carries its content size; a frame without one, or with one
// above the given limit, is refused before anything is allocated.
//
// Owned by one thread: a Compressor or Decompressor keeps its context and buffers for reuse.

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "base/status.h"

namespace tapedeck {

class Compressor {
 public:
  Compressor();
  ~Compressor();
  Compressor(const Compressor&) = delete;
  Compressor& operator=(const Compressor&) = delete;
  /// Appends one frame of `input` to `out`. `level` as zstd counts them: 1 is fast, 3 is zstd's
  /// default.
  Status Append(std::string_view input, int level, std::string* out);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

class Decompressor {
 public:
  Decompressor();
  ~Decompressor();
  Decompressor(const Decompressor&) = delete;
  Decompressor& operator=(const Decompressor&) = delete;
  /// Replaces `out` by the content of the one frame that `frame` is. kCorruption where it is not
  /// exactly one whole frame, has no declared size, or declares more than `content_bytes_max`.
  Status Decompress(std::string_view frame, size_t content_bytes_max, std::string* out);

  /// The same for a file of other tools: one frame or several, which need not declare their size.
  /// kCorruption where it is damaged, cut off or holds more than `content_bytes_max`.
  Status DecompressFile(std::string_view file, size_t content_bytes_max, std::string* out);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace tapedeck

#endif  // TAPEDECK_BASE_ZSTD_H_
