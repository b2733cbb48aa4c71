#include "api/read_slots.h"

#include <arpa/inet.h>

#include <algorithm>
#include <string>

#include "base/hash.h"

namespace tapedeck {
namespace {

constexpr size_t kPartyLeast = 2;  // streams: one more than a client that reads well needs

// Never 0. Whoever has one IPv6 address has 2^64 of them.
uint64_t HashOfAddress(std::string_view address) {
  constexpr size_t kNetworkBytes = 8;
  in6_addr v6{};
  if (inet_pton(AF_INET6, std::string(address).c_str(), &v6) == 1 && !IN6_IS_ADDR_V4MAPPED(&v6)) {
    const auto* bytes = reinterpret_cast<const char*>(v6.s6_addr);
    return HashBytes64({bytes, kNetworkBytes}, 1) | 1;
  }
  return HashBytes64(address, 1) | 1;
}
uint64_t HashOfToken(std::string_view token) {
  return token.empty() ? 0 : HashBytes64(token, 2) | 1;
}

}  // namespace

ReadLease::~ReadLease() {
  if (is_stream_ || parties_[0] != 0) slots_->Leave(*this);
  slots_->Charge(bytes_, 0);
  slots_->open_.fetch_sub(1, std::memory_order_relaxed);
}

void ReadLease::Resize(size_t bytes) {
  slots_->Charge(bytes_, bytes);
  bytes_ = bytes;
}

ReadSlots::ReadSlots(size_t bytes)
    : total_bytes_(std::max(bytes, kLeastBytes)),
      stream_bytes_(std::clamp(total_bytes_ / kStreams, kStreamLeastBytes, kStreamMostBytes)),
      streams_max_((total_bytes_ - total_bytes_ / 4) / stream_bytes_) {}

size_t ReadSlots::streams_of_address_max() const { return std::max(kPartyLeast, streams_max_ / 2); }

size_t ReadSlots::streams_of_token_max() const {
  return std::max(kPartyLeast, streams_max_ - streams_max_ / 4);
}

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

std::shared_ptr<ReadLease> ReadSlots::TakeStream(const ReadParty& party, bool* over_share) {
  const std::array<uint64_t, 2> parties = {HashOfAddress(party.address), HashOfToken(party.token)};
  const std::array<size_t, 2> most = {streams_of_address_max(), streams_of_token_max()};
  *over_share = false;
  std::shared_ptr<ReadLease> lease = Take(stream_bytes_);
  std::lock_guard lock(mutex_);  // let go before the lease is
  for (size_t i = 0; i < parties.size(); ++i) {
    const auto found = of_party_.find(parties[i]);
    if (parties[i] != 0 && found != of_party_.end() && found->second.streams >= most[i]) {
      *over_share = true;
      return nullptr;
    }
  }
  if (lease == nullptr || streams_ >= streams_max_) return nullptr;
  ++streams_;
  lease->is_stream_ = true;
  for (size_t i = 0; i < parties.size(); ++i) {
    if (parties[i] == 0) continue;
    ++of_party_[parties[i]].streams;  // may throw: the lease takes back what was counted
    lease->parties_[i] = parties[i];
  }
  return lease;
}

bool ReadSlots::Hold(std::string_view address, size_t bytes, ReadLease* lease) {
  const uint64_t party = HashOfAddress(address);
  std::lock_guard lock(mutex_);
  Held& held = of_party_[party];
  if (held.bytes > 0 && held.bytes + bytes > total_bytes_ / 4) return false;
  held.bytes += bytes;
  lease->parties_[0] = party;
  lease->Resize(bytes);
  return true;
}

void ReadSlots::Leave(const ReadLease& lease) {
  std::lock_guard lock(mutex_);
  if (lease.is_stream_) --streams_;
  for (const uint64_t party : lease.parties_) {
    const auto found = of_party_.find(party);
    if (found == of_party_.end()) continue;
    Held& held = found->second;
    if (lease.is_stream_) {
      --held.streams;
    } else {
      held.bytes -= lease.bytes_;
    }
    if (held.streams == 0 && held.bytes == 0) of_party_.erase(found);
  }
}

void ReadSlots::Charge(size_t before, size_t after) {
  used_.fetch_add(after - before, std::memory_order_relaxed);  // mod 2^64: also less
}

}  // namespace tapedeck
