#include "archive/names.h"

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <optional>

#include "archive/name_owner.h"
#include "base/hash.h"
#include "base/text.h"
#include "blob/blob_name.h"
#include "model/table.h"

namespace tapedeck {
namespace {

constexpr size_t kHashDigits = 24;
constexpr size_t kStoreIdBytesMax = 32;

std::string Digits(uint64_t number, int width) {
  char text[32];
  std::snprintf(text, sizeof(text), "%0*llu", width, static_cast<unsigned long long>(number));
  return text;
}

std::string Generation(uint32_t generation) { return "g" + Digits(generation, 3); }
std::string Partition(int32_t partition) {
  return "p" + Digits(static_cast<uint32_t>(partition), 5);
}
std::string Lineage(uint32_t lineage) { return "l" + std::to_string(lineage); }

std::string TapePlace(const ArchiveTape& tape) {
  return Lineage(tape.lineage) + "-" + Partition(tape.partition) + "-" + std::to_string(tape.from) +
         "-" + std::to_string(tape.to - 1);
}

// Reads a name from either end. Each Take gives nothing and leaves `ok` false where the rest does
// not begin, or end, as it must.
class NameReader {
 public:
  explicit NameReader(std::string_view rest) : rest_(rest) {}
  bool ok() const { return ok_; }
  std::string_view rest() const { return rest_; }
  void Fail() { ok_ = false; }

  bool Skip(std::string_view text) {
    if (!rest_.starts_with(text)) return false;
    rest_.remove_prefix(text.size());
    return true;
  }
  void Need(std::string_view text) { ok_ = Skip(text) && ok_; }
  std::string_view TakeThrough(char end) {
    const size_t at = rest_.find(end);
    if (at == rest_.npos) return Nothing();
    const std::string_view taken = rest_.substr(0, at);
    rest_.remove_prefix(at + 1);
    return taken;
  }
  // What stands behind the last `before`, which goes, too.
  std::string_view TakeLast(char before) {
    const size_t at = rest_.rfind(before);
    if (at == rest_.npos) return Nothing();
    const std::string_view taken = rest_.substr(at + 1);
    rest_ = rest_.substr(0, at);
    return taken;
  }
  // A number after `letter` ('\0': none) with at least `width` digits, and no zeros before more.
  template <typename T>
  T Number(std::string_view text, char letter, size_t width) {
    if (letter != '\0') {
      if (text.empty() || text.front() != letter) return Fail(T{});
      text.remove_prefix(1);
    }
    T value{};
    if (text.size() < width || (text.size() > width && text.size() > 1 && text.front() == '0'))
      return Fail(T{});
    for (char c : text) {
      if (c < '0' || c > '9') return Fail(T{});
    }
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size()) return Fail(T{});
    return value;
  }

