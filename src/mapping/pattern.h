#ifndef TAPEDECK_MAPPING_PATTERN_H_
#define TAPEDECK_MAPPING_PATTERN_H_

// Pattern: the regular expressions of `extract`, in time linear in the text whatever the
// expression.
//
//   TD_ASSIGN_OR_RETURN(Pattern p, Pattern::Compile("-(.+)$"));
//   p.FirstGroup("BTC-USD")   // "USD"
//
// Known: literals, `.`, classes [a-z] [^…], \d \w \s \D \W \S, escapes, groups ( ) and (?: ), |, *
// + ? {m} {m,} {m,n} and their lazy forms with ?, anchors ^ $. The search is unanchored; leftmost
// match, alternatives in order, as in Perl. Text is UTF-8 and `.` is one character, which may be a
// line break. Back references, look-around and \b are refused: they cannot be run in linear time or
// are not needed.
//
// Method: Ken Thompson's simulation with captures as Rob Pike wrote it (Russ Cox, "Regular
// Expression Matching: the Virtual Machine Approach"). Program size and text are bounded by
// limits::kExtractProgramMax and kExtractTextBytesMax.
//
// Owned by one thread: matching uses memory of the pattern.

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace tapedeck::rules {

class Pattern {
 public:
  /// The expression needs at least one group.
  static Result<Pattern> Compile(std::string_view expression);

  /// What the first group holds in the leftmost match; nothing where there is no match, the group
  /// took no part in it, or the text is longer than limits::kExtractTextBytesMax.
  std::optional<std::string_view> FirstGroup(std::string_view text);

  struct Range {
    uint32_t from;
    uint32_t to;
  };
  struct Instruction {
    enum class Op : uint8_t { kClass, kSplit, kJump, kSave, kBegin, kEnd, kMatch };
    Op op = Op::kMatch;
    uint32_t x = 0;  // kClass: index of the class; kSplit, kJump: target; kSave: 0 or 1
    uint32_t y = 0;  // kSplit: second choice
  };
  struct Class {
    bool negated = false;
    std::vector<Range> ranges;
    bool Has(uint32_t code) const;
  };

 private:
  struct Thread {
    uint32_t pc;
    uint32_t from;
    uint32_t to;
  };
  void Add(std::vector<Thread>* list, Thread thread, uint32_t at, uint32_t size);

  std::vector<Instruction> program_;
  std::vector<Class> classes_;
  std::vector<Thread> now_, next_, stack_;
  std::vector<uint64_t> mark_;
  uint64_t generation_ = 0;
};

}  // namespace tapedeck::rules

#endif  // TAPEDECK_MAPPING_PATTERN_H_
