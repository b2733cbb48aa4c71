#ifndef TAPEDECK_QUERY_ARCHIVE_SOURCE_H_
#define TAPEDECK_QUERY_ARCHIVE_SOURCE_H_

// The rows of one manifest as a source of a query.
//
// Nothing is fetched before the first Fill. Then the footer of each object that may hold a row of
// the selection is taken from the cache, its series are found, and of them only the pages in the
// range are read. A few series are merged, each with a slice of its rows in memory; of many, rows
// are gathered window of time by window of time, as many as fit (archive_windows.h), because an
// object has its rows by symbol.
//
// An object that is missing, altered, or has a row outside the bounds that the manifest gives it,
// is kCorruption that names it. Owned by one thread; point, selection and part outlive it.

#include <cstdint>
#include <memory>

#include "query/row_source.h"
#include "tape/archive_plan.h"
#include "tape/read_point.h"

namespace tapedeck {

/// Null where the bounds of the part's objects say that it holds no row of the selection.
/// Otherwise *bound is a time such that no row comes before it in the order of reading.
std::unique_ptr<RowSource> MakeArchiveSource(const ReadPoint* point, const RowSelection* selection,
                                             const ManifestRows& part, size_t memory_bytes,
                                             int64_t* bound);

/// Exact number of rows of the selection in the part, which drops none: by where series begin and
/// end, without decoding them, where its objects are Parquet.
Result<uint64_t> CountArchived(const ReadPoint& point, const RowSelection& selection,
                               const ManifestRows& part);

/// `source` without the rows that others keep: those of `dropped`, by the day of the table.
std::unique_ptr<RowSource> MakeDroppingSource(
    const RowSelection* selection, std::map<Day, std::shared_ptr<const TapeOffsets>> dropped,
    std::unique_ptr<RowSource> source);

}  // namespace tapedeck

#endif  // TAPEDECK_QUERY_ARCHIVE_SOURCE_H_
