#ifndef TAPEDECK_CODEC_CODEC_STATE_H_
#define TAPEDECK_CODEC_CODEC_STATE_H_

// What is inside CodecBuffers, and the frame of both kinds of block: how content is compressed and
// hashed. Private to codec.
//
// Owned by one thread.

#include <flatbuffers/flatbuffers.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/zstd.h"
#include "codec/codec_buffers.h"
#include "codec/integers.h"
#include "codec/shape_reader.h"
#include "codec/token_column.h"

namespace tapedeck {

/// Persisted in the header of a block: how its content is stored.
enum class BlockCodec : uint8_t {
  kStored = 1,  // as it is: zstd gained less than kZstdGainMin
  kZstd = 2,    // one zstd frame
};

/// A block is stored uncompressed where zstd takes off less than a twentieth: reading is then
/// several times faster.
inline constexpr size_t kZstdGainDivisor = 20;

/// Memory of a buffer above this is given back after use: room for a block of common size, not for
/// a giant message.
inline constexpr size_t kBufferKeptBytes = size_t{4} << 20;

struct ColumnDraft;

struct CodecBuffers::State {
  State();
  ~State();

  Compressor compressor;
  Decompressor decompressor;
  IntegerEncoder integers;
  IntegerDecoder integer_decoder;
  flatbuffers::FlatBufferBuilder builder{size_t{64} << 10};
  std::string content;           // of the block being read
  std::vector<int64_t> numbers;  // a column
  std::vector<int64_t> others;
  std::string stream;    // an encoded column
  std::string shapes;    // encoded shapes of the tape block being written
  std::string unshaped;  // values of its messages without a shape
  TokenColumnEncoder tokens;
  ShapeReader shape_reader;
  std::vector<ColumnDraft> drafts;  // columns of the series block being written

  void Trim();
};

/// Appends `content`, compressed at `level` (0: not at all) where that pays, and returns how.
Result<BlockCodec> AppendContent(std::string_view content, int level, Compressor* compressor,
                                 std::string* out);

/// Replaces `out` by the content of `stored`. kCorruption where it is not of exactly
/// `content_bytes`.
Status ReadContent(uint8_t codec, std::string_view stored, size_t content_bytes,
                   Decompressor* decompressor, std::string* out);

/// XXH3-64 of the content as stored, seeded by the hash of what identifies and describes it: a
/// block under another key, or with another header, does not match.
uint64_t HashBlock(std::string_view identity, std::string_view header, std::string_view stored);

/// Bytes of a FlatBuffers vector; "" where it is absent.
std::string_view View(const flatbuffers::Vector<uint8_t>* bytes);

}  // namespace tapedeck

#endif  // TAPEDECK_CODEC_CODEC_STATE_H_
