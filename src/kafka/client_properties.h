#ifndef TAPEDECK_KAFKA_CLIENT_PROPERTIES_H_
#define TAPEDECK_KAFKA_CLIENT_PROPERTIES_H_

// The librdkafka properties that a user may pass through ([kafka.properties], -X name=value), and
// those that are refused.
//
// Everything about brokers, security, time-outs and fetch sizes goes through as it is. Refused,
// each with its reason, is what would load code or run commands (plugins, OpenSSL engines, kinit),
// what tapedeck decides itself because a promise hangs on it (offsets, isolation, checksums, the
// group), and debug contexts that print secrets.
//
//   KafkaProperties properties = {{"security.protocol", "sasl_ssl"}, {"sasl.username",
//   "recorder"}}; TD_RETURN_IF_ERROR(CheckProperties(properties, ClientRole::kConsumer));
//
// Whether a property exists and its value is one that librdkafka takes is found out when a client
// is made.
//
// Thread-safe: pure functions.

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "base/status.h"

namespace tapedeck {

/// Name to value, as librdkafka's own page of configuration has them.
using KafkaProperties = std::map<std::string, std::string>;

enum class ClientRole : uint8_t { kConsumer, kProducer };

/// kInvalidArgument, naming the first refused property and why it is refused; never its value.
Status CheckProperties(const KafkaProperties& properties, ClientRole role);

/// Whether the value of this property must never be shown: passwords, keys, tokens.
bool IsSecretProperty(std::string_view name);

}  // namespace tapedeck

#endif  // TAPEDECK_KAFKA_CLIENT_PROPERTIES_H_
