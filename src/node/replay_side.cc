#include "node/replay_side.h"

#include <algorithm>
#include <utility>

#include "kafka/message_sink.h"

namespace tapedeck {
namespace {

// Blocks being read and messages on their way, of each job that runs.
constexpr size_t kJobBytesMin = size_t{4} << 20;
constexpr size_t kJobBytesMax = size_t{32} << 20;

ReplayOptions OptionsOf(const Config& config) {
  ReplayOptions options;
  options.node_id = config.node.id;
  options.group = config.kafka.group;
  for (const TopicConfig& topic : config.topics) options.recorded_topics.push_back(topic.name);
  for (const auto& [name, target] : config.replay.targets) {
    options.targets[name] = {.bootstrap_servers = target.bootstrap_servers,
                             .properties = target.properties,
                             .topics = target.topics};
  }
  options.max_jobs = config.replay.max_jobs;
  options.max_messages_per_second = config.replay.max_messages_per_second;
  options.txn_interval = config.replay.txn_interval;
  options.memory_bytes = std::clamp<size_t>(config.budget.spare / 8 / config.replay.max_jobs,
                                            kJobBytesMin, kJobBytesMax);
  return options;
}

}  // namespace

Result<std::unique_ptr<ReplayRunner>> MakeReplayRunner(
    const Config& config, Clock* clock, StoreQueue* queue,
    std::function<Result<std::shared_ptr<const ReadPoint>>()> open_point,
    std::function<void(std::chrono::nanoseconds)> on_sent) {
  return ReplayRunner::Make(OptionsOf(config), {.clock = clock,
                                                .queue = queue,
                                                .open_point = std::move(open_point),
                                                .on_sent = std::move(on_sent)});
}

Status CheckReplayTargets(const Config& config) {
  TD_RETURN_IF_ERROR(ReplayRunner::Make(OptionsOf(config), {}).status());
  for (const auto& [name, target] : config.replay.targets) {
    SinkOptions options{.bootstrap_servers = target.bootstrap_servers,
                        .properties = target.properties,
                        .delivery = SinkDelivery::kAtLeastOnce,
                        .name = "tapedeck.check"};
    options.properties.insert_or_assign("log_level",
                                        std::string(1, '0'));  // no broker need be there
    std::string where = "[replay.targets.";
    where.append(name).append(".properties]");
    TD_RETURN_IF_ERROR(OpenKafkaSink(options).status().WithContext(where));
  }
  return Status::Ok();
}

}  // namespace tapedeck
