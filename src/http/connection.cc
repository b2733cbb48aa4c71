#include "http/connection.h"

#include <sys/epoll.h>

#include <algorithm>
#include <utility>

#include "http/event_loop.h"
#include "http/request_parser.h"

namespace tapedeck {
namespace {

/// Answers that may wait together while more requests of a pipeline are read.
constexpr size_t kPipelinedBytes = size_t{64} << 10;
/// Bodies up to this size are not counted: no more than the buffers every connection has.
constexpr size_t kSmallBodyBytes = size_t{16} << 10;
/// A peer that has ended its side may still read, or may have left: an answer that is not made by
/// then is not made at all. Counted from the end of its side, so a crowd that left costs it once.
constexpr std::chrono::nanoseconds kHalfClosed = std::chrono::milliseconds(500);
constexpr std::chrono::nanoseconds kLinger = std::chrono::seconds(1);
/// What is read and thrown away meanwhile: the rest of a body that was too large, mostly.
constexpr size_t kLingerBytesMax = size_t{64} << 20;
constexpr unsigned char kTlsHandshake = 0x16;

}  // namespace

Connection::Connection(ServerCore* core, EventLoop* loop, int socket, Peer peer,
                       Admission admission)
    : core_(core),
      loop_(loop),
      transport_(socket, core->tls.get()),
      peer_(std::move(peer)),
      admission_(admission) {}

Connection::~Connection() { core_->Leave(peer_, admission_); }

void Connection::Start() noexcept {
  due_ = loop_->now() + core_->options.header_deadline;
  if (admission_ == Admission::kRefused) {
    try {
      keep_alive_ = false;
      Respond(Problem(503, "too many connections; try again later"));
    } catch (...) {
      Close();
    }
  }
  Advance();
}

void Connection::Absorb(uint32_t events) {
  if ((events & EPOLLRDHUP) != 0) peer_done_ = true;
  if ((events & (EPOLLIN | EPOLLRDHUP)) != 0) readable_ = true;
  if ((events & EPOLLOUT) != 0) writable_ = true;
  if (transport_.tls() && events != 0) readable_ = writable_ = true;
}

void Connection::BeginPatience() {
  if (gone_due_ != MonotonicTime(0)) return;
  gone_due_ = loop_->now() + kHalfClosed;
  if (at_work_) loop_->WakeAt(gone_due_);
}

void Connection::OnEvents(uint32_t events) noexcept {
  if (state_ == State::kClosed) return;
  bool is_over = (events & (EPOLLERR | EPOLLHUP)) != 0;
  if ((events & EPOLLRDHUP) != 0) BeginPatience();
  if (at_work_) {
    missed_events_ |= events;
    if (is_over) abandoned_->store(true);
    return;
  }
  if (is_over) return Close();
  Absorb(events);
  Advance();
}

void Connection::Advance() noexcept {
  bool goes_on = true;
  while (goes_on && state_ != State::kClosed && !at_work_) {
    try {
      goes_on = Step();
    } catch (...) {
      goes_on = RecoverFromException();
    }
  }
  if (state_ != State::kClosed && !at_work_) loop_->WakeAt(Due());
}

// Out of memory: this connection pays, the others go on.
bool Connection::RecoverFromException() noexcept {
  if (has_failed_ || state_ != State::kReading) {
    Close();
    return false;
  }
  has_failed_ = true;
  try {
    Refuse({500, "out of memory"});
  } catch (...) {
    Close();
  }
  return true;
}

bool Connection::Step() {
  switch (state_) {
    case State::kHandshake:
      return StepHandshake();
    case State::kReading:
      return StepReading();
    case State::kSending:
      return StepSending();
    case State::kStreaming:
      return StepStreaming();
    case State::kLingering:
      return StepLingering();
    case State::kHandling:
    case State::kClosed:
      return false;
  }
  return false;
}

bool Connection::StepHandshake() {
  switch (transport_.Handshake()) {
    case Transport::State::kDone:
      state_ = State::kReading;
      return true;
    case Transport::State::kPlain:
      Refuse({400, "this port speaks TLS: use https"});
      return true;
    case Transport::State::kBlocked:
      return false;
    case Transport::State::kClosed:
    case Transport::State::kFailed:
      Close();
  }
  return false;
}

bool Connection::StepReading() {
  if (output_.front.size() < kPipelinedBytes && TakeRequest() == Taken::kRequest) return true;
  if (!output_.empty()) return Flush();
  return ReadMore();
}

bool Connection::StepSending() {
  if (!Flush()) return false;
  FinishExchange();
  return true;
}

bool Connection::StepLingering() {
  while (readable_) {
    auto read = transport_.Read(loop_->scratch().data(), loop_->scratch().size());
    lingered_bytes_ += read.bytes;
    if (read.state == Transport::State::kBlocked) {
      readable_ = false;
    } else if (read.state != Transport::State::kDone || lingered_bytes_ > kLingerBytesMax) {
      Close();
      return false;
    }
  }
  return false;
}

bool Connection::Flush() {
  if (output_.empty()) return true;
  if (!writable_) return false;
  uint64_t before = output_.total();
  Transport::State state = output_.Flush(&transport_);
  core_->counters.bytes_sent.fetch_add(output_.total() - before, std::memory_order_relaxed);
  if (state == Transport::State::kDone) {
    EndStall();
    return true;
  }
  if (state == Transport::State::kBlocked) {
    writable_ = false;
    BeginStall();
  } else {
    Close();
  }
  return false;
}

bool Connection::ReadMore() {
  if (!readable_) return false;
  if (in_used_ > 0) {
    in_.erase(0, in_used_);
    in_used_ = 0;
  }
  auto scratch = loop_->scratch();
  auto read = transport_.Read(scratch.data(), scratch.size());
  switch (read.state) {
    case Transport::State::kDone:
      in_.append(scratch.data(), read.bytes);
      // An edge is reported once for each arrival, so a short read has emptied the socket, unless
      // its end has arrived too. TLS may hold more than the socket does.
      if (!transport_.tls() && !peer_done_ && read.bytes < scratch.size()) readable_ = false;
      if (!has_begun_) {
        has_begun_ = true;
        due_ = std::min(due_, loop_->now() + core_->options.header_deadline);
      }
      return true;
    case Transport::State::kBlocked:
      readable_ = false;
      return false;
    default:
      Close();
      return false;
  }
}

Connection::Taken Connection::TakeRequest() {
  std::string_view bytes = std::string_view(in_).substr(in_used_);
  if (bytes.empty()) return Taken::kPartial;
  return head_bytes_ == 0 ? TakeHead(bytes) : TakeBody(bytes);
}

Connection::Taken Connection::TakeHead(std::string_view bytes) {
  const HttpServerOptions& options = core_->options;
  HeadFinder::State found = finder_.Look(bytes);
  if (found == HeadFinder::State::kBroken) {
    bool is_tls = static_cast<unsigned char>(bytes[0]) == kTlsHandshake;
    Refuse({400, is_tls ? "this port does not speak TLS: use http"
                        : "lines of a request end with CR LF, and the first begins with a method"});
    return Taken::kRequest;
  }
  if (found == HeadFinder::State::kPartial && bytes.size() <= options.header_bytes) {
    return Taken::kPartial;
  }
  if (found == HeadFinder::State::kPartial || finder_.size() > options.header_bytes) {
    bool is_target = bytes.find('\n') > options.uri_bytes;
    Refuse(is_target ? Fault{414, "the target is too long: at most " +
                                      std::to_string(options.uri_bytes) + " bytes"}
                     : Fault{431, "the header is larger than " +
                                      std::to_string(options.header_bytes) + " bytes"});
    return Taken::kRequest;
  }
  std::string_view head = bytes.substr(0, finder_.size());
  HeadVerdict verdict =
      CheckHead(head, {options.uri_bytes, options.header_bytes, options.body_bytes});
  if (verdict.fault) {
    request_.method = verdict.facts.method;
    request_.path = verdict.facts.target.substr(0, verdict.facts.target.find('?'));
    Refuse(*verdict.fault);
    return Taken::kRequest;
  }
  if (verdict.facts.chunked || verdict.facts.content_length > 0) return BeginBody(verdict.facts);
  Dispatch(head.size(), verdict.facts);
  return Taken::kRequest;
}

Connection::Taken Connection::BeginBody(HeadFacts facts) {
  const HttpServerOptions& options = core_->options;
  std::string_view head = std::string_view(in_).substr(in_used_, finder_.size());
  if (!ParseRequest(head, MessagePart::kHead, &facts, &request_)) {
    Refuse({400, "the header can be read in two ways"});
    return Taken::kRequest;
  }
  request_.peer = peer_.text;
  request_.tls = transport_.tls();
  if (std::optional<HttpResponse> answer = core_->handler->BeforeBody(request_)) {
    keep_alive_ = false;
    in_used_ = in_.size();
    Respond(std::move(*answer));
    return Taken::kRequest;
  }
  size_t share = facts.chunked ? options.body_bytes : facts.content_length;
  if (share > kSmallBodyBytes && !facts.chunked && !core_->TakeBodyShare(share)) {
    Refuse({503, "too many request bodies are being read; try again"});
    return Taken::kRequest;
  }
  body_share_ = share > kSmallBodyBytes && !facts.chunked ? share : 0;
  head_bytes_ = finder_.size();
  is_chunked_ = facts.chunked;
  content_length_ = facts.content_length;
  due_ = loop_->now() + options.body_deadline;
  if (facts.expects_continue && in_.size() == in_used_ + head_bytes_) {
    output_.front.append("HTTP/1.1 100 Continue\r\n\r\n");
  }
  return TakeRequest();
}

Connection::Taken Connection::TakeBody(std::string_view bytes) {
  std::string_view body = bytes.substr(head_bytes_);
  size_t size = content_length_;
  if (is_chunked_) {
    if (body_share_ == 0 && body.size() > kSmallBodyBytes) {
      if (!core_->TakeBodyShare(core_->options.body_bytes)) {
        Refuse({503, "too many request bodies are being read; try again"});
        return Taken::kRequest;
      }
      body_share_ = core_->options.body_bytes;
    }
    switch (chunks_.Look(body, core_->options.body_bytes)) {
      case ChunkGate::State::kPartial:
        return Taken::kPartial;
      case ChunkGate::State::kBroken:
        Refuse(
            {400, "the chunks of the body are not well formed, or bring extensions or trailers"});
        return Taken::kRequest;
      case ChunkGate::State::kTooLarge:
        Refuse({413,
                "the body is larger than " + std::to_string(core_->options.body_bytes) + " bytes"});
        return Taken::kRequest;
      case ChunkGate::State::kEnd:
        size = chunks_.size();
    }
  } else if (body.size() < size) {
    return Taken::kPartial;
  }
  // The head has been moved since it was checked, so what was found in it is found again.
  HeadVerdict verdict =
      CheckHead(bytes.substr(0, head_bytes_),
                {core_->options.uri_bytes, core_->options.header_bytes, core_->options.body_bytes});
  Dispatch(head_bytes_ + size, verdict.facts);
  return Taken::kRequest;
}

void Connection::StartLingering() {
  state_ = State::kLingering;
  due_ = loop_->now() + kLinger;
  lingered_bytes_ = 0;
  readable_ = true;
  std::string().swap(in_);
  in_used_ = 0;
  output_.Trim();
  transport_.FinishWriting();
}

MonotonicTime Connection::Due() const {
  if (!output_.empty()) return stall_due_ == MonotonicTime(0) ? due_ : stall_due_;
  if (state_ == State::kStreaming) return wake_at_;
  return due_;
}

void Connection::BeginStall() {
  if (stall_due_ != MonotonicTime(0)) return;
  stall_due_ = loop_->now() + core_->options.write_stall_limit;
  stall_mark_ = output_.total() - std::min(output_.total(), transport_.Unacknowledged());
}

bool Connection::HasStalled(MonotonicTime now) {
  const HttpServerOptions& options = core_->options;
  uint64_t taken = output_.total() - std::min(output_.total(), transport_.Unacknowledged());
  std::chrono::duration<double> seconds = options.write_stall_limit;
  auto least =
      static_cast<uint64_t>(static_cast<double>(options.write_bytes_per_s) * seconds.count());
  if (taken < stall_mark_ + std::max<uint64_t>(least, 1)) return true;
  stall_mark_ = taken;
  stall_due_ = now + options.write_stall_limit;
  return false;
}

MonotonicTime Connection::OnTime(MonotonicTime now) noexcept {
  if (state_ == State::kHandling && at_work_ && gone_due_ != MonotonicTime(0)) {
    if (gone_due_ > now) return gone_due_;
    abandoned_->store(true);
  }
  if (state_ == State::kClosed || at_work_) return MonotonicTime::max();
  if (Due() > now) return Due();
  if (!output_.empty()) {
    if (stall_due_ == MonotonicTime(0) || HasStalled(now)) Close();
  } else if (state_ == State::kStreaming) {
    wake_at_ = MonotonicTime(0);
    Advance();
  } else if (state_ == State::kReading && has_begun_) {
    try {
      Refuse({408, head_bytes_ == 0 ? "the header did not arrive in time"
                                    : "the body did not arrive in time"});
    } catch (...) {
      Close();
    }
    Advance();
  } else {
    Close();
  }
  return state_ == State::kClosed || at_work_ ? MonotonicTime::max() : Due();
}

void Connection::FinishSoon() noexcept {
  keep_alive_ = false;
  if (state_ == State::kHandshake) return Close();
  if (state_ == State::kReading && !has_begun_ && output_.empty()) Close();
}

void Connection::Close() noexcept {
  if (state_ == State::kClosed) return;
  if (state_ == State::kStreaming) {
    core_->counters.streams_broken.fetch_add(1, std::memory_order_relaxed);
  }
  state_ = State::kClosed;
  abandoned_->store(true);
  if (at_work_) {
    transport_.Break();  // the worker finds out; the socket's number stays taken until then
  } else {
    Bury();
  }
}

void Connection::Bury() noexcept {
  transport_.Close();
  FreeBody();
  held_.reset();
  if (stream_ != nullptr) {
    HandOver(Job::kRelease);
  } else {
    loop_->Bury(this);
  }
}

void Connection::FreeBody() {
  if (body_share_ > 0) core_->ReturnBodyShare(body_share_);
  body_share_ = 0;
}

}  // namespace tapedeck
