#ifndef TAPEDECK_HTTP_OUTPUT_H_
#define TAPEDECK_HTTP_OUTPUT_H_

// Output: what a connection has still to send, in three parts that are sent without being joined:
// heads and small answers, one large body, and what follows it.
//
// Private to http. Thread-compatible.

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "http/transport.h"

namespace tapedeck {

class Output {
 public:
  std::string front;  // may grow while body and back are empty
  std::string body;
  std::string back;

  size_t left() const { return front.size() + body.size() + back.size() - sent_; }
  bool empty() const { return left() == 0; }
  /// Bytes that have been handed over since the beginning.
  uint64_t total() const { return total_; }

  /// Sends until all is gone (kDone, the parts are empty then), nothing more fits (kBlocked) or the
  /// connection is over (kFailed).
  Transport::State Flush(Transport* transport) {
    while (!empty()) {
      std::array<iovec, 3> parts{};
      size_t count = 0;
      size_t skip = sent_;
      for (std::string* part : {&front, &body, &back}) {
        if (skip < part->size()) parts[count++] = {part->data() + skip, part->size() - skip};
        skip -= std::min(skip, part->size());
      }
      auto moved = transport->Write(std::span(parts.data(), count));
      if (moved.state != Transport::State::kDone) return moved.state;
      sent_ += moved.bytes;
      total_ += moved.bytes;
    }
    Clear();
    return Transport::State::kDone;
  }

  void Clear() {
    front.clear();
    body.clear();
    back.clear();
    sent_ = 0;
  }
  /// Gives memory back that only large answers need.
  void Trim() {
    if (body.capacity() > 0) std::string().swap(body);
    if (front.capacity() > kKeptBytes) std::string().swap(front);
  }

 private:
  static constexpr size_t kKeptBytes = 4096;
  size_t sent_ = 0;
  uint64_t total_ = 0;
};

}  // namespace tapedeck

#endif  // TAPEDECK_HTTP_OUTPUT_H_
