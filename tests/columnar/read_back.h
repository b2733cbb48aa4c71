#ifndef TAPEDECK_TESTS_COLUMNAR_READ_BACK_H_
#define TAPEDECK_TESTS_COLUMNAR_READ_BACK_H_

// Arrow streams and Parquet files read by Arrow C++'s own readers, as the cells that went in.

#include <arrow/table.h>

#include <memory>
#include <string>

#include "tests/columnar/sample_rows.h"

namespace tapedeck::testing {

/// A failure of the test and null where it cannot be read.
std::shared_ptr<arrow::Table> ReadArrow(const std::string& bytes);
std::shared_ptr<arrow::Table> ReadParquet(const std::string& bytes);

/// The cells of the layout's fields, found by name; a DECIMAL with its scale or its text is the
/// number as written.
Cells CellsOf(const arrow::Table& table, const ColumnarLayout& layout);

}  // namespace tapedeck::testing

#endif  // TAPEDECK_TESTS_COLUMNAR_READ_BACK_H_
