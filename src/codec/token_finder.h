#ifndef TAPEDECK_CODEC_TOKEN_FINDER_H_
#define TAPEDECK_CODEC_TOKEN_FINDER_H_

// TokenFinder: guesses the shape of a message from its text, for who has no mapping at hand: the
// merging of tape blocks.
//
// Slots are the strings (without quotes) that no colon follows, numbers and words; quotes, names
// and punctuation are fixed. That is what JSON looks like, and lines of numbers too. Any bytes are
// taken: a wrong guess makes a block larger, not wrong (model/message_shape.h).
//
// Owned by one thread.

#include <string_view>
#include <vector>

#include "model/message_shape.h"

namespace tapedeck {

class TokenFinder {
 public:
  /// Null: too long, too many slots, or a string that does not end. Valid until the next call. The
  /// id is a hash of the fixed bytes.
  const MessageShape* Find(std::string_view value);

 private:
  std::vector<SlotRange> slots_;
  MessageShape shape_;
};

}  // namespace tapedeck

#endif  // TAPEDECK_CODEC_TOKEN_FINDER_H_
