#include "query/latest.h"

#include <algorithm>
#include <map>
#include <set>
#include <span>

#include "base/text.h"
#include "model/keys.h"
#include "model/last_record.h"
#include "query/archive_symbols.h"
#include "query/series_cursor.h"

namespace tapedeck {
namespace {

// An open row.
struct Place {
  const Chunk* chunk = nullptr;
  uint32_t row = 0;
};

RecordView RowAt(const Place& place) {
  const ChunkRow& row = place.chunk->row(place.row);
  return {.ts = Timestamp(row.ts),
          .ts_kafka = Timestamp(row.ts_kafka),
          .origin = {row.tp, row.offset, row.index},
          .values = place.chunk->values(place.row)};
}

// Finds the newest open rows of the selected topics.
class NewestOpen {
 public:
  NewestOpen(const ReadPoint* point, const RecordCursor* shape, const RecordOrder* order)
      : point_(point), shape_(shape), order_(order) {}

  Place Find(SeriesId series) const {
    if (series < all_.size()) return all_[series];
    Place newest;
    for (const auto& chunk : point_->chunks()) Take(OfChunk(*chunk, series), &newest);
    return newest;
  }

  /// Looks at every series of the table at once; returns those with a symbol not below `from`, by
  /// symbol.
  std::vector<std::pair<std::string_view, SeriesId>> FindAll(std::string_view from) {
    std::vector<std::pair<std::string_view, SeriesId>> found;
    enum class Seen : uint8_t { kNo, kWanted, kOther };
    std::vector<Seen> seen(point_->directory()->size(), Seen::kNo);
    all_.resize(seen.size());
    for (const auto& chunk : point_->chunks()) {
      for (SeriesId series : chunk->series()) {
        if (seen[series] == Seen::kNo) {
          const SeriesName& name = point_->directory()->At(series);
          const bool wanted = name.table == shape_->table().id && name.symbol >= from;
          seen[series] = wanted ? Seen::kWanted : Seen::kOther;
          if (wanted) found.emplace_back(name.symbol, series);
        }
        if (seen[series] == Seen::kWanted) Take(OfChunk(*chunk, series), &all_[series]);
      }
    }
    std::sort(found.begin(), found.end());
    return found;
  }

 private:
  void Take(const Place& place, Place* newest) const {
    if (place.chunk == nullptr) return;
    if (newest->chunk == nullptr || order_->Before(RowAt(*newest), RowAt(place))) *newest = place;
  }

  // A chunk's rows are in the order of append tables; an upsert table's last time may have several.
  Place OfChunk(const Chunk& chunk, SeriesId series) const {
    const std::span<const uint32_t> rows = chunk.RowsOf(series);
    Place newest;
    for (size_t i = rows.size(); i-- > 0;) {
      const ChunkRow& row = chunk.row(rows[i]);
      if (newest.chunk != nullptr && row.ts != chunk.row(newest.row).ts) break;
      if (!shape_->TopicWanted(Raw(row.tp))) continue;
      Take({&chunk, rows[i]}, &newest);
      if (!shape_->table().upsert()) break;
    }
    return newest;
  }

  const ReadPoint* point_;
  const RecordCursor* shape_;
  const RecordOrder* order_;
  std::vector<Place> all_;  // by series, once FindAll was called
};

// The symbols of a query in order: those that are named, or all of the catalog and the open rows.
class SymbolWalk {
 public:
  struct Step {
    std::string symbol;
    bool stored = false;
    CatalogEntry entry;
    SeriesId series = kNoSeries;
  };

  SymbolWalk(const ReadPoint* point, TableId table, std::string from)
      : point_(point), table_(table), from_(std::move(from)) {}

  void Name(std::vector<std::string> symbols) {
    named_ = true;
    symbols_ = std::move(symbols);
    next_ = static_cast<size_t>(std::lower_bound(symbols_.begin(), symbols_.end(), from_) -
                                symbols_.begin());
  }
  void TakeAll(std::vector<std::pair<std::string_view, SeriesId>> open) {
    std::string prefix = keys::Catalog(table_, "");
    prefix.pop_back();  // the end of the symbol
    catalog_ = point_->view().Scan(prefix, keys::After(prefix), ScanKind::kLong);
    catalog_->Seek(keys::Catalog(table_, from_));
    open_ = std::move(open);
  }

