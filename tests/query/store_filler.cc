#include "query/store_filler.h"

#include <algorithm>
#include <tuple>

#include "codec/series_block.h"
#include "model/last_record.h"
#include "query/row_source.h"
#include "tape/tail.h"

namespace tapedeck::testing {
namespace {

constexpr const char* kMapping = R"({
  "format": "json", "each": ["[*]"], "refuse": ["k == \"bad\""], "skip": ["k == \"ping\""],
  "records": [
    {"when": "k == \"q\"", "table": "quotes", "symbol": "s", "ts": {"path": "t", "unit": "ns"},
     "fields": {"bid_price": "b", "bid_size": "B", "ask_price": "a", "note": {"path": "n", "type": "text"}}},
    {"when": "k == \"t\"", "table": "trades", "symbol": "s", "ts": {"path": "t", "unit": "ns"},
     "fields": {"price": "p", "size": "v", "side": "d", "trade_id": "i"}},
    {"when": "k == \"b\"", "table": "bars", "symbol": "s", "ts": {"path": "t", "unit": "ns"},
     "fields": {"interval": "w", "close": "c"}},
    {"when": "k == \"x\"", "table": "odd", "symbol": "s", "ts": {"path": "t", "unit": "ns"},
     "fields": {"count": {"path": "i", "type": "integer"}, "good": {"path": "g", "type": "flag"},
                "seen": {"path": "m", "unit": "ms"}, "amount": "p", "words": {"path": "n", "type": "text"}}}
  ]})";

#define TD_FILL(expression)                                        \
  do {                                                             \
    Status td_fill_status = (expression);                          \
    ASSERT_TRUE(td_fill_status.ok()) << td_fill_status.ToString(); \
  } while (false)

}  // namespace

Timestamp OracleMessage::time() const {
  const bool none = content.type == TimestampType::kNone || content.timestamp_ms < 0;
  return none ? received : Timestamp(content.timestamp_ms * 1'000'000);
}

StoreFiller::StoreFiller(const std::string& dir, size_t series_rows, const std::string& node)
    : dir_(dir), series_rows_(series_rows) {
  auto open = [&]() -> Status {
    StoreOptions options;
    options.dir = dir_;
    options.node_id = node;
    options.ballast_bytes = 0;
    TD_ASSIGN_OR_RETURN(store_, Store::Open(std::move(options)));
    TD_ASSIGN_OR_RETURN(spec_, MappingSpec::Resolve("filler", {{"filler", kMapping}}, {}));
    TD_ASSIGN_OR_RETURN(decoder_, Decoder::Make(spec_, &tables_));
    StoreBatch batch;
    batch.PutMapping(spec_.hash(), spec_.canonical());
    for (const Table& table : tables_.tables()) batch.PutTable(table);
    batch.PutClusterId("c1");
    return store_->Write(batch);
  };
  Status opened = open();
  EXPECT_TRUE(opened.ok()) << opened.ToString();
}

StoreFiller::~StoreFiller() {
  if (store_ != nullptr) Close();
}

void StoreFiller::Close() {
  open_rows_.DropThrough(UINT64_MAX);
  if (store_ != nullptr) TD_FILL(store_->Close());
  store_.reset();
}

void StoreFiller::Write(StoreBatch* batch) {
  TD_FILL(store_->Write(*batch));
  batch->Clear();
}

TpId StoreFiller::AddTape(const TapeId& tape, int64_t start) {
  const TpId tp{static_cast<uint32_t>(lanes_.size() + 1)};
  Lane lane;
  lane.tape = tape;
  lane.checkpoint.start = lane.checkpoint.next = lane.checkpoint.watermark = start;
  lane.checkpoint.run_start = start;
  lane.checkpoint.mapping = spec_.hash();
  pending_.PutTape(tp, tape);
  pending_.PutCheckpoint(tp, lane.checkpoint);
  Write(&pending_);
  lanes_.emplace(tp, std::move(lane));
  return tp;
}

