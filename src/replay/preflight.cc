#include "replay/preflight.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <regex>

namespace tapedeck {
namespace {

constexpr int64_t kNsPerMs = 1'000'000;

std::optional<int64_t> NumberOf(const TopicFacts& facts, const std::string& name) {
  auto found = facts.config.find(name);
  if (found == facts.config.end()) return std::nullopt;
  int64_t value = 0;
  const std::string& text = found->second;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::string TextOf(const TopicFacts& facts, const std::string& name) {
  auto found = facts.config.find(name);
  return found == facts.config.end() ? "" : found->second;
}

void CheckTimes(const TopicFacts& facts, const TargetNeed& need,
                std::vector<std::string>* findings) {
  const std::string topic = "target topic " + facts.topic;
  if (need.target.timestamps != ReplayTimestamps::kOriginal) return;
  if (TextOf(facts, "message.timestamp.type") == "LogAppendTime") {
    findings->push_back(topic +
                        " sets its own timestamps: set message.timestamp.type=CreateTime, or ask "
                        "for target.timestamps \"now\"");
    return;
  }
  if (need.oldest == Timestamp::Min()) return;
  const int64_t age_ms = (need.now.ns() - need.oldest.ns()) / kNsPerMs;
  if (age_ms <= 0) return;
  const std::string age = " while the oldest message is of " + FormatRfc3339(need.oldest);
  const auto retention = NumberOf(facts, "retention.ms");
  const bool deletes = TextOf(facts, "cleanup.policy").find("delete") != std::string::npos;
  if (deletes && retention && *retention >= 0 && *retention < age_ms) {
    findings->push_back(topic + " keeps messages for " + std::to_string(*retention) + " ms" + age +
                        ": they would be deleted at once; set retention.ms=-1, or ask for "
                        "target.timestamps \"now\" or \"shift\"");
  }
  for (const char* name :
       {"message.timestamp.before.max.ms", "message.timestamp.difference.max.ms"}) {
    const auto limit = NumberOf(facts, name);
    if (!limit || *limit >= age_ms) continue;
    findings->push_back(topic + " refuses timestamps older than " + std::to_string(*limit) + " ms" +
                        age + ": raise " + name +
                        ", or ask for target.timestamps \"now\" or \"shift\"");
    return;
  }
}

void CheckTopic(const TopicFacts& facts, const TargetNeed& need,
                std::vector<std::string>* findings) {
  const std::string topic = "target topic " + facts.topic;
  const int partitions =
      need.partitions.contains(facts.topic) ? need.partitions.at(facts.topic) : 0;
  if (!facts.exists) {
    findings->push_back(topic + " is not there: create it with at least " +
                        std::to_string(std::max(1, partitions)) + " partitions");
    return;
  }
  if (need.target.partition == PartitionPolicy::kSame && facts.partitions < partitions) {
    findings->push_back(topic + " has " + std::to_string(facts.partitions) +
                        " partitions and the source " + std::to_string(partitions) +
                        ": add partitions, or ask for target.partition \"key\" or a number");
  }
  if (need.same_count && facts.partitions > partitions) {
    findings->push_back(topic + " has " + std::to_string(facts.partitions) +
                        " partitions and the source " + std::to_string(partitions) +
                        ": messages that are sent to it later would not go where their keys went; "
                        "create it with as many, or ask with \"force\":true");
  }
  if (need.target.partition == PartitionPolicy::kFixed &&
      need.target.fixed_partition >= facts.partitions) {
    findings->push_back(topic + " has no partition " + std::to_string(need.target.fixed_partition));
  }
  if (TextOf(facts, "cleanup.policy").find("compact") != std::string::npos) {
    findings->push_back(topic +
                        " is compacted: messages of one key would replace each other; set "
                        "cleanup.policy=delete");
  }
  const auto bytes = NumberOf(facts, "max.message.bytes");
  if (bytes && need.message_bytes_max > static_cast<uint64_t>(std::max<int64_t>(0, *bytes))) {
    findings->push_back(topic + " takes messages up to " + std::to_string(*bytes) +
                        " bytes and one may have " + std::to_string(need.message_bytes_max) +
                        ": raise max.message.bytes");
  }
  CheckTimes(facts, need, findings);
  const bool filled =
      std::any_of(facts.ends.begin(), facts.ends.end(), [](int64_t end) { return end > 0; });
  if (need.restore && filled) {
    findings->push_back(topic + " is not empty: a restore needs a new topic");
  }
}

}  // namespace

std::vector<std::string> CheckTarget(const TargetFacts& facts, const TargetNeed& need) {
  std::vector<std::string> findings;
  for (const TopicFacts& topic : facts.topics) CheckTopic(topic, need, &findings);
  if (!facts.group_trouble.empty()) {
    findings.push_back("the group that holds the progress cannot be used (" + facts.group_trouble +
                       "): give the client READ on groups tapedeck.replay.*");
  }
  return findings;
}

bool IsRecordedTopic(const std::vector<std::string>& subscriptions, const std::string& topic) {
  for (const std::string& subscription : subscriptions) {
    if (!subscription.starts_with('^')) {
      if (subscription == topic) return true;
      continue;
    }
    try {
      if (std::regex_search(topic, std::regex(subscription, std::regex::extended))) return true;
    } catch (const std::regex_error&) {
      return true;  // what cannot be read may fit
    }
  }
  return false;
}

}  // namespace tapedeck
