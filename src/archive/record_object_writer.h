#ifndef TAPEDECK_ARCHIVE_RECORD_OBJECT_WRITER_H_
#define TAPEDECK_ARCHIVE_RECORD_OBJECT_WRITER_H_

// RecordObjectWriter: the rows of one (table, day, generation) as files that are ready to be
// shipped.
//
//   RecordObjectPlan plan{.table = table, .day = day, .generation = g, .tapes = tapes,
//                         .folder = work, .writer = "tapedeck 0.1.0"};
//   TD_ASSIGN_OR_RETURN(auto writer, RecordObjectWriter::Make(std::move(plan)));
//   … TD_RETURN_IF_ERROR(writer->Append({symbol, &rows, 0, count}));      // by (symbol, ts, …)
//   TD_ASSIGN_OR_RETURN(std::vector<WrittenObject> objects, writer->Finish());
//
// The bytes are a function of plan and rows: not of the folder, of how rows are cut into slices, of
// time or of chance. So a day that is written again after a crash gives the same objects.
//
// Columns and metadata: docs/archive.md. Files are cut at `file_rows` rows or `file_bytes` bytes,
// whichever is first; the second may be passed by what 65,536 rows or a row group bring.
//
// Errors: kInvalidArgument from Make: the plan; from Append: rows out of order, or what no object
// holds exactly (docs/archive.md, "Limits"). Else those of base/file.h, kResourceExhausted and
// kInternal. After an error only destruction is left. A writer that ends without Finish removes
// its files.
//
// Memory: one encoded row group, one batch of 65,536 rows and the footer of a file, whatever the
// number of rows: docs/archive.md has numbers. Owned by one thread.

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "archive/object_format.h"
#include "base/status.h"
#include "base/time.h"
#include "columnar/layout.h"
#include "model/manifest.h"
#include "model/origin.h"
#include "model/table.h"

namespace tapedeck {

struct RecordObjectPlan {
  Table table;
  Day day;
  uint32_t generation = 0;
  /// Every tape that rows may name. Two must not have the same topic, partition and lineage.
  std::vector<std::pair<TpId, TapeId>> tapes;
  ObjectFormat format = ObjectFormat::kParquet;
  /// Where files are made; it exists. Their names begin with `file_prefix` and mean nothing; what
  /// has such a name is overwritten.
  std::string folder;
  std::string file_prefix = "object";
  /// Into the metadata: "tapedeck 0.1.0".
  std::string writer;
  uint64_t file_rows = uint64_t{1} << 26;
  uint64_t file_bytes = uint64_t{512} << 20;
};

/// A finished, synced file and what a manifest says of it. `object.name` is empty: archive/names.h
/// makes it.
struct WrittenObject {
  std::string path;
  ShippedObject object;
};

class RecordObjectWriter {
 public:
  static Result<std::unique_ptr<RecordObjectWriter>> Make(RecordObjectPlan plan);
  virtual ~RecordObjectWriter() = default;

  /// Rows of one symbol, in ascending order, with step 1; columns that they lack at the end are
  /// null. Symbols ascend as bytes, times within a symbol do.
  virtual Status Append(const RowSlice& rows) = 0;
  /// In the order of rows; none without rows. The files are the caller's from here on.
  virtual Result<std::vector<WrittenObject>> Finish() = 0;
};

}  // namespace tapedeck

#endif  // TAPEDECK_ARCHIVE_RECORD_OBJECT_WRITER_H_