 private:
  template <typename T>
  T Fail(T value) {
    ok_ = false;
    return value;
  }
  std::string_view Nothing() {
    ok_ = false;
    return {};
  }
  std::string_view rest_;
  bool ok_ = true;
};

bool IsStoreId(std::string_view text) {
  if (text.empty() || text.size() > kStoreIdBytesMax) return false;
  for (char c : text) {
    if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z'))) return false;
  }
  return true;
}

bool IsNameHash(std::string_view text) {
  if (text.size() != kHashDigits) return false;
  for (char c : text) {
    if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'))) return false;
  }
  return true;
}

bool IsPart(std::string_view text) {
  return !text.empty() && text.size() <= kNamePartBytesMax && text.front() != '.';
}

void ReadDay(std::string_view text, NameReader* in, ArchiveName* out) {
  Result<Day> day = ParseDay(text);
  if (!day.ok() || day->ToString() != text) return in->Fail();
  out->day = *day;
}

void ReadTable(std::string_view text, NameReader* in, ArchiveName* out) {
  if (!CheckTableName(text).ok()) in->Fail();
  out->table = text;
}

// …-<store>-g000 (and -<nn>) or …-<store>-l0-p00003-<first>-<last>, before -<hash>.<format>.
void ReadFile(NameReader* in, ArchiveName* out) {
  // Formats have dots inside, cut parts of names, too: the ending begins behind the hash.
  const std::string_view last = in->TakeLast('-');
  const size_t dot = last.find('.');
  out->hash = last.substr(0, dot);
  out->format = dot == last.npos ? "" : last.substr(dot + 1);
  const bool manifest =
      out->kind == ArchiveNameKind::kRecordManifest || out->kind == ArchiveNameKind::kTapeManifest;
  const bool known = manifest ? out->format == "json"
                              : out->format == "parquet" || out->format == "ndjson.zst" ||
                                    out->format == "ndjson.gz";
  if (!IsNameHash(out->hash) || !known) in->Fail();
}

void ReadStore(NameReader* in, ArchiveName* out) {
  out->store = in->TakeLast('-');
  if (!IsStoreId(out->store)) in->Fail();
}

void ReadTape(NameReader* in, ArchiveName* out) {
  const int64_t last = in->Number<int64_t>(in->TakeLast('-'), '\0', 1);
  out->from = in->Number<int64_t>(in->TakeLast('-'), '\0', 1);
  if (last < out->from || last == INT64_MAX) return in->Fail();
  out->to = last + 1;
  out->partition = in->Number<int32_t>(in->TakeLast('-'), 'p', 5);
  out->lineage = in->Number<uint32_t>(in->TakeLast('-'), 'l', 1);
}

void ReadManifest(NameReader* in, ArchiveName* out) {
  out->node_part = in->TakeThrough('/');
  const std::string_view place = in->TakeThrough('/');
  if (place == "backup") {
    out->kind = ArchiveNameKind::kBackup;
    ReadDay(in->rest().substr(0, 10), in, out);
    std::string_view folder = in->TakeThrough('/');
    if (folder.size() <= 11 || folder[10] != '-' || in->rest().empty()) return in->Fail();
    folder.remove_prefix(11);
    out->store = folder.substr(0, folder.find('-'));
    out->hash = folder.substr(std::min(folder.size(), out->store.size() + 1));
    if (!IsStoreId(out->store) || !IsNameHash(out->hash)) in->Fail();
    return;
  }
  ReadDay(place, in, out);
  const bool tape = in->Skip("tape-");
  out->kind = tape ? ArchiveNameKind::kTapeManifest : ArchiveNameKind::kRecordManifest;
  ReadFile(in, out);
  if (tape) {
    ReadTape(in, out);
  } else {
    out->generation = in->Number<uint32_t>(in->TakeLast('-'), 'g', 3);
  }
  ReadStore(in, out);
  if (tape) {
    out->topic_part = in->rest();
    if (!IsPart(out->topic_part)) in->Fail();
  } else {
    ReadTable(in->rest(), in, out);
  }
}

void ReadMessage(NameReader* in, ArchiveName* out) {
  out->kind = ArchiveNameKind::kMessage;
  out->topic_part = in->TakeThrough('/');
  out->partition = in->Number<int32_t>(in->TakeThrough('/'), 'p', 5);
  const std::string_view file = in->rest();
  const size_t dash = file.find('-');
  const size_t dot = file.find('.');
  if (dash != 20 || dot == file.npos || dot < dash || file.substr(dot) != ".json") {
    return in->Fail();
  }
  out->from = in->Number<int64_t>(file.substr(0, dash), '\0', 20);
  out->to = out->from == INT64_MAX ? out->from : out->from + 1;
  out->lineage = in->Number<uint32_t>(file.substr(dash + 1, dot - dash - 1), 'l', 1);
  out->format = "json";
}

void ReadObject(NameReader* in, ArchiveName* out) {
  const bool tape = in->Skip("tape/");
  out->kind = tape ? ArchiveNameKind::kTapeObject : ArchiveNameKind::kRecordObject;
  if (tape) {
    out->topic_part = in->TakeThrough('/');
  } else {
    ReadTable(in->TakeThrough('/'), in, out);
  }
  in->Need("dt=");
  ReadDay(in->TakeThrough('/'), in, out);
  ReadFile(in, out);
  if (tape) {
    ReadTape(in, out);
  } else {
    out->number = in->Number<uint32_t>(in->TakeLast('-'), '\0', 2);
    out->generation = in->Number<uint32_t>(in->TakeLast('-'), 'g', 3);
  }
  ReadStore(in, out);
  out->node_part = in->rest();
}

}  // namespace

