#ifndef TAPEDECK_COLUMNAR_MESSAGE_WRITER_H_
#define TAPEDECK_COLUMNAR_MESSAGE_WRITER_H_

// MessageParquetWriter: Kafka messages as a Parquet file, byte for byte.
//
//   TD_ASSIGN_OR_RETURN(auto writer, MessageParquetWriter::Make({.metadata = …}));
//   TD_RETURN_IF_ERROR(writer->Append(message, received, &out));   // `out` grows now and then
//   TD_RETURN_IF_ERROR(writer->Finish(&out));
//
// Columns:
//   offset       INT64, ascending (sorting column)
//   timestamp    TIMESTAMP(MILLIS, UTC); null: the message has none
//   ts_type      STRING "create", "append", "none"
//   received     TIMESTAMP(MICROS, UTC), rounded to the past
//   received_ns  INT64, the same exactly
//   key, value   BYTE_ARRAY; null and empty differ
//   headers      LIST of STRUCT {key BYTE_ARRAY, value BYTE_ARRAY or null}, in order; never null
//
// The bytes are a function of options and messages. Errors, memory and `out` are as in writer.h; a
// row group has kMessageGroupRows rows or kMessageGroupBytes of keys, values and headers. Owned by
// one thread.

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/status.h"
#include "base/time.h"
#include "model/message.h"

namespace tapedeck {

inline constexpr uint64_t kMessageGroupRows = uint64_t{1} << 19;
inline constexpr uint64_t kMessageGroupBytes = uint64_t{64} << 20;

/// What the columns are called, in order; also those of `headers`.
inline constexpr const char* kMessageColumns[] = {"offset",
                                                  "timestamp",
                                                  "ts_type",
                                                  "received",
                                                  "received_ns",
                                                  "key",
                                                  "value",
                                                  "headers.list.element.key",
                                                  "headers.list.element.value"};

struct MessageParquetOptions {
  int zstd_level = 3;
  /// Into the file's key-value metadata, in this order.
  std::vector<std::pair<std::string, std::string>> metadata;
};

class MessageParquetWriter {
 public:
  static Result<std::unique_ptr<MessageParquetWriter>> Make(MessageParquetOptions options);
  ~MessageParquetWriter();

  Status Append(const MessageView& message, Timestamp received, std::string* out);
  Status Finish(std::string* out);

 private:
  struct State;
  explicit MessageParquetWriter(std::unique_ptr<State> state);

  std::unique_ptr<State> state_;
};

}  // namespace tapedeck

#endif  // TAPEDECK_COLUMNAR_MESSAGE_WRITER_H_
