#include "query/record_query.h"

#include "base/bytes.h"
#include "base/limits.h"

namespace tapedeck {
namespace {

constexpr uint8_t kVersion = 1;

}  // namespace

std::string RecordPosition::Encode() const {
  std::string out(1, static_cast<char>(kVersion));
  PutVarint(&out, ZigZag(ts.ns()));
  PutBlob(&out, symbol);
  PutBlob(&out, topic);
  PutVarint(&out, ZigZag(partition));
  PutVarint(&out, lineage);
  PutVarint(&out, ZigZag(offset));
  PutVarint(&out, index);
  PutVarint(&out, identity.size());
  for (const auto& field : identity) {
    out.push_back(field ? 1 : 0);
    PutBlob(&out, field ? *field : std::string());
  }
  return out;
}

Result<RecordPosition> RecordPosition::Decode(std::string_view bytes) {
  ByteReader reader(bytes);
  RecordPosition position;
  if (reader.Byte() != kVersion) reader.Fail();
  position.ts = Timestamp(UnZigZag(reader.Varint()));
  position.symbol = reader.Blob();
  position.topic = reader.Blob();
  position.partition = static_cast<int32_t>(UnZigZag(reader.Varint()));
  position.lineage = static_cast<uint32_t>(reader.Varint());
  position.offset = UnZigZag(reader.Varint());
  position.index = static_cast<uint32_t>(reader.Varint());
  const uint64_t fields = reader.Varint();
  if (fields > limits::kTableColumnsMax) reader.Fail();
  for (uint64_t i = 0; reader.ok() && i < fields; ++i) {
    const bool present = reader.Byte() == 1;
    std::string text(reader.Blob());
    position.identity.push_back(present ? std::optional(std::move(text)) : std::nullopt);
  }
  if (!reader.done()) return Status::InvalidArgument("this is not a position in an answer");
  return position;
}

}  // namespace tapedeck
