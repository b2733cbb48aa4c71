#include "mapping/layout_builder.h"

#include <algorithm>
#include <bit>
#include <cstring>

namespace tapedeck::rules {
namespace {

constexpr size_t kSlotsMax = 500;

bool PlainText(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) {
    auto byte = static_cast<unsigned char>(c);
    return byte >= 0x20 && byte < 0x80 && c != '"' && c != '\\';
  });
}

bool OfNumberLetters(std::string_view text) {
  return !text.empty() && (text[0] == '-' || (text[0] >= '0' && text[0] <= '9')) &&
         text.find_first_not_of("0123456789+-.eE") == std::string_view::npos;
}

bool OuterIndex(const Path& path) {
  return (path.start == Path::Start::kUp || path.start == Path::Start::kRoot) &&
         std::any_of(path.steps.begin(), path.steps.end(),
                     [](const Step& s) { return s.kind == Step::Kind::kIndex; });
}

bool OuterIndex(const std::vector<Source>& sources) {
  return std::any_of(sources.begin(), sources.end(), [](const Source& s) {
    return OuterIndex(s.path) || std::any_of(s.parts.begin(), s.parts.end(),
                                             [](const auto& part) { return OuterIndex(part); });
  });
}

bool OuterIndex(const std::vector<Condition>& conditions) {
  return std::any_of(conditions.begin(), conditions.end(), [](const Condition& c) {
    return std::any_of(c.tests.begin(), c.tests.end(),
                       [](const Test& t) { return OuterIndex(t.path); });
  });
}

bool OuterIndex(const Rule& rule) {
  return OuterIndex(rule.when) || OuterIndex(rule.symbol.sources) || OuterIndex(rule.ts.sources) ||
         std::any_of(rule.fields.begin(), rule.fields.end(),
                     [](const Selector& f) { return OuterIndex(f.sources); }) ||
         std::any_of(rule.each.begin(), rule.each.end(),
                     [](const Path& p) { return OuterIndex(p); });
}

bool IsUnit(TimeForm form) { return form >= TimeForm::kSeconds && form <= TimeForm::kNanoseconds; }

void Sign(uint64_t number, std::string* signature) {
  signature->append(reinterpret_cast<const char*>(&number), sizeof(number));
}
void Sign(const void* pointer, std::string* signature) {
  Sign(reinterpret_cast<uintptr_t>(pointer), signature);
}
void Sign(SlotRef slot, std::string* signature) {
  Sign(uint64_t{slot.index} * 256 + uint64_t{slot.element} * 16 + static_cast<uint64_t>(slot.kind),
       signature);
}

}  // namespace

std::unique_ptr<Layout> LayoutBuilder::Build(bool has_kafka_time) {
  if (trace_.unlearnable || trace_.events.empty()) return nullptr;
  layout_ = std::make_unique<Layout>();
  layout_->has_kafka_time_ = has_kafka_time;
  uses_.assign(tree_.size(), {});
  if (!NoteTests() || !NotePicks() || !Segments() || !Guards() || !Events()) return nullptr;
  return std::move(layout_);
}

bool LayoutBuilder::NoteTests() {
  for (const Trace::TestStep& step : trace_.tests) {
    const bool compares = step.test->op == Test::Op::kEqual || step.test->op == Test::Op::kDiffer;
    if (!compares || !Leaf(step.operand.node)) continue;
    NodeUse& use = uses_[step.operand.node];
    use.read = true;
    const bool equal = (step.test->op == Test::Op::kEqual) == step.outcome;
    switch (step.test->literal.kind) {
      case Literal::Kind::kText:
        use.baked = use.baked || (equal && step.operand.kind == Operand::Kind::kText);
        break;
      case Literal::Kind::kNumber:
        use.number = true;
        break;
      case Literal::Kind::kTrue:
      case Literal::Kind::kFalse:
        use.baked = use.baked || step.operand.kind == Operand::Kind::kTrue ||
                    step.operand.kind == Operand::Kind::kFalse;
        break;
      case Literal::Kind::kNull:
        break;
    }
  }
  return true;
}

void LayoutBuilder::NotePick(uint32_t node, const Source& source, ColumnType type) {
  NodeUse& use = uses_[node];
  use.read = use.picked = true;
  if (!source.plain()) return;
  const bool time =
      type == ColumnType::kTimestamp && (source.time == TimeForm::kAny || IsUnit(source.time));
  use.number = use.number || type == ColumnType::kDecimal || type == ColumnType::kInteger || time;
}

