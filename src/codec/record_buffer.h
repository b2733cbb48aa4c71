#ifndef TAPEDECK_CODEC_RECORD_BUFFER_H_
#define TAPEDECK_CODEC_RECORD_BUFFER_H_

// RecordBuffer: one record as a FlatBuffer of schemas/record.fbs, for those who do not want a
// feed's own format.
//
//   RecordBuffer buffer;
//   std::string_view bytes = buffer.Encode(table, "BTCUSDT", ts, ts_kafka, tape, 4711, 0, values);
//
// All columns of the table are there in their order, null where the record has none. Equal records
// give equal bytes. Owned by one thread; keeps its memory.

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "base/time.h"
#include "model/origin.h"
#include "model/table.h"

namespace tapedeck {

class RecordBuffer {
 public:
  RecordBuffer();
  ~RecordBuffer();
  RecordBuffer(RecordBuffer&&) noexcept;
  RecordBuffer& operator=(RecordBuffer&&) noexcept;

  /// Valid until the next call. `ts_kafka`: Timestamp(kNoKafkaTime) where the message had none.
  std::string_view Encode(const Table& table, std::string_view symbol, Timestamp ts,
                          Timestamp ts_kafka, const TapeId& tape, int64_t offset, uint32_t index,
                          std::span<const Value> values);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace tapedeck

#endif  // TAPEDECK_CODEC_RECORD_BUFFER_H_
