#ifndef TAPEDECK_ARCHIVE_TAPE_OBJECT_H_
#define TAPEDECK_ARCHIVE_TAPE_OBJECT_H_

// Tape objects: messages of one range of offsets of one tape as a Parquet file, byte for byte.
//
//   TapeObjectPlan plan{.tape = tape, .path = work + "/tape", .writer = "tapedeck 0.1.0"};
//   TD_ASSIGN_OR_RETURN(auto writer, TapeObjectWriter::Make(std::move(plan)));
//   … TD_RETURN_IF_ERROR(writer->Append(block.At(i), block.ReceivedAt(i)));    // offsets ascend
//   TD_ASSIGN_OR_RETURN(WrittenObject written, writer->Finish());
//
//   TD_ASSIGN_OR_RETURN(auto footer, TapeObjectFooter::Read(*object));
//   TD_ASSIGN_OR_RETURN(auto reader, TapeObjectReader::Open(object.get(), footer, tape));
//   TD_RETURN_IF_ERROR(reader->Seek(from_offset));
//   for (;;) {
//     TD_RETURN_IF_ERROR(reader->Next());
//     if (reader->empty()) break;
//     for (size_t i = 0; i < reader->size(); ++i) Use(reader->At(i), reader->ReceivedAt(i));
//   }
//
// Columns: offset, timestamp (milliseconds), ts_type, received, key, value, headers; any engine
// reads them, and null, empty, the order of headers and repeated names come back as they were:
// docs/archive.md. The bytes are a function of the plan without its path and of the messages.
//
// Errors as in record_object_writer.h and record_object_reader.h. Memory of a writer: one encoded
// row group and 65,536 messages or 32 MiB; of a reader: what 32 MiB of pages hold, or one message.
//
// Each object of a class is owned by one thread; a footer is immutable and thread-safe.

#include <cstdint>
#include <memory>
#include <string>

#include "archive/object_source.h"
#include "archive/record_object_writer.h"
#include "base/status.h"
#include "base/time.h"
#include "model/message.h"
#include "model/origin.h"

namespace tapedeck {

class ParquetFooter;

struct TapeObjectPlan {
  TapeId tape;
  std::string path;    // of the file; what is there is overwritten
  std::string writer;  // "tapedeck 0.1.0"
};

class TapeObjectWriter {
 public:
  static Result<std::unique_ptr<TapeObjectWriter>> Make(TapeObjectPlan plan);
  /// Removes the file unless Finish has given it away.
  ~TapeObjectWriter();

  /// kInvalidArgument: an offset that is not above the last one, or a message over
  /// limits::kMessageBytesMax.
  Status Append(const MessageView& message, Timestamp received);
  uint64_t messages() const;
  /// Of keys, values and headers so far.
  uint64_t raw_bytes() const;
  /// kFailedPrecondition without a message. ShippedObject: `offsets` is [first, last + 1) of the
  /// tape, first_ts and last_ts are the least and greatest Kafka time (0 where none has one), no
  /// symbols. Where messages are a sparse range the manifest says more.
  Result<WrittenObject> Finish();

 private:
  struct State;
  explicit TapeObjectWriter(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

class TapeObjectFooter {
 public:
  static Result<std::shared_ptr<const TapeObjectFooter>> Read(const ObjectSource& object);
  ~TapeObjectFooter();

  size_t memory_bytes() const { return memory_bytes_; }
  uint64_t messages() const { return messages_; }
  const TapeId& tape() const { return tape_; }  // without the cluster
  int64_t first_offset() const { return first_offset_; }
  int64_t last_offset() const { return last_offset_; }
  const std::shared_ptr<const ParquetFooter>& parquet() const { return parquet_; }

 private:
  TapeObjectFooter() = default;
  Status TakeLabel();

  std::shared_ptr<const ParquetFooter> parquet_;
  TapeId tape_;
  uint64_t messages_ = 0;
  int64_t first_offset_ = 0, last_offset_ = 0;
  size_t memory_bytes_ = 0;
};

class TapeObjectReader {
 public:
  /// Stands before the first message. kCorruption where the object is of another tape than `tape`
  /// (whose cluster does not count). `object` outlives it.
  static Result<std::unique_ptr<TapeObjectReader>> Open(
      const ObjectSource* object, std::shared_ptr<const TapeObjectFooter> footer,
      const TapeId& tape);
  ~TapeObjectReader();

  /// Next gives messages from `offset` on. Pages before it are neither read nor decoded.
  Status Seek(int64_t offset);
  /// Replaces the messages by the following ones; none at the end.
  Status Next();

  bool empty() const { return size() == 0; }
  size_t size() const;
  int64_t offset(size_t i) const;
  /// Views until the next call of Next or Seek.
  MessageView At(size_t i) const;
  Timestamp ReceivedAt(size_t i) const;

 private:
  struct State;
  explicit TapeObjectReader(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace tapedeck

#endif  // TAPEDECK_ARCHIVE_TAPE_OBJECT_H_
