#include "ship/ship_rig.h"

#include "archive/record_object_reader.h"
#include "archive/tape_object.h"
#include "base/encoding.h"
#include "base/secure_hash.h"

namespace tapedeck::testing {
namespace {

/// An object that is bytes in memory.
class BytesObject final : public ObjectSource {
 public:
  BytesObject(std::string name, std::string_view content)
      : ObjectSource(std::move(name)), content_(content) {}
  uint64_t bytes() const override { return content_.size(); }
  Status Read(uint64_t offset, std::span<char> to) const override {
    if (offset > content_.size() || content_.size() - offset < to.size())
      return Status::InvalidArgument("outside the object");
    std::copy_n(content_.begin() + static_cast<ptrdiff_t>(offset), to.size(), to.begin());
    return Status::Ok();
  }

 private:
  const std::string_view content_;
};

Result<TpId> TpOf(const StoreState& state, const TapeId& tape) {
  for (const auto& [tp, id] : state.tapes) {
    if (id.topic == tape.topic && id.partition == tape.partition && id.lineage == tape.lineage)
      return tp;
  }
  return Status::NotFound(tape.ToString());
}

std::string TextOf(const Rows& rows, size_t row) {
  std::string text;
  for (size_t column = 0; column < std::min<size_t>(2, rows.columns.size()); ++column) {
    if (column > 0) text += " ";
    rows.columns[column].At(row).AppendCanonical(&text);
  }
  return text;
}

void TakeRecords(const RecordManifest& manifest, const std::map<std::string, std::string>& objects,
                 const StoreState& state, Holdings* held) {
  // Each format holds all rows.
  std::map<std::string, decltype(held->rows)> formats;
  for (const ShippedObject& object : manifest.objects) {
    auto& rows = formats[object.format];
    ASSERT_TRUE(objects.contains(object.name)) << object.name << " is listed and not there";
    const std::string& content = objects.at(object.name);
    EXPECT_EQ(content.size(), object.bytes);
    EXPECT_EQ(ToHex(Sha256(content)), object.sha256) << object.name;
    BytesObject source(object.name, content);
    auto scan = OpenRecordScan(&source, ParseObjectFormat(object.format).value(),
                               *state.tables.Find(manifest.table),
                               [&](const TapeId& tape) { return TpOf(state, tape); });
    ASSERT_TRUE(scan.ok()) << scan.status().ToString();
    for (;;) {
      const Status next = (*scan)->Next();
      ASSERT_TRUE(next.ok()) << next.ToString();
      const RowSlice& slice = (*scan)->rows();
      if (slice.count == 0) break;
      for (uint32_t n = 0; n < slice.count; ++n) {
        const Rows& r = *slice.rows;
        const uint32_t row = slice.RowAt(n);
        const bool is_new =
            rows.emplace(RecorderRig::RowKey{std::string(slice.symbol), r.ts[row], r.tp[row],
                                             r.offset[row], r.index[row]},
                         TextOf(r, row))
                .second;
        EXPECT_TRUE(is_new) << "a row twice in the archive";
      }
    }
  }
  for (auto& [format, rows] : formats) {
    EXPECT_EQ(rows.size(), manifest.rows) << manifest.table << " " << manifest.day.ToString();
    EXPECT_EQ(rows, formats.begin()->second) << format;
  }
  if (formats.empty()) return;
  const size_t wanted = held->rows.size() + formats.begin()->second.size();
  held->rows.merge(formats.begin()->second);
  EXPECT_EQ(held->rows.size(), wanted) << "a row in two generations of the archive";
}

void TakeTape(const TapeManifest& manifest, const std::map<std::string, std::string>& objects,
              const StoreState& state, Holdings* held) {
  const uint32_t tp = Raw(TpOf(state, manifest.range.tape).value());
  uint64_t messages = 0;
  for (const ShippedObject& object : manifest.objects) {
    ASSERT_TRUE(objects.contains(object.name)) << object.name << " is listed and not there";
    EXPECT_EQ(ToHex(Sha256(objects.at(object.name))), object.sha256) << object.name;
    BytesObject source(object.name, objects.at(object.name));
    auto footer = TapeObjectFooter::Read(source);
    ASSERT_TRUE(footer.ok()) << footer.status().ToString();
    auto reader = TapeObjectReader::Open(&source, *footer, manifest.range.tape);
    ASSERT_TRUE(reader.ok()) << reader.status().ToString();
    for (;;) {
      const Status next = (*reader)->Next();
      ASSERT_TRUE(next.ok()) << next.ToString();
      if ((*reader)->empty()) break;
      for (size_t i = 0; i < (*reader)->size(); ++i, ++messages) {
        const MessageView message = (*reader)->At(i);
        EXPECT_GE(message.offset, manifest.range.from);
        EXPECT_LT(message.offset, manifest.range.to);
        EXPECT_TRUE(held->messages.emplace(std::pair(tp, message.offset), Describe(message)).second)
            << "a message twice in the archive";
      }
    }
  }
  EXPECT_EQ(messages, manifest.messages);
}

}  // namespace

std::string TradeOf(const std::string& symbol, int64_t ts_ms, const std::string& price) {
  return R"({"data":[{"c":null,"p":)" + price + R"(,"s":")" + symbol + R"(","t":)" +
         std::to_string(ts_ms) + R"(,"v":1}],"type":"trade"})";
}

QueueServer::QueueServer(StoreQueue* queue, Store* store)
    : thread_([this, queue, store] {
        while (!stop_) {
          if (!queue->waiting()) {
            std::this_thread::yield();
            continue;
          }
          const Status served = queue->Serve(store);
          EXPECT_TRUE(served.ok()) << served.ToString();
        }
      }) {}

QueueServer::~QueueServer() {
  stop_ = true;
  thread_.join();
}

ShipRig::ShipRig(uint64_t seed) : recorder(seed), fake(&recorder.clock) {
  options.node_id = recorder.options.node_id;
  options.version = "1.2.3";
  options.work_folder = (recorder.dir.path() / "work").string();
  recorder.first_ms = kShipNoonMs;
}

void ShipRig::Record(const std::vector<Day>& close) {
  for (Day day : close) asked_.push_back({"trades", day});
  if (!close.empty()) ++flushes_asked_;
  uint64_t wanted = 0;
  int quiet = 0;
  const Status end = recorder.Run([&](FakeSource* source) {
    if (source->AtEnd() && wanted == 0)
      wanted = recorder.running->RequestFlush(std::exchange(asked_, {}));
    const bool done = wanted > 0 && recorder.running->State().flush_requests_done >= wanted;
    quiet = source->AtEnd() && done ? quiet + 1 : 0;
    return quiet < 30;
  });
  ASSERT_TRUE(end.ok()) << end.ToString();
  flushes_done_ = flushes_asked_;
}

void ShipRig::StartShipper() {
  recorder.OpenStore();
  ShipParts parts;
  parts.store = recorder.store.get();
  parts.queue = &queue;
  parts.blobs = blobs;
  parts.clock = &recorder.clock;
  parts.request_flush = [this](std::vector<ShipDay> days) {
    for (ShipDay& day : days) asked_.push_back({day.table, day.day});
    return ++flushes_asked_;
  };
  parts.flushes_done = [this] { return flushes_done_; };
  parts.progress = [this] { return progress; };
  parts.manifests = manifests;
  parts.manifest_added = [this](const std::string& name, const Manifest& manifest) {
    added.push_back(name);
    known.Add({name, std::visit([](const auto& m) { return ToJson(m); }, manifest)}, manifest);
  };
  shipper = std::make_unique<ShipperImpl>(options, parts);
  const Status prepared = shipper->Prepare();
  ASSERT_TRUE(prepared.ok()) << prepared.ToString();
}

Status ShipRig::Round() {
  Status end;
  {
    QueueServer server(&queue, recorder.store.get());
    end = shipper->Round();
  }
  if (flushes_done_ < flushes_asked_) Record();
  return end;
}

void ShipRig::ShipAll(int rounds) {
  for (int round = 0; round < rounds; ++round) {
    const Status end = Round();
    ASSERT_TRUE(end.ok()) << end.ToString();
    const bool in_hand = std::ranges::any_of(Days(), [](const auto& day) {
      return day.second.counts() && day.second.phase > DayPhase::kOpen &&
             day.second.phase < DayPhase::kShipped;
    });
    if (!in_hand && round > 0) return;
  }
  FAIL() << "still not shipped: " << shipper->State().last_error;
}

void ShipRig::ShapeTrades(DaySize day_size, std::vector<std::string> identity) {
  recorder.OpenStore();
  Table trades = *recorder.LoadState().tables.Find("trades");
  trades.day_size = day_size;
  trades.identity = std::move(identity);
  StoreBatch batch;
  batch.PutTable(trades);
  ASSERT_TRUE(recorder.store->Write(batch).ok());
}

void ShipRig::CopyStore(const std::string& name) {
  shipper.reset();
  recorder.CloseStore();
  std::filesystem::copy(StoreDir(), recorder.dir.path() / name,
                        std::filesystem::copy_options::recursive);
}

void ShipRig::UseCopy(const std::string& name) {
  shipper.reset();
  recorder.CloseStore();
  std::filesystem::remove_all(StoreDir());
  std::filesystem::copy(recorder.dir.path() / name, StoreDir(),
                        std::filesystem::copy_options::recursive);
}

Holdings ShipRig::InStore() {
  Holdings held;
  held.rows = recorder.StoredRows();
  for (const auto& [tp, tape] : recorder.LoadState().tapes) {
    for (auto& [offset, text] : recorder.StoredTape(tp)) held.messages[{Raw(tp), offset}] = text;
  }
  return held;
}

Holdings ShipRig::InArchive(const std::map<std::string, std::string>& objects,
                            const StoreState& state) {
  Holdings held;
  std::vector<Manifest> manifests;
  std::set<std::tuple<std::string, Day, uint32_t>> replaced;
  for (const auto& [name, content] : objects) {
    if (!name.starts_with(kManifestsPrefix)) continue;
    Result<Manifest> manifest = ParseManifest(content);
    EXPECT_TRUE(manifest.ok()) << name << ": " << manifest.status().ToString();
    if (!manifest.ok()) continue;
    if (const auto* records = std::get_if<RecordManifest>(&*manifest)) {
      for (uint32_t generation : records->replaces)
        replaced.insert({records->table, records->day, generation});
    }
    manifests.push_back(std::move(*manifest));
  }
  for (const Manifest& manifest : manifests) {
    if (const auto* tape = std::get_if<TapeManifest>(&manifest))
      TakeTape(*tape, objects, state, &held);
    const auto* records = std::get_if<RecordManifest>(&manifest);
    if (records != nullptr &&
        !replaced.contains({records->table, records->day, records->generation})) {
      TakeRecords(*records, objects, state, &held);
    }
  }
  return held;
}

std::vector<RecorderRig::RowKey> ShipRig::RowsInOrder(const std::string& name,
                                                      const std::string& content,
                                                      const StoreState& state) {
  std::vector<RecorderRig::RowKey> rows;
  BytesObject source(name, content);
  auto scan = OpenRecordScan(&source, ParseObjectFormat(ParseArchiveName(name)->format).value(),
                             *state.tables.Find("trades"),
                             [&](const TapeId& tape) { return TpOf(state, tape); });
  EXPECT_TRUE(scan.ok()) << scan.status().ToString();
  while (scan.ok() && (*scan)->Next().ok() && (*scan)->rows().count > 0) {
    const RowSlice& slice = (*scan)->rows();
    for (uint32_t n = 0; n < slice.count; ++n) {
      const Rows& r = *slice.rows;
      const uint32_t row = slice.RowAt(n);
      rows.emplace_back(std::string(slice.symbol), r.ts[row], r.tp[row], r.offset[row],
                        r.index[row]);
    }
  }
  return rows;
}

std::map<keys::DayKey, DayEntry> ShipRig::Days() {
  const StoreState state = recorder.LoadState();
  return {state.days.begin(), state.days.end()};
}

std::set<std::string> ShipRig::ObjectEntries() {
  std::set<std::string> names;
  recorder.OpenStore();
  const auto view = recorder.store->View();
  const auto objects = view->Objects();
  EXPECT_TRUE(objects.ok());
  for (const auto& [name, entry] : *objects) names.insert(name);
  return names;
}

bool ShipRig::StoreHas(char prefix) {
  recorder.OpenStore();
  const std::string from(1, prefix);
  const auto view = recorder.store->View();
  auto cursor = view->Scan(from, keys::After(from), ScanKind::kPoint);
  cursor->SeekToFirst();
  return cursor->Valid();
}

std::map<std::string, std::string> ContentsOf(BlobStore* blobs) {
  std::map<std::string, std::string> contents;
  const auto listed = blobs->ListAll("");
  EXPECT_TRUE(listed.ok()) << listed.status().ToString();
  for (const BlobStat& stat : *listed) {
    auto blob = blobs->Open(stat.name);
    EXPECT_TRUE(blob.ok()) << blob.status().ToString();
    std::string& bytes = contents[stat.name];
    const Status read = (*blob)->StreamAll([&](std::string_view piece) {
      bytes.append(piece);
      return Status::Ok();
    });
    EXPECT_TRUE(read.ok()) << read.ToString();
  }
  return contents;
}

}  // namespace tapedeck::testing
