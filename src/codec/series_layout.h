#ifndef TAPEDECK_CODEC_SERIES_LAYOUT_H_
#define TAPEDECK_CODEC_SERIES_LAYOUT_H_

// The header of a series block as bytes, and the names of its own columns. Private to codec; the
// grammar is in codec/series_block.h.
//
// Thread-safe: pure functions.

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "codec/series_block.h"

namespace tapedeck {

inline constexpr uint32_t kSeriesMagic = 0x42534454;  // "TDSB"
inline constexpr uint8_t kSeriesVersion = 1;

/// Packed columns gain little above level 1; a flush encodes every row that is recorded.
inline constexpr int kSeriesLevelLive = 1;
inline constexpr int kSeriesLevelMerge = 6;

/// Content below this is tried with zstd as a whole: a quarter of it is names and offsets.
inline constexpr size_t kSeriesSmallBytes = 2048;

/// Texts of one block, as decoded: half of what a decoder accepts.
inline constexpr size_t kSeriesTextBytesMax = limits::kSeriesBlockRawBytesMax / 2;

/// The first columns of every block, in this order. No column of a table may have such a name.
/// "topic" holds tp ids, which stand for (cluster, topic, lineage, partition).
enum class OwnColumn : uint8_t { kTs = 0, kTsKafka = 1, kTopic = 2, kOffset = 3, kIndex = 4 };
inline constexpr std::array<std::string_view, 5> kOwnColumns = {"ts", "ts_kafka", "topic", "offset",
                                                                "index"};

std::string EncodeSeriesHeader(const SeriesBlockHeader& header);

}  // namespace tapedeck

#endif  // TAPEDECK_CODEC_SERIES_LAYOUT_H_
