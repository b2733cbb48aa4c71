#ifndef TAPEDECK_MODEL_ORIGIN_H_
#define TAPEDECK_MODEL_ORIGIN_H_

// Origin: the identity of a record, and TapeId: which tape it comes from.
//
// A lineage is one life of a topic's log: a topic deleted and made again, or a log that was cut and
// written anew, goes on in a new lineage, so offsets never collide with the past. (cluster, topic,
// lineage, partition) gets a small number in each store, the tp id; inside the store and in memory
// an Origin is (tp id, offset, index).
//
// Values; thread-compatible.

#include <compare>
#include <cstdint>
#include <string>

namespace tapedeck {

/// The number a store gave to one (cluster, topic, lineage, partition). Never reused within a
/// store.
enum class TpId : uint32_t {};
constexpr uint32_t Raw(TpId id) { return static_cast<uint32_t>(id); }

struct TapeId {
  std::string cluster;
  std::string topic;
  uint32_t lineage = 0;
  int32_t partition = 0;
  auto operator<=>(const TapeId&) const = default;
  /// "Finhub1[3]" in lineage 0, "Finhub1[3] lineage 2" else.
  std::string ToString() const;
};

struct Origin {
  TpId tp{};
  int64_t offset = 0;
  uint32_t index = 0;  // which record of the message, from 0
  auto operator<=>(const Origin&) const = default;
};

}  // namespace tapedeck

#endif  // TAPEDECK_MODEL_ORIGIN_H_
