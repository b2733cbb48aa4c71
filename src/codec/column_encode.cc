#include <algorithm>
#include <charconv>
#include <unordered_map>

#include "base/bytes.h"
#include "base/decimal.h"
#include "codec/column_codec.h"

namespace tapedeck {
namespace {

constexpr uint8_t kNull = RowsColumn::kNullScale;
constexpr uint8_t kText = RowsColumn::kTextScale;

// Writes `nulls` and says how many rows have a value.
size_t EncodeNulls(const RowsColumn& column, size_t from, size_t count, NumberWriter* integers,
                   ColumnDraft* draft) {
  const bool decimal = column.type == ColumnType::kDecimal;
  const uint8_t* marks = (decimal ? column.scales : column.present).data() + from;
  const uint8_t null = decimal ? kNull : 0;
  const size_t present = count - static_cast<size_t>(std::count(marks, marks + count, null));
  if (present == 0 || present == count) return present;
  draft->numbers.resize(count);
  for (size_t i = 0; i < count; ++i) draft->numbers[i] = marks[i] != null ? 1 : 0;
  integers->Encode(draft->numbers, &draft->nulls);
  return present;
}

// The scale that a number has when zeros at its end are dropped, down to `least`.
uint8_t StrippedScale(int64_t mantissa, uint8_t scale, uint8_t least) {
  while (scale > least && mantissa % 10 == 0) {
    mantissa /= 10;
    --scale;
  }
  return scale;
}

class DecimalColumn {
 public:
  DecimalColumn(const RowsColumn& column, size_t from, size_t count)
      : column_(column), from_(from), count_(count) {}

  void Encode(NumberWriter* integers, ColumnDraft* draft) {
    MeasureScales();
    size_t exceptions = Align(draft);
    if (exceptions > count_ / 8) {
      Written(integers, draft);
      return;
    }
    draft->encoding = ColumnEncoding::kAligned;
    draft->scale = greatest_;
    draft->referable = true;
    EncodeScales(integers, draft);
  }

 private:
  uint8_t scale(size_t i) const { return column_.scales[from_ + i]; }
  int64_t mantissa(size_t i) const { return column_.numbers[from_ + i]; }
  static bool IsNumber(uint8_t scale) { return scale <= kDecimalScaleMax; }

  // Null and text have scales above those of numbers.
  void MeasureScales() {
    const uint8_t* scales = column_.scales.data() + from_;
    uint8_t greatest = 0, least = UINT8_MAX, top = 0;
    for (size_t i = 0; i < count_; ++i) {
      uint8_t s = scales[i], number = IsNumber(s) ? s : 0;
      greatest = std::max(greatest, number);
      least = std::min(least, s);
      top = std::max(top, s);
    }
    greatest_ = greatest;
    least_ = IsNumber(least) ? least : 0;
    all_numbers_ = IsNumber(top);
  }

  // Mantissas at the greatest scale; what cannot have one becomes an exception. Numbers that stand
  // for nothing repeat the one before.
  size_t Align(ColumnDraft* draft) {
    exceptions_.clear();
    if (all_numbers_ && least_ == greatest_) {
      auto first = column_.numbers.begin() + static_cast<std::ptrdiff_t>(from_);
      draft->numbers.assign(first, first + static_cast<std::ptrdiff_t>(count_));
      draft->rest.clear();
      return 0;
    }
    draft->numbers.resize(count_);
    int64_t last = 0;
    for (size_t i = 0; i < count_; ++i) {
      uint8_t s = scale(i);
      if (s == kText) {
        exceptions_.push_back(i);
      } else if (s != kNull && !ScaleUp(mantissa(i), static_cast<uint8_t>(greatest_ - s), &last)) {
        exceptions_.push_back(i);
        last = i == 0 ? 0 : draft->numbers[i - 1];
      }
      draft->numbers[i] = last;
    }
    PutExceptions(draft);
    return exceptions_.size() - Texts();
  }

  size_t Texts() const {
    return static_cast<size_t>(
        std::ranges::count_if(exceptions_, [&](size_t i) { return scale(i) == kText; }));
  }

