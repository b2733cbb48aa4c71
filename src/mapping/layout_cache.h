#ifndef TAPEDECK_MAPPING_LAYOUT_CACHE_H_
#define TAPEDECK_MAPPING_LAYOUT_CACHE_H_

// LayoutCache: the layouts that a decoder has learned, the likelier ones first, and the decision
// when to learn another.
//
// A shape is learned when it comes for the second time, so that odd messages cost no more than
// their tree; a shape that yields nothing is tried seldom. limits::kLayoutsMax layouts are kept;
// the one least used goes.
//
// Owned by one thread.

#include <array>
#include <memory>
#include <string_view>
#include <vector>

#include "mapping/layout.h"

namespace tapedeck::rules {

class LayoutCache {
 public:
  /// True: `sink` has the message's records and marks. They point into memory of the cache until
  /// its next call.
  bool Decode(std::string_view text, const LayoutSink& sink);
  /// Of the message that the last Decode took; null where it took none, or an element repeats.
  /// Valid until the next call.
  const MessageShape* Shape();
  /// Whether a message of this shape is worth a trace.
  bool WorthLearning(const json::Tree& tree);
  /// False where it is known already.
  bool Add(std::unique_ptr<Layout> layout);

 private:
  struct Seen {
    uint64_t shape = 0;
    uint32_t times = 0;
  };
  std::vector<std::unique_ptr<Layout>> layouts_;
  uint64_t numbers_ = 0;           // layouts numbered so far
  const Layout* taken_ = nullptr;  // by the last Decode
  MessageShape shape_;
  std::vector<SlotRange> ranges_;
  std::vector<char> padded_;
  std::vector<Slot> slots_;
  std::array<Seen, 256> seen_{};
};

}  // namespace tapedeck::rules

#endif  // TAPEDECK_MAPPING_LAYOUT_CACHE_H_
