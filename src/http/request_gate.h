#ifndef TAPEDECK_HTTP_REQUEST_GATE_H_
#define TAPEDECK_HTTP_REQUEST_GATE_H_

// The gate in front of the parser: the raw bytes of every request on a connection are checked here
// before anything else sees them. Wherever two readers of HTTP might disagree about where a request
// ends, whom it is for or what it means, it is refused (RFC 9112; "request smuggling").
//
//   HeadFinder finder;
//   switch (finder.Look(bytes)) {                       // again with every byte that arrives
//     case HeadFinder::State::kFound: verdict = CheckHead(bytes.substr(0, finder.size()), limits);
//   }
//   if (verdict.fault) Answer(verdict.fault->status, verdict.fault->detail), then close.
//
// The gate decides and decodes nothing for use: method, target and fields come from the parser,
// which must then agree with the facts found here.
//
// Private to http. Thread-compatible; CheckHead is pure.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace tapedeck {

/// Why a request is refused: a status of HTTP and a sentence for its sender.
struct Fault {
  int status = 400;
  std::string detail;
};

struct GateLimits {
  size_t uri_bytes = 8 << 10;
  size_t header_bytes = 16 << 10;
  size_t body_bytes = 1 << 20;
};

/// Whether byte may stand in a name: a `token` of RFC 9110.
bool IsTokenByte(unsigned char byte);

/// Finds the empty line that ends a head, looking at every byte once.
class HeadFinder {
 public:
  enum class State : uint8_t {
    kPartial,  // no end yet
    kFound,    // size() bytes are the head, the empty line included
    kBroken,   // a line that does not end with CR LF, or a first byte that begins no request
  };
  /// `bytes` begins where it began before, and has only grown.
  State Look(std::string_view bytes);
  size_t size() const { return size_; }
  void Reset() { *this = HeadFinder(); }

 private:
  size_t looked_ = 0;
  size_t line_ = 0;
  size_t size_ = 0;
};

/// What a sound head says about its message.
struct HeadFacts {
  std::string_view method;  // views of the head
  std::string_view target;  // path and query, also of the absolute form
  int minor_version = 1;
  bool chunked = false;
  bool keep_alive = true;
  bool expects_continue = false;
  uint64_t content_length = 0;
};

struct HeadVerdict {
  std::optional<Fault> fault;
  HeadFacts facts;  // with a fault: as far as it was read
};

/// `head` ends with its empty line.
HeadVerdict CheckHead(std::string_view head, const GateLimits& limits);

/// Follows the frame of a chunked body. Strict: hexadecimal sizes of at most eight digits, no
/// extensions, no trailers, CR LF everywhere.
class ChunkGate {
 public:
  enum class State : uint8_t { kPartial, kEnd, kBroken, kTooLarge };
  /// `bytes` begins with the body, as before, and has only grown.
  State Look(std::string_view bytes, size_t body_bytes_max);
  /// Of the body as sent, after kEnd.
  size_t size() const { return position_; }
  /// What its chunks hold together.
  size_t content_bytes() const { return content_bytes_; }
  void Reset() { *this = ChunkGate(); }

 private:
  size_t position_ = 0;  // of the next size line, or of the rest of a chunk
  size_t content_bytes_ = 0;
  bool is_last_ = false;
};

}  // namespace tapedeck

#endif  // TAPEDECK_HTTP_REQUEST_GATE_H_
