#ifndef TAPEDECK_KAFKA_FETCH_CONNECTION_H_
#define TAPEDECK_KAFKA_FETCH_CONNECTION_H_

// Inside this module only. FetchConnection: some partitions of one broker, read over one socket
// that never blocks. See direct_fetch.h.
//
// The next request goes out as soon as the answer's last batch has arrived, so that the broker
// works while that batch is read. Each request begins with another partition: brokers fill an
// answer in the order of the request, and the first one gets at least one batch, however large.
//
// Errors: kUnavailable (the connection or the broker), kCorruption, kFailedPrecondition (something
// that is not read here). They are final. Owned by one thread.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/status.h"
#include "kafka/fetch_reply.h"
#include "kafka/message_source.h"
#include "kafka/record_set.h"

namespace tapedeck {

class FetchConnection {
 public:
  /// The least that a connection needs to receive into; with larger batches its buffer grows to
  /// twice the largest.
  static constexpr size_t kBufferBytes = size_t{1} << 20;

  struct Part {
    PartitionSlot slot = 0;
    FetchPart at;           // the offset behind the last message that was given out
    int64_t told_end = -1;  // the last end that was told
  };
  struct Options {
    std::string client_id = {};
    size_t batch_bytes_max = 0;
    Clock* clock = nullptr;
  };
  /// Headers of a message of the batch, in the vector beside it.
  struct HeaderRange {
    size_t message;
    size_t first;
    size_t count;
  };
  struct Out {
    SourceBatch* batch;
    size_t messages_max;
    std::vector<HeaderView>* headers;
    std::vector<HeaderRange>* ranges;
  };

  /// Connects within `timeout` and asks for the parts' messages.
  static Result<std::unique_ptr<FetchConnection>> Open(const std::string& host, int port,
                                                       std::vector<Part> parts, Options options,
                                                       std::chrono::milliseconds timeout);
  ~FetchConnection();
  FetchConnection(const FetchConnection&) = delete;
  FetchConnection& operator=(const FetchConnection&) = delete;

  /// Takes what has arrived. What the call before gave out is not used any more.
  Status Poll(const Out& out);
  int fd() const { return fd_; }
  /// Whether a part of a request waits for room in the socket.
  bool wants_to_send() const { return !unsent_.empty(); }
  const std::vector<Part>& parts() const { return parts_; }

 private:
  FetchConnection() = default;

  Status Ask();
  Status Send();
  Status Receive(bool* any);
  void MakeRoom(size_t bytes);
  Status TakePiece(FetchReply::Piece piece, const Out& out);
  Status OpenPartition();
  Status GiveOut(const Out& out);
  void EndWithoutMore(const Out& out);
  void TellEnd(const Out& out);
  std::string_view unread() const { return {buffer_.get() + from_, to_ - from_}; }

  int fd_ = -1;
  Options options_;
  std::vector<Part> parts_;
  std::string unsent_;
  int32_t correlation_ = 0;
  size_t first_ = 0;               // part that the next request begins with
  std::optional<size_t> starved_;  // the first part that the last answer left out
  bool any_batch_ = false;         // of part_, in this answer
  bool asked_ahead_ = false;       // the next answer is on its way while this one is read
  MonotonicTime last_bytes_{};

  std::unique_ptr<char[]> buffer_;
  size_t capacity_ = 0;
  size_t from_ = 0;  // of what was not read yet
  size_t to_ = 0;

  FetchReply reply_;
  Part* part_ = nullptr;  // whose record set is being read
  RecordBatch records_;
  bool in_hand_ = false;  // records_ was not given out to its end
};

}  // namespace tapedeck

#endif  // TAPEDECK_KAFKA_FETCH_CONNECTION_H_
