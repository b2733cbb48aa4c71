#ifndef TAPEDECK_API_MEDIA_TYPE_H_
#define TAPEDECK_API_MEDIA_TYPE_H_

// Which form an answer takes: by `format=`, else by Accept; and whether it is compressed, by
// Accept-Encoding (RFC 9110, sections 12.5.1 and 12.5.3).
//
//   NegotiateFormat("text/csv;q=0.8, */*;q=0.1", kAll)   // kCsv
//   NegotiateCoding("gzip, zstd")                         // kZstd: of equals the cheaper one
//
// Thread-safe: pure functions.

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "base/stream_compressor.h"

namespace tapedeck {

enum class AnswerForm : uint8_t { kJson = 0, kNdjson, kCsv, kArrow, kParquet };

/// "json", "ndjson", "csv", "arrow", "parquet".
std::string_view FormName(AnswerForm form);
std::string_view ContentTypeOf(AnswerForm form);
bool IsText(AnswerForm form);

/// The best of `offered` by the header; the first one where the header is empty or takes anything.
std::optional<AnswerForm> NegotiateForm(std::string_view accept,
                                        std::span<const AnswerForm> offered);

/// nullopt: not compressed.
std::optional<StreamCoding> NegotiateCoding(std::string_view accept_encoding);
/// "gzip", "zstd".
std::string_view CodingName(StreamCoding coding);

}  // namespace tapedeck

#endif  // TAPEDECK_API_MEDIA_TYPE_H_
