#ifndef TAPEDECK_KAFKA_TARGET_FACTS_H_
#define TAPEDECK_KAFKA_TARGET_FACTS_H_

// TargetFacts: what must be known of a topic before anything is sent to it.
//
//   TD_ASSIGN_OR_RETURN(TargetFacts facts, ReadTargetFacts({.bootstrap_servers = servers,
//                                                           .topics = {"Finhub1-replay"},
//                                                           .group = "tapedeck.replay.01J…"}));
//   facts.topics[0].partitions, facts.topics[0].config.at("cleanup.policy")
//
// Errors: kUnavailable where no broker answers in time; kFailedPrecondition for rights that are
// lacking. A topic that is not there is no error: its `exists` says so.
//
// Thread-safe: a pure function on a client of its own.

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/status.h"
#include "kafka/client_properties.h"

namespace tapedeck {

struct TopicFacts {
  std::string topic;
  bool exists = false;
  int partitions = 0;
  /// Kafka's topic configuration in force: "retention.ms" to "604800000". Empty where the broker
  /// does not tell (rights, or what it is).
  std::map<std::string, std::string> config;
  std::vector<int64_t> ends;  // of the partitions, as a read_committed consumer sees them
};

struct TargetFacts {
  std::string cluster_id;
  std::vector<TopicFacts> topics;  // as asked for
  /// Why the group's offsets cannot be read or written; "" where they can be read.
  std::string group_trouble;
};

struct TargetQuestion {
  std::string bootstrap_servers = {};
  KafkaProperties properties = {};
  std::vector<std::string> topics = {};
  std::string group = {};
  std::chrono::milliseconds timeout{10'000};  // for all of it, waiting for leaders included
  Clock* clock = &SystemClock();
};
Result<TargetFacts> ReadTargetFacts(const TargetQuestion& question);

}  // namespace tapedeck

#endif  // TAPEDECK_KAFKA_TARGET_FACTS_H_
