#include "reindex/reindex_rig.h"

#include "query/range_facts.h"
#include "query/series_cursor.h"
#include "query/verify.h"
#include "record/tape_merge.h"
#include "tape/tape_blocks.h"

namespace tapedeck::testing {
namespace {

std::string ValuesOf(const Rows& rows, uint32_t row) {
  std::string text;
  for (const RowsColumn& column : rows.columns) {
    text += "|";
    column.At(row).AppendCanonical(&text);
  }
  return text;
}

std::string ValuesOf(const Table& table, std::span<const Value> values) {
  std::string text;
  for (size_t c = 0; c < table.columns.size(); ++c) {
    text += "|";
    (c < values.size() ? values[c] : Value()).AppendCanonical(&text);
  }
  return text;
}

}  // namespace

MappingSpec SpecOf(const FinnhubVariant& variant) {
  const std::string series = R"("symbol":"s","ts":{"path":"t","unit":")" + variant.unit + R"("},)";
  const std::string fields = series + R"("fields":{"price":"p","size":"v"})";
  std::string rules =
      R"({"when":"$.type == \"trade\" && s != \"OANDA:EUR_USD\"","table":"trades",)" + fields + "}";
  rules += std::string(R"(,{"when":"$.type == \"trade\" && s == \"OANDA:EUR_USD\"","table":")") +
           (variant.rates ? "rates" : "trades") + "\"," +
           (variant.rates ? series + R"("fields":{"rate":"p"})" : fields) + "}";
  std::string refuse;  // conditions are within JSON
  for (const char c : variant.refuse) refuse += c == '\'' ? std::string("\\\"") : std::string(1, c);
  if (!refuse.empty()) refuse = "\"refuse\":[\"" + refuse + "\"],";
  const MappingLibrary library = {
      {"lab", R"({"format":"json","each":"data[*]",)" + refuse + R"("records":[)" + rules + "]}"}};
  Result<MappingSpec> spec =
      MappingSpec::Resolve("lab", library, {.symbol_prefix = variant.prefix});
  EXPECT_TRUE(spec.ok()) << spec.status().ToString();
  return std::move(spec).value();
}

ReindexRig::ReindexRig(uint64_t seed) : ship(seed) {
  ship.recorder.options.commit_bytes = 600;  // small blocks
  ship.recorder.options.topics[0].mapping = SpecOf({});
  ship.recorder.queue = &ship.queue;
  ship.recorder.log.Create("Finhub1", 2);
  options.topics = ship.recorder.options.topics;
  options.build.piece_bytes = 4096;  // several pieces
}

void ReindexRig::UseMapping(const FinnhubVariant& variant) {
  ship.recorder.options.topics[0].mapping = SpecOf(variant);
  options.topics = ship.recorder.options.topics;
  // As a node does it at its start.
  StoreState state = ship.recorder.LoadState();
  const auto declared = Decoder::Make(options.topics[0].mapping, &state.tables);
  ASSERT_TRUE(declared.ok()) << declared.status().ToString();
  StoreBatch batch;
  for (const Table& table : state.tables.tables()) batch.PutTable(table);
  ASSERT_TRUE(ship.recorder.store->Write(batch).ok());
}

void ReindexRig::Produce(Day day, int count) {
  ship.recorder.first_ms = day.start().ns() / 1'000'000 + kShipDayMs / 2;
  for (int i = 0; i < count; ++i) ship.recorder.ProduceTrades({"Finhub1", i % 2}, 3);
}

std::shared_ptr<const ReadPoint> ReindexRig::Point() {
  ship.recorder.OpenStore();
  auto point = ReadPoint::Take(*ship.recorder.open_rows, ship.recorder.directory.get(),
                               *ship.recorder.store, archive.get());
  EXPECT_TRUE(point.ok()) << point.status().ToString();
  return *point;
}

void ReindexRig::StartReindexer() {
  ship.recorder.OpenStore();
  ReindexParts parts;
  parts.store = ship.recorder.store.get();
  parts.queue = &ship.queue;
  parts.clock = &ship.recorder.clock;
  parts.request_flush = [this] {
    return live ? ship.recorder.running->RequestFlush() : uint64_t{1};
  };
  parts.flushes_done = [this] {
    return live ? ship.recorder.running->State().flush_requests_done : flushes;
  };
  parts.open_point = [this]() -> Result<std::shared_ptr<const ReadPoint>> {
    if (before_point) TD_RETURN_IF_ERROR(before_point());
    auto point = Point();
    points.push_back(point);
    return point;
  };
  if (disk_used) parts.disk = [this] { return DiskUse{1000, 1000 - disk_used()}; };
  auto made = Reindexer::Make(options, parts);
  ASSERT_TRUE(made.ok()) << made.status().ToString();
  reindexer = std::move(made).value();
  const Status loaded = reindexer->Load(*ship.recorder.store->View());
  ASSERT_TRUE(loaded.ok()) << loaded.ToString();
}

