#ifndef TAPEDECK_API_ROW_ANSWER_H_
#define TAPEDECK_API_ROW_ANSWER_H_

// AnswerRows: rows as a buffered page, with its length and a link to the next one, or as a stream
// that ends with trailers. The first rows are made before the status line is known, so that most
// failures still get a status of their own.
//
// Owned by one thread.

#include <cstdint>
#include <memory>
#include <optional>

#include "api/call.h"
#include "api/page_token.h"
#include "api/row_producer.h"

namespace tapedeck {

/// A page has at most so many rows.
inline constexpr int64_t kPageRowsMax = 50'000;
/// What `json` gives where nothing is said.
inline constexpr uint64_t kPageRowsDefault = 1'000;
/// A page of more bytes is refused (422): it would have to be held whole.
inline constexpr size_t kPageBytesMax = size_t{64} << 20;

/// A body of more bytes counts as a read until it has left, also where its route took nothing.
inline constexpr size_t kHeldFrom = size_t{64} << 10;

/// What range queries of all kinds have in common.
struct RowAsk {
  RowForm form;
  std::optional<uint64_t> page_rows;  // nullopt: a stream
  std::optional<PageToken> token;     // of the page before
  bool wants_position() const { return page_rows.has_value(); }
};

/// Reads format, ts, numbers, limit, page_token, end_marker. A Problem: nothing of `offered` is
/// acceptable, or a stream is asked for in HTTP/1.0. Other mistakes are left in call->parameters.
std::optional<Problem> ReadRowAsk(Call* call, std::span<const AnswerForm> offered, RowAsk* ask);

/// `instead`: the parameter that can make it smaller.
Problem PageTooLarge(std::string_view instead, std::string detail);

struct RowAnswer {
  std::unique_ptr<RowProducer> producer;
  std::shared_ptr<ReadLease> lease;
  HttpResponse response;  // its headers so far
  PageToken token;        // of the next page, but for its position
};
Answer AnswerRows(Call* call, const RowAsk& ask, RowAnswer answer);

/// Room for one short read; null where there is none: kOverloaded.
std::shared_ptr<ReadLease> TakeLease(const Call& call);
/// Room for rows, in *lease; kOverloaded, or kRateLimited for one stream too many of a client.
std::optional<Problem> TakeRowLease(const Call& call, const RowAsk& ask,
                                    std::shared_ptr<ReadLease>* lease);
Problem NoSlot();
/// The body is made: `lease` becomes what is held until it has left. kRateLimited: too much waits
/// for this client already.
std::optional<Problem> HoldBody(const Call& call, std::shared_ptr<ReadLease> lease,
                                HttpResponse* response);

}  // namespace tapedeck

#endif  // TAPEDECK_API_ROW_ANSWER_H_
