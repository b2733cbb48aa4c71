#include "query/series_cursor.h"

#include <algorithm>
#include <tuple>

#include "base/text.h"
#include "model/keys.h"
#include "query/archive_source.h"
#include "query/chunk_source.h"
#include "query/store_source.h"
#include "tape/archive_plan.h"

namespace tapedeck {
namespace {

// Upserted rows are gathered up to this many before they are given out.
constexpr size_t kReadyRows = 1024;
// The stop is asked after so many rows: a millisecond or less.
constexpr uint32_t kRowsUnchecked = 4096;

std::string Names(std::span<const Column> columns) {
  std::string names;
  for (const Column& column : columns) names += (names.empty() ? "" : ", ") + column.name;
  return names;
}

}  // namespace

Result<std::unique_ptr<RecordCursor>> RecordCursor::Open(std::shared_ptr<const ReadPoint> point,
                                                         RecordQuery query) {
  std::unique_ptr<RecordCursor> cursor(new RecordCursor(std::move(point), std::move(query)));
  TD_RETURN_IF_ERROR(cursor->Prepare());
  return cursor;
}

RecordCursor::RecordCursor(std::shared_ptr<const ReadPoint> point, RecordQuery query)
    : point_(std::move(point)), query_(std::move(query)) {}

Status RecordCursor::Prepare() {
  TD_ASSIGN_OR_RETURN(selection_.table, point_->FindTable(query_.table));
  selection_.start = query_.start.ns();
  selection_.end = query_.end.ns();
  selection_.order = query_.order;
  selection_.stop = query_.stop.get();
  selection_.symbols = query_.symbols;
  std::sort(selection_.symbols.begin(), selection_.symbols.end());
  auto twice = std::adjacent_find(selection_.symbols.begin(), selection_.symbols.end());
  if (twice != selection_.symbols.end()) {
    return Status::InvalidArgument("symbol " + Quoted(*twice) + " is named twice");
  }
  TD_RETURN_IF_ERROR(ChooseColumns());
  TD_RETURN_IF_ERROR(ChooseTopics());
  TD_RETURN_IF_ERROR(StartAfter());
  ready_ = selection_.EmptyRows();
  if (selection_.table->upsert())
    group_.emplace(&point_->ranks(), identity_, selection_.EmptyRows());

  source_ = std::make_unique<MergedSource>(&point_->ranks(), selection_.order);
  if (query_.limit == 0 || (selection_.start >= selection_.end && selection_.end != INT64_MAX)) {
    return Status::Ok();
  }
  return AddSources();
}

Status RecordCursor::AddSources() {
  TD_ASSIGN_OR_RETURN(ArchivePlan plan,
                      PlanArchive(*point_, *selection_.table, selection_.start, selection_.end));
  // Rows of the store that others keep are left out.
  auto ours = [&](std::unique_ptr<RowSource> source) {
    if (plan.dropped.empty()) return source;
    return MakeDroppingSource(&selection_, plan.dropped, std::move(source));
  };
  for (const auto& chunk : point_->chunks()) {
    TD_RETURN_IF_ERROR(selection_.CheckStop());
    std::unique_ptr<RowSource> rows = MakeChunkSource(chunk, point_->directory(), &selection_);
    if (rows != nullptr) TD_RETURN_IF_ERROR(source_->Add(ours(std::move(rows))));
  }
  // At most one day's manifests are open at once, beside the store's blocks.
  std::map<Day, size_t> of_day;
  size_t together = 1;
  for (const ManifestRows& part : plan.parts) {
    together = std::max(together, 1 + ++of_day[part.manifest().day]);
  }
  const size_t each = query_.memory_bytes / together;
  for (const ManifestRows& part : plan.parts) {
    int64_t bound = 0;
    std::unique_ptr<RowSource> rows =
        MakeArchiveSource(point_.get(), &selection_, part, each, &bound);
    if (rows != nullptr) source_->AddLater(bound, std::move(rows));
  }
  return source_->Add(ours(MakeStoreSource(point_.get(), &selection_, each)));
}

// Place among the columns that are read; adds it to them.
Result<size_t> RecordCursor::Read(const std::string& name) {
  const Table& table = *selection_.table;
  const int place = table.FindColumn(name);
  if (place < 0) {
    return Status::InvalidArgument("table '" + table.name + "' has no column '" + name +
                                   "'; it has: " + Names(table.columns));
  }
  for (size_t i = 0; i < selection_.columns.size(); ++i) {
    if (selection_.columns[i].name == name) return i;
  }
  selection_.columns.push_back(table.columns[static_cast<size_t>(place)]);
  selection_.places.push_back(static_cast<uint32_t>(place));
  return selection_.columns.size() - 1;
}

Status RecordCursor::ChooseColumns() {
  const Table& table = *selection_.table;
  if (query_.columns) {
    for (const std::string& name : *query_.columns) TD_RETURN_IF_ERROR(Read(name).status());
  } else {
    for (const Column& column : table.columns) TD_RETURN_IF_ERROR(Read(column.name).status());
  }
  for (const auto& [name, text] : query_.where) {
    TD_ASSIGN_OR_RETURN(size_t column, Read(name));
    Filter filter{column, text};
    if (selection_.columns[column].type == ColumnType::kTimestamp) {
      Result<Timestamp> time = ParseRfc3339(text);
      if (time.ok()) filter.text = std::to_string(time->ns());
    }
    filters_.push_back(std::move(filter));
  }
  for (const std::string& name : table.identity) {
    if (name == "ts" || name == "symbol") continue;
    TD_ASSIGN_OR_RETURN(size_t column, Read(name));
    identity_.push_back(column);
  }
  return Status::Ok();
}

Status RecordCursor::ChooseTopics() {
  for (const std::string& topic : query_.topics) {
    bool known = false;
    for (const auto& [tp, tape] : point_->state().tapes) {
      if (tape.topic != topic) continue;
      known = true;
      if (Raw(tp) >= topics_.size()) topics_.resize(Raw(tp) + 1, false);
      topics_[Raw(tp)] = true;
    }
    if (!known) return Status::InvalidArgument("no topic " + Quoted(topic) + " was recorded here");
  }
  return Status::Ok();
}

// Narrows the times to what may come behind the position, and prepares the comparison that finds
// the exact row.
Status RecordCursor::StartAfter() {
  if (!query_.after) return Status::Ok();
  const RecordPosition& after = *query_.after;
  if (after.identity.size() != identity_.size()) {
    return Status::InvalidArgument("the position is not one of table '" + selection_.table->name +
                                   "'");
  }
  const int64_t ts = after.ts.ns();
  if (selection_.ascending()) {
    selection_.start = std::max(selection_.start, ts);
  } else if (ts < INT64_MAX) {
    selection_.end = std::min(selection_.end, ts + 1);
  }
  resuming_ = true;
  after_.ts = ts;
  after_.symbol = after.symbol;
  if (selection_.table->upsert()) {
    for (const auto& field : after.identity) AppendIdentityField(field, &after_identity_);
    return Status::Ok();
  }
  // Tapes that come before the position's; where it is not among ours, none of its rows are.
  bool ours = false;
  auto name = [](const auto& t) { return std::tie(t.topic, t.partition, t.lineage); };
  for (const auto& [tp, tape] : point_->state().tapes) {
    if (name(tape) < name(after)) ++after_.rank;
    if (name(tape) == name(after)) ours = true;
  }
  after_.offset = ours ? after.offset : INT64_MIN;
  after_.index = ours ? after.index : 0;
  if (ours && selection_.ascending()) {
    if (++after_.index == 0) ++after_.offset;
  }
  return Status::Ok();
}

// Append: whether the position lies at or behind this row.
bool RecordCursor::Passed(const RowKey& key) const {
  return selection_.ascending() ? key < after_ : key >= after_;
}

bool RecordCursor::Wanted(const Rows& rows, uint32_t row) {
  for (const Filter& filter : filters_) {
    const Value value = rows.columns[filter.column].At(row);
    if (value.is_null()) return false;
    if (value.has_text()) {
      if (value.text() != filter.text) return false;
      continue;
    }
    scratch_.clear();
    value.AppendCanonical(&scratch_);
    if (scratch_ != filter.text) return false;
  }
  return true;
}

// Counts rows that were looked at. Pauses where they have taken the whole turn.
Status RecordCursor::Pace(uint32_t rows, RowRun* run) {
  unchecked_ += rows;
  if (query_.stop == nullptr || unchecked_ < kRowsUnchecked) return Status::Ok();
  unchecked_ = 0;
  run->paused = query_.pauses && query_.stop->turn_over();
  return query_.stop->Check();
}

Status RecordCursor::Next(RowRun* run) {
  *run = RowRun{};
  if (given_ >= query_.limit) return Status::Ok();
  TD_RETURN_IF_ERROR(selection_.table->upsert() ? NextUpserted(run) : NextAppended(run));
  run->count = static_cast<uint32_t>(std::min<uint64_t>(run->count, query_.limit - given_));
  given_ += run->count;
  return Status::Ok();
}

Status RecordCursor::NextAppended(RowRun* run) {
  const bool all = topics_.empty() && filters_.empty();
  auto wanted = [&](const RowRun& head, uint32_t n) {
    const uint32_t row = head.RowAt(n);
    return TopicWanted(head.rows->tp[row]) && Wanted(*head.rows, row);
  };
  for (;;) {
    TD_RETURN_IF_ERROR(source_->Fill());
    const RowRun& head = source_->head();
    if (head.count == 0) return Status::Ok();
    uint32_t skip = 0;
    while (resuming_ && skip < head.count) {
      if (Passed(KeyOf(head, skip, point_->ranks()))) {
        ++skip;
      } else {
        resuming_ = false;
      }
    }
    while (!all && skip < head.count && !wanted(head, skip)) ++skip;
    if (skip > 0) {
      source_->Advance(skip);
      TD_RETURN_IF_ERROR(Pace(skip, run));
      if (run->paused) return Status::Ok();
      continue;
    }
    uint32_t take = head.count;
    if (!all) {
      for (take = 1; take < head.count && wanted(head, take);) ++take;
    }
    TD_RETURN_IF_ERROR(Pace(take, run));
    *run = head;
    run->count = take;
    source_->Advance(take);
    return Status::Ok();
  }
}

// Folds every row of the (ts, symbol) that comes next.
Status RecordCursor::FoldGroup() {
  group_->Clear();
  const int64_t ts = source_->head().rows->ts[source_->head().first];
  ready_symbol_ = source_->head().symbol;
  for (;;) {
    const RowRun& head = source_->head();
    uint32_t n = 0;
    if (head.count > 0 && head.symbol == ready_symbol_) {
      for (; n < head.count && head.rows->ts[head.RowAt(n)] == ts; ++n) {
        if (TopicWanted(head.rows->tp[head.RowAt(n)])) group_->Fold(*head.rows, head.RowAt(n));
      }
    }
    if (n == 0) return Status::Ok();
    source_->Advance(n);
    TD_RETURN_IF_ERROR(source_->Fill());
  }
}

// Moves the winners of the group that are wanted to the rows that are ready, in order.
void RecordCursor::EmitGroup() {
  const bool up = selection_.ascending();
  const Rows& rows = group_->rows();
  auto emit = [&](const auto& entry) {
    const auto& [identity, winner] = entry;
    if (resuming_) {
      const auto here = std::tie(rows.ts[winner.row], ready_symbol_, identity);
      const auto after = std::tie(after_.ts, query_.after->symbol, after_identity_);
      if (up ? here <= after : here >= after) return;
      resuming_ = false;
    }
    if (Wanted(rows, winner.row)) AppendRow(rows, winner.row, &ready_);
  };
  if (up) {
    std::for_each(group_->all().begin(), group_->all().end(), emit);
  } else {
    std::for_each(group_->all().rbegin(), group_->all().rend(), emit);
  }
}

Status RecordCursor::NextUpserted(RowRun* run) {
  ready_.Clear();
  for (;;) {
    TD_RETURN_IF_ERROR(source_->Fill());
    const RowRun& head = source_->head();
    const bool full = ready_.size() >= kReadyRows;
    if (head.count == 0 || full || (ready_.size() > 0 && head.symbol != ready_symbol_)) break;
    TD_RETURN_IF_ERROR(FoldGroup());
    TD_RETURN_IF_ERROR(Pace(static_cast<uint32_t>(group_->rows().size()), run));
    EmitGroup();
    if (run->paused) break;
  }
  if (ready_.size() > 0)
    *run = {ready_symbol_, &ready_, 0, static_cast<uint32_t>(ready_.size()), 1};
  return Status::Ok();
}

RecordPosition RecordCursor::PositionOf(const RowRun& run, uint32_t n) const {
  const Rows& rows = *run.rows;
  const uint32_t row = run.RowAt(n);
  RecordPosition position;
  position.ts = Timestamp(rows.ts[row]);
  position.symbol = run.symbol;
  for (size_t column : identity_) {
    const Value value = rows.columns[column].At(row);
    std::string text;
    value.AppendCanonical(&text);
    position.identity.push_back(value.is_null() ? std::nullopt : std::optional(std::move(text)));
  }
  if (selection_.table->upsert()) return position;
  if (const TapeId* tape = point_->FindTape(TpId{rows.tp[row]})) {
    position.topic = tape->topic;
    position.partition = tape->partition;
    position.lineage = tape->lineage;
  }
  position.offset = rows.offset[row];
  position.index = rows.index[row];
  return position;
}

}  // namespace tapedeck
