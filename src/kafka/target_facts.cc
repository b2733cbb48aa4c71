#include "kafka/target_facts.h"

#include <librdkafka/rdkafka.h>

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

#include "kafka/rdkafka_client.h"

namespace tapedeck {
namespace {

struct Context final : ClientContext {
  Context() { log_name = "replay-preflight"; }
};

ClientSettings SettingsOf(const TargetQuestion& question) {
  ClientSettings settings;
  settings.role = ClientRole::kConsumer;
  settings.bootstrap_servers = question.bootstrap_servers;
  settings.properties = question.properties;
  for (const char* name : {"linger.ms", "compression.codec", "compression.type", "acks",
                           "batch.size", "batch.num.messages", "client.id"}) {
    settings.properties.erase(name);
  }
  settings.defaults = {{"client.id", "tapedeck-preflight"}, {"log.connection.close", "false"}};
  settings.fixed = {{"group.id", question.group},
                    {"enable.auto.commit", "false"},
                    {"isolation.level", "read_committed"},
                    {"allow.auto.create.topics", "false"}};
  return settings;
}

/// What is left of the time for all steps.
struct Limit {
  Clock* clock;
  MonotonicTime until;

  MonotonicTime Left() const { return std::max(until - clock->Monotonic(), MonotonicTime(1)); }
  int Ms() const {
    return static_cast<int>(std::chrono::ceil<std::chrono::milliseconds>(Left()).count());
  }
};

// Asks again while the cluster settles, as long as there is time: a topic that has just been made
// has no leaders yet, a coordinator that moves is loading.
template <typename Ask>
Status AskUntilSettled(const Limit& limit, Ask ask) {
  constexpr std::chrono::milliseconds kPause{100};
  for (;;) {
    Status status = ask();
    if (status.code() != StatusCode::kUnavailable || limit.Left() <= kPause) return status;
    limit.clock->SleepFor(kPause);
  }
}

struct EventDestroy {
  void operator()(rd_kafka_event_t* event) const { rd_kafka_event_destroy(event); }
};
struct ConfigDestroy {
  void operator()(rd_kafka_ConfigResource_t* config) const {
    rd_kafka_ConfigResource_destroy(config);
  }
};
struct OptionsDestroy {
  void operator()(rd_kafka_AdminOptions_t* options) const {
    rd_kafka_AdminOptions_destroy(options);
  }
};

Status CountPartitions(rd_kafka_t* client, const Limit& limit, TopicFacts* facts) {
  RdkTopic handle(rd_kafka_topic_new(client, facts->topic.c_str(), nullptr));
  if (handle == nullptr) return RdkStatus(rd_kafka_last_error(), "opening " + facts->topic);
  const rd_kafka_metadata_t* metadata = nullptr;
  const std::string doing = "looking at topic " + facts->topic;
  TD_RETURN_IF_ERROR(
      RdkStatus(rd_kafka_metadata(client, 0, handle.get(), &metadata, limit.Ms()), doing));
  const rd_kafka_resp_err_t err =
      metadata->topic_cnt == 1 ? metadata->topics[0].err : RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC;
  const int partitions = metadata->topic_cnt == 1 ? metadata->topics[0].partition_cnt : 0;
  rd_kafka_metadata_destroy(metadata);
  const Status status = RdkStatus(err, doing);
  if (status.code() == StatusCode::kNotFound) return Status::Ok();
  TD_RETURN_IF_ERROR(status);
  facts->exists = true;
  facts->partitions = partitions;
  return Status::Ok();
}

// Of all partitions of all topics at once: one request for each broker, however many there are.
Status ReadEnds(rd_kafka_t* client, const Limit& limit, std::vector<TopicFacts>* topics) {
  std::vector<TopicPartition> all;
  for (const TopicFacts& topic : *topics) {
    for (int32_t p = 0; p < topic.partitions; ++p) all.push_back({topic.topic, p});
  }
  if (all.empty()) return Status::Ok();
  RdkPartitions list = MakePartitions(all);
  // What is asked for stands in place of a time; answered as a read_committed consumer sees it.
  for (size_t i = 0; i < all.size(); ++i) list->elems[i].offset = RD_KAFKA_OFFSET_END;
  TD_RETURN_IF_ERROR(RdkStatus(rd_kafka_offsets_for_times(client, list.get(), limit.Ms()),
                               "looking at the ends of the target's partitions"));
  std::map<TopicPartition, int64_t> ends;
  for (size_t i = 0; i < static_cast<size_t>(list->cnt); ++i) {
    const rd_kafka_topic_partition_t& one = list->elems[i];
    const TopicPartition tp{one.topic, one.partition};
    TD_RETURN_IF_ERROR(RdkStatus(one.err, "looking at the end of " + tp.ToString()));
    ends[tp] = one.offset;
  }
  for (TopicFacts& topic : *topics) {
    topic.ends.clear();
    for (int32_t p = 0; p < topic.partitions; ++p) {
      const auto found = ends.find({topic.topic, p});
      if (found == ends.end() || found->second < 0) {
        return Status::Unavailable("no broker tells where " + topic.topic + "[" +
                                   std::to_string(p) + "] ends");
      }
      topic.ends.push_back(found->second);
    }
  }
  return Status::Ok();
}

// librdkafka's own, as the demo starts it: it has no controller and knows no configurations.
bool IsSimulated(std::string_view cluster_id) { return cluster_id.starts_with("mockCluster"); }

// Without one nobody is asked how a topic is set, and nothing may be sent unasked. A cluster that
// has lost it chooses another soon.
Status FindController(rd_kafka_t* client, const Limit& limit) {
  constexpr std::chrono::milliseconds kKnownWithin{1'000};  // from metadata, which are there
  const int32_t controller =
      rd_kafka_controllerid(client, std::min(limit.Ms(), static_cast<int>(kKnownWithin.count())));
  const rd_kafka_metadata_t* metadata = nullptr;
  TD_RETURN_IF_ERROR(RdkStatus(rd_kafka_metadata(client, 0, nullptr, &metadata, limit.Ms()),
                               "looking at the brokers"));
  bool found = false;
  for (int i = 0; i < metadata->broker_cnt; ++i) found |= metadata->brokers[i].id == controller;
  rd_kafka_metadata_destroy(metadata);
  return found ? Status::Ok() : Status::Unavailable("the target cluster has no controller");
}

// Without the right to describe configurations the map stays empty.
Status ReadConfig(rd_kafka_t* client, int timeout_ms, TopicFacts* facts) {
  std::unique_ptr<rd_kafka_ConfigResource_t, ConfigDestroy> resource(
      rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, facts->topic.c_str()));
  std::unique_ptr<rd_kafka_AdminOptions_t, OptionsDestroy> options(
      rd_kafka_AdminOptions_new(client, RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS));
  std::array<char, 256> text{};
  rd_kafka_AdminOptions_set_request_timeout(options.get(), timeout_ms, text.data(), text.size());
  RdkQueue queue(rd_kafka_queue_new(client));
  rd_kafka_ConfigResource_t* asked = resource.get();
  rd_kafka_DescribeConfigs(client, &asked, 1, options.get(), queue.get());
  std::unique_ptr<rd_kafka_event_t, EventDestroy> event(
      rd_kafka_queue_poll(queue.get(), timeout_ms + 1000));
  const std::string doing = "reading the configuration of topic " + facts->topic;
  if (event == nullptr) return Status::Unavailable(doing + ": no answer in time");
  const rd_kafka_resp_err_t err = rd_kafka_event_error(event.get());
  if (err == RD_KAFKA_RESP_ERR__UNSUPPORTED_FEATURE) return Status::Ok();  // it cannot tell
  TD_RETURN_IF_ERROR(RdkStatus(err, doing));
  size_t count = 0;
  const rd_kafka_ConfigResource_t** answers = rd_kafka_DescribeConfigs_result_resources(
      rd_kafka_event_DescribeConfigs_result(event.get()), &count);
  for (size_t i = 0; i < count; ++i) {
    if (rd_kafka_ConfigResource_error(answers[i]) != RD_KAFKA_RESP_ERR_NO_ERROR) continue;
    size_t entries = 0;
    const rd_kafka_ConfigEntry_t** entry = rd_kafka_ConfigResource_configs(answers[i], &entries);
    for (size_t e = 0; e < entries; ++e) {
      const char* value = rd_kafka_ConfigEntry_value(entry[e]);
      if (value != nullptr) facts->config[rd_kafka_ConfigEntry_name(entry[e])] = value;
    }
  }
  return Status::Ok();
}

Status ReadGroup(rd_kafka_t* client, int timeout_ms, const std::string& topic) {
  const TopicPartition at{topic, 0};
  RdkPartitions list = MakePartitions({&at, 1});
  const std::string doing = "reading the group's offsets";
  TD_RETURN_IF_ERROR(RdkStatus(rd_kafka_committed(client, list.get(), timeout_ms), doing));
  return RdkStatus(list->elems[0].err, doing);
}

}  // namespace

Result<TargetFacts> ReadTargetFacts(const TargetQuestion& question) {
  Context context;
  TD_ASSIGN_OR_RETURN(RdkClient client, MakeClient(SettingsOf(question), &context));
  const Limit limit{question.clock, question.clock->Monotonic() + question.timeout};
  TargetFacts facts;
  std::unique_ptr<char, void (*)(char*)> id(rd_kafka_clusterid(client.get(), limit.Ms()),
                                            [](char* text) { rd_kafka_mem_free(nullptr, text); });
  if (id == nullptr) {
    return Status::Unavailable("no broker of " + question.bootstrap_servers + " answers");
  }
  facts.cluster_id = id.get();
  bool has_controller = false;
  for (const std::string& topic : question.topics) {
    TopicFacts one;
    one.topic = topic;
    TD_RETURN_IF_ERROR(
        AskUntilSettled(limit, [&] { return CountPartitions(client.get(), limit, &one); }));
    const bool asked = one.exists && !IsSimulated(facts.cluster_id);
    if (asked && !std::exchange(has_controller, true)) {
      TD_RETURN_IF_ERROR(
          AskUntilSettled(limit, [&] { return FindController(client.get(), limit); }));
    }
    if (asked) TD_RETURN_IF_ERROR(ReadConfig(client.get(), limit.Ms(), &one));
    facts.topics.push_back(std::move(one));
  }
  TD_RETURN_IF_ERROR(
      AskUntilSettled(limit, [&] { return ReadEnds(client.get(), limit, &facts.topics); }));
  if (!facts.topics.empty() && facts.topics[0].exists) {
    const Status group = AskUntilSettled(
        limit, [&] { return ReadGroup(client.get(), limit.Ms(), facts.topics[0].topic); });
    // A coordinator that is only away says nothing of what the client may do.
    if (group.code() == StatusCode::kUnavailable) return group;
    facts.group_trouble = std::string(group.message());
  }
  return facts;
}

}  // namespace tapedeck
