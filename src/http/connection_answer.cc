// The answering half of Connection: handlers, their responses, and streams.

#include <sys/epoll.h>

#include <charconv>
#include <exception>
#include <new>
#include <utility>

#include "base/log.h"
#include "http/connection.h"
#include "http/event_loop.h"
#include "http/request_parser.h"
#include "http/response_head.h"

namespace tapedeck {
namespace {

/// Bodies up to this size leave in one piece with their head and those of a pipeline.
constexpr size_t kJoinedBytes = size_t{16} << 10;
/// What a worker makes of one stream before others have their turn.
constexpr int kPullsInTurn = 4;
/// What a socket thread sends of a stream itself.
constexpr size_t kFlushedHere = size_t{16} << 10;
constexpr std::chrono::nanoseconds kWaitFirst = std::chrono::milliseconds(5);

}  // namespace

void Connection::Dispatch(size_t bytes, HeadFacts facts) {
  std::string_view message = std::string_view(in_).substr(in_used_, bytes);
  if (!ParseRequest(message, MessagePart::kWhole, &facts, &request_)) {
    return Refuse({400, "the request can be read in two ways"});
  }
  if (request_.peer.empty()) request_.peer = peer_.text;
  request_.tls = transport_.tls();
  keep_alive_ = facts.keep_alive && !loop_->stopping();
  in_used_ += bytes;
  finder_.Reset();
  chunks_.Reset();
  head_bytes_ = 0;
  core_->counters.requests.fetch_add(1, std::memory_order_relaxed);
  request_.gone = abandoned_;
  if (std::optional<HttpResponse> answer = AnswerAtOnce()) return Respond(std::move(*answer));
  state_ = State::kHandling;
  if (!output_.empty()) Flush();
  if (state_ != State::kHandling) return;
  HandOver(Job::kHandle);
  if (gone_due_ != MonotonicTime(0)) loop_->WakeAt(gone_due_);
}

std::optional<HttpResponse> Connection::AnswerAtOnce() noexcept {
  try {
    return core_->handler->AnswerAtOnce(request_);
  } catch (...) {
    return FromException();
  }
}

HttpResponse Connection::Handle() noexcept {
  try {
    return core_->handler->Handle(request_);
  } catch (...) {
    return FromException();
  }
}

// Within a catch: the answer to what was thrown.
HttpResponse Connection::FromException() noexcept {
  try {
    throw;
  } catch (const std::bad_alloc&) {
    return Problem(500, "out of memory");
  } catch (const std::exception& error) {
    try {
      TD_LOG(kError, "http", "exception", "a handler threw", {{"what", error.what()}});
    } catch (...) {  // a log that cannot be written must not end the process
    }
    return Problem(500, "internal error");
  } catch (...) {
    return Problem(500, "internal error");
  }
}

HttpResponse Connection::Problem(int status, const char* detail) noexcept {
  try {
    return core_->handler->Problem(status, detail, request_);
  } catch (...) {
    HttpResponse bare;
    bare.status = status;
    return bare;
  }
}

void Connection::Refuse(const Fault& fault) {
  core_->counters.rejected_requests.fetch_add(1, std::memory_order_relaxed);
  keep_alive_ = false;
  in_used_ = in_.size();
  if (request_.peer.empty()) request_.peer = peer_.text;
  request_.tls = transport_.tls();
  Respond(Problem(fault.status, fault.detail.c_str()));
}

void Connection::AdoptStream(HttpResponse* response) {
  if (response->stream == nullptr) return;
  stream_ = std::move(response->stream);
  core_->counters.streams_open.fetch_add(1, std::memory_order_relaxed);
}

void Connection::Respond(HttpResponse response) {
  if (!IsSound(response)) {
    AdoptStream(&response);
    response = Problem(500, "the answer was not well formed");
    if (!IsSound(response)) return Close();
  }
  if (response.stream != nullptr && request_.minor_version == 0) {
    AdoptStream(&response);
    response = Problem(400, "an answer without a known length needs HTTP/1.1");
  }
  bool has_stream = response.stream != nullptr;
  AdoptStream(&response);
  bool has_body = request_.method != "HEAD" && !IsBodiless(response.status);
  ResponseFrame frame;
  frame.date = loop_->date();
  frame.keep_alive = keep_alive_;
  frame.minor_version = request_.minor_version;
  if (!has_stream || IsBodiless(response.status)) frame.content_size = response.body.size();
  bool is_joined = has_body && !has_stream && response.body.size() <= kJoinedBytes;
  head_at_ = output_.front.size();
  AppendWhole(response, frame, is_joined);
  if (has_stream && has_body) {
    state_ = State::kStreaming;
    is_head_unsent_ = true;
    wait_ = kWaitFirst;
    return HandOver(Job::kPull);
  }
  state_ = State::kSending;
  if (has_body && !has_stream && !is_joined) {
    output_.body = std::move(response.body);
    held_ = std::move(response.held);
  }
  if (stream_ != nullptr) return HandOver(Job::kRelease);
  // A small answer to one of several requests waits for the others.
  if (output_.body.empty() && keep_alive_) FinishExchange();
}

void Connection::AppendWhole(const HttpResponse& response, const ResponseFrame& frame,
                             bool with_body) {
  size_t before = output_.front.size();
  try {
    AppendHead(response, frame, &output_.front);
    if (with_body) output_.front.append(response.body);
  } catch (...) {
    output_.front.resize(before);  // half an answer must not stand before another
    throw;
  }
}

void Connection::FinishExchange() {
  FreeBody();
  held_.reset();
  if (output_.empty()) output_.Trim();
  if (!keep_alive_) return StartLingering();
  request_.method.clear();
  request_.path.clear();
  request_.query.clear();
  request_.headers.clear();
  if (request_.body.capacity() > 0) std::string().swap(request_.body);
  request_.minor_version = 1;
  state_ = State::kReading;
  has_begun_ = in_used_ < in_.size();
  const HttpServerOptions& options = core_->options;
  due_ = loop_->now() + (has_begun_ ? options.header_deadline : options.idle_limit);
  if (has_begun_) return;
  in_used_ = 0;
  if (in_.capacity() > options.header_bytes) {
    std::string().swap(in_);
  } else {
    in_.clear();
  }
}

bool Connection::StepStreaming() {
  is_head_unsent_ = false;
  if (output_.left() >
      kFlushedHere) {  // a worker sends it: copying, let alone encrypting, takes a while
    if (writable_) HandOver(Job::kPull);
    return false;
  }
  if (!Flush()) return false;
  if (stream_ == nullptr) {
    FinishExchange();
    return true;
  }
  if (wake_at_ != MonotonicTime(0)) {
    // Nothing is being sent that would tell whether the peer is still there; one that has ended its
    // side while it waits for ours has gone.
    if (peer_done_) Close();
    return false;
  }
  HandOver(Job::kPull);
  return false;
}

void Connection::HandOver(Job job) noexcept {
  at_work_ = true;
  missed_events_ = 0;
  job_ = job;
  WorkerPool::Line line = WorkerPool::Line::kRelease;
  if (job == Job::kHandle) line = WorkerPool::Line::kRequest;
  if (job == Job::kPull) line = WorkerPool::Line::kStream;
  core_->workers.Push(this, line);
}

void Connection::Run() {
  switch (job_) {
    case Job::kHandle:
      if (!abandoned_->load()) response_ = Handle();
      if (abandoned_->load()) response_ = HttpResponse();
      break;
    case Job::kPull:
      Pull();
      break;
    case Job::kRelease:
      DropStream();
  }
  loop_->PostDone(this);
}

void Connection::DropStream() noexcept {
  if (stream_ == nullptr) return;
  stream_.reset();
  core_->counters.streams_open.fetch_sub(1, std::memory_order_relaxed);
}

void Connection::Pull() noexcept {
  pulled_ = Pulled::kMore;
  is_send_blocked_ = false;
  if (!output_.empty() && !is_head_unsent_) SendPulled();
  for (int i = 0; i < kPullsInTurn && pulled_ == Pulled::kMore && stream_ != nullptr; ++i) {
    bool is_sound = false;
    try {
      is_sound = PullOnce();
    } catch (const std::exception& error) {
      try {
        TD_LOG(kError, "http", "exception", "a stream threw", {{"what", error.what()}});
      } catch (...) {  // see Handle
      }
    } catch (...) {  // is_sound says it
    }
    if (!is_sound) pulled_ = Pulled::kBroken;
    if (pulled_ != Pulled::kBroken && !output_.empty()) SendPulled();
  }
  if (pulled_ == Pulled::kGone || pulled_ == Pulled::kBroken) DropStream();
}

void Connection::SendPulled() noexcept {
  is_head_unsent_ = false;
  uint64_t before = output_.total();
  Transport::State sent =
      abandoned_->load() ? Transport::State::kFailed : output_.Flush(&transport_);
  core_->counters.bytes_sent.fetch_add(output_.total() - before, std::memory_order_relaxed);
  is_send_blocked_ = sent == Transport::State::kBlocked;
  if (is_send_blocked_ && pulled_ == Pulled::kMore) pulled_ = Pulled::kBlocked;
  if (sent == Transport::State::kFailed) pulled_ = Pulled::kGone;
}

// Appends what the stream gives, framed. False where it must be broken off.
bool Connection::PullOnce() {
  auto step = stream_->Next(&output_.body);
  if (!step.ok()) {
    if (abandoned_->load()) return false;
    TD_LOG(kError, "http", "broken stream", "an answer was broken off",
           {{"error", step.status().ToString()}});
    return false;
  }
  if (!output_.body.empty()) {
    char digits[16];
    auto end = std::to_chars(digits, digits + sizeof(digits), output_.body.size(), 16);
    output_.front.append(digits, static_cast<size_t>(end.ptr - digits)).append("\r\n");
    output_.back = "\r\n";
    wait_ = kWaitFirst;
  }
  if (*step == ResponseBody::Step::kWait) {
    pulled_ = Pulled::kWaiting;
    wait_ = std::min(wait_, stream_->WaitMost());
    wait_most_ = stream_->WaitMost();
  }
  if (*step == ResponseBody::Step::kEnd) {
    output_.back.append("0\r\n");
    AppendTrailers(stream_->Trailers(), &output_.back);
    output_.back.append("\r\n");
    DropStream();
    pulled_ = Pulled::kEnded;
  }
  return true;
}

void Connection::OnWorkDone() noexcept {
  at_work_ = false;
  uint32_t missed = std::exchange(missed_events_, 0);
  if (state_ == State::kClosed) {
    AdoptStream(&response_);
    return Bury();
  }
  Absorb(missed);
  if (job_ == Job::kPull) {
    if (is_send_blocked_) {
      writable_ = (missed & (transport_.tls() ? ~uint32_t{0} : uint32_t{EPOLLOUT})) != 0;
      BeginStall();
    } else {
      writable_ = true;
      EndStall();
    }
    if (pulled_ == Pulled::kWaiting) {
      wake_at_ = loop_->now() + wait_;
      wait_ = std::min(2 * wait_, wait_most_);
    }
  }
  bool is_broken = job_ == Job::kPull && pulled_ == Pulled::kBroken;
  bool is_gone = job_ == Job::kPull && pulled_ == Pulled::kGone;
  if (is_gone || abandoned_->load() || (is_broken && !is_head_unsent_)) return Close();
  try {
    if (job_ == Job::kHandle) Respond(std::exchange(response_, HttpResponse()));
    if (is_broken) {  // nobody has seen the status of the answer yet, so it can be another
      output_.front.resize(head_at_);
      output_.body.clear();
      output_.back.clear();
      core_->counters.streams_broken.fetch_add(1, std::memory_order_relaxed);
      Respond(Problem(500, "the answer could not be made"));
    }
  } catch (...) {
    state_ = State::kReading;
    RecoverFromException();
  }
  Advance();
}

}  // namespace tapedeck
