#ifndef TAPEDECK_STORE_STORE_QUEUE_H_
#define TAPEDECK_STORE_STORE_QUEUE_H_

// StoreQueue: how everybody but the record thread writes to the store.
//
// The store has one writer. Shipping, pruning, replay jobs and reindexing prepare a batch on their
// own threads and hand it in here; the writer carries it out between two of its own writes and the
// caller gets the outcome. A batch that depends on what is in the store at that moment is made by a
// function that the writer calls: nothing can come between its reads and its write.
//
//   // a shipper's thread
//   TD_RETURN_IF_ERROR(queue.Write([&](StoreBatch* batch) {
//     batch->PutDay(key, entry);
//     return Status::Ok();
//   }));
//   // the writer, now and then
//   if (queue.waiting()) TD_RETURN_IF_ERROR(queue.Serve(store));
//
// The writer builds its own larger batches beside its work, from what the store held when they were
// begun. Who changes what such a batch builds on (takes rows out of days that are still open) uses
// WriteQuiet: it is carried out while the writer has none of them on its way.
//
// Who waits holds no StoreView, nor anything that has one: on a full disk the writer opens the
// store anew, for which it needs them all back.
//
// Errors of Write: what `prepare` returned (nothing is written then); those of Store::Write;
// kUnavailable where the writer has ended, or ends before it came to it.
//
// Thread safety: Write by any thread, which waits; Serve and Close by the writer. `prepare` runs on
// the writer's thread: it must be short and must not call Write.

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <string>

#include "base/clock.h"
#include "base/status.h"
#include "store/store.h"

namespace tapedeck {

class StoreQueue {
 public:
  using Prepare = std::function<Status(StoreBatch*)>;

  StoreQueue() = default;
  StoreQueue(const StoreQueue&) = delete;
  StoreQueue& operator=(const StoreQueue&) = delete;

  /// Returns once it is durable, or was not done. An empty batch is not written.
  Status Write(const Prepare& prepare);
  /// The same, at a moment when the writer is quiet. May wait as long as a flush takes.
  Status WriteQuiet(const Prepare& prepare);

  /// Somebody waits in Write. Costs one load.
  bool waiting() const { return waiting_.load(std::memory_order_acquire) > 0; }
  /// Somebody waits in WriteQuiet. Costs one load.
  bool wants_quiet() const { return wants_quiet_.load(std::memory_order_acquire) > 0; }
  /// What the writer may have on its way.
  enum class Writer : uint8_t {
    kQuiet,  // nothing that was built from an earlier state of the store
    kBusy,   // something: who waits in WriteQuiet goes on waiting
  };
  /// Carries out what waits now, in order. The first status that says that the store can no longer
  /// be trusted (kInternal, kCorruption), after the caller has got it, too; else OK.
  Status Serve(Store* store, Writer writer = Writer::kQuiet);
  /// For a writer that has nothing more of its own to do (recording has ended, the process has
  /// not): serves until `stop`, or until the store can no longer be trusted; then closes.
  void ServeUntil(const std::atomic<bool>& stop, Store* store, Clock* clock);
  /// Everybody who waits, and who will, gets kUnavailable with this reason.
  void Close(std::string reason);

 private:
  struct Ticket {
    const Prepare* prepare;
    bool quiet;
    std::optional<Status> outcome;
  };
  Status Wait(Ticket ticket);
  void Answer(Ticket* ticket, Status outcome);

  std::atomic<size_t> waiting_{0};
  std::atomic<size_t> wants_quiet_{0};
  std::mutex mutex_;
  std::condition_variable answered_;
  std::deque<Ticket*> tickets_;        // protected by mutex_
  std::optional<std::string> closed_;  // protected by mutex_
};

}  // namespace tapedeck

#endif  // TAPEDECK_STORE_STORE_QUEUE_H_
