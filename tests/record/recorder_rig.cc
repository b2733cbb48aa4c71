#include "record/recorder_rig.h"

#include "codec/series_block.h"
#include "codec/tape_block.h"
#include "mapping/mapping.h"

namespace tapedeck::testing {
namespace {

constexpr const char* kSymbols[] = {"BINANCE:BTCUSDT", "BINANCE:ETHUSDT", "AAPL", "OANDA:EUR_USD"};

}  // namespace

std::string Describe(const MessageView& m) {
  auto bytes = [](const OptionalBytes& b) {
    return b ? "=" + std::string(*b) : std::string("null");
  };
  std::string text = std::to_string(m.timestamp_ms) + "|" + std::to_string(int(m.timestamp_type)) +
                     "|" + bytes(m.key) + "|" + bytes(m.value);
  for (const HeaderView& h : m.headers) text += "|" + std::string(h.name) + bytes(h.value);
  return text;
}

RecorderRig::RecorderRig(uint64_t seed) : random(seed) {
  options.node_id = "node-1";
  options.merge = false;
  Result<MappingSpec> finnhub = MappingSpec::Resolve("finnhub", PresetLibrary(), TopicSettings{});
  EXPECT_TRUE(finnhub.ok()) << finnhub.status().ToString();
  options.topics.push_back({.name = "^.*", .mapping = *finnhub, .start = {}});
}

int64_t RecorderRig::ProduceTrades(const TopicPartition& tp, int count) {
  std::vector<ExpectedTrade> trades;
  std::string value = "{\"data\":[";
  const int64_t base_ms = first_ms + static_cast<int64_t>(random.Uniform(100'000));
  for (int i = 0; i < count; ++i) {
    ExpectedTrade trade;
    trade.symbol = kSymbols[random.Uniform(std::size(kSymbols))];
    trade.ts_ms = base_ms + static_cast<int64_t>(random.Uniform(50));
    trade.price = std::to_string(60'000 + random.Uniform(5'000)) + "." +
                  std::to_string(10 + random.Uniform(90));
    trade.size = "0.00" + std::to_string(100 + random.Uniform(900));
    value += std::string(i ? "," : "") + "{\"c\":null,\"p\":" + trade.price + ",\"s\":\"" +
             trade.symbol + "\",\"t\":" + std::to_string(trade.ts_ms) + ",\"v\":" + trade.size +
             "}";
    trades.push_back(std::move(trade));
  }
  value += "],\"type\":\"trade\"}";
  FakeMessage message;
  message.value = std::move(value);
  message.timestamp_ms = base_ms + 60;
  if (random.Uniform(3) == 0) message.key = std::to_string(random.Uniform(10));
  if (random.Uniform(4) == 0)
    message.headers = {{"source", "ws"}, {"source", std::nullopt}, {"empty", ""}};
  const int64_t offset = log.Produce(tp, std::move(message));
  expected[{tp, offset}] = std::move(trades);
  return offset;
}

int64_t RecorderRig::ProduceRaw(const TopicPartition& tp, std::optional<std::string> value,
                                int64_t timestamp_ms) {
  FakeMessage message;
  message.value = std::move(value);
  message.timestamp_ms = timestamp_ms;
  return log.Produce(tp, std::move(message));
}

void RecorderRig::OpenStore() {
  if (store != nullptr) return;
  StoreOptions store_options;
  store_options.dir = dir.path() / "store";
  store_options.node_id = options.node_id;
  store_options.ballast_bytes = 0;
  Result<std::unique_ptr<Store>> opened = Store::Open(store_options);
  ASSERT_TRUE(opened.ok()) << opened.status().ToString();
  store = std::move(opened).value();
  directory = std::make_unique<SeriesDirectory>();
  open_rows = std::make_unique<OpenRows>();
}

void RecorderRig::CloseStore() {
  open_rows.reset();
  directory.reset();
  store.reset();
}

Status RecorderRig::Run(std::function<bool(FakeSource*)> on_poll) {
  OpenStore();
  std::atomic<bool> stop{false};
  RecorderParts parts;
  parts.store = store.get();
  parts.directory = directory.get();
  parts.open_rows = open_rows.get();
  parts.clock = &clock;
  parts.queue = queue;
  parts.is_own_replay = is_own_replay;
  parts.metrics = &metrics;
  parts.unlisted = unlisted;
  parts.open_probe = [&]() -> Result<std::unique_ptr<LogProbe>> {
    return std::unique_ptr<LogProbe>(new FakeProbe(&log));
  };
  parts.open_source = [&](AssignmentListener* listener) -> Result<std::unique_ptr<MessageSource>> {
    auto source = std::make_unique<FakeSource>(&log, listener);
    source->on_poll = [&, quiet = 0](FakeSource* self) mutable {
      clock.Advance(std::chrono::milliseconds(5));
      if (on_poll && !on_poll(self)) stop = true;
      quiet = self->AtEnd() ? quiet + 1 : 0;
      if (!on_poll && quiet > 100) stop = true;  // half a second of the clock: committed long since
    };
    return std::unique_ptr<MessageSource>(std::move(source));
  };
  TD_ASSIGN_OR_RETURN(std::unique_ptr<Recorder> recorder, Recorder::Make(options, parts));
  TD_RETURN_IF_ERROR(recorder->Recover());
  running = recorder.get();
  Status end = recorder->Run(stop);
  running = nullptr;
  last_state = recorder->State();
  return end;
}

StoreState RecorderRig::LoadState() {
  OpenStore();
  Result<StoreState> state = store->View()->LoadState();
  EXPECT_TRUE(state.ok()) << state.status().ToString();
  return std::move(state).value();
}

std::optional<TpId> RecorderRig::CurrentTape(const TopicPartition& tp) {
  std::optional<TpId> best;
  uint32_t lineage = 0;
  for (const auto& [id, tape] : LoadState().tapes) {
    if (tape.topic == tp.topic && tape.partition == tp.partition &&
        (!best || tape.lineage >= lineage)) {
      best = id;
      lineage = tape.lineage;
    }
  }
  return best;
}

std::map<int64_t, std::string> RecorderRig::StoredTape(TpId tp) {
  OpenStore();
  std::map<int64_t, std::string> messages;
  auto view = store->View();
  auto cursor =
      view->Scan(keys::TapeBlock(tp, INT64_MIN), keys::TapeBlock(tp, INT64_MAX), ScanKind::kLong);
  TapeBlock block;
  CodecBuffers buffers;
  for (cursor->SeekToFirst(); cursor->Valid(); cursor->Next()) {
    const int64_t base = keys::ParseTpOffset(cursor->key())->offset;
    Status decoded = block.Load(tp, base, cursor->value(), &buffers);
    EXPECT_TRUE(decoded.ok()) << decoded.ToString();
    for (size_t i = 0; i < block.size(); ++i) {
      EXPECT_TRUE(messages.emplace(block.At(i).offset, Describe(block.At(i))).second)
          << "offset twice on the tape";
    }
  }
  EXPECT_TRUE(cursor->status().ok());
  return messages;
}

std::map<RecorderRig::RowKey, std::string> RecorderRig::StoredRows() {
  OpenStore();
  std::map<RowKey, std::string> found;
  const StoreState state = LoadState();
  CodecBuffers buffers;
  auto view = store->View();
  auto cursor = view->Scan("s", "t", ScanKind::kLong);
  for (cursor->SeekToFirst(); cursor->Valid(); cursor->Next()) {
    Result<keys::SeriesKey> key = keys::ParseSeries(cursor->key());
    EXPECT_TRUE(key.ok());
    Rows rows;
    Status decoded = DecodeSeriesBlock(cursor->key(), cursor->value(),
                                       state.tables.Find(key->table)->columns, &buffers, &rows);
    EXPECT_TRUE(decoded.ok()) << decoded.ToString();
    for (size_t i = 0; i < rows.size(); ++i) {
      std::string text;
      rows.columns[0].At(i).AppendCanonical(&text);
      text += " ";
      rows.columns[1].At(i).AppendCanonical(&text);
      EXPECT_TRUE(
          found
              .emplace(RowKey{key->symbol, rows.ts[i], rows.tp[i], rows.offset[i], rows.index[i]},
                       text)
              .second)
          << "a record twice in the series";
    }
  }
  EXPECT_TRUE(cursor->status().ok());
  return found;
}

void RecorderRig::Check() {
  std::map<RowKey, std::string> wanted_rows;
  for (const TopicPartition& tp : log.All()) {
    const std::optional<TpId> tape = CurrentTape(tp);
    ASSERT_TRUE(tape) << tp.ToString() << " was not recorded";
    std::map<int64_t, std::string> wanted;
    for (const auto& [offset, message] : log.Copy(tp).messages)
      wanted[offset] = Describe(FakeView(message).view());
    EXPECT_EQ(StoredTape(*tape), wanted) << tp.ToString();
    for (const auto& [offset, message] : log.Copy(tp).messages) {
      uint32_t index = 0;
      auto trades = expected.find({tp, offset});
      if (trades == expected.end()) continue;
      for (const ExpectedTrade& trade : trades->second) {
        wanted_rows[{trade.symbol, trade.ts_ms * 1'000'000, Raw(*tape), offset, index++}] =
            trade.price + " " + trade.size;
      }
    }
  }
  EXPECT_EQ(StoredRows(), wanted_rows);
}

}  // namespace tapedeck::testing
