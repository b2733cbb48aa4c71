#ifndef TAPEDECK_MODEL_REPLAY_HEADERS_H_
#define TAPEDECK_MODEL_REPLAY_HEADERS_H_

// The headers that a replay adds behind the original ones, in this order:
//   tapedeck-replay   <group>/<node>/<job>
//   tapedeck-seq      1, 2, 3, … over the whole job
//   tapedeck-origin   topic/partition/lineage/offset; of a record /index more
//   tapedeck-ts       the recorded Kafka timestamp in milliseconds; -1 where there was none
// Whoever sends them need not be us: they are advice, and nothing is lost by believing them.
//
//   std::optional<ReplayHeaders> ours = ReplayHeadersOf(message);   // nullopt: not four, or not so
//
// Thread-safe: pure functions on values.

#include <charconv>
#include <cstdint>
#include <optional>
#include <string_view>

#include "model/message.h"

namespace tapedeck {

inline constexpr std::string_view kReplayHeader = "tapedeck-replay";
inline constexpr std::string_view kSeqHeader = "tapedeck-seq";
inline constexpr std::string_view kOriginHeader = "tapedeck-origin";
inline constexpr std::string_view kTimeHeader = "tapedeck-ts";
inline constexpr size_t kReplayHeaders = 4;

/// Views into the message.
struct ReplayHeaders {
  std::string_view name;  // of tapedeck-replay
  uint64_t seq = 0;
  std::string_view origin;
};

/// The last four headers, where they are a replay's: a replay of a replay has those of the first
/// before them.
inline std::optional<ReplayHeaders> ReplayHeadersOf(const MessageView& message) {
  if (message.headers.size() < kReplayHeaders) return std::nullopt;
  const auto ours = message.headers.last(kReplayHeaders);
  if (ours[0].name != kReplayHeader || !ours[0].value) return std::nullopt;
  if (ours[1].name != kSeqHeader || !ours[1].value) return std::nullopt;
  if (ours[2].name != kOriginHeader || !ours[2].value) return std::nullopt;
  if (ours[3].name != kTimeHeader) return std::nullopt;
  ReplayHeaders headers{.name = *ours[0].value, .seq = 0, .origin = *ours[2].value};
  const std::string_view text = *ours[1].value;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), headers.seq);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return headers;
}

/// Some replay has sent it, if the header is to be believed.
inline bool HasReplayHeader(const MessageView& message) {
  for (const HeaderView& header : message.headers) {
    if (header.name == kReplayHeader) return true;
  }
  return false;
}

}  // namespace tapedeck

#endif  // TAPEDECK_MODEL_REPLAY_HEADERS_H_
