#ifndef TAPEDECK_API_READ_SLOTS_H_
#define TAPEDECK_API_READ_SLOTS_H_

// ReadSlots: how many reads run at once, and how much memory they hold together.
//
//   ReadSlots slots(node_budget.spare / 2);
//   std::shared_ptr<ReadLease> lease = slots.Take(slots.stream_bytes());
//   if (lease == nullptr) …                                 // 503: come back later
//   lease->Resize(body.size());                             // the page is made: only it is held
//
// A lease is given back by its destruction; the slots outlive every lease. Thread-safe.

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>

namespace tapedeck {

class ReadSlots;

class ReadLease {
 public:
  ReadLease(ReadSlots* slots, size_t bytes) : slots_(slots), bytes_(bytes) {}
  ~ReadLease();
  ReadLease(const ReadLease&) = delete;
  ReadLease& operator=(const ReadLease&) = delete;
  /// Gives back all but `bytes`, or takes what is missing even beyond the budget: it is there.
  void Resize(size_t bytes);
  size_t bytes() const { return bytes_; }

 private:
  ReadSlots* const slots_;
  size_t bytes_;
};

class ReadSlots {
 public:
  /// `bytes`: for all of them. Less than kLeastBytes counts as that.
  explicit ReadSlots(size_t bytes);

  /// Null where the budget does not have so much.
  std::shared_ptr<ReadLease> Take(size_t bytes);
  /// What one stream, or the making of one page, may hold.
  size_t stream_bytes() const { return stream_bytes_; }
  size_t total_bytes() const { return total_bytes_; }
  size_t used_bytes() const { return used_.load(std::memory_order_relaxed); }
  size_t open() const { return open_.load(std::memory_order_relaxed); }

  static constexpr size_t kStreams = 16;                        // with the whole budget
  static constexpr size_t kLeastBytes = size_t{32} << 20;       // four streams
  static constexpr size_t kStreamLeastBytes = size_t{8} << 20;  // blocks of two series, a batch
  static constexpr size_t kStreamMostBytes = size_t{64} << 20;

 private:
  friend class ReadLease;
  void Charge(size_t before, size_t after);

  size_t total_bytes_;
  size_t stream_bytes_;
  std::atomic<size_t> used_{0};
  std::atomic<size_t> open_{0};
};

}  // namespace tapedeck

#endif  // TAPEDECK_API_READ_SLOTS_H_
