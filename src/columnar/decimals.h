#ifndef TAPEDECK_COLUMNAR_DECIMALS_H_
#define TAPEDECK_COLUMNAR_DECIMALS_H_

// DecimalFiller: decimals as written -> DECIMAL(p, s), scale and text columns.
//
//   DecimalFiller filler({18, 8}, ShortDecimals::kDecimal64);
//   filler.Append(column, slice, &value, &scale, &text);
//
// A run of rows goes through one loop without branches on values: a table by scale holds the factor
// and the bound of each. Rows that the table does not settle (more digits after the point than s,
// too many before it, numbers kept as text) are looked at one by one afterwards.
//
// Owned by one thread.

#include <array>
#include <cstdint>
#include <string_view>

#include "columnar/batch.h"
#include "columnar/layout.h"

namespace tapedeck {

class DecimalFiller {
 public:
  DecimalFiller(DecimalType form, ShortDecimals decimals);

  /// Appends one element to each of the three for every row of the slice.
  void Append(const RowsColumn& column, const RowSlice& slice, BatchColumn* value,
              BatchColumn* scale, BatchColumn* text) const;

 private:
  /// How a mantissa of one scale becomes one of scale s: times `factor`, if mantissa + offset <
  /// range as unsigned numbers.
  struct Rule {
    bool Settles(uint64_t mantissa) const { return mantissa + offset < range; }
    uint64_t offset = 0;
    uint64_t range = 0;  // 0: settles nothing
    Int128 factor = 0;
  };
  template <typename T, int kStep>
  bool FillRun(const RowsColumn& column, const RowSlice& slice, T* values, int8_t* scales,
               uint8_t* present) const;
  template <typename T>
  void Fill(const RowsColumn& column, const RowSlice& slice, T* values, int8_t* scales,
            BatchColumn* value, BatchColumn* text) const;
  /// The number as DECIMAL(p, s); false where it does not fit.
  bool Convert(const Value& value, Int128* mantissa, int8_t* scale) const;
  bool ConvertText(std::string_view text, Int128* mantissa, int8_t* scale) const;

  DecimalType form_;
  ShortDecimals decimals_;
  Int128 mantissa_max_;
  std::array<Rule, 256> rules_;
};

}  // namespace tapedeck

#endif  // TAPEDECK_COLUMNAR_DECIMALS_H_
