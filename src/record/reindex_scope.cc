#include "record/reindex_scope.h"

#include <algorithm>
#include <utility>

#include "base/text.h"
#include "tape/archive_plan.h"
#include "tape/tape_blocks.h"
#include "tape/tape_offsets.h"
#include "tape/tape_spans.h"

namespace tapedeck {
namespace {

constexpr size_t kArchivedBytes = size_t{16} << 20;  // of messages from the archive, at once
constexpr size_t kNamesMax = 10;                     // in a refusal

// Notes the days of records, and where rows would leave or enter what was asked for.
class DayFinder final : public ReindexSink {
 public:
  DayFinder(const ReindexScope* scope, std::set<ReindexDay>* days) : scope_(scope), days_(days) {}

  // What the mapping in force has decoded already is in the days that there are.
  bool Wants(const TapeIndexEntry&, bool same) override { return !same; }
  Status Begin(const ReindexPart& part) override {
    bytes_ = part.index == nullptr ? 0 : ReindexBytes(*part.index);
    return Status::Ok();
  }
  Status Take(const ReindexMessage& message) override;
  Status End() override { return Status::Ok(); }
  /// FindDays' refusals.
  Status Check(size_t changes_bytes_max) const;

 private:
  /// Of one message in one day: more rows than before, or fewer.
  using Change = std::map<ReindexDay, int64_t>;
  void Count(const DecodedMessage& message, int64_t by);
  bool IsAskedFor(const ReindexDay& day) const;
  std::string NameOf(const ReindexDay& day) const;