  void PutExceptions(ColumnDraft* draft) const {
    draft->rest.clear();
    if (exceptions_.empty()) return;
    PutVarint(&draft->rest, exceptions_.size());
    size_t next = 0;
    for (size_t i : exceptions_) {
      PutVarint(&draft->rest, i - next);
      next = i + 1;
      draft->rest.push_back(static_cast<char>(scale(i)));
      if (scale(i) == kText) {
        PutBlob(&draft->rest, column_.At(from_ + i).text());
      } else {
        PutVarint(&draft->rest, ZigZag(mantissa(i)));
      }
    }
  }

  // The scales of rows that are numbers and no exceptions; others repeat the block's scale.
  void EncodeScales(NumberWriter* integers, ColumnDraft* draft) const {
    if (least_ == greatest_) {
      draft->scales = {static_cast<char>(ScaleRule::kConstant), static_cast<char>(greatest_)};
      return;
    }
    std::vector<int64_t> scales(count_);
    bool stripped = true;
    size_t exception = 0;
    for (size_t i = 0; i < count_; ++i) {
      bool excepted = exception < exceptions_.size() && exceptions_[exception] == i;
      exception += excepted ? 1 : 0;
      bool number = IsNumber(scale(i)) && !excepted;
      scales[i] = number ? scale(i) : greatest_;
      stripped &= !number || scale(i) == StrippedScale(draft->numbers[i], greatest_, least_);
    }
    draft->scales = {static_cast<char>(stripped ? ScaleRule::kStripped : ScaleRule::kEach),
                     static_cast<char>(greatest_)};
    if (stripped) {
      draft->scales.push_back(static_cast<char>(least_));
    } else {
      integers->Encode(scales, &draft->scales);
    }
  }

  // Scales too far apart: mantissas and scales as they are.
  void Written(NumberWriter* integers, ColumnDraft* draft) {
    draft->encoding = ColumnEncoding::kWritten;
    exceptions_.clear();
    std::vector<int64_t> scales(count_);
    for (size_t i = 0; i < count_; ++i) {
      bool number = IsNumber(scale(i));
      if (scale(i) == kText) exceptions_.push_back(i);
      draft->numbers[i] = number ? mantissa(i) : (i == 0 ? 0 : draft->numbers[i - 1]);
      scales[i] = number ? scale(i) : (i == 0 ? 0 : scales[i - 1]);
    }
    PutExceptions(draft);
    integers->Encode(scales, &draft->scales);
  }

  const RowsColumn& column_;
  size_t from_, count_;
  uint8_t greatest_ = 0, least_ = 0;  // of numbers
  bool all_numbers_ = false;
  std::vector<size_t> exceptions_;
};

// Whether `text` is exactly what std::to_chars writes for an int64.
bool ParseNumeral(std::string_view text, int64_t* number) {
  if (text.empty() || text.size() > 20) return false;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *number);
  if (error != std::errc() || end != text.data() + text.size()) return false;
  if (text[0] == '-') return text.size() > 1 && text[1] != '0';
  return text.size() == 1 || text[0] != '0';
}

bool Numerals(const RowsColumn& column, size_t from, size_t count, ColumnDraft* draft) {
  int64_t last = 0;
  for (size_t i = 0; i < count; ++i) {
    if (column.present[from + i] != 0 && !ParseNumeral(column.At(from + i).text(), &last))
      return false;
    draft->numbers[i] = last;
  }
  draft->encoding = ColumnEncoding::kNumerals;
  return true;
}

// A dictionary, unless most texts occur once.
bool Dictionary(const RowsColumn& column, size_t from, size_t count, ColumnDraft* draft) {
  std::unordered_map<std::string_view, int64_t> positions;
  std::string texts;
  int64_t last = 0;
  for (size_t i = 0; i < count; ++i) {
    if (column.present[from + i] != 0) {
      std::string_view text = column.At(from + i).text();
      auto [at, fresh] = positions.try_emplace(text, static_cast<int64_t>(positions.size()));
      if (fresh) PutBlob(&texts, text);
      if (positions.size() > count / 2 + 1) return false;
      last = at->second;
    }
    draft->numbers[i] = last;
  }
  draft->encoding = ColumnEncoding::kDictionary;
  PutVarint(&draft->rest, positions.size());
  draft->rest += texts;
  return true;
}

void Texts(const RowsColumn& column, size_t from, size_t count, ColumnDraft* draft) {
  draft->encoding = ColumnEncoding::kTexts;
  for (size_t i = 0; i < count; ++i) {
    std::string_view text = column.At(from + i).text();
    draft->numbers[i] = static_cast<int64_t>(text.size());
    draft->rest.append(text);
  }
}

std::vector<int64_t> Difference(std::span<const int64_t> numbers, const ColumnDraft& reference) {
  std::vector<int64_t> difference(numbers.size());
  for (size_t i = 0; i < numbers.size(); ++i) {
    difference[i] = static_cast<int64_t>(static_cast<uint64_t>(numbers[i]) -
                                         static_cast<uint64_t>(reference.numbers[i]));
  }
  return difference;
}

// Prices of one instrument lie close together: the columns that one may be told from most cheaply
// are the first decimal (bid, open) and the one before.
void EncodeWithBestReference(std::span<const ColumnDraft> earlier, NumberWriter* integers,
                             ColumnDraft* draft) {
  std::vector<int64_t> best;
  auto first = std::ranges::find(earlier, ColumnType::kDecimal, &ColumnDraft::type);
  if (draft->referable && draft->type == ColumnType::kDecimal && first != earlier.end()) {
    size_t bytes = integers->encoder->PackedBytesOf(draft->numbers);
    size_t tried = earlier.size();  // none yet
    for (size_t candidate : {static_cast<size_t>(first - earlier.begin()), earlier.size() - 1}) {
      const ColumnDraft& other = earlier[candidate];
      if (candidate == tried || candidate >= UINT8_MAX || !other.referable ||
          other.type != draft->type || other.scale != draft->scale) {
        continue;
      }
      tried = candidate;
      std::vector<int64_t> difference = Difference(draft->numbers, other);
      size_t difference_bytes = integers->encoder->PackedBytesOf(difference);
      if (difference_bytes >= bytes) continue;
      bytes = difference_bytes;
      best.swap(difference);
      draft->reference = static_cast<uint8_t>(candidate + 1);
    }
  }
  integers->Encode(draft->reference != 0 ? best : draft->numbers, &draft->bytes);
}

}  // namespace

