#ifndef TAPEDECK_KAFKA_TRAILING_READER_H_
#define TAPEDECK_KAFKA_TRAILING_READER_H_

// TrailingReader: follows partitions from given offsets on, as a read_committed consumer without a
// group sees them. For whoever reads back what it has sent.
//
//   TD_ASSIGN_OR_RETURN(auto reader, TrailingReader::Open({.bootstrap_servers = servers},
//                                                         {{{"t", 0}, 17}, {{"t", 1}, 0}}));
//   TD_RETURN_IF_ERROR(reader->Poll(100ms, [&](const TopicPartition& tp, const MessageView& m) {
//     …                                              // valid during the call
//   }));
//   reader->at_end()                                 // every partition stood at its end
//
// Aborted messages and control records are never shown; an open transaction hides itself and what
// is behind it. Errors: kNotFound (a topic that is gone, an offset that is no longer in the log),
// kUnavailable (brokers away: poll again), kCorruption. Owned by one thread.

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "base/status.h"
#include "kafka/client_properties.h"
#include "model/message.h"

namespace tapedeck {

struct TrailingOptions {
  std::string bootstrap_servers = {};
  KafkaProperties properties = {};
  std::string client_id = "tapedeck-verifier";
};

class TrailingReader {
 public:
  using Visit = std::function<void(const TopicPartition&, const MessageView&)>;

  static Result<std::unique_ptr<TrailingReader>> Open(
      const TrailingOptions& options, const std::map<TopicPartition, int64_t>& starts);
  ~TrailingReader();
  TrailingReader(const TrailingReader&) = delete;
  TrailingReader& operator=(const TrailingReader&) = delete;

  /// Visits what has come, waiting up to `timeout` for the first.
  Status Poll(std::chrono::milliseconds timeout, const Visit& visit);
  /// Since the last message of each partition its end was met. Messages may have come since.
  bool at_end() const;
  /// Where each partition goes on: behind the last message seen, or the end that was met.
  const std::map<TopicPartition, int64_t>& positions() const;

 private:
  struct State;
  explicit TrailingReader(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace tapedeck

#endif  // TAPEDECK_KAFKA_TRAILING_READER_H_
