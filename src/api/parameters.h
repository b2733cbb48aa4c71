#ifndef TAPEDECK_API_PARAMETERS_H_
#define TAPEDECK_API_PARAMETERS_H_

// Parameters: the query of a request, decoded and read strictly; what is wrong is collected, so
// that one answer names everything.
//
//   Parameters parameters(request.query, {"symbols", "limit"});
//   std::vector<std::string> symbols = parameters.List("symbols");
//   uint64_t limit = parameters.Number("limit", 1, 50'000).value_or(1000);
//   if (!parameters.ok()) return parameters.problem();
//
// Wrong are: a name that the route does not know or that is there twice, an empty name or value, a
// broken percent-escape, bytes that are no UTF-8, a NUL, more than kQueryArgumentsMax arguments. A
// `+` is a blank, as forms send it; Time reads a blank in the place of an offset's sign as `+`.
//
// In lists commas separate; each element is percent-decoded once more, so that a comma within one
// is written %252C and a percent sign %2525.
//
// Owned by one thread.

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "api/problem.h"
#include "base/status.h"
#include "base/time.h"

namespace tapedeck {

enum class PlusSign : bool { kPlus = false, kBlank = true };
/// A percent-encoded text; kInvalidArgument for a broken escape, a NUL, or what is no UTF-8.
Result<std::string> DecodeText(std::string_view text, PlusSign plus);

class Parameters {
 public:
  static constexpr size_t kQueryArgumentsMax = 64;

  Parameters(std::string_view query, std::span<const std::string_view> known);

  /// Decoded; null where it is not there, or is wrong.
  const std::string* Find(std::string_view name) const;
  bool Has(std::string_view name) const { return Find(name) != nullptr; }
  /// "" where it is not there. Longer than `bytes_max` is wrong.
  std::string Text(std::string_view name, size_t bytes_max);
  /// Empty where it is not there. Elements are not empty, differ, and have at most a symbol's size.
  std::vector<std::string> List(std::string_view name);
  /// nullopt where it is not there or wrong.
  std::optional<int64_t> Number(std::string_view name, int64_t least, int64_t most);
  /// "true" or "false"; false where it is not there.
  bool Flag(std::string_view name);
  /// The position of the value in `choices`; nullopt where it is not there or wrong.
  std::optional<size_t> Choose(std::string_view name, std::span<const std::string_view> choices);
  /// time_text.h; `start` is what "+1h" is relative to.
  std::optional<Timestamp> Time(std::string_view name, Timestamp now,
                                std::optional<Timestamp> start = std::nullopt);

  /// The caller found something wrong with it.
  void Bad(std::string_view name, std::string detail);
  bool ok() const { return errors_.empty(); }
  /// Everything that was wrong. There is something.
  Problem problem() const;

  /// Names and decoded values as given.
  const std::vector<std::pair<std::string, std::string>>& pairs() const { return pairs_; }

 private:
  void Take(std::string_view argument, std::span<const std::string_view> known);

  std::vector<std::pair<std::string, std::string>> pairs_;
  std::vector<ParameterProblem> errors_;
  std::string ambiguous_;  // detail of the first ambiguous time
};

}  // namespace tapedeck

#endif  // TAPEDECK_API_PARAMETERS_H_