bool LayoutBuilder::NotePicks() {
  for (const Trace::Pick& pick : trace_.picks) {
    if (pick.source == nullptr || pick.source->kind != Source::Kind::kPath) continue;
    if (!Leaf(pick.operand.node)) return false;  // the JSON of a container
    NotePick(pick.operand.node, *pick.source, pick.selector->type);
  }
  for (const Trace::Part& part : trace_.parts) {
    if (part.source == nullptr || part.source->kind == Source::Kind::kJoin || !part.source->plain())
      return false;
    if (part.source->kind != Source::Kind::kPath) continue;
    if (!Leaf(part.operand.node)) return false;
    NotePick(part.operand.node, *part.source, ColumnType::kText);
  }
  return true;
}

/// kNone: part of the piece.
SlotKind LayoutBuilder::KindOf(uint32_t node) const {
  const NodeUse& use = uses_[node];
  if (use.baked) return SlotKind::kNone;
  if (tree_.node(node).type == json::Type::kString) {
    return use.picked ? (use.number ? SlotKind::kTextNumber : SlotKind::kTextPicked)
                      : (use.number ? SlotKind::kTextNumber : SlotKind::kText);
  }
  std::string_view token = tree_.Raw(node);
  if (token == "true" || token == "false") return SlotKind::kFlag;
  if (OfNumberLetters(token)) return use.read ? SlotKind::kNumberRead : SlotKind::kNumber;
  return SlotKind::kNone;
}

void LayoutBuilder::AddPiece(std::string_view piece, SlotKind slot, Layout::Segment* out,
                             std::string* pieces) {
  pieces->append(piece);
  pieces->push_back('\0');
  pieces->push_back(static_cast<char>(slot));
  do {
    const size_t bytes = std::min(kPieceBytes, piece.size());
    PieceStep step;
    char mask[kPieceBytes] = {};
    std::memcpy(step.bytes, piece.data(), bytes);
    std::memset(mask, 0xff, bytes);
    std::memcpy(step.mask, mask, sizeof(mask));
    step.need = (uint32_t{1} << bytes) - 1;
    step.size = static_cast<uint16_t>(bytes);
    piece.remove_prefix(bytes);
    if (piece.empty()) step.slot = slot;
    out->steps.push_back(step);
  } while (!piece.empty());
}

/// The pieces and slots of text [from, to), whose first value is `first_node`. Slots are numbered
/// from `base`.
bool LayoutBuilder::AddSegment(uint32_t from, uint32_t to, uint32_t first_node, bool element,
                               size_t base, Layout::Segment* out, std::string* pieces) {
  std::string_view text = tree_.text();
  for (uint32_t node = first_node; node < tree_.size() && tree_.node(node).begin < to; ++node) {
    if (tree_.node(node).type < json::Type::kString || tree_.node(node).begin < from) continue;
    const SlotKind kind = KindOf(node);
    if (kind == SlotKind::kNone) continue;
    if (tree_.node(node).type == json::Type::kString && !PlainText(tree_.Raw(node))) return false;
    if (base + out->slots >= kSlotsMax) return false;
    uses_[node].slot = {static_cast<uint16_t>(base + out->slots), element, kind};
    ++out->slots;
    AddPiece(text.substr(from, tree_.node(node).begin - from), kind, out, pieces);
    from = tree_.node(node).end;
  }
  AddPiece(text.substr(from, to - from), SlotKind::kNone, out, pieces);
  return true;
}

bool LayoutBuilder::CanRepeat() const {
  if (units_.stride != 2 || units_.size() == 0) return false;
  const Level& first = units_.at(0)[1];
  if (!first.element || first.node == 0) return false;
  const uint32_t array = first.node - 1;
  if (tree_.node(array).type != json::Type::kArray) return false;
  uint32_t child = tree_.First(array);
  for (size_t i = 0; i < units_.size(); ++i) {
    if (child != units_.at(i)[1].node || tree_.node(child).type >= json::Type::kString)
      return false;
    child = tree_.Next(array, child);
    if (child == json::kNone && i + 1 != units_.size()) return false;
  }
  if (child != json::kNone) return false;
  auto has_index = [](const Path& path) {
    return std::any_of(path.steps.begin(), path.steps.end(),
                       [](const Step& s) { return s.kind == Step::Kind::kIndex; });
  };
  return !std::any_of(program_.each.begin(), program_.each.end(), has_index) &&
         !OuterIndex(program_.refuse) && !OuterIndex(program_.skip) &&
         !std::any_of(program_.rules.begin(), program_.rules.end(),
                      [](const Rule& r) { return OuterIndex(r); });
}

bool LayoutBuilder::FlatSegments() {
  return AddSegment(0, static_cast<uint32_t>(tree_.text().size()), 0, false, 0, &layout_->prefix_,
                    &layout_->pieces_);
}

