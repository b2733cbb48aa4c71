#ifndef TAPEDECK_API_PAGE_TOKEN_H_
#define TAPEDECK_API_PAGE_TOKEN_H_

// PageToken: where the next page of an answer begins, bound to the query that it came from.
//
//   std::string text = EncodePageToken({hash, start, end, position});
//   TD_ASSIGN_OR_RETURN(PageToken token, DecodePageToken(text));     // kInvalidArgument
//   if (token.query != hash) …                                       // of another query
//
// It keeps the times of the range as they were resolved for the first page: "now-15m" does not move
// while a client pages.
//
// And the state of the own store, so that a reindex between two pages does not mix its rows with
// the earlier ones. Not of what other nodes shipped, nor for `latest`: see docs/reindex.md.
//
//   token := base64url( version:u8=1 query:u64 start:zigzag end:zigzag position:bytes check:u32 )
//          | base64url( version:u8=2 query:u64 start:zigzag end:zigzag flush:varint position:bytes
//            check:u32 )
//
// Thread-safe: pure functions.

#include <cstdint>
#include <string>
#include <string_view>

#include "base/status.h"
#include "base/time.h"

namespace tapedeck {

struct PageToken {
  uint64_t query = 0;  // hash of path and parameters but limit and page_token
  Timestamp start = Timestamp::Min();
  Timestamp end = Timestamp::Max();
  std::string position;  // of the cursor: its own encoding
  /// The last flush of the state that the first page read; the greatest number: the newest state.
  uint64_t flush = UINT64_MAX;
};

std::string EncodePageToken(const PageToken& token);
Result<PageToken> DecodePageToken(std::string_view text);

}  // namespace tapedeck

#endif  // TAPEDECK_API_PAGE_TOKEN_H_
