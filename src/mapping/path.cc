#include "mapping/path.h"

#include <algorithm>

namespace tapedeck::rules {
namespace {

bool NameChar(char c) {
  auto byte = static_cast<unsigned char>(c);
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         c == '-' || byte >= 0x80;
}

class Scanner {
 public:
  Scanner(std::string_view what, std::string_view text) : what_(what), text_(text) {}

  Status Error(std::string_view problem) const { return ErrorAt(at_, problem); }
  Status ErrorAt(size_t at, std::string_view problem) const {
    return Status::InvalidArgument(std::string(what_) + " '" + std::string(text_) + "', position " +
                                   std::to_string(at + 1) + ": " + std::string(problem));
  }
  bool done() const { return at_ == text_.size(); }
  size_t at() const { return at_; }
  char Peek(size_t ahead = 0) const {
    return at_ + ahead < text_.size() ? text_[at_ + ahead] : '\0';
  }
  bool Take(std::string_view token) {
    if (text_.substr(at_, token.size()) != token) return false;
    at_ += token.size();
    return true;
  }
  void SkipBlanks() {
    while (Peek() == ' ' || Peek() == '\t') ++at_;
  }
  std::string_view From(size_t start) const { return text_.substr(start, at_ - start); }

  std::string_view Name() {
    size_t start = at_;
    while (!done() && NameChar(text_[at_])) ++at_;
    return From(start);
  }
  /// After the opening quote, up to and past the closing one.
  Result<std::string> Quoted() {
    std::string out;
    for (; !done(); ++at_) {
      char c = text_[at_];
      if (c == '"') {
        ++at_;
        return out;
      }
      if (c == '\\') {
        char next = Peek(1);
        if (next != '"' && next != '\\') return Error("only \\\" and \\\\ are escapes here");
        out.push_back(next);
        ++at_;
        continue;
      }
      out.push_back(c);
    }
    return Error("the quote is not closed");
  }
  Result<Path> ScanPath(PathUse use);

 private:
  Status ScanStart(PathUse use, Path* path, bool* steps_follow);
  Status ScanAt(Path* path);
  Status ScanBracket(PathUse use, Path* path);
  Status ScanMember(PathUse use, Path* path);
  Status AddStar(PathUse use, Step::Kind kind, Path* path) {
    if (use != PathUse::kEach) return Error("'*' is only allowed in each");
    path->steps.push_back({kind, {}, 0});
    return Status::Ok();
  }

