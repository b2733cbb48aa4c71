#include "mapping/layout.h"

#include <algorithm>
#include <cstring>

#include "base/limits.h"
#include "base/time.h"
#include "mapping/layout_scan.h"

namespace tapedeck::rules {
namespace {

Operand OperandOf(const Slot& slot, SlotKind kind) {
  Operand operand{Operand::Kind::kText, json::kNone, {slot.text, slot.size}};
  if (kind == SlotKind::kNumber || kind == SlotKind::kNumberRead)
    operand.kind = Operand::Kind::kNumber;
  if (kind == SlotKind::kFlag)
    operand.kind = slot.text[0] == 't' ? Operand::Kind::kTrue : Operand::Kind::kFalse;
  return operand;
}

bool Passes(const Guard& guard, const Slot& slot) {
  bool equal = false;
  const Literal& literal = guard.test->literal;
  if (literal.kind == Literal::Kind::kNumber && slot.parsed &&
      literal.number.form == DecimalForm::kDecimal) {
    equal = EqualValue({slot.mantissa, slot.scale}, literal.number.decimal);
  } else {
    equal = Matches(literal, OperandOf(slot, guard.slot.kind));
  }
  return (equal == (guard.test->op == Test::Op::kEqual)) == guard.outcome;
}

const Slot& SlotOf(SlotRef ref, const Slot* outer, const Slot* element) {
  return ref.element ? element[ref.index] : outer[ref.index];
}

bool ToNanos(int64_t count, TimeUnit unit, Timestamp* out) {
  int64_t ns = 0;
  if (__builtin_mul_overflow(count, NanosPer(unit), &ns)) return false;
  *out = Timestamp(ns);
  return true;
}

/// What FieldOp::Kind::kUnits, kAnyTime, kKafka and kGeneric make of a moment.
bool BuildTime(const FieldOp& op, const Slot* slot, const LayoutSink& sink, Timestamp* out) {
  switch (op.kind) {
    case FieldOp::Kind::kKafka:
      return ToNanos(sink.message->timestamp_ms, TimeUnit::kMilliseconds, out);
    case FieldOp::Kind::kConstant:
      *out = op.constant.timestamp();
      return true;
    case FieldOp::Kind::kUnits:
      if (slot->parsed && slot->scale == 0) return ToNanos(slot->mantissa, op.unit, out);
      break;
    case FieldOp::Kind::kAnyTime:
      if (TimeUnit unit{}; slot->parsed && slot->scale == 0) {
        return UnitBySize(slot->mantissa, &unit) && ToNanos(slot->mantissa, unit, out);
      }
      break;
    default:
      break;
  }
  Operand operand = OperandOf(*slot, op.slot.kind);
  return Transform(*op.source, &operand) && ConvertTime(*op.source, operand, out) == Fault::kNone;
}

bool BuildJoin(const FieldOp& op, const Slot* outer, const Slot* element, Arena* arena,
               tapedeck::Value* out) {
  size_t size = op.source->separator.size() * (op.parts.size() - 1);
  auto text = [&](const FieldOp::Part& part) -> std::string_view {
    if (part.slot.kind == SlotKind::kNone) return part.text;
    const Slot& slot = SlotOf(part.slot, outer, element);
    return {slot.text, slot.size};
  };
  for (const FieldOp::Part& part : op.parts) size += text(part).size();
  if (size > limits::kTextBytesMax) return false;
  char* joined = arena->Take(size);
  char* end = joined;
  for (size_t i = 0; i < op.parts.size(); ++i) {
    if (i > 0) end = std::copy(op.source->separator.begin(), op.source->separator.end(), end);
    std::string_view part = text(op.parts[i]);
    end = std::copy(part.begin(), part.end(), end);
  }
  *out = tapedeck::Value::OfText({joined, size});
  return true;
}

bool BuildField(const FieldOp& op, const Slot* outer, const Slot* element, const LayoutSink& sink,
                tapedeck::Value* out) {
  const Slot& slot = SlotOf(op.slot, outer, element);
  switch (op.kind) {
    case FieldOp::Kind::kConstant:
      *out = op.constant;
      return true;
    case FieldOp::Kind::kDecimal:
      if (!slot.parsed) break;
      *out = tapedeck::Value::OfDecimal({slot.mantissa, slot.scale});
      return true;
    case FieldOp::Kind::kText:
      *out = tapedeck::Value::OfText({slot.text, slot.size});
      return true;
    case FieldOp::Kind::kInteger:
      if (!slot.parsed || slot.scale != 0) break;
      *out = tapedeck::Value::OfInteger(slot.mantissa);
      return true;
    case FieldOp::Kind::kUnits:
    case FieldOp::Kind::kAnyTime: {
      Timestamp moment;
      if (!BuildTime(op, &slot, sink, &moment)) return false;
      *out = tapedeck::Value::OfTimestamp(moment);
      return true;
    }
    case FieldOp::Kind::kJoin:
      return BuildJoin(op, outer, element, sink.arena, out);
    case FieldOp::Kind::kKafka:
      return false;
    case FieldOp::Kind::kGeneric:
      break;
  }
  Operand operand = OperandOf(slot, op.slot.kind);
  return Transform(*op.source, &operand) &&
         Convert(*op.source, op.type, operand, sink.arena, out) == Fault::kNone;
}

}  // namespace

const char* Layout::ScanSegment(const Segment& segment, const char* at, const char* end,
                                Slot* slots) const {
  for (const PieceStep& step : segment.steps) {
    const PieceWord* word = words_.data() + step.first_word;
    const char* piece = at;
    uint64_t differ = 0;
    for (uint32_t i = 0; i < step.words; ++i, ++word, piece += 8) {
      differ |= (scan::Load(piece) ^ word->pattern) & word->mask;
      if (differ != 0 || piece >= end) return nullptr;
    }
    at += step.size;
    if (step.slot == SlotKind::kNone) continue;
    if (at >= end) return nullptr;
    at = scan::ScanSlot(step.slot, at, end, slots++);
    if (at == nullptr) return nullptr;
  }
  return at <= end ? at : nullptr;
}

bool Layout::Scan(const char* text, const char* end, std::vector<Slot>* slots,
                  size_t* elements) const {
  const size_t outer = prefix_.slots + suffix_.slots, each = element_.slots;
  if (slots->size() < outer + each + 1) slots->resize(2 * (outer + each) + 1);
  const char* at = ScanSegment(prefix_, text, end, slots->data());
  *elements = 1;
  if (at == nullptr || !repeats_) return at == end;
  for (size_t i = 0;; ++i) {
    if (slots->size() < outer + (i + 1) * each + 1) slots->resize(2 * slots->size() + each);
    at = ScanSegment(element_, at, end, slots->data() + outer + i * each);
    if (at == nullptr) return false;
    const char* next = ScanSegment(separator_, at, end, nullptr);
    *elements = i + 1;
    if (next == nullptr) break;
    at = next;
  }
  return ScanSegment(suffix_, at, end, slots->data() + prefix_.slots) == end;
}

bool Layout::PassGuards(const std::vector<Slot>& slots, size_t elements) const {
  for (const Guard& guard : outer_guards_) {
    if (!Passes(guard, slots[guard.slot.index])) return false;
  }
  if (element_guards_.empty()) return true;
  const Slot* element = slots.data() + prefix_.slots + suffix_.slots;
  for (size_t i = 0; i < elements; ++i, element += element_.slots) {
    for (const Guard& guard : element_guards_) {
      if (!Passes(guard, element[guard.slot.index])) return false;
    }
  }
  return true;
}

bool Layout::Build(const RecordPlan& plan, const Slot* outer, const Slot* element,
                   const LayoutSink& sink, DecodedRecord* record, tapedeck::Value* values) const {
  tapedeck::Value symbol;
  if (!BuildField(plan.symbol, outer, element, sink, &symbol)) return false;
  if (symbol.text().size() + sink.symbol_prefix.size() > limits::kSymbolBytesMax) return false;
  record->table = plan.table;
  record->symbol = symbol.text();
  if (!sink.symbol_prefix.empty())
    record->symbol = sink.arena->Concat(sink.symbol_prefix, symbol.text());
  if (!BuildTime(plan.ts, &SlotOf(plan.ts.slot, outer, element), sink, &record->ts)) return false;
  if (record->ts > sink.latest) return false;
  record->ts_source = plan.ts.source->label;
  for (const FieldOp& op : plan.fields) {
    if (!BuildField(op, outer, element, sink, &values[op.column])) return false;
  }
  record->values = {values, plan.width};
  return true;
}

bool Layout::Decode(const char* padded, size_t size, std::vector<Slot>* slots,
                    const LayoutSink& sink) const {
  size_t elements = 0;
  if (!Scan(padded, padded + size, slots, &elements) || !PassGuards(*slots, elements)) return false;
  const bool has_time =
      sink.message->timestamp_type != TimestampType::kNone && sink.message->timestamp_ms >= 0;
  if (has_time != has_kafka_time_) return false;
  std::vector<tapedeck::Value>& values = *sink.values;
  values.assign(values_per_round_ * elements, tapedeck::Value());
  tapedeck::Value* next = values.data();
  const Slot* outer = slots->data();
  const Slot* element = outer + prefix_.slots + suffix_.slots;
  for (size_t i = 0; i < elements; ++i, element += element_.slots) {
    for (const EventPlan& event : events_) {
      if (event.record < 0) {
        if (event.mark == DecodedMark::Kind::kRefused) ++sink.out->refused;
        sink.out->marks.push_back(
            {event.mark, event.reason, static_cast<uint32_t>(sink.out->records.size())});
        continue;
      }
      const RecordPlan& plan = records_[static_cast<size_t>(event.record)];
      DecodedRecord& record = sink.out->records.emplace_back();
      if (!Build(plan, outer, element, sink, &record, next)) return false;
      next += plan.width;
    }
  }
  return true;
}

bool Layout::SameAs(const Layout& other) const {
  auto same = [](const std::vector<Guard>& a, const std::vector<Guard>& b) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const Guard& x, const Guard& y) {
      return x.test == y.test && x.slot.index == y.slot.index && x.outcome == y.outcome;
    });
  };
  return pieces_ == other.pieces_ && has_kafka_time_ == other.has_kafka_time_ &&
         same(outer_guards_, other.outer_guards_) && same(element_guards_, other.element_guards_);
}

}  // namespace tapedeck::rules
