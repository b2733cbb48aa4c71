#ifndef TAPEDECK_ARCHIVE_NDJSON_RECORDS_H_
#define TAPEDECK_ARCHIVE_NDJSON_RECORDS_H_

// Records as lines of JSON, compressed: the other format of record objects.
//
//   line  := "{" ts "," symbol { "," column } "," ts_kafka "," origin "}" LF
//   {"ts":"2024-07-02T04:17:16.373000000Z","symbol":"BTCUSDT","price":63229.69,"side":null,
//    "ts_kafka":"2024-07-02T04:17:16.512000000Z","topic":"Finhub1","partition":0,"lineage":0,
//    "offset":184,"index":0}                                                     (one line)
// All columns of the table, in its order, null where a row has none. Numbers digit for digit, times
// as RFC 3339 with nanoseconds, flags true or false, text as strings; bytes that are not UTF-8 are
// {"base64":"…"}. The whole file is one zstd frame or gzip member, either with a checksum.
//
// A writer's bytes are a function of table, tapes and rows, and of where Flush is called. Errors of
// the scan are those of record_object_reader.h. Memory: 256 KiB and the compressor's; of the scan 2
// MiB and at least one line. Each object is owned by one thread.

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "archive/object_format.h"
#include "archive/object_source.h"
#include "archive/record_object_reader.h"
#include "base/status.h"
#include "base/stream_compressor.h"
#include "columnar/layout.h"
#include "model/table.h"

namespace tapedeck {

class NdjsonRecordWriter {
 public:
  static Result<std::unique_ptr<NdjsonRecordWriter>> Make(
      const Table& table, std::vector<std::pair<TpId, TapeId>> tapes, ObjectFormat format);
  /// kInternal: a row of an unknown tape.
  Status Append(const RowSlice& rows, std::string* out);
  /// Compresses what has been gathered.
  Status Flush(std::string* out);
  Status Finish(std::string* out);

 private:
  NdjsonRecordWriter(const Table& table, std::vector<std::pair<TpId, TapeId>> tapes);
  void AppendLine(const RowSlice& rows, uint32_t row, const TapeId& tape);

  std::vector<std::string> names_;              // ,"price": of each column
  std::vector<std::pair<TpId, TapeId>> tapes_;  // by tp id
  std::unique_ptr<StreamCompressor> compressor_;
  std::string lines_;
};

Result<std::unique_ptr<RecordScan>> OpenNdjsonScan(const ObjectSource* object, ObjectFormat format,
                                                   const Table& table, TapeResolver resolver);

}  // namespace tapedeck

#endif  // TAPEDECK_ARCHIVE_NDJSON_RECORDS_H_
