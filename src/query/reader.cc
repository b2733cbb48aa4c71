#include "query/reader.h"

#include <algorithm>

#include "tape/tail.h"

namespace tapedeck {
namespace {

// A chunk of the tail: like those of a busy node.
constexpr size_t kChunkRows = size_t{1} << 16;
// Rows of the tail belong to no commit that a flush could have covered.
constexpr uint64_t kTailCommit = UINT64_MAX;

// Whether the query can show the row, or let it decide which one it shows.
bool Concerns(const RecordQuery& query, TableId table, const RecordView& row) {
  if (row.table != table || row.ts < query.start) return false;
  if (row.ts >= query.end && query.end != Timestamp::Max()) return false;
  return query.symbols.empty() ||
         std::find(query.symbols.begin(), query.symbols.end(), row.symbol) != query.symbols.end();
}

}  // namespace

Result<std::unique_ptr<Reader>> Reader::Open(ReaderOptions options) {
  StoreOptions store_options;
  store_options.dir = options.dir;
  store_options.create = false;
  store_options.mode = StoreMode::kSecondary;
  TD_ASSIGN_OR_RETURN(std::unique_ptr<Store> store, Store::Open(std::move(store_options)));
  std::unique_ptr<Reader> reader(new Reader(std::move(options), std::move(store)));
  reader->view_ = reader->store_->View();
  TD_ASSIGN_OR_RETURN(reader->state_, reader->view_->LoadState());
  reader->archive_ = ArchivePart::Take(reader->options_.archive, reader->store_->meta());
  TD_ASSIGN_OR_RETURN(reader->stored_, ReadPoint::Make({}, &reader->directory_, reader->view_,
                                                       reader->state_, reader->archive_));
  return reader;
}

std::shared_ptr<const ReadPoint> Reader::StoredPoint() const { return stored_; }

Result<OpenRows::List> Reader::DecodeTail(const RecordQuery* wanted) {
  OpenRows::List chunks;
  TableId table{};
  if (wanted != nullptr) {
    TD_ASSIGN_OR_RETURN(const Table* found, stored_->FindTable(wanted->table));
    table = found->id;
  }
  TailDecoder tail(view_.get(), &directory_);
  ChunkBuilder builder(&directory_);
  size_t bytes = 0;
  auto finish = [&] {
    std::shared_ptr<const Chunk> chunk = builder.Finish(kTailCommit, stored_->ranks());
    if (chunk == nullptr) return;
    bytes += chunk->bytes();
    chunks.push_back(std::move(chunk));
  };
  auto take = [&](const DecodedMessage& message) {
    for (size_t n = 0; n < message.decoded->records.size(); ++n) {
      const RecordView row = message.Row(n);
      if (wanted == nullptr || Concerns(*wanted, table, row)) builder.Append(row);
    }
    if (builder.size() >= kChunkRows) finish();
    if (bytes <= options_.memory_bytes) return Status::Ok();
    return Status::ResourceExhausted("the rows that are on the tape only take more than " +
                                     std::to_string(options_.memory_bytes >> 20) +
                                     " MiB of memory: ask for fewer symbols, or start the node, "
                                     "which writes them to the series");
  };
  for (const auto& [tp, checkpoint] : state_.checkpoints) {
    TD_RETURN_IF_ERROR(tail.Decode(tp, checkpoint.watermark, checkpoint.next, take).status());
  }
  finish();
  return chunks;
}

Result<std::shared_ptr<const ReadPoint>> Reader::Point() {
  if (whole_ == nullptr) {
    TD_ASSIGN_OR_RETURN(OpenRows::List chunks, DecodeTail(nullptr));
    TD_ASSIGN_OR_RETURN(whole_,
                        ReadPoint::Make(std::move(chunks), &directory_, view_, state_, archive_));
  }
  return whole_;
}

Result<std::unique_ptr<RecordCursor>> Reader::Query(RecordQuery query) {
  TD_ASSIGN_OR_RETURN(OpenRows::List chunks, DecodeTail(&query));
  TD_ASSIGN_OR_RETURN(auto point,
                      ReadPoint::Make(std::move(chunks), &directory_, view_, state_, archive_));
  return RecordCursor::Open(std::move(point), std::move(query));
}

Result<std::unique_ptr<MessageCursor>> Reader::Messages(MessageQuery query) const {
  return MessageCursor::Open(stored_, std::move(query));
}

}  // namespace tapedeck
