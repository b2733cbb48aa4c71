#ifndef TAPEDECK_CODEC_OPEN_SHAPES_H_
#define TAPEDECK_CODEC_OPEN_SHAPES_H_

// The shapes of an open tape block: fixed bytes that many of its messages share, and where the
// tokens between them lie. Part of TapeBlockBuilder.
//
// A message is taken into a shape only after all its fixed bytes were compared with the shape's, so
// a wrong hint never changes what is stored.
//
// Owned by one thread; movable.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "model/message_shape.h"

namespace tapedeck {

/// Shapes of a block.
inline constexpr size_t kTapeShapesMax = 64;
/// Slots of a shape.
inline constexpr size_t kTapeSlotsMax = 64;
/// Tokens of all shapes of a block: bounds what reading them allocates (8 bytes each).
inline constexpr size_t kTapeTokensMax = size_t{1} << 20;
/// A value above this has no shape.
inline constexpr size_t kTapeShapedBytesMax = size_t{64} << 10;

/// Bytes [begin, begin + size) of a builder's values.
struct TapeToken {
  uint32_t begin = 0;
  uint32_t size = 0;
};

struct OpenShape {
  std::string fixed;              // all pieces one after another
  std::vector<uint32_t> pieces;   // bytes of each: slots + 1
  std::vector<TapeToken> tokens;  // slots() for each message, and room
  size_t messages = 0;

  size_t slots() const { return pieces.size() - 1; }
};

class OpenShapes {
 public:
  /// The number, from 1, of the shape whose tokens `value` was added to; 0: none. The value begins
  /// at `at` of the builder's values.
  uint8_t Add(std::string_view value, size_t at, const MessageShape& hint);

  const std::vector<OpenShape>& shapes() const { return shapes_; }
  size_t memory_bytes() const;
  /// Forgets the tokens, and shapes that the block did not use.
  void Clear();

 private:
  struct Binding {
    uint64_t id;
    uint8_t shape;  // in shapes_
  };
  static bool Take(OpenShape* shape, std::string_view value, size_t at, const MessageShape& hint);
  uint8_t AddNew(std::string_view value, size_t at, const MessageShape& hint);
  void Bind(uint64_t id, size_t shape);

  std::vector<OpenShape> shapes_;
  std::vector<Binding> bindings_;  // what the ids of hints stood for, the last one first
  size_t tokens_ = 0;
};

}  // namespace tapedeck

#endif  // TAPEDECK_CODEC_OPEN_SHAPES_H_
