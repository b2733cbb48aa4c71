#include "ship/tape_watch.h"

#include <algorithm>

#include "tape/tape_blocks.h"

namespace tapedeck {
namespace {

Timestamp Believed(const TapeIndexEntry& entry, Timestamp now) {
  if (entry.records == 0) return Timestamp::Min();
  // A message without a Kafka time was received before now.
  Timestamp kafka = now;
  if (int64_t ns = 0; entry.kafka_max_ms >= 0 &&
                      !__builtin_mul_overflow(entry.kafka_max_ms, int64_t{1'000'000}, &ns)) {
    kafka = Timestamp(ns);
  }
  const Timestamp most = kafka.SaturatingAdd(std::chrono::nanoseconds(kBelieveAhead).count());
  return std::min(Timestamp(entry.event_max_ns), most);
}

}  // namespace

Status TapeWatch::Look(const StoreView& view, const StoreState& state, Timestamp now) {
  for (const auto& [tp, checkpoint] : state.checkpoints) {
    auto [known, is_new] = tapes_.try_emplace(tp);
    Tape& tape = known->second;
    if (!is_new && tape.looked >= checkpoint.next) continue;
    TapeBlocks blocks(&view, tp, "tape " + std::to_string(Raw(tp)), ScanKind::kPoint);
    if (is_new) {
      // The newest entry, also where all is shipped.
      TD_RETURN_IF_ERROR(blocks.Seek(std::max<int64_t>(checkpoint.last.offset, 0)));
      if (blocks.Valid()) tape.believed = Believed(blocks.index(), now);
      tape.looked = state.ShipOf(tp).shipped;
    }
    TD_RETURN_IF_ERROR(blocks.Seek(tape.looked));
    while (blocks.Valid()) {
      const TapeIndexEntry& entry = blocks.index();
      tape.believed = std::max(tape.believed, Believed(entry, now));
      if (entry.first_offset >= tape.looked) tape.bytes += entry.raw_bytes;
      tape.looked = std::max(tape.looked, entry.last_offset + 1);
      TD_RETURN_IF_ERROR(blocks.Next());
    }
    tape.looked = std::max(tape.looked, checkpoint.next);
  }
  return Status::Ok();
}

}  // namespace tapedeck
