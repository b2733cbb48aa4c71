#include "store/manifest.h"

#include <algorithm>
#include <cstdio>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "store/log_scan.h"

namespace tapedeck::rocks {
namespace {

// Tags of an edit that are written with our options.
enum Tag : uint64_t {
  kComparator = 1,
  kLogNumber = 2,
  kNextFileNumber = 3,
  kLastSequence = 4,
  kCompactCursor = 5,
  kDeletedFile = 6,
  kPrevLogNumber = 9,
  kMinLogNumberToKeep = 10,
  kNewFile4 = 103,
  kColumnFamily = 200,
  kMaxColumnFamily = 203,
};
/// A tag with this bit has a body of blob form and may be skipped.
constexpr uint64_t kMayBeSkipped = uint64_t{1} << 13;
/// Ends the optional fields of a new file; all others have blob form.
constexpr uint64_t kNewFileEnd = 1;

// Keys stand there with sequence number and kind.
std::string UserKey(std::string_view internal) {
  constexpr size_t kTail = 8;
  return std::string(internal.substr(0, internal.size() - std::min(internal.size(), kTail)));
}

void ReadNewFile(ByteReader* edit, ManifestState* state) {
  SstPlace place;
  place.level = edit->Varint();
  const uint64_t number = edit->Varint();
  edit->Varint();  // size
  place.first = UserKey(edit->Blob());
  place.last = UserKey(edit->Blob());
  state->files.insert(number);
  state->places[number] = std::move(place);
  edit->Varint();  // their sequence numbers
  edit->Varint();
  while (edit->ok() && edit->Varint() != kNewFileEnd) edit->Blob();
}

Status Apply(std::string_view record, ManifestState* state) {
  ByteReader edit(record);
  while (edit.ok() && !edit.rest().empty()) {
    const uint64_t tag = edit.Varint();
    switch (tag) {
      case kComparator:
        edit.Blob();
        break;
      case kLogNumber:
      case kMinLogNumberToKeep:
        state->oldest_wal = std::max(state->oldest_wal, edit.Varint());
        break;
      case kNextFileNumber:
      case kLastSequence:
      case kPrevLogNumber:
      case kColumnFamily:
      case kMaxColumnFamily:
        edit.Varint();
        break;
      case kCompactCursor:
        edit.Varint();
        edit.Blob();
        break;
      case kDeletedFile:
        edit.Varint();
        state->files.erase(edit.Varint());
        break;
      case kNewFile4:
        ReadNewFile(&edit, state);
        break;
      default:
        if ((tag & kMayBeSkipped) == 0)
          return Status::Corruption("entry of an unknown kind " + std::to_string(tag));
        edit.Blob();
    }
  }
  if (!edit.ok()) return Status::Corruption("entry that ends early");
  return Status::Ok();
}

}  // namespace

Result<ManifestState> ReadManifest(const std::filesystem::path& manifest) {
  // A file may move to another level in one edit: deleted there, new here, with deletions first.
  ManifestState state;
  Result<LogScan> scan =
      ScanLogFile(manifest, [&](std::string_view record) { return Apply(record, &state); });
  if (!scan.ok()) return scan.status().WithContext(manifest.string());
  if (scan->end == LogScan::End::kDamaged) {
    return Status::Corruption(manifest.string() + " is damaged at byte " +
                              std::to_string(scan->bad_at) + ": " + scan->reason);
  }
  return state;
}

std::filesystem::path SstPath(const std::filesystem::path& dir, uint64_t number) {
  char name[32];
  std::snprintf(name, sizeof(name), "%06llu.sst", static_cast<unsigned long long>(number));
  return dir / name;
}

}  // namespace tapedeck::rocks