  /// False at the end.
  Result<bool> Next(Step* step) {
    *step = Step{};
    return named_ ? NextNamed(step) : NextOfAll(step);
  }

 private:
  Result<bool> NextNamed(Step* step) {
    if (next_ == symbols_.size()) return false;
    step->symbol = symbols_[next_++];
    step->series = point_->directory()->Find(table_, step->symbol);
    Result<std::string> entry = point_->view().Get(keys::Catalog(table_, step->symbol));
    if (entry.status().code() == StatusCode::kNotFound) return true;
    TD_RETURN_IF_ERROR(entry.status());
    TD_ASSIGN_OR_RETURN(step->entry, DecodeCatalog(*entry));
    step->stored = true;
    return true;
  }

  Result<bool> NextOfAll(Step* step) {
    if (!catalog_->Valid()) TD_RETURN_IF_ERROR(catalog_->status());
    const bool open = next_ < open_.size();
    if (!catalog_->Valid() && !open) return false;
    if (catalog_->Valid()) {
      TD_ASSIGN_OR_RETURN(keys::CatalogKey key, keys::ParseCatalog(catalog_->key()));
      if (!open || key.symbol <= open_[next_].first) {
        TD_ASSIGN_OR_RETURN(step->entry, DecodeCatalog(catalog_->value()));
        step->symbol = std::move(key.symbol);
        step->stored = true;
        catalog_->Next();
        if (!open || step->symbol != open_[next_].first) return true;
      }
    }
    step->symbol = open_[next_].first;
    step->series = open_[next_++].second;
    return true;
  }

  const ReadPoint* point_;
  const TableId table_;
  const std::string from_;  // the least symbol wanted
  bool named_ = false;
  std::vector<std::string> symbols_;
  std::unique_ptr<StoreCursor> catalog_;
  std::vector<std::pair<std::string_view, SeriesId>> open_;
  size_t next_ = 0;  // of symbols_ or open_
};

bool Fits(const Value& value, ColumnType type) {
  switch (value.kind()) {
    case Value::Kind::kNull:
      return true;
    case Value::Kind::kDecimal:
    case Value::Kind::kDecimalText:
      return type == ColumnType::kDecimal;
    case Value::Kind::kInteger:
      return type == ColumnType::kInteger;
    case Value::Kind::kText:
      return type == ColumnType::kText;
    case Value::Kind::kFlag:
      return type == ColumnType::kFlag;
    case Value::Kind::kTimestamp:
      return type == ColumnType::kTimestamp;
  }
  return false;
}

class LatestCursor final : public RowCursor {
 public:
  LatestCursor(std::shared_ptr<const ReadPoint> point, LatestQuery query)
      : point_(std::move(point)), query_(std::move(query)) {}

  Status Prepare() {
    RecordQuery none = QueryOf(query_.symbols);
    none.limit = 0;
    TD_ASSIGN_OR_RETURN(shape_, RecordCursor::Open(point_, std::move(none)));
    rows_ = shape_->selection().EmptyRows();
    if (!query_.by.empty() && table().FindColumn(query_.by) < 0) {
      return Status::InvalidArgument("table '" + table().name + "' has no column '" + query_.by +
                                     "'");
    }
    while (!query_.by.empty() && columns()[by_].name != query_.by) ++by_;
    std::string from;
    if (query_.after) {
      if (query_.after->identity.size() != (query_.by.empty() ? 0 : 1)) {
        return Status::InvalidArgument("the position is not one of this query");
      }
      // With `by` the symbol may have records left.
      from = query_.after->symbol;
      if (query_.by.empty()) from.push_back('\0');
    }
    order_.emplace(&table(), &point_->ranks());
    open_.emplace(point_.get(), shape_.get(), &*order_);
    walk_.emplace(point_.get(), table().id, from);
    TD_ASSIGN_OR_RETURN(others_, HasOthersRecords(*point_, table()));
    if (query_.symbols.empty()) {
      auto open = open_->FindAll(from);
      if (others_) TD_RETURN_IF_ERROR(AddArchived(from, &open));
      walk_->TakeAll(std::move(open));
    } else {
      walk_->Name(shape_->selection().symbols);
    }
    return Status::Ok();
  }

