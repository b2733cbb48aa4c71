#include "kafka/fetch_connection.h"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/check.h"

namespace tapedeck {
namespace {

using std::chrono::milliseconds;

// A broker answers at latest after FetchLimits::wait_ms; one that is silent for so long is left to
// librdkafka, which looks for another.
constexpr std::chrono::seconds kSilenceMax(10);

Status Failed(std::string_view doing, int error) {
  return Status::Unavailable(std::string(doing) + ": " + std::strerror(error));
}

/// A connected socket that does not block, or -1 with errno.
int ConnectTo(const addrinfo& address, milliseconds timeout) {
  const int fd = socket(address.ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return -1;
  int error = 0;
  if (connect(fd, address.ai_addr, address.ai_addrlen) != 0) {
    error = errno;
    pollfd wait{fd, POLLOUT, 0};
    socklen_t size = sizeof error;
    if (error == EINPROGRESS) {
      error = ETIMEDOUT;
      if (poll(&wait, 1, static_cast<int>(timeout.count())) > 0)
        getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
    }
  }
  if (error == 0) return fd;
  close(fd);
  errno = error;
  return -1;
}

Result<int> Connect(const std::string& host, int port, milliseconds timeout) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_ADDRCONFIG;
  addrinfo* found = nullptr;
  if (const int error = getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &found);
      error != 0) {
    return Status::Unavailable("resolving " + host + ": " + gai_strerror(error));
  }
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> list(found, &freeaddrinfo);
  int fd = -1;
  for (const addrinfo* at = found; at != nullptr && fd < 0; at = at->ai_next)
    fd = ConnectTo(*at, timeout);
  if (fd < 0) return Failed("connecting to " + host + ":" + std::to_string(port), errno);
  const int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
  return fd;
}

}  // namespace

Result<std::unique_ptr<FetchConnection>> FetchConnection::Open(const std::string& host, int port,
                                                               std::vector<Part> parts,
                                                               Options options,
                                                               milliseconds timeout) {
  std::unique_ptr<FetchConnection> made(new FetchConnection);
  made->parts_ = std::move(parts);
  made->options_ = std::move(options);
  TD_ASSIGN_OR_RETURN(made->fd_, Connect(host, port, timeout));
  made->last_bytes_ = made->options_.clock->Monotonic();
  made->MakeRoom(kBufferBytes);
  TD_RETURN_IF_ERROR(made->Ask());
  made->reply_.Begin(made->correlation_);
  return made;
}

FetchConnection::~FetchConnection() {
  if (fd_ >= 0) close(fd_);
}

// From the part behind the last one that had a batch, or that got nothing; each topic's side by
// side.
Status FetchConnection::Ask() {
  std::vector<FetchPart> wanted;
  first_ = std::exchange(starved_, std::nullopt).value_or(first_);
  for (size_t i = 0; i < parts_.size(); ++i)
    wanted.push_back(parts_[(first_ + i) % parts_.size()].at);
  // What is in hand and not given out yet is not asked for again.
  if (in_hand_) {
    for (FetchPart& part : wanted) {
      if (part.tp == part_->at.tp) part.offset = records_.next_offset();
    }
  }
  const std::string first_topic = wanted.front().tp.topic;
  std::stable_sort(wanted.begin(), wanted.end(), [&](const FetchPart& a, const FetchPart& b) {
    if ((a.tp.topic == first_topic) != (b.tp.topic == first_topic))
      return a.tp.topic == first_topic;
    return a.tp.topic < b.tp.topic;
  });
  ++correlation_;
  unsent_ += EncodeFetch(correlation_, options_.client_id, wanted, FetchLimits());
  return Send();
}

