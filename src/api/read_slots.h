#ifndef TAPEDECK_API_READ_SLOTS_H_
#define TAPEDECK_API_READ_SLOTS_H_

// ReadSlots: how many reads run at once, and how much memory they hold together.
//
//   ReadSlots slots(node_budget.spare / 2);
//   std::shared_ptr<ReadLease> lease = slots.Take(slots.stream_bytes());
//   if (lease == nullptr) …                                 // 503: come back later
//   lease->Resize(body.size());                             // the page is made: only it is held
//
//   bool over_share = false;                              // a stream: held while its client reads
//   lease = slots.TakeStream({.address = "192.0.2.1"}, &over_share);
//   if (over_share) …                                       // 429: it has its part of them already
//
// Streams last as long as their clients read, and clients may read slowly. Therefore streams take
// three quarters of the memory together, so that short reads always find some; one address has at
// most half of the streams, one token at most three quarters, and each at least two. Bodies that
// wait for their clients are held as long: those of one address are at most a quarter of the
// memory, but for the first one.
//
// A lease is given back by its destruction; the slots outlive every lease. Thread-safe.

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string_view>
#include <unordered_map>

namespace tapedeck {

class ReadSlots;

/// Who reads.
struct ReadParty {
  std::string_view address;  // "127.0.0.1", "2001:db8::1"; of IPv6 the first 64 bits count
  std::string_view token;    // empty: none is asked for
};

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
  friend class ReadSlots;
  ReadSlots* const slots_;
  size_t bytes_;
  bool is_stream_ = false;
  std::array<uint64_t, 2> parties_{};  // that its bytes count for; 0: none
};

class ReadSlots {
 public:
  /// `bytes`: for all of them. Less than kLeastBytes counts as that.
  explicit ReadSlots(size_t bytes);

  /// Null where the budget does not have so much.
  std::shared_ptr<ReadLease> Take(size_t bytes);
  /// stream_bytes() of what streams may have. Null where there is none; *over_share: because
  /// `party` has its part.
  std::shared_ptr<ReadLease> TakeStream(const ReadParty& party, bool* over_share);
  /// A body of `bytes` is made, and waits for its client: only it is held from now on. False, and
  /// nothing changes: what waits for that address is enough. Once for a lease of Take.
  bool Hold(std::string_view address, size_t bytes, ReadLease* lease);
  /// What one stream, or the making of one page, may hold.
  size_t stream_bytes() const { return stream_bytes_; }
  size_t total_bytes() const { return total_bytes_; }
  size_t used_bytes() const { return used_.load(std::memory_order_relaxed); }
  size_t open() const { return open_.load(std::memory_order_relaxed); }
  /// How many streams there can be: all together, of one address, of one token.
  size_t streams_max() const { return streams_max_; }
  size_t streams_of_address_max() const;
  size_t streams_of_token_max() const;

  static constexpr size_t kStreams = 16;                        // with the whole budget
  static constexpr size_t kLeastBytes = size_t{32} << 20;       // four streams
  static constexpr size_t kStreamLeastBytes = size_t{8} << 20;  // blocks of two series, a batch
  static constexpr size_t kStreamMostBytes = size_t{64} << 20;

 private:
  friend class ReadLease;
  void Charge(size_t before, size_t after);
  void Leave(const ReadLease& lease);

  struct Held {
    size_t streams = 0;
    size_t bytes = 0;  // of bodies that wait
  };

  size_t total_bytes_;
  size_t stream_bytes_;
  size_t streams_max_;
  std::atomic<size_t> used_{0};
  std::atomic<size_t> open_{0};
  std::mutex mutex_;                             // of what follows
  size_t streams_ = 0;                           // open
  std::unordered_map<uint64_t, Held> of_party_;  // by the party's hash
};

}  // namespace tapedeck

#endif  // TAPEDECK_API_READ_SLOTS_H_
