#ifndef TAPEDECK_TESTS_RECORD_RECORDER_RIG_H_
#define TAPEDECK_TESTS_RECORD_RECORDER_RIG_H_

// RecorderRig: a real store and the real record journey over a FakeLog, run step by step on the
// test's own thread.
//
// The oracle is the log itself: Check() reads the store back and compares the tape message by
// message, and the series row by row with what the test wrote into the messages (never with the
// decoder under test).

#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <tuple>
#include <vector>

#include "base/random.h"
#include "config/presets.h"
#include "record/recorder.h"
#include "support/fake_log.h"
#include "support/temp_dir.h"

namespace tapedeck::testing {

/// A trade as the test wrote it into a message.
struct ExpectedTrade {
  std::string symbol;
  int64_t ts_ms = 0;
  std::string price;
  std::string size;
};

/// Content of a message as one comparable text.
std::string Describe(const MessageView& message);

class RecorderRig {
 public:
  explicit RecorderRig(uint64_t seed);

  /// Appends a Finnhub frame of `count` trades, from first_ms on, and remembers them; returns its
  /// offset.
  int64_t ProduceTrades(const TopicPartition& tp, int count);
  int64_t ProduceRaw(const TopicPartition& tp, std::optional<std::string> value,
                     int64_t timestamp_ms = 1'719'893'836'512);

  /// Opens the store where it is closed, makes a recorder, recovers, and records until everything
  /// in the log was polled and committed, or `on_poll` returned false.
  Status Run(std::function<bool(FakeSource*)> on_poll = nullptr);
  /// Gives up store and recorder as a process that ends.
  void CloseStore();
  void OpenStore();

  /// Tape = log, series = what was written, for the newest lineage of every partition. Offsets in
  /// `gaps` may be missing.
  void Check();
  /// All rows of the store: (symbol, ts, tp, offset, index) -> "price size".
  using RowKey = std::tuple<std::string, int64_t, uint32_t, int64_t, uint32_t>;
  std::map<RowKey, std::string> StoredRows();
  std::map<int64_t, std::string> StoredTape(TpId tp);
  StoreState LoadState();
  std::optional<TpId> CurrentTape(const TopicPartition& tp);

  int64_t first_ms = 1'719'893'836'000;
  TempDir dir;
  FakeLog log;
  ManualClock clock{Timestamp(1'719'893'840'000'000'000)};
  Random random;
  RecorderOptions options;
  Metrics metrics;
  std::unique_ptr<Store> store;
  std::unique_ptr<SeriesDirectory> directory;
  std::unique_ptr<OpenRows> open_rows;
  StoreQueue* queue = nullptr;  // writes of others, if any
  decltype(RecorderParts::is_own_replay) is_own_replay;
  /// What no manifest lists; null: there is no archive.
  std::function<std::optional<std::vector<OffsetSpan>>(const TapeId&, int64_t, int64_t)> unlisted;
  Recorder* running = nullptr;  // while Run does not return
  RecorderState last_state;
  std::map<std::pair<TopicPartition, int64_t>, std::vector<ExpectedTrade>> expected;
};

}  // namespace tapedeck::testing

#endif  // TAPEDECK_TESTS_RECORD_RECORDER_RIG_H_