void ReindexRig::RunUntilIdle() {
  QueueServer server(&ship.queue, ship.recorder.store.get());
  while (reindexer->RunOnce()) continue;
}

ReindexJob ReindexRig::Reindex(const ReindexRequest& request) {
  StartReindexer();
  std::string id;
  {
    QueueServer server(&ship.queue, ship.recorder.store.get());
    const Result<ReindexView> made = reindexer->Create(request);
    EXPECT_TRUE(made.ok()) << made.status().ToString();
    if (!made.ok()) return {};
    id = made->job.id;
  }
  RunUntilIdle();
  const Result<ReindexView> view = reindexer->Get(id);
  EXPECT_TRUE(view.ok());
  if (!view.ok()) return {};
  EXPECT_EQ(view->live.trouble.empty(), view->job.state != ReindexState::kFailed);
  return view->job;
}

RowsFound ReindexRig::Query(const std::shared_ptr<const ReadPoint>& point) const {
  RowsFound found;
  for (const Table& table : point->state().tables.tables()) {
    RecordQuery query;
    query.table = table.name;
    auto cursor = RecordCursor::Open(point, query);
    EXPECT_TRUE(cursor.ok()) << cursor.status().ToString();
    for (RowRun run;;) {
      const Status next = (*cursor)->Next(&run);
      EXPECT_TRUE(next.ok()) << next.ToString();
      if (!next.ok() || run.count == 0) break;
      for (uint32_t n = 0; n < run.count; ++n) {
        const uint32_t row = run.RowAt(n);
        const TapeId* tape = point->FindTape(TpId{run.rows->tp[row]});
        const bool is_new =
            found
                .try_emplace({table.name, std::string(run.symbol), run.rows->ts[row],
                              tape->partition, run.rows->offset[row], run.rows->index[row]},
                             ValuesOf(*run.rows, row))
                .second;
        EXPECT_TRUE(is_new) << "a row twice in an answer";
      }
    }
    query.columns.reset();
    const Result<uint64_t> count = CountRecords(point, query);
    EXPECT_TRUE(count.ok()) << count.status().ToString();
    EXPECT_EQ(*count, (*cursor)->rows()) << table.name;
  }
  return found;
}

std::string ReindexRig::Answers() {
  const auto point = Point();
  std::string text;
  for (const auto& [key, values] : Query(point)) {
    text += std::get<0>(key) + " " + std::get<1>(key) + " " + std::to_string(std::get<2>(key)) +
            " " + std::to_string(std::get<3>(key)) + "@" + std::to_string(std::get<4>(key)) + "." +
            std::to_string(std::get<5>(key)) + values + "\n";
  }
  auto catalog = point->view().Scan("y", "z", ScanKind::kPoint);
  for (catalog->SeekToFirst(); catalog->Valid(); catalog->Next()) {
    const keys::CatalogKey key = keys::ParseCatalog(catalog->key()).value();
    const CatalogEntry entry = DecodeCatalog(catalog->value()).value();
    text += "catalog " + key.symbol + " " + std::to_string(entry.rows) + " " +
            FormatRfc3339(entry.first_ts) + " " + FormatRfc3339(entry.last_ts) + "\n";
  }
  for (const auto& [tp, c] : point->state().checkpoints) {
    text += "tape " + std::to_string(c.messages) + " " + std::to_string(c.records) + " " +
            std::to_string(c.refused) + " " + std::to_string(c.skipped) + "\n";
  }
  for (const auto& [at, reason] : Refusals()) {
    text += "refused " + std::to_string(at.first) + "@" + std::to_string(at.second) + " " + reason +
            "\n";
  }
  return text;
}

std::map<std::pair<int32_t, int64_t>, std::string> ReindexRig::Refusals() {
  const auto point = Point();
  std::map<std::pair<int32_t, int64_t>, std::string> found;
  auto cursor = point->view().Scan("e", "f", ScanKind::kPoint);
  for (cursor->SeekToFirst(); cursor->Valid(); cursor->Next()) {
    const keys::TpOffsetKey at = keys::ParseTpOffset(cursor->key()).value();
    const RefusalEntry entry = DecodeRefusal(cursor->value()).value();
    found[{point->FindTape(at.tp)->partition, at.offset}] =
        entry.reason + " " + std::to_string(entry.refused) + " " + std::to_string(entry.kept);
  }
  return found;
}

RowsFound ReindexRig::Oracle(const MappingSpec& spec,
                             std::map<std::pair<int32_t, int64_t>, std::string>* refused) {
  TableRegistry tables = ship.recorder.LoadState().tables;
  auto decoder = Decoder::Make(spec, &tables);
  EXPECT_TRUE(decoder.ok()) << decoder.status().ToString();
  RowsFound rows;
  Decoded decoded;
  for (const TopicPartition& tp : ship.recorder.log.All()) {
    const int32_t partition = tp.partition;
    for (const auto& [offset, message] : ship.recorder.log.Copy(tp).messages) {
      const FakeView view(message);
      (*decoder)->Decode(tp, view.view(), ship.recorder.clock.Now(), &decoded);
      for (uint32_t n = 0; n < decoded.records.size(); ++n) {
        const DecodedRecord& record = decoded.records[n];
        const Table& table = *tables.Find(record.table);
        rows[{table.name, std::string(record.symbol), record.ts.ns(), partition, offset, n}] =
            ValuesOf(table, record.values);
      }
      if (refused != nullptr && decoded.refused > 0) {
        (*refused)[{partition, offset}] = std::string(decoded.first_refusal()) + " " +
                                          std::to_string(decoded.refused) + " " +
                                          std::to_string(decoded.records.size());
      }
    }
  }
  return rows;
}

