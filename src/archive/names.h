#ifndef TAPEDECK_ARCHIVE_NAMES_H_
#define TAPEDECK_ARCHIVE_NAMES_H_

// Names of what lies in the archive, made and read back.
//
//   <table>/dt=<day>/<node>-<store>-g<generation>-<nn>-<hash>.<format>              records
//   tape/<topic>/dt=<day>/<node>-<store>-l<lineage>-p<partition>-<first>-<last>-<hash>.<format>
//   _tapedeck/<node>/<day>/<table>-<store>-g<generation>-<hash>.json                its manifest
//   _tapedeck/<node>/<day>/tape-<topic>-<store>-l<lineage>-p<partition>-<first>-<last>-<hash>.json
//   messages/<topic>/p<partition>/<offset>-l<lineage>.json                          one message
//   _tapedeck/<node>/backup/<date>-<store>-<hash>/…                                 backup
//
// <node> and <topic> are EncodeNamePart (blob/blob_name.h) of any bytes; <day> is 2024-07-02 (of a
// tape: the Kafka date of its first message); generation has at least three digits, <nn> two,
// partition five, the offset of a single message twenty; <first> and <last> are offsets, both
// inside. <hash> is NameHash of the content and of the version of tapedeck that wrote it: 24
// hexadecimal digits. No two stores ever make the same name, and one store makes it for one content
// only; a single message is the exception: its name says nothing about the writer, so that writing
// it again changes nothing.
//
//   std::string name = RecordObjectName({node, store}, "trades", day, 0, 1,
//                                       {.format = "parquet", .hash = NameHash(sha256, version)});
//   TD_ASSIGN_OR_RETURN(ArchiveName read, ParseArchiveName(name));    // read.kind, read.day, …
//
// Every name that these functions make is one that blob/blob_name.h allows, whatever the bytes, as
// long as table, format and store id are what tapedeck makes (CheckTableName, the formats of
// model/manifest.h, lower-case letters and digits). Names that are read come from a bucket that
// others can write to: they are parsed strictly, and say where to look, never what is there; that
// is the manifest's to say.
//
// Errors of ParseArchiveName: kInvalidArgument. Thread-safe: pure functions.

#include <cstdint>
#include <string>
#include <string_view>

#include "base/status.h"
#include "base/time.h"

namespace tapedeck {

/// Who writes.
struct ArchiveOwner {
  std::string node;   // any bytes
  std::string store;  // its id
};

/// What kind of file, and of which content.
struct ArchiveFile {
  std::string format;  // "parquet", "ndjson.zst", "ndjson.gz": the ending of the name
  std::string hash;    // NameHash
};

/// Offsets [from, to) of a tape, `to` > `from`.
struct ArchiveTape {
  std::string topic;
  uint32_t lineage = 0;
  int32_t partition = 0;
  int64_t from = 0;
  int64_t to = 0;
};

/// What stands for content and writer in a name. `content_hash` is any hash of the whole content as
/// text: the sha256 of an object, HashBytes of a manifest's JSON.
std::string NameHash(std::string_view content_hash, std::string_view writer_version);

std::string RecordObjectName(const ArchiveOwner& owner, std::string_view table, Day day,
                             uint32_t generation, uint32_t number, const ArchiveFile& file);
std::string TapeObjectName(const ArchiveOwner& owner, const ArchiveTape& tape, Day day,
                           const ArchiveFile& file);
std::string RecordManifestName(const ArchiveOwner& owner, std::string_view table, Day day,
                               uint32_t generation, std::string_view hash);
std::string TapeManifestName(const ArchiveOwner& owner, const ArchiveTape& tape, Day day,
                             std::string_view hash);
std::string MessageObjectName(std::string_view topic, int32_t partition, int64_t offset,
                              uint32_t lineage);
/// Ends with a '/'; the files of a backup of that day lie under it. `hash`: of its listing.
std::string BackupPrefix(const ArchiveOwner& owner, Day date, std::string_view hash);

/// Prefixes for BlobStore::List. All manifests of all nodes (and their backups); of one node; of
/// one day of it; backups of one node.
inline constexpr std::string_view kManifestsPrefix = "_tapedeck/";
std::string ManifestsPrefix(std::string_view node);
std::string ManifestsPrefix(std::string_view node, Day day);
std::string BackupsPrefix(std::string_view node);
/// Record objects of a table; of one day of it. Tape objects of a topic.
std::string RecordObjectsPrefix(std::string_view table);
std::string RecordObjectsPrefix(std::string_view table, Day day);
std::string TapeObjectsPrefix(std::string_view topic);

enum class ArchiveNameKind : uint8_t {
  kRecordObject,
  kTapeObject,
  kRecordManifest,
  kTapeManifest,
  kMessage,
  kBackup,  // any file of one
};

/// What a name says. Fields that the kind does not have are as they are here. The parts of node and
/// topic are as in the name: encoded, perhaps cut; compare with EncodeNamePart of what is sought.
struct ArchiveName {
  ArchiveNameKind kind = ArchiveNameKind::kRecordObject;
  std::string node_part;
  std::string topic_part;
  std::string table;
  std::string store;
  Day day;
  uint32_t generation = 0;
  uint32_t number = 0;
  uint32_t lineage = 0;
  int32_t partition = 0;
  int64_t from = 0;  // [from, to)
  int64_t to = 0;
  std::string hash;
  std::string format;
};
Result<ArchiveName> ParseArchiveName(std::string_view name);

}  // namespace tapedeck

#endif  // TAPEDECK_ARCHIVE_NAMES_H_
