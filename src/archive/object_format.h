#ifndef TAPEDECK_ARCHIVE_OBJECT_FORMAT_H_
#define TAPEDECK_ARCHIVE_OBJECT_FORMAT_H_

// ObjectFormat: the formats of record objects, by the words that manifests use.
//
// Thread-safe: pure functions.

#include <cstdint>
#include <string_view>

#include "base/status.h"

namespace tapedeck {

enum class ObjectFormat : uint8_t { kParquet = 0, kNdjsonZstd = 1, kNdjsonGzip = 2 };

/// "parquet", "ndjson.zst", "ndjson.gz": also the end of an object's name.
std::string_view ObjectFormatName(ObjectFormat format);
/// kInvalidArgument for any other word.
Result<ObjectFormat> ParseObjectFormat(std::string_view name);

}  // namespace tapedeck

#endif  // TAPEDECK_ARCHIVE_OBJECT_FORMAT_H_
