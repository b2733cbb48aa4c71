#ifndef TAPEDECK_MAPPING_LAYOUT_H_
#define TAPEDECK_MAPPING_LAYOUT_H_

// Layout: what a mapping does with messages of one shape, learned from one of them.
//
// Machines write JSON: message after message has the same names, punctuation and blanks, and only
// the scalars between them differ. A layout holds those fixed bytes (pieces) with the kind of
// scalar between each two (slots), the tests of conditions whose outcome depends on a slot
// (guards), and for each record which slot each field takes. A message that has the pieces and
// passes the guards takes the same way through the mapping as the one it was learned from, so its
// records come from the slots at once. A text that a condition wants (type == "trade") is part of
// the pieces. One array of equal elements may repeat any number of times.
//
// A layout accepts less than JSON: slots hold plain ASCII strings without escapes, numbers, true
// and false. Whatever is unlike (an escape, an empty string, null for a number, a fault, an
// implausible time) makes it decline, and the tree decides. So both ways give the same records and
// the same marks; tests/mapping/differential_test.cc compares them.
//
// Owned by one thread. A layout points into its decoder's Program.

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "mapping/convert.h"
#include "mapping/evaluator.h"
#include "mapping/mapping.h"
#include "mapping/program.h"
#include "model/message_shape.h"

namespace tapedeck::rules {

/// Bytes past the end of a message that matching may read.
inline constexpr size_t kLayoutPadding = 64;

struct Slot {
  const char* text;
  int64_t mantissa;  // where `parsed`
  uint32_t size;
  uint8_t scale;
  bool parsed;
};

enum class SlotKind : uint8_t {
  kNone,        // the piece stands alone
  kText,        // a string that nobody reads, or only tests
  kTextPicked,  // not empty
  kTextNumber,  // not empty, and wanted as a number
  kNumber,      // a number that nobody reads: only its letters are checked
  kNumberRead,
  kFlag,
};

/// Up to 16 fixed bytes, then a slot or none. A longer piece is several steps.
inline constexpr size_t kPieceBytes = 16;
struct PieceStep {
  char bytes[kPieceBytes] = {};
  uint64_t mask[2] = {};  // of the bytes that count
  uint32_t need = 0;      // a bit for each of them
  uint32_t usual = 0;     // size of the slot last time
  uint16_t size = 0;
  SlotKind slot = SlotKind::kNone;
};

/// A slot outside of the repeated element, or in it.
struct SlotRef {
  uint16_t index = 0;
  bool element = false;
  SlotKind kind = SlotKind::kNone;
};

struct Guard {
  const Test* test = nullptr;
  SlotRef slot;
  bool outcome = false;
};

/// How a field gets its value.
struct FieldOp {
  enum class Kind : uint8_t {
    kConstant,
    kDecimal,
    kText,
    kInteger,
    kUnits,
    kAnyTime,
    kGeneric,
    kKafka,
    kJoin
  };
  Kind kind = Kind::kGeneric;
  ColumnType type = ColumnType::kDecimal;
  TimeUnit unit = TimeUnit::kMilliseconds;
  SlotRef slot;
  uint32_t column = 0;
  const Source* source = nullptr;
  tapedeck::Value constant;
  struct Part {
    SlotRef slot;  // kind kNone: `text`
    std::string_view text;
  };
  std::vector<Part> parts;  // kJoin
};

/// The usual field in few bytes: a slot that goes into a column as it is.
struct QuickOp {
  uint8_t kind = 0;     // FieldOp::Kind
  uint8_t element = 0;  // 1: the slot is the element's
  uint16_t slot = 0;
  uint32_t column = 0;
};

struct RecordPlan {
  TableId table{};
  uint32_t rule = 0;
  uint32_t width = 0;
  std::vector<uint32_t> unset;  // columns below `width` that stay null
  FieldOp symbol;
  FieldOp ts;
  std::vector<FieldOp> fields;
  std::vector<QuickOp> quick;  // one for each of `fields`
};

/// A record, or a mark of a condition.
struct EventPlan {
  int record = -1;
  DecodedMark::Kind mark = DecodedMark::Kind::kSkipped;
  std::string_view reason;
};

/// Where a rule's values go.
struct RuleTarget {
  TableId table{};
  size_t width = 0;             // columns up to the last that the rule sets
  std::vector<size_t> columns;  // of each field
};

/// Where a layout puts what it makes.
struct LayoutSink {
  const MessageView* message = nullptr;
  Timestamp latest;  // an event time past this is declined
  std::string_view symbol_prefix;
  Arena* arena = nullptr;
  std::vector<tapedeck::Value>* values = nullptr;
  Decoded* out = nullptr;
};

class Layout {
 public:
  /// `padded` holds `size` bytes of a message and kLayoutPadding bytes more. True: `sink` has its
  /// records and marks. False: nothing was decided; the sink may hold rubbish. `slots` is memory to
  /// work in.
  bool Decode(const char* padded, size_t size, std::vector<Slot>* slots, const LayoutSink& sink);

  bool SameAs(const Layout& other) const;

  /// The slots of the message at `padded` that Decode took last, in order. False where an element
  /// repeats.
  bool SlotRanges(const char* padded, const std::vector<Slot>& slots,
                  std::vector<SlotRange>* out) const;
  /// Given by who keeps it.
  uint64_t number() const { return number_; }
  void set_number(uint64_t number) { number_ = number; }

 private:
  friend class LayoutBuilder;
  struct Segment {
    std::vector<PieceStep> steps;
    size_t slots = 0;
  };
  bool Scan(const char* text, const char* end, std::vector<Slot>* slots, size_t* elements);
  bool PassGuards(const std::vector<Slot>& slots, size_t elements) const;
  bool Build(const RecordPlan& plan, const Slot* const* bases, const LayoutSink& sink,
             DecodedRecord* record, tapedeck::Value* values) const;

  // Message = prefix [ element { separator element } suffix ]; without elements the prefix is all.
  Segment prefix_, element_, separator_, suffix_;
  uint64_t number_ = 0;
  bool repeats_ = false;
  bool has_kafka_time_ = false;
  std::string pieces_;  // all fixed bytes, to tell layouts apart
  std::vector<Guard> outer_guards_, element_guards_;
  std::vector<RecordPlan> records_;
  std::vector<EventPlan> events_;  // of a message, or of an element where it repeats
  size_t values_per_round_ = 0;
  std::deque<std::string> texts_;  // of constants
};

}  // namespace tapedeck::rules

#endif  // TAPEDECK_MAPPING_LAYOUT_H_
