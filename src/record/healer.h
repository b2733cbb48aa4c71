#ifndef TAPEDECK_RECORD_HEALER_H_
#define TAPEDECK_RECORD_HEALER_H_

// Healer: reads again from Kafka what another node was to record and nobody has shipped
// (docs/faults.md, G5).
//
// A hand-over leaves gaps: `elsewhere` where the commit in the group says who recorded the offsets,
// `elsewhere?` where it does not. A node that is lost takes with it what it had not shipped. So a
// gap that is older than heal_after, or half as old as the time until Kafka's retention reaches it,
// is read again by the partition's present owner, as far as no manifest lists its offsets: doubles
// have the same Origin and are read once, holes are lost for good. Without an archive nobody ever
// lists anything: only `elsewhere?` is healed there.
//
// What a repair could not find again (`damaged`) is read as soon as the partition is ours.
//
// A thread of its own reads; what it gives is sealed into tape blocks. The record thread puts them,
// their records and the smaller gap into the batch of a flush (heal.cc).
//
//   Healer healer(open_probe, clock, options);
//   healer->Start(job);
//   if (std::unique_ptr<ReadAgain> read = healer->TakeBuilt()) …
//
// Thread safety: one caller; see record/background.h.

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/status.h"
#include "kafka/message_source.h"
#include "model/stored.h"
#include "record/background.h"
#include "tape/tape_offsets.h"

namespace tapedeck {

class ManifestSet;

/// Not of those whose reason says that nobody has it any more, or wants it.
bool MayBeHealed(const Gap& gap);

/// A gap that may have to be read again.
struct HealGap {
  TpId tp{};
  TapeId tape;
  Gap gap;
  int64_t log_first_ms = -1;  // Kafka time of what Kafka has first; -1 unknown
};

struct HealJob {
  std::vector<HealGap> gaps;
  Timestamp now;
};

/// What was read again of one gap.
struct ReadAgain {
  std::optional<HealGap> of;  // nullopt: there is nothing to heal
  int64_t from = 0;           // [from, to) of the gap is known now
  int64_t to = 0;
  Timestamp received;
  std::vector<std::pair<int64_t, std::string>> blocks;  // by first offset, sealed
};

struct HealerOptions {
  std::chrono::nanoseconds heal_after = std::chrono::hours(26);
  std::chrono::milliseconds broker_timeout = std::chrono::seconds(10);
  /// Of [from, to), what no manifest lists; nullopt: that is not known now. Null: no archive.
  std::function<std::optional<std::vector<OffsetSpan>>(const TapeId&, int64_t, int64_t)> unlisted;
  /// Ends a read; may be null.
  const std::atomic<bool>* stop = nullptr;
};

/// Begins the detail of a damaged gap that manifests list: their object is damaged, so it is read
/// from Kafka all the same.
inline constexpr std::string_view kArchiveDamaged = "its tape object is damaged";

/// What the manifests of a set leave of [from, to); nullopt: one that may list it cannot be read.
std::optional<std::vector<OffsetSpan>> UnlistedOf(const ManifestSet& set, const TapeId& tape,
                                                  int64_t from, int64_t to);

class Healer {
 public:
  /// At one time so much is read, so that a batch stays one.
  static constexpr size_t kBytes = size_t{8} << 20;
  static constexpr size_t kMessages = 50'000;

  using OpenProbe = std::function<Result<std::unique_ptr<LogProbe>>()>;
  Healer(OpenProbe open_probe, Clock* clock, HealerOptions options);

  Background<HealJob, ReadAgain>* operator->() { return &thread_; }
  const HealerOptions& options() const { return options_; }

 private:
  std::unique_ptr<ReadAgain> Build(const HealJob& job);
  Result<bool> IsDue(const HealGap& gap, Timestamp now);
  Result<bool> Read(const HealGap& gap, ReadAgain* read);
  Status ReadSpan(const HealGap& gap, OffsetSpan span, ReadAgain* read);
  Status NeedProbe();

  const OpenProbe open_probe_;
  Clock* const clock_;
  const HealerOptions options_;
  std::unique_ptr<LogProbe> probe_;
  Background<HealJob, ReadAgain> thread_;
};

}  // namespace tapedeck

#endif  // TAPEDECK_RECORD_HEALER_H_
