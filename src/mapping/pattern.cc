#include "mapping/pattern.h"

#include <algorithm>
#include <string>

#include "base/limits.h"
#include "mapping/pattern_compiler.h"

namespace tapedeck::rules {
namespace {

constexpr uint32_t kUnset = 0xffffffff;

/// The character at text[at] (valid UTF-8) and its length.
uint32_t Decode(std::string_view text, size_t at, uint32_t* length) {
  auto byte = [&](size_t i) {
    return at + i < text.size() ? static_cast<uint32_t>(static_cast<unsigned char>(text[at + i]))
                                : 0u;
  };
  uint32_t first = byte(0);
  if (first < 0x80) return *length = 1, first;
  if (first < 0xe0) return *length = 2, ((first & 0x1f) << 6) | (byte(1) & 0x3f);
  if (first < 0xf0) {
    return *length = 3, ((first & 0x0f) << 12) | ((byte(1) & 0x3f) << 6) | (byte(2) & 0x3f);
  }
  *length = 4;
  return ((first & 0x07) << 18) | ((byte(1) & 0x3f) << 12) | ((byte(2) & 0x3f) << 6) |
         (byte(3) & 0x3f);
}

}  // namespace

bool Pattern::Class::Has(uint32_t code) const {
  bool in = std::any_of(ranges.begin(), ranges.end(),
                        [code](Range r) { return r.from <= code && code <= r.to; });
  return in != negated;
}

Result<Pattern> Pattern::Compile(std::string_view expression) {
  Pattern pattern;
  PatternCompiler compiler(expression, &pattern.program_, &pattern.classes_);
  TD_RETURN_IF_ERROR(compiler.Run());
  pattern.mark_.assign(pattern.program_.size(), 0);
  return pattern;
}

/// Follows everything that reads no character, in order of preference; a depth-first walk with its
/// own stack.
void Pattern::Add(std::vector<Thread>* list, Thread thread, uint32_t at, uint32_t size) {
  stack_.clear();
  stack_.push_back(thread);
  while (!stack_.empty()) {
    Thread t = stack_.back();
    stack_.pop_back();
    if (mark_[t.pc] == generation_) continue;
    mark_[t.pc] = generation_;
    const Instruction& i = program_[t.pc];
    switch (i.op) {
      case Instruction::Op::kJump:
        stack_.push_back({i.x, t.from, t.to});
        break;
      case Instruction::Op::kSplit:
        stack_.push_back({i.y, t.from, t.to});
        stack_.push_back({i.x, t.from, t.to});
        break;
      case Instruction::Op::kSave:
        if (i.x == 0) stack_.push_back({t.pc + 1, at, kUnset});
        if (i.x == 1) stack_.push_back({t.pc + 1, t.from, at});
        break;
      case Instruction::Op::kBegin:
        if (at == 0) stack_.push_back({t.pc + 1, t.from, t.to});
        break;
      case Instruction::Op::kEnd:
        if (at == size) stack_.push_back({t.pc + 1, t.from, t.to});
        break;
      case Instruction::Op::kClass:
      case Instruction::Op::kMatch:
        list->push_back(t);
        break;
    }
  }
}

std::optional<std::string_view> Pattern::FirstGroup(std::string_view text) {
  if (text.size() > limits::kExtractTextBytesMax) return std::nullopt;
  const auto size = static_cast<uint32_t>(text.size());
  std::optional<Thread> best;
  now_.clear();
  for (uint32_t at = 0;;) {
    // Threads in `now_` were added under the current generation; a new start has the lowest
    // preference.
    if (at == 0) ++generation_;
    if (!best) Add(&now_, {0, kUnset, kUnset}, at, size);
    if (best && now_.empty()) break;
    ++generation_;
    next_.clear();
    uint32_t length = 1;
    const uint32_t code = at < size ? Decode(text, at, &length) : 0;
    for (const Thread& t : now_) {
      const Instruction& i = program_[t.pc];
      if (i.op == Instruction::Op::kMatch) {
        best = t;
        break;
      }
      if (at < size && classes_[i.x].Has(code))
        Add(&next_, {t.pc + 1, t.from, t.to}, at + length, size);
    }
    std::swap(now_, next_);
    if (at >= size) break;
    at += length;
  }
  if (!best || best->from == kUnset || best->to == kUnset) return std::nullopt;
  return text.substr(best->from, best->to - best->from);
}

}  // namespace tapedeck::rules
