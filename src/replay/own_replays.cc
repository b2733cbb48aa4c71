#include "replay/own_replays.h"

#include <algorithm>
#include <charconv>

#include "base/log.h"
#include "model/keys.h"
#include "model/replay_headers.h"
#include "replay/job_json.h"
#include "replay/outgoing.h"

namespace tapedeck {
namespace {

// Jobs that are remembered at a time; a node keeps no more than this many that have not ended.
constexpr size_t kJobsMax = 128;

struct OriginName {
  std::string_view topic;
  int32_t partition = 0;
  uint32_t lineage = 0;
  int64_t offset = 0;
};

template <typename Number>
bool TakeNumber(std::string_view* text, Number* number) {
  if (text->empty() || text->front() != '/') return false;
  const auto [end, error] = std::from_chars(text->data() + 1, text->data() + text->size(), *number);
  if (error != std::errc()) return false;
  text->remove_prefix(static_cast<size_t>(end - text->data()));
  return true;
}

// topic/partition/lineage/offset[/index]; no topic has a slash in its name.
std::optional<OriginName> ParseOrigin(std::string_view text) {
  OriginName origin;
  const size_t slash = text.find('/');
  if (slash == std::string_view::npos) return std::nullopt;
  origin.topic = text.substr(0, slash);
  text.remove_prefix(slash);
  if (!TakeNumber(&text, &origin.partition) || !TakeNumber(&text, &origin.lineage) ||
      !TakeNumber(&text, &origin.offset)) {
    return std::nullopt;
  }
  uint32_t index = 0;
  if (!text.empty() && (!TakeNumber(&text, &index) || !text.empty())) return std::nullopt;
  return origin;
}

bool GoesTo(const ReplayTarget& target, const OriginName& origin, const TopicPartition& tp) {
  if (target.TopicFor(origin.topic) != tp.topic) return false;
  switch (target.partition) {
    case PartitionPolicy::kSame:
      return origin.partition == tp.partition;
    case PartitionPolicy::kFixed:
      return target.fixed_partition == tp.partition;
    case PartitionPolicy::kKey:
      return true;
  }
  return false;
}

}  // namespace

OwnReplays::OwnReplays(OpenView open_view, std::string_view group, std::string_view node)
    : open_view_(std::move(open_view)), prefix_(ReplayName(group, node, "")) {}

const ReplayJob* OwnReplays::Find(const std::string& id) {
  if (auto known = jobs_.find(id); known != jobs_.end()) return known->second.get();
  const std::shared_ptr<const StoreView> view = open_view_();
  if (view == nullptr) return nullptr;
  const Result<std::string> bytes = view->Get(keys::Job(id));
  if (!bytes.ok()) return nullptr;
  Result<ReplayJob> job = DecodeJob(id, *bytes);
  if (!job.ok()) return nullptr;
  if (jobs_.size() >= kJobsMax) jobs_.clear();
  return jobs_.emplace(id, std::make_unique<ReplayJob>(std::move(job).value())).first->second.get();
}

bool OwnReplays::Sent(const std::string& cluster, const TopicPartition& tp,
                      const MessageView& message) {
  const std::optional<ReplayHeaders> headers = ReplayHeadersOf(message);
  if (!headers || headers->seq == 0 || !headers->name.starts_with(prefix_)) return false;
  const std::string id(headers->name.substr(prefix_.size()));
  const std::optional<OriginName> origin = ParseOrigin(headers->origin);
  if (!origin || !IsJobId(id)) return false;
  const ReplayJob* job = Find(id);
  if (job == nullptr || job->spec.restore || !job->spec.target.provenance) return false;
  if (job->target_cluster != cluster || !GoesTo(job->spec.target, *origin, tp)) return false;
  return std::any_of(
      job->selection.ranges.begin(), job->selection.ranges.end(), [&](const TapeRange& range) {
        return range.tape.topic == origin->topic && range.tape.partition == origin->partition &&
               range.tape.lineage == origin->lineage && range.from <= origin->offset &&
               origin->offset < range.to;
      });
}

}  // namespace tapedeck