  std::string_view what_;
  std::string_view text_;
  size_t at_ = 0;
};

Status Scanner::ScanAt(Path* path) {
  size_t start = at_;
  ++at_;
  std::string_view word = Name();
  if (word == "name") {
    path->start = Path::Start::kName;
  } else if (word == "key") {
    path->start = Path::Start::kKey;
  } else if (word == "topic") {
    path->start = Path::Start::kTopic;
  } else if (word == "partition") {
    path->start = Path::Start::kPartition;
  } else if (word == "headers") {
    path->start = Path::Start::kHeader;
    if (Take(".")) {
      path->header = Name();
    } else if (Take("[\"")) {
      TD_ASSIGN_OR_RETURN(path->header, Quoted());
      if (!Take("]")) return Error("']' is expected");
    }
    if (path->header.empty())
      return Error("the name of a header is expected, as in @headers.interval");
  } else {
    return ErrorAt(start, "known are @name, @key, @topic, @partition and @headers.x");
  }
  if (Peek() == '.' || Peek() == '[') return Error("nothing can follow here");
  return Status::Ok();
}

Status Scanner::ScanBracket(PathUse use, Path* path) {
  if (Take("*]")) return AddStar(use, Step::Kind::kEachElement, path);
  if (Take("\"")) {
    Step step;
    TD_ASSIGN_OR_RETURN(step.name, Quoted());
    if (!Take("]")) return Error("']' is expected");
    path->steps.push_back(std::move(step));
    return Status::Ok();
  }
  size_t start = at_;
  uint64_t index = 0;
  while (Peek() >= '0' && Peek() <= '9' && at_ - start < 10) {
    index = index * 10 + static_cast<uint64_t>(Peek() - '0');
    ++at_;
  }
  if (at_ == start) return Error("a position, \"name\" or * is expected after '['");
  if (index > 0xfffffffe) return ErrorAt(start, "the position is too large");
  if (!Take("]")) return Error("']' is expected");
  path->steps.push_back({Step::Kind::kIndex, {}, static_cast<uint32_t>(index)});
  return Status::Ok();
}

Status Scanner::ScanMember(PathUse use, Path* path) {
  if (Take("*")) return AddStar(use, Step::Kind::kEachAny, path);
  std::string_view name = Name();
  if (name.empty())
    return Error("a name is expected; names with other signs are written [\"like this\"]");
  path->steps.push_back({Step::Kind::kMember, std::string(name), 0});
  return Status::Ok();
}

Status Scanner::ScanStart(PathUse use, Path* path, bool* steps_follow) {
  const bool each = use == PathUse::kEach;
  *steps_follow = true;
  if (Peek() == '@') {
    if (each) return Error("each starts at the message or unit: a name, '[', '.' or '$'");
    *steps_follow = false;
    return ScanAt(path);
  }
  if (Take("$")) {
    path->start = Path::Start::kRoot;
    return Status::Ok();
  }
  if (Peek() == '^') {
    if (each) return Error("each starts at the message or unit: a name, '[', '.' or '$'");
    path->start = Path::Start::kUp;
    while (Take("^")) ++path->up;
    return Status::Ok();
  }
  if (Peek() == '[') return Status::Ok();
  if (Peek() == '.') {
    if (Peek(1) == '*') return Status::Ok();
    ++at_;
    if (NameChar(Peek()) || Peek() == '.') return Error("a path starts with a name, without '.'");
    return Status::Ok();
  }
  return ScanMember(use, path);
}

Result<Path> Scanner::ScanPath(PathUse use) {
  Path path;
  size_t start = at_;
  if (done()) return Error("a path is expected");
  bool steps_follow = true;
  TD_RETURN_IF_ERROR(ScanStart(use, &path, &steps_follow));
  while (steps_follow) {
    if (Take("[")) {
      TD_RETURN_IF_ERROR(ScanBracket(use, &path));
    } else if (Take(".")) {
      TD_RETURN_IF_ERROR(ScanMember(use, &path));
    } else {
      break;
    }
  }
  path.text = From(start);
  return path;
}

Result<Literal> ScanLiteral(Scanner* in) {
  Literal literal;
  if (in->Take("\"")) {
    literal.kind = Literal::Kind::kText;
    TD_ASSIGN_OR_RETURN(literal.text, in->Quoted());
    return literal;
  }
  size_t start = in->at();
  while (!in->Name().empty() || in->Take(".") || in->Take("+")) {
  }
  literal.text = in->From(start);
  if (literal.text == "true") {
    literal.kind = Literal::Kind::kTrue;
  } else if (literal.text == "false") {
    literal.kind = Literal::Kind::kFalse;
  } else if (literal.text == "null") {
    literal.kind = Literal::Kind::kNull;
  } else {
    literal.kind = Literal::Kind::kNumber;
    literal.number = ComparableNumber::Of(literal.text);
    if (literal.number.form == DecimalForm::kBad) {
      return in->ErrorAt(start,
                         "\"text\" in double quotes, a number, true, false or null is expected");
    }
  }
  return literal;
}

Result<Test> ScanTest(Scanner* in) {
  Test test;
  in->SkipBlanks();
  const bool negated = in->Take("!");
  if (in->Take("exists(")) {
    test.op = negated ? Test::Op::kMissing : Test::Op::kExists;
    in->SkipBlanks();
    TD_ASSIGN_OR_RETURN(test.path, in->ScanPath(PathUse::kValue));
    in->SkipBlanks();
    if (!in->Take(")")) return in->Error("')' is expected");
    return test;
  }
  if (negated) return in->Error("exists(…) is expected after '!'");
  TD_ASSIGN_OR_RETURN(test.path, in->ScanPath(PathUse::kValue));
  in->SkipBlanks();
  if (in->Take("==")) {
    test.op = Test::Op::kEqual;
  } else if (in->Take("!=")) {
    test.op = Test::Op::kDiffer;
  } else {
    return in->Error("== or != is expected");
  }
  in->SkipBlanks();
  TD_ASSIGN_OR_RETURN(test.literal, ScanLiteral(in));
  return test;
}

/// Without a fraction's trailing zeros; a zero without its sign.
std::string ByValue(std::string text) {
  if (text.find('.') != std::string::npos) {
    text.erase(text.find_last_not_of('0') + 1);
    if (text.back() == '.') text.pop_back();
  }
  return text == "-0" ? "0" : text;
}

std::string CanonicalOf(const ComparableNumber& number) {
  return number.form == DecimalForm::kText ? number.canonical : ToString(number.decimal);
}

}  // namespace

bool Path::has_star() const {
  return std::any_of(steps.begin(), steps.end(), [](const Step& s) { return s.star(); });
}

Result<Path> ParsePath(std::string_view text, PathUse use) {
  Scanner in("path", text);
  TD_ASSIGN_OR_RETURN(Path path, in.ScanPath(use));
  if (!in.done()) return in.Error("'.', '[' or the end is expected");
  return path;
}

Result<Condition> ParseCondition(std::string_view text) {
  Scanner in("condition", text);
  Condition condition;
  condition.text = text;
  do {
    TD_ASSIGN_OR_RETURN(Test test, ScanTest(&in));
    condition.tests.push_back(std::move(test));
    in.SkipBlanks();
  } while (in.Take("&&"));
  if (!in.done()) return in.Error("&& or the end is expected; or is a list of conditions");
  return condition;
}

ComparableNumber ComparableNumber::Of(std::string_view text) {
  ComparableNumber number;
  number.form = ParseDecimal(text, &number.decimal, &number.canonical);
  return number;
}

bool ComparableNumber::Equals(const ComparableNumber& other) const {
  if (form == DecimalForm::kBad || other.form == DecimalForm::kBad) return false;
  if (form == DecimalForm::kDecimal && other.form == DecimalForm::kDecimal) {
    return EqualValue(decimal, other.decimal);
  }
  return ByValue(CanonicalOf(*this)) == ByValue(CanonicalOf(other));
}

}  // namespace tapedeck::rules
