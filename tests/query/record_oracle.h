#ifndef TAPEDECK_TESTS_QUERY_RECORD_ORACLE_H_
#define TAPEDECK_TESTS_QUERY_RECORD_ORACLE_H_

// Record queries answered the slow, obvious way: by a look at the vector of everything that was
// recorded; and random queries to ask.
//
//   EXPECT_EQ(Ask(filler.Point(), query)->lines, Oracle(&filler, &query).Lines());
//
// Owned by one thread.

#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "query/random_world.h"
#include "query/series_cursor.h"
#include "query/store_filler.h"

namespace tapedeck::testing {

// One row as text: everything that an answer can show of it.
inline std::string Line(const RowCursor& cursor, const RowRun& run, uint32_t n) {
  const uint32_t row = run.RowAt(n);
  const Rows& rows = *run.rows;
  std::string line = std::to_string(rows.ts[row]) + "|" + std::string(run.symbol) + "|" +
                     std::to_string(rows.ts_kafka[row]) + "|" +
                     cursor.point().FindTape(TpId{rows.tp[row]})->ToString() + "|" +
                     std::to_string(rows.offset[row]) + "|" + std::to_string(rows.index[row]);
  for (size_t c = 0; c < cursor.columns().size(); ++c) {
    const Value value = rows.columns[c].At(row);
    line += "|" + cursor.columns()[c].name + "=";
    if (value.is_null()) {
      line += "null";
    } else {
      value.AppendCanonical(&line);
    }
  }
  return line;
}

struct Answer {
  std::vector<std::string> lines;
  std::vector<RecordPosition> positions;
};

inline Result<Answer> Drain(RowCursor* cursor) {
  Answer answer;
  for (;;) {
    RowRun run;
    TD_RETURN_IF_ERROR(cursor->Next(&run));
    if (run.count == 0) return answer;
    for (uint32_t n = 0; n < run.count; ++n) {
      answer.lines.push_back(Line(*cursor, run, n));
      answer.positions.push_back(cursor->PositionOf(run, n));
    }
  }
}

inline Result<Answer> Ask(std::shared_ptr<const ReadPoint> point, const RecordQuery& query) {
  TD_ASSIGN_OR_RETURN(auto cursor, RecordCursor::Open(std::move(point), query));
  return Drain(cursor.get());
}

// The slow, obvious way.
class Oracle {
 public:
  Oracle(const StoreFiller* filler, const RecordQuery* query)
      : query_(query), table_(*filler->tables().Find(query->table)) {
    for (const OracleRecord& r : filler->records()) {
      if (Selected(r)) rows_.push_back(&r);
    }
  }

  /// The records that are shown, in order.
  const std::vector<const OracleRecord*>& Rows() {
    std::sort(rows_.begin(), rows_.end(), [](auto* a, auto* b) { return Key(*a) < Key(*b); });
    if (table_.upsert()) Upsert();
    std::erase_if(rows_, [&](auto* r) { return !Shown(*r); });
    if (query_->order == ReadOrder::kDescending) std::reverse(rows_.begin(), rows_.end());
    return rows_;
  }
  std::vector<std::string> Lines() {
    std::vector<std::string> lines;
    for (const OracleRecord* r : Rows()) {
      if (lines.size() < query_->limit) lines.push_back(LineOf(*r));
    }
    return lines;
  }
  std::string LineOf(const OracleRecord& r) const {
    std::string line = std::to_string(r.ts) + "|" + r.symbol + "|" + std::to_string(r.ts_kafka) +
                       "|" + r.tape.ToString() + "|" + std::to_string(r.offset) + "|" +
                       std::to_string(r.index);
    std::vector<std::string> names;
    for (const Column& column : table_.columns) names.push_back(column.name);
    if (query_->columns) names = *query_->columns;
    auto also = [&](const std::string& name) {
      if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
    };
    for (const auto& [name, text] : query_->where) also(name);
    if (table_.upsert()) also("interval");
    for (const std::string& name : names) {
      auto field = r.fields.find(name);
      line += "|" + name + "=" + (field == r.fields.end() ? "null" : field->second);
    }
    return line;
  }

