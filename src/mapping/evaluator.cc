#include "mapping/evaluator.h"

#include <algorithm>
#include <cstring>

#include "base/limits.h"

namespace tapedeck::rules {
namespace {

using Kind = Operand::Kind;

Operand NumberOf(int64_t number, Arena* arena) {
  return {Kind::kNumber, json::kNone, arena->Copy(std::to_string(number))};
}

}  // namespace

void Trace::Clear() {
  tests.clear();
  picks.clear();
  parts.clear();
  events.clear();
  unlearnable = false;
}

void Evaluator::Start(const TopicPartition& tp, const MessageView& message, const json::Tree& tree,
                      Trace* trace) {
  tp_ = &tp;
  message_ = &message;
  tree_ = &tree;
  trace_ = trace;
  not_json_ = false;
  arena_.Reset();
}

Operand Evaluator::ReadText(std::string_view raw, uint32_t node) {
  if (raw.empty() || std::memchr(raw.data(), '\\', raw.size()) == nullptr)
    return {Kind::kText, node, raw};
  char* out = arena_.Take(raw.size());
  size_t size = 0;
  if (!json::Unescape(raw, out, &size)) {
    not_json_ = true;
    return {Kind::kNull, node, {}};
  }
  arena_.Return(raw.size() - size);
  return {Kind::kText, node, {out, size}};
}

Operand Evaluator::ReadNode(uint32_t node, Mode mode) {
  std::string_view raw = tree_->Raw(node);
  if (mode == Mode::kExists) return {Kind::kContainer, node, {}};
  switch (tree_->node(node).type) {
    case json::Type::kString:
      return ReadText(raw, node);
    case json::Type::kScalar:
      break;
    case json::Type::kObject:
    case json::Type::kArray: {
      if (mode != Mode::kText) return {Kind::kContainer, node, {}};
      std::string compact;
      if (!json::AppendCompact(*tree_, node, accept_nan_, &compact)) {
        not_json_ = true;
        return {Kind::kNull, node, {}};
      }
      return {Kind::kText, node, arena_.Copy(compact)};
    }
  }
  switch (json::ClassifyScalar(raw, accept_nan_)) {
    case json::Scalar::kNull:
      return {Kind::kNull, node, {}};
    case json::Scalar::kTrue:
      return {Kind::kTrue, node, {}};
    case json::Scalar::kFalse:
      return {Kind::kFalse, node, {}};
    case json::Scalar::kNumber:
      return {Kind::kNumber, node, raw};
    case json::Scalar::kBad:
      break;
  }
  not_json_ = true;
  return {Kind::kNull, node, {}};
}

Operand Evaluator::OfBytes(const OptionalBytes& bytes) {
  if (!bytes) return {Kind::kNull, json::kNone, {}};
  return {json::IsUtf8(*bytes) ? Kind::kText : Kind::kNotUtf8, json::kNone, *bytes};
}

Operand Evaluator::ReadKafka(const Path& path) {
  if (trace_) trace_->unlearnable = true;
  switch (path.start) {
    case Path::Start::kName: {
      if (levels_.size() < 2) return {};
      const Level& level = levels_.back();
      if (level.element) return NumberOf(level.position, &arena_);
      if (!tree_->node(level.node).has_key) return {};
      return ReadText(tree_->RawKey(level.node), json::kNone);
    }
    case Path::Start::kKey:
      return message_->key ? OfBytes(message_->key) : Operand{};
    case Path::Start::kTopic:
      return OfBytes(std::string_view(tp_->topic));
    case Path::Start::kPartition:
      return NumberOf(tp_->partition, &arena_);
    case Path::Start::kHeader:
      for (const HeaderView& header : message_->headers) {
        if (header.name == path.header) return OfBytes(header.value);
      }
      return {};
    default:
      return {};
  }
}

uint32_t Evaluator::Descend(const Path& path, uint32_t node) const {
  for (const Step& step : path.steps) {
    node = step.kind == Step::Kind::kMember ? tree_->Find(node, step.name)
                                            : tree_->At(node, step.index);
    if (node == json::kNone) break;
  }
  return node;
}

Operand Evaluator::Read(const Path& path, Mode mode) {
  uint32_t node = 0;
  switch (path.start) {
    case Path::Start::kHere:
      node = levels_.back().node;
      break;
    case Path::Start::kUp:
      if (path.up >= levels_.size()) return {};
      node = levels_[levels_.size() - 1 - path.up].node;
      break;
    case Path::Start::kRoot:
      break;
    default:
      return ReadKafka(path);
  }
  node = Descend(path, node);
  return node == json::kNone ? Operand{} : ReadNode(node, mode);
}

bool Evaluator::Holds(const Test& test) {
  const bool exists = test.op == Test::Op::kExists || test.op == Test::Op::kMissing;
  Operand operand = Read(test.path, exists ? Mode::kExists : Mode::kPlain);
  bool outcome = false;
  if (exists) {
    outcome = (operand.kind != Kind::kAbsent) == (test.op == Test::Op::kExists);
  } else if (test.literal.kind == Literal::Kind::kNull) {
    outcome = operand.null() == (test.op == Test::Op::kEqual);
  } else if (!operand.null()) {
    outcome = Matches(test.literal, operand) == (test.op == Test::Op::kEqual);
  }
  if (trace_) trace_->tests.push_back({&test, operand, outcome});
  return outcome;
}

const Condition* Evaluator::FirstThatHolds(std::span<const Condition> conditions) {
  for (const Condition& condition : conditions) {
    if (std::all_of(condition.tests.begin(), condition.tests.end(),
                    [this](const Test& t) { return Holds(t); })) {
      return &condition;
    }
  }
  return nullptr;
}

/// Follows `path` from `step` on; `arrived` is the level that `node` would be.
void Evaluator::Walk(const Path& path, size_t step, uint32_t node, Level arrived, size_t last_star,
                     bool* fits, Places* out) {
  while (step < path.steps.size() && !path.steps[step].star()) {
    const Step& s = path.steps[step++];
    const bool member = s.kind == Step::Kind::kMember;
    node = member ? tree_->Find(node, s.name) : tree_->At(node, s.index);
    if (node == json::kNone) return;
    arrived = {node, member ? 0 : s.index, !member};
  }
  if (out->too_many || not_json_) return;
  if (step == path.steps.size()) {
    const bool star_end = !path.steps.empty() && path.steps.back().star();
    if (!star_end) {
      if (trace_ && tree_->node(node).type >= json::Type::kString) trace_->unlearnable = true;
      if (ReadNode(node, Mode::kPlain).null()) return;
      if (!path.has_star()) *fits = true;
      walk_.push_back(arrived);
    }
    out->too_many =
        out->levels.size() / std::max<size_t>(1, out->stride) >= limits::kRecordsPerMessageMax;
    out->levels.insert(out->levels.end(), walk_.begin(), walk_.end());
    if (!star_end) walk_.pop_back();
    return;
  }
  const json::Type type = tree_->node(node).type;
  const bool array = type == json::Type::kArray;
  if (!array && (type != json::Type::kObject || path.steps[step].kind == Step::Kind::kEachElement))
    return;
  if (step == last_star) *fits = true;
  uint32_t position = 0;
  for (uint32_t child = tree_->First(node); child != json::kNone;
       child = tree_->Next(node, child)) {
    Level level{child, position++, array};
    walk_.push_back(level);
    Walk(path, step + 1, child, level, last_star, fits, out);
    walk_.pop_back();
  }
}

bool Evaluator::Expand(std::span<const Path> each, Places* out) {
  for (const Path& path : each) {
    size_t stars = 0, last_star = 0;
    for (size_t i = 0; i < path.steps.size(); ++i) {
      if (path.steps[i].star()) ++stars, last_star = i;
    }
    const bool star_end = !path.steps.empty() && path.steps.back().star();
    out->levels.clear();
    out->too_many = false;
    out->stride = levels_.size() + stars + (star_end ? 0 : 1);
    walk_.assign(levels_.begin(), levels_.end());
    const Level from = path.start == Path::Start::kRoot ? levels_.front() : levels_.back();
    bool fits = false;
    Walk(path, 0, from.node, from, last_star, &fits, out);
    if (fits || not_json_ || out->too_many) return true;
  }
  return false;
}

Operand Evaluator::Join(const Source& source) {
  std::string joined;
  for (size_t i = 0; i < source.parts.size(); ++i) {
    const Source* from = nullptr;
    Operand part = ChooseOf(source.parts[i], true, &from);
    if (trace_) trace_->parts.push_back({from, part});
    if (part.null()) return {Kind::kNull, json::kNone, {}};
    if (part.kind == Kind::kNotUtf8) return part;
    if (i > 0) joined += source.separator;
    joined += TextOf(part);
  }
  return {Kind::kText, json::kNone, arena_.Copy(joined)};
}

Operand Evaluator::Raw(const Source& source, bool text) {
  switch (source.kind) {
    case Source::Kind::kPath:
      return Read(source.path, text ? Mode::kText : Mode::kPlain);
    case Source::Kind::kConstant:
      return {Kind::kText, json::kNone, source.constant};
    case Source::Kind::kJoin:
      return Join(source);
    case Source::Kind::kKafka:
      if (message_->timestamp_type == TimestampType::kNone || message_->timestamp_ms < 0) return {};
      return {Kind::kNumber, json::kNone, {}};
  }
  return {};
}

Operand Evaluator::ChooseOf(std::span<const Source> sources, bool text, const Source** source) {
  for (size_t i = 0; i < sources.size();) {
    const Source& candidate = sources[i];
    Operand operand = Raw(candidate, text || candidate.extract || candidate.has_map);
    if (operand.kind == Kind::kText && operand.text.empty()) {
      if (trace_) trace_->unlearnable = true;
      operand.kind = Kind::kNull;
    }
    if (operand.null()) {
      ++i;
      continue;
    }
    if (Transform(candidate, &operand)) {
      *source = &candidate;
      return operand;
    }
    if (trace_) trace_->unlearnable = true;  // another value may be picked next time
    i = candidate.group_end;
  }
  *source = nullptr;
  return {Kind::kNull, json::kNone, {}};
}

Operand Evaluator::Choose(const Selector& selector, const Source** source) {
  const size_t first_part = trace_ ? trace_->parts.size() : 0;
  Operand operand = ChooseOf(selector.sources, selector.type == ColumnType::kText, source);
  if (trace_) trace_->picks.push_back({&selector, *source, operand, first_part});
  return operand;
}

}  // namespace tapedeck::rules
