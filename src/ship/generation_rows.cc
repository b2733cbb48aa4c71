#include "ship/generation_rows.h"

#include <algorithm>
#include <tuple>

#include "archive/record_object_reader.h"
#include "base/check.h"
#include "query/generation_cursor.h"
#include "ship/object_put.h"

namespace tapedeck {
namespace {

/// What WinnerCursor gives at once, more or less.
constexpr size_t kBatchRows = 4096;

/// A generation in the store, counted.
class StorePull final : public RowPull {
 public:
  StorePull(const Journey& journey, const StoreView* view, const Table* table,
            const keys::DayKey& key, const TapeRanks* ranks, RowTally* tally)
      : journey_(journey), rows_(view, table, key.day, key.generation, ranks), tally_(tally) {}

  Status Next(RowRun* run) override {
    TD_RETURN_IF_ERROR(journey_.CheckStop());
    TD_RETURN_IF_ERROR(rows_.Next(run));
    if (run->count > 0 && tally_ != nullptr)
      tally_->Add(run->symbol, *run->rows, run->first, run->count);
    return Status::Ok();
  }

 private:
  const Journey& journey_;
  GenerationCursor rows_;
  RowTally* tally_;
};

/// The objects of one format of a manifest, fetched one after the other.
class ArchivePull final : public RowPull {
 public:
  ArchivePull(const Journey& journey, const Table& table, RecordManifest manifest,
              TapeResolver resolve, std::string path)
      : journey_(journey),
        table_(table),
        manifest_(std::move(manifest)),
        resolve_(std::move(resolve)),
        path_(std::move(path)) {
    const std::string format = manifest_.objects.empty() ? "" : manifest_.objects[0].format;
    std::erase_if(manifest_.objects, [&](const auto& object) { return object.format != format; });
  }
  ~ArchivePull() override {
    scan_.reset();
    object_.reset();
    RemoveFile(path_);
  }

  Status Next(RowRun* run) override {
    *run = {};
    for (;;) {
      if (scan_ == nullptr) {
        if (next_ == manifest_.objects.size()) return Status::Ok();
        TD_RETURN_IF_ERROR(OpenNext());
      }
      TD_RETURN_IF_ERROR(scan_->Next());
      const RowSlice& rows = scan_->rows();
      if (rows.count > 0) {
        *run = {.symbol = rows.symbol,
                .rows = rows.rows,
                .first = rows.first,
                .count = rows.count,
                .step = rows.step};
        return Status::Ok();
      }
      scan_.reset();
    }
  }

 private:
  Status OpenNext() {
    const ShippedObject& shipped = manifest_.objects[next_++];
    TD_ASSIGN_OR_RETURN(const bool same, ReadBack(journey_, shipped, path_));
    if (!same) return Status::Corruption(shipped.name + " is no more what was shipped");
    TD_ASSIGN_OR_RETURN(object_, OpenLocalObject(path_, shipped.name));
    TD_ASSIGN_OR_RETURN(const ObjectFormat format, ParseObjectFormat(shipped.format));
    TD_ASSIGN_OR_RETURN(scan_, OpenRecordScan(object_.get(), format, table_, resolve_));
    return Status::Ok();
  }

