#ifndef TAPEDECK_API_ROW_PRODUCER_H_
#define TAPEDECK_API_ROW_PRODUCER_H_

// RowProducer: the bytes of an answer of rows, made piece by piece: records or messages, in any
// form.
//
//   TD_RETURN_IF_ERROR(producer->Begin(&out));
//   for (bool more = true; more;) {
//     TD_ASSIGN_OR_RETURN(more, producer->Append(UINT64_MAX, &out));
//   }
//   TD_RETURN_IF_ERROR(producer->Finish("", &out));
//
// Two real sides: records (cursor and encoder) and messages. Owned by one thread at a time.

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "api/media_type.h"
#include "api/table_decimals.h"
#include "base/status.h"
#include "query/json_rows.h"
#include "query/row_cursor.h"
#include "tape/tape_cursor.h"

namespace tapedeck {

class RowProducer {
 public:
  virtual ~RowProducer() = default;
  virtual Status Begin(std::string* out) = 0;
  /// Appends the next rows, at most `most` > 0. False: there were none left.
  virtual Result<bool> Append(uint64_t most, std::string* out) = 0;
  /// Encoded place right behind the last row appended. Some row was, and AtEnd was not called yet.
  virtual std::string Position() const = 0;
  /// Whether no row is left; looks ahead.
  virtual Result<bool> AtEnd() = 0;
  virtual uint64_t rows() const = 0;
  virtual Status Finish(std::string_view next_page_token, std::string* out) = 0;
};

struct RowForm {
  AnswerForm form = AnswerForm::kJson;
  RowStyle style;
  ReadOrder order = ReadOrder::kAscending;  // of the rows; Parquet says how it is sorted
  size_t batch_bytes = size_t{8} << 20;     // that a batch of a columnar form may hold
  bool end_marker = false;
  const TableDecimals* decimals = nullptr;  // of columnar forms; null: the usual ones
};

/// kInvalidArgument: a form that these fields cannot take.
Result<std::unique_ptr<RowProducer>> MakeRecordProducer(std::unique_ptr<RowCursor> cursor,
                                                        RowFields fields, const RowForm& form);
/// `form` is a text form.
std::unique_ptr<RowProducer> MakeMessageProducer(std::unique_ptr<MessageCursor> cursor,
                                                 const RowForm& form, MessageEncoding encoding);

}  // namespace tapedeck

#endif  // TAPEDECK_API_ROW_PRODUCER_H_
