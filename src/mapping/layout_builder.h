#ifndef TAPEDECK_MAPPING_LAYOUT_BUILDER_H_
#define TAPEDECK_MAPPING_LAYOUT_BUILDER_H_

// LayoutBuilder: learns a Layout from a message that the tree has decoded without a fault, and the
// trace of how.
//
// Owned by one thread; used once.

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "mapping/layout.h"

namespace tapedeck::rules {

class LayoutBuilder {
 public:
  /// All arguments outlive the call of Build; `program` outlives the layout. `units`: the places of
  /// the mapping's `each`, or no places where the message was its own unit.
  LayoutBuilder(const Program& program, const std::vector<RuleTarget>& targets,
                const json::Tree& tree, const Trace& trace, const Places& units)
      : program_(program), targets_(targets), tree_(tree), trace_(trace), units_(units) {}

  /// Null where the message's way through the mapping cannot be told from its shape.
  std::unique_ptr<Layout> Build(bool has_kafka_time);

 private:
  struct NodeUse {
    bool read = false;
    bool picked = false;
    bool number = false;
    bool baked = false;
    SlotRef slot;
  };
  bool NoteTests();
  bool NotePicks();
  void NotePick(uint32_t node, const Source& source, ColumnType type);
  bool Segments();
  bool FlatSegments();
  bool RepeatedSegments();
  bool CanRepeat() const;
  bool AddSegment(uint32_t from, uint32_t to, uint32_t first_node, bool element, size_t base,
                  Layout::Segment* out, std::string* pieces);
  SlotKind KindOf(uint32_t node) const;
  void AddPiece(std::string_view piece, SlotKind slot, Layout::Segment* out, std::string* pieces);
  bool Guards();
  bool Events();
  bool PlanRecord(const Trace::Event& event, RecordPlan* plan, std::string* signature);
  bool PlanField(const Trace::Pick& pick, FieldOp* op, std::string* signature);
  bool PlanJoin(const Trace::Pick& pick, FieldOp* op, std::string* signature);
  bool PlanConstant(const Trace::Pick& pick, FieldOp* op);
  bool Leaf(uint32_t node) const {
    return node != json::kNone && tree_.node(node).type >= json::Type::kString;
  }
  /// The unit whose value holds `node`, or -1.
  int UnitOf(uint32_t node) const;

  const Program& program_;
  const std::vector<RuleTarget>& targets_;
  const json::Tree& tree_;
  const Trace& trace_;
  const Places& units_;
  std::vector<NodeUse> uses_;
  std::unique_ptr<Layout> layout_;
  Arena arena_;
};

}  // namespace tapedeck::rules

#endif  // TAPEDECK_MAPPING_LAYOUT_BUILDER_H_