void ColumnDraft::Clear() {
  encoding = ColumnEncoding::kIntegers;
  for (std::string* part : {&bytes, &nulls, &scales, &rest}) part->clear();
  reference = 0;
  referable = false;
  scale = 0;
  numbers.clear();
}

bool EncodeColumn(const RowsColumn& column, size_t from, size_t count,
                  std::span<const ColumnDraft> earlier, NumberWriter* integers,
                  ColumnDraft* draft) {
  if (EncodeNulls(column, from, count, integers, draft) == 0) return false;
  draft->type = column.type;
  switch (column.type) {
    case ColumnType::kDecimal:
      DecimalColumn(column, from, count).Encode(integers, draft);
      break;
    case ColumnType::kText:
      draft->numbers.resize(count);
      if (!Numerals(column, from, count, draft) && !Dictionary(column, from, count, draft)) {
        Texts(column, from, count, draft);
      }
      break;
    default:
      draft->numbers.resize(count);
      for (size_t i = 0; i < count; ++i) {
        bool present = column.present[from + i] != 0;
        draft->numbers[i] =
            present ? column.numbers[from + i] : (i == 0 ? 0 : draft->numbers[i - 1]);
      }
      draft->encoding = ColumnEncoding::kIntegers;
  }
  EncodeWithBestReference(earlier, integers, draft);
  return true;
}

// Merging compares what was written, which takes as long again; live an estimate must do.
void EncodeNumbers(std::span<const int64_t> numbers, std::span<const ColumnDraft> earlier,
                   uint8_t reference, NumberWriter* integers, ColumnDraft* draft) {
  draft->encoding = ColumnEncoding::kIntegers;
  draft->numbers.assign(numbers.begin(), numbers.end());
  if (reference == 0) {
    integers->Encode(numbers, &draft->bytes);
    return;
  }
  const std::vector<int64_t> difference = Difference(numbers, earlier[reference - 1]);
  if (integers->effort == Effort::kLive) {
    const bool refer =
        integers->encoder->PackedBytesOf(difference) < integers->encoder->PackedBytesOf(numbers);
    integers->Encode(refer ? std::span<const int64_t>(difference) : numbers, &draft->bytes);
    draft->reference = refer ? reference : 0;
    return;
  }
  integers->Encode(numbers, &draft->bytes);
  std::string bytes;
  integers->Encode(difference, &bytes);
  if (bytes.size() >= draft->bytes.size()) return;
  draft->bytes = std::move(bytes);
  draft->reference = reference;
}

}  // namespace tapedeck
