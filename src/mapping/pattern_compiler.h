#ifndef TAPEDECK_MAPPING_PATTERN_COMPILER_H_
#define TAPEDECK_MAPPING_PATTERN_COMPILER_H_

// PatternCompiler: the text of a regular expression to the instructions of Pattern. Internal to
// pattern.cc; pattern.h says what it knows.
//
// Recursive descent: alternation > sequence > repeated atom. A repetition {m,n} copies its atom,
// bounded by limits::kExtractProgramMax. Owned by one thread.

#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "mapping/pattern.h"

namespace tapedeck::rules {

class PatternCompiler {
 public:
  PatternCompiler(std::string_view expression, std::vector<Pattern::Instruction>* program,
                  std::vector<Pattern::Class>* classes)
      : text_(expression), program_(program), classes_(classes) {}
  Status Run();

 private:
  using Code = std::vector<Pattern::Instruction>;  // jumps relative to the start of the code

  Result<Code> Alternation(int depth);
  Result<Code> Sequence(int depth);
  Result<Code> Atom(int depth);
  Result<Code> Group(int depth);
  Result<Code> Repeat(Code atom);
  Result<Code> Bracket();
  Result<bool> Escape(Pattern::Class* out, uint32_t* code);
  Status Bounds(uint32_t* least, uint32_t* most);
  uint32_t NextCode();
  Code OfClass(Pattern::Class one);
  Status Error(std::string_view problem) const;
  bool done() const { return at_ >= text_.size(); }
  char Peek() const { return done() ? '\0' : text_[at_]; }

  std::string_view text_;
  size_t at_ = 0;
  uint32_t groups_ = 0;
  std::vector<Pattern::Instruction>* program_;
  std::vector<Pattern::Class>* classes_;
};

}  // namespace tapedeck::rules

#endif  // TAPEDECK_MAPPING_PATTERN_COMPILER_H_
