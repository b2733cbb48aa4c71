// Verifying tapes: blocks, index entries, refusals, checkpoints.

#include <algorithm>

#include "model/keys.h"
#include "query/verify_parts.h"

namespace tapedeck {
namespace {

std::string PrefixOf(std::string key) { return key.substr(0, key.size() - sizeof(int64_t)); }

std::string Describe(const RefusalEntry& entry) {
  return "\"" + entry.reason + "\", " + std::to_string(entry.refused) + " refused, " +
         std::to_string(entry.kept) + " kept, received " + FormatRfc3339(entry.received) +
         ", Kafka time " + std::to_string(entry.kafka_ms);
}

// What two index entries differ in; "" where they are equal.
std::string DifferenceOf(const TapeIndexEntry& stored, const TapeIndexEntry& found) {
  std::string names;
  auto compare = [&](const char* name, const auto& a, const auto& b) {
    if (!(a == b)) names += (names.empty() ? "" : ", ") + std::string(name);
  };
  compare("count", stored.count, found.count);
  compare("raw bytes", stored.raw_bytes, found.raw_bytes);
  compare("first offset", stored.first_offset, found.first_offset);
  compare("last offset", stored.last_offset, found.last_offset);
  compare("least Kafka time", stored.kafka_min_ms, found.kafka_min_ms);
  compare("greatest Kafka time", stored.kafka_max_ms, found.kafka_max_ms);
  compare("running maximum of Kafka time", stored.kafka_running_max_ms, found.kafka_running_max_ms);
  compare("least event time", stored.event_min_ns, found.event_min_ns);
  compare("greatest event time", stored.event_max_ns, found.event_max_ns);
  compare("records", stored.records, found.records);
  compare("symbols", stored.symbols, found.symbols);
  compare("many symbols", stored.many_symbols, found.many_symbols);
  return names;
}

}  // namespace

void Verifier::CheckTape(TpId tp, const TapeId& tape) {
  tape_ = TapeState{};
  tape_.tp = tp;
  tape_.id = &tape;
  tape_.where = "tape " + tape.ToString();
  tape_.pruned = state_.ShipOf(tp).pruned;
  Result<Checkpoint> stored = view_->GetCheckpoint(tp);
  if (!stored.ok()) {
    Find(tape_.where, "its checkpoint cannot be read: " + std::string(stored.status().message()));
    tapes_whole_ = false;
    return;
  }
  tape_.stored = *stored;
  Result<std::vector<Gap>> gaps = view_->Gaps(tp);
  if (gaps.ok()) tape_.gaps = std::move(*gaps);
  const std::string refusals = PrefixOf(keys::Refusal(tp, 0));
  tape_.refusals = view_->Scan(refusals, keys::After(refusals), ScanKind::kLong);
  tape_.refusals->SeekToFirst();

  // Blocks and entries side by side: each key is in both.
  const std::string blocks_from = PrefixOf(keys::TapeBlock(tp, 0));
  const std::string index_from = PrefixOf(keys::TapeIndex(tp, 0));
  auto blocks = view_->Scan(blocks_from, keys::After(blocks_from), ScanKind::kLong);
  auto index = view_->Scan(index_from, keys::After(index_from), ScanKind::kLong);
  blocks->SeekToFirst();
  index->SeekToFirst();
  while (blocks->Valid() || index->Valid()) {
    const std::string_view b = blocks->Valid() ? blocks->key().substr(1) : std::string_view();
    const std::string_view x = index->Valid() ? index->key().substr(1) : std::string_view();
    const bool has_block = blocks->Valid() && (!index->Valid() || b <= x);
    const bool has_index = index->Valid() && (!blocks->Valid() || x <= b);
    Result<keys::TpOffsetKey> key = keys::ParseTpOffset(has_block ? blocks->key() : index->key());
    if (key.ok() && has_block && has_index) {
      CheckTapeBlock(key->offset, blocks->value(), index->value());
    } else if (key.ok()) {
      Find(tape_.where + "@" + std::to_string(key->offset),
           has_block ? "a tape block without an index entry"
                     : "an index entry without its tape block");
      tape_.whole = false;
    }
    if (has_block) blocks->Next();
    if (has_index) index->Next();
  }
  for (const Status& status : {blocks->status(), index->status()}) {
    if (status.ok()) continue;
    Find(tape_.where, std::string(status.message()));
    tape_.whole = false;
  }
  CheckRefusal(INT64_MAX, nullptr);
  if (tape_.whole) CheckCheckpoint();
  tapes_whole_ = tapes_whole_ && tape_.whole;
}

void Verifier::CheckTapeBlock(int64_t base, std::string_view block, std::string_view index_bytes) {
  const std::string where = tape_.where + "@" + std::to_string(base);
  ++report_->tape_blocks;
  Status loaded = block_.Load(tape_.tp, base, block, &buffers_);
  Result<TapeIndexEntry> index = DecodeTapeIndex(index_bytes);
  if (!loaded.ok() || !index.ok()) {
    if (!loaded.ok()) Find(where, std::string(loaded.message()));
    if (!index.ok()) Find(where, std::string(index.status().message()));
    tape_.whole = false;
    return;
  }
  // Healed later, or left by a crash: all that was there counts as gone, and so do these.
  if (index->last_offset < tape_.pruned) return;
  Result<Decoder*> decoder = decoders_.For(index->mapping);
  if (!decoder.ok()) {
    Find(where, std::string(decoder.status().message()));
    tape_.whole = false;
    return;
  }
  CheckMessages(where, *decoder, *index);
}

void Verifier::CheckMessages(const std::string& where, Decoder* decoder,
                             const TapeIndexEntry& index) {
  const TopicPartition partition{tape_.id->topic, tape_.id->partition};
  // Of messages that have left, the entry of the first block tells the greatest time.
  if (tape_.found.messages == 0 && cuts_.contains(tape_.tp) &&
      index.kafka_running_max_ms > index.kafka_max_ms) {
    tape_.found.kafka_max_ms = index.kafka_running_max_ms;
  }
  BlockSummary summary;
  summary.Start(index.mapping, tape_.found.kafka_max_ms);
  for (size_t i = 0; i < block_.size(); ++i) {
    const MessageView message = block_.At(i);
    decoder->Decode(partition, message, block_.ReceivedAt(i), &decoded_);
    summary.AddMessage(message);
    CheckMessage(message, block_.ReceivedAt(i));
    CountRecords(message, block_.ReceivedAt(i), &summary);
    Progress();
  }
  const std::string difference = DifferenceOf(index, summary.Finish());
  if (!difference.empty())
    Find(where, "the index entry differs from its messages in: " + difference);
}

void Verifier::CheckMessage(const MessageView& message, Timestamp received) {
  const std::string at = "@" + std::to_string(message.offset);
  if (message.offset <= tape_.last_offset) {
    Find(tape_.where + at, "comes after offset " + std::to_string(tape_.last_offset));
  }
  tape_.last_offset = std::max(tape_.last_offset, message.offset);
  tape_.first_offset = std::min(tape_.first_offset, message.offset);
  while (tape_.gap < tape_.gaps.size() && tape_.gaps[tape_.gap].to <= message.offset) ++tape_.gap;
  if (tape_.gap < tape_.gaps.size() && tape_.gaps[tape_.gap].from <= message.offset) {
    Find(tape_.where + at,
         "lies in a gap (" + std::string(GapReasonName(tape_.gaps[tape_.gap].reason)) + ")");
  }
  if (message.offset < tape_.stored.start || message.offset >= tape_.stored.next) {
    Find(tape_.where + at, "lies outside the checkpoint's [" + std::to_string(tape_.stored.start) +
                               ", " + std::to_string(tape_.stored.next) + ")");
  }
  const Hash128 hash = hasher_.Message(message, {tape_.id->topic, tape_.id->partition});
  Checkpoint& found = tape_.found;
  found.last = {message.offset, hash};
  found.digest += hash;
  found.messages += 1;
  found.records += decoded_.records.size();
  found.kafka_max_ms = std::max(found.kafka_max_ms, message.timestamp_ms);
  if (message.offset == tape_.stored.anchor.offset) {
    tape_.anchor_seen = true;
    if (hash != tape_.stored.anchor.hash) Find(tape_.where + at, "is not the checkpoint's anchor");
  }
  if (decoded_.marks.size() > decoded_.refused) found.skipped += 1;
  if (decoded_.refused > 0) {
    found.refused += 1;
    const RefusalEntry expected{std::string(decoded_.first_refusal()), decoded_.refused,
                                static_cast<uint32_t>(decoded_.records.size()), received,
                                message.timestamp_ms};
    CheckRefusal(message.offset, &expected);
  }
  ++report_->messages;
}

// Adds the message's records to the block's summary and, below the watermark, to their days.
void Verifier::CountRecords(const MessageView& message, Timestamp received, BlockSummary* summary) {
  const DecodedMessage whole{tape_.tp, tape_.id, &message, received, &decoded_};
  for (size_t n = 0; n < decoded_.records.size(); ++n) {
    const RecordView row = whole.Row(n);
    const SeriesId series = tally_.directory().Intern(row.table, row.symbol);
    summary->AddRecord(series, row.symbol, row.ts);
    ++report_->records;
    if (message.offset >= tape_.stored.watermark) continue;
    const Table* table = state_.tables.Find(row.table);
    if (table == nullptr) {
      Find(tape_.where + "@" + std::to_string(message.offset),
           "fills a table that is not in the store");
      continue;
    }
    of_tape_[{table->id, table->DayOf(row.ts)}] += Tally{1, tally_.HashOf(series, row, *tape_.id)};
  }
}

// Entries before `offset` belong to no refused message; the one at it is `expected`.
void Verifier::CheckRefusal(int64_t offset, const RefusalEntry* expected) {
  StoreCursor& cursor = *tape_.refusals;
  for (; cursor.Valid(); cursor.Next()) {
    Result<keys::TpOffsetKey> key = keys::ParseTpOffset(cursor.key());
    if (!key.ok()) continue;  // CheckEntries found it
    const std::string where = tape_.where + "@" + std::to_string(key->offset);
    if (key->offset > offset) break;
    if (key->offset < offset || expected == nullptr) {
      // Of messages that have left the store the entries stay: /v1/refused lists them.
      const auto cut = cuts_.find(tape_.tp);
      if (cut != cuts_.end() && key->offset < cut->second) continue;
      if (tape_.whole) Find(where, "is listed as refused and is not");
      continue;
    }
    Result<RefusalEntry> entry = DecodeRefusal(cursor.value());
    if (!entry.ok()) {
      Find(where, std::string(entry.status().message()));
    } else if (!(*entry == *expected)) {
      Find(where, "is listed as refused with " + Describe(*entry) + "; decoded again it has " +
                      Describe(*expected));
    }
    ++report_->refused;
    cursor.Next();
    return;
  }
  if (!cursor.Valid() && !cursor.status().ok())
    Find(tape_.where, std::string(cursor.status().message()));
  if (expected != nullptr) {
    Find(tape_.where + "@" + std::to_string(offset),
         "is refused (" + expected->reason + ") and not listed as such");
  }
}

void Verifier::CheckCheckpoint() {
  const Checkpoint& stored = tape_.stored;
  const Checkpoint& found = tape_.found;
  auto compare = [&](const char* name, const std::string& said, const std::string& is) {
    if (said != is) {
      Find(tape_.where,
           "the checkpoint says " + std::string(name) + " " + said + "; the tape has " + is);
    }
  };
  if (cuts_.contains(tape_.tp)) return CheckCutCheckpoint();
  compare("messages", std::to_string(stored.messages), std::to_string(found.messages));
  compare("records", std::to_string(stored.records), std::to_string(found.records));
  compare("refused", std::to_string(stored.refused), std::to_string(found.refused));
  compare("skipped", std::to_string(stored.skipped), std::to_string(found.skipped));
  compare("digest", stored.digest.ToString(), found.digest.ToString());
  // A restored store that has recorded nothing yet knows the archive's last message.
  const bool known_from_elsewhere = found.messages == 0 && stored.last.offset < stored.start;
  if (!known_from_elsewhere) {
    compare("last offset", std::to_string(stored.last.offset), std::to_string(found.last.offset));
  }
  if (stored.last.offset == found.last.offset) {
    compare("last message's hash", stored.last.hash.ToString(), found.last.hash.ToString());
  }
  compare("greatest Kafka time", std::to_string(stored.kafka_max_ms),
          std::to_string(found.kafka_max_ms));
  if (stored.anchor.offset >= stored.start && stored.anchor.offset >= 0 && !tape_.anchor_seen) {
    Find(tape_.where, "the checkpoint's anchor, offset " + std::to_string(stored.anchor.offset) +
                          ", is not on the tape");
  }
  CheckGapBounds();
}

void Verifier::CheckGapBounds() {
  const Checkpoint& stored = tape_.stored;
  for (const Gap& gap : tape_.gaps) {
    if (gap.from >= stored.start && gap.to <= stored.next) continue;
    Find(tape_.where, "the gap " + std::to_string(gap.from) + ".." + std::to_string(gap.to) +
                          " lies outside the checkpoint's range");
  }
}

// The checkpoint counts what has left the store, too: it can only have more.
void Verifier::CheckCutCheckpoint() {
  const Checkpoint& stored = tape_.stored;
  const Checkpoint& found = tape_.found;
  auto at_least = [&](const char* name, uint64_t said, uint64_t is) {
    if (said < is) {
      Find(tape_.where, "the checkpoint says " + std::string(name) + " " + std::to_string(said) +
                            "; what is left of the tape has " + std::to_string(is));
    }
  };
  at_least("messages", stored.messages, found.messages);
  at_least("records", stored.records, found.records);
  at_least("refused", stored.refused, found.refused);
  at_least("skipped", stored.skipped, found.skipped);
  const int64_t cut = cuts_.at(tape_.tp);
  if (stored.last.offset >= cut && !(stored.last == found.last)) {
    Find(tape_.where, "the checkpoint says last offset " + std::to_string(stored.last.offset) +
                          ", hash " + stored.last.hash.ToString() + "; the tape has " +
                          std::to_string(found.last.offset) + ", " + found.last.hash.ToString());
  }
  if (stored.last.offset >= cut && stored.kafka_max_ms != found.kafka_max_ms) {
    Find(tape_.where, "the checkpoint says greatest Kafka time " +
                          std::to_string(stored.kafka_max_ms) + "; the tape has " +
                          std::to_string(found.kafka_max_ms));
  }
  if (stored.anchor.offset >= cut && !tape_.anchor_seen) {
    Find(tape_.where, "the checkpoint's anchor, offset " + std::to_string(stored.anchor.offset) +
                          ", is not on the tape");
  }
  if (tape_.first_offset < cut) {
    Find(tape_.where, "holds offset " + std::to_string(tape_.first_offset) +
                          ", and should begin at " + std::to_string(cut));
  }
  CheckGapBounds();
}

}  // namespace tapedeck
