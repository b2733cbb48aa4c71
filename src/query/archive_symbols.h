#ifndef TAPEDECK_QUERY_ARCHIVE_SYMBOLS_H_
#define TAPEDECK_QUERY_ARCHIVE_SYMBOLS_H_

// Which symbols other stores have shipped records of. The store's own, shipped or not, are in its
// catalog.
//
//   TD_RETURN_IF_ERROR(VisitArchivedSeries(*point, table, {"BTC"}, nullptr,
//       [&](const std::string& symbol, const CatalogEntry& part) { …; return Status::Ok(); }));
//
// A symbol comes once for each object that holds it, in no promised order. What is not wanted is
// not read: objects whose bounds leave no room for its symbols are not opened; of the
// others the pages that say where series begin are read, and kept as long as the cache has room.
// Rows that two stores have count twice.
//
// Errors as of PlanArchive and of reading objects; the stop's. Thread-safe: pure functions of
// immutable points.

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/read_stop.h"
#include "base/status.h"
#include "model/stored.h"
#include "tape/read_point.h"

namespace tapedeck {

using ArchivedSeriesSink = std::function<Status(const std::string& symbol, const CatalogEntry&)>;
/// Whether some symbol of [first, last] is wanted; the answer may change as symbols come. Null: all
/// are.
using SymbolFilter = std::function<bool(const std::string& first, const std::string& last)>;
/// What is read of a series: kNames leaves its times empty, and saves two pages each.
enum class SeriesFacts : uint8_t { kNames, kAll };

/// Whether another store has shipped anything of the table that this one has not.
Result<bool> HasOthersRecords(const ReadPoint& point, const Table& table);

/// `symbols`: sorted, each once; empty: all. `stop` may be null.
Status VisitArchivedSeries(const ReadPoint& point, const Table& table,
                           const std::vector<std::string>& symbols, const ReadStop* stop,
                           const ArchivedSeriesSink& sink, SeriesFacts facts = SeriesFacts::kAll,
                           const SymbolFilter& filter = nullptr);

/// The series of one manifest of this store: that of a pruned generation of `day`.
Status VisitManifestSeries(const ReadPoint& point, const Table& table, const std::string& manifest,
                           Day day, const ReadStop* stop, const ArchivedSeriesSink& sink);

}  // namespace tapedeck

#endif  // TAPEDECK_QUERY_ARCHIVE_SYMBOLS_H_