 private:
  static auto Key(const OracleRecord& r) {
    return std::tie(r.ts, r.symbol, r.tape.topic, r.tape.partition, r.tape.lineage, r.offset,
                    r.index);
  }
  bool Selected(const OracleRecord& r) const {
    auto in = [](const auto& list, const std::string& name) {
      return list.empty() || std::find(list.begin(), list.end(), name) != list.end();
    };
    return r.table == query_->table && in(query_->symbols, r.symbol) &&
           in(query_->topics, r.tape.topic) && r.ts >= query_->start.ns() &&
           (r.ts < query_->end.ns() || query_->end == Timestamp::Max());
  }
  bool Shown(const OracleRecord& r) const {
    return std::all_of(query_->where.begin(), query_->where.end(), [&](const auto& w) {
      auto field = r.fields.find(w.first);
      return field != r.fields.end() && field->second == w.second;
    });
  }
  void Upsert() {
    using Identity = std::tuple<int64_t, std::string, std::optional<std::string>>;
    std::map<Identity, const OracleRecord*> winners;
    auto rank = [](const OracleRecord& r) {
      return std::tie(r.ts_kafka, r.tape.topic, r.tape.partition, r.tape.lineage, r.offset,
                      r.index);
    };
    for (const OracleRecord* r : rows_) {
      auto interval = r->fields.find("interval");
      const OracleRecord*& held =
          winners[{r->ts, r->symbol,
                   interval == r->fields.end() ? std::nullopt : std::optional(interval->second)}];
      if (held == nullptr || rank(*held) < rank(*r)) held = r;
    }
    rows_.clear();
    for (const auto& [identity, row] : winners) rows_.push_back(row);
  }

  const RecordQuery* query_;
  const Table& table_;
  std::vector<const OracleRecord*> rows_;
};

inline RecordQuery RandomQuery(RandomWorld* world, const StoreFiller& filler, Random* random) {
  static const char* kTables[] = {"quotes", "trades", "bars", "odd"};
  RecordQuery query;
  query.table = kTables[random->Uniform(4)];
  if (!random->OneIn(3)) {
    std::vector<std::string> symbols = RandomWorld::Symbols();
    symbols.push_back("NONE");
    std::shuffle(symbols.begin(), symbols.end(), *random);
    symbols.resize(1 + random->Uniform(3));
    query.symbols = symbols;
  }
  if (random->OneIn(2)) query.start = Timestamp(world->Time());
  if (random->OneIn(2)) query.end = Timestamp(world->Time());
  if (random->OneIn(2)) query.order = ReadOrder::kDescending;
  const auto& columns = filler.tables().Find(query.table)->columns;
  if (random->OneIn(2)) {
    query.columns.emplace();
    for (const Column& column : columns) {
      if (random->OneIn(2)) query.columns->push_back(column.name);
    }
    std::shuffle(query.columns->begin(), query.columns->end(), *random);
  }
  if (random->OneIn(3) && !filler.records().empty()) {
    const auto& some = filler.records()[random->Uniform(filler.records().size())];
    if (some.table == query.table && !some.fields.empty())
      query.where.push_back(*some.fields.begin());
  }
  if (random->OneIn(4)) query.topics = {random->OneIn(2) ? "spot" : "futures"};
  if (random->OneIn(3)) query.limit = random->Uniform(40);
  static const size_t kMemory[] = {1, 3000, size_t{64} << 20};
  query.memory_bytes = kMemory[random->Uniform(3)];
  return query;
}

}  // namespace tapedeck::testing

#endif  // TAPEDECK_TESTS_QUERY_RECORD_ORACLE_H_
