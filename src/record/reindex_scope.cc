#include "record/reindex_scope.h"

#include <algorithm>

#include "base/text.h"
#include "query/archive_plan.h"
#include "query/tape_blocks.h"
#include "query/tape_offsets.h"
#include "query/tape_spans.h"

namespace tapedeck {
namespace {

constexpr size_t kArchivedBytes = size_t{16} << 20;  // of messages from the archive, at once

// Notes the days of records.
class DayFinder final : public ReindexSink {
 public:
  DayFinder(const ReindexScope* scope, std::set<ReindexDay>* days) : scope_(scope), days_(days) {}

  // What the mapping in force has decoded already is in the days that there are.
  bool Wants(const TapeIndexEntry&, bool same) override { return !same; }
  Status Begin(const ReindexPart&) override { return Status::Ok(); }
  Status Take(const ReindexMessage& message) override {
    if (message.before == nullptr) return Status::Ok();
    for (const DecodedRecord& record : message.now.decoded->records) {
      const Table* table = scope_->point().state().tables.Find(record.table);
      if (table == nullptr || !scope_->HasTable(table->id)) continue;
      const Day day = table->DayOf(record.ts);
      if (scope_->InRange(*table, day)) days_->emplace(table->id, day);
    }
    return Status::Ok();
  }
  Status End() override { return Status::Ok(); }

 private:
  const ReindexScope* scope_;
  std::set<ReindexDay>* days_;
};

}  // namespace

ReindexMappings::ReindexMappings(std::vector<RecordTopic> topics) {
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

Result<std::set<ReindexDay>> ReindexScope::FindDays() {
  std::set<ReindexDay> days;
  for (const auto& [key, entry] : point_->state().days) {
    const Table* table = point_->state().tables.Find(key.table);
    if (table != nullptr && HasTable(key.table) && InRange(*table, key.day))
      days.emplace(key.table, key.day);
  }
  DayFinder finder(this, &days);
  for (const Tape& tape : tapes_) {
    if (tape.changed) TD_RETURN_IF_ERROR(Read(tape, tape.to, &finder));
  }
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

Status ReindexScope::Read(const Tape& tape, int64_t to, ReindexSink* sink) {
  TD_ASSIGN_OR_RETURN(const auto spans, SpansOf(*point_, tape.tp, tape.tape, tape.from, to));
  for (const TapeSpan& span : spans) {
    TD_RETURN_IF_ERROR(span.archived == nullptr ? ReadBlocks(tape, span.from, span.to, sink)
                                                : ReadArchived(tape, span, sink));
  }
  return Status::Ok();
}

Status ReindexScope::ReadBlocks(const Tape& tape, int64_t from, int64_t to, ReindexSink* sink) {
  TapeBlocks blocks(&point_->view(), tape.tp, tape.tape.ToString(), ScanKind::kLong);
  TD_RETURN_IF_ERROR(blocks.Seek(from));
  for (; blocks.Valid() && blocks.base() < to;) {
    TD_RETURN_IF_ERROR(stop_->Check());
    const TapeIndexEntry& index = blocks.index();
    const bool same = tape.spec == nullptr || tape.spec->hash() == index.mapping;
    if (sink->Wants(index, same)) {
      TD_RETURN_IF_ERROR(blocks.Load(&block_, &buffers_));
      TD_RETURN_IF_ERROR(sink->Begin({&index}));
      for (size_t i = block_.LowerBound(from); i < block_.size() && block_.offset(i) < to; ++i) {
        TD_RETURN_IF_ERROR(Give(tape, block_.At(i), block_.ReceivedAt(i), index.mapping, sink));
      }
      TD_RETURN_IF_ERROR(sink->End());
    }
    TD_RETURN_IF_ERROR(blocks.Next());
  }
  return Status::Ok();
}

// Of what this store has recorded itself: what others have lies in days of theirs.
Status ReindexScope::ReadArchived(const Tape& tape, const TapeSpan& span, ReindexSink* sink) {
  TD_ASSIGN_OR_RETURN(const TapeOffsets own, RecordedOffsets(*point_, tape.tp));
  TapeBlock scratch;
  CodecBuffers buffers;
  TapeReader reader(point_.get(), tape.tp, &tape.tape,
                    {.from_offset = span.from, .to_offset = span.to, .stop = stop_.get()},
                    kArchivedBytes, &scratch, &buffers);
  TD_RETURN_IF_ERROR(sink->Begin({nullptr}));
  TD_RETURN_IF_ERROR(reader.Next());
  while (reader.Valid()) {
    const StoredMessage& stored = reader.message();
    if (own.Has(tape.tp, stored.message.offset)) {
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