std::string NameHash(std::string_view content_hash, std::string_view writer_version) {
  std::string both(content_hash);
  both += '\0';  // in neither of them
  both += writer_version;
  return HashBytes(both).ToString().substr(0, kHashDigits);
}

std::string RecordObjectName(const ArchiveOwner& owner, std::string_view table, Day day,
                             uint32_t generation, uint32_t number, const ArchiveFile& file) {
  return RecordObjectsPrefix(table, day) + EncodeNamePart(owner.node) + "-" + owner.store + "-" +
         Generation(generation) + "-" + Digits(number, 2) + "-" + file.hash + "." + file.format;
}

std::string TapeObjectName(const ArchiveOwner& owner, const ArchiveTape& tape, Day day,
                           const ArchiveFile& file) {
  return TapeObjectsPrefix(tape.topic) + "dt=" + day.ToString() + "/" + EncodeNamePart(owner.node) +
         "-" + owner.store + "-" + TapePlace(tape) + "-" + file.hash + "." + file.format;
}

std::string RecordManifestName(const ArchiveOwner& owner, std::string_view table, Day day,
                               uint32_t generation, std::string_view hash) {
  return ManifestsPrefix(owner.node, day) + std::string(table) + "-" + owner.store + "-" +
         Generation(generation) + "-" + std::string(hash) + ".json";
}

std::string TapeManifestName(const ArchiveOwner& owner, const ArchiveTape& tape, Day day,
                             std::string_view hash) {
  return ManifestsPrefix(owner.node, day) + "tape-" + EncodeNamePart(tape.topic) + "-" +
         owner.store + "-" + TapePlace(tape) + "-" + std::string(hash) + ".json";
}

std::string MessageObjectName(std::string_view topic, int32_t partition, int64_t offset,
                              uint32_t lineage) {
  return "messages/" + EncodeNamePart(topic) + "/" + Partition(partition) + "/" +
         Digits(static_cast<uint64_t>(offset), 20) + "-" + Lineage(lineage) + ".json";
}

std::string BackupPrefix(const ArchiveOwner& owner, Day date, std::string_view hash) {
  return BackupsPrefix(owner.node) + date.ToString() + "-" + owner.store + "-" + std::string(hash) +
         "/";
}

std::string ManifestsPrefix(std::string_view node) {
  return std::string(kManifestsPrefix) + EncodeNamePart(node) + "/";
}
std::string ManifestsPrefix(std::string_view node, Day day) {
  return ManifestsPrefix(node) + day.ToString() + "/";
}
std::string BackupsPrefix(std::string_view node) { return ManifestsPrefix(node) + "backup/"; }

std::string RecordObjectsPrefix(std::string_view table) { return std::string(table) + "/"; }
std::string RecordObjectsPrefix(std::string_view table, Day day) {
  return RecordObjectsPrefix(table) + "dt=" + day.ToString() + "/";
}
std::string TapeObjectsPrefix(std::string_view topic) {
  return "tape/" + EncodeNamePart(topic) + "/";
}

Result<ArchiveName> ParseArchiveName(std::string_view name) {
  TD_RETURN_IF_ERROR(CheckBlobName(name));
  NameReader in(name);
  ArchiveName out;
  if (in.Skip(kManifestsPrefix)) {
    ReadManifest(&in, &out);
  } else if (in.Skip("messages/")) {
    ReadMessage(&in, &out);
  } else {
    ReadObject(&in, &out);
  }
  if (out.kind != ArchiveNameKind::kMessage && !IsPart(out.node_part)) in.Fail();
  const bool topic =
      out.kind == ArchiveNameKind::kMessage || out.kind == ArchiveNameKind::kTapeObject;
  if (topic && !IsPart(out.topic_part)) in.Fail();
  if (in.ok()) return out;
  return Status::InvalidArgument(Quoted(name, 200) + " is not a name of the archive");
}

bool IsOfAnotherStore(std::string_view name, std::string_view store) {
  const Result<ArchiveName> read = ParseArchiveName(name);
  return read.ok() && !read->store.empty() && read->store != store;
}

}  // namespace tapedeck
