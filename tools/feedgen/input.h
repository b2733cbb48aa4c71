#ifndef TAPEDECK_TOOLS_FEEDGEN_INPUT_H_
#define TAPEDECK_TOOLS_FEEDGEN_INPUT_H_

// Input: what feedgen sends, one message after the other: the lines of a file, or a made-up feed.
//
// Owned by one thread.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/status.h"
#include "base/time.h"
#include "kafka/feed.h"

namespace tapedeck {

struct InputMessage {
  std::string_view value;                // until the next call
  std::optional<std::string_view> key;   // until the next call
  std::optional<Timestamp> recorded_at;  // when it was received, or made
  std::optional<Timestamp> event_time;   // made-up feeds only
};

class Input {
 public:
  virtual ~Input() = default;
  /// The next message, or nothing at the end.
  virtual std::optional<InputMessage> Next() = 0;
  /// For the summary: ,"name":number… or nothing.
  virtual std::string SummaryMembers() const { return ""; }
};

/// How messages get a key. Of both, the field wins where a message has it.
struct KeyRule {
  std::optional<std::string> constant = {};
  /// Name of a member whose value is a string: the first "name":"…" of the text, at any depth.
  std::optional<std::string> field = {};
};

/// Lines of `path`, which may end in .zst; `recv_ns_path` (may be empty) has the time of each line,
/// in nanoseconds since the epoch.
Result<std::unique_ptr<Input>> OpenFileInput(const std::string& path,
                                             const std::string& recv_ns_path, const KeyRule& key);

/// `count` messages of a made-up feed. Its field "symbol" is known without looking.
std::unique_ptr<Input> MakeFeedInput(const FeedOptions& options, uint64_t count,
                                     const KeyRule& key);

}  // namespace tapedeck

#endif  // TAPEDECK_TOOLS_FEEDGEN_INPUT_H_
