#ifndef TAPEDECK_MODEL_MESSAGE_SHAPE_H_
#define TAPEDECK_MODEL_MESSAGE_SHAPE_H_

// MessageShape: where the varying parts of a message's value lie, as somebody who has just read it
// knows.
//
//   {"symbol":"SYM0012","ts":1719878400091,"bid":34.9590}
//              ^^^^^^^       ^^^^^^^^^^^^^       ^^^^^^^     three slots; the rest is fixed
//
// It is a hint and nothing more: who uses it compares the fixed bytes of messages of one id, so a
// wrong hint costs time or space, never a byte.
//
// Thread-compatible. `slots` is a view; valid as long as its source says.

#include <cstdint>
#include <span>

namespace tapedeck {

/// Bytes [begin, begin + size) of a value.
struct SlotRange {
  uint32_t begin = 0;
  uint32_t size = 0;
};

struct MessageShape {
  /// Messages of one id from one source probably have the same fixed bytes.
  uint64_t id = 0;
  /// In order of the value, without overlap.
  std::span<const SlotRange> slots;
};

}  // namespace tapedeck

#endif  // TAPEDECK_MODEL_MESSAGE_SHAPE_H_
