#include "store/store_queue.h"

#include <utility>

namespace tapedeck {

Status StoreQueue::Write(const Prepare& prepare) { return Wait({&prepare, false, std::nullopt}); }

Status StoreQueue::WriteQuiet(const Prepare& prepare) {
  return Wait({&prepare, true, std::nullopt});
}

Status StoreQueue::Wait(Ticket ticket) {
  std::unique_lock lock(mutex_);
  if (closed_) return Status::Unavailable("the store's writer has ended: " + *closed_);
  tickets_.push_back(&ticket);
  waiting_.fetch_add(1, std::memory_order_release);
  if (ticket.quiet) wants_quiet_.fetch_add(1, std::memory_order_release);
  answered_.wait(lock, [&] { return ticket.outcome.has_value(); });
  return std::move(*ticket.outcome);
}

void StoreQueue::Answer(Ticket* ticket, Status outcome) {
  // Under the lock to the end: the ticket is on its owner's stack, and gone once it has woken.
  std::lock_guard lock(mutex_);
  waiting_.fetch_sub(1, std::memory_order_release);
  if (ticket->quiet) wants_quiet_.fetch_sub(1, std::memory_order_release);
  ticket->outcome = std::move(outcome);
  answered_.notify_all();
}

Status StoreQueue::Serve(Store* store, Writer writer) {
  std::deque<Ticket*> tickets;
  {
    std::lock_guard lock(mutex_);
    tickets.swap(tickets_);
    for (Ticket* ticket : tickets) {
      if (ticket->quiet && writer == Writer::kBusy) tickets_.push_back(ticket);
    }
  }
  if (writer == Writer::kBusy) std::erase_if(tickets, [](Ticket* ticket) { return ticket->quiet; });
  Status broken;
  for (Ticket* ticket : tickets) {
    StoreBatch batch;
    Status outcome = broken.ok() ? (*ticket->prepare)(&batch) : broken;
    const bool prepared = outcome.ok();
    if (prepared && !batch.empty()) outcome = store->Write(batch);
    if (prepared && broken.ok() &&
        (outcome.code() == StatusCode::kInternal || outcome.code() == StatusCode::kCorruption)) {
      broken = outcome;
    }
    Answer(ticket, std::move(outcome));
  }
  return broken;
}

void StoreQueue::ServeUntil(const std::atomic<bool>& stop, Store* store, Clock* clock) {
  constexpr std::chrono::milliseconds kLookEvery(20);
  while (!stop.load(std::memory_order_relaxed)) {
    Status served = Serve(store);
    if (!served.ok()) return Close(served.ToString());
    clock->SleepFor(kLookEvery);
  }
  Close("the node stops");
}

void StoreQueue::Close(std::string reason) {
  std::deque<Ticket*> tickets;
  {
    std::lock_guard lock(mutex_);
    closed_ = reason;
    tickets.swap(tickets_);
  }
  for (Ticket* ticket : tickets) {
    Answer(ticket, Status::Unavailable("the store's writer has ended: " + reason));
  }
}

}  // namespace tapedeck
