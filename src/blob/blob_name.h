#ifndef TAPEDECK_BLOB_BLOB_NAME_H_
#define TAPEDECK_BLOB_BLOB_NAME_H_

// Names of objects: what may be one, and how any bytes become a part of one.
//
// name    := segment { "/" segment }             at most kBlobNameBytesMax bytes
// segment := 1 to 240 of  A-Z a-z 0-9 _ - . = %   not beginning with "."
//
// So a name is the same text as a key of S3, a blob of Azure and a path under a folder, nothing in
// it means anything to a shell or a file system, and a name that begins with "." is free for
// temporary files. Topics and symbols are bytes; they go in through EncodeNamePart:
//
//   "tape/" + EncodeNamePart(topic) + "/dt=" + day.ToString() + "/..."
//   EncodeNamePart("btc/usd.perp")   // "btc%2Fusd%2Eperp"
//
// Thread-safe: pure functions.

#include <cstddef>
#include <string>
#include <string_view>

#include "base/status.h"

namespace tapedeck {

/// S3 and Azure take 1,024; the rest is left to the prefix of the store.
inline constexpr size_t kBlobNameBytesMax = 800;
/// File systems take 255; the rest is left to temporary names.
inline constexpr size_t kBlobSegmentBytesMax = 240;
/// An encoded part; several and a date, a hash and an ending fit a segment.
inline constexpr size_t kNamePartBytesMax = 120;

/// kInvalidArgument with what is wrong.
Status CheckBlobName(std::string_view name);
/// The same for what List takes: a beginning of a name, empty included.
Status CheckBlobPrefix(std::string_view prefix);

/// Letters, digits, '_' and '-' stay, every other byte becomes %XX. What would be longer than
/// kNamePartBytesMax is cut, and "." and 32 hexadecimal digits of a hash of the whole (XXH3-128)
/// follow: different bytes have different parts, and a cut one is not mistaken for a whole one.
/// Empty bytes become "%".
std::string EncodeNamePart(std::string_view bytes);
/// The bytes again; kInvalidArgument where the part was cut or is none.
Result<std::string> DecodeNamePart(std::string_view part);

}  // namespace tapedeck

#endif  // TAPEDECK_BLOB_BLOB_NAME_H_