bool LayoutBuilder::RepeatedSegments() {
  const auto size = static_cast<uint32_t>(tree_.text().size());
  const size_t count = units_.size();
  auto node = [&](size_t i) -> const json::Node& { return tree_.node(units_.at(i)[1].node); };
  layout_->repeats_ = true;
  std::string* pieces = &layout_->pieces_;
  if (!AddSegment(0, node(0).begin, 0, false, 0, &layout_->prefix_, pieces)) return false;
  std::string first;
  if (!AddSegment(node(0).begin, node(0).end, units_.at(0)[1].node, true, 0, &layout_->element_,
                  &first))
    return false;
  std::string_view separator = ",";
  for (size_t i = 1; i < count; ++i) {
    std::string_view between =
        tree_.text().substr(node(i - 1).end, node(i).begin - node(i - 1).end);
    if (i > 1 && between != separator) return false;
    separator = between;
    Layout::Segment other;
    std::string others;
    if (!AddSegment(node(i).begin, node(i).end, units_.at(i)[1].node, true, 0, &other, &others))
      return false;
    if (others != first) return false;
  }
  *pieces += first;
  AddPiece(separator, SlotKind::kNone, &layout_->separator_, pieces);
  return AddSegment(node(count - 1).end, size, tree_.node(units_.at(count - 1)[1].node).next, false,
                    layout_->prefix_.slots, &layout_->suffix_, pieces);
}

bool LayoutBuilder::Segments() { return CanRepeat() ? RepeatedSegments() : FlatSegments(); }

int LayoutBuilder::UnitOf(uint32_t node) const {
  if (!layout_->repeats_) return 0;
  for (size_t i = 0; i < units_.size(); ++i) {
    uint32_t unit = units_.at(i)[1].node;
    if (node >= unit && node < tree_.node(unit).next) return static_cast<int>(i);
  }
  return -1;
}

bool LayoutBuilder::Guards() {
  std::vector<std::vector<Guard>> guards(layout_->repeats_ ? units_.size() : 1);
  auto add = [](const Guard& guard, std::vector<Guard>* to) {
    for (const Guard& g : *to) {
      if (g.test == guard.test && g.slot.index == guard.slot.index) return;
    }
    to->push_back(guard);
  };
  for (const Trace::TestStep& step : trace_.tests) {
    const bool compares = step.test->op == Test::Op::kEqual || step.test->op == Test::Op::kDiffer;
    const Literal::Kind literal = step.test->literal.kind;
    if (!compares || literal == Literal::Kind::kNull || !Leaf(step.operand.node)) continue;
    const SlotRef slot = uses_[step.operand.node].slot;
    if (slot.kind == SlotKind::kNone) continue;  // baked, or a constant
    Guard guard{step.test, slot, step.outcome};
    const int unit = slot.element ? UnitOf(step.operand.node) : -1;
    add(guard, unit < 0 ? &layout_->outer_guards_ : &guards[static_cast<size_t>(unit)]);
  }
  layout_->element_guards_ = guards[0];
  return std::all_of(guards.begin(), guards.end(), [&](const std::vector<Guard>& other) {
    return std::equal(other.begin(), other.end(), guards[0].begin(), guards[0].end(),
                      [](const Guard& a, const Guard& b) {
                        return a.test == b.test && a.slot.index == b.slot.index &&
                               a.outcome == b.outcome;
                      });
  });
}

bool LayoutBuilder::PlanConstant(const Trace::Pick& pick, FieldOp* op) {
  op->kind = FieldOp::Kind::kConstant;
  Operand operand = pick.operand;
  operand.text = layout_->texts_.emplace_back(operand.text);
  if (Convert(*pick.source, pick.selector->type, operand, &arena_, &op->constant) != Fault::kNone)
    return false;
  return op->constant.kind() !=
         tapedeck::Value::Kind::kDecimalText;  // its text would be in this builder's arena
}

bool LayoutBuilder::PlanJoin(const Trace::Pick& pick, FieldOp* op, std::string* signature) {
  op->kind = FieldOp::Kind::kJoin;
  if (!pick.source->plain()) return false;
  for (size_t i = 0; i < pick.source->parts.size(); ++i) {
    const Trace::Part& part = trace_.parts[pick.first_part + i];
    FieldOp::Part out;
    if (Leaf(part.operand.node)) out.slot = uses_[part.operand.node].slot;
    if (out.slot.kind == SlotKind::kNone)
      out.text = layout_->texts_.emplace_back(TextOf(part.operand));
    Sign(out.slot, signature);
    op->parts.push_back(out);
  }
  return true;
}

