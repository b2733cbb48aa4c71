#ifndef TAPEDECK_QUERY_READER_H_
#define TAPEDECK_QUERY_READER_H_

// Reader: answers from a data directory, with or without a node that records into it.
//
// It opens the store as a secondary, takes in once what the writer has made durable, and answers as
// of that moment. Rows above the series watermark are only on the tape there: it decodes them
// itself, by the mappings recorded for them.
//
//   TD_ASSIGN_OR_RETURN(std::unique_ptr<Reader> reader, Reader::Open({.dir = dir}));
//   TD_ASSIGN_OR_RETURN(auto cursor, reader->Query(query));
//   TD_ASSIGN_OR_RETURN(auto point, reader->Point());             // for listing.h
//
// Errors: kNotFound: no store there; kCorruption: damage; kResourceExhausted: the tail is larger
// than memory_bytes. Owned by one thread; what it gives ends before it.

#include <filesystem>
#include <memory>

#include "base/status.h"
#include "model/series_directory.h"
#include "query/series_cursor.h"
#include "store/store.h"
#include "tape/read_point.h"
#include "tape/tape_cursor.h"

namespace tapedeck {

struct ReaderOptions {
  std::filesystem::path dir;
  /// Bytes that decoded rows of the tail may take; of a query only those that it asks for count.
  size_t memory_bytes = size_t{2} << 30;
  /// Where pruned days and tapes are, and what others have shipped; null: what is asked for and is
  /// there is an error. Its manifests are as far as its owner has read them. Outlives the reader.
  Archive* archive = nullptr;
};

class Reader {
 public:
  static Result<std::unique_ptr<Reader>> Open(ReaderOptions options);

  /// Everything that is recorded.
  Result<std::shared_ptr<const ReadPoint>> Point();
  /// The same without the rows above the watermark: for what does not concern records.
  std::shared_ptr<const ReadPoint> StoredPoint() const;
  Result<std::unique_ptr<RecordCursor>> Query(RecordQuery query);
  Result<std::unique_ptr<MessageCursor>> Messages(MessageQuery query) const;
  const StoreMeta& meta() const { return store_->meta(); }

 private:
  Reader(ReaderOptions options, std::unique_ptr<Store> store)
      : options_(std::move(options)), store_(std::move(store)) {}
  /// `wanted`: null, or whose rows of the tail are kept.
  Result<OpenRows::List> DecodeTail(const RecordQuery* wanted);

  const ReaderOptions options_;
  std::unique_ptr<Store> store_;
  SeriesDirectory directory_;
  std::shared_ptr<const StoreView> view_;
  ArchivePart archive_;
  StoreState state_;
  std::shared_ptr<const ReadPoint> stored_;
  std::shared_ptr<const ReadPoint> whole_;
};

}  // namespace tapedeck

#endif  // TAPEDECK_QUERY_READER_H_
