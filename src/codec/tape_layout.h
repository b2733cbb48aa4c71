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
inline constexpr uint8_t kTapeVersion = 1;

/// zstd's default: a commit must not wait, and level 3 takes about 3 ns a byte.
inline constexpr int kTapeLevelLive = 3;
/// Merging is background work and its blocks are kept for weeks.
inline constexpr int kTapeLevelMerge = 6;

std::string EncodeTapeHeader(const TapeBlockHeader& header);
std::string TapeIdentity(TpId tp, int64_t base_offset);

}  // namespace tapedeck

#endif  // TAPEDECK_CODEC_TAPE_LAYOUT_H_
