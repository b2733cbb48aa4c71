#ifndef TAPEDECK_CODEC_CODEC_BUFFERS_H_
#define TAPEDECK_CODEC_CODEC_BUFFERS_H_

// CodecBuffers: contexts and memory that encoders and decoders of blocks use again from block to
// block.
//
// Keep one for each thread that seals, merges or reads blocks. It holds a zstd context for each
// direction (a few MB once used) and buffers as large as the largest block so far; what a giant
// message made them grow to is given back.
//
// Owned by one thread.

#include <memory>

namespace tapedeck {

class CodecBuffers {
 public:
  CodecBuffers();
  ~CodecBuffers();
  CodecBuffers(CodecBuffers&&) noexcept;
  CodecBuffers& operator=(CodecBuffers&&) noexcept;

  /// Known to this module only (codec/codec_state.h).
  struct State;
  State& state() { return *state_; }

 private:
  std::unique_ptr<State> state_;
};

}  // namespace tapedeck

#endif  // TAPEDECK_CODEC_CODEC_BUFFERS_H_