void StoreFiller::Append(TpId tp, const FillMessage& content) {
  Lane& lane = lanes_.at(tp);
  if (lane.block.Full()) Commit();
  std::vector<HeaderView> headers;
  for (const auto& [name, value] : content.headers) {
    headers.push_back({name, value ? OptionalBytes(*value) : std::nullopt});
  }
  MessageView message;
  message.offset = lane.checkpoint.next + content.skip;
  message.timestamp_ms = content.timestamp_ms;
  message.timestamp_type = content.type;
  if (content.key) message.key = *content.key;
  if (content.value) message.value = *content.value;
  message.headers = headers;

  if (lane.block.empty()) lane.summary.Start(spec_.hash(), lane.checkpoint.kafka_max_ms);
  TD_FILL(lane.block.Append(message));
  const TopicPartition partition{lane.tape.topic, lane.tape.partition};
  decoder_->Decode(partition, message, now_, &decoded_);
  Checkpoint& c = lane.checkpoint;
  const Hash128 hash = hasher_.Message(message, partition);
  c.last = {message.offset, hash};
  c.digest += hash;
  c.next = message.offset + 1;
  c.messages += 1;
  c.records += decoded_.records.size();
  c.kafka_max_ms = std::max(c.kafka_max_ms, message.timestamp_ms);
  lane.dirty = true;
  lane.summary.AddMessage(message);
  const DecodedMessage decoded{tp, &lane.tape, &message, now_, &decoded_};
  for (size_t n = 0; n < decoded_.records.size(); ++n) {
    const DecodedRecord& r = decoded_.records[n];
    lane.summary.AddRecord(rows_.Append(decoded.Row(n)), r.symbol, r.ts);
  }
  if (decoded_.refused > 0) {
    c.refused += 1;
    pending_.PutRefusal(
        tp, message.offset,
        {std::string(decoded_.first_refusal()), decoded_.refused,
         static_cast<uint32_t>(decoded_.records.size()), now_, message.timestamp_ms});
  }
  if (decoded_.marks.size() > decoded_.refused) c.skipped += 1;
  Remember(lane, message, content);
}

void StoreFiller::Remember(const Lane& lane, const MessageView& message,
                           const FillMessage& content) {
  messages_.push_back({lane.tape, message.offset, now_, content});
  for (uint32_t n = 0; n < decoded_.records.size(); ++n) {
    const DecodedRecord& record = decoded_.records[n];
    const Table& table = *tables_.Find(record.table);
    OracleRecord row{table.name,
                     std::string(record.symbol),
                     record.ts.ns(),
                     KafkaNanosOf(message),
                     lane.tape,
                     message.offset,
                     n,
                     {}};
    for (size_t c = 0; c < record.values.size(); ++c) {
      if (record.values[c].is_null()) continue;
      record.values[c].AppendCanonical(&row.fields[table.columns[c].name]);
    }
    records_.push_back(std::move(row));
  }
}

void StoreFiller::Put(Lane* lane, TpId tp, StoreBatch* batch) {
  if (!lane->block.empty()) {
    const int64_t base = lane->block.base_offset();
    batch->PutTapeIndex(tp, base, lane->summary.Finish());
    std::string bytes;
    TD_FILL(lane->block.Seal(tp, now_, Effort::kLive, &buffers_, &bytes));
    batch->PutTapeBlock(tp, base, bytes);
  }
  batch->PutCheckpoint(tp, lane->checkpoint);
  lane->dirty = false;
}

void StoreFiller::AddGap(TpId tp, int64_t to, GapReason reason) {
  Lane& lane = lanes_.at(tp);
  Gap gap;
  gap.from = lane.checkpoint.next;
  gap.to = to;
  gap.reason = reason;
  gap.noticed_at = now_;
  pending_.PutGap(tp, gap);
  lane.checkpoint.next = to;
  lane.dirty = true;
}

void StoreFiller::Commit() {
  for (auto& [tp, lane] : lanes_) {
    if (lane.dirty) Put(&lane, tp, &pending_);
  }
  pending_.PutCommitNumber(++commit_);
  Write(&pending_);
  std::vector<std::pair<TpId, TapeId>> tapes;
  for (const auto& [tp, lane] : lanes_) tapes.emplace_back(tp, lane.tape);
  open_rows_.Publish(rows_.Finish(commit_, TapeRanks(tapes)));
}

