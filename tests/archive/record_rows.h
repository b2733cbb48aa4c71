#ifndef TAPEDECK_TESTS_ARCHIVE_RECORD_ROWS_H_
#define TAPEDECK_TESTS_ARCHIVE_RECORD_ROWS_H_

// Rows for the tests of record objects, and whether two heaps of them are the same.

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "archive/record_object_reader.h"
#include "archive/record_object_writer.h"
#include "base/random.h"
#include "model/record.h"
#include "model/table.h"

namespace tapedeck::testing {

/// Rows of one symbol in order.
struct SymbolRows {
  std::string symbol;
  Rows rows;
};

/// A table with a column of every type, and names that get in each other's way.
Table EveryTable(const std::string& name);

/// Tapes 1, 2 and 7.
std::vector<std::pair<TpId, TapeId>> SomeTapes();

/// Rows in the order of objects. Numbers of all kinds, nulls, bytes that are not UTF-8 in texts and
/// symbols, times at both ends.
std::vector<SymbolRows> RandomRows(Random* random, size_t symbols, size_t rows_a_symbol);

/// Quotes as feeds send them: two prices and sizes of few digits, milliseconds.
Table QuoteTable();
std::vector<SymbolRows> QuoteRows(Random* random, size_t symbols, size_t rows_a_symbol);

/// The writer's objects. `random` not null: in slices of random sizes.
std::vector<WrittenObject> WriteRows(RecordObjectPlan plan, const std::vector<SymbolRows>& rows,
                                     Random* random = nullptr);

/// Finds the tapes of SomeTapes.
Result<TpId> ResolveTape(const TapeId& tape);

/// All rows of the objects in order, neighbours of one symbol joined. A failure of the test, and
/// what was read so far, where one cannot be read.
std::vector<SymbolRows> ScanRows(const std::vector<WrittenObject>& objects, const Table& table);

/// One row as text, for messages and comparison.
std::string RowText(const std::string& symbol, const Rows& rows, size_t row);
/// Fails the test at the first difference.
void ExpectSameRows(const std::vector<SymbolRows>& got, const std::vector<SymbolRows>& wanted);

}  // namespace tapedeck::testing

#endif  // TAPEDECK_TESTS_ARCHIVE_RECORD_ROWS_H_
