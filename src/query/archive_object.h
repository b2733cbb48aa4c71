#ifndef TAPEDECK_QUERY_ARCHIVE_OBJECT_H_
#define TAPEDECK_QUERY_ARCHIVE_OBJECT_H_

// Opened objects of one manifest, and the series in them. Private to query's archive sources.
//
// Owned by one thread.

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "archive/object_cache.h"
#include "archive/record_object_reader.h"
#include "base/status.h"
#include "query/row_source.h"
#include "tape/archive_plan.h"
#include "tape/read_point.h"

namespace tapedeck {

/// Whether the manifest's bounds leave room for a row of the selection.
bool MayHold(const ShippedObject& object, const RowSelection& selection);

/// The numbers of the tapes that a manifest names.
TapeResolver ResolverOf(const ReadPoint& point, const ManifestRows& part);

/// A Parquet object, opened.
struct ArchiveObject {
  const ShippedObject* object = nullptr;
  OpenedRecords opened;
  std::unique_ptr<RecordObjectReader> reader;

  /// Another reader of the same, with pages of its own.
  std::unique_ptr<RecordObjectReader> NewReader(const RowSelection& selection,
                                                const TapeResolver& resolver) const;
  /// Rows [from, to) as they lie, which must be within the manifest's bounds.
  Status Read(RecordObjectReader* from, RowRange range, Rows* rows) const;
  /// Of one series: rows of the selection's times.
  Result<RowRange> InTimes(RecordObjectReader* from, RowRange series, int64_t start,
                           int64_t end) const;
};

/// A series of one of the objects.
struct ArchiveSeries {
  std::string symbol;
  uint32_t object = 0;
  RowRange rows;  // not yet narrowed to the selection's times
};

struct ArchiveObjects {
  TapeResolver resolver;
  std::vector<ArchiveObject> parquet;
  std::vector<ArchiveSeries> series;         // of those, as they lie
  std::vector<const ShippedObject*> others;  // in formats that can only be read from end to end
};

/// Opens what may hold rows of the selection.
Result<ArchiveObjects> OpenObjects(const ReadPoint& point, const RowSelection& selection,
                                   const ManifestRows& part);

/// Hands the rows of an object of another format to `sink`, symbol by symbol; columns are those of
/// the table.
Status ScanObject(const ReadPoint& point, const RowSelection& selection,
                  const ShippedObject& object, const TapeResolver& resolver,
                  const std::function<Status(const RowSlice&)>& sink);

}  // namespace tapedeck

#endif  // TAPEDECK_QUERY_ARCHIVE_OBJECT_H_