Status FetchConnection::Send() {
  while (!unsent_.empty()) {
    const ssize_t sent = send(fd_, unsent_.data(), unsent_.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return Status::Ok();
    if (sent < 0) return Failed("asking a broker", errno);
    unsent_.erase(0, static_cast<size_t>(sent));
  }
  return Status::Ok();
}

// Room for so many unread bytes. Moves them: nothing that was given out may view them.
void FetchConnection::MakeRoom(size_t bytes) {
  if (from_ + bytes <= capacity_) return;
  if (bytes > capacity_) {
    const size_t capacity = capacity_ == 0 ? bytes : std::max(2 * bytes, kBufferBytes);
    std::unique_ptr<char[]> larger(new char[capacity]);
    if (to_ > from_) std::memcpy(larger.get(), buffer_.get() + from_, to_ - from_);
    buffer_ = std::move(larger);
    capacity_ = capacity;
  } else {
    std::memmove(buffer_.get(), buffer_.get() + from_, to_ - from_);
  }
  to_ -= from_;
  from_ = 0;
}

Status FetchConnection::Receive(bool* any) {
  *any = false;
  for (;;) {
    const ssize_t got = recv(fd_, buffer_.get() + to_, capacity_ - to_, 0);
    if (got < 0 && errno == EINTR) continue;
    if (got == 0) return Status::Unavailable("the broker closed the connection");
    const MonotonicTime now = options_.clock->Monotonic();
    if (got < 0 && errno != EAGAIN && errno != EWOULDBLOCK)
      return Failed("reading from a broker", errno);
    if (got < 0) {
      if (now - last_bytes_ > kSilenceMax) return Status::Unavailable("the broker does not answer");
      return Status::Ok();
    }
    last_bytes_ = now;
    to_ += static_cast<size_t>(got);
    *any = true;
    return Status::Ok();
  }
}

Status FetchConnection::Poll(const Out& out) {
  if (wants_to_send()) TD_RETURN_IF_ERROR(Send());
  if (from_ == to_ && !in_hand_) from_ = to_ = 0;
  for (;;) {
    TD_RETURN_IF_ERROR(GiveOut(out));
    if (out.batch->messages.size() >= out.messages_max) return Status::Ok();
    TD_ASSIGN_OR_RETURN(const FetchReply::Piece piece,
                        reply_.Next(unread(), options_.batch_bytes_max));
    if (piece.kind != FetchReply::Kind::kMore) {
      TD_RETURN_IF_ERROR(TakePiece(piece, out));
      continue;
    }
    if (from_ + piece.bytes > capacity_) {
      if (!out.batch->messages.empty()) return Status::Ok();  // they lie where room is needed
      MakeRoom(piece.bytes);
    }
    bool any = false;
    TD_RETURN_IF_ERROR(Receive(&any));
    if (!any) return Status::Ok();
  }
}

Status FetchConnection::TakePiece(FetchReply::Piece piece, const Out& out) {
  const std::string_view bytes = unread().substr(0, piece.bytes);
  from_ += piece.bytes;
  switch (piece.kind) {
    case FetchReply::Kind::kMore:
      break;
    case FetchReply::Kind::kSkip:
      if (part_ != nullptr && reply_.PartitionIsOver()) EndWithoutMore(out);
      break;
    case FetchReply::Kind::kPartition:
      TD_RETURN_IF_ERROR(OpenPartition());
      if (reply_.PartitionIsOver()) EndWithoutMore(out);
      break;
    case FetchReply::Kind::kBatch: {
      TD_ASSIGN_OR_RETURN(records_, RecordBatch::Open(bytes));
      // A batch's own offset is not under its checksum: one that cannot be is the wire's work. The
      // end in an answer is looked up before its batches are: they may reach beyond it.
      if (records_.next_offset() <= part_->at.offset ||
          records_.base_offset() > std::max(part_->at.offset, reply_.end()))
        return Status::Corruption("a record batch of other offsets than were asked for");
      in_hand_ = any_batch_ = true;
      first_ = (static_cast<size_t>(part_ - parts_.data()) + 1) % parts_.size();
      if (reply_.EndsAfter(0)) {
        TD_RETURN_IF_ERROR(Ask());
        asked_ahead_ = true;
      }
      break;
    }
    case FetchReply::Kind::kEnd:
      part_ = nullptr;
      if (!std::exchange(asked_ahead_, false)) TD_RETURN_IF_ERROR(Ask());
      reply_.Begin(correlation_);
      break;
  }
  return Status::Ok();
}

Status FetchConnection::OpenPartition() {
  for (Part& part : parts_) {
    if (part.at.tp.partition != reply_.partition() || part.at.tp.topic != reply_.topic()) continue;
    part_ = &part;
    any_batch_ = false;
    return Status::Ok();
  }
  return Status::Corruption("a broker's answer holds a partition that was not asked for");
}

// Messages of the batch in hand, as many as fit.
Status FetchConnection::GiveOut(const Out& out) {
  if (!in_hand_) return Status::Ok();
  FetchPart& at = part_->at;
  while (records_.left() > 0) {
    if (out.batch->messages.size() >= out.messages_max) return Status::Ok();
    const size_t first_header = out.headers->size();
    SourceMessage& given = out.batch->messages.emplace_back();
    const Status parsed = records_.Next(&given.message, out.headers);
    if (!parsed.ok() || given.message.offset < at.offset) {  // asked for from the batch's middle
      out.batch->messages.pop_back();
      out.headers->resize(first_header);
      TD_RETURN_IF_ERROR(Status(parsed));
      continue;
    }
    given.slot = part_->slot;
    at.offset = given.message.offset + 1;
    if (const size_t count = out.headers->size() - first_header; count > 0)
      out.ranges->push_back({out.batch->messages.size() - 1, first_header, count});
  }
  in_hand_ = false;
  at.offset = records_.next_offset();
  if (reply_.PartitionIsOver()) TellEnd(out);
  return Status::Ok();
}

// A batch that is larger than a partition's share is sent only where it is the answer's first: a
// part that got nothing though it has something comes first in the next request.
void FetchConnection::EndWithoutMore(const Out& out) {
  if (!any_batch_ && !starved_ && part_->at.offset < reply_.end())
    starved_ = static_cast<size_t>(part_ - parts_.data());
  TellEnd(out);
}

// Once for each end, after the messages before it.
void FetchConnection::TellEnd(const Out& out) {
  Part& part = *part_;
  if (part.at.offset < reply_.end() || part.told_end == part.at.offset) return;
  part.told_end = part.at.offset;
  out.batch->ends.push_back({part.slot, part.at.offset});
}

}  // namespace tapedeck