void StoreFiller::FlushSeries(SeriesId series, const Refs& refs, StoreBatch* batch) {
  const SeriesName& name = directory_.At(series);
  const Table& table = *tables_.Find(name.table);
  RecordHasher hasher(table);
  const Hash128 series_hash = SeriesHash(table.name, name.symbol);
  std::map<Day, Rows> by_day;
  for (const auto& [chunk, row] : refs) {
    Rows& rows = by_day[table.DayOf(Timestamp(chunk->row(row).ts))];
    rows.columns.resize(table.columns.size());
    for (size_t c = 0; c < table.columns.size(); ++c) rows.columns[c].type = table.columns[c].type;
    const ChunkRow& r = chunk->row(row);
    rows.ts.push_back(r.ts);
    rows.ts_kafka.push_back(r.ts_kafka);
    rows.tp.push_back(Raw(r.tp));
    rows.offset.push_back(r.offset);
    rows.index.push_back(r.index);
    const auto values = chunk->values(row);
    for (size_t c = 0; c < rows.columns.size(); ++c) {
      rows.columns[c].Append(c < values.size() ? values[c] : Value());
    }
  }
  for (const auto& [day, rows] : by_day) {
    uint32_t generation = 0;
    for (const auto& [key, entry] : days_) {
      if (key.table == table.id && key.day == day) {
        generation = key.generation + (entry.phase == DayPhase::kOpen ? 0 : 1);
      }
    }
    DayEntry& entry = days_[{table.id, day, generation}];
    keys::SeriesKey key{table.id, day, generation, name.symbol, {}, flush_ + 1, 0};
    for (size_t from = 0; from < rows.size();) {
      const size_t count = SeriesRowsThatFit(rows, from, series_rows_);
      key.first_ts = Timestamp(rows.ts[from]);
      std::string block;
      TD_FILL(EncodeSeriesBlock(keys::Series(key), rows, table.columns, from, count, Effort::kLive,
                                &buffers_, &block));
      batch->PutSeriesBlock(key, block);
      ++key.block;
      for (size_t i = from; i < from + count; ++i) {
        entry.digest +=
            hasher.Hash(series_hash, TapeHash(lanes_.at(TpId{rows.tp[i]}).tape), rows, i);
      }
      entry.rows += count;
      from += count;
    }
    batch->PutDay({table.id, day, generation}, entry);
  }
  WidenEntry(table, name.symbol, refs, batch);
}

void StoreFiller::WidenEntry(const Table& table, const std::string& symbol, const Refs& refs,
                             StoreBatch* batch) {
  CatalogEntry entry;
  Result<std::string> stored = store_->View()->Get(keys::Catalog(table.id, symbol));
  if (stored.ok()) entry = *DecodeCatalog(*stored);
  std::vector<std::pair<TpId, TapeId>> tapes;
  for (const auto& [tp, lane] : lanes_) tapes.emplace_back(tp, lane.tape);
  const TapeRanks ranks(tapes);
  const RecordOrder order(&table, &ranks);
  const RecordView* newest = nullptr;
  std::vector<RecordView> views;
  for (const auto& [chunk, row] : refs) {
    const ChunkRow& r = chunk->row(row);
    views.push_back({.ts = Timestamp(r.ts),
                     .ts_kafka = Timestamp(r.ts_kafka),
                     .origin = {r.tp, r.offset, r.index},
                     .values = chunk->values(row)});
  }
  for (const RecordView& view : views) {
    if (newest == nullptr || order.Before(*newest, view)) newest = &view;
  }
  TD_FILL(WidenCatalog(order, views.front().ts, views.size(), *newest, &entry));
  batch->PutCatalog(table.id, symbol, entry);
}

void StoreFiller::Flush() {
  Commit();
  std::vector<std::pair<TpId, TapeId>> tapes;
  for (const auto& [tp, lane] : lanes_) tapes.emplace_back(tp, lane.tape);
  const TapeRanks ranks(tapes);
  const OpenRows::List chunks = open_rows_.Take();
  std::map<SeriesId, std::vector<std::pair<const Chunk*, uint32_t>>> series;
  for (const auto& chunk : chunks) {
    for (uint32_t row : chunk->order())
      series[chunk->row(row).series].emplace_back(chunk.get(), row);
  }
  StoreBatch batch;
  for (auto& [id, rows] : series) {
    auto key = [&](const auto& ref) {
      const ChunkRow& r = ref.first->row(ref.second);
      return std::make_tuple(r.ts, ranks[r.tp], r.offset, r.index);
    };
    std::sort(rows.begin(), rows.end(),
              [&](const auto& a, const auto& b) { return key(a) < key(b); });
    FlushSeries(id, rows, &batch);
  }
  for (auto& [tp, lane] : lanes_) {
    lane.checkpoint.watermark = lane.checkpoint.next;
    batch.PutCheckpoint(tp, lane.checkpoint);
  }
  batch.PutFlushNumber(++flush_, commit_);
  Write(&batch);
  open_rows_.DropThrough(commit_);
}

void StoreFiller::CloseDays() {
  StoreBatch batch;
  for (auto& [key, entry] : days_) {
    if (entry.phase != DayPhase::kOpen) continue;
    entry.phase = DayPhase::kClosing;
    for (const auto& [tp, lane] : lanes_) {
      entry.vector.push_back({tp, lane.checkpoint.start, lane.checkpoint.watermark});
    }
    batch.PutDay(key, entry);
  }
  if (!batch.empty()) Write(&batch);
}

std::shared_ptr<const ReadPoint> StoreFiller::Point(Archive* archive) {
  Result<std::shared_ptr<const ReadPoint>> point =
      ReadPoint::Take(open_rows_, &directory_, *store_, archive);
  EXPECT_TRUE(point.ok()) << point.status().ToString();
  return *point;
}

