#ifndef TAPEDECK_CODEC_EFFORT_H_
#define TAPEDECK_CODEC_EFFORT_H_

// Effort: how hard an encoder tries. Every effort writes the same format and decodes at the same
// speed.
//
// Values; thread-safe.

#include <cstdint>

namespace tapedeck {

enum class Effort : uint8_t {
  kLive,   // on the record thread: the block may be written again by merging
  kMerge,  // in the background, written once and read often
};

}  // namespace tapedeck

#endif  // TAPEDECK_CODEC_EFFORT_H_