bool LayoutBuilder::PlanField(const Trace::Pick& pick, FieldOp* op, std::string* signature) {
  const Source& source = *pick.source;
  op->source = &source;
  op->type = pick.selector->type;
  Sign(pick.source, signature);
  if (source.kind == Source::Kind::kKafka) {
    op->kind = FieldOp::Kind::kKafka;
    return true;
  }
  if (source.kind == Source::Kind::kJoin) {
    // Parts are in order only where each was picked from one source at once.
    const size_t parts = source.parts.size();
    return pick.first_part + parts <= trace_.parts.size() && op->type == ColumnType::kText &&
           PlanJoin(pick, op, signature);
  }
  if (source.kind == Source::Kind::kPath) op->slot = uses_[pick.operand.node].slot;
  Sign(op->slot, signature);
  if (op->slot.kind == SlotKind::kNone) return PlanConstant(pick, op);
  op->kind = FieldOp::Kind::kGeneric;
  if (!source.plain()) return true;
  switch (op->type) {
    case ColumnType::kDecimal:
      op->kind = FieldOp::Kind::kDecimal;
      break;
    case ColumnType::kInteger:
      op->kind = FieldOp::Kind::kInteger;
      break;
    case ColumnType::kText:
      op->kind = FieldOp::Kind::kText;
      break;
    case ColumnType::kFlag:
      break;
    case ColumnType::kTimestamp:
      if (source.time == TimeForm::kAny) op->kind = FieldOp::Kind::kAnyTime;
      if (IsUnit(source.time)) {
        op->kind = FieldOp::Kind::kUnits;
        op->unit = static_cast<TimeUnit>(static_cast<int>(source.time) -
                                         static_cast<int>(TimeForm::kSeconds));
      }
      break;
  }
  return op->slot.kind != SlotKind::kFlag || op->type == ColumnType::kText ||
         op->type == ColumnType::kFlag;
}

bool LayoutBuilder::PlanRecord(const Trace::Event& event, RecordPlan* plan,
                               std::string* signature) {
  const Rule& rule = program_.rules[static_cast<size_t>(event.rule)];
  const RuleTarget& target = targets_[static_cast<size_t>(event.rule)];
  if (event.first_pick + 2 + rule.fields.size() > trace_.picks.size()) return false;
  const Trace::Pick* pick = &trace_.picks[event.first_pick];
  plan->table = target.table;
  plan->rule = static_cast<uint32_t>(event.rule);
  plan->width = static_cast<uint32_t>(target.width);
  Sign(static_cast<uint64_t>(event.rule), signature);
  if (pick[0].source == nullptr || pick[1].source == nullptr) return false;
  if (!PlanField(pick[0], &plan->symbol, signature) || !PlanField(pick[1], &plan->ts, signature))
    return false;
  if (plan->ts.kind == FieldOp::Kind::kJoin) return false;
  for (size_t i = 0; i < rule.fields.size(); ++i) {
    Sign(pick[2 + i].source, signature);
    if (pick[2 + i].source == nullptr) continue;
    FieldOp op;
    op.column = static_cast<uint32_t>(target.columns[i]);
    if (!PlanField(pick[2 + i], &op, signature)) return false;
    plan->quick.push_back(
        {static_cast<uint8_t>(op.kind), uint8_t{op.slot.element}, op.slot.index, op.column});
    plan->fields.push_back(std::move(op));
  }
  for (uint32_t column = 0; column < plan->width; ++column) {
    auto sets = [column](const FieldOp& op) { return op.column == column; };
    if (std::none_of(plan->fields.begin(), plan->fields.end(), sets)) plan->unset.push_back(column);
  }
  return true;
}

bool LayoutBuilder::Events() {
  const size_t units = layout_->repeats_ ? units_.size() : 1;
  std::vector<std::string> signatures(units);
  for (const Trace::Event& event : trace_.events) {
    const size_t unit = layout_->repeats_ ? event.unit : 0;
    if (unit >= units) return false;
    EventPlan plan;
    std::string* signature = &signatures[unit];
    Sign(static_cast<uint64_t>(event.rule + 1), signature);
    if (event.rule < 0) {
      plan.mark = event.mark.kind;
      plan.reason = event.mark.reason;
      Sign(plan.reason.data(), signature);
    } else {
      RecordPlan record;
      if (!PlanRecord(event, &record, signature)) return false;
      if (unit == 0) {
        plan.record = static_cast<int>(layout_->records_.size());
        layout_->values_per_round_ += record.width;
        layout_->records_.push_back(std::move(record));
      }
    }
    if (unit == 0) layout_->events_.push_back(plan);
  }
  return std::all_of(signatures.begin(), signatures.end(),
                     [&](const std::string& s) { return s == signatures[0]; });
}

}  // namespace tapedeck::rules
