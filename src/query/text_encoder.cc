#include "query/text_encoder.h"

#include <cstring>
#include <string>
#include <vector>

#include "base/check.h"
#include "base/text.h"
#include "query/text_digits.h"

namespace tapedeck {
namespace {

using Source = RowFields::Source;
using text_digits::IsPlain;
using text_digits::kDigitsSlack;
using text_digits::kNumberCharsMax;
using text_digits::PutDecimal;
using text_digits::PutInteger;
using text_digits::TimeText;

// Rows are written here and copied out when it is full: it stays in the cache.
constexpr size_t kScratchBytes = 32 * 1024;
// Longer texts go around it.
constexpr size_t kShortText = 256;

int64_t FloorDivide(int64_t value, int64_t by) {
  const int64_t quotient = value / by;
  return value % by < 0 ? quotient - 1 : quotient;
}

// What stands in front of a value, always the same; copied 32 bytes at a time.
class Literal {
 public:
  explicit Literal(std::string text) : size_(text.size()), bytes_(std::move(text)) {
    bytes_.resize(size_ + kDigitsSlack);
  }
  char* Put(char* at) const {
    std::memcpy(at, bytes_.data(), kDigitsSlack);
    if (size_ > kDigitsSlack) [[unlikely]]
      std::memcpy(at, bytes_.data(), size_);
    return at + size_;
  }
  size_t size() const { return size_; }

 private:
  size_t size_;
  std::string bytes_;
};

class TextEncoder final : public RowEncoder {
 public:
  TextEncoder(TextFormat format, const RowFields& fields, const RowCursor& cursor, RowStyle style,
              EndMarker marker)
      : format_(format),
        marker_(marker),
        csv_(format == TextFormat::kCsv),
        point_(&cursor.point()),
        header_(RecordWriter(fields, cursor, style)),
        time_style_(style.time),
        null_(csv_ ? "" : "null") {
    for (const RowFields::Field& field : fields.fields()) AddSlot(field, cursor, style);
    row_end_ = csv_ ? "\r\n" : format == TextFormat::kNdjson ? "}\n" : "}";
    size_t row_bytes = row_end_.size() + 1 + kDigitsSlack;
    for (const Slot& slot : slots_) row_bytes += slot.literal.size() + kShortText + kDigitsSlack;
    scratch_.reset(new char[kScratchBytes + row_bytes]);
  }

  Status Begin(std::string* out) override {
    if (csv_) header_.AppendCsvHeader(out);
    if (format_ == TextFormat::kJson) out->append("{\"data\":[");
    return Status::Ok();
  }

  Status Append(const RowRun& run, std::string* out) override {
    if (run.count == 0) return Status::Ok();
    if (run.symbol != symbol_ || symbol_text_.empty()) TakeSymbol(run.symbol);
    out_ = out;
    at_ = scratch_.get();
    const char* const full = scratch_.get() + kScratchBytes;
    for (uint32_t n = 0; n < run.count; ++n) {
      if (at_ > full) Flush();
      if (format_ == TextFormat::kJson && (rows_ > 0 || n > 0)) *at_++ = ',';
      AppendRow(*run.rows, run.RowAt(n));
    }
    Flush();
    rows_ += run.count;
    return Status::Ok();
  }

  Status Finish(std::string_view next_page_token, std::string* out) override {
    if (format_ == TextFormat::kJson) {
      out->append("],\"next_page_token\":");
      if (next_page_token.empty()) {
        out->append("null");
      } else {
        AppendJsonString(next_page_token, out);
      }
      out->append("}\n");
    }
    if (format_ == TextFormat::kNdjson && marker_ == EndMarker::kLastLine) {
      out->append("{\"_end\":{\"rows\":" + std::to_string(rows_) + "}}\n");
    }
    return Status::Ok();
  }

 private:
  enum class Kind : uint8_t {
    kTs,
    kTsKafka,
    kSymbol,
    kTape,
    kOffset,
    kIndex,
    kDecimal,
    kNumber,
    kFlag,
    kTime,
    kText
  };
  struct Slot {
    Literal literal;
    Kind kind;
    Source source;
    size_t column;             // of the runs
    bool quoted;               // numbers and times
    uint32_t tp = UINT32_MAX;  // kTape: whose text this is
    std::string text;
  };

