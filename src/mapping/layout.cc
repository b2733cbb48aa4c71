#include "mapping/layout.h"

#include <algorithm>
#include <cstring>

#include "base/limits.h"
#include "base/time.h"
#include "mapping/layout_scan.h"
#include "mapping/layout_scan_sse.h"

namespace tapedeck::rules {
namespace {

#if defined(__x86_64__)
const bool kHasSse41 = __builtin_cpu_supports("sse4.1") != 0;
#endif

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

const Slot& SlotOf(SlotRef ref, const Slot* const* bases) {
  return bases[ref.element ? 1 : 0][ref.index];
}

const char* ScanWith(std::vector<PieceStep>* steps, const char* at, const char* end, Slot* slots) {
#if defined(__x86_64__)
  if (kHasSse41) return scan::ScanSteps16(steps->data(), steps->size(), at, end, slots);
#endif
  return scan::ScanSteps(steps->data(), steps->size(), at, end, slots);
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

bool BuildJoin(const FieldOp& op, const Slot* const* bases, Arena* arena, tapedeck::Value* out) {
  size_t size = op.source->separator.size() * (op.parts.size() - 1);
  auto text = [&](const FieldOp::Part& part) -> std::string_view {
    if (part.slot.kind == SlotKind::kNone) return part.text;
    const Slot& slot = SlotOf(part.slot, bases);
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

/// What BuildQuick does not do.
bool BuildOddField(const FieldOp& op, const Slot* const* bases, const LayoutSink& sink,
                   tapedeck::Value* out) {
  const Slot& slot = SlotOf(op.slot, bases);
  switch (op.kind) {
    case FieldOp::Kind::kConstant:
      *out = op.constant;
      return true;
    case FieldOp::Kind::kUnits:
    case FieldOp::Kind::kAnyTime: {
      Timestamp moment;
      if (!BuildTime(op, &slot, sink, &moment)) return false;
      *out = tapedeck::Value::OfTimestamp(moment);
      return true;
    }
    case FieldOp::Kind::kJoin:
      return BuildJoin(op, bases, sink.arena, out);
    case FieldOp::Kind::kKafka:
      return false;
    default:
      break;
  }
  Operand operand = OperandOf(slot, op.slot.kind);
  return Transform(*op.source, &operand) &&
         Convert(*op.source, op.type, operand, sink.arena, out) == Fault::kNone;
}

/// False: the slot is not what the quick way takes.
inline bool BuildQuick(QuickOp op, const Slot& slot, tapedeck::Value* out) {
  switch (static_cast<FieldOp::Kind>(op.kind)) {
    case FieldOp::Kind::kDecimal:
      if (!slot.parsed) return false;
      *out = tapedeck::Value::OfDecimal({slot.mantissa, slot.scale});
      return true;
    case FieldOp::Kind::kText:
      *out = tapedeck::Value::OfText({slot.text, slot.size});
      return true;
    case FieldOp::Kind::kInteger:
      if (!slot.parsed || slot.scale != 0) return false;
      *out = tapedeck::Value::OfInteger(slot.mantissa);
      return true;
    default:
      return false;
  }
}

/// The symbol without its prefix.
inline bool BuildSymbol(const FieldOp& op, const Slot* const* bases, const LayoutSink& sink,
                        std::string_view* out) {
  if (op.kind == FieldOp::Kind::kText) {
    const Slot& slot = SlotOf(op.slot, bases);
    *out = {slot.text, slot.size};
    return true;
  }
  tapedeck::Value symbol;
  if (!BuildOddField(op, bases, sink, &symbol)) return false;
  *out = symbol.text();
  return true;
}

}  // namespace

bool Layout::Scan(const char* text, const char* end, std::vector<Slot>* slots, size_t* elements) {
  const size_t outer = prefix_.slots + suffix_.slots, each = element_.slots;
  if (slots->size() < outer + each + 1) slots->resize(2 * (outer + each) + 1);
  const char* at = ScanWith(&prefix_.steps, text, end, slots->data());
  *elements = 1;
  if (at == nullptr || !repeats_) return at == end;
  for (size_t i = 0;; ++i) {
    if (slots->size() < outer + (i + 1) * each + 1) slots->resize(2 * slots->size() + each);
    at = ScanWith(&element_.steps, at, end, slots->data() + outer + i * each);
    if (at == nullptr) return false;
    const char* next = ScanWith(&separator_.steps, at, end, nullptr);
    *elements = i + 1;
    if (next == nullptr) break;
    at = next;
  }
  return ScanWith(&suffix_.steps, at, end, slots->data() + prefix_.slots) == end;
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

bool Layout::Build(const RecordPlan& plan, const Slot* const* bases, const LayoutSink& sink,
                   DecodedRecord* record, tapedeck::Value* values) const {
  std::string_view symbol;
  if (!BuildSymbol(plan.symbol, bases, sink, &symbol)) return false;
  if (symbol.size() + sink.symbol_prefix.size() > limits::kSymbolBytesMax) return false;
  record->table = plan.table;
  record->rule = plan.rule;
  record->symbol = symbol;
  if (!sink.symbol_prefix.empty()) record->symbol = sink.arena->Concat(sink.symbol_prefix, symbol);
  if (!BuildTime(plan.ts, &SlotOf(plan.ts.slot, bases), sink, &record->ts)) return false;
  if (record->ts > sink.latest) return false;
  record->ts_source = plan.ts.source->label;
  for (size_t i = 0; i < plan.quick.size(); ++i) {
    const QuickOp op = plan.quick[i];
    tapedeck::Value* out = &values[op.column];
    if (BuildQuick(op, bases[op.element][op.slot], out)) [[likely]]
      continue;
    if (!BuildOddField(plan.fields[i], bases, sink, out)) return false;
  }
  for (uint32_t column : plan.unset) values[column] = tapedeck::Value();
  record->values = {values, plan.width};
  return true;
}

bool Layout::Decode(const char* padded, size_t size, std::vector<Slot>* slots,
                    const LayoutSink& sink) {
  size_t elements = 0;
  if (!Scan(padded, padded + size, slots, &elements) || !PassGuards(*slots, elements)) return false;
  const bool has_time =
      sink.message->timestamp_type != TimestampType::kNone && sink.message->timestamp_ms >= 0;
  if (has_time != has_kafka_time_) return false;
  std::vector<tapedeck::Value>& values = *sink.values;
  const size_t wanted = values_per_round_ * elements;
  if (values.size() < wanted) values.resize(wanted);
  tapedeck::Value* next = values.data();
  const Slot* bases[2] = {slots->data(), slots->data() + prefix_.slots + suffix_.slots};
  for (size_t i = 0; i < elements; ++i, bases[1] += element_.slots) {
    for (const EventPlan& event : events_) {
      if (event.record < 0) {
        if (event.mark == DecodedMark::Kind::kRefused) ++sink.out->refused;
        sink.out->marks.push_back(
            {event.mark, event.reason, static_cast<uint32_t>(sink.out->records.size())});
        continue;
      }
      const RecordPlan& plan = records_[static_cast<size_t>(event.record)];
      DecodedRecord& record = sink.out->records.emplace_back();
      if (!Build(plan, bases, sink, &record, next)) return false;
      next += plan.width;
    }
  }
  return true;
}

bool Layout::SlotRanges(const char* padded, const std::vector<Slot>& slots,
                        std::vector<SlotRange>* out) const {
  if (repeats_) return false;
  out->resize(prefix_.slots);
  for (size_t i = 0; i < prefix_.slots; ++i) {
    (*out)[i] = {static_cast<uint32_t>(slots[i].text - padded), slots[i].size};
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
