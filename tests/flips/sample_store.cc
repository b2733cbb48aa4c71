#include "flips/sample_store.h"

#include <gtest/gtest.h>

#include <fstream>

#include "query/json_rows.h"
#include "query/listing.h"
#include "query/listing_text.h"
#include "query/reader.h"
#include "record/recorder_rig.h"

namespace tapedeck::testing {
namespace {

namespace fs = std::filesystem;

const TopicPartition kFirst{"Finhub1", 0};
const TopicPartition kSecond{"Finhub1", 1};

/// Whether all that was produced is in the store.
bool AllStored(const RecorderRig& rig) {
  const RecorderState state = rig.running->State();
  if (state.partitions.size() < 2) return false;
  for (const PartitionState& partition : state.partitions) {
    if (partition.stored < rig.log.Copy(partition.tp).end) return false;
  }
  return true;
}

Status AppendMessages(const Reader& reader, std::string* out) {
  TD_ASSIGN_OR_RETURN(std::unique_ptr<MessageCursor> cursor, reader.Messages({}));
  for (;;) {
    TD_ASSIGN_OR_RETURN(const StoredMessage* message, cursor->Next());
    if (message == nullptr) return Status::Ok();
    AppendMessageJson(*message, {}, out);
    *out += " received " + std::to_string(message->received.ns()) + "\n";
  }
}

Status AppendRows(Reader* reader, const Table& table, std::string* out) {
  TD_ASSIGN_OR_RETURN(RowFields fields, RowFields::Choose(table, {}, Origins::kShown));
  RecordQuery query;
  query.table = table.name;
  query.columns = fields.columns();
  TD_ASSIGN_OR_RETURN(std::unique_ptr<RecordCursor> cursor, reader->Query(std::move(query)));
  const RecordWriter writer(fields, *cursor, {});
  for (;;) {
    RowRun run;
    TD_RETURN_IF_ERROR(cursor->Next(&run));
    if (run.count == 0) return Status::Ok();
    for (uint32_t n = 0; n < run.count; ++n) {
      writer.AppendJson(run, n, out);
      *out += "\n";
    }
  }
}

Status AppendListings(Reader* reader, std::string* out) {
  TD_ASSIGN_OR_RETURN(std::shared_ptr<const ReadPoint> point, reader->Point());
  TD_ASSIGN_OR_RETURN(std::vector<SymbolEntry> symbols, ListSymbols(*point, {}));
  for (const SymbolEntry& symbol : symbols) *out += SymbolText(symbol).json + "\n";
  TD_ASSIGN_OR_RETURN(std::vector<PartitionEntry> partitions, ListPartitions(*point, {}));
  *out += TopicText(partitions).json + "\n";
  for (const PartitionEntry& partition : partitions) *out += CoverageText(partition).json + "\n";
  return VisitRefused(*point, {}, [&](const RefusedMessage& refused) {
    *out += RefusedText(refused).json + "\n";
    return Status::Ok();
  });
}

}  // namespace

Files RecordSampleStore(uint64_t seed) {
  RecorderRig rig(seed);
  rig.log.Create("Finhub1", 2);
  for (int i = 0; i < 4; ++i) {
    rig.ProduceTrades(kFirst, 2);
    rig.ProduceTrades(kSecond, 3);
  }
  rig.ProduceRaw(kFirst, "{\"type\":\"ping\"}");
  rig.ProduceRaw(kSecond, "{\"data\":[{\"p\":NaN}]}");
  EXPECT_TRUE(rig.Run().ok());
  EXPECT_TRUE(rig.store->FlushMemtables().ok());
  rig.CloseStore();
  for (int i = 0; i < 6; ++i) rig.ProduceTrades(kSecond, 2);
  rig.log.Expire(kSecond, rig.log.Copy(kSecond).end - 2);
  EXPECT_TRUE(rig.Run().ok());
  EXPECT_TRUE(rig.store->FlushMemtables().ok());
  for (int i = 0; i < 3; ++i) {
    rig.ProduceTrades(kFirst, 2);
    rig.ProduceRaw(kSecond, std::string("\x00\xff", 2));
  }
  rig.options.flush_interval = std::chrono::hours(1);
  Files files;
  Status crashed = rig.Run([&](FakeSource*) {
    if (!AllStored(rig)) return true;
    files = ReadFolder(rig.dir.path() / "store");  // while it is open: nothing was tidied up
    return false;
  });
  EXPECT_TRUE(crashed.ok()) << crashed.ToString();
  return files;
}

Files ReadFolder(const fs::path& dir) {
  Files files;
  for (const fs::directory_entry& entry : fs::directory_iterator(dir)) {
    if (!entry.is_regular_file()) continue;
    std::ifstream in(entry.path(), std::ios::binary);
    files[entry.path().filename().string()] = std::string(std::istreambuf_iterator<char>(in), {});
  }
  return files;
}

void LayOut(const Files& files, const fs::path& dir) {
  fs::create_directories(dir);
  for (const fs::directory_entry& entry : fs::directory_iterator(dir)) {
    if (entry.path().filename() != "LOCK") fs::remove_all(entry.path());
  }
  for (const auto& [name, content] : files) {
    std::ofstream out(dir / name, std::ios::binary);
    out.write(content.data(), static_cast<std::streamsize>(content.size()));
  }
}

Result<std::string> AllAnswers(const fs::path& dir) {
  TD_ASSIGN_OR_RETURN(std::unique_ptr<Reader> reader, Reader::Open({.dir = dir}));
  std::string answers = reader->meta().node_id + " " + reader->meta().cluster_id + " " +
                        reader->meta().store_id + "\n";
  TD_RETURN_IF_ERROR(AppendMessages(*reader, &answers));
  for (const Table& table : reader->StoredPoint()->state().tables.tables()) {
    answers += TableText(table).json + "\n";
    TD_RETURN_IF_ERROR(AppendRows(reader.get(), table, &answers));
  }
  TD_RETURN_IF_ERROR(AppendListings(reader.get(), &answers));
  return answers;
}

}  // namespace tapedeck::testing
