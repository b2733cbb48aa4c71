#ifndef TAPEDECK_CODEC_SERIES_BLOCK_H_
#define TAPEDECK_CODEC_SERIES_BLOCK_H_

// Series blocks: rows of one series, in order, as columns.
//
//   // Rows are sorted by (ts, order of origins); table.columns names those of the rows.
//   size_t count = SeriesRowsThatFit(rows, from, limits::kSeriesBlockRows);
//   TD_RETURN_IF_ERROR(EncodeSeriesBlock(key, rows, table.columns, from, count,
//                                        Effort::kLive, &buffers, &bytes));
//
//   TD_ASSIGN_OR_RETURN(SeriesBlockHeader header, ParseSeriesHeader(bytes));  // nothing unpacked
//   TD_RETURN_IF_ERROR(DecodeSeriesBlock(key, bytes, wanted, &buffers, &rows));
//
// What comes back is what was given, value for value: mantissa, scale, text and null; no answer
// depends on where rows were cut into blocks. Time, Kafka time and Origin always come back; of the
// other columns only the wanted ones are unpacked.
//
// Layout, little-endian; docs/formats.md, "Series block":
//   block    := header stored
//   header   := magic:u32="TDSB" version:u8=1 codec:u8 reserved:u16=0 rows:u32
//               content_bytes:u32 stored_bytes:u32 first_ts:i64 last_ts:i64 hash:u64
//   hash     := XXH3-64(stored, seed XXH3-64(header before hash, seed XXH3-64(key)))
//   key      := the store's key, not stored in the block
//   stored   := content by codec (1 as it is, 2 one zstd frame)
//   content  := schemas/series_block.fbs
//
// Errors: kCorruption for bytes that no encoder wrote under that key. Memory of a decode: content
// (limits::kSeriesBlockRawBytesMax), texts (the same), and for each row (kSeriesBlockRowsMax) 64
// bytes and 13 for each wanted column.
//
// Thread-safe, but for the CodecBuffers, which one thread owns.

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/status.h"
#include "base/time.h"
#include "codec/codec_buffers.h"
#include "codec/effort.h"
#include "model/record.h"
#include "model/table.h"

namespace tapedeck {

/// Bytes of the header.
inline constexpr size_t kSeriesHeaderBytes = 44;

/// What can be read without unpacking. Not verified: DecodeSeriesBlock does that.
struct SeriesBlockHeader {
  uint8_t codec = 0;
  uint32_t rows = 0;
  uint32_t content_bytes = 0;
  uint32_t stored_bytes = 0;
  Timestamp first_ts;
  Timestamp last_ts;
  uint64_t hash = 0;
};
/// kCorruption where `block` is no series block of a known version, is cut, or exceeds a limit.
Result<SeriesBlockHeader> ParseSeriesHeader(std::string_view block);

/// How many rows from `from` on fit one block: at most `rows_max`, fewer where their texts are
/// long, at least 1.
size_t SeriesRowsThatFit(const Rows& rows, size_t from, size_t rows_max);

/// Replaces `out` by a block of rows [from, from + count), count > 0. `columns` names those of
/// `rows`, and may have more. `key` is what the block will be stored under. kResourceExhausted: the
/// texts are too long for one block.
Status EncodeSeriesBlock(std::string_view key, const Rows& rows, std::span<const Column> columns,
                         size_t from, size_t count, Effort effort, CodecBuffers* buffers,
                         std::string* out);

/// Replaces `out` by the rows of the block: out->columns are `wanted`, in that order; one that the
/// block lacks is null throughout. After an error `out` holds no rows. kCorruption names what is
/// wrong; a column of another type than wanted is one.
Status DecodeSeriesBlock(std::string_view key, std::string_view block,
                         std::span<const Column> wanted, CodecBuffers* buffers, Rows* out);

}  // namespace tapedeck

#endif  // TAPEDECK_CODEC_SERIES_BLOCK_H_
