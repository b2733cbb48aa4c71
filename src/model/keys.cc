#include "model/keys.h"

#include "base/bytes.h"

namespace tapedeck::keys {
namespace {

std::string Start(Prefix prefix) { return std::string(1, static_cast<char>(prefix)); }

void PutBig16(std::string* out, uint16_t value) {
  out->push_back(static_cast<char>(value >> 8));
  out->push_back(static_cast<char>(value & 0xff));
}

uint16_t Big16(ByteReader* reader) {
  uint16_t high = reader->Byte();
  return static_cast<uint16_t>(high << 8 | reader->Byte());
}

std::string WithTp(Prefix prefix, TpId tp) {
  std::string key = Start(prefix);
  PutBig32(&key, Raw(tp));
  return key;
}

std::string WithTpOffset(Prefix prefix, TpId tp, int64_t offset) {
  std::string key = WithTp(prefix, tp);
  PutSortable64(&key, offset);
  return key;
}

// Reads up to and with the 0x00 that ends an escaped string.
std::string Unescape(ByteReader* reader) {
  std::string bytes;
  for (;;) {
    uint8_t c = reader->Byte();
    if (!reader->ok() || c == 0) return bytes;
    if (c == 1) {
      uint8_t which = reader->Byte();
      if (which != 1 && which != 2) {
        reader->Fail();
        return bytes;
      }
      c = static_cast<uint8_t>(which - 1);
    }
    bytes.push_back(static_cast<char>(c));
  }
}

Status BadKey(std::string_view what) {
  return Status::Corruption("a key of the store is not a " + std::string(what) + " key");
}

}  // namespace

void AppendEscaped(std::string* out, std::string_view bytes) {
  for (char c : bytes) {
    if (c == 0 || c == 1) {
      out->push_back(1);
      out->push_back(static_cast<char>(c + 1));
    } else {
      out->push_back(c);
    }
  }
  out->push_back(0);
}

std::string Meta(std::string_view name) { return Start(Prefix::kMeta) += name; }

std::string Mapping(const Hash128& hash) {
  std::string key = Start(Prefix::kMapping);
  PutBig64(&key, hash.high);
  PutBig64(&key, hash.low);
  return key;
}

std::string Table(TableId table) {
  std::string key = Start(Prefix::kTable);
  PutBig16(&key, Raw(table));
  return key;
}

std::string Tape(TpId tp) { return WithTp(Prefix::kTape, tp); }
std::string Checkpoint(TpId tp) { return WithTp(Prefix::kCheckpoint, tp); }
std::string TapeShip(TpId tp) { return WithTp(Prefix::kTapeShip, tp); }
std::string Gap(TpId tp, int64_t from) { return WithTpOffset(Prefix::kGap, tp, from); }
std::string TapeBlock(TpId tp, int64_t base) { return WithTpOffset(Prefix::kTapeBlock, tp, base); }
std::string TapeIndex(TpId tp, int64_t base) { return WithTpOffset(Prefix::kTapeIndex, tp, base); }
std::string Refusal(TpId tp, int64_t offset) { return WithTpOffset(Prefix::kRefusal, tp, offset); }
std::string Object(std::string_view name) { return Start(Prefix::kObject) += name; }
std::string Job(std::string_view id) { return Start(Prefix::kJob) += id; }

std::string Catalog(TableId table, std::string_view symbol) {
  std::string key = Start(Prefix::kCatalog);
  PutBig16(&key, Raw(table));
  AppendEscaped(&key, symbol);
  return key;
}

std::string DayState(TableId table, Day day, uint32_t generation) {
  std::string key = Start(Prefix::kDay);
  PutBig16(&key, Raw(table));
  PutSortable32(&key, day.days());
  PutBig32(&key, generation);
  return key;
}

std::string SeriesPrefix(TableId table) {
  std::string key = Start(Prefix::kSeries);
  PutBig16(&key, Raw(table));
  return key;
}

std::string SeriesPrefix(TableId table, Day day) {
  std::string key = SeriesPrefix(table);
  PutSortable32(&key, day.days());
  return key;
}

std::string SeriesPrefix(TableId table, Day day, uint32_t generation) {
  std::string key = SeriesPrefix(table, day);
  PutBig32(&key, generation);
  return key;
}

std::string SeriesPrefix(TableId table, Day day, uint32_t generation, std::string_view symbol) {
  std::string key = SeriesPrefix(table, day, generation);
  AppendEscaped(&key, symbol);
  return key;
}

std::string Series(const SeriesKey& key) {
  std::string out = SeriesPrefix(key.table, key.day, key.generation, key.symbol);
  PutSortable64(&out, key.first_ts.ns());
  PutBig64(&out, key.flush);
  PutBig32(&out, key.block);
  return out;
}

Result<SeriesKey> ParseSeries(std::string_view bytes) {
  ByteReader reader(bytes);
  SeriesKey key;
  if (reader.Byte() != static_cast<uint8_t>(Prefix::kSeries)) return BadKey("series");
  key.table = TableId{Big16(&reader)};
  key.day = Day(reader.Sortable32());
  key.generation = reader.Big32();
  key.symbol = Unescape(&reader);
  key.first_ts = Timestamp(reader.Sortable64());
  key.flush = reader.Big64();
  key.block = reader.Big32();
  if (!reader.done()) return BadKey("series");
  return key;
}

Result<CatalogKey> ParseCatalog(std::string_view bytes) {
  ByteReader reader(bytes);
  CatalogKey key;
  if (reader.Byte() != static_cast<uint8_t>(Prefix::kCatalog)) return BadKey("catalog");
  key.table = TableId{Big16(&reader)};
  key.symbol = Unescape(&reader);
  if (!reader.done()) return BadKey("catalog");
  return key;
}

Result<TpOffsetKey> ParseTpOffset(std::string_view bytes) {
  ByteReader reader(bytes);
  uint8_t prefix = reader.Byte();
  bool known = prefix == 'g' || prefix == 't' || prefix == 'x' || prefix == 'e';
  TpOffsetKey key;
  key.tp = TpId{reader.Big32()};
  key.offset = reader.Sortable64();
  if (!known || !reader.done()) return BadKey("topic-partition and offset");
  return key;
}

Result<TpId> ParseTp(std::string_view bytes) {
  ByteReader reader(bytes);
  uint8_t prefix = reader.Byte();
  TpId tp{reader.Big32()};
  if ((prefix != 'p' && prefix != 'c' && prefix != 'a') || !reader.done())
    return BadKey("topic-partition");
  return tp;
}

Result<std::string> ParseObject(std::string_view bytes) {
  if (bytes.size() < 2 || bytes.front() != static_cast<char>(Prefix::kObject))
    return BadKey("object");
  return std::string(bytes.substr(1));
}

Result<std::string> ParseJob(std::string_view bytes) {
  if (bytes.size() < 2 || bytes.front() != static_cast<char>(Prefix::kJob)) return BadKey("job");
  return std::string(bytes.substr(1));
}

Result<DayKey> ParseDayState(std::string_view bytes) {
  ByteReader reader(bytes);
  DayKey key;
  if (reader.Byte() != static_cast<uint8_t>(Prefix::kDay)) return BadKey("day");
  key.table = TableId{Big16(&reader)};
  key.day = Day(reader.Sortable32());
  key.generation = reader.Big32();
  if (!reader.done()) return BadKey("day");
  return key;
}

std::string After(std::string_view prefix) {
  std::string bound(prefix);
  while (!bound.empty() && static_cast<uint8_t>(bound.back()) == 0xff) bound.pop_back();
  if (!bound.empty()) bound.back() = static_cast<char>(static_cast<uint8_t>(bound.back()) + 1);
  return bound;
}

}  // namespace tapedeck::keys
