#ifndef TAPEDECK_CODEC_EXACT_DIVISION_H_
#define TAPEDECK_CODEC_EXACT_DIVISION_H_

// ExactDivision: quotients of numbers that are known to be multiples, and the test whether one is,
// by multiplication with the
// inverse mod 2^64 (Granlund and Montgomery 1994, section 9). Ten times as fast as dividing.
// Private to codec.
//
//   ExactDivision by(1000);
//   by.Divides(7000)                // true
//   by.Quotient(uint64_t(-7000))    // uint64_t(-7): signed multiples divide as well
//
// Values; thread-compatible.

#include <bit>
#include <cstdint>

namespace tapedeck {

class ExactDivision {
 public:
  /// divisor > 0.
  explicit ExactDivision(uint64_t divisor)
      : shift_(static_cast<unsigned>(std::countr_zero(divisor))) {
    uint64_t odd = divisor >> shift_;
    inverse_ = odd;  // right in 3 bits; each step doubles them
    for (int i = 0; i < 5; ++i) inverse_ *= 2 - odd * inverse_;
    greatest_ = UINT64_MAX / odd;
    // Signed multiples have quotients between -bias and bias.
    bias_ = odd == 1 ? uint64_t{1} << 63 : static_cast<uint64_t>(INT64_MAX) / odd;
    range_ = odd == 1 ? UINT64_MAX : 2 * bias_;
    low_bits_ = (uint64_t{1} << shift_) - 1;
  }
  bool Divides(uint64_t number) const {
    return (number & low_bits_) == 0 && (number >> shift_) * inverse_ <= greatest_;
  }
  /// 0 where `number` is a multiple, else any other number; without branches.
  uint64_t Rest(int64_t number) const {
    auto bits = static_cast<uint64_t>(number);
    return (bits & low_bits_) | (Quotient(bits) + bias_ > range_ ? 1 : 0);
  }
  bool IsOne() const { return shift_ == 0 && inverse_ == 1; }
  /// Of a multiple, signed or not below 2^63; the sign is kept.
  uint64_t Quotient(uint64_t multiple) const {
    return static_cast<uint64_t>(static_cast<int64_t>(multiple) >> shift_) * inverse_;
  }

 private:
  unsigned shift_;
  uint64_t inverse_, greatest_, low_bits_, bias_, range_;
};

}  // namespace tapedeck

#endif  // TAPEDECK_CODEC_EXACT_DIVISION_H_
