#include "query/store_chain.h"

#include "base/text.h"

namespace tapedeck {

keys::SeriesKey Chain::KeyOf(const Block& at) const {
  keys::SeriesKey key = next;
  key.first_ts = Timestamp(at.first_ts);
  key.flush = at.flush;
  key.block = at.block;
  return key;
}

std::string WhereOf(const Table& table, const keys::SeriesKey& key) {
  return "series block of " + table.name + " " + Quoted(key.symbol) + " " + key.day.ToString() +
         " generation " + std::to_string(key.generation) + " from " + FormatRfc3339(key.first_ts);
}

Result<SeriesBlockHeader> HeaderOf(const Table& table, const keys::SeriesKey& key,
                                   std::string_view block) {
  Result<SeriesBlockHeader> header = ParseSeriesHeader(block);
  if (!header.ok()) return header.status().WithContext(WhereOf(table, key));
  if (header->first_ts != key.first_ts) {
    return Status::Corruption(WhereOf(table, key) + ": its header names another time");
  }
  return header;
}

Status DecodeBlockOf(const RowSelection& selection, const keys::SeriesKey& key,
                     std::string_view block, CodecBuffers* buffers, Rows* rows) {
  TD_RETURN_IF_ERROR(selection.CheckStop());
  Status decoded = DecodeSeriesBlock(keys::Series(key), block, selection.columns, buffers, rows);
  if (decoded.ok() && (rows->size() == 0 || rows->ts[0] != key.first_ts.ns())) {
    decoded = Status::Corruption("its rows are not those that its key names");
  }
  if (decoded.ok()) return decoded;
  return decoded.WithContext(WhereOf(*selection.table, key));
}

Status StandAt(const Table& table, const keys::SeriesKey& key, StoreCursor* scan) {
  const std::string bytes = keys::Series(key);
  if (scan->Valid() && scan->key() == bytes) return Status::Ok();
  scan->Seek(bytes);
  if (!scan->Valid()) TD_RETURN_IF_ERROR(scan->status());
  if (!scan->Valid() || scan->key() != bytes) {
    return Status::Corruption(WhereOf(table, key) + ": it is gone from a pinned view");
  }
  return Status::Ok();
}

}  // namespace tapedeck
