#include "mapping/pattern_compiler.h"

#include <utility>

#include "base/limits.h"
#include "mapping/json_tree.h"

namespace tapedeck::rules {
namespace {

using Instruction = Pattern::Instruction;
using Op = Pattern::Instruction::Op;

constexpr int kNestingMax = 50;
constexpr uint32_t kRepeatMax = 1000;
constexpr uint32_t kEndless = 0xffffffff;

/// Appends `code`, whose jumps count from its own start.
void Append(std::vector<Instruction>* out, const std::vector<Instruction>& code) {
  const auto base = static_cast<uint32_t>(out->size());
  for (Instruction i : code) {
    if (i.op == Op::kSplit || i.op == Op::kJump) i.x += base;
    if (i.op == Op::kSplit) i.y += base;
    out->push_back(i);
  }
}

/// [split over] code [jump back]; `again`: the code may run more than once.
void AppendOptional(std::vector<Instruction>* out, const std::vector<Instruction>& code, bool again,
                    bool lazy) {
  const auto start = static_cast<uint32_t>(out->size());
  const auto after = start + 1 + static_cast<uint32_t>(code.size()) + (again ? 1 : 0);
  Instruction split{Op::kSplit, start + 1, after};
  if (lazy) std::swap(split.x, split.y);
  out->push_back(split);
  Append(out, code);
  if (again) out->push_back({Op::kJump, start, 0});
}

bool AddShorthand(char c, Pattern::Class* out) {
  switch (c) {
    case 'd':
      out->ranges = {{'0', '9'}};
      return true;
    case 'w':
      out->ranges = {{'a', 'z'}, {'A', 'Z'}, {'0', '9'}, {'_', '_'}};
      return true;
    case 's':
      out->ranges = {{' ', ' '}, {'\t', '\r'}};
      return true;
    case 'D':
    case 'W':
    case 'S':
      out->negated = true;
      return AddShorthand(static_cast<char>(c + 32), out);
    default:
      return false;
  }
}

}  // namespace

Status PatternCompiler::Error(std::string_view problem) const {
  return Status::InvalidArgument("expression '" + std::string(text_) + "', position " +
                                 std::to_string(at_ + 1) + ": " + std::string(problem));
}

Status PatternCompiler::Run() {
  if (text_.size() > limits::kExtractTextBytesMax) return Error("the expression is too long");
  if (!json::IsUtf8(text_)) return Error("the expression is not UTF-8");
  TD_ASSIGN_OR_RETURN(Code code, Alternation(0));
  if (!done()) return Error("')' without '('");
  if (groups_ == 0) return Error("a group ( ) is needed: extract takes what the first one holds");
  *program_ = std::move(code);
  program_->push_back({Op::kMatch, 0, 0});
  return Status::Ok();
}

Result<PatternCompiler::Code> PatternCompiler::Alternation(int depth) {
  if (depth > kNestingMax) return Error("groups are nested too deep");
  TD_ASSIGN_OR_RETURN(Code code, Sequence(depth));
  while (Peek() == '|') {
    ++at_;
    TD_ASSIGN_OR_RETURN(Code other, Sequence(depth));
    Code both;
    const auto first = static_cast<uint32_t>(code.size());
    both.push_back({Op::kSplit, 1, first + 2});
    Append(&both, code);
    both.push_back({Op::kJump, first + 2 + static_cast<uint32_t>(other.size()), 0});
    Append(&both, other);
    code = std::move(both);
    if (code.size() > limits::kExtractProgramMax) return Error("the expression is too large");
  }
  return code;
}

Result<PatternCompiler::Code> PatternCompiler::Sequence(int depth) {
  Code code;
  while (!done() && Peek() != '|' && Peek() != ')') {
    TD_ASSIGN_OR_RETURN(Code atom, Atom(depth));
    TD_ASSIGN_OR_RETURN(Code repeated, Repeat(std::move(atom)));
    Append(&code, repeated);
    if (code.size() > limits::kExtractProgramMax) return Error("the expression is too large");
  }
  return code;
}

PatternCompiler::Code PatternCompiler::OfClass(Pattern::Class one) {
  classes_->push_back(std::move(one));
  return {{Op::kClass, static_cast<uint32_t>(classes_->size() - 1), 0}};
}

uint32_t PatternCompiler::NextCode() {
  auto byte = static_cast<unsigned char>(text_[at_++]);
  if (byte < 0x80) return byte;
  int more = byte >= 0xf0 ? 3 : byte >= 0xe0 ? 2 : 1;
  uint32_t code = byte & (0x3f >> more);
  while (more-- > 0 && !done())
    code = (code << 6) | (static_cast<unsigned char>(text_[at_++]) & 0x3fu);
  return code;
}

Result<PatternCompiler::Code> PatternCompiler::Atom(int depth) {
  char c = Peek();
  if (c == '(') return Group(depth);
  if (c == '[') return Bracket();
  if (c == '*' || c == '+' || c == '?' || c == '{') return Error("nothing to repeat");
  if (c == '^' || c == '$') {
    ++at_;
    return Code{{c == '^' ? Op::kBegin : Op::kEnd, 0, 0}};
  }
  Pattern::Class one;
  if (c == '.') {
    ++at_;
    one.ranges = {{0, 0x10ffff}};
    return OfClass(std::move(one));
  }
  if (c == '\\') {
    uint32_t code = 0;
    TD_ASSIGN_OR_RETURN(bool single, Escape(&one, &code));
    if (single) one.ranges = {{code, code}};
    return OfClass(std::move(one));
  }
  uint32_t code = NextCode();
  one.ranges = {{code, code}};
  return OfClass(std::move(one));
}

/// After a backslash: true and a character, or false and a class.
Result<bool> PatternCompiler::Escape(Pattern::Class* out, uint32_t* code) {
  ++at_;
  if (done()) return Error("a character is expected after '\\'");
  char c = text_[at_];
  if (AddShorthand(c, out)) {
    ++at_;
    return false;
  }
  const bool word = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
  if (c == 'n' || c == 't' || c == 'r') {
    *code = c == 'n' ? '\n' : c == 't' ? '\t' : '\r';
    ++at_;
    return true;
  }
  if (word) return Error(std::string("\\") + c + " is not known here");
  *code = NextCode();
  return true;
}

Result<PatternCompiler::Code> PatternCompiler::Bracket() {
  Pattern::Class out;
  ++at_;
  if (Peek() == '^') {
    out.negated = true;
    ++at_;
  }
  for (bool first = true; first || Peek() != ']'; first = false) {
    if (done()) return Error("'[' is not closed");
    uint32_t from = 0;
    if (Peek() == '\\') {
      Pattern::Class part;
      TD_ASSIGN_OR_RETURN(bool single, Escape(&part, &from));
      if (!single) {
        if (part.negated) return Error("\\D, \\W and \\S cannot stand inside [ ]");
        out.ranges.insert(out.ranges.end(), part.ranges.begin(), part.ranges.end());
        continue;
      }
    } else {
      from = NextCode();
    }
    uint32_t to = from;
    if (Peek() == '-' && at_ + 1 < text_.size() && text_[at_ + 1] != ']') {
      ++at_;
      Pattern::Class part;
      bool single = true;
      if (Peek() == '\\') {
        TD_ASSIGN_OR_RETURN(single, Escape(&part, &to));
      } else {
        to = NextCode();
      }
      if (!single || to < from) return Error("the range is upside down");
    }
    out.ranges.push_back({from, to});
  }
  ++at_;
  return OfClass(std::move(out));
}

Result<PatternCompiler::Code> PatternCompiler::Group(int depth) {
  ++at_;
  bool capture = true;
  if (Peek() == '?') {
    if (text_.substr(at_, 2) != "?:") return Error("of the forms (?…) only (?:…) is known");
    at_ += 2;
    capture = false;
  }
  const bool first = capture && groups_++ == 0;
  TD_ASSIGN_OR_RETURN(Code inner, Alternation(depth + 1));
  if (Peek() != ')') return Error("'(' is not closed");
  ++at_;
  if (!first) return inner;
  Code code;
  code.push_back({Op::kSave, 0, 0});
  Append(&code, inner);
  code.push_back({Op::kSave, 1, 0});
  return code;
}

Status PatternCompiler::Bounds(uint32_t* least, uint32_t* most) {
  auto number = [this](uint32_t* out) {
    size_t start = at_;
    *out = 0;
    while (Peek() >= '0' && Peek() <= '9' && at_ - start < 6)
      *out = *out * 10 + static_cast<uint32_t>(text_[at_++] - '0');
    return at_ > start;
  };
  ++at_;
  if (!number(least)) return Error("a number is expected after '{'");
  *most = *least;
  if (Peek() == ',') {
    ++at_;
    if (!number(most)) *most = kEndless;
  }
  if (Peek() != '}') return Error("'}' is expected");
  ++at_;
  if (*least > kRepeatMax || (*most != kEndless && (*most > kRepeatMax || *most < *least))) {
    return Error("the bounds in { } are wrong or too large");
  }
  return Status::Ok();
}

Result<PatternCompiler::Code> PatternCompiler::Repeat(Code atom) {
  uint32_t least = 1, most = 1;
  switch (Peek()) {
    case '*':
      least = 0, most = kEndless, ++at_;
      break;
    case '+':
      most = kEndless, ++at_;
      break;
    case '?':
      least = 0, ++at_;
      break;
    case '{':
      TD_RETURN_IF_ERROR(Bounds(&least, &most));
      break;
    default:
      return atom;
  }
  const bool lazy = Peek() == '?';
  if (lazy) ++at_;
  if (Peek() == '*' || Peek() == '+' || Peek() == '{')
    return Error("a repetition cannot be repeated");
  const uint64_t copies = uint64_t{least} + (most == kEndless ? 1 : most - least);
  if (copies * (atom.size() + 2) > limits::kExtractProgramMax)
    return Error("the expression is too large");
  Code code;
  for (uint32_t i = 0; i < least; ++i) Append(&code, atom);
  if (most == kEndless) {
    AppendOptional(&code, atom, true, lazy);
  } else {
    for (uint32_t i = least; i < most; ++i) AppendOptional(&code, atom, false, lazy);
  }
  return code;
}

}  // namespace tapedeck::rules
