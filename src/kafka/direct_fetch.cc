#include "kafka/direct_fetch.h"

#include <algorithm>

namespace tapedeck {
namespace {

constexpr std::chrono::milliseconds kConnectTimeout(1000);
/// Of all connections together: nothing is recorded meanwhile.
constexpr std::chrono::milliseconds kOpenTimeout(3000);
constexpr size_t kConnectionsPerLeader = 2;
/// What one connection gives before the next has its turn, if all have something: some batches of
/// the recorder, so that no partition waits for the backlog of others.
constexpr size_t kTurnBytes = size_t{4} << 20;
constexpr size_t kTurnBytesOfMessage = 64;  // one counts as more than its payload

}  // namespace

Result<std::unique_ptr<DirectFetch>> DirectFetch::Open(const std::vector<FetchLeader>& leaders,
                                                       const DirectFetchOptions& options) {
  std::unique_ptr<DirectFetch> made(new DirectFetch);
  made->messages_max_ = options.batch_messages_max;
  size_t connections = 0;
  for (const FetchLeader& leader : leaders)
    connections += std::min(kConnectionsPerLeader, leader.parts.size());
  const size_t share = options.memory_bytes / std::max<size_t>(1, connections);
  if (share < FetchConnection::kBufferBytes) {
    return Status::FailedPrecondition("memory for " + std::to_string(connections) + " connections");
  }
  const MonotonicTime deadline = options.clock->Monotonic() + kOpenTimeout;
  for (const FetchLeader& leader : leaders) {
    std::vector<std::vector<FetchConnection::Part>> shares(
        std::min(kConnectionsPerLeader, leader.parts.size()));
    for (size_t i = 0; i < leader.parts.size(); ++i)
      shares[i % shares.size()].push_back({leader.parts[i].slot, leader.parts[i].at});
    made->slots_ += leader.parts.size();
    for (std::vector<FetchConnection::Part>& parts : shares) {
      if (options.clock->Monotonic() > deadline)
        return Status::Unavailable("brokers take long to connect to");
      TD_ASSIGN_OR_RETURN(
          auto connection,
          FetchConnection::Open(leader.host, leader.port, std::move(parts),
                                {.client_id = options.client_id,
                                 // a buffer grows to twice its largest batch
                                 .batch_bytes_max = std::min(options.batch_bytes_max, share / 2),
                                 .clock = options.clock},
                                kConnectTimeout));
      made->connections_.push_back(std::move(connection));
    }
  }
  return made;
}

// One connection has the turn until it has nothing more, or has given its share.
Status DirectFetch::Poll(SourceBatch* batch) {
  headers_.clear();
  ranges_.clear();
  const size_t before = batch->messages.size();
  const FetchConnection::Out out{batch, messages_max_, &headers_, &ranges_};
  Status status;
  for (size_t tried = 0; tried < connections_.size() && status.ok(); ++tried) {
    status = connections_[turn_]->Poll(out);
    if (batch->messages.size() > before) break;
    NextTurn();
  }
  for (const FetchConnection::HeaderRange& range : ranges_) {
    batch->messages[range.message].message.headers =
        std::span<const HeaderView>(headers_).subspan(range.first, range.count);
  }
  messages_ += batch->messages.size() - before;
  const uint64_t payload_before = payload_bytes_;
  for (size_t i = before; i < batch->messages.size(); ++i) {
    const MessageView& message = batch->messages[i].message;
    payload_bytes_ += message.key.value_or("").size() + message.value.value_or("").size();
  }
  turn_bytes_ += payload_bytes_ - payload_before;
  turn_bytes_ += (batch->messages.size() - before) * kTurnBytesOfMessage;
  if (turn_bytes_ >= kTurnBytes) NextTurn();
  return status;
}

void DirectFetch::NextTurn() {
  turn_ = (turn_ + 1) % connections_.size();
  turn_bytes_ = 0;
}

void DirectFetch::AddWaits(std::vector<pollfd>* waits) const {
  for (const auto& connection : connections_) {
    const int events = connection->wants_to_send() ? POLLIN | POLLOUT : POLLIN;
    waits->push_back({connection->fd(), static_cast<short>(events), 0});
  }
}

std::vector<StartOffset> DirectFetch::positions() const {
  std::vector<StartOffset> positions(slots_);
  for (const auto& connection : connections_) {
    for (const FetchConnection::Part& part : connection->parts())
      positions[part.slot].offset = part.at.offset;
  }
  return positions;
}

}  // namespace tapedeck
