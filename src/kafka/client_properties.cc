#include "kafka/client_properties.h"

#include <algorithm>
#include <array>

namespace tapedeck {
namespace {

struct Refusal {
  std::string_view name;
  std::string_view reason;
};

constexpr std::string_view kLoadsCode = "it loads code into the process";
constexpr std::string_view kRunsCommand = "it runs a command";
constexpr std::string_view kOwnKey = "it has its own key in the configuration";
constexpr std::string_view kStoreDecides = "the store decides where to read, never the client";
constexpr std::string_view kNotData = "it is no setting but a function or pointer";

constexpr std::array kRefusedEverywhere = {
    Refusal{"plugin.library.paths", kLoadsCode},
    Refusal{"ssl.engine.location", kLoadsCode},
    Refusal{"ssl.engine.id", kLoadsCode},
    Refusal{"ssl.providers", kLoadsCode},
    Refusal{"sasl.kerberos.kinit.cmd", kRunsCommand},
    Refusal{"bootstrap.servers", kOwnKey},
    Refusal{"metadata.broker.list", kOwnKey},
    Refusal{"opaque", kNotData},
    Refusal{"default_topic_conf", kNotData},
    Refusal{"interceptors", kNotData},
    Refusal{"enabled_events", kNotData},
    Refusal{"ssl_certificate", kNotData},
    Refusal{"ssl_ca", kNotData},
    Refusal{"ssl_key", kNotData},
    Refusal{"ssl_engine_callback_data", kNotData},
    Refusal{"test.mock.num.brokers", "it replaces the brokers by simulated ones"},
    Refusal{"statistics.interval.ms", "nobody reads librdkafka's statistics; see the metrics"},
    Refusal{"log.queue", "logs go to tapedeck's own log"},
    Refusal{"api.version.request",
            "without it there are no headers, no cluster id and no transactions"},
};

constexpr std::array kRefusedToConsumers = {
    Refusal{"group.id", kOwnKey},
    Refusal{"group.instance.id", "it is the node's id"},
    Refusal{"group.protocol.type", "only ordinary consumer groups are supported"},
    Refusal{"enable.auto.commit", kStoreDecides},
    Refusal{"auto.commit.enable", kStoreDecides},
    Refusal{"auto.commit.interval.ms", kStoreDecides},
    Refusal{"enable.auto.offset.store", kStoreDecides},
    Refusal{"auto.offset.reset",
            "a position outside the log must be reported, never moved in silence"},
    Refusal{"offset.store.method", kStoreDecides},
    Refusal{"offset.store.path", kStoreDecides},
    Refusal{"offset.store.sync.interval.ms", kStoreDecides},
    Refusal{"isolation.level", "only committed messages are recorded"},
    Refusal{"check.crcs", "checksums are always checked"},
    Refusal{"enable.partition.eof", "the end of a partition moves its checkpoint"},
    Refusal{"allow.auto.create.topics", "a recorder never makes the topics it records"},
    Refusal{"client.rack", "fetching from followers crashes librdkafka 2.0.2"},
    Refusal{"max.poll.interval.ms", "it is at its maximum; the node has its own watchdog"},
    Refusal{"queued.min.messages", "it follows from limits.memory"},
    Refusal{"queued.max.messages.kbytes", "it follows from limits.memory"},
    Refusal{"consume.callback.max.messages", "no callback consumer is used"},
};

constexpr std::array kRefusedToProducers = {
    Refusal{"enable.idempotence", "it follows from how the producer is used"},
    Refusal{"transactional.id", "it follows from how the producer is used"},
};

constexpr std::array<std::string_view, 8> kSecretParts = {
    "password", "secret", "key.pem", "token", "oauthbearer.config", "jaas", "ssl_key", "private"};

template <size_t n>
const Refusal* Find(const std::array<Refusal, n>& list, std::string_view name) {
  auto it = std::find_if(list.begin(), list.end(),
                         [name](const Refusal& refusal) { return refusal.name == name; });
  return it == list.end() ? nullptr : &*it;
}

Status Refused(std::string_view name, std::string_view reason) {
  return Status::InvalidArgument("Kafka property '" + std::string(name) +
                                 "' is refused: " + std::string(reason));
}

/// Whether the comma-separated list has `word` as one of its elements.
bool ListHas(std::string_view list, std::string_view word) {
  while (!list.empty()) {
    size_t comma = list.find(',');
    std::string_view element = list.substr(0, comma);
    while (!element.empty() && element.front() == ' ') element.remove_prefix(1);
    while (!element.empty() && element.back() == ' ') element.remove_suffix(1);
    if (element == word) return true;
    if (comma == std::string_view::npos) break;
    list.remove_prefix(comma + 1);
  }
  return false;
}

Status CheckValue(std::string_view name, std::string_view value) {
  if (name == "debug") {
    for (std::string_view context : {"security", "all", "conf", "plugin"}) {
      if (ListHas(value, context)) {
        return Refused(
            name, "the debug context '" + std::string(context) + "' can write secrets to the log");
      }
    }
  }
  if (name == "partition.assignment.strategy" &&
      value.find("cooperative") != std::string_view::npos) {
    return Refused(
        name,
        "cooperative rebalancing loses assignments in librdkafka 2.0.2; use range or roundrobin");
  }
  return Status::Ok();
}

}  // namespace

Status CheckProperties(const KafkaProperties& properties, ClientRole role) {
  for (const auto& [name, value] : properties) {
    const Refusal* refusal = Find(kRefusedEverywhere, name);
    if (refusal == nullptr) {
      refusal = role == ClientRole::kConsumer ? Find(kRefusedToConsumers, name)
                                              : Find(kRefusedToProducers, name);
    }
    if (refusal != nullptr) return Refused(name, refusal->reason);
    if (name.ends_with("_cb")) return Refused(name, kNotData);
    TD_RETURN_IF_ERROR(CheckValue(name, value));
  }
  return Status::Ok();
}

bool IsSecretProperty(std::string_view name) {
  return std::any_of(kSecretParts.begin(), kSecretParts.end(), [name](std::string_view part) {
    return name.find(part) != std::string_view::npos;
  });
}

}  // namespace tapedeck
