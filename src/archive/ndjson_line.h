#ifndef TAPEDECK_ARCHIVE_NDJSON_LINE_H_
#define TAPEDECK_ARCHIVE_NDJSON_LINE_H_

// NdjsonLine: one line of an NDJSON object, read into its fields.
//
// Owned by one thread.

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "model/record.h"
#include "model/table.h"

namespace tapedeck {

class NdjsonLine {
 public:
  explicit NdjsonLine(const Table& table);

  /// kCorruption. Keys that are not of the table are passed over.
  Status Parse(std::string_view line);

  const std::string& symbol() const { return fields_[kSymbol].text; }
  /// Topic, partition and lineage, without a cluster.
  const TapeId& tape() const { return tape_; }
  /// Appends the row; `rows` has the table's columns.
  Status AppendTo(TpId tp, Rows* rows);

 private:
  friend class NdjsonLineReader;
  enum Place : size_t { kTs, kSymbol, kTsKafka, kTopic, kPartition, kLineage, kOffset, kIndex };
  static constexpr size_t kPlaces = 8;  // columns follow
  enum class Kind : uint8_t { kAbsent, kNull, kNumber, kText, kFlag };
  struct Field {
    Kind kind = Kind::kAbsent;
    bool flag = false;
    std::string text;  // of a number: as written
  };
  Result<int64_t> Integer(size_t place, int64_t least, int64_t greatest) const;
  Result<int64_t> Time(size_t place) const;
  Result<Value> ValueOf(size_t place, ColumnType type);

  std::map<std::string, size_t, std::less<>> places_;
  std::vector<Column> columns_;
  std::vector<Field> fields_;
  TapeId tape_;
  std::string number_;
};

}  // namespace tapedeck

#endif  // TAPEDECK_ARCHIVE_NDJSON_LINE_H_
