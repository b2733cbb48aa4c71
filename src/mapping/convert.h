#ifndef TAPEDECK_MAPPING_CONVERT_H_
#define TAPEDECK_MAPPING_CONVERT_H_

// Convert: what a path found, turned into a typed value. Every way a message can take through the
// decoder ends here, so all give the same values and the same faults.
//
// Owned by one thread. Text of the result lives in the operand's owner or in the arena.

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "mapping/program.h"
#include "model/value.h"

namespace tapedeck::rules {

/// Text that lives until Reset; addresses are stable. Keeps its first block.
class Arena {
 public:
  /// Room for `size` bytes.
  char* Take(size_t size);
  std::string_view Copy(std::string_view text);
  std::string_view Concat(std::string_view first, std::string_view second);
  /// Gives back the end of what Take gave last.
  void Return(size_t size) { used_ -= size; }
  void Reset();
  std::string* scratch() { return &scratch_; }

 private:
  struct Block {
    std::unique_ptr<char[]> bytes;
    size_t size;
  };
  std::vector<Block> blocks_;
  size_t used_ = 0;  // of the last block
  std::string scratch_;
};

/// What a source found. `text`: the token of a number, the unescaped text of a string, the compact
/// JSON of a container where text is wanted.
struct Operand {
  enum class Kind : uint8_t { kAbsent, kNull, kTrue, kFalse, kNumber, kText, kContainer, kNotUtf8 };
  Kind kind = Kind::kAbsent;
  uint32_t node = json::kNone;
  std::string_view text;

  bool null() const { return kind <= Kind::kNull; }
};

/// The text of anything but a container, as `map`, `extract` and type text see it.
std::string_view TextOf(const Operand& operand);

/// Whether a value that is not null equals the literal.
bool Matches(const Literal& literal, const Operand& operand);

/// `extract`, then `map`; false where that gives null.
bool Transform(const Source& source, Operand* operand);

/// Applies base64, scale, type and unit of `source`; `extract` and `map` are done already. The
/// operand is not null.
Fault Convert(const Source& source, ColumnType type, const Operand& operand, Arena* arena,
              tapedeck::Value* out);

/// A time by its form. `number` tells a JSON number from a text.
Fault ConvertTime(const Source& source, const Operand& operand, Timestamp* out);

/// An integer as a moment, by size (docs/mapping.md, "Times"); false below 10^8.
bool UnitBySize(int64_t value, TimeUnit* unit);

}  // namespace tapedeck::rules

#endif  // TAPEDECK_MAPPING_CONVERT_H_
