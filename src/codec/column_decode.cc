#include <algorithm>
#include <charconv>
#include <string>

#include "base/bytes.h"
#include "base/decimal.h"
#include "codec/column_codec.h"

namespace tapedeck {
namespace {

constexpr uint8_t kNull = RowsColumn::kNullScale;
constexpr uint8_t kText = RowsColumn::kTextScale;

Status TooMuchText() { return Status::Corruption("its texts exceed the limit of a block"); }

// Rows with a value: 1 or 0 each. Empty: all have one.
Status DecodeNulls(const ColumnParts& parts, size_t rows, IntegerDecoder* decoder,
                   std::vector<uint8_t>* present) {
  present->clear();
  if (parts.nulls.empty()) return Status::Ok();
  std::vector<int64_t> bits(rows);
  TD_RETURN_IF_ERROR(decoder->Decode(parts.nulls, bits));
  present->resize(rows);
  bool good = true;
  for (size_t i = 0; i < rows; ++i) {
    good &= bits[i] == 0 || bits[i] == 1;
    (*present)[i] = static_cast<uint8_t>(bits[i] & 1);
  }
  return good ? Status::Ok() : Status::Corruption("nulls are not 0 or 1");
}

Status ScalesFrom(std::string_view stream, size_t rows, uint8_t greatest, IntegerDecoder* decoder,
                  std::vector<uint8_t>* out) {
  std::vector<int64_t> scales(rows);
  TD_RETURN_IF_ERROR(decoder->Decode(stream, scales));
  out->resize(rows);
  bool good = true;
  for (size_t i = 0; i < rows; ++i) {
    good &= scales[i] >= 0 && scales[i] <= greatest;
    (*out)[i] = static_cast<uint8_t>(scales[i]);
  }
  return good ? Status::Ok() : Status::Corruption("scale out of range");
}

constexpr int64_t kPowers[] = {1,
                               10,
                               100,
                               1'000,
                               10'000,
                               100'000,
                               1'000'000,
                               10'000'000,
                               100'000'000,
                               1'000'000'000,
                               10'000'000'000,
                               100'000'000'000,
                               1'000'000'000'000,
                               10'000'000'000'000,
                               100'000'000'000'000,
                               1'000'000'000'000'000,
                               10'000'000'000'000'000,
                               100'000'000'000'000'000,
                               1'000'000'000'000'000'000};
static_assert(std::size(kPowers) == kDecimalScaleMax + 1);

// From mantissas at the block's scale to mantissas and scales as written.
Status ApplyScales(std::string_view rule, IntegerDecoder* decoder, RowsColumn* out) {
  size_t rows = out->numbers.size();
  ByteReader in(rule);
  auto kind = static_cast<ScaleRule>(in.Byte());
  uint8_t greatest = in.Byte();
  if (!in.ok() || greatest > kDecimalScaleMax) return Status::Corruption("scale out of range");
  switch (kind) {
    case ScaleRule::kConstant:
      out->scales.assign(rows, greatest);
      break;
    case ScaleRule::kStripped: {
      uint8_t least = in.Byte();
      if (!in.ok() || least > greatest) return Status::Corruption("scale out of range");
      out->scales.resize(rows);
      for (size_t i = 0; i < rows; ++i) {
        uint8_t scale = greatest;
        int64_t number = out->numbers[i];
        while (scale > least && number % 10 == 0) {
          number /= 10;
          --scale;
        }
        out->numbers[i] = number;
        out->scales[i] = scale;
      }
      break;
    }
    case ScaleRule::kEach: {
      TD_RETURN_IF_ERROR(ScalesFrom(in.rest(), rows, greatest, decoder, &out->scales));
      for (size_t i = 0; i < rows; ++i) {
        if (out->scales[i] == greatest) continue;
        int64_t power = kPowers[greatest - out->scales[i]];
        if (out->numbers[i] % power != 0)
          return Status::Corruption("a decimal does not have the scale that it should");
        out->numbers[i] /= power;
      }
      return Status::Ok();
    }
    default:
      return Status::Corruption("unknown scale rule " +
                                std::to_string(static_cast<unsigned>(kind)));
  }
  return in.done() ? Status::Ok() : Status::Corruption("bytes after its scales");
}

struct Exception {
  size_t row;
  uint8_t scale;
  int64_t mantissa;
  std::string_view text;
};

Status ReadExceptions(std::string_view bytes, size_t rows, std::vector<Exception>* out) {
  if (bytes.empty()) return Status::Ok();
  ByteReader in(bytes);
  uint64_t count = in.Varint();
  if (!in.ok() || count > rows) return Status::Corruption("more exceptions than rows");
  uint64_t next = 0;
  for (uint64_t i = 0; i < count; ++i) {
    uint64_t gap = in.Varint();
    if (!in.ok() || gap >= rows || next + gap >= rows)
      return Status::Corruption("exception outside the block");
    Exception exception{};
    exception.row = next + gap;
    exception.scale = in.Byte();
    if (exception.scale == kText) {
      exception.text = in.Blob();
    } else {
      exception.mantissa = UnZigZag(in.Varint());
      if (exception.scale > kDecimalScaleMax) return Status::Corruption("scale out of range");
    }
    if (!in.ok()) return Status::Corruption("exceptions are cut");
    next = exception.row + 1;
    out->push_back(exception);
  }
  return in.done() ? Status::Ok() : Status::Corruption("bytes after its exceptions");
}

Status ApplyExceptions(std::string_view bytes, size_t* text_budget, RowsColumn* out) {
  std::vector<Exception> exceptions;
  size_t rows = out->numbers.size();
  TD_RETURN_IF_ERROR(ReadExceptions(bytes, rows, &exceptions));
  bool texts = false;
  for (const Exception& exception : exceptions) {
    if (out->scales[exception.row] == kNull) return Status::Corruption("a null row with a value");
    out->numbers[exception.row] = exception.mantissa;
    out->scales[exception.row] = exception.scale;
    texts |= exception.scale == kText;
  }
  if (!texts) return Status::Ok();
  out->text_ends.resize(rows);
  size_t row = 0;
  for (const Exception& exception : exceptions) {
    for (; row < exception.row; ++row)
      out->text_ends[row] = static_cast<uint32_t>(out->text.size());
    if (exception.text.size() > *text_budget) return TooMuchText();
    *text_budget -= exception.text.size();
    out->text.append(exception.text);
  }
  for (; row < rows; ++row) out->text_ends[row] = static_cast<uint32_t>(out->text.size());
  return Status::Ok();
}

Status DecodeDecimals(const ColumnParts& parts, IntegerDecoder* decoder, size_t* text_budget,
                      RowsColumn* out) {
  size_t rows = out->numbers.size();
  if (static_cast<ColumnEncoding>(parts.encoding) == ColumnEncoding::kAligned) {
    TD_RETURN_IF_ERROR(ApplyScales(parts.scales, decoder, out));
  } else {
    TD_RETURN_IF_ERROR(ScalesFrom(parts.scales, rows, kDecimalScaleMax, decoder, &out->scales));
  }
  TD_RETURN_IF_ERROR(DecodeNulls(parts, rows, decoder, &out->present));
  if (!out->present.empty()) {
    for (size_t i = 0; i < rows; ++i) {
      if (out->present[i] != 0) continue;
      out->numbers[i] = 0;
      out->scales[i] = kNull;
    }
    out->present.clear();
  }
  return ApplyExceptions(parts.rest, text_budget, out);
}

Status DecodePlainTexts(const ColumnParts& parts, std::span<const int64_t> sizes,
                        size_t* text_budget, RowsColumn* out) {
  if (parts.rest.size() > *text_budget) return TooMuchText();
  *text_budget -= parts.rest.size();
  out->text.assign(parts.rest);
  out->text_ends.resize(sizes.size());
  uint64_t end = 0;
  for (size_t i = 0; i < sizes.size(); ++i) {
    auto size = static_cast<uint64_t>(sizes[i]);
    if (size > parts.rest.size() - end)
      return Status::Corruption("texts are shorter than their sizes");
    if (out->present[i] == 0 && size != 0) return Status::Corruption("a null row with a text");
    end += size;
    out->text_ends[i] = static_cast<uint32_t>(end);
  }
  return end == parts.rest.size() ? Status::Ok()
                                  : Status::Corruption("texts are longer than their sizes");
}

Status DecodeDictionaryTexts(const ColumnParts& parts, std::span<const int64_t> positions,
                             size_t* text_budget, RowsColumn* out) {
  ByteReader in(parts.rest);
  uint64_t count = in.Varint();
  if (!in.ok() || count > positions.size())
    return Status::Corruption("dictionary of a size that cannot be");
  std::vector<std::string_view> texts(count);
  for (std::string_view& text : texts) text = in.Blob();
  if (!in.done()) return Status::Corruption("dictionary does not fill its bytes");
  out->text_ends.resize(positions.size());
  for (size_t i = 0; i < positions.size(); ++i) {
    if (out->present[i] != 0) {
      auto position = static_cast<uint64_t>(positions[i]);
      if (position >= count) return Status::Corruption("position outside its dictionary");
      if (texts[position].size() > *text_budget) return TooMuchText();
      *text_budget -= texts[position].size();
      out->text.append(texts[position]);
    }
    out->text_ends[i] = static_cast<uint32_t>(out->text.size());
  }
  return Status::Ok();
}

Status DecodeNumerals(std::span<const int64_t> numbers, size_t* text_budget, RowsColumn* out) {
  out->text_ends.resize(numbers.size());
  char digits[24];
  for (size_t i = 0; i < numbers.size(); ++i) {
    if (out->present[i] != 0) {
      char* end = std::to_chars(digits, digits + sizeof(digits), numbers[i]).ptr;
      auto size = static_cast<size_t>(end - digits);
      if (size > *text_budget) return TooMuchText();
      *text_budget -= size;
      out->text.append(digits, size);
    }
    out->text_ends[i] = static_cast<uint32_t>(out->text.size());
  }
  return Status::Ok();
}

Status CheckFlags(const RowsColumn& column) {
  uint64_t any = 0;
  for (int64_t number : column.numbers) any |= static_cast<uint64_t>(number);
  return any <= 1 ? Status::Ok() : Status::Corruption("flags are not 0 or 1");
}

}  // namespace

bool HasNumbers(const ColumnParts& parts) {
  switch (static_cast<ColumnEncoding>(parts.encoding)) {
    case ColumnEncoding::kIntegers:
      return parts.type == ColumnType::kInteger || parts.type == ColumnType::kTimestamp ||
             parts.type == ColumnType::kFlag;
    case ColumnEncoding::kAligned:
    case ColumnEncoding::kWritten:
      return parts.type == ColumnType::kDecimal;
    default:
      return false;
  }
}

void FillNull(size_t rows, RowsColumn* out) {
  out->Clear();
  if (out->type != ColumnType::kText) out->numbers.assign(rows, 0);
  if (out->type == ColumnType::kText) out->text_ends.assign(rows, 0);
  if (out->type == ColumnType::kDecimal) {
    out->scales.assign(rows, kNull);
  } else {
    out->present.assign(rows, 0);
  }
}

bool NumbersAreKept(const ColumnParts& parts) {
  if (!HasNumbers(parts) || !parts.nulls.empty() || !parts.rest.empty()) return false;
  return static_cast<ColumnEncoding>(parts.encoding) != ColumnEncoding::kAligned ||
         (!parts.scales.empty() && parts.scales[0] == static_cast<char>(ScaleRule::kConstant));
}

Status DecodeColumn(const ColumnParts& parts, size_t rows, std::span<const int64_t> numbers,
                    IntegerDecoder* decoder, size_t* text_budget, RowsColumn* out) {
  out->type = parts.type;
  out->text_ends.clear();
  out->text.clear();
  if (parts.type == ColumnType::kDecimal) {
    return DecodeDecimals(parts, decoder, text_budget, out);
  }
  out->scales.clear();
  TD_RETURN_IF_ERROR(DecodeNulls(parts, rows, decoder, &out->present));
  bool no_nulls = out->present.empty();
  if (no_nulls) out->present.assign(rows, 1);
  if (parts.type == ColumnType::kText) {
    out->numbers.clear();
    switch (static_cast<ColumnEncoding>(parts.encoding)) {
      case ColumnEncoding::kTexts:
        return DecodePlainTexts(parts, numbers, text_budget, out);
      case ColumnEncoding::kDictionary:
        return DecodeDictionaryTexts(parts, numbers, text_budget, out);
      default:
        return DecodeNumerals(numbers, text_budget, out);
    }
  }
  for (size_t i = 0; i < rows && !no_nulls; ++i) {
    if (out->present[i] == 0) out->numbers[i] = 0;
  }
  return parts.type == ColumnType::kFlag ? CheckFlags(*out) : Status::Ok();
}

}  // namespace tapedeck