  void AddSlot(const RowFields::Field& field, const RowCursor& cursor, RowStyle style) {
    std::string literal = slots_.empty() ? "" : ",";
    if (!csv_) {
      if (slots_.empty()) literal = "{";
      AppendJsonString(field.name, &literal);
      literal += ':';
    }
    Slot slot{Literal(std::move(literal)), Kind::kText, field.source, 0, false, UINT32_MAX, {}};
    const std::span<const Column> columns = cursor.columns();
    if (field.source == Source::kColumn) {
      while (slot.column < columns.size() && columns[slot.column].name != field.column) {
        ++slot.column;
      }
      TD_CHECK(slot.column < columns.size(), "the cursor reads every field that is shown");
    }
    slot.kind = KindOf(field.source, field.source == Source::kColumn ? columns[slot.column].type
                                                                     : ColumnType::kText);
    const bool number = slot.kind == Kind::kDecimal || slot.kind == Kind::kNumber;
    const bool time =
        slot.kind == Kind::kTs || slot.kind == Kind::kTsKafka || slot.kind == Kind::kTime;
    const bool as_text = style.time == TimeStyle::kIso || style.time == TimeStyle::kNanoseconds;
    slot.quoted = !csv_ && ((number && style.numbers == NumberStyle::kString) || (time && as_text));
    slots_.push_back(std::move(slot));
  }

  static Kind KindOf(Source source, ColumnType type) {
    switch (source) {
      case Source::kTs:
        return Kind::kTs;
      case Source::kSymbol:
        return Kind::kSymbol;
      case Source::kTsKafka:
        return Kind::kTsKafka;
      case Source::kTopic:
      case Source::kPartition:
      case Source::kLineage:
        return Kind::kTape;
      case Source::kOffset:
        return Kind::kOffset;
      case Source::kIndex:
        return Kind::kIndex;
      case Source::kColumn:
        break;
    }
    switch (type) {
      case ColumnType::kTimestamp:
        return Kind::kTime;
      case ColumnType::kDecimal:
        return Kind::kDecimal;
      case ColumnType::kInteger:
        return Kind::kNumber;
      case ColumnType::kFlag:
        return Kind::kFlag;
      case ColumnType::kText:
        break;
    }
    return Kind::kText;
  }

  // Text as it stands in an answer.
  std::string Shown(std::string_view text) const {
    std::string shown;
    csv_ ? AppendCsvField(text, &shown) : AppendJsonString(text, &shown);
    return shown;
  }

  void TakeSymbol(std::string_view symbol) {
    symbol_ = symbol;
    if (!IsPlain(symbol) || symbol.empty()) {
      symbol_text_ = Shown(symbol);
      return;
    }
    symbol_text_.clear();
    if (!csv_) symbol_text_ += '"';
    symbol_text_ += symbol;
    if (!csv_) symbol_text_ += '"';
  }

  void Flush() {
    out_->append(scratch_.get(), static_cast<size_t>(at_ - scratch_.get()));
    at_ = scratch_.get();
  }

  void Put(std::string_view text) {
    if (text.size() > kShortText) {
      Flush();
      out_->append(text);
      return;
    }
    std::memcpy(at_, text.data(), text.size());
    at_ += text.size();
  }

  void PutText(std::string_view text) {
    if (text.size() > kShortText - 2 || (csv_ && text.empty()) || !IsPlain(text)) {
      Flush();
      csv_ ? AppendCsvField(text, out_) : AppendJsonString(text, out_);
      return;
    }
    if (!csv_) *at_++ = '"';
    std::memcpy(at_, text.data(), text.size());
    at_ += text.size();
    if (!csv_) *at_++ = '"';
  }

