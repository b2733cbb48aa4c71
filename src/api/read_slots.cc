#include "api/read_slots.h"

#include <algorithm>

namespace tapedeck {

ReadLease::~ReadLease() {
  slots_->Charge(bytes_, 0);
  slots_->open_.fetch_sub(1, std::memory_order_relaxed);
}

void ReadLease::Resize(size_t bytes) {
  slots_->Charge(bytes_, bytes);
  bytes_ = bytes;
}

ReadSlots::ReadSlots(size_t bytes)
    : total_bytes_(std::max(bytes, kLeastBytes)),
      stream_bytes_(std::clamp(total_bytes_ / kStreams, kStreamLeastBytes, kStreamMostBytes)) {}

std::shared_ptr<ReadLease> ReadSlots::Take(size_t bytes) {
  size_t used = used_.load(std::memory_order_relaxed);
  do {
    if (bytes > total_bytes_ || used > total_bytes_ - bytes) return nullptr;
  } while (!used_.compare_exchange_weak(used, used + bytes, std::memory_order_relaxed));
  open_.fetch_add(1, std::memory_order_relaxed);
  try {
    return std::make_shared<ReadLease>(this, bytes);
  } catch (...) {
    Charge(bytes, 0);
    open_.fetch_sub(1, std::memory_order_relaxed);
    throw;
  }
}

void ReadSlots::Charge(size_t before, size_t after) {
  used_.fetch_add(after - before, std::memory_order_relaxed);  // mod 2^64: also less
}

}  // namespace tapedeck
