#ifndef TAPEDECK_API_STREAM_LINES_H_
#define TAPEDECK_API_STREAM_LINES_H_

// StreamLines: a stream of messages as text, made at its pace by a thread of its own.
//
//   TD_ASSIGN_OR_RETURN(auto lines, StreamLines::Start(std::move(setting), parts, place));
//   TD_ASSIGN_OR_RETURN(const bool more, lines->Take(&out));  // what is ready; false: that was all
//   lines->LetGo();                      // give back what is held of the store, and go on then
//
// A search for a rare symbol may take minutes, and a pace waits: neither may hold a worker of the
// server, which serves everybody. So each stream has a thread (as many as there are slots), which
// stops while its client does not read: at most kLinesBytesMax wait.
//
// NDJSON: one line per message, or per matching record, each with its `cursor`; a line
// {"_caught_up":true,"cursor":…} where history ends and live data begin. Server-sent events: the
// same in `data:`, the cursor as `id:` (a browser gives it back as Last-Event-ID), the mark as the
// event `caught-up`, and a comment every 15 s of silence.
//
// Thread-safe: Take by one thread at a time, LetGo and destruction by any; the destructor waits for
// the thread, which looks for it at least every block.

#include <atomic>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "api/stream_reader.h"
#include "base/status.h"
#include "query/json_rows.h"
#include "replay/pacing.h"

namespace tapedeck {

inline constexpr size_t kLinesBytesMax = size_t{1} << 20;

struct StreamSetting {
  StreamQuery query;
  Pace pace;
  bool events = false;  // server-sent
  MessageEncoding encoding = MessageEncoding::kText;
  RowStyle style;
  bool origin = false;  // of records
  /// Grows when rows are published: something new is there at once. May be empty.
  std::function<uint64_t()> changes;
};

class StreamLines {
 public:
  /// kResourceExhausted: the system has no thread to give at the moment.
  static Result<std::unique_ptr<StreamLines>> Start(StreamSetting setting, SelectionParts parts,
                                                    StreamPlace place);
  ~StreamLines();
  StreamLines(const StreamLines&) = delete;
  StreamLines& operator=(const StreamLines&) = delete;

  /// Appends what is ready, perhaps nothing. False: that was all. An error comes once what was made
  /// before it has been taken.
  Result<bool> Take(std::string* out);
  /// The thread gives its read point back at once, and takes another when it goes on. Does not wait
  /// for it: taking one waits for the store.
  void LetGo();
  /// Messages, or records, so far; after the end.
  uint64_t lines() const { return lines_; }

 private:
  StreamLines(StreamSetting setting, SelectionParts parts, StreamPlace place);
  void Run();
  Status Step();
  Status SendMessage();
  void SendRecords(const SelectedMessage& message);
  void Line(std::string_view json, std::string_view event, const StreamPlace& place);
  Status WaitForRoom();
  Status WaitUntilDue(MonotonicTime due);
  Status WaitForMore();
  enum class Until : bool { kTime, kRoom };
  Status Wait(std::chrono::nanoseconds time, Until until);
  void Give();

  SelectionParts PartsOf(SelectionParts parts);

  const StreamSetting setting_;
  Clock* const clock_;
  const std::shared_ptr<std::atomic<bool>> gone_ = std::make_shared<std::atomic<bool>>(false);
  StreamReader reader_;
  Pacer pacer_;
  std::string made_;  // by the thread, not given yet
  std::string json_;
  uint64_t lines_ = 0;
  uint64_t sent_;  // lines of the next message that a broken connection has had already
  MonotonicTime spoke_{0};
  std::chrono::nanoseconds patience_{0};
  uint64_t seen_changes_ = 0;

  std::mutex mutex_;
  std::condition_variable changed_;
  // Protected by mutex_:
  std::string ready_;
  bool stop_ = false;
  bool let_go_ = false;
  bool ended_ = false;
  Status end_;
  std::thread thread_;
};

}  // namespace tapedeck

#endif  // TAPEDECK_API_STREAM_LINES_H_
