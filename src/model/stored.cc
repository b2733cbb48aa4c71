#include "model/stored.h"

#include "base/bytes.h"

namespace tapedeck {
namespace {

constexpr uint8_t kVersion = 1;
constexpr uint8_t kCatalogWithLast = 2;
constexpr uint8_t kDayWithTimes = 2;
constexpr uint8_t kDayWithNumbers = 3;

void PutSigned(std::string* out, int64_t value) { PutVarint(out, ZigZag(value)); }
int64_t Signed(ByteReader* reader) { return UnZigZag(reader->Varint()); }

void PutHash(std::string* out, const Hash128& hash) {
  PutBig64(out, hash.high);
  PutBig64(out, hash.low);
}

Hash128 ReadHash(ByteReader* reader) {
  Hash128 hash;
  hash.high = reader->Big64();
  hash.low = reader->Big64();
  return hash;
}

void PutLandmark(std::string* out, const Landmark& landmark) {
  PutSigned(out, landmark.offset);
  PutHash(out, landmark.hash);
}

Landmark ReadLandmark(ByteReader* reader) {
  Landmark landmark;
  landmark.offset = Signed(reader);
  landmark.hash = ReadHash(reader);
  return landmark;
}

std::string Start() { return std::string(1, static_cast<char>(kVersion)); }

// Reads the version byte and fails on any other than ours.
ByteReader Open(std::string_view bytes) {
  ByteReader reader(bytes);
  if (reader.Byte() != kVersion) reader.Fail();
  return reader;
}

// The status of a finished read.
Status Finish(const ByteReader& reader, std::string_view what) {
  if (reader.done()) return Status::Ok();
  return Status::Corruption("stored " + std::string(what) +
                            " entry is damaged or of another version");
}

// Counts that follow in a list of elements of at least `bytes_each`: bounds what a damaged count
// can allocate.
bool Plausible(const ByteReader& reader, uint64_t count, size_t bytes_each) {
  return reader.ok() && count <= reader.rest().size() / bytes_each;
}

}  // namespace

std::string EncodeCheckpoint(const Checkpoint& c) {
  std::string out = Start();
  PutSigned(&out, c.start);
  PutSigned(&out, c.next);
  PutLandmark(&out, c.last);
  PutLandmark(&out, c.anchor);
  PutHash(&out, c.digest);
  PutHash(&out, c.mapping);
  PutSigned(&out, c.watermark);
  PutVarint(&out, c.messages);
  PutVarint(&out, c.records);
  PutVarint(&out, c.refused);
  PutVarint(&out, c.skipped);
  PutSigned(&out, c.run_start);
  PutSigned(&out, c.kafka_max_ms);
  return out;
}

Result<Checkpoint> DecodeCheckpoint(std::string_view bytes) {
  ByteReader reader = Open(bytes);
  Checkpoint c;
  c.start = Signed(&reader);
  c.next = Signed(&reader);
  c.last = ReadLandmark(&reader);
  c.anchor = ReadLandmark(&reader);
  c.digest = ReadHash(&reader);
  c.mapping = ReadHash(&reader);
  c.watermark = Signed(&reader);
  c.messages = reader.Varint();
  c.records = reader.Varint();
  c.refused = reader.Varint();
  c.skipped = reader.Varint();
  c.run_start = Signed(&reader);
  c.kafka_max_ms = Signed(&reader);
  TD_RETURN_IF_ERROR(Finish(reader, "checkpoint"));
  if (c.start > c.next || c.watermark > c.next || c.last.offset >= c.next) {
    return Status::Corruption("stored checkpoint contradicts itself");
  }
  return c;
}

std::string_view GapReasonName(GapReason reason) {
  switch (reason) {
    case GapReason::kRetention:
      return "retention";
    case GapReason::kElsewhere:
      return "elsewhere";
    case GapReason::kElsewhereMaybe:
      return "elsewhere?";
    case GapReason::kHeld:
      return "held";
    case GapReason::kSkipped:
      return "skipped";
    case GapReason::kRetain:
      return "retain";
    case GapReason::kOwnReplay:
      return "own-replay";
    case GapReason::kDamaged:
      return "damaged";
  }
  return "unknown";
}

std::string EncodeGap(const Gap& gap) {
  std::string out = Start();
  PutSigned(&out, gap.to);
  out.push_back(static_cast<char>(gap.reason));
  PutSigned(&out, gap.kafka_before_ms);
  PutSigned(&out, gap.kafka_after_ms);
  PutSigned(&out, gap.event_before_ns);
  PutSigned(&out, gap.event_after_ns);
  PutSigned(&out, gap.noticed_at.ns());
  PutBlob(&out, gap.detail);
  return out;
}

Result<Gap> DecodeGap(int64_t from, std::string_view bytes) {
  ByteReader reader = Open(bytes);
  Gap gap;
  gap.from = from;
  gap.to = Signed(&reader);
  uint8_t reason = reader.Byte();
  gap.reason = static_cast<GapReason>(reason);
  gap.kafka_before_ms = Signed(&reader);
  gap.kafka_after_ms = Signed(&reader);
  gap.event_before_ns = Signed(&reader);
  gap.event_after_ns = Signed(&reader);
  gap.noticed_at = Timestamp(Signed(&reader));
  gap.detail = reader.Blob();
  TD_RETURN_IF_ERROR(Finish(reader, "gap"));
  if (reason < 1 || reason > static_cast<uint8_t>(GapReason::kDamaged) || gap.to <= gap.from)
    return Status::Corruption("stored gap contradicts itself");
  return gap;
}

std::string EncodeTapeIndex(const TapeIndexEntry& x) {
  std::string out = Start();
  PutVarint(&out, x.count);
  PutVarint(&out, x.raw_bytes);
  PutSigned(&out, x.first_offset);
  PutSigned(&out, x.last_offset);
  PutSigned(&out, x.kafka_min_ms);
  PutSigned(&out, x.kafka_max_ms);
  PutSigned(&out, x.kafka_running_max_ms);
  PutSigned(&out, x.event_min_ns);
  PutSigned(&out, x.event_max_ns);
  PutHash(&out, x.mapping);
  PutVarint(&out, x.records);
  out.push_back(x.many_symbols ? 1 : 0);
  PutVarint(&out, x.symbols.size());
  for (const std::string& symbol : x.symbols) PutBlob(&out, symbol);
  return out;
}

Result<TapeIndexEntry> DecodeTapeIndex(std::string_view bytes) {
  ByteReader reader = Open(bytes);
  TapeIndexEntry x;
  x.count = reader.Varint();
  x.raw_bytes = reader.Varint();
  x.first_offset = Signed(&reader);
  x.last_offset = Signed(&reader);
  x.kafka_min_ms = Signed(&reader);
  x.kafka_max_ms = Signed(&reader);
  x.kafka_running_max_ms = Signed(&reader);
  x.event_min_ns = Signed(&reader);
  x.event_max_ns = Signed(&reader);
  x.mapping = ReadHash(&reader);
  x.records = reader.Varint();
  x.many_symbols = reader.Byte() != 0;
  uint64_t symbols = reader.Varint();
  if (!Plausible(reader, symbols, 1))
    return Status::Corruption("stored tape index entry is damaged");
  x.symbols.reserve(symbols);
  for (uint64_t i = 0; i < symbols; ++i) x.symbols.emplace_back(reader.Blob());
  TD_RETURN_IF_ERROR(Finish(reader, "tape index"));
  if (x.count == 0 || x.last_offset < x.first_offset)
    return Status::Corruption("stored tape index contradicts itself");
  return x;
}

std::string EncodeRefusal(const RefusalEntry& entry) {
  std::string out = Start();
  PutBlob(&out, entry.reason);
  PutVarint(&out, entry.refused);
  PutVarint(&out, entry.kept);
  PutSigned(&out, entry.received.ns());
  PutSigned(&out, entry.kafka_ms);
  return out;
}

Result<RefusalEntry> DecodeRefusal(std::string_view bytes) {
  ByteReader reader = Open(bytes);
  RefusalEntry entry;
  entry.reason = reader.Blob();
  entry.refused = static_cast<uint32_t>(reader.Varint());
  entry.kept = static_cast<uint32_t>(reader.Varint());
  entry.received = Timestamp(Signed(&reader));
  entry.kafka_ms = Signed(&reader);
  TD_RETURN_IF_ERROR(Finish(reader, "refusal"));
  return entry;
}

std::string EncodeCatalog(const CatalogEntry& entry) {
  std::string out(1, static_cast<char>(entry.last.empty() ? kVersion : kCatalogWithLast));
  PutSigned(&out, entry.first_ts.ns());
  PutSigned(&out, entry.last_ts.ns());
  PutVarint(&out, entry.rows);
  if (!entry.last.empty()) PutBlob(&out, entry.last);
  return out;
}

Result<CatalogEntry> DecodeCatalog(std::string_view bytes) {
  ByteReader reader(bytes);
  const uint8_t version = reader.Byte();
  if (version != kVersion && version != kCatalogWithLast) reader.Fail();
  CatalogEntry entry;
  entry.first_ts = Timestamp(Signed(&reader));
  entry.last_ts = Timestamp(Signed(&reader));
  entry.rows = reader.Varint();
  if (version == kCatalogWithLast) {
    entry.last = reader.Blob();
    if (entry.last.empty()) reader.Fail();
  }
  TD_RETURN_IF_ERROR(Finish(reader, "catalog"));
  return entry;
}

std::string_view DayPhaseName(DayPhase phase) {
  switch (phase) {
    case DayPhase::kOpen:
      return "open";
    case DayPhase::kClosing:
      return "closing";
    case DayPhase::kWritten:
      return "written";
    case DayPhase::kUploaded:
      return "uploaded";
    case DayPhase::kVerified:
      return "verified";
    case DayPhase::kShipped:
      return "shipped";
    case DayPhase::kPruned:
      return "pruned";
  }
  return "unknown";
}

namespace {

// Persisted.
constexpr uint8_t kBuildingFlag = 1;
constexpr uint8_t kRebuiltFlag = 2;
constexpr uint8_t kMixedFlag = 4;
constexpr uint8_t kGoneFlag = 8;

uint8_t DayFlags(const DayEntry& entry) {
  return static_cast<uint8_t>((entry.building ? kBuildingFlag : 0) |
                              (entry.rebuilt ? kRebuiltFlag : 0) | (entry.mixed ? kMixedFlag : 0) |
                              (entry.gone ? kGoneFlag : 0));
}

bool SetDayFlags(uint8_t flags, DayEntry* entry) {
  entry->building = (flags & kBuildingFlag) != 0;
  entry->rebuilt = (flags & kRebuiltFlag) != 0;
  entry->mixed = (flags & kMixedFlag) != 0;
  entry->gone = (flags & kGoneFlag) != 0;
  return DayFlags(*entry) == flags;
}

}  // namespace

std::string EncodeDay(const DayEntry& entry) {
  const uint8_t flags = DayFlags(entry);
  const bool numbers =
      flags != 0 || entry.closed != 0 || entry.replaced != 0 || entry.replaced_at != Timestamp();
  const bool times = numbers || entry.first_at != Timestamp() || entry.last_at != Timestamp() ||
                     entry.since != Timestamp() || !entry.draft.empty();
  const uint8_t version = numbers ? kDayWithNumbers : times ? kDayWithTimes : kVersion;
  std::string out(1, static_cast<char>(version));
  out.push_back(static_cast<char>(entry.phase));
  PutVarint(&out, entry.rows);
  PutHash(&out, entry.digest);
  PutVarint(&out, entry.vector.size());
  for (const DayEntry::Range& range : entry.vector) {
    PutVarint(&out, Raw(range.tp));
    PutSigned(&out, range.from);
    PutSigned(&out, range.to);
  }
  PutBlob(&out, entry.manifest);
  if (!times) return out;
  PutSigned(&out, entry.first_at.ns());
  PutSigned(&out, entry.last_at.ns());
  PutSigned(&out, entry.since.ns());
  PutBlob(&out, entry.draft);
  if (!numbers) return out;
  out.push_back(static_cast<char>(flags));
  PutVarint(&out, entry.closed);
  PutVarint(&out, entry.replaced);
  PutSigned(&out, entry.replaced_at.ns());
  return out;
}

Result<DayEntry> DecodeDay(std::string_view bytes) {
  ByteReader reader(bytes);
  const uint8_t version = reader.Byte();
  if (version != kVersion && version != kDayWithTimes && version != kDayWithNumbers) reader.Fail();
  DayEntry entry;
  uint8_t phase = reader.Byte();
  entry.phase = static_cast<DayPhase>(phase);
  entry.rows = reader.Varint();
  entry.digest = ReadHash(&reader);
  uint64_t ranges = reader.Varint();
  if (phase > 6 || !Plausible(reader, ranges, 3))
    return Status::Corruption("stored day entry is damaged");
  entry.vector.reserve(ranges);
  for (uint64_t i = 0; i < ranges; ++i) {
    DayEntry::Range range;
    range.tp = TpId{static_cast<uint32_t>(reader.Varint())};
    range.from = Signed(&reader);
    range.to = Signed(&reader);
    entry.vector.push_back(range);
  }
  entry.manifest = reader.Blob();
  if (version >= kDayWithTimes) {
    entry.first_at = Timestamp(Signed(&reader));
    entry.last_at = Timestamp(Signed(&reader));
    entry.since = Timestamp(Signed(&reader));
    entry.draft = reader.Blob();
  }
  if (version >= kDayWithNumbers) {
    if (!SetDayFlags(reader.Byte(), &entry)) reader.Fail();
    entry.closed = reader.Varint();
    entry.replaced = reader.Varint();
    entry.replaced_at = Timestamp(Signed(&reader));
  }
  TD_RETURN_IF_ERROR(Finish(reader, "day"));
  return entry;
}

std::string EncodeTapeShip(const TapeShip& ship) {
  std::string out = Start();
  PutSigned(&out, ship.shipped);
  PutSigned(&out, ship.pruned);
  PutSigned(&out, ship.messages);
  out.push_back(static_cast<char>(ship.phase));
  PutSigned(&out, ship.last_at.ns());
  PutVarint(&out, ship.marks.size());
  for (const TapeShip::Mark& mark : ship.marks) {
    PutSigned(&out, mark.to);
    PutSigned(&out, mark.at.ns());
  }
  PutBlob(&out, ship.draft);
  return out;
}

Result<TapeShip> DecodeTapeShip(std::string_view bytes) {
  ByteReader reader = Open(bytes);
  TapeShip ship;
  ship.shipped = Signed(&reader);
  ship.pruned = Signed(&reader);
  ship.messages = Signed(&reader);
  const uint8_t phase = reader.Byte();
  ship.phase = static_cast<DayPhase>(phase);
  ship.last_at = Timestamp(Signed(&reader));
  const uint64_t marks = reader.Varint();
  if (phase > 4 || phase == 1 || !Plausible(reader, marks, 2))
    return Status::Corruption("what is stored of a tape's shipping is damaged");
  ship.marks.reserve(marks);
  for (uint64_t i = 0; i < marks; ++i) {
    const int64_t to = Signed(&reader);
    ship.marks.push_back({to, Timestamp(Signed(&reader))});
  }
  ship.draft = reader.Blob();
  TD_RETURN_IF_ERROR(Finish(reader, "tape shipping"));
  if (ship.pruned > ship.shipped || (phase != 0 && ship.draft.empty()))
    return Status::Corruption("what is stored of a tape's shipping contradicts itself");
  return ship;
}

std::string EncodeObject(const ObjectEntry& entry) {
  std::string out = Start();
  out.push_back(static_cast<char>(entry.purpose));
  PutSigned(&out, entry.at.ns());
  return out;
}

Result<ObjectEntry> DecodeObject(std::string_view bytes) {
  ByteReader reader = Open(bytes);
  ObjectEntry entry;
  const uint8_t purpose = reader.Byte();
  entry.purpose = static_cast<ObjectPurpose>(purpose);
  entry.at = Timestamp(Signed(&reader));
  if (purpose < 1 || purpose > 2) reader.Fail();
  TD_RETURN_IF_ERROR(Finish(reader, "object"));
  return entry;
}

std::string EncodeTapeId(const TapeId& tape) {
  std::string out = Start();
  PutBlob(&out, tape.cluster);
  PutBlob(&out, tape.topic);
  PutVarint(&out, tape.lineage);
  PutSigned(&out, tape.partition);
  return out;
}

Result<TapeId> DecodeTapeId(std::string_view bytes) {
  ByteReader reader = Open(bytes);
  TapeId tape;
  tape.cluster = reader.Blob();
  tape.topic = reader.Blob();
  tape.lineage = static_cast<uint32_t>(reader.Varint());
  tape.partition = static_cast<int32_t>(Signed(&reader));
  TD_RETURN_IF_ERROR(Finish(reader, "tape id"));
  return tape;
}

}  // namespace tapedeck
