#ifndef TAPEDECK_NODE_PLAN_H_
#define TAPEDECK_NODE_PLAN_H_

// RecordingPlan: what a configuration means for a node: each topic with its mapping compiled, all
// tables with their columns, and the checks that need more than one module (mappings, tables, Kafka
// properties).
//
//   TD_ASSIGN_OR_RETURN(RecordingPlan plan, PlanRecording(config, TableRegistry(), NoRows));
//   for (const RecordTopic& topic : plan.topics) …
//
// `tapedeck config check` makes a plan and throws it away; a node makes it on top of the tables
// that its store has.
//
// A topic takes the entry with its name, else the first pattern that fits it in the order of the
// configuration.
//
// Thread-safe: pure functions on values.

#include <functional>
#include <string>
#include <vector>

#include "base/status.h"
#include "config/config.h"
#include "mapping/mapping.h"
#include "model/table.h"
#include "record/recorder.h"
#include "store/store.h"

namespace tapedeck {

struct RecordingPlan {
  std::vector<RecordTopic> topics;
  TableRegistry tables;
  std::vector<std::string> warnings;
};

/// Makes a client with the configuration's properties and ends it: librdkafka says which it does
/// not know, and what it does not take. No broker is needed. kInvalidArgument.
Status CheckKafkaClient(const Config& config);

/// Whether there are rows of a table: its day and identity are fixed then.
using HasRows = std::function<bool(TableId)>;
bool NoRows(TableId table);
/// The store has recorded some that were not dropped since, wherever they are now.
bool HasRowsIn(const StoreView& view, TableId table);

/// Presets and the configuration's own mappings, which win.
MappingLibrary LibraryOf(const Config& config);

/// `stored`: the tables so far. kInvalidArgument, with the place in the configuration;
/// kFailedPrecondition where it contradicts what is stored.
Result<RecordingPlan> PlanRecording(const Config& config, const TableRegistry& stored,
                                    const HasRows& has_rows);

}  // namespace tapedeck

#endif  // TAPEDECK_NODE_PLAN_H_
