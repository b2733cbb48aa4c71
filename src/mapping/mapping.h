#ifndef TAPEDECK_MAPPING_MAPPING_H_
#define TAPEDECK_MAPPING_MAPPING_H_

// Mapping: the compiled rule that turns a message of a topic into records. docs/mapping.md
// describes the language.
//
// A mapping arrives as JSON text (the config module turns TOML into it) and is known by the hash of
// its canonical text: keys sorted, no blanks, `base` resolved, topic settings (symbol_prefix,
// max_ahead) included. The store keeps that text (prefix `v`), so a tail left by a crash is decoded
// by the very mapping that was in force.
//
//   TD_ASSIGN_OR_RETURN(MappingSpec spec, MappingSpec::Resolve("finnhub", library, settings));
//   TableRegistry tables;
//   TD_ASSIGN_OR_RETURN(std::unique_ptr<Decoder> decoder, Decoder::Make(spec, &tables));
//   Decoded decoded;
//   decoder->Decode(topic_partition, message, received, &decoded);
//   for (const DecodedRecord& r : decoded.records) …
//
// A Decoder is owned by one thread; a MappingSpec is a value. What Decode gives out is valid until
// its next call.

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/hash.h"
#include "base/status.h"
#include "model/message.h"
#include "model/message_shape.h"
#include "model/table.h"
#include "model/value.h"

namespace tapedeck {

/// What a topic adds to its mapping; part of the mapping's identity because records depend on it.
struct TopicSettings {
  std::string symbol_prefix;
  /// An event time further past the later of Kafka time and time of receipt is refused.
  int64_t max_ahead_ns = int64_t{24} * 3600 * 1'000'000'000;
};

/// Mappings by name, as JSON text each: presets and those of the configuration (which win).
using MappingLibrary = std::map<std::string, std::string, std::less<>>;

class MappingSpec {
 public:
  /// Looks `name` up, follows `base`, checks everything that can be checked without data. Errors
  /// name the mapping, the rule and the key, and the nearest known key where one is unknown.
  static Result<MappingSpec> Resolve(std::string_view name, const MappingLibrary& library,
                                     const TopicSettings& settings);
  /// From a stored canonical text. kCorruption where it is not one; kFailedPrecondition for a newer
  /// decoder version.
  static Result<MappingSpec> FromCanonical(std::string_view canonical);
  /// The mapping "none": messages stay on the tape, no records, nothing refused.
  static MappingSpec None();

  const std::string& name() const { return name_; }
  /// {"decoder":1,"mapping":{…},"max_ahead_ns":…,"name":"finnhub","symbol_prefix":""}
  const std::string& canonical() const { return canonical_; }
  const Hash128& hash() const { return hash_; }
  /// `on_error = "stop"`.
  bool stop_on_error() const { return stop_on_error_; }
  /// Names of the tables that its rules fill, sorted, each once.
  const std::vector<std::string>& tables() const { return tables_; }

 private:
  friend class MappingParser;
  std::string name_;
  std::string canonical_;
  Hash128 hash_;
  bool stop_on_error_ = false;
  std::vector<std::string> tables_;
};

struct DecodedRecord {
  TableId table{};
  /// Which of the mapping's rules made it, from 0; for `mapping test`.
  uint32_t rule = 0;
  std::string_view symbol;
  Timestamp ts;
  /// The path that gave ts, or "kafka"; for `mapping test`.
  std::string_view ts_source;
  /// One for each column of the table that this rule's Decoder knew when it was made; fewer is
  /// possible, the rest is null.
  std::span<const Value> values;
};

struct DecodedMark {
  enum class Kind : uint8_t { kSkipped, kRefused };
  Kind kind = Kind::kSkipped;
  /// Skipped: text of the condition, "empty", "unmatched", "tombstone". Refused: "not-json", a
  /// format, the condition, "no-rule", "bad-number: size (v)", ….
  std::string_view reason;
  /// How many records come before it in message order.
  uint32_t position = 0;
};

struct Decoded {
  std::vector<DecodedRecord>
      records;  // the index in this vector is the record's index in its Origin
  std::vector<DecodedMark> marks;
  uint32_t refused = 0;  // marks of kind kRefused
  /// The first of them, or "".
  std::string_view first_refusal() const;
};

/// Counters for metrics and benches.
struct DecoderStats {
  uint64_t messages = 0;
  uint64_t fast = 0;  // taken by a learned layout
  uint64_t relearned = 0;
};

struct DecoderOptions {
  /// False: every message takes the general way through its tree. Records and marks are the same;
  /// for tests and benches.
  bool learn_layouts = true;
};

class Decoder {
 public:
  virtual ~Decoder() = default;

  /// Declares the tables and columns that the mapping's rules need in `tables` (grows it) and
  /// compiles. The tables' columns known then are those that `values` follow.
  static Result<std::unique_ptr<Decoder>> Make(const MappingSpec& spec, TableRegistry* tables,
                                               const DecoderOptions& options = {});

  /// Never fails: what cannot be decoded is a mark. `received` is the time of receipt stored with
  /// the message's tape block. Bytes of the value need no padding.
  virtual void Decode(const TopicPartition& tp, const MessageView& message, Timestamp received,
                      Decoded* out) = 0;

  /// Where the scalars of the message of the last Decode lie in its value, where that is known for
  /// nothing: a learned layout took it and nothing in it repeats. Else null. Valid until the next
  /// Decode; costs nothing unless it is called.
  virtual const MessageShape* Shape() = 0;

  virtual const MappingSpec& spec() const = 0;
  virtual DecoderStats stats() const = 0;
};

}  // namespace tapedeck

#endif  // TAPEDECK_MAPPING_MAPPING_H_
