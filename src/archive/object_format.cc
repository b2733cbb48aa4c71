#include "archive/object_format.h"

#include <string>

#include "base/text.h"

namespace tapedeck {

std::string_view ObjectFormatName(ObjectFormat format) {
  switch (format) {
    case ObjectFormat::kParquet:
      return "parquet";
    case ObjectFormat::kNdjsonZstd:
      return "ndjson.zst";
    case ObjectFormat::kNdjsonGzip:
      return "ndjson.gz";
  }
  return "parquet";
}

Result<ObjectFormat> ParseObjectFormat(std::string_view name) {
  for (ObjectFormat format :
       {ObjectFormat::kParquet, ObjectFormat::kNdjsonZstd, ObjectFormat::kNdjsonGzip}) {
    if (name == ObjectFormatName(format)) return format;
  }
  return Status::InvalidArgument("no format of objects is called " + Quoted(name) +
                                 ": there are parquet, ndjson.zst and ndjson.gz");
}

}  // namespace tapedeck