  const ReindexScope* scope_;
  std::set<ReindexDay>* days_;
  Change change_;
  std::set<ReindexDay> moved_;             // not asked for; some of them
  size_t bytes_ = 0;                       // of the block in hand, until they are counted
  std::map<ReindexDay, size_t> bytes_of_;  // by the first day that a block changes
};

bool DayFinder::IsAskedFor(const ReindexDay& day) const {
  return scope_->HasTable(day.first) &&
         scope_->InRange(*scope_->point().state().tables.Find(day.first), day.second);
}

void DayFinder::Count(const DecodedMessage& message, int64_t by) {
  for (const DecodedRecord& record : message.decoded->records) {
    const Table* table = scope_->point().state().tables.Find(record.table);
    if (table != nullptr) change_[{table->id, table->DayOf(record.ts)}] += by;
  }
}

// Rows move where the message has fewer in one day and more in another. As long as both were asked
// for, or neither, all that is asked for is as the mapping in force makes it.
Status DayFinder::Take(const ReindexMessage& message) {
  if (message.before == nullptr) return Status::Ok();
  change_.clear();
  Count(message.now, 1);
  for (const auto& [day, count] : change_) {
    if (IsAskedFor(day)) days_->insert(day);
  }
  Count(*message.before, -1);
  bool inside = false;
  bool fewer = false;
  bool more = false;
  for (const auto& [day, count] : change_) {
    const bool asked = IsAskedFor(day);
    inside = inside || asked;
    fewer = fewer || count < 0;
    more = more || count > 0;
    if (!asked) continue;
    bytes_of_[day] += std::exchange(bytes_, 0);
  }
  if (!inside || !fewer || !more) return Status::Ok();
  for (const auto& [day, count] : change_) {
    if (count != 0 && !IsAskedFor(day) && moved_.size() < kNamesMax) moved_.insert(day);
  }
  return Status::Ok();
}

std::string DayFinder::NameOf(const ReindexDay& day) const {
  return scope_->point().state().tables.Find(day.first)->name + " of " + day.second.ToString();
}

Status DayFinder::Check(size_t changes_bytes_max) const {
  if (!moved_.empty()) {
    std::string names;
    for (const ReindexDay& day : moved_) names += (names.empty() ? "" : ", ") + NameOf(day);
    if (moved_.size() == kNamesMax) names += " and more";
    return Status::FailedPrecondition(
        "rows would move between what was asked for and what was not: ask for " + names + ", too");
  }
  size_t bytes = 0;
  const ReindexDay* largest = nullptr;
  for (const auto& [day, of_it] : bytes_of_) {
    bytes += of_it;
    if (largest == nullptr || of_it > bytes_of_.at(*largest)) largest = &day;
  }
  if (bytes <= changes_bytes_max) return Status::Ok();
  const bool alone = bytes_of_.at(*largest) > changes_bytes_max;
  return Status::FailedPrecondition(
      "what changes in index entries takes " + std::to_string(bytes >> 20) + " MiB at once, and " +
      std::to_string(changes_bytes_max >> 20) +
      " is the most: " + (alone ? NameOf(*largest) + " alone is too large" : "reindex fewer days"));
}

}  // namespace

size_t ReindexBytes(const TapeIndexEntry& index) {
  size_t bytes = 2 * kReindexChangeBytes;
  for (const std::string& symbol : index.symbols) bytes += sizeof symbol + symbol.size();
  return bytes;
}

ReindexMappings::ReindexMappings(std::vector<RecordTopic> topics) {
  fingerprint_ = "gaps\n";  // jobs that were reserved without them are planned anew
  for (RecordTopic& topic : topics) {
    fingerprint_ += topic.name + "\n" + topic.mapping.hash().ToString() + "\n";
    Entry entry{std::move(topic), std::nullopt};
    if (entry.topic.name.starts_with('^'))
      entry.pattern.emplace(entry.topic.name, std::regex::extended);
    entries_.push_back(std::move(entry));
  }
  fingerprint_ = HashBytes(fingerprint_).ToString();
}

const MappingSpec* ReindexMappings::For(const std::string& topic) const {
  for (const Entry& entry : entries_) {
    if (!entry.pattern && entry.topic.name == topic) return &entry.topic.mapping;
  }
  for (const Entry& entry : entries_) {
    if (entry.pattern && std::regex_search(topic, *entry.pattern)) return &entry.topic.mapping;
  }
  return nullptr;
}

ReindexScope::ReindexScope(std::shared_ptr<const ReadPoint> point, const ReindexMappings* mappings,
                           ReindexRequest request, std::shared_ptr<const ReadStop> stop)
    : point_(std::move(point)),
      mappings_(mappings),
      request_(std::move(request)),
      stop_(std::move(stop)),
      before_(*point_),
      registry_(point_->state().tables) {}

Result<std::unique_ptr<ReindexScope>> ReindexScope::Make(std::shared_ptr<const ReadPoint> point,
                                                         const ReindexMappings* mappings,
                                                         const ReindexRequest& request,
                                                         std::shared_ptr<const ReadStop> stop) {
  std::unique_ptr<ReindexScope> scope(
      new ReindexScope(std::move(point), mappings, request, std::move(stop)));
  const StoreState& state = scope->point_->state();
  const std::map<TpId, Checkpoint> checkpoints(state.checkpoints.begin(), state.checkpoints.end());
  for (const auto& [tp, tape] : state.tapes) {
    if (auto found = checkpoints.find(tp); found != checkpoints.end())
      TD_RETURN_IF_ERROR(scope->AddTape(tp, tape, found->second).WithContext(tape.ToString()));
  }
  TD_RETURN_IF_ERROR(scope->ChooseTables());
  return scope;
}

Status ReindexScope::AddMapping(const Hash128& mapping, Tape* tape) {
  if (mapping == Hash128()) return Status::Ok();
  auto [known, made] = filled_.try_emplace(mapping);
  if (made) {
    TD_ASSIGN_OR_RETURN(Decoder * decoder, before_.For(mapping));
    known->second = decoder->spec().tables();
  }
  tape->tables.insert(known->second.begin(), known->second.end());
  if (tape->spec != nullptr && tape->spec->hash() != mapping) tape->changed = true;
  return Status::Ok();
}

Status ReindexScope::AddTape(TpId tp, const TapeId& tape, const Checkpoint& checkpoint) {
  Tape one{tp, tape, checkpoint.start, checkpoint.watermark, mappings_->For(tape.topic), false, {}};
  if (one.spec != nullptr) one.tables.insert(one.spec->tables().begin(), one.spec->tables().end());
  TD_ASSIGN_OR_RETURN(const auto spans, SpansOf(*point_, tp, tape, one.from, one.to));
  for (const TapeSpan& span : spans) {
    if (span.archived == nullptr) continue;
    for (const auto& [offset, mapping] : span.archived->manifest.mapping_from)
      TD_RETURN_IF_ERROR(AddMapping(mapping, &one));
  }
  TapeBlocks blocks(&point_->view(), tp, tape.ToString(), ScanKind::kLong);
  TD_RETURN_IF_ERROR(blocks.Seek(one.from));
  while (blocks.Valid() && blocks.base() < one.to) {
    TD_RETURN_IF_ERROR(stop_->Check());
    TD_RETURN_IF_ERROR(AddMapping(blocks.index().mapping, &one));
    TD_RETURN_IF_ERROR(blocks.Next());
  }
  tapes_.push_back(std::move(one));
  return Status::Ok();
}

// Of a topic all tables that it feeds; then all tapes that feed one of the tables.
Status ReindexScope::ChooseTables() {
  std::set<std::string> names(request_.tables.begin(), request_.tables.end());
  if (!request_.topic.empty()) {
    const bool known = std::any_of(tapes_.begin(), tapes_.end(), [&](const Tape& tape) {
      return tape.tape.topic == request_.topic;
    });
    if (!known)
      return Status::NotFound("topic: " + Quoted(request_.topic) + " was never recorded here");
    for (const Tape& tape : tapes_) {
      if (tape.tape.topic == request_.topic) names.insert(tape.tables.begin(), tape.tables.end());
    }
  }
  for (const std::string& name : names) {
    const Table* table = point_->state().tables.Find(name);
    if (table == nullptr) return Status::NotFound("tables: there is no table " + Quoted(name));
    tables_.insert(table->id);
  }
  std::erase_if(tapes_, [&](const Tape& tape) {
    return std::none_of(tape.tables.begin(), tape.tables.end(),
                        [&](const std::string& name) { return names.contains(name); });
  });
  return Status::Ok();
}

bool ReindexScope::InRange(const Table& table, Day day) const {
  if (request_.start != Timestamp::Min() && day < table.DayOf(request_.start)) return false;
  if (request_.end == Timestamp::Max()) return true;
  return day <= table.DayOf(request_.end.SaturatingAdd(-1));
}

Result<std::set<ReindexDay>> ReindexScope::FindDays(size_t changes_bytes_max) {
  std::set<ReindexDay> days;
  TD_ASSIGN_OR_RETURN(const DayRange known, point_->AllDays());
  for (const auto& [key, entry] : known) {
    const Table* table = point_->state().tables.Find(key.table);
    if (table != nullptr && HasTable(key.table) && InRange(*table, key.day))
      days.emplace(key.table, key.day);
  }
  DayFinder finder(this, &days);
  for (const Tape& tape : tapes_) {
    if (!tape.changed) continue;
    TD_ASSIGN_OR_RETURN(const TapeOffsets recorded, Recorded(tape));
    TD_RETURN_IF_ERROR(Read(tape, recorded, &finder));
  }
  TD_RETURN_IF_ERROR(finder.Check(changes_bytes_max));
  return days;
}

Result<Decoder*> ReindexScope::DecoderInForce(const Tape& tape) {
  const Hash128& hash = tape.spec->hash();
  if (auto found = in_force_.find(hash); found != in_force_.end()) return found->second.get();
  TD_ASSIGN_OR_RETURN(auto decoder, Decoder::Make(*tape.spec, &registry_));
  if (registry_.tables().size() != point_->state().tables.tables().size())
    return Status::FailedPrecondition("the mapping fills a table that the store has not: restart");
  return in_force_.emplace(hash, std::move(decoder)).first->second.get();
}

Result<TapeOffsets> ReindexScope::Recorded(const Tape& tape) const {
  TD_ASSIGN_OR_RETURN(TapeOffsets offsets, RecordedOffsets(*point_, tape.tp));
  offsets.Remove(tape.tp, INT64_MIN, tape.from);
  offsets.Remove(tape.tp, tape.to, INT64_MAX);
  return offsets;
}

Status ReindexScope::Read(const Tape& tape, const TapeOffsets& wanted, ReindexSink* sink) {
  if (wanted.Of(tape.tp).empty()) return Status::Ok();
  TD_ASSIGN_OR_RETURN(const auto spans, SpansOf(*point_, tape.tp, tape.tape, tape.from, tape.to));
  TD_ASSIGN_OR_RETURN(const TapeOffsets in_blocks, InBlocks(tape, spans));
  TapeOffsets archived = wanted;
  archived.Remove(in_blocks);
  int64_t done = INT64_MIN;
  for (const TapeSpan& span : spans) {
    TD_RETURN_IF_ERROR(span.archived == nullptr ? ReadBlocks(tape, span, wanted, &done, sink)
                                                : ReadArchived(tape, span, archived, sink));
  }
  return Status::Ok();
}

// What the blocks that spans of the store touch reach over: it is not taken from the archive, too.
Result<TapeOffsets> ReindexScope::InBlocks(const Tape& tape,
                                           const std::vector<TapeSpan>& spans) const {
  TapeOffsets offsets;
  if (std::ranges::all_of(spans, [](const auto& span) { return span.archived == nullptr; }))
    return offsets;
  TapeBlocks blocks(&point_->view(), tape.tp, tape.tape.ToString(), ScanKind::kLong);
  for (const TapeSpan& span : spans) {
    if (span.archived != nullptr) continue;
    TD_RETURN_IF_ERROR(blocks.Seek(span.from));
    for (; blocks.Valid() && blocks.base() < span.to;) {
      TD_RETURN_IF_ERROR(stop_->Check());
      offsets.Add(tape.tp, blocks.base(), blocks.index().last_offset + 1);
      TD_RETURN_IF_ERROR(blocks.Next());
    }
  }
  return offsets;
}

// Merging goes by index entries alone: a block may lie on both sides of a gap that others have
// filled, in two spans. It comes with the first of them.
Status ReindexScope::ReadBlocks(const Tape& tape, const TapeSpan& span, const TapeOffsets& wanted,
                                int64_t* done, ReindexSink* sink) {
  TapeBlocks blocks(&point_->view(), tape.tp, tape.tape.ToString(), ScanKind::kLong);
  TD_RETURN_IF_ERROR(blocks.Seek(std::max(span.from, *done)));
  for (; blocks.Valid() && blocks.base() < span.to;) {
    TD_RETURN_IF_ERROR(stop_->Check());
    const TapeIndexEntry& index = blocks.index();
    *done = index.last_offset + 1;
    const bool same = tape.spec == nullptr || tape.spec->hash() == index.mapping;
    if (sink->Wants(index, same)) {
      TD_RETURN_IF_ERROR(blocks.Load(&block_, &buffers_));
      TD_RETURN_IF_ERROR(sink->Begin({&index}));
      for (size_t i = 0; i < block_.size(); ++i) {
        if (!wanted.Has(tape.tp, block_.offset(i))) continue;
        TD_RETURN_IF_ERROR(Give(tape, block_.At(i), block_.ReceivedAt(i), index.mapping, sink));
      }
      TD_RETURN_IF_ERROR(sink->End());
    }
    TD_RETURN_IF_ERROR(blocks.Next());
  }
  return Status::Ok();
}

// Of what this store has recorded itself: what others have lies in days of theirs.
Status ReindexScope::ReadArchived(const Tape& tape, const TapeSpan& span, const TapeOffsets& wanted,
                                  ReindexSink* sink) {
  const TapeManifest& manifest = span.archived->manifest;
  const bool same =
      tape.spec == nullptr || std::ranges::all_of(manifest.mapping_from, [&](const auto& from) {
        return from.second == tape.spec->hash();
      });
  TapeIndexEntry index;
  index.event_min_ns = manifest.event_min_ns;
  index.event_max_ns = manifest.event_max_ns;
  index.records = manifest.event_min_ns <= manifest.event_max_ns ? manifest.messages : 0;
  if (!sink->Wants(index, same)) return Status::Ok();
  TapeBlock scratch;
  CodecBuffers buffers;
  TapeReader reader(point_.get(), tape.tp, &tape.tape,
                    {.from_offset = span.from, .to_offset = span.to, .stop = stop_.get()},
                    kArchivedBytes, &scratch, &buffers);
  TD_RETURN_IF_ERROR(sink->Begin({nullptr}));
  TD_RETURN_IF_ERROR(reader.Next());
  while (reader.Valid()) {
    const StoredMessage& stored = reader.message();
    if (wanted.Has(tape.tp, stored.message.offset)) {
      TD_RETURN_IF_ERROR(Give(tape, stored.message, stored.received, stored.mapping, sink));
    }
    TD_RETURN_IF_ERROR(reader.Next());
  }
  return sink->End();
}

Status ReindexScope::Give(const Tape& tape, const MessageView& message, Timestamp received,
                          const Hash128& mapping, ReindexSink* sink) {
  const TopicPartition partition{tape.tape.topic, tape.tape.partition};
  const bool same = tape.spec == nullptr || tape.spec->hash() == mapping;
  Decoder* before = nullptr;
  if (!same || tape.spec == nullptr) {
    TD_ASSIGN_OR_RETURN(before, before_.For(mapping));
  }
  Decoder* now = before;
  if (tape.spec != nullptr) {
    TD_ASSIGN_OR_RETURN(now, DecoderInForce(tape));
  }
  now->Decode(partition, message, received, &decoded_);
  const DecodedMessage is{tape.tp, &tape.tape, &message, received, &decoded_};
  if (same) return sink->Take({&message, received, is, nullptr});
  before->Decode(partition, message, received, &decoded_before_);
  const DecodedMessage was{tape.tp, &tape.tape, &message, received, &decoded_before_};
  return sink->Take({&message, received, is, &was});
}

}  // namespace tapedeck
