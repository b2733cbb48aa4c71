#include "replay/runner.h"

#include <algorithm>
#include <cstdlib>
#include <regex>
#include <set>
#include <utility>

#include "base/bytes.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/secret.h"
#include "base/text.h"
#include "kafka/message_sink.h"
#include "kafka/target_facts.h"
#include "kafka/trailing_reader.h"
#include "replay/attempt.h"
#include "replay/job_json.h"
#include "replay/preflight.h"
#include "replay/runner_slot.h"

namespace tapedeck {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kFactsWithin{10'000};
// Provenance, and what Kafka's record adds to key, value and headers.
constexpr uint64_t kRecordOverhead = 512;

class KafkaTrail final : public ReplayTrail {
 public:
  explicit KafkaTrail(std::unique_ptr<TrailingReader> reader) : reader_(std::move(reader)) {}
  Status Poll(milliseconds timeout, const Visit& visit) override {
    return reader_->Poll(timeout, visit);
  }
  bool at_end() const override { return reader_->at_end(); }

 private:
  std::unique_ptr<TrailingReader> reader_;
};

std::vector<std::string> TargetTopics(const ReplayTarget& target, const Selection& selection) {
  std::vector<std::string> topics;
  for (const TapeRange& range : selection.ranges) {
    topics.push_back(target.TopicFor(range.tape.topic));
  }
  std::sort(topics.begin(), topics.end());
  topics.erase(std::unique(topics.begin(), topics.end()), topics.end());
  return topics;
}

Status CheckTopics(const ReplayTargetConfig& target, const std::string& name,
                   const std::vector<std::string>& topics) {
  for (const std::string& topic : topics) {
    const bool allowed =
        std::any_of(target.topics.begin(), target.topics.end(), [&](const std::string& pattern) {
          return std::regex_match(topic, std::regex(pattern, std::regex::extended));
        });
    if (allowed) continue;
    return Status::InvalidArgument("target.topic: replay.targets." + name +
                                   ".topics does not allow topic " + Quoted(topic));
  }
  return Status::Ok();
}

std::string Joined(const std::vector<std::string>& texts) {
  std::string all;
  for (const std::string& text : texts) all += (all.empty() ? "" : "; ") + text;
  return all;
}

std::string GapText(const TapeGap& gap) {
  return gap.tape.ToString() + " from " + std::to_string(gap.gap.from) + " to " +
         std::to_string(gap.gap.to) + " (" + std::string(GapReasonName(gap.gap.reason)) + ")";
}

Status CheckGaps(const std::vector<TapeGap>& missing) {
  if (missing.empty()) return Status::Ok();
  std::string text = "offsets of the selection are neither here nor in the archive: ";
  constexpr size_t kShown = 10;
  for (size_t i = 0; i < std::min(kShown, missing.size()); ++i) {
    text += (i > 0 ? ", " : "") + GapText(missing[i]);
  }
  if (missing.size() > kShown) text += ", …";
  return Status::FailedPrecondition(text + "; ask with \"allow_gaps\":true to leave them out");
}

Result<TargetFacts> LookAt(const ReplayTargetConfig& target, bool known, const ReplayJob& job) {
  if (!known) {
    return Status::NotFound("the configuration has no [replay.targets." + job.spec.target.name +
                            "] any more");
  }
  // Of a store in which such a job was still accepted.
  if (job.selection.ranges.empty()) return Status::InvalidArgument("the selection is empty");
  Result<TargetFacts> read =
      ReadTargetFacts({.bootstrap_servers = target.bootstrap_servers,
                       .properties = target.properties,
                       .topics = TargetTopics(job.spec.target, job.selection),
                       .group = ReplayGroup(job.id),
                       .timeout = kFactsWithin});
  // Of a broker that is coming up; a topic that is gone is seen below.
  if (read.status().code() == StatusCode::kNotFound)
    return Status::Unavailable(read.status().ToString());
  TD_ASSIGN_OR_RETURN(const TargetFacts facts, std::move(read));
  for (const TopicFacts& topic : facts.topics) {
    if (!topic.exists) return Status::NotFound("target topic " + topic.topic + " is gone");
  }
  if (facts.cluster_id != job.target_cluster) {
    return Status::InvalidArgument("another cluster answers at the target's address: " +
                                   facts.cluster_id + " instead of " + job.target_cluster);
  }
  return facts;
}

std::map<std::string, int> PartitionsOf(const TargetFacts& facts) {
  std::map<std::string, int> partitions;
  for (const TopicFacts& topic : facts.topics) partitions[topic.topic] = topic.partitions;
  return partitions;
}

std::map<TopicPartition, int64_t> EndsOf(const TargetFacts& facts) {
  std::map<TopicPartition, int64_t> ends;
  for (const TopicFacts& topic : facts.topics) {
    for (size_t p = 0; p < topic.ends.size(); ++p) {
      ends[{topic.topic, static_cast<int32_t>(p)}] = topic.ends[p];
    }
  }
  return ends;
}

Result<std::unique_ptr<MessageSink>> OpenSink(const ReplayTargetConfig& target,
                                              const ReplayJob& job, const ReplayOptions& options) {
  SinkOptions sink;
  sink.bootstrap_servers = target.bootstrap_servers;
  sink.properties = target.properties;
  // What was recorded may be sent, whatever librdkafka takes by default; as Java's clients do it.
  sink.properties.emplace("message.max.bytes", std::to_string(limits::kMessageBytesMax));
  sink.properties.emplace("partitioner", "murmur2");
  sink.delivery = job.spec.delivery;
  sink.name = ReplayGroup(job.id);
  sink.group = sink.name;
  sink.progress_at = {TargetTopics(job.spec.target, job.selection).front(), 0};
  sink.linger = job.pace.mode == PaceMode::kMax ? kLingerAtMax : kLingerPaced;
  sink.transaction_timeout = options.transaction_timeout;
  sink.queue_bytes_max = options.memory_bytes;
  return OpenKafkaSink(sink);
}

}  // namespace

ReplayRunner::ReplayRunner(ReplayOptions options, ReplayParts parts)
    : options_(std::move(options)), parts_(std::move(parts)) {}

ReplayRunner::~ReplayRunner() { Stop(); }

Result<std::unique_ptr<ReplayRunner>> ReplayRunner::Make(ReplayOptions options, ReplayParts parts) {
  for (const auto& [name, target] : options.targets) {
    const std::string where = "replay.targets." + name;
    TD_RETURN_IF_ERROR(
        CheckProperties(target.properties, ClientRole::kProducer).WithContext(where));
    for (const std::string& pattern : target.topics) {
      try {
        std::regex compiled(pattern, std::regex::extended);
      } catch (const std::regex_error&) {
        return Status::InvalidArgument(where + ".topics: " + Quoted(pattern) +
                                       " is no regular expression");
      }
    }
  }
  return std::unique_ptr<ReplayRunner>(new ReplayRunner(std::move(options), std::move(parts)));
}

std::shared_ptr<JobDesk> ReplayRunner::MakeDesk(ReplayJob job) {
  auto slot = std::make_shared<Slot>();
  const std::string id = job.id;
  std::weak_ptr<Slot> weak = slot;
  slot->desk = std::make_shared<JobDesk>(std::move(job), [this, weak](const ReplayJob& changed) {
    const std::shared_ptr<Slot> own = weak.lock();
    if (own == nullptr) return Status::Ok();
    return parts_.queue->Write([&](StoreBatch* batch) {
      if (own->forgotten.load()) return Status::Unavailable("the replay job is being deleted");
      batch->PutJob(changed.id, EncodeJob(changed));
      return Status::Ok();
    });
  });
  slots_.emplace(id, slot);
  return slot->desk;
}

Status ReplayRunner::Start(const StoreView& view) {
  TD_ASSIGN_OR_RETURN(const auto jobs, view.Jobs());
  std::lock_guard lock(mutex_);
  for (const auto& [id, bytes] : jobs) {
    Result<ReplayJob> job = DecodeJob(id, bytes);
    if (job.status().code() == StatusCode::kNotFound) continue;  // of another journey
    if (!job.ok()) {
      TD_LOG(kError, "replay", "job-damaged", job.status().ToString(), {{"job", id}});
      continue;
    }
    MakeDesk(std::move(job).value());
    slots_.at(id)->stored = true;
  }
  keeper_ = std::thread([this] { Keep(); });
  return Status::Ok();
}

void ReplayRunner::AskToStop() {
  std::lock_guard lock(mutex_);
  stopping_ = true;
  for (const auto& [id, slot] : slots_) slot->desk->Stop();
  for (const auto& slot : leaving_) slot->desk->Stop();
  wake_.notify_all();
}

void ReplayRunner::Stop() {
  AskToStop();
  if (keeper_.joinable()) keeper_.join();
  Reap(true);
}

void ReplayRunner::Break() {
  std::lock_guard lock(mutex_);
  for (const auto& [id, slot] : slots_) {
    if (slot->worker != nullptr) slot->worker->Break();
  }
  for (const auto& slot : leaving_) {
    if (slot->worker != nullptr) slot->worker->Break();
  }
}

Status ReplayRunner::CheckTargetOf(const std::set<std::string>& recorded_clusters,
                                   const Selection& selection, Timestamp oldest,
                                   ReplayJob* job) const {
  const ReplayTarget& target = job->spec.target;
  const ReplayTargetConfig& config = options_.targets.at(target.name);
  const std::vector<std::string> topics = TargetTopics(target, selection);
  TD_RETURN_IF_ERROR(CheckTopics(config, target.name, topics));
  TD_ASSIGN_OR_RETURN(const TargetFacts facts,
                      ReadTargetFacts({.bootstrap_servers = config.bootstrap_servers,
                                       .properties = config.properties,
                                       .topics = topics,
                                       .group = ReplayGroup(job->id),
                                       .timeout = kFactsWithin}));
  for (const std::string& topic : topics) {
    if (job->spec.force || !recorded_clusters.contains(facts.cluster_id)) continue;
    if (!IsRecordedTopic(options_.recorded_topics, topic)) continue;
    return Status::FailedPrecondition(
        "this node records topic " + Quoted(topic) +
        " of that cluster: replaying into it would make a loop. Choose another topic, or ask "
        "with \"force\":true");
  }
  TargetNeed need{
      .target = target, .restore = job->spec.restore, .oldest = oldest, .now = parts_.clock->Now()};
  for (const TapeRange& range : selection.ranges) {
    int& partitions = need.partitions[target.TopicFor(range.tape.topic)];
    partitions = std::max(partitions, range.tape.partition + 1);
  }
  if (need.restore) {  // partitions without messages count, too
    TD_ASSIGN_OR_RETURN(const std::shared_ptr<const ReadPoint> point, parts_.open_point());
    for (const TapeRange& range : selection.ranges) {
      int& partitions = need.partitions[target.TopicFor(range.tape.topic)];
      for (const auto& [tp, tape] : point->state().tapes) {
        const bool same = tape.topic == range.tape.topic && tape.cluster == range.tape.cluster;
        if (same) partitions = std::max(partitions, tape.partition + 1);
      }
    }
  }
  need.same_count = need.restore && !job->spec.force;
  job->target_starts = EndsOf(facts);
  uint64_t bytes_max = UINT64_MAX;
  for (const TopicFacts& topic : facts.topics) {
    if (auto found = topic.config.find("max.message.bytes"); found != topic.config.end()) {
      bytes_max = std::min<uint64_t>(bytes_max, std::strtoull(found->second.c_str(), nullptr, 10));
    }
    auto type = topic.config.find("message.timestamp.type");
    job->target_sets_time =
        job->target_sets_time || (type != topic.config.end() && type->second == "LogAppendTime");
  }
  if (bytes_max != UINT64_MAX) {
    const uint64_t over = bytes_max > kRecordOverhead ? bytes_max - kRecordOverhead : 0;
    TD_ASSIGN_OR_RETURN(const std::shared_ptr<const ReadPoint> point, parts_.open_point());
    TD_ASSIGN_OR_RETURN(const uint64_t largest, LargestMessage(*point, selection, over));
    need.message_bytes_max = largest == 0 ? 0 : largest + kRecordOverhead;
  }
  job->target_cluster = facts.cluster_id;
  const std::vector<std::string> findings = CheckTarget(facts, need);
  return findings.empty() ? Status::Ok() : Status::FailedPrecondition(Joined(findings));
}

namespace {

// One table tells where each partition's offsets have gone.
Status CheckRestore(const Selection& selection, const ReplayTarget& target) {
  std::map<TopicPartition, TopicPartition> sources;  // by where they go
  for (const TapeRange& range : selection.ranges) {
    const TopicPartition from{range.tape.topic, range.tape.partition};
    const TopicPartition to{target.TopicFor(from.topic), from.partition};
    const auto [known, made] = sources.emplace(to, from);
    if (made) continue;
    if (known->second == from) {
      return Status::InvalidArgument("source: " + from.ToString() +
                                     " was recorded in several lineages: restore one of them, by "
                                     "source.offsets");
    }
    return Status::InvalidArgument("target.topic: " + known->second.ToString() + " and " +
                                   from.ToString() +
                                   " would be mixed: let {topic} stand in it for the source's");
  }
  return Status::Ok();
}

}  // namespace

Result<ReplayJob> ReplayRunner::MakeJob(ReplaySpec spec, Timestamp now) const {
  if (!options_.targets.contains(spec.target.name)) {
    return Status::InvalidArgument("target.name: there is no [replay.targets." + spec.target.name +
                                   "] in the configuration");
  }
  Frozen frozen;
  std::set<std::string> clusters;
  {  // nothing of the store is held on to while the target is asked
    TD_ASSIGN_OR_RETURN(const std::shared_ptr<const ReadPoint> point, parts_.open_point());
    TD_ASSIGN_OR_RETURN(frozen, FreezeSelection(*point, spec.source));
    for (const auto& [tp, tape] : point->state().tapes) clusters.insert(tape.cluster);
  }
  if (frozen.unlisted) {
    return Status::Unavailable(
        "the archive was not listed yet: what other nodes have shipped of the source is not known");
  }
  if (frozen.selection.ranges.empty()) {
    return Status::InvalidArgument("source: nothing is recorded there");
  }
  ReplayJob job;
  TD_ASSIGN_OR_RETURN(const std::string random, SecretBytes(16));
  ByteReader reader(random);
  const uint64_t high = reader.Little64();
  job.id = MakeJobId(now, high, reader.Little64());
  job.created = now;
  job.pace = spec.pace;
  job.spec = std::move(spec);
  if (job.spec.restore) TD_RETURN_IF_ERROR(CheckRestore(frozen.selection, job.spec.target));
  if (!job.spec.allow_gaps) TD_RETURN_IF_ERROR(CheckGaps(frozen.missing));
  {
    std::unique_lock one(preflight_, std::try_to_lock);
    if (!one.owns_lock()) {
      return Status::Unavailable("the target of another replay is being asked: try again");
    }
    TD_RETURN_IF_ERROR(
        CheckTargetOf(clusters, frozen.selection, frozen.oldest.value_or(Timestamp::Min()), &job));
  }
  job.selection = std::move(frozen.selection);
  job.missing = std::move(frozen.missing);
  job.messages_at_most = frozen.messages_at_most;
  job.total_exact = frozen.exact;
  return job;
}

WorkerParts ReplayRunner::PartsOf(const ReplayJob& job) {
  // A configuration that lost the target since: the worker says so.
  auto found = options_.targets.find(job.spec.target.name);
  const ReplayTargetConfig target =
      found == options_.targets.end() ? ReplayTargetConfig() : found->second;
  const bool known = found != options_.targets.end();
  WorkerParts parts;
  parts.clock = parts_.clock;
  parts.open_point = parts_.open_point;
  parts.on_sent = [this](std::chrono::nanoseconds late) {
    sent_.fetch_add(1, std::memory_order_relaxed);
    if (parts_.on_sent) parts_.on_sent(late);
  };
  parts.name = ReplayName(options_.group, options_.node_id, job.id);
  if (Result<std::string> random = SecretBytes(8); random.ok()) {
    parts.owner = ByteReader(*random).Little64();
  }
  parts.txn_interval = options_.txn_interval;
  parts.messages_per_second_max = options_.max_messages_per_second;
  parts.memory_bytes = options_.memory_bytes;
  parts.look_at_target = [target,
                          known](const ReplayJob& of) -> Result<std::map<std::string, int>> {
    TD_ASSIGN_OR_RETURN(const TargetFacts facts, LookAt(target, known, of));
    return PartitionsOf(facts);
  };
  parts.ends_of_target = [target,
                          known](const ReplayJob& of) -> Result<std::map<TopicPartition, int64_t>> {
    TD_ASSIGN_OR_RETURN(const TargetFacts facts, LookAt(target, known, of));
    return EndsOf(facts);
  };
  parts.open_sink = [target, this](const ReplayJob& of) { return OpenSink(target, of, options_); };
  parts.open_trail = [target](const ReplayJob& of) -> Result<std::unique_ptr<ReplayTrail>> {
    TD_ASSIGN_OR_RETURN(auto reader,
                        TrailingReader::Open({.bootstrap_servers = target.bootstrap_servers,
                                              .properties = target.properties},
                                             of.target_starts));
    return std::unique_ptr<ReplayTrail>(new KafkaTrail(std::move(reader)));
  };
  return parts;
}

Result<std::shared_ptr<JobDesk>> ReplayRunner::FindByKey(std::string_view key,
                                                         const Hash128& request) const {
  if (key.empty()) return std::shared_ptr<JobDesk>();
  for (const auto& [id, slot] : slots_) {
    const ReplayJob job = slot->desk->job();
    if (job.key != key) continue;
    if (job.request_hash != request) {
      return Status::AlreadyExists("Idempotency-Key: it was used for another request");
    }
    if (!slot->stored) return Status::Unavailable("the same request is being stored: ask again");
    return slot->desk;
  }
  return std::shared_ptr<JobDesk>();
}

Result<ReplayView> ReplayRunner::Create(std::string_view body, std::string_view key) {
  if (key.size() > kIdempotencyKeyMax) {
    return Status::InvalidArgument("Idempotency-Key: it is longer than 255 bytes");
  }
  const Timestamp now = parts_.clock->Now();
  TD_ASSIGN_OR_RETURN(ReplaySpec spec, ParseReplayRequest(body, now));
  const Hash128 request = HashBytes(body);
  {
    std::lock_guard lock(mutex_);
    TD_ASSIGN_OR_RETURN(auto known, FindByKey(key, request));
    if (known != nullptr) return ReplayView{known->job(), known->live()};
    const auto live = std::count_if(slots_.begin(), slots_.end(), [](const auto& entry) {
      return !entry.second->desk->job().ended();
    });
    if (slots_.size() >= kReplayJobsMax || static_cast<size_t>(live) >= kReplayLiveJobsMax) {
      return Status::ResourceExhausted("there are " + std::to_string(slots_.size()) +
                                       " replay jobs: DELETE some first");
    }
  }
  TD_ASSIGN_OR_RETURN(ReplayJob job, MakeJob(std::move(spec), now));
  job.key = key;
  job.request_hash = request;
  std::shared_ptr<JobDesk> desk;
  {
    std::lock_guard lock(mutex_);  // the same request may have come twice at once
    TD_ASSIGN_OR_RETURN(desk, FindByKey(key, request));
    if (desk != nullptr) return ReplayView{desk->job(), desk->live()};
    if (stopping_) return Status::Unavailable("the node is stopping");
    desk = MakeDesk(job);
  }
  const Status stored = desk->Change([](ReplayJob*) { return Status::Ok(); });
  std::lock_guard lock(mutex_);
  if (!stored.ok()) {
    slots_.erase(job.id);  // no worker has it yet
    return stored;
  }
  if (auto made = slots_.find(job.id); made != slots_.end()) made->second->stored = true;
  woken_ = true;
  wake_.notify_all();
  return ReplayView{desk->job(), desk->live()};
}

}  // namespace tapedeck