void StoreFiller::MergeTape() {
  StoreBatch batch;
  auto view = store_->View();
  for (const auto& [tp, lane] : lanes_) {
    std::string prefix = keys::TapeBlock(tp, 0);
    prefix.resize(prefix.size() - 8);
    std::vector<std::pair<int64_t, std::string>> stored;
    BlockSummary summary;
    bool started = false;
    auto cursor = view->Scan(prefix, keys::After(prefix), ScanKind::kLong);
    for (cursor->SeekToFirst(); cursor->Valid(); cursor->Next()) {
      stored.emplace_back(keys::ParseTpOffset(cursor->key())->offset, cursor->value());
    }
    if (stored.size() < 2) continue;
    std::vector<StoredTapeBlock> blocks;
    for (const auto& [base, bytes] : stored) blocks.push_back({base, bytes});
    std::string merged;
    TD_FILL(MergeTapeBlocks(tp, blocks, Effort::kMerge, &buffers_, &merged));
    TapeBlock block;
    TD_FILL(block.Load(tp, blocks[0].base_offset, merged, &buffers_));
    for (size_t i = 0; i < block.size(); ++i) {
      if (!started) summary.Start(spec_.hash(), -1);
      started = true;
      const MessageView message = block.At(i);
      summary.AddMessage(message);
      decoder_->Decode({lane.tape.topic, lane.tape.partition}, message, block.ReceivedAt(i),
                       &decoded_);
      for (const DecodedRecord& r : decoded_.records) {
        summary.AddRecord(directory_.Intern(r.table, r.symbol), r.symbol, r.ts);
      }
    }
    for (const auto& [base, bytes] : stored) batch.DeleteTapeBlock(tp, base);
    batch.PutTapeBlock(tp, blocks[0].base_offset, merged);
    batch.PutTapeIndex(tp, blocks[0].base_offset, summary.Finish());
  }
  if (!batch.empty()) Write(&batch);
}

void StoreFiller::MergeSeries() {
  auto view = store_->View();
  std::vector<std::pair<TpId, TapeId>> tapes;
  for (const auto& [tp, lane] : lanes_) tapes.emplace_back(tp, lane.tape);
  const TapeRanks ranks(tapes);
  std::map<std::string, std::vector<keys::SeriesKey>> groups;
  std::map<std::string, Rows> rows_of;
  auto cursor = view->Scan("s", "t", ScanKind::kLong);
  for (cursor->SeekToFirst(); cursor->Valid(); cursor->Next()) {
    const keys::SeriesKey key = *keys::ParseSeries(cursor->key());
    const std::string group = keys::SeriesPrefix(key.table, key.day, key.generation, key.symbol);
    groups[group].push_back(key);
    Rows part;
    const Table& table = *tables_.Find(key.table);
    TD_FILL(DecodeSeriesBlock(cursor->key(), cursor->value(), table.columns, &buffers_, &part));
    Rows& all = rows_of[group];
    if (all.columns.empty()) {
      for (const RowsColumn& column : part.columns) all.columns.emplace_back().type = column.type;
    }
    for (size_t row = 0; row < part.size(); ++row) AppendRow(part, row, &all);
  }
  StoreBatch batch;
  for (const auto& [group, blocks] : groups) {
    const Rows& rows = rows_of[group];
    std::vector<uint32_t> order(rows.size());
    for (uint32_t i = 0; i < order.size(); ++i) order[i] = i;
    auto key_of = [&](uint32_t i) {
      return std::make_tuple(rows.ts[i], ranks[TpId{rows.tp[i]}], rows.offset[i], rows.index[i]);
    };
    std::sort(order.begin(), order.end(),
              [&](uint32_t a, uint32_t b) { return key_of(a) < key_of(b); });
    Rows sorted;
    for (const RowsColumn& column : rows.columns) sorted.columns.emplace_back().type = column.type;
    for (uint32_t i : order) AppendRow(rows, i, &sorted);
    for (const keys::SeriesKey& key : blocks) batch.DeleteSeriesBlock(key);
    keys::SeriesKey key = blocks.front();
    key.flush = flush_;
    key.block = 1u << 20;
    for (size_t from = 0; from < sorted.size();) {
      const size_t count = SeriesRowsThatFit(sorted, from, series_rows_ * 4);
      key.first_ts = Timestamp(sorted.ts[from]);
      std::string block;
      TD_FILL(EncodeSeriesBlock(keys::Series(key), sorted, tables_.Find(key.table)->columns, from,
                                count, Effort::kMerge, &buffers_, &block));
      batch.PutSeriesBlock(key, block);
      ++key.block;
      from += count;
    }
  }
  if (!batch.empty()) Write(&batch);
}

}  // namespace tapedeck::testing
