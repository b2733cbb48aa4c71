#include "replay/progress.h"

#include "base/bytes.h"
#include "base/encoding.h"

namespace tapedeck {
namespace {

constexpr uint8_t kVersion = 1;
constexpr uint8_t kWithRecords = 2;

}  // namespace

SinkProgress EncodeProgress(const ReplayProgress& progress) {
  const ReplayNote& note = progress.note;
  std::string bytes(1, static_cast<char>(note.records > 0 ? kWithRecords : kVersion));
  PutLittle64(&bytes, progress.owner);
  PutVarint(&bytes, progress.command);
  PutVarint(&bytes, note.bytes);
  PutLittle64(&bytes, note.digest.high);
  PutLittle64(&bytes, note.digest.low);
  bytes.push_back(note.shifted ? 1 : 0);
  PutVarint(&bytes, ZigZag(note.shift_ms));
  PutBlob(&bytes, note.position);
  if (note.records > 0) PutVarint(&bytes, note.records);
  return {.next_seq = static_cast<int64_t>(note.next_seq), .metadata = ToBase64(bytes)};
}

Result<ReplayProgress> DecodeProgress(const SinkProgress& read) {
  const Status foreign =
      Status::Corruption("the job's group in the target holds an offset that is not the job's");
  Result<std::string> bytes = FromBase64(read.metadata);
  if (!bytes.ok() || read.next_seq < 1) return foreign;
  ByteReader reader(*bytes);
  ReplayProgress progress;
  const uint8_t version = reader.Byte();
  if (version != kVersion && version != kWithRecords) reader.Fail();
  progress.owner = reader.Little64();
  progress.command = reader.Varint();
  ReplayNote& note = progress.note;
  note.next_seq = static_cast<uint64_t>(read.next_seq);
  note.bytes = reader.Varint();
  note.digest.high = reader.Little64();
  note.digest.low = reader.Little64();
  note.shifted = reader.Byte() != 0;
  note.shift_ms = UnZigZag(reader.Varint());
  note.position = reader.Blob();
  if (version == kWithRecords) note.records = static_cast<uint32_t>(reader.Varint());
  if (!reader.done()) return foreign;
  return progress;
}

}  // namespace tapedeck
