#include "http/server_core.h"

namespace tapedeck {
namespace {

/// Connections over a cap that are being told so at the same time; beyond, they are just closed.
constexpr uint64_t kRefusedMax = 64;

}  // namespace

Admission ServerCore::Admit(const Peer& peer) {
  counters.connections_total.fetch_add(1, std::memory_order_relaxed);
  if (open_.fetch_add(1) < options.connections) {
    std::lock_guard lock(mutex_);
    size_t& count = groups_[peer.group];
    if (count < options.connections_per_address) {
      ++count;
      return Admission::kServed;
    }
  }
  open_.fetch_sub(1);
  counters.refused_connections.fetch_add(1, std::memory_order_relaxed);
  if (tls == nullptr && refused_open_.fetch_add(1) < kRefusedMax) return Admission::kRefused;
  if (tls == nullptr) refused_open_.fetch_sub(1);
  return Admission::kDropped;
}

void ServerCore::Leave(const Peer& peer, Admission admission) noexcept {
  if (admission == Admission::kRefused) refused_open_.fetch_sub(1);
  if (admission != Admission::kServed) return;
  std::lock_guard lock(mutex_);
  auto found = groups_.find(peer.group);
  if (--found->second == 0) groups_.erase(found);
  open_.fetch_sub(1);
}

bool ServerCore::TakeBodyShare(size_t bytes) {
  if (body_bytes_.fetch_add(bytes) + bytes <= options.bodies_bytes) return true;
  body_bytes_.fetch_sub(bytes);
  return false;
}

}  // namespace tapedeck
