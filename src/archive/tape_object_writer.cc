#include <algorithm>

#include "archive/object_file.h"
#include "archive/tape_object.h"
#include "archive/tape_object_label.h"
#include "base/encoding.h"
#include "base/limits.h"
#include "codec/tape_block.h"
#include "columnar/message_writer.h"

namespace tapedeck {

struct TapeObjectWriter::State {
  TapeObjectPlan plan;
  std::unique_ptr<ObjectFile> file;
  std::unique_ptr<MessageParquetWriter> parquet;
  std::string out;
  uint64_t messages = 0;
  uint64_t raw_bytes = 0;
  int64_t first_offset = 0;
  int64_t last_offset = 0;
  int64_t kafka_min_ms = INT64_MAX;
  int64_t kafka_max_ms = INT64_MIN;
  Status failed;

  Status WriteOut() {
    if (out.empty()) return Status::Ok();
    TD_RETURN_IF_ERROR(file->Append(out));
    out.clear();
    return Status::Ok();
  }
};

TapeObjectWriter::TapeObjectWriter(std::unique_ptr<State> state) : state_(std::move(state)) {}
TapeObjectWriter::~TapeObjectWriter() = default;

Result<std::unique_ptr<TapeObjectWriter>> TapeObjectWriter::Make(TapeObjectPlan plan) {
  auto state = std::make_unique<State>();
  MessageParquetOptions options;
  options.metadata = {{std::string(kTapeKey), std::string(kTapeVersion)},
                      {std::string(kTapeWriterKey), plan.writer},
                      {std::string(kTopicKey), PercentEncode(plan.tape.topic)},
                      {std::string(kPartitionKey), std::to_string(plan.tape.partition)},
                      {std::string(kLineageKey), std::to_string(plan.tape.lineage)}};
  TD_ASSIGN_OR_RETURN(state->parquet, MessageParquetWriter::Make(std::move(options)));
  TD_ASSIGN_OR_RETURN(state->file, ObjectFile::Create(plan.path));
  state->plan = std::move(plan);
  return std::unique_ptr<TapeObjectWriter>(new TapeObjectWriter(std::move(state)));
}

uint64_t TapeObjectWriter::messages() const { return state_->messages; }
uint64_t TapeObjectWriter::raw_bytes() const { return state_->raw_bytes; }

Status TapeObjectWriter::Append(const MessageView& message, Timestamp received) {
  State& state = *state_;
  if (!state.failed.ok()) return state.failed;
  if (state.messages > 0 && message.offset <= state.last_offset) {
    return Status::InvalidArgument("offset " + std::to_string(message.offset) + " after " +
                                   std::to_string(state.last_offset));
  }
  const size_t bytes = message.PayloadBytes();
  if (bytes > limits::kMessageBytesMax || message.headers.size() > kMessageHeadersMax) {
    return Status::InvalidArgument("a message larger than any: offset " +
                                   std::to_string(message.offset));
  }
  state.failed = state.parquet->Append(message, received, &state.out);
  if (state.failed.ok()) state.failed = state.WriteOut();
  if (!state.failed.ok()) return state.failed;
  if (state.messages++ == 0) state.first_offset = message.offset;
  state.last_offset = message.offset;
  state.raw_bytes += bytes;
  if (message.timestamp_type == TimestampType::kNone) return Status::Ok();
  state.kafka_min_ms = std::min(state.kafka_min_ms, message.timestamp_ms);
  state.kafka_max_ms = std::max(state.kafka_max_ms, message.timestamp_ms);
  return Status::Ok();
}

Result<WrittenObject> TapeObjectWriter::Finish() {
  State& state = *state_;
  if (!state.failed.ok()) return state.failed;
  if (state.messages == 0) return Status::FailedPrecondition("an object without messages");
  state.failed = Status::Internal("a writer of an object that has finished");
  TD_RETURN_IF_ERROR(state.parquet->Finish(&state.out));
  TD_RETURN_IF_ERROR(state.WriteOut());
  WrittenObject written{.path = state.plan.path, .object = {}};
  ShippedObject& object = written.object;
  object.format = ObjectFormatName(ObjectFormat::kParquet);
  object.rows = state.messages;
  object.bytes = state.file->bytes();
  object.offsets = {{state.plan.tape, state.first_offset, state.last_offset + 1}};
  auto time = [](int64_t ms) {
    const Result<Timestamp> t = TimestampFromUnits(ms, TimeUnit::kMilliseconds);
    return t.ok() ? *t : (ms < 0 ? Timestamp::Min() : Timestamp::Max());
  };
  if (state.kafka_min_ms <= state.kafka_max_ms) {
    object.first_ts = time(state.kafka_min_ms);
    object.last_ts = time(state.kafka_max_ms);
  }
  TD_ASSIGN_OR_RETURN(object.sha256, state.file->Finish());
  return written;
}

}  // namespace tapedeck
