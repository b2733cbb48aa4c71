#include <rocksdb/slice.h>

#include "base/bytes.h"
#include "base/check.h"
#include "store/batch_rep.h"
#include "store/store_id.h"

namespace tapedeck {
namespace {

rocksdb::Slice Slice(std::string_view bytes) { return {bytes.data(), bytes.size()}; }

// A WriteBatch without limit takes any Put and Delete: an error here is a mistake of ours.
void Put(rocksdb::WriteBatch* batch, const std::string& key, std::string_view value) {
  TD_CHECK(batch->Put(key, Slice(value)).ok(), "a batch takes every entry");
}

void Delete(rocksdb::WriteBatch* batch, const std::string& key) {
  TD_CHECK(batch->Delete(key).ok(), "a batch takes every deletion");
}

}  // namespace

StoreBatch::StoreBatch() : rep_(std::make_unique<Rep>()) {}
StoreBatch::~StoreBatch() = default;
StoreBatch::StoreBatch(StoreBatch&&) noexcept = default;
StoreBatch& StoreBatch::operator=(StoreBatch&&) noexcept = default;

void StoreBatch::PutTapeBlock(TpId tp, int64_t base_offset, std::string_view block) {
  Put(&rep_->batch, keys::TapeBlock(tp, base_offset), block);
}

void StoreBatch::PutTapeIndex(TpId tp, int64_t base_offset, const TapeIndexEntry& entry) {
  Put(&rep_->batch, keys::TapeIndex(tp, base_offset), EncodeTapeIndex(entry));
}

void StoreBatch::DeleteTapeBlock(TpId tp, int64_t base_offset) {
  Delete(&rep_->batch, keys::TapeBlock(tp, base_offset));
  Delete(&rep_->batch, keys::TapeIndex(tp, base_offset));
}

void StoreBatch::PutCheckpoint(TpId tp, const Checkpoint& checkpoint) {
  Put(&rep_->batch, keys::Checkpoint(tp), EncodeCheckpoint(checkpoint));
}

void StoreBatch::PutGap(TpId tp, const tapedeck::Gap& gap) {
  Put(&rep_->batch, keys::Gap(tp, gap.from), EncodeGap(gap));
}

void StoreBatch::DeleteGap(TpId tp, int64_t from) { Delete(&rep_->batch, keys::Gap(tp, from)); }

void StoreBatch::PutRefusal(TpId tp, int64_t offset, const RefusalEntry& entry) {
  Put(&rep_->batch, keys::Refusal(tp, offset), EncodeRefusal(entry));
}

void StoreBatch::DeleteRefusal(TpId tp, int64_t offset) {
  Delete(&rep_->batch, keys::Refusal(tp, offset));
}

void StoreBatch::PutMapping(const Hash128& hash, std::string_view canonical) {
  Put(&rep_->batch, keys::Mapping(hash), canonical);
}

void StoreBatch::PutTable(const tapedeck::Table& table) {
  Put(&rep_->batch, keys::Table(table.id), EncodeTable(table));
}

void StoreBatch::PutTape(TpId tp, const TapeId& tape) {
  Put(&rep_->batch, keys::Tape(tp), EncodeTapeId(tape));
}

void StoreBatch::PutSeriesBlock(const keys::SeriesKey& key, std::string_view block) {
  Put(&rep_->batch, keys::Series(key), block);
}

void StoreBatch::DeleteSeriesBlock(const keys::SeriesKey& key) {
  Delete(&rep_->batch, keys::Series(key));
}

void StoreBatch::PutCatalog(TableId table, std::string_view symbol, const CatalogEntry& entry) {
  Put(&rep_->batch, keys::Catalog(table, symbol), EncodeCatalog(entry));
}

void StoreBatch::PutDay(const keys::DayKey& key, const DayEntry& entry) {
  Put(&rep_->batch, keys::DayState(key.table, key.day, key.generation), EncodeDay(entry));
}

void StoreBatch::DeleteCatalog(TableId table, std::string_view symbol) {
  Delete(&rep_->batch, keys::Catalog(table, symbol));
}

void StoreBatch::DeleteDay(const keys::DayKey& key) {
  Delete(&rep_->batch, keys::DayState(key.table, key.day, key.generation));
}

void StoreBatch::PutTapeShip(TpId tp, const TapeShip& ship) {
  Put(&rep_->batch, keys::TapeShip(tp), EncodeTapeShip(ship));
}

void StoreBatch::PutObject(std::string_view name, const ObjectEntry& entry) {
  Put(&rep_->batch, keys::Object(name), EncodeObject(entry));
}

void StoreBatch::DeleteObject(std::string_view name) { Delete(&rep_->batch, keys::Object(name)); }

void StoreBatch::PutJob(std::string_view id, std::string_view job) {
  Put(&rep_->batch, keys::Job(id), job);
}

void StoreBatch::DeleteJob(std::string_view id) { Delete(&rep_->batch, keys::Job(id)); }

void StoreBatch::PutCommitNumber(uint64_t commit) {
  std::string value;
  PutVarint(&value, commit);
  Put(&rep_->batch, keys::Meta(meta_names::kCommit), value);
}

void StoreBatch::PutFlushNumber(uint64_t flush, uint64_t through_commit) {
  std::string value;
  PutVarint(&value, flush);
  PutVarint(&value, through_commit);
  Put(&rep_->batch, keys::Meta(meta_names::kFlush), value);
}

void StoreBatch::PutClusterId(std::string_view cluster_id) {
  rep_->cluster_id = cluster_id;
  Put(&rep_->batch, keys::Meta(meta_names::kCluster), cluster_id);
}

size_t StoreBatch::bytes() const { return rep_->batch.GetDataSize(); }
bool StoreBatch::empty() const { return rep_->batch.Count() == 0; }

void StoreBatch::Clear() {
  rep_->batch.Clear();
  rep_->cluster_id.reset();
  rep_->store_id.reset();
}

void StoreBatchAccess::PutOrDelete(StoreBatch& batch, const std::string& key,
                                   std::string_view value) {
  value.empty() ? Delete(&batch.rep_->batch, key) : Put(&batch.rep_->batch, key, value);
}

void PutStoreId(std::string_view store_id, StoreBatch* batch) {
  auto& rep = StoreBatchAccess::Of(*batch);
  rep.store_id = store_id;
  Put(&rep.batch, keys::Meta(meta_names::kStore), store_id);
}

}  // namespace tapedeck
