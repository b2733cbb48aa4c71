#include "http/event_loop.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "base/log.h"
#include "http/listener.h"
#include "http/response_head.h"

namespace tapedeck {
namespace {

constexpr int kEventsMax = 256;
/// Connections accepted at once, so that those that are open are not forgotten over new ones.
constexpr int kAcceptsMax = 64;
/// Deadlines are looked at no more often than this.
constexpr std::chrono::nanoseconds kSweepLeast = std::chrono::milliseconds(2);
/// While the server stops, connections are asked this often whether they are done.
constexpr std::chrono::nanoseconds kStopSweep = std::chrono::milliseconds(10);
/// What the kernel keeps of an answer that is not sent yet: enough to keep a fast reader busy while
/// the next piece is made, little enough for a thousand readers that have stopped.
constexpr int kUnsentBytes = 256 << 10;

/// The kernel asks a silent peer after a minute, and gives up after one and a half.
constexpr int kKeepIdleS = 60;
constexpr int kKeepBetweenS = 10;
constexpr int kKeepProbes = 3;

int MillisecondsUntil(std::chrono::nanoseconds wait) {
  if (wait <= std::chrono::nanoseconds(0)) return 0;
  auto whole = std::chrono::ceil<std::chrono::milliseconds>(wait).count();
  return static_cast<int>(std::min<int64_t>(whole, 60'000));
}

}  // namespace

Result<std::unique_ptr<EventLoop>> EventLoop::Make(ServerCore* core, int listener) {
  std::unique_ptr<EventLoop> loop(new EventLoop(core, listener));
  loop->epoll_ = epoll_create1(EPOLL_CLOEXEC);
  loop->wake_ = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  loop->spare_ = open("/dev/null", O_RDONLY | O_CLOEXEC);
  epoll_event accept{};
  accept.events = EPOLLIN | EPOLLEXCLUSIVE;
  accept.data.ptr = nullptr;
  epoll_event wake{};
  wake.events = EPOLLIN | EPOLLET;
  wake.data.ptr = loop.get();
  if (loop->epoll_ < 0 || loop->wake_ < 0 || loop->spare_ < 0 ||
      epoll_ctl(loop->epoll_, EPOLL_CTL_ADD, listener, &accept) != 0 ||
      epoll_ctl(loop->epoll_, EPOLL_CTL_ADD, loop->wake_, &wake) != 0) {
    return Status::Unavailable(std::string("no event loop: ") + std::strerror(errno));
  }
  return loop;
}

EventLoop::~EventLoop() {
  for (int file : {epoll_, wake_, spare_}) {
    if (file >= 0) close(file);
  }
}

void EventLoop::Start() {
  thread_ = std::thread([this] { Run(); });
}

void EventLoop::Stop(MonotonicTime deadline) {
  stop_at_ns_.store(deadline.count());
  uint64_t one = 1;
  [[maybe_unused]] ssize_t written = write(wake_, &one, sizeof(one));
}

void EventLoop::Join() {
  if (thread_.joinable()) thread_.join();
}

void EventLoop::PostDone(Connection* connection) noexcept {
  bool was_empty = false;
  {
    std::lock_guard lock(mutex_);
    was_empty = done_ == nullptr;
    connection->next_done = done_;
    done_ = connection;
  }
  if (!was_empty) return;
  uint64_t one = 1;
  [[maybe_unused]] ssize_t written = write(wake_, &one, sizeof(one));
}

void EventLoop::Bury(Connection* connection) noexcept {
  connection->next_gone = gone_;
  gone_ = connection;
}

void EventLoop::UpdateTime() {
  now_ = core_->clock.Monotonic();
  if (now_ < date_due_) return;
  Timestamp wall = core_->clock.Now();
  date_ = HttpDate(wall);
  date_due_ = now_ + std::chrono::nanoseconds(1'000'000'000 - wall.ns() % 1'000'000'000);
}

int EventLoop::Timeout() const {
  if (soonest_ == MonotonicTime::max()) return -1;
  return MillisecondsUntil(soonest_ - now_);
}

void EventLoop::Run() {
  LeaveSignalsToMainThread();
  UpdateTime();
  epoll_event events[kEventsMax];
  while (true) {
    int count = epoll_wait(epoll_, events, kEventsMax, Timeout());
    UpdateTime();
    for (int i = 0; i < count; ++i) {
      if (events[i].data.ptr == nullptr) {
        Accept();
      } else if (events[i].data.ptr == this) {
        uint64_t told = 0;
        [[maybe_unused]] ssize_t read_bytes = read(wake_, &told, sizeof(told));
      } else {
        static_cast<Connection*>(events[i].data.ptr)->OnEvents(events[i].events);
      }
    }
    TakeDone();
    if (stop_at_ns_.load(std::memory_order_relaxed) != INT64_MAX) BeginStop();
    if (now_ >= soonest_) Sweep();
    BuryAll();
    if (is_stopping_ && connections_.empty()) return;
  }
}

void EventLoop::Accept() noexcept {
  if (is_stopping_) return;
  for (int i = 0; i < kAcceptsMax; ++i) {
    int socket = accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (socket < 0 && (errno == EMFILE || errno == ENFILE)) {
      // Without a free number the connection would stay in the queue and the loop would spin.
      close(spare_);
      socket = accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
      if (socket >= 0) close(socket);
      spare_ = open("/dev/null", O_RDONLY | O_CLOEXEC);
      core_->counters.refused_connections.fetch_add(1, std::memory_order_relaxed);
      return;
    }
    if (socket < 0 && (errno == ECONNABORTED || errno == EINTR)) continue;
    if (socket < 0) return;
    try {
      Welcome(socket);
    } catch (...) {
      close(socket);
    }
  }
}

void EventLoop::Welcome(int socket) {
  Peer peer = PeerOf(socket);
  connections_.reserve(connections_.size() + 1);
  Admission admission = core_->Admit(peer);
  if (admission == Admission::kDropped) {
    close(socket);
    return;
  }
  int on = 1;
  setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  setsockopt(socket, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &kUnsentBytes, sizeof(kUnsentBytes));
  // A peer that has vanished without a word is noticed although nothing is being sent to it.
  setsockopt(socket, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
  setsockopt(socket, IPPROTO_TCP, TCP_KEEPIDLE, &kKeepIdleS, sizeof(kKeepIdleS));
  setsockopt(socket, IPPROTO_TCP, TCP_KEEPINTVL, &kKeepBetweenS, sizeof(kKeepBetweenS));
  setsockopt(socket, IPPROTO_TCP, TCP_KEEPCNT, &kKeepProbes, sizeof(kKeepProbes));
  std::unique_ptr<Connection> connection;
  try {
    connection = std::make_unique<Connection>(core_, this, socket, peer, admission);
  } catch (...) {
    core_->Leave(peer, admission);
    throw;
  }
  epoll_event event{};
  event.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
  event.data.ptr = connection.get();
  connection->index = connections_.size();
  Connection* added = connection.get();
  connections_.push_back(std::move(connection));
  if (epoll_ctl(epoll_, EPOLL_CTL_ADD, socket, &event) != 0) return added->Close();
  added->Start();
}

void EventLoop::TakeDone() noexcept {
  Connection* done = nullptr;
  {
    std::lock_guard lock(mutex_);
    done = std::exchange(done_, nullptr);
  }
  while (done != nullptr) {
    Connection* next = done->next_done;
    done->OnWorkDone();
    done = next;
  }
}

void EventLoop::Sweep() noexcept {
  bool is_over = is_stopping_ && now_.count() >= stop_at_ns_.load();
  MonotonicTime soonest = MonotonicTime::max();
  soonest_ = MonotonicTime::max();
  for (const auto& connection : connections_) {
    if (is_over) {
      connection->Close();
    } else {
      if (is_stopping_) connection->FinishSoon();
      soonest = std::min(soonest, connection->OnTime(now_));
    }
  }
  soonest_ = std::max(std::min(soonest, soonest_), now_ + kSweepLeast);
  if (is_stopping_) soonest_ = std::min(soonest_, now_ + kStopSweep);
}

void EventLoop::BeginStop() noexcept {
  if (is_stopping_) return;
  is_stopping_ = true;
  epoll_ctl(epoll_, EPOLL_CTL_DEL, listener_, nullptr);
  soonest_ = now_;
}

void EventLoop::BuryAll() noexcept {
  while (gone_ != nullptr) {
    Connection* gone = std::exchange(gone_, gone_->next_gone);
    size_t index = gone->index;
    std::swap(connections_[index], connections_.back());
    connections_[index]->index = index;
    connections_.pop_back();
  }
}

}  // namespace tapedeck