  void PutTime(int64_t ns, bool quoted) {
    if (quoted) *at_++ = '"';
    switch (time_style_) {
      case TimeStyle::kIso:
        at_ = times_.PutIso(ns, at_);
        break;
      case TimeStyle::kNanoseconds:
        at_ = PutInteger(ns, at_);
        break;
      case TimeStyle::kMicroseconds:
        at_ = PutInteger(FloorDivide(ns, 1'000), at_);
        break;
      case TimeStyle::kMilliseconds:
        at_ = PutInteger(FloorDivide(ns, 1'000'000), at_);
        break;
      case TimeStyle::kSeconds:
        at_ = PutInteger(FloorDivide(ns, 1'000'000'000), at_);
        break;
    }
    if (quoted) *at_++ = '"';
  }

  void PutNumber(int64_t mantissa, uint32_t scale, bool quoted) {
    if (quoted) *at_++ = '"';
    at_ = PutDecimal(mantissa, scale, at_);
    if (quoted) *at_++ = '"';
  }

  // Topic, partition or lineage: the text of the last tape is kept.
  void PutTape(Slot* slot, uint32_t tp) {
    if (slot->tp != tp || slot->text.empty()) {
      slot->tp = tp;
      slot->text = TapeText(slot->source, TpId{tp});
    }
    Put(slot->text);
  }

  std::string TapeText(Source source, TpId tp) const {
    const TapeId* tape = point_->FindTape(tp);
    if (tape == nullptr) return std::string(null_);
    if (source == Source::kTopic) return Shown(tape->topic);
    return std::to_string(source == Source::kPartition ? int64_t{tape->partition}
                                                       : int64_t{tape->lineage});
  }

  void AppendDecimal(const RowsColumn& column, uint32_t row, bool quoted) {
    const uint8_t scale = column.scales[row];
    if (scale <= kDecimalScaleMax) [[likely]]
      return PutNumber(column.numbers[row], scale, quoted);
    if (scale == RowsColumn::kNullScale) return Put(null_);
    if (quoted) *at_++ = '"';
    Put(column.At(row).text());
    if (quoted) *at_++ = '"';
  }

  void AppendColumn(const Slot& slot, const RowsColumn& column, uint32_t row) {
    if (column.present[row] == 0) return Put(null_);
    switch (slot.kind) {
      case Kind::kNumber:
        return PutNumber(column.numbers[row], 0, slot.quoted);
      case Kind::kFlag:
        return Put(column.numbers[row] != 0 ? "true" : "false");
      case Kind::kTime:
        return PutTime(column.numbers[row], slot.quoted);
      default: {
        const size_t begin = row == 0 ? 0 : column.text_ends[row - 1];
        return PutText({column.text.data() + begin, column.text_ends[row] - begin});
      }
    }
  }

  void AppendRow(const Rows& rows, uint32_t row) {
    for (Slot& slot : slots_) {
      at_ = slot.literal.Put(at_);
      switch (slot.kind) {
        case Kind::kDecimal:
          AppendDecimal(rows.columns[slot.column], row, slot.quoted);
          break;
        case Kind::kTs:
          PutTime(rows.ts[row], slot.quoted);
          break;
        case Kind::kSymbol:
          Put(symbol_text_);
          break;
        case Kind::kTsKafka:
          if (rows.ts_kafka[row] == kNoKafkaTime) {
            Put(null_);
          } else {
            PutTime(rows.ts_kafka[row], slot.quoted);
          }
          break;
        case Kind::kTape:
          PutTape(&slot, rows.tp[row]);
          break;
        case Kind::kOffset:
          at_ = PutInteger(rows.offset[row], at_);
          break;
        case Kind::kIndex:
          at_ = PutInteger(rows.index[row], at_);
          break;
        default:
          AppendColumn(slot, rows.columns[slot.column], row);
          break;
      }
    }
    std::memcpy(at_, row_end_.data(), row_end_.size());
    at_ += row_end_.size();
  }

  const TextFormat format_;
  const EndMarker marker_;
  const bool csv_;
  const ReadPoint* point_;
  const RecordWriter header_;
  const TimeStyle time_style_;
  const std::string_view null_;
  std::vector<Slot> slots_;
  std::string_view row_end_;
  uint64_t rows_ = 0;

  std::unique_ptr<char[]> scratch_;  // kScratchBytes and room for one row
  char* at_ = nullptr;               // in scratch_
  std::string* out_ = nullptr;       // of the call in hand
  TimeText times_;
  std::string symbol_;
  std::string symbol_text_;
};

}  // namespace

std::unique_ptr<RowEncoder> MakeTextEncoder(TextFormat format, const RowFields& fields,
                                            const RowCursor& cursor, RowStyle style,
                                            EndMarker marker) {
  return std::make_unique<TextEncoder>(format, fields, cursor, style, marker);
}

}  // namespace tapedeck
