#ifndef TAPEDECK_CODEC_SHAPE_READER_H_
#define TAPEDECK_CODEC_SHAPE_READER_H_

// ShapeReader: puts the values of a tape block's shaped messages together again. Private to codec.
//
//   shapes   := shape(n) for each number from 1 on, to the end of the bytes
//   shape(n) := slots:varint { piece:blob } (slots + 1) group:varint { column(n) } (slots)
// n: messages whose shape number it is. Columns in the order of the slots; where group is not 0,
// that of slot number `group` comes first. codec/token_column.h has their grammar.
//
// Owned by one thread; keeps its memory from block to block, up to what one block may need.

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "codec/integers.h"
#include "codec/open_shapes.h"
#include "codec/token_column.h"

namespace tapedeck {

/// Bytes past the end of the values that Write may touch.
inline constexpr size_t kShapeWriteSlack = 32;

class ShapeReader {
 public:
  /// `numbers`: of each message, 0 none. `shapes` stays where it is until the last Write.
  Status Open(std::string_view shapes, std::span<const int64_t> numbers, IntegerDecoder* integers);

  /// Writes the next message of shape `number` at `at` and gives its end; null where that is
  /// past `end`. kShapeWriteSlack bytes past `end` may be written.
  char* Write(size_t number, char* at, const char* end);

 private:
  struct Shape {
    std::vector<uint32_t> pieces;  // bytes of each
    size_t fixed_begin = 0;        // of the first in fixed_
    size_t first_column = 0;
    size_t messages = 0;
    size_t next = 0;
  };
  Status OpenShape(ByteReader* in, Shape* shape, IntegerDecoder* integers);

  std::vector<Shape> shapes_;
  std::vector<TokenColumn> columns_;
  TokenMemory memory_;
  std::vector<uint32_t> order_;  // of the group of the shape being opened
  std::string fixed_;            // pieces of all shapes, and some bytes more
};

}  // namespace tapedeck

#endif  // TAPEDECK_CODEC_SHAPE_READER_H_