  Status Next(RowRun* run) override {
    *run = RowRun{};
    while (given_ < query_.limit) {
      TD_ASSIGN_OR_RETURN(const bool more, walk_->Next(&step_));
      if (!more) return Status::Ok();
      if (query_.stop != nullptr) TD_RETURN_IF_ERROR(query_.stop->Check());
      rows_.Clear();
      TD_RETURN_IF_ERROR(query_.by.empty() ? FindNewest() : FindNewestOfEach());
      if (rows_.size() == 0) {
        run->paused = query_.pauses && query_.stop != nullptr && query_.stop->turn_over();
        if (run->paused) return Status::Ok();
        continue;
      }
      const uint64_t count = std::min<uint64_t>(rows_.size(), query_.limit - given_);
      given_ += count;
      *run = {step_.symbol, &rows_, 0, static_cast<uint32_t>(count), 1};
      return Status::Ok();
    }
    return Status::Ok();
  }

  const Table& table() const override { return shape_->table(); }
  const ReadPoint& point() const override { return *point_; }
  std::span<const Column> columns() const override { return shape_->columns(); }
  RowOrder row_order() const override { return RowOrder::kSymbol; }
  uint64_t rows() const override { return given_; }

  RecordPosition PositionOf(const RowRun& run, uint32_t n) const override {
    RecordPosition position;
    position.ts = Timestamp(run.rows->ts[run.RowAt(n)]);
    position.symbol = run.symbol;
    if (!query_.by.empty()) position.identity.push_back(ValueOfBy(*run.rows, run.RowAt(n)));
    return position;
  }

 private:
  // The query whose last record is looked for: newest first.
  RecordQuery QueryOf(std::vector<std::string> symbols) const {
    RecordQuery query;
    query.table = query_.table;
    query.symbols = std::move(symbols);
    query.order = ReadOrder::kDescending;
    query.columns = query_.columns;
    query.where = query_.where;
    query.topics = query_.topics;
    query.memory_bytes = query_.memory_bytes;
    query.stop = query_.stop;
    if (query_.by.empty() || !query.columns) return query;
    auto& columns = *query.columns;
    if (std::find(columns.begin(), columns.end(), query_.by) == columns.end()) {
      columns.push_back(query_.by);
    }
    return query;
  }

  // Symbols of other stores; those that have no open rows.
  Status AddArchived(const std::string& from,
                     std::vector<std::pair<std::string_view, SeriesId>>* open) {
    auto add = [&](const std::string& symbol, const CatalogEntry&) {
      archived_.insert(symbol);
      return Status::Ok();
    };
    auto may_want = [&](const std::string& first, const std::string& last) {
      return last >= from && !(first == last && archived_.contains(first));
    };
    TD_RETURN_IF_ERROR(VisitArchivedSeries(*point_, table(), {}, query_.stop.get(), add,
                                           SeriesFacts::kNames, may_want));
    for (const auto& [symbol, series] : *open) archived_.erase(std::string(symbol));
    for (const std::string& symbol : archived_) open->emplace_back(symbol, kNoSeries);
    std::sort(open->begin(), open->end());
    return Status::Ok();
  }

  // Puts the newest record of the symbol in hand into rows_, if there is one.
  Status FindNewest() {
    if (others_) return Search();  // others may have a newer one
    const Place open = step_.series == kNoSeries ? Place{} : open_->Find(step_.series);
    const bool is_open = open.chunk != nullptr;
    bool known = true;  // whether `last` or nothing is the newest stored one
    bool stored = false;
    LastRecord last;
    if (step_.stored) {
      known = !step_.entry.last.empty();
      if (known) {
        TD_RETURN_IF_ERROR(DecodeLastRecord(step_.entry.last_ts, step_.entry.last, &last)
                               .WithContext("catalog entry of " + Quoted(step_.symbol)));
        known = stored = shape_->TopicWanted(Raw(last.record.origin.tp));
      }
    }
    if (!known && is_open && RowAt(open).ts > step_.entry.last_ts) known = true;
    if (!known) return Search();
    if (!stored && !is_open) return Status::Ok();
    const bool take_open = is_open && (!stored || order_->Before(last.record, RowAt(open)));
    TD_RETURN_IF_ERROR(Append(take_open ? RowAt(open) : last.record));
    // It may be that an older one passes the filters.
    if (query_.where.empty() || shape_->Shows(rows_, 0)) return Status::Ok();
    rows_.Clear();
    return Search();
  }

