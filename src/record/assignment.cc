// The part of the record journey that begins and ends partitions: where to start, whether the log
// is still the one we know, lineages, gaps.

#include <algorithm>

#include "base/failpoint.h"
#include "base/log.h"
#include "kafka/commit_metadata.h"
#include "record/divergence.h"
#include "record/passing.h"
#include "record/recorder_impl.h"
#include "record/stored_tape_reader.h"

namespace tapedeck {
namespace {

constexpr std::chrono::seconds kRevokeCommitTimeout(5);
// Each silent partition costs a time-out on the record thread; with more of them it is the cluster
// that is away, and everything waits together.
constexpr size_t kSilentPartitionsMax = 1;

}  // namespace

TopicSetup* RecorderImpl::SetupFor(const std::string& topic) {
  for (TopicSetup& setup : setups_) {
    if (!setup.pattern && setup.topic->name == topic) return &setup;
  }
  for (TopicSetup& setup : setups_) {
    if (setup.pattern && std::regex_search(topic, *setup.pattern)) return &setup;
  }
  return nullptr;
}

// The same address may lead to another cluster: its offsets mean nothing to our tapes.
Status RecorderImpl::CheckCluster(StoreBatch* batch) {
  const std::string cluster = source_->ClusterId(options_.broker_timeout);
  if (cluster.empty()) return Status::Unavailable("the cluster's id is not known yet");
  if (cluster_id_.empty()) cluster_id_ = cluster;
  if (cluster != cluster_id_) {
    return Status::FailedPrecondition("this store records cluster '" + cluster_id_ +
                                      "', but bootstrap_servers lead to cluster '" + cluster +
                                      "': point them at the first, or use another data_dir");
  }
  // An assignment that failed has not stored it.
  if (parts_.store->meta().cluster_id.empty()) batch->PutClusterId(cluster);
  return Status::Ok();
}

Result<std::vector<StartOffset>> RecorderImpl::OnAssigned(
    std::span<const TopicPartition> partitions) {
  Discard();
  ++live_.rebalances;
  Result<std::vector<StartOffset>> starts = AssignAll(partitions);
  if (!starts.ok()) {
    live_.assigned = false;
    live_.stall = "no partition can be assigned: " + std::string(starts.status().message());
    PublishState();
    // Tapes that were added for a batch that was never written must not be believed in: without
    // the store's word nothing goes on.
    Result<StoreState> state_or = parts_.store->View()->LoadState();
    if (!state_or.ok()) return Status::Internal(state_or.status().ToString());
    StoreState state = std::move(state_or).value();
    book_->Reload(std::move(state));
    // A topic or offset that went away between two questions: the next assignment knows better.
    if (starts.status().code() == StatusCode::kNotFound) {
      return Status::Unavailable(std::string(starts.status().message()));
    }
  }
  return starts;
}

Result<std::vector<StartOffset>> RecorderImpl::AssignAll(
    std::span<const TopicPartition> partitions) {
  TD_RETURN_IF_ERROR(FailpointHit("record.on_assign"));
  StoreBatch batch;
  TD_RETURN_IF_ERROR(CheckCluster(&batch));
  TD_ASSIGN_OR_RETURN(std::vector<GroupCommit> committed,
                      Passing(source_->Committed(partitions, options_.broker_timeout)));
  std::vector<StartOffset> starts;
  std::vector<std::unique_ptr<Lane>> lanes;
  std::vector<Status> waits;  // of partitions that cannot be asked about now
  size_t silent = 0;          // those that took their time to say so
  known_topics_.clear();
  for (const TopicPartition& tp : partitions) {
    if (book_->KnowsTopic(cluster_id_, tp.topic)) known_topics_.insert(tp.topic);
  }
  for (const TopicPartition& tp : partitions) {
    auto commit = std::find_if(committed.begin(), committed.end(),
                               [&](const GroupCommit& c) { return c.tp == tp; });
    GroupCommit none{tp, -1, ""};
    const MonotonicTime asked = parts_.clock->Monotonic();
    Result<std::unique_ptr<Lane>> lane =
        Assign(tp, commit == committed.end() ? none : *commit, &batch);
    const Status trouble =
        lane.ok() ? Status::Ok() : lane.status().WithContext("assigning " + tp.ToString());
    if (trouble.code() == StatusCode::kUnavailable || trouble.code() == StatusCode::kNotFound) {
      waits.push_back(trouble);
      if (parts_.clock->Monotonic() - asked >= options_.broker_timeout / 2) ++silent;
      if (silent > kSilentPartitionsMax) return trouble;
      lane = WaitingLane(tp, trouble);
    }
    TD_RETURN_IF_ERROR(lane.status().WithContext("assigning " + tp.ToString()));
    starts.push_back({(*lane)->health.empty() ? (*lane)->now.next : (*lane)->log_end});
    lanes.push_back(std::move(lane).value());
  }
  if (!waits.empty() && waits.size() == partitions.size()) return waits.front();
  live_.stall.clear();
  // Starts, gaps and lineages are durable before the first message is asked for.
  TD_RETURN_IF_ERROR(WriteOrStall(&batch, "assignment"));
  lanes_ = std::move(lanes);
  for (const auto& lane : lanes_) {
    if (lane->has_tape()) book_->SetCheckpoint(lane->tape, lane->now);
    for (const GapReason reason : std::exchange(lane->new_gaps, {}))
      metrics_->Gap(lane->tp.topic, reason);
  }
  if (!waits.empty()) ReassignSoon(reassign_delay_);
  live_.assigned = true;
  TD_LOG(kInfo, "record", "assigned", "partitions assigned",
         {{"count", std::to_string(lanes_.size())}});
  return starts;
}

// Kafka has no answer for this partition (no leader, no right to read it): the others are recorded,
// and it is asked about again with the next assignment. Nothing of it is in the batch or the book:
// everything that asks Kafka comes before what changes them.
std::unique_ptr<Lane> RecorderImpl::WaitingLane(const TopicPartition& tp, const Status& trouble) {
  auto lane = std::make_unique<Lane>();
  lane->tp = tp;
  if (const TopicSetup* setup = SetupFor(tp.topic)) lane->topic = setup->topic;
  if (const std::optional<TpId> known = book_->Current(cluster_id_, tp)) {
    lane->tape = *known;
    lane->now = book_->checkpoint(*known);
  }
  lane->waits = true;
  lane->health = trouble.ToString() + "; it is tried again";
  TD_LOG(kWarn, "record", "partition-waits", lane->health, {{"partition", tp.ToString()}});
  return lane;
}

void RecorderImpl::OnRevoked(bool lost) {
  Status hit = FailpointHit("record.on_revoke");
  if (!lost && hit.ok()) {
    Status stored = Commit();
    if (!stored.ok()) {
      TD_LOG(kError, "record", "revoke-commit", stored.ToString());
    } else if (!lanes_.empty()) {
      Status told =
          source_->Commit(GroupCommits(), std::chrono::milliseconds(kRevokeCommitTimeout));
      if (!told.ok()) TD_LOG(kWarn, "record", "revoke-broker-commit", told.ToString());
    }
  }
  TD_LOG(kInfo, "record", "revoked",
         lost ? "partitions lost: the batch in hand is dropped" : "partitions given up",
         {{"count", std::to_string(lanes_.size())}});
  Discard();
  live_.assigned = false;
  live_.stall.clear();
}

Result<std::unique_ptr<Lane>> RecorderImpl::Assign(const TopicPartition& tp,
                                                   const GroupCommit& committed,
                                                   StoreBatch* batch) {
  TopicSetup* setup = SetupFor(tp.topic);
  if (setup == nullptr)
    return Status::Internal("no topic of the configuration matches " + tp.topic);
  auto lane = std::make_unique<Lane>();
  lane->tp = tp;
  lane->topic = setup->topic;
  lane->meter = metrics_->ForTopic(tp.topic);
  lane->decoder = setup->decoder.get();

  const std::optional<TpId> known = book_->Current(cluster_id_, tp);
  if (known) {
    lane->tape = *known;
    lane->now = book_->checkpoint(*known);
    TD_ASSIGN_OR_RETURN(
        TailAnswer answer,
        Passing(CheckTail(probe_.get(), {tp, lane->now.next, lane->now.last, lane->now.anchor},
                          options_.broker_timeout, parts_.clock)));
    lane->log_end = answer.bounds.end;
    if (answer.verdict == TailVerdict::kChanged) {
      const std::optional<CommitMetadata> metadata = ParseCommitMetadata(committed.metadata);
      TD_RETURN_IF_ERROR(OpenLineage(lane.get(), answer, metadata ? metadata->lineage : 0, batch));
    } else {
      if (answer.verdict == TailVerdict::kSame) lane->now.anchor = lane->now.last;
      TD_RETURN_IF_ERROR(PlanLane(lane.get(), committed, answer.bounds, batch));
    }
  } else {
    TD_ASSIGN_OR_RETURN(LogBounds bounds, Passing(probe_->Bounds(tp, options_.broker_timeout)));
    lane->log_end = bounds.end;
    TD_RETURN_IF_ERROR(PlanLane(lane.get(), committed, bounds, batch));
  }
  AdoptMapping(lane.get(), batch);
  return lane;
}

Result<int64_t> RecorderImpl::ResolveStart(const RecordTopic& topic, const TopicPartition& tp,
                                           const LogBounds& bounds) {
  switch (topic.start.kind) {
    case TopicStart::Kind::kEarliest:
      return bounds.start;
    case TopicStart::Kind::kLatest:
      return bounds.end;
    case TopicStart::Kind::kTime: {
      // The first message at or after the time: a start between two milliseconds is the later one.
      const int64_t ns = topic.start.time.ns();
      const int64_t ms = ns / 1'000'000 + (ns % 1'000'000 > 0 ? 1 : 0);
      return Passing(probe_->OffsetForTime(tp, ms, options_.broker_timeout));
    }
  }
  return bounds.start;
}

// Sets where the lane starts by what the store, the group and the log say.
Status RecorderImpl::PlanLane(Lane* lane, const GroupCommit& committed, const LogBounds& bounds,
                              StoreBatch* batch) {
  std::optional<TpId> known = book_->Current(cluster_id_, lane->tp);
  StartFacts facts{.node_id = options_.node_id,
                   .store_id = parts_.store->meta().store_id,
                   .bounds = bounds,
                   .topic_known = known_topics_.contains(lane->tp.topic),
                   .now = parts_.clock->Now()};
  if (known) facts.own_next = lane->now.next;
  uint32_t lineage = known ? book_->tape(*known).lineage : 0;
  if (committed.offset >= 0) {
    std::optional<CommitMetadata> metadata = ParseCommitMetadata(committed.metadata);
    if (metadata) {
      facts.commit =
          OtherCommit{metadata->node, metadata->store, committed.offset, metadata->run_start};
      if (!known) lineage = metadata->lineage;
    } else {
      facts.foreign_offset = committed.offset;
    }
    if (metadata && metadata->store != facts.store_id &&
        committed.offset > facts.own_next.value_or(-1)) {
      // Another store's word counts only while the log is the one that it recorded.
      TD_ASSIGN_OR_RETURN(
          TailAnswer answer,
          Passing(CheckTail(probe_.get(), {lane->tp, committed.offset, metadata->last, Landmark{}},
                            options_.broker_timeout, parts_.clock)));
      if (answer.verdict == TailVerdict::kChanged) {
        Notice(lane->tp.ToString() + ": the commit of " + metadata->node + " is of another log (" +
               answer.reason + "); left aside");
        facts.commit.reset();
        if (!known) lineage = metadata->lineage + 1;
      } else if (metadata->lineage > lineage) {
        // The log was made anew while another had the partition, and nothing of ours is left in it.
        lineage = metadata->lineage;
        lane->now = Checkpoint{};
        facts.own_next.reset();
        known.reset();
      }
    }
  }
  if (!known && !facts.topic_known) {
    TD_ASSIGN_OR_RETURN(facts.topic_start, ResolveStart(*lane->topic, lane->tp, bounds));
  }
  if (known) {
    TD_ASSIGN_OR_RETURN(lane->held, HeldGaps(*parts_.store, lane->tape));
  }
  StartPlan plan = PlanStart(facts);
  if (!plan.warning.empty()) {
    TD_LOG(kWarn, "record", "start", plan.warning, {{"partition", lane->tp.ToString()}});
    Notice(lane->tp.ToString() + ": " + plan.warning);
  }
  if (!known) lane->now.start = lane->now.watermark = plan.coverage_start;
  lane->now.next = plan.next;
  if (plan.new_run) lane->now.run_start = plan.next;
  if (!known) {
    lane->now.watermark = plan.next;
    lane->tape =
        book_->Add({cluster_id_, lane->tp.topic, lineage, lane->tp.partition}, lane->now, batch);
  }
  for (const Gap& gap : plan.gaps) {
    TD_LOG(kWarn, "record", "gap", std::string(GapReasonName(gap.reason)),
           {{"partition", lane->tp.ToString()},
            {"from", std::to_string(gap.from)},
            {"to", std::to_string(gap.to)}});
    batch->PutGap(lane->tape, gap);
    lane->new_gaps.push_back(gap.reason);
  }
  batch->PutCheckpoint(lane->tape, lane->now);
  return Status::Ok();
}

// The log is not the one that the tape was made from: a new lineage takes what differs.
Status RecorderImpl::OpenLineage(Lane* lane, const TailAnswer& answer, uint32_t lineage_at_least,
                                 StoreBatch* batch) {
  TD_RETURN_IF_ERROR(FailpointHit("record.new_lineage"));
  const TapeId old = book_->tape(lane->tape);
  if (options_.on_divergence == RecorderOptions::OnDivergence::kHalt) {
    lane->health = "the log has changed (" + answer.reason + ") and on_divergence is halt";
    TD_LOG(kError, "record", "log-changed", lane->health, {{"partition", lane->tp.ToString()}});
    return Status::Ok();
  }
  const Checkpoint known = lane->now;
  StoredTapeReader tape(*parts_.store, *book_, lane->tape);
  const int64_t tape_start = std::max(known.start, book_->ship(lane->tape).pruned);
  TD_ASSIGN_OR_RETURN(Divergence divergence,
                      CompareLogAndTape(probe_.get(), &tape, lane->tp, answer.bounds, tape_start,
                                        known.next, known.anchor, options_.broker_timeout));
  // Where all that is left here differs, what has left for the archive is not taken for equal.
  if (tape_start > known.start && divergence.first_different <= tape_start)
    divergence.first_different = std::max(answer.bounds.start, known.start);
  lane->now = Checkpoint{};
  lane->now.start = divergence.first_different;
  if (!divergence.held.empty())
    lane->now.start = std::min(lane->now.start, divergence.held.front().from);
  lane->now.next = lane->now.watermark = lane->now.run_start = divergence.first_different;
  const uint32_t lineage = std::max(old.lineage + 1, lineage_at_least);
  lane->tape =
      book_->Add({cluster_id_, lane->tp.topic, lineage, lane->tp.partition}, lane->now, batch);
  for (const Divergence::Run& run : divergence.held) {
    Gap gap{.from = run.from,
            .to = run.to,
            .reason = GapReason::kHeld,
            .noticed_at = parts_.clock->Now(),
            .detail = "lineage " + std::to_string(old.lineage)};
    batch->PutGap(lane->tape, gap);
    lane->new_gaps.push_back(gap.reason);
    lane->held.push_back(gap);
  }
  const std::string text = lane->tp.ToString() + ": the log has changed (" + answer.reason +
                           "): lineage " + std::to_string(lineage) + " goes on from offset " +
                           std::to_string(divergence.first_different);
  TD_LOG(kWarn, "record", "new-lineage", text);
  Notice(text);
  return Status::Ok();
}

// From `next` on the mapping of the configuration is in force; the tape below keeps the one that
// its index entries name.
void RecorderImpl::AdoptMapping(Lane* lane, StoreBatch* batch) {
  if (!lane->health.empty() || lane->now.mapping == lane->topic->mapping.hash()) return;
  lane->now.mapping = lane->topic->mapping.hash();
  batch->PutCheckpoint(lane->tape, lane->now);
}

}  // namespace tapedeck