void ReindexRig::CheckSound() {
  ship.recorder.OpenStore();
  const Result<VerifyReport> report = VerifyView(*ship.recorder.store->View(), {});
  ASSERT_TRUE(report.ok()) << report.status().ToString();
  for (const Finding& finding : report->findings)
    ADD_FAILURE() << finding.where << ": " << finding.what;
}

void ReindexRig::AddArchive() {
  archive = std::make_unique<Archive>(&ship.fake, ObjectCacheOptions());
  ship.StartShipper();
}

void ReindexRig::ShipAndPrune() {
  ship.StartShipper();
  ship.ShipAll();
  ship.recorder.clock.Advance(ship.options.keep_local + std::chrono::minutes(1));
  for (int round = 0; round < 3; ++round) {
    ASSERT_TRUE(ship.Round().ok());
    ship.recorder.clock.Advance(std::chrono::minutes(1));
  }
  EXPECT_EQ(ship.shipper->State().last_error, "");
  const auto refreshed = archive->manifests().Refresh(&ship.fake, nullptr);
  ASSERT_TRUE(refreshed.ok()) << refreshed.status().ToString();
}

std::string ReindexRig::Reserve(const ReindexRequest& request) {
  int points_left = 2;  // of Create, and to plan with
  before_point = [&] { return points_left-- > 0 ? Status::Ok() : Status::Unavailable("the test"); };
  StartReindexer();
  std::string id;
  {
    QueueServer server(&ship.queue, ship.recorder.store.get());
    const Result<ReindexView> made = reindexer->Create(request);
    EXPECT_TRUE(made.ok()) << made.status().ToString();
    if (!made.ok()) return "";
    id = made->job.id;
  }
  RunUntilIdle();
  before_point = nullptr;
  EXPECT_FALSE(reindexer->Get(id)->job.days.empty()) << reindexer->Get(id)->job.error;
  reindexer.reset();
  return id;
}

ReindexJob ReindexRig::Resume(const std::string& id) {
  StartReindexer();
  RunUntilIdle();
  RunUntilIdle();  // one that failed gives its days back
  const Result<ReindexView> view = reindexer->Get(id);
  EXPECT_TRUE(view.ok()) << view.status().ToString();
  return view.ok() ? view->job : ReindexJob();
}

void ReindexRig::SwitchNode(const std::string& node) {
  reindexer.reset();
  ship.shipper.reset();
  ship.recorder.CloseStore();
  const auto& root = ship.recorder.dir.path();
  if (std::filesystem::exists(ship.StoreDir()))
    std::filesystem::rename(ship.StoreDir(), root / ("of-" + ship.recorder.options.node_id));
  if (std::filesystem::exists(root / ("of-" + node)))
    std::filesystem::rename(root / ("of-" + node), ship.StoreDir());
  ship.recorder.options.node_id = ship.options.node_id = node;
}

void ReindexRig::JoinBlocks() {
  ship.recorder.OpenStore();
  QueueServer server(&ship.queue, ship.recorder.store.get());
  QueueJoinBlocks();
}

void ReindexRig::QueueJoinBlocks() {
  TapeMerge merge;
  for (const auto& [tp, tape] : ship.recorder.LoadState().tapes) {
    for (bool again = true; again;) {
      const Status written = ship.queue.Write([&, tp = tp](StoreBatch* batch) -> Status {
        TD_ASSIGN_OR_RETURN(const TapeMerge::Joined joined,
                            merge.Prepare(*ship.recorder.store->View(), tp, INT64_MIN, batch));
        again = joined.blocks > 0;
        return Status::Ok();
      });
      ASSERT_TRUE(written.ok()) << written.ToString();
    }
  }
}

int ReindexRig::BlocksOverGaps() {
  const auto point = Point();
  int found = 0;
  for (const auto& [tp, tape] : point->state().tapes) {
    const std::vector<Gap> gaps = point->view().Gaps(tp).value();
    TapeBlocks blocks(&point->view(), tp, tape.ToString(), ScanKind::kPoint);
    EXPECT_TRUE(blocks.Seek(0).ok());
    while (blocks.Valid()) {
      for (const Gap& gap : gaps)
        found += blocks.base() < gap.from && blocks.index().last_offset >= gap.to ? 1 : 0;
      EXPECT_TRUE(blocks.Next().ok());
    }
  }
  return found;
}

}  // namespace tapedeck::testing
