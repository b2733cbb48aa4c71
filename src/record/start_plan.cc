#include "record/start_plan.h"

#include <algorithm>

namespace tapedeck {
namespace {

void AddGap(StartPlan* plan, int64_t from, int64_t to, GapReason reason, const StartFacts& facts,
            std::string detail) {
  if (from >= to) return;
  Gap gap;
  gap.from = from;
  gap.to = to;
  gap.reason = reason;
  gap.noticed_at = facts.now;
  gap.detail = std::move(detail);
  plan->gaps.push_back(std::move(gap));
}

// Another store recorded further than `from`: go on where it stands.
void ContinueAfter(StartPlan* plan, const StartFacts& facts, int64_t from) {
  const OtherCommit& other = *facts.commit;
  const std::string who = other.node_id + "/" + other.store_id;
  const int64_t run = std::clamp(other.run_start, from, other.next);
  AddGap(plan, from, run, GapReason::kElsewhereMaybe, facts, "");
  AddGap(plan, run, other.next, GapReason::kElsewhere, facts, who);
  plan->next = other.next;
  plan->new_run = true;
}

void StartFresh(StartPlan* plan, const StartFacts& facts) {
  plan->next = facts.topic_known ? facts.bounds.start : facts.topic_start;
  plan->coverage_start = plan->next;
  plan->new_run = true;
}

}  // namespace

StartPlan PlanStart(const StartFacts& facts) {
  StartPlan plan;
  const bool by_another = facts.commit && facts.commit->store_id != facts.store_id;
  const bool own_disk_gone = by_another && facts.commit->node_id == facts.node_id;

  if (facts.own_next) {
    plan.next = *facts.own_next;
    plan.coverage_start = *facts.own_next;
    // A store of our name that is gone has left nothing behind that is not in the archive: what it
    // recorded beyond is read again.
    if (by_another && !own_disk_gone && facts.commit->next > *facts.own_next)
      ContinueAfter(&plan, facts, *facts.own_next);
  } else if (own_disk_gone) {
    StartFresh(&plan, facts);
    plan.warning = "the group was committed by this node's name from another store (" +
                   facts.commit->store_id +
                   "): that disk is gone; reading again from the topic's start";
  } else if (by_another) {
    plan.coverage_start = std::min(facts.bounds.start, facts.commit->next);
    ContinueAfter(&plan, facts, plan.coverage_start);
  } else {
    StartFresh(&plan, facts);
    if (facts.foreign_offset) {
      plan.warning = "the group has a committed offset " + std::to_string(*facts.foreign_offset) +
                     " that is not tapedeck's; it is left aside";
    }
  }
  if (plan.next < facts.bounds.start) {
    AddGap(&plan, plan.next, facts.bounds.start, GapReason::kRetention, facts, "");
    plan.next = facts.bounds.start;
  }
  return plan;
}

}  // namespace tapedeck
