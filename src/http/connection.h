#ifndef TAPEDECK_HTTP_CONNECTION_H_
#define TAPEDECK_HTTP_CONNECTION_H_

// Connection: one client, from its first byte to its last.
//
//   handshake -> reading -> (handling) -> sending | streaming -> reading … -> lingering -> closed
//
// One rule keeps it simple: at any moment the connection belongs either to its event loop or, while
// at_work() is true, to one worker, which alone touches socket and buffers then. The loop only
// notes events in the meantime and goes on in OnWorkDone. A closed connection is buried when no
// worker has it and its stream is gone.
//
// Every state has its own deadline, counted from its beginning: a byte now and then buys no time.
// After an answer that ends the connection it stays readable for a moment ("lingering"), because
// closing at once would make the kernel throw the answer away.
//
// Private to http. Owned by its loop's thread, except Run.

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "http/message.h"
#include "http/output.h"
#include "http/request_gate.h"
#include "http/response_head.h"
#include "http/server_core.h"
#include "http/transport.h"
#include "http/worker_pool.h"

namespace tapedeck {

class EventLoop;

class Connection final : public Work {
 public:
  /// `core` and `loop` outlive it. `admission` is not kDropped.
  Connection(ServerCore* core, EventLoop* loop, int socket, Peer peer, Admission admission);
  ~Connection() override;

  /// Deadlines begin; a refused one is told so.
  void Start() noexcept;
  /// `events` of epoll, edge-triggered.
  void OnEvents(uint32_t events) noexcept;
  void OnWorkDone() noexcept;
  /// Looks at the deadlines. Returns when to ask again.
  MonotonicTime OnTime(MonotonicTime now) noexcept;
  /// The server stops: the request in hand is the last.
  void FinishSoon() noexcept;
  void Close() noexcept;

  void Run() override;  // on a worker

  size_t index = 0;                 // in the loop's list
  Connection* next_done = nullptr;  // in the loop's queue of those whose work is done
  Connection* next_gone = nullptr;  // in the loop's list of those to be buried

 private:
  enum class State : uint8_t {
    kHandshake,
    kReading,    // a request, or waiting for one; earlier answers may still be leaving
    kHandling,   // a worker has it
    kSending,    // an answer that must have left before anything else
    kStreaming,  // an answer that is still being made
    kLingering,  // all said; waiting for the peer to see it
    kClosed,
  };
  enum class Job : uint8_t { kHandle, kPull, kRelease };
  enum class Pulled : uint8_t { kMore, kBlocked, kWaiting, kEnded, kGone, kBroken };
  enum class Taken : uint8_t { kPartial, kRequest };

  void Advance() noexcept;
  bool RecoverFromException() noexcept;
  bool Step();
  bool StepHandshake();
  bool StepReading();
  bool StepSending();
  bool StepStreaming();
  bool StepLingering();

  Taken TakeRequest();
  Taken TakeHead(std::string_view bytes);
  Taken TakeBody(std::string_view bytes);
  Taken BeginBody(HeadFacts facts);
  void Dispatch(size_t bytes, HeadFacts facts);
  bool ReadMore();
  /// False when nothing more can be sent now, or the connection is closed.
  bool Flush();

  HttpResponse Handle() noexcept;
  std::optional<HttpResponse> AnswerAtOnce() noexcept;
  HttpResponse FromException() noexcept;
  HttpResponse Problem(int status, const char* detail) noexcept;
  void Refuse(const Fault& fault);
  void Respond(HttpResponse response);
  void AdoptStream(HttpResponse* response);
  void AppendWhole(const HttpResponse& response, const ResponseFrame& frame, bool with_body);
  void FinishExchange();
  void StartLingering();
  void FreeBody();

  void HandOver(Job job) noexcept;
  void Pull() noexcept;
  bool PullOnce();
  void SendPulled() noexcept;
  void DropStream() noexcept;
  void Bury() noexcept;

  MonotonicTime Due() const;
  void BeginStall();
  void EndStall() { stall_due_ = MonotonicTime(0); }
  bool HasStalled(MonotonicTime now);
  void Absorb(uint32_t events);
  void BeginPatience();

  ServerCore* const core_;
  EventLoop* const loop_;
  // What the worker makes is of no use any more; handlers see it as HttpRequest::gone. Before
  // transport_: where there is no memory for it, the socket is still the caller's.
  const std::shared_ptr<std::atomic<bool>> abandoned_ = std::make_shared<std::atomic<bool>>(false);
  Transport transport_;
  const Peer peer_;
  const Admission admission_;

  State state_ = State::kHandshake;
  bool readable_ = true;
  bool writable_ = true;
  bool peer_done_ = false;  // it will send no more
  bool at_work_ = false;
  uint32_t missed_events_ = 0;
  Job job_ = Job::kHandle;
  Pulled pulled_ = Pulled::kMore;
  bool is_send_blocked_ = false;  // what the worker has left could not be sent

  std::string in_;
  size_t in_used_ = 0;
  HeadFinder finder_;
  ChunkGate chunks_;
  size_t head_bytes_ = 0;  // of the request whose body is being read, else 0
  size_t body_share_ = 0;
  bool is_chunked_ = false;
  uint64_t content_length_ = 0;
  bool has_begun_ = false;  // a byte of the next request is here

  HttpRequest request_;
  HttpResponse response_;
  bool keep_alive_ = true;
  bool has_failed_ = false;  // an exception has been answered for
  Output output_;
  std::shared_ptr<void> held_;
  std::unique_ptr<ResponseBody> stream_;
  size_t head_at_ = 0;           // of the latest answer, in output_.front
  bool is_head_unsent_ = false;  // of stream_: it can still become another answer

  MonotonicTime due_{0};      // of the state
  MonotonicTime wake_at_{0};  // of a stream that had nothing; 0: none
  std::chrono::nanoseconds wait_{0};
  std::chrono::nanoseconds wait_most_{0};
  MonotonicTime stall_due_{0};  // 0: nothing is held up
  uint64_t stall_mark_ = 0;
  size_t lingered_bytes_ = 0;
  // When a peer that has ended its side is taken to have left, if nothing was said yet; 0: it has
  // not ended it.
  MonotonicTime gone_due_{0};
};

}  // namespace tapedeck

#endif  // TAPEDECK_HTTP_CONNECTION_H_
