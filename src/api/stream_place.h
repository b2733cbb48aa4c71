#ifndef TAPEDECK_API_STREAM_PLACE_H_
#define TAPEDECK_API_STREAM_PLACE_H_

// StreamPlace: where a stream of messages stands, as the `cursor` that each of its lines carries.
//
//   std::string text = EncodeStreamPlace(place);
//   TD_ASSIGN_OR_RETURN(StreamPlace again, DecodeStreamPlace(text));   // kInvalidArgument
//   if (again.query != hash) …                                          // of another stream
//
// It holds everything that a node needs to go on behind that line: the times of the selection as
// they were resolved first, the ranges of offsets that were frozen then, and the position within
// them; or, of live data, the next offset of each tape. So a stream goes on after a restart, too.
//
//   cursor := base64url( version:u8=1 query:u64 live:u8 start:zigzag end:zigzag sent:varint
//                        topics:varint { topic:blob tapes:varint { partition:zigzag
//                        lineage:varint from:zigzag size:varint } } after:bytes check:u32 )
//
// Thread-safe: pure functions.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "base/time.h"
#include "model/manifest.h"
#include "tape/tape_cursor.h"

namespace tapedeck {

struct StreamPlace {
  uint64_t query = 0;  // hash of path and parameters but cursor
  bool live = false;
  Timestamp start = Timestamp::Min();
  Timestamp end = Timestamp::Max();
  /// Of the next message so many lines were sent already (a message may give several records).
  uint64_t sent = 0;
  /// History: what was frozen, [from, to); where both are equal a tape has none. Live: `from` and
  /// `to` are the next offset. By (topic, partition, lineage); clusters are left out.
  std::vector<TapeRange> ranges;
  /// History: behind this message; nullopt: from the first.
  std::optional<MessagePosition> after;
  bool operator==(const StreamPlace&) const = default;
};

std::string EncodeStreamPlace(const StreamPlace& place);
Result<StreamPlace> DecodeStreamPlace(std::string_view text);

}  // namespace tapedeck

#endif  // TAPEDECK_API_STREAM_PLACE_H_
