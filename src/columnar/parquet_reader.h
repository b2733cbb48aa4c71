#ifndef TAPEDECK_COLUMNAR_PARQUET_READER_H_
#define TAPEDECK_COLUMNAR_PARQUET_READER_H_

// Reading our own Parquet files: footers that can be shared, and pages of single columns.
//
//   TD_ASSIGN_OR_RETURN(auto footer, ParquetFooter::Read(file));       // shared, kept by caches
//   ParquetReader reader(&file, footer);
//   TD_ASSIGN_OR_RETURN(auto pages, reader.Pages(group, column));       // reads the page index
//   ParquetValues values;
//   TD_RETURN_IF_ERROR(reader.Read(group, column, 70'000, 90'000, &values));
//
// Only whole pages are read, found by the page index; what lies between them is not fetched. Files
// are those of this module's writers, with sums (parquet_sums.h): everything that decides what a
// value is has a sum or is checked against something that has.
//
// Errors: kCorruption for bytes that no such writer wrote; kResourceExhausted: no memory; what the
// file says comes as it is. No exception leaves this module.
//
// A ParquetFooter is immutable and thread-safe; a ParquetReader is owned by one thread.

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/status.h"
#include "columnar/layout.h"
#include "columnar/random_access.h"
#include "columnar/slab.h"

namespace tapedeck {

/// How Parquet stores the values of a column.
enum class ParquetKind : uint8_t { kFlag = 0, kInt32, kInt64, kInt128, kBytes };

struct ParquetColumn {
  std::string path;  // "price", "headers.list.element.key"
  ParquetKind kind = ParquetKind::kInt64;
  std::optional<DecimalType> decimal;
  int16_t definition_max = 0;  // 0: never null
  int16_t repetition_max = 0;  // 0: one value a row
  bool operator==(const ParquetColumn&) const = default;
};

/// Least and greatest of some values, nulls left out; kInt64 and kInt32, or kBytes.
struct ParquetBounds {
  bool known = false;  // false: no value that is not null, or not recorded
  int64_t min = 0, max = 0;
  std::string min_bytes, max_bytes;
};

struct ParquetPage {
  uint64_t first_row = 0;  // in the row group
  uint64_t rows = 0;
  uint64_t offset = 0;  // in the file
  uint64_t bytes = 0;   // with its header
};

struct ParquetFooterState;

class ParquetFooter {
 public:
  /// Reads the end of the file: 64 KiB, and the rest of the footer where it is larger.
  static Result<std::shared_ptr<const ParquetFooter>> Read(const RandomAccess& file);
  ~ParquetFooter();

  /// Memory held, for budgets.
  size_t memory_bytes() const;
  uint64_t rows() const;
  std::span<const ParquetColumn> columns() const;
  size_t row_groups() const;
  uint64_t rows(size_t group) const;
  /// From the file's key-value metadata.
  std::optional<std::string_view> FindValue(std::string_view key) const;
  ParquetBounds Bounds(size_t group, size_t column) const;
  /// kCorruption where the file does not say.
  Result<uint64_t> Nulls(size_t group, size_t column) const;
  /// The bytes of the file in which the pages of the row group lie: first and one past the last.
  std::pair<uint64_t, uint64_t> Extent(size_t group) const;

 private:
  friend class ParquetReader;
  explicit ParquetFooter(std::unique_ptr<ParquetFooterState> state);
  std::unique_ptr<ParquetFooterState> state_;
};

/// Values of consecutive rows of one column.
struct ParquetValues {
  uint64_t first_row = 0;  // in the row group
  uint64_t rows = 0;
  /// One for each row where the column has one value a row (0 or "" where null); else one for each
  /// value that is there. Which of them is in use follows from the kind.
  Slab<int64_t> numbers;  // kFlag, kInt32, kInt64
  Slab<Int128> wides;     // kInt128
  Slab<uint32_t> ends;    // kBytes: end of each value in `bytes`
  std::string bytes;
  Slab<uint8_t> present;  // 0 or 1 for each row; empty: all are. Not of repeated columns
  Slab<int16_t> definition, repetition;  // of repeated columns: as in Parquet

  std::string_view BytesAt(size_t i) const {
    const uint32_t begin = i == 0 ? 0 : ends[i - 1];
    return std::string_view(bytes).substr(begin, ends[i] - begin);
  }
  bool PresentAt(size_t i) const { return present.empty() || present[i] != 0; }
  void Clear();
  size_t memory_bytes() const;
};

class ParquetReader {
 public:
  /// `file` outlives the reader.
  ParquetReader(const RandomAccess* file, std::shared_ptr<const ParquetFooter> footer);
  ~ParquetReader();

  const ParquetFooter& footer() const { return *footer_; }
  /// The pages of a column of a row group, by rows. Valid until another row group is asked for.
  Result<std::span<const ParquetPage>> Pages(size_t group, size_t column);
  /// Of each of those pages.
  Result<std::vector<ParquetBounds>> PageBounds(size_t group, size_t column);
  /// Replaces `values` by those of the pages that hold the rows [from, to) of the row group; `from`
  /// < `to`. At most kParquetReadBytesMax at once.
  Status Read(size_t group, size_t column, uint64_t from, uint64_t to, ParquetValues* values);
  /// Tells the file that Read of these rows comes next for each of these columns.
  Status Expect(size_t group, std::span<const size_t> columns, uint64_t from, uint64_t to);

 private:
  struct Index;
  Status LoadIndex(size_t group);
  struct PageRange {
    size_t first = 0, last = 0;  // both inside
  };
  Result<PageRange> PagesOf(size_t group, size_t column, uint64_t from, uint64_t to) const;
  Status ReadPages(size_t group, size_t column, size_t first, size_t last, ParquetValues* values);

  const RandomAccess* file_;
  const std::shared_ptr<const ParquetFooter> footer_;
  std::unique_ptr<Index> index_;  // of one row group
};

/// One call of ParquetReader::Read: bytes of pages, and memory for what becomes of them. A message
/// of the greatest size fits.
inline constexpr uint64_t kParquetReadBytesMax = uint64_t{256} << 20;

}  // namespace tapedeck

#endif  // TAPEDECK_COLUMNAR_PARQUET_READER_H_
