#ifndef TAPEDECK_CODEC_TAPE_LAYOUT_H_
#define TAPEDECK_CODEC_TAPE_LAYOUT_H_

// The header of a tape block as bytes, and its constants. Private to codec; the grammar is in
// codec/tape_block.h.
//
// Thread-safe: pure functions.

#include <cstdint>
#include <string>

#include "codec/tape_block.h"

namespace tapedeck {

inline constexpr uint32_t kTapeMagic = 0x42544454;  // "TDTB"
/// Without shapes and with them.
inline constexpr uint8_t kTapeVersionPlain = 1;
inline constexpr uint8_t kTapeVersionShaped = 2;

/// A shape with fewer messages does not pay for its columns.
inline constexpr size_t kTapeShapeMessagesMin = 16;
/// Live, a shape has at least so many messages for each of its slots: a column takes some
/// microseconds however short it is.
inline constexpr size_t kTapeMessagesPerSlotLive = 5;
/// Raw bytes below which a merged block is tried both with and without its shapes.
inline constexpr size_t kTapeTryBothBytes = size_t{64} << 10;

/// On JSON of exchanges level 1 is as dense as level 3 (0.9 to 1.1 of its bytes) and takes 2.4 ns a
/// byte instead of 3.4.
inline constexpr int kTapeLevelLive = 1;
/// Merging is background work and its blocks are kept for weeks.
inline constexpr int kTapeLevelMerge = 6;

std::string EncodeTapeHeader(const TapeBlockHeader& header);
std::string TapeIdentity(TpId tp, int64_t base_offset);

}  // namespace tapedeck

#endif  // TAPEDECK_CODEC_TAPE_LAYOUT_H_
