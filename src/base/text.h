#ifndef TAPEDECK_BASE_TEXT_H_
#define TAPEDECK_BASE_TEXT_H_

// Text from strangers: JSON escaping, UTF-8, and near misses of names.
//
//   std::string line = "{\"symbol\":";
//   AppendJsonString(symbol, &line);            // "BTC\u0000USD", whatever the bytes are
//   NearestName("comit_bytes", names)           // "commit_bytes": for "unknown key, did you mean"
//
// Thread-safe: all functions are pure.

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

namespace tapedeck {

/// Whether `bytes` is UTF-8 as Unicode defines it: no overlong forms, no surrogates, nothing above
/// U+10FFFF.
bool IsValidUtf8(std::string_view bytes);

/// `bytes`, each ill-formed sequence replaced by one U+FFFD.
std::string ToValidUtf8(std::string_view bytes);

/// Appends `bytes` as a JSON string with its quotes: ASCII control characters, DEL, U+0080 to
/// U+009F (a terminal may obey them), U+2028, U+2029, quotes and backslashes are escaped, other
/// UTF-8 is kept, and each ill-formed sequence becomes one U+FFFD, so that the result is always
/// valid JSON in valid UTF-8.
void AppendJsonString(std::string_view bytes, std::string* out);
/// The same without the quotes around it.
void AppendJsonEscaped(std::string_view bytes, std::string* out);

/// For messages: `bytes` as a JSON string, cut after about `bytes_max` bytes with "..." behind it.
std::string Quoted(std::string_view bytes, size_t bytes_max = 64);

/// Insertions, deletions, replacements and swaps of neighbours that turn `a` into `b`, by bytes
/// ("optimal string alignment", Damerau 1964). Time and memory grow with the product of the sizes:
/// for short names.
size_t EditDistance(std::string_view a, std::string_view b);

/// The name nearest to `name`, the first of several; empty where none is near enough to be meant
/// (more than a third of its bytes differ) or `name` is longer than 64 bytes.
std::string_view NearestName(std::string_view name, std::span<const std::string_view> names);

}  // namespace tapedeck

#endif  // TAPEDECK_BASE_TEXT_H_