  Status Append(const RecordView& record) {
    rows_.ts.push_back(record.ts.ns());
    rows_.ts_kafka.push_back(record.ts_kafka.ns());
    rows_.tp.push_back(Raw(record.origin.tp));
    rows_.offset.push_back(record.origin.offset);
    rows_.index.push_back(record.origin.index);
    for (size_t c = 0; c < rows_.columns.size(); ++c) {
      const uint32_t place = shape_->selection().places[c];
      const Value value = place < record.values.size() ? record.values[place] : Value();
      if (!Fits(value, columns()[c].type)) {
        return Status::Corruption("the last record of " + Quoted(step_.symbol) +
                                  " has a value of another type than its column");
      }
      rows_.columns[c].Append(value);
    }
    return Status::Ok();
  }

  // Reads the series backwards up to the first record that is shown.
  Status Search() {
    RecordQuery query = QueryOf({step_.symbol});
    query.limit = 1;
    const bool plain = query_.where.empty() && query_.topics.empty();
    if (plain && step_.stored) query.start = step_.entry.last_ts;
    TD_ASSIGN_OR_RETURN(auto cursor, RecordCursor::Open(point_, std::move(query)));
    RowRun run;
    TD_RETURN_IF_ERROR(cursor->Next(&run));
    if (run.count > 0) AppendRow(*run.rows, run.RowAt(0), &rows_);
    return Status::Ok();
  }

  std::optional<std::string> ValueOfBy(const Rows& rows, uint32_t row) const {
    const Value value = rows.columns[by_].At(row);
    if (value.is_null()) return std::nullopt;
    std::string text;
    value.AppendCanonical(&text);
    return text;
  }

  Status FindNewestOfEach() {
    TD_ASSIGN_OR_RETURN(auto cursor, RecordCursor::Open(point_, QueryOf({step_.symbol})));
    Rows found = shape_->selection().EmptyRows();
    std::map<std::optional<std::string>, size_t> values;  // null first
    for (RowRun run;;) {
      TD_RETURN_IF_ERROR(cursor->Next(&run));
      if (run.count == 0) break;
      for (uint32_t n = 0; n < run.count; ++n) {
        const uint32_t row = run.RowAt(n);
        if (values.try_emplace(ValueOfBy(*run.rows, row), found.size()).second) {
          AppendRow(*run.rows, row, &found);
        }
      }
      if (BytesOf(found) > query_.memory_bytes) {
        return Status::ResourceExhausted("there are too many values of " + query_.by);
      }
    }
    const bool resumed = query_.after && query_.after->symbol == step_.symbol;
    for (const auto& [value, row] : values) {
      if (!resumed || query_.after->identity[0] < value) AppendRow(found, row, &rows_);
    }
    return Status::Ok();
  }

  const std::shared_ptr<const ReadPoint> point_;
  const LatestQuery query_;
  std::unique_ptr<RecordCursor> shape_;  // knows columns, topics and filters; is not read
  std::optional<RecordOrder> order_;
  std::optional<NewestOpen> open_;
  std::optional<SymbolWalk> walk_;
  bool others_ = false;             // other stores have shipped records of the table
  std::set<std::string> archived_;  // symbols that have no open rows here
  size_t by_ = 0;                   // column of `by`
  SymbolWalk::Step step_;
  Rows rows_;  // of the symbol in hand
  uint64_t given_ = 0;
};

}  // namespace

Result<std::unique_ptr<RowCursor>> OpenLatest(std::shared_ptr<const ReadPoint> point,
                                              LatestQuery query) {
  auto cursor = std::make_unique<LatestCursor>(std::move(point), std::move(query));
  TD_RETURN_IF_ERROR(cursor->Prepare());
  return std::unique_ptr<RowCursor>(std::move(cursor));
}

}  // namespace tapedeck
