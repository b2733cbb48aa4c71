#include "tape/selection_lane.h"

#include <algorithm>
#include <tuple>

#include "tape/tape_spans.h"

namespace tapedeck {
namespace {

// Blocks whose entries are looked at before what they hold is read: bounds how long a read that
// nobody waits for goes on.
constexpr int kRunBlocksMax = 512;

bool BeforeEnd(Timestamp time, Timestamp end) { return time < end || end == Timestamp::Max(); }

auto NameOf(const TapeId& tape) { return std::tie(tape.topic, tape.partition, tape.lineage); }
auto NameOf(const MessagePosition& position) {
  return std::tie(position.topic, position.partition, position.lineage);
}

}  // namespace

SelectionLane::SelectionLane(const Setting* setting, const TapeRange* range, size_t rank,
                             const std::optional<MessagePosition>& after)
    : setting_(setting), range_(range), rank_(rank), from_(range->from), looked_to_(range->from) {
  const Selection& selection = *setting->selection;
  message_.greatest_time = Timestamp::Min();
  tp_ = TapeOf(*setting->point, range->tape);
  if (after) BeginBehind(*after);
  looked_to_ = from_;
  by_index_ = tp_.has_value() &&
              (selection.narrowed() || (selection.order == SelectionOrder::kEvent && !begun_));
  if (setting->decodes) {
    decoders_ = std::make_unique<StoredDecoders>(*setting->point);
    message_.tables = &setting->point->state().tables;
  }
  if (selection.tables.empty()) return;
  for (const Table& table : setting->point->state().tables.tables()) {
    const size_t id = static_cast<size_t>(table.id);
    if (table_wanted_.size() <= id) table_wanted_.resize(id + 1, false);
    table_wanted_[id] =
        std::binary_search(selection.tables.begin(), selection.tables.end(), table.name);
  }
}

// The position's own tape goes on with the next offset; a tape that sorts before it has given all
// keys up to and with the position's time; one that sorts after it, all before that time.
void SelectionLane::BeginBehind(const MessagePosition& after) {
  if (NameOf(range_->tape) == NameOf(after)) {
    from_ = after.offset == INT64_MAX ? range_->to : std::max(from_, after.offset + 1);
    message_.greatest_time = after.time;
    return;
  }
  if (NameOf(range_->tape) < NameOf(after)) {
    if (after.time == Timestamp::Max()) from_ = range_->to;
    begin_at_ = after.time.SaturatingAdd(1);
  } else {
    begin_at_ = after.time;
  }
  begun_ = begin_at_ == Timestamp::Min();
  if (!begun_ && setting_->selection->order == SelectionOrder::kArrival) skip_to_ = after;
}

// The entry was made by the mapping that decodes the block's messages here.
bool SelectionLane::Excluded(const TapeIndexEntry& index) const {
  const Selection& selection = *setting_->selection;
  if (selection.narrowed() && index.records == 0) return true;
  if (selection.order == SelectionOrder::kEvent && !begun_ &&
      (index.records == 0 || index.event_max_ns < begin_at_.ns())) {
    return true;
  }
  if (selection.clock == SelectionClock::kEvent &&
      (index.event_max_ns < selection.start.ns() ||
       !BeforeEnd(Timestamp(index.event_min_ns), selection.end))) {
    return true;
  }
  if (selection.symbols.empty() || index.many_symbols) return false;
  return std::none_of(index.symbols.begin(), index.symbols.end(), [&](const std::string& symbol) {
    return std::binary_search(selection.symbols.begin(), selection.symbols.end(), symbol);
  });
}

void SelectionLane::GoOnAt(int64_t offset) {
  from_ = std::max(from_, offset);
  looked_to_ = from_;
}

bool SelectionLane::HasGap(int64_t from, int64_t to) const {
  if (from >= to) return false;
  const auto gap = std::partition_point(gaps_.begin(), gaps_.end(),
                                        [from](const Gap& g) { return g.to <= from; });
  return gap != gaps_.end() && gap->from < to;
}

// Moves from_ past blocks that hold nothing, and says up to where the next may. Offsets that no
// block has are read where others may have recorded them: before the first block, and in gaps.
Result<int64_t> SelectionLane::EndOfRun() {
  if (!by_index_) return range_->to;
  if (blocks_ == nullptr) {
    blocks_ = std::make_unique<TapeBlocks>(&setting_->point->view(), *tp_, range_->tape.ToString(),
                                           ScanKind::kLong);
    if (setting_->point->manifests() != nullptr && setting_->point->IsStored(*tp_)) {
      TD_ASSIGN_OR_RETURN(gaps_, setting_->point->view().Gaps(*tp_));
    }
    TD_RETURN_IF_ERROR(blocks_->Seek(from_));
    if (blocks_->Valid() && blocks_->base() > from_) return blocks_->base();
  }
  while (blocks_->Valid() && blocks_->base() < range_->to) {
    if (HasGap(from_, blocks_->base())) return blocks_->base();
    if (!Excluded(blocks_->index())) break;
    if (setting_->stop != nullptr) TD_RETURN_IF_ERROR(setting_->stop->Check());
    from_ = blocks_->index().last_offset + 1;
    TD_RETURN_IF_ERROR(blocks_->Next());
    if (TurnOver()) return from_;
  }
  for (int i = 0; i < kRunBlocksMax && blocks_->Valid() && blocks_->base() < range_->to; ++i) {
    if (Excluded(blocks_->index())) return blocks_->base();
    TD_RETURN_IF_ERROR(blocks_->Next());
  }
  return blocks_->Valid() ? std::min(blocks_->base(), range_->to) : range_->to;
}

// All of its messages came before the position, by the bounds that a gap of `retain` has.
bool SelectionLane::WasGiven(const Gap& gap) const {
  if (begun_) return false;
  if (setting_->selection->order == SelectionOrder::kEvent) {
    return gap.event_after_ns != INT64_MIN && gap.event_after_ns < begin_at_.ns();
  }
  int64_t ns = 0;
  return gap.kafka_after_ms >= 0 &&
         !__builtin_mul_overflow(gap.kafka_after_ms, int64_t{1'000'000}, &ns) &&
         ns < begin_at_.ns();
}

// E9: what was frozen is there, or the replay ends with the place. Once for each read point.
Status SelectionLane::CheckRetained() {
  if (retained_ || setting_->missing == nullptr || !tp_) return Status::Ok();
  retained_ = true;
  const ReadPoint& point = *setting_->point;
  if (!point.IsStored(*tp_)) return Status::Ok();
  TD_ASSIGN_OR_RETURN(const std::vector<Gap> gaps, point.view().Gaps(*tp_));
  for (const Gap& gap : gaps) {
    if (gap.reason != GapReason::kRetain || gap.to <= from_ || gap.from >= range_->to) continue;
    if (!MayTouch(gap, *setting_->selection) || WasGiven(gap)) continue;
    TapeOffsets lost;
    lost.Add(*tp_, std::max(gap.from, from_), std::min(gap.to, range_->to));
    for (const TapeGap& known : *setting_->missing) {
      if (known.tape == range_->tape) lost.Remove(*tp_, known.gap.from, known.gap.to);
    }
    if (point.manifests() != nullptr && !lost.empty()) {
      TD_ASSIGN_OR_RETURN(const TapeOffsets elsewhere, KnownOffsets(point, *tp_, range_->tape));
      lost.Remove(elsewhere);
    }
    if (lost.empty()) continue;
    const OffsetSpan first = lost.Of(*tp_).front();
    return Status::NotFound(range_->tape.topic + "[" + std::to_string(range_->tape.partition) +
                            "]@" + std::to_string(first.from) + ": offsets up to " +
                            std::to_string(first.to - 1) +
                            " were dropped by store.retain since they were selected");
  }
  return Status::Ok();
}

// False at the end of the range.
Result<bool> SelectionLane::OpenRun() {
  if (from_ >= range_->to) return false;
  TD_RETURN_IF_ERROR(CheckRetained());
  TD_ASSIGN_OR_RETURN(int64_t to, EndOfRun());
  to = std::min(to, range_->to);
  if (from_ >= to) return from_ < range_->to;
  const Selection& selection = *setting_->selection;
  MessageQuery query;
  query.topics = {range_->tape.topic};
  query.partition = range_->tape.partition;
  query.lineage = range_->tape.lineage;
  // What another cluster's topic of this name holds may be long, and would move nothing here.
  if (tp_) query.cluster = setting_->point->FindTape(*tp_)->cluster;
  query.from_offset = from_;
  query.to_offset = to;
  if (selection.clock == SelectionClock::kKafka) {
    query.start = selection.start;
    query.end = selection.end;
  }
  if (!begun_) query.after = skip_to_;
  query.memory_bytes = setting_->memory_bytes;
  query.stop = setting_->stop;
  TD_ASSIGN_OR_RETURN(run_, MessageCursor::Open(setting_->point, std::move(query)));
  from_ = to;
  return true;
}

bool SelectionLane::Matches(const DecodedRecord& record) const {
  const Selection& selection = *setting_->selection;
  const size_t table = static_cast<size_t>(record.table);
  if (!selection.tables.empty() && (table >= table_wanted_.size() || !table_wanted_[table])) {
    return false;
  }
  if (selection.clock == SelectionClock::kEvent &&
      (record.ts < selection.start || !BeforeEnd(record.ts, selection.end))) {
    return false;
  }
  return selection.symbols.empty() ||
         std::binary_search(selection.symbols.begin(), selection.symbols.end(), record.symbol,
                            std::less<>());
}

// The least event time of the records; Min() where there is none.
Result<Timestamp> SelectionLane::DecodeRecords(const StoredMessage& stored) {
  TD_ASSIGN_OR_RETURN(Decoder * decoder, decoders_->For(stored.mapping));
  decoder->Decode({stored.tape->topic, stored.tape->partition}, stored.message, stored.received,
                  &decoded_);
  message_.decoded = &decoded_;
  matching_.clear();
  Timestamp least = Timestamp::Max();
  for (size_t n = 0; n < decoded_.records.size(); ++n) {
    least = std::min(least, decoded_.records[n].ts);
    if (Matches(decoded_.records[n])) matching_.push_back(static_cast<uint32_t>(n));
  }
  message_.matching = matching_;
  return decoded_.records.empty() ? Timestamp::Min() : least;
}

Result<bool> SelectionLane::Select(const StoredMessage& stored) {
  Timestamp time = stored.time;
  if (setting_->decodes) {
    TD_ASSIGN_OR_RETURN(const Timestamp least, DecodeRecords(stored));
    if (setting_->selection->narrowed() && matching_.empty()) return false;
    if (setting_->selection->order == SelectionOrder::kEvent) time = least;
  }
  if (!begun_ && time < begin_at_) return false;
  begun_ = true;
  message_.stored = &stored;
  message_.time = time;
  message_.greatest_time = std::max(message_.greatest_time, time);
  return true;
}

Status SelectionLane::Next() {
  message_.stored = nullptr;
  for (searching_ = false;;) {
    if (run_ == nullptr) {
      looked_to_ = std::max(looked_to_, from_);
      TD_ASSIGN_OR_RETURN(const bool more, OpenRun());
      if (!more) return Status::Ok();
      if (run_ == nullptr) {
        looked_to_ = std::max(looked_to_, from_);
        searching_ = TurnOver();
        if (searching_) return Status::Ok();
        continue;
      }
    }
    TD_ASSIGN_OR_RETURN(const StoredMessage* stored, run_->Next());
    if (stored == nullptr) {
      run_ = nullptr;
      continue;
    }
    looked_to_ = stored->message.offset;
    TD_ASSIGN_OR_RETURN(const bool selected, Select(*stored));
    if (selected) return Status::Ok();
    ++looked_to_;
    searching_ = TurnOver();
    if (searching_) return Status::Ok();
  }
}

MessagePosition SelectionLane::position() const {
  return {message_.greatest_time, range_->tape.topic, range_->tape.partition, range_->tape.lineage,
          message_.stored->message.offset};
}

}  // namespace tapedeck
