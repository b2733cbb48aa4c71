#ifndef TAPEDECK_MAPPING_EVALUATOR_H_
#define TAPEDECK_MAPPING_EVALUATOR_H_

// Evaluator: runs paths, conditions, `each` and selectors on the tree of one message.
//
// Where a path starts is a stack of levels: the message at its bottom, then one level per `*` of
// `each`, the unit or element on top. Whatever scalar or string is read is checked against JSON's
// grammar there; a bad one sets not_json() and reads as null.
//
// Owned by one thread. Operands are valid until the next Start.

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "mapping/convert.h"
#include "mapping/json_tree.h"
#include "mapping/mapping.h"
#include "mapping/program.h"

namespace tapedeck::rules {

struct Level {
  uint32_t node = 0;
  uint32_t position = 0;
  bool element = false;  // of an array: its name is its position
};

/// What was asked of a message and what came of it, for learning its layout.
struct Trace {
  struct TestStep {
    const Test* test;
    Operand operand;
    bool outcome;
  };
  struct Part {
    const Source* source;
    Operand operand;
  };
  struct Pick {
    const Selector* selector;
    const Source* source;  // null: the selector is null
    Operand operand;
    size_t first_part;  // of a join, in `parts`
  };
  /// A record (of `rule`, whose picks start at first_pick: symbol, ts, fields) or a mark.
  struct Event {
    size_t unit = 0;
    int rule = -1;
    size_t first_pick = 0;
    DecodedMark mark;
  };
  std::vector<TestStep> tests;
  std::vector<Part> parts;
  std::vector<Pick> picks;
  std::vector<Event> events;
  /// Something was asked whose answer is not in the message's shape and slots alone.
  bool unlearnable = false;
  void Clear();
};

/// Levels of many units or elements, `stride` each.
struct Places {
  size_t stride = 0;
  bool too_many = false;
  std::vector<Level> levels;

  size_t size() const { return stride == 0 ? 0 : levels.size() / stride; }
  std::span<const Level> at(size_t i) const { return {levels.data() + i * stride, stride}; }
};

class Evaluator {
 public:
  explicit Evaluator(bool accept_nan) : accept_nan_(accept_nan) {}

  /// `trace` may be null.
  void Start(const TopicPartition& tp, const MessageView& message, const json::Tree& tree,
             Trace* trace);
  bool not_json() const { return not_json_; }
  Arena* arena() { return &arena_; }

  /// Where the paths that follow start.
  void Stand(std::span<const Level> levels) { levels_.assign(levels.begin(), levels.end()); }
  std::span<const Level> levels() const { return levels_; }

  /// The first condition that holds, or null.
  const Condition* FirstThatHolds(std::span<const Condition> conditions);
  /// The first of `each` that fits, its places in `out`; false where none fits.
  bool Expand(std::span<const Path> each, Places* out);
  /// The operand of the first source that gives one (after join, extract and map), and that source;
  /// else null and kNull. A source of kind kKafka gives kNumber without text if the message has a
  /// time.
  Operand Choose(const Selector& selector, const Source** source);

 private:
  enum class Mode : uint8_t { kExists, kPlain, kText };
  bool Holds(const Test& test);
  Operand Read(const Path& path, Mode mode);
  Operand ReadKafka(const Path& path);
  Operand ReadNode(uint32_t node, Mode mode);
  Operand ReadText(std::string_view raw, uint32_t node);
  Operand OfBytes(const OptionalBytes& bytes);
  uint32_t Descend(const Path& path, uint32_t node) const;
  void Walk(const Path& path, size_t step, uint32_t node, Level arrived, size_t last_star,
            bool* fits, Places* out);
  Operand Raw(const Source& source, bool text);
  Operand Join(const Source& source);
  Operand ChooseOf(std::span<const Source> sources, bool text, const Source** source);

  const bool accept_nan_;
  const TopicPartition* tp_ = nullptr;
  const MessageView* message_ = nullptr;
  const json::Tree* tree_ = nullptr;
  Trace* trace_ = nullptr;
  bool not_json_ = false;
  Arena arena_;
  std::vector<Level> levels_;
  std::vector<Level> walk_;
};

}  // namespace tapedeck::rules

#endif  // TAPEDECK_MAPPING_EVALUATOR_H_
