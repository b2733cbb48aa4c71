#ifndef TAPEDECK_CODEC_OPEN_SHAPES_H_
#define TAPEDECK_CODEC_OPEN_SHAPES_H_

// The shapes of an open tape block: fixed bytes that many of its messages share, and the tokens
// between them, slot by slot. Part of TapeBlockBuilder.
//
// A message is taken into a shape only after all its fixed bytes were compared with the shape's, so
// a wrong hint never changes what is stored. Its value is not kept beside: AppendValue puts it
// together again.
//
// Many slots never change ("type":"quote"). As long as they do not, they and the pieces around them
// are compared as one text, and nothing is kept for them but the first token (OpenSlot::Same).
//
// Owned by one thread; movable.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "codec/open_slot.h"
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

struct OpenShape {
  std::string fixed;             // all pieces one after another
  std::vector<uint32_t> pieces;  // bytes of each: slots + 1
  std::vector<OpenSlot> slots;
  size_t messages = 0;
  size_t room = 0;  // messages that the slots have room for

  // The value as it mostly is: slots that vary, with the texts before each and after the last one,
  // where pieces are joined by tokens that were the same so far.
  struct Varying {
    uint32_t slot;
    uint32_t before;  // bytes of `joined`
  };
  std::string joined;
  std::vector<Varying> varying;
  std::vector<bool> has_varied;  // by slot; not forgotten with the tokens

  /// The value of message `i` of the shape.
  void AppendValue(size_t i, std::string* out) const;
};

class OpenShapes {
 public:
  /// The number, from 1, of the shape that `value` was added to; 0: none.
  uint8_t Add(std::string_view value, const MessageShape& hint);

  const std::vector<OpenShape>& shapes() const { return shapes_; }
  size_t memory_bytes() const;
  /// Forgets the tokens, and shapes that the block did not use.
  void Clear();

 private:
  struct Binding {
    uint64_t id;
    uint8_t shape;  // in shapes_
  };
  static bool Take(OpenShape* shape, std::string_view value, const MessageShape& hint);
  static size_t Count(OpenShape* shape);
  static void Join(OpenShape* shape);
  uint8_t AddNew(std::string_view value, const MessageShape& hint);
  void Bind(uint64_t id, size_t shape);

  std::vector<OpenShape> shapes_;
  std::vector<Binding> bindings_;  // what the ids of hints stood for, the last one first
  size_t tokens_ = 0;
};

}  // namespace tapedeck

#endif  // TAPEDECK_CODEC_OPEN_SHAPES_H_
