#ifndef TAPEDECK_RECORD_REINDEX_SCOPE_H_
#define TAPEDECK_RECORD_REINDEX_SCOPE_H_

// ReindexScope: what a reindex has to look at: which tapes feed the tables that are asked for, by
// which mappings they were decoded and are decoded now, and which days get rows.
//
//   const ReindexMappings mappings(options.topics);
//   TD_ASSIGN_OR_RETURN(auto scope, ReindexScope::Make(point, &mappings, request, stop));
//   TD_ASSIGN_OR_RETURN(auto days, scope->FindDays(bytes_max));  // decodes where mappings changed
//
// A tape feeds what its mapping in force fills, and what any mapping did that has decoded some of
// it. A tape of a topic that is not recorded any more keeps the mappings that it has.
//
// Errors: kNotFound: no such table, or a topic never recorded; kCorruption: what it reads.
// Owned by one thread; keeps its point.

#include <map>
#include <memory>
#include <optional>
#include <regex>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/read_stop.h"
#include "base/status.h"
#include "model/reindex_job.h"
#include "record/recorder.h"
#include "tape/read_point.h"
#include "tape/tail.h"
#include "tape/tape_offsets.h"
#include "tape/tape_reader.h"

namespace tapedeck {

/// The mappings in force, by topic.
class ReindexMappings {
 public:
  explicit ReindexMappings(std::vector<RecordTopic> topics);
  /// Null where the topic is not recorded.
  const MappingSpec* For(const std::string& topic) const;
  /// Equal texts: the same mappings for the same topics.
  const std::string& fingerprint() const { return fingerprint_; }

 private:
  struct Entry {
    RecordTopic topic;
    std::optional<std::regex> pattern;
  };
  std::vector<Entry> entries_;
  std::string fingerprint_;
};

/// A table's day, in order of tables.
using ReindexDay = std::pair<TableId, Day>;

/// A part of a tape: a block, whose messages one mapping has decoded, or a range in the archive.
struct ReindexPart {
  /// In the store: its entry as it is. Null: it is in the archive.
  const TapeIndexEntry* index = nullptr;
};

/// A message with what the mapping in force makes of it and, where that is another one, what the
/// one before made.
struct ReindexMessage {
  const MessageView* message = nullptr;
  Timestamp received;
  DecodedMessage now;
  /// Null: the same mapping.
  const DecodedMessage* before = nullptr;
};

class ReindexSink {
 public:
  virtual ~ReindexSink() = default;
  /// Whether the block is wanted at all. `same`: the mapping in force has decoded it already. Of a
  /// range in the archive `index` has the event times alone.
  virtual bool Wants(const TapeIndexEntry& index, bool same) = 0;
  virtual Status Begin(const ReindexPart& part) = 0;
  virtual Status Take(const ReindexMessage& message) = 0;
  virtual Status End() = 0;
};

/// What a change holds in memory beside its texts; and a change of an index entry with them.
inline constexpr size_t kReindexChangeBytes = 96;
size_t ReindexBytes(const TapeIndexEntry& index);

class ReindexScope {
 public:
  struct Tape {
    TpId tp{};
    TapeId tape;
    int64_t from = 0;
    int64_t to = 0;                     // its watermark
    const MappingSpec* spec = nullptr;  // in force; null: those that it has
    bool changed = false;               // some of it was decoded by another mapping
    std::set<std::string> tables;       // that it feeds, or did
  };

  static Result<std::unique_ptr<ReindexScope>> Make(std::shared_ptr<const ReadPoint> point,
                                                    const ReindexMappings* mappings,
                                                    const ReindexRequest& request,
                                                    std::shared_ptr<const ReadStop> stop);

  /// Those that feed the tables, in order of their numbers.
  const std::vector<Tape>& tapes() const { return tapes_; }
  bool HasTable(TableId table) const { return tables_.contains(table); }
  const std::set<TableId>& tables() const { return tables_; }
  const ReadPoint& point() const { return *point_; }
  std::shared_ptr<const ReadPoint> shared_point() const { return point_; }
  /// Whether the day, as a whole, belongs to the request.
  bool InRange(const Table& table, Day day) const;

  /// Every day of the request that has rows, or would have some. kFailedPrecondition, with their
  /// names: rows would move between these and days or tables that were not asked for; or what
  /// changes of the tapes' index alone takes more than `changes_bytes_max`.
  Result<std::set<ReindexDay>> FindDays(size_t changes_bytes_max);
  /// What this store has recorded of [tape.from, tape.to).
  Result<TapeOffsets> Recorded(const Tape& tape) const;
  /// Gives the messages of these offsets, each once. A block of the store comes whole, at its first
  /// offset that is wanted, wherever the rest of the range lies.
  Status Read(const Tape& tape, const TapeOffsets& wanted, ReindexSink* sink);

 private:
  ReindexScope(std::shared_ptr<const ReadPoint> point, const ReindexMappings* mappings,
               ReindexRequest request, std::shared_ptr<const ReadStop> stop);
  Status AddTape(TpId tp, const TapeId& tape, const Checkpoint& checkpoint);
  Status AddMapping(const Hash128& mapping, Tape* tape);
  Status ChooseTables();
  Result<TapeOffsets> InBlocks(const Tape& tape, const std::vector<TapeSpan>& spans) const;
  Status ReadBlocks(const Tape& tape, const TapeSpan& span, const TapeOffsets& wanted,
                    int64_t* done, ReindexSink* sink);
  Status ReadArchived(const Tape& tape, const TapeSpan& span, const TapeOffsets& wanted,
                      ReindexSink* sink);
  Status Give(const Tape& tape, const MessageView& message, Timestamp received,
              const Hash128& mapping, ReindexSink* sink);
  Result<Decoder*> DecoderInForce(const Tape& tape);

  const std::shared_ptr<const ReadPoint> point_;
  const ReindexMappings* const mappings_;
  const ReindexRequest request_;
  const std::shared_ptr<const ReadStop> stop_;
  StoredDecoders before_;
  TableRegistry registry_;
  std::map<Hash128, std::unique_ptr<Decoder>> in_force_;
  std::map<Hash128, std::vector<std::string>> filled_;  // tables, by stored mapping
  std::set<TableId> tables_;
  std::vector<Tape> tapes_;
  CodecBuffers buffers_;
  TapeBlock block_;
  Decoded decoded_;
  Decoded decoded_before_;
};

}  // namespace tapedeck

#endif  // TAPEDECK_RECORD_REINDEX_SCOPE_H_