  const Journey& journey_;
  const Table& table_;
  RecordManifest manifest_;
  const TapeResolver resolve_;
  const std::string path_;
  size_t next_ = 0;
  std::unique_ptr<ObjectSource> object_;
  std::unique_ptr<RecordScan> scan_;
};

Rows EmptyRowsOf(const Table& table) {
  Rows rows;
  rows.columns.resize(table.columns.size());
  for (size_t c = 0; c < table.columns.size(); ++c) rows.columns[c].type = table.columns[c].type;
  return rows;
}

/// All but symbol and ts, which every row has outside its columns.
std::vector<size_t> IdentityColumns(const Table& table) {
  std::vector<size_t> columns;
  for (const std::string& name : table.identity) {
    if (const int column = table.FindColumn(name); column >= 0)
      columns.push_back(static_cast<size_t>(column));
  }
  return columns;
}

}  // namespace

WinnerCursor::WinnerCursor(const Table* table, const TapeRanks* ranks,
                           std::vector<std::unique_ptr<RowPull>> sources)
    : batch_(EmptyRowsOf(*table)), group_(ranks, IdentityColumns(*table), batch_) {
  for (auto& source : sources) heads_.push_back({.source = std::move(source), .run = {}});
}

Status WinnerCursor::Advance(Head* head) {
  if (++head->at < head->run.count) return Status::Ok();
  head->at = 0;
  return head->source->Next(&head->run);
}

const WinnerCursor::Head* WinnerCursor::Least() const {
  const Head* least = nullptr;
  for (const Head& head : heads_) {
    if (head.AtEnd()) continue;
    if (least == nullptr || head.run.symbol < least->run.symbol ||
        (head.run.symbol == least->run.symbol && head.ts() < least->ts())) {
      least = &head;
    }
  }
  return least;
}

// The winners of (symbol, ts), from all sources, into the batch, in order of their origins.
Status WinnerCursor::TakeGroup(const std::string& symbol, int64_t ts) {
  group_.Clear();
  for (Head& head : heads_) {
    while (!head.AtEnd() && head.run.symbol == symbol && head.ts() == ts) {
      group_.Fold(*head.run.rows, head.run.RowAt(head.at));
      TD_RETURN_IF_ERROR(Advance(&head));
    }
  }
  std::vector<std::tuple<uint32_t, int64_t, uint32_t, uint32_t>> order;
  for (const auto& [identity, w] : group_.all())
    order.emplace_back(w.rank, w.offset, w.index, w.row);
  std::ranges::sort(order);
  for (const auto& one : order) AppendRow(group_.rows(), std::get<3>(one), &batch_);
  return Status::Ok();
}

Status WinnerCursor::Next(RowRun* run) {
  *run = {};
  if (!started_) {
    started_ = true;
    for (Head& head : heads_) TD_RETURN_IF_ERROR(head.source->Next(&head.run));
  }
  batch_.Clear();
  while (batch_.size() < kBatchRows) {
    const Head* least = Least();
    if (least == nullptr || (batch_.size() > 0 && least->run.symbol != symbol_)) break;
    symbol_ = least->run.symbol;
    TD_RETURN_IF_ERROR(TakeGroup(symbol_, least->ts()));
  }
  if (batch_.size() == 0) return Status::Ok();
  *run = {.symbol = symbol_, .rows = &batch_, .count = static_cast<uint32_t>(batch_.size())};
  return Status::Ok();
}

Result<std::unique_ptr<GenerationRows>> GenerationRows::Open(const Journey& journey,
                                                             const StoreView& view,
                                                             const StoreState& state,
                                                             const keys::DayKey& key,
                                                             const std::string& prefix) {
  const Table* table = state.tables.Find(key.table);
  TD_CHECK(table != nullptr, "a day has a table of the registry");
  std::unique_ptr<GenerationRows> rows(new GenerationRows);
  rows->ranks_ = TapeRanks(state.tapes);
  rows->own_ = std::make_unique<RowTally>(*table, state);
  auto pull = [&](const keys::DayKey& of, RowTally* tally) {
    return std::make_unique<StorePull>(journey, &view, table, of, &rows->ranks_, tally);
  };
  if (!table->upsert()) {
    rows->rows_ = pull(key, rows->own_.get());
    return rows;
  }
  std::vector<std::unique_ptr<RowPull>> sources;
  sources.push_back(pull(key, rows->own_.get()));
  for (const auto& [other, entry] : state.days) {
    const bool before = other.table == key.table && other.day == key.day &&
                        other.generation < key.generation && entry.counts() &&
                        !journey.Inherited(entry);
    if (before && entry.phase < DayPhase::kPruned) sources.push_back(pull(other, nullptr));
  }
  std::map<std::tuple<std::string, int32_t, uint32_t>, TpId> tapes;
  for (const auto& [tp, tape] : state.tapes) tapes[{tape.topic, tape.partition, tape.lineage}] = tp;
  auto resolve = [tapes](const TapeId& tape) -> Result<TpId> {
    auto found = tapes.find({tape.topic, tape.partition, tape.lineage});
    if (found != tapes.end()) return found->second;
    return Status::Corruption("the store has no tape " + tape.ToString());
  };
  for (const std::string& name : ManifestsBelow(journey, state, key, DayPhase::kPruned)) {
    TD_ASSIGN_OR_RETURN(RecordManifest manifest, FetchRecordManifest(journey, name));
    const auto path = journey.Work() / (prefix + "before" + std::to_string(sources.size()));
    sources.push_back(std::make_unique<ArchivePull>(journey, *table, std::move(manifest), resolve,
                                                    path.string()));
  }
  rows->rows_ = std::make_unique<WinnerCursor>(table, &rows->ranks_, std::move(sources));
  return rows;
}

std::set<std::string> ManifestsBelow(const Journey& journey, const StoreState& state,
                                     const keys::DayKey& key, DayPhase at_least) {
  std::set<std::string> names;
  for (const auto& [other, entry] : state.days) {
    if (journey.Inherited(entry)) continue;
    if (other.table == key.table && other.day == key.day && other.generation < key.generation &&
        entry.counts() && entry.phase >= at_least) {
      names.insert(entry.manifest);
    }
  }
  return names;
}

Result<RecordManifest> FetchRecordManifest(const Journey& journey, const std::string& name) {
  TD_ASSIGN_OR_RETURN(const std::unique_ptr<Blob> blob, journey.parts->blobs->Open(name));
  std::string json;
  TD_RETURN_IF_ERROR(blob->StreamAll([&](std::string_view piece) {
    json.append(piece);
    return Status::Ok();
  }));
  Result<Manifest> manifest = ParseManifest(json);
  if (!manifest.ok()) return manifest.status().WithContext(name);
  if (!std::holds_alternative<RecordManifest>(*manifest))
    return Status::Corruption(name + " is none of records");
  return std::get<RecordManifest>(std::move(*manifest));
}

}  // namespace tapedeck
